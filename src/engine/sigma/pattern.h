/* SPDX-License-Identifier: Apache-2.0
 * sigma/pattern.h - a Sigma string: literal bytes, wildcards, and the alternatives that modifiers add.
 * Source: Sigma rules specification 2.1, "String Wildcard" and "Escape Character"; modifiers appendix 2.1.
 * A pattern is an array of symbols: 0-255 are bytes of UTF-8, the rest are the names below. Patterns that
 * ignore case are folded when they are made (pattern_fold) and compared with folded values.
 * Ownership: symbols live in the arena given. Cost: matching is O(symbols x bytes) at worst, no allocation.
 * Threads: pure. */
#ifndef KH_ENGINE_SIGMA_PATTERN_H
#define KH_ENGINE_SIGMA_PATTERN_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

enum {
	PATTERN_ANY = 256, /* `*`: any run of bytes, the empty one too */
	PATTERN_ONE,       /* `?`: exactly one character */
	PATTERN_DASH,      /* one of the five dashes of `windash` */
	PATTERN_MAX = 32768,
};

struct pattern {
	uint16_t *at;
	uint32_t n;
};

/* What a pattern asks of a value, so that the cheap forms can be indexed. */
enum pattern_form {
	PATTERN_EQUAL,
	PATTERN_STARTS,
	PATTERN_ENDS,
	PATTERN_CONTAINS,
	PATTERN_WILD,
	PATTERN_ALL
};

/* `escapes`: `\*`, `\?`, `\\` and the wildcards have their meaning; else every byte is itself. */
KH_MUST_USE enum kh_err pattern_parse(struct kh_arena *a, struct kh_slice text, bool escapes,
									  struct pattern *out);
/* A wildcard in front and/or behind, unless one is there. */
KH_MUST_USE enum kh_err pattern_surround(struct kh_arena *a, struct pattern p, bool front, bool behind,
										 struct pattern *out);
/* Dashes that open a word become PATTERN_DASH. */
void pattern_windash(struct pattern *p);
/* PATTERN_DASH replaced by the `which`-th combination; false past the last. */
bool pattern_dash_combination(struct kh_arena *a, struct pattern p, uint32_t which, struct pattern *out);
enum pattern_form pattern_form(struct pattern p, struct pattern *inner); /* inner: without the outer stars */
bool pattern_is_literal(struct pattern p);
/* The bytes of a literal pattern. KH_ENOMEM. */
KH_MUST_USE enum kh_err pattern_bytes(struct kh_arena *a, struct pattern p, struct kh_slice *out);

/* Simple case folding of Unicode (utf8proc's lower case, one character for one character; bytes that are not
 * UTF-8 stay). `out` needs 2 * n + 4 bytes. Returns the length. */
size_t text_fold(struct kh_slice s, uint8_t *out);
bool text_is_ascii(struct kh_slice s);
KH_MUST_USE enum kh_err pattern_fold(struct kh_arena *a, struct pattern *p);

/* Whole-value match; `ascii_caseless`: the pattern is folded and the value is pure ASCII in any case. */
bool pattern_match(struct pattern p, struct kh_slice value, bool ascii_caseless);
/* As a regular expression over bytes, anchored at both ends where it has no outer star. */
void pattern_regex(struct pattern p, struct kh_buf *out);
/* As people would write it in a rule. */
void pattern_print(struct pattern p, struct kh_buf *out);
#endif
