/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/scan.h"

bool scan_byte(struct kh_slice *s, uint8_t want)
{
	if (s->n == 0 || s->p[0] != want) return false;
	*s = kh_slice_from(*s, 1);
	return true;
}

struct kh_slice scan_spaces(struct kh_slice s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] == ' ') n++;
	return kh_slice_from(s, n);
}

size_t scan_digits(struct kh_slice s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') n++;
	return n;
}

size_t scan_month(struct kh_slice s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	if (s.n < 3) return 0;
	for (size_t i = 0; i < 36; i += 3)
		if (memcmp(s.p, months + i, 3) == 0) return 3;
	return 0;
}

/* `shape`: '0' is a digit, all else is itself. */
static bool shaped(struct kh_slice s, const char *shape)
{
	size_t n = strlen(shape);
	if (s.n < n) return false;
	for (size_t i = 0; i < n; i++) {
		if (shape[i] == '0' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != (uint8_t)shape[i]) return false;
	}
	return true;
}

size_t scan_clock(struct kh_slice s)
{
	if (!shaped(s, "00:00:00")) return 0;
	if (s.n > 9 && (s.p[8] == '.' || s.p[8] == ',')) {
		size_t fraction = scan_digits(kh_slice_from(s, 9));
		if (fraction > 0) return 9 + fraction;
	}
	return 8;
}

static size_t zone(struct kh_slice s)
{
	if (s.n > 0 && (s.p[0] == 'Z' || s.p[0] == 'z')) return 1;
	if (s.n == 0 || (s.p[0] != '+' && s.p[0] != '-')) return 0;
	s = kh_slice_from(s, 1);
	return shaped(s, "00:00") ? 6 : shaped(s, "0000") ? 5 : 0;
}

size_t scan_rfc3339(struct kh_slice s)
{
	if (!shaped(s, "0000-00-00") || s.n < 11 || (s.p[10] != 'T' && s.p[10] != 't' && s.p[10] != ' '))
		return 0;
	size_t clock = scan_clock(kh_slice_from(s, 11));
	if (clock == 0) return 0;
	return 11 + clock + zone(kh_slice_from(s, 11 + clock));
}

size_t scan_first(struct kh_slice s, struct kh_slice needle)
{
	const uint8_t *at = s.n >= needle.n && s.n > 0 ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return at != NULL ? (size_t)(at - s.p) : s.n;
}

size_t scan_last(struct kh_slice s, struct kh_slice needle)
{
	if (needle.n > s.n) return s.n;
	for (size_t i = s.n - needle.n + 1; i-- > 0;)
		if (memcmp(s.p + i, needle.p, needle.n) == 0) return i;
	return s.n;
}

bool scan_has(struct kh_slice s, uint8_t byte)
{
	return s.n > 0 && memchr(s.p, byte, s.n) != NULL;
}

int scan_hex(uint8_t c)
{
	if (c >= '0' && c <= '9') return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
