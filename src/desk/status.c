/* SPDX-License-Identifier: Apache-2.0
 * status.c - how the desk is, for people (status) and for machines (metrics). */
#include <inttypes.h>
#include <malloc.h>

#include "desk/api_own.h"
#include "desk/input.h"

/* {"<first column>": <second column>, ...} */
static enum kh_err counts(struct desk *d, const char *sql, json_t **out, struct kh_diag *diag)
{
	json_t *all = json_object();
	struct db_rows r = db_query(d->db, sql, DB_NONE);
	while (db_next(&r))
		json_object_set_new(all, db_col_str(&r, 0), json_integer((json_int_t)db_col_int(&r, 1)));
	enum kh_err err = db_end(&r, diag);
	if (err == KH_OK)
		*out = all;
	else
		json_decref(all);
	return err;
}

static const struct {
	const char *name, *sql;
} tables[] = {
	{"findings", "SELECT rule_level, COUNT(*) FROM finding GROUP BY rule_level"},
	{"incidents", "SELECT state, COUNT(*) FROM incident GROUP BY state"},
	{"outbox", "SELECT state, COUNT(*) FROM outbox GROUP BY state"},
	{"records",
	 "SELECT 'organisations', COUNT(*) FROM organisation UNION ALL SELECT 'contacts', COUNT(*) FROM contact"
	 " UNION ALL SELECT 'systems', COUNT(*) FROM system UNION ALL SELECT 'assets', COUNT(*) FROM asset"},
	{"attention", "SELECT 'incidents_without_organisation', COUNT(*) FROM incident WHERE state <> 'closed' "
				  "AND organisation_id IS NULL"
				  " UNION ALL SELECT 'incidents_never_mailed', COUNT(*) FROM incident WHERE state = 'open' "
				  "AND mailed_ns IS NULL"
				  " UNION ALL SELECT 'mails_uncertain', COUNT(*) FROM outbox WHERE state = 'uncertain'"
				  " UNION ALL SELECT 'rules_disabled', COUNT(*) FROM rule_state WHERE disabled = 1"
				  " UNION ALL SELECT 'mutes_active', COUNT(*) FROM mute WHERE ended_ns IS NULL"},
};

static json_t *intake_json(struct desk *d)
{
	char at[KH_TIME_TEXT];
	bool stopped = d->intake_stopped[0] != '\0';
	json_t *i = json_pack("{s:s,s:I,s:I,s:I}", "state", stopped ? "stopped" : "running", "batches",
						  (json_int_t)d->batches, "repeated", (json_int_t)d->batches_repeated, "refused",
						  (json_int_t)d->batches_refused);
	if (stopped) {
		json_object_set_new(i, "reason", json_string(d->intake_stopped));
		json_object_set_new(i, "since", json_string(kh_time_rfc3339(at, d->intake_stopped_ns)));
	}
	return i;
}

static json_t *store_json(struct desk *d)
{
	return json_pack("{s:s,s:I,s:I,s:I,s:I}", "engine", db_engine(), "schema",
					 (json_int_t)db_schema_version(d->db), "bytes", (json_int_t)db_bytes(d->db), "max_bytes",
					 (json_int_t)d->settings.store_max_bytes, "memory", (json_int_t)db_memory());
}

static enum kh_err gather(struct desk *d, int64_t now_ns, json_t *out, struct kh_diag *diag)
{
	json_t *part;
	char at[KH_TIME_TEXT];
	struct mallinfo2 heap = mallinfo2();
	json_object_set_new(out, "version", json_string(KH_VERSION));
	json_object_set_new(out, "time", json_string(kh_time_rfc3339(at, now_ns)));
	json_object_set_new(out, "intake", intake_json(d));
	json_object_set_new(out, "store", store_json(d));
	json_object_set_new(out, "memory", json_pack("{s:I}", "heap", (json_int_t)heap.uordblks));
	json_object_set(out, "roles", d->roles);
	KH_TRY(input_list(d, now_ns, &part, diag));
	json_object_set_new(out, "inputs", part);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		KH_TRY(counts(d, tables[i].sql, &part, diag));
		json_object_set_new(out, tables[i].name, part);
	}
	return KH_OK;
}

enum kh_err status_show(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	r->json = json_object();
	return gather(d, c->now_ns, r->json, diag);
}

/* ---- Prometheus text (exposition format 0.0.4) ---- */

static void head(struct kh_buf *b, const char *name, const char *type, const char *help)
{
	kh_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Label values: backslash, quote and newline escaped. */
static void label(struct kh_buf *b, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"') kh_buf_char(b, '\\');
		kh_buf_char(b, *value == '\n' ? ' ' : *value);
	}
}

