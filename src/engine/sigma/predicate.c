/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/sigma/predicate.h"

#include <math.h>
#include <pcre2.h>
#include <stdlib.h>

#include "base/message.h"
#include "base/time.h"

/* Limits for hostile values: about ten milliseconds at worst. */
enum { MATCH_LIMIT = 200000, DEPTH_LIMIT = 500, HEAP_LIMIT_KIB = 4096, MAX_REGEX = 8192 };

struct predicate_regex {
	pcre2_code *code;
};

struct predicate_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint8_t *fold[2];
	size_t cap[2];
};

/* ---- regular expressions ---- */

static uint32_t options_of(const struct sigma_pred *p)
{
	/* Values may hold broken UTF-8: such bytes match nothing, the rest of the value still counts. */
	uint32_t o = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	if (p->caseless) o |= PCRE2_CASELESS;
	if (p->multiline) o |= PCRE2_MULTILINE;
	if (p->dotall) o |= PCRE2_DOTALL;
	return o;
}

static pcre2_code *code_of(const struct sigma_pred *p, int *error)
{
	PCRE2_SIZE at = 0;
	return pcre2_compile(p->text.p, p->text.n, options_of(p), error, &at, NULL);
}

enum kh_err predicate_check_regex(const struct sigma_pred *p, struct kh_diag *diag)
{
	int error = 0;
	if (p->text.n > MAX_REGEX) return kh_say(diag, KH_ELIMIT, M_SIGMA_REGEX_LONG, KH_DEC(MAX_REGEX), NULL);
	pcre2_code *code = code_of(p, &error);
	if (code != NULL) {
		pcre2_code_free(code);
		return KH_OK;
	}
	char why[160] = "";
	pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
	return kh_say(diag, KH_EFORMAT, M_SIGMA_BAD_REGEX, why, NULL);
}

struct predicate_regex *predicate_regex_new(const struct sigma_pred *p)
{
	int error = 0;
	struct predicate_regex *r = calloc(1, sizeof *r);
	if (r == NULL) return NULL;
	r->code = code_of(p, &error);
	if (r->code != NULL) return r;
	free(r);
	return NULL;
}

void predicate_regex_free(struct predicate_regex *r)
{
	if (r == NULL) return;
	pcre2_code_free(r->code);
	free(r);
}

struct predicate_scratch *predicate_scratch_new(void)
{
	struct predicate_scratch *s = calloc(1, sizeof *s);
	if (s == NULL) return NULL;
	s->data = pcre2_match_data_create(1, NULL);
	s->context = pcre2_match_context_create(NULL);
	if (s->data == NULL || s->context == NULL) {
		predicate_scratch_free(s);
		return NULL;
	}
	pcre2_set_match_limit(s->context, MATCH_LIMIT);
	pcre2_set_depth_limit(s->context, DEPTH_LIMIT);
	pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
	return s;
}

void predicate_scratch_free(struct predicate_scratch *s)
{
	if (s == NULL) return;
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	free(s->fold[0]);
	free(s->fold[1]);
	free(s);
}

static bool regex_holds(const struct sigma_pred *p, const struct predicate_regex *regex,
						struct kh_slice value, struct predicate_scratch *s)
{
	struct predicate_regex *own = regex == NULL ? predicate_regex_new(p) : NULL;
	const struct predicate_regex *r = regex != NULL ? regex : own;
	static const uint8_t nothing[1];
	bool holds = r != NULL && pcre2_match(r->code, value.n > 0 ? value.p : nothing, value.n, 0, 0, s->data,
										  s->context) >= 0;
	predicate_regex_free(own);
	return holds;
}

/* ---- strings ---- */

/* The folded value in buffer `which`; an empty slice when out of memory. */
static struct kh_slice folded(struct predicate_scratch *s, unsigned which, struct kh_slice v)
{
	size_t need = v.n * 2 + 4;
	if (s->cap[which] < need) {
		uint8_t *wider = realloc(s->fold[which], need);
		if (wider == NULL) return (struct kh_slice){0};
		s->fold[which] = wider;
		s->cap[which] = need;
	}
	return (struct kh_slice){s->fold[which], text_fold(v, s->fold[which])};
}

bool predicate_number(struct kh_slice text, double *out)
{
	char copy[64];
	if (text.n == 0 || text.n >= sizeof copy) return false;
	for (size_t i = 0; i < text.n; i++)
		if (memchr("0123456789+-.eE", text.p[i], 15) == NULL) return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	char *end = NULL;
	*out = strtod(copy, &end);
	return end == copy + text.n && isfinite(*out);
}

static bool string_holds(const struct sigma_pred *p, struct kh_slice value, struct predicate_scratch *s)
{
	double n;
	if (p->cased) return pattern_match(p->pattern, value, false);
	if (pattern_match(p->pattern, folded(s, 0, value), false)) return true;
	/* 1 and 1.0 are one number; as texts they differ */
	return p->numeric && p->form == PATTERN_EQUAL && predicate_number(value, &n) && n >= p->number &&
		   n <= p->number;
}

