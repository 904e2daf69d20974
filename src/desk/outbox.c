/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/outbox.h"

#include "desk/audit.h"
#include "desk/own.h"

enum { MAX_ERROR = 500 };

enum kh_err outbox_add(struct desk *d, const struct outbox_mail *mail, int64_t now_ns, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT];
	kh_uuid7(id, now_ns);
	d->outbox_touched = true;
	return db_exec(
		d->db,
		"INSERT INTO outbox (id, kind, reason, incident_id, recipient, subject, body, state, attempts,"
		" created_ns, next_ns, expires_ns, last_error)"
		" VALUES ($1, 'mail', $2, $3, $4, $5, $6, 'queued', 0, $7, $7, $8, '')",
		DB_ARGS(db_str(id), db_str(mail->reason), db_str(mail->incident_id), db_str(mail->recipient),
				db_str(mail->subject), db_str(mail->body), db_int(now_ns),
				db_int(now_ns + d->settings.mail_expiry_ns)),
		diag);
}

enum kh_err outbox_drop(struct desk *d, const char *incident_id, int64_t now_ns, struct kh_diag *diag)
{
	return db_exec(
		d->db,
		"UPDATE outbox SET state = 'cancelled', done_ns = $2 WHERE incident_id = $1 AND state = 'queued'",
		DB_ARGS(db_str(incident_id), db_int(now_ns)), diag);
}

enum kh_err outbox_expire(struct desk *d, int64_t now_ns, struct kh_diag *diag)
{
	return db_exec(
		d->db,
		"UPDATE outbox SET state = 'expired', done_ns = $1 WHERE state = 'queued' AND expires_ns <= $1",
		DB_ARGS(db_int(now_ns)), diag);
}

enum kh_err outbox_next(struct desk *d, int64_t now_ns, json_t **errand, struct kh_diag *diag)
{
	struct db_rows rows =
		db_query(d->db,
				 "SELECT id, kind, recipient, subject, body, created_ns, attempts FROM outbox"
				 " WHERE state = 'queued' AND next_ns <= $1 AND expires_ns > $1"
				 " ORDER BY next_ns, id LIMIT 1",
				 DB_ARGS(db_int(now_ns)));
	json_t *e = NULL;
	bool found = db_next(&rows);
	if (found)
		e = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I}", "id", db_col_str(&rows, 0), "kind",
					  db_col_str(&rows, 1), "to", db_col_str(&rows, 2), "subject", db_col_str(&rows, 3),
					  "body", db_col_str(&rows, 4), "created_ns", (json_int_t)db_col_int(&rows, 5), "attempt",
					  (json_int_t)(db_col_int(&rows, 6) + 1));
	enum kh_err err = db_end(&rows, diag);
	if (err == KH_OK && found && e == NULL) err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err == KH_OK)
		*errand = e;
	else
		json_decref(e);
	return err;
}

enum kh_err outbox_next_ns(struct desk *d, int64_t *out, struct kh_diag *diag)
{
	return db_get_int(d->db, "SELECT next_ns FROM outbox WHERE state = 'queued' ORDER BY next_ns LIMIT 1",
					  DB_NONE, INT64_MAX, out, diag);
}

/* ---- the courier's steps ---- */

struct step {
	const char *sql;
	const char *id;
	int64_t when_ns;
	const char *text; /* NULL: the statement takes none */
};

static enum kh_err run_step(struct desk *d, void *arg, struct kh_diag *diag)
{
	const struct step *s = arg;
	struct db_args two = DB_ARGS(db_str(s->id), db_int(s->when_ns));
	struct db_args three = DB_ARGS(db_str(s->id), db_int(s->when_ns), db_str(s->text));
	KH_TRY(db_exec(d->db, s->sql, s->text != NULL ? three : two, diag));
	if (db_changes(d->db) == 1) return KH_OK;
	return kh_say(diag, KH_ERANGE, M_OUTBOX_STATE, s->id, NULL);
}

enum kh_err outbox_started(struct desk *d, const char *id, int64_t now_ns, struct kh_diag *diag)
{
	struct step s = {"UPDATE outbox SET state = 'sending', attempts = attempts + 1"
					 " WHERE id = $1 AND state = 'queued' AND expires_ns > $2",
					 id, now_ns, NULL};
	return desk_change(d, run_step, &s, diag);
}

/* Returns only when it is on the disk: db_commit syncs (synchronous=FULL). */
enum kh_err outbox_committing(struct desk *d, const char *id, int64_t now_ns, struct kh_diag *diag)
{
	struct step s = {
		"UPDATE outbox SET state = 'committing', done_ns = $2 WHERE id = $1 AND state = 'sending'", id,
		now_ns, NULL};
	return desk_change(d, run_step, &s, diag);
}

/* An outcome that comes late, after outbox_recover called the row uncertain, still tells the truth. */
enum kh_err outbox_sent(struct desk *d, const char *id, int64_t now_ns, struct kh_diag *diag)
{
	struct step s = {"UPDATE outbox SET state = 'sent', done_ns = $2, last_error = ''"
					 " WHERE id = $1 AND state IN ('committing', 'uncertain')",
					 id, now_ns, NULL};
	return desk_change(d, run_step, &s, diag);
}

