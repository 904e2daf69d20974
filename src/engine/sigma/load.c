/* SPDX-License-Identifier: Apache-2.0
 * load.c - a rule set out of texts, files and folders. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/message.h"
#include "engine/sigma/sigma.h"

enum {
	RULES_BLOCK = 1 << 18,
	RULES_BYTES = 512 << 20,
	FOLDER_DEPTH = 32,
	PATH_BYTES = 4096,
	FILE_BYTES = 16 << 20
};

struct sigma_rules {
	struct kh_arena *arena;
	const struct sigma_placeholders *placeholders;
	struct sigma_rule **rules;
	struct sigma_reject *rejects;
	size_t n_rules, rules_cap, n_rejects, rejects_cap, n_files;
};

struct sigma_rules *sigma_rules_new(const struct sigma_placeholders *placeholders)
{
	struct sigma_rules *r = calloc(1, sizeof *r);
	if (r == NULL) return NULL;
	r->placeholders = placeholders;
	r->arena = kh_arena_new(RULES_BLOCK, RULES_BYTES);
	if (r->arena != NULL) return r;
	free(r);
	return NULL;
}

void sigma_rules_free(struct sigma_rules *r)
{
	if (r == NULL) return;
	kh_arena_free(r->arena);
	free(r->rules);
	free(r->rejects);
	free(r);
}

/* Room for one more. */
static void *room(void *old, size_t n, size_t *cap, size_t size)
{
	if (n < *cap) return old;
	size_t wider = *cap > 0 ? *cap * 2 : 64;
	void *p = reallocarray(old, wider, size);
	if (p != NULL) *cap = wider;
	return p;
}

static char *kept_text(struct sigma_rules *r, const char *text)
{
	size_t n = strlen(text);
	char *copy = KH_ARRAY(r->arena, char, n + 1);
	if (copy != NULL) memcpy(copy, text, n);
	return copy;
}

static enum kh_err reject(struct sigma_rules *r, const char *file, uint32_t line, const char *reason)
{
	struct sigma_reject *at = room(r->rejects, r->n_rejects, &r->rejects_cap, sizeof *at);
	char *why = kept_text(r, reason);
	if (at != NULL) r->rejects = at;
	if (at == NULL || why == NULL) return KH_ENOMEM;
	at[r->n_rejects++] = (struct sigma_reject){file, why, line};
	return KH_OK;
}

static enum kh_err add_document(struct sigma_rules *r, const struct sigma_source_text *in)
{
	struct sigma_rule **at = room(r->rules, r->n_rules, &r->rules_cap, sizeof *at);
	struct sigma_rule *rule = KH_NEW(r->arena, struct sigma_rule);
	if (at != NULL) r->rules = at;
	if (at == NULL || rule == NULL) return KH_ENOMEM;
	struct kh_diag why = {0};
	uint32_t line = in->first_line;
	enum kh_err err = sigma_rule_parse(r->arena, in, rule, &line, &why);
	if (err == KH_ENOMEM) return err;
	if (err != KH_OK) return reject(r, in->file, line, why.text);
	at[r->n_rules++] = rule;
	return KH_OK;
}

/* Does the line at `at` part two documents? */
static bool is_mark(struct kh_slice text, size_t at)
{
	if (text.n - at < 3 || memcmp(text.p + at, "---", 3) != 0) return false;
	return text.n - at == 3 || text.p[at + 3] == '\n' || text.p[at + 3] == '\r' || text.p[at + 3] == ' ';
}

static bool says_something(struct kh_slice yaml)
{
	struct kh_slice line;
	for (bool more = true; more;) {
		more = kh_slice_cut(&yaml, '\n', &line);
		if (!more) line = yaml;
		line = kh_slice_trim(line);
		if (line.n > 0 && line.p[0] != '#' && !kh_slice_is(line, "---") && !kh_slice_is(line, "..."))
			return true;
	}
	return false;
}

static bool says_global(struct kh_slice yaml)
{
	struct kh_slice line, key;
	for (bool more = true; more;) {
		more = kh_slice_cut(&yaml, '\n', &line);
		if (!more) line = yaml;
		if (kh_slice_cut(&line, ':', &key) && kh_slice_is(key, "action"))
			return kh_slice_is(kh_slice_trim(line), "global");
	}
	return false;
}

