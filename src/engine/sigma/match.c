/* SPDX-License-Identifier: Apache-2.0
 * match.c - one event through the compiled rules: values, atoms, candidates, conditions. */
#include <stdlib.h>

#include "base/time.h"
#include "engine/sigma/scratch.h"

enum { NAMES_BYTES = 16 << 20, CLASS_BYTES = 64 << 20, BLOCK = 1 << 16 };

/* ---- memory ---- */

static bool scratch_databases(struct sigma_scratch *s)
{
	for (uint32_t i = 0; i < s->engine->n_slots; i++) {
		const struct slot *slot = &s->engine->slots[i];
		if (slot->folded.db != NULL && hs_alloc_scratch(slot->folded.db, &s->hs) != HS_SUCCESS) return false;
		if (slot->raw.db != NULL && hs_alloc_scratch(slot->raw.db, &s->hs) != HS_SUCCESS) return false;
	}
	return true;
}

struct sigma_scratch *sigma_scratch_new(const struct sigma_engine *e)
{
	struct sigma_scratch *s = calloc(1, sizeof *s);
	if (s == NULL) return NULL;
	s->engine = e;
	s->names_arena = kh_arena_new(BLOCK, NAMES_BYTES);
	s->class_arena = kh_arena_new(BLOCK, CLASS_BYTES);
	s->names = calloc(NAMES_CAP, sizeof *s->names);
	s->classes = calloc(CLASSES_MAX * 2, sizeof *s->classes);
	s->slots = calloc(e->n_slots, sizeof *s->slots);
	s->touched = calloc(e->n_slots, sizeof *s->touched);
	s->values = calloc(VALUES_MAX, sizeof *s->values);
	s->atoms = calloc((size_t)e->n_atoms / 64 + 1, sizeof *s->atoms);
	s->fired = calloc((size_t)e->n_atoms + 1, sizeof *s->fired);
	s->stamps = calloc((size_t)e->n_rules + 1, sizeof *s->stamps);
	s->candidates = calloc((size_t)e->n_rules + 1, sizeof *s->candidates);
	s->hits = calloc((size_t)e->n_documents + 1, sizeof *s->hits);
	s->plain = predicate_scratch_new();
	bool ready = s->names_arena != NULL && s->class_arena != NULL && s->names != NULL && s->classes != NULL &&
				 s->slots != NULL && s->touched != NULL && s->values != NULL && s->atoms != NULL &&
				 s->fired != NULL && s->stamps != NULL && s->candidates != NULL && s->hits != NULL &&
				 s->plain != NULL && scratch_databases(s);
	if (ready) return s;
	sigma_scratch_free(s);
	return NULL;
}

void sigma_scratch_free(struct sigma_scratch *s)
{
	if (s == NULL) return;
	kh_arena_free(s->names_arena);
	kh_arena_free(s->class_arena);
	void *const owned[] = {s->names, s->classes, s->slots,      s->touched, s->values, s->atoms,
						   s->fired, s->stamps,  s->candidates, s->hits,    s->fold};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
	predicate_scratch_free(s->plain);
	hs_free_scratch(s->hs);
	free(s);
}

const uint64_t *sigma_hits(const struct sigma_scratch *s)
{
	return s->hits;
}

/* ---- atoms ---- */

static inline void fire(struct sigma_scratch *s, uint32_t atom)
{
	if (atom == NO_ATOM || bit_get(s->atoms, atom)) return;
	bit_set(s->atoms, atom);
	s->fired[s->n_fired++] = atom;
}

struct scan {
	struct sigma_scratch *s;
	const uint32_t *atoms;
};

static int on_pattern(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
					  void *context)
{
	struct scan *scan = context;
	(void)from, (void)to, (void)flags;
	fire(scan->s, scan->atoms[id]);
	return 0;
}

static void scan_database(struct sigma_scratch *s, const struct database *d, struct kh_slice value)
{
	struct scan scan = {s, d->atoms};
	if (d->db == NULL || value.n > UINT32_MAX) return;
	/* the only failures are those of our own arguments */
	hs_error_t rc = hs_scan(d->db, value.n > 0 ? (const char *)value.p : "", (unsigned)value.n, 0, s->hs,
							on_pattern, &scan);
	(void)rc;
}

