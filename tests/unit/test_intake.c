/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_fixture.h"

#include "desk/mute.h"
#include "desk/resolve.h"

static void a_repeated_batch_changes_nothing(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "web01.yte.example.vn", MORNING);
	see(&f, 1, "r1", "high", "web01.yte.example.vn", MORNING + KH_SECOND);
	assert_int_equal(count_of(&f, "SELECT count FROM finding"), 1);
	assert_int_equal(count_of(&f, "SELECT events FROM input"), 10);
	assert_int_equal(count_of(&f, "SELECT count FROM input_reject"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox"), 1);
	assert_int_equal(f.outbox_changed, 1);
	fixture_end(&f);
}

/* A batch that was refused for want of space comes back after later ones: it must not be taken for a repeat.
 */
static void an_older_batch_that_was_never_taken_is_taken(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 5, "r1", "low", "web01.yte.example.vn", MORNING);
	see(&f, 4, "r1", "low", "web01.yte.example.vn", MORNING);
	assert_int_equal(count_of(&f, "SELECT count FROM finding"), 2);
	fixture_end(&f);
}

static void the_window_slides_and_ends(void **st)
{
	struct fixture f;
	int64_t now = MORNING, seq = 1;
	(void)st;
	fixture_province(&f);
	for (int i = 0; i < 20; i++, now += 50 * KH_MINUTE)
		see(&f, seq++, "r1", "high", "web01.yte.example.vn", now);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding"), 1);
	assert_int_equal(count_of(&f, "SELECT count FROM finding"), 20);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox"),
					 1); /* no second mail while the window runs */
	now += KH_HOUR;
	see(&f, seq++, "r1", "high", "web01.yte.example.vn", now);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding"), 2);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 1); /* it joins the open case */
	fixture_end(&f);
}

static void no_finding_gathers_for_longer_than_a_day(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	for (int i = 0; i < 60; i++)
		see(&f, i, "r1", "low", "web01.yte.example.vn", MORNING + i * 30 * KH_MINUTE);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding"), 2);
	assert_int_equal(count_of(&f, "SELECT SUM(count) FROM finding"), 60);
	fixture_end(&f);
}

static void first_three_and_latest_two_are_kept(void **st)
{
	struct fixture f;
	char want[64];
	(void)st;
	for (int per_batch = 1; per_batch <= 7; per_batch++) {
		fixture_province(&f);
		int64_t n = 0;
		for (int b = 0; b < 4; b++) {
			json_t *finding = finding_json("r1", "low", "web01", per_batch, MORNING), *events = json_array(),
				   *answer;
			for (int i = 0; i < per_batch; i++)
				json_array_append_new(events, json_pack("{s:I,s:s%}", "time_ns", (json_int_t)n, "line",
														&"abcdefghijklmnopqrstuvwxyzAB"[n], (size_t)1)),
					n++;
			json_object_set_new(finding, "evidence", events);
			json_t *batch = batch_json(b, json_pack("[o]", finding));
			OK(intake_apply(f.d, batch, MORNING, &answer, &diag));
			json_decref(batch);
			json_decref(answer);
		}
		int64_t kept = n < 5 ? n : 5, at = 0;
		struct db_rows r = db_query(f.db, "SELECT n, time_ns FROM finding_evidence ORDER BY n", DB_NONE);
		while (db_next(&r)) {
			int64_t expect = at < 3 ? at : n - kept + at;
			assert_int_equal(db_col_int(&r, 0), expect);
			assert_int_equal(db_col_int(&r, 1), expect);
			at++;
		}
		OK(db_end(&r, &diag));
		assert_int_equal(at, kept);
		snprintf(want, sizeof want, "SELECT COUNT(*) FROM finding WHERE count = %d", (int)n);
		assert_int_equal(count_of(&f, want), 1);
		fixture_end(&f);
	}
}

static void hostile_evidence_is_cut_and_cleaned(void **st)
{
	struct fixture f;
	char *line = malloc(100001);
	(void)st;
	fixture_province(&f);
	assert_non_null(line);
	memset(line, 'a', 100000);
	memcpy(line, "\x1b[31m\nnext\xc4\x91", 12);
	json_t *finding = finding_json("r1", "high", "web01", 1, MORNING), *answer;
	json_object_set_new(json_array_get(json_object_get(finding, "evidence"), 0), "line",
						json_stringn(line, 100000));
	json_t *batch = batch_json(1, json_pack("[o]", finding));
	OK(intake_apply(f.d, batch, MORNING, &answer, &diag));
	assert_true(count_of(&f, "SELECT LENGTH(line) FROM finding_evidence") < 8300);
	char *kept = text_of_row(&f, "SELECT line FROM finding_evidence");
	assert_null(strchr(kept, '\n'));
	assert_null(strchr(kept, '\x1b'));
	assert_true(kh_utf8_ok(kh_str(kept)));
	free(kept);
	free(line);
	json_decref(batch);
	json_decref(answer);
	fixture_end(&f);
}

