/* SPDX-License-Identifier: Apache-2.0
 * build_rules.c - rules into atoms, nodes, buckets, and the atoms that make a rule worth a look. */
#include "engine/sigma/build.h"

#include <math.h>

/* ---- atoms ---- */

/* Equal texts, equal meaning. */
static void pred_text(const struct sigma_pred *p, uint32_t slot, struct kh_buf *out)
{
	kh_buf_printf(out, "%u %u %d%d%d%d%d%d %u %u %u %.17g ", slot, (unsigned)p->op, p->cased, p->filled,
				  p->numeric, p->caseless, p->multiline, p->dotall, (unsigned)p->form, (unsigned)p->compare,
				  (unsigned)p->part, p->number);
	if (p->op == SIGMA_STRING)
		kh_buf_put(out,
				   (struct kh_slice){(const uint8_t *)p->pattern.at, p->pattern.n * sizeof *p->pattern.at});
	else if (p->op != SIGMA_PRESENT && p->op != SIGMA_EXISTS)
		kh_buf_put(out, p->text);
}

static enum kh_err new_atom(struct builder *b, const struct sigma_pred *p, uint32_t slot, uint32_t *out)
{
	struct sigma_engine *e = b->e;
	struct atom *at = build_grow(e->arena, e->atoms, e->n_atoms, &b->atom_cap, sizeof *at);
	struct list32 *lists = build_grow(e->arena, b->atom_rules, e->n_atoms, &b->atom_rules_cap, sizeof *lists);
	if (at == NULL || lists == NULL) return KH_ENOMEM;
	e->atoms = at;
	b->atom_rules = lists;
	at[e->n_atoms] = (struct atom){.pred = p, .slot = slot, .other = NO_SLOT};
	if (p->op == SIGMA_FIELDREF) KH_TRY(build_slot(b, p->text, &at[e->n_atoms].other));
	*out = e->n_atoms++;
	return KH_OK;
}

static enum kh_err atom_of(struct builder *b, const struct sigma_pred *p, uint32_t *out)
{
	uint32_t slot;
	KH_TRY(build_slot(b, p->field, &slot));
	struct kh_buf text = KH_BUF(1 << 20);
	pred_text(p, slot, &text);
	void **place = NULL;
	enum kh_err err = text.err != KH_OK ? text.err : kh_map_put(b->atom_of, kh_buf_slice(&text), &place);
	kh_buf_free(&text);
	KH_TRY(err);
	if (*place == NULL) {
		KH_TRY(new_atom(b, p, slot, out));
		*place = (void *)((uintptr_t)*out + 1);
	}
	*out = (uint32_t)((uintptr_t)*place - 1);
	return KH_OK;
}

/* ---- nodes ---- */

static enum kh_err new_node(struct builder *b, struct node n, uint32_t *out)
{
	struct sigma_engine *e = b->e;
	struct node *at = build_grow(e->arena, e->nodes, b->n_nodes, &b->node_cap, sizeof *at);
	if (at == NULL) return KH_ENOMEM;
	e->nodes = at;
	at[b->n_nodes] = n;
	*out = b->n_nodes++;
	return KH_OK;
}

/* How likely a node is to hold, roughly; conjunctions ask the least likely first. HUGE_VAL: it can hold when
 * no atom does. */
static double likelihood(const struct sigma_engine *e, uint32_t node);

static double atom_likelihood(const struct sigma_pred *p)
{
	switch (p->op) {
	case SIGMA_STRING:
		if (p->form == PATTERN_EQUAL) return p->numeric || p->pattern.n < 6 ? 40 : 12;
		return 60.0 / (1.0 + p->pattern.n);
	case SIGMA_REGEX:
		return 5;
	case SIGMA_CIDR:
	case SIGMA_FIELDREF:
		return 20;
	case SIGMA_COMPARE:
		return 60;
	case SIGMA_PRESENT:
	case SIGMA_EXISTS:
		return 200;
	case SIGMA_WAIT:
		return 0;
	}
	return 1000;
}

static double likelihood(const struct sigma_engine *e, uint32_t at)
{
	const struct node *n = &e->nodes[at];
	if (n->kind == SIGMA_PRED) return atom_likelihood(e->atoms[n->atom].pred);
	if (n->kind == SIGMA_NOT) return HUGE_VAL;
	double sum = 0, least = HUGE_VAL;
	for (uint32_t i = 0; i < n->n; i++) {
		double one = likelihood(e, e->kids[n->first + i]);
		sum += one;
		least = one < least ? one : least;
	}
	return n->kind == SIGMA_AND ? least : sum;
}

static void order_kids(struct builder *b, uint32_t first, uint32_t n)
{
	uint32_t *kids = b->kids.at + first;
	for (uint32_t i = 1; i < n; i++) /* short lists; equal ones keep their order */
		for (uint32_t k = i; k > 0 && likelihood(b->e, kids[k]) < likelihood(b->e, kids[k - 1]); k--) {
			uint32_t t = kids[k];
			kids[k] = kids[k - 1];
			kids[k - 1] = t;
		}
}

