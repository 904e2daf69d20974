/* SPDX-License-Identifier: Apache-2.0
 * detection.c - the maps, lists and conditions of `detection:` and `filter:`. */
#include "engine/sigma/reader.h"

static struct sigma_expr *expr_new(struct kh_arena *a, enum sigma_expr_kind kind, uint32_t n)
{
	struct sigma_expr *e = KH_NEW(a, struct sigma_expr);
	if (e == NULL) return NULL;
	e->kind = kind;
	e->n = n;
	return e;
}

struct sigma_expr *expr_join(struct kh_arena *a, enum sigma_expr_kind kind, const struct sigma_expr **kids,
							 uint32_t n)
{
	struct sigma_expr *e = expr_new(a, kind, n);
	if (e == NULL) return NULL;
	if (n == 1) {
		*e = *kids[0];
		return e;
	}
	e->kids = kids;
	return e;
}

struct sigma_expr *expr_not(struct kh_arena *a, const struct sigma_expr *kid)
{
	struct sigma_expr *e = expr_new(a, SIGMA_NOT, 1);
	if (e == NULL) return NULL;
	e->kids = KH_ARRAY(a, const struct sigma_expr *, 1);
	if (e->kids == NULL) return NULL;
	e->kids[0] = kid;
	return e;
}

struct sigma_expr *expr_pred(struct kh_arena *a, const struct sigma_pred *pred)
{
	struct sigma_expr *e = expr_new(a, SIGMA_PRED, 0);
	if (e != NULL) e->pred = pred;
	return e;
}

/* ---- selections ---- */

static enum kh_err read_map(struct reader *r, struct fy_node *node, const struct sigma_expr **out)
{
	int count = fy_node_mapping_item_count(node);
	if (count < 1) return reader_fail(r, node, KH_EFORMAT, M_SIGMA_EMPTY_SELECTION, NULL, NULL);
	const struct sigma_expr **kids = KH_ARRAY(r->arena, const struct sigma_expr *, (size_t)count);
	if (kids == NULL) return reader_no_memory(r);
	uint32_t n = 0;
	void *iter = NULL;
	struct fy_node_pair *pair;
	while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL) {
		struct fy_node *key = fy_node_pair_key(pair), *value = reader_real(r, fy_node_pair_value(pair));
		if (key == NULL || !fy_node_is_scalar(key))
			return reader_fail(r, node, KH_EFORMAT, M_SIGMA_BAD_KEY, NULL, NULL);
		KH_TRY(item_read(r, reader_raw(key), value != NULL ? value : key, &kids[n++]));
	}
	*out = expr_join(r->arena, SIGMA_AND, kids, n);
	return *out != NULL ? KH_OK : reader_no_memory(r);
}

/* A list: its maps and its keywords, any of them. */
static enum kh_err read_list(struct reader *r, struct fy_node *node, const struct sigma_expr **out)
{
	int count = fy_node_sequence_item_count(node);
	if (count < 1) return reader_fail(r, node, KH_EFORMAT, M_SIGMA_EMPTY_SELECTION, NULL, NULL);
	const struct sigma_expr **kids = KH_ARRAY(r->arena, const struct sigma_expr *, (size_t)count);
	if (kids == NULL) return reader_no_memory(r);
	uint32_t n = 0;
	void *iter = NULL;
	for (int i = 0; i < count; i++) {
		struct fy_node *item = reader_real(r, fy_node_sequence_iterate(node, &iter));
		if (item != NULL && fy_node_is_mapping(item)) {
			KH_TRY(read_map(r, item, &kids[n++]));
		} else if (item != NULL && fy_node_is_scalar(item)) {
			KH_TRY(item_read(r, KH_LIT(""), item, &kids[n++]));
		} else {
			return reader_fail(r, node, KH_EFORMAT, M_SIGMA_BAD_SELECTION, NULL, NULL);
		}
	}
	*out = expr_join(r->arena, SIGMA_OR, kids, n);
	return *out != NULL ? KH_OK : reader_no_memory(r);
}

static enum kh_err read_selection(struct reader *r, struct fy_node *node, struct kh_slice name,
								  const struct sigma_expr **out)
{
	const struct sigma_expr *e = NULL;
	if (fy_node_is_mapping(node))
		KH_TRY(read_map(r, node, &e));
	else if (fy_node_is_sequence(node))
		KH_TRY(read_list(r, node, &e));
	else
		KH_TRY(item_read(r, KH_LIT(""), node, &e));
	struct sigma_expr *named = KH_NEW(r->arena, struct sigma_expr);
	if (named == NULL) return reader_no_memory(r);
	*named = *e;
	named->name = name;
	*out = named;
	return KH_OK;
}

