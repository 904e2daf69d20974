/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_fixture.h"

#include "desk/outbox.h"

static const struct desk_actor operator_one = {"uid:0 root", "local"};

/* One queued mail; its id. */
static void queue_one(struct fixture *f, char id[KH_UUID_TEXT])
{
	json_t *e;
	fixture_province(f);
	see(f, 1, "r1", "high", "web01", MORNING);
	OK(outbox_next(f->d, MORNING, &e, &diag));
	assert_non_null(e);
	snprintf(id, KH_UUID_TEXT, "%s", json_string_value(json_object_get(e, "id")));
	assert_string_equal(json_string_value(json_object_get(e, "to")), "duty@yte.example.vn");
	assert_true(json_string_length(json_object_get(e, "body")) > 500);
	json_decref(e);
}

static void check_state(struct fixture *f, const char *state)
{
	char *text = text_of_row(f, "SELECT state FROM outbox");
	assert_string_equal(text, state);
	free(text);
}

static void a_mail_goes_its_way(void **st)
{
	struct fixture f;
	char id[KH_UUID_TEXT];
	json_t *e;
	(void)st;
	queue_one(&f, id);
	OK(outbox_started(f.d, id, MORNING, &diag));
	OK(outbox_next(f.d, MORNING, &e, &diag));
	assert_null(e);
	OK(outbox_committing(f.d, id, MORNING, &diag));
	OK(outbox_sent(f.d, id, MORNING, &diag));
	check_state(&f, "sent");
	fixture_end(&f);
}

/* Every step from every state: allowed exactly where it says, and refused without a trace elsewhere. */
static void steps_start_only_where_they_may(void **st)
{
	static const char *const states[] = {"queued", "sending", "committing", "sent",
										 "failed", "expired", "uncertain",  "cancelled"};
	static const char *const allowed[] = {"y.......", ".y......", "..y...y.",
										  ".yy...y.", ".yy...y.", "..y....."};
	(void)st;
	for (int step = 0; step < 6; step++) {
		for (int from = 0; from < 8; from++) {
			struct fixture f;
			char id[KH_UUID_TEXT], sql[100];
			queue_one(&f, id);
			snprintf(sql, sizeof sql, "UPDATE outbox SET state = '%s'", states[from]);
			fixture_run(&f, sql);
			enum kh_err err = step == 0   ? outbox_started(f.d, id, MORNING, &diag)
							  : step == 1 ? outbox_committing(f.d, id, MORNING, &diag)
							  : step == 2 ? outbox_sent(f.d, id, MORNING, &diag)
										  : outbox_failed(f.d, id, (enum outbox_failure)(step - 3),
														  "451 later", MORNING, &diag);
			assert_int_equal(err, allowed[step][from] == 'y' ? KH_OK : KH_ERANGE);
			if (err != KH_OK) check_state(&f, states[from]);
			fixture_end(&f);
		}
	}
}

static void temporary_failures_back_off_until_expiry(void **st)
{
	struct fixture f;
	char id[KH_UUID_TEXT];
	json_t *e;
	int64_t now = MORNING, waits = 0;
	(void)st;
	queue_one(&f, id);
	while (waits < 1000) {
		OK(outbox_next(f.d, now, &e, &diag));
		if (e == NULL) break;
		json_decref(e);
		OK(outbox_started(f.d, id, now, &diag));
		OK(outbox_failed(f.d, id, OUTBOX_TEMPORARY, "451 4.7.1 greylisted", now, &diag));
		int64_t next = count_of(&f, "SELECT next_ns FROM outbox");
		assert_in_range(next - now, 30 * KH_SECOND, 30 * KH_MINUTE * 5 / 4);
		OK(outbox_next(f.d, next - 1, &e, &diag));
		assert_null(e);
		now = next;
		waits++;
	}
	assert_in_range(waits, 40, 60); /* a day of half hours */
	OK(desk_tick(f.d, MORNING + KH_DAY + 1, &diag));
	check_state(&f, "expired");
	char *error = text_of_row(&f, "SELECT last_error FROM outbox");
	assert_string_equal(error, "451 4.7.1 greylisted");
	free(error);
	fixture_end(&f);
}

