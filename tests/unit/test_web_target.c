/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "web/target.h"

/* The text and the room are exact, so that a byte too far is seen. */
static enum kh_err parse(const char *text, struct target *t, uint8_t **room)
{
	size_t n = strlen(text);
	uint8_t *exact = malloc(n + (n == 0));
	*room = malloc(n + (n == 0));
	memcpy(exact, text, n);
	enum kh_err err = target_parse((struct kh_slice){exact, n}, *room, t);
	free(exact);
	return err;
}

static void paths(void **st)
{
	static const struct {
		const char *text, *path; /* path NULL: refused */
	} rows[] = {
		{"/", "/"},         {"/api/v1/status", "/api/v1/status"},
		{"/a/", "/a/"},     {"/t%e1%bb%89nh", "/tỉnh"},
		{"/a+b", "/a+b"},   {"http://x.vn/a?b", "/a"},
		{"/...", "/..."},   {"", NULL},
		{"a", NULL},        {"*", NULL},
		{"//", NULL},       {"/a//b", NULL},
		{"/.", NULL},       {"/../a", NULL},
		{"/%2e%2e/", NULL}, {"/a%2fb", NULL},
		{"/a%5cb", NULL},   {"/a\\b", NULL},
		{"/a%00", NULL},    {"/a%0a", NULL},
		{"/a b", NULL},     {"/%", NULL},
		{"/%4", NULL},      {"/%zz", NULL},
		{"/%c3", NULL},     {"/%ed%a0%80", NULL},
		{"http://x", NULL},
	};
	(void)st;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct target t;
		uint8_t *room;
		enum kh_err err = parse(rows[i].text, &t, &room);
		bool right =
			rows[i].path == NULL ? err == KH_EFORMAT : err == KH_OK && kh_slice_is(t.path, rows[i].path);
		if (!right) fail_msg("%s", rows[i].text);
		free(room);
	}
}

static void queries(void **st)
{
	struct target t;
	uint8_t *room;
	char many[512] = "/?";
	(void)st;
	assert_int_equal(parse("/?a=1&b&c=&&d=%26%3d+x", &t, &room), KH_OK);
	assert_int_equal(t.n_query, 4);
	assert_true(kh_slice_is(t.query[3].name, "d") && kh_slice_is(t.query[3].value, "&= x"));
	assert_int_equal(t.query[2].value.n, 0);
	free(room);
	static const char *const bad[] = {"/?=1", "/?a%00=1", "/?a=%00", "/?a=%1b", "/?a=%ff", "/?a=%4"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(parse(bad[i], &t, &room), KH_EFORMAT);
		free(room);
	}
	for (int i = 0; i < TARGET_MAX_PAIRS; i++) memcpy(many + 2 + 2 * i, "a&", 3);
	assert_int_equal(parse(many, &t, &room), KH_OK);
	free(room);
	memcpy(many + 2 + 2 * TARGET_MAX_PAIRS, "a", 2);
	assert_int_equal(parse(many, &t, &room), KH_ELIMIT);
	free(room);
}

static void forwarded(void **st)
{
	static const struct {
		const char *peer, *list, *client;
	} rows[] = {
		{"10.0.0.1", "203.0.113.9", "203.0.113.9"},
		{"10.0.0.1", "192.0.2.66, 203.0.113.9, 10.0.0.2",
		 "203.0.113.9"}, /* what is left of a stranger is his word */
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", "junk, 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1", "10.0.0.3,", "10.0.0.1"},
		{"203.0.113.9", "192.0.2.66", "203.0.113.9"},
		{"10.0.0.1", "2001:db8::7", "2001:db8::7"},
	};
	struct kh_prefix ours;
	(void)st;
	assert_int_equal(kh_prefix_parse(KH_LIT("10.0.0.0/8"), false, &ours), KH_OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kh_address peer, client;
		char text[KH_ADDRESS_TEXT];
		assert_int_equal(kh_address_parse(kh_str(rows[i].peer), &peer), KH_OK);
		client = target_client(peer, kh_str(rows[i].list), &ours, 1);
		assert_string_equal(kh_address_text(text, &client), rows[i].client);
	}
}

static void languages(void **st)
{
	static const struct {
		const char *accept;
		enum kh_lang lang;
	} rows[] = {{"en", KH_EN},
				{"vi-VN,vi;q=0.9,en;q=0.8", KH_VI},
				{"fr, en;q=0.3, vi;q=0.31", KH_VI},
				{"en;q=0", KH_VI},
				{"eng", KH_VI},
				{"", KH_VI},
				{"en;q=1.0,vi;q=0.999", KH_EN},
				{"en;q=x", KH_VI}};
	(void)st;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (target_language(kh_str(rows[i].accept), KH_VI) != rows[i].lang) fail_msg("%s", rows[i].accept);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(paths), cmocka_unit_test(queries),
								   cmocka_unit_test(forwarded), cmocka_unit_test(languages)};
	return cmocka_run_group_tests(t, NULL, NULL);
}
