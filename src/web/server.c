/* SPDX-License-Identifier: Apache-2.0 */
#include "web/server.h"

#include <assert.h>
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/time.h"

enum {
	MEMORY_LIMIT = 32 * 1024 /* a connection's, of libmicrohttpd */,
	SPILL_MAX = 1024 * 1024,
	SWEEP_MS = 500
};

/* What a connection is waiting for; each has its deadline. */
enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_ANSWER, PHASE_SEND, PHASE_CLOSING };

struct conn {
	struct web_server *server;
	struct conn *prev, *next;
	struct MHD_Connection *mhd;
	struct kh_address peer;
	struct exchange *now; /* the request being served */
	enum phase phase;
	int64_t deadline_ns;
};

/* One request and its answer. Two may hold it: libmicrohttpd until it is completed, the caller until
 * web_reply. */
struct exchange {
	struct web_request req; /* first: callers hold a pointer to it */
	struct web_server *server;
	struct conn *conn; /* NULL: the client is gone */
	char *raw;         /* the request target; NULL: too long or no memory */
	uint8_t *room;     /* what req.target points into */
	uint8_t *head;     /* what req.header points into */
	struct kh_buf body;
	size_t spilled; /* bytes past the body's limit */
	struct MHD_Response *answer;
	unsigned status;
	bool long_target, begun, delivered, suspended, held_by_mhd, held_by_caller, too_large, no_memory;
};

struct web_server {
	uv_loop_t *loop;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer, sweep;
	unsigned handles, n_exchanges; /* what the struct must outlive */
	struct web_settings set;
	struct kh_prefix *proxies;
	struct web_handlers h;
	struct conn *conns;
	struct web_counts counts;
	size_t bodies; /* bytes of all bodies held */
	bool tls, stopping, running;
	int64_t stop_at_ns;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static const char *const header_names[WEB_N_HEADERS] = {
	[WEB_AUTHORIZATION] = "Authorization",
	[WEB_ACCEPT] = "Accept",
	[WEB_ACCEPT_LANGUAGE] = "Accept-Language",
	[WEB_CONTENT_TYPE] = "Content-Type",
	[WEB_COOKIE] = "Cookie",
	[WEB_HOST] = "Host",
	[WEB_IDEMPOTENCY_KEY] = "Idempotency-Key",
	[WEB_IF_MATCH] = "If-Match",
	[WEB_IF_NONE_MATCH] = "If-None-Match",
	[WEB_LAST_EVENT_ID] = "Last-Event-ID",
	[WEB_ORIGIN] = "Origin",
	[WEB_USER_AGENT] = "User-Agent",
	[WEB_X_FORWARDED_FOR] = "X-Forwarded-For",
};

static const struct {
	const char *name;
	enum web_method method;
} methods[] = {{"GET", WEB_GET},     {"HEAD", WEB_GET},      {"POST", WEB_POST},      {"PUT", WEB_PUT},
			   {"PATCH", WEB_PATCH}, {"DELETE", WEB_DELETE}, {"OPTIONS", WEB_OPTIONS}};

static const struct {
	unsigned status;
	enum kh_msg title;
} titles[] = {
	{400, M_WEB_STATUS_400}, {401, M_WEB_STATUS_401}, {403, M_WEB_STATUS_403}, {404, M_WEB_STATUS_404},
	{405, M_WEB_STATUS_405}, {409, M_WEB_STATUS_409}, {412, M_WEB_STATUS_412}, {413, M_WEB_STATUS_413},
	{414, M_WEB_STATUS_414}, {415, M_WEB_STATUS_415}, {422, M_WEB_STATUS_422}, {429, M_WEB_STATUS_429},
	{431, M_WEB_STATUS_431}, {500, M_WEB_STATUS_500}, {501, M_WEB_STATUS_501}, {503, M_WEB_STATUS_503},
};

const char *web_refusal_name(enum web_refusal r)
{
	static const char *const names[WEB_N_REFUSALS] = {[WEB_REFUSED_CONNECTIONS] = "connections",
													  [WEB_REFUSED_ADDRESS] = "address",
													  [WEB_REFUSED_HEAD_TIME] = "head_time",
													  [WEB_REFUSED_BODY_TIME] = "body_time",
													  [WEB_REFUSED_SEND_TIME] = "send_time",
													  [WEB_REFUSED_ANSWER_TIME] = "answer_time",
													  [WEB_REFUSED_MALFORMED] = "malformed",
													  [WEB_REFUSED_METHOD] = "method",
													  [WEB_REFUSED_TARGET] = "target",
													  [WEB_REFUSED_HEAD] = "head",
													  [WEB_REFUSED_BODY] = "body",
													  [WEB_REFUSED_MEMORY] = "memory"};
	return names[r];
}

static struct exchange *exchange_of(struct web_request *req)
{
	return (struct exchange *)(void *)req; /* req is its first member */
}

/* ---- connections ---- */

static struct kh_address address_of(const struct sockaddr *sa)
{
	struct kh_address a = {{0}};
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof v4);
		a.b[10] = a.b[11] = 0xff;
		memcpy(a.b + 12, &v4.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof v6);
		memcpy(a.b, &v6.sin6_addr, 16);
	}
	return a;
}