/* Words beside the selections that are not selections. */
static bool reserved(const struct sigma_rule *rule, struct kh_slice key)
{
	return kh_slice_is(key, "condition") || kh_slice_is(key, "timeframe") ||
		   (rule->kind == SIGMA_FILTER && kh_slice_is(key, "rules"));
}

static enum kh_err read_selections(struct reader *r, struct fy_node *node, struct sigma_rule *rule)
{
	int count = fy_node_mapping_item_count(node);
	if (count > SIGMA_MAX_SELECTIONS)
		return reader_fail(r, node, KH_ELIMIT, M_SIGMA_TOO_MANY, KH_DEC(SIGMA_MAX_SELECTIONS), NULL);
	struct sigma_selection *list = KH_ARRAY(r->arena, struct sigma_selection, (size_t)count + 1);
	if (list == NULL) return reader_no_memory(r);
	rule->selections = list;
	void *iter = NULL;
	struct fy_node_pair *pair;
	while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL) {
		struct fy_node *key = fy_node_pair_key(pair), *value = reader_real(r, fy_node_pair_value(pair));
		if (key == NULL || !fy_node_is_scalar(key))
			return reader_fail(r, node, KH_EFORMAT, M_SIGMA_BAD_KEY, NULL, NULL);
		struct kh_slice name = reader_raw(key);
		if (reserved(rule, name)) continue;
		bool empty = value == NULL ||
					 (fy_node_is_sequence(value) && fy_node_sequence_item_count(value) < 1) ||
					 (fy_node_is_mapping(value) && fy_node_mapping_item_count(value) < 1);
		if (empty) return reader_fail(r, key, KH_EFORMAT, M_SIGMA_EMPTY_SELECTION, NULL, NULL);
		struct sigma_selection *s = &list[rule->n_selections];
		KH_TRY(reader_keep(r, name, &s->name));
		KH_TRY(read_selection(r, value, s->name, &s->expr));
		rule->n_selections++;
	}
	return KH_OK;
}

/* ---- conditions ---- */

static bool excludes(const struct sigma_expr *e, unsigned depth)
{
	if (e->kind == SIGMA_NOT) return true;
	for (uint32_t i = 0; i < e->n && e->kind != SIGMA_PRED && depth < SIGMA_MAX_DEPTH * 2; i++)
		if (excludes(e->kids[i], depth + 1)) return true;
	return false;
}

static enum kh_err read_conditions(struct reader *r, struct fy_node *node, struct sigma_rule *rule)
{
	int count = fy_node_is_sequence(node) ? fy_node_sequence_item_count(node) : 1;
	const struct sigma_expr **kids = KH_ARRAY(r->arena, const struct sigma_expr *, (size_t)count + 1);
	if (kids == NULL) return reader_no_memory(r);
	void *iter = NULL;
	for (int i = 0; i < count; i++) {
		struct fy_node *item = fy_node_is_sequence(node) ? fy_node_sequence_iterate(node, &iter) : node;
		if (item == NULL || !fy_node_is_scalar(item))
			return reader_fail(r, node, KH_EFORMAT, M_SIGMA_WANT_TEXT, "condition", NULL);
		struct kh_slice text;
		KH_TRY(reader_keep(r, reader_raw(item), &text));
		if (i == 0) rule->condition_text = text;
		KH_TRY(condition_read(r, item, text, rule, &kids[i]));
	}
	if (count < 1) return reader_fail(r, node, KH_EFORMAT, M_SIGMA_MISSING, "condition", NULL);
	rule->condition = expr_join(r->arena, SIGMA_OR, kids, (uint32_t)count);
	return rule->condition != NULL ? KH_OK : reader_no_memory(r);
}

enum kh_err detection_read(struct reader *r, struct fy_node *node, struct sigma_rule *rule)
{
	struct fy_node *condition = reader_get(r, node, "condition");
	if (condition == NULL) return reader_fail(r, node, KH_EFORMAT, M_SIGMA_MISSING, "condition", NULL);
	KH_TRY(read_selections(r, node, rule));
	if (rule->n_selections == 0) return reader_fail(r, node, KH_EFORMAT, M_SIGMA_MISSING, "detection", NULL);
	KH_TRY(read_conditions(r, condition, rule));
	struct fy_node *timeframe =
		reader_get(r, node, "timeframe"); /* after the condition, which says what for */
	if (timeframe != NULL)
		return reader_fail(r, timeframe, KH_EFORMAT, M_SIGMA_TIMEFRAME, reader_text(r, reader_raw(timeframe)),
						   NULL);
	rule->narrows = rule->kind == SIGMA_FILTER && !excludes(rule->condition, 0);
	return KH_OK;
}
