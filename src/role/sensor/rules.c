/* SPDX-License-Identifier: Apache-2.0 */
#include "role/sensor/rules.h"

#include <stdlib.h>

#include "base/log.h"
#include "codec/event/utf8.h"

enum { MAX_MAPPING = 16 << 20, MAX_REPORTED = 500, MAX_VALUE = 2048 };

static json_t *text_json(struct kh_slice s)
{
	static uint8_t mended[3 * MAX_VALUE];
	return json_stringn((const char *)mended, utf8_mend(kh_slice_to(s, MAX_VALUE), mended));
}

static void rule_id(const struct sigma_rule *r, char out[128])
{
	struct kh_slice id = r->id.n > 0 ? r->id : r->title;
	snprintf(out, 128, "%.*s", (int)id.n, (const char *)id.p);
}

const char *sensor_hit_rule_id(const struct sigma_hit *hit, char out[128])
{
	rule_id(hit->rule, out);
	return out;
}

json_t *sensor_hit_rule_json(const struct sigma_hit *hit)
{
	const struct sigma_rule *r = hit->rule;
	char id[128];
	json_t *tags = json_array(), *j;
	for (uint32_t i = 0; i < r->n_tags; i++) json_array_append_new(tags, text_json(r->tags[i]));
	rule_id(r, id);
	j = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "id", id, "title", text_json(r->title), "level",
				  sigma_level_name(r->level), "author", text_json(r->author), "license",
				  text_json(r->license), "tags", tags);
	if (r->modified.n > 0 || r->date.n > 0)
		json_object_set_new(j, "version", text_json(r->modified.n > 0 ? r->modified : r->date));
	if (r->file != NULL) json_object_set_new(j, "file", text_json(kh_str(r->file)));
	return j;
}

json_t *sensor_hit_matched_json(const struct sigma_hit *hit)
{
	json_t *all = json_array();
	for (size_t i = 0; i < hit->n_pairs; i++)
		json_array_append_new(all, json_pack("{s:o, s:o}", "field", text_json(hit->pairs[i].field), "value",
											 text_json(hit->pairs[i].value)));
	return all;
}

json_t *sensor_rules_hits(const struct sensor_rules *r)
{
	json_t *all = json_object();
	const uint64_t *hits = r->scratch != NULL ? sigma_hits(r->scratch) : NULL;
	for (size_t i = 0; hits != NULL && i < sigma_rules_count(r->rules); i++) {
		char id[128];
		if (hits[i] == 0) continue;
		rule_id(sigma_rules_at(r->rules, i), id);
		json_object_set_new(all, id, json_integer((json_int_t)hits[i]));
	}
	return all;
}

/* ---- loading ---- */

static void drop(struct sensor_rules *r)
{
	sigma_scratch_free(r->scratch);
	sigma_engine_free(r->engine);
	sigma_rules_free(r->rules);
	kh_arena_free(r->arena);
	json_decref(r->report);
	*r = (struct sensor_rules){0};
}

struct sigma_placeholders sensor_placeholders(const struct settings *s, struct kh_arena *a)
{
	const struct config_map *m = &s->placeholders;
	struct sigma_placeholder *at = KH_ARRAY(a, struct sigma_placeholder, m->n + 1);
	for (size_t i = 0; at != NULL && i < m->n; i++) {
		struct kh_slice *values = KH_ARRAY(a, struct kh_slice, m->at[i].values.n + 1);
		for (size_t j = 0; values != NULL && j < m->at[i].values.n; j++)
			values[j] = kh_str(m->at[i].values.at[j]);
		at[i] =
			(struct sigma_placeholder){kh_str(m->at[i].name), values, values != NULL ? m->at[i].values.n : 0};
	}
	return (struct sigma_placeholders){at, at != NULL ? m->n : 0};
}

