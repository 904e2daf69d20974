/* SPDX-License-Identifier: Apache-2.0 */
#include "desk_fixture.h"

#include "api/shapes.h"
#include "desk/api.h"
#include "desk/outbox.h"

/* The worker, in this process and at once, or held back until a test lets it go on. */
struct held {
	char kind[64];
	struct kh_slice input;
	void (*done)(void *arg, json_t *result, const char *error);
	void *arg;
};

static struct held held;
static bool hold, no_worker;

static void work(void)
{
	struct kh_diag said;
	json_t *result = NULL;
	if (strncmp(held.kind, "import.", 7) == 0 &&
		shape_check(held.kind + 7, held.input, &result, &said) != KH_OK)
		held.done(held.arg, NULL, said.text);
	else if (strncmp(held.kind, "import.", 7) == 0)
		held.done(held.arg, result, NULL);
	else if (held.input.n > 0 && held.input.p[0] == 't')
		held.done(held.arg, result = json_pack("{s:s}", "title", "An exception"), NULL);
	else
		held.done(held.arg, NULL, "line 1: no filter");
	json_decref(result);
}

static enum kh_err run_job(void *ctx, const char *kind, struct kh_slice input,
						   void (*done)(void *arg, json_t *result, const char *error), void *arg)
{
	(void)ctx;
	if (no_worker) return KH_ESYS;
	snprintf(held.kind, sizeof held.kind, "%s", kind);
	held.input = input;
	held.done = done;
	held.arg = arg;
	if (!hold) work();
	return KH_OK;
}

struct seen {
	int status, n;
	char type[64];
	char *body;
	json_t *json;
};

static void on_reply(struct api_call *call, const struct api_answer *a)
{
	struct seen *s = call->ctx;
	s->n++;
	s->status = a->status;
	snprintf(s->type, sizeof s->type, "%s", a->type);
	s->body = kh_slice_dup(a->body);
	s->json = json_loads(s->body, 0, NULL);
}

static void open_desk(struct fixture *f)
{
	struct desk_ports ports = {
		.ctx = f, .run_job = run_job, .rules_changed = fixture_rules, .outbox_changed = fixture_outbox};
	fixture_province(f);
	desk_free(f->d);
	OK(desk_new(f->db, &desk_defaults, &ports, &f->d, &diag));
	hold = no_worker = false;
}

struct asked {
	enum api_door door;
	const char *bearer;
	enum kh_lang lang;
	int64_t now_ns;
};

static const struct asked local = {API_DOOR_LOCAL, "", KH_EN, MORNING};

static struct seen ask_as(struct fixture *f, const struct asked *how, const char *method, const char *path,
						  json_t *query, const char *body)
{
	struct seen s = {0};
	struct api_call c = {
		.door = how->door, .bearer = kh_str(how->bearer), .actor = "uid:0 root", .from = "local"};
	assert_int_equal(api_route_find(kh_str(method), kh_str(path), &c.match), KH_OK);
	c.query = query;
	c.body = kh_str(body);
	c.lang = how->lang;
	c.now_ns = how->now_ns;
	c.reply = on_reply;
	c.ctx = &s;
	desk_api(f->d, &c);
	if (s.n != 1) fail_msg("%s %s: %d answers", method, path, s.n);
	json_decref(query);
	return s;
}

static struct seen ask(struct fixture *f, const char *method, const char *path, const char *body)
{
	return ask_as(f, &local, method, path, NULL, body);
}

static void drop(struct seen *s)
{
	free(s->body);
	json_decref(s->json);
}

/* The status, and a text that the answer must hold. */
static void expect(struct seen s, int status, const char *text)
{
	if (s.status != status || (text != NULL && strstr(s.body, text) == NULL))
		fail_msg("%d %s", s.status, s.body);
	if (status >= 400) {
		assert_string_equal(s.type, "application/problem+json");
		assert_int_equal(json_integer_value(json_object_get(s.json, "status")), status);
		assert_non_null(json_object_get(s.json, "title"));
	}
	drop(&s);
}

