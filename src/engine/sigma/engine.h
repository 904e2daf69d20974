/* SPDX-License-Identifier: Apache-2.0
 * sigma/engine.h - the compiled form, shared by compile.c (which makes it) and match.c (which runs it).
 * Inside the folder only. A slot is a field that a rule or a pack names; an atom is one distinct predicate; a
 * bucket is one distinct log source of rules. Everything is immutable after sigma_engine_new. */
#ifndef KH_ENGINE_SIGMA_ENGINE_H
#define KH_ENGINE_SIGMA_ENGINE_H
#include <hs.h>

#include "base/map.h"
#include "engine/sigma/predicate.h"
#include "engine/sigma/sigma.h"

#define NO_ATOM UINT32_MAX /* past what an enumerator may hold */
#define NO_SLOT UINT32_MAX
enum { KEYWORD_SLOT = 0, SLOT_MAX = 65536 };

struct atom {
	const struct sigma_pred *pred;
	uint32_t slot, other;          /* other: the field that a fieldref names */
	struct predicate_regex *regex; /* for what the plain evaluator answers */
	uint32_t rules, n_rules;       /* triggers[rules ...]: rules to look at when the atom holds */
};

struct exact_entry {
	struct kh_slice key; /* folded; NULL: free */
	uint32_t atom;
	uint64_t hash;
};

struct database {
	hs_database_t *db;
	const uint32_t *atoms; /* pattern id -> atom */
	uint32_t n;
};

struct slot {
	struct kh_slice name; /* as rules spell it */
	struct exact_entry *exact;
	uint32_t exact_cap, n_exact, max_exact; /* max_exact: longest key */
	bool numeric;
	struct database folded, raw; /* over the folded value; over the value itself, UTF-8 */
	const uint32_t *slow;
	uint32_t n_slow;
	uint32_t present, filled, exists; /* atoms */
};

struct node {
	enum sigma_expr_kind kind;
	uint32_t first, n, need; /* kids[first ...] */
	uint32_t atom;
};

struct compiled {
	const struct sigma_rule *rule;
	uint32_t root, bucket, index;
	uint32_t filters, n_filters; /* engine.filters[filters ...] */
};

struct bucket {
	struct sigma_logsource logsource;
	bool claimed; /* some source of a pack speaks of it */
	uint64_t *slots;
	const uint32_t *always; /* rules to look at whatever holds */
	uint32_t n_always;
};

struct source_test {
	uint32_t slot;
	bool any;
	const struct kh_slice *values; /* folded */
	uint32_t n_values;
};

struct source_case {
	const struct source_test *tests;
	uint32_t n;
};

struct source_alias {
	uint32_t to, n_from;
	const uint32_t *from;
};

struct source {
	const struct source_case *cases;
	uint32_t n_cases, pack;
	const struct source_alias *aliases;
	uint32_t n_aliases;
	const uint32_t *buckets;
	uint32_t n_buckets;
	const uint32_t *host;
	uint32_t n_host;
};

struct target {
	uint32_t slot, rank; /* the lowest rank wins a slot */
	struct target *next;
};

struct pack_facts {
	const uint32_t *host, *time, *address;
	uint32_t n_host, n_time, n_address;
};

struct sigma_engine {
	struct kh_arena *arena;
	const struct mapping *mapping;
	struct slot *slots;
	uint32_t n_slots, slot_words;
	struct kh_map *slot_of;  /* folded name -> slot + 1 */
	struct kh_map *alias_of; /* folded source name -> struct target list */
	struct kh_slice *strip;  /* all packs' prefixes */
	uint32_t n_strip;
	uint64_t *pairs, *splits; /* slots: hold KEY=value lists; discriminate sources */
	uint32_t *discriminators, n_discriminators;
	struct atom *atoms;
	uint32_t n_atoms;
	uint32_t *triggers;
	struct node *nodes;
	uint32_t *kids;
	struct compiled *rules;
	uint32_t n_rules, n_documents; /* documents: of the rule set, filters and all */
	uint32_t *rule_of;             /* index in the rule set -> rules, UINT32_MAX for filters */
	const struct sigma_rule **filters;
	struct bucket *buckets;
	uint32_t n_buckets, bucket_words;
	struct source *sources;
	uint32_t n_sources, source_words;
	struct pack_facts *packs;
	struct sigma_stats stats;
	uint64_t seed;
};

/* Text of a number by which equal numbers are equal texts. */
size_t number_key(double n, char out[40]);
uint64_t quick_hash(struct kh_slice s, uint64_t seed);

static inline bool bit_get(const uint64_t *bits, uint32_t i)
{
	return (bits[i >> 6] >> (i & 63) & 1) != 0;
}

static inline void bit_set(uint64_t *bits, uint32_t i)
{
	bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

/* The slot of a field name in any case, NO_SLOT when nobody asks for it. */
uint32_t engine_slot(const struct sigma_engine *e, struct kh_slice name);
#endif
