/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "codec/line/line.h"
#include "flat.h"

static struct line_parser *parser;
static struct event event;
static struct kh_diag diag;
static uint8_t *copy; /* exact size, so that a one-byte over-read is seen */

static enum kh_err parse(enum line_format format, struct kh_slice text)
{
	free(copy);
	copy = malloc(text.n > 0 ? text.n : 1);
	memcpy(copy, text.p, text.n);
	return line_parse(parser, format, (struct kh_slice){copy, text.n}, &event, &diag);
}

struct row {
	const char *in, *out;
};

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum kh_err err = parse(LINE_AUTO, kh_str(rows[i].in));
		if (err != KH_OK) print_message("row: %s\n", rows[i].in);
		assert_int_equal(err, KH_OK);
		assert_string_equal(flat(&event), rows[i].out);
		assert_int_equal(event.raw.n, strlen(rows[i].in));
	}
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof *(rows))

static void syslog_of_every_shape(void **st)
{
	(void)st;
	static const struct row rows[] = {
		{"<34>1 2026-11-23T22:14:15.003+07:00 gw.example.vn fw 77 ID47 [ex@32473 a=\"1\" b=\"x \\\"y\\\" \\] "
		 "\\\\ \\n\"][z "
		 "c=\"\"] \xef\xbb\xbfxin chào",
		 "_format=syslog|facility=4|severity=2|timestamp=2026-11-23T22:14:15.003+07:00|hostname=gw.example."
		 "vn|"
		 "app_name=fw|proc_id=77|msg_id=ID47|sd.ex@32473.a=1|sd.ex@32473.b=x \"y\" ] \\ "
		 "\\n|sd.z.c=|message=xin chào"},
		{"<165>1 - - - - - -", "_format=syslog|facility=20|severity=5|message="},
		{"<13>1 2026-11-23T22:14:15Z h a - - [broken sd",
		 "_format=syslog|facility=1|severity=5|timestamp="
		 "2026-11-23T22:14:15Z|hostname=h|app_name=a|message=[broken sd"},
		{"<34>Oct 11 22:14:15 mymachine su: hello", "_format=syslog|facility=4|severity=2|timestamp=Oct 11 "
													"22:14:15|hostname=mymachine|app_name=su|message=hello"},
		{"Nov  3 02:04:05 host app[12]: text: more",
		 "_format=syslog|timestamp=Nov  3 02:04:05|hostname=host|app_name=app|proc_id=12|message=text: more"},
		{"2026-11-23T22:00:00.123456+07:00 host systemd-logind[1]: New session",
		 "_format=syslog|timestamp=2026-11-23T22:00:00.123456+07:00|hostname=host|app_name=systemd-logind|"
		 "proc_id=1|"
		 "message=New session"},
		{"Nov 23 22:00:00 host last message repeated 3 times",
		 "_format=syslog|timestamp=Nov 23 22:00:00|hostname=host|message=last message repeated 3 times"},
		{"Nov 23 22:00:00 last message repeated 3 times",
		 "_format=syslog|timestamp=Nov 23 22:00:00|message=last message repeated 3 times"},
		{"Nov 23 22:00:00 app[3]: no host",
		 "_format=syslog|timestamp=Nov 23 22:00:00|app_name=app|proc_id=3|message=no host"},
		{"<189>29: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured",
		 "_format=syslog|facility=23|severity=5|timestamp=Mar  1 "
		 "18:46:11.123|app_name=%SYS-5-CONFIG_I|message=Configured"},
		{"<166>Jul 10 2026 21:12:03 asa1 : %ASA-6-302013: Built",
		 "_format=syslog|facility=20|severity=6|timestamp=Jul 10 2026 "
		 "21:12:03|hostname=asa1|app_name=%ASA-6-302013|"
		 "message=Built"},
		{"<13>just words here", "_format=syslog|facility=1|severity=5|message=just words here"},
		{"<13>tag: words", "_format=syslog|facility=1|severity=5|app_name=tag|message=words"},
		{"<999>x", "message=<999>x|_format=text"},
		{"no header at all", "message=no header at all|_format=text"},
	};
	CHECK(rows);
}

