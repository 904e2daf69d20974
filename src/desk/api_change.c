/* SPDX-License-Identifier: Apache-2.0
 * api_change.c - the routes that show one thing or change something. */
#include <stdlib.h>

#include "desk/api_own.h"
#include "desk/audit.h"
#include "desk/finding.h"
#include "desk/incident.h"
#include "desk/mute.h"
#include "desk/outbox.h"
#include "desk/record.h"
#include "desk/rules.h"
#include "desk/token.h"

enum { MAX_ID = 300 };

/* ---- findings and incidents ---- */

enum kh_err finding_answer(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char id[MAX_ID];
	KH_TRY(finding_show(d, api_param(c, 0, id, sizeof id), &r->json, diag));
	return r->json != NULL ? KH_OK : api_refuse(r, 404, diag, M_API_NO_RECORD, id);
}

enum kh_err incident_answer(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char ref[MAX_ID];
	KH_TRY(incident_show(d, api_param(c, 0, ref, sizeof ref), &r->json, diag));
	return r->json != NULL ? KH_OK : api_refuse(r, 404, diag, M_NO_INCIDENT, ref);
}

/* The verb is the path's last word; the body's member that holds its words. */
static const struct {
	const char *verb, *member;
} words[] = {{"ack", "code"},      {"contain", "text"}, {"resume", "reason"}, {"close", "reason"},
			 {"reopen", "reason"}, {"assign", "owner"}, {"note", "text"}};

enum kh_err incident_step(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char ref[MAX_ID];
	json_t *body;
	bool found = false;
	struct incident_word w = {api_param(c, 0, ref, sizeof ref), strrchr(c->match.route->path, '/') + 1, NULL};
	struct desk_actor actor = api_actor(c);
	KH_TRY(api_body(c, &body, diag));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].verb, w.verb) == 0)
			w.text = json_string_value(json_object_get(body, words[i].member));
	enum kh_err err = incident_change(d, &w, &actor, c->now_ns, &found, &r->json, diag);
	if (err == KH_ERANGE) r->status = found ? 409 : 404;
	json_decref(body);
	return err;
}

/* ---- mutes ---- */

/* "30m", "4h", "2d" or an RFC 3339 time; 0: neither. */
static int64_t until(const char *text, int64_t now_ns)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = {{'s', KH_SECOND}, {'m', KH_MINUTE}, {'h', KH_HOUR}, {'d', KH_DAY}};
	int64_t at;
	uint64_t n;
	if (text == NULL || text[0] == '\0') return 0;
	if (kh_time_parse(kh_str(text), false, &at) == KH_OK) return at;
	size_t len = strlen(text);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (text[len - 1] == units[i].unit &&
			kh_slice_u64(kh_slice_to(kh_str(text), len - 1), 100000, &n) == KH_OK)
			return now_ns + (int64_t)n * units[i].ns;
	return 0;
}

static const char *member(const json_t *body, const char *key)
{
	const char *s = json_string_value(json_object_get(body, key));
	return s != NULL && s[0] != '\0' ? s : NULL;
}

enum kh_err mute_post(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	json_t *body;
	struct desk_actor actor = api_actor(c);
	KH_TRY(api_body(c, &body, diag));
	struct mute_wish w = {member(body, "rule"), member(body, "entity"), member(body, "organisation"),
						  member(body, "reason"), until(member(body, "expires"), c->now_ns)};
	enum kh_err err = mute_create(d, &w, &actor, c->now_ns, &r->json, diag);
	if (err == KH_OK) r->status = 201;
	json_decref(body);
	return err;
}

/* Answers a change by id that found something, or says that there is nothing. */
static enum kh_err changed(struct reply *r, bool found, const char *id, struct kh_diag *diag)
{
	if (!found) return api_refuse(r, 404, diag, M_API_NO_RECORD, id);
	r->json = json_pack("{s:s}", "id", id);
	return KH_OK;
}

enum kh_err mute_delete(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char id[MAX_ID];
	bool found;
	struct desk_actor actor = api_actor(c);
	KH_TRY(mute_end(d, api_param(c, 0, id, sizeof id), &actor, c->now_ns, &found, diag));
	return changed(r, found, id, diag);
}

/* ---- rules ---- */

enum kh_err rule_switch(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char id[MAX_ID];
	json_t *body;
	struct desk_actor actor = api_actor(c);
	bool disable = c->match.route->id == ROUTE_RULE_DISABLE;
	KH_TRY(api_body(c, &body, diag));
	const char *reason = member(body, "reason");
	enum kh_err err = rule_switch_to(d, api_param(c, 0, id, sizeof id), disable, reason != NULL ? reason : "",
									 &actor, c->now_ns, &r->json, diag);
	json_decref(body);
	return err;
}

enum kh_err exception_delete(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char id[MAX_ID];
	bool found;
	struct desk_actor actor = api_actor(c);
	KH_TRY(exception_remove(d, api_param(c, 0, id, sizeof id), &actor, c->now_ns, &found, diag));
	return changed(r, found, id, diag);
}

/* ---- the outbox ---- */

enum kh_err outbox_step(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char id[MAX_ID];
	bool found;
	struct desk_actor actor = api_actor(c);
	api_param(c, 0, id, sizeof id);
	if (c->match.route->id == ROUTE_OUTBOX_RESEND)
		KH_TRY(outbox_resend(d, id, &actor, c->now_ns, &found, diag));
	else
		KH_TRY(outbox_cancel(d, id, &actor, c->now_ns, &found, diag));
	if (found) return changed(r, found, id, diag);
	return api_refuse(r, 409, diag, M_OUTBOX_STATE, id);
}

