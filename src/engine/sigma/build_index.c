/* SPDX-License-Identifier: Apache-2.0
 * build_index.c - per field: a hash of exact values, one multi-pattern database over folded values, one over
 * values as they are (regular expressions), and the few atoms that are asked plainly.
 * A pattern that the matching library refuses goes to the plain list; nothing is dropped. */
#include "engine/sigma/build.h"

#include <stdlib.h>

#include "base/message.h"

enum { PATTERN_BYTES = 1 << 20 };

struct slot_lists {
	struct list32 exact, folded, raw, slow;
};

/* Bytes that the folded database (byte mode) and exact hash can hold as they are: all. The raw database runs
 * in UTF-8 mode, so only regular expressions go there; strings with case are rare and asked plainly. */
static struct list32 *list_for(struct slot_lists *l, const struct atom *a)
{
	const struct sigma_pred *p = a->pred;
	if (p->op == SIGMA_REGEX) return &l->raw;
	if (p->op != SIGMA_STRING || p->cased) return &l->slow;
	return p->form == PATTERN_EQUAL ? &l->exact : &l->folded;
}

static enum kh_err sort_atoms(struct builder *b, struct slot_lists *lists)
{
	struct sigma_engine *e = b->e;
	for (uint32_t i = 0; i < e->n_atoms; i++) {
		struct atom *a = &e->atoms[i];
		struct slot *s = &e->slots[a->slot];
		if (a->pred->op == SIGMA_PRESENT)
			*(a->pred->filled ? &s->filled : &s->present) = i;
		else if (a->pred->op == SIGMA_EXISTS)
			s->exists = i;
		else if (a->pred->op != SIGMA_WAIT)
			KH_TRY(list32_add(e->arena, list_for(&lists[a->slot], a), i));
	}
	return KH_OK;
}

/* ---- exact values ---- */

static void exact_put(struct sigma_engine *e, struct slot *s, struct kh_slice key, uint32_t atom)
{
	uint64_t h = quick_hash(key, e->seed);
	uint32_t i = (uint32_t)h & (s->exact_cap - 1);
	while (s->exact[i].key.p != NULL) {
		if (s->exact[i].atom == atom && kh_slice_eq(s->exact[i].key, key)) return;
		i = (i + 1) & (s->exact_cap - 1);
	}
	s->exact[i] = (struct exact_entry){key, atom, h};
	s->n_exact++;
	if (key.n > s->max_exact) s->max_exact = (uint32_t)key.n;
}

static enum kh_err number_entry(struct sigma_engine *e, struct slot *s, uint32_t atom)
{
	char text[40];
	size_t n = number_key(e->atoms[atom].pred->number, text);
	uint8_t *copy = KH_ARRAY(e->arena, uint8_t, n + 1);
	if (copy == NULL) return KH_ENOMEM;
	memcpy(copy, text, n);
	exact_put(e, s, (struct kh_slice){copy, n}, atom);
	s->numeric = true;
	return KH_OK;
}

static enum kh_err exact_index(struct builder *b, struct slot *s, const struct list32 *l)
{
	struct sigma_engine *e = b->e;
	if (l->n == 0) return KH_OK;
	for (s->exact_cap = 4; s->exact_cap < l->n * 4;) s->exact_cap *= 2;
	s->exact = KH_ARRAY(e->arena, struct exact_entry, s->exact_cap);
	if (s->exact == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < l->n; i++) {
		struct kh_slice key;
		KH_TRY(pattern_bytes(e->arena, e->atoms[l->at[i]].pred->pattern, &key));
		exact_put(e, s, key, l->at[i]);
		if (e->atoms[l->at[i]].pred->numeric) KH_TRY(number_entry(e, s, l->at[i]));
	}
	return KH_OK;
}

/* ---- pattern databases ---- */

struct expressions {
	const char **text;
	unsigned *flags, *ids;
	uint32_t *atoms;
	uint32_t n;
};