static bool ends(struct kh_slice s, struct kh_slice tail)
{
	return s.n >= tail.n && kh_slice_eq(kh_slice_from(s, s.n - tail.n), tail);
}

bool predicate_refers(const struct sigma_pred *p, struct kh_slice value, struct kh_slice other,
					  struct predicate_scratch *s)
{
	struct kh_slice a = p->cased ? value : folded(s, 0, value), b = p->cased ? other : folded(s, 1, other);
	if (p->form == PATTERN_STARTS) return kh_slice_starts(a, b);
	if (p->form == PATTERN_ENDS) return ends(a, b);
	if (p->form == PATTERN_CONTAINS) return b.n == 0 || (a.n >= b.n && memmem(a.p, a.n, b.p, b.n) != NULL);
	return kh_slice_eq(a, b);
}

/* ---- numbers and times ---- */

static bool time_part(enum sigma_part part, struct kh_slice value, double *out)
{
	int64_t t;
	double n;
	if (predicate_number(value,
						 &n)) { /* seconds since 1970, or milliseconds when that many seconds are absurd */
		double seconds = n > 1e11 ? n / 1000 : n;
		if (!(seconds > -9e9 && seconds < 9e9)) return false;
		t = (int64_t)(seconds * (double)KH_SECOND);
	} else if (kh_time_parse(value, true, &t) != KH_OK) {
		return false;
	}
	struct kh_civil c = kh_civil_of(t, 0);
	const int32_t parts[] = {0, c.minute, c.hour, c.day, (int32_t)kh_iso_week(t, 0), c.month, c.year};
	*out = parts[part];
	return true;
}

static bool compare_holds(const struct sigma_pred *p, struct kh_slice value)
{
	double n;
	if (!(p->part == SIGMA_WHOLE ? predicate_number(value, &n) : time_part(p->part, value, &n))) return false;
	switch (p->compare) {
	case SIGMA_EQ:
		return n >= p->number && n <= p->number;
	case SIGMA_LT:
		return n < p->number;
	case SIGMA_LTE:
		return n <= p->number;
	case SIGMA_GT:
		return n > p->number;
	case SIGMA_GTE:
		return n >= p->number;
	}
	return false;
}

bool predicate_holds(const struct sigma_pred *p, const struct predicate_regex *regex, struct kh_slice value,
					 struct predicate_scratch *s)
{
	struct kh_address a;
	switch (p->op) {
	case SIGMA_STRING:
		return string_holds(p, value, s);
	case SIGMA_REGEX:
		return regex_holds(p, regex, value, s);
	case SIGMA_CIDR:
		return kh_address_parse(value, &a) == KH_OK && kh_prefix_holds(&p->prefix, &a);
	case SIGMA_COMPARE:
		return compare_holds(p, value);
	case SIGMA_PRESENT:
	case SIGMA_EXISTS:
	case SIGMA_FIELDREF:
	case SIGMA_WAIT:
		return false;
	}
	return false;
}

/* ---- for people ---- */

static void print_compare(const struct sigma_pred *p, struct kh_buf *out)
{
	static const char *const signs[] = {"", "|lt", "|lte", "|gt", "|gte"};
	static const char *const parts[] = {"", "|minute", "|hour", "|day", "|week", "|month", "|year"};
	kh_buf_printf(out, "%s%s: ", parts[p->part], signs[p->compare]);
	kh_buf_put(out, p->text);
}

void predicate_print(const struct sigma_pred *p, struct kh_buf *out)
{
	static const char *const refs[] = {[PATTERN_EQUAL] = "",         [PATTERN_STARTS] = "|startswith",
									   [PATTERN_ENDS] = "|endswith", [PATTERN_CONTAINS] = "|contains",
									   [PATTERN_WILD] = "",          [PATTERN_ALL] = ""};
	kh_buf_put(out, p->field);
	switch (p->op) {
	case SIGMA_STRING:
		kh_buf_text(out, p->cased ? "|cased: " : ": ");
		pattern_print(p->pattern, out);
		break;
	case SIGMA_REGEX:
		kh_buf_printf(out, "|re%s%s%s: ", p->caseless ? "|i" : "", p->multiline ? "|m" : "",
					  p->dotall ? "|s" : "");
		kh_buf_put(out, p->text);
		break;
	case SIGMA_CIDR:
		kh_buf_text(out, "|cidr: ");
		kh_buf_put(out, p->text);
		break;
	case SIGMA_COMPARE:
		print_compare(p, out);
		break;
	case SIGMA_PRESENT:
		kh_buf_text(out, p->filled ? ": ?*" : ": *");
		break;
	case SIGMA_EXISTS:
		kh_buf_text(out, "|exists: true");
		break;
	case SIGMA_FIELDREF:
		kh_buf_printf(out, "%s|fieldref%s: ", refs[p->form], p->cased ? "|cased" : "");
		kh_buf_put(out, p->text);
		break;
	case SIGMA_WAIT:
		kh_buf_text(out, "|expand: ");
		kh_buf_put(out, p->text);
		break;
	}
}
