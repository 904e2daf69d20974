/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/contact.h"

#include "api/hours.h"
#include "desk/record.h"

enum { MAX_LEVELS = 32, MAX_CONTACTS = 64, OFF_DUTY = 100 };

static int role_rank(struct kh_slice role)
{
	static const char *const order[] = {"duty", "technical", "lead", "leader"};
	for (int i = 0; i < 4; i++)
		if (kh_slice_is(role, order[i])) return i;
	return 4;
}

static json_t *contact_json(const struct db_rows *row, bool on_duty)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:b}", "name", db_col_str(row, 0), "role", db_col_str(row, 1),
					 "email", db_col_str(row, 2), "phone", db_col_str(row, 3), "organisation",
					 db_col_str(row, 5), "on_duty", on_duty);
}

/* Adds the best-ranked contacts of one organisation; *rank >= OFF_DUTY: nobody is awake; -1: there are none.
 */
static enum kh_err best_of(struct desk *d, const char *organisation, int64_t now_ns, json_t *out, int *rank,
						   struct kh_diag *diag)
{
	json_t *best = json_array();
	int best_rank = -1;
	struct db_rows rows = db_query(
		d->db,
		"SELECT contact.name, contact.role, contact.email, contact.phone, contact.hours, organisation.name"
		" FROM contact JOIN organisation ON organisation.id = contact.organisation_id"
		" WHERE contact.organisation_id = $1 AND contact.email <> '' ORDER BY contact.id",
		DB_ARGS(db_str(organisation)));
	while (db_next(&rows)) {
		bool on_duty = hours_hold(db_col_text(&rows, 4), now_ns);
		int r = role_rank(db_col_text(&rows, 1)) + (on_duty ? 0 : OFF_DUTY);
		if (best_rank >= 0 && r > best_rank) continue;
		if (r != best_rank) json_array_clear(best);
		best_rank = r;
		if (json_array_size(best) < MAX_CONTACTS) json_array_append_new(best, contact_json(&rows, on_duty));
	}
	enum kh_err err = db_end(&rows, diag);
	if (err == KH_OK) {
		json_array_extend(out, best);
		*rank = best_rank;
	}
	json_decref(best);
	return err;
}

/* The id above, or the authority when `id` is NULL. *found false: there is none. */
static enum kh_err step_up(struct desk *d, const char *id, char out[KH_UUID_TEXT], bool *found,
						   struct kh_diag *diag)
{
	const char *parent = "SELECT parent_id FROM organisation WHERE id = $1 AND parent_id IS NOT NULL";
	const char *authority = "SELECT id FROM organisation WHERE kind = 'authority'"
							" ORDER BY CASE WHEN parent_id IS NULL THEN 0 ELSE 1 END, id LIMIT 1";
	struct db_rows rows =
		id != NULL ? db_query(d->db, parent, DB_ARGS(db_str(id))) : db_query(d->db, authority, DB_NONE);
	*found = db_next(&rows);
	if (*found) snprintf(out, KH_UUID_TEXT, "%s", db_col_str(&rows, 0));
	return db_end(&rows, diag);
}

struct ladder {
	char id[MAX_LEVELS][KH_UUID_TEXT];
	int n;
};

/* The organisation, its parents, and the authority if that is not among them. */
static enum kh_err climb(struct desk *d, const char *organisation, struct ladder *l, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT];
	bool found = organisation != NULL, seen = false;
	if (found) snprintf(id, sizeof id, "%s", organisation);
	while (found && l->n < MAX_LEVELS - 1) {
		memcpy(l->id[l->n++], id, sizeof id);
		KH_TRY(step_up(d, l->id[l->n - 1], id, &found, diag));
	}
	KH_TRY(step_up(d, NULL, id, &found, diag));
	for (int i = 0; i < l->n; i++) seen = seen || strcmp(l->id[i], id) == 0;
	if (found && !seen) memcpy(l->id[l->n++], id, sizeof id);
	return KH_OK;
}

static enum kh_err choose(struct desk *d, const struct ladder *l, int from, int64_t now_ns, json_t *out,
						  struct kh_diag *diag)
{
	int rank = -1;
	for (; from < l->n && rank < 0; from++) KH_TRY(best_of(d, l->id[from], now_ns, out, &rank, diag));
	bool awake = rank >= 0 && rank < OFF_DUTY;
	for (; from < l->n && !awake; from++) {
		json_t *above = json_array();
		enum kh_err err = best_of(d, l->id[from], now_ns, above, &rank, diag);
		awake = err == KH_OK && rank >= 0 && rank < OFF_DUTY;
		if (awake) json_array_extend(out, above);
		json_decref(above);
		KH_TRY(err);
	}
	return KH_OK;
}

enum kh_err contact_choose(struct desk *d, const char *organisation, int64_t above, int64_t now_ns,
						   json_t **out, bool *beyond, struct kh_diag *diag)
{
	struct ladder l = {.n = 0};
	KH_TRY(climb(d, organisation, &l, diag));
	json_t *list = json_array();
	if (list == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	*beyond = above >= l.n;
	enum kh_err err = *beyond ? KH_OK : choose(d, &l, (int)above, now_ns, list, diag);
	if (err == KH_OK)
		*out = list;
	else
		json_decref(list);
	return err;
}

/* ---- import ---- */

static enum kh_err write_one(struct import *im, const json_t *cells, int64_t line, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT];
	const char *organisation = record_cell(cells, "organisation");
	KH_TRY(db_exec(
		im->d->db,
		"INSERT INTO contact (id, organisation_id, name, role, email, phone, hours, language, created_ns,"
		" changed_ns) SELECT $1, organisation.id, $3, $4, $5, $6, $7, $8, $9, $9 FROM organisation"
		" WHERE organisation.code = $2 ON CONFLICT (organisation_id, email, role) DO UPDATE SET"
		" name = excluded.name, phone = excluded.phone, hours = excluded.hours, language = excluded.language,"
		" changed_ns = excluded.changed_ns",
		DB_ARGS(db_str(kh_uuid7(id, im->now_ns)), db_str(organisation), db_str(record_cell(cells, "name")),
				db_str(record_cell(cells, "role")), db_str(record_cell(cells, "email")),
				db_str(record_cell(cells, "phone")), db_str(record_cell(cells, "hours")),
				db_str(record_cell(cells, "language")), db_int(im->now_ns)),
		diag));
	if (db_changes(im->d->db) == 0)
		import_error(im, line, "organisation", M_NO_ORGANISATION, organisation, NULL);
	return KH_OK;
}

const struct record_kind contact_kind = {
	.name = "contacts",
	.one = "contact",
	.columns = "organisation.code AS organisation, contact.name AS name, contact.role AS role, contact.email "
			   "AS email,"
			   " contact.phone AS phone, contact.hours AS hours, contact.language AS language",
	.from = " FROM contact JOIN organisation ON organisation.id = contact.organisation_id",
	.where = " WHERE organisation.code = $1 AND contact.email = $2 AND contact.role = $3",
	.keys = {"organisation", "email", "role"},
	.write = write_one,
};