static unsigned seconds_of(const struct web_server *s, enum phase p)
{
	switch (p) {
	case PHASE_IDLE:
		return s->set.idle_timeout_s;
	case PHASE_HEAD:
		return s->set.head_timeout_s;
	case PHASE_BODY:
		return s->set.body_timeout_s;
	case PHASE_ANSWER:
		return s->set.answer_timeout_s;
	case PHASE_SEND:
		return s->set.send_timeout_s;
	case PHASE_CLOSING:
		break;
	}
	return 5;
}

static void enter(struct conn *c, enum phase p)
{
	if (c == NULL || c->phase == PHASE_CLOSING) return;
	c->phase = p;
	c->deadline_ns = kh_mono_ns() + (int64_t)seconds_of(c->server, p) * KH_SECOND;
}

static enum MHD_Result may_connect(void *arg, const struct sockaddr *sa, socklen_t len)
{
	struct web_server *s = arg;
	struct kh_address a = address_of(sa);
	unsigned same = 0;
	(void)len;
	for (const struct conn *c = s->conns; c != NULL; c = c->next) same += memcmp(&c->peer, &a, sizeof a) == 0;
	bool proxy = false;
	for (size_t i = 0; i < s->set.n_proxies; i++) proxy = proxy || kh_prefix_holds(&s->proxies[i], &a);
	if (s->counts.open >= s->set.max_connections) {
		s->counts.refused[WEB_REFUSED_CONNECTIONS]++;
		return MHD_NO;
	}
	if (same >= s->set.max_per_address && !proxy) {
		s->counts.refused[WEB_REFUSED_ADDRESS]++;
		return MHD_NO;
	}
	return MHD_YES;
}

static void conn_open(struct web_server *s, struct MHD_Connection *mhd, void **slot)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct conn *c = calloc(1, sizeof *c);
	*slot = c;
	if (c == NULL) return; /* its requests are refused for want of memory */
	*c = (struct conn){.server = s, .next = s->conns, .mhd = mhd, .peer = address_of(info->client_addr)};
	if (c->next != NULL) c->next->prev = c;
	s->conns = c;
	s->counts.connections++;
	s->counts.open++;
	enter(c, PHASE_HEAD);
}

static void conn_closed(struct conn *c)
{
	if (c == NULL) return;
	*(c->prev != NULL ? &c->prev->next : &c->server->conns) = c->next;
	if (c->next != NULL) c->next->prev = c->prev;
	c->server->counts.open--;
	if (c->now != NULL) c->now->conn = NULL;
	free(c);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **slot,
						  enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		conn_open(arg, mhd, slot);
	else
		conn_closed(*slot);
}

static struct conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return i != NULL ? i->socket_context : NULL;
}

/* libmicrohttpd has no call to drop a client; it sees the end of the stream. */
static void conn_drop(struct conn *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	enter(c, PHASE_CLOSING);
	if (i != NULL) shutdown(i->connect_fd, SHUT_RDWR);
}

/* ---- exchanges ---- */

static void server_free(struct web_server *s)
{
	if (s->daemon != NULL || s->handles > 0 || s->n_exchanges > 0) return;
	free(s->proxies);
	free(s);
}

