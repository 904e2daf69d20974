/* SPDX-License-Identifier: Apache-2.0 */
#include "reach/smtp.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/message.h"
#include "reach/mime.h"
#include "reach/smtp_reply.h"

enum {
	LINE_MAX_BYTES = 998 /* RFC 5322, 2.1.1 */,
	COMMAND_MAX = 512,
	FINAL_TIMEOUT_S = 600 /* RFC 5321, 4.5.3.2.6 */
};

enum step { WAITING, CONNECT, MAIL, RCPT, DATA, BODY, HOLD, DOT, OVER };

struct smtp_client {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer; /* libcurl's */
	char *url, *ca_file, *user, *password;
	enum smtp_tls tls;
	unsigned timeout_s, final_timeout_s, max_in_flight;
	struct smtp_transfer *first, *last; /* all that live, oldest first */
	struct smtp_counts counts;
	unsigned refs; /* uv handles that are not closed yet, and the owner */
	bool gone;     /* smtp_client_free was called */
};

struct smtp_transfer {
	struct smtp_client *client;
	struct smtp_transfer *prev, *next;
	struct smtp_events ev;
	void *arg;
	CURL *easy;
	enum step step;
	char *from, **to;
	size_t n_to, at_to;
	char *message; /* dots doubled, ends with CRLF */
	size_t message_len;
	struct kh_slice unsent;
	char command[COMMAND_MAX];
	struct smtp_reply reply;
	char curl_text[CURL_ERROR_SIZE];
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles; /* uv handles to close before the memory goes */
	bool polling;
};

/* A socket while libcurl drives it. */
struct watch {
	uv_poll_t poll;
	struct smtp_client *client;
	curl_socket_t fd;
};

static void start_waiting(struct smtp_client *c);
static void proceed(struct smtp_transfer *t);

/* ---- memory and handles ---- */

static void client_unref(struct smtp_client *c)
{
	if (--c->refs > 0) return;
	free(c->url);
	free(c->ca_file);
	free(c->user);
	if (c->password != NULL) explicit_bzero(c->password, strlen(c->password));
	free(c->password);
	free(c);
}

static void transfer_memory(struct smtp_transfer *t)
{
	for (size_t i = 0; t->to != NULL && i < t->n_to; i++) free(t->to[i]);
	free(t->to);
	free(t->from);
	free(t->message);
	free(t);
}

static void transfer_closed(uv_handle_t *h)
{
	struct smtp_transfer *t = h->data;
	struct smtp_client *c = t->client;
	if (--t->handles == 0) transfer_memory(t);
	client_unref(c);
}

static void unlink_transfer(struct smtp_transfer *t)
{
	struct smtp_client *c = t->client;
	*(t->prev != NULL ? &t->prev->next : &c->first) = t->next;
	*(t->next != NULL ? &t->next->prev : &c->last) = t->prev;
}

/* Ends the connection as it stands: the relay sees it close, and without a dot it drops the message. Because
 * the handle is CONNECT_ONLY, libcurl says nothing more on it and does not wait. */
static void transfer_end(struct smtp_transfer *t)
{
	struct smtp_client *c = t->client;
	*(t->step == WAITING ? &c->counts.waiting : &c->counts.in_flight) -= 1;
	t->step = OVER;
	unlink_transfer(t);
	if (t->polling) uv_close((uv_handle_t *)&t->poll, transfer_closed);
	uv_close((uv_handle_t *)&t->timer, transfer_closed);
	if (t->easy != NULL) {
		curl_multi_remove_handle(c->multi, t->easy);
		curl_easy_cleanup(t->easy);
		t->easy = NULL;
	}
}

/* ---- outcomes ---- */

static uint64_t *counter(struct smtp_client *c, enum smtp_result r)
{
	uint64_t *const of[] = {[SMTP_SENT] = &c->counts.sent,
							[SMTP_TEMPORARY] = &c->counts.temporary,
							[SMTP_PERMANENT] = &c->counts.permanent,
							[SMTP_UNCERTAIN] = &c->counts.uncertain};
	return of[r];
}

const char *smtp_result_name(enum smtp_result r)
{
	static const char *const names[] = {[SMTP_SENT] = "sent",
										[SMTP_TEMPORARY] = "temporary",
										[SMTP_PERMANENT] = "permanent",
										[SMTP_UNCERTAIN] = "uncertain"};
	return names[r];
}