static void a_broken_batch_is_refused_whole(void **st)
{
	static const char *const broken[] = {
		"{}",
		"[]",
		"{\"boot\":\"" BOOT "\"}",
		"{\"boot\":\"" BOOT "\",\"seq\":-1}",
		"{\"boot\":\"x\",\"seq\":1}",
		"{\"boot\":\"" BOOT "\",\"seq\":1,\"inputs\":[{\"name\":\"\"}]}",
		"{\"boot\":\"" BOOT "\",\"seq\":1,\"inputs\":[{\"name\":\"a\"},{}]}",
		"{\"boot\":\"" BOOT "\",\"seq\":1,\"findings\":[{}]}",
		"{\"boot\":\"" BOOT
		"\",\"seq\":1,\"findings\":[{\"rule\":{\"id\":\"r\"},\"host\":\"h\"},{\"rule\":3}]}",
		"{\"boot\":\"" BOOT "\",\"seq\":1,\"findings\":[{\"rule\":{\"id\":\"r\"},\"count\":0}]}",
	};
	struct fixture f;
	(void)st;
	fixture_province(&f);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		json_t *batch = json_loads(broken[i], 0, NULL), *answer = NULL;
		assert_int_equal(intake_apply(f.d, batch, MORNING, &answer, &diag), KH_EFORMAT);
		assert_string_equal(json_string_value(json_object_get(answer, "status")), "refused");
		json_decref(answer);
		json_decref(batch);
	}
	assert_int_equal(count_of(&f, "SELECT (SELECT COUNT(*) FROM input) + (SELECT COUNT(*) FROM finding)"
								  " + (SELECT COUNT(*) FROM batch)"),
					 0);
	fixture_end(&f);
}

static void files_keep_their_place_across_rotation(void **st)
{
	struct fixture f;
	json_t *answer, *out;
	(void)st;
	fixture_province(&f);
	for (int i = 0; i < 3; i++) {
		json_t *batch = batch_json(i, NULL);
		json_object_set_new(json_array_get(json_object_get(batch, "inputs"), 0), "files",
							json_pack("[{s:s,s:i,s:i,s:i,s:s,s:i,s:i}]", "path", "/var/log/auth.log", "dev",
									  1, "ino", 100 + i / 2, "head_len", 64, "head_hash", "ab", "offset",
									  1000 * i, "lines", i));
		OK(intake_apply(f.d, batch, MORNING + i, &answer, &diag));
		json_decref(answer);
		json_decref(batch);
	}
	OK(desk_positions(f.d, &out, &diag));
	json_t *files = json_object_get(out, "auth");
	assert_int_equal(json_array_size(files), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(files, 0), "ino")), 101);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(files, 0), "offset")), 2000);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(files, 1), "offset")), 1000);
	json_decref(out);
	fixture_end(&f);
}

static void check_place(struct fixture *f, const char *host, const char *address, const char *org,
						const char *asset)
{
	struct place p = resolver_find(f->d->places, kh_str(host), kh_str(address));
	if (org == NULL)
		assert_null(p.organisation);
	else
		assert_string_equal(p.organisation ? p.organisation : "none", org);
	if (asset == NULL)
		assert_null(p.asset);
	else
		assert_string_equal(p.asset ? p.asset : "none", asset);
}

static void whose_is_it(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	check_place(&f, "web01.yte.example.vn", "", "o-yte", "a1");
	check_place(&f, "web01", "", "o-yte", "a1");
	check_place(&f, "db01.yte.example.vn", "", "o-yte", "a2");
	check_place(&f, "db01.goc.example.vn", "", "o-goc", NULL); /* another house's db01 */
	check_place(&f, "db01.elsewhere.example", "", NULL, NULL);
	check_place(&f, "", "192.0.2.6", "o-yte", "a2");
	check_place(&f, "", "192.0.2.77", "o-yte", NULL);
	check_place(&f, "", "192.0.2.200", "o-bv", NULL); /* the longest prefix */
	check_place(&f, "", "2001:db8:1:2::3", "o-yte", NULL);
	check_place(&f, "", "2001:db8:2::1", NULL, NULL);
	check_place(&f, "x.bv1.yte.example.vn", "", "o-bv", NULL); /* the longest suffix */
	check_place(&f, "notyte.example.vn", "", NULL, NULL);
	check_place(&f, "unknown", "198.51.100.7", "o-goc", NULL);
	check_place(&f, "", "", NULL, NULL);
	check_place(&f, "...", "not an address", NULL, NULL);
	fixture_end(&f);
}

