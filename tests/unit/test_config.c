/* SPDX-License-Identifier: Apache-2.0
 * khien.yaml: each refusal names file, line, column and what would be right; what is written reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "role/settings.h"

/* From an exact-size heap copy, so that a read past the end is seen. */
static enum kh_err read_text(const char *yaml, struct settings **out, struct kh_diag *why)
{
	size_t n = strlen(yaml);
	uint8_t *copy = malloc(n > 0 ? n : 1);
	assert_non_null(copy);
	memcpy(copy, yaml, n);
	enum kh_err err = settings_read((struct kh_slice){copy, n}, "f.yaml", out, why);
	free(copy);
	return err;
}

static struct settings *good(const char *yaml)
{
	struct settings *s = NULL;
	struct kh_diag why = {0};
	if (read_text(yaml, &s, &why) != KH_OK) fail_msg("%s\n%s", why.text, yaml);
	return s;
}

static void refusals_name_the_place(void **st)
{
	(void)st;
	static const struct {
		const char *yaml;
		enum kh_err err;
		const char *place, *reason;
	} bad[] = {
		{"langage: en\n", KH_EFORMAT, "f.yaml:1:1: ", "did you mean \"language\""},
		{"web:\n  lisen: x\n", KH_EFORMAT, "f.yaml:2:3: ", "did you mean \"web.listen\""},
		{"qqqqqqqqqqqq: 1\n", KH_EFORMAT, "f.yaml:1:1: ", "unknown key \"qqqqqqqqqqqq\""},
		{"language: en\nlanguage: vi\n", KH_EFORMAT, "f.yaml:", "YAML"},
		{"language: fr\n", KH_EFORMAT, "f.yaml:1:11: ", "\"fr\" is not one of: vi, en"},
		{"web: {tls: maybe}\n", KH_EFORMAT, "f.yaml:1:12: ", "neither true nor false"},
		{"web:\n  max_connections: many\n", KH_EFORMAT, "f.yaml:2:20: ", "not a whole number"},
		{"web:\n  max_connections: -1\n", KH_EFORMAT, "f.yaml:2:20: ", "not a whole number"},
		{"web:\n  max_connections: 3\n", KH_ERANGE, "f.yaml:2:20: ", "\"3\" is outside 4 to 60000"},
		{"web:\n  max_connections: 60001\n", KH_ERANGE, "f.yaml:2:20: ", "outside 4 to 60000"},
		{"mail: {timeout: 5 parsecs}\n", KH_EFORMAT, "f.yaml:1:17: ", "not a duration such as"},
		{"mail: {timeout: 60}\n", KH_EFORMAT, "f.yaml:1:17: ", "not a duration such as"},
		{"mail: {timeout: 2h}\n", KH_ERANGE, "f.yaml:1:17: ", "\"2h\" is outside 1 to 3600"},
		{"mail: {timeout: 999ms}\n", KH_ERANGE, "f.yaml:1:17: ", "outside"},
		{"mail: {timeout: 999999999999999999d}\n", KH_EFORMAT, "f.yaml:1:17: ", "not a duration"},
		{"syslog: {max_line: 64 furlongs}\n", KH_EFORMAT, "f.yaml:1:20: ", "not a size such as"},
		{"syslog: {max_line: 1023}\n", KH_ERANGE, "f.yaml:1:20: ", "outside"},
		{"syslog: {max_line: 99999999999999999999GiB}\n", KH_EFORMAT, "f.yaml:1:20: ", "not a size"},
		{"web: 5\n", KH_EFORMAT, "f.yaml:1:6: ", "must hold keys"},
		{"state: [a]\n", KH_EFORMAT, "f.yaml:1:9: ", "must be one value"},
		{"web:\n  names: [a, [b]]\n", KH_EFORMAT, "f.yaml:2:15: ", "must be a list of values"},
		{"inputs: x\n", KH_EFORMAT, "f.yaml:1:9: ", "list of entries"},
		{"inputs:\n  - path: /x\n", KH_EFORMAT, "f.yaml:2:5: ", "\"name\" is missing here"},
		{"inputs:\n  - {name: a, path: /x, form: syslog}\n", KH_EFORMAT,
		 "f.yaml:2:25: ", "did you mean \"format\""},
		{"inputs:\n  - {name: a, path: /x, format: csv}\n", KH_EFORMAT,
		 "f.yaml:2:33: ", "not one of: auto, json, syslog, access, auditd"},
		{"placeholders: [a]\n", KH_EFORMAT, "f.yaml:1:16: ", "must hold keys"},
		{"placeholders: {a: {b: c}}\n", KH_EFORMAT, "f.yaml:1:20: ", "list of values"},
		{"state: &s /x\nuser: *s\n", KH_EFORMAT, "f.yaml:", "must be one value"},
		{"a: [\n", KH_EFORMAT, "f.yaml:", "YAML"},
		{"just text\n", KH_EFORMAT, "f.yaml:1:1: ", "must hold keys"},
		{"user: a\nstate: \xff\n", KH_EFORMAT, "f.yaml:2:1: ", "not UTF-8"},
		{"time_zone: nowhere\n", KH_EFORMAT, "f.yaml: ", "not an offset such as"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct settings *s = NULL;
		struct kh_diag why = {0};
		enum kh_err err = read_text(bad[i].yaml, &s, &why);
		if (err != bad[i].err || s != NULL || strncmp(why.text, bad[i].place, strlen(bad[i].place)) != 0 ||
			strstr(why.text, bad[i].reason) == NULL)
			fail_msg("%d \"%s\" for:\n%s", err, why.text, bad[i].yaml);
	}
	printf("%zu refusals\n", sizeof bad / sizeof *bad);
}

static void an_empty_file_is_all_defaults(void **st)
{
	(void)st;
	static const char *const empty[] = {"", " \n\n", "# nothing\n", "web:\nmail:\n", "language:\n"};
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
		struct settings *s = good(empty[i]);
		assert_int_equal(s->language, KH_VI);
		assert_string_equal(s->state, "/var/lib/khien");
		assert_int_equal(s->time_zone_s, 7 * 3600);
		assert_true(s->web.tls && s->web.max_connections == 1000 && s->web.names.n == 1);
		assert_true(s->syslog.max_line == 64 << 10 && s->syslog.udp.n == 0);
		assert_true(s->mail.timeout == 60 * KH_SECOND && s->mail.expire == KH_DAY && s->mail.server == NULL);
		assert_true(s->inputs.n == 0 && s->placeholders.n == 0 && s->rules.paths.n == 2);
		settings_free(s);
	}
}

