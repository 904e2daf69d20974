/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <inttypes.h>
#include <libfyaml.h>
#include <stdlib.h>

#include "base/time.h"
#include "base/yaml.h"

enum { MAX_KEYS = 4096, MAX_DEPTH = 8, MAX_KEY_TEXT = 128 };

struct reader {
	const char *file;
	struct kh_arena *arena;
	struct kh_diag *diag;
	size_t n_keys;
};

/* Where a value is read into: one row of one struct. */
struct target {
	const struct config_row *row;
	void *base;
};

static void *field(const struct target *t)
{
	return (char *)t->base + t->row->offset;
}

static enum kh_err at(struct reader *r, struct fy_node *node, enum kh_err err)
{
	struct kh_diag inner = *r->diag;
	const struct fy_mark *m = kh_yaml_place(node);
	int line = m != NULL ? m->line + 1 : 0, column = m != NULL ? m->column + 1 : 0;
	return kh_say(r->diag, err, M_CONFIG_AT, r->file, KH_DEC(line), KH_DEC(column), inner.text, NULL);
}

static const char *keep(struct kh_arena *arena, struct kh_slice s)
{
	char *text = KH_ARRAY(arena, char, s.n + 1);
	if (text != NULL && s.n > 0) memcpy(text, s.p, s.n);
	return text;
}

static enum kh_err no_memory(struct kh_diag *d)
{
	return kh_say(d, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
}

/* ---- scalars ---- */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {{"ms", KH_SECOND / 1000}, {"s", KH_SECOND}, {"m", KH_MINUTE},
										{"h", KH_HOUR},           {"d", KH_DAY},    {NULL, 0}};
static const struct unit sizes[] = {{"TiB", 1ull << 40},
									{"GiB", 1ull << 30},
									{"MiB", 1ull << 20},
									{"KiB", 1ull << 10},
									{"TB", 1000000000000ull},
									{"GB", 1000000000},
									{"MB", 1000000},
									{"kB", 1000},
									{"B", 1},
									{"", 1},
									{NULL, 0}};

static bool with_unit(struct kh_slice text, const struct unit *units, uint64_t *out)
{
	size_t n = 0;
	uint64_t v;
	while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9') n++;
	if (kh_slice_u64(kh_slice_to(text, n), UINT64_MAX, &v) != KH_OK) return false;
	struct kh_slice unit = kh_slice_trim(kh_slice_from(text, n));
	for (; units->name != NULL; units++)
		if (kh_slice_is(unit, units->name))
			return !__builtin_mul_overflow(v, units->factor, out) && *out <= INT64_MAX;
	return false;
}

static enum kh_err in_range(const struct config_row *row, const char *text, uint64_t v, uint64_t factor,
							struct kh_diag *d)
{
	uint64_t max = row->max > 0 ? row->max * factor : UINT64_MAX;
	if (v >= row->min * factor && v <= max) return KH_OK;
	return kh_say(d, KH_ERANGE, M_CONFIG_OUT_OF_RANGE, row->key, text, KH_DEC(row->min), KH_DEC(row->max),
				  NULL);
}

static enum kh_err read_bool(const struct target *t, const char *text, struct kh_diag *d)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(text, words[i]) != 0) continue;
		*(bool *)field(t) = i % 2 == 1;
		return KH_OK;
	}
	return kh_say(d, KH_EFORMAT, M_CONFIG_BAD_BOOL, t->row->key, text, NULL);
}

static enum kh_err read_word(const struct target *t, const char *text, struct kh_diag *d)
{
	struct kh_buf all = KH_BUF(512);
	for (int i = 0; t->row->words[i] != NULL; i++) {
		kh_buf_printf(&all, "%s%s", i > 0 ? ", " : "", t->row->words[i]);
		if (strcmp(text, t->row->words[i]) != 0) continue;
		*(int *)field(t) = i;
		kh_buf_free(&all);
		return KH_OK;
	}
	enum kh_err err = kh_say(d, KH_EFORMAT, M_CONFIG_BAD_WORD, t->row->key, text, all.bytes, NULL);
	kh_buf_free(&all);
	return err;
}

