/* SPDX-License-Identifier: Apache-2.0
 * condition.c - the condition language (Sigma rules specification 2.1, "Condition"):
 * or < and < not < "N of ..." < parentheses. Words of the language are case-insensitive. */
#include "engine/sigma/reader.h"

struct parser {
	struct reader *r;
	struct fy_node *node;
	const struct sigma_rule *rule;
	struct kh_slice left, token; /* token empty: the end */
};

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool single(uint8_t c)
{
	return c == '(' || c == ')' || c == '|';
}

static void next(struct parser *p)
{
	while (p->left.n > 0 && blank(p->left.p[0])) p->left = kh_slice_from(p->left, 1);
	size_t n = 0;
	while (n < p->left.n && !blank(p->left.p[n]) && !single(p->left.p[n])) n++;
	if (n == 0 && p->left.n > 0) n = 1;
	p->token = kh_slice_to(p->left, n);
	p->left = kh_slice_from(p->left, n);
}

static bool is(const struct parser *p, const char *word)
{
	return kh_slice_case_eq(p->token, kh_str(word));
}

static enum kh_err fail(struct parser *p, enum kh_err err, enum kh_msg key)
{
	return reader_fail(p->r, p->node, err, key, reader_text(p->r, p->token), NULL);
}

/* `*` stands for any run of characters. A name that begins with `_` is only met by a pattern that does too.
 */
static bool name_fits(struct kh_slice pattern, struct kh_slice name)
{
	bool hidden = name.n > 0 && name.p[0] == '_';
	if (kh_slice_case_eq(pattern, KH_LIT("them"))) return !hidden;
	if (hidden && (pattern.n == 0 || pattern.p[0] != '_')) return false;
	size_t i = 0, at = 0, star = SIZE_MAX, star_at = 0;
	while (at < name.n || i < pattern.n) {
		if (i < pattern.n && pattern.p[i] == '*') {
			star = ++i;
			star_at = at;
		} else if (i < pattern.n && at < name.n && pattern.p[i] == name.p[at]) {
			i++;
			at++;
		} else if (star != SIZE_MAX && star_at < name.n) {
			i = star;
			at = ++star_at;
		} else {
			return false;
		}
	}
	return true;
}

static enum kh_err quantified(struct parser *p, uint32_t need, const struct sigma_expr **out)
{
	const struct sigma_rule *rule = p->rule;
	const struct sigma_expr **kids = KH_ARRAY(p->r->arena, const struct sigma_expr *, rule->n_selections);
	if (kids == NULL) return reader_no_memory(p->r);
	uint32_t n = 0;
	for (uint32_t i = 0; i < rule->n_selections; i++)
		if (name_fits(p->token, rule->selections[i].name)) kids[n++] = rule->selections[i].expr;
	if (n == 0) return fail(p, KH_EFORMAT, M_SIGMA_UNKNOWN_SELECTION);
	if (need != UINT32_MAX && need > n) return fail(p, KH_EFORMAT, M_SIGMA_TOO_FEW);
	enum sigma_expr_kind kind = need == UINT32_MAX ? SIGMA_AND : need == 1 ? SIGMA_OR : SIGMA_AT_LEAST;
	struct sigma_expr *e = expr_join(p->r->arena, kind, kids, n);
	if (e == NULL) return reader_no_memory(p->r);
	if (n > 1) e->need = need;
	*out = e;
	next(p);
	return KH_OK;
}

static bool quantifier(const struct parser *p, uint32_t *need)
{
	uint64_t n;
	if (is(p, "all"))
		*need = UINT32_MAX;
	else if (is(p, "any"))
		*need = 1;
	else if (kh_slice_u64(p->token, SIGMA_MAX_SELECTIONS, &n) == KH_OK && n > 0)
		*need = (uint32_t)n;
	else
		return false;
	struct parser ahead = *p;
	next(&ahead);
	return is(&ahead, "of");
}

static enum kh_err parse_or(struct parser *p, unsigned depth, const struct sigma_expr **out);

