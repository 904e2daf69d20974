/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/desk.h"

#include <stdlib.h>

#include "desk/audit.h"
#include "desk/incident.h"
#include "desk/intake.h"
#include "desk/mute.h"
#include "desk/outbox.h"
#include "desk/own.h"
#include "store/migrate.h"

const struct desk_settings desk_defaults = {
	.open_at = DESK_HIGH,
	.window_ns = KH_HOUR,
	.window_max_ns = KH_DAY,
	.reminder_ns = 30 * KH_MINUTE,
	.reminders_max = 6,
	.mail_expiry_ns = KH_DAY,
};

const struct desk_actor desk_self = {.who = "khien", .from = "local"};

static enum kh_err reload_places(struct desk *d, struct kh_diag *diag)
{
	struct resolver *fresh;
	KH_TRY(resolver_load(d->db, &fresh, diag));
	resolver_free(d->places);
	d->places = fresh;
	return KH_OK;
}

enum kh_err desk_new(struct db *db, const struct desk_settings *settings, const struct desk_ports *ports,
					 struct desk **out, struct kh_diag *diag)
{
	KH_TRY(
		db_migrate(db, kh_now_ns(), diag)); /* the one time that is no simulated one: when it was installed */
	struct desk *d = calloc(1, sizeof *d);
	if (d == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	d->db = db;
	d->settings = settings != NULL ? *settings : desk_defaults;
	if (ports != NULL) d->ports = *ports;
	d->roles = json_object();
	d->rates = json_object();
	enum kh_err err = d->roles != NULL && d->rates != NULL ? reload_places(d, diag) : KH_ENOMEM;
	if (err != KH_OK) {
		desk_free(d);
		return err;
	}
	*out = d;
	return KH_OK;
}

void desk_free(struct desk *d)
{
	if (d == NULL) return;
	desk_forget_pending(d);
	resolver_free(d->places);
	json_decref(d->roles);
	json_decref(d->rates);
	free(d);
}

void desk_settings_set(struct desk *d, const struct desk_settings *settings)
{
	d->settings = *settings;
}

enum kh_err desk_begin(struct desk *d, struct kh_diag *diag)
{
	d->outbox_touched = d->rules_touched = d->places_touched = false;
	return db_begin(d->db, diag);
}

enum kh_err desk_finish(struct desk *d, enum kh_err so_far, struct kh_diag *diag)
{
	enum kh_err err = so_far != KH_OK ? so_far : db_commit(d->db, diag);
	if (err != KH_OK) {
		db_rollback(d->db);
		return err;
	}
	/* What was stored is stored: a resolver that cannot be rebuilt keeps the old picture. */
	if (d->places_touched) (void)reload_places(d, NULL);
	if (d->rules_touched && d->ports.rules_changed != NULL) d->ports.rules_changed(d->ports.ctx);
	if (d->outbox_touched && d->ports.outbox_changed != NULL) d->ports.outbox_changed(d->ports.ctx);
	return KH_OK;
}

enum kh_err desk_change(struct desk *d, enum kh_err (*fn)(struct desk *d, void *arg, struct kh_diag *),
						void *arg, struct kh_diag *diag)
{
	KH_TRY(desk_begin(d, diag));
	return desk_finish(d, fn(d, arg, diag), diag);
}

struct reload {
	const struct desk_actor *actor;
	const json_t *before, *after;
	int64_t now_ns;
};

static enum kh_err note_reload(struct desk *d, void *arg, struct kh_diag *diag)
{
	const struct reload *r = arg;
	return audit_add(d->db, r->actor,
					 &(struct audit_entry){"settings.reload", "settings", r->before, r->after}, r->now_ns,
					 diag);
}

enum kh_err desk_settings_reloaded(struct desk *d, const struct desk_actor *actor, const json_t *before,
								   const json_t *after, int64_t now_ns, struct kh_diag *diag)
{
	return desk_change(d, note_reload, &(struct reload){actor, before, after, now_ns}, diag);
}

static enum kh_err tick(struct desk *d, void *arg, struct kh_diag *diag)
{
	const int64_t *now_ns = arg;
	KH_TRY(outbox_expire(d, *now_ns, diag));
	KH_TRY(mute_expire(d, *now_ns, diag));
	KH_TRY(intake_prune(d, *now_ns, diag));
	return incident_remind_due(d, *now_ns, diag);
}

/* Most ticks find nothing to do: look first, so that an idle desk writes nothing to its disk. */
static enum kh_err anything_due(struct desk *d, int64_t now_ns, bool *due, struct kh_diag *diag)
{
	int64_t n;
	KH_TRY(db_get_int(d->db,
					  "SELECT (SELECT COUNT(*) FROM incident WHERE remind_ns <= $1)"
					  " + (SELECT COUNT(*) FROM outbox WHERE state = 'queued' AND expires_ns <= $1)"
					  " + (SELECT COUNT(*) FROM mute WHERE ended_ns IS NULL AND expires_ns <= $1)"
					  " + (SELECT COUNT(*) FROM batch WHERE applied_ns <= $2)",
					  DB_ARGS(db_int(now_ns), db_int(now_ns - INTAKE_REMEMBER_NS)), 0, &n, diag));
	*due = n > 0;
	return KH_OK;
}

enum kh_err desk_tick(struct desk *d, int64_t now_ns, struct kh_diag *diag)
{
	bool due;
	KH_TRY(anything_due(d, now_ns, &due, diag));
	return due ? desk_change(d, tick, &now_ns, diag) : KH_OK;
}

void desk_set_role_state(struct desk *d, const char *role, json_t *state)
{
	if (state != NULL)
		(void)json_object_set(d->roles, role, state);
	else
		(void)json_object_del(d->roles, role);
}

/* ---- rows as JSON ---- */

static bool ends_ns(const char *name)
{
	size_t n = strlen(name);
	return n > 3 && strcmp(name + n - 3, "_ns") == 0;
}

static int put_time(json_t *row, const char *name, int64_t v)
{
	char key[64], text[KH_TIME_TEXT];
	snprintf(key, sizeof key, "%.*s", (int)(strlen(name) - 3), name);
	return json_object_set_new(row, key, json_string(kh_time_rfc3339(text, v)));
}

static int put_column(json_t *row, const struct db_rows *rows, int i)
{
	const char *name = db_col_name(rows, i);
	if (db_col_null(rows, i)) {
		char key[64];
		snprintf(key, sizeof key, "%.*s", (int)(strlen(name) - (ends_ns(name) ? 3 : 0)), name);
		return json_object_set_new(row, key, json_null());
	}
	if (ends_ns(name)) return put_time(row, name, db_col_int(rows, i));
	if (db_col_is_int(rows, i)) return json_object_set_new(row, name, json_integer(db_col_int(rows, i)));
	struct kh_slice s = db_col_text(rows, i);
	return json_object_set_new(row, name, json_stringn((const char *)s.p, s.n));
}

json_t *desk_row_json(const struct db_rows *rows)
{
	json_t *row = json_object();
	int bad = 0;
	for (int i = 0; row != NULL && i < db_n_cols(rows); i++) bad |= put_column(row, rows, i);
	if (bad == 0) return row;
	json_decref(row);
	return NULL;
}

enum kh_err desk_rows(struct desk *d, const char *sql, struct db_args args, json_t **out,
					  struct kh_diag *diag)
{
	json_t *list = json_array();
	struct db_rows rows = db_query(d->db, sql, args);
	bool whole = list != NULL;
	while (whole && db_next(&rows)) whole = json_array_append_new(list, desk_row_json(&rows)) == 0;
	enum kh_err err = db_end(&rows, diag);
	if (err == KH_OK && !whole) err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err != KH_OK) {
		json_decref(list);
		return err;
	}
	*out = list;
	return KH_OK;
}

