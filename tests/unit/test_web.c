/* SPDX-License-Identifier: Apache-2.0
 * The HTTP server on a loopback socket, spoken to byte by byte, and over TLS by libcurl with its certificate
 * verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/time.h"
#include "web/certificate.h"
#include "web/server.h"

struct site {
	uv_loop_t loop;
	struct web_server *server;
	uint16_t port;
	struct web_request *kept[8]; /* asked for /later, not answered yet */
	size_t n_kept, n_heads, n_requests;
	struct kh_address client;
	bool stopped;
};

static size_t on_head(void *ctx, struct web_request *req)
{
	struct site *s = ctx;
	s->n_heads++;
	if (kh_slice_is(req->target.path, "/secret") && req->header[WEB_AUTHORIZATION].n == 0)
		web_problem(req, 401, NULL);
	return kh_slice_is(req->target.path, "/small") ? 8 : 65536;
}

static void on_request(void *ctx, struct web_request *req)
{
	struct site *s = ctx;
	struct web_answer a = {
		.status = 200, .content_type = "application/json", .body = KH_LIT("{\"state\":\"ok\"}")};
	s->n_requests++;
	s->client = req->client;
	if (kh_slice_is(req->target.path, "/later"))
		s->kept[s->n_kept++] = req;
	else if (kh_slice_is(req->target.path, "/echo"))
		web_reply(req, &(struct web_answer){.status = 200, .content_type = "text/plain", .body = req->body});
	else if (kh_slice_is(req->target.path, "/tỉnh"))
		web_reply(req, &(struct web_answer){
						   .status = 200, .content_type = "text/plain", .body = web_query(req, "q")});
	else if (!kh_slice_is(req->target.path, "/"))
		web_problem(req, 404, "không có \"gì\"");
	else if (req->method != WEB_GET)
		web_method_refused(req, WEB_GET);
	else
		web_reply(req, &a);
}

static int listen_loopback(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void site_start(struct site *s, struct web_settings set)
{
	struct kh_diag d;
	memset(s, 0, sizeof *s);
	uv_loop_init(&s->loop);
	set.listen_fd = listen_loopback(&s->port);
	const struct web_handlers h = {on_head, on_request, s};
	if (web_server_new(&s->loop, &set, &h, &s->server, &d) != KH_OK) fail_msg("%s", d.text);
}

static void on_stopped(void *arg)
{
	((struct site *)arg)->stopped = true;
}

static void site_stop(struct site *s, unsigned grace_ms)
{
	web_server_stop(s->server, grace_ms, on_stopped, s);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_true(s->stopped);
	assert_int_equal(uv_loop_close(&s->loop), 0);
}

static int dial(const struct site *s)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Turns the loop until the server closes or `until` is in what it said; false after limit_ms. */
static bool hear(struct site *s, int fd, const char *until, char *out, size_t cap, int64_t limit_ms)
{
	int64_t end = kh_mono_ns() + limit_ms * 1000000;
	size_t n = strlen(out);
	while (kh_mono_ns() < end) {
		uv_run(&s->loop, UV_RUN_NOWAIT);
		ssize_t got = read(fd, out + n, cap - 1 - n);
		if (got == 0 || (got < 0 && errno == ECONNRESET)) return true;
		if (got > 0) out[n += (size_t)got] = '\0';
		if (until != NULL && strstr(out, until) != NULL) return true;
		usleep(500);
	}
	return false;
}

/* One request on a connection of its own, up to the end of the answer's stream. */
static const char *ask(struct site *s, const char *request)
{
	static char text[65536];
	int fd = dial(s);
	text[0] = '\0';
	say(fd, request);
	if (!hear(s, fd, NULL, text, sizeof text, 5000)) fail_msg("no end to the answer: %s", text);
	close(fd);
	return text;
}

#define GET(path, more) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" more "\r\n"

static void expect(struct site *s, const char *request, const char *status, const char *holds)
{
	const char *text = ask(s, request);
	if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strncmp(text + 9, status, 3) != 0)
		fail_msg("%s -> %s", request, text);
	if (holds != NULL && strstr(text, holds) == NULL) fail_msg("%s -> %s", request, text);
}