/* "a b": words of some other language, worth another reason than a name that is misspelled. */
static enum kh_err unknown(struct parser *p)
{
	struct parser ahead = *p;
	next(&ahead);
	bool goes_on = ahead.token.n == 0 || single(ahead.token.p[0]) || is(&ahead, "and") || is(&ahead, "or") ||
				   is(&ahead, "near");
	if (goes_on) return fail(p, KH_EFORMAT, M_SIGMA_UNKNOWN_SELECTION);
	return reader_fail(p->r, p->node, KH_EFORMAT, M_SIGMA_NOT_CONDITION, reader_text(p->r, p->token),
					   reader_text(p->r, ahead.token));
}

static enum kh_err named(struct parser *p, const struct sigma_expr **out)
{
	for (uint32_t i = 0; i < p->rule->n_selections; i++) {
		if (!kh_slice_eq(p->rule->selections[i].name, p->token)) continue;
		*out = p->rule->selections[i].expr;
		next(p);
		return KH_OK;
	}
	return p->token.n > 0 ? unknown(p) : fail(p, KH_EFORMAT, M_SIGMA_CONDITION_ENDS);
}

static enum kh_err primary(struct parser *p, unsigned depth, const struct sigma_expr **out)
{
	uint32_t need;
	if (quantifier(p, &need)) {
		next(p);
		next(p);
		return quantified(p, need, out);
	}
	if (!is(p, "(")) return named(p, out);
	next(p);
	KH_TRY(parse_or(p, depth + 1, out));
	if (!is(p, ")")) return fail(p, KH_EFORMAT, M_SIGMA_NO_PARENTHESIS);
	next(p);
	return KH_OK;
}

static enum kh_err parse_not(struct parser *p, unsigned depth, const struct sigma_expr **out)
{
	bool negate = false;
	for (; is(p, "not"); next(p)) negate = !negate;
	KH_TRY(primary(p, depth, out));
	if (negate) *out = expr_not(p->r->arena, *out);
	return *out != NULL ? KH_OK : reader_no_memory(p->r);
}

/* A chain of one operator; `op` is read with parse_not below "and", and with chains of "and" below "or". */
static enum kh_err chain(struct parser *p, unsigned depth, bool is_or, const struct sigma_expr **out)
{
	const struct sigma_expr *kids[SIGMA_MAX_SELECTIONS];
	uint32_t n = 0;
	for (;;) {
		if (n == SIGMA_MAX_SELECTIONS) return fail(p, KH_ELIMIT, M_SIGMA_CONDITION_LONG);
		KH_TRY(is_or ? chain(p, depth, false, &kids[n]) : parse_not(p, depth, &kids[n]));
		n++;
		if (!is(p, is_or ? "or" : "and")) break;
		next(p);
	}
	const struct sigma_expr **kept = KH_ARRAY(p->r->arena, const struct sigma_expr *, n);
	if (kept == NULL) return reader_no_memory(p->r);
	memcpy(kept, kids, n * sizeof *kids);
	*out = expr_join(p->r->arena, is_or ? SIGMA_OR : SIGMA_AND, kept, n);
	return *out != NULL ? KH_OK : reader_no_memory(p->r);
}

static enum kh_err parse_or(struct parser *p, unsigned depth, const struct sigma_expr **out)
{
	if (depth > SIGMA_MAX_DEPTH / 2) return fail(p, KH_ELIMIT, M_SIGMA_CONDITION_LONG);
	return chain(p, depth, true, out);
}

/* "| count() by src_ip > 50" whole, as the rule says it. */
static enum kh_err aggregation(struct parser *p)
{
	struct kh_slice from = {p->token.p, p->token.n + p->left.n};
	return reader_fail(p->r, p->node, KH_EFORMAT, M_SIGMA_AGGREGATION, reader_text(p->r, kh_slice_trim(from)),
					   NULL);
}

enum kh_err condition_read(struct reader *r, struct fy_node *node, struct kh_slice text,
						   const struct sigma_rule *rule, const struct sigma_expr **out)
{
	struct parser p = {.r = r, .node = node, .rule = rule, .left = text};
	next(&p);
	KH_TRY(parse_or(&p, 0, out));
	if (p.token.n == 0) return KH_OK;
	if (is(&p, "|") || is(&p, "near")) return aggregation(&p);
	return fail(&p, KH_EFORMAT, M_SIGMA_CONDITION_EXTRA);
}
