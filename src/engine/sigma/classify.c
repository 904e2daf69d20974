/* SPDX-License-Identifier: Apache-2.0
 * classify.c - which log sources an event belongs to, remembered by the values that decide it. */
#include "engine/sigma/scratch.h"

enum { DECIDING_BYTES = 96 }; /* a longer value equals nothing that a pack names */

static bool test_holds(struct sigma_scratch *s, const struct source_test *t)
{
	const struct value_ref *first = scratch_value(s, t->slot);
	if (first == NULL || t->any) return first != NULL;
	for (uint32_t v = s->slots[t->slot].first; v != NO_VALUE; v = s->values[v].next) {
		struct kh_slice folded;
		if (s->values[v].null || s->values[v].text.n > DECIDING_BYTES) continue;
		if (scratch_fold(s, s->values[v].text, true, &folded) != KH_OK) continue;
		for (uint32_t i = 0; i < t->n_values; i++)
			if (kh_slice_eq(folded, t->values[i])) return true;
	}
	return false;
}

static bool source_holds(struct sigma_scratch *s, const struct source *src)
{
	for (uint32_t c = 0; c < src->n_cases; c++) {
		uint32_t i = 0;
		while (i < src->cases[c].n && test_holds(s, &src->cases[c].tests[i])) i++;
		if (i == src->cases[c].n) return true;
	}
	return false;
}

/* Two hashes under different seeds over all deciding values: 128 bits stand for the values themselves. */
static void class_key(const struct sigma_scratch *s, uint64_t key[2])
{
	const struct sigma_engine *e = s->engine;
	key[0] = e->seed;
	key[1] = ~e->seed;
	for (uint32_t i = 0; i < e->n_discriminators; i++) {
		uint32_t slot = e->discriminators[i];
		if (!s->slots[slot].used) continue;
		for (uint32_t v = s->slots[slot].first; v != NO_VALUE; v = s->values[v].next) {
			struct kh_slice text = s->values[v].text;
			if (s->values[v].null) continue;
			if (text.n > DECIDING_BYTES) text = KH_LIT("");
			for (int k = 0; k < 2; k++)
				key[k] = quick_hash(text, key[k] * UINT64_C(0x9fb21c651e98df25) + slot);
		}
	}
}

static bool declared_fits(const struct sigma_logsource *d, const struct sigma_logsource *rule)
{
	return (rule->product.n == 0 || kh_slice_case_eq(d->product, rule->product)) &&
		   (rule->category.n == 0 || kh_slice_case_eq(d->category, rule->category)) &&
		   (rule->service.n == 0 || kh_slice_case_eq(d->service, rule->service));
}

static void activate(struct sigma_scratch *s, struct class *c, const struct sigma_logsource *declared)
{
	const struct sigma_engine *e = s->engine;
	for (uint32_t i = 0; i < e->n_sources; i++) {
		if (!source_holds(s, &e->sources[i])) continue;
		c->active[c->n_active++] = i;
		for (uint32_t k = 0; k < e->sources[i].n_buckets; k++) bit_set(c->buckets, e->sources[i].buckets[k]);
	}
	for (uint32_t b = 0; b < e->n_buckets; b++) {
		/* what no pack speaks of is asked of the events that no pack knows */
		bool unknown = !e->buckets[b].claimed && c->n_active == 0 && declared == NULL;
		if (unknown || (declared != NULL && declared_fits(declared, &e->buckets[b].logsource)))
			bit_set(c->buckets, b);
	}
}

static enum kh_err class_fill(struct sigma_scratch *s, struct class *c,
							  const struct sigma_logsource *declared)
{
	const struct sigma_engine *e = s->engine;
	struct kh_arena *a = s->class_arena;
	c->buckets = KH_ARRAY(a, uint64_t, e->bucket_words);
	c->slots = KH_ARRAY(a, uint64_t, e->slot_words);
	c->active = KH_ARRAY(a, uint32_t, (size_t)e->n_sources + 1);
	if (c->buckets == NULL || c->slots == NULL || c->active == NULL) return KH_ENOMEM;
	activate(s, c, declared);
	uint32_t n = 0;
	for (uint32_t b = 0; b < e->n_buckets; b++)
		if (bit_get(c->buckets, b)) n += e->buckets[b].n_always;
	c->always = KH_ARRAY(a, uint32_t, (size_t)n + 1);
	if (c->always == NULL) return KH_ENOMEM;
	for (uint32_t b = 0; b < e->n_buckets; b++) {
		if (!bit_get(c->buckets, b)) continue;
		for (uint32_t w = 0; w < e->slot_words; w++) c->slots[w] |= e->buckets[b].slots[w];
		for (uint32_t i = 0; i < e->buckets[b].n_always; i++)
			c->always[c->n_always++] = e->buckets[b].always[i];
	}
	return KH_OK;
}

static void forget(struct sigma_scratch *s)
{
	kh_arena_reset(s->class_arena);
	memset(s->classes, 0, CLASSES_MAX * 2 * sizeof *s->classes);
	s->n_classes = 0;
}

enum kh_err scratch_classify(struct sigma_scratch *s, const struct sigma_logsource *declared)
{
	uint64_t key[2];
	class_key(s, key);
	if (declared != NULL)
		for (int k = 0; k < 2; k++) {
			key[k] = quick_hash(declared->product, key[k] + 1);
			key[k] = quick_hash(declared->category, key[k] + 2);
			key[k] = quick_hash(declared->service, key[k] + 3);
		}
	if (s->n_classes >= CLASSES_MAX) forget(s);
	uint32_t i = (uint32_t)key[0] & (CLASSES_MAX * 2 - 1);
	for (; s->classes[i].used; i = (i + 1) & (CLASSES_MAX * 2 - 1)) {
		if (s->classes[i].key[0] != key[0] || s->classes[i].key[1] != key[1]) continue;
		s->class_now = &s->classes[i];
		return KH_OK;
	}
	struct class *c = &s->classes[i];
	*c = (struct class){.key = {key[0], key[1]}};
	if (class_fill(s, c, declared) != KH_OK) {
		forget(s);
		c = &s->classes[i];
		*c = (struct class){.key = {key[0], key[1]}};
		KH_TRY(class_fill(s, c, declared));
	}
	c->used = true;
	s->n_classes++;
	s->class_now = c;
	return KH_OK;
}
