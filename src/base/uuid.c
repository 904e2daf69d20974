/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

void kh_random(void *out, size_t n)
{
	unsigned char *p = out;
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0 && errno == EINTR) continue;
		assert(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

char *kh_hex(char *out, const void *bytes, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const unsigned char *p = bytes;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[p[i] >> 4];
		out[2 * i + 1] = digit[p[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

char *kh_uuid7(char out[KH_UUID_TEXT], int64_t now_ns)
{
	uint8_t b[16];
	char hex[33];
	kh_random(b, sizeof b);
	uint64_t ms = (uint64_t)(now_ns / 1000000);
	for (int i = 0; i < 6; i++) b[i] = (uint8_t)(ms >> (40 - 8 * i));
	b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
	b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
	kh_hex(hex, b, sizeof b);
	size_t at = 0;
	for (size_t i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20) out[at++] = '-';
		out[at++] = hex[i];
	}
	out[at] = '\0';
	return out;
}

bool kh_uuid_ok(struct kh_slice text)
{
	if (text.n != KH_UUID_TEXT - 1) return false;
	for (size_t i = 0; i < text.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		uint8_t c = text.p[i];
		bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		if (dash ? c != '-' : !hex) return false;
	}
	return true;
}