/* ---- tokens ---- */

enum kh_err token_post(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	json_t *body;
	struct desk_actor actor = api_actor(c);
	KH_TRY(api_body(c, &body, diag));
	const char *expires = member(body, "expires"), *scope = member(body, "scope");
	int64_t at = until(expires, c->now_ns);
	enum kh_err err = expires != NULL && at == 0
						  ? kh_say(diag, KH_EFORMAT, M_API_FIELD, "expires", NULL)
						  : token_create(d, member(body, "name"), scope != NULL ? scope : "read", at, &actor,
										 c->now_ns, &r->json, diag);
	if (err == KH_OK) r->status = 201;
	json_decref(body);
	return err;
}

enum kh_err token_delete(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char id[MAX_ID];
	bool found;
	struct desk_actor actor = api_actor(c);
	KH_TRY(token_revoke(d, api_param(c, 0, id, sizeof id), &actor, c->now_ns, &found, diag));
	return changed(r, found, id, diag);
}

/* ---- audit ---- */

/* A broken chain is an answer, not a failure of the request. */
enum kh_err audit_check(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	struct audit_report a;
	char at[KH_TIME_TEXT];
	(void)c;
	enum kh_err err = audit_verify(d->db, &a, diag);
	if (err != KH_OK && a.first_bad == 0) return err;
	r->json = json_pack("{s:b,s:I,s:s}", "ok", err == KH_OK, "records", (json_int_t)a.n_ok, "head", a.head);
	if (err != KH_OK) {
		json_object_set_new(r->json, "first_bad", json_integer((json_int_t)a.first_bad));
		json_object_set_new(r->json, "at", json_string(kh_time_rfc3339(at, a.at_ns)));
		json_object_set_new(r->json, "detail", json_string(diag->text));
	}
	return KH_OK;
}

/* ---- what a worker looks at first ---- */

enum kh_err export_show(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char name[32];
	const char *start = c->match.route->path + strlen("/api/v1/");
	snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "/"), start);
	r->type = "text/csv; charset=utf-8";
	return record_export(d, record_kind_of(name), &r->text, diag);
}

struct pending {
	struct pending *next;
	struct desk *d; /* NULL: the desk is gone, nobody waits */
	struct api_call *call;
	const struct record_kind *kind; /* NULL: an exception */
};

static void unlink_pending(struct pending *p)
{
	struct pending **at = &p->d->pending;
	while (*at != p) at = &(*at)->next;
	*at = p->next;
}

void desk_forget_pending(struct desk *d)
{
	for (struct pending *p = d->pending; p != NULL; p = p->next) p->d = NULL;
	d->pending = NULL;
}

static enum kh_err take_exception(struct desk *d, struct pending *p, const json_t *result, struct reply *r,
								  struct kh_diag *diag)
{
	struct desk_actor actor = api_actor(p->call);
	const char *title = json_string_value(json_object_get(result, "title"));
	KH_TRY(exception_create(d, title != NULL ? title : "", p->call->body, &actor, p->call->now_ns, &r->json,
							diag));
	r->status = 201;
	return KH_OK;
}

static enum kh_err take_result(struct desk *d, struct pending *p, const json_t *result, struct reply *r,
							   struct kh_diag *diag)
{
	struct desk_actor actor = api_actor(p->call);
	if (p->kind == NULL) return take_exception(d, p, result, r, diag);
	return record_import(d, p->kind, result, &actor, p->call->now_ns, &r->json, &r->errors, diag);
}

static void job_done(void *arg, json_t *result, const char *error)
{
	struct pending *p = arg;
	struct reply r = {0};
	struct kh_diag diag = {0};
	enum kh_lang before = kh_lang();
	enum kh_err err = KH_ERANGE;
	if (p->d == NULL) {
		free(p);
		return;
	}
	unlink_pending(p);
	kh_lang_set(p->call->lang);
	if (error != NULL || result == NULL)
		snprintf(diag.text, sizeof diag.text, "%s", error != NULL ? error : kh_msg(M_IMPORT_NO_WORKER));
	else if ((err = desk_begin(p->d, &diag)) == KH_OK)
		err = desk_finish(p->d, take_result(p->d, p, result, &r, &diag), &diag);
	api_finish(p->call, &r, err, &diag);
	kh_lang_set(before);
	free(p);
}

static enum kh_err start_job(struct desk *d, struct api_call *c, const char *kind,
							 const struct record_kind *record, struct reply *r, struct kh_diag *diag)
{
	struct pending *p = d->ports.run_job != NULL ? malloc(sizeof *p) : NULL;
	r->status = 503;
	if (p == NULL) return kh_say(diag, KH_ENOMEM, M_IMPORT_NO_WORKER, NULL);
	*p = (struct pending){d->pending, d, c, record};
	d->pending = p;
	r->later = true;
	if (d->ports.run_job(d->ports.ctx, kind, c->body, job_done, p) == KH_OK) return KH_OK;
	unlink_pending(p);
	free(p);
	return kh_say(diag, KH_ENOMEM, M_IMPORT_NO_WORKER, NULL);
}

enum kh_err import_start(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	char kind[64];
	const char *start = c->match.route->path + strlen("/api/v1/");
	snprintf(kind, sizeof kind, "import.%.*s", (int)strcspn(start, "/"), start);
	return start_job(d, c, kind, record_kind_of(kind + strlen("import.")), r, diag);
}

enum kh_err exception_start(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	return start_job(d, c, "filter.sigma", NULL, r, diag);
}