static void fire_exact(struct sigma_scratch *s, const struct slot *slot, struct kh_slice key,
					   bool numbers_only)
{
	uint64_t h = quick_hash(key, s->engine->seed);
	uint32_t i = (uint32_t)h & (slot->exact_cap - 1);
	for (; slot->exact[i].key.p != NULL; i = (i + 1) & (slot->exact_cap - 1)) {
		const struct exact_entry *x = &slot->exact[i];
		if (x->hash != h || !kh_slice_eq(x->key, key)) continue;
		if (!numbers_only || s->engine->atoms[x->atom].pred->numeric) fire(s, x->atom);
	}
}

/* Text that is surely its own number key, as nearly all numbers in logs are. */
static bool plain_integer(struct kh_slice v)
{
	if (v.n == 0 || v.n > 15 || (v.p[0] == '0' && v.n > 1)) return false;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < '0' || v.p[i] > '9') return false;
	return true;
}

static enum kh_err ask_exact(struct sigma_scratch *s, const struct slot *slot, struct kh_slice value)
{
	double n;
	struct kh_slice key;
	if (slot->n_exact == 0) return KH_OK;
	/* a folded text can be shorter than the value, by no more than half */
	if (value.n <= (size_t)slot->max_exact * 2) {
		KH_TRY(scratch_fold(s, value, true, &key));
		fire_exact(s, slot, key, false);
	}
	if (!slot->numeric || plain_integer(value) || !predicate_number(value, &n)) return KH_OK;
	char text[40];
	fire_exact(s, slot, (struct kh_slice){(const uint8_t *)text, number_key(n, text)}, true);
	return KH_OK;
}

static bool refers(struct sigma_scratch *s, const struct atom *a, struct kh_slice value)
{
	if (!s->slots[a->other].used) return false;
	for (uint32_t v = s->slots[a->other].first; v != NO_VALUE; v = s->values[v].next)
		if (!s->values[v].null && predicate_refers(a->pred, value, s->values[v].text, s->plain)) return true;
	return false;
}

static void ask_plainly(struct sigma_scratch *s, const uint32_t *atoms, uint32_t n, struct kh_slice value)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct atom *a = &s->engine->atoms[atoms[i]];
		if (bit_get(s->atoms, atoms[i])) continue;
		bool holds = a->pred->op == SIGMA_FIELDREF ? refers(s, a, value)
												   : predicate_holds(a->pred, a->regex, value, s->plain);
		if (holds) fire(s, atoms[i]);
	}
}

static enum kh_err ask_value(struct sigma_scratch *s, const struct slot *slot, struct kh_slice value)
{
	KH_TRY(ask_exact(s, slot, value));
	if (slot->folded.db != NULL) {
		struct kh_slice folded;
		KH_TRY(scratch_fold(s, value, false, &folded));
		scan_database(s, &slot->folded, folded);
	}
	/* in UTF-8 mode broken text has no defined answer: the plain evaluator has one */
	if (slot->raw.db != NULL && (text_is_ascii(value) || kh_utf8_ok(value)))
		scan_database(s, &slot->raw, value);
	else if (slot->raw.db != NULL)
		ask_plainly(s, slot->raw.atoms, slot->raw.n, value);
	ask_plainly(s, slot->slow, slot->n_slow, value);
	return KH_OK;
}

static enum kh_err ask_slot(struct sigma_scratch *s, uint32_t i)
{
	const struct slot *slot = &s->engine->slots[i];
	fire(s, slot->exists);
	for (uint32_t v = s->slots[i].first; v != NO_VALUE; v = s->values[v].next) {
		if (s->values[v].null) continue;
		fire(s, slot->present);
		if (s->values[v].text.n > 0) fire(s, slot->filled);
		KH_TRY(ask_value(s, slot, s->values[v].text));
	}
	return KH_OK;
}

static enum kh_err ask_keywords(struct sigma_scratch *s)
{
	const struct slot *slot = &s->engine->slots[KEYWORD_SLOT];
	for (size_t i = 0; i < s->event->n_fields; i++)
		if (s->event->fields[i].type != EVENT_NULL) KH_TRY(ask_value(s, slot, s->event->fields[i].value));
	return scratch_is_text(s->event) ? ask_value(s, slot, s->event->raw) : KH_OK;
}