static void messages_that_hold_another_format(void **st)
{
	(void)st;
	static const struct row rows[] = {
		{"<13>Nov 23 22:00:00 h app: @cee: {\"a\":{\"b\":1}}",
		 "a.b=1|_format=json|_format=syslog|facility=1|severity=5|timestamp=Nov 23 "
		 "22:00:00|hostname=h|app_name=app|"
		 "message=@cee: {\"a\":{\"b\":1}}"},
		{"<13>Nov 23 22:00:00 h app: {broken",
		 "_format=syslog|facility=1|severity=5|timestamp=Nov 23 22:00:00|"
		 "hostname=h|app_name=app|message={broken"},
		{"Nov 23 22:00:00 h audispd: type=CWD msg=audit(1700000000.123:7): cwd=\"/\"",
		 "type=CWD|timestamp=1700000000.123|event_id=7|cwd=/"
		 "|_format=auditd|node=h|_format=syslog|timestamp=Nov 23 "
		 "22:00:00|"
		 "hostname=h|app_name=audispd|message=type=CWD msg=audit(1700000000.123:7): cwd=\"/\""},
		{"Nov 23 22:00:00 h kernel: [   12.345678] audit: type=1400 audit(1700000000.123:7): "
		 "apparmor=\"DENIED\" pid=4",
		 "type=AVC|timestamp=1700000000.123|event_id=7|apparmor=DENIED|pid=4|_format=auditd|node=h|_format="
		 "syslog|"
		 "timestamp=Nov 23 22:00:00|hostname=h|app_name=kernel|message=[   12.345678] audit: type=1400 "
		 "audit(1700000000.123:7): apparmor=\"DENIED\" pid=4"},
		{"<190>Nov 23 22:00:00 web nginx: 192.0.2.1 - - [23/Nov/2026:22:00:00 +0700] \"GET / HTTP/1.1\" 200 "
		 "5 \"-\" \"x\"",
		 "c-ip=192.0.2.1|timestamp=23/Nov/2026:22:00:00 +0700|request=GET / "
		 "HTTP/1.1|cs-method=GET|cs-version=HTTP/1.1|"
		 "cs-uri=/|cs-uri-stem=/|cs-uri-query=/"
		 "|sc-status=200|sc-bytes=5|cs-user-agent=x|_format=access|_format=syslog|"
		 "facility=23|severity=6|timestamp=Nov 23 22:00:00|hostname=web|app_name=nginx|message=192.0.2.1 - - "
		 "[23/Nov/2026:22:00:00 +0700] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\""},
	};
	CHECK(rows);
}

static void access_logs_with_hostile_requests(void **st)
{
	(void)st;
	static const struct row rows[] = {
		{"198.51.100.7 - bob [23/Nov/2026:22:00:00 +0700] \"GET /a?b=c?d HTTP/1.0\" 404 -",
		 "c-ip=198.51.100.7|cs-username=bob|timestamp=23/Nov/2026:22:00:00 +0700|request=GET /a?b=c?d "
		 "HTTP/1.0|"
		 "cs-method=GET|cs-version=HTTP/1.0|cs-uri=/a?b=c?d|cs-uri-stem=/a|cs-uri-query=b=c?d|cs-uri-query=/"
		 "a?b=c?d|"
		 "sc-status=404|_format=access"},
		{"www.example.org:443 2001:db8::1 - - [23/Nov/2026:22:00:00 +0700] \"-\" 408 0 \"-\" \"-\"",
		 "cs-host=www.example.org:443|c-ip=2001:db8::1|timestamp=23/Nov/2026:22:00:00 "
		 "+0700|sc-status=408|sc-bytes=0|"
		 "_format=access"},
		{"192.0.2.1 - john [x] smith [23/Nov/2026:22:00:00 +0700] \"\\x16\\x03\\x01\" 400 226 \"-\" \"-\"",
		 "c-ip=192.0.2.1|cs-username=john [x] smith|timestamp=23/Nov/2026:22:00:00 "
		 "+0700|request=\x16\x03\x01|"
		 "sc-status=400|sc-bytes=226|_format=access"},
		{"192.0.2.1 - - [23/Nov/2026:22:00:00 +0700] \"\\x16\\xff\" 400 226 \"-\" \"-\"",
		 "c-ip=192.0.2.1|timestamp=23/Nov/2026:22:00:00 +0700|request=\\x16\\xff|sc-status=400|sc-bytes=226|"
		 "_format=access"},
		{"192.0.2.1 - - [23/Nov/2026:22:00:00 +0700] \"GET /a b\"c\\\" HTTP/1.1\" 200 1 \"http://r/\\\"\" "
		 "\"a \\\"b\\\" \\x22\"",
		 "c-ip=192.0.2.1|timestamp=23/Nov/2026:22:00:00 +0700|request=GET /a b\"c\" HTTP/1.1|cs-method=GET|"
		 "cs-version=HTTP/1.1|cs-uri=/a b\"c\"|cs-uri-stem=/a b\"c\"|cs-uri-query=/a "
		 "b\"c\"|sc-status=200|sc-bytes=1|"
		 "cs-referer=http://r/\"|cs-user-agent=a \"b\" \"|_format=access"},
		{"192.0.2.1 - - [23/Nov/2026:22:00:00 +0700] \"GET /\" 200 1",
		 "c-ip=192.0.2.1|timestamp=23/Nov/2026:22:00:00 +0700|request=GET "
		 "/|cs-method=GET|cs-uri=/|cs-uri-stem=/|"
		 "cs-uri-query=/|sc-status=200|sc-bytes=1|_format=access"},
	};
	CHECK(rows);
}

