/* SPDX-License-Identifier: Apache-2.0
 * outbox.h - what must leave the house: mails now, other errands later. One row, one recipient.
 *
 *   queued -> sending -> committing -> sent
 *      ^         |            |-> uncertain (the courier died between "I may end the mail" and "it was
 * taken")
 *      |_________|-> failed   |-> failed
 *   queued -> expired | cancelled; failed, expired, uncertain, cancelled -> queued only by an operator's word
 *
 * The courier ends a mail (the dot of RFC 5321, 4.1.1.4) only after outbox_committing came back: so a row in
 * `sending` was certainly not delivered and may be sent again, a row in `committing` may have been and is
 * not. The id is the errand's id everywhere; the Message-ID of the mail is made of it. */
#ifndef KH_DESK_OUTBOX_H
#define KH_DESK_OUTBOX_H
#include "desk/desk.h"

enum outbox_failure { OUTBOX_TEMPORARY, OUTBOX_PERMANENT, OUTBOX_UNCERTAIN };

struct outbox_mail {
	const char *reason;      /* "opened", "update", "reminder", "escalation" */
	const char *incident_id; /* NULL is allowed */
	const char *recipient;
	const char *subject, *body;
};

/* Within the caller's transaction. */
KH_MUST_USE enum kh_err outbox_add(struct desk *d, const struct outbox_mail *mail, int64_t now_ns,
								   struct kh_diag *diag);
/* Takes back what waits for an incident that needs no more words. */
KH_MUST_USE enum kh_err outbox_drop(struct desk *d, const char *incident_id, int64_t now_ns,
									struct kh_diag *diag);
KH_MUST_USE enum kh_err outbox_expire(struct desk *d, int64_t now_ns, struct kh_diag *diag);

/* The rest make their own transaction. */

/* The errand that is due longest: {"id", "kind": "mail", "to", "subject", "body", "created_ns", "attempt"};
 * NULL: none. The row stays queued until outbox_started. */
KH_MUST_USE enum kh_err outbox_next(struct desk *d, int64_t now_ns, json_t **errand, struct kh_diag *diag);
/* When the next errand is due; INT64_MAX: none waits. */
KH_MUST_USE enum kh_err outbox_next_ns(struct desk *d, int64_t *out, struct kh_diag *diag);
/* KH_ERANGE: the row is not in the state that this step starts from; the courier must drop the errand. A row
 * that is `uncertain` because the desk itself died takes the courier's word, when that lived on. */
KH_MUST_USE enum kh_err outbox_started(struct desk *d, const char *id, int64_t now_ns, struct kh_diag *diag);
KH_MUST_USE enum kh_err outbox_committing(struct desk *d, const char *id, int64_t now_ns,
										  struct kh_diag *diag);
KH_MUST_USE enum kh_err outbox_sent(struct desk *d, const char *id, int64_t now_ns, struct kh_diag *diag);
KH_MUST_USE enum kh_err outbox_failed(struct desk *d, const char *id, enum outbox_failure how,
									  const char *text, int64_t now_ns, struct kh_diag *diag);
/* After the courier died, and at start. */
KH_MUST_USE enum kh_err outbox_recover(struct desk *d, int64_t now_ns, struct kh_diag *diag);
/* By an operator; audited; within the caller's transaction. *found: there is one, in a state that allows it.
 */
KH_MUST_USE enum kh_err outbox_resend(struct desk *d, const char *id, const struct desk_actor *actor,
									  int64_t now_ns, bool *found, struct kh_diag *diag);
KH_MUST_USE enum kh_err outbox_cancel(struct desk *d, const char *id, const struct desk_actor *actor,
									  int64_t now_ns, bool *found, struct kh_diag *diag);
/* The wait before the next try: 30 s doubling to 30 min, plus up to a quarter drawn from the id, so that a
 * thousand mails do not come back to a mended server in one second. */
int64_t outbox_backoff_ns(const char *id, int64_t attempts);
#endif
