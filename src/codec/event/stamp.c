/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/stamp.h"

#include "base/time.h"

static bool number(struct kh_cur *c, size_t n, uint32_t *out)
{
	uint64_t v;
	if (kh_slice_u64(kh_take(c, n), UINT32_MAX, &v) != KH_OK) return false;
	*out = (uint32_t)v;
	return true;
}

static bool mark(struct kh_cur *c, char wanted)
{
	struct kh_slice s = kh_take(c, 1);
	return s.n == 1 && s.p[0] == (uint8_t)wanted;
}

static size_t n_digits(const struct kh_cur *c)
{
	size_t n = 0;
	while (n < c->left.n && c->left.p[n] >= '0' && c->left.p[n] <= '9') n++;
	return n;
}

static void skip_blanks(struct kh_cur *c)
{
	while (c->left.n > 0 && c->left.p[0] == ' ') kh_take(c, 1);
}

static bool month(struct kh_cur *c, struct kh_civil *t)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct kh_slice s = kh_take(c, 3);
	for (uint8_t m = 0; s.n == 3 && m < 12; m++) {
		if (!kh_slice_case_eq(s, (struct kh_slice){(const uint8_t *)names + 3 * m, 3})) continue;
		t->month = (uint8_t)(m + 1);
		return true;
	}
	return false;
}

static bool clock_time(struct kh_cur *c, struct kh_civil *t)
{
	uint32_t h, m, s, unit = 100000000;
	if (!number(c, 2, &h) || !mark(c, ':') || !number(c, 2, &m) || !mark(c, ':') || !number(c, 2, &s))
		return false;
	t->hour = (uint8_t)h;
	t->minute = (uint8_t)m;
	t->second = (uint8_t)s;
	if (c->left.n == 0 || c->left.p[0] != '.') return true;
	kh_take(c, 1);
	size_t n = n_digits(c);
	for (size_t i = 0; i < n; i++, unit /= 10) t->nanosecond += (uint32_t)(kh_take(c, 1).p[0] - '0') * unit;
	return n > 0;
}

enum kh_err stamp_offset(struct kh_slice text, int32_t *offset_s)
{
	struct kh_cur c = kh_cur_of(text);
	uint32_t h, m;
	if (kh_slice_is(text, "Z")) {
		*offset_s = 0;
		return KH_OK;
	}
	struct kh_slice sign = kh_take(&c, 1);
	if (sign.n == 0 || (sign.p[0] != '+' && sign.p[0] != '-') || !number(&c, 2, &h)) return KH_EFORMAT;
	if (c.left.n == 3 && !mark(&c, ':')) return KH_EFORMAT;
	if (!number(&c, 2, &m) || c.left.n != 0 || h > 23 || m > 59) return KH_EFORMAT;
	*offset_s = (int32_t)(h * 3600 + m * 60) * (sign.p[0] == '-' ? -1 : 1);
	return KH_OK;
}

/* "24/Nov/2026:05:34:08 +0700" */
static enum kh_err access_log(struct kh_cur *c, int32_t offset_s, int64_t *out)
{
	struct kh_civil t = {0};
	uint32_t day, year;
	if (!number(c, 2, &day) || !mark(c, '/') || !month(c, &t) || !mark(c, '/') || !number(c, 4, &year))
		return KH_EFORMAT;
	if (!mark(c, ':') || !clock_time(c, &t)) return KH_EFORMAT;
	skip_blanks(c);
	if (c->left.n > 0 && stamp_offset(c->left, &offset_s) != KH_OK) return KH_EFORMAT;
	t.day = (uint8_t)day;
	t.year = (int32_t)year;
	return kh_civil_time(&t, offset_s, out);
}

/* The latest year that does not put the time more than a day ahead; 29 February wants a leap year, hence the
 * tries. */
static enum kh_err with_guessed_year(struct kh_civil *t, int64_t now_ns, int32_t offset_s, int64_t *out)
{
	int32_t this_year = kh_civil_of(now_ns, offset_s).year;
	for (int32_t year = this_year + 1; year > this_year - 8; year--) {
		t->year = year;
		if (kh_civil_time(t, offset_s, out) == KH_OK && *out <= now_ns + KH_DAY) return KH_OK;
	}
	return KH_EFORMAT;
}

static enum kh_err bsd(struct kh_cur *c, int64_t now_ns, int32_t offset_s, int64_t *out)
{
	struct kh_civil t = {0};
	uint32_t day, year = 0;
	if (!month(c, &t)) return KH_EFORMAT;
	skip_blanks(c);
	size_t n = n_digits(c);
	if (n < 1 || n > 2 || !number(c, n, &day)) return KH_EFORMAT;
	skip_blanks(c);
	if (n_digits(c) == 4 && !number(c, 4, &year)) return KH_EFORMAT;
	skip_blanks(c);
	if (!clock_time(c, &t)) return KH_EFORMAT;
	t.day = (uint8_t)day;
	t.year = (int32_t)year;
	int64_t at;
	enum kh_err err =
		year != 0 ? kh_civil_time(&t, offset_s, &at) : with_guessed_year(&t, now_ns, offset_s, &at);
	if (err == KH_OK) *out = at;
	return err;
}

enum kh_err stamp_parse(struct kh_slice text, int64_t now_ns, int32_t offset_s, int64_t *out)
{
	struct kh_slice trimmed = kh_slice_trim(text);
	struct kh_cur c = kh_cur_of(trimmed);
	enum kh_err err = n_digits(&c) > 0 ? access_log(&c, offset_s, out) : bsd(&c, now_ns, offset_s, out);
	return err == KH_OK ? KH_OK : KH_EFORMAT; /* a year that nanoseconds do not reach is no time of a log */
}