static void the_worst_of_a_batch_names_the_incident(void **st)
{
	struct fixture f;
	json_t *answer,
		*batch = batch_json(1, json_pack("[o,o,o]", finding_json("r1", "low", "web01", 1, MORNING),
										 finding_json("r2", "high", "web01", 1, MORNING),
										 finding_json("r3", "critical", "web01", 1, MORNING)));
	(void)st;
	fixture_province(&f);
	OK(intake_apply(f.d, batch, MORNING, &answer, &diag));
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding"), 3);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident WHERE severity = 'critical'"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox"), 1);
	json_decref(answer);
	json_decref(batch);
	fixture_end(&f);
}

static void a_host_that_is_an_address_is_one(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "low", "192.0.2.6", MORNING);
	see(&f, 2, "r1", "low", "2001:DB8:1::7", MORNING);
	assert_int_equal(
		count_of(&f, "SELECT COUNT(*) FROM finding WHERE entity = 'address:192.0.2.6' AND asset_id = 'a2'"),
		1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding WHERE entity = 'address:2001:db8:1::7' AND "
								  "organisation_id = 'o-yte'"),
					 1);
	fixture_end(&f);
}

static void a_name_that_two_share_decides_nothing(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	fixture_run(&f, "INSERT INTO system VALUES ('s2','o-bv','BV-1','His',2,'','','',1,1)");
	fixture_run(
		&f,
		"INSERT INTO asset VALUES ('a3','s2','web01.bv1.yte.example.vn','web01.bv1.yte.example.vn','host',"
		"'192.0.2.5','low',0,1,1)");
	fixture_desk(&f);
	check_place(&f, "web01", "", NULL, NULL);
	check_place(&f, "web01", "192.0.2.5", "o-yte", NULL); /* the shared address falls back to its range */
	check_place(&f, "web01.bv1.yte.example.vn", "", "o-bv", "a3");
	fixture_end(&f);
}

static void muted_is_counted_but_silent(void **st)
{
	struct fixture f;
	json_t *row;
	(void)st;
	fixture_province(&f);
	struct mute_wish w = {"r1", NULL, "YTE", "tin cay", MORNING + KH_HOUR};
	OK(mute_create(f.d, &w, &desk_self, MORNING, &row, &diag));
	json_decref(row);
	see(&f, 1, "r1", "high", "web01", MORNING);
	see(&f, 2, "r1", "high", "web01", MORNING + 30 * KH_MINUTE);
	assert_int_equal(count_of(&f, "SELECT muted_count FROM finding"), 2);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 0);
	see(&f, 3, "r2", "high", "web01", MORNING);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 1);
	fixture_run(&f, "UPDATE incident SET state = 'closed'");
	OK(desk_tick(f.d, MORNING + KH_HOUR, &diag));
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM mute WHERE ended_ns IS NOT NULL"), 1);
	see(&f, 4, "r1", "high", "web01", MORNING + KH_HOUR); /* the same finding, no longer muted */
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding WHERE rule_id = 'r1'"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 2);
	fixture_end(&f);
}

static void a_full_store_stops_intake_and_room_restarts_it(void **st)
{
	struct fixture f;
	enum kh_err err = KH_OK;
	int64_t seq = 0;
	(void)st;
	fixture_province(&f);
	OK(db_set_max_bytes(f.db, (uint64_t)db_bytes(f.db) + (128 << 10), &diag));
	while (err == KH_OK && seq < 5000) {
		char host[32];
		snprintf(host, sizeof host, "host%lld", (long long)++seq);
		json_t *batch = batch_json(seq, json_pack("[o]", finding_json("r1", "high", host, 1, MORNING))),
			   *answer;
		err = intake_apply(f.d, batch, MORNING, &answer, &diag);
		if (err != KH_OK) assert_null(answer);
		json_decref(answer);
		json_decref(batch);
	}
	assert_int_equal(err, KH_ELIMIT);
	assert_true(f.d->intake_stopped[0] != '\0');
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding"), seq - 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), seq - 1);
	OK(db_set_max_bytes(f.db, 0, &diag));
	see(&f, seq, "r1", "high", "late", MORNING);
	assert_true(f.d->intake_stopped[0] == '\0');
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM finding"), seq);
	fixture_end(&f);
}

