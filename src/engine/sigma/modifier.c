/* SPDX-License-Identifier: Apache-2.0
 * modifier.c - `field|modifier|modifier: values` becomes an expression of predicates.
 * Source: modifiers appendix 2.1. Modifiers apply in the order written, each a row of one table; a row says
 * on which kinds of value it may stand. */
#include <libfyaml.h>
#include <sodium.h>
#include <stdlib.h>

#include "engine/sigma/predicate.h"
#include "engine/sigma/reader.h"

enum value_kind {
	VALUE_STRING = 1,
	VALUE_NUMBER = 2,
	VALUE_BOOL = 4,
	VALUE_NULL = 8,
	VALUE_REGEX = 16,
	VALUE_DONE = 32, /* a finished predicate: cidr, comparison, exists, fieldref */
};

struct value {
	enum value_kind kind;
	struct kh_slice text; /* as written, for regex and reference */
	struct pattern pattern;
	double number;
	bool truth, negate, waits;
	bool front, behind; /* wildcards put around it so far */
	struct sigma_pred pred;
	struct value *next;
};

struct item {
	struct reader *r;
	struct fy_node *node; /* of the values, for the line */
	struct kh_slice field, modifier;
	bool all, neq, cased, keyword;
	struct value *values;
};

static enum kh_err fail(struct item *it, enum kh_err err, enum kh_msg key, struct kh_slice a)
{
	return reader_fail(it->r, it->node, err, key, reader_text(it->r, a), reader_text(it->r, it->modifier));
}

/* ---- strings ---- */

static enum kh_err surround(struct item *it, struct value *v, bool front, bool behind)
{
	if (v->kind == VALUE_REGEX) return KH_OK; /* a regular expression is a search already */
	if (v->kind == VALUE_DONE) {
		if (v->pred.op != SIGMA_FIELDREF) return fail(it, KH_EFORMAT, M_SIGMA_BAD_COMBINATION, it->field);
		v->pred.form = front ? (behind ? PATTERN_CONTAINS : PATTERN_ENDS) : PATTERN_STARTS;
		return KH_OK;
	}
	v->kind = VALUE_STRING;
	v->front |= front;
	v->behind |= behind;
	enum kh_err err = pattern_surround(it->r->arena, v->pattern, v->front, v->behind, &v->pattern);
	return err == KH_OK ? KH_OK : reader_no_memory(it->r);
}

static enum kh_err mod_contains(struct item *it, struct value *v)
{
	return surround(it, v, true, true);
}

static enum kh_err mod_startswith(struct item *it, struct value *v)
{
	return surround(it, v, false, true);
}

static enum kh_err mod_endswith(struct item *it, struct value *v)
{
	return surround(it, v, true, false);
}

static enum kh_err mod_all(struct item *it, struct value *v)
{
	(void)v;
	it->all = true;
	return KH_OK;
}

static enum kh_err mod_neq(struct item *it, struct value *v)
{
	(void)v;
	it->neq = true;
	return KH_OK;
}

static enum kh_err mod_cased(struct item *it, struct value *v)
{
	if (v->kind == VALUE_DONE && v->pred.op != SIGMA_FIELDREF)
		return fail(it, KH_EFORMAT, M_SIGMA_BAD_COMBINATION, it->field);
	it->cased = true;
	v->pred.cased = true;
	return KH_OK;
}

static enum kh_err mod_windash(struct item *it, struct value *v)
{
	(void)it;
	pattern_windash(&v->pattern);
	return KH_OK;
}

/* ---- placeholders ---- */

/* Where `%name%` stands in text from `from`, a backslash before the percent sign hides it. */
static bool find_placeholder(struct kh_slice text, size_t from, size_t *begin, struct kh_slice *name)
{
	for (size_t i = from; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == '%') {
			i++;
			continue;
		}
		if (text.p[i] != '%') continue;
		size_t n = i + 1;
		while (n < text.n && text.p[n] != '%') n++;
		if (n >= text.n || n == i + 1) return false;
		*begin = i;
		*name = (struct kh_slice){text.p + i + 1, n - i - 1};
		return true;
	}
	return false;
}

