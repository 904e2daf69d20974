/* SPDX-License-Identifier: Apache-2.0
 * web.c - the web role: HTTPS in, checked against the route table; the desk answers. It holds no right but
 * its socket. */
#include <stdlib.h>

#include "api/call.h"
#include "base/log.h"
#include "base/map.h"
#include "base/time.h"
#include "role/process.h"
#include "web/server.h"

enum { GRACE_MS = 3000, MAX_WAITING = 4096 };

struct waiting {
	struct waiting *next;
	struct web_request *request;
	int64_t id;
	bool metrics; /* our own counters follow the desk's */
};

struct web_role {
	struct role_process *p;
	struct web_server *server;
	struct waiting *first;
	size_t n_waiting;
	int64_t next_id;
};

static void healthz(struct role_process *p, struct web_request *req)
{
	bool well = p->peers[ROLE_DESK] != NULL;
	struct web_answer a = {.status = well ? 200 : 503,
						   .content_type = "text/plain; charset=utf-8",
						   .body = well ? KH_LIT("ok\n") : KH_LIT("desk away\n")};
	web_reply(req, &a);
}

static unsigned method_bits(const char *allow)
{
	static const struct {
		const char *name;
		unsigned bit;
	} methods[] = {
		{"GET", WEB_GET}, {"POST", WEB_POST}, {"PUT", WEB_PUT}, {"PATCH", WEB_PATCH}, {"DELETE", WEB_DELETE}};
	unsigned bits = 0;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strstr(allow, methods[i].name) != NULL) bits |= methods[i].bit;
	return bits;
}

static const char *method_name(enum web_method m)
{
	switch (m) {
	case WEB_GET:
		return "GET";
	case WEB_POST:
		return "POST";
	case WEB_PUT:
		return "PUT";
	case WEB_PATCH:
		return "PATCH";
	case WEB_DELETE:
		return "DELETE";
	case WEB_OPTIONS:
		break;
	}
	return "OPTIONS";
}

static size_t on_head(void *ctx, struct web_request *req)
{
	struct role_process *p = ctx;
	struct api_match match;
	if (kh_slice_is(req->target.path, "/healthz")) {
		if (req->method == WEB_GET)
			healthz(p, req);
		else
			web_method_refused(req, WEB_GET);
		return 0;
	}
	enum kh_err err = api_route_find(kh_str(method_name(req->method)), req->target.path, &match);
	if (err == KH_OK) return match.route->max_body;
	if (err == KH_ERANGE)
		web_method_refused(req, method_bits(match.allow));
	else
		web_problem(req, 404, NULL);
	return 0;
}

static json_t *query_of(const struct web_request *req)
{
	json_t *q = json_object();
	for (size_t i = 0; i < req->target.n_query; i++) {
		const struct target_pair *pair = &req->target.query[i];
		json_t *v = json_stringn(pair->value.n > 0 ? (const char *)pair->value.p : "", pair->value.n);
		char *name = kh_slice_dup(pair->name);
		if (name != NULL && v != NULL) json_object_set(q, name, v);
		json_decref(v);
		free(name);
	}
	return q;
}

static json_t *text_of(struct kh_slice s)
{
	json_t *j = json_stringn(s.n > 0 ? (const char *)s.p : "", s.n);
	return j != NULL ? j : json_string("");
}

static json_t *call_of(const struct web_request *req, int64_t id)
{
	char client[KH_ADDRESS_TEXT];
	struct kh_slice bearer = req->header[WEB_AUTHORIZATION], scheme;
	bool is_bearer = kh_slice_cut(&bearer, ' ', &scheme) && kh_slice_case_eq(scheme, KH_LIT("Bearer"));
	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:s, s:s, s:o}", "id", (json_int_t)id, "method",
					 method_name(req->method), "path", text_of(req->target.path), "query", query_of(req),
					 "bearer", text_of(is_bearer ? kh_slice_trim(bearer) : (struct kh_slice){0}), "client",
					 kh_address_text(client, &req->client), "lang", req->lang == KH_EN ? "en" : "vi", "body",
					 text_of(req->body));
}

