/* SPDX-License-Identifier: Apache-2.0
 * mute.h - for a while, this rule, entity or organisation opens no incident and sends no mail.
 * What is muted is still stored and counted. A mute always has an end and a reason. */
#ifndef KH_DESK_MUTE_H
#define KH_DESK_MUTE_H
#include "desk/desk.h"

struct sighting;

struct mute_wish {
	const char *rule_id, *entity, *organisation; /* NULL: any; the organisation by its code */
	const char *reason;
	int64_t expires_ns;
};

enum { MUTE_MAX_DAYS = 366 };

KH_MUST_USE enum kh_err mute_hits(struct desk *d, const struct sighting *s, int64_t now_ns, bool *out,
								  struct kh_diag *diag);
/* All within the caller's transaction, audited. KH_ERANGE: expiry past or too far, nothing named, no reason.
 */
KH_MUST_USE enum kh_err mute_create(struct desk *d, const struct mute_wish *wish,
									const struct desk_actor *actor, int64_t now_ns, json_t **out,
									struct kh_diag *diag);
KH_MUST_USE enum kh_err mute_end(struct desk *d, const char *id, const struct desk_actor *actor,
								 int64_t now_ns, bool *found, struct kh_diag *diag);
KH_MUST_USE enum kh_err mute_expire(struct desk *d, int64_t now_ns, struct kh_diag *diag);
#endif