static const struct sigma_placeholder *site_values(const struct reader *r, struct kh_slice name)
{
	for (size_t i = 0; r->placeholders != NULL && i < r->placeholders->n; i++)
		if (kh_slice_eq(r->placeholders->at[i].name, name)) return &r->placeholders->at[i];
	return NULL;
}

static enum kh_err note_wait(struct reader *r, struct kh_slice name)
{
	for (uint32_t i = 0; i < r->n_waits; i++)
		if (kh_slice_eq(r->waits[i], name)) return KH_OK;
	struct kh_slice *grown = KH_ARRAY(r->arena, struct kh_slice, (size_t)r->n_waits + 1);
	if (grown == NULL) return reader_no_memory(r);
	if (r->n_waits > 0) memcpy(grown, r->waits, r->n_waits * sizeof *grown);
	r->waits = grown;
	return reader_keep(r, name, &r->waits[r->n_waits++]);
}

static enum kh_err more_values(struct item *it)
{
	if (++it->r->n_values <= SIGMA_MAX_VALUES) return KH_OK;
	return reader_fail(it->r, it->node, KH_ELIMIT, M_SIGMA_TOO_MANY_VALUES, KH_DEC(SIGMA_MAX_VALUES), NULL);
}

static enum kh_err value_of_text(struct item *it, struct kh_slice text, struct value *v)
{
	v->kind = VALUE_STRING;
	v->text = text;
	enum kh_err err = pattern_parse(it->r->arena, text, true, &v->pattern);
	if (err == KH_ENOMEM) return reader_no_memory(it->r);
	return err == KH_OK ? KH_OK : fail(it, err, M_SIGMA_VALUE_LONG, it->field);
}

/* One value for each site value of the first placeholder, put after v; v itself takes the first. */
static enum kh_err expand_one(struct item *it, struct value *v, size_t begin, struct kh_slice name)
{
	const struct sigma_placeholder *site = site_values(it->r, name);
	if (site == NULL || site->n_values == 0) {
		v->waits = true;
		return note_wait(it->r, name);
	}
	struct kh_slice whole = v->text, rest = kh_slice_from(whole, begin + name.n + 2);
	for (size_t i = site->n_values; i-- > 0;) {
		struct kh_slice parts[3] = {kh_slice_to(whole, begin), site->values[i], rest};
		struct kh_buf b = KH_BUF(PATTERN_MAX);
		for (size_t k = 0; k < 3; k++) kh_buf_put(&b, parts[k]);
		struct kh_slice text = {0};
		enum kh_err err = b.err == KH_OK ? reader_keep(it->r, kh_buf_slice(&b), &text)
										 : fail(it, b.err, M_SIGMA_VALUE_LONG, it->field);
		kh_buf_free(&b);
		KH_TRY(err);
		struct value *w = i == 0 ? v : KH_NEW(it->r->arena, struct value);
		if (w == NULL) return reader_no_memory(it->r);
		KH_TRY(more_values(it));
		KH_TRY(value_of_text(it, text, w));
		KH_TRY(surround(it, w, v->front, v->behind));
		if (w == v) continue;
		w->next = v->next;
		v->next = w;
	}
	return KH_OK;
}

/* `\%` is a percent sign that begins no placeholder. */
static enum kh_err plain_percent(struct item *it, struct value *v)
{
	uint8_t *out = KH_ARRAY(it->r->arena, uint8_t, v->text.n + 1);
	if (out == NULL) return reader_no_memory(it->r);
	size_t n = 0;
	for (size_t i = 0; i < v->text.n; i++) {
		if (v->text.p[i] == '\\' && i + 1 < v->text.n && v->text.p[i + 1] == '%') continue;
		out[n++] = v->text.p[i];
	}
	if (n == v->text.n) return KH_OK;
	KH_TRY(value_of_text(it, (struct kh_slice){out, n}, v));
	return surround(it, v, v->front, v->behind);
}