static enum kh_err read_number(const struct target *t, const char *text, struct kh_diag *d)
{
	const struct config_row *row = t->row;
	uint64_t v, factor = 1;
	if (row->type == CFG_UINT) {
		if (kh_slice_u64(kh_str(text), INT64_MAX, &v) != KH_OK)
			return kh_say(d, KH_EFORMAT, M_CONFIG_BAD_NUMBER, row->key, text, NULL);
	} else if (row->type == CFG_SIZE) {
		if (!with_unit(kh_str(text), sizes, &v))
			return kh_say(d, KH_EFORMAT, M_CONFIG_BAD_SIZE, row->key, text, NULL);
	} else {
		if (!with_unit(kh_str(text), durations, &v))
			return kh_say(d, KH_EFORMAT, M_CONFIG_BAD_DURATION, row->key, text, NULL);
		factor = (uint64_t)KH_SECOND;
	}
	KH_TRY(in_range(row, text, v, factor, d));
	if (row->type == CFG_DURATION)
		*(int64_t *)field(t) = (int64_t)v;
	else
		*(uint64_t *)field(t) = v;
	return KH_OK;
}

static enum kh_err list_of_words(struct kh_arena *arena, const char *text, struct config_list *out,
								 struct kh_diag *d)
{
	struct config_list list = {KH_ARRAY(arena, const char *, strlen(text) / 2 + 1), 0};
	if (list.at == NULL) return no_memory(d);
	struct kh_slice rest = kh_str(text), word;
	while (rest.n > 0) {
		if (!kh_slice_cut(&rest, ' ', &word)) {
			word = rest;
			rest.n = 0;
		}
		if (word.n > 0 && (list.at[list.n++] = keep(arena, word)) == NULL) return no_memory(d);
	}
	*out = list;
	return KH_OK;
}

/* A value as text: from a default, or a scalar of the file. */
static enum kh_err read_text(const struct target *t, const char *text, struct kh_arena *arena,
							 struct kh_diag *d)
{
	switch (t->row->type) {
	case CFG_BOOL:
		return read_bool(t, text, d);
	case CFG_UINT:
	case CFG_SIZE:
	case CFG_DURATION:
		return read_number(t, text, d);
	case CFG_WORD:
		return read_word(t, text, d);
	case CFG_LIST:
		return list_of_words(arena, text, field(t), d);
	case CFG_TEXT: {
		const char *copy = keep(arena, kh_str(text));
		if (copy == NULL) return no_memory(d);
		*(const char **)field(t) = copy;
		return KH_OK;
	}
	case CFG_MAP:
	case CFG_TABLE:
		break;
	}
	return kh_say(d, KH_EFORMAT, M_CONFIG_WANT_MAPPING, t->row->key, NULL);
}

enum kh_err config_defaults(const struct config_row *rows, struct kh_arena *arena, void *out,
							struct kh_diag *diag)
{
	for (const struct config_row *row = rows; row->key != NULL; row++) {
		struct target t = {row, out};
		if (row->def != NULL) KH_TRY(read_text(&t, row->def, arena, diag));
	}
	return KH_OK;
}

/* ---- nodes of the file ---- */

static const char *scalar(struct reader *r, struct fy_node *node)
{
	size_t n = 0;
	if (node == NULL || fy_node_is_alias(node)) return NULL; /* its text would be the anchor's name */
	const char *text = fy_node_get_scalar(node, &n);
	if (text == NULL || memchr(text, '\0', n) != NULL) return NULL;
	return keep(r->arena, (struct kh_slice){(const uint8_t *)text, n});
}

static size_t count_items(struct fy_node *node)
{
	return fy_node_is_sequence(node) ? (size_t)fy_node_sequence_item_count(node) : 1;
}

static enum kh_err read_list(struct reader *r, const char *key, struct fy_node *node, uint64_t max,
							 struct config_list *out)
{
	size_t n = count_items(node);
	if (n > (max > 0 ? max : MAX_KEYS)) {
		kh_say(r->diag, KH_ELIMIT, M_CONFIG_TOO_MANY, key, KH_DEC(max), NULL);
		return at(r, node, KH_ELIMIT);
	}
	struct config_list list = {KH_ARRAY(r->arena, const char *, n + 1), 0};
	if (list.at == NULL) return no_memory(r->diag);
	void *iter = NULL;
	for (size_t i = 0; i < n; i++) {
		struct fy_node *item = fy_node_is_sequence(node) ? fy_node_sequence_iterate(node, &iter) : node;
		const char *text = fy_node_is_scalar(item) ? scalar(r, item) : NULL;
		if (text == NULL) {
			kh_say(r->diag, KH_EFORMAT, M_CONFIG_WANT_LIST, key, NULL);
			return at(r, item, KH_EFORMAT);
		}
		list.at[list.n++] = text;
	}
	*out = list;
	return KH_OK;
}

