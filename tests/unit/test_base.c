/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/fold.h"
#include "base/map.h"
#include "base/time.h"
#include "base/uuid.h"

static void time_is_read_and_written(void **st)
{
	(void)st;
	static const struct {
		const char *text, *canonical;
		bool assume_utc;
	} good[] = {
		{"2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z", false},
		{"2026-11-23t15:00:00+07:00", "2026-11-23T08:00:00Z", false},
		{"2026-11-23 08:00:00.5", "2026-11-23T08:00:00.500Z", true},
		{"1969-12-31T23:59:59.000000001Z", "1969-12-31T23:59:59.000000001Z", false},
		{"2024-02-29T00:00:00.1234567890Z", "2024-02-29T00:00:00.123456789Z", false},
		{"1999-12-31T23:59:59,25-0330", "2000-01-01T03:29:59.250Z", false},
	};
	static const char *const bad[] = {"",
									  "2026-11-23",
									  "2026-11-23T08:00:00",
									  "2025-02-29T00:00:00Z",
									  "2026-13-01T00:00:00Z",
									  "2026-11-23T24:00:00Z",
									  "2026-11-23T08:00:00.Z",
									  "2026-11-23T08:00:00Zx",
									  "2026-11-23T08:00:00+7"};
	char out[KH_TIME_TEXT];
	int64_t t;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(kh_time_parse(kh_str(good[i].text), good[i].assume_utc, &t), KH_OK);
		assert_string_equal(kh_time_rfc3339(out, t), good[i].canonical);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(kh_time_parse(kh_str(bad[i]), false, &t), KH_EFORMAT);
	assert_int_equal(kh_time_parse(kh_str("9999-01-01T00:00:00Z"), false, &t), KH_ERANGE);
	assert_int_equal(kh_time_parse(kh_str("2026-11-23T17:30:00Z"), false, &t), KH_OK);
	assert_string_equal(kh_time_vietnam(out, t), "24/11/2026 00:30:00");
}

static void every_day_of_four_centuries_round_trips(void **st)
{
	(void)st;
	for (int64_t day = -100000; day < 100000; day++) {
		struct kh_civil c = kh_civil_of(day * KH_DAY, 0);
		int64_t back;
		assert_int_equal(kh_civil_time(&c, 0, &back), KH_OK);
		assert_true(back == day * KH_DAY);
		assert_int_equal(c.weekday, ((day + 3) % 7 + 7) % 7);
	}
}

static void iso_weeks(void **st)
{
	(void)st;
	static const struct {
		const char *day;
		unsigned week;
	} rows[] = {{"2026-01-01", 1},  {"2025-12-29", 1}, {"2027-01-01", 53},
				{"2026-11-23", 48}, {"2024-12-31", 1}, {"2021-01-03", 53}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[32];
		int64_t t;
		snprintf(text, sizeof text, "%sT12:00:00Z", rows[i].day);
		assert_int_equal(kh_time_parse(kh_str(text), false, &t), KH_OK);
		assert_int_equal(kh_iso_week(t, 0), rows[i].week);
	}
}

static void vietnamese_folds(void **st)
{
	(void)st;
	static const char *const rows[][2] = {{"Đường Số 5", "duong so 5"},
										  {"ĐẶNG", "dang"},
										  {"Sở Y tế", "so y te"},
										  {"WEB01.Example.VN", "web01.example.vn"},
										  {"D\xcc\xa3"
										   "ung",
										   "dung"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *out = NULL;
		assert_int_equal(kh_fold(kh_str(rows[i][0]), &out), KH_OK);
		assert_string_equal(out, rows[i][1]);
		free(out);
	}
	char *out = NULL;
	assert_int_equal(kh_fold(KH_LIT("\xff\xfe"), &out), KH_EFORMAT);
	assert_int_equal(kh_nfc(KH_LIT("e\xcc\x82\xcc\x81"), &out), KH_OK);
	assert_string_equal(out, "ế");
	free(out);
}

static void addresses_and_prefixes(void **st)
{
	(void)st;
	struct kh_prefix p;
	struct kh_address a;
	char text[KH_ADDRESS_TEXT];
	assert_int_equal(kh_prefix_parse(KH_LIT("192.0.2.0/24"), false, &p), KH_OK);
	assert_string_equal(kh_prefix_text(text, &p), "192.0.2.0/24");
	assert_int_equal(kh_address_parse(KH_LIT("192.0.2.255"), &a), KH_OK);
	assert_true(kh_prefix_holds(&p, &a));
	assert_int_equal(kh_address_parse(KH_LIT("::ffff:192.0.2.1"), &a), KH_OK);
	assert_true(kh_prefix_holds(&p, &a));
	assert_int_equal(kh_address_parse(KH_LIT("192.0.3.0"), &a), KH_OK);
	assert_false(kh_prefix_holds(&p, &a));
	assert_int_equal(kh_prefix_parse(KH_LIT("2001:db8::/33"), false, &p), KH_OK);
	assert_int_equal(kh_address_parse(KH_LIT("2001:db8:8000::1"), &a), KH_OK);
	assert_false(kh_prefix_holds(&p, &a));
	assert_int_equal(kh_prefix_parse(KH_LIT("192.0.2.1/24"), false, &p), KH_EFORMAT);
	assert_int_equal(kh_prefix_parse(KH_LIT("192.0.2.1/24"), true, &p), KH_OK);
	assert_int_equal(kh_prefix_parse(KH_LIT("192.0.2.0/33"), true, &p), KH_ERANGE);
	assert_int_equal(kh_prefix_parse(KH_LIT("0.0.0.0/0"), true, &p), KH_OK);
	assert_true(kh_prefix_holds(&p, &(struct kh_address){{[10] = 0xff, [11] = 0xff, [12] = 8}}));
	assert_int_equal(kh_address_parse((struct kh_slice){(const uint8_t *)"1.2.3.4\0x", 9}, &a), KH_EFORMAT);
}

static void map_keeps_what_was_put(void **st)
{
	(void)st;
	struct kh_map *m = kh_map_new(1000);
	static int marks[1000];
	char key[16];
	void **v;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(kh_map_put(m, kh_str(key), &v), KH_OK);
		*v = &marks[i];
	}
	assert_int_equal(kh_map_put(m, kh_str("one too many"), &v), KH_ELIMIT);
	assert_int_equal(kh_map_put(m, kh_str("k7"), &v), KH_OK);
	assert_ptr_equal(*v, &marks[7]);
	assert_ptr_equal(kh_map_get(m, kh_str("k999")), &marks[999]);
	assert_null(kh_map_get(m, kh_str("k1000")));
	size_t at = 0, n = 0;
	struct kh_slice k;
	void *value;
	while (kh_map_next(m, &at, &k, &value)) n++;
	assert_int_equal(n, 1000);
	kh_map_free(m);
}