static enum kh_err mod_expand(struct item *it, struct value *v)
{
	size_t begin, from = 0;
	struct kh_slice name;
	/* several placeholders in one value: each round fills one; a site value is not expanded again unless it
	 * holds one itself, which the bound on values stops */
	for (unsigned round = 0; round < 8 && find_placeholder(v->text, from, &begin, &name); round++) {
		KH_TRY(expand_one(it, v, begin, name));
		if (v->waits) return KH_OK;
	}
	return plain_percent(it, v);
}

/* ---- encodings ---- */

static enum kh_err literal(struct item *it, struct value *v, struct kh_slice *bytes)
{
	if (!pattern_is_literal(v->pattern)) return fail(it, KH_EFORMAT, M_SIGMA_ENCODED_WILDCARD, it->field);
	return pattern_bytes(it->r->arena, v->pattern, bytes) == KH_OK ? KH_OK : reader_no_memory(it->r);
}

static enum kh_err set_bytes(struct item *it, struct value *v, struct kh_slice bytes)
{
	enum kh_err err = pattern_parse(it->r->arena, bytes, false, &v->pattern);
	if (err != KH_OK) return fail(it, err, M_SIGMA_VALUE_LONG, it->field);
	v->kind = VALUE_STRING;
	return KH_OK;
}

static enum kh_err base64(struct item *it, struct kh_slice bytes, size_t pad_front, size_t cut_front,
						  size_t cut_behind, struct value *v)
{
	size_t n = bytes.n + pad_front, cap = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);
	uint8_t *in = KH_ARRAY(it->r->arena, uint8_t, n + 1);
	char *out = KH_ARRAY(it->r->arena, char, cap);
	if (in == NULL || out == NULL) return reader_no_memory(it->r);
	memset(in, ' ', pad_front);
	if (bytes.n > 0) memcpy(in + pad_front, bytes.p, bytes.n);
	sodium_bin2base64(out, cap, in, n, sodium_base64_VARIANT_ORIGINAL);
	struct kh_slice text = kh_slice_from(kh_str(out), cut_front);
	return set_bytes(it, v, kh_slice_to(text, text.n > cut_behind ? text.n - cut_behind : 0));
}

/* A value with dashes to choose from becomes one value a choice before it is encoded. */
static enum kh_err spread_dashes(struct item *it, struct value *v)
{
	if (pattern_is_literal(v->pattern)) return KH_OK;
	struct pattern source = v->pattern, one;
	for (uint32_t which = 1; pattern_dash_combination(it->r->arena, source, which, &one); which++) {
		struct value *w = KH_NEW(it->r->arena, struct value);
		if (w == NULL) return reader_no_memory(it->r);
		KH_TRY(more_values(it));
		*w = (struct value){.kind = VALUE_STRING, .text = v->text, .pattern = one, .next = v->next};
		v->next = w;
	}
	pattern_dash_combination(it->r->arena, source, 0, &v->pattern);
	return KH_OK;
}

static enum kh_err mod_base64(struct item *it, struct value *v)
{
	struct kh_slice bytes;
	KH_TRY(literal(it, v, &bytes));
	return base64(it, bytes, 0, 0, 0, v);
}

/* The three shifts, each without the characters that depend on its neighbours. */
static enum kh_err mod_base64offset(struct item *it, struct value *v)
{
	static const size_t front[3] = {0, 2, 3}, behind[3] = {0, 3, 2};
	struct kh_slice bytes;
	KH_TRY(literal(it, v, &bytes));
	for (size_t shift = 3; shift-- > 0;) {
		struct value *w = shift == 0 ? v : KH_NEW(it->r->arena, struct value);
		if (w == NULL) return reader_no_memory(it->r);
		KH_TRY(base64(it, bytes, shift, front[shift], behind[(bytes.n + shift) % 3], w));
		KH_TRY(more_values(it));
		if (w == v) continue;
		w->text = v->text;
		w->next = v->next;
		v->next = w;
	}
	return KH_OK;
}