static enum kh_err ask_all(struct sigma_scratch *s)
{
	const uint64_t *wanted = s->class_now->slots;
	if (bit_get(wanted, KEYWORD_SLOT)) KH_TRY(ask_keywords(s));
	for (uint32_t i = 0; i < s->n_touched; i++)
		if (bit_get(wanted, s->touched[i])) KH_TRY(ask_slot(s, s->touched[i]));
	return KH_OK;
}

/* ---- rules ---- */

/* Depth: bounded by node_of in build_rules.c. */
static bool node_holds(const struct sigma_scratch *s, uint32_t at)
{
	const struct node *n = &s->engine->nodes[at];
	const uint32_t *kids = s->engine->kids + n->first;
	uint32_t held = 0;
	switch (n->kind) {
	case SIGMA_PRED:
		return bit_get(s->atoms, n->atom);
	case SIGMA_NOT:
		return !node_holds(s, kids[0]);
	case SIGMA_AND:
		for (uint32_t i = 0; i < n->n; i++)
			if (!node_holds(s, kids[i])) return false;
		return true;
	case SIGMA_OR:
		for (uint32_t i = 0; i < n->n; i++)
			if (node_holds(s, kids[i])) return true;
		return false;
	case SIGMA_AT_LEAST:
		for (uint32_t i = 0; i < n->n && held < n->need; i++) held += node_holds(s, kids[i]);
		return held >= n->need;
	}
	return false;
}

static void consider(struct sigma_scratch *s, uint32_t rule)
{
	if (s->stamps[rule] == s->stamp) return;
	s->stamps[rule] = s->stamp;
	s->candidates[s->n_candidates++] = rule;
}

static void find_candidates(struct sigma_scratch *s)
{
	const struct sigma_engine *e = s->engine;
	const struct class *c = s->class_now;
	if (++s->stamp == 0) { /* once in four thousand million events */
		memset(s->stamps, 0, ((size_t)e->n_rules + 1) * sizeof *s->stamps);
		s->stamp = 1;
	}
	for (uint32_t i = 0; i < s->n_fired; i++) {
		const struct atom *a = &e->atoms[s->fired[i]];
		for (uint32_t k = 0; k < a->n_rules; k++) {
			uint32_t rule = e->triggers[a->rules + k];
			if (bit_get(c->buckets, e->rules[rule].bucket)) consider(s, rule);
		}
	}
	for (uint32_t i = 0; i < c->n_always; i++) consider(s, c->always[i]);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

/* ---- what matched ---- */

static void add_pair(struct sigma_scratch *s, struct kh_slice field, struct kh_slice value, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if (kh_slice_eq(s->pairs[i].field, field) && kh_slice_eq(s->pairs[i].value, value)) return;
	if (*n < SIGMA_MAX_PAIRS) s->pairs[(*n)++] = (struct sigma_pair){field, value};
}

static bool value_satisfies(struct sigma_scratch *s, const struct atom *a, struct kh_slice value)
{
	if (a->pred->op == SIGMA_EXISTS || a->pred->op == SIGMA_PRESENT) return !a->pred->filled || value.n > 0;
	if (a->pred->op == SIGMA_FIELDREF) return refers(s, a, value);
	return predicate_holds(a->pred, a->regex, value, s->plain);
}

static void keyword_pairs(struct sigma_scratch *s, const struct atom *a, size_t *n)
{
	size_t before = *n;
	for (size_t i = 0; i < s->event->n_fields; i++) {
		const struct event_field *f = &s->event->fields[i];
		if (f->type != EVENT_NULL && value_satisfies(s, a, f->value)) add_pair(s, f->name, f->value, n);
	}
	if (*n == before) add_pair(s, KH_LIT(""), s->event->raw, n);
}

static void pairs_of(struct sigma_scratch *s, uint32_t at, size_t *n)
{
	const struct node *node = &s->engine->nodes[at];
	if (node->kind == SIGMA_NOT || !node_holds(s, at)) return;
	if (node->kind != SIGMA_PRED) {
		for (uint32_t i = 0; i < node->n && *n < SIGMA_MAX_PAIRS; i++)
			pairs_of(s, s->engine->kids[node->first + i], n);
		return;
	}
	const struct atom *a = &s->engine->atoms[node->atom];
	if (a->slot == KEYWORD_SLOT) {
		keyword_pairs(s, a, n);
		return;
	}
	for (uint32_t v = s->slots[a->slot].first; v != NO_VALUE; v = s->values[v].next)
		if ((!s->values[v].null || a->pred->op == SIGMA_EXISTS) && value_satisfies(s, a, s->values[v].text))
			add_pair(s, a->pred->field, s->values[v].text, n);
}

static void report(struct sigma_scratch *s, const struct compiled *c, sigma_hit_fn *hit, void *context)
{
	size_t n = 0;
	s->hits[c->index]++;
	if (hit == NULL) return;
	pairs_of(s, c->root, &n);
	struct sigma_hit h = {c->rule, c->index, s->pairs, n, sigma_facts(s->engine, s)};
	hit(&h, context);
}

enum kh_err sigma_match(const struct sigma_engine *e, struct sigma_scratch *s, const struct event *event,
						const struct sigma_logsource *declared, sigma_hit_fn *hit, void *context)
{
	scratch_clear(s);
	KH_TRY(scratch_fill(s, event));
	KH_TRY(scratch_classify(s, declared));
	scratch_apply_aliases(s);
	KH_TRY(ask_all(s));
	find_candidates(s);
	if (s->n_candidates > 1) qsort(s->candidates, s->n_candidates, sizeof *s->candidates, by_number);
	for (uint32_t i = 0; i < s->n_candidates; i++) {
		const struct compiled *c = &e->rules[s->candidates[i]];
		if (node_holds(s, c->root)) report(s, c, hit, context);
	}
	return KH_OK;
}

/* ---- facts ---- */

static const struct value_ref *first_of(const struct sigma_scratch *s, const uint32_t *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct value_ref *v = scratch_value(s, slots[i]);
		if (v != NULL) return v;
	}
	return NULL;
}

