/* SPDX-License-Identifier: Apache-2.0
 * rules.h - the sensor's set of rules: read from the settings' paths, less what operators disabled, with the
 * filters they added. A new set is built beside the old one and swaps in whole, or the old one stays. */
#ifndef KH_ROLE_SENSOR_RULES_H
#define KH_ROLE_SENSOR_RULES_H
#include <jansson.h>

#include "engine/sigma/sigma.h"
#include "role/settings.h"

struct sensor_rules {
	struct kh_arena *arena; /* the mapping's */
	struct mapping mapping;
	struct sigma_rules *rules;
	struct sigma_engine *engine;
	struct sigma_scratch *scratch;
	json_t *report; /* {"files", "documents", "loaded", "rejected": [...], "waiting": [...], "disabled",
					   "built_ms"} */
};

/* `state` is the desk's {"disabled": [ids], "filters": [texts]}. */
KH_MUST_USE enum kh_err sensor_rules_load(struct sensor_rules *r, const struct settings *s,
										  const json_t *state, struct kh_diag *diag);
json_t *sensor_rules_hits(const struct sensor_rules *r); /* {rule id: hits}, those above zero */
/* The site's placeholders as the engine takes them; in the arena, texts borrowed from the settings. */
struct sigma_placeholders sensor_placeholders(const struct settings *s, struct kh_arena *a);
/* Parts of a hit as the desk wants them. */
const char *sensor_hit_rule_id(const struct sigma_hit *hit, char out[128]);
json_t *sensor_hit_rule_json(const struct sigma_hit *hit);
json_t *sensor_hit_matched_json(const struct sigma_hit *hit);
#endif
