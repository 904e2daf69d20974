/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sigma/mapping.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/config.h"
#include "base/embed.h"
#include "base/message.h"

extern const struct kh_embed sigma_mapping_files[];

struct loader {
	struct kh_arena *arena;
	const char *name;
	struct kh_diag *diag;
};

static enum kh_err fail(struct loader *l, struct fy_node *node, enum kh_msg key, const char *a)
{
	struct fy_token *token = node != NULL && fy_node_is_scalar(node) ? fy_node_get_scalar_token(node) : NULL;
	const struct fy_mark *m = token != NULL ? fy_token_start_mark(token) : NULL;
	return kh_say(l->diag, KH_EFORMAT, key, l->name, KH_DEC(m != NULL ? m->line + 1 : 0), a, NULL);
}

static enum kh_err no_memory(struct loader *l)
{
	return kh_say(l->diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
}

static enum kh_err keep(struct loader *l, struct fy_node *node, struct kh_slice *out)
{
	size_t n = 0;
	const char *text = node != NULL && fy_node_is_scalar(node) && !fy_node_is_alias(node)
						   ? fy_node_get_scalar(node, &n)
						   : NULL;
	if (text == NULL) return fail(l, node, M_SIGMA_PACK_SHAPE, "text");
	char *copy = KH_ARRAY(l->arena, char, n + 1);
	if (copy == NULL) return no_memory(l);
	memcpy(copy, text, n);
	*out = (struct kh_slice){(const uint8_t *)copy, n};
	return KH_OK;
}

/* One text or a list of texts; nothing at all is an empty list. */
static enum kh_err read_list(struct loader *l, struct fy_node *node, struct mapping_list *out)
{
	if (node == NULL) return KH_OK;
	bool many = fy_node_is_sequence(node);
	uint32_t n = many ? (uint32_t)fy_node_sequence_item_count(node) : 1;
	struct kh_slice *list = KH_ARRAY(l->arena, struct kh_slice, (size_t)n + 1);
	if (list == NULL) return no_memory(l);
	void *iter = NULL;
	for (uint32_t i = 0; i < n; i++)
		KH_TRY(keep(l, many ? fy_node_sequence_iterate(node, &iter) : node, &list[i]));
	*out = (struct mapping_list){list, n};
	return KH_OK;
}

static struct fy_node *get(struct fy_node *map, const char *key)
{
	return fy_node_mapping_lookup_by_string(map, key, (size_t)-1);
}

static enum kh_err read_aliases(struct loader *l, struct fy_node *node, struct mapping_aliases *out)
{
	if (node == NULL) return KH_OK;
	if (!fy_node_is_mapping(node)) return fail(l, node, M_SIGMA_PACK_SHAPE, "fields");
	uint32_t n = (uint32_t)fy_node_mapping_item_count(node), k = 0;
	struct mapping_alias *list = KH_ARRAY(l->arena, struct mapping_alias, (size_t)n + 1);
	if (list == NULL) return no_memory(l);
	void *iter = NULL;
	struct fy_node_pair *pair;
	while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL) {
		KH_TRY(keep(l, fy_node_pair_key(pair), &list[k].field));
		KH_TRY(read_list(l, fy_node_pair_value(pair), &list[k].from));
		k++;
	}
	*out = (struct mapping_aliases){list, k};
	return KH_OK;
}

static enum kh_err read_case(struct loader *l, struct fy_node *node, struct mapping_case *out)
{
	if (!fy_node_is_mapping(node)) return fail(l, node, M_SIGMA_PACK_SHAPE, "when");
	uint32_t n = (uint32_t)fy_node_mapping_item_count(node), k = 0;
	struct mapping_test *list = KH_ARRAY(l->arena, struct mapping_test, (size_t)n + 1);
	if (list == NULL) return no_memory(l);
	void *iter = NULL;
	struct fy_node_pair *pair;
	while ((pair = fy_node_mapping_iterate(node, &iter)) != NULL) {
		struct mapping_test *t = &list[k++];
		KH_TRY(keep(l, fy_node_pair_key(pair), &t->field));
		KH_TRY(read_list(l, fy_node_pair_value(pair), &t->values));
		t->any = t->values.n == 1 && kh_slice_is(t->values.at[0], "*");
	}
	*out = (struct mapping_case){list, k};
	return KH_OK;
}

