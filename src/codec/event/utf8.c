/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/utf8.h"

/* Length of the character at the front, 0 when broken; *bad gets how many bytes one replacement stands for.
 */
static size_t sequence(struct kh_slice s, size_t *bad)
{
	uint8_t b = s.p[0], low = 0x80, high = 0xbf;
	*bad = 1;
	if (b < 0x80) return 1;
	if (b < 0xc2 || b > 0xf4) return 0;
	size_t len = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
	if (b == 0xe0) low = 0xa0;  /* overlong */
	if (b == 0xed) high = 0x9f; /* surrogates */
	if (b == 0xf0) low = 0x90;  /* overlong */
	if (b == 0xf4) high = 0x8f; /* past U+10FFFF */
	for (size_t i = 1; i < len; i++) {
		if (i >= s.n || s.p[i] < low || s.p[i] > high) return 0;
		*bad = i + 1;
		low = 0x80;
		high = 0xbf;
	}
	return len;
}

/* Eight ASCII bytes at a time: most log text is ASCII. */
static size_t ascii_run(struct kh_slice s)
{
	size_t i = 0;
	for (; i + 8 <= s.n; i += 8) {
		uint64_t word;
		memcpy(&word, s.p + i, 8);
		if (word & 0x8080808080808080u) break;
	}
	while (i < s.n && s.p[i] < 0x80) i++;
	return i;
}

size_t utf8_good(struct kh_slice s)
{
	size_t at = 0, bad;
	while (at < s.n) {
		at += ascii_run(kh_slice_from(s, at));
		if (at >= s.n) break;
		size_t len = sequence(kh_slice_from(s, at), &bad);
		if (len == 0) return at;
		at += len;
	}
	return at;
}

size_t utf8_mend(struct kh_slice s, uint8_t *out)
{
	size_t len = 0;
	while (s.n > 0) {
		size_t good = utf8_good(s), bad = 0;
		memcpy(out + len, s.p, good);
		len += good;
		s = kh_slice_from(s, good);
		if (s.n == 0) break;
		(void)sequence(s, &bad);
		len += utf8_put(0xfffd, out + len);
		s = kh_slice_from(s, bad);
	}
	return len;
}

size_t utf8_put(uint32_t code, uint8_t *out)
{
	if (code < 0x80) {
		out[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (uint8_t)(0xc0 | code >> 6);
		out[1] = (uint8_t)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (uint8_t)(0xe0 | code >> 12);
		out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | code >> 18);
	out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (code & 0x3f));
	return 4;
}
