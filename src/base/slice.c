/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <stdlib.h>

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool kh_slice_case_eq(struct kh_slice a, struct kh_slice b)
{
	if (a.n != b.n) return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i])) return false;
	return true;
}

bool kh_slice_starts(struct kh_slice s, struct kh_slice head)
{
	return s.n >= head.n && kh_slice_eq(kh_slice_to(s, head.n), head);
}

struct kh_slice kh_slice_from(struct kh_slice s, size_t start)
{
	if (start >= s.n) return (struct kh_slice){0};
	return (struct kh_slice){s.p + start, s.n - start};
}

struct kh_slice kh_slice_to(struct kh_slice s, size_t n)
{
	return (struct kh_slice){s.p, n < s.n ? n : s.n};
}

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct kh_slice kh_slice_trim(struct kh_slice s)
{
	while (s.n > 0 && blank(s.p[s.n - 1])) s.n--;
	while (s.n > 0 && blank(s.p[0])) s = (struct kh_slice){s.p + 1, s.n - 1};
	return s;
}

bool kh_slice_cut(struct kh_slice *s, uint8_t mark, struct kh_slice *before)
{
	const uint8_t *at = s->n > 0 ? memchr(s->p, mark, s->n) : NULL;
	if (at == NULL) return false;
	size_t n = (size_t)(at - s->p);
	*before = kh_slice_to(*s, n);
	*s = kh_slice_from(*s, n + 1);
	return true;
}

enum kh_err kh_slice_u64(struct kh_slice s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	if (s.n == 0) return KH_EFORMAT;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') return KH_EFORMAT;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v)) return KH_ERANGE;
		if (__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) return KH_ERANGE;
	}
	if (v > max) return KH_ERANGE;
	*out = v;
	return KH_OK;
}

enum kh_err kh_slice_i64(struct kh_slice s, int64_t *out)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	bool sign = minus || (s.n > 0 && s.p[0] == '+');
	uint64_t v;
	KH_TRY(kh_slice_u64(kh_slice_from(s, sign ? 1 : 0), minus ? (uint64_t)INT64_MAX + 1 : INT64_MAX, &v));
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return KH_OK;
}

char *kh_slice_dup(struct kh_slice s)
{
	char *text = malloc(s.n + 1);
	if (text == NULL) return NULL;
	if (s.n > 0) memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return text;
}

/* Length of the well-formed sequence at p, or 0 (table 3-7 of the Unicode standard, as RFC 3629, 4). */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
	if (p[0] < 0x80) return 1;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n < len) return 0;
	uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high) return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf) return 0;
	return len;
}

bool kh_utf8_ok(struct kh_slice s)
{
	for (size_t i = 0; i < s.n;) {
		uint64_t eight;
		if (s.n - i >= 8) { /* most text is ASCII: eight bytes a step */
			memcpy(&eight, s.p + i, 8);
			if ((eight & 0x8080808080808080u) == 0) {
				i += 8;
				continue;
			}
		}
		size_t len = utf8_sequence(s.p + i, s.n - i);
		if (len == 0) return false;
		i += len;
	}
	return true;
}
