/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_fixture.h"

#include "api/hours.h"
#include "desk/audit.h"
#include "desk/contact.h"
#include "desk/incident.h"
#include "desk/outbox.h"

static const struct desk_actor operator_one = {"uid:0 root", "local"};

struct doing {
	const struct incident_word *word;
	int64_t now_ns;
	bool found;
};

static enum kh_err change(struct desk *d, void *arg, struct kh_diag *said)
{
	struct doing *a = arg;
	json_t *out = NULL;
	enum kh_err err = incident_change(d, a->word, &operator_one, a->now_ns, &a->found, &out, said);
	json_decref(out);
	return err;
}

static enum kh_err word(struct fixture *f, const char *verb, const char *text, int64_t now_ns)
{
	struct incident_word w = {"2026-000001", verb, text};
	struct doing a = {&w, now_ns, false};
	return desk_change(f->d, change, &a, &diag);
}

static void check_state(struct fixture *f, const char *state)
{
	char *text = text_of_row(f, "SELECT state FROM incident");
	assert_string_equal(text, state);
	free(text);
}

static void high_opens_and_low_does_not(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "medium", "web01", MORNING);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 0);
	see(&f, 2, "r2", "high", "web01", MORNING);
	see(&f, 3, "r3", "critical", "db01", MORNING);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 2);
	char *text = text_of_row(&f, "SELECT MAX(number) FROM incident");
	assert_string_equal(text, "2026-000002");
	free(text);
	text = text_of_row(&f, "SELECT code FROM incident");
	assert_int_equal(strspn(text, "23456789ABCDEFGHJKMNPQRSTUVWXYZ"), 8);
	assert_int_equal(strlen(text), 8);
	free(text);
	assert_int_equal(count_of(&f, "SELECT t0_ns FROM incident"), MORNING - KH_SECOND);
	fixture_end(&f);
}

static void the_same_entity_joins_and_severity_is_the_highest(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	see(&f, 2, "r2", "high", "WEB01", MORNING + KH_MINUTE);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident_finding"), 2);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox"), 1);
	fixture_run(&f, "UPDATE outbox SET state = 'sent'");
	see(&f, 3, "r3", "critical", "web01", MORNING + 2 * KH_MINUTE);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident WHERE severity = 'critical'"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox WHERE reason = 'update'"), 1);
	see(&f, 4, "r4", "high", "web01", MORNING + 3 * KH_MINUTE);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident WHERE severity = 'critical'"), 1);
	fixture_end(&f);
}

/* Every pair of state and step: allowed exactly where the table says. */
static void every_edge_of_the_life_cycle(void **st)
{
	static const char *const states[] = {"open", "acknowledged", "contained", "closed"};
	static const struct {
		const char *verb, *allowed, *to; /* allowed: one letter a state */
	} steps[] = {
		{"ack", "y...", "acknowledged"}, {"contain", ".y..", "contained"}, {"resume", "..y.", "acknowledged"},
		{"close", "yyy.", "closed"},     {"reopen", "...y", "open"},       {"assign", "yyyy", NULL},
		{"note", "yyyy", NULL},          {"nonsense", "....", NULL},
	};
	(void)st;
	for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
		for (size_t from = 0; from < 4; from++) {
			struct fixture f;
			char sql[200];
			fixture_province(&f);
			see(&f, 1, "r1", "high", "web01", MORNING);
			snprintf(sql, sizeof sql, "UPDATE incident SET state = '%s'", states[from]);
			fixture_run(&f, sql);
			int64_t audited = count_of(&f, "SELECT COUNT(*) FROM audit");
			bool may = steps[s].allowed[from] == 'y';
			const char *text = strcmp(steps[s].verb, "ack") == 0 ? NULL : "because";
			enum kh_err err = word(&f, steps[s].verb, text, MORNING + KH_MINUTE);
			assert_int_equal(err, may ? KH_OK : KH_ERANGE);
			check_state(&f, may && steps[s].to != NULL ? steps[s].to : states[from]);
			assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM audit") - audited, may ? 1 : 0);
			fixture_end(&f);
		}
	}
}

