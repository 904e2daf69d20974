/* SPDX-License-Identifier: Apache-2.0
 * server.h - HTTPS in (RFC 9110, RFC 9112), driven by a uv loop; libmicrohttpd stays behind this one file.
 * A request: on_head(ctx, req) when its head is whole -> the most bytes its body may have; it may answer at
 * once, and the body is then never read. Then on_request(ctx, req) when the body is there. Each of them may
 * call web_reply, or on_request keeps `req` and answers later; exactly one web_reply a request that
 * on_request got. It is safe when the client is gone. Every answer carries the security headers; the caller's
 * own Content-Security-Policy and Cache-Control take their place. A malformed request line or a head past the
 * connection's memory is answered by libmicrohttpd itself, in its own words.
 *
 * Ownership: what `req` shows lives until web_reply returns; web_reply copies. The server copies its settings
 * and takes the listening socket. Limits: all in web_settings; what is refused is counted by reason. No file
 * is opened after web_prepare. Threads: the loop's thread only. */
#ifndef KH_WEB_SERVER_H
#define KH_WEB_SERVER_H
#include <uv.h>

#include "web/target.h"

enum web_method { WEB_GET = 1, WEB_POST = 2, WEB_PUT = 4, WEB_PATCH = 8, WEB_DELETE = 16, WEB_OPTIONS = 32 };

enum web_header {
	WEB_AUTHORIZATION,
	WEB_ACCEPT,
	WEB_ACCEPT_LANGUAGE,
	WEB_CONTENT_TYPE,
	WEB_COOKIE,
	WEB_HOST,
	WEB_IDEMPOTENCY_KEY,
	WEB_IF_MATCH,
	WEB_IF_NONE_MATCH,
	WEB_LAST_EVENT_ID,
	WEB_ORIGIN,
	WEB_USER_AGENT,
	WEB_X_FORWARDED_FOR,
	WEB_N_HEADERS
};

enum web_refusal {
	WEB_REFUSED_CONNECTIONS, /* too many at all */
	WEB_REFUSED_ADDRESS,     /* too many of one address */
	WEB_REFUSED_HEAD_TIME,
	WEB_REFUSED_BODY_TIME,
	WEB_REFUSED_SEND_TIME,   /* the client does not take its answer */
	WEB_REFUSED_ANSWER_TIME, /* we had no answer in time: 503 */
	WEB_REFUSED_MALFORMED,   /* 400 */
	WEB_REFUSED_METHOD,      /* 501 */
	WEB_REFUSED_TARGET,      /* 414 */
	WEB_REFUSED_HEAD,        /* 431 */
	WEB_REFUSED_BODY,        /* 413 */
	WEB_REFUSED_MEMORY,      /* 503: all bodies together */
	WEB_N_REFUSALS
};

struct web_request {
	enum web_method method; /* HEAD is GET; the body of the answer is left out by itself */
	struct target target;
	struct kh_slice header[WEB_N_HEADERS]; /* empty when absent */
	struct kh_address client;              /* past our own proxies */
	enum kh_lang lang;                     /* from Accept-Language */
	struct kh_slice body;
};

struct web_answer {
	unsigned status;
	const char *content_type; /* NULL: none */
	const struct target_pair *headers;
	size_t n_headers;
	struct kh_slice body;
};

struct web_handlers {
	size_t (*on_head)(void *ctx, struct web_request *req);
	void (*on_request)(void *ctx, struct web_request *req);
	void *ctx;
};

struct web_settings {
	int listen_fd;                   /* bound and listening */
	const char *cert_pem, *key_pem;  /* NULL: plain HTTP, behind a reverse proxy on this machine */
	const struct kh_prefix *proxies; /* whose X-Forwarded-For is believed */
	size_t n_proxies;
	unsigned max_connections;    /* 0: 256 */
	unsigned max_per_address;    /* 0: 32 */
	size_t max_target, max_head; /* bytes; 0: 4096, 16384 */
	size_t max_bodies;           /* bytes of all bodies being received; 0: 32 MiB */
	unsigned head_timeout_s, body_timeout_s, answer_timeout_s, send_timeout_s,
		idle_timeout_s; /* 0: 10, 60, 30, 60, 60 */
};

struct web_counts {
	uint64_t requests[6]; /* by status class: [2] is 2xx */
	uint64_t refused[WEB_N_REFUSALS];
	uint64_t connections; /* since start */
	unsigned open;        /* connections now */
};

struct web_server;

/* Once a process, before the sandbox: GnuTLS and libmicrohttpd. */
void web_prepare(void);
KH_MUST_USE enum kh_err web_server_new(uv_loop_t *loop, const struct web_settings *s,
									   const struct web_handlers *h, struct web_server **out,
									   struct kh_diag *d);
/* Takes no new connections; requests in flight have grace_ms to end; then stopped(arg), after which the
 * server is gone. Once. */
void web_server_stop(struct web_server *s, unsigned grace_ms, void (*stopped)(void *arg), void *arg);
struct web_counts web_server_counts(const struct web_server *s);
const char *web_refusal_name(enum web_refusal r); /* "connections", ... for /metrics */

void web_reply(struct web_request *req, const struct web_answer *a);
/* RFC 9457 in the reader's language; `detail` may be NULL. */
void web_problem(struct web_request *req, unsigned status, const char *detail);
/* 405 with Allow; `allowed` is a set of enum web_method. */
void web_method_refused(struct web_request *req, unsigned allowed);
struct kh_slice web_query(const struct web_request *req,
						  const char *name); /* the first of that name; p is NULL for none */
#endif