static enum kh_err read_cases(struct loader *l, struct fy_node *node, struct mapping_source *s)
{
	if (node == NULL) return fail(l, node, M_SIGMA_PACK_SHAPE, "when");
	bool many = fy_node_is_sequence(node);
	uint32_t n = many ? (uint32_t)fy_node_sequence_item_count(node) : 1;
	struct mapping_case *list = KH_ARRAY(l->arena, struct mapping_case, (size_t)n + 1);
	if (list == NULL) return no_memory(l);
	void *iter = NULL;
	for (uint32_t i = 0; i < n; i++)
		KH_TRY(read_case(l, many ? fy_node_sequence_iterate(node, &iter) : node, &list[i]));
	s->cases = list;
	s->n_cases = n;
	return KH_OK;
}

static enum kh_err read_source(struct loader *l, struct fy_node *node, struct mapping_source *s)
{
	if (node == NULL || !fy_node_is_mapping(node)) return fail(l, node, M_SIGMA_PACK_SHAPE, "sources");
	KH_TRY(read_list(l, get(node, "product"), &s->product));
	KH_TRY(read_list(l, get(node, "category"), &s->category));
	KH_TRY(read_list(l, get(node, "service"), &s->service));
	KH_TRY(read_cases(l, get(node, "when"), s));
	KH_TRY(read_list(l, get(node, "host"), &s->host));
	return read_aliases(l, get(node, "fields"), &s->fields);
}

static enum kh_err read_sources(struct loader *l, struct fy_node *node, struct mapping_pack *pack)
{
	if (node == NULL) return KH_OK;
	int n = fy_node_is_sequence(node) ? fy_node_sequence_item_count(node) : -1;
	if (n < 0 || n > MAPPING_MAX_SOURCES) return fail(l, node, M_SIGMA_PACK_SHAPE, "sources");
	struct mapping_source *list = KH_ARRAY(l->arena, struct mapping_source, (size_t)n + 1);
	if (list == NULL) return no_memory(l);
	void *iter = NULL;
	for (int i = 0; i < n; i++) KH_TRY(read_source(l, fy_node_sequence_iterate(node, &iter), &list[i]));
	pack->sources = list;
	pack->n_sources = (uint32_t)n;
	return KH_OK;
}

static enum kh_err known_keys(struct loader *l, struct fy_node *root)
{
	static const char *const keys[] = {"pack", "strip", "pairs",   "fields", "sources",
									   "host", "time",  "address", NULL};
	void *iter = NULL;
	struct fy_node_pair *pair;
	while ((pair = fy_node_mapping_iterate(root, &iter)) != NULL) {
		struct kh_slice key = {0};
		KH_TRY(keep(l, fy_node_pair_key(pair), &key));
		const char *const *k = keys;
		while (*k != NULL && !kh_slice_is(key, *k)) k++;
		if (*k == NULL) return fail(l, fy_node_pair_key(pair), M_SIGMA_PACK_KEY, (const char *)key.p);
	}
	return KH_OK;
}

static enum kh_err read_pack(struct loader *l, struct fy_node *root, struct mapping_pack *pack)
{
	if (root == NULL || !fy_node_is_mapping(root)) return fail(l, root, M_SIGMA_PACK_SHAPE, "pack");
	KH_TRY(known_keys(l, root));
	KH_TRY(keep(l, get(root, "pack"), &pack->name));
	if (!kh_slice_is(pack->name, l->name)) return fail(l, get(root, "pack"), M_SIGMA_PACK_SHAPE, "pack");
	KH_TRY(read_list(l, get(root, "strip"), &pack->strip));
	KH_TRY(read_list(l, get(root, "pairs"), &pack->pairs));
	KH_TRY(read_aliases(l, get(root, "fields"), &pack->fields));
	KH_TRY(read_list(l, get(root, "host"), &pack->host));
	KH_TRY(read_list(l, get(root, "time"), &pack->time));
	KH_TRY(read_list(l, get(root, "address"), &pack->address));
	return read_sources(l, get(root, "sources"), pack);
}

