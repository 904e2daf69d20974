/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/input.h"

#include "desk/own.h"

enum { MAX_NAME = 128, MAX_PATH = 4096, MAX_SAMPLE = 1000, MAX_REASONS = 64 };

static enum kh_err add_counters(struct desk *d, struct kh_slice name, const json_t *e, int64_t now_ns,
								struct kh_diag *diag)
{
	struct kh_slice kind = kh_slice_to(desk_get(e, "kind"), MAX_NAME);
	int64_t last = desk_get_count(e, "last_event_ns", 0);
	return db_exec(
		d->db,
		"INSERT INTO input (name, kind, events, lines, bytes, last_event_ns, last_batch_ns)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind,"
		" events = input.events + excluded.events, lines = input.lines + excluded.lines,"
		" bytes = input.bytes + excluded.bytes, last_batch_ns = excluded.last_batch_ns,"
		" last_event_ns = COALESCE(excluded.last_event_ns, input.last_event_ns)",
		DB_ARGS(db_text(name), db_text(kind), db_int(desk_get_delta(e, "events", 0)),
				db_int(desk_get_delta(e, "lines", 0)), db_int(desk_get_delta(e, "bytes", 0)),
				last > 0 ? db_int(last) : db_str(NULL), db_int(now_ns)),
		diag);
}

static enum kh_err add_rejected(struct desk *d, struct kh_slice name, json_t *rejected, struct kh_diag *diag)
{
	const char *reason;
	json_t *v;
	size_t n = 0;
	json_object_foreach(rejected, reason, v)
	{
		(void)v;
		if (n++ >= MAX_REASONS) break;
		int64_t count = desk_get_delta(rejected, reason, 0);
		if (count == 0) continue;
		KH_TRY(db_exec(
			d->db,
			"INSERT INTO input_reject (input, reason, count) VALUES ($1, $2, $3)"
			" ON CONFLICT (input, reason) DO UPDATE SET count = input_reject.count + excluded.count",
			DB_ARGS(db_text(name), db_text(kh_slice_to(kh_str(reason), MAX_NAME)), db_int(count)), diag));
	}
	return KH_OK;
}

static enum kh_err add_sample(struct desk *d, struct kh_slice name, const json_t *sample, int64_t now_ns,
							  struct kh_diag *diag)
{
	struct kh_buf text = KH_BUF(4 * MAX_SAMPLE);
	kh_buf_text(&text, "");
	desk_clean(&text, desk_get(sample, "text"), MAX_SAMPLE, false);
	enum kh_err err = text.err;
	if (err == KH_OK)
		err = db_exec(d->db,
					  "UPDATE input_reject SET sample = $3, sample_ns = $4 WHERE input = $1 AND reason = $2",
					  DB_ARGS(db_text(name), db_text(desk_get(sample, "reason")),
							  db_text(kh_buf_slice(&text)), db_int(now_ns)),
					  diag);
	kh_buf_free(&text);
	return err;
}

static enum kh_err add_file(struct desk *d, struct kh_slice name, const json_t *f, int64_t now_ns,
							struct kh_diag *diag)
{
	struct kh_slice path = desk_get(f, "path");
	if (path.n == 0 || path.n > MAX_PATH)
		return kh_say(diag, KH_EFORMAT, M_INTAKE_FIELD, "inputs[].files[].path", NULL);
	return db_exec(
		d->db,
		"INSERT INTO input_file (input, dev, ino, path, head_len, head_hash, position, lines, changed_ns)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (input, dev, ino) DO UPDATE SET"
		" path = excluded.path, head_len = excluded.head_len, head_hash = excluded.head_hash,"
		" position = excluded.position, lines = excluded.lines, changed_ns = excluded.changed_ns",
		DB_ARGS(db_text(name), db_int(desk_get_count(f, "dev", 0)), db_int(desk_get_count(f, "ino", 0)),
				db_text(path), db_int(desk_get_count(f, "head_len", 0)),
				db_text(kh_slice_to(desk_get(f, "head_hash"), MAX_NAME)),
				db_int(desk_get_count(f, "offset", 0)), db_int(desk_get_count(f, "lines", 0)),
				db_int(now_ns)),
		diag);
}

/* Rotation leaves a row for each inode that ever bore the name: the oldest give way. */
static enum kh_err prune_files(struct desk *d, struct kh_slice name, struct kh_diag *diag)
{
	return db_exec(
		d->db,
		"DELETE FROM input_file WHERE input = $1 AND changed_ns <"
		" (SELECT changed_ns FROM input_file WHERE input = $1 ORDER BY changed_ns DESC LIMIT 1 OFFSET $2)",
		DB_ARGS(db_text(name), db_int(INPUT_MAX_FILES - 1)), diag);
}