static void sample(struct kh_buf *b, const char *name, const char *key, const char *value, int64_t n)
{
	kh_buf_text(b, name);
	if (key != NULL) {
		kh_buf_printf(b, "{%s=\"", key);
		label(b, value);
		kh_buf_text(b, "\"}");
	}
	kh_buf_printf(b, " %" PRId64 "\n", n);
}

static void by_key(struct kh_buf *b, const char *name, const char *type, const char *key, const char *help,
				   json_t *object)
{
	const char *k;
	json_t *v;
	head(b, name, type, help);
	json_object_foreach(object, k, v) sample(b, name, key, k, (int64_t)json_integer_value(v));
}

static void one(struct kh_buf *b, const char *name, const char *type, const char *help, int64_t n)
{
	head(b, name, type, help);
	sample(b, name, NULL, NULL, n);
}

static const struct {
	const char *member, *name, *help;
} input_metrics[] = {
	{"events", "khien_input_events_total", "Events read from an input."},
	{"lines", "khien_input_lines_total", "Lines read from an input."},
	{"bytes", "khien_input_bytes_total", "Bytes read from an input."},
};

static void put_inputs(struct kh_buf *b, const json_t *inputs)
{
	json_t *input, *v;
	const char *reason;
	size_t i;
	for (size_t m = 0; m < sizeof input_metrics / sizeof *input_metrics; m++) {
		head(b, input_metrics[m].name, "counter", input_metrics[m].help);
		json_array_foreach(inputs, i, input)
			sample(b, input_metrics[m].name, "input", json_string_value(json_object_get(input, "name")),
				   (int64_t)json_integer_value(json_object_get(input, input_metrics[m].member)));
	}
	head(b, "khien_input_rejected_total", "counter", "Lines that an input could not read, by reason.");
	json_array_foreach(inputs, i, input) json_object_foreach(json_object_get(input, "rejected"), reason, v)
	{
		kh_buf_text(b, "khien_input_rejected_total{input=\"");
		label(b, json_string_value(json_object_get(input, "name")));
		kh_buf_text(b, "\",reason=\"");
		label(b, reason);
		kh_buf_printf(b, "\"} %" PRId64 "\n", (int64_t)json_integer_value(json_object_get(v, "count")));
	}
}

static void put_roles(struct kh_buf *b, json_t *roles)
{
	static const char *const members[][3] = {
		{"rss", "khien_role_resident_bytes", "Resident memory of a role."},
		{"restarts", "khien_role_restarts_total", "Restarts of a role."}};
	const char *role;
	json_t *state;
	for (size_t m = 0; m < 2; m++) {
		head(b, members[m][1], m == 0 ? "gauge" : "counter", members[m][2]);
		json_object_foreach(roles, role, state)
		{
			const json_t *v = json_object_get(state, members[m][0]);
			if (json_is_integer(v)) sample(b, members[m][1], "role", role, (int64_t)json_integer_value(v));
		}
	}
}

enum kh_err metrics_show(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	json_t *s = json_object();
	enum kh_err err = gather(d, c->now_ns, s, diag);
	struct kh_buf *b = &r->text;
	b->limit = 16 << 20;
	head(b, "khien_info", "gauge", "The program's version.");
	sample(b, "khien_info", "version", KH_VERSION, 1);
	one(b, "khien_intake_running", "gauge", "1 while events are taken in.", d->intake_stopped[0] == '\0');
	one(b, "khien_intake_batches_total", "counter", "Batches stored since start.", d->batches);
	one(b, "khien_intake_refused_total", "counter", "Batches refused since start.", d->batches_refused);
	one(b, "khien_store_bytes", "gauge", "Size of the database.", db_bytes(d->db));
	put_inputs(b, json_object_get(s, "inputs"));
	by_key(b, "khien_findings", "gauge", "level", "Findings by level.", json_object_get(s, "findings"));
	by_key(b, "khien_incidents", "gauge", "state", "Incidents by state.", json_object_get(s, "incidents"));
	by_key(b, "khien_outbox", "gauge", "state", "Errands by state.", json_object_get(s, "outbox"));
	by_key(b, "khien_attention", "gauge", "what", "What somebody should look at.",
		   json_object_get(s, "attention"));
	put_roles(b, d->roles);
	r->type = "text/plain; version=0.0.4; charset=utf-8";
	json_decref(s);
	if (err == KH_OK && b->err != KH_OK) err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	return err;
}