static enum kh_err node_of(struct builder *b, const struct sigma_expr *x, unsigned depth, uint32_t *out)
{
	struct node n = {.kind = x->kind, .n = x->n, .need = x->need};
	if (depth > SIGMA_MAX_DEPTH * 2) return KH_ELIMIT;
	if (x->kind == SIGMA_PRED) {
		KH_TRY(atom_of(b, x->pred, &n.atom));
		return new_node(b, n, out);
	}
	struct list32 mine = {0};
	for (uint32_t i = 0; i < x->n; i++) {
		uint32_t kid;
		KH_TRY(node_of(b, x->kids[i], depth + 1, &kid));
		KH_TRY(list32_add(b->e->arena, &mine, kid));
	}
	n.first = b->kids.n;
	for (uint32_t i = 0; i < mine.n; i++) KH_TRY(list32_add(b->e->arena, &b->kids, mine.at[i]));
	b->e->kids = b->kids.at;
	if (x->kind == SIGMA_AND && x->n <= 64) order_kids(b, n.first, n.n);
	return new_node(b, n, out);
}

/* ---- triggers ---- */

/* Notes on each atom of the cheapest necessary set that `rule` wants to be looked at. */
static enum kh_err add_triggers(struct builder *b, uint32_t at, uint32_t rule)
{
	struct sigma_engine *e = b->e;
	const struct node *n = &e->nodes[at];
	if (n->kind == SIGMA_PRED) {
		struct list32 *l = &b->atom_rules[n->atom];
		return l->n > 0 && l->at[l->n - 1] == rule ? KH_OK : list32_add(e->arena, l, rule);
	}
	if (n->kind != SIGMA_AND) {
		for (uint32_t i = 0; i < n->n; i++) KH_TRY(add_triggers(b, e->kids[n->first + i], rule));
		return KH_OK;
	}
	uint32_t best = e->kids[n->first];
	for (uint32_t i = 1; i < n->n; i++)
		if (likelihood(e, e->kids[n->first + i]) < likelihood(e, best)) best = e->kids[n->first + i];
	return add_triggers(b, best, rule);
}

static void node_slots(const struct sigma_engine *e, uint32_t at, uint64_t *bits)
{
	const struct node *n = &e->nodes[at];
	if (n->kind == SIGMA_PRED) {
		bit_set(bits, e->atoms[n->atom].slot);
		if (e->atoms[n->atom].other != NO_SLOT) bit_set(bits, e->atoms[n->atom].other);
		return;
	}
	for (uint32_t i = 0; i < n->n; i++) node_slots(e, e->kids[n->first + i], bits);
}

/* ---- filters ---- */

static bool applies(const struct sigma_rule *filter, const struct sigma_rule *rule)
{
	const struct sigma_logsource *f = &filter->logsource, *r = &rule->logsource;
	if (f->product.n > 0 && !kh_slice_case_eq(f->product, r->product)) return false;
	if (f->category.n > 0 && !kh_slice_case_eq(f->category, r->category)) return false;
	if (f->service.n > 0 && !kh_slice_case_eq(f->service, r->service)) return false;
	if (filter->applies_any) return true;
	for (uint32_t i = 0; i < filter->n_applies; i++) {
		if (rule->id.n > 0 && kh_slice_case_eq(filter->applies[i], rule->id)) return true;
		if (rule->name.n > 0 && kh_slice_eq(filter->applies[i], rule->name)) return true;
	}
	return false;
}

/* The rule's condition and those of its filters, all of which must hold. */
static enum kh_err with_filters(struct builder *b, const struct sigma_rules *r, struct list32 *filters,
								struct compiled *c, uint32_t *n_listed)
{
	struct list32 roots = {0};
	uint32_t root;
	KH_TRY(node_of(b, c->rule->condition, 0, &root));
	KH_TRY(list32_add(b->e->arena, &roots, root));
	c->filters = *n_listed;
	for (uint32_t i = 0; i < filters->n; i++) {
		const struct sigma_rule *f = sigma_rules_at(r, filters->at[i]);
		if (!applies(f, c->rule)) continue;
		KH_TRY(node_of(b, f->condition, 0, &root));
		KH_TRY(list32_add(b->e->arena, &roots, root));
		c->n_filters++;
	}
	*n_listed += c->n_filters;
	struct node n = {.kind = SIGMA_AND, .first = b->kids.n, .n = roots.n};
	for (uint32_t i = 0; i < roots.n; i++) KH_TRY(list32_add(b->e->arena, &b->kids, roots.at[i]));
	b->e->kids = b->kids.at;
	return new_node(b, n, &c->root);
}

