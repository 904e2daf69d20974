/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sigma/rule.h"

#include <math.h>
#include <stdlib.h>

#include "base/yaml.h"
#include "engine/sigma/reader.h"

/* ---- places and copies ---- */

uint32_t reader_line(const struct reader *r, struct fy_node *node)
{
	const struct fy_mark *m = kh_yaml_place(node);
	return r->first_line + (m != NULL && m->line > 0 ? (uint32_t)m->line : 0);
}

enum kh_err reader_fail(struct reader *r, struct fy_node *node, enum kh_err err, enum kh_msg key,
						const char *a, const char *b)
{
	r->line = reader_line(r, node);
	return kh_say(r->diag, err, key, a != NULL ? a : "", b != NULL ? b : "", NULL);
}

enum kh_err reader_no_memory(struct reader *r)
{
	r->line = r->first_line;
	return kh_say(r->diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
}

enum kh_err reader_keep(struct reader *r, struct kh_slice s, struct kh_slice *out)
{
	uint8_t *copy = KH_ARRAY(r->arena, uint8_t, s.n + 1);
	if (copy == NULL) return reader_no_memory(r);
	if (s.n > 0) memcpy(copy, s.p, s.n);
	*out = (struct kh_slice){copy, s.n};
	return KH_OK;
}

char *reader_text(struct reader *r, struct kh_slice s)
{
	static char nothing[1];
	char *copy = KH_ARRAY(r->arena, char, s.n + 1);
	if (copy == NULL) return nothing;
	if (s.n > 0) memcpy(copy, s.p, s.n);
	return copy;
}

struct kh_slice reader_raw(struct fy_node *node)
{
	size_t n = 0;
	const char *text = fy_node_get_scalar(node, &n);
	return (struct kh_slice){(const uint8_t *)text, text != NULL ? n : 0};
}

struct fy_node *reader_real(struct reader *r, struct fy_node *node)
{
	if (node == NULL || !fy_node_is_alias(node)) return node;
	struct kh_slice name = reader_raw(node);
	struct fy_anchor *anchor = fy_document_lookup_anchor(r->doc, (const char *)name.p, name.n);
	return anchor != NULL ? fy_anchor_node(anchor) : NULL;
}

struct fy_node *reader_get(struct reader *r, struct fy_node *map, const char *key)
{
	return reader_real(r, fy_node_mapping_lookup_by_string(map, key, (size_t)-1));
}

/* ---- scalars ---- */

static bool one_of(struct kh_slice s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (kh_slice_is(s, *words)) return true;
	return false;
}

static bool decimal(struct kh_slice s)
{
	size_t i = 0, digits = 0, dots = 0;
	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) i++;
	for (; i < s.n; i++) {
		if (s.p[i] == '.' && dots == 0)
			dots++;
		else if (s.p[i] >= '0' && s.p[i] <= '9')
			digits++;
		else
			return false;
	}
	return digits > 0 && s.n < 40;
}

static bool hexadecimal(struct kh_slice s)
{
	if (s.n < 3 || s.n > 18 || s.p[0] != '0' || (s.p[1] | 32) != 'x') return false;
	for (size_t i = 2; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'f')))
			return false;
	return true;
}

/* YAML 1.2 core schema; "yes" and "no" stay text. */
struct scalar reader_scalar(struct reader *r, struct fy_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"true", "True", "TRUE", NULL}, *const no[] = {"false", "False", "FALSE",
																					NULL};
	struct scalar v = {SCALAR_TEXT, reader_raw(node), 0, false};
	if (fy_node_get_style(node) != FYNS_PLAIN) return v;
	char copy[48] = "";
	if (v.text.n > 0) memcpy(copy, v.text.p, v.text.n < sizeof copy ? v.text.n : sizeof copy - 1);
	copy[sizeof copy - 1] = '\0';
	if (one_of(v.text, nulls)) {
		v.type = SCALAR_NULL;
	} else if (one_of(v.text, yes) || one_of(v.text, no)) {
		v.type = SCALAR_BOOL;
		v.truth = (v.text.p[0] | 32) == 't';
	} else if (decimal(v.text)) {
		v.type = SCALAR_NUMBER;
		v.number = strtod(copy, NULL);
	} else if (hexadecimal(v.text)) {
		v.type = SCALAR_NUMBER;
		uint64_t n = strtoull(copy, NULL, 16);
		v.number = (double)n;
		v.text = kh_str(reader_text(r, kh_str(KH_DEC(n))));
	}
	return v;
}

/* ---- metadata ---- */

static const char *const levels[SIGMA_N_LEVELS] = {"", "informational", "low", "medium", "high", "critical"};

const char *sigma_level_name(enum sigma_level level)
{
	return levels[level];
}

