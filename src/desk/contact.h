/* SPDX-License-Identifier: Apache-2.0
 * contact.h - whom to tell: by organisation and hour, up the tree when there is nobody.
 * Of an organisation's contacts those that are on duty at that time come first, then the role: duty,
 * technical, lead, leader; all of the best rank are told. An organisation without any contact is spoken for
 * by its parent, the last word is the authority's. When nobody of the organisation is on duty, the nearest
 * organisation above that has somebody awake is told as well. */
#ifndef KH_DESK_CONTACT_H
#define KH_DESK_CONTACT_H
#include "desk/desk.h"

/* [{"name", "role", "email", "phone", "organisation", "on_duty": bool}], maybe empty. organisation: an id,
 * NULL: the authority. above: how many levels up to begin (escalation). *beyond: there is no such level. */
KH_MUST_USE enum kh_err contact_choose(struct desk *d, const char *organisation, int64_t above,
									   int64_t now_ns, json_t **out, bool *beyond, struct kh_diag *diag);
#endif