static void audit_records(void **st)
{
	(void)st;
	static const struct row rows[] = {
		{"type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e a0=7fff comm=\"cat\" exe=\"/bin/cat\" "
		 "key=(null)"
		 "\x1d"
		 "ARCH=x86_64 UID=\"root\"",
		 "type=SYSCALL|timestamp=1364481363.243|event_id=24287|arch=c000003e|a0=7fff|comm=cat|exe=/bin/"
		 "cat|key=(null)|"
		 "ARCH=x86_64|UID=root|_format=auditd"},
		{"node=h1 type=EXECVE msg=audit(1.2:3): argc=3 a0=\"sh\" a1=2D63 a2=6364202F20",
		 "type=EXECVE|timestamp=1.2|event_id=3|node=h1|argc=3|a0=sh|a1=-c|a2=cd / |_format=auditd"},
		{"type=PROCTITLE msg=audit(1.2:3): proctitle=636174002F6574632F736861646F77",
		 "type=PROCTITLE|timestamp=1.2|event_id=3|proctitle=cat /etc/shadow|_format=auditd"},
		{"type=USER_CMD msg=audit(1.2:3): pid=5 uid=0 msg='cwd=\"/\" cmd=6C73202D6C exe=\"/usr/bin/sudo\" "
		 "grantors=pam_unix,pam_env terminal=? res=success'\x1dUID=\"root\"",
		 "type=USER_CMD|timestamp=1.2|event_id=3|pid=5|uid=0|cwd=/|cmd=ls -l|exe=/usr/bin/sudo|"
		 "grantors=pam_unix,pam_env|terminal=?|res=success|UID=root|_format=auditd"},
		{"type=SYSCALL msg=audit(1.2:3): key=61016263",
		 "type=SYSCALL|timestamp=1.2|event_id=3|key=a|key=bc|_format=auditd"},
		{"type=PATH msg=audit(1.2:3): name=FFFE41",
		 "type=PATH|timestamp=1.2|event_id=3|name=\xef\xbf\xbd\xef\xbf\xbd"
		 "A|"
		 "_format=auditd"},
		{"type=AVC msg=audit(1.2:3): avc:  denied  { read } for  pid=9 comm=\"x\" scontext=a:b:c",
		 "type=AVC|timestamp=1.2|event_id=3|pid=9|comm=x|scontext=a:b:c|_format=auditd"},
	};
	CHECK(rows);
}

