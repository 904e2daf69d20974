/* SPDX-License-Identifier: Apache-2.0 */
#include "api/shapes.h"

#include <stdlib.h>

#include "api/hours.h"
#include "base/address.h"
#include "base/fold.h"
#include "base/message.h"
#include "codec/csv/csv.h"

enum { ARENA_BLOCK = 64 << 10, ARENA_LIMIT = 128 << 20, MAX_LABEL = 63, MAX_DOMAIN = 253 };

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *check_code(struct kh_slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && (i == 0 || memchr("._-", s.p[i], 3) == NULL)) return "SHAPE_CODE";
	return NULL;
}

/* Letters, digits and inner hyphens, or any UTF-8 letter: international names are kept as people write them.
 */
static bool label_ok(struct kh_slice l)
{
	if (l.n == 0 || l.n > MAX_LABEL || l.p[0] == '-' || l.p[l.n - 1] == '-') return false;
	for (size_t i = 0; i < l.n; i++)
		if (!is_alnum(l.p[i]) && l.p[i] != '-' && l.p[i] != '_' && l.p[i] < 0x80) return false;
	return true;
}

static bool domain_ok(struct kh_slice d)
{
	struct kh_slice label;
	if (d.n == 0 || d.n > MAX_DOMAIN) return false;
	while (kh_slice_cut(&d, '.', &label))
		if (!label_ok(label)) return false;
	return label_ok(d);
}

static bool network_ok(struct kh_slice s)
{
	struct kh_prefix p;
	return kh_prefix_parse(s, false, &p) == KH_OK;
}

static bool address_ok(struct kh_slice s)
{
	struct kh_address a;
	return kh_address_parse(s, &a) == KH_OK;
}

static bool all_words(struct kh_slice cell, bool (*ok)(struct kh_slice))
{
	struct kh_slice word;
	while (kh_slice_cut(&cell, ' ', &word))
		if (word.n > 0 && !ok(word)) return false;
	return cell.n == 0 || ok(cell);
}

static const char *check_domains(struct kh_slice s)
{
	return all_words(s, domain_ok) ? NULL : "SHAPE_DOMAIN";
}

static const char *check_networks(struct kh_slice s)
{
	return all_words(s, network_ok) ? NULL : "SHAPE_NETWORK";
}

static const char *check_addresses(struct kh_slice s)
{
	return all_words(s, address_ok) ? NULL : "SHAPE_ADDRESS";
}

/* The part of RFC 5321, 4.1.2 that mail systems agree on: a dot-atom, '@', a domain. */
static const char *check_email(struct kh_slice s)
{
	struct kh_slice local, domain = s;
	if (!kh_slice_cut(&domain, '@', &local) || local.n == 0 || local.n > 64 || !domain_ok(domain))
		return "SHAPE_EMAIL";
	if (memchr(domain.p, '.', domain.n) == NULL) return "SHAPE_EMAIL";
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80) return "SHAPE_EMAIL";
	for (size_t i = 0; i < local.n; i++) {
		bool dot = local.p[i] == '.';
		bool odd = dot && (i == 0 || i + 1 == local.n || local.p[i + 1] == '.');
		if (odd || (!dot && !is_alnum(local.p[i]) && memchr("!#$%&'*+-/=?^_`{|}~", local.p[i], 19) == NULL))
			return "SHAPE_EMAIL";
	}
	return NULL;
}

static const char *check_phone(struct kh_slice s)
{
	size_t digits = 0;
	for (size_t i = 0; i < s.n; i++) {
		bool digit = s.p[i] >= '0' && s.p[i] <= '9';
		digits += digit;
		if (!digit && memchr("+-. ()", s.p[i], 6) == NULL) return "SHAPE_PHONE";
	}
	return digits >= 3 && digits <= 20 ? NULL : "SHAPE_PHONE";
}

static const char *check_hours(struct kh_slice s)
{
	return hours_ok(s) ? NULL : "SHAPE_HOURS";
}

static const struct shape shapes[] = {
	{"organisations",
	 {{"code", true, check_code, 64, NULL},
	  {"parent", false, check_code, 64, NULL},
	  {"name", true, NULL, 300, NULL},
	  {"kind", true, NULL, 16, "authority|agency|telecom|provider"},
	  {"domains", false, check_domains, 4000, NULL},
	  {"networks", false, check_networks, 4000, NULL}}},
	{"contacts",
	 {{"organisation", true, check_code, 64, NULL},
	  {"name", true, NULL, 300, NULL},
	  {"role", true, NULL, 16, "duty|lead|technical|leader"},
	  {"email", true, check_email, 254, NULL},
	  {"phone", false, check_phone, 40, NULL},
	  {"hours", false, check_hours, 200, NULL},
	  {"language", true, NULL, 2, "vi|en"}}},
	{"systems",
	 {{"organisation", true, check_code, 64, NULL},
	  {"code", true, check_code, 64, NULL},
	  {"name", true, NULL, 300, NULL},
	  {"level", true, NULL, 1, "1|2|3|4|5"},
	  {"owner", false, NULL, 300, NULL},
	  {"operator", false, NULL, 300, NULL},
	  {"monitored_by", false, NULL, 300, NULL}}},
	{"assets",
	 {{"system", true, check_code, 64, NULL},
	  {"name", true, NULL, 253, NULL},
	  {"kind", true, NULL, 16, "host|device|application"},
	  {"addresses", false, check_addresses, 4000, NULL},
	  {"criticality", true, NULL, 8, "low|medium|high"},
	  {"exposed", true, NULL, 4, "yes|no"}}},
};

const struct shape *shape_of(const char *kind)
{
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		if (strcmp(shapes[i].kind, kind) == 0) return &shapes[i];
	return NULL;
}