static void steps_need_words_and_the_right_code(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	assert_int_equal(word(&f, "close", "", MORNING), KH_ERANGE);
	assert_int_equal(word(&f, "note", NULL, MORNING), KH_ERANGE);
	assert_int_equal(word(&f, "ack", "AAAAAAAA", MORNING), KH_ERANGE);
	check_state(&f, "open");
	char *code = text_of_row(&f, "SELECT code FROM incident"), typed[16];
	snprintf(typed, sizeof typed, "%.4s-%s", code, code + 4);
	for (char *p = typed; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
	assert_int_equal(word(&f, "ack", typed, MORNING + KH_MINUTE), KH_OK);
	assert_int_equal(count_of(&f, "SELECT acknowledged_ns FROM incident"), MORNING + KH_MINUTE);
	char *owner = text_of_row(&f, "SELECT owner FROM incident");
	assert_string_equal(owner, "uid:0 root");
	free(owner);
	char sql[128]; /* the code is not written where readers of the log see it */
	snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM incident_event WHERE detail LIKE '%%%s%%'", code);
	assert_int_equal(count_of(&f, sql), 0);
	free(code);
	fixture_end(&f);
}

static int64_t tick_and_send(struct fixture *f, int64_t now)
{
	int64_t before = count_of(f, "SELECT COUNT(*) FROM outbox");
	OK(desk_tick(f->d, now, &diag));
	int64_t n = count_of(f, "SELECT COUNT(*) FROM outbox") - before;
	fixture_run(f, "UPDATE outbox SET state = 'sent'");
	return n;
}

static void reminders_then_escalation_then_silence(void **st)
{
	struct fixture f;
	int64_t now = MORNING, n = 0;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "web01", now);
	fixture_run(&f, "UPDATE outbox SET state = 'sent'");
	assert_int_equal(tick_and_send(&f, now + 29 * KH_MINUTE), 0);
	for (int i = 0; i < 6; i++) {
		now += 30 * KH_MINUTE;
		assert_int_equal(tick_and_send(&f, now), 1);
		assert_int_equal(tick_and_send(&f, now + KH_SECOND), 0);
	}
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox WHERE reason = 'reminder'"), 6);
	for (int i = 0; i < 10; i++) n += tick_and_send(&f, now += 30 * KH_MINUTE);
	assert_int_equal(n, 1);
	char *to = text_of_row(&f, "SELECT recipient FROM outbox WHERE reason = 'escalation'");
	assert_string_equal(to, "duty@goc.example.vn");
	free(to);
	char *told = text_of_row(&f, "SELECT detail FROM incident_event WHERE kind = 'mailed' ORDER BY n DESC");
	assert_string_equal(told, "escalation: duty@goc.example.vn");
	free(told);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident_event WHERE kind = 'unanswered'"), 1);
	fixture_end(&f);
}

static void an_acknowledgement_stops_the_reminders(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	assert_int_equal(word(&f, "ack", NULL, MORNING + KH_MINUTE), KH_OK);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox WHERE state = 'cancelled'"),
					 1); /* it never left */
	for (int i = 1; i < 20; i++) assert_int_equal(tick_and_send(&f, MORNING + i * KH_HOUR), 0);
	assert_int_equal(word(&f, "close", "báo động nhầm", MORNING + 20 * KH_HOUR), KH_OK);
	assert_int_equal(word(&f, "reopen", "lại thấy", MORNING + 23 * KH_HOUR), KH_OK);
	assert_int_equal(tick_and_send(&f, MORNING + 23 * KH_HOUR), 1); /* somebody must take it over again */
	fixture_end(&f);
}