struct text_row {
	const char *key;
	size_t offset;
};

#define TEXT(member)                                                                                         \
	{                                                                                                        \
#member, offsetof(struct sigma_rule, member)                                                         \
	}
static const struct text_row text_rows[] = {TEXT(title),  TEXT(id),       TEXT(name),
											TEXT(author), TEXT(license),  TEXT(description),
											TEXT(date),   TEXT(modified), TEXT(status)};

struct list_row {
	const char *key;
	size_t at, n;
};

#define LIST(member)                                                                                         \
	{                                                                                                        \
#member, offsetof(struct sigma_rule, member), offsetof(struct sigma_rule, n_##member)                \
	}
static const struct list_row list_rows[] = {LIST(tags), LIST(falsepositives), LIST(references), LIST(fields)};

static enum kh_err read_texts(struct reader *r, struct fy_node *root, struct sigma_rule *rule)
{
	for (size_t i = 0; i < sizeof text_rows / sizeof *text_rows; i++) {
		struct fy_node *node = reader_get(r, root, text_rows[i].key);
		if (node == NULL) continue;
		if (!fy_node_is_scalar(node))
			return reader_fail(r, node, KH_EFORMAT, M_SIGMA_WANT_TEXT, text_rows[i].key, NULL);
		struct kh_slice *to = (struct kh_slice *)(void *)((char *)rule + text_rows[i].offset);
		KH_TRY(reader_keep(r, reader_raw(node), to));
	}
	return KH_OK;
}

static enum kh_err read_strings(struct reader *r, struct fy_node *node, const struct kh_slice **at,
								uint32_t *n)
{
	int count = fy_node_is_sequence(node) ? fy_node_sequence_item_count(node) : 1;
	struct kh_slice *list = KH_ARRAY(r->arena, struct kh_slice, (size_t)count + 1);
	if (list == NULL) return reader_no_memory(r);
	void *iter = NULL;
	uint32_t k = 0;
	for (int i = 0; i < count; i++) {
		struct fy_node *item =
			reader_real(r, fy_node_is_sequence(node) ? fy_node_sequence_iterate(node, &iter) : node);
		if (item == NULL || !fy_node_is_scalar(item)) continue; /* of no use to the match: let it pass */
		KH_TRY(reader_keep(r, reader_raw(item), &list[k++]));
	}
	*at = list;
	*n = k;
	return KH_OK;
}

static enum kh_err read_lists(struct reader *r, struct fy_node *root, struct sigma_rule *rule)
{
	for (size_t i = 0; i < sizeof list_rows / sizeof *list_rows; i++) {
		struct fy_node *node = reader_get(r, root, list_rows[i].key);
		if (node == NULL) continue;
		const struct kh_slice **at = (const struct kh_slice **)(void *)((char *)rule + list_rows[i].at);
		KH_TRY(read_strings(r, node, at, (uint32_t *)(void *)((char *)rule + list_rows[i].n)));
	}
	return KH_OK;
}

static enum kh_err read_level(struct reader *r, struct fy_node *root, struct sigma_rule *rule)
{
	struct fy_node *node = reader_get(r, root, "level");
	if (node == NULL) return KH_OK;
	struct kh_slice text = reader_raw(node);
	for (unsigned i = 1; i < SIGMA_N_LEVELS; i++) {
		if (!kh_slice_case_eq(text, kh_str(levels[i]))) continue;
		rule->level = (enum sigma_level)i;
		return KH_OK;
	}
	return reader_fail(r, node, KH_EFORMAT, M_SIGMA_BAD_LEVEL, reader_text(r, text), NULL);
}

static enum kh_err missing(struct reader *r, struct fy_node *node, const char *what)
{
	return reader_fail(r, node, KH_EFORMAT, r->after_global ? M_SIGMA_AFTER_GLOBAL : M_SIGMA_MISSING, what,
					   NULL);
}

static enum kh_err read_logsource(struct reader *r, struct fy_node *root, struct sigma_rule *rule)
{
	struct fy_node *node = reader_get(r, root, "logsource");
	if (node == NULL || !fy_node_is_mapping(node)) return missing(r, node != NULL ? node : root, "logsource");
	const struct {
		const char *key;
		struct kh_slice *to;
	} rows[] = {{"product", &rule->logsource.product},
				{"category", &rule->logsource.category},
				{"service", &rule->logsource.service}};
	for (size_t i = 0; i < 3; i++) {
		struct fy_node *v = reader_get(r, node, rows[i].key);
		if (v == NULL) continue;
		if (!fy_node_is_scalar(v)) return reader_fail(r, v, KH_EFORMAT, M_SIGMA_WANT_TEXT, rows[i].key, NULL);
		KH_TRY(reader_keep(r, reader_raw(v), rows[i].to));
	}
	return KH_OK;
}

