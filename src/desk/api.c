/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/api.h"

#include <stdlib.h>

#include "desk/api_own.h"
#include "desk/token.h"

static api_handler *const handlers[ROUTE_COUNT] = {
#define ROUTE(id, method, path, access, max_body, handler) [ROUTE_##id] = handler,
#include "api/routes.def"
#undef ROUTE
};

struct desk_actor api_actor(const struct api_call *c)
{
	return (struct desk_actor){c->actor != NULL ? c->actor : "", c->from != NULL ? c->from : ""};
}

const char *api_param(const struct api_call *c, size_t i, char *out, size_t cap)
{
	struct kh_slice s = c->match.params[i];
	snprintf(out, cap, "%.*s", (int)(s.n < cap ? s.n : cap), s.n > 0 ? (const char *)s.p : "");
	return out;
}

const char *api_query(const struct api_call *c, const char *key)
{
	return json_string_value(json_object_get(c->query, key));
}

enum kh_err api_body(const struct api_call *c, json_t **out, struct kh_diag *diag)
{
	json_t *j = c->body.n == 0 ? json_object()
							   : json_loadb((const char *)c->body.p, c->body.n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(j)) {
		*out = j;
		return KH_OK;
	}
	json_decref(j);
	return kh_say(diag, KH_EFORMAT, M_API_BODY, NULL);
}

enum kh_err api_refuse(struct reply *r, int status, struct kh_diag *diag, enum kh_msg key, const char *arg)
{
	r->status = status;
	return kh_say(diag, KH_ERANGE, key, arg != NULL ? arg : "", NULL);
}

static const struct {
	enum kh_err err;
	int status;
} by_error[] = {{KH_EFORMAT, 400}, {KH_ERANGE, 422}, {KH_ELIMIT, 507}, {KH_ENOMEM, 503}, {KH_ESYS, 500}};

static const struct {
	int status;
	enum kh_msg title;
} titles[] = {{400, M_API_TITLE_400}, {401, M_API_TITLE_401}, {403, M_API_TITLE_403},
			  {404, M_API_TITLE_404}, {409, M_API_TITLE_409}, {422, M_API_TITLE_422},
			  {500, M_API_TITLE_500}, {503, M_API_TITLE_503}, {507, M_API_TITLE_507}};

static json_t *problem(struct reply *r, enum kh_err err, const struct kh_diag *diag)
{
	enum kh_msg title = M_API_TITLE_500;
	for (size_t i = 0; r->status == 0 && i < sizeof by_error / sizeof *by_error; i++)
		if (by_error[i].err == err) r->status = by_error[i].status;
	if (r->status == 0) r->status = 500;
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		if (titles[i].status == r->status) title = titles[i].title;
	json_t *p = json_pack("{s:s,s:s,s:i,s:s}", "type", "about:blank", "title", kh_msg(title), "status",
						  r->status, "detail", diag->text);
	if (r->errors != NULL) json_object_set(p, "errors", r->errors);
	return p;
}

static void send_json(struct api_call *c, int status, const char *type, const json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
	struct api_answer a = {status, type, kh_str(text != NULL ? text : "")};
	if (text == NULL) a.status = 503;
	c->reply(c, &a);
	free(text);
}

void api_finish(struct api_call *c, struct reply *r, enum kh_err err, const struct kh_diag *diag)
{
	if (err != KH_OK) {
		json_t *p = problem(r, err, diag);
		send_json(c, r->status, "application/problem+json", p);
		json_decref(p);
	} else if (r->type != NULL) {
		struct api_answer a = {200, r->type, kh_buf_slice(&r->text)};
		c->reply(c, &a);
	} else {
		send_json(c, r->status != 0 ? r->status : 200, "application/json", r->json);
	}
	json_decref(r->json);
	json_decref(r->errors);
	kh_buf_free(&r->text);
}

/* The local socket is the machine's own operator; everybody else shows a token. */
static enum kh_err admit(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	struct token_found t;
	if (c->door == API_DOOR_LOCAL) return KH_OK;
	enum kh_err err = token_check(d, c->bearer, c->now_ns, &t, diag);
	if (err == KH_ERANGE) r->status = 401;
	KH_TRY(err);
	snprintf(c->actor_text, sizeof c->actor_text, "token:%s", t.start);
	c->actor = c->actor_text;
	if (t.scope >= (c->match.route->access & API_SCOPE)) return KH_OK;
	return api_refuse(r, 403, diag, M_API_SCOPE, NULL);
}

static enum kh_err run(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	const struct api_route *route = c->match.route;
	KH_TRY(admit(d, c, r, diag));
	bool writes = strcmp(route->method, "GET") != 0 && (route->access & API_LATER) == 0;
	if (!writes) return handlers[route->id](d, c, r, diag);
	KH_TRY(desk_begin(d, diag));
	return desk_finish(d, handlers[route->id](d, c, r, diag), diag);
}

void desk_api(struct desk *d, struct api_call *call)
{
	struct reply r = {0};
	struct kh_diag diag = {0};
	enum kh_lang before = kh_lang();
	kh_lang_set(call->lang);
	enum kh_err err = run(d, call, &r, &diag);
	if (err != KH_OK || !r.later) api_finish(call, &r, err, &diag);
	kh_lang_set(before);
}
