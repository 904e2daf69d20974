/* SPDX-License-Identifier: Apache-2.0
 * organisation.c - the tree of organisations: its table, its import. */
#include <stdlib.h>

#include "base/address.h"
#include "base/fold.h"
#include "desk/record.h"

enum { MAX_DEPTH = 32 };

/* The parent is set when all rows stand: it may come later in the file. */
static enum kh_err write_one(struct import *im, const json_t *cells, int64_t line, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT];
	(void)line;
	return db_exec(im->d->db,
				   "INSERT INTO organisation (id, code, parent_id, name, kind, domains, networks, "
				   "created_ns, changed_ns)"
				   " VALUES ($1, $2, NULL, $3, $4, $5, $6, $7, $7) ON CONFLICT (code) DO UPDATE SET name = "
				   "excluded.name,"
				   " kind = excluded.kind, domains = excluded.domains, networks = excluded.networks,"
				   " changed_ns = excluded.changed_ns",
				   DB_ARGS(db_str(kh_uuid7(id, im->now_ns)), db_str(record_cell(cells, "code")),
						   db_str(record_cell(cells, "name")), db_str(record_cell(cells, "kind")),
						   db_str(record_cell(cells, "domains")), db_str(record_cell(cells, "networks")),
						   db_int(im->now_ns)),
				   diag);
}

static enum kh_err set_parent(struct import *im, const json_t *row, struct kh_diag *diag)
{
	const json_t *cells = json_object_get(row, "cells");
	const char *code = record_cell(cells, "code"), *parent = record_cell(cells, "parent");
	if (parent[0] == '\0')
		return db_exec(im->d->db, "UPDATE organisation SET parent_id = NULL WHERE code = $1",
					   DB_ARGS(db_str(code)), diag);
	KH_TRY(db_exec(im->d->db,
				   "UPDATE organisation SET parent_id = (SELECT above.id FROM organisation AS above WHERE "
				   "above.code = $2)"
				   " WHERE code = $1 AND EXISTS (SELECT 1 FROM organisation AS above WHERE above.code = $2)",
				   DB_ARGS(db_str(code), db_str(parent)), diag));
	if (db_changes(im->d->db) == 0)
		import_error(im, desk_get_count(row, "line", 0), "parent", M_IMPORT_NO_PARENT, parent, NULL);
	return KH_OK;
}

/* Climbs from one organisation; a tree deeper than MAX_DEPTH is taken for a circle. */
static enum kh_err check_cycle(struct import *im, const json_t *row, struct kh_diag *diag)
{
	const char *code = record_cell(json_object_get(row, "cells"), "code");
	char at[KH_UUID_TEXT] = "";
	struct db_rows r =
		db_query(im->d->db, "SELECT parent_id FROM organisation WHERE code = $1", DB_ARGS(db_str(code)));
	bool more = db_next(&r) && !db_col_null(&r, 0);
	int depth = 0;
	while (more && depth++ < MAX_DEPTH) {
		snprintf(at, sizeof at, "%s", db_col_str(&r, 0));
		KH_TRY(db_end(&r, diag));
		r = db_query(im->d->db, "SELECT parent_id FROM organisation WHERE id = $1", DB_ARGS(db_str(at)));
		more = db_next(&r) && !db_col_null(&r, 0);
	}
	if (more) import_error(im, desk_get_count(row, "line", 0), "parent", M_IMPORT_CYCLE, code, NULL);
	return db_end(&r, diag);
}

struct claims {
	struct import *im;
	json_t *owner; /* "d <domain>" or "n <prefix>" -> code */
	const char *code, *column;
};

/* Two organisations must not claim the same domain or range: whose a finding is would be a matter of chance.
 */
static void claim(struct claims *c, const char *key, const char *shown)
{
	const char *other = json_string_value(json_object_get(c->owner, key));
	if (other == NULL) {
		json_object_set_new(c->owner, key, json_string(c->code));
		return;
	}
	if (strcmp(other, c->code) == 0) return;
	import_taken(c->im, c->column, shown, c->code, other);
}

static void claim_word(struct claims *c, struct kh_slice word)
{
	char key[400], text[KH_ADDRESS_TEXT], *folded = NULL;
	struct kh_prefix p;
	bool domain = strcmp(c->column, "domains") == 0;
	if (word.n == 0 || word.n > 300) return;
	if (domain && kh_fold(word, &folded) == KH_OK)
		snprintf(key, sizeof key, "d %s", folded);
	else if (!domain && kh_prefix_parse(word, true, &p) == KH_OK)
		snprintf(key, sizeof key, "n %s", kh_prefix_text(text, &p));
	else
		return;
	claim(c, key, key + 2);
	free(folded);
}

static void claim_cell(struct claims *c, const char *column, struct kh_slice cell)
{
	struct kh_slice word;
	c->column = column;
	while (kh_slice_cut(&cell, ' ', &word)) claim_word(c, word);
	claim_word(c, cell);
}

static enum kh_err check_claims(struct import *im, struct kh_diag *diag)
{
	struct claims c = {.im = im, .owner = json_object()};
	struct db_rows r =
		db_query(im->d->db, "SELECT code, domains, networks FROM organisation ORDER BY id", DB_NONE);
	while (db_next(&r)) {
		c.code = db_col_str(&r, 0);
		claim_cell(&c, "domains", db_col_text(&r, 1));
		claim_cell(&c, "networks", db_col_text(&r, 2));
	}
	json_decref(c.owner);
	return db_end(&r, diag);
}

static enum kh_err check_all(struct import *im, struct kh_diag *diag)
{
	const json_t *row;
	size_t i;
	json_array_foreach(im->rows, i, row) KH_TRY(set_parent(im, row, diag));
	json_array_foreach(im->rows, i, row) KH_TRY(check_cycle(im, row, diag));
	return check_claims(im, diag);
}

const struct record_kind organisation_kind = {
	.name = "organisations",
	.one = "organisation",
	.columns =
		"organisation.code AS code, COALESCE(above.code, '') AS parent, organisation.name AS name,"
		" organisation.kind AS kind, organisation.domains AS domains, organisation.networks AS networks",
	.from = " FROM organisation LEFT JOIN organisation AS above ON above.id = organisation.parent_id",
	.where = " WHERE organisation.code = $1",
	.keys = {"code"},
	.write = write_one,
	.check = check_all,
};