enum kh_err mapping_pack_parse(struct kh_arena *a, const char *name, struct kh_slice yaml,
							   struct mapping_pack *out, struct kh_diag *diag)
{
	struct loader l = {a, name, diag};
	struct mapping_pack pack = {0};
	if (yaml.n > MAPPING_MAX_BYTES || !kh_utf8_ok(yaml)) return fail(&l, NULL, M_SIGMA_PACK_SHAPE, "YAML");
	struct fy_diag_cfg dcfg;
	fy_diag_cfg_default(&dcfg);
	dcfg.fp = NULL;
	struct fy_diag *fyd = fy_diag_create(&dcfg);
	if (fyd == NULL) return no_memory(&l);
	fy_diag_set_collect_errors(fyd, true);
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_DISABLE_RECYCLING, .diag = fyd};
	struct fy_document *doc = fy_document_build_from_string(&cfg, (const char *)yaml.p, yaml.n);
	enum kh_err err = doc == NULL ? fail(&l, NULL, M_SIGMA_PACK_SHAPE, "YAML")
								  : read_pack(&l, fy_document_root(doc), &pack);
	fy_document_destroy(doc);
	fy_diag_destroy(fyd);
	if (err == KH_OK) *out = pack;
	return err;
}

/* ---- the program's packs ---- */

static const struct kh_embed *embedded(const char *name)
{
	char file[128];
	snprintf(file, sizeof file, "%s.yml", name);
	for (const struct kh_embed *e = sigma_mapping_files; e->name != NULL; e++)
		if (strcmp(e->name, file) == 0) return e;
	return NULL;
}

/* The operator's own file of that name goes before the embedded one. */
static enum kh_err from_folder(struct kh_arena *a, const char *folder, const char *name,
							   struct mapping_pack *out, bool *found, struct kh_diag *diag)
{
	char path[4096];
	*found = false;
	if (folder == NULL || snprintf(path, sizeof path, "%s/%s.yml", folder, name) >= (int)sizeof path)
		return KH_OK;
	FILE *f = fopen(path, "rb");
	if (f == NULL) return KH_OK;
	char *text = malloc(MAPPING_MAX_BYTES + 1);
	size_t n = text != NULL ? fread(text, 1, MAPPING_MAX_BYTES + 1, f) : 0;
	fclose(f);
	*found = true;
	enum kh_err err = text == NULL
						  ? kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL)
						  : mapping_pack_parse(a, name, (struct kh_slice){(uint8_t *)text, n}, out, diag);
	free(text);
	return err;
}

static const char *const all_packs[] = {"sysmon", "windows", "windows-security", "forwarders", "linux",
										"web",    "zeek",    "suricata",         NULL};

static enum kh_err unknown_pack(const char *name, struct kh_diag *diag)
{
	const char *near = kh_nearest(name, all_packs);
	if (near != NULL) return kh_say(diag, KH_EFORMAT, M_SIGMA_UNKNOWN_PACK_NEAR, name, near, NULL);
	char all[256] = "";
	for (size_t i = 0, n = 0; all_packs[i] != NULL && n < sizeof all; i++)
		n += (size_t)snprintf(all + n, sizeof all - n, " %s", all_packs[i]);
	return kh_say(diag, KH_EFORMAT, M_SIGMA_UNKNOWN_PACK, name, all, NULL);
}

static enum kh_err one_pack(struct kh_arena *a, const char *folder, const char *name,
							struct mapping_pack *out, struct kh_diag *diag)
{
	bool found;
	KH_TRY(from_folder(a, folder, name, out, &found, diag));
	if (found) return KH_OK;
	const struct kh_embed *e = embedded(name);
	if (e == NULL) return unknown_pack(name, diag);
	return mapping_pack_parse(a, name, e->bytes, out, diag);
}

enum kh_err mapping_load(struct kh_arena *a, const char *const *names, size_t n_names, const char *folder,
						 struct mapping *out, struct kh_diag *diag)
{
	if (names == NULL) {
		names = all_packs;
		n_names = sizeof all_packs / sizeof *all_packs - 1;
	}
	struct mapping_pack *packs = KH_ARRAY(a, struct mapping_pack, n_names + 1);
	if (packs == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	for (size_t i = 0; i < n_names; i++) KH_TRY(one_pack(a, folder, names[i], &packs[i], diag));
	*out = (struct mapping){packs, (uint32_t)n_names};
	return KH_OK;
}

static bool holds(const struct mapping_list *list, struct kh_slice word)
{
	if (word.n == 0) return true;
	for (uint32_t i = 0; i < list->n; i++)
		if (kh_slice_case_eq(list->at[i], word)) return true;
	return false;
}

bool mapping_speaks(const struct mapping_source *s, const struct sigma_logsource *rule)
{
	return holds(&s->product, rule->product) && holds(&s->category, rule->category) &&
		   holds(&s->service, rule->service);
}