static enum kh_err add_all(struct sensor_rules *r, const struct settings *s, const json_t *state,
						   struct kh_diag *diag)
{
	const json_t *v;
	size_t i;
	for (i = 0; i < s->rules.paths.n;
		 i++) { /* a folder that is not there yet is no reason to be blind elsewhere */
		struct kh_diag why;
		if (sigma_rules_add_path(r->rules, s->rules.paths.at[i], &why) != KH_OK)
			kh_log(KH_LOG_WARNING, "event=rules_path_skipped reason=\"%s\"", why.text);
	}
	json_array_foreach(json_object_get(state, "filters"), i, v)
	{
		char name[64];
		snprintf(name, sizeof name, "exception-%zu", i + 1);
		KH_TRY(sigma_rules_add_text(r->rules, name, kh_str(json_string_value(v)), diag));
	}
	json_array_foreach(json_object_get(state, "disabled"), i, v)
		sigma_rules_disable(r->rules, kh_str(json_string_value(v)));
	return KH_OK;
}

static json_t *report_of(const struct sensor_rules *r)
{
	json_t *rejected = json_array(), *waiting = json_array();
	size_t n_disabled = 0, n = sigma_rules_rejects(r->rules);
	for (size_t i = 0; i < n && i < MAX_REPORTED; i++) {
		const struct sigma_reject *j = sigma_rules_reject(r->rules, i);
		json_array_append_new(rejected,
							  json_pack("{s:o, s:i, s:o}", "file", text_json(kh_str(j->file)), "line",
										(int)j->line, "reason", text_json(kh_str(j->reason))));
	}
	for (size_t i = 0; i < sigma_rules_count(r->rules); i++) {
		const struct sigma_rule *rule = sigma_rules_at(r->rules, i);
		char id[128];
		n_disabled += rule->disabled;
		rule_id(rule, id);
		for (uint32_t w = 0; w < rule->n_waits && json_array_size(waiting) < MAX_REPORTED; w++)
			json_array_append_new(
				waiting, json_pack("{s:s, s:o}", "rule", id, "placeholder", text_json(rule->waits[w])));
	}
	struct sigma_stats stats = sigma_engine_stats(r->engine);
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I}", "files", (json_int_t)sigma_rules_files(r->rules),
		"documents", (json_int_t)sigma_rules_documents(r->rules), "loaded",
		(json_int_t)sigma_rules_count(r->rules), "n_rejected", (json_int_t)n, "rejected", rejected, "waiting",
		waiting, "disabled", (json_int_t)n_disabled, "built_ms", (json_int_t)(stats.build_ns / 1000000));
}

static enum kh_err build(struct sensor_rules *r, const struct settings *s, const json_t *state,
						 struct kh_diag *diag)
{
	r->arena = kh_arena_new(64 * 1024, MAX_MAPPING);
	if (r->arena == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	struct sigma_placeholders placeholders = sensor_placeholders(s, r->arena);
	r->rules = sigma_rules_new(&placeholders);
	if (r->rules == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	const struct config_list *names = &s->rules.mapping;
	KH_TRY(mapping_load(r->arena, names->n > 0 ? names->at : NULL, names->n, s->rules.mapping_folder,
						&r->mapping, diag));
	KH_TRY(add_all(r, s, state, diag));
	KH_TRY(sigma_engine_new(r->rules, &r->mapping, &r->engine, diag));
	r->scratch = sigma_scratch_new(r->engine);
	if (r->scratch == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	r->report = report_of(r);
	return KH_OK;
}

enum kh_err sensor_rules_load(struct sensor_rules *r, const struct settings *s, const json_t *state,
							  struct kh_diag *diag)
{
	struct sensor_rules fresh = {0};
	enum kh_err err = build(&fresh, s, state, diag);
	if (err != KH_OK) {
		drop(&fresh);
		return err;
	}
	drop(r);
	*r = fresh;
	kh_log(KH_LOG_NOTICE, "event=rules_loaded loaded=%zu rejected=%zu", sigma_rules_count(r->rules),
		   sigma_rules_rejects(r->rules));
	return KH_OK;
}
