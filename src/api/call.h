/* SPDX-License-Identifier: Apache-2.0
 * call.h - one request to the desk and its answer, whatever door it came through.
 * Ownership: the caller owns the call and everything it points to until reply came; reply comes exactly once,
 * maybe before desk_api returns, maybe much later (imports); what it hands over is borrowed. */
#ifndef KH_API_CALL_H
#define KH_API_CALL_H
#include <jansson.h>

#include "api/route.h"
#include "base/message.h"

enum api_door { API_DOOR_LOCAL, API_DOOR_WEB };

struct api_answer {
	int status;       /* HTTP */
	const char *type; /* "application/json", "application/problem+json", "text/csv; charset=utf-8", ... */
	struct kh_slice body;
};

struct api_call {
	struct api_match match;
	enum api_door door;
	struct kh_slice bearer; /* API_DOOR_WEB: the token as it came, maybe empty; the desk checks it */
	const char *actor;      /* API_DOOR_LOCAL: "uid:0 root"; the desk puts its own words here for a token */
	const char *from;       /* "local", or the client's address */
	const json_t *query;    /* object of strings, or NULL */
	struct kh_slice body;
	enum kh_lang lang;
	int64_t now_ns;
	void (*reply)(struct api_call *call, const struct api_answer *answer);
	void *ctx;           /* the caller's */
	char actor_text[96]; /* the desk's */
};
#endif