static bool time_of(struct kh_slice text, int64_t *out)
{
	double n;
	if (kh_time_parse(text, true, out) == KH_OK) return true;
	if (!predicate_number(text, &n) || n < 1e8 || n > 9e9) return false; /* seconds since 1970 (Zeek) */
	*out = (int64_t)(n * (double)KH_SECOND);
	return true;
}

/* A source that names its own host fields goes before every pack, even when the event has none of them. */
static bool host_of_sources(struct sigma_scratch *s)
{
	bool named = false;
	for (uint32_t i = 0; i < s->class_now->n_active; i++) {
		const struct source *src = &s->engine->sources[s->class_now->active[i]];
		const struct value_ref *v = s->facts.host.n == 0 ? first_of(s, src->host, src->n_host) : NULL;
		if (v != NULL) s->facts.host = v->text;
		named = named || src->n_host > 0;
	}
	return named;
}

static void facts_of_pack(struct sigma_scratch *s, const struct pack_facts *p, bool host_known)
{
	struct sigma_facts *f = &s->facts;
	const struct value_ref *v = f->host.n == 0 && !host_known ? first_of(s, p->host, p->n_host) : NULL;
	if (v != NULL) f->host = v->text;
	for (uint32_t i = 0; i < p->n_time && !f->has_time; i++) {
		v = scratch_value(s, p->time[i]);
		if (v != NULL) f->has_time = time_of(v->text, &f->time_ns);
	}
	for (uint32_t i = 0; i < p->n_address && f->n_addresses < SIGMA_MAX_ADDRESSES; i++) {
		struct kh_address a;
		v = scratch_value(s, p->address[i]);
		if (v == NULL || kh_address_parse(v->text, &a) != KH_OK) continue;
		size_t k = 0;
		while (k < f->n_addresses && !kh_slice_eq(f->addresses[k], v->text)) k++;
		if (k == f->n_addresses) f->addresses[f->n_addresses++] = v->text;
	}
}

const struct sigma_facts *sigma_facts(const struct sigma_engine *e, struct sigma_scratch *s)
{
	if (s->facts_ready) return &s->facts;
	s->facts = (struct sigma_facts){0};
	bool known = host_of_sources(s);
	for (uint32_t i = 0; i < s->class_now->n_active; i++)
		facts_of_pack(s, &e->packs[e->sources[s->class_now->active[i]].pack], known);
	if (s->class_now->n_active == 0)
		for (uint32_t i = 0; i < e->mapping->n_packs; i++) facts_of_pack(s, &e->packs[i], false);
	s->facts_ready = true;
	return &s->facts;
}