static enum kh_err expression_of(struct builder *b, uint32_t atom, struct expressions *x)
{
	struct sigma_engine *e = b->e;
	const struct sigma_pred *p = e->atoms[atom].pred;
	struct kh_buf buf = KH_BUF(PATTERN_BYTES);
	unsigned flags = HS_FLAG_SINGLEMATCH;
	if (p->op == SIGMA_REGEX) {
		kh_buf_put(&buf, p->text);
		flags |= HS_FLAG_UTF8 | (p->caseless ? HS_FLAG_CASELESS : 0u) |
				 (p->multiline ? HS_FLAG_MULTILINE : 0u) | (p->dotall ? HS_FLAG_DOTALL : 0u);
	} else {
		pattern_regex(p->pattern, &buf);
		flags |= HS_FLAG_CASELESS | HS_FLAG_DOTALL;
	}
	char *text = buf.err == KH_OK ? KH_ARRAY(e->arena, char, buf.n + 1) : NULL;
	if (text != NULL) memcpy(text, buf.bytes, buf.n);
	enum kh_err err = text != NULL ? KH_OK : buf.err != KH_OK ? buf.err : KH_ENOMEM;
	kh_buf_free(&buf);
	KH_TRY(err);
	x->text[x->n] = text;
	x->flags[x->n] = flags;
	x->ids[x->n] = x->n;
	x->atoms[x->n++] = atom;
	return KH_OK;
}

static void drop_expression(struct expressions *x, uint32_t i)
{
	x->n--;
	for (; i < x->n; i++) {
		x->text[i] = x->text[i + 1];
		x->flags[i] = x->flags[i + 1];
		x->atoms[i] = x->atoms[i + 1];
	}
}

static enum kh_err compile(struct builder *b, struct expressions *x, struct list32 *slow,
						   struct database *out)
{
	while (x->n > 0) {
		hs_compile_error_t *why = NULL;
		hs_database_t *db = NULL;
		hs_error_t rc = hs_compile_multi(x->text, x->flags, x->ids, x->n, HS_MODE_BLOCK, NULL, &db, &why);
		if (rc == HS_SUCCESS) {
			size_t bytes = 0;
			*out = (struct database){db, x->atoms, x->n};
			if (hs_database_size(db, &bytes) == HS_SUCCESS) b->e->stats.database_bytes += bytes;
			b->e->stats.databases++;
			return KH_OK;
		}
		int bad = why != NULL ? why->expression : -1;
		if (bad < 0 || (uint32_t)bad >= x->n) {
			enum kh_err err =
				kh_say(b->diag, KH_EFORMAT, M_SIGMA_COMPILE, why != NULL ? why->message : "", NULL);
			hs_free_compile_error(why);
			return err;
		}
		hs_free_compile_error(why);
		KH_TRY(list32_add(b->e->arena, slow, x->atoms[bad]));
		drop_expression(x, (uint32_t)bad);
	}
	return KH_OK;
}

static enum kh_err database_of(struct builder *b, const struct list32 *l, struct list32 *slow,
							   struct database *out)
{
	struct kh_arena *a = b->e->arena;
	struct expressions x = {.text = KH_ARRAY(a, const char *, (size_t)l->n + 1),
							.flags = KH_ARRAY(a, unsigned, (size_t)l->n + 1),
							.ids = KH_ARRAY(a, unsigned, (size_t)l->n + 1),
							.atoms = KH_ARRAY(a, uint32_t, (size_t)l->n + 1)};
	if (x.text == NULL || x.flags == NULL || x.ids == NULL || x.atoms == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < l->n; i++) KH_TRY(expression_of(b, l->at[i], &x));
	return compile(b, &x, slow, out);
}

static enum kh_err plain_regexes(struct builder *b)
{
	struct sigma_engine *e = b->e;
	for (uint32_t i = 0; i < e->n_atoms; i++) {
		if (e->atoms[i].pred->op != SIGMA_REGEX) continue;
		e->atoms[i].regex = predicate_regex_new(e->atoms[i].pred);
		if (e->atoms[i].regex == NULL) return KH_ENOMEM;
	}
	return KH_OK;
}

enum kh_err build_indexes(struct builder *b)
{
	struct sigma_engine *e = b->e;
	struct slot_lists *lists = KH_ARRAY(e->arena, struct slot_lists, e->n_slots);
	if (lists == NULL) return KH_ENOMEM;
	KH_TRY(sort_atoms(b, lists));
	for (uint32_t i = 0; i < e->n_slots; i++) {
		struct slot *s = &e->slots[i];
		/* a keyword is found anywhere in a value, so none is exact */
		KH_TRY(exact_index(b, s, &lists[i].exact));
		KH_TRY(database_of(b, &lists[i].folded, &lists[i].slow, &s->folded));
		KH_TRY(database_of(b, &lists[i].raw, &lists[i].slow, &s->raw));
		s->slow = lists[i].slow.at;
		s->n_slow = lists[i].slow.n;
		e->stats.slow += s->n_slow;
		e->stats.indexed += s->n_exact + s->folded.n + s->raw.n;
	}
	e->stats.slots = e->n_slots;
	e->stats.atoms = e->n_atoms;
	return plain_regexes(b);
}
