/* SPDX-License-Identifier: Apache-2.0
 * shapes.h - the columns of what is imported and exported as CSV: one table for checks, export and documents.
 * Lists inside a cell are separated by blanks. Text is brought to NFC. Pure. */
#ifndef KH_API_SHAPES_H
#define KH_API_SHAPES_H
#include <jansson.h>

#include "base/slice.h"

enum { SHAPE_MAX_COLUMNS = 8, SHAPE_MAX_ROWS = 100000, SHAPE_MAX_ERRORS = 200 };

struct shape_column {
	const char *name; /* NULL ends the columns */
	bool required;
	/* NULL is fine: the cell holds; else what is wrong, as a key of the catalogue. */
	const char *(*check)(struct kh_slice cell);
	size_t max;
	const char *allowed; /* "a|b|c", or NULL */
};

struct shape {
	const char *kind; /* "organisations", "contacts", "systems", "assets" */
	struct shape_column columns[SHAPE_MAX_COLUMNS + 1];
};

const struct shape *shape_of(const char *kind); /* NULL: none */

/* CSV bytes (hostile) -> {"rows": [{"line": 2, "cells": {"code": "yte", ...}}], "errors": [{"line", "column",
 * "key", "args": [...]}]}; key and args name a text of the catalogue, so that the reader of the result
 * chooses the language. What cannot be read as CSV at all is KH_EFORMAT with a diag. */
KH_MUST_USE enum kh_err shape_check(const char *kind, struct kh_slice csv, json_t **result,
									struct kh_diag *diag);
#endif
