/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/message.h"
#include "codec/event/json.h"
#include "codec/event/utf8.h"

static struct event_json *parser;
static struct event event;
static struct kh_diag diag;
static uint8_t *copy; /* exact size, so that a one-byte over-read is seen */

static enum kh_err parse(struct kh_slice text)
{
	free(copy);
	copy = malloc(text.n > 0 ? text.n : 1);
	memcpy(copy, text.p, text.n);
	return event_json_parse(parser, (struct kh_slice){copy, text.n}, &event, &diag);
}

/* The event as name=value lines with a letter for the type. */
static const char *flat(void)
{
	static char out[4096];
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < event.n_fields; i++) {
		const struct event_field *f = &event.fields[i];
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s=%c:%.*s", i > 0 ? "|" : "", (int)f->name.n,
							  (const char *)f->name.p, "SNB0"[f->type], (int)f -> value.n,
							  (const char *)f->value.p);
	}
	return out;
}

static void objects_become_flat_fields(void **st)
{
	(void)st;
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"{}", ""},
		{" {\"a\":\"x\"} \r", "a=S:x"},
		{"\xef\xbb\xbf{\"a\":1}", "a=N:1"},
		{"{\"a\":1.50e+3,\"b\":true,\"c\":false,\"d\":null,\"e\":-0}",
		 "a=N:1.50e+3|b=B:true|c=B:false|d=0:|e=N:-0"},
		{"{\"Event\":{\"System\":{\"EventID\":1},\"EventData\":{\"Image\":\"C:\\\\a\\\\b.exe\"}}}",
		 "Event.System.EventID=N:1|Event.EventData.Image=S:C:\\a\\b.exe"},
		{"{\"t\":[\"x\",2,[3,{\"k\":4}],{\"k\":{\"l\":5}}]}", "t=S:x|t=N:2|t=N:3|t.k=N:4|t.k.l=N:5"},
		{"{\"a\":{},\"b\":[],\"c\":{\"d\":[]}}", "a=0:|b=0:|c.d=0:"},
		{"{\"a\":1,\"a\":\"2\"}", "a=N:1|a=S:2"},
		{"{\"\":{\"\":1},\"id.orig_h\":\"192.0.2.1\"}", ".=N:1|id.orig_h=S:192.0.2.1"},
		{"{\"k\\u0065y\":\"\\u0110\\u00e0 \\ud83d\\ude00 \\n\\t\\\"\\/\"}", "key=S:Đà 😀 \n\t\"/"},
		{"{\"a\":\"x\\ud800y\\\\ \\udc00\"}", "a=S:x\xef\xbf\xbdy\\ \xef\xbf\xbd"},
		{"{ \"a\" : [ 1 , 2 ] }", "a=N:1|a=N:2"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(parse(kh_str(rows[i].in)), KH_OK);
		assert_string_equal(flat(), rows[i].out);
		assert_int_equal(event_json_fault(parser), JSON_FAULT_NONE);
		assert_ptr_equal(event.raw.p, copy);
	}
}

static void a_nul_escape_is_carried_by_length(void **st)
{
	(void)st;
	assert_int_equal(parse(kh_str("{\"a\":\"x\\u0000y\"}")), KH_OK);
	assert_int_equal(event.fields[0].value.n, 3);
	assert_memory_equal(event.fields[0].value.p, "x\0y", 3);
}

