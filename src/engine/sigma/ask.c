/* SPDX-License-Identifier: Apache-2.0
 * ask.c - the plain way: each predicate asked of each value, no index, no bit set, no trigger. */
#include "engine/sigma/scratch.h"

static bool other_holds(const struct sigma_engine *e, struct sigma_scratch *s, const struct sigma_pred *p,
						struct kh_slice value)
{
	uint32_t other = engine_slot(e, p->text);
	if (other == NO_SLOT || !s->slots[other].used) return false;
	for (uint32_t v = s->slots[other].first; v != NO_VALUE; v = s->values[v].next)
		if (!s->values[v].null && predicate_refers(p, value, s->values[v].text, s->plain)) return true;
	return false;
}

static enum sigma_truth ask_anywhere(struct sigma_scratch *s, const struct sigma_pred *p)
{
	for (size_t i = 0; i < s->event->n_fields; i++) {
		const struct event_field *f = &s->event->fields[i];
		if (f->type != EVENT_NULL && predicate_holds(p, NULL, f->value, s->plain)) return SIGMA_TRUE;
	}
	bool raw = scratch_is_text(s->event) && predicate_holds(p, NULL, s->event->raw, s->plain);
	return raw ? SIGMA_TRUE : SIGMA_FALSE;
}

enum sigma_truth sigma_ask(const struct sigma_engine *e, struct sigma_scratch *s, const struct sigma_pred *p)
{
	if (p->op == SIGMA_WAIT) return SIGMA_FALSE;
	if (p->field.n == 0) return ask_anywhere(s, p);
	uint32_t slot = engine_slot(e, p->field);
	if (slot == NO_SLOT || !s->slots[slot].used) return SIGMA_MISSING;
	if (p->op == SIGMA_EXISTS) return SIGMA_TRUE;
	for (uint32_t v = s->slots[slot].first; v != NO_VALUE; v = s->values[v].next) {
		if (s->values[v].null) continue;
		struct kh_slice text = s->values[v].text;
		if (p->op == SIGMA_PRESENT && (!p->filled || text.n > 0)) return SIGMA_TRUE;
		if (p->op == SIGMA_FIELDREF ? other_holds(e, s, p, text) : predicate_holds(p, NULL, text, s->plain))
			return SIGMA_TRUE;
	}
	return SIGMA_FALSE;
}

/* Depth: bounded when the rule was read. */
bool sigma_ask_expr(const struct sigma_engine *e, struct sigma_scratch *s, const struct sigma_expr *x)
{
	uint32_t held = 0;
	if (x->kind == SIGMA_PRED) return sigma_ask(e, s, x->pred) == SIGMA_TRUE;
	if (x->kind == SIGMA_NOT) return !sigma_ask_expr(e, s, x->kids[0]);
	for (uint32_t i = 0; i < x->n; i++) held += sigma_ask_expr(e, s, x->kids[i]);
	if (x->kind == SIGMA_AND) return held == x->n;
	return held >= (x->kind == SIGMA_OR ? 1 : x->need);
}

bool sigma_ask_logsource(const struct sigma_engine *e, const struct sigma_scratch *s, size_t rule)
{
	uint32_t at = e->rule_of[rule];
	return at != UINT32_MAX && bit_get(s->class_now->buckets, e->rules[at].bucket);
}
