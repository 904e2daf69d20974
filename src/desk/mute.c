/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/mute.h"

#include "desk/audit.h"
#include "desk/finding.h"
#include "desk/own.h"

enum kh_err mute_hits(struct desk *d, const struct sighting *s, int64_t now_ns, bool *out,
					  struct kh_diag *diag)
{
	int64_t n;
	KH_TRY(db_get_int(
		d->db,
		"SELECT COUNT(*) FROM mute WHERE ended_ns IS NULL AND expires_ns > $1"
		" AND (rule_id IS NULL OR rule_id = $2) AND (entity IS NULL OR entity = $3)"
		" AND (organisation_id IS NULL OR organisation_id = $4)",
		DB_ARGS(db_int(now_ns), db_text(s->rule_id), db_str(s->entity), db_str(s->place.organisation)), 0, &n,
		diag));
	*out = n > 0;
	return KH_OK;
}

static enum kh_err check(const struct mute_wish *w, int64_t now_ns, struct kh_diag *diag)
{
	if (w->rule_id == NULL && w->entity == NULL && w->organisation == NULL)
		return kh_say(diag, KH_ERANGE, M_MUTE_NOTHING, NULL);
	if (w->reason == NULL || w->reason[0] == '\0') return kh_say(diag, KH_ERANGE, M_MUTE_REASON, NULL);
	if (w->expires_ns <= now_ns || w->expires_ns - now_ns > MUTE_MAX_DAYS * KH_DAY)
		return kh_say(diag, KH_ERANGE, M_MUTE_EXPIRY, KH_DEC(MUTE_MAX_DAYS), NULL);
	return KH_OK;
}

static enum kh_err show(struct desk *d, const char *id, json_t **out, struct kh_diag *diag)
{
	return desk_row(
		d,
		"SELECT mute.id, mute.rule_id, mute.entity, organisation.code AS organisation, mute.reason,"
		" mute.created_ns, mute.created_by, mute.expires_ns, mute.ended_ns FROM mute"
		" LEFT JOIN organisation ON organisation.id = mute.organisation_id WHERE mute.id = $1",
		DB_ARGS(db_str(id)), out, diag);
}

static enum kh_err note(struct desk *d, const char *action, const char *id, const json_t *before,
						const json_t *after, const struct desk_actor *actor, int64_t now_ns,
						struct kh_diag *diag)
{
	char object[KH_UUID_TEXT + 8];
	snprintf(object, sizeof object, "mute:%s", id);
	return audit_add(d->db, actor, &(struct audit_entry){action, object, before, after}, now_ns, diag);
}

static enum kh_err organisation_id(struct desk *d, const char *code, char out[KH_UUID_TEXT],
								   struct kh_diag *diag)
{
	struct db_rows rows =
		db_query(d->db, "SELECT id FROM organisation WHERE code = $1", DB_ARGS(db_str(code)));
	bool found = db_next(&rows);
	if (found) snprintf(out, KH_UUID_TEXT, "%s", db_col_str(&rows, 0));
	KH_TRY(db_end(&rows, diag));
	return found ? KH_OK : kh_say(diag, KH_ERANGE, M_NO_ORGANISATION, code, NULL);
}

enum kh_err mute_create(struct desk *d, const struct mute_wish *wish, const struct desk_actor *actor,
						int64_t now_ns, json_t **out, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT], org[KH_UUID_TEXT];
	json_t *row;
	KH_TRY(check(wish, now_ns, diag));
	if (wish->organisation != NULL) KH_TRY(organisation_id(d, wish->organisation, org, diag));
	kh_uuid7(id, now_ns);
	KH_TRY(db_exec(
		d->db,
		"INSERT INTO mute (id, rule_id, entity, organisation_id, reason, created_ns, created_by, expires_ns)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		DB_ARGS(db_str(id), db_str(wish->rule_id), db_str(wish->entity),
				db_str(wish->organisation != NULL ? org : NULL), db_str(wish->reason), db_int(now_ns),
				db_str(actor->who), db_int(wish->expires_ns)),
		diag));
	KH_TRY(show(d, id, &row, diag));
	enum kh_err err = note(d, "mute.create", id, NULL, row, actor, now_ns, diag);
	if (err == KH_OK)
		*out = row;
	else
		json_decref(row);
	return err;
}

/* Ends one mute that still runs. */
static enum kh_err end_one(struct desk *d, const char *action, const char *id, const struct desk_actor *actor,
						   int64_t now_ns, bool *found, struct kh_diag *diag)
{
	json_t *before;
	KH_TRY(show(d, id, &before, diag));
	*found = before != NULL && json_is_null(json_object_get(before, "ended"));
	enum kh_err err = KH_OK;
	if (*found)
		err = db_exec(d->db, "UPDATE mute SET ended_ns = $2 WHERE id = $1",
					  DB_ARGS(db_str(id), db_int(now_ns)), diag);
	if (*found && err == KH_OK) err = note(d, action, id, before, NULL, actor, now_ns, diag);
	json_decref(before);
	return err;
}

enum kh_err mute_end(struct desk *d, const char *id, const struct desk_actor *actor, int64_t now_ns,
					 bool *found, struct kh_diag *diag)
{
	return end_one(d, "mute.delete", id, actor, now_ns, found, diag);
}

enum kh_err mute_expire(struct desk *d, int64_t now_ns, struct kh_diag *diag)
{
	json_t *due, *row;
	size_t i;
	bool found;
	KH_TRY(desk_rows(d,
					 "SELECT id FROM mute WHERE ended_ns IS NULL AND expires_ns <= $1 ORDER BY id LIMIT 100",
					 DB_ARGS(db_int(now_ns)), &due, diag));
	enum kh_err err = KH_OK;
	json_array_foreach(due, i, row)
	{
		if (err != KH_OK) break;
		err = end_one(d, "mute.expire", json_string_value(json_object_get(row, "id")), &desk_self, now_ns,
					  &found, diag);
	}
	json_decref(due);
	return err;
}
