/* SPDX-License-Identifier: Apache-2.0
 * buf.h - a growing run of bytes with a hard limit; the first failure sticks, as with the cursor.
 * Owner: whoever holds the struct; kh_buf_free gives the bytes back. A zeroed struct with a limit is an empty
 * buffer. Errors: KH_ELIMIT past `limit`, KH_ENOMEM; later writes are ignored, so one check of `err` at the
 * end is enough. After any successful write bytes[n] is NUL, so the content can be read as a C string when it
 * holds no NUL. */
#ifndef KH_BASE_BUF_H
#define KH_BASE_BUF_H
#include "base/slice.h"

struct kh_buf {
	char *bytes;
	size_t n, cap, limit;
	enum kh_err err;
};

#define KH_BUF(max) ((struct kh_buf){.limit = (max)})

void kh_buf_put(struct kh_buf *b, struct kh_slice s);
void kh_buf_text(struct kh_buf *b, const char *text);
void kh_buf_char(struct kh_buf *b, char c);
void kh_buf_printf(struct kh_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kh_buf_clear(struct kh_buf *b); /* keeps the memory, forgets content and error */
void kh_buf_free(struct kh_buf *b);  /* a zeroed buffer is allowed */
struct kh_slice kh_buf_slice(const struct kh_buf *b);
#endif