static void finish(struct smtp_transfer *t, const struct smtp_outcome *o)
{
	struct smtp_client *c = t->client;
	struct smtp_events ev = t->ev;
	void *arg = t->arg;
	++*counter(c, o->result);
	if (o->code > 0 &&
		t->step > CONNECT) { /* the relay still listens: a word of goodbye, not waited for (4.1.1.10) */
		size_t n;
		(void)curl_easy_send(t->easy, "QUIT\r\n", 6, &n);
	}
	transfer_end(t);
	c->refs++; /* done() may free the client */
	ev.done(arg, o);
	if (!c->gone) start_waiting(c);
	client_unref(c);
}

static void finish_reply(struct smtp_transfer *t, enum smtp_result r)
{
	struct smtp_outcome o = {.result = r, .code = t->reply.code};
	memcpy(o.text, t->reply.text, sizeof o.text);
	_Static_assert(sizeof o.text == sizeof t->reply.text, "one size of reply text");
	finish(t, &o);
}

/* After the dot nobody but the relay knows. */
static void finish_broken(struct smtp_transfer *t, enum kh_msg key, const char *detail)
{
	struct smtp_outcome o = {.result = t->step == DOT ? SMTP_UNCERTAIN : SMTP_TEMPORARY};
	kh_msg_write(o.text, sizeof o.text, kh_lang(), key, detail, NULL);
	finish(t, &o);
}

static const char *step_name(enum step s)
{
	static const char *const names[] = {"",        "connect", "MAIL",        "RCPT", "DATA",
										"message", "commit",  "end of data", ""};
	return names[s];
}

/* ---- the dialogue (RFC 5321, 4.1.1) ---- */

static void watch_dialogue(struct smtp_transfer *t);

static void restart_timer(struct smtp_transfer *t);

static void enter(struct smtp_transfer *t, enum step s, struct kh_slice say)
{
	t->step = s;
	t->unsent = say;
	smtp_reply_clear(&t->reply);
	restart_timer(t);
}

static void enter_command(struct smtp_transfer *t, enum step s, const char *verb, const char *mailbox)
{
	int n = snprintf(t->command, sizeof t->command, "%s:<%s>\r\n", verb, mailbox);
	enter(t, s, (struct kh_slice){(const uint8_t *)t->command, (size_t)n});
}

static void next_recipient(struct smtp_transfer *t)
{
	if (t->at_to < t->n_to)
		enter_command(t, RCPT, "RCPT TO", t->to[t->at_to++]);
	else
		enter(t, DATA, KH_LIT("DATA\r\n"));
}

static void refused(struct smtp_transfer *t)
{
	unsigned code = t->reply.code;
	if (code >= 500 &&
		code != 530) /* 530: the relay wants a login, the settings' fault and not this mail's (RFC 4954, 6) */
		finish_reply(t, SMTP_PERMANENT);
	else if (code >= 400)
		finish_reply(t, SMTP_TEMPORARY);
	else
		finish_broken(t, M_SMTP_OUT_OF_STEP, step_name(t->step));
}

static void take_reply(struct smtp_transfer *t)
{
	unsigned class = t->reply.code / 100;
	if (class == 2 && (t->step == MAIL || t->step == RCPT))
		next_recipient(t);
	else if (class == 3 && t->step == DATA)
		enter(t, BODY, (struct kh_slice){(const uint8_t *)t->message, t->message_len});
	else if (class == 2 && t->step == DOT)
		finish_reply(t, SMTP_SENT);
	else
		refused(t);
}

/* False: nothing more can be said now, or the transfer is over. */
static bool flush(struct smtp_transfer *t)
{
	while (t->unsent.n > 0) {
		size_t n = 0;
		CURLcode rc = curl_easy_send(t->easy, t->unsent.p, t->unsent.n, &n);
		if (rc == CURLE_AGAIN) return true;
		if (rc != CURLE_OK) {
			finish_broken(t, M_SMTP_CLOSED, step_name(t->step));
			return false;
		}
		t->unsent = kh_slice_from(t->unsent, n);
		restart_timer(t);
	}
	if (t->step == BODY) {
		enter(t, HOLD, (struct kh_slice){0});
		t->ev.committing(t->arg); /* may commit or abort at once */
	}
	return t->step != OVER;
}