static void buffer_stops_at_its_limit(void **st)
{
	(void)st;
	struct kh_buf b = KH_BUF(10);
	kh_buf_printf(&b, "%s-%d", "abc", 12);
	assert_string_equal(b.bytes, "abc-12");
	kh_buf_text(&b, "12345");
	assert_int_equal(b.err, KH_ELIMIT);
	kh_buf_char(&b, 'x');
	assert_int_equal(b.n, 6);
	kh_buf_clear(&b);
	kh_buf_text(&b, "1234567890");
	assert_int_equal(b.err, KH_OK);
	kh_buf_free(&b);
}

static void arena_refuses_overflow_and_limit(void **st)
{
	(void)st;
	struct kh_arena *a = kh_arena_new(256, 1024);
	assert_non_null(a);
	volatile size_t huge = SIZE_MAX / 2;
	assert_null(kh_arena_zalloc(a, huge, 4));
	assert_null(kh_arena_zalloc(a, huge, 2));
	for (int i = 0; i < 32; i++) assert_non_null(KH_NEW(a, uint64_t));
	assert_null(KH_ARRAY(a, char, 2000));
	kh_arena_reset(a);
	assert_non_null(KH_ARRAY(a, char, 1000));
	kh_arena_free(a);
}

static void uuids_are_version_7_and_ordered(void **st)
{
	(void)st;
	char a[KH_UUID_TEXT], b[KH_UUID_TEXT];
	kh_uuid7(a, INT64_C(1763884800000) * 1000000);
	kh_uuid7(b, INT64_C(1763884800001) * 1000000);
	assert_true(kh_uuid_ok(kh_str(a)) && kh_uuid_ok(kh_str(b)));
	assert_int_equal(a[14], '7');
	assert_true(strcmp(a, b) < 0);
	assert_false(kh_uuid_ok(KH_LIT("0192f8a0-0000-7000-8000-00000000000g")));
}

static void utf8_is_judged_as_the_standard_does(void **st)
{
	(void)st;
	static const char *const good[] = {"", "ascii only, longer than eight", "Đường", "\xf4\x8f\xbf\xbf",
									   "12345678\xc3\xa9"};
	static const char *const bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",    "\x80",
									  "\xe1\x80", "12345678\xff", "\xf8\x88\x80\x80\x80"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(kh_utf8_ok(kh_str(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(kh_utf8_ok(kh_str(bad[i])));
}

static void numbers_are_read_whole(void **st)
{
	(void)st;
	uint64_t u;
	int64_t i;
	assert_int_equal(kh_slice_u64(KH_LIT("18446744073709551615"), UINT64_MAX, &u), KH_OK);
	assert_int_equal(kh_slice_u64(KH_LIT("18446744073709551616"), UINT64_MAX, &u), KH_ERANGE);
	assert_int_equal(kh_slice_u64(KH_LIT("12x"), UINT64_MAX, &u), KH_EFORMAT);
	assert_int_equal(kh_slice_i64(KH_LIT("-9223372036854775808"), &i), KH_OK);
	assert_true(i == INT64_MIN);
	assert_int_equal(kh_slice_i64(KH_LIT("9223372036854775808"), &i), KH_ERANGE);
	assert_int_equal(kh_slice_i64(KH_LIT("-"), &i), KH_EFORMAT);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(time_is_read_and_written),
		cmocka_unit_test(every_day_of_four_centuries_round_trips),
		cmocka_unit_test(iso_weeks),
		cmocka_unit_test(vietnamese_folds),
		cmocka_unit_test(addresses_and_prefixes),
		cmocka_unit_test(map_keeps_what_was_put),
		cmocka_unit_test(buffer_stops_at_its_limit),
		cmocka_unit_test(arena_refuses_overflow_and_limit),
		cmocka_unit_test(uuids_are_version_7_and_ordered),
		cmocka_unit_test(utf8_is_judged_as_the_standard_does),
		cmocka_unit_test(numbers_are_read_whole),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
