/* SPDX-License-Identifier: Apache-2.0
 * resolve.c - the fields of an event become values of slots. */
#include <stdlib.h>

#include "engine/sigma/scratch.h"

/* ---- names ---- */

static void add_target(struct name_entry *n, uint32_t slot, uint32_t rank)
{
	for (uint32_t i = 0; i < n->n; i++) {
		if (n->at[i].slot != slot) continue;
		if (rank < n->at[i].rank) n->at[i].rank = rank;
		return;
	}
	if (n->n < NAME_TARGETS) n->at[n->n++] = (struct name_target){slot, rank};
}

/* A name, whole or without its prefix, as a field's own name or as a source of others. */
static void targets_of(const struct sigma_engine *e, struct kh_slice name, struct name_entry *out)
{
	uint8_t lower[1024];
	if (name.n == 0 || name.n * 2 + 4 > sizeof lower) return;
	uint32_t slot = engine_slot(e, name);
	if (slot != NO_SLOT) add_target(out, slot, kh_slice_eq(e->slots[slot].name, name) ? 0 : 1);
	struct kh_slice key = {lower, text_fold(name, lower)};
	for (const struct target *t = kh_map_get(e->alias_of, key); t != NULL; t = t->next)
		add_target(out, t->slot, t->rank);
}

/* What follows the prefix; a prefix that ends in "*." takes one element of any name with it. */
static struct kh_slice stripped(struct kh_slice name, struct kh_slice prefix)
{
	bool free = prefix.n > 2 && memcmp(prefix.p + prefix.n - 2, "*.", 2) == 0;
	if (free) prefix.n -= 2;
	if (!kh_slice_starts(name, prefix)) return (struct kh_slice){0};
	struct kh_slice rest = kh_slice_from(name, prefix.n), element;
	if (free && !kh_slice_cut(&rest, '.', &element)) return (struct kh_slice){0};
	return rest;
}

static void resolve(const struct sigma_engine *e, struct kh_slice name, struct name_entry *out)
{
	out->n = 0;
	targets_of(e, name, out);
	for (uint32_t i = 0; i < e->n_strip; i++) targets_of(e, stripped(name, e->strip[i]), out);
}

static bool keep_name(struct sigma_scratch *s, struct name_entry *n, struct kh_slice name)
{
	uint8_t *copy = KH_ARRAY(s->names_arena, uint8_t, name.n + 1);
	if (copy == NULL) return false;
	memcpy(copy, name.p, name.n);
	n->name = (struct kh_slice){copy, name.n};
	s->n_names++;
	return true;
}

/* `spare` holds the answer when the table is full. */
static const struct name_entry *name_of(struct sigma_scratch *s, struct kh_slice name,
										struct name_entry *spare)
{
	uint64_t h = quick_hash(name, s->engine->seed);
	uint32_t i = (uint32_t)h & (NAMES_CAP - 1);
	for (unsigned steps = 0; s->names[i].name.p != NULL; i = (i + 1) & (NAMES_CAP - 1)) {
		if (s->names[i].hash == h && kh_slice_eq(s->names[i].name, name)) return &s->names[i];
		if (++steps == 64) break;
	}
	bool room = s->names[i].name.p == NULL && s->n_names < NAMES_MAX && name.n > 0;
	struct name_entry *n = room && keep_name(s, &s->names[i], name) ? &s->names[i] : spare;
	n->hash = h;
	resolve(s->engine, name, n);
	return n;
}

/* ---- values ---- */

static void touch(struct sigma_scratch *s, uint32_t slot)
{
	struct slot_state *st = &s->slots[slot];
	if (!st->used) s->touched[s->n_touched++] = slot;
	*st = (struct slot_state){.first = NO_VALUE, .last = NO_VALUE, .used = true};
}

static void append(struct sigma_scratch *s, uint32_t slot, struct kh_slice text, bool null)
{
	struct slot_state *st = &s->slots[slot];
	if (s->n_values == VALUES_MAX) return; /* only copies for the aliases of a source can reach it */
	s->values[s->n_values] = (struct value_ref){text, null, NO_VALUE};
	if (st->last == NO_VALUE)
		st->first = s->n_values;
	else
		s->values[st->last].next = s->n_values;
	st->last = s->n_values++;
}