/* One read. False: nothing to read now, or the transfer is over. */
static bool listen_once(struct smtp_transfer *t)
{
	uint8_t bytes[2048];
	size_t n = 0;
	CURLcode rc = curl_easy_recv(t->easy, bytes, sizeof bytes, &n);
	if (rc == CURLE_AGAIN) return false;
	if (rc != CURLE_OK || n == 0) {
		finish_broken(t, M_SMTP_CLOSED, step_name(t->step));
		return false;
	}
	struct kh_slice in = {bytes, n};
	while (in.n > 0 && t->step != OVER) {
		enum kh_err err = smtp_reply_feed(&t->reply, &in);
		if (err == KH_ESHORT) break;
		if (err == KH_OK)
			take_reply(t);
		else
			finish_broken(t, M_SMTP_OUT_OF_STEP, step_name(t->step));
	}
	return t->step != OVER;
}

/* TLS may hold bytes that the socket no longer shows, so reading goes on until libcurl says there is nothing.
 */
static void proceed(struct smtp_transfer *t)
{
	do {
		if (!flush(t)) return;
	} while (listen_once(t));
	if (t->step == OVER) return;
	if (!flush(t)) return;
	watch_dialogue(t);
}

static void on_dialogue(uv_poll_t *h, int status, int events)
{
	(void)events;
	struct smtp_transfer *t = h->data;
	if (status < 0)
		finish_broken(t, M_SMTP_CLOSED, step_name(t->step));
	else
		proceed(t);
}

static void watch_dialogue(struct smtp_transfer *t)
{
	int want = UV_READABLE | (t->unsent.n > 0 ? UV_WRITABLE : 0);
	uv_poll_start(&t->poll, want, on_dialogue);
}

static void on_timeout(uv_timer_t *h)
{
	struct smtp_transfer *t = h->data;
	finish_broken(t, M_SMTP_TIMEOUT, step_name(t->step));
}

static void restart_timer(struct smtp_transfer *t)
{
	unsigned s = t->step == DOT ? t->client->final_timeout_s : t->client->timeout_s;
	if (t->step == CONNECT) s++; /* libcurl's own limit comes first: it knows what it waited for */
	uv_timer_start(&t->timer, on_timeout, (uint64_t)s * 1000, 0);
}

void smtp_commit(struct smtp_transfer *t)
{
	if (t->step != HOLD) return;
	enter(t, DOT, KH_LIT(".\r\n"));
	watch_dialogue(t); /* the loop sends it: done() never comes from in here */
}

void smtp_abort(struct smtp_transfer *t)
{
	if (t->step == DOT || t->step == OVER) return;
	struct smtp_client *c = t->client;
	transfer_end(t);
	start_waiting(c);
}

/* ---- libcurl: connect, TLS, login ---- */

static void connected(struct smtp_transfer *t)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(t->client->loop, &t->poll, fd) != 0) {
		finish_broken(t, M_SMTP_CLOSED, step_name(t->step));
		return;
	}
	t->poll.data = t;
	t->polling = true;
	t->handles++;
	t->client->refs++;
	enter_command(t, MAIL, "MAIL FROM", t->from);
	proceed(t);
}

static const struct {
	CURLcode code;
	enum kh_msg key;
} reasons[] = {
	{CURLE_COULDNT_RESOLVE_HOST, M_SMTP_RESOLVE}, {CURLE_COULDNT_CONNECT, M_SMTP_CONNECT},
	{CURLE_OPERATION_TIMEDOUT, M_SMTP_TIMEOUT},   {CURLE_PEER_FAILED_VERIFICATION, M_SMTP_TLS_VERIFY},
	{CURLE_SSL_CACERT_BADFILE, M_SMTP_TLS_CA},    {CURLE_SSL_CONNECT_ERROR, M_SMTP_TLS},
	{CURLE_USE_SSL_FAILED, M_SMTP_TLS},           {CURLE_LOGIN_DENIED, M_SMTP_LOGIN},
};

/* The relay's refusal when that is what failed, else what libcurl saw. Never the mail's fault: always worth a
 * later try. */