static void every_get_answers(void **st)
{
	struct fixture f;
	(void)st;
	open_desk(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (strcmp(api_routes[i].method, "GET") != 0 || strchr(api_routes[i].path, '{') != NULL) continue;
		struct seen s = ask(&f, "GET", api_routes[i].path, "");
		if (s.status != 200) fail_msg("%s: %d %s", api_routes[i].path, s.status, s.body);
		assert_true(strlen(s.body) > 10);
		drop(&s);
	}
	fixture_end(&f);
}

static void status_and_metrics_tell_the_state(void **st)
{
	struct fixture f;
	(void)st;
	open_desk(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	json_t *role = json_pack("{s:s,s:i}", "state", "running", "rss", 4096);
	desk_set_role_state(f.d, "sensor", role);
	json_decref(role);
	struct seen s = ask(&f, "GET", "/api/v1/status", "");
	json_t *input = json_array_get(json_object_get(s.json, "inputs"), 0);
	assert_int_equal(json_integer_value(json_object_get(input, "events")), 10);
	assert_true(json_real_value(json_object_get(input, "rate")) > 0.1);
	assert_int_equal(json_integer_value(json_object_get(
						 json_object_get(json_object_get(input, "rejected"), "bad_json"), "count")),
					 1);
	assert_string_equal(json_string_value(json_object_get(json_object_get(s.json, "intake"), "state")),
						"running");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(s.json, "incidents"), "open")), 1);
	drop(&s);
	expect(ask(&f, "GET", "/metrics", ""), 200, "khien_incidents{state=\"open\"} 1\n");
	expect(ask(&f, "GET", "/metrics", ""), 200,
		   "khien_input_rejected_total{input=\"auth\",reason=\"bad_json\"} 1\n");
	expect(ask(&f, "GET", "/metrics", ""), 200, "khien_role_resident_bytes{role=\"sensor\"} 4096\n");
	fixture_end(&f);
}

static void lists_page_without_gap_or_repeat(void **st)
{
	struct fixture f;
	char after[64] = "", last[64] = "~";
	int n = 0, pages = 0;
	(void)st;
	open_desk(&f);
	for (int i = 0; i < 25; i++) {
		char host[16];
		snprintf(host, sizeof host, "h%d", i);
		see(&f, i, "r1", i % 5 ? "low" : "high", host, MORNING + i);
	}
	do {
		json_t *query = json_pack("{s:s}", "limit", "10"), *item;
		size_t i;
		if (after[0] != '\0') json_object_set_new(query, "cursor", json_string(after));
		struct seen s = ask_as(&f, &local, "GET", "/api/v1/findings", query, "");
		json_array_foreach(json_object_get(s.json, "items"), i, item)
		{
			const char *id = json_string_value(json_object_get(item, "id"));
			assert_true(strcmp(id, last) < 0);
			snprintf(last, sizeof last, "%s", id);
			n++;
		}
		const char *next = json_string_value(json_object_get(s.json, "next"));
		snprintf(after, sizeof after, "%s", next != NULL ? next : "");
		pages++;
		drop(&s);
	} while (after[0] != '\0');
	assert_int_equal(n, 25);
	assert_int_equal(pages, 3);
	struct seen s = ask_as(&f, &local, "GET", "/api/v1/findings", json_pack("{s:s}", "level", "high"), "");
	assert_int_equal(json_array_size(json_object_get(s.json, "items")), 5);
	drop(&s);
	expect(ask_as(&f, &local, "GET", "/api/v1/findings", json_pack("{s:s}", "limit", "0"), ""), 400, "limit");
	expect(ask_as(&f, &local, "GET", "/api/v1/findings", json_pack("{s:s}", "limit", "1; DROP TABLE finding"),
				  ""),
		   400, NULL);
	expect(ask_as(&f, &local, "GET", "/api/v1/findings", json_pack("{s:s}", "entity", "' OR 1=1 --"), ""),
		   200, "\"items\":[]");
	expect(ask_as(&f, &local, "GET", "/api/v1/audit", json_pack("{s:s}", "cursor", "x"), ""), 400, NULL);
	fixture_end(&f);
}

