/* SPDX-License-Identifier: Apache-2.0
 * api.h - the desk's answers to the routes of api/routes.def.
 * A list answers {"items": [...], "next": "<cursor>" or null}; ?limit=1..1000 (100), ?after=<cursor>, and the
 * filters of its row in api_list.c. Errors are problem documents (RFC 9457) in the call's language: "type",
 * "title", "status", "detail", and for an import "errors": [{"line", "column", "reason"}]. Times are RFC
 * 3339. */
#ifndef KH_DESK_API_H
#define KH_DESK_API_H
#include "api/call.h"
#include "desk/desk.h"

/* call->match must hold a route. Over API_DOOR_WEB the bearer is checked here. Replies exactly once; for
 * routes marked API_LATER maybe after this returned, and never when desk_free came first. */
void desk_api(struct desk *d, struct api_call *call);
#endif
