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

#include "codec/syslog/framer.h"

enum { MAX = 16 };
static char got[4096];
static size_t got_n;
static struct syslog_framer_counts counts;

static enum kh_err collect(void *context, struct kh_slice message)
{
	(void)context;
	got_n +=
		(size_t)snprintf(got + got_n, sizeof got - got_n, "[%.*s]", (int)message.n, (const char *)message.p);
	return KH_OK;
}

/* Feeds `text` in pieces of `piece` bytes, each an exact heap copy. */
static const char *frames(const char *text, size_t piece)
{
	struct syslog_framer *f = syslog_framer_new(MAX);
	struct kh_slice s = kh_str(text);
	got_n = 0;
	got[0] = '\0';
	while (s.n > 0) {
		struct kh_slice part = kh_slice_to(s, piece);
		uint8_t *copy = malloc(part.n);
		memcpy(copy, part.p, part.n);
		assert_int_equal(syslog_framer_feed(f, (struct kh_slice){copy, part.n}, collect, NULL), KH_OK);
		free(copy);
		s = kh_slice_from(s, part.n);
	}
	assert_int_equal(syslog_framer_end(f, collect, NULL), KH_OK);
	counts = syslog_framer_counts(f);
	syslog_framer_free(f);
	return got;
}

static void both_framings_are_told_apart_message_by_message(void **st)
{
	(void)st;
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"<1>a\n<2>b\r\n", "[<1>a][<2>b]"},
		{"4 <1>a5 <2>bc", "[<1>a][<2>bc]"},
		{"5 <1>a\n<2>b\n4 <3>c", "[<1>a][<2>b][<3>c]"},
		{"7 <1>a\nbc\n\n<2>b", "[<1>a\nbc][<2>b]"},
		{"2026-11-23 x\n", "[2026-11-23 x]"},
		{"12 monkeys\n", "[12 monkeys]"},
		{"04 <1>\n", "[04 <1>]"},
		{"12", "[12]"},
		{"\n\r\n", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t piece = 1; piece < 20; piece++)
			assert_string_equal(frames(rows[i].in, piece), rows[i].out);
}

static void what_is_too_long_is_skipped_to_its_own_end(void **st)
{
	(void)st;
	for (size_t piece = 1; piece < 30; piece++) {
		assert_string_equal(frames("<1>3456789abcdef\n<1>3456789abcdef0\n<2>b\n", piece),
							"[<1>3456789abcdef][<2>b]");
		assert_int_equal(counts.n_too_long, 1);
		assert_string_equal(frames("20 <1>456789012345678904 <2>b", piece), "[<2>b]");
		assert_int_equal(counts.n_too_long, 1);
		assert_string_equal(frames("99999999 <1>xx\n<2>b\n", piece), "[<2>b]");
		assert_int_equal(counts.n_bad_count, 1);
		assert_string_equal(frames("12 <1>abc", piece), "");
		assert_int_equal(counts.n_cut, 1);
		assert_int_equal(counts.n_messages, 0);
	}
}

static void cuts_do_not_matter(void **st)
{
	(void)st;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	for (int round = 0; round < 3000; round++) {
		char text[200], whole[sizeof got];
		size_t n = (size_t)rand_r(&seed) % (sizeof text - 1);
		for (size_t i = 0; i < n; i++) text[i] = "1234 <<\n\rx"[rand_r(&seed) % 10];
		text[n] = '\0';
		snprintf(whole, sizeof whole, "%s", frames(text, sizeof text));
		struct syslog_framer_counts want = counts;
		assert_string_equal(frames(text, 1 + (size_t)rand_r(&seed) % 7), whole);
		assert_memory_equal(&counts, &want, sizeof want);
	}
}

static enum kh_err refuse(void *context, struct kh_slice message)
{
	(void)context;
	(void)message;
	return KH_ESYS;
}

static void the_sinks_error_comes_back(void **st)
{
	(void)st;
	struct syslog_framer *f = syslog_framer_new(MAX);
	assert_int_equal(syslog_framer_feed(f, KH_LIT("<1>a\n"), refuse, NULL), KH_ESYS);
	syslog_framer_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_framings_are_told_apart_message_by_message),
		cmocka_unit_test(what_is_too_long_is_skipped_to_its_own_end),
		cmocka_unit_test(cuts_do_not_matter),
		cmocka_unit_test(the_sinks_error_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