enum kh_err sigma_rules_add_text(struct sigma_rules *r, const char *file, struct kh_slice yaml,
								 struct kh_diag *diag)
{
	const char *name = kept_text(r, file);
	if (name == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (yaml.n >= 3 && memcmp(yaml.p, "\xef\xbb\xbf", 3) == 0) yaml = kh_slice_from(yaml, 3);
	r->n_files++;
	struct sigma_source_text in = {.file = name, .first_line = 1, .placeholders = r->placeholders};
	size_t begin = 0;
	uint32_t line = 1;
	for (size_t at = 0; at <= yaml.n;) { /* `at` begins a line */
		bool end = at == yaml.n;
		if (end || (is_mark(yaml, at) && at > begin)) {
			in.yaml = kh_slice_to(kh_slice_from(yaml, begin), at - begin);
			if (says_something(in.yaml) && add_document(r, &in) != KH_OK)
				return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
			in.after_global = in.after_global || says_global(in.yaml);
			in.first_line = line;
			begin = at;
		}
		if (end) break;
		const uint8_t *newline = memchr(yaml.p + at, '\n', yaml.n - at);
		at = newline != NULL ? (size_t)(newline - yaml.p) + 1 : yaml.n;
		line++;
	}
	return KH_OK;
}

/* ---- files and folders ---- */

static enum kh_err add_file(struct sigma_rules *r, const char *path, struct kh_diag *diag)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL) return kh_say_errno(diag, M_FILE_OPEN, path, NULL);
	struct kh_buf b = KH_BUF(FILE_BYTES);
	char part[65536];
	size_t n;
	while ((n = fread(part, 1, sizeof part, f)) > 0) kh_buf_put(&b, (struct kh_slice){(uint8_t *)part, n});
	enum kh_err err = KH_OK;
	if (ferror(f))
		err = kh_say_errno(diag, M_FILE_READ, path, NULL);
	else if (b.err == KH_ENOMEM)
		err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	fclose(f);
	if (err == KH_OK && b.err == KH_OK)
		err = sigma_rules_add_text(r, path, kh_buf_slice(&b), diag);
	else if (err == KH_OK) {
		char why[128];
		kh_msg_write(why, sizeof why, kh_lang(), M_SIGMA_TOO_LARGE, KH_DEC(FILE_BYTES), NULL);
		char *name = kept_text(r, path);
		err = name != NULL ? reject(r, name, 1, why) : KH_ENOMEM;
		r->n_files++;
	}
	kh_buf_free(&b);
	return err;
}

static bool wanted(const struct dirent *d)
{
	if (d->d_name[0] == '.') return false;
	if (d->d_type == DT_DIR || d->d_type == DT_UNKNOWN || d->d_type == DT_LNK) return true;
	size_t n = strlen(d->d_name);
	return (n > 4 && strcmp(d->d_name + n - 4, ".yml") == 0) ||
		   (n > 5 && strcmp(d->d_name + n - 5, ".yaml") == 0);
}

static int filter(const struct dirent *d)
{
	return wanted(d);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum kh_err add_path(struct sigma_rules *r, const char *path, unsigned depth, struct kh_diag *diag);

/* Inside a folder, what cannot be read is refused like a broken rule and does not hide the others. */
static enum kh_err add_entry(struct sigma_rules *r, const char *path, unsigned depth, struct kh_diag *diag)
{
	struct kh_diag why = {0};
	enum kh_err err = add_path(r, path, depth, &why);
	const char *name = err == KH_ESYS ? kept_text(r, path) : NULL;
	r->n_files += name != NULL;
	if (name != NULL) return reject(r, name, 1, why.text);
	if (err != KH_OK && diag != NULL) *diag = why;
	return err;
}

static enum kh_err add_folder(struct sigma_rules *r, const char *path, unsigned depth, struct kh_diag *diag)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, filter, by_name);
	if (n < 0) return kh_say_errno(diag, M_FILE_OPEN, path, NULL);
	enum kh_err err = KH_OK;
	for (int i = 0; i < n; i++) {
		char full[PATH_BYTES];
		int len = snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
		if (err == KH_OK && len < (int)sizeof full && r->n_files < SIGMA_MAX_FILES)
			err = add_entry(r, full, depth + 1, diag);
		free(entries[i]);
	}
	free(entries);
	return err;
}

static enum kh_err add_path(struct sigma_rules *r, const char *path, unsigned depth, struct kh_diag *diag)
{
	struct stat st;
	if (stat(path, &st) != 0) return kh_say_errno(diag, M_FILE_OPEN, path, NULL);
	if (!S_ISDIR(st.st_mode)) return add_file(r, path, diag);
	return depth < FOLDER_DEPTH ? add_folder(r, path, depth, diag) : KH_OK;
}

enum kh_err sigma_rules_add_path(struct sigma_rules *r, const char *path, struct kh_diag *diag)
{
	return add_path(r, path, 0, diag);
}

/* ---- what is there ---- */

bool sigma_rules_disable(struct sigma_rules *r, struct kh_slice id)
{
	bool found = false;
	for (size_t i = 0; i < r->n_rules; i++) {
		if (!kh_slice_case_eq(r->rules[i]->id, id) || id.n == 0) continue;
		r->rules[i]->disabled = true;
		found = true;
	}
	return found;
}

size_t sigma_rules_files(const struct sigma_rules *r)
{
	return r->n_files;
}

size_t sigma_rules_count(const struct sigma_rules *r)
{
	return r->n_rules;
}

const struct sigma_rule *sigma_rules_at(const struct sigma_rules *r, size_t i)
{
	return r->rules[i];
}

size_t sigma_rules_rejects(const struct sigma_rules *r)
{
	return r->n_rejects;
}

const struct sigma_reject *sigma_rules_reject(const struct sigma_rules *r, size_t i)
{
	return &r->rejects[i];
}

size_t sigma_rules_documents(const struct sigma_rules *r)
{
	return r->n_rules + r->n_rejects;
}
