/* SPDX-License-Identifier: Apache-2.0
 * address.h - IPv4 and IPv6 addresses and prefixes. Both are 16 bytes; IPv4 lives in ::ffff:0:0/96 (RFC
 * 4291, 2.5.5.2), so one comparison serves both. Text by RFC 4291 and 5952 (inet_pton/inet_ntop); "[...]" and
 * zone ids are refused. */
#ifndef KH_BASE_ADDRESS_H
#define KH_BASE_ADDRESS_H
#include "base/slice.h"

enum { KH_ADDRESS_TEXT = 64 };

struct kh_address {
	uint8_t b[16];
};

struct kh_prefix {
	struct kh_address base; /* host bits are zero */
	uint8_t len;            /* 0-128; an IPv4 /24 is 120 */
};

KH_MUST_USE enum kh_err kh_address_parse(struct kh_slice text, struct kh_address *out);
/* "192.0.2.0/24" or a bare address (all bits). KH_EFORMAT; host bits that are set are cleared when `loose`,
 * else refused. */
KH_MUST_USE enum kh_err kh_prefix_parse(struct kh_slice text, bool loose, struct kh_prefix *out);
char *kh_address_text(char out[KH_ADDRESS_TEXT], const struct kh_address *a);
char *kh_prefix_text(char out[KH_ADDRESS_TEXT], const struct kh_prefix *p);
bool kh_address_is_v4(const struct kh_address *a);
bool kh_prefix_holds(const struct kh_prefix *p, const struct kh_address *a);
#endif