static size_t put_utf16(uint8_t *out, uint32_t unit, bool big)
{
	out[big ? 0 : 1] = (uint8_t)(unit >> 8);
	out[big ? 1 : 0] = (uint8_t)unit;
	return 2;
}

/* UTF-8 is valid here (the document was checked), so the sequences need no second check. */
static uint32_t take_code(const uint8_t *p, size_t left, size_t *n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t code = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	*n = len <= left ? len : left;
	for (size_t i = 1; i < *n; i++) code = code << 6 | (p[i] & 0x3f);
	return code;
}

static enum kh_err utf16(struct item *it, struct value *v, bool big, bool mark)
{
	struct kh_slice in;
	KH_TRY(literal(it, v, &in));
	uint8_t *out = KH_ARRAY(it->r->arena, uint8_t, in.n * 2 + 4);
	if (out == NULL) return reader_no_memory(it->r);
	size_t to = mark ? put_utf16(out, 0xfeff, big) : 0, step;
	for (size_t i = 0; i < in.n; i += step) {
		uint32_t code = take_code(in.p + i, in.n - i, &step);
		if (code >= 0x10000) {
			to += put_utf16(out + to, 0xd800 + ((code - 0x10000) >> 10), big);
			code = 0xdc00 + ((code - 0x10000) & 0x3ff);
		}
		to += put_utf16(out + to, code, big);
	}
	return set_bytes(it, v, (struct kh_slice){out, to});
}

static enum kh_err mod_utf16le(struct item *it, struct value *v)
{
	return utf16(it, v, false, false);
}

static enum kh_err mod_utf16be(struct item *it, struct value *v)
{
	return utf16(it, v, true, false);
}

static enum kh_err mod_utf16(struct item *it, struct value *v)
{
	return utf16(it, v, false, true);
}

/* ---- types ---- */

static enum kh_err mod_re(struct item *it, struct value *v)
{
	v->kind = VALUE_REGEX;
	v->pred = (struct sigma_pred){.op = SIGMA_REGEX, .text = v->text};
	(void)it;
	return KH_OK;
}

static enum kh_err mod_i(struct item *it, struct value *v)
{
	(void)it;
	v->pred.caseless = true;
	return KH_OK;
}

static enum kh_err mod_m(struct item *it, struct value *v)
{
	(void)it;
	v->pred.multiline = true;
	return KH_OK;
}

static enum kh_err mod_s(struct item *it, struct value *v)
{
	(void)it;
	v->pred.dotall = true;
	return KH_OK;
}

static enum kh_err mod_cidr(struct item *it, struct value *v)
{
	v->kind = VALUE_DONE;
	v->pred = (struct sigma_pred){.op = SIGMA_CIDR, .text = v->text};
	if (kh_prefix_parse(v->text, false, &v->pred.prefix) == KH_OK) return KH_OK;
	return fail(it, KH_EFORMAT, M_SIGMA_BAD_CIDR, v->text);
}

static enum kh_err mod_exists(struct item *it, struct value *v)
{
	bool yes = v->kind == VALUE_BOOL ? v->truth : kh_slice_case_eq(v->text, KH_LIT("yes"));
	if (v->kind != VALUE_BOOL && !yes && !kh_slice_case_eq(v->text, KH_LIT("no")))
		return fail(it, KH_EFORMAT, M_SIGMA_BAD_EXISTS, v->text);
	v->kind = VALUE_DONE;
	v->pred = (struct sigma_pred){.op = SIGMA_EXISTS};
	v->negate = !yes;
	return KH_OK;
}