static void exchange_release(struct exchange *x)
{
	if (x->held_by_mhd || x->held_by_caller) return;
	x->server->bodies -= x->body.n;
	kh_buf_free(&x->body);
	if (x->answer != NULL) MHD_destroy_response(x->answer);
	free(x->raw);
	free(x->room);
	free(x->head);
	x->server->n_exchanges--;
	server_free(x->server);
	free(x);
}

/* libmicrohttpd calls this with the request line, before any header. */
static void *on_target(void *arg, const char *uri, struct MHD_Connection *mhd)
{
	struct web_server *s = arg;
	struct exchange *x = calloc(1, sizeof *x);
	if (x == NULL) return NULL;
	size_t n = strnlen(uri, s->set.max_target + 1);
	s->n_exchanges++;
	x->server = s;
	x->conn = conn_of(mhd);
	x->held_by_mhd = true;
	x->long_target = n > s->set.max_target;
	if (!x->long_target) x->raw = strdup(uri);
	x->room = malloc(n + 1);
	if (x->conn != NULL) x->conn->now = x;
	enter(x->conn, PHASE_HEAD);
	return x;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **slot,
						 enum MHD_RequestTerminationCode why)
{
	struct web_server *s = arg;
	struct exchange *x = *slot;
	(void)mhd, (void)why;
	if (x == NULL) return;
	if (x->status >= 100 && x->status < 600) s->counts.requests[x->status / 100]++;
	if (x->conn != NULL) {
		x->conn->now = NULL;
		enter(x->conn, PHASE_IDLE);
	}
	x->conn = NULL;
	x->held_by_mhd = false;
	exchange_release(x);
	*slot = NULL;
}

/* ---- answers ---- */

struct fixed {
	const char *name, *value;
};

static bool given(const struct web_answer *a, const char *name)
{
	for (size_t i = 0; i < a->n_headers; i++)
		if (kh_slice_case_eq(a->headers[i].name, kh_str(name))) return true;
	return false;
}

/* The API speaks JSON to programs, so nothing may be loaded, framed or kept; a page brings its own policy. */
static bool add_security(const struct web_server *s, const struct web_answer *a, struct MHD_Response *r)
{
	static const struct fixed always[] = {
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{"Cache-Control", "no-store"},
	};
	bool ok = true;
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (!given(a, always[i].name))
			ok = ok && MHD_add_response_header(r, always[i].name, always[i].value) == MHD_YES;
	if (s->tls)
		ok = ok && MHD_add_response_header(r, "Strict-Transport-Security", "max-age=31536000") == MHD_YES;
	if (a->status == 401 && !given(a, "WWW-Authenticate")) /* RFC 9110, 15.5.2: a 401 must say how */
		ok = ok && MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"khien\"") == MHD_YES;
	if (s->stopping) ok = ok && MHD_add_response_header(r, "Connection", "close") == MHD_YES;
	return ok;
}

static bool add_header(struct MHD_Response *r, const struct target_pair *h)
{
	char name[64], value[2048];
	if (h->name.n >= sizeof name || h->value.n >= sizeof value) return false;
	memcpy(name, h->name.p, h->name.n);
	name[h->name.n] = '\0';
	if (h->value.n > 0) memcpy(value, h->value.p, h->value.n);
	value[h->value.n] = '\0';
	return MHD_add_response_header(r, name, value) == MHD_YES; /* refuses line breaks */
}

static struct MHD_Response *response_of(const struct web_server *s, const struct web_answer *a)
{
	uint8_t *copy = malloc(a->body.n + 1);
	if (copy == NULL) return NULL;
	if (a->body.n > 0) memcpy(copy, a->body.p, a->body.n);
	struct MHD_Response *r = MHD_create_response_from_buffer(a->body.n, copy, MHD_RESPMEM_MUST_FREE);
	if (r == NULL) {
		free(copy);
		return NULL;
	}
	bool ok = add_security(s, a, r);
	if (a->content_type != NULL)
		ok = ok && MHD_add_response_header(r, "Content-Type", a->content_type) == MHD_YES;
	for (size_t i = 0; ok && i < a->n_headers; i++) ok = add_header(r, &a->headers[i]);
	if (ok) return r;
	MHD_destroy_response(r);
	return NULL;
}

static void wake(struct web_server *s);