static enum kh_err read_map(struct reader *r, const struct target *t, struct fy_node *node)
{
	if (!fy_node_is_mapping(node)) {
		kh_say(r->diag, KH_EFORMAT, M_CONFIG_WANT_MAPPING, t->row->key, NULL);
		return at(r, node, KH_EFORMAT);
	}
	size_t n = (size_t)fy_node_mapping_item_count(node);
	if (n > (t->row->max > 0 ? t->row->max : MAX_KEYS)) {
		kh_say(r->diag, KH_ELIMIT, M_CONFIG_TOO_MANY, t->row->key, KH_DEC(t->row->max), NULL);
		return at(r, node, KH_ELIMIT);
	}
	struct config_map map = {KH_ARRAY(r->arena, struct config_map_entry, n + 1), 0};
	if (map.at == NULL) return no_memory(r->diag);
	void *iter = NULL;
	struct fy_node_pair *pair;
	while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL) {
		struct config_map_entry *e = &map.at[map.n++];
		e->name = scalar(r, fy_node_pair_key(pair));
		if (e->name == NULL)
			return at(r, node, kh_say(r->diag, KH_EFORMAT, M_CONFIG_WANT_SCALAR, t->row->key, NULL));
		KH_TRY(read_list(r, e->name, fy_node_pair_value(pair), 0, &e->values));
	}
	*(struct config_map *)field(t) = map;
	return KH_OK;
}

static enum kh_err read_mapping(struct reader *r, const struct config_row *rows, struct fy_node *node,
								const char *prefix, void *base, unsigned depth);

static enum kh_err table_entry(struct reader *r, const struct config_row *rows, struct fy_node *item,
							   void *entry, unsigned depth)
{
	KH_TRY(config_defaults(rows, r->arena, entry, r->diag));
	KH_TRY(read_mapping(r, rows, item, "", entry, depth + 1));
	for (const struct config_row *row = rows; row->key != NULL; row++) {
		if (!row->required || fy_node_mapping_lookup_by_string(item, row->key, (size_t)-1) != NULL) continue;
		kh_say(r->diag, KH_EFORMAT, M_CONFIG_MISSING, row->key, NULL);
		return at(r, item, KH_EFORMAT);
	}
	return KH_OK;
}

static enum kh_err read_table(struct reader *r, const struct target *t, struct fy_node *node, unsigned depth)
{
	const struct config_row *row = t->row;
	size_t n = count_items(node);
	if (!fy_node_is_sequence(node)) {
		kh_say(r->diag, KH_EFORMAT, M_CONFIG_WANT_TABLE, row->key, NULL);
		return at(r, node, KH_EFORMAT);
	}
	if (n > (row->max > 0 ? row->max : MAX_KEYS)) {
		kh_say(r->diag, KH_ELIMIT, M_CONFIG_TOO_MANY, row->key, KH_DEC(row->max), NULL);
		return at(r, node, KH_ELIMIT);
	}
	struct config_table table = {kh_arena_zalloc(r->arena, n + 1, row->row_size), 0};
	if (table.at == NULL) return no_memory(r->diag);
	void *iter = NULL;
	struct fy_node *item;
	while ((item = fy_node_sequence_iterate(node, &iter)) != NULL)
		KH_TRY(table_entry(r, row->rows, item, (char *)table.at + table.n++ * row->row_size, depth));
	*(struct config_table *)field(t) = table;
	return KH_OK;
}

static enum kh_err read_value(struct reader *r, const struct target *t, struct fy_node *node, unsigned depth)
{
	switch (t->row->type) {
	case CFG_LIST:
		return read_list(r, t->row->key, node, t->row->max, field(t));
	case CFG_MAP:
		return read_map(r, t, node);
	case CFG_TABLE:
		return read_table(r, t, node, depth);
	case CFG_BOOL:
	case CFG_UINT:
	case CFG_SIZE:
	case CFG_DURATION:
	case CFG_WORD:
	case CFG_TEXT:
		break;
	}
	const char *text = fy_node_is_scalar(node) ? scalar(r, node) : NULL;
	if (text == NULL) {
		kh_say(r->diag, KH_EFORMAT, M_CONFIG_WANT_SCALAR, t->row->key, NULL);
		return at(r, node, KH_EFORMAT);
	}
	enum kh_err err = read_text(t, text, r->arena, r->diag);
	return err == KH_OK ? KH_OK : at(r, node, err);
}

