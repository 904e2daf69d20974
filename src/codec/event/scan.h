/* SPDX-License-Identifier: Apache-2.0
 * scan.h - small looks at the front of a text, shared by the codecs of text logs.
 * The functions that return a length give 0 when the thing is not there. Cost: O(bytes looked at). Threads:
 * pure. */
#ifndef KH_CODEC_EVENT_SCAN_H
#define KH_CODEC_EVENT_SCAN_H
#include "base/slice.h"

bool scan_byte(struct kh_slice *s, uint8_t want); /* takes it off when it is there */
struct kh_slice scan_spaces(struct kh_slice s);   /* what follows the blanks */
size_t scan_digits(struct kh_slice s);
size_t scan_month(struct kh_slice s);   /* "Jan".."Dec": 3 */
size_t scan_clock(struct kh_slice s);   /* "hh:mm:ss" and a fraction after '.' or ',' */
size_t scan_rfc3339(struct kh_slice s); /* "yyyy-mm-ddThh:mm:ss[.f][zone]"; a blank may stand for the T */
/* The last place of `needle` in s, or s.n. */
size_t scan_last(struct kh_slice s, struct kh_slice needle);
size_t scan_first(struct kh_slice s, struct kh_slice needle);
bool scan_has(struct kh_slice s, uint8_t byte); /* an empty slice may have no pointer */
int scan_hex(uint8_t c);                        /* the digit's value, or -1 */
#endif
