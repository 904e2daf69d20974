/* SPDX-License-Identifier: Apache-2.0
 * build.c - an engine from a rule set and a mapping. */
#include "engine/sigma/build.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/message.h"
#include "base/time.h"
#include "base/uuid.h"

enum { ENGINE_BLOCK = 1 << 18, ENGINE_BYTES = 512 << 20, MAX_ATOMS = 2000000 };

void *build_grow(struct kh_arena *a, void *old, uint32_t n, uint32_t *cap, size_t size)
{
	if (n < *cap) return old;
	uint32_t wider = *cap > 0 ? *cap * 2 : 16;
	void *p = kh_arena_zalloc(a, wider, size);
	if (p == NULL) return NULL;
	if (n > 0) memcpy(p, old, n * size);
	*cap = wider;
	return p;
}

enum kh_err list32_add(struct kh_arena *a, struct list32 *l, uint32_t v)
{
	uint32_t *at = build_grow(a, l->at, l->n, &l->cap, sizeof *at);
	if (at == NULL) return KH_ENOMEM;
	l->at = at;
	l->at[l->n++] = v;
	return KH_OK;
}

uint64_t quick_hash(struct kh_slice s, uint64_t seed)
{
	uint64_t h = seed ^ (s.n * UINT64_C(0x9e3779b97f4a7c15)), w;
	size_t i = 0;
	for (; i + 8 <= s.n; i += 8) {
		memcpy(&w, s.p + i, 8);
		h = (h ^ w) * UINT64_C(0xd6e8feb86659fd93);
		h ^= h >> 32;
	}
	w = 0;
	if (i < s.n) memcpy(&w, s.p + i, s.n - i);
	h = (h ^ w) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

size_t number_key(double n, char out[40])
{
	int len = snprintf(out, 40, "%.17g", n);
	return len > 0 && len < 40 ? (size_t)len : 0;
}

enum { NAME_MAX_BYTES = 512 };

/* The name in lower case; false when it is too long to be one of ours. */
static bool lower_name(struct kh_slice name, uint8_t *out, struct kh_slice *lower)
{
	if (name.n > NAME_MAX_BYTES) return false;
	*lower = (struct kh_slice){out, text_fold(name, out)};
	return true;
}

uint32_t engine_slot(const struct sigma_engine *e, struct kh_slice name)
{
	uint8_t buf[NAME_MAX_BYTES * 2 + 4];
	struct kh_slice lower;
	if (!lower_name(name, buf, &lower)) return NO_SLOT;
	return (uint32_t)(uintptr_t)kh_map_get(e->slot_of, lower) - 1;
}

enum kh_err build_slot(struct builder *b, struct kh_slice name, uint32_t *out)
{
	uint8_t buf[NAME_MAX_BYTES * 2 + 4];
	struct kh_slice lower;
	struct sigma_engine *e = b->e;
	void **place;
	if (!lower_name(name, buf, &lower)) return kh_say(b->diag, KH_ELIMIT, M_SIGMA_VALUE_LONG, "", NULL);
	KH_TRY(kh_map_put(e->slot_of, lower, &place));
	if (*place == NULL) {
		struct slot *at = build_grow(e->arena, e->slots, e->n_slots, &b->slot_cap, sizeof *at);
		if (at == NULL) return KH_ENOMEM;
		e->slots = at;
		at[e->n_slots] =
			(struct slot){.name = name, .present = NO_ATOM, .filled = NO_ATOM, .exists = NO_ATOM};
		*place = (void *)(uintptr_t)(++e->n_slots);
	}
	*out = (uint32_t)(uintptr_t)*place - 1;
	return KH_OK;
}

static enum kh_err build_all(struct builder *b, const struct sigma_rules *rules,
							 const struct mapping *mapping)
{
	uint32_t keywords;
	KH_TRY(build_slot(b, KH_LIT(""), &keywords)); /* the first: KEYWORD_SLOT */
	KH_TRY(build_names(b, mapping));
	KH_TRY(build_rules(b, rules));
	KH_TRY(build_sources(b, mapping));
	return build_indexes(b);
}

enum kh_err sigma_engine_new(const struct sigma_rules *rules, const struct mapping *mapping,
							 struct sigma_engine **out, struct kh_diag *diag)
{
	int64_t begin = kh_mono_ns();
	struct sigma_engine *e = calloc(1, sizeof *e);
	if (e == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (diag != NULL) diag->text[0] = '\0';
	struct builder b = {.e = e, .diag = diag};
	kh_random(&e->seed, sizeof e->seed);
	e->mapping = mapping;
	e->arena = kh_arena_new(ENGINE_BLOCK, ENGINE_BYTES);
	e->slot_of = kh_map_new(SLOT_MAX);
	e->alias_of = kh_map_new(SLOT_MAX);
	b.atom_of = kh_map_new(MAX_ATOMS);
	bool ready = e->arena != NULL && e->slot_of != NULL && e->alias_of != NULL && b.atom_of != NULL;
	enum kh_err err = ready ? build_all(&b, rules, mapping) : KH_ENOMEM;
	kh_map_free(b.atom_of);
	if (err != KH_OK) {
		if (diag != NULL && diag->text[0] == '\0') kh_say(diag, err, M_OUT_OF_MEMORY, NULL);
		sigma_engine_free(e);
		return err;
	}
	e->stats.build_ns = kh_mono_ns() - begin;
	*out = e;
	return KH_OK;
}

void sigma_engine_free(struct sigma_engine *e)
{
	if (e == NULL) return;
	for (uint32_t i = 0; i < e->n_slots; i++) {
		hs_free_database(e->slots[i].folded.db);
		hs_free_database(e->slots[i].raw.db);
	}
	for (uint32_t i = 0; i < e->n_atoms; i++) predicate_regex_free(e->atoms[i].regex);
	kh_map_free(e->slot_of);
	kh_map_free(e->alias_of);
	kh_arena_free(e->arena);
	free(e);
}

struct sigma_stats sigma_engine_stats(const struct sigma_engine *e)
{
	return e->stats;
}

const struct sigma_rule *sigma_filter_of(const struct sigma_engine *e, size_t rule, size_t i)
{
	uint32_t at = e->rule_of[rule];
	if (at == UINT32_MAX || i >= e->rules[at].n_filters) return NULL;
	return e->filters[e->rules[at].filters + i];
}
