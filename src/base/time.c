/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * KH_SECOND + ts.tv_nsec;
}

int64_t kh_now_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t kh_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a proleptic Gregorian date: years start in March, 400-year eras (146,097 days). */
static int64_t days_of(int32_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? (int64_t)year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t in_era = y - era * 400;
	int64_t in_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void date_of(int64_t days, struct kh_civil *c)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t in_era = z - era * 146097;
	int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153;
	c->day = (uint8_t)(in_year - (153 * m + 2) / 5 + 1);
	c->month = (uint8_t)(m < 10 ? m + 3 : m - 9);
	c->year = (int32_t)(y + era * 400 + (c->month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

struct kh_civil kh_civil_of(int64_t time_ns, int32_t offset_s)
{
	int64_t seconds = floor_div(time_ns, KH_SECOND);
	struct kh_civil c = {.nanosecond = (uint32_t)(time_ns - seconds * KH_SECOND)};
	seconds += offset_s;
	int64_t days = floor_div(seconds, 86400);
	int64_t in_day = seconds - days * 86400;
	date_of(days, &c);
	c.hour = (uint8_t)(in_day / 3600);
	c.minute = (uint8_t)(in_day / 60 % 60);
	c.second = (uint8_t)(in_day % 60);
	c.weekday = (uint8_t)((days % 7 + 7 + 3) % 7); /* 1970-01-01 was a Thursday */
	c.yearday = (uint16_t)(days - days_of(c.year, 1, 1) + 1);
	return c;
}

static unsigned month_days(int32_t year, unsigned month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month == 2 && leap ? 29 : days[month - 1];
}

enum kh_err kh_civil_time(const struct kh_civil *c, int32_t offset_s, int64_t *out)
{
	if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > month_days(c->year, c->month))
		return KH_EFORMAT;
	if (c->hour > 23 || c->minute > 59 || c->second > 60 || c->nanosecond >= KH_SECOND) return KH_EFORMAT;
	int64_t seconds =
		days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
	int64_t ns;
	if (__builtin_mul_overflow(seconds - offset_s, KH_SECOND, &ns)) return KH_ERANGE;
	if (__builtin_add_overflow(ns, (int64_t)c->nanosecond, &ns)) return KH_ERANGE;
	*out = ns;
	return KH_OK;
}

unsigned kh_iso_week(int64_t time_ns, int32_t offset_s)
{
	struct kh_civil c = kh_civil_of(time_ns, offset_s);
	int64_t thursday =
		days_of(c.year, c.month, c.day) - c.weekday + 3; /* a week belongs to the year of its Thursday */
	struct kh_civil t = {0};
	date_of(thursday, &t);
	return (unsigned)((thursday - days_of(t.year, 1, 1)) / 7 + 1);
}

static bool digits(struct kh_cur *c, size_t n, uint32_t *out)
{
	uint64_t v;
	if (kh_slice_u64(kh_take(c, n), UINT32_MAX, &v) != KH_OK) return false;
	*out = (uint32_t)v;
	return true;
}

static bool mark(struct kh_cur *c, const char *any)
{
	struct kh_slice s = kh_take(c, 1);
	return s.n == 1 && s.p[0] != '\0' && strchr(any, s.p[0]) != NULL;
}

static bool fraction(struct kh_cur *c, uint32_t *ns)
{
	*ns = 0;
	if (c->left.n == 0 || (c->left.p[0] != '.' && c->left.p[0] != ',')) return true;
	kh_take(c, 1);
	uint32_t unit = 100000000;
	size_t n = 0;
	for (; c->left.n > 0 && c->left.p[0] >= '0' && c->left.p[0] <= '9'; n++) {
		*ns += (uint32_t)(c->left.p[0] - '0') * unit;
		unit /= 10;
		kh_take(c, 1);
	}
	return n > 0;
}

/* "Z", "+07:00", "+0700", or nothing when UTC may be assumed. */
static bool offset(struct kh_cur *c, bool assume_utc, int32_t *offset_s)
{
	*offset_s = 0;
	if (c->left.n == 0) return assume_utc;
	uint8_t first = c->left.p[0];
	kh_take(c, 1);
	if (first == 'Z' || first == 'z') return c->left.n == 0;
	uint32_t hours, minutes;
	if ((first != '+' && first != '-') || !digits(c, 2, &hours)) return false;
	if (c->left.n == 3 && !mark(c, ":")) return false;
	if (!digits(c, 2, &minutes) || hours > 23 || minutes > 59 || c->left.n != 0) return false;
	*offset_s = (int32_t)(hours * 3600 + minutes * 60) * (first == '-' ? -1 : 1);
	return true;
}

enum kh_err kh_time_parse(struct kh_slice text, bool assume_utc, int64_t *out)
{
	struct kh_cur c = kh_cur_of(text);
	uint32_t year, month, day, hour, minute, second, ns;
	int32_t offset_s;
	bool ok = digits(&c, 4, &year) && mark(&c, "-") && digits(&c, 2, &month) && mark(&c, "-") &&
			  digits(&c, 2, &day);
	ok = ok && mark(&c, "Tt ") && digits(&c, 2, &hour) && mark(&c, ":") && digits(&c, 2, &minute) &&
		 mark(&c, ":");
	ok = ok && digits(&c, 2, &second) && fraction(&c, &ns) && offset(&c, assume_utc, &offset_s);
	if (!ok) return KH_EFORMAT;
	struct kh_civil civil = {.year = (int32_t)year,
							 .month = (uint8_t)month,
							 .day = (uint8_t)day,
							 .hour = (uint8_t)hour,
							 .minute = (uint8_t)minute,
							 .second = (uint8_t)second,
							 .nanosecond = ns};
	return kh_civil_time(&civil, offset_s, out);
}

char *kh_time_rfc3339(char out[KH_TIME_TEXT], int64_t time_ns)
{
	struct kh_civil c = kh_civil_of(time_ns, 0);
	int n = snprintf(out, KH_TIME_TEXT, "%04d-%02u-%02uT%02u:%02u:%02u", c.year, c.month, c.day, c.hour,
					 c.minute, c.second);
	size_t at = (size_t)n;
	if (c.nanosecond != 0) {
		n = snprintf(out + at, KH_TIME_TEXT - at, ".%09u", c.nanosecond);
		at += (size_t)n;
		while (strncmp(out + at - 3, "000", 3) == 0) at -= 3;
	}
	snprintf(out + at, KH_TIME_TEXT - at, "Z");
	return out;
}

char *kh_time_vietnam(char out[KH_TIME_TEXT], int64_t time_ns)
{
	struct kh_civil c = kh_civil_of(time_ns, KH_VIETNAM_OFFSET_S);
	snprintf(out, KH_TIME_TEXT, "%02u/%02u/%04d %02u:%02u:%02u", c.day, c.month, c.year, c.hour, c.minute,
			 c.second);
	return out;
}