static void not_connected(struct smtp_transfer *t, CURLcode rc)
{
	enum kh_msg key = M_SMTP_OTHER;
	const char *detail = t->curl_text[0] != '\0' ? t->curl_text : curl_easy_strerror(rc);
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].code == rc) key = reasons[i].key;
	struct smtp_outcome o = {.result = SMTP_TEMPORARY,
							 .code = t->reply.complete && t->reply.code >= 400 ? t->reply.code : 0};
	kh_msg_write(o.text, sizeof o.text, kh_lang(), key, o.code > 0 ? t->reply.text : detail, NULL);
	finish(t, &o);
}

static void read_messages(struct smtp_client *c)
{
	CURLMsg *m;
	int left;
	c->refs++; /* a callback may free the client */
	while (!c->gone && (m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct smtp_transfer *t = NULL;
		if (m->msg != CURLMSG_DONE) continue;
		CURLcode rc = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (rc == CURLE_OK)
			connected(t);
		else
			not_connected(t, rc);
	}
	client_unref(c);
}

static void on_curl_timer(uv_timer_t *h)
{
	struct smtp_client *c = h->data;
	int running;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	read_messages(c);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct smtp_client *c = arg;
	(void)multi;
	if (c->gone) return 0;
	if (timeout_ms < 0)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_curl_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void watch_closed(uv_handle_t *h)
{
	struct watch *w = h->data;
	client_unref(w->client);
	free(w);
}

static void on_watch(uv_poll_t *h, int status, int events)
{
	struct watch *w = h->data;
	struct smtp_client *c = w->client;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
	if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(c->multi, w->fd, flags, &running);
	read_messages(c);
}

static struct watch *watch_new(struct smtp_client *c, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof *w);
	if (w == NULL || uv_poll_init_socket(c->loop, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->client = c;
	w->fd = fd;
	c->refs++;
	curl_multi_assign(c->multi, fd, w);
	return w;
}

static int set_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct smtp_client *c = arg;
	struct watch *w = of_socket;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) uv_close((uv_handle_t *)&w->poll, watch_closed);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (w == NULL) w = watch_new(c, fd);
	if (w == NULL) return -1;
	int want = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	return uv_poll_start(&w->poll, want, on_watch) == 0 ? 0 : -1;
}

static size_t on_connect_reply(char *bytes, size_t size, size_t n, void *arg)
{
	struct smtp_transfer *t = arg;
	struct kh_slice in = {(const uint8_t *)bytes, size * n};
	if (t->step != CONNECT) return size * n;
	while (in.n > 0) {
		if (t->reply.complete) smtp_reply_clear(&t->reply);
		enum kh_err err = smtp_reply_feed(&t->reply, &in);
		if (err != KH_OK && err != KH_ESHORT) smtp_reply_clear(&t->reply); /* libcurl judges it */
	}
	return size * n;
}

static bool set_options(CURL *e, const struct smtp_client *c, struct smtp_transfer *t)
{
	CURLcode bad = CURLE_OK;
#define SET(option, value) (bad = bad != CURLE_OK ? bad : curl_easy_setopt(e, option, value))
	SET(CURLOPT_URL, c->url);
	SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver thread */
	SET(CURLOPT_CONNECT_ONLY, 1L);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)c->timeout_s);
	SET(CURLOPT_USE_SSL, c->tls == SMTP_TLS_NONE ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_CAPATH,
		NULL); /* else Debian's folder is trusted beside the file, and read whole at each connection */
	if (c->ca_file != NULL) SET(CURLOPT_CAINFO, c->ca_file);
	if (c->user != NULL) SET(CURLOPT_USERNAME, c->user);
	if (c->user != NULL) SET(CURLOPT_PASSWORD, c->password);
	SET(CURLOPT_HEADERFUNCTION, on_connect_reply);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_ERRORBUFFER, t->curl_text);
	SET(CURLOPT_PRIVATE, t);
#undef SET
	return bad == CURLE_OK;
}

static bool start(struct smtp_transfer *t)
{
	struct smtp_client *c = t->client;
	t->easy = curl_easy_init();
	if (t->easy == NULL || !set_options(t->easy, c, t)) return false;
	t->step = CONNECT;
	c->counts.waiting--;
	c->counts.in_flight++;
	restart_timer(t);
	return curl_multi_add_handle(c->multi, t->easy) == CURLM_OK;
}