enum kh_err input_apply(struct desk *d, const json_t *element, int64_t now_ns, struct kh_diag *diag)
{
	struct kh_slice name = desk_get(element, "name");
	const json_t *files = json_object_get(element, "files"), *e;
	size_t i;
	if (name.n == 0 || name.n > MAX_NAME)
		return kh_say(diag, KH_EFORMAT, M_INTAKE_FIELD, "inputs[].name", NULL);
	KH_TRY(add_counters(d, name, element, now_ns, diag));
	KH_TRY(add_rejected(d, name, json_object_get(element, "rejected"), diag));
	json_array_foreach(json_object_get(element, "samples"), i, e)
	{
		if (i >= MAX_REASONS) break;
		KH_TRY(add_sample(d, name, e, now_ns, diag));
	}
	json_array_foreach(files, i, e) KH_TRY(add_file(d, name, e, now_ns, diag));
	return json_array_size(files) > 0 ? prune_files(d, name, diag) : KH_OK;
}

static enum kh_err rejects_of(struct desk *d, json_t *input, struct kh_diag *diag)
{
	json_t *rows, *row, *all = json_object();
	size_t i;
	enum kh_err err =
		desk_rows(d, "SELECT reason, count, sample, sample_ns FROM input_reject WHERE input = $1",
				  DB_ARGS(db_str(json_string_value(json_object_get(input, "name")))), &rows, diag);
	if (err == KH_OK) {
		json_array_foreach(rows, i, row)
		{
			json_t *reason = json_incref(json_object_get(row, "reason"));
			json_object_del(row, "reason");
			json_object_set(all, json_string_value(reason), row);
			json_decref(reason);
		}
		json_decref(rows);
	}
	json_object_set_new(input, "rejected", all);
	return err;
}

/* ---- rates ---- */

#define RATE_OVER (60 * KH_SECOND)

/* Events a second over about the last minute: what is older fades away in a straight line. */
static double faded(const json_t *rate, int64_t now_ns)
{
	int64_t age = now_ns - (int64_t)json_integer_value(json_object_get(rate, "at_ns"));
	if (rate == NULL || age >= RATE_OVER) return 0;
	double left = age <= 0 ? 1.0 : 1.0 - (double)age / (double)RATE_OVER;
	return json_real_value(json_object_get(rate, "rate")) * left;
}

void input_count(struct desk *d, const json_t *inputs, int64_t now_ns)
{
	const json_t *e;
	size_t i;
	json_array_foreach(inputs, i, e)
	{
		const char *name = json_string_value(json_object_get(e, "name"));
		if (name == NULL) continue;
		double rate = faded(json_object_get(d->rates, name), now_ns);
		rate += (double)desk_get_delta(e, "events", 0) * (double)KH_SECOND / (double)RATE_OVER;
		json_object_set_new(d->rates, name,
							json_pack("{s:I,s:f}", "at_ns", (json_int_t)now_ns, "rate", rate));
	}
}

enum kh_err input_list(struct desk *d, int64_t now_ns, json_t **out, struct kh_diag *diag)
{
	json_t *list, *input;
	size_t i;
	enum kh_err err = KH_OK;
	KH_TRY(desk_rows(
		d, "SELECT name, kind, events, lines, bytes, last_event_ns, last_batch_ns FROM input ORDER BY name",
		DB_NONE, &list, diag));
	json_array_foreach(list, i, input)
	{
		const char *name = json_string_value(json_object_get(input, "name"));
		json_object_set_new(input, "rate", json_real(faded(json_object_get(d->rates, name), now_ns)));
		if (err == KH_OK) err = rejects_of(d, input, diag);
	}
	if (err == KH_OK)
		*out = list;
	else
		json_decref(list);
	return err;
}

static json_t *position_json(const struct db_rows *r)
{
	return json_pack("{s:s,s:I,s:I,s:I,s:s,s:I,s:I}", "path", db_col_str(r, 1), "dev",
					 (json_int_t)db_col_int(r, 2), "ino", (json_int_t)db_col_int(r, 3), "head_len",
					 (json_int_t)db_col_int(r, 4), "head_hash", db_col_str(r, 5), "offset",
					 (json_int_t)db_col_int(r, 6), "lines", (json_int_t)db_col_int(r, 7));
}

enum kh_err desk_positions(struct desk *d, json_t **out, struct kh_diag *diag)
{
	json_t *all = json_object();
	struct db_rows rows =
		db_query(d->db,
				 "SELECT input, path, dev, ino, head_len, head_hash, position, lines FROM input_file"
				 " ORDER BY input, changed_ns DESC",
				 DB_NONE);
	while (all != NULL && db_next(&rows)) {
		json_t *list = json_object_get(all, db_col_str(&rows, 0));
		if (list == NULL) {
			list = json_array();
			json_object_set_new(all, db_col_str(&rows, 0), list);
		}
		json_array_append_new(list, position_json(&rows));
	}
	enum kh_err err = db_end(&rows, diag);
	if (err == KH_OK && all == NULL) err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err == KH_OK)
		*out = all;
	else
		json_decref(all);
	return err;
}