static enum kh_err mod_fieldref(struct item *it, struct value *v)
{
	if (v->text.n == 0) return fail(it, KH_EFORMAT, M_SIGMA_BAD_COMBINATION, it->field);
	v->kind = VALUE_DONE;
	v->pred =
		(struct sigma_pred){.op = SIGMA_FIELDREF, .text = v->text, .form = PATTERN_EQUAL, .cased = it->cased};
	return KH_OK;
}

static enum kh_err compare(struct item *it, struct value *v, enum sigma_compare how)
{
	bool part = v->kind == VALUE_DONE && v->pred.op == SIGMA_COMPARE && v->pred.part != SIGMA_WHOLE;
	if (v->kind != VALUE_NUMBER && !part) return fail(it, KH_EFORMAT, M_SIGMA_WANT_NUMBER, v->text);
	if (!part) v->pred = (struct sigma_pred){.op = SIGMA_COMPARE, .number = v->number, .text = v->text};
	v->pred.compare = how;
	v->kind = VALUE_DONE;
	return KH_OK;
}

static enum kh_err mod_lt(struct item *it, struct value *v)
{
	return compare(it, v, SIGMA_LT);
}

static enum kh_err mod_lte(struct item *it, struct value *v)
{
	return compare(it, v, SIGMA_LTE);
}

static enum kh_err mod_gt(struct item *it, struct value *v)
{
	return compare(it, v, SIGMA_GT);
}

static enum kh_err mod_gte(struct item *it, struct value *v)
{
	return compare(it, v, SIGMA_GTE);
}

static enum kh_err mod_part(struct item *it, struct value *v)
{
	static const char *const names[] = {"", "minute", "hour", "day", "week", "month", "year"};
	unsigned part = SIGMA_MINUTE;
	while (part < SIGMA_YEAR && !kh_slice_is(it->modifier, names[part])) part++;
	v->pred = (struct sigma_pred){
		.op = SIGMA_COMPARE, .part = (enum sigma_part)part, .number = v->number, .text = v->text};
	v->kind = VALUE_DONE;
	return KH_OK;
}

struct modifier {
	const char *name;
	unsigned on; /* value kinds it may stand on */
	enum kh_err (*apply)(struct item *it, struct value *v);
	bool encodes; /* works on bytes: a choice of dashes is spread out before it */
};

enum { ON_TEXT = VALUE_STRING | VALUE_NUMBER | VALUE_BOOL, ON_ANY = 63 };

static const struct modifier modifiers[] = {
	{"contains", ON_TEXT | VALUE_REGEX | VALUE_DONE, mod_contains, false},
	{"startswith", ON_TEXT | VALUE_REGEX | VALUE_DONE, mod_startswith, false},
	{"endswith", ON_TEXT | VALUE_REGEX | VALUE_DONE, mod_endswith, false},
	{"all", ON_ANY, mod_all, false},
	{"exists", VALUE_BOOL | VALUE_STRING, mod_exists, false},
	{"cased", VALUE_STRING | VALUE_DONE, mod_cased, false},
	{"neq", ON_ANY, mod_neq, false},
	{"windash", VALUE_STRING, mod_windash, false},
	{"re", ON_TEXT, mod_re, false},
	{"i", VALUE_REGEX, mod_i, false},
	{"m", VALUE_REGEX, mod_m, false},
	{"s", VALUE_REGEX, mod_s, false},
	{"base64", ON_TEXT, mod_base64, true},
	{"base64offset", ON_TEXT, mod_base64offset, true},
	{"utf16le", ON_TEXT, mod_utf16le, true},
	{"utf16be", ON_TEXT, mod_utf16be, true},
	{"utf16", ON_TEXT, mod_utf16, true},
	{"wide", ON_TEXT, mod_utf16le, true},
	{"lt", VALUE_NUMBER | VALUE_DONE, mod_lt, false},
	{"lte", VALUE_NUMBER | VALUE_DONE, mod_lte, false},
	{"gt", VALUE_NUMBER | VALUE_DONE, mod_gt, false},
	{"gte", VALUE_NUMBER | VALUE_DONE, mod_gte, false},
	{"minute", VALUE_NUMBER, mod_part, false},
	{"hour", VALUE_NUMBER, mod_part, false},
	{"day", VALUE_NUMBER, mod_part, false},
	{"week", VALUE_NUMBER, mod_part, false},
	{"month", VALUE_NUMBER, mod_part, false},
	{"year", VALUE_NUMBER, mod_part, false},
	{"cidr", VALUE_STRING, mod_cidr, false},
	{"expand", VALUE_STRING, mod_expand, false},
	{"fieldref", VALUE_STRING, mod_fieldref, false},
};