static void incidents_go_their_way(void **st)
{
	struct fixture f;
	(void)st;
	open_desk(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	expect(ask(&f, "GET", "/api/v1/incidents/2026-000001", ""), 200, "\"timeline\":[");
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000001/ack", "{\"code\":\"WRONG\"}"), 409, "code");
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000001/ack", "not json"), 400, NULL);
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000001/ack", ""), 200, "\"state\":\"acknowledged\"");
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000001/ack", ""), 409, NULL);
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000001/assign", "{\"owner\":\"Tổ trực\"}"), 200,
		   "Tổ trực");
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000001/close", "{}"), 409, NULL);
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000001/close", "{\"reason\":\"mended\"}"), 200,
		   "\"close_reason\":\"mended\"");
	expect(ask(&f, "POST", "/api/v1/incidents/2026-000009/ack", ""), 404, "2026-000009");
	expect(ask(&f, "GET", "/api/v1/audit/verify", ""), 200, "\"ok\":true");
	fixture_run(&f, "UPDATE audit SET actor = 'somebody else' WHERE action = 'incident.ack'");
	expect(ask(&f, "GET", "/api/v1/audit/verify", ""), 200, "\"first_bad\":2");
	fixture_end(&f);
}

static void problems_speak_the_language_asked(void **st)
{
	struct fixture f;
	struct asked vi = local;
	(void)st;
	open_desk(&f);
	vi.lang = KH_VI;
	expect(ask_as(&f, &vi, "GET", "/api/v1/incidents/nothing", NULL, ""), 404, "không có sự cố");
	expect(ask_as(&f, &local, "GET", "/api/v1/incidents/nothing", NULL, ""), 404, "no incident");
	fixture_end(&f);
}

static char *make_token(struct fixture *f, const char *scope, const char *expires)
{
	char body[200];
	snprintf(body, sizeof body, "{\"name\":\"t\",\"scope\":\"%s\",\"expires\":\"%s\"}", scope, expires);
	struct seen s = ask(f, "POST", "/api/v1/tokens", body);
	assert_int_equal(s.status, 201);
	char *token = kh_slice_dup(kh_str(json_string_value(json_object_get(s.json, "token"))));
	drop(&s);
	return token;
}