static void durations_and_sizes_have_units(void **st)
{
	(void)st;
	static const struct {
		const char *text;
		int64_t ns;
	} durations[] = {{"1500ms", 1500 * (KH_SECOND / 1000)},
					 {"30s", 30 * KH_SECOND},
					 {"15m", 15 * KH_MINUTE},
					 {"12h", 12 * KH_HOUR},
					 {"7d", 7 * KH_DAY},
					 {"\"2 h\"", 2 * KH_HOUR}};
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {{"70000", 70000},     {"64KiB", 64 << 10},  {"10MiB", 10 << 20},
				 {"5GiB", 5ull << 30}, {"1TiB", 1ull << 40}, {"5kB", 5000},
				 {"2MB", 2000000},     {"3GB", 3000000000},  {"9B", 9}};
	char yaml[128];
	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		snprintf(yaml, sizeof yaml, "findings: {window: %s}\n", durations[i].text);
		struct settings *s = good(yaml);
		assert_true(s->findings.window == durations[i].ns);
		settings_free(s);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		snprintf(yaml, sizeof yaml, "store: {max_size: %s}\n", sizes[i].text);
		struct settings *s = good(yaml);
		assert_true(s->store.max_size == sizes[i].bytes);
		settings_free(s);
	}
}

/* "key: [x, x, ...]" with n entries. */
static char *many(const char *front, const char *before, const char *after, size_t n, const char *end)
{
	size_t cap = strlen(front) + n * (strlen(before) + strlen(after) + 12) + strlen(end) + 1, len = 0;
	char *text = malloc(cap);
	assert_non_null(text);
	len += (size_t)snprintf(text + len, cap - len, "%s", front);
	for (size_t i = 0; i < n; i++) {
		len += (size_t)snprintf(text + len, cap - len, "%s%s%zu%s", i > 0 ? ", " : "", before, i, after);
	}
	snprintf(text + len, cap - len, "%s", end);
	return text;
}