static enum kh_err list_filters(struct builder *b, const struct sigma_rules *r, struct list32 *filters)
{
	struct sigma_engine *e = b->e;
	size_t total = 0;
	for (uint32_t i = 0; i < e->n_rules; i++) total += e->rules[i].n_filters;
	e->filters = KH_ARRAY(e->arena, const struct sigma_rule *, total + 1);
	if (e->filters == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < e->n_rules; i++) {
		uint32_t at = e->rules[i].filters;
		for (uint32_t k = 0; k < filters->n && e->rules[i].n_filters > 0; k++) {
			const struct sigma_rule *f = sigma_rules_at(r, filters->at[k]);
			if (applies(f, e->rules[i].rule)) e->filters[at++] = f;
		}
	}
	return KH_OK;
}

/* ---- buckets ---- */

static enum kh_err bucket_of(struct builder *b, const struct sigma_logsource *l, uint32_t *cap, uint32_t *out)
{
	struct sigma_engine *e = b->e;
	for (uint32_t i = 0; i < e->n_buckets; i++) {
		const struct sigma_logsource *have = &e->buckets[i].logsource;
		*out = i;
		if (kh_slice_case_eq(have->product, l->product) && kh_slice_case_eq(have->category, l->category) &&
			kh_slice_case_eq(have->service, l->service))
			return KH_OK;
	}
	struct bucket *at = build_grow(e->arena, e->buckets, e->n_buckets, cap, sizeof *at);
	if (at == NULL) return KH_ENOMEM;
	e->buckets = at;
	at[e->n_buckets].logsource = *l;
	*out = e->n_buckets++;
	return KH_OK;
}

static enum kh_err fill_buckets(struct builder *b)
{
	struct sigma_engine *e = b->e;
	struct list32 *always = KH_ARRAY(e->arena, struct list32, (size_t)e->n_buckets + 1);
	if (always == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < e->n_buckets; i++) {
		e->buckets[i].slots = KH_ARRAY(e->arena, uint64_t, e->n_slots / 64 + 1);
		if (e->buckets[i].slots == NULL) return KH_ENOMEM;
	}
	for (uint32_t i = 0; i < e->n_rules; i++) {
		const struct compiled *c = &e->rules[i];
		if (c->rule->disabled || c->rule->n_waits > 0) continue;
		node_slots(e, c->root, e->buckets[c->bucket].slots);
		if (isinf(likelihood(e, c->root)))
			KH_TRY(list32_add(e->arena, &always[c->bucket], i));
		else
			KH_TRY(add_triggers(b, c->root, i));
	}
	for (uint32_t i = 0; i < e->n_buckets; i++) {
		e->buckets[i].always = always[i].at;
		e->buckets[i].n_always = always[i].n;
		e->stats.always += always[i].n;
	}
	return KH_OK;
}

static enum kh_err pack_triggers(struct builder *b)
{
	struct sigma_engine *e = b->e;
	size_t total = 0;
	for (uint32_t i = 0; i < e->n_atoms; i++) total += b->atom_rules[i].n;
	e->triggers = KH_ARRAY(e->arena, uint32_t, total + 1);
	if (e->triggers == NULL) return KH_ENOMEM;
	uint32_t at = 0;
	for (uint32_t i = 0; i < e->n_atoms; i++) {
		e->atoms[i].rules = at;
		e->atoms[i].n_rules = b->atom_rules[i].n;
		if (b->atom_rules[i].n > 0)
			memcpy(e->triggers + at, b->atom_rules[i].at, b->atom_rules[i].n * sizeof *e->triggers);
		at += b->atom_rules[i].n;
	}
	return KH_OK;
}

enum kh_err build_rules(struct builder *b, const struct sigma_rules *r)
{
	struct sigma_engine *e = b->e;
	size_t n = sigma_rules_count(r);
	e->n_documents = (uint32_t)n;
	struct list32 filters = {0};
	uint32_t bucket_cap = 0, n_listed = 0;
	e->rules = KH_ARRAY(e->arena, struct compiled, n + 1);
	e->rule_of = KH_ARRAY(e->arena, uint32_t, n + 1);
	if (e->rules == NULL || e->rule_of == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (sigma_rules_at(r, i)->kind == SIGMA_FILTER && !sigma_rules_at(r, i)->disabled)
			KH_TRY(list32_add(e->arena, &filters, i));
	for (uint32_t i = 0; i < n; i++) {
		const struct sigma_rule *rule = sigma_rules_at(r, i);
		e->rule_of[i] = UINT32_MAX;
		if (rule->kind != SIGMA_RULE) continue;
		e->rule_of[i] = e->n_rules;
		struct compiled *c = &e->rules[e->n_rules++];
		c->rule = rule;
		c->index = i;
		KH_TRY(bucket_of(b, &rule->logsource, &bucket_cap, &c->bucket));
		KH_TRY(with_filters(b, r, &filters, c, &n_listed));
	}
	e->bucket_words = e->n_buckets / 64 + 1;
	e->stats.rules = e->n_rules;
	e->stats.filters = filters.n;
	KH_TRY(list_filters(b, r, &filters));
	KH_TRY(fill_buckets(b));
	return pack_triggers(b);
}
