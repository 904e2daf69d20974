/* SPDX-License-Identifier: Apache-2.0
 * The mail client against a real server (smtp_relay.py over aiosmtpd), its faults included. Where
 * python3-aiosmtpd is missing, all that needs a server is skipped, and the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/message.h"
#include "base/time.h"
#include "reach/mime.h"
#include "reach/smtp.h"
#include "web/certificate.h"

extern char **environ;

/* ---- the real server ---- */

struct relay {
	pid_t pid;
	int in;
	uint16_t port;
	char folder[64], cert[96], key[96];
};

static void write_file(const char *path, struct kh_slice s)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && write(fd, s.p, s.n) == (ssize_t)s.n);
	close(fd);
}

static void make_pair(struct relay *r, const char *const *names, size_t n)
{
	struct kh_buf cert = KH_BUF(CERTIFICATE_PEM_MAX), key = KH_BUF(CERTIFICATE_PEM_MAX);
	struct kh_diag d;
	assert_int_equal(certificate_make(names, n, kh_now_ns(), &cert, &key, &d), KH_OK);
	snprintf(r->cert, sizeof r->cert, "%s/cert.pem", r->folder);
	snprintf(r->key, sizeof r->key, "%s/key.pem", r->folder);
	write_file(r->cert, kh_buf_slice(&cert));
	write_file(r->key, kh_buf_slice(&key));
	kh_buf_free(&cert);
	kh_buf_free(&key);
}

static bool have_aiosmtpd(void)
{
	char *argv[] = {(char[]){"/usr/bin/python3"}, (char[]){"-c"}, (char[]){"import aiosmtpd"}, NULL};
	pid_t pid;
	int status = -1;
	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0) return false;
	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* `tls` is "--tls", "--starttls" or NULL; `user` NULL: no login. */
static void relay_start(struct relay *r, const char *tls, const char *user)
{
	memset(r, 0, sizeof *r);
	snprintf(r->folder, sizeof r->folder, "/tmp/khien-smtp-XXXXXX");
	assert_non_null(mkdtemp(r->folder));
	make_pair(r, NULL, 0);
	int in[2], out[2];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	char script[] = SMTP_RELAY, python[] = "/usr/bin/python3", login[] = "--login", secret[] = "mật khẩu";
	char mode[16] = "", name[64] = "";
	char *argv[12] = {python, script, r->folder};
	size_t n = 3;
	if (tls != NULL) {
		snprintf(mode, sizeof mode, "%s", tls);
		argv[n++] = mode, argv[n++] = r->cert, argv[n++] = r->key;
	}
	if (user != NULL) {
		snprintf(name, sizeof name, "%s", user);
		argv[n++] = login, argv[n++] = name, argv[n++] = secret;
	}
	posix_spawn_file_actions_t fa;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in[0], 0);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	assert_int_equal(posix_spawnp(&r->pid, python, &fa, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&fa);
	close(in[0]);
	close(out[1]);
	r->in = in[1];
	char line[16] = {0};
	for (size_t at = 0; at + 1 < sizeof line && strchr(line, '\n') == NULL; at++)
		assert_int_equal(read(out[0], line + at, 1), 1);
	close(out[0]);
	r->port = (uint16_t)strtol(line, NULL, 10);
	if (r->port == 0) fail_msg("the relay said '%s'", line);
}

static size_t delivered(const struct relay *r)
{
	size_t n = 0;
	DIR *dir = opendir(r->folder);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) n += strstr(e->d_name, ".eml") != NULL;
	closedir(dir);
	return n;
}