static void lists_and_tables_end(void **st)
{
	(void)st;
	static const struct {
		const char *front, *before, *after, *end;
		size_t most;
	} rows[] = {{"web: {names: [", "n", ".example.vn", "]}\n", 32},
				{"syslog: {udp: [", "'127.0.0.1:", "'", "]}\n", 16},
				{"inputs: [", "{name: n", ", path: /x}", "]\n", 256},
				{"placeholders: {", "n", ": [a]", "}\n", 1024}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *fits = many(rows[i].front, rows[i].before, rows[i].after, rows[i].most, rows[i].end);
		char *over = many(rows[i].front, rows[i].before, rows[i].after, rows[i].most + 1, rows[i].end);
		settings_free(good(fits));
		struct settings *s = NULL;
		struct kh_diag why = {0};
		if (read_text(over, &s, &why) != KH_ELIMIT)
			fail_msg("%zu of \"%s\": %s", rows[i].most + 1, rows[i].front, why.text);
		assert_non_null(strstr(why.text, "f.yaml:1:"));
		assert_non_null(strstr(why.text, KH_DEC(rows[i].most)));
		free(fits);
		free(over);
	}
}

/* ---- what is written reads back ---- */

static unsigned seed;

static uint64_t any(uint64_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return below > 0 ? (seed >> 8) % below : 0;
}

static const char *any_text(struct kh_arena *a)
{
	static const char *const pieces[] = {
		"a",    "Z",        " ",           "\"",   "\\",   ":",  "#",
		"'",    "\n",       "\t",          "\x01", "\x7f", "đ",  "\xf0\x9f\x94\x92",
		"{",    "]",        "*",           "&",    "%",    "- ", "0",
		"null", "\xc2\x85", "\xe2\x80\xa8"};
	size_t n = any(12), len = 0;
	char *text = KH_ARRAY(a, char, 128);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, 128 - len, "%s", pieces[any(sizeof pieces / sizeof *pieces)]);
	return text;
}

static struct config_list any_list(struct kh_arena *a, uint64_t most)
{
	struct config_list list = {KH_ARRAY(a, const char *, most + 1), any(most + 1)};
	for (size_t i = 0; i < list.n; i++) list.at[i] = any_text(a);
	return list;
}

static struct config_map any_map(struct kh_arena *a)
{
	struct config_map map = {KH_ARRAY(a, struct config_map_entry, 8), any(8)};
	for (size_t i = 0; i < map.n; i++) {
		char *name = KH_ARRAY(a, char, 160);
		snprintf(name, 160, "%zu%s", i, any_text(a)); /* names differ */
		map.at[i] = (struct config_map_entry){name, any_list(a, 4)};
	}
	return map;
}

static void any_values(const struct config_row *rows, struct kh_arena *a, void *out);

static struct config_table any_table(const struct config_row *row, struct kh_arena *a)
{
	struct config_table table = {kh_arena_zalloc(a, 8, row->row_size), any(5)};
	for (size_t i = 0; i < table.n; i++) any_values(row->rows, a, (char *)table.at + i * row->row_size);
	return table;
}

static void any_value(const struct config_row *row, struct kh_arena *a, void *field)
{
	uint64_t max = row->max > 0 ? row->max : 1 << 20, number = row->min + any(max - row->min + 1);
	int n_words = 0;
	while (row->words != NULL && row->words[n_words] != NULL) n_words++;
	switch (row->type) {
	case CFG_BOOL:
		*(bool *)field = any(2) == 1;
		break;
	case CFG_UINT:
	case CFG_SIZE:
		*(uint64_t *)field = number;
		break;
	case CFG_DURATION:
		*(int64_t *)field = (int64_t)number * KH_SECOND;
		break;
	case CFG_TEXT:
		*(const char **)field = any_text(a);
		break;
	case CFG_WORD:
		*(int *)field = (int)any((uint64_t)n_words);
		break;
	case CFG_LIST:
		*(struct config_list *)field = any_list(a, row->max < 8 ? row->max : 8);
		break;
	case CFG_MAP:
		*(struct config_map *)field = any_map(a);
		break;
	case CFG_TABLE:
		*(struct config_table *)field = any_table(row, a);
		break;
	}
}