/* ---- filters ---- */

static enum kh_err read_applies(struct reader *r, struct fy_node *filter, struct sigma_rule *rule)
{
	struct fy_node *node = reader_get(r, filter, "rules");
	if (node == NULL) return reader_fail(r, filter, KH_EFORMAT, M_SIGMA_MISSING, "filter.rules", NULL);
	rule->applies_any = fy_node_is_scalar(node) && kh_slice_is(reader_raw(node), "any");
	return rule->applies_any ? KH_OK : read_strings(r, node, &rule->applies, &rule->n_applies);
}

static enum kh_err read_document(struct reader *r, struct fy_node *root, struct sigma_rule *rule)
{
	if (root == NULL || !fy_node_is_mapping(root))
		return reader_fail(r, root, KH_EFORMAT, M_SIGMA_NOT_A_RULE, NULL, NULL);
	struct fy_node *action = reader_get(r, root, "action");
	if (action != NULL)
		return reader_fail(r, action, KH_EFORMAT, M_SIGMA_ACTION, reader_text(r, reader_raw(action)), NULL);
	if (reader_get(r, root, "correlation") != NULL)
		return reader_fail(r, root, KH_EFORMAT, M_SIGMA_CORRELATION, NULL, NULL);
	KH_TRY(read_texts(r, root, rule));
	if (rule->title.n == 0) return missing(r, root, "title");
	KH_TRY(read_lists(r, root, rule));
	KH_TRY(read_level(r, root, rule));
	KH_TRY(read_logsource(r, root, rule));
	struct fy_node *filter = reader_get(r, root, "filter");
	struct fy_node *body = filter != NULL ? filter : reader_get(r, root, "detection");
	if (body == NULL || !fy_node_is_mapping(body)) return missing(r, root, "detection");
	rule->kind = filter != NULL ? SIGMA_FILTER : SIGMA_RULE;
	if (filter != NULL) KH_TRY(read_applies(r, filter, rule));
	return detection_read(r, body, rule);
}

/* ---- one document ---- */

static enum kh_err not_yaml(struct reader *r, struct fy_diag *fyd)
{
	void *iter = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(fyd, &iter);
	r->line = r->first_line + (e != NULL && e->line > 0 ? (uint32_t)e->line : 0);
	return kh_say(r->diag, KH_EFORMAT, M_SIGMA_NOT_YAML, e != NULL && e->msg != NULL ? e->msg : "", NULL);
}

static struct fy_diag *quiet_diag(void)
{
	struct fy_diag_cfg cfg;
	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.level = FYET_ERROR;
	struct fy_diag *d = fy_diag_create(&cfg);
	if (d != NULL) fy_diag_set_collect_errors(d, true);
	return d;
}

static enum kh_err check_text(struct reader *r, struct kh_slice yaml)
{
	r->line = r->first_line;
	if (yaml.n > SIGMA_MAX_DOCUMENT)
		return kh_say(r->diag, KH_ELIMIT, M_SIGMA_TOO_LARGE, KH_DEC(SIGMA_MAX_DOCUMENT), NULL);
	if (!kh_utf8_ok(yaml)) return kh_say(r->diag, KH_EFORMAT, M_SIGMA_NOT_UTF8, NULL);
	if (yaml.n > 0 && memchr(yaml.p, 0, yaml.n) != NULL)
		return kh_say(r->diag, KH_EFORMAT, M_SIGMA_NOT_YAML, "NUL", NULL);
	return KH_OK;
}

enum kh_err sigma_rule_parse(struct kh_arena *a, const struct sigma_source_text *in, struct sigma_rule *out,
							 uint32_t *line, struct kh_diag *diag)
{
	struct reader r = {.arena = a,
					   .placeholders = in->placeholders,
					   .first_line = in->first_line,
					   .diag = diag,
					   .after_global = in->after_global};
	struct sigma_rule rule = {.file = in->file, .line = in->first_line};
	enum kh_err err = check_text(&r, in->yaml);
	struct fy_diag *fyd = err == KH_OK ? quiet_diag() : NULL;
	if (err == KH_OK && fyd == NULL) err = reader_no_memory(&r);
	if (err == KH_OK) {
		struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_DISABLE_RECYCLING, .diag = fyd};
		r.doc = fy_document_build_from_string(&cfg, (const char *)in->yaml.p, in->yaml.n);
		err = r.doc == NULL ? not_yaml(&r, fyd) : read_document(&r, fy_document_root(r.doc), &rule);
	}
	rule.waits = r.waits;
	rule.n_waits = r.n_waits;
	fy_document_destroy(r.doc);
	fy_diag_destroy(fyd);
	if (err != KH_OK)
		*line = r.line;
	else
		*out = rule;
	return err;
}
