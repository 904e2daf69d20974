/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/record.h"

#include <stdlib.h>

#include "api/shapes.h"
#include "base/fold.h"
#include "codec/csv/csv.h"
#include "desk/audit.h"

enum { MAX_SQL = 2048, MAX_EXPORT = 256 << 20 };

static const struct record_kind *const kinds[] = {&organisation_kind, &contact_kind, &system_kind,
												  &asset_kind};

const struct record_kind *record_kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
	return NULL;
}

const char *record_cell(const json_t *cells, const char *column)
{
	const char *s = json_string_value(json_object_get(cells, column));
	return s != NULL ? s : "";
}

void import_error(struct import *im, int64_t line, const char *column, enum kh_msg key, const char *a0,
				  const char *a1)
{
	char text[400];
	if (json_array_size(im->errors) >= IMPORT_MAX_ERRORS) return;
	kh_msg_write(text, sizeof text, kh_lang(), key, a0, a1, NULL);
	json_array_append_new(
		im->errors, json_pack("{s:I,s:s,s:s}", "line", (json_int_t)line, "column", column, "reason", text));
}

int64_t import_line(const struct import *im, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(im->lines, key));
}

void import_taken(struct import *im, const char *column, const char *what, const char *a, const char *b)
{
	char shown[400];
	int64_t at_a = import_line(im, a), at_b = import_line(im, b);
	if (at_a == 0 && at_b == 0) return;
	snprintf(shown, sizeof shown, "%s", at_a > at_b ? b : a);
	for (char *p = shown; *p != '\0'; p++)
		if (*p == 0x1f) *p = ' ';
	import_error(im, at_a > at_b ? at_a : at_b, column, M_IMPORT_TAKEN, what, shown);
}

/* The key's parts: as they are, but the last one folded where names are compared by people. */
static char *key_part(const struct record_kind *k, const json_t *cells, size_t i)
{
	struct kh_slice s = kh_str(record_cell(cells, k->keys[i]));
	bool last = i + 1 == RECORD_MAX_KEYS || k->keys[i + 1] == NULL;
	char *folded;
	if (!last || !k->fold_last_key) return kh_slice_dup(s);
	return kh_fold(s, &folded) == KH_OK ? folded : NULL;
}

char *record_key(const struct record_kind *kind, const json_t *cells)
{
	struct kh_buf b = KH_BUF(8192);
	for (size_t i = 0; i < RECORD_MAX_KEYS && kind->keys[i] != NULL; i++) {
		char *part = key_part(kind, cells, i);
		if (i > 0) kh_buf_char(&b, 0x1f);
		kh_buf_text(&b, part != NULL ? part : "");
		free(part);
	}
	return b.bytes;
}

/* The record as it stands, as text columns; NULL in *out: there is none. */
static enum kh_err find(struct import *im, const json_t *cells, json_t **out, struct kh_diag *diag)
{
	const struct record_kind *k = im->kind;
	char sql[MAX_SQL], *part[RECORD_MAX_KEYS] = {0};
	struct db_value v[RECORD_MAX_KEYS];
	size_t n = 0;
	snprintf(sql, sizeof sql, "SELECT %s%s%s", k->columns, k->from, k->where);
	for (; n < RECORD_MAX_KEYS && k->keys[n] != NULL; n++) {
		part[n] = key_part(k, cells, n);
		v[n] = db_str(part[n] != NULL ? part[n] : "");
	}
	enum kh_err err = desk_row(im->d, sql, (struct db_args){v, n}, out, diag);
	for (size_t i = 0; i < n; i++) free(part[i]);
	return err;
}

static enum kh_err note(struct import *im, const char *key, const json_t *before, const json_t *after,
						struct kh_diag *diag)
{
	char action[64], object[400];
	snprintf(action, sizeof action, "%s.%s", im->kind->one, before != NULL ? "update" : "create");
	snprintf(object, sizeof object, "%s:%s", im->kind->one, key);
	for (char *p = object; *p != '\0'; p++)
		if (*p == 0x1f) *p = ' ';
	return audit_add(im->d->db, im->actor, &(struct audit_entry){action, object, before, after}, im->now_ns,
					 diag);
}

static enum kh_err apply(struct import *im, const char *key, const json_t *cells, int64_t line,
						 struct kh_diag *diag)
{
	json_t *before;
	KH_TRY(find(im, cells, &before, diag));
	enum kh_err err = KH_OK;
	if (before != NULL && json_equal(before, cells)) {
		im->n_unchanged++;
	} else {
		err = im->kind->write(im, cells, line, diag);
		if (err == KH_OK) err = note(im, key, before, cells, diag);
		if (before != NULL)
			im->n_changed++;
		else
			im->n_created++;
	}
	json_decref(before);
	return err;
}

