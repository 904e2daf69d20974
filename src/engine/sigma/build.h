/* SPDX-License-Identifier: Apache-2.0
 * sigma/build.h - what the files that build an engine share. Inside the folder only.
 * Growing arrays live in the engine's arena; each doubling leaves the old half behind, which the arena's
 * limit bounds. Errors: the first failed allocation makes every later step KH_ENOMEM. */
#ifndef KH_ENGINE_SIGMA_BUILD_H
#define KH_ENGINE_SIGMA_BUILD_H
#include "engine/sigma/engine.h"

struct list32 {
	uint32_t *at;
	uint32_t n, cap;
};

struct builder {
	struct sigma_engine *e;
	struct kh_map *atom_of; /* text of a predicate -> atom + 1 */
	uint32_t slot_cap, atom_cap, node_cap, n_nodes;
	struct list32 kids;
	struct list32 *atom_rules; /* by atom, as far as known */
	uint32_t atom_rules_cap;
	struct kh_diag *diag;
};

/* NULL when out of memory; the new part is zeroed. */
void *build_grow(struct kh_arena *a, void *old, uint32_t n, uint32_t *cap, size_t size);
KH_MUST_USE enum kh_err list32_add(struct kh_arena *a, struct list32 *l, uint32_t v);
KH_MUST_USE enum kh_err build_slot(struct builder *b, struct kh_slice name, uint32_t *out);
KH_MUST_USE enum kh_err build_names(struct builder *b, const struct mapping *m);     /* build_names.c */
KH_MUST_USE enum kh_err build_rules(struct builder *b, const struct sigma_rules *r); /* build_rules.c */
KH_MUST_USE enum kh_err build_sources(struct builder *b, const struct mapping *m);   /* build_names.c */
KH_MUST_USE enum kh_err build_indexes(struct builder *b);                            /* build_index.c */
#endif
