/* SPDX-License-Identifier: Apache-2.0
 * build_names.c - field names and log sources of the mapping packs. */
#include "engine/sigma/build.h"

static enum kh_err alias_row(struct builder *b, uint32_t slot, struct kh_slice from, uint32_t rank)
{
	struct sigma_engine *e = b->e;
	uint8_t *lower = KH_ARRAY(e->arena, uint8_t, from.n * 2 + 4);
	struct target *t = KH_NEW(e->arena, struct target);
	if (lower == NULL || t == NULL) return KH_ENOMEM;
	void **place;
	KH_TRY(kh_map_put(e->alias_of, (struct kh_slice){lower, text_fold(from, lower)}, &place));
	for (const struct target *have = *place; have != NULL; have = have->next)
		if (have->slot == slot) return KH_OK; /* two packs say the same */
	*t = (struct target){slot, rank, *place};
	*place = t;
	return KH_OK;
}

static enum kh_err aliases(struct builder *b, const struct mapping_aliases *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		uint32_t slot;
		KH_TRY(build_slot(b, list->at[i].field, &slot));
		for (uint32_t k = 0; k < list->at[i].from.n; k++)
			KH_TRY(alias_row(b, slot, list->at[i].from.at[k], k + 2)); /* 0 and 1 are the field's own name */
	}
	return KH_OK;
}

static enum kh_err slots_of(struct builder *b, const struct mapping_list *names, const uint32_t **at,
							uint32_t *n)
{
	uint32_t *list = KH_ARRAY(b->e->arena, uint32_t, (size_t)names->n + 1);
	if (list == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < names->n; i++) KH_TRY(build_slot(b, names->at[i], &list[i]));
	*at = list;
	*n = names->n;
	return KH_OK;
}

static enum kh_err strips(struct builder *b, const struct mapping *m)
{
	struct sigma_engine *e = b->e;
	uint32_t most = 0;
	for (uint32_t i = 0; i < m->n_packs; i++) most += m->packs[i].strip.n;
	e->strip = KH_ARRAY(e->arena, struct kh_slice, (size_t)most + 1);
	if (e->strip == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < m->n_packs; i++) {
		for (uint32_t k = 0; k < m->packs[i].strip.n; k++) {
			uint32_t seen = 0;
			while (seen < e->n_strip && !kh_slice_eq(e->strip[seen], m->packs[i].strip.at[k])) seen++;
			if (seen == e->n_strip) e->strip[e->n_strip++] = m->packs[i].strip.at[k];
		}
	}
	return KH_OK;
}

static enum kh_err tests_of(struct builder *b, const struct mapping_case *in, struct source_case *out)
{
	struct kh_arena *a = b->e->arena;
	struct source_test *tests = KH_ARRAY(a, struct source_test, (size_t)in->n + 1);
	if (tests == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < in->n; i++) {
		const struct mapping_test *t = &in->at[i];
		struct kh_slice *values = KH_ARRAY(a, struct kh_slice, (size_t)t->values.n + 1);
		if (values == NULL) return KH_ENOMEM;
		for (uint32_t k = 0; k < t->values.n; k++) {
			uint8_t *folded = KH_ARRAY(a, uint8_t, t->values.at[k].n * 2 + 4);
			if (folded == NULL) return KH_ENOMEM;
			values[k] = (struct kh_slice){folded, text_fold(t->values.at[k], folded)};
		}
		tests[i] = (struct source_test){.any = t->any, .values = values, .n_values = t->values.n};
		KH_TRY(build_slot(b, t->field, &tests[i].slot));
	}
	*out = (struct source_case){tests, in->n};
	return KH_OK;
}