static char *delivered_text(const struct relay *r, int number)
{
	char path[128];
	static char text[65536];
	snprintf(path, sizeof path, "%s/%d.eml", r->folder, number);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void relay_stop(struct relay *r)
{
	close(r->in);
	assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
	DIR *dir = opendir(r->folder);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.') unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(r->folder);
}

/* ---- one mail and what became of it ---- */

struct trial {
	struct smtp_transfer *t;
	struct smtp_client *client;
	bool hold;             /* do not commit */
	bool abort_when_asked; /* abort inside committing() */
	bool free_when_asked;  /* free the client inside committing() */
	unsigned n_committing, n_done;
	struct smtp_outcome o;
	uv_loop_t *loop;
};

static void committing(void *arg)
{
	struct trial *x = arg;
	x->n_committing++;
	if (x->abort_when_asked)
		smtp_abort(x->t);
	else if (x->free_when_asked)
		smtp_client_free(x->client);
	else if (!x->hold)
		smtp_commit(x->t);
	else
		uv_stop(x->loop);
}

static void done(void *arg, const struct smtp_outcome *o)
{
	struct trial *x = arg;
	x->n_done++;
	x->o = *o;
	uv_stop(x->loop);
}

static const struct smtp_events events = {committing, done};

static void send_to(struct trial *x, const char *to)
{
	struct kh_buf b = KH_BUF(65536);
	struct mime_address from = {KH_LIT("Khiên"), KH_LIT("khien@example.vn")},
						dest = {KH_LIT("Trực ban"), kh_str(to)};
	struct mime_mail m = {.message_id = KH_LIT("0193-1@example.vn"),
						  .date_ns = 1795000000 * KH_SECOND,
						  .from = from,
						  .to = &dest,
						  .n_to = 1,
						  .subject = KH_LIT("Sự cố mức cao"),
						  .body = KH_LIT(".\n..hai dấu chấm\nđoán mật khẩu sshd\n")};
	struct kh_diag d;
	assert_int_equal(mime_build(&m, &b, &d), KH_OK);
	const char *const list[] = {to};
	struct smtp_mail mail = {"khien@example.vn", list, 1, KH_LIT("Subject: x\r\n\r\nm\xc3\xa1y\r\n")};
	assert_int_equal(smtp_send(x->client, &mail, &events, x, &x->t, &d), KH_EFORMAT); /* 8-bit */
	mail.message = kh_buf_slice(&b);
	assert_int_equal(smtp_send(x->client, &mail, &events, x, &x->t, &d), KH_OK);
	kh_buf_free(&b);
}

static struct smtp_settings settings_of(uint16_t port)
{
	return (struct smtp_settings){
		.host = "127.0.0.1", .port = port, .helo = "desk.example.vn", .timeout_s = 5, .final_timeout_s = 1};
}

static void begin(struct trial *x, uv_loop_t *loop, const struct smtp_settings *s)
{
	struct kh_diag d;
	memset(x, 0, sizeof *x);
	uv_loop_init(loop);
	x->loop = loop;
	if (smtp_client_new(loop, s, &x->client, &d) != KH_OK) fail_msg("%s", d.text);
}

static void end(struct trial *x)
{
	if (!x->free_when_asked) smtp_client_free(x->client);
	uv_run(x->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(x->loop), 0);
}

static void expect(uint16_t port, const char *to, enum smtp_result result, unsigned code)
{
	struct trial x;
	uv_loop_t loop;
	struct smtp_settings s = settings_of(port);
	begin(&x, &loop, &s);
	send_to(&x, to);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(x.n_done, 1);
	if (x.o.result != result || x.o.code != code)
		fail_msg("%s: %s %u %s", to, smtp_result_name(x.o.result), x.o.code, x.o.text);
	end(&x);
	assert_int_equal(x.n_done, 1);
}

static void real_server_takes_and_refuses(void **st)
{
	(void)st;
	struct relay r;
	relay_start(&r, NULL, NULL);
	expect(r.port, "ok@example.vn", SMTP_SENT, 250);
	assert_int_equal(delivered(&r), 1);
	char *text = delivered_text(&r, 1);
	assert_non_null(strstr(text, "\r\n=2E\r\n=2E.hai d=E1=BA=A5u"));
	assert_non_null(strstr(text, "Auto-Submitted: auto-generated\r\n"));
	expect(r.port, "rcpt-451@example.vn", SMTP_TEMPORARY, 451);
	expect(r.port, "rcpt-550@example.vn", SMTP_PERMANENT, 550);
	expect(r.port, "final-451@example.vn", SMTP_TEMPORARY, 451);
	expect(r.port, "final-552@example.vn", SMTP_PERMANENT, 552);
	assert_int_equal(delivered(&r), 1);
	expect(r.port, "final-close@example.vn", SMTP_UNCERTAIN, 0);
	expect(r.port, "final-silent@example.vn", SMTP_UNCERTAIN, 0);
	assert_int_equal(delivered(&r), 3); /* taken, which the client could not know */
	relay_stop(&r);
}

static void nothing_is_delivered_before_the_commit(void **st)
{
	(void)st;
	struct relay r;
	relay_start(&r, NULL, NULL);
	for (int way = 0; way < 3; way++) {
		struct trial x;
		uv_loop_t loop;
		struct smtp_settings s = settings_of(r.port);
		begin(&x, &loop, &s);
		x.abort_when_asked = way == 0;
		x.free_when_asked = way == 1;
		x.hold = way == 2;
		send_to(&x, "ok@example.vn");
		while (x.n_committing == 0) uv_run(&loop, UV_RUN_ONCE);
		end(&x);
		assert_int_equal(x.n_committing, 1);
		assert_int_equal(x.n_done, 0);
	}
	usleep(200 * 1000); /* a wrong dot would have to be processed first */
	assert_int_equal(delivered(&r), 0);
	expect(r.port, "ok@example.vn", SMTP_SENT, 250);
	assert_int_equal(delivered(&r), 1);
	relay_stop(&r);
}

/* The desk's worst case: kill -9 while the relay holds all but the dot. */
static void a_killed_process_delivers_nothing(void **st)
{
	(void)st;
	struct relay r;
	relay_start(&r, NULL, NULL);
	int ready[2];
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct trial x;
		uv_loop_t loop;
		struct smtp_settings s = settings_of(r.port);
		begin(&x, &loop, &s);
		x.hold = true;
		send_to(&x, "ok@example.vn");
		uv_run(&loop, UV_RUN_DEFAULT);
		_exit(x.n_committing == 1 && write(ready[1], "x", 1) == 1 && pause() ? 1 : 1);
	}
	char c;
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	expect(r.port, "ok@example.vn", SMTP_SENT, 250); /* the relay has seen the first connection end by now */
	usleep(200 * 1000);
	assert_int_equal(delivered(&r), 1);
	relay_stop(&r);
}