static void what_is_not_one_object_is_refused_with_its_reason(void **st)
{
	(void)st;
	static const struct {
		const char *in;
		enum event_json_fault fault;
	} rows[] = {
		{"", JSON_FAULT_EMPTY},
		{"  ", JSON_FAULT_EMPTY},
		{"[1]", JSON_FAULT_NOT_OBJECT},
		{"\"x\"", JSON_FAULT_NOT_OBJECT},
		{"12", JSON_FAULT_NOT_OBJECT},
		{"null", JSON_FAULT_NOT_OBJECT},
		{"{", JSON_FAULT_SYNTAX},
		{"}", JSON_FAULT_NOT_OBJECT},
		{"{\"a\"", JSON_FAULT_SYNTAX},
		{"{\"a\":", JSON_FAULT_SYNTAX},
		{"{\"a\":1", JSON_FAULT_SYNTAX},
		{"{\"a\":\"x", JSON_FAULT_SYNTAX},
		{"{\"a\":}", JSON_FAULT_SYNTAX},
		{"{\"a\":1,}", JSON_FAULT_SYNTAX},
		{"{,}", JSON_FAULT_SYNTAX},
		{"{\"a\":[1,]}", JSON_FAULT_SYNTAX},
		{"{\"a\":[1 2]}", JSON_FAULT_SYNTAX},
		{"{\"a\":[1}", JSON_FAULT_SYNTAX},
		{"{\"a\":1]", JSON_FAULT_SYNTAX},
		{"{\"a\":1 \"b\":2}", JSON_FAULT_SYNTAX},
		{"{\"a\":\"x\"y}", JSON_FAULT_SYNTAX},
		{"{\"a\":\"x\":1}", JSON_FAULT_SYNTAX},
		{"{\"a\" 1}", JSON_FAULT_SYNTAX},
		{"{a:1}", JSON_FAULT_SYNTAX},
		{"{1:1}", JSON_FAULT_SYNTAX},
		{"{\"a\":tru}", JSON_FAULT_SYNTAX},
		{"{\"a\":truee}", JSON_FAULT_SYNTAX},
		{"{\"a\":01}", JSON_FAULT_SYNTAX},
		{"{\"a\":1.}", JSON_FAULT_SYNTAX},
		{"{\"a\":.5}", JSON_FAULT_SYNTAX},
		{"{\"a\":1e}", JSON_FAULT_SYNTAX},
		{"{\"a\":+1}", JSON_FAULT_SYNTAX},
		{"{\"a\":NaN}", JSON_FAULT_SYNTAX},
		{"{\"a\":\"\\x41\"}", JSON_FAULT_SYNTAX},
		{"{\"a\":\"\\u12g4\"}", JSON_FAULT_SYNTAX},
		{"{\"a\":\"\\ud800\\u00\"}", JSON_FAULT_SYNTAX},
		{"{\"a\":\"tab\there\"}", JSON_FAULT_SYNTAX},
		{"{\"a\":1}{\"b\":2}", JSON_FAULT_SYNTAX},
		{"{\"a\":1} x", JSON_FAULT_SYNTAX},
		{"{\"a\":\"\xff\"}", JSON_FAULT_UTF8},
		{"{\"a\":\"\xed\xa0\x80\"}", JSON_FAULT_UTF8},
		{"{\"a\":\"\xc3", JSON_FAULT_UTF8},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		diag.text[0] = '\0';
		enum kh_err err = parse(kh_str(rows[i].in));
		if (err == KH_OK || event_json_fault(parser) != rows[i].fault) print_message("row: %s\n", rows[i].in);
		assert_int_not_equal(err, KH_OK);
		assert_int_equal(event_json_fault(parser), rows[i].fault);
		assert_int_equal(event.n_fields, 0);
		assert_true(diag.text[0] != '\0');
	}
}

static void bad_utf8_names_its_byte(void **st)
{
	(void)st;
	kh_lang_set(KH_EN);
	assert_int_equal(parse(kh_str("\xef\xbb\xbf{\"a\":\"\xff\"}")), KH_EFORMAT);
	assert_string_equal(diag.text, "not UTF-8 at byte 9");
}

/* open x n, then the middle, then close x n */
static const char *nested(const char *open, const char *middle, const char *close, size_t n)
{
	static char s[1 << 20];
	size_t at = 0;
	for (size_t i = 0; i < n; i++) at += (size_t)snprintf(s + at, sizeof s - at, "%s", open);
	at += (size_t)snprintf(s + at, sizeof s - at, "%s", middle);
	for (size_t i = 0; i < n; i++) at += (size_t)snprintf(s + at, sizeof s - at, "%s", close);
	return s;
}

static void limits_hold(void **st)
{
	(void)st;
	assert_int_equal(parse(kh_str(nested("{\"a\":", "1", "}", EVENT_MAX_DEPTH))), KH_OK);
	assert_int_equal(parse(kh_str(nested("{\"a\":", "1", "}", EVENT_MAX_DEPTH + 1))), KH_ELIMIT);
	assert_int_equal(event_json_fault(parser), JSON_FAULT_TOO_DEEP);
	assert_int_equal(parse(kh_str(nested("{\"a\":[", "1", "", 100000))), KH_ELIMIT);
	static char whole[3 * EVENT_MAX_FIELDS];
	const char *many = nested("1,", "1", "", EVENT_MAX_FIELDS);
	snprintf(whole, sizeof whole, "{\"a\":[%s]}", many);
	assert_int_equal(parse(kh_str(whole)), KH_ELIMIT);
	assert_int_equal(event_json_fault(parser), JSON_FAULT_TOO_MANY);
	snprintf(whole, sizeof whole, "{\"a\":[%s]}", many + 2);
	assert_int_equal(parse(kh_str(whole)), KH_OK);
	assert_int_equal(event.n_fields, EVENT_MAX_FIELDS);
}