static enum kh_err take_row(struct import *im, const json_t *row, struct kh_diag *diag)
{
	const json_t *cells = json_object_get(row, "cells");
	int64_t line = desk_get_count(row, "line", 0);
	char *key = record_key(im->kind, cells);
	if (key == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	int64_t seen = import_line(im, key);
	enum kh_err err = KH_OK;
	if (seen > 0) {
		import_error(im, line, im->kind->keys[0], M_IMPORT_DUPLICATE, KH_DEC(seen), NULL);
	} else {
		json_object_set_new(im->lines, key, json_integer((json_int_t)line));
		err = apply(im, key, cells, line, diag);
	}
	free(key);
	return err;
}

static enum kh_err import_all(struct import *im, struct kh_diag *diag)
{
	const json_t *row;
	size_t i;
	json_array_foreach(im->rows, i, row) KH_TRY(take_row(im, row, diag));
	if (im->kind->check != NULL) KH_TRY(im->kind->check(im, diag));
	if (json_array_size(im->errors) > 0)
		return kh_say(diag, KH_ERANGE, M_IMPORT_REFUSED, KH_DEC(json_array_size(im->errors)), NULL);
	im->d->places_touched = true;
	return KH_OK;
}

/* The worker speaks in keys of the catalogue; here they become words. A key it made up is shown as it is. */
static void translate(struct import *im, const json_t *e)
{
	const char *key = record_cell(e, "key"), *column = record_cell(e, "column");
	const char *arg = json_string_value(json_array_get(json_object_get(e, "args"), 0));
	for (int k = 0; k < M_COUNT; k++) {
		if (strcmp(kh_msg_key((enum kh_msg)k), key) != 0) continue;
		import_error(im, desk_get_count(e, "line", 0), column, (enum kh_msg)k, arg != NULL ? arg : "", "");
		return;
	}
	import_error(im, desk_get_count(e, "line", 0), column, M_API_FIELD, column, "");
}

static enum kh_err import_checked(struct import *im, const json_t *result, struct kh_diag *diag)
{
	const json_t *e;
	size_t i;
	json_array_foreach(json_object_get(result, "errors"), i, e) translate(im, e);
	if (json_array_size(im->errors) == 0) return import_all(im, diag);
	return kh_say(diag, KH_ERANGE, M_IMPORT_REFUSED, KH_DEC(json_array_size(im->errors)), NULL);
}

enum kh_err record_import(struct desk *d, const struct record_kind *kind, const json_t *result,
						  const struct desk_actor *actor, int64_t now_ns, json_t **summary, json_t **errors,
						  struct kh_diag *diag)
{
	struct import im = {.d = d, .actor = actor, .kind = kind, .now_ns = now_ns};
	im.rows = json_object_get(result, "rows");
	im.lines = json_object();
	im.errors = json_array();
	enum kh_err err = import_checked(&im, result, diag);
	json_decref(im.lines);
	if (err == KH_OK)
		*summary = json_pack("{s:I,s:I,s:I,s:I}", "rows", (json_int_t)json_array_size(im.rows), "created",
							 (json_int_t)im.n_created, "changed", (json_int_t)im.n_changed, "unchanged",
							 (json_int_t)im.n_unchanged);
	if (err == KH_ERANGE)
		*errors = im.errors;
	else
		json_decref(im.errors);
	return err;
}

static void write_row(struct kh_buf *csv, const struct shape *s, const struct db_rows *row)
{
	struct kh_slice cells[SHAPE_MAX_COLUMNS];
	size_t n = 0;
	for (; s->columns[n].name != NULL; n++)
		cells[n] = row != NULL ? db_col_text(row, (int)n) : kh_str(s->columns[n].name);
	csv_write(csv, cells, n);
}

enum kh_err record_export(struct desk *d, const struct record_kind *kind, struct kh_buf *csv,
						  struct kh_diag *diag)
{
	const struct shape *s = shape_of(kind->name);
	char sql[MAX_SQL];
	snprintf(sql, sizeof sql, "SELECT %s%s ORDER BY 1, 2, 3, 4", kind->columns, kind->from);
	csv->limit = MAX_EXPORT;
	write_row(csv, s, NULL);
	struct db_rows rows = db_query(d->db, sql, DB_NONE);
	while (db_next(&rows)) write_row(csv, s, &rows);
	KH_TRY(db_end(&rows, diag));
	return csv->err == KH_OK ? KH_OK : kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
}
