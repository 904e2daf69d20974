/* SPDX-License-Identifier: Apache-2.0
 * incident.h - a case: open -> acknowledged -> contained -> closed, and back to open.
 * A finding of level high or critical opens one, or joins the one of the same entity and organisation that is
 * not closed. T0 is the time of the first event. While nobody acknowledges, reminders go out; when they are
 * used up, the organisations above are told, one level a time. */
#ifndef KH_DESK_INCIDENT_H
#define KH_DESK_INCIDENT_H
#include "desk/desk.h"
#include "desk/finding.h"

/* Within the caller's transaction, all of them. */
KH_MUST_USE enum kh_err incident_on_finding(struct desk *d, const struct sighting *s,
											const struct finding_ref *f, int64_t now_ns,
											struct kh_diag *diag);
KH_MUST_USE enum kh_err incident_remind_due(struct desk *d, int64_t now_ns, struct kh_diag *diag);

struct incident_word {
	const char *ref;  /* number or id */
	const char *verb; /* "ack", "contain", "resume", "close", "reopen", "assign", "note" */
	const char *text; /* ack: the code, may be NULL; assign: the owner; close, reopen, note: the words */
};

/* KH_ERANGE with a diag: no such incident (*found false), or the step is not allowed from its state, the code
 * is wrong, or words are missing. *out: the incident as it is then. */
KH_MUST_USE enum kh_err incident_change(struct desk *d, const struct incident_word *word,
										const struct desk_actor *actor, int64_t now_ns, bool *found,
										json_t **out, struct kh_diag *diag);
/* With "findings" and "timeline"; NULL in *out: none. */
KH_MUST_USE enum kh_err incident_show(struct desk *d, const char *ref, json_t **out, struct kh_diag *diag);
#endif