static void a_line_as_long_as_allowed_is_read_and_one_byte_more_is_not(void **st)
{
	(void)st;
	size_t n = EVENT_MAX_BYTES;
	uint8_t *s = malloc(n + 1);
	memset(s, '\\', n + 1);
	memcpy(s, "{\"a\":\"", 6);
	s[n - 2] = '"'; /* an even run of backslashes stands before it */
	s[n - 1] = '}';
	assert_int_equal(parse((struct kh_slice){s, n}), KH_OK);
	assert_int_equal(event.fields[0].value.n, (n - 8) / 2);
	s[n - 2] = '\\';
	s[n - 1] = '"';
	s[n] = '}';
	assert_int_equal(parse((struct kh_slice){s, n + 1}), KH_ELIMIT);
	assert_int_equal(event_json_fault(parser), JSON_FAULT_TOO_LONG);
	free(s);
}

static void every_prefix_of_an_object_is_refused(void **st)
{
	(void)st;
	const char *s = "{\"a\":{\"b\":[1,true,null,\"x\\u0041\"]},\"c\":-1.5e3}";
	for (size_t n = 0; n < strlen(s); n++)
		assert_int_not_equal(parse((struct kh_slice){(const uint8_t *)s, n}), KH_OK);
	assert_int_equal(parse(kh_str(s)), KH_OK);
}

/* Any string written with escapes chosen at random reads back as itself. */
static void strings_round_trip(void **st)
{
	(void)st;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	for (int round = 0; round < 2000; round++) {
		char text[2048];
		uint8_t want[1024];
		size_t n = 0, want_len = 0;
		n += (size_t)snprintf(text + n, sizeof text - n, "{\"k\":\"");
		int count = rand_r(&seed) % 120;
		for (int i = 0; i < count; i++) {
			uint32_t code = (uint32_t)rand_r(&seed) % 0x800;
			want_len += utf8_put(code, want + want_len);
			if (code < 0x20 || code == '"' || code == '\\' || rand_r(&seed) % 3 == 0)
				n += (size_t)snprintf(text + n, sizeof text - n, "\\u%04x", code);
			else
				n += utf8_put(code, (uint8_t *)text + n);
		}
		snprintf(text + n, sizeof text - n, "\"}");
		assert_int_equal(parse(kh_str(text)), KH_OK);
		assert_int_equal(event.fields[0].value.n, want_len);
		assert_memory_equal(event.fields[0].value.p, want, want_len);
	}
}

static void broken_text_is_mended(void **st)
{
	(void)st;
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"abc", "abc"},
		{"Nguy\xe1\xbb\x85n", "Nguy\xe1\xbb\x85n"},
		{"caf\xe9 x", "caf\xef\xbf\xbd x"},
		{"\xe1\xbb", "\xef\xbf\xbd"},
		{"\xf0\x9f\x98\x80\xff\xfe", "\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kh_slice in = kh_str(rows[i].in);
		uint8_t *out = malloc(3 * in.n);
		size_t n = utf8_mend(in, out);
		assert_true(kh_slice_eq((struct kh_slice){out, n}, kh_str(rows[i].out)));
		assert_int_equal(utf8_good((struct kh_slice){out, n}), n);
		assert_int_equal(utf8_good(in) == in.n, kh_utf8_ok(in));
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_become_flat_fields),
		cmocka_unit_test(a_nul_escape_is_carried_by_length),
		cmocka_unit_test(what_is_not_one_object_is_refused_with_its_reason),
		cmocka_unit_test(bad_utf8_names_its_byte),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_line_as_long_as_allowed_is_read_and_one_byte_more_is_not),
		cmocka_unit_test(every_prefix_of_an_object_is_refused),
		cmocka_unit_test(strings_round_trip),
		cmocka_unit_test(broken_text_is_mended),
	};
	parser = event_json_new();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_json_free(parser);
	event_free(&event);
	free(copy);
	return failed;
}