static enum smtp_result one(struct smtp_settings *s, struct smtp_outcome *o)
{
	struct trial x;
	uv_loop_t loop;
	begin(&x, &loop, s);
	send_to(&x, "ok@example.vn");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(x.n_done, 1);
	end(&x);
	if (o != NULL) *o = x.o;
	return x.o.result;
}

static void tls_is_verified_and_login_works(void **st)
{
	(void)st;
	static const struct {
		const char *mode;
		enum smtp_tls tls;
	} modes[] = {{"--starttls", SMTP_TLS_STARTTLS}, {"--tls", SMTP_TLS_IMPLICIT}};
	for (size_t i = 0; i < 2; i++) {
		struct relay r;
		struct smtp_outcome o;
		relay_start(&r, modes[i].mode, "khien");
		struct smtp_settings s = settings_of(r.port);
		s.tls = modes[i].tls;
		s.user = "khien";
		s.password = "mật khẩu";
		assert_int_equal(one(&s, &o), SMTP_TEMPORARY); /* the system does not know our certificate */
		assert_int_equal(o.code, 0);
		s.ca_file = r.cert;
		s.host = "127.0.0.2"; /* not in the certificate; the relay listens on 127.0.0.1 only */
		assert_int_equal(one(&s, &o), SMTP_TEMPORARY);
		s.host = "localhost";
		if (one(&s, &o) != SMTP_SENT) fail_msg("%s: %u %s", modes[i].mode, o.code, o.text);
		s.password = "sai";
		assert_int_equal(one(&s, &o), SMTP_TEMPORARY);
		assert_int_equal(o.code, 535);
		s.user = s.password = NULL;
		assert_int_equal(one(&s, &o), SMTP_TEMPORARY); /* 530 at MAIL: the settings' fault */
		assert_int_equal(o.code, 530);
		assert_int_equal(delivered(&r), 1);
		relay_stop(&r);
	}
}

