/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/message.h"
#include "codec/csv/csv.h"

static struct kh_arena *arena;
static struct kh_diag diag;
static struct csv table;
static uint8_t *copy; /* exact size, so that a one-byte over-read is seen */

static enum kh_err open_text(struct kh_slice text)
{
	free(copy);
	copy = malloc(text.n > 0 ? text.n : 1);
	if (text.n > 0) memcpy(copy, text.p, text.n);
	kh_arena_reset(arena);
	return csv_open(&table, (struct kh_slice){copy, text.n}, arena, &diag);
}

/* All rows, the first one included: cells in brackets, rows parted by '/'. The last result is in `last`. */
static enum kh_err last;

static const char *rows_of(const char *text)
{
	static char out[4096];
	struct kh_slice cells[CSV_MAX_COLUMNS];
	size_t n = 0, at = 0;
	out[0] = '\0';
	last = open_text(kh_str(text));
	if (last != KH_OK) return out;
	for (size_t i = 0; i < table.n_columns; i++)
		at += (size_t)snprintf(out + at, sizeof out - at, "[%.*s]", (int)table.columns[i].n,
							   (const char *)table.columns[i].p);
	while ((last = csv_next(&table, cells, &n, &diag)) == KH_OK && n > 0) {
		at += (size_t)snprintf(out + at, sizeof out - at, "/%u:", table.line);
		for (size_t i = 0; i < n; i++)
			at += (size_t)snprintf(out + at, sizeof out - at, "[%.*s]", (int)cells[i].n,
								   (const char *)cells[i].p);
	}
	return out;
}

static void tables_are_read(void **st)
{
	(void)st;
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"a,b\n1,2\n", "[a][b]/2:[1][2]"},
		{"\xef\xbb\xbf"
		 "a;b\r\n1;2,5",
		 "[a][b]/2:[1][2,5]"},
		{"a\tb\n1\t2", "[a][b]/2:[1][2]"},
		{"sep=|\na|b,c\n1|2", "[a][b,c]/3:[1][2]"},
		{" a , b \n\n\"x \"\"y\"\"\",\"l1\nl2\"\n,\n", "[a][b]/3:[x \"y\"][l1\nl2]/5:[][]"},
		{"a\n'=1+1\n''=x\n'x\n-5\n", "[a]/2:[=1+1]/3:['=x]/4:['x]/5:[-5]"},
		{"a\nx\"y\"\n", "[a]/2:[x\"y\"]"},
		{"\"a;x\",b,c\n1,2,3", "[a;x][b][c]/2:[1][2][3]"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_string_equal(rows_of(rows[i].in), rows[i].out);
		assert_int_equal(last, KH_OK);
	}
	size_t at;
	assert_int_equal(open_text(KH_LIT("Name,Email\n")), KH_OK);
	assert_true(csv_column(&table, "email", &at));
	assert_int_equal(at, 1);
	assert_false(csv_column(&table, "phone", &at));
}

static void broken_tables_name_line_and_column(void **st)
{
	(void)st;
	static const struct {
		const char *in;
		enum kh_err err;
		const char *says;
	} rows[] = {
		{"", KH_EFORMAT, "first row"},
		{"\n\n", KH_EFORMAT, "first row"},
		{"a,b\n\n1,\"x", KH_EFORMAT, "line 3, column 2"},
		{"a,b\n1,\"x\"y\n", KH_EFORMAT, "line 2, column 2"},
		{"a,b\n1,2\n1\n", KH_ERANGE, "line 3: 1 cells where the first row has 2"},
		{"a,b\n1,2,3\n", KH_ERANGE, "line 2: 3 cells"},
		{"a,b\n1,\xe9\n", KH_EFORMAT, "line 2: not UTF-8"},
	};
	kh_lang_set(KH_EN);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		(void)rows_of(rows[i].in);
		assert_int_equal(last, rows[i].err);
		if (strstr(diag.text, rows[i].says) == NULL) print_message("%s\n", diag.text);
		assert_non_null(strstr(diag.text, rows[i].says));
	}
}