static void any_values(const struct config_row *rows, struct kh_arena *a, void *out)
{
	for (const struct config_row *row = rows; row->key != NULL; row++)
		any_value(row, a, (char *)out + row->offset);
}

static bool same(const struct config_row *rows, const void *a, const void *b);

static bool same_list(const struct config_list *a, const struct config_list *b)
{
	bool equal = a->n == b->n;
	for (size_t i = 0; equal && i < a->n; i++) equal = strcmp(a->at[i], b->at[i]) == 0;
	return equal;
}

static bool same_map(const struct config_map *a, const struct config_map *b)
{
	bool equal = a->n == b->n;
	for (size_t i = 0; equal && i < a->n; i++)
		equal = strcmp(a->at[i].name, b->at[i].name) == 0 && same_list(&a->at[i].values, &b->at[i].values);
	return equal;
}

static bool same_table(const struct config_row *row, const struct config_table *a,
					   const struct config_table *b)
{
	bool equal = a->n == b->n;
	for (size_t i = 0; equal && i < a->n; i++)
		equal =
			same(row->rows, (const char *)a->at + i * row->row_size, (const char *)b->at + i * row->row_size);
	return equal;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_value(const struct config_row *row, const void *a, const void *b)
{
	switch (row->type) {
	case CFG_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case CFG_UINT:
	case CFG_SIZE:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case CFG_DURATION:
		return *(const int64_t *)a == *(const int64_t *)b;
	case CFG_WORD:
		return *(const int *)a == *(const int *)b;
	case CFG_TEXT:
		return same_text(*(const char *const *)a, *(const char *const *)b);
	case CFG_LIST:
		return same_list(a, b);
	case CFG_MAP:
		return same_map(a, b);
	case CFG_TABLE:
		return same_table(row, a, b);
	}
	return false;
}

static bool same(const struct config_row *rows, const void *a, const void *b)
{
	for (const struct config_row *row = rows; row->key != NULL; row++) {
		if (same_value(row, (const char *)a + row->offset, (const char *)b + row->offset)) continue;
		printf("%s differs\n", row->key);
		return false;
	}
	return true;
}

static void round_trip(const struct settings *s, bool comments)
{
	struct kh_arena *a = kh_arena_new(1 << 14, 16 << 20);
	struct kh_buf b = KH_BUF(16 << 20);
	struct settings again = {0};
	struct kh_diag why = {0};
	config_write(settings_rows, s, comments, &b);
	assert_int_equal(b.err, KH_OK);
	if (config_read(settings_rows, kh_buf_slice(&b), "w.yaml", a, &again, &why) != KH_OK)
		fail_msg("%s in:\n%.*s", why.text, (int)b.n, b.bytes);
	if (!same(settings_rows, s, &again)) fail_msg("lost in:\n%.*s", (int)b.n, b.bytes);
	kh_buf_free(&b);
	kh_arena_free(a);
}

static void settings_survive_writing(void **st)
{
	(void)st;
	enum { ROUNDS = 400 };
	const char *given = getenv("KHIEN_TEST_SEED");
	seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	printf("seed %u\n", seed);
	struct settings *defaults = good("");
	round_trip(defaults, false);
	round_trip(defaults, true);
	settings_free(defaults);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct kh_arena *a = kh_arena_new(1 << 14, 16 << 20);
		struct settings s = {0};
		any_values(settings_rows, a, &s);
		round_trip(&s, i % 2 == 0);
		kh_arena_free(a);
	}
}

int main(void)
{
	kh_lang_set(KH_EN);
	const struct CMUnitTest t[] = {
		cmocka_unit_test(refusals_name_the_place),        cmocka_unit_test(an_empty_file_is_all_defaults),
		cmocka_unit_test(durations_and_sizes_have_units), cmocka_unit_test(lists_and_tables_end),
		cmocka_unit_test(settings_survive_writing),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
