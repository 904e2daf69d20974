/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/time.h"
#include "base/uuid.h"
#include "reach/mime.h"

static struct mime_address to_one = {{(const uint8_t *)"Trực ban", 10},
									 {(const uint8_t *)"soc@example.vn", 14}};

static struct mime_mail mail(void)
{
	return (struct mime_mail){.message_id = KH_LIT("0193@desk.example.vn"),
							  .date_ns = 1763942460 * KH_SECOND, /* 2025-11-24T00:01:00Z, a Monday */
							  .from = {KH_LIT("Khien \"desk\""), KH_LIT("khien@example.vn")},
							  .to = &to_one,
							  .n_to = 1,
							  .subject = KH_LIT("plain words"),
							  .body = KH_LIT("x\n")};
}

/* ---- an independent reader, written from the RFCs the other way round ---- */

static int digit64(char c)
{
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(all, c) : NULL;
	return at != NULL ? (int)(at - all) : -1;
}

static void unbase64(const char *p, const char *end, struct kh_buf *out)
{
	for (unsigned bits = 0, n = 0; p < end && *p != '='; p++) {
		int v = digit64(*p);
		assert_true(v >= 0);
		bits = bits << 6 | (unsigned)v;
		n += 6;
		if (n < 8) continue;
		n -= 8;
		kh_buf_char(out, (char)(bits >> n & 0xff));
	}
}

/* The unfolded, decoded value of a header; blanks between encoded words vanish (RFC 2047, 6.2). */
static void value_of(const char *message, const char *name, struct kh_buf *out)
{
	const char *p = strstr(message, name);
	assert_non_null(p);
	p += strlen(name);
	while (!(p[0] == '\r' && p[2] != ' ')) {
		const char *end = strncmp(p, "=?UTF-8?B?", 10) == 0 ? strstr(p, "?=") : NULL;
		if (end != NULL) {
			unbase64(p + 10, end, out);
			p = end + 2;
			if (strncmp(p, " =?", 3) == 0) p++;
			if (strncmp(p, "\r\n =?", 5) == 0) p += 3;
		} else if (*p == '\r') {
			p += 2;
		} else {
			kh_buf_char(out, *p++);
		}
	}
}

static int nibble(char c)
{
	return c >= 'A' ? c - 'A' + 10 : c - '0';
}

static void body_of(const char *message, struct kh_buf *out)
{
	const char *p = strstr(message, "\r\n\r\n");
	assert_non_null(p);
	for (p += 4; *p != '\0';) {
		if (p[0] == '=' && p[1] == '\r') {
			p += 3;
		} else if (p[0] == '=') {
			kh_buf_char(out, (char)(nibble(p[1]) << 4 | nibble(p[2])));
			p += 3;
		} else if (*p == '\r') {
			p++;
		} else {
			kh_buf_char(out, *p++);
		}
	}
}

/* ---- tests ---- */

static void one_mail_byte_by_byte(void **st)
{
	(void)st;
	struct mime_mail m = mail();
	struct kh_buf b = KH_BUF(4096);
	struct kh_diag d;
	m.subject = KH_LIT("Sự cố");
	m.body = KH_LIT("một\r\n.hai \nFrom ba=\n");
	assert_int_equal(mime_build(&m, &b, &d), KH_OK);
	assert_string_equal(b.bytes, "Date: Mon, 24 Nov 2025 07:01:00 +0700\r\n"
								 "From: \"Khien \\\"desk\\\"\" <khien@example.vn>\r\n"
								 "To: =?UTF-8?B?VHLhu7FjIGJhbg==?= <soc@example.vn>\r\n"
								 "Subject: =?UTF-8?B?U+G7sSBj4buR?=\r\n"
								 "Message-ID: <0193@desk.example.vn>\r\n"
								 "MIME-Version: 1.0\r\n"
								 "Content-Type: text/plain; charset=utf-8\r\n"
								 "Content-Transfer-Encoding: quoted-printable\r\n"
								 "Auto-Submitted: auto-generated\r\n"
								 "\r\n"
								 "m=E1=BB=99t\r\n=2Ehai=20\r\n=46rom ba=3D\r\n");
	kh_buf_free(&b);
}