static void back_off_doubles_and_spreads(void **st)
{
	int64_t last = 0, least = INT64_MAX, most = 0;
	(void)st;
	for (int64_t n = 1; n < 12; n++) {
		int64_t w = outbox_backoff_ns("0193a5a0-0000-7000-8000-000000000001", n);
		assert_true(w >= last);
		last = w;
	}
	for (int i = 0; i < 200; i++) {
		char id[40];
		snprintf(id, sizeof id, "id-%d", i);
		int64_t w = outbox_backoff_ns(id, 1);
		least = w < least ? w : least;
		most = w > most ? w : most;
	}
	assert_true(least >= 30 * KH_SECOND && most <= 38 * KH_SECOND && most - least > 5 * KH_SECOND);
}

/* What the courier had in hand when it died: before the final dot it is sent again, after it never by itself.
 */
static void after_the_courier_died(void **st)
{
	struct fixture f;
	char id[KH_UUID_TEXT];
	json_t *e;
	bool found;
	(void)st;
	queue_one(&f, id);
	OK(outbox_started(f.d, id, MORNING, &diag));
	OK(outbox_recover(f.d, MORNING + KH_SECOND, &diag));
	check_state(&f, "queued");
	OK(outbox_started(f.d, id, MORNING + KH_SECOND, &diag));
	OK(outbox_committing(f.d, id, MORNING + KH_SECOND, &diag));
	OK(outbox_recover(f.d, MORNING + 2 * KH_SECOND, &diag));
	check_state(&f, "uncertain");
	OK(outbox_next(f.d, MORNING + KH_HOUR, &e, &diag));
	assert_null(e);
	OK(desk_tick(f.d, MORNING + 30 * KH_MINUTE,
				 &diag)); /* nobody acknowledged: the reminder goes out all the same */
	assert_int_equal(
		count_of(&f, "SELECT COUNT(*) FROM outbox WHERE reason = 'reminder' AND state = 'queued'"), 1);
	int64_t audited = count_of(&f, "SELECT COUNT(*) FROM audit");
	OK(desk_begin(f.d, &diag));
	OK(desk_finish(f.d, outbox_resend(f.d, id, &operator_one, MORNING + KH_HOUR, &found, &diag), &diag));
	assert_true(found);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox WHERE state = 'queued'"), 2);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM audit"), audited + 1);
	OK(desk_begin(f.d, &diag));
	OK(desk_finish(f.d, outbox_resend(f.d, id, &operator_one, MORNING + KH_HOUR, &found, &diag), &diag));
	assert_false(found); /* it is queued already */
	fixture_end(&f);
}

/* The commit must be on the disk when outbox_committing comes back: another connection sees it at once. */
static void committing_is_seen_from_outside(void **st)
{
	struct fixture f;
	char id[KH_UUID_TEXT];
	struct db *tool;
	struct db_options o = {.read_only = true};
	int64_t n;
	(void)st;
	queue_one(&f, id);
	fixture_run(&f, "PRAGMA synchronous=FULL");
	OK(outbox_started(f.d, id, MORNING, &diag));
	OK(outbox_committing(f.d, id, MORNING, &diag));
	OK(db_open(f.path, &o, &tool, &diag));
	OK(db_get_int(tool, "SELECT COUNT(*) FROM outbox WHERE state = 'committing'", DB_NONE, 0, &n, &diag));
	assert_int_equal(n, 1);
	db_close(tool);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_mail_goes_its_way),
		cmocka_unit_test(steps_start_only_where_they_may),
		cmocka_unit_test(temporary_failures_back_off_until_expiry),
		cmocka_unit_test(back_off_doubles_and_spreads),
		cmocka_unit_test(after_the_courier_died),
		cmocka_unit_test(committing_is_seen_from_outside),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