/* The first answer counts: ours after a time-out, or the caller's. */
static void set_answer(struct exchange *x, const struct web_answer *a)
{
	if (x->answer != NULL || !x->held_by_mhd) return;
	static const struct web_answer broken = {.status = 500};
	x->answer = response_of(x->server, a);
	x->status = a->status;
	if (x->answer == NULL) {
		x->answer = response_of(x->server, &broken);
		x->status = 500;
	}
	if (!x->suspended) return;
	x->suspended = false;
	MHD_resume_connection(x->conn->mhd);
	wake(x->server);
}

void web_reply(struct web_request *req, const struct web_answer *a)
{
	struct exchange *x = exchange_of(req);
	assert(x->held_by_caller); /* answered twice */
	set_answer(x, a);
	x->held_by_caller = false;
	exchange_release(x);
}

static const char *title_of(enum kh_lang lang, unsigned status)
{
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		if (titles[i].status == status) return kh_msg_in(lang, titles[i].title);
	return kh_msg_in(lang, status < 500 ? M_WEB_STATUS_400 : M_WEB_STATUS_500);
}

static void problem_answer(struct exchange *x, unsigned status, const char *detail,
						   const struct target_pair *more, size_t n)
{
	enum kh_lang lang = x->req.lang;
	struct target_pair headers[2] = {
		{KH_LIT("Content-Language"), lang == KH_VI ? KH_LIT("vi") : KH_LIT("en")}};
	assert(n <= 1);
	if (n > 0) headers[1] = more[0];
	json_t *j = json_pack("{s:s, s:s, s:i, s:s*}", "type", "about:blank", "title", title_of(lang, status),
						  "status", (int)status, "detail", detail);
	char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
	struct web_answer a = {.status = status,
						   .content_type = "application/problem+json",
						   .headers = headers,
						   .n_headers = 1 + n,
						   .body = kh_str(text)};
	set_answer(x, &a);
	free(text);
	json_decref(j);
}

static void caller_done(struct exchange *x)
{
	assert(x->held_by_caller);
	x->held_by_caller = false;
	exchange_release(x);
}

void web_problem(struct web_request *req, unsigned status, const char *detail)
{
	struct exchange *x = exchange_of(req);
	problem_answer(x, status, detail, NULL, 0);
	caller_done(x);
}

void web_method_refused(struct web_request *req, unsigned allowed)
{
	struct exchange *x = exchange_of(req);
	struct kh_buf list = KH_BUF(128);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (methods[i].method & allowed)
			kh_buf_printf(&list, "%s%s", list.n > 0 ? ", " : "", methods[i].name);
	struct target_pair allow = {KH_LIT("Allow"), kh_buf_slice(&list)};
	problem_answer(x, 405, NULL, &allow, 1);
	kh_buf_free(&list);
	caller_done(x);
}

struct kh_slice web_query(const struct web_request *req, const char *name)
{
	for (size_t i = 0; i < req->target.n_query; i++)
		if (kh_slice_is(req->target.query[i].name, name)) return req->target.query[i].value;
	return (struct kh_slice){0};
}

/* ---- taking a request ---- */

struct head_scan {
	struct exchange *x;
	bool twice, length_seen, chunked;
	struct kh_slice length;
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
								 const char *value, size_t value_len)
{
	struct head_scan *h = arg;
	struct kh_slice n = {(const uint8_t *)name, name_len}, v = {(const uint8_t *)value, value_len};
	(void)kind;
	if (kh_slice_case_eq(n, KH_LIT("Content-Length"))) {
		h->twice = h->twice || h->length_seen;
		h->length_seen = true;
		h->length = v;
	}
	if (kh_slice_case_eq(n, KH_LIT("Transfer-Encoding"))) h->chunked = true;
	for (size_t i = 0; i < WEB_N_HEADERS; i++) {
		if (!kh_slice_case_eq(n, kh_str(header_names[i]))) continue;
		/* two readers could pick different ones; lists that may be split are joined by no client we serve */
		if (h->x->req.header[i].p != NULL) h->twice = true;
		h->x->req.header[i] = v;
	}
	return MHD_YES;
}