static void starttls_is_never_given_up(void **st)
{
	(void)st;
	struct relay r;
	relay_start(&r, NULL, NULL);
	struct smtp_settings s = settings_of(r.port);
	s.tls = SMTP_TLS_STARTTLS;
	s.ca_file = r.cert;
	assert_int_equal(one(&s, NULL), SMTP_TEMPORARY);
	assert_int_equal(delivered(&r), 0);
	relay_stop(&r);
}

static void many_mails_share_few_connections(void **st)
{
	(void)st;
	enum { N = 20 };
	struct relay r;
	struct trial x[N];
	uv_loop_t loop;
	relay_start(&r, NULL, NULL);
	struct smtp_settings s = settings_of(r.port);
	begin(&x[0], &loop, &s);
	for (int i = 0; i < N; i++) {
		if (i > 0) x[i] = (struct trial){.loop = &loop, .client = x[0].client};
		send_to(&x[i], "ok@example.vn");
		assert_true(smtp_client_counts(x[0].client).in_flight <= 2);
	}
	for (int ended = 0; ended < N;) {
		uv_run(&loop, UV_RUN_ONCE);
		ended = 0;
		for (int i = 0; i < N; i++) ended += x[i].n_done == 1;
	}
	assert_int_equal(smtp_client_counts(x[0].client).sent, N);
	assert_int_equal(smtp_client_counts(x[0].client).in_flight, 0);
	assert_int_equal(delivered(&r), N);
	end(&x[0]);
	relay_stop(&r);
}

/* ---- without a server ---- */

static void no_connection_is_temporary(void **st)
{
	(void)st;
	expect(9, "ok@example.vn", SMTP_TEMPORARY, 0); /* discard: nobody listens */
	struct smtp_settings s = settings_of(25);
	struct smtp_outcome o;
	s.host = "khong-co.invalid";
	assert_int_equal(one(&s, &o), SMTP_TEMPORARY);
}

static void settings_that_leak_are_refused(void **st)
{
	(void)st;
	struct smtp_client *c = NULL;
	struct kh_diag d;
	struct smtp_settings s = {
		.host = "relay.example.vn", .helo = "desk.example.vn", .user = "u", .password = "p"};
	assert_int_equal(smtp_client_new(NULL, &s, &c, &d), KH_EFORMAT);
	s.user = NULL;
	assert_int_equal(smtp_client_new(NULL, &s, &c, &d), KH_EFORMAT);
	s.password = NULL;
	s.host = "a/b@c";
	assert_int_equal(smtp_client_new(NULL, &s, &c, &d), KH_EFORMAT);
	s.host = "relay.example.vn";
	s.helo = "x\r\nMAIL";
	assert_int_equal(smtp_client_new(NULL, &s, &c, &d), KH_EFORMAT);
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest with_server[] = {
		cmocka_unit_test(real_server_takes_and_refuses),
		cmocka_unit_test(nothing_is_delivered_before_the_commit),
		cmocka_unit_test(a_killed_process_delivers_nothing),
		cmocka_unit_test(tls_is_verified_and_login_works),
		cmocka_unit_test(starttls_is_never_given_up),
		cmocka_unit_test(many_mails_share_few_connections),
	};
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(no_connection_is_temporary),
		cmocka_unit_test(settings_that_leak_are_refused),
	};
	struct kh_diag d;
	kh_lang_set(KH_EN);
	signal(SIGPIPE, SIG_IGN);
	if (reach_prepare(&d) != KH_OK) return 1;
	int bad = cmocka_run_group_tests(alone, NULL, NULL);
	if (!have_aiosmtpd()) {
		puts("SKIPPED: the tests against a real mail server need python3-aiosmtpd");
		return bad;
	}
	return bad + cmocka_run_group_tests(with_server, NULL, NULL);
}
