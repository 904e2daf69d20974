/* SPDX-License-Identifier: Apache-2.0
 * sigma/mapping.h - mapping packs: which log sources an event belongs to, and which of its fields supplies
 * which Sigma field. The format is docs/mapping.md; the packs of the program are share/mapping/, embedded.
 * Input: YAML written by an operator, total and bounded. Ownership: everything lives in the arena given.
 * Errors: KH_EFORMAT with pack name and line in the diag. Threads: immutable once loaded. */
#ifndef KH_ENGINE_SIGMA_MAPPING_H
#define KH_ENGINE_SIGMA_MAPPING_H
#include "base/arena.h"
#include "base/slice.h"
#include "engine/sigma/rule.h"

enum { MAPPING_MAX_BYTES = 1 << 20, MAPPING_MAX_SOURCES = 1024 };

struct mapping_list {
	const struct kh_slice *at;
	uint32_t n;
};

/* `field` gets the values of the first of `from` that the event has. */
struct mapping_alias {
	struct kh_slice field;
	struct mapping_list from;
};

struct mapping_aliases {
	const struct mapping_alias *at;
	uint32_t n;
};

/* One test of `when`: the field equals one of the values (case ignored), or is there at all ("*"). */
struct mapping_test {
	struct kh_slice field;
	struct mapping_list values;
	bool any;
};

struct mapping_case { /* all tests hold */
	const struct mapping_test *at;
	uint32_t n;
};

struct mapping_source {
	struct mapping_list product, category, service;
	const struct mapping_case *cases; /* any case holds */
	uint32_t n_cases;
	struct mapping_aliases fields;
	struct mapping_list host; /* in place of the pack's, when there is any */
};

struct mapping_pack {
	struct kh_slice name;
	struct mapping_list strip; /* prefixes taken off the names of fields */
	struct mapping_list pairs; /* fields that hold "KEY=value,KEY=value" */
	struct mapping_aliases fields;
	const struct mapping_source *sources;
	uint32_t n_sources;
	struct mapping_list host, time, address; /* who, when, where: best first */
};

struct mapping {
	const struct mapping_pack *packs;
	uint32_t n_packs;
};

/* Reads one pack. `name` is for messages and must equal the pack's own name. */
KH_MUST_USE enum kh_err mapping_pack_parse(struct kh_arena *a, const char *name, struct kh_slice yaml,
										   struct mapping_pack *out, struct kh_diag *diag);
/* The embedded packs: all of them with names NULL, else those named. KH_EFORMAT names an unknown pack. */
KH_MUST_USE enum kh_err mapping_load(struct kh_arena *a, const char *const *names, size_t n_names,
									 const char *folder, struct mapping *out, struct kh_diag *diag);
/* Does a rule of this log source speak of events of this source? */
bool mapping_speaks(const struct mapping_source *source, const struct sigma_logsource *rule);
#endif