/* libmicrohttpd's own copy goes with the connection, the caller's answer may come later. */
static bool keep_headers(struct exchange *x)
{
	size_t n = 0, at = 0;
	for (size_t i = 0; i < WEB_N_HEADERS; i++) n += x->req.header[i].n;
	x->head = malloc(n + 1);
	if (x->head == NULL) return false;
	for (size_t i = 0; i < WEB_N_HEADERS; i++) {
		struct kh_slice *h = &x->req.header[i];
		if (h->n > 0) memcpy(x->head + at, h->p, h->n);
		if (h->p != NULL) h->p = x->head + at;
		at += h->n;
	}
	return true;
}

static enum web_refusal refuse(struct exchange *x, unsigned status, enum web_refusal why, enum kh_msg detail)
{
	x->server->counts.refused[why]++;
	problem_answer(x, status, detail != M_COUNT ? kh_msg_in(x->req.lang, detail) : NULL, NULL, 0);
	return why;
}

static bool method_of(const char *name, enum web_method *out)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (strcmp(methods[i].name, name) != 0) continue;
		*out = methods[i].method;
		return true;
	}
	return false;
}

static size_t head_size(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	return i != NULL ? i->header_size : 0;
}

/* False: the exchange has its refusal. */
static bool read_head(struct exchange *x, struct MHD_Connection *mhd, const char *method, struct head_scan *h)
{
	struct web_server *s = x->server;
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_header, h);
	x->req.lang = target_language(x->req.header[WEB_ACCEPT_LANGUAGE], kh_lang());
	x->req.client =
		target_client(x->conn->peer, x->req.header[WEB_X_FORWARDED_FOR], s->proxies, s->set.n_proxies);
	if (x->long_target) return refuse(x, 414, WEB_REFUSED_TARGET, M_COUNT), false;
	if (head_size(mhd) > s->set.max_head) return refuse(x, 431, WEB_REFUSED_HEAD, M_COUNT), false;
	if (x->raw == NULL || x->room == NULL || !keep_headers(x))
		return refuse(x, 503, WEB_REFUSED_MEMORY, M_COUNT), false;
	if (!method_of(method, &x->req.method)) return refuse(x, 501, WEB_REFUSED_METHOD, M_COUNT), false;
	if (h->twice || (h->length_seen && h->chunked))
		return refuse(x, 400, WEB_REFUSED_MALFORMED, M_WEB_HEADER_TWICE), false;
	if (target_parse(kh_str(x->raw), x->room, &x->req.target) != KH_OK)
		return refuse(x, 400, WEB_REFUSED_MALFORMED, M_WEB_TARGET), false;
	return true;
}

/* The head is whole: ours to refuse, the caller's to answer or to give room for the body. */
static void begin(struct exchange *x, struct MHD_Connection *mhd, const char *method)
{
	struct head_scan h = {.x = x};
	uint64_t length = 0;
	x->begun = true;
	if (!read_head(x, mhd, method, &h)) return;
	x->held_by_caller = true;
	size_t most = x->server->h.on_head(x->server->h.ctx, &x->req);
	if (x->answer != NULL) return; /* web_reply let go of it */
	x->held_by_caller = false;
	x->body = KH_BUF(most);
	if (h.length_seen && (kh_slice_u64(h.length, UINT64_MAX, &length) != KH_OK || length > most))
		refuse(x, 413, WEB_REFUSED_BODY, M_COUNT);
	else
		enter(x->conn, PHASE_BODY);
}

/* libmicrohttpd takes no answer while a body is coming, so what is too much is read and dropped, up to a
 * point. */
static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *n)
{
	struct web_server *s = x->server;
	size_t took = *n;
	*n = 0;
	if (!x->too_large && !x->no_memory) {
		if (s->bodies + took > s->set.max_bodies) {
			x->no_memory = true;
		} else {
			size_t before = x->body.n;
			kh_buf_put(&x->body, (struct kh_slice){(const uint8_t *)data, took});
			s->bodies += x->body.n - before;
			x->too_large = x->body.err == KH_ELIMIT;
			x->no_memory = x->body.err == KH_ENOMEM;
		}
		if (!x->too_large && !x->no_memory) return MHD_YES;
	}
	x->spilled += took;
	return x->spilled <= SPILL_MAX ? MHD_YES : MHD_NO;
}