static void start_waiting(struct smtp_client *c)
{
	struct smtp_transfer *next;
	for (struct smtp_transfer *t = c->first; t != NULL && c->counts.in_flight < c->max_in_flight; t = next) {
		next = t->next;
		if (t->step != WAITING) continue;
		if (!start(t))
			uv_timer_start(&t->timer, on_timeout, 0, 0); /* done() from the loop, never from here */
	}
}

/* ---- taking a mail ---- */

/* Counts the bytes after dot-stuffing (RFC 5321, 4.5.2). A bare CR or LF is how one mail is smuggled into
 * another. */
static enum kh_err message_check(struct kh_slice m, size_t *stuffed)
{
	size_t col = 0, n = m.n;
	for (size_t i = 0; i < m.n; i++) {
		uint8_t c = m.p[i];
		if (c == '\0' || c >= 0x80) return KH_EFORMAT;
		if (c == '\r') {
			if (i + 1 == m.n || m.p[i + 1] != '\n') return KH_EFORMAT;
			i++;
			col = 0;
			continue;
		}
		if (c == '\n') return KH_EFORMAT;
		if (c == '.' && col == 0) n++;
		if (++col > LINE_MAX_BYTES) return KH_EFORMAT;
	}
	if (m.n == 0 || col > 0) return KH_EFORMAT; /* must end with CRLF */
	*stuffed = n;
	return KH_OK;
}

static void stuff(char *out, struct kh_slice m)
{
	uint8_t before = '\n';
	for (size_t i = 0; i < m.n; i++) {
		if (m.p[i] == '.' && before == '\n') *out++ = '.';
		before = m.p[i];
		*out++ = (char)before;
	}
}

static enum kh_err envelope_check(const struct smtp_mail *m, struct kh_diag *d)
{
	if (*m->from != '\0') KH_TRY(mime_mailbox_check(kh_str(m->from), d));
	if (m->n_to == 0 || m->n_to > SMTP_MAX_TO)
		return kh_say(d, KH_ELIMIT, M_MIME_RECIPIENTS, KH_DEC(SMTP_MAX_TO), NULL);
	for (size_t i = 0; i < m->n_to; i++) KH_TRY(mime_mailbox_check(kh_str(m->to[i]), d));
	return KH_OK;
}

static bool copy_mail(struct smtp_transfer *t, const struct smtp_mail *m, size_t stuffed)
{
	t->from = strdup(m->from);
	t->to = calloc(m->n_to, sizeof *t->to);
	t->n_to = m->n_to;
	t->message = malloc(stuffed);
	t->message_len = stuffed;
	bool ok = t->from != NULL && t->to != NULL && t->message != NULL;
	for (size_t i = 0; ok && i < m->n_to; i++) ok = (t->to[i] = strdup(m->to[i])) != NULL;
	if (ok) stuff(t->message, m->message);
	return ok;
}

static void append(struct smtp_client *c, struct smtp_transfer *t)
{
	t->client = c;
	t->prev = c->last;
	*(c->last != NULL ? &c->last->next : &c->first) = t;
	c->last = t;
	uv_timer_init(c->loop, &t->timer);
	t->timer.data = t;
	t->handles = 1;
	c->refs++;
	c->counts.waiting++;
}

