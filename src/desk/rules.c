/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/rules.h"

#include "desk/audit.h"
#include "desk/own.h"

/* ["a", "b"] out of the first column of a query. */
static enum kh_err column(struct desk *d, const char *sql, json_t **out, struct kh_diag *diag)
{
	json_t *list = json_array();
	struct db_rows rows = db_query(d->db, sql, DB_NONE);
	while (list != NULL && db_next(&rows)) {
		struct kh_slice s = db_col_text(&rows, 0);
		json_array_append_new(list, json_stringn((const char *)s.p, s.n));
	}
	enum kh_err err = db_end(&rows, diag);
	if (err == KH_OK && list == NULL) err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err == KH_OK)
		*out = list;
	else
		json_decref(list);
	return err;
}

enum kh_err desk_rules_state(struct desk *d, json_t **out, struct kh_diag *diag)
{
	json_t *disabled, *filters;
	KH_TRY(column(d, "SELECT rule_id FROM rule_state WHERE disabled = 1 ORDER BY rule_id", &disabled, diag));
	enum kh_err err = column(d, "SELECT document FROM rule_exception ORDER BY id", &filters, diag);
	if (err == KH_OK)
		*out = json_pack("{s:o,s:o}", "disabled", disabled, "filters", filters);
	else
		json_decref(disabled);
	return err;
}

static enum kh_err show_rule(struct desk *d, const char *rule_id, json_t **out, struct kh_diag *diag)
{
	return desk_row(
		d,
		"SELECT rule_id AS id, disabled, reason, changed_ns, changed_by FROM rule_state WHERE rule_id = $1",
		DB_ARGS(db_str(rule_id)), out, diag);
}

enum kh_err rule_switch_to(struct desk *d, const char *rule_id, bool disabled, const char *reason,
						   const struct desk_actor *actor, int64_t now_ns, json_t **out, struct kh_diag *diag)
{
	char object[300];
	json_t *before, *after = NULL;
	KH_TRY(show_rule(d, rule_id, &before, diag));
	enum kh_err err = db_exec(
		d->db,
		"INSERT INTO rule_state (rule_id, disabled, reason, changed_ns, changed_by)"
		" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (rule_id) DO UPDATE SET disabled = excluded.disabled,"
		" reason = excluded.reason, changed_ns = excluded.changed_ns, changed_by = excluded.changed_by",
		DB_ARGS(db_str(rule_id), db_int(disabled), db_str(reason), db_int(now_ns), db_str(actor->who)), diag);
	if (err == KH_OK) err = show_rule(d, rule_id, &after, diag);
	snprintf(object, sizeof object, "rule:%s", rule_id);
	if (err == KH_OK)
		err =
			audit_add(d->db, actor,
					  &(struct audit_entry){disabled ? "rule.disable" : "rule.enable", object, before, after},
					  now_ns, diag);
	json_decref(before);
	d->rules_touched = true;
	if (err == KH_OK)
		*out = after;
	else
		json_decref(after);
	return err;
}

static enum kh_err show_exception(struct desk *d, const char *id, json_t **out, struct kh_diag *diag)
{
	return desk_row(d, "SELECT id, title, document, created_ns, created_by FROM rule_exception WHERE id = $1",
					DB_ARGS(db_str(id)), out, diag);
}

static enum kh_err note_exception(struct desk *d, const char *action, const char *id, const json_t *before,
								  const json_t *after, const struct desk_actor *actor, int64_t now_ns,
								  struct kh_diag *diag)
{
	char object[KH_UUID_TEXT + 12];
	snprintf(object, sizeof object, "exception:%s", id);
	d->rules_touched = true;
	return audit_add(d->db, actor, &(struct audit_entry){action, object, before, after}, now_ns, diag);
}

enum kh_err exception_create(struct desk *d, const char *title, struct kh_slice document,
							 const struct desk_actor *actor, int64_t now_ns, json_t **out,
							 struct kh_diag *diag)
{
	char id[KH_UUID_TEXT];
	json_t *row;
	kh_uuid7(id, now_ns);
	KH_TRY(db_exec(d->db,
				   "INSERT INTO rule_exception (id, title, document, created_ns, created_by) VALUES ($1, $2, "
				   "$3, $4, $5)",
				   DB_ARGS(db_str(id), db_str(title), db_text(document), db_int(now_ns), db_str(actor->who)),
				   diag));
	KH_TRY(show_exception(d, id, &row, diag));
	enum kh_err err = note_exception(d, "exception.create", id, NULL, row, actor, now_ns, diag);
	if (err == KH_OK)
		*out = row;
	else
		json_decref(row);
	return err;
}

enum kh_err exception_remove(struct desk *d, const char *id, const struct desk_actor *actor, int64_t now_ns,
							 bool *found, struct kh_diag *diag)
{
	json_t *before;
	KH_TRY(show_exception(d, id, &before, diag));
	*found = before != NULL;
	enum kh_err err = KH_OK;
	if (*found) err = db_exec(d->db, "DELETE FROM rule_exception WHERE id = $1", DB_ARGS(db_str(id)), diag);
	if (*found && err == KH_OK)
		err = note_exception(d, "exception.delete", id, before, NULL, actor, now_ns, diag);
	json_decref(before);
	return err;
}