static void a_disk_near_its_end_stops_intake(void **st)
{
	struct fixture f;
	json_t *batch = batch_json(1, NULL), *answer;
	(void)st;
	fixture_province(&f);
	desk_set_disk(f.d, 99, 100);
	assert_int_equal(intake_apply(f.d, batch, MORNING, &answer, &diag), KH_ELIMIT);
	assert_null(answer);
	assert_true(f.d->intake_stopped[0] != '\0');
	desk_set_disk(f.d, 100, 100);
	OK(intake_apply(f.d, batch, MORNING, &answer, &diag));
	assert_true(f.d->intake_stopped[0] == '\0');
	json_decref(answer);
	json_decref(batch);
	fixture_end(&f);
}

/* What a run leaves behind, without ids and times of writing. */
static char *picture(struct fixture *f)
{
	json_t *all = json_object(), *rows;
	static const char *const sql[] = {
		"SELECT rule_id, entity, organisation_id, count, n_evidence, muted_count, first_ns AS a, last_ns AS "
		"b FROM finding"
		" ORDER BY rule_id, entity, opened_ns",
		"SELECT number, entity, severity, state, t0_ns AS t FROM incident ORDER BY number",
		"SELECT reason, recipient, state FROM outbox ORDER BY reason, recipient, created_ns",
		"SELECT name, events, lines, bytes FROM input",
		"SELECT input, reason, count FROM input_reject",
		"SELECT n, line, slot FROM finding_evidence ORDER BY n, line, slot",
	};
	for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
		char key[8];
		snprintf(key, sizeof key, "%zu", i);
		OK(desk_rows(f->d, sql[i], DB_NONE, &rows, &diag));
		json_object_set_new(all, key, rows);
	}
	char *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static json_t *random_batch(unsigned *seed, int64_t seq)
{
	static const char *const hosts[] = {"web01", "db01", "192.0.2.9", "x.bv1.yte.example.vn", "stranger"};
	static const char *const levels[] = {"low", "medium", "high", "critical"};
	json_t *findings = json_array();
	for (int n = rand_r(seed) % 4; n > 0; n--) {
		char rule[8];
		snprintf(rule, sizeof rule, "r%d", rand_r(seed) % 3);
		json_array_append_new(findings, finding_json(rule, levels[rand_r(seed) % 4], hosts[rand_r(seed) % 5],
													 1 + rand_r(seed) % 9, MORNING + seq * KH_MINUTE));
	}
	return batch_json(seq, findings);
}

static void play(unsigned seed, bool with_repeats, char **out)
{
	struct fixture f;
	enum { N = 60 };
	json_t *batches[N], *answer;
	unsigned dice = seed ^ 0x5a5a;
	fixture_province(&f);
	for (int i = 0; i < N; i++) {
		batches[i] = random_batch(&seed, i);
		OK(intake_apply(f.d, batches[i], MORNING + i * 7 * KH_MINUTE, &answer, &diag));
		json_decref(answer);
		for (int k = rand_r(&dice) % 3; with_repeats && k > 0; k--) {
			OK(intake_apply(f.d, batches[rand_r(&dice) % (i + 1)], MORNING + i * 7 * KH_MINUTE + k, &answer,
							&diag));
			assert_string_equal(json_string_value(json_object_get(answer, "status")), "stored");
			json_decref(answer);
		}
	}
	*out = picture(&f);
	for (int i = 0; i < N; i++) json_decref(batches[i]);
	fixture_end(&f);
}

static void repeats_in_any_order_give_the_same_state(void **st)
{
	unsigned seed = (unsigned)kh_now_ns();
	(void)st;
	for (int i = 0; i < 6; i++, seed++) {
		char *once, *often;
		print_message("seed %u\n", seed);
		play(seed, false, &once);
		play(seed, true, &often);
		assert_string_equal(once, often);
		assert_true(strlen(once) > 500);
		free(once);
		free(often);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_repeated_batch_changes_nothing),
		cmocka_unit_test(an_older_batch_that_was_never_taken_is_taken),
		cmocka_unit_test(the_window_slides_and_ends),
		cmocka_unit_test(no_finding_gathers_for_longer_than_a_day),
		cmocka_unit_test(first_three_and_latest_two_are_kept),
		cmocka_unit_test(hostile_evidence_is_cut_and_cleaned),
		cmocka_unit_test(a_broken_batch_is_refused_whole),
		cmocka_unit_test(files_keep_their_place_across_rotation),
		cmocka_unit_test(whose_is_it),
		cmocka_unit_test(the_worst_of_a_batch_names_the_incident),
		cmocka_unit_test(a_host_that_is_an_address_is_one),
		cmocka_unit_test(a_name_that_two_share_decides_nothing),
		cmocka_unit_test(muted_is_counted_but_silent),
		cmocka_unit_test(a_full_store_stops_intake_and_room_restarts_it),
		cmocka_unit_test(a_disk_near_its_end_stops_intake),
		cmocka_unit_test(repeats_in_any_order_give_the_same_state),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