static enum kh_err apply_modifier(struct item *it, struct kh_slice name)
{
	it->modifier = name;
	const struct modifier *m = NULL;
	for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers && m == NULL; i++)
		if (kh_slice_is(name, modifiers[i].name)) m = &modifiers[i];
	if (m == NULL) return fail(it, KH_EFORMAT, M_SIGMA_UNKNOWN_MODIFIER, name);
	for (struct value *v = it->values; v != NULL && m->encodes; v = v->next)
		if (!v->waits && v->kind == VALUE_STRING) KH_TRY(spread_dashes(it, v));
	for (struct value *v = it->values, *after; v != NULL; v = after) {
		after = v->next; /* values a modifier puts in between are finished already */
		if (v->waits) continue;
		if (((unsigned)v->kind & m->on) == 0) {
			bool number = m->on == VALUE_NUMBER || m->on == (VALUE_NUMBER | VALUE_DONE);
			enum kh_msg why = number ? M_SIGMA_WANT_NUMBER : M_SIGMA_BAD_COMBINATION;
			return fail(it, KH_EFORMAT, why, number ? v->text : it->field);
		}
		KH_TRY(m->apply(it, v));
	}
	return KH_OK;
}

/* ---- values ---- */

static enum kh_err value_read(struct item *it, struct fy_node *node, struct value **out)
{
	if (!fy_node_is_scalar(node))
		return reader_fail(it->r, node, KH_EFORMAT, M_SIGMA_BAD_VALUE, reader_text(it->r, it->field), NULL);
	KH_TRY(more_values(it));
	struct value *v = KH_NEW(it->r->arena, struct value);
	if (v == NULL) return reader_no_memory(it->r);
	struct scalar s = reader_scalar(it->r, node);
	struct kh_slice text;
	KH_TRY(reader_keep(it->r, s.text, &text));
	KH_TRY(value_of_text(it, text, v));
	v->kind = s.type == SCALAR_NUMBER ? VALUE_NUMBER
			  : s.type == SCALAR_BOOL ? VALUE_BOOL
			  : s.type == SCALAR_NULL ? VALUE_NULL
									  : VALUE_STRING;
	v->number = s.number;
	v->truth = s.truth;
	*out = v;
	return KH_OK;
}

static enum kh_err values_read(struct item *it)
{
	struct value **tail = &it->values;
	if (!fy_node_is_sequence(it->node)) return value_read(it, it->node, tail);
	void *iter = NULL;
	struct fy_node *item;
	while ((item = fy_node_sequence_iterate(it->node, &iter)) != NULL) {
		item = reader_real(it->r, item);
		if (item == NULL) return fail(it, KH_EFORMAT, M_SIGMA_BAD_VALUE, it->field);
		KH_TRY(value_read(it, item, tail));
		tail = &(*tail)->next;
	}
	return it->values != NULL ? KH_OK : fail(it, KH_EFORMAT, M_SIGMA_EMPTY_SELECTION, it->field);
}

/* ---- predicates ---- */