static void on_request(void *ctx, struct web_request *req)
{
	struct role_process *p = ctx;
	struct web_role *w = p->state;
	struct waiting *wait = w->n_waiting < MAX_WAITING ? calloc(1, sizeof *wait) : NULL;
	if (wait == NULL || p->peers[ROLE_DESK] == NULL) {
		free(wait);
		web_problem(req, 503, NULL);
		return;
	}
	*wait = (struct waiting){w->first, req, ++w->next_id, kh_slice_is(req->target.path, "/metrics")};
	w->first = wait;
	w->n_waiting++;
	if (!kh_utf8_ok(req->body) ||
		channel_send(p->peers[ROLE_DESK], FRAME_CALL, call_of(req, wait->id), -1) != KH_OK) {
		w->first = wait->next;
		w->n_waiting--;
		free(wait);
		web_problem(req, kh_utf8_ok(req->body) ? 503 : 400, NULL);
	}
}

static void own_metrics(const struct web_role *w, struct kh_buf *b)
{
	struct web_counts c = web_server_counts(w->server);
	kh_buf_text(b, "# HELP khien_http_requests_total Answers by status class.\n# TYPE "
				   "khien_http_requests_total counter\n");
	for (int i = 1; i < 6; i++)
		kh_buf_printf(b, "khien_http_requests_total{class=\"%dxx\"} %llu\n", i,
					  (unsigned long long)c.requests[i]);
	kh_buf_text(b, "# HELP khien_http_refused_total Connections and requests refused, by reason.\n# TYPE "
				   "khien_http_refused_total counter\n");
	for (int i = 0; i < WEB_N_REFUSALS; i++)
		kh_buf_printf(b, "khien_http_refused_total{reason=\"%s\"} %llu\n",
					  web_refusal_name((enum web_refusal)i), (unsigned long long)c.refused[i]);
	kh_buf_printf(b,
				  "# HELP khien_http_connections Open connections.\n# TYPE khien_http_connections "
				  "gauge\nkhien_http_connections %u\n",
				  c.open);
}

static void on_answer(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	struct web_role *w = ((struct role_process *)ctx)->state;
	int64_t id = json_int(payload, "id", 0);
	for (struct waiting **at = &w->first; *at != NULL; at = &(*at)->next) {
		struct waiting *wait = *at;
		if (wait->id != id) continue;
		const json_t *body = json_object_get(payload, "body");
		struct kh_buf b = KH_BUF(128 << 20);
		unsigned status = (unsigned)json_int(payload, "status", 500);
		kh_buf_put(&b, (struct kh_slice){(const uint8_t *)json_string_value(body), json_string_length(body)});
		if (wait->metrics && status == 200) own_metrics(w, &b);
		struct web_answer a = {.status = status,
							   .content_type = json_text(payload, "content_type", NULL),
							   .body = kh_buf_slice(&b)};
		web_reply(wait->request, &a);
		kh_buf_free(&b);
		*at = wait->next;
		w->n_waiting--;
		free(wait);
		return;
	}
}

/* Requests that the desk had in hand: it may or may not have done them. The client asks again. */
static void desk_gone(struct role_process *p, enum role peer)
{
	(void)peer;
	struct web_role *w = p->state;
	while (w->first != NULL) {
		struct waiting *wait = w->first;
		w->first = wait->next;
		web_problem(wait->request, 503, NULL);
		free(wait);
	}
	w->n_waiting = 0;
}

static enum kh_err prepare(struct role_process *p, struct kh_diag *diag)
{
	(void)p;
	(void)diag;
	web_prepare();
	return KH_OK;
}

static enum kh_err start(struct role_process *p, struct kh_diag *diag)
{
	struct web_role *w = calloc(1, sizeof *w);
	if (w == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	p->state = w;
	w->p = p;
	const struct web_handlers handlers = {on_head, on_request, p};
	struct web_settings s = {.listen_fd = -1,
							 .max_connections = (unsigned)p->settings->web.max_connections,
							 .max_per_address = (unsigned)p->settings->web.max_connections_per_address,
							 .cert_pem = role_secret(p, "certificate"),
							 .key_pem = role_secret(p, "key")};
	for (size_t i = 0; i < p->n_listeners; i++)
		if (strcmp(p->listeners[i].purpose, "web") == 0) s.listen_fd = p->listeners[i].fd;
	return web_server_new(&p->loop, &s, &handlers, &w->server, diag);
}

static void stopped(void *arg)
{
	role_exit(arg);
}

static void stop(struct role_process *p)
{
	struct web_role *w = p->state;
	web_server_stop(w->server, GRACE_MS, stopped, p);
}

static const channel_table from_desk = {[FRAME_ANSWER] = on_answer};

const struct role_ops web_ops = {
	.prepare = prepare,
	.start = start,
	.peer_gone = desk_gone,
	.stop = stop,
	.from_peer = {[ROLE_DESK] = &from_desk},
};
