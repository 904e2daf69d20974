/* SPDX-License-Identifier: Apache-2.0
 * target.h - what a request asks for: path and query (RFC 9112, 3.2; RFC 3986), and who asks through which
 * proxies. Input: hostile text. A path has one spelling: a percent code is decoded once, and "//", "/./",
 * "/../", an encoded slash, backslash, control byte or bad UTF-8 is refused and not mended, so that no two
 * rooms read one path differently. Ownership: slices point into `room`, which the caller gives (as many bytes
 * as the target has). Errors: KH_EFORMAT, KH_ELIMIT past TARGET_MAX_PAIRS. Cost: O(bytes), no allocation.
 * Threads: pure. */
#ifndef KH_WEB_TARGET_H
#define KH_WEB_TARGET_H
#include "base/address.h"
#include "base/message.h"

enum { TARGET_MAX_PAIRS = 32, TARGET_MAX_HOPS = 32 };

struct target_pair {
	struct kh_slice name, value;
};

struct target {
	struct kh_slice path; /* decoded, starts with "/" */
	struct target_pair query[TARGET_MAX_PAIRS];
	size_t n_query;
};

KH_MUST_USE enum kh_err target_parse(struct kh_slice text, uint8_t *room, struct target *out);
/* The first address from the right of X-Forwarded-For that is none of our proxies; `peer` when the peer is no
 * proxy of ours, or where the list stops making sense. */
struct kh_address target_client(struct kh_address peer, struct kh_slice forwarded,
								const struct kh_prefix *proxies, size_t n);
/* Accept-Language (RFC 9110, 12.5.4) to one of ours: the highest weight wins, the first among equals;
 * `otherwise` for none. */
enum kh_lang target_language(struct kh_slice accept, enum kh_lang otherwise);
#endif