static const struct config_row *row_of(const struct config_row *rows, const char *key)
{
	for (; rows->key != NULL; rows++)
		if (strcmp(rows->key, key) == 0) return rows;
	return NULL;
}

static bool is_section(const struct config_row *rows, const char *key)
{
	size_t n = strlen(key);
	for (; rows->key != NULL; rows++)
		if (strncmp(rows->key, key, n) == 0 && rows->key[n] == '.') return true;
	return false;
}

static enum kh_err unknown_key(struct reader *r, const struct config_row *rows, struct fy_node *node,
							   const char *key)
{
	const char *names[256];
	size_t n = 0;
	for (; rows->key != NULL && n < 255; rows++) names[n++] = rows->key;
	names[n] = NULL;
	const char *near = kh_nearest(key, names);
	if (near != NULL)
		kh_say(r->diag, KH_EFORMAT, M_CONFIG_UNKNOWN_KEY_NEAR, key, near, NULL);
	else
		kh_say(r->diag, KH_EFORMAT, M_CONFIG_UNKNOWN_KEY, key, NULL);
	return at(r, node, KH_EFORMAT);
}

static enum kh_err read_pair(struct reader *r, const struct config_row *rows, struct fy_node_pair *pair,
							 const char *prefix, void *base, unsigned depth)
{
	char key[MAX_KEY_TEXT];
	struct fy_node *key_node = fy_node_pair_key(pair), *value = fy_node_pair_value(pair);
	const char *name = scalar(r, key_node);
	if (name == NULL || ++r->n_keys > MAX_KEYS)
		return at(r, key_node, kh_say(r->diag, KH_EFORMAT, M_CONFIG_UNKNOWN_KEY, prefix, NULL));
	int n = snprintf(key, sizeof key, "%s%s%s", prefix, *prefix != '\0' ? "." : "", name);
	if (n < 0 || (size_t)n >= sizeof key) return unknown_key(r, rows, key_node, key);
	const struct config_row *row = row_of(rows, key);
	if (row != NULL && fy_node_is_null(value) && row->type != CFG_TEXT)
		return KH_OK; /* "key:" keeps the default */
	if (row != NULL) return read_value(r, &(struct target){row, base}, value, depth);
	if (!is_section(rows, key)) return unknown_key(r, rows, key_node, key);
	if (fy_node_is_null(value)) return KH_OK;
	return read_mapping(r, rows, value, key, base, depth + 1);
}

static enum kh_err read_mapping(struct reader *r, const struct config_row *rows, struct fy_node *node,
								const char *prefix, void *base, unsigned depth)
{
	if (!fy_node_is_mapping(node) || depth > MAX_DEPTH) {
		kh_say(r->diag, KH_EFORMAT, M_CONFIG_WANT_MAPPING, *prefix != '\0' ? prefix : "...", NULL);
		return at(r, node, KH_EFORMAT);
	}
	void *iter = NULL;
	struct fy_node_pair *pair;
	while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL)
		KH_TRY(read_pair(r, rows, pair, prefix, base, depth));
	return KH_OK;
}

/* libfyaml's own words, first line: "file:line:column: error: ..." without the file. */
static enum kh_err not_yaml(struct fy_diag *fyd, const char *name, struct kh_diag *diag)
{
	void *iter = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(fyd, &iter);
	if (e == NULL) return KH_OK; /* nothing but comments: no document, and no error */
	struct kh_diag inner = {0};
	kh_say(&inner, KH_EFORMAT, M_CONFIG_NOT_YAML, e->msg != NULL ? e->msg : "?", NULL);
	return kh_say(diag, KH_EFORMAT, M_CONFIG_AT, name, KH_DEC(e->line), KH_DEC(e->column), inner.text, NULL);
}

/* libfyaml does not end on some text that is not UTF-8. */
static enum kh_err check_text(struct kh_slice yaml, const char *name, struct kh_diag *diag)
{
	struct kh_slice line, rest = yaml;
	unsigned n = 0;
	if (yaml.n == 0 || (kh_utf8_ok(yaml) && memchr(yaml.p, '\0', yaml.n) == NULL)) return KH_OK;
	for (bool more = true; more; n++) {
		more = kh_slice_cut(&rest, '\n', &line);
		if (!more) line = rest;
		if (!kh_utf8_ok(line) || (line.n > 0 && memchr(line.p, '\0', line.n) != NULL)) break;
	}
	return kh_say(diag, KH_EFORMAT, M_CONFIG_AT, name, KH_DEC(n + 1), "1", kh_msg(M_CONFIG_NOT_TEXT), NULL);
}