static void add_error(json_t *errors, uint32_t line, const char *column, const char *key, const char *arg)
{
	json_array_append_new(errors, json_pack("{s:I,s:s,s:s,s:[s]}", "line", (json_int_t)line, "column", column,
											"key", key, "args", arg != NULL ? arg : ""));
}

static bool is_allowed(const char *allowed, struct kh_slice cell)
{
	struct kh_slice rest = kh_str(allowed), one;
	while (kh_slice_cut(&rest, '|', &one))
		if (kh_slice_eq(one, cell)) return true;
	return kh_slice_eq(rest, cell);
}

static bool has_control(struct kh_slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f) return true;
	return false;
}

/* What is wrong with a cell: a key of the catalogue and its argument; NULL: nothing. */
static const char *fault(const struct shape_column *c, struct kh_slice cell, char arg[24], const char **words)
{
	*words = "";
	if (cell.n == 0) return c->required ? "SHAPE_EMPTY" : NULL;
	*words = kh_dec(arg, (int64_t)c->max);
	if (cell.n > c->max) return "SHAPE_LONG";
	*words = "";
	if (has_control(cell)) return "SHAPE_CONTROL";
	*words = c->allowed;
	if (c->allowed != NULL) return is_allowed(c->allowed, cell) ? NULL : "SHAPE_ALLOWED";
	return c->check != NULL ? c->check(cell) : NULL;
}

static void take_cell(const struct shape_column *c, struct kh_slice raw, uint32_t line, json_t *cells,
					  json_t *errors)
{
	char arg[24], *nfc = NULL;
	const char *words;
	struct kh_slice cell = kh_slice_trim(raw);
	const char *key = fault(c, cell, arg, &words);
	if (key == NULL && kh_nfc(cell, &nfc) != KH_OK) key = "SHAPE_CONTROL";
	if (key != NULL)
		add_error(errors, line, c->name, key, words);
	else
		json_object_set_new(cells, c->name, json_string(nfc));
	free(nfc);
}

/* Where each of our columns stands in the file. A column that is missing or that nobody asked for is an error
 * of line 1: half an import is worse than none. */
static void find_columns(const struct shape *s, const struct csv *csv, size_t at[SHAPE_MAX_COLUMNS],
						 json_t *errors)
{
	for (size_t c = 0; s->columns[c].name != NULL; c++)
		if (!csv_column(csv, s->columns[c].name, &at[c]))
			add_error(errors, 1, s->columns[c].name, "SHAPE_NO_COLUMN", NULL);
	for (size_t i = 0; i < csv->n_columns; i++) {
		bool known = false;
		for (size_t c = 0; s->columns[c].name != NULL; c++)
			known = known || kh_slice_case_eq(csv->columns[i], kh_str(s->columns[c].name));
		char *name = known ? NULL : kh_slice_dup(kh_slice_to(csv->columns[i], 64));
		if (name != NULL && kh_utf8_ok(kh_str(name)))
			add_error(errors, 1, name, "SHAPE_UNKNOWN_COLUMN", NULL);
		if (name != NULL && !kh_utf8_ok(kh_str(name))) add_error(errors, 1, "", "SHAPE_UNKNOWN_COLUMN", NULL);
		free(name);
	}
}

static void take_row(const struct shape *s, const size_t at[SHAPE_MAX_COLUMNS], const struct kh_slice *cells,
					 uint32_t line, json_t *rows, json_t *errors)
{
	json_t *out = json_object();
	for (size_t c = 0; s->columns[c].name != NULL; c++)
		take_cell(&s->columns[c], cells[at[c]], line, out, errors);
	json_array_append_new(rows, json_pack("{s:I,s:o}", "line", (json_int_t)line, "cells", out));
}

static enum kh_err take_rows(const struct shape *s, struct csv *csv, json_t *rows, json_t *errors,
							 struct kh_diag *diag)
{
	struct kh_slice cells[CSV_MAX_COLUMNS];
	size_t at[SHAPE_MAX_COLUMNS] = {0}, n = 0;
	find_columns(s, csv, at, errors);
	if (json_array_size(errors) > 0) return KH_OK;
	while (json_array_size(errors) < SHAPE_MAX_ERRORS) {
		enum kh_err err = csv_next(csv, cells, &n, diag);
		if (err == KH_ERANGE) {
			add_error(errors, csv->line, "", "SHAPE_ROW", NULL);
			continue;
		}
		KH_TRY(err);
		if (n == 0) return KH_OK;
		if (json_array_size(rows) >= SHAPE_MAX_ROWS)
			return kh_say(diag, KH_ELIMIT, M_SHAPE_ROWS, KH_DEC(SHAPE_MAX_ROWS), NULL);
		take_row(s, at, cells, csv->line, rows, errors);
	}
	return KH_OK;
}

enum kh_err shape_check(const char *kind, struct kh_slice csv, json_t **result, struct kh_diag *diag)
{
	const struct shape *s = shape_of(kind);
	if (s == NULL) return kh_say(diag, KH_EFORMAT, M_SHAPE_KIND, kind, NULL);
	struct kh_arena *arena = kh_arena_new(ARENA_BLOCK, ARENA_LIMIT);
	if (arena == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	json_t *rows = json_array(), *errors = json_array();
	struct csv c;
	enum kh_err err = csv_open(&c, csv, arena, diag);
	if (err == KH_OK) err = take_rows(s, &c, rows, errors, diag);
	json_t *out = json_pack("{s:o,s:o}", "rows", rows, "errors", errors);
	if (err == KH_OK && out == NULL) err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err == KH_OK)
		*result = out;
	else
		json_decref(out);
	kh_arena_free(arena);
	return err;
}