static void tokens_open_what_they_may(void **st)
{
	struct fixture f;
	(void)st;
	open_desk(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	char *reader = make_token(&f, "read", "1h"), *operator_one = make_token(&f, "operate", ""), sql[200],
		 bearer[100];
	struct asked web = {API_DOOR_WEB, reader, KH_EN, MORNING};
	expect(ask_as(&f, &web, "GET", "/api/v1/status", NULL, ""), 200, NULL);
	expect(ask_as(&f, &web, "POST", "/api/v1/incidents/2026-000001/ack", NULL, ""), 403, NULL);
	snprintf(bearer, sizeof bearer, "Bearer %s", operator_one);
	web.bearer = bearer;
	expect(ask_as(&f, &web, "GET", "/api/v1/tokens", NULL, ""), 403, NULL);
	expect(ask_as(&f, &web, "POST", "/api/v1/incidents/2026-000001/ack", NULL, ""), 200, "token:khien_pat_");
	web.bearer = reader;
	web.now_ns = MORNING + KH_HOUR;
	expect(ask_as(&f, &web, "GET", "/api/v1/status", NULL, ""), 401, NULL); /* expired */
	web.bearer = "";
	expect(ask_as(&f, &web, "GET", "/api/v1/status", NULL, ""), 401, NULL);
	operator_one[20] = operator_one[20] == 'a' ? 'b' : 'a';
	web.bearer = operator_one;
	expect(ask_as(&f, &web, "GET", "/api/v1/status", NULL, ""), 401, NULL);
	snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM token WHERE hash LIKE '%%%s%%'", reader + 20);
	assert_int_equal(count_of(&f, sql), 0);
	snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM audit WHERE after LIKE '%%%s%%'", reader + 20);
	assert_int_equal(count_of(&f, sql), 0);
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM token WHERE last_used_ns IS NOT NULL"), 2);
	free(reader);
	free(operator_one);
	fixture_end(&f);
}

static void a_revoked_token_opens_nothing(void **st)
{
	struct fixture f;
	char path[100];
	(void)st;
	open_desk(&f);
	char *token = make_token(&f, "admin", ""), *id = text_of_row(&f, "SELECT id FROM token");
	struct asked web = {API_DOOR_WEB, token, KH_EN, MORNING};
	snprintf(path, sizeof path, "/api/v1/tokens/%s", id);
	expect(ask_as(&f, &web, "DELETE", path, NULL, ""), 200, NULL);
	expect(ask_as(&f, &web, "GET", "/api/v1/status", NULL, ""), 401, NULL);
	expect(ask(&f, "DELETE", path, ""), 404, NULL);
	expect(ask(&f, "POST", "/api/v1/tokens", "{\"name\":\"x\",\"scope\":\"all\"}"), 400, "scope");
	expect(ask(&f, "POST", "/api/v1/tokens", "{\"name\":\"x\",\"expires\":\"yesterday\"}"), 400, "expires");
	free(token);
	free(id);
	fixture_end(&f);
}

static void mutes_rules_and_exceptions(void **st)
{
	struct fixture f;
	json_t *rules;
	char path[100];
	(void)st;
	open_desk(&f);
	expect(ask(&f, "POST", "/api/v1/mutes", "{\"rule\":\"r1\",\"reason\":\"known\",\"expires\":\"4h\"}"), 201,
		   "\"expires\":\"2026-11-23T07:00:00Z\"");
	expect(ask(&f, "POST", "/api/v1/mutes", "{\"rule\":\"r1\",\"reason\":\"known\"}"), 422, NULL);
	expect(ask(&f, "POST", "/api/v1/mutes", "{\"rule\":\"r1\",\"expires\":\"4h\"}"), 422, NULL);
	expect(ask(&f, "POST", "/api/v1/mutes", "{\"reason\":\"x\",\"expires\":\"4h\"}"), 422, NULL);
	expect(ask(&f, "POST", "/api/v1/mutes", "{\"rule\":\"r1\",\"reason\":\"x\",\"expires\":\"400d\"}"), 422,
		   NULL);
	expect(
		ask(&f, "POST", "/api/v1/mutes", "{\"organisation\":\"NOBODY\",\"reason\":\"x\",\"expires\":\"4h\"}"),
		422, "NOBODY");
	char *id = text_of_row(&f, "SELECT id FROM mute");
	snprintf(path, sizeof path, "/api/v1/mutes/%s", id);
	expect(ask(&f, "DELETE", path, ""), 200, NULL);
	expect(ask(&f, "DELETE", path, ""), 404, NULL);
	expect(ask(&f, "POST", "/api/v1/rules/r-9/disable", "{\"reason\":\"noise\"}"), 200, "\"disabled\":1");
	expect(ask(&f, "POST", "/api/v1/exceptions", "title: x"), 201, "An exception");
	expect(ask(&f, "POST", "/api/v1/exceptions", "broken"), 422, "line 1: no filter");
	assert_int_equal(f.rules_changed, 2);
	OK(desk_rules_state(f.d, &rules, &diag));
	char *text = json_dumps(rules, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"disabled\":[\"r-9\"],\"filters\":[\"title: x\"]}");
	free(text);
	json_decref(rules);
	expect(ask(&f, "GET", "/api/v1/rules", ""), 200, "\"disabled\":\"yes\"");
	expect(ask(&f, "POST", "/api/v1/rules/r-9/enable", ""), 200, "\"disabled\":0");
	assert_int_equal(count_of(&f, "SELECT COUNT(*) FROM audit"), 5);
	free(id);
	fixture_end(&f);
}

static void imports_wait_for_the_worker(void **st)
{
	struct fixture f;
	struct seen s = {0};
	struct api_call c = {.actor = "uid:0 root",
						 .from = "local",
						 .lang = KH_VI,
						 .now_ns = MORNING,
						 .reply = on_reply,
						 .ctx = &s};
	static const char *const bad = "code,parent,name,kind,domains,networks\nx,,,agency,,\n";
	(void)st;
	open_desk(&f);
	expect(ask(&f, "POST", "/api/v1/organisations/import",
			   "code,parent,name,kind,domains,networks\nx,GOC,X,agency,,\n"),
		   200, "\"created\":1");
	expect(ask(&f, "GET", "/api/v1/organisations/export", ""), 200, "x,GOC,X,agency,,\r\n");
	expect(ask(&f, "POST", "/api/v1/organisations/import", bad), 422,
		   "\"errors\":[{\"line\":2,\"column\":\"name\"");
	hold = true;
	assert_int_equal(api_route_find(KH_LIT("POST"), KH_LIT("/api/v1/organisations/import"), &c.match), KH_OK);
	c.body = kh_str(bad);
	desk_api(f.d, &c);
	assert_int_equal(s.n, 0);
	see(&f, 1, "r1", "high", "web01", MORNING); /* the desk goes on meanwhile */
	work();
	assert_int_equal(s.n, 1);
	expect(s, 422, "không được để trống");
	no_worker = true;
	expect(ask(&f, "POST", "/api/v1/organisations/import", bad), 503, NULL);
	fixture_end(&f);
}

/* The service stops while a worker still reads: its end must find nothing of the desk. */
static void a_job_may_end_after_the_desk(void **st)
{
	struct fixture f;
	struct seen s = {0};
	struct api_call c = {
		.actor = "uid:0 root", .from = "local", .now_ns = MORNING, .reply = on_reply, .ctx = &s};
	(void)st;
	open_desk(&f);
	hold = true;
	assert_int_equal(api_route_find(KH_LIT("POST"), KH_LIT("/api/v1/assets/import"), &c.match), KH_OK);
	c.body = KH_LIT("system,name,kind,addresses,criticality,exposed\n");
	desk_api(f.d, &c);
	desk_free(f.d);
	f.d = NULL;
	work();
	assert_int_equal(s.n, 0);
	fixture_end(&f);
}

static void the_outbox_by_hand(void **st)
{
	struct fixture f;
	char path[100];
	(void)st;
	open_desk(&f);
	see(&f, 1, "r1", "high", "web01", MORNING);
	char *id = text_of_row(&f, "SELECT id FROM outbox");
	snprintf(path, sizeof path, "/api/v1/outbox/%s/cancel", id);
	expect(ask(&f, "POST", path, ""), 200, NULL);
	expect(ask(&f, "POST", path, ""), 409, NULL);
	snprintf(path, sizeof path, "/api/v1/outbox/%s/resend", id);
	expect(ask(&f, "POST", path, ""), 200, NULL);
	expect(ask_as(&f, &local, "GET", "/api/v1/outbox", json_pack("{s:s}", "state", "queued"), ""), 200,
		   "duty@yte.example.vn");
	free(id);
	fixture_end(&f);
}

static void a_full_disk_answers_507_and_keeps_reading(void **st)
{
	struct fixture f;
	char body[9000];
	int status = 201, n = 0;
	(void)st;
	open_desk(&f);
	snprintf(body, sizeof body, "t%08000d", 1);
	OK(db_set_max_bytes(f.db, (uint64_t)db_bytes(f.db) + (64 << 10), &diag));
	for (; status == 201 && n < 1000; n++) {
		struct seen s = ask(&f, "POST", "/api/v1/exceptions", body);
		status = s.status;
		drop(&s);
	}
	assert_int_equal(status, 507);
	expect(ask(&f, "GET", "/api/v1/audit/verify", ""), 200, "\"ok\":true");
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(every_get_answers),
		cmocka_unit_test(status_and_metrics_tell_the_state),
		cmocka_unit_test(lists_page_without_gap_or_repeat),
		cmocka_unit_test(incidents_go_their_way),
		cmocka_unit_test(problems_speak_the_language_asked),
		cmocka_unit_test(tokens_open_what_they_may),
		cmocka_unit_test(a_revoked_token_opens_nothing),
		cmocka_unit_test(mutes_rules_and_exceptions),
		cmocka_unit_test(imports_wait_for_the_worker),
		cmocka_unit_test(a_job_may_end_after_the_desk),
		cmocka_unit_test(the_outbox_by_hand),
		cmocka_unit_test(a_full_disk_answers_507_and_keeps_reading),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
