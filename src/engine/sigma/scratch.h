/* SPDX-License-Identifier: Apache-2.0
 * sigma/scratch.h - the memory of one matching thread: names seen, log source classes seen, and the values
 * and atoms of the event in hand. Inside the folder only. Shared by resolve.c, classify.c, match.c and ask.c.
 * Bounds: NAMES_MAX names and CLASSES_MAX classes are remembered; past that they are worked out again. */
#ifndef KH_ENGINE_SIGMA_SCRATCH_H
#define KH_ENGINE_SIGMA_SCRATCH_H
#include "engine/sigma/engine.h"

enum {
	NAMES_CAP = 1 << 15, /* places in the table of names; half of it is used */
	NAMES_MAX = 1 << 14,
	NAME_TARGETS = 12,
	CLASSES_MAX = 1 << 10,
	SPLITS_MAX = 4096, /* values that one event's KEY=value lists may add */
	VALUES_MAX = EVENT_MAX_FIELDS * NAME_TARGETS + SPLITS_MAX + 4096, /* the rest: aliases of a source */
};

#define NO_VALUE UINT32_MAX

struct name_target {
	uint32_t slot, rank;
};

struct name_entry {
	struct kh_slice name; /* own copy; NULL: free */
	uint64_t hash;
	uint32_t n;
	struct name_target at[NAME_TARGETS];
};

struct value_ref {
	struct kh_slice text;
	bool null;
	uint32_t next;
};

struct slot_state {
	uint32_t first, last, rank, name; /* name: the event field that supplies it now */
	bool used;
};

/* What is worked out once for all events of the same log sources. */
struct class
{
	uint64_t key[2];
	bool used;
	uint64_t *buckets, *slots;
	uint32_t *always, n_always;
	uint32_t *active, n_active; /* sources that claim the event */
};

struct sigma_scratch {
	const struct sigma_engine *engine;
	struct kh_arena *names_arena, *class_arena;
	struct name_entry *names;
	uint32_t n_names;
	struct class *classes;
	uint32_t n_classes;
	const struct class *class_now;
	const struct event *event;
	struct slot_state *slots;
	uint32_t *touched, n_touched;
	struct value_ref *values;
	uint32_t n_values, n_splits;
	uint64_t *atoms; /* bits */
	uint32_t *fired, n_fired;
	uint32_t *stamps, stamp; /* by rule */
	uint32_t *candidates, n_candidates;
	uint64_t *hits;
	uint8_t *fold;
	size_t fold_cap;
	hs_scratch_t *hs;
	struct predicate_scratch *plain;
	struct sigma_pair pairs[SIGMA_MAX_PAIRS];
	struct sigma_facts facts;
	bool facts_ready;
};

/* resolve.c */
KH_MUST_USE enum kh_err scratch_fill(struct sigma_scratch *s, const struct event *event);
void scratch_apply_aliases(struct sigma_scratch *s);
void scratch_clear(struct sigma_scratch *s);
/* The first value of a slot that is not null, NULL when it has none. */
const struct value_ref *scratch_value(const struct sigma_scratch *s, uint32_t slot);
/* The folded value, in the value's own bytes when they are ASCII and `fold_ascii` is not set. */
KH_MUST_USE enum kh_err scratch_fold(struct sigma_scratch *s, struct kh_slice value, bool fold_ascii,
									 struct kh_slice *out);
/* Is the event a line of text, whose raw form keywords are looked for in? */
bool scratch_is_text(const struct event *event);

/* classify.c */
KH_MUST_USE enum kh_err scratch_classify(struct sigma_scratch *s, const struct sigma_logsource *declared);
#endif