static void deliver(struct exchange *x)
{
	x->delivered = true;
	enter(x->conn, PHASE_ANSWER);
	if (x->too_large) {
		refuse(x, 413, WEB_REFUSED_BODY, M_COUNT);
	} else if (x->no_memory) {
		refuse(x, 503, WEB_REFUSED_MEMORY, M_COUNT);
	} else {
		x->req.body = kh_buf_slice(&x->body);
		x->held_by_caller = true;
		x->server->h.on_request(x->server->h.ctx, &x->req);
	}
}

static enum MHD_Result queue_answer(struct exchange *x, struct MHD_Connection *mhd)
{
	enter(x->conn, PHASE_SEND);
	return MHD_queue_response(mhd, x->status, x->answer);
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
								 const char *version, const char *data, size_t *n, void **slot)
{
	struct exchange *x = *slot;
	(void)arg, (void)url, (void)version;
	if (x == NULL || x->conn == NULL) return MHD_NO;
	if (!x->begun) {
		begin(x, mhd, method);
		return x->answer != NULL ? queue_answer(x, mhd) : MHD_YES;
	}
	if (*n > 0) return take_body(x, data, n);
	if (!x->delivered) deliver(x);
	if (x->answer != NULL) return queue_answer(x, mhd);
	x->suspended = true;
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

/* The target is read by target_parse alone; libmicrohttpd must not decode it a first time. */
static size_t no_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
	(void)arg, (void)mhd;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *arg, const char *format, va_list ap)
{
	char line[256];
	(void)arg;
	vsnprintf(line, sizeof line, format, ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) *p = ' ';
	kh_log(KH_LOG_DEBUG, "web library=\"%s\"", line);
}

/* ---- the loop ---- */

static void finish_stop(struct web_server *s);
static void on_timer(uv_timer_t *h);

static void run(struct web_server *s)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	if (s->daemon == NULL || s->running) return;
	s->running = true;
	MHD_run(s->daemon);
	s->running = false;
	if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&s->timer, on_timer, (uint64_t)wait_ms, 0);
	else
		uv_timer_stop(&s->timer);
	if (s->stopping && s->conns == NULL) finish_stop(s);
}

static void on_timer(uv_timer_t *h)
{
	run(h->data);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
	(void)status, (void)events;
	run(h->data);
}

static void wake(struct web_server *s)
{
	if (s->daemon != NULL && !s->running) uv_timer_start(&s->timer, on_timer, 0, 0);
}

static void expire(struct conn *c)
{
	static const enum web_refusal why[] = {[PHASE_HEAD] = WEB_REFUSED_HEAD_TIME,
										   [PHASE_BODY] = WEB_REFUSED_BODY_TIME,
										   [PHASE_ANSWER] = WEB_REFUSED_ANSWER_TIME,
										   [PHASE_SEND] = WEB_REFUSED_SEND_TIME};
	struct web_server *s = c->server;
	if (c->phase != PHASE_IDLE && c->phase != PHASE_CLOSING) s->counts.refused[why[c->phase]]++;
	if (c->phase == PHASE_ANSWER && c->now != NULL)
		problem_answer(c->now, 503, kh_msg_in(c->now->req.lang, M_WEB_TOO_SLOW), NULL, 0);
	else
		conn_drop(c);
}

static void sweep(uv_timer_t *h)
{
	struct web_server *s = h->data;
	int64_t now = kh_mono_ns();
	bool late = s->stopping && now >= s->stop_at_ns;
	for (struct conn *c = s->conns; c != NULL; c = c->next)
		if (c->deadline_ns <= now || (s->stopping && c->phase == PHASE_IDLE)) expire(c);
	if (late || (s->stopping && s->conns == NULL)) finish_stop(s);
}

/* ---- start and stop ---- */

void web_prepare(void)
{
	assert(MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES); /* loading the library has set GnuTLS up */
	json_t *j = json_pack("{s:s}", "a", "b"); /* jansson seeds its hash from the kernel once */
	json_decref(j);
}

static void fill_defaults(struct web_settings *s)
{
#define DEFAULT(field, value) (s->field = s->field != 0 ? s->field : (value))
	DEFAULT(max_connections, 256);
	DEFAULT(max_per_address, 32);
	DEFAULT(max_target, 4096);
	DEFAULT(max_head, 16384);
	DEFAULT(max_bodies, 32u << 20);
	DEFAULT(head_timeout_s, 10);
	DEFAULT(body_timeout_s, 60);
	DEFAULT(answer_timeout_s, 30);
	DEFAULT(send_timeout_s, 60);
	DEFAULT(idle_timeout_s, 60);
#undef DEFAULT
}