static enum kh_err string_pred(struct item *it, struct value *v)
{
	struct sigma_pred *p = &v->pred;
	*p = (struct sigma_pred){.op = SIGMA_STRING, .cased = it->cased, .pattern = v->pattern, .text = v->text};
	p->numeric = v->kind == VALUE_NUMBER;
	p->number = v->number;
	/* a keyword is looked for anywhere in the text */
	if (it->keyword && pattern_surround(it->r->arena, p->pattern, true, true, &p->pattern) != KH_OK)
		return reader_no_memory(it->r);
	if (!p->cased && pattern_fold(it->r->arena, &p->pattern) != KH_OK) return reader_no_memory(it->r);
	struct pattern inner;
	p->form = pattern_form(p->pattern, &inner);
	if (p->form == PATTERN_ALL)
		*p = (struct sigma_pred){.op = SIGMA_PRESENT}; /* one atom, however it is written */
	return KH_OK;
}

static enum kh_err finish(struct item *it, struct value *v, const struct sigma_expr **out)
{
	if (v->waits)
		v->pred = (struct sigma_pred){.op = SIGMA_WAIT, .text = v->text};
	else if (v->kind == VALUE_NULL)
		v->pred = (struct sigma_pred){.op = SIGMA_PRESENT, .filled = true};
	else if (v->kind != VALUE_REGEX && v->kind != VALUE_DONE)
		KH_TRY(string_pred(it, v));
	bool negate = v->negate || (v->kind == VALUE_NULL && !v->waits);
	bool by_field = v->pred.op == SIGMA_PRESENT || v->pred.op == SIGMA_EXISTS || v->pred.op == SIGMA_FIELDREF;
	if (it->keyword && by_field) return fail(it, KH_EFORMAT, M_SIGMA_BAD_KEYWORD, v->text);
	struct sigma_pred *kept = KH_NEW(it->r->arena, struct sigma_pred);
	if (kept == NULL) return reader_no_memory(it->r);
	*kept = v->pred;
	kept->field = it->field;
	kept->line = reader_line(it->r, it->node);
	if (kept->op == SIGMA_REGEX) {
		it->r->line = kept->line;
		KH_TRY(predicate_check_regex(kept, it->r->diag));
	}
	struct sigma_expr *e = expr_pred(it->r->arena, kept);
	if (e != NULL && negate) e = expr_not(it->r->arena, e);
	*out = e;
	return e != NULL ? KH_OK : reader_no_memory(it->r);
}

static enum kh_err join_values(struct item *it, const struct sigma_expr **out)
{
	uint32_t count = 0, n = 0;
	for (struct value *v = it->values; v != NULL; v = v->next) count++;
	const struct sigma_expr **kids = KH_ARRAY(it->r->arena, const struct sigma_expr *, (size_t)count + 1);
	if (kids == NULL) return reader_no_memory(it->r);
	for (struct value *v = it->values; v != NULL; v = v->next) KH_TRY(finish(it, v, &kids[n++]));
	struct sigma_expr *e = expr_join(it->r->arena, it->all ? SIGMA_AND : SIGMA_OR, kids, n);
	if (e != NULL && it->neq) e = expr_not(it->r->arena, e);
	*out = e;
	return e != NULL ? KH_OK : reader_no_memory(it->r);
}

enum kh_err item_read(struct reader *r, struct kh_slice key, struct fy_node *values,
					  const struct sigma_expr **out)
{
	struct item it = {.r = r, .node = values};
	struct kh_slice rest = key, field = key;
	bool chained = kh_slice_cut(&rest, '|', &field);
	KH_TRY(reader_keep(r, field, &it.field));
	it.keyword = field.n == 0;
	KH_TRY(values_read(&it));
	while (chained) {
		struct kh_slice name = rest;
		chained = kh_slice_cut(&rest, '|', &name);
		KH_TRY(apply_modifier(&it, name));
	}
	return join_values(&it, out);
}