static void no_value_opens_a_header(void **st)
{
	static const char *const evil[] = {
		"a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\x01", "a\x7f", "\xc3", "\xed\xa0\x80"};
	(void)st;
	for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
		struct kh_buf b = KH_BUF(4096);
		struct kh_slice s = kh_str(evil[i]);
		struct mime_mail m = mail();
		m.subject = s;
		assert_int_equal(mime_build(&m, &b, NULL), KH_EFORMAT);
		m = mail();
		m.from.name = s;
		assert_int_equal(mime_build(&m, &b, NULL), KH_EFORMAT);
		m = mail();
		m.message_id = s;
		assert_int_equal(mime_build(&m, &b, NULL), KH_EFORMAT);
		struct mime_header h = {KH_LIT("X-A"), s};
		m = mail();
		m.headers = &h;
		m.n_headers = 1;
		assert_int_equal(mime_build(&m, &b, NULL), KH_EFORMAT);
		h = (struct mime_header){s, KH_LIT("v")};
		assert_int_equal(mime_build(&m, &b, NULL), KH_EFORMAT);
		kh_buf_free(&b);
	}
	static const char *const ours[] = {"bcc", "SUBJECT", "Content-Type", "X A", "X:", ""};
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		struct kh_buf b = KH_BUF(4096);
		struct mime_header h = {kh_str(ours[i]), KH_LIT("v")};
		struct mime_mail m = mail();
		m.headers = &h;
		m.n_headers = 1;
		assert_int_equal(mime_build(&m, &b, NULL), KH_EFORMAT);
		kh_buf_free(&b);
	}
}

static void mailboxes(void **st)
{
	static const char *const good[] = {"a@b", "soc.truc-ban+1@an-giang.example.vn", "x_y@1.2.example"};
	static const char *const bad[] = {
		"",          "a",           "@b",     "a@",      "a@b@c",         "a b@c",
		"a@b c",     ".a@b",        "a..b@c", "a.@b",    "a@-b",          "a@b-",
		"a@b..c",    "a@.b",        "<a@b>",  "\"a\"@b", "a@[192.0.2.1]", "trực@example.vn",
		"a@tỉnh.vn", "a@b\r\nRCPT", "a@b>"};
	(void)st;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(mime_mailbox_check(kh_str(good[i]), NULL), KH_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (mime_mailbox_check(kh_str(bad[i]), NULL) != KH_EFORMAT) fail_msg("%s", bad[i]);
}

static void the_size_limit_holds(void **st)
{
	(void)st;
	struct mime_mail m = mail();
	struct kh_buf b = KH_BUF(4096), small = {0};
	struct kh_diag d;
	assert_int_equal(mime_build(&m, &b, &d), KH_OK);
	small.limit = b.n - 1;
	assert_int_equal(mime_build(&m, &small, &d), KH_ELIMIT);
	kh_buf_free(&small);
	small.limit = b.n;
	assert_int_equal(mime_build(&m, &small, &d), KH_OK);
	kh_buf_free(&b);
	kh_buf_free(&small);
}

/* Words and lines of any length come back as they went in. */
static void round_trip(void **st)
{
	static const char *const pieces[] = {"a", "đ", "ệ", "🛡", "=", ".", "?", "_", "From", "x"};
	unsigned seed;
	(void)st;
	kh_random(&seed, sizeof seed);
	print_message("seed %u\n", seed);
	for (int turn = 0; turn < 500; turn++) {
		struct kh_buf subject = KH_BUF(4096), body = KH_BUF(65536), out = KH_BUF(1 << 18),
					  back = KH_BUF(65536);
		for (int n = rand_r(&seed) % 200; n >= 0; n--) kh_buf_text(&subject, pieces[rand_r(&seed) % 10]);
		for (int n = rand_r(&seed) % 900; n >= 0; n--)
			kh_buf_text(&body, rand_r(&seed) % 20 == 0  ? "\n"
							   : rand_r(&seed) % 9 == 0 ? " "
														: pieces[rand_r(&seed) % 10]);
		kh_buf_char(&body, '\n');
		struct mime_mail m = mail();
		m.subject = kh_buf_slice(&subject);
		m.body = kh_buf_slice(&body);
		assert_int_equal(mime_build(&m, &out, NULL), KH_OK);
		value_of(out.bytes, "Subject: ", &back);
		assert_string_equal(back.bytes, subject.bytes);
		kh_buf_clear(&back);
		body_of(out.bytes, &back);
		assert_string_equal(back.bytes, body.bytes);
		kh_buf_free(&subject), kh_buf_free(&body), kh_buf_free(&out), kh_buf_free(&back);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(one_mail_byte_by_byte),
		cmocka_unit_test(no_value_opens_a_header),
		cmocka_unit_test(mailboxes),
		cmocka_unit_test(the_size_limit_holds),
		cmocka_unit_test(round_trip),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
