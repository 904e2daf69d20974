/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_fixture.h"

#include <sys/stat.h>

static void opens_private_and_whole(void **st)
{
	struct fixture f;
	struct stat s;
	(void)st;
	fixture_empty(&f);
	assert_int_equal(stat(f.path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_int_equal(db_schema_version(f.db), count_of(&f, "SELECT COUNT(*) FROM migration"));
	assert_int_equal(count_of(&f, "PRAGMA foreign_keys"), 1);
	char *mode = text_of_row(&f, "PRAGMA journal_mode");
	assert_string_equal(mode, "wal");
	free(mode);
	OK(db_migrate(f.db, MORNING, &diag)); /* nothing left to do */
	fixture_end(&f);
}

static void tables_are_strict(void **st)
{
	struct fixture f;
	(void)st;
	fixture_empty(&f);
	assert_int_equal(
		count_of(&f, "SELECT COUNT(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
					 " AND strict = 0 AND name NOT LIKE 'sqlite_%'"),
		0);
	assert_int_equal(db_exec(f.db, "INSERT INTO counter (name, value) VALUES ('x', 'word')", DB_NONE, &diag),
					 KH_ERANGE);
	fixture_end(&f);
}

static void values_and_columns_go_round(void **st)
{
	struct fixture f;
	(void)st;
	fixture_empty(&f);
	static const char bytes[] = "a\0b";
	struct db_rows r = db_query(f.db, "SELECT $2, $1, $3, $1, $4, $5",
								DB_ARGS(db_int(INT64_MIN), db_str("đ'\";--"), db_str(NULL),
										db_blob((struct kh_slice){(const uint8_t *)bytes, 3}),
										db_text((struct kh_slice){NULL, 0})));
	assert_true(db_next(&r));
	assert_string_equal(db_col_str(&r, 0), "đ'\";--");
	assert_true(db_col_int(&r, 1) == INT64_MIN && db_col_int(&r, 3) == INT64_MIN);
	assert_true(db_col_null(&r, 2));
	assert_int_equal(db_col_text(&r, 4).n, 3);
	assert_false(db_col_null(&r, 5)); /* an empty text is not NULL */
	assert_false(db_next(&r));
	OK(db_end(&r, &diag));
	fixture_end(&f);
}

/* The same text twice at once, and errors that stick without harm to what comes after. */
static void queries_nest_and_fail_alone(void **st)
{
	struct fixture f;
	const char *sql = "SELECT name FROM counter ORDER BY name";
	(void)st;
	fixture_empty(&f);
	fixture_run(&f, "INSERT INTO counter VALUES ('a', 1), ('b', 2)");
	struct db_rows outer = db_query(f.db, sql, DB_NONE);
	int n = 0;
	while (db_next(&outer)) {
		struct db_rows inner = db_query(f.db, sql, DB_NONE);
		while (db_next(&inner)) n++;
		OK(db_end(&inner, &diag));
	}
	OK(db_end(&outer, &diag));
	assert_int_equal(n, 4);
	assert_int_equal(db_exec(f.db, "SELECT nonsense", DB_NONE, &diag), KH_ESYS);
	assert_non_null(strstr(diag.text, "nonsense"));
	assert_int_equal(db_exec(f.db, "INSERT INTO counter VALUES ('a', 1)", DB_NONE, &diag), KH_ERANGE);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM counter"), 2);
	fixture_end(&f);
}

static void refuses_newer_and_changed_schemas(void **st)
{
	struct fixture f;
	(void)st;
	fixture_empty(&f);
	fixture_run(&f, "UPDATE migration SET digest = '00' WHERE number = 1");
	assert_int_equal(db_migrate(f.db, MORNING, &diag), KH_EFORMAT);
	assert_non_null(strstr(diag.text, "001-ground.sql"));
	fixture_end(&f);
	fixture_empty(&f);
	fixture_run(&f, "INSERT INTO migration VALUES (900, '900-later.sql', 'x', 1)");
	assert_int_equal(db_migrate(f.db, MORNING, &diag), KH_EFORMAT);
	assert_non_null(strstr(diag.text, "900"));
	fixture_end(&f);
}

static void a_failed_migration_leaves_nothing(void **st)
{
	struct fixture f;
	char path[128];
	struct db *db;
	(void)st;
	fixture_empty(&f);
	snprintf(path, sizeof path, "%s/other.db", f.dir);
	const struct kh_embed bad[] = {
		{"001-a.sql", KH_LIT("-- first\nCREATE TABLE a (x INTEGER);\nCREATE TABLE a (y TEXT);\n")}, {0}};
	OK(db_open(path, NULL, &db, &diag));
	assert_int_equal(db_migrate_with(db, bad, 1, &diag), KH_ESYS);
	int64_t n;
	OK(db_get_int(db, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'a'", DB_NONE, -1, &n, &diag));
	assert_int_equal(n, 0);
	assert_int_equal(db_schema_version(db), 0);
	db_close(db);
	unlink(path);
	fixture_end(&f);
}

static void a_foreign_file_is_refused(void **st)
{
	struct fixture f;
	char path[128];
	struct db *db = NULL;
	(void)st;
	fixture_empty(&f);
	snprintf(path, sizeof path, "%s/foreign.db", f.dir);
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	for (int i = 0; i < 200; i++) fputs("this is no database at all\n", out);
	fclose(out);
	assert_int_equal(db_open(path, NULL, &db, &diag), KH_EFORMAT);
	assert_null(db);
	unlink(path);
	fixture_end(&f);
}

static void a_tool_reads_while_the_desk_writes(void **st)
{
	struct fixture f;
	struct db *tool;
	struct db_options o = {.read_only = true};
	(void)st;
	fixture_empty(&f);
	fixture_run(&f, "INSERT INTO counter VALUES ('a', 1)");
	OK(db_open(f.path, &o, &tool, &diag));
	OK(db_migrate_check(tool, &diag));
	int64_t n;
	OK(db_get_int(tool, "SELECT value FROM counter", DB_NONE, 0, &n, &diag));
	assert_int_equal(n, 1);
	assert_int_not_equal(db_exec(tool, "DELETE FROM counter", DB_NONE, &diag), KH_OK);
	db_close(tool);
	fixture_end(&f);
}

/* Fills up to the limit: the refusal is KH_ELIMIT and nothing else, reading goes on, and room makes it work.
 */
static void no_space_is_told_apart_and_passes(void **st)
{
	struct fixture f;
	enum kh_err err = KH_OK;
	char big[4000];
	int64_t rows = 0;
	(void)st;
	fixture_empty(&f);
	OK(db_set_max_bytes(f.db, (uint64_t)db_bytes(f.db) + (256 << 10), &diag));
	memset(big, 'x', sizeof big);
	while (err == KH_OK && rows < 10000) {
		char name[32];
		snprintf(name, sizeof name, "%lld", (long long)rows);
		OK(db_begin(f.db, &diag));
		err = db_exec(f.db, "INSERT INTO rule_exception VALUES ($1, '', $2, 1, '')",
					  DB_ARGS(db_str(name), db_text((struct kh_slice){(uint8_t *)big, sizeof big})), &diag);
		if (err == KH_OK) err = db_commit(f.db, &diag);
		if (err == KH_OK) rows++;
		db_rollback(f.db);
	}
	assert_int_equal(err, KH_ELIMIT);
	assert_in_range(rows, 20, 200);
	assert_false(db_in_transaction(f.db));
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM rule_exception"), rows);
	OK(db_set_max_bytes(f.db, 0, &diag));
	fixture_run(&f, "INSERT INTO rule_exception VALUES ('after', '', '', 1, '')");
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(opens_private_and_whole),
		cmocka_unit_test(tables_are_strict),
		cmocka_unit_test(values_and_columns_go_round),
		cmocka_unit_test(queries_nest_and_fail_alone),
		cmocka_unit_test(refuses_newer_and_changed_schemas),
		cmocka_unit_test(a_failed_migration_leaves_nothing),
		cmocka_unit_test(a_foreign_file_is_refused),
		cmocka_unit_test(a_tool_reads_while_the_desk_writes),
		cmocka_unit_test(no_space_is_told_apart_and_passes),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