static enum kh_err attempts_of(struct desk *d, const char *id, int64_t *out, struct kh_diag *diag)
{
	return db_get_int(d->db, "SELECT attempts FROM outbox WHERE id = $1", DB_ARGS(db_str(id)), 0, out, diag);
}

enum kh_err outbox_failed(struct desk *d, const char *id, enum outbox_failure how, const char *text,
						  int64_t now_ns, struct kh_diag *diag)
{
	static const char *const sql[] = {
		[OUTBOX_TEMPORARY] =
			"UPDATE outbox SET state = 'queued', done_ns = NULL, next_ns = $2,"
			" last_error = $3 WHERE id = $1 AND state IN ('sending', 'committing', 'uncertain')",
		[OUTBOX_PERMANENT] = "UPDATE outbox SET state = 'failed', done_ns = $2, last_error = $3"
							 " WHERE id = $1 AND state IN ('sending', 'committing', 'uncertain')",
		[OUTBOX_UNCERTAIN] = "UPDATE outbox SET state = 'uncertain', done_ns = $2, last_error = $3"
							 " WHERE id = $1 AND state = 'committing'",
	};
	struct kh_buf words = KH_BUF(4 * MAX_ERROR);
	int64_t attempts;
	KH_TRY(attempts_of(d, id, &attempts, diag));
	kh_buf_text(&words, "");
	desk_clean(&words, kh_str(text), MAX_ERROR, false);
	int64_t when_ns = how == OUTBOX_TEMPORARY ? now_ns + outbox_backoff_ns(id, attempts) : now_ns;
	struct step s = {sql[how], id, when_ns, words.bytes != NULL ? words.bytes : ""};
	enum kh_err err = desk_change(d, run_step, &s, diag);
	kh_buf_free(&words);
	return err;
}

static enum kh_err recover(struct desk *d, void *arg, struct kh_diag *diag)
{
	const int64_t *now_ns = arg;
	KH_TRY(db_exec(d->db, "UPDATE outbox SET state = 'queued', next_ns = $1 WHERE state = 'sending'",
				   DB_ARGS(db_int(*now_ns)), diag));
	d->outbox_touched = db_changes(d->db) > 0;
	return db_exec(d->db, "UPDATE outbox SET state = 'uncertain', done_ns = $1 WHERE state = 'committing'",
				   DB_ARGS(db_int(*now_ns)), diag);
}

enum kh_err outbox_recover(struct desk *d, int64_t now_ns, struct kh_diag *diag)
{
	return desk_change(d, recover, &now_ns, diag);
}

int64_t outbox_backoff_ns(const char *id, int64_t attempts)
{
	int64_t wait = 30 * KH_SECOND, most = 30 * KH_MINUTE;
	for (int64_t i = 1; i < attempts && wait < most; i++) wait *= 2;
	if (wait > most) wait = most;
	uint32_t h = 2166136261u; /* FNV-1a over the id: the same mail always waits the same */
	for (; *id != '\0'; id++) h = (h ^ (uint8_t)*id) * 16777619u;
	return wait + (wait / 4) * (int64_t)(h % 1000) / 1000;
}

/* ---- the operator's words ---- */

static enum kh_err by_hand(struct desk *d, const char *action, const char *sql, struct db_args args,
						   const char *id, const struct desk_actor *actor, int64_t now_ns, bool *found,
						   struct kh_diag *diag)
{
	char object[KH_UUID_TEXT + 8];
	json_t *before, *after = NULL;
	const char *state = "SELECT state, attempts FROM outbox WHERE id = $1";
	KH_TRY(desk_row(d, state, DB_ARGS(db_str(id)), &before, diag));
	enum kh_err err = db_exec(d->db, sql, args, diag);
	*found = err == KH_OK && db_changes(d->db) == 1;
	if (*found) {
		snprintf(object, sizeof object, "outbox:%s", id);
		err = desk_row(d, state, DB_ARGS(db_str(id)), &after, diag);
		if (err == KH_OK)
			err = audit_add(d->db, actor, &(struct audit_entry){action, object, before, after}, now_ns, diag);
		d->outbox_touched = true;
	}
	json_decref(before);
	json_decref(after);
	return err;
}

enum kh_err outbox_resend(struct desk *d, const char *id, const struct desk_actor *actor, int64_t now_ns,
						  bool *found, struct kh_diag *diag)
{
	return by_hand(
		d, "outbox.resend",
		"UPDATE outbox SET state = 'queued', next_ns = $2, expires_ns = $3, done_ns = NULL, attempts = 0"
		" WHERE id = $1 AND state IN ('failed', 'expired', 'uncertain', 'cancelled')",
		DB_ARGS(db_str(id), db_int(now_ns), db_int(now_ns + d->settings.mail_expiry_ns)), id, actor, now_ns,
		found, diag);
}

enum kh_err outbox_cancel(struct desk *d, const char *id, const struct desk_actor *actor, int64_t now_ns,
						  bool *found, struct kh_diag *diag)
{
	return by_hand(d, "outbox.cancel",
				   "UPDATE outbox SET state = 'cancelled', done_ns = $2 WHERE id = $1 AND state = 'queued'",
				   DB_ARGS(db_str(id), db_int(now_ns)), id, actor, now_ns, found, diag);
}
