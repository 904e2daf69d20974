/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_fixture.h"

#include "desk/audit.h"

static const struct desk_actor who = {"uid:1000 \"truc\" \x01\tđ", "192.0.2.1"};

static void add(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++) {
		json_t *after =
			json_pack("{s:s,s:i,s:{s:[i,n]}}", "reason", "vì \"lý do\"\n", "b", i, "a", "list", 1);
		struct audit_entry e = {"mute.create", "mute:1", i % 2 ? after : NULL, after};
		OK(audit_add(f->db, &who, &e, MORNING + i * KH_SECOND, &diag));
		json_decref(after);
	}
}

static void a_whole_chain_verifies(void **st)
{
	struct fixture f;
	struct audit_report r;
	(void)st;
	fixture_empty(&f);
	OK(audit_verify(f.db, &r, &diag));
	assert_int_equal(r.n_ok, 0);
	add(&f, 10);
	OK(audit_verify(f.db, &r, &diag));
	assert_int_equal(r.n_ok, 10);
	assert_int_equal(r.first_bad, 0);
	fixture_end(&f);
}

/* An independent reader: the record as the contract writes it, hashed by another tool, gives the stored hash.
 */
static void the_record_is_what_the_contract_says(void **st)
{
	struct fixture f;
	(void)st;
	fixture_empty(&f);
	struct desk_actor plain = {"uid:0 root", "local"};
	OK(audit_add(f.db, &plain, &(struct audit_entry){"rule.disable", "rule:x", NULL, NULL}, 5, &diag));
	char *hash = text_of_row(&f, "SELECT hash FROM audit");
	/* printf '%s' '{"action":"rule.disable","actor":"uid:0
	 * root","after":null,"at_ns":5,"before":null,"from":"local",'\
	 * '"n":1,"object":"rule:x","prev":"0000...64 zeros"}' | sha256sum */
	assert_string_equal(hash, "0f8636c1a2cdc616ee3e6eb3507a766da09216af5fb5c54eeb06ab2bc3bf055a");
	free(hash);
	fixture_end(&f);
}

static const char *const columns[] = {"actor",  "source", "action", "object",
									  "before", "after",  "prev",   "hash"};

/* Flips every bit-pattern position of every column of one record, one byte a time; each must be named. */
static void every_flipped_byte_is_named(void **st)
{
	struct fixture f;
	struct audit_report r;
	int n_flips = 0;
	(void)st;
	fixture_empty(&f);
	add(&f, 5);
	for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
		char read[80], write[80];
		snprintf(read, sizeof read, "SELECT %s FROM audit WHERE n = 3", columns[c]);
		snprintf(write, sizeof write, "UPDATE audit SET %s = $1 WHERE n = 3", columns[c]);
		char *whole = text_of_row(&f, read);
		size_t len = strlen(whole);
		for (size_t i = 0; i < len; i++, n_flips++) {
			char *flipped = kh_slice_dup(kh_str(whole));
			flipped[i] = (char)(flipped[i] ^ (1 << (i % 8)));
			OK(db_exec(f.db, write, DB_ARGS(db_text((struct kh_slice){(uint8_t *)flipped, len})), &diag));
			assert_int_equal(audit_verify(f.db, &r, &diag), KH_EFORMAT);
			assert_int_equal(r.first_bad, 3);
			assert_non_null(strstr(diag.text, "record 3"));
			free(flipped);
		}
		OK(db_exec(f.db, write, DB_ARGS(db_str(whole)), &diag));
		OK(audit_verify(f.db, &r, &diag));
		free(whole);
	}
	assert_true(n_flips > 200);
	for (int bit = 0; bit < 63; bit++) {
		OK(db_exec(f.db, "UPDATE audit SET at_ns = $1 WHERE n = 3",
				   DB_ARGS(db_int((MORNING + 2 * KH_SECOND) ^ (INT64_C(1) << bit))), &diag));
		assert_int_equal(audit_verify(f.db, &r, &diag), KH_EFORMAT);
		assert_int_equal(r.first_bad, 3);
	}
	fixture_end(&f);
}

static void check_bad(const char *sql, int64_t first_bad)
{
	struct fixture f;
	struct audit_report r;
	fixture_empty(&f);
	add(&f, 5);
	fixture_run(&f, sql);
	assert_int_equal(audit_verify(f.db, &r, &diag), KH_EFORMAT);
	assert_int_equal(r.first_bad, first_bad);
	fixture_end(&f);
}

static void removed_added_and_renumbered(void **st)
{
	(void)st;
	check_bad("DELETE FROM audit WHERE n = 2", 2);
	check_bad("DELETE FROM audit WHERE n = 1", 1);
	check_bad("DELETE FROM audit WHERE n = 5", 5); /* the cut-off tail */
	check_bad("DELETE FROM audit", 1);
	check_bad("UPDATE audit SET n = 9 WHERE n = 4", 4);
	check_bad("INSERT INTO audit SELECT 6, at_ns, actor, source, action, object, before, after, prev, hash "
			  "FROM audit"
			  " WHERE n = 5",
			  6);
	check_bad("UPDATE audit_head SET hash = 'x'", 5);
	check_bad("DELETE FROM audit_head", 5);
}

/* One byte of the file itself, wherever a record's text lies in it. */
static void a_byte_flipped_in_the_file_is_named(void **st)
{
	struct fixture f;
	struct audit_report r;
	(void)st;
	fixture_empty(&f);
	add(&f, 5);
	fixture_run(&f, "PRAGMA wal_checkpoint(TRUNCATE)");
	char *hash = text_of_row(&f, "SELECT hash FROM audit WHERE n = 2");
	db_close(f.db);
	FILE *file = fopen(f.path, "r+b");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size_t n = (size_t)ftell(file);
	char *bytes = malloc(n);
	rewind(file);
	assert_int_equal(fread(bytes, 1, n, file), n);
	char *at = memmem(bytes, n, hash, 64); /* as prev of record 3 or as hash of record 2 */
	assert_non_null(at);
	fseek(file, at - bytes + 10, SEEK_SET);
	fputc(at[10] ^ 1, file);
	fclose(file);
	free(bytes);
	free(hash);
	OK(db_open(f.path, NULL, &f.db, &diag));
	assert_int_equal(audit_verify(f.db, &r, &diag), KH_EFORMAT);
	assert_in_range(r.first_bad, 2, 3);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_whole_chain_verifies),
		cmocka_unit_test(the_record_is_what_the_contract_says),
		cmocka_unit_test(every_flipped_byte_is_named),
		cmocka_unit_test(removed_added_and_renumbered),
		cmocka_unit_test(a_byte_flipped_in_the_file_is_named),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
