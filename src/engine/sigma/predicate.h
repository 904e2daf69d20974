/* SPDX-License-Identifier: Apache-2.0
 * sigma/predicate.h - one predicate asked of one value, the plain way: the meaning that everything faster
 * must equal. Used by `explain`, by the property test, and by the engine for what no index holds. Source:
 * modifiers appendix 2.1. Ownership: a compiled regex is the caller's. Cost: O(pattern x value); regular
 * expressions run under match and depth limits, and a value that reaches them does not match. Threads: a
 * struct predicate_scratch belongs to one thread. */
#ifndef KH_ENGINE_SIGMA_PREDICATE_H
#define KH_ENGINE_SIGMA_PREDICATE_H
#include "engine/sigma/rule.h"

struct predicate_regex;   /* compiled, immutable */
struct predicate_scratch; /* match memory and a fold buffer */

KH_MUST_USE enum kh_err predicate_check_regex(const struct sigma_pred *p, struct kh_diag *diag);
/* NULL when out of memory or when predicate_check_regex would refuse it. */
struct predicate_regex *predicate_regex_new(const struct sigma_pred *p);
void predicate_regex_free(struct predicate_regex *r); /* NULL is allowed */

struct predicate_scratch *predicate_scratch_new(void); /* NULL: out of memory */
void predicate_scratch_free(struct predicate_scratch *s);

/* Everything but EXISTS, PRESENT (presence is the caller's to know), FIELDREF and WAIT, which are false here.
 * `regex` may be NULL: it is then compiled for the call. */
bool predicate_holds(const struct sigma_pred *p, const struct predicate_regex *regex, struct kh_slice value,
					 struct predicate_scratch *s);
/* FIELDREF: one value of the field against one value of the other. */
bool predicate_refers(const struct sigma_pred *p, struct kh_slice value, struct kh_slice other,
					  struct predicate_scratch *s);
/* Decimal text (sign, fraction, exponent, nothing else) as a number. */
bool predicate_number(struct kh_slice text, double *out);
/* "Image|endswith: *\x" as people read it. */
void predicate_print(const struct sigma_pred *p, struct kh_buf *out);
#endif