enum kh_err desk_row(struct desk *d, const char *sql, struct db_args args, json_t **out, struct kh_diag *diag)
{
	json_t *list;
	KH_TRY(desk_rows(d, sql, args, &list, diag));
	*out = json_incref(json_array_get(list, 0));
	json_decref(list);
	return KH_OK;
}

/* ---- text ---- */

static size_t char_len(uint8_t lead)
{
	return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

void desk_clean(struct kh_buf *out, struct kh_slice text, size_t most, bool keep_newlines)
{
	size_t done = 0;
	while (text.n > 0) {
		size_t n = char_len(text.p[0]);
		if (n > text.n || done + n > most) {
			kh_buf_text(out, "…");
			return;
		}
		uint8_t c = text.p[0];
		if (c == '\t' || (c == '\n' && keep_newlines) || (c >= 0x20 && c != 0x7f))
			kh_buf_put(out, kh_slice_to(text, n));
		else /* Unicode's control pictures: U+2400 + code, U+2421 for DEL */
			kh_buf_put(out, (struct kh_slice){
								(const uint8_t[]){0xe2, 0x90, c == 0x7f ? 0xa1 : (uint8_t)(0x80 + c)}, 3});
		done += n;
		text = kh_slice_from(text, n);
	}
}

struct kh_slice desk_get(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);
	if (!json_is_string(v)) return (struct kh_slice){0};
	return (struct kh_slice){(const uint8_t *)json_string_value(v), json_string_length(v)};
}

int64_t desk_get_count(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(object, key);
	return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) : fallback;
}

int64_t desk_get_delta(const json_t *object, const char *key, int64_t fallback)
{
	const int64_t most = INT64_C(1000000000000);
	int64_t n = desk_get_count(object, key, fallback);
	return n < most ? n : most;
}