static void a_waiting_mail_is_not_doubled_by_a_reminder(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	for (int i = 1; i < 5; i++) OK(desk_tick(f.d, MORNING + i * 30 * KH_MINUTE, &diag));
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox"), 1);
	assert_int_equal(count_of(&f, "SELECT reminders FROM incident"),
					 4); /* yet the clock to escalation runs */
	fixture_end(&f);
}

static void after_closing_the_same_finding_is_noted_once_and_a_new_one_opens(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	assert_int_equal(word(&f, "close", "done", MORNING + KH_MINUTE), KH_OK);
	see(&f, 2, "r1", "high", "web01", MORNING + 2 * KH_MINUTE);
	see(&f, 3, "r1", "high", "web01", MORNING + 3 * KH_MINUTE);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 1);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident_event WHERE kind = 'recurred'"), 1);
	see(&f, 4, "r1", "high", "web01", MORNING + 3 * KH_MINUTE + KH_HOUR);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident"), 2);
	fixture_end(&f);
}

static void check_told(struct fixture *f, const char *organisation, int64_t above, int64_t now,
					   const char *want)
{
	json_t *list, *c;
	size_t i;
	bool beyond;
	char got[512] = "";
	OK(contact_choose(f->d, organisation, above, now, &list, &beyond, &diag));
	json_array_foreach(list, i, c)
	{
		size_t n = strlen(got);
		snprintf(got + n, sizeof got - n, "%s%s", i ? " " : "",
				 json_string_value(json_object_get(c, "email")));
	}
	assert_string_equal(got, want);
	json_decref(list);
}

static void whom_to_tell(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	const int64_t night = MORNING + 16 * KH_HOUR; /* two in the morning */
	check_told(&f, "o-yte", 0, MORNING, "duty@yte.example.vn");
	check_told(&f, "o-yte", 0, night, "duty@yte.example.vn duty@goc.example.vn"); /* nobody awake there */
	check_told(&f, "o-bv", 0, MORNING, "duty@yte.example.vn"); /* speaks through its parent */
	check_told(&f, NULL, 0, night, "duty@goc.example.vn");
	check_told(&f, "o-yte", 1, MORNING, "duty@goc.example.vn");
	check_told(&f, "o-yte", 2, MORNING, "");
	fixture_run(&f, "UPDATE contact SET hours = '' WHERE role = 'duty' AND organisation_id = 'o-yte'");
	check_told(&f, "o-yte", 0, MORNING, "lead@yte.example.vn"); /* awake goes before duty */
	fixture_run(&f, "DELETE FROM contact");
	check_told(&f, "o-yte", 0, MORNING, "");
	fixture_end(&f);
}

static void what_belongs_to_nobody_goes_to_the_authority_and_says_so(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "high", "stranger", MORNING);
	char *to = text_of_row(&f, "SELECT recipient FROM outbox"),
		 *body = text_of_row(&f, "SELECT body FROM outbox");
	assert_string_equal(to, "duty@goc.example.vn");
	assert_non_null(strstr(body, "chưa xác định"));
	assert_non_null(strstr(body, "not known"));
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident_event WHERE kind = 'no-organisation'"), 1);
	free(to);
	free(body);
	fixture_end(&f);
}

static void nobody_to_tell_is_noted(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	fixture_run(&f, "DELETE FROM contact");
	see(&f, 1, "r1", "high", "web01", MORNING);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM outbox"), 0);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident_event WHERE kind = 'no-contact'"), 1);
	fixture_end(&f);
	fixture_empty(&f); /* not even an organisation */
	fixture_desk(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM incident_event WHERE kind = 'no-contact'"), 1);
	OK(desk_tick(f.d, MORNING + KH_HOUR, &diag));
	fixture_end(&f);
}

