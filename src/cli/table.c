/* SPDX-License-Identifier: Apache-2.0
 * table.c - JSON for people: lists as columns, objects as lines. What came from outside is made harmless for
 * a terminal: control characters become '?'. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "base/time.h"
#include "cli/cli.h"

enum { MAX_CELL = 60, MAX_COLUMNS = 16 };

size_t cli_width(const char *text)
{
	size_t width = 0;
	const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text;
	for (utf8proc_ssize_t left = (utf8proc_ssize_t)strlen(text); left > 0;) {
		utf8proc_int32_t code;
		utf8proc_ssize_t n = utf8proc_iterate(p, left, &code);
		if (n <= 0)
			n = 1;
		else
			width += (size_t)utf8proc_charwidth(code);
		p += n;
		left -= n;
	}
	return width;
}

static const json_t *look(const json_t *row, const char *key)
{
	char head[64];
	const char *dot = strchr(key, '.');
	if (dot == NULL) return json_object_get(row, key);
	snprintf(head, sizeof head, "%.*s", (int)(dot - key), key);
	return look(json_object_get(row, head), dot + 1);
}

static void harmless(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

/* A cell's text, to be freed. Times are shown as on screens. */
static char *cell(const json_t *v)
{
	struct kh_buf b = KH_BUF(1 << 20);
	size_t i;
	const json_t *item;
	char at[KH_TIME_TEXT];
	int64_t time_ns;
	if (json_is_string(v) && kh_time_parse(kh_str(json_string_value(v)), false, &time_ns) == KH_OK)
		kh_buf_text(&b, kh_time_vietnam(at, time_ns));
	else if (json_is_string(v))
		kh_buf_text(&b, json_string_value(v));
	else if (json_is_integer(v))
		kh_buf_printf(&b, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		kh_buf_printf(&b, "%g", json_real_value(v));
	else if (json_is_boolean(v))
		kh_buf_text(&b, kh_msg(json_is_true(v) ? M_CLI_YES : M_CLI_NO));
	json_array_foreach((json_t *)(uintptr_t)v, i, item) if (json_is_string(item))
		kh_buf_printf(&b, "%s%s", i > 0 ? " " : "", json_string_value(item));
	if (b.bytes == NULL) kh_buf_text(&b, "");
	harmless(b.bytes);
	return b.bytes;
}

/* Cuts a cell to at most MAX_CELL columns, at a whole character. */
static void shorten(char *text)
{
	if (cli_width(text) <= MAX_CELL) return;
	size_t n = strlen(text);
	while (n > 0 && cli_width(text) > MAX_CELL - 1) {
		do n--;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80);
		text[n] = '\0';
	}
	memcpy(text + n, "…", sizeof "…");
}

static void pad(const char *text, size_t width)
{
	fputs(text, stdout);
	for (size_t w = cli_width(text); w < width; w++) putchar(' ');
}

void cli_print_table(const json_t *rows, const struct cli_column *columns)
{
	size_t width[MAX_COLUMNS] = {0}, n_columns = 0, n = json_array_size(rows);
	while (columns[n_columns].key != NULL && n_columns < MAX_COLUMNS) n_columns++;
	char **cells = calloc(n * n_columns + 1, sizeof *cells);
	if (cells == NULL) abort();
	for (size_t c = 0; c < n_columns; c++) width[c] = cli_width(kh_msg(columns[c].title));
	for (size_t i = 0; i < n * n_columns; i++) {
		const struct cli_column *c = &columns[i % n_columns];
		cells[i] = cell(look(json_array_get(rows, i / n_columns), c->key));
		shorten(cells[i]);
		if (cli_width(cells[i]) > width[i % n_columns]) width[i % n_columns] = cli_width(cells[i]);
	}
	for (size_t c = 0; n > 0 && c < n_columns; c++) {
		pad(kh_msg(columns[c].title), c + 1 < n_columns ? width[c] + 2 : 0);
		if (c + 1 == n_columns) putchar('\n');
	}
	for (size_t i = 0; i < n * n_columns; i++) {
		bool last = i % n_columns + 1 == n_columns;
		pad(cells[i], last ? 0 : width[i % n_columns] + 2);
		if (last) putchar('\n');
		free(cells[i]);
	}
	free(cells);
	if (n == 0) kh_print(stderr, M_CLI_EMPTY_LIST, NULL);
}

static void print_member(const char *key, const json_t *v, int depth)
{
	size_t i;
	const json_t *item;
	const char *name;
	if (json_is_object(v)) {
		printf("%*s%s:\n", depth * 2, "", key);
		json_object_foreach((json_t *)(uintptr_t)v, name, item) print_member(name, item, depth + 1);
		return;
	}
	if (json_is_array(v) && json_array_size(v) > 0 && !json_is_string(json_array_get(v, 0))) {
		printf("%*s%s:\n", depth * 2, "", key);
		json_array_foreach((json_t *)(uintptr_t)v, i, item) print_member("-", item, depth + 1);
		return;
	}
	char *text = cell(v);
	printf("%*s%s: %s\n", depth * 2, "", key, text);
	free(text);
}

void cli_print_object(const json_t *object)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)object, key, v) print_member(key, v, 0);
}

void cli_print_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
}