static void answers_and_refusals(void **st)
{
	struct site s;
	(void)st;
	site_start(&s, (struct web_settings){0});
	expect(&s, GET("/", ""), "200", "\r\n\r\n{\"state\":\"ok\"}");
	const char *text = ask(&s, GET("/", ""));
	assert_non_null(strstr(text, "X-Content-Type-Options: nosniff"));
	assert_non_null(strstr(text, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'"));
	assert_non_null(strstr(text, "Cache-Control: no-store"));
	assert_null(strstr(text, "Strict-Transport-Security"));
	assert_null(strstr(text, "Server:"));
	expect(&s, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200", "Content-Length: 14");
	assert_null(strstr(ask(&s, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "state"));
	expect(&s, GET("/t%E1%BB%89nh?x=1&q=%C4%91%C3%A0+n%E1%BA%B5ng", ""), "200", "\r\n\r\nđà nẵng");
	expect(&s, GET("/none", "Accept-Language: en\r\n"), "404", "\"title\":\"Not found\"");
	expect(&s, GET("/none", ""), "404", "\"detail\":\"không có \\\"gì\\\"\"");
	expect(&s, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "405",
		   "Allow: GET, HEAD\r\n");
	expect(&s, "BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "501", "problem+json");
	expect(&s, GET("/a/%2e%2e/b", ""), "400", "problem+json");
	expect(&s, GET("/a//b", ""), "400", NULL);
	expect(&s, GET("/a%00", ""), "400", NULL);
	expect(&s, GET("/", "Authorization: a\r\nAuthorization: b\r\n"), "400", NULL);
	expect(&s, GET("/secret", ""), "401", NULL);
	expect(&s, GET("/secret", "Authorization: Bearer x\r\n"), "404", NULL);
	struct web_counts c = web_server_counts(s.server);
	assert_int_equal(c.refused[WEB_REFUSED_MALFORMED], 4);
	assert_int_equal(c.refused[WEB_REFUSED_METHOD], 1);
	assert_int_equal(c.requests[2], 5);
	assert_int_equal(c.requests[4], 9);
	assert_int_equal(c.requests[5], 1);
	site_stop(&s, 1000);
}

static void limits_of_size(void **st)
{
	static char big[40000];
	struct site s;
	(void)st;
	site_start(&s, (struct web_settings){.max_bodies = 1000});
	snprintf(big, sizeof big, "GET /%0*d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 5000, 0);
	expect(&s, big, "414", "problem+json");
	snprintf(big, sizeof big, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: %0*d\r\n\r\n", 20000, 0);
	expect(&s, big, "431", "problem+json");
	snprintf(big, sizeof big, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: %0*d\r\n\r\n", 39000, 0);
	expect(&s, big, "431", NULL); /* past the connection's memory: the library's own words */
	expect(&s, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", "413", "problem+json");
	expect(&s,
		   "POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
		   "chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n",
		   "413", "problem+json");
	expect(&s,
		   "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
		   "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
		   "200", "\r\n\r\nabcde");
	snprintf(big, sizeof big,
			 "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1001\r\n\r\n%01001d", 7);
	expect(&s, big, "503", "problem+json");
	assert_int_equal(s.n_requests, 1);
	struct web_counts c = web_server_counts(s.server);
	assert_int_equal(c.refused[WEB_REFUSED_TARGET], 1);
	assert_int_equal(c.refused[WEB_REFUSED_HEAD], 1);
	assert_int_equal(c.refused[WEB_REFUSED_BODY], 2);
	assert_int_equal(c.refused[WEB_REFUSED_MEMORY], 1);
	site_stop(&s, 1000);
}

static void limits_of_time(void **st)
{
	struct site s;
	char text[4096] = "";
	(void)st;
	site_start(&s, (struct web_settings){
					   .head_timeout_s = 1, .body_timeout_s = 1, .answer_timeout_s = 1, .idle_timeout_s = 1});
	int slow = dial(&s), body = dial(&s), late = dial(&s);
	say(slow, "GET / HTTP/1.1\r\n");
	say(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1");
	say(late, GET("/later", "Accept-Language: en\r\n"));
	for (int i = 0; i < 12; i++) { /* a byte now and then must not buy more time */
		(void)!write(slow, i == 0 ? "X: " : "y", i == 0 ? 3 : 1);
		uv_run(&s.loop, UV_RUN_NOWAIT);
		usleep(150 * 1000);
	}
	assert_true(hear(&s, slow, NULL, text, sizeof text, 3000));
	assert_true(hear(&s, body, NULL, text, sizeof text, 3000));
	text[0] = '\0';
	assert_true(hear(&s, late, NULL, text, sizeof text, 3000));
	assert_non_null(strstr(text, "HTTP/1.1 503"));
	assert_int_equal(s.n_kept, 1);
	assert_true(
		kh_slice_is(s.kept[0]->header[WEB_ACCEPT_LANGUAGE], "en")); /* still whole after its connection */
	web_reply(s.kept[0], &(struct web_answer){.status = 200});
	struct web_counts c = web_server_counts(s.server);
	assert_int_equal(c.refused[WEB_REFUSED_HEAD_TIME], 1);
	assert_int_equal(c.refused[WEB_REFUSED_BODY_TIME], 1);
	assert_int_equal(c.refused[WEB_REFUSED_ANSWER_TIME], 1);
	assert_int_equal(c.open, 0);
	close(slow), close(body), close(late);
	site_stop(&s, 1000);
}

static void answers_come_later_and_clients_may_leave(void **st)
{
	struct site s;
	char text[4096] = "";
	(void)st;
	site_start(&s, (struct web_settings){0});
	int stays = dial(&s), leaves = dial(&s);
	say(stays, GET("/later", ""));
	say(leaves, GET("/later", ""));
	while (s.n_kept < 2) uv_run(&s.loop, UV_RUN_NOWAIT);
	close(leaves);
	for (int i = 0; i < 50; i++) uv_run(&s.loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < 2; i++) web_reply(s.kept[i], &(struct web_answer){.status = 204});
	assert_true(hear(&s, stays, NULL, text, sizeof text, 3000));
	assert_non_null(strstr(text, "HTTP/1.1 204"));
	close(stays);
	site_stop(&s, 1000);
}

static void connections_are_limited(void **st)
{
	struct site s;
	char text[4096];
	(void)st;
	site_start(&s, (struct web_settings){.max_per_address = 2});
	int fd[4];
	for (int i = 0; i < 4; i++) fd[i] = dial(&s);
	for (int i = 0; i < 50; i++) uv_run(&s.loop, UV_RUN_NOWAIT);
	assert_int_equal(web_server_counts(s.server).open, 2);
	assert_int_equal(web_server_counts(s.server).refused[WEB_REFUSED_ADDRESS], 2);
	text[0] = '\0';
	assert_true(hear(&s, fd[3], NULL, text, sizeof text, 1000)); /* closed at once */
	assert_string_equal(text, "");
	for (int i = 0; i < 4; i++) close(fd[i]);
	site_stop(&s, 1000);
}

static void only_our_proxies_are_believed(void **st)
{
	struct site s;
	struct kh_prefix loop;
	char text[KH_ADDRESS_TEXT];
	(void)st;
	assert_int_equal(kh_prefix_parse(KH_LIT("127.0.0.0/8"), false, &loop), KH_OK);
	site_start(&s, (struct web_settings){.proxies = &loop, .n_proxies = 1});
	expect(&s, GET("/", "X-Forwarded-For: 203.0.113.9, 198.51.100.7, 127.0.0.2\r\n"), "200", NULL);
	assert_string_equal(kh_address_text(text, &s.client), "198.51.100.7");
	site_stop(&s, 1000);
	site_start(&s, (struct web_settings){0});
	expect(&s, GET("/", "X-Forwarded-For: 203.0.113.9\r\n"), "200", NULL);
	assert_string_equal(kh_address_text(text, &s.client), "127.0.0.1");
	site_stop(&s, 1000);
}

static void a_stop_lets_answers_out(void **st)
{
	struct site s;
	char text[4096] = "", other[4096] = "";
	(void)st;
	site_start(&s, (struct web_settings){0});
	int answered = dial(&s), never = dial(&s);
	say(answered, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	say(never, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	while (s.n_kept < 2) uv_run(&s.loop, UV_RUN_NOWAIT);
	web_server_stop(s.server, 1500, on_stopped, &s);
	uv_run(&s.loop, UV_RUN_NOWAIT);
	web_reply(s.kept[0], &(struct web_answer){.status = 200, .body = KH_LIT("late but whole")});
	uv_run(&s.loop, UV_RUN_DEFAULT);
	assert_true(s.stopped);
	assert_true(hear(&s, answered, NULL, text, sizeof text, 1000));
	assert_true(hear(&s, never, NULL, other, sizeof other, 1000));
	/* which of the two asked first is the kernel's choice */
	assert_int_equal((strstr(text, "HTTP/1.1 200") != NULL) + (strstr(other, "HTTP/1.1 200") != NULL), 1);
	assert_int_equal((strstr(text, "HTTP/1.1 503") != NULL) + (strstr(other, "HTTP/1.1 503") != NULL), 1);
	web_reply(s.kept[1], &(struct web_answer){.status = 200}); /* after the server: must be harmless */
	close(answered), close(never);
	assert_int_equal(uv_loop_close(&s.loop), 0);
}

/* ---- TLS ---- */

struct fetch {
	char url[64], ca[64];
	long status;
	CURLcode rc;
	bool hsts, over;
};

static size_t see_header(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	if (size * n > 25 && strncasecmp(p, "Strict-Transport-Security", 25) == 0) f->hsts = true;
	return size * n;
}

static size_t ignore(char *p, size_t size, size_t n, void *arg)
{
	(void)p, (void)arg;
	return size * n;
}

static void *fetch(void *arg)
{
	struct fetch *f = arg;
	CURL *e = curl_easy_init();
	curl_easy_setopt(e, CURLOPT_URL, f->url);
	if (f->ca[0] != '\0') curl_easy_setopt(e, CURLOPT_CAINFO, f->ca);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, see_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(e, CURLOPT_TIMEOUT, 10L);
	f->rc = curl_easy_perform(e);
	curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &f->status);
	curl_easy_cleanup(e);
	__atomic_store_n(&f->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void fetch_from(struct site *s, struct fetch *f)
{
	pthread_t t;
	pthread_create(&t, NULL, fetch, f);
	while (!__atomic_load_n(&f->over, __ATOMIC_ACQUIRE)) {
		uv_run(&s->loop, UV_RUN_NOWAIT);
		usleep(500);
	}
	pthread_join(t, NULL);
}

static void https_with_a_certificate_of_ours(void **st)
{
	struct kh_buf cert = KH_BUF(65536), key = KH_BUF(65536), other = KH_BUF(65536), other_key = KH_BUF(65536);
	const char *const names[] = {"desk.example.vn", "192.0.2.1", "2001:db8::1"};
	struct certificate_facts facts;
	struct kh_diag d;
	struct site s;
	(void)st;
	assert_int_equal(certificate_make(names, 3, kh_now_ns(), &cert, &key, &d), KH_OK);
	assert_int_equal(certificate_make(names, 3, kh_now_ns(), &other, &other_key, &d), KH_OK);
	assert_int_equal(certificate_check(kh_buf_slice(&cert), kh_buf_slice(&key), &facts, &d), KH_OK);
	assert_int_equal(facts.not_after_ns - facts.not_before_ns, CERTIFICATE_DAYS * KH_DAY);
	assert_int_equal(strlen(facts.sha256), 95);
	assert_string_equal(facts.subject, "CN=desk.example.vn");
	assert_int_equal(certificate_check(kh_buf_slice(&cert), kh_buf_slice(&other_key), &facts, &d),
					 KH_EFORMAT);
	assert_int_equal(certificate_check(KH_LIT("x"), kh_buf_slice(&key), &facts, &d), KH_EFORMAT);
	assert_int_equal(certificate_make((const char *const[]){"a,IP:1.2.3.4"}, 1, 0, &other, &other_key, &d),
					 KH_EFORMAT);
	site_start(&s, (struct web_settings){.cert_pem = cert.bytes, .key_pem = key.bytes});
	struct fetch f = {0}, blind = {0};
	snprintf(f.url, sizeof f.url, "https://localhost:%u/", (unsigned)s.port);
	snprintf(f.ca, sizeof f.ca, "/tmp/khien-web-XXXXXX");
	int fd = mkstemp(f.ca);
	assert_int_equal(write(fd, cert.bytes, cert.n), (ssize_t)cert.n);
	close(fd);
	fetch_from(&s, &f);
	unlink(f.ca);
	if (f.rc != CURLE_OK) fail_msg("%s", curl_easy_strerror(f.rc));
	assert_int_equal(f.status, 200);
	assert_true(f.hsts);
	memcpy(blind.url, f.url, sizeof f.url);
	fetch_from(&s, &blind); /* the system does not know this certificate */
	assert_int_equal(blind.rc, CURLE_PEER_FAILED_VERIFICATION);
	site_stop(&s, 1000);
	kh_buf_free(&cert), kh_buf_free(&key), kh_buf_free(&other), kh_buf_free(&other_key);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(answers_and_refusals),    cmocka_unit_test(limits_of_size),
		cmocka_unit_test(limits_of_time),          cmocka_unit_test(answers_come_later_and_clients_may_leave),
		cmocka_unit_test(connections_are_limited), cmocka_unit_test(only_our_proxies_are_believed),
		cmocka_unit_test(a_stop_lets_answers_out), cmocka_unit_test(https_with_a_certificate_of_ours),
	};
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_ALL);
	web_prepare();
	return cmocka_run_group_tests(t, NULL, NULL);
}