static void reading_goes_on_after_a_ragged_row(void **st)
{
	(void)st;
	struct kh_slice cells[CSV_MAX_COLUMNS];
	size_t n;
	assert_int_equal(open_text(KH_LIT("a,b\n1\n2,3\n")), KH_OK);
	assert_int_equal(csv_next(&table, cells, &n, &diag), KH_ERANGE);
	assert_int_equal(csv_next(&table, cells, &n, &diag), KH_OK);
	assert_true(kh_slice_is(cells[1], "3"));
}

static void limits_hold(void **st)
{
	(void)st;
	static char text[2 * CSV_MAX_COLUMNS + 8];
	memset(text, ',', CSV_MAX_COLUMNS - 1);
	assert_int_equal(open_text(kh_str(text)), KH_OK);
	memset(text, ',', CSV_MAX_COLUMNS);
	assert_int_equal(open_text(kh_str(text)), KH_ELIMIT);
	static char cell[CSV_MAX_CELL + 8];
	memset(cell, 'x', CSV_MAX_CELL);
	assert_int_equal(open_text(kh_str(cell)), KH_OK);
	memset(cell, 'x', CSV_MAX_CELL + 1);
	assert_int_equal(open_text(kh_str(cell)), KH_ELIMIT);
}

static void formulas_are_defused(void **st)
{
	(void)st;
	struct kh_buf out = KH_BUF(4096);
	struct kh_slice cells[] = {KH_LIT("=1+1"), KH_LIT("+84"), KH_LIT("-5.5"), KH_LIT("-1+1"), KH_LIT("@x"),
							   KH_LIT("\tx"),  KH_LIT("'=x"), KH_LIT("'x"),   KH_LIT("a\"b"), KH_LIT("")};
	csv_write(&out, cells, sizeof cells / sizeof *cells);
	assert_string_equal(out.bytes, "'=1+1,'+84,-5.5,'-1+1,'@x,\"'\tx\",''=x,'x,\"a\"\"b\",\r\n");
	kh_buf_free(&out);
}

static void what_is_written_reads_back(void **st)
{
	(void)st;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	for (int round = 0; round < 2000; round++) {
		char bytes[4][12];
		struct kh_slice cells[4], got[CSV_MAX_COLUMNS];
		struct kh_buf out = KH_BUF(4096);
		size_t count = 1 + (size_t)rand_r(&seed) % 4, n;
		for (size_t i = 0; i < count; i++) {
			size_t len = (size_t)rand_r(&seed) % sizeof bytes[i];
			for (size_t j = 0; j < len; j++) bytes[i][j] = "a\",;\t\r\n '=+-@5"[rand_r(&seed) % 14];
			cells[i] = (struct kh_slice){(const uint8_t *)bytes[i], len};
		}
		static const struct kh_slice names[] = {{(const uint8_t *)"a", 1},
												{(const uint8_t *)"b", 1},
												{(const uint8_t *)"c", 1},
												{(const uint8_t *)"d", 1}};
		csv_write(&out, names, count);
		csv_write(&out, cells, count);
		assert_int_equal(open_text(kh_buf_slice(&out)), KH_OK);
		if (count > 1) assert_int_equal(table.mark, ',');
		assert_int_equal(csv_next(&table, got, &n, &diag), KH_OK);
		assert_int_equal(n, count);
		for (size_t i = 0; i < count; i++) assert_true(kh_slice_eq(cells[i], got[i]));
		assert_int_equal(csv_next(&table, got, &n, &diag), KH_OK);
		assert_int_equal(n, 0);
		kh_buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_read),
		cmocka_unit_test(broken_tables_name_line_and_column),
		cmocka_unit_test(reading_goes_on_after_a_ragged_row),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(formulas_are_defused),
		cmocka_unit_test(what_is_written_reads_back),
	};
	arena = kh_arena_new(4096, 1 << 20);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	kh_arena_free(arena);
	free(copy);
	return failed;
}
