/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/time.h"
#include "codec/event/stamp.h"

static int64_t at(const char *rfc3339)
{
	int64_t t;
	assert_int_equal(kh_time_parse(kh_str(rfc3339), false, &t), KH_OK);
	return t;
}

static void times_of_logs(void **st)
{
	(void)st;
	static const struct {
		const char *text, *now, *expected;
	} rows[] = {
		{"Nov 24 05:34:08", "2026-11-24T00:00:00Z", "2026-11-23T22:34:08Z"},
		{"Nov  4 05:34:08.25", "2026-11-24T00:00:00Z", "2026-11-03T22:34:08.250Z"},
		{"Dec 31 23:59:59", "2027-01-01T00:00:00Z", "2026-12-31T16:59:59Z"},
		{"Jan  1 00:00:10", "2026-12-31T17:00:05Z", "2026-12-31T17:00:10Z"},
		{"Feb 29 12:00:00", "2026-11-24T00:00:00Z", "2024-02-29T05:00:00Z"},
		{"Nov 24 2019 05:34:08", "2026-11-24T00:00:00Z", "2019-11-23T22:34:08Z"},
		{"24/Nov/2026:05:34:08 +0000", "2026-11-24T00:00:00Z", "2026-11-24T05:34:08Z"},
		{"24/Nov/2026:05:34:08 -0330", "2026-11-24T00:00:00Z", "2026-11-24T09:04:08Z"},
	};
	static const char *const bad[] = {"",
									  "Nov",
									  "Nov 24",
									  "Nov 24 05:34",
									  "Foo 24 05:34:08",
									  "Nov 31 05:34:08",
									  "24/Nov/2026",
									  "24/Nov/0226:05:34:08 +0700",
									  "24/Nov/2026:05:34:08 +07",
									  "Nov 24 25:00:00",
									  "Nov 24 05:34:08."};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t t;
		assert_int_equal(stamp_parse(kh_str(rows[i].text), at(rows[i].now), 7 * 3600, &t), KH_OK);
		assert_true(t == at(rows[i].expected));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t t;
		assert_int_equal(stamp_parse(kh_str(bad[i]), at("2026-11-24T00:00:00Z"), 0, &t), KH_EFORMAT);
	}
}

/* Every cut of a good text, on exact-size copies: refused or read, never read past. */
static void cuts_are_safe(void **st)
{
	(void)st;
	static const char *const texts[] = {"Nov 24 2026 05:34:08.123456789", "24/Nov/2026:05:34:08 +0700"};
	for (size_t k = 0; k < 2; k++)
		for (size_t n = 0; n <= kh_str(texts[k]).n; n++) {
			uint8_t *copy = malloc(n > 0 ? n : 1);
			int64_t t;
			assert_non_null(copy);
			memcpy(copy, texts[k], n);
			enum kh_err err = stamp_parse((struct kh_slice){copy, n}, 0, 0, &t);
			assert_true(err == KH_OK || err == KH_EFORMAT);
			free(copy);
		}
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(times_of_logs), cmocka_unit_test(cuts_are_safe)};
	return cmocka_run_group_tests(t, NULL, NULL);
}