static enum kh_err source_of(struct builder *b, const struct mapping_source *in, uint32_t pack,
							 struct source *out)
{
	struct kh_arena *a = b->e->arena;
	struct source_case *cases = KH_ARRAY(a, struct source_case, (size_t)in->n_cases + 1);
	struct source_alias *list = KH_ARRAY(a, struct source_alias, (size_t)in->fields.n + 1);
	if (cases == NULL || list == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < in->n_cases; i++) KH_TRY(tests_of(b, &in->cases[i], &cases[i]));
	for (uint32_t i = 0; i < in->fields.n; i++) {
		KH_TRY(build_slot(b, in->fields.at[i].field, &list[i].to));
		KH_TRY(slots_of(b, &in->fields.at[i].from, &list[i].from, &list[i].n_from));
	}
	*out = (struct source){
		.cases = cases, .n_cases = in->n_cases, .pack = pack, .aliases = list, .n_aliases = in->fields.n};
	return slots_of(b, &in->host, &out->host, &out->n_host);
}

static enum kh_err pack_names(struct builder *b, const struct mapping_pack *p, struct pack_facts *f)
{
	KH_TRY(aliases(b, &p->fields));
	KH_TRY(slots_of(b, &p->host, &f->host, &f->n_host));
	KH_TRY(slots_of(b, &p->time, &f->time, &f->n_time));
	return slots_of(b, &p->address, &f->address, &f->n_address);
}

enum kh_err build_names(struct builder *b, const struct mapping *m)
{
	struct sigma_engine *e = b->e;
	uint32_t n = 0;
	for (uint32_t i = 0; i < m->n_packs; i++) n += m->packs[i].n_sources;
	e->sources = KH_ARRAY(e->arena, struct source, (size_t)n + 1);
	e->packs = KH_ARRAY(e->arena, struct pack_facts, (size_t)m->n_packs + 1);
	if (e->sources == NULL || e->packs == NULL) return KH_ENOMEM;
	KH_TRY(strips(b, m));
	for (uint32_t i = 0; i < m->n_packs; i++) {
		KH_TRY(pack_names(b, &m->packs[i], &e->packs[i]));
		for (uint32_t k = 0; k < m->packs[i].n_sources; k++)
			KH_TRY(source_of(b, &m->packs[i].sources[k], i, &e->sources[e->n_sources++]));
		for (uint32_t k = 0; k < m->packs[i].pairs.n; k++) {
			uint32_t slot;
			KH_TRY(build_slot(b, m->packs[i].pairs.at[k], &slot));
		}
	}
	e->source_words = e->n_sources / 64 + 1;
	return KH_OK;
}

/* ---- after the rules are known ---- */

static enum kh_err buckets_of(struct builder *b, const struct mapping_source *in, struct source *s)
{
	struct sigma_engine *e = b->e;
	struct list32 list = {0};
	for (uint32_t i = 0; i < e->n_buckets; i++) {
		if (!mapping_speaks(in, &e->buckets[i].logsource)) continue;
		e->buckets[i].claimed = true;
		KH_TRY(list32_add(e->arena, &list, i));
	}
	s->buckets = list.at;
	s->n_buckets = list.n;
	return KH_OK;
}

enum kh_err build_sources(struct builder *b, const struct mapping *m)
{
	struct sigma_engine *e = b->e;
	uint32_t at = 0;
	e->slot_words = e->n_slots / 64 + 1;
	e->pairs = KH_ARRAY(e->arena, uint64_t, e->slot_words);
	e->splits = KH_ARRAY(e->arena, uint64_t, e->slot_words);
	e->discriminators = KH_ARRAY(e->arena, uint32_t, e->n_slots);
	if (e->pairs == NULL || e->splits == NULL || e->discriminators == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < m->n_packs; i++) {
		for (uint32_t k = 0; k < m->packs[i].n_sources; k++)
			KH_TRY(buckets_of(b, &m->packs[i].sources[k], &e->sources[at++]));
		for (uint32_t k = 0; k < m->packs[i].pairs.n; k++)
			bit_set(e->pairs, engine_slot(e, m->packs[i].pairs.at[k]));
	}
	for (uint32_t i = 0; i < e->n_sources; i++)
		for (uint32_t c = 0; c < e->sources[i].n_cases; c++)
			for (uint32_t t = 0; t < e->sources[i].cases[c].n; t++)
				bit_set(e->splits, e->sources[i].cases[c].tests[t].slot);
	for (uint32_t i = 0; i < e->n_slots; i++)
		if (bit_get(e->splits, i)) e->discriminators[e->n_discriminators++] = i;
	return KH_OK;
}
