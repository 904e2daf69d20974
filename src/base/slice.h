/* SPDX-License-Identifier: Apache-2.0
 * slice.h - borrowed bytes and a read cursor whose first error sticks.
 * A slice never owns memory and is not NUL-terminated. Passed by value (two words).
 * A cursor yields zeros after its first failed read, so a run of reads needs one
 * check at the end; loops must still test kh_cur_ok() before they use a count. */
#ifndef KH_BASE_SLICE_H
#define KH_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct kh_slice {
	const uint8_t *p;
	size_t n;
};

#define KH_LIT(text) ((struct kh_slice){(const uint8_t *)("" text), sizeof(text) - 1})

static inline struct kh_slice kh_str(const char *text)
{
	return (struct kh_slice){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

static inline bool kh_slice_eq(struct kh_slice a, struct kh_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool kh_slice_is(struct kh_slice s, const char *text)
{
	return kh_slice_eq(s, kh_str(text));
}

/* ASCII letters only: protocol words, host names. Vietnamese text goes through base/fold.h. */
bool kh_slice_case_eq(struct kh_slice a, struct kh_slice b);
bool kh_slice_starts(struct kh_slice s, struct kh_slice head);
struct kh_slice kh_slice_from(struct kh_slice s, size_t start); /* empty when start is past the end */
struct kh_slice kh_slice_to(struct kh_slice s, size_t n);       /* at most the first n bytes */
struct kh_slice kh_slice_trim(struct kh_slice s);               /* blanks, tabs, CR and LF off both ends */
/* Cuts s at the first `mark`: the part before it goes out, *s becomes what follows. False, s untouched: no
 * mark. */
bool kh_slice_cut(struct kh_slice *s, uint8_t mark, struct kh_slice *before);
/* Decimal digits and nothing else. KH_EFORMAT, or KH_ERANGE past `max`. */
KH_MUST_USE enum kh_err kh_slice_u64(struct kh_slice s, uint64_t max, uint64_t *out);
KH_MUST_USE enum kh_err kh_slice_i64(struct kh_slice s, int64_t *out); /* one sign is allowed */
char *kh_slice_dup(struct kh_slice s); /* NUL-terminated, to be freed; NULL when out of memory */
bool kh_utf8_ok(struct kh_slice s);    /* RFC 3629: no surrogates, no overlong forms; NUL is allowed */

struct kh_cur {
	struct kh_slice left; /* unread bytes */
	enum kh_err err;      /* first error, kept */
};

static inline struct kh_cur kh_cur_of(struct kh_slice s)
{
	return (struct kh_cur){.left = s, .err = KH_OK};
}

static inline bool kh_cur_ok(const struct kh_cur *c)
{
	return c->err == KH_OK;
}

/* Takes n bytes off the front; an empty slice and KH_ESHORT when there are fewer. */
static inline struct kh_slice kh_take(struct kh_cur *c, size_t n)
{
	if (c->err != KH_OK || n > c->left.n) {
		if (c->err == KH_OK) c->err = KH_ESHORT;
		return (struct kh_slice){0};
	}
	struct kh_slice s = {c->left.p, n};
	if (n > 0) { /* p may be NULL when the slice is empty */
		c->left.p += n;
		c->left.n -= n;
	}
	return s;
}

static inline uint16_t kh_get16(struct kh_cur *c)
{
	struct kh_slice s = kh_take(c, 2);
	return s.n ? (uint16_t)((s.p[0] << 8) | s.p[1]) : 0;
}

static inline uint32_t kh_get32(struct kh_cur *c)
{
	uint32_t hi = kh_get16(c);
	return hi << 16 | kh_get16(c);
}
#endif
