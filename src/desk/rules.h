/* SPDX-License-Identifier: Apache-2.0
 * rules.h - what operators decide about rules: one switched off, exceptions as Sigma filter documents.
 * All within the caller's transaction, audited; the sensors are told after the commit. */
#ifndef KH_DESK_RULES_H
#define KH_DESK_RULES_H
#include "desk/desk.h"

KH_MUST_USE enum kh_err rule_switch_to(struct desk *d, const char *rule_id, bool disabled, const char *reason,
									   const struct desk_actor *actor, int64_t now_ns, json_t **out,
									   struct kh_diag *diag);
/* document: checked by a worker before; title: what the worker read in it. */
KH_MUST_USE enum kh_err exception_create(struct desk *d, const char *title, struct kh_slice document,
										 const struct desk_actor *actor, int64_t now_ns, json_t **out,
										 struct kh_diag *diag);
KH_MUST_USE enum kh_err exception_remove(struct desk *d, const char *id, const struct desk_actor *actor,
										 int64_t now_ns, bool *found, struct kh_diag *diag);
#endif