/* Only what follows the message is compared: what the phrase gave. */
static void phrase(const char *app, const char *message, const char *want)
{
	char line[1024];
	snprintf(line, sizeof line, "Nov 23 22:00:00 h %s: %s", app, message);
	assert_int_equal(parse(LINE_AUTO, kh_str(line)), KH_OK);
	const char *all = flat(&event), *at = strstr(all, "|message=");
	assert_non_null(at);
	assert_string_equal(at + strlen("|message=") + strlen(message), want);
}

static void phrases_of_login_programs(void **st)
{
	(void)st;
	phrase(
		"sshd[1]", "Failed password for invalid user admin from 192.0.2.7 port 50122 ssh2",
		"|auth_method=password|user=admin|src_ip=192.0.2.7|src_port=50122|outcome=failure|user_known=false");
	phrase("sshd[1]", "Failed password for root from 2001:db8::9 port 22 ssh2",
		   "|auth_method=password|user=root|src_ip=2001:db8::9|src_port=22|outcome=failure");
	phrase("sshd[1]",
		   "Failed none for invalid user x from 203.0.113.9 port 1 ssh2 from 192.0.2.7 port 50122 ssh2",
		   "|auth_method=none|user=x from 203.0.113.9 port 1 "
		   "ssh2|src_ip=192.0.2.7|src_port=50122|outcome=failure|"
		   "user_known=false");
	phrase("sshd-session[1]", "Accepted publickey for bob from 192.0.2.7 port 5 ssh2: ED25519 SHA256:abc",
		   "|auth_method=publickey|user=bob|src_ip=192.0.2.7|src_port=5|outcome=success");
	phrase("sshd[1]", "Invalid user  from 192.0.2.7 port 4",
		   "|src_ip=192.0.2.7|src_port=4|outcome=failure|user_known=false");
	phrase("sshd[1]", "Invalid user oracle from 192.0.2.7",
		   "|user=oracle|src_ip=192.0.2.7|outcome=failure|user_known=false");
	phrase("sshd[1]", "Connection closed by authenticating user root 192.0.2.7 port 4 [preauth]",
		   "|user=root|src_ip=192.0.2.7|src_port=4|outcome=failure");
	phrase("sshd[1]", "Connection closed by invalid user  192.0.2.7 port 4 [preauth]",
		   "|user=|src_ip=192.0.2.7|src_port=4|outcome=failure|user_known=false");
	phrase("sshd[1]", "Connection closed by 192.0.2.7 port 4 [preauth]", "|src_ip=192.0.2.7|src_port=4");
	phrase("sshd[1]", "Connection closed by 192.0.2.7", "|src_ip=192.0.2.7");
	phrase("sshd[1]", "Failed password for root from nowhere", "");
	phrase(
		"sshd(pam_unix)[1]",
		"authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=host.example.org  user=root",
		"|pam.uid=0|pam.euid=0|pam.tty=NODEVssh|src_host=host.example.org|user=root|outcome=failure");
	phrase("sudo", "    bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/sh -c a ; b",
		   "|user=bob|sudo.tty=pts/0|sudo.pwd=/home/bob|sudo.user=root|sudo.command=/bin/sh -c a ; "
		   "b|outcome=success");
	phrase("sudo", "bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
		   "|user=bob|sudo.reason=3 incorrect password attempts|sudo.tty=pts/0|sudo.pwd=/|sudo.user=root|"
		   "sudo.command=/bin/id|outcome=failure");
	phrase("sudo", "pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)",
		   "|pam.service=sudo|pam.type=session|user=root|uid=0|pam.by=bob|pam.uid=1000");
	phrase("su[9]", "FAILED SU (to root) bob on pts/1",
		   "|su.target=root|user=bob|su.tty=pts/1|outcome=failure");
	phrase("/USR/SBIN/CRON[9]", "(root) CMD (run-parts /etc/cron.hourly)",
		   "|user=root|cron.command=run-parts /etc/cron.hourly");
	phrase(
		"sshd[1]",
		"Disconnecting authenticating user root 192.0.2.7 port 4: Too many authentication failures [preauth]",
		"|user=root|src_ip=192.0.2.7|src_port=4|reason=Too many authentication failures "
		"[preauth]|outcome=failure");
	phrase("sshd[1]", "banner exchange: Connection from 192.0.2.7 port 4: invalid format",
		   "|src_ip=192.0.2.7|src_port=4|reason=invalid format");
	phrase("userdel[1]", "delete user 'bob'", "|user=bob");
	phrase("passwd[1]", "password for 'bob' changed by 'root'", "|user=bob|passwd.by=root");
	phrase("cat", "Failed password for root from 192.0.2.7 port 50122 ssh2", "");
}