/* A better ranked name takes the slot; the same name again adds a value; a worse one is passed over. */
static void supply(struct sigma_scratch *s, uint32_t slot, uint32_t rank, uint32_t name, struct kh_slice text,
				   bool null)
{
	struct slot_state *st = &s->slots[slot];
	bool takes = !st->used || rank < st->rank;
	if (!takes && (rank > st->rank || (rank > 1 && st->name != name))) return;
	if (takes) {
		touch(s, slot);
		st->rank = rank;
		st->name = name;
	}
	append(s, slot, text, null);
}

/* "SHA1=...,MD5=...": each key is a field of its own. */
static void split_pairs(struct sigma_scratch *s, struct kh_slice text, uint32_t rank)
{
	struct kh_slice piece, key;
	for (bool more = true; more && s->n_splits < SPLITS_MAX;) {
		more = kh_slice_cut(&text, ',', &piece);
		if (!more) piece = text;
		piece = kh_slice_trim(piece);
		if (!kh_slice_cut(&piece, '=', &key)) continue;
		uint32_t slot = engine_slot(s->engine, key);
		if (slot == NO_SLOT) continue;
		supply(s, slot, rank, slot | UINT32_C(0x80000000), piece, false);
		s->n_splits++;
	}
}

enum { RANK_SPLIT = 1000, RANK_SOURCE = 2000 };

enum kh_err scratch_fill(struct sigma_scratch *s, const struct event *event)
{
	const struct sigma_engine *e = s->engine;
	struct name_entry spare;
	s->event = event;
	for (size_t i = 0; i < event->n_fields; i++) {
		const struct event_field *f = &event->fields[i];
		const struct name_entry *n = name_of(s, f->name, &spare);
		for (uint32_t k = 0; k < n->n; k++) {
			uint32_t slot = n->at[k].slot;
			supply(s, slot, n->at[k].rank, (uint32_t)n->hash & INT32_MAX, f->value, f->type == EVENT_NULL);
			if (bit_get(e->pairs, slot)) split_pairs(s, f->value, RANK_SPLIT);
		}
	}
	return KH_OK;
}

const struct value_ref *scratch_value(const struct sigma_scratch *s, uint32_t slot)
{
	if (!s->slots[slot].used) return NULL;
	for (uint32_t v = s->slots[slot].first; v != NO_VALUE; v = s->values[v].next)
		if (!s->values[v].null) return &s->values[v];
	return NULL;
}

static void copy_slot(struct sigma_scratch *s, uint32_t to, uint32_t from)
{
	touch(s, to);
	s->slots[to].rank = RANK_SOURCE;
	for (uint32_t v = s->slots[from].first; v != NO_VALUE; v = s->values[v].next)
		append(s, to, s->values[v].text, s->values[v].null);
}

static void apply_alias(struct sigma_scratch *s, const struct source_alias *a)
{
	if (scratch_value(s, a->to) != NULL) return;
	for (uint32_t i = 0; i < a->n_from; i++) {
		if (scratch_value(s, a->from[i]) == NULL) continue;
		copy_slot(s, a->to, a->from[i]);
		return;
	}
}

void scratch_apply_aliases(struct sigma_scratch *s)
{
	const struct class *c = s->class_now;
	for (uint32_t i = 0; i < c->n_active; i++) {
		const struct source *src = &s->engine->sources[c->active[i]];
		for (uint32_t k = 0; k < src->n_aliases; k++) apply_alias(s, &src->aliases[k]);
	}
}

void scratch_clear(struct sigma_scratch *s)
{
	for (uint32_t i = 0; i < s->n_touched; i++) s->slots[s->touched[i]].used = false;
	for (uint32_t i = 0; i < s->n_fired; i++) s->atoms[s->fired[i] >> 6] = 0;
	s->n_touched = s->n_values = s->n_splits = s->n_fired = s->n_candidates = 0;
	s->facts_ready = false;
}

enum kh_err scratch_fold(struct sigma_scratch *s, struct kh_slice value, bool fold_ascii,
						 struct kh_slice *out)
{
	if (!fold_ascii && text_is_ascii(value)) {
		*out = value;
		return KH_OK;
	}
	if (s->fold_cap < value.n * 2 + 4) {
		uint8_t *wider = realloc(s->fold, value.n * 2 + 4);
		if (wider == NULL) return KH_ENOMEM;
		s->fold = wider;
		s->fold_cap = value.n * 2 + 4;
	}
	*out = (struct kh_slice){s->fold, text_fold(value, s->fold)};
	return KH_OK;
}

bool scratch_is_text(const struct event *event)
{
	struct kh_slice raw = kh_slice_trim(event->raw);
	return raw.n > 0 && raw.p[0] != '{';
}