static struct MHD_Daemon *start_daemon(struct web_server *s)
{
	unsigned flags =
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME | (s->tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)s->set.cert_pem},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)s->set.key_pem},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
		{MHD_OPTION_END, 0, NULL}};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	return MHD_start_daemon(
		flags, 0, may_connect, s, on_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
		MHD_OPTION_LISTEN_SOCKET, s->set.listen_fd, MHD_OPTION_CONNECTION_LIMIT, s->set.max_connections + 16,
		MHD_OPTION_CONNECTION_TIMEOUT, s->set.idle_timeout_s + 5, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_LIMIT, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
		MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, s, MHD_OPTION_ARRAY, s->tls ? tls : none, MHD_OPTION_END);
}

static bool copy_proxies(struct web_server *s)
{
	if (s->set.n_proxies == 0) return true;
	s->proxies = calloc(s->set.n_proxies, sizeof *s->proxies);
	if (s->proxies == NULL) return false;
	memcpy(s->proxies, s->set.proxies, s->set.n_proxies * sizeof *s->proxies);
	return true;
}

enum kh_err web_server_new(uv_loop_t *loop, const struct web_settings *set, const struct web_handlers *h,
						   struct web_server **out, struct kh_diag *d)
{
	struct web_server *s = calloc(1, sizeof *s);
	if (s == NULL) return kh_say(d, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	s->loop = loop;
	s->set = *set;
	s->h = *h;
	s->tls = set->cert_pem != NULL;
	fill_defaults(&s->set);
	s->daemon = copy_proxies(s) ? start_daemon(s) : NULL;
	const union MHD_DaemonInfo *info =
		s->daemon != NULL ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (info == NULL || uv_poll_init(loop, &s->poll, info->epoll_fd) != 0) {
		if (s->daemon != NULL) MHD_stop_daemon(s->daemon);
		s->daemon = NULL;
		server_free(s);
		return kh_say(d, KH_ESYS, M_WEB_START, NULL);
	}
	uv_timer_init(loop, &s->timer);
	uv_timer_init(loop, &s->sweep);
	s->poll.data = s->timer.data = s->sweep.data = s;
	s->handles = 3;
	uv_poll_start(&s->poll, UV_READABLE, on_ready);
	uv_timer_start(&s->sweep, sweep, SWEEP_MS, SWEEP_MS);
	s->set.cert_pem = s->set.key_pem = NULL; /* the caller's, and used up */
	*out = s;
	return KH_OK;
}

static void handle_closed(uv_handle_t *h)
{
	struct web_server *s = h->data;
	if (--s->handles > 0) return;
	void (*stopped)(void *) = s->stopped;
	void *arg = s->stopped_arg;
	server_free(s);
	stopped(arg);
}

/* libmicrohttpd must not be stopped with a suspended connection: each gets a last answer first. */
static void finish_stop(struct web_server *s)
{
	if (s->daemon == NULL) return;
	for (struct conn *c = s->conns; c != NULL; c = c->next)
		if (c->now != NULL && c->now->suspended) problem_answer(c->now, 503, NULL, NULL, 0);
	s->running = true; /* keeps run() out while callbacks of the last round fire */
	MHD_run(s->daemon);
	MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
	uv_close((uv_handle_t *)&s->poll, handle_closed);
	uv_close((uv_handle_t *)&s->timer, handle_closed);
	uv_close((uv_handle_t *)&s->sweep, handle_closed);
}

void web_server_stop(struct web_server *s, unsigned grace_ms, void (*stopped)(void *arg), void *arg)
{
	s->stopping = true;
	s->stopped = stopped;
	s->stopped_arg = arg;
	s->stop_at_ns = kh_mono_ns() + (int64_t)grace_ms * 1000000;
	MHD_socket fd = MHD_quiesce_daemon(s->daemon);
	if (fd != MHD_INVALID_SOCKET) close(fd);
	uv_timer_start(&s->sweep, sweep, 0, 50);
}

struct web_counts web_server_counts(const struct web_server *s)
{
	return s->counts;
}