static void bad_lines_are_refused_or_mended_with_a_reason(void **st)
{
	(void)st;
	static const struct {
		enum line_format format;
		struct kh_slice in;
		enum kh_err err;
		enum line_reason reason;
	} rows[] = {
		{LINE_AUTO, {(const uint8_t *)"", 0}, KH_EFORMAT, LINE_EMPTY},
		{LINE_AUTO, {(const uint8_t *)" \t", 2}, KH_EFORMAT, LINE_EMPTY},
		{LINE_AUTO, {(const uint8_t *)"\0\0\0", 3}, KH_EFORMAT, LINE_NUL},
		{LINE_AUTO, {(const uint8_t *)"\0\0Nov 23 22:00:00 h a: b", 24}, KH_OK, LINE_NUL},
		{LINE_AUTO, {(const uint8_t *)"Nov 23 22:00:00 h a: \xe9", 22}, KH_OK, LINE_NOT_UTF8},
		{LINE_AUTO, {(const uint8_t *)"{\"a\":\"\xe9\"}", 9}, KH_EFORMAT, LINE_NOT_UTF8},
		{LINE_AUTO, {(const uint8_t *)"{\"a\":1", 6}, KH_EFORMAT, LINE_BAD_JSON},
		{LINE_JSON, {(const uint8_t *)"[1]", 3}, KH_EFORMAT, LINE_NOT_OBJECT},
		{LINE_ACCESS, {(const uint8_t *)"hello", 5}, KH_EFORMAT, LINE_WRONG_FORMAT},
		{LINE_AUDITD, {(const uint8_t *)"hel\xff", 4}, KH_EFORMAT, LINE_WRONG_FORMAT},
		{LINE_SYSLOG, {(const uint8_t *)"hello", 5}, KH_OK, LINE_OK},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(parse(rows[i].format, rows[i].in), rows[i].err);
		assert_int_equal(line_parser_reason(parser), rows[i].reason);
		if (rows[i].err != KH_OK) assert_int_equal(event.n_fields, 0);
	}
	uint8_t *big = malloc(EVENT_MAX_BYTES + 1);
	memset(big, 'x', EVENT_MAX_BYTES + 1);
	assert_int_equal(parse(LINE_AUTO, (struct kh_slice){big, EVENT_MAX_BYTES + 1}), KH_ELIMIT);
	assert_int_equal(line_parser_reason(parser), LINE_TOO_LONG);
	memset(big, 0xff, EVENT_MAX_BYTES);
	assert_int_equal(parse(LINE_AUTO, (struct kh_slice){big, EVENT_MAX_BYTES}), KH_OK);
	assert_int_equal(line_parser_reason(parser), LINE_NOT_UTF8);
	assert_int_equal(event.fields[0].value.n, 3 * EVENT_MAX_BYTES);
	free(big);
}

static void names_of_formats_read_back(void **st)
{
	(void)st;
	for (int i = 0; i < LINE_N_FORMATS; i++) {
		enum line_format format;
		assert_true(line_format_of(kh_str(line_format_name((enum line_format)i)), &format));
		assert_int_equal(format, i);
	}
	for (int i = 0; i < LINE_N_REASONS; i++) assert_non_null(line_reason_name((enum line_reason)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syslog_of_every_shape),
		cmocka_unit_test(messages_that_hold_another_format),
		cmocka_unit_test(access_logs_with_hostile_requests),
		cmocka_unit_test(audit_records),
		cmocka_unit_test(phrases_of_login_programs),
		cmocka_unit_test(bad_lines_are_refused_or_mended_with_a_reason),
		cmocka_unit_test(names_of_formats_read_back),
	};
	parser = line_parser_new();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	line_parser_free(parser);
	event_free(&event);
	free(copy);
	return failed;
}