enum kh_err config_read(const struct config_row *rows, struct kh_slice yaml, const char *name,
						struct kh_arena *arena, void *out, struct kh_diag *diag)
{
	struct kh_diag local;
	struct reader r = {.file = name, .arena = arena, .diag = diag != NULL ? diag : &local};
	KH_TRY(config_defaults(rows, arena, out, r.diag));
	KH_TRY(check_text(yaml, name, r.diag));
	if (kh_slice_trim(yaml).n == 0) return KH_OK;
	struct fy_diag_cfg dcfg;
	fy_diag_cfg_default(&dcfg);
	dcfg.fp = NULL;
	dcfg.colorize = false;
	struct fy_diag *fyd = fy_diag_create(&dcfg);
	if (fyd == NULL) return no_memory(r.diag);
	fy_diag_set_collect_errors(fyd, true);
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_DISABLE_RECYCLING, .diag = fyd};
	struct fy_document *doc = fy_document_build_from_string(&cfg, (const char *)yaml.p, yaml.n);
	enum kh_err err = KH_OK;
	if (doc == NULL)
		err = not_yaml(fyd, name, r.diag);
	else if (fy_document_root(doc) != NULL && !fy_node_is_null(fy_document_root(doc)))
		err = read_mapping(&r, rows, fy_document_root(doc), "", out, 0);
	fy_document_destroy(doc);
	fy_diag_destroy(fyd);
	return err;
}

/* ---- writing ---- */

static void quoted(struct kh_buf *out, const char *text)
{
	kh_buf_char(out, '"');
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\')
			kh_buf_printf(out, "\\%c", c);
		else if (c < 0x20)
			kh_buf_printf(out, "\\x%02x", c);
		else
			kh_buf_char(out, *p);
	}
	kh_buf_char(out, '"');
}

static void write_list(struct kh_buf *out, const struct config_list *list)
{
	kh_buf_char(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0) kh_buf_text(out, ", ");
		quoted(out, list->at[i]);
	}
	kh_buf_char(out, ']');
}

static void write_duration(struct kh_buf *out, int64_t ns)
{
	for (size_t i = 5; i-- > 0;) {
		int64_t factor = (int64_t)durations[i].factor;
		if (ns % factor != 0 || (ns == 0 && i != 1)) continue;
		kh_buf_printf(out, "%" PRId64 "%s", ns / factor, durations[i].name);
		return;
	}
	kh_buf_printf(out, "%" PRId64 "ms", ns / (KH_SECOND / 1000));
}

static void write_size(struct kh_buf *out, uint64_t bytes)
{
	for (const struct unit *u = sizes; u->factor >= 1024; u++) {
		if (bytes == 0 || bytes % u->factor != 0 || strchr(u->name, 'i') == NULL) continue;
		kh_buf_printf(out, "%" PRIu64 "%s", bytes / u->factor, u->name);
		return;
	}
	kh_buf_printf(out, "%" PRIu64, bytes);
}

static void indent_to(struct kh_buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) kh_buf_text(out, "  ");
}

static void write_value(struct kh_buf *out, const struct config_row *row, const void *at_field,
						unsigned depth);

static void write_entry(struct kh_buf *out, const struct config_row *rows, const void *entry, unsigned depth)
{
	bool first = true;
	for (const struct config_row *row = rows; row->key != NULL; row++) {
		const void *f = (const char *)entry + row->offset;
		if (row->type == CFG_TEXT && *(const char *const *)f == NULL) continue;
		indent_to(out, depth);
		kh_buf_printf(out, "%s%s:", first ? "- " : "  ", row->key);
		write_value(out, row, f, depth + 1);
		first = false;
	}
}

static void write_map(struct kh_buf *out, const struct config_map *map, unsigned depth)
{
	kh_buf_char(out, '\n');
	for (size_t i = 0; i < map->n; i++) {
		indent_to(out, depth + 1);
		quoted(out, map->at[i].name);
		kh_buf_text(out, ": ");
		write_list(out, &map->at[i].values);
		kh_buf_char(out, '\n');
	}
}

