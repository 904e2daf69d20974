/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Makes room for n more bytes and the NUL. */
static bool reserve(struct kh_buf *b, size_t n)
{
	size_t need;
	if (b->err != KH_OK) return false;
	if (__builtin_add_overflow(b->n, n, &need) || need > b->limit) {
		b->err = KH_ELIMIT;
		return false;
	}
	if (need < b->cap) return true;
	size_t cap = b->cap > 0 ? b->cap : 256;
	while (cap <= need) cap *= 2;
	char *bytes = realloc(b->bytes, cap);
	if (bytes == NULL) {
		b->err = KH_ENOMEM;
		return false;
	}
	b->bytes = bytes;
	b->cap = cap;
	return true;
}

void kh_buf_put(struct kh_buf *b, struct kh_slice s)
{
	if (!reserve(b, s.n)) return;
	if (s.n > 0) memcpy(b->bytes + b->n, s.p, s.n);
	b->n += s.n;
	b->bytes[b->n] = '\0';
}

void kh_buf_text(struct kh_buf *b, const char *text)
{
	kh_buf_put(b, kh_str(text));
}

void kh_buf_char(struct kh_buf *b, char c)
{
	kh_buf_put(b, (struct kh_slice){(const uint8_t *)&c, 1});
}

void kh_buf_printf(struct kh_buf *b, const char *format, ...)
{
	va_list ap, again;
	va_start(ap, format);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n >= 0 && reserve(b, (size_t)n)) {
		vsnprintf(b->bytes + b->n, (size_t)n + 1, format, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

void kh_buf_clear(struct kh_buf *b)
{
	b->n = 0;
	b->err = KH_OK;
	if (b->bytes != NULL) b->bytes[0] = '\0';
}

void kh_buf_free(struct kh_buf *b)
{
	free(b->bytes);
	*b = (struct kh_buf){.limit = b->limit};
}

struct kh_slice kh_buf_slice(const struct kh_buf *b)
{
	return (struct kh_slice){(const uint8_t *)b->bytes, b->n};
}
