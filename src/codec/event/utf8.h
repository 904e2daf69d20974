/* SPDX-License-Identifier: Apache-2.0
 * utf8.h - where UTF-8 breaks, and how a text is mended (RFC 3629; replacement as Unicode 15, 3.9, "maximal
 * subpart"). Input: hostile bytes. Ownership: nothing is kept; utf8_mend writes into the caller's buffer.
 * Cost: O(bytes), no allocation. Threads: pure. */
#ifndef KH_CODEC_EVENT_UTF8_H
#define KH_CODEC_EVENT_UTF8_H
#include "base/slice.h"

/* How many bytes from the front are good UTF-8: s.n when all are. */
size_t utf8_good(struct kh_slice s);
/* Copies s with each broken part replaced by U+FFFD. `out` needs 3 * s.n bytes. The length written. */
size_t utf8_mend(struct kh_slice s, uint8_t *out);
/* Writes one code point (at most U+10FFFF); `out` needs 4 bytes. The length written. */
size_t utf8_put(uint32_t code, uint8_t *out);
#endif