static void write_table(struct kh_buf *out, const struct config_row *row, const struct config_table *table,
						unsigned depth)
{
	kh_buf_char(out, '\n');
	for (size_t i = 0; i < table->n; i++)
		write_entry(out, row->rows, (const char *)table->at + i * row->row_size, depth + 1);
}

static void write_value(struct kh_buf *out, const struct config_row *row, const void *f, unsigned depth)
{
	if (row->type == CFG_MAP && ((const struct config_map *)f)->n > 0) {
		write_map(out, f, depth);
		return;
	}
	if (row->type == CFG_TABLE && ((const struct config_table *)f)->n > 0) {
		write_table(out, row, f, depth);
		return;
	}
	kh_buf_char(out, ' ');
	switch (row->type) {
	case CFG_BOOL:
		kh_buf_text(out, *(const bool *)f ? "true" : "false");
		break;
	case CFG_UINT:
		kh_buf_printf(out, "%" PRIu64, *(const uint64_t *)f);
		break;
	case CFG_SIZE:
		write_size(out, *(const uint64_t *)f);
		break;
	case CFG_DURATION:
		write_duration(out, *(const int64_t *)f);
		break;
	case CFG_WORD:
		kh_buf_text(out, row->words[*(const int *)f]);
		break;
	case CFG_TEXT:
		quoted(out, *(const char *const *)f);
		break;
	case CFG_LIST:
		write_list(out, f);
		break;
	case CFG_MAP:
		kh_buf_text(out, "{}");
		break;
	case CFG_TABLE:
		kh_buf_text(out, "[]");
		break;
	}
	kh_buf_char(out, '\n');
}

/* Opens the sections that lead to a key: "mail:" above "  server:". Rows of one section stand together in the
 * table. */
static unsigned open_sections(struct kh_buf *out, const char *key, const char *before)
{
	unsigned depth = 0;
	size_t start = 0;
	bool same = true; /* so far the key shares its sections with the one before */
	for (const char *dot; (dot = strchr(key + start, '.')) != NULL; depth++) {
		size_t end = (size_t)(dot - key) + 1;
		same = same && strncmp(key, before, end) == 0;
		if (!same) {
			indent_to(out, depth);
			kh_buf_printf(out, "%.*s:\n", (int)(end - 1 - start), key + start);
		}
		start = end;
	}
	return depth;
}

void config_write(const struct config_row *rows, const void *from, bool comments, struct kh_buf *out)
{
	const char *before = "";
	for (const struct config_row *row = rows; row->key != NULL; row++) {
		const void *f = (const char *)from + row->offset;
		bool absent = row->type == CFG_TEXT && *(const char *const *)f == NULL;
		if (absent && !comments) continue;
		unsigned depth = open_sections(out, row->key, before);
		before = row->key;
		const char *leaf = strrchr(row->key, '.') != NULL ? strrchr(row->key, '.') + 1 : row->key;
		if (comments) {
			indent_to(out, depth);
			kh_buf_printf(out, "# %s\n", kh_msg(row->help));
		}
		indent_to(out, depth);
		kh_buf_printf(out, "%s%s:", absent ? "# " : "", leaf);
		if (absent)
			kh_buf_char(out, '\n');
		else
			write_value(out, row, f, depth);
	}
}

/* ---- did you mean ---- */

/* Damerau-Levenshtein distance (restricted), given up above `limit`. */
static unsigned distance(const char *a, const char *b, unsigned limit)
{
	enum { N = 64 };
	size_t n = strlen(a), m = strlen(b);
	unsigned row[3][N + 1];
	if (n > N || m > N) return limit + 1;
	for (size_t j = 0; j <= m; j++) row[1][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *cur = row[(i + 1) % 3], *last = row[i % 3], *before = row[(i + 2) % 3];
		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < best) best = last[j] + 1;
			if (cur[j - 1] + 1 < best) best = cur[j - 1] + 1;
			bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
			if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
			cur[j] = best;
		}
	}
	return row[(n + 1) % 3][m];
}

const char *kh_nearest(const char *typed, const char *const *words)
{
	unsigned limit = (unsigned)(strlen(typed) / 3) + 1, best = limit + 1;
	const char *near = NULL;
	for (; *words != NULL; words++) {
		unsigned d = distance(typed, *words, limit);
		if (d >= best) continue;
		best = d;
		near = *words;
	}
	return near;
}