static void the_mail_says_what_matters_in_both_languages(void **st)
{
	struct fixture f;
	(void)st;
	fixture_province(&f);
	see(&f, 1, "r1", "critical", "web01", MORNING);
	char *body = text_of_row(&f, "SELECT body FROM outbox"),
		 *code = text_of_row(&f, "SELECT code FROM incident");
	static const char *const words[] = {
		"2026-000001",
		"So Y te (YTE)",
		"Cong thong tin (YTE-WEB)",
		"web01.yte.example.vn",
		"host:web01",
		"Guessing of users",
		"DRL-1.1",
		"Somebody",
		"NGHIÊM TRỌNG",
		"CRITICAL",
		"23/11/2026 09:59:59",
		"2026-11-23T02:59:59Z",
		"Invalid user admin",
		"Bằng chứng",
		"Evidence",
		"khien incident ack 2026-000001",
		"+1-202-555-0100",
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strstr(body, words[i]) == NULL) fail_msg("the mail lacks \"%s\":\n%s", words[i], body);
	assert_non_null(strstr(body, code));
	assert_null(strstr(body, "http://")); /* nothing to click on that an attacker wrote */
	assert_null(strstr(body, "{0}"));
	assert_true(strstr(body, "Bằng chứng") < strstr(body, "Evidence"));
	free(body);
	free(code);
	fixture_end(&f);
}

static void hours_of_duty(void **st)
{
	static const struct {
		const char *text;
		int hour; /* after Monday 00:00 in Vietnam */
		bool holds;
	} rows[] = {
		{"24x7", 3, true},
		{"T2-T6 07:30-17:00", 8, true},
		{"T2-T6 07:30-17:00", 7, false},
		{"Mon-Fri 07:30-17:00", 17, false},
		{"T2-T6 07:30-17:00", 5 * 24 + 9, false},
		{"T7, CN 08:00-12:00", 8, false},
		{"T7 08:00-12:00, CN 08:00-12:00", 6 * 24 + 8, true},
		{"T7-T2 00:00-24:00", 23, true},
		{"T7-T2 00:00-24:00", 24, false},
		{"CN 22:00-06:00", 5, true},
		{"CN 22:00-06:00", 6, false},
		{"T2 22:00-06:00", 5, false},
		{"", 9, false},
	};
	static const char *const bad[] = {"always",          "T8 07:00-08:00", "T2-T6",
									  "T2 7-8",          "T2 07:60-08:00", "T2 25:00-26:00",
									  "T2 07:00-08:00,", "T2 24:01-25:00", ","};
	const int64_t monday = MORNING - 10 * KH_HOUR;
	(void)st;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (hours_hold(kh_str(rows[i].text), monday + rows[i].hour * KH_HOUR) != rows[i].holds)
			fail_msg("%s at hour %d", rows[i].text, rows[i].hour);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (hours_ok(kh_str(bad[i]))) fail_msg("taken: %s", bad[i]);
	assert_true(hours_ok(KH_LIT("")) && hours_ok(KH_LIT("24x7")) && hours_ok(KH_LIT("t2-cn 00:00-24:00")));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(high_opens_and_low_does_not),
		cmocka_unit_test(the_same_entity_joins_and_severity_is_the_highest),
		cmocka_unit_test(every_edge_of_the_life_cycle),
		cmocka_unit_test(steps_need_words_and_the_right_code),
		cmocka_unit_test(reminders_then_escalation_then_silence),
		cmocka_unit_test(an_acknowledgement_stops_the_reminders),
		cmocka_unit_test(a_waiting_mail_is_not_doubled_by_a_reminder),
		cmocka_unit_test(after_closing_the_same_finding_is_noted_once_and_a_new_one_opens),
		cmocka_unit_test(whom_to_tell),
		cmocka_unit_test(what_belongs_to_nobody_goes_to_the_authority_and_says_so),
		cmocka_unit_test(nobody_to_tell_is_noted),
		cmocka_unit_test(the_mail_says_what_matters_in_both_languages),
		cmocka_unit_test(hours_of_duty),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