enum kh_err smtp_send(struct smtp_client *c, const struct smtp_mail *m, const struct smtp_events *ev,
					  void *arg, struct smtp_transfer **out, struct kh_diag *d)
{
	size_t stuffed = 0;
	KH_TRY(envelope_check(m, d));
	if (message_check(m->message, &stuffed) != KH_OK) return kh_say(d, KH_EFORMAT, M_SMTP_MESSAGE, NULL);
	if (c->counts.waiting >= SMTP_MAX_WAITING)
		return kh_say(d, KH_ELIMIT, M_SMTP_WAITING, KH_DEC(SMTP_MAX_WAITING), NULL);
	struct smtp_transfer *t = calloc(1, sizeof *t);
	if (t == NULL) return kh_say(d, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (!copy_mail(t, m, stuffed)) {
		transfer_memory(t);
		return kh_say(d, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	}
	t->ev = *ev;
	t->arg = arg;
	append(c, t);
	*out = t;
	start_waiting(c);
	return KH_OK;
}

/* ---- the client ---- */

static bool host_ok(const char *host)
{
	size_t n = strlen(host);
	return n > 0 && n <= 253 &&
		   strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == n;
}

static bool loopback(const char *host)
{
	struct kh_prefix v4, v6;
	struct kh_address a;
	if (strcmp(host, "localhost") == 0) return true;
	return kh_prefix_parse(KH_LIT("127.0.0.0/8"), false, &v4) == KH_OK &&
		   kh_prefix_parse(KH_LIT("::1/128"), false, &v6) == KH_OK &&
		   kh_address_parse(kh_str(host), &a) == KH_OK &&
		   (kh_prefix_holds(&v4, &a) || kh_prefix_holds(&v6, &a));
}

static enum kh_err settings_check(const struct smtp_settings *s, struct kh_diag *d)
{
	struct kh_address a;
	if (!host_ok(s->host) && kh_address_parse(kh_str(s->host), &a) != KH_OK)
		return kh_say(d, KH_EFORMAT, M_SMTP_HOST, s->host, NULL);
	if (!host_ok(s->helo)) return kh_say(d, KH_EFORMAT, M_SMTP_HOST, s->helo, NULL);
	if ((s->user == NULL) != (s->password == NULL))
		return kh_say(d, KH_EFORMAT, M_SMTP_USER_AND_PASSWORD, NULL);
	if (s->user != NULL && s->tls == SMTP_TLS_NONE && !loopback(s->host))
		return kh_say(d, KH_EFORMAT, M_SMTP_LOGIN_IN_CLEAR, NULL);
	return KH_OK;
}

/* libcurl takes the name for EHLO from the path. */
static char *url_of(const struct smtp_settings *s)
{
	static const uint16_t ports[] = {
		[SMTP_TLS_NONE] = 25, [SMTP_TLS_STARTTLS] = 587, [SMTP_TLS_IMPLICIT] = 465};
	bool v6 = strchr(s->host, ':') != NULL;
	struct kh_buf b = KH_BUF(1024);
	kh_buf_printf(&b, "%s://%s%s%s:%u/%s", s->tls == SMTP_TLS_IMPLICIT ? "smtps" : "smtp", v6 ? "[" : "",
				  s->host, v6 ? "]" : "", (unsigned)(s->port != 0 ? s->port : ports[s->tls]), s->helo);
	char *url = b.err == KH_OK ? strdup(b.bytes) : NULL;
	kh_buf_free(&b);
	return url;
}

static char *copy(const char *text, bool *ok)
{
	char *t = text != NULL ? strdup(text) : NULL;
	if (text != NULL && t == NULL) *ok = false;
	return t;
}

static bool client_fill(struct smtp_client *c, const struct smtp_settings *s)
{
	bool ok = true;
	c->url = url_of(s);
	c->ca_file = copy(s->ca_file, &ok);
	c->user = copy(s->user, &ok);
	c->password = copy(s->password, &ok);
	c->tls = s->tls;
	c->timeout_s = s->timeout_s > 0 ? s->timeout_s : 60;
	c->final_timeout_s = s->final_timeout_s > 0 ? s->final_timeout_s : FINAL_TIMEOUT_S;
	c->max_in_flight = s->max_in_flight > 0 ? s->max_in_flight : 2;
	c->multi = curl_multi_init();
	return ok && c->url != NULL && c->multi != NULL;
}

enum kh_err smtp_client_new(uv_loop_t *loop, const struct smtp_settings *s, struct smtp_client **out,
							struct kh_diag *d)
{
	KH_TRY(settings_check(s, d));
	struct smtp_client *c = calloc(1, sizeof *c);
	if (c == NULL) return kh_say(d, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	c->refs = 1;
	c->loop = loop;
	if (!client_fill(c, s)) {
		curl_multi_cleanup(c->multi);
		client_unref(c);
		return kh_say(d, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	}
	uv_timer_init(loop, &c->timer);
	c->timer.data = c;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, set_watch);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	*out = c;
	return KH_OK;
}

static void client_closed(uv_handle_t *h)
{
	client_unref(h->data);
}

void smtp_client_free(struct smtp_client *c)
{
	if (c == NULL) return;
	c->gone = true;
	while (c->first != NULL) transfer_end(c->first);
	curl_multi_cleanup(c->multi);
	c->multi = NULL;
	uv_close((uv_handle_t *)&c->timer, client_closed);
}

struct smtp_counts smtp_client_counts(const struct smtp_client *c)
{
	return c->counts;
}
