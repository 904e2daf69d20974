/* SPDX-License-Identifier: Apache-2.0
 * sigma/sigma.h - the Sigma engine's door: rules in, events in, matches out.
 * A sigma_rules is a set of documents read from files; a sigma_engine is built from it once and never
 * changes, so a reload builds a new one and swaps; a sigma_scratch is what one thread needs to match.
 * Ownership: the engine borrows the rules and the mapping: free them after it. What a hit points at dies with
 * the event. Errors: a broken document becomes a sigma_reject and never hides the others.
 * Cost: sigma_match is O(bytes of the fields that rules name) and does not allocate once it is warm.
 * Threads: rules and engine may be shared when built; a scratch belongs to one thread. */
#ifndef KH_ENGINE_SIGMA_SIGMA_H
#define KH_ENGINE_SIGMA_SIGMA_H
#include "codec/event/event.h"
#include "engine/sigma/mapping.h"
#include "engine/sigma/rule.h"

enum {
	SIGMA_MAX_PAIRS = 64,    /* matched pairs reported with one hit */
	SIGMA_MAX_ADDRESSES = 8, /* addresses reported with one event */
	SIGMA_MAX_FILES = 200000,
};

/* ---- rules ---- */

struct sigma_reject {
	const char *file, *reason;
	uint32_t line;
};

struct sigma_rules;
/* The placeholders are borrowed until the last add. NULL when out of memory. */
struct sigma_rules *sigma_rules_new(const struct sigma_placeholders *placeholders);
void sigma_rules_free(struct sigma_rules *r); /* NULL is allowed */
/* A file, or a folder with all its *.yml and *.yaml, in the order of their names. KH_ESYS when it cannot be
 * read. */
KH_MUST_USE enum kh_err sigma_rules_add_path(struct sigma_rules *r, const char *path, struct kh_diag *diag);
/* The documents of one text. `file` is copied. Only KH_ENOMEM and KH_ELIMIT fail; the rest are rejects. */
KH_MUST_USE enum kh_err sigma_rules_add_text(struct sigma_rules *r, const char *file, struct kh_slice yaml,
											 struct kh_diag *diag);
/* Rules with this id no longer match. False: there is none. */
bool sigma_rules_disable(struct sigma_rules *r, struct kh_slice id);
size_t sigma_rules_files(const struct sigma_rules *r);
size_t sigma_rules_count(const struct sigma_rules *r); /* documents that loaded, filters too */
const struct sigma_rule *sigma_rules_at(const struct sigma_rules *r, size_t i);
size_t sigma_rules_rejects(const struct sigma_rules *r);
const struct sigma_reject *sigma_rules_reject(const struct sigma_rules *r, size_t i);
/* Every document that was met, loaded or not. */
size_t sigma_rules_documents(const struct sigma_rules *r);

/* ---- engine ---- */

struct sigma_stats {
	size_t rules, filters, slots, atoms, indexed, slow, databases, database_bytes, always;
	int64_t build_ns;
};

struct sigma_engine;
KH_MUST_USE enum kh_err sigma_engine_new(const struct sigma_rules *rules, const struct mapping *mapping,
										 struct sigma_engine **out, struct kh_diag *diag);
void sigma_engine_free(struct sigma_engine *e); /* NULL is allowed */
struct sigma_stats sigma_engine_stats(const struct sigma_engine *e);

/* ---- events ---- */

struct sigma_pair {
	struct kh_slice field, value; /* an empty field: found anywhere (keywords) */
};

struct sigma_facts {
	struct kh_slice host; /* what the event speaks of; empty when no pack knows */
	bool has_time;
	int64_t time_ns;
	struct kh_slice addresses[SIGMA_MAX_ADDRESSES];
	size_t n_addresses;
};

struct sigma_hit {
	const struct sigma_rule *rule;
	size_t index; /* of the rule, as in sigma_rules_at */
	const struct sigma_pair *pairs;
	size_t n_pairs;
	const struct sigma_facts *facts;
};

/* Called for each rule that matches, in the order of the rules. */
typedef void sigma_hit_fn(const struct sigma_hit *hit, void *context);

struct sigma_scratch;
struct sigma_scratch *sigma_scratch_new(const struct sigma_engine *e); /* NULL when out of memory */
void sigma_scratch_free(struct sigma_scratch *s);                      /* NULL is allowed */
/* `declared`: what the input is known to be, or NULL to let the mapping say. KH_ENOMEM is the only error. */
KH_MUST_USE enum kh_err sigma_match(const struct sigma_engine *e, struct sigma_scratch *s,
									const struct event *event, const struct sigma_logsource *declared,
									sigma_hit_fn *hit, void *context);
/* Facts of the event last matched. */
const struct sigma_facts *sigma_facts(const struct sigma_engine *e, struct sigma_scratch *s);
/* Hits of each rule so far, by index. */
const uint64_t *sigma_hits(const struct sigma_scratch *s);

/* ---- the plain way, for explain and for the tests ---- */

enum sigma_truth { SIGMA_FALSE, SIGMA_TRUE, SIGMA_MISSING }; /* missing: false, and the field is not there */
/* What one predicate of a rule said of the event last given to sigma_match. */
enum sigma_truth sigma_ask(const struct sigma_engine *e, struct sigma_scratch *s, const struct sigma_pred *p);
/* The whole condition by asking every predicate plainly, without log source and filters. */
bool sigma_ask_expr(const struct sigma_engine *e, struct sigma_scratch *s, const struct sigma_expr *x);
/* Does the event last given belong to the rule's log source? */
bool sigma_ask_logsource(const struct sigma_engine *e, const struct sigma_scratch *s, size_t rule);
/* Filters that apply to the rule, in order; NULL past the last. */
const struct sigma_rule *sigma_filter_of(const struct sigma_engine *e, size_t rule, size_t i);
#endif
