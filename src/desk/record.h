/* SPDX-License-Identifier: Apache-2.0
 * record.h - what is imported and exported as CSV: organisations, contacts, systems, assets.
 * One row of this table a kind; the columns of a row of JSON are those of api/shapes.h, all text. An import
 * is an upsert by the natural key, all or nothing; each record it makes or changes is an entry of the audit
 * chain. */
#ifndef KH_DESK_RECORD_H
#define KH_DESK_RECORD_H
#include "desk/own.h"

enum { RECORD_MAX_KEYS = 3, IMPORT_MAX_ERRORS = 200 };

struct import {
	struct desk *d;
	const struct desk_actor *actor;
	const struct record_kind *kind;
	int64_t now_ns;
	const json_t *rows; /* [{"line", "cells"}] */
	json_t *lines;      /* natural key -> line */
	json_t *errors;     /* [{"line", "column", "reason"}] */
	int64_t n_created, n_changed, n_unchanged;
};

struct record_kind {
	const char *name, *one; /* "organisations", "organisation" */
	const char *columns;    /* of a SELECT, named like the CSV's */
	const char *from;       /* " FROM ... JOIN ..." */
	const char *where;      /* " WHERE ... = $1 AND ... = $2": the natural key */
	const char *keys[RECORD_MAX_KEYS];
	bool fold_last_key;
	/* Writes one row; what it refers to and cannot be found goes to import_error. */
	enum kh_err (*write)(struct import *im, const json_t *cells, int64_t line, struct kh_diag *diag);
	/* After all rows: what only the whole can tell. */
	enum kh_err (*check)(struct import *im, struct kh_diag *diag);
};

extern const struct record_kind organisation_kind, contact_kind, system_kind, asset_kind;

const struct record_kind *record_kind_of(const char *name); /* NULL: none */

/* result: as shape_check gives it. Within the caller's transaction. KH_ERANGE with *errors: nothing may stay.
 */
KH_MUST_USE enum kh_err record_import(struct desk *d, const struct record_kind *kind, const json_t *result,
									  const struct desk_actor *actor, int64_t now_ns, json_t **summary,
									  json_t **errors, struct kh_diag *diag);
KH_MUST_USE enum kh_err record_export(struct desk *d, const struct record_kind *kind, struct kh_buf *csv,
									  struct kh_diag *diag);

void import_error(struct import *im, int64_t line, const char *column, enum kh_msg key, const char *a0,
				  const char *a1);
/* The line that gave this natural key; 0: none of this import. */
int64_t import_line(const struct import *im, const char *key);
/* Two records, by their natural keys, claim the same thing: said at the later line of this import; nothing
 * when neither is of it. */
void import_taken(struct import *im, const char *column, const char *what, const char *a, const char *b);
/* The parts joined as import_line wants them, to be freed. */
char *record_key(const struct record_kind *kind, const json_t *cells);
const char *record_cell(const json_t *cells, const char *column); /* "" when it is missing */
#endif
