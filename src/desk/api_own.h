/* SPDX-License-Identifier: Apache-2.0
 * api_own.h - what the files behind api.h share. */
#ifndef KH_DESK_API_OWN_H
#define KH_DESK_API_OWN_H
#include "desk/api.h"
#include "desk/own.h"

struct reply {
	int status;   /* 0: 200, or what fits the error */
	json_t *json; /* owned */
	struct kh_buf text;
	const char *type; /* of text */
	json_t *errors;   /* owned; of an import */
	bool later;       /* it comes from somewhere else */
};

typedef enum kh_err api_handler(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag);

#define ROUTE(id, method, path, access, max_body, handler) api_handler handler;
#include "api/routes.def"
#undef ROUTE

struct desk_actor api_actor(const struct api_call *c);
/* The parameter of the path, cut to what any id of ours needs. */
const char *api_param(const struct api_call *c, size_t i, char *out, size_t cap);
const char *api_query(const struct api_call *c, const char *key); /* NULL: not given */
/* The body as an object; an empty body is an empty object. */
KH_MUST_USE enum kh_err api_body(const struct api_call *c, json_t **out, struct kh_diag *diag);
/* Says a fault and its status: `return api_refuse(r, 404, diag, M_..., arg)`. */
enum kh_err api_refuse(struct reply *r, int status, struct kh_diag *diag, enum kh_msg key, const char *arg);
/* Ends a call whose work went on elsewhere. */
void api_finish(struct api_call *c, struct reply *r, enum kh_err err, const struct kh_diag *diag);
#endif
