/* SPDX-License-Identifier: Apache-2.0
 * incident_mail.h - the words of an incident's mail: Vietnamese, then English, from the catalogue.
 * Everything that came from a log is shown cut, on one line, with addresses of web pages made harmless. */
#ifndef KH_DESK_INCIDENT_MAIL_H
#define KH_DESK_INCIDENT_MAIL_H
#include "desk/desk.h"

enum incident_mail { MAIL_OPENED, MAIL_UPDATE, MAIL_REMINDER, MAIL_ESCALATION };

/* Queues one mail a contact (see contact.h) that has none of this incident waiting. Within the caller's
 * transaction. *n_told: mails queued. */
KH_MUST_USE enum kh_err incident_mail_queue(struct desk *d, const char *incident_id, enum incident_mail why,
											const json_t *contacts, int64_t now_ns, int64_t *n_told,
											struct kh_diag *diag);
const char *incident_mail_name(enum incident_mail why);
#endif
