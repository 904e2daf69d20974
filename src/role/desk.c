/* SPDX-License-Identifier: Apache-2.0
 * desk.c - the desk role: the one writer of the store. Sensors bring batches, the courier takes mails, web
 * and the control socket ask, workers read foreign documents for it. All of it on one loop, one transaction
 * at a time. */
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "base/uuid.h"
#include "desk/outbox.h"
#include "role/control.h"
#include "role/desk_role.h"
#include "store/db.h"
#include "store/migrate.h"

enum { TICK_MS = 1000, MAX_JOBS = 64, MAX_MAILS = 64 };

/* One document for a worker; one is under way at a time, the rest wait in order. */
struct job {
	struct job *next;
	char id[KH_UUID_TEXT], kind[64];
	int input; /* sealed memory */
	void (*done)(void *arg, json_t *result, const char *error);
	void *arg;
};

struct desk_role {
	struct role_process *p;
	struct db *db;
	struct desk *desk;
	uv_timer_t tick;
	struct job *jobs, **last_job;
	size_t n_jobs;
	bool job_started;
	size_t n_mails;       /* handed to the courier and not yet told */
	bool courier_is_free; /* it told what became of the mails before */
	json_t *sensor_state;
	char trouble[400]; /* the last error of the store, so that it is logged once */
};

static struct desk_role *of(struct role_process *p)
{
	return p->state;
}

struct desk *desk_of(struct role_process *p)
{
	return of(p)->desk;
}

/* An error of the store is said once, and again when it is another one or is over. */
static bool held(struct desk_role *d, enum kh_err err, const struct kh_diag *diag)
{
	if (err == KH_OK) {
		d->trouble[0] = '\0';
		return true;
	}
	if (strcmp(d->trouble, diag->text) != 0) {
		snprintf(d->trouble, sizeof d->trouble, "%s", diag->text);
		kh_log(KH_LOG_ERROR, "event=store_trouble reason=\"%s\"", diag->text);
	}
	return false;
}

/* ---- sensor ---- */

static void on_hello(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)payload;
	(void)fd;
	struct role_process *p = ctx;
	struct kh_diag diag = {0};
	json_t *positions = NULL, *rules = NULL;
	enum kh_err err = desk_positions(desk_of(p), &positions, &diag);
	if (err == KH_OK) err = desk_rules_state(desk_of(p), &rules, &diag);
	if (err != KH_OK)
		role_fail(p, &diag); /* without it the sensor would read its files again from the start */
	channel_send(c, FRAME_SENSOR_RESUME, json_pack("{s:o, s:o}", "positions", positions, "rules", rules), -1);
}

static void look_at_disk(struct role_process *p)
{
	struct statvfs v;
	if (statvfs(role_path(p, "store"), &v) != 0) return;
	desk_set_disk(desk_of(p), (uint64_t)v.f_bavail * v.f_frsize, p->settings->store.min_free);
}

static void on_batch(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)fd;
	struct role_process *p = ctx;
	struct kh_diag diag = {0};
	json_t *answer = NULL;
	look_at_disk(p);
	enum kh_err err = intake_apply(desk_of(p), payload, kh_now_ns(), &answer, &diag);
	held(of(p), err == KH_EFORMAT ? KH_OK : err, &diag);
	if (answer == NULL)
		answer = json_pack("{s:I, s:s, s:s}", "seq", json_int(payload, "seq", 0), "status", "later", "detail",
						   diag.text);
	channel_send(c, FRAME_BATCH_DONE, answer, -1);
}

static void on_sensor_state(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)fd;
	struct desk_role *d = of(ctx);
	json_decref(d->sensor_state);
	d->sensor_state = json_incref(payload);
}

static void on_rules_changed(void *ctx)
{
	struct role_process *p = ctx;
	struct kh_diag diag;
	json_t *rules = NULL;
	if (held(of(p), desk_rules_state(desk_of(p), &rules, &diag), &diag))
		channel_send(p->peers[ROLE_SENSOR], FRAME_SENSOR_RULES, rules, -1);
}

/* ---- courier ---- */

/* Hands out what is due, as long as the courier has a free hand. */
static void hand_out_mails(struct role_process *p)
{
	struct desk_role *d = of(p);
	struct kh_diag diag;
	size_t most = p->settings->mail.in_flight < MAX_MAILS ? (size_t)p->settings->mail.in_flight : MAX_MAILS;
	while (d->courier_is_free && !p->stopping && d->n_mails < most) {
		json_t *errand = NULL;
		int64_t now = kh_now_ns();
		if (!held(d, outbox_next(d->desk, now, &errand, &diag), &diag) || errand == NULL) return;
		if (!held(d, outbox_started(d->desk, json_text(errand, "id", ""), now, &diag), &diag)) {
			json_decref(errand);
			return;
		}
		if (channel_send(p->peers[ROLE_COURIER], FRAME_MAIL, errand, -1) != KH_OK)
			return; /* recovered when it comes back */
		d->n_mails++;
	}
}

/* Only now: a word about an earlier try of a mail must not fall upon the try that begins. */
static void on_courier_hello(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)payload;
	(void)fd;
	struct role_process *p = ctx;
	of(p)->courier_is_free = true;
	hand_out_mails(p);
}

static void on_committing(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)fd;
	struct role_process *p = ctx;
	struct kh_diag diag;
	const char *id = json_text(payload, "id", "");
	if (held(of(p), outbox_committing(desk_of(p), id, kh_now_ns(), &diag), &diag))
		channel_send(c, FRAME_MAIL_COMMIT, json_pack("{s:s}", "id", id), -1);
}

static void on_mail_done(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)fd;
	struct role_process *p = ctx;
	struct desk_role *d = of(p);
	struct kh_diag diag;
	const char *id = json_text(payload, "id", ""), *result = json_text(payload, "result", ""),
			   *text = json_text(payload, "text", "");
	int64_t now = kh_now_ns();
	enum outbox_failure how = strcmp(result, "permanent") == 0   ? OUTBOX_PERMANENT
							  : strcmp(result, "uncertain") == 0 ? OUTBOX_UNCERTAIN
																 : OUTBOX_TEMPORARY;
	enum kh_err err = strcmp(result, "sent") == 0 ? outbox_sent(d->desk, id, now, &diag)
												  : outbox_failed(d->desk, id, how, text, now, &diag);
	if (err != KH_ERANGE) held(d, err, &diag); /* KH_ERANGE: told before */
	if (d->n_mails > 0) d->n_mails--;
	hand_out_mails(p);
}

static void on_outbox_changed(void *ctx)
{
	hand_out_mails(ctx);
}

static void recover_mails(struct role_process *p)
{
	struct kh_diag diag;
	of(p)->n_mails = 0;
	of(p)->courier_is_free = false;
	held(of(p), outbox_recover(desk_of(p), kh_now_ns(), &diag), &diag);
}

/* ---- workers ---- */

static void want_worker(struct role_process *p)
{
	struct desk_role *d = of(p);
	if (d->jobs == NULL || d->job_started) return;
	d->job_started = true;
	channel_send(p->control, FRAME_WORKER_WANTED, json_pack("{s:s}", "job", d->jobs->id), -1);
}

static void end_job(struct role_process *p, json_t *result, const char *error)
{
	struct desk_role *d = of(p);
	struct job *j = d->jobs;
	if (j == NULL || !d->job_started) return;
	d->jobs = j->next;
	if (d->jobs == NULL) d->last_job = &d->jobs;
	d->n_jobs--;
	d->job_started = false;
	if (j->input >= 0) close(j->input);
	j->done(j->arg, result, error);
	free(j);
	want_worker(p);
}

static void on_job_done(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)fd;
	json_t *result = json_object_get(payload, "result");
	end_job(ctx, result, result == NULL ? json_text(payload, "error", kh_msg(M_DESK_WORKER_DIED)) : NULL);
}

static enum kh_err run_job(void *ctx, const char *kind, struct kh_slice input,
						   void (*done)(void *arg, json_t *result, const char *error), void *arg)
{
	struct role_process *p = ctx;
	struct desk_role *d = of(p);
	if (d->n_jobs == MAX_JOBS) return KH_ELIMIT;
	struct job *j = calloc(1, sizeof *j);
	if (j == NULL) return KH_ENOMEM;
	j->input = channel_memory(input.p, input.n);
	if (j->input < 0) {
		free(j);
		return KH_ESYS;
	}
	kh_uuid7(j->id, kh_now_ns());
	snprintf(j->kind, sizeof j->kind, "%s", kind);
	j->done = done;
	j->arg = arg;
	*d->last_job = j;
	d->last_job = &j->next;
	d->n_jobs++;
	want_worker(p);
	return KH_OK;
}

static void worker_came(struct role_process *p)
{
	struct desk_role *d = of(p);
	if (d->jobs == NULL || d->jobs->input < 0) return;
	int input = d->jobs->input;
	d->jobs->input = -1;
	channel_send(p->peers[ROLE_WORKER], FRAME_JOB, json_pack("{s:s}", "kind", d->jobs->kind), input);
}

/* ---- web ---- */

struct web_call {
	struct api_call call;
	struct role_process *p;
	json_t *payload;
	struct api_match match;
};

static void on_reply(struct api_call *call, const struct api_answer *a)
{
	struct web_call *w = call->ctx;
	json_t *j = json_pack("{s:I, s:i, s:s, s:o}", "id", json_int(w->payload, "id", 0), "status", a->status,
						  "content_type", a->type, "body",
						  json_stringn(a->body.n > 0 ? (const char *)a->body.p : "", a->body.n));
	channel_send(w->p->peers[ROLE_WEB], FRAME_ANSWER, j, -1);
	json_decref(w->payload);
	free(w);
}

static void on_call(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)fd;
	struct role_process *p = ctx;
	struct web_call *w = calloc(1, sizeof *w);
	if (w == NULL) return;
	w->p = p;
	w->payload = json_incref(payload);
	w->call = (struct api_call){.door = API_DOOR_WEB,
								.bearer = kh_str(json_text(payload, "bearer", "")),
								.from = json_text(payload, "client", ""),
								.query = json_object_get(payload, "query"),
								.body = kh_str(json_text(payload, "body", "")),
								.lang = strcmp(json_text(payload, "lang", "vi"), "en") == 0 ? KH_EN : KH_VI,
								.now_ns = kh_now_ns(),
								.reply = on_reply,
								.ctx = w};
	if (api_route_find(kh_str(json_text(payload, "method", "")), kh_str(json_text(payload, "path", "")),
					   &w->call.match) == KH_OK) {
		desk_api(desk_of(p), &w->call);
		return;
	}
	on_reply(&w->call, &(struct api_answer){404, "application/problem+json",
											KH_LIT("{}")}); /* web found it: cannot be */
}

/* ---- the role ---- */

static void on_roles(struct role_process *p, const json_t *payload)
{
	struct desk_role *d = of(p);
	size_t i;
	json_t *row;
	desk_set_role_state(d->desk, role_names[ROLE_WORKER], NULL); /* workers come and go */
	json_array_foreach(json_object_get(payload, "roles"), i, row)
	{
		const char *name = json_text(row, "name", "");
		if (strcmp(name, "sensor") == 0 && d->sensor_state != NULL)
			json_object_set(row, "work", d->sensor_state);
		if (strcmp(name, "supervisor") == 0)
			json_object_set(row, "listening", json_object_get(payload, "listening"));
		desk_set_role_state(d->desk, name, row);
	}
}

static void on_tick(uv_timer_t *t)
{
	struct role_process *p = t->data;
	struct kh_diag diag;
	held(of(p), desk_tick(desk_of(p), kh_now_ns(), &diag), &diag);
	hand_out_mails(p);
}

static void peer_came(struct role_process *p, enum role peer, const json_t *payload)
{
	(void)payload;
	if (peer == ROLE_WORKER) worker_came(p);
}

static void peer_gone(struct role_process *p, enum role peer)
{
	if (peer == ROLE_COURIER) recover_mails(p);
	if (peer == ROLE_WORKER) end_job(p, NULL, kh_msg(M_DESK_WORKER_DIED));
}

static void stop(struct role_process *p)
{
	struct desk_role *d = of(p);
	uv_timer_stop(&d->tick);
	desk_free(d->desk);
	db_close(d->db);
	d->desk = NULL;
	role_exit(p);
}

static struct desk_settings settings_of(const struct settings *s)
{
	struct desk_settings d = desk_defaults;
	d.window_ns = s->findings.window;
	d.open_at = (enum desk_level)s->incidents.open_at;
	d.reminder_ns = s->incidents.reminder;
	d.reminders_max = (int64_t)s->incidents.reminders;
	d.mail_expiry_ns = s->mail.expire;
	d.store_max_bytes = s->store.max_size;
	return d;
}

static enum kh_err start(struct role_process *p, struct kh_diag *diag)
{
	static struct desk_settings settings;
	static struct desk_ports ports;
	struct desk_role *d = calloc(1, sizeof *d);
	char path[4096];
	if (d == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	p->state = d;
	d->p = p;
	d->last_job = &d->jobs;
	settings = settings_of(p->settings);
	ports = (struct desk_ports){p, run_job, on_rules_changed, on_outbox_changed};
	snprintf(path, sizeof path, "%s/khien.db", role_path(p, "store"));
	const struct db_options options = {.max_bytes = p->settings->store.max_size};
	KH_TRY(db_open(path, &options, &d->db, diag));
	KH_TRY(db_migrate(d->db, kh_now_ns(), diag));
	KH_TRY(desk_new(d->db, &settings, &ports, &d->desk, diag));
	KH_TRY(outbox_recover(d->desk, kh_now_ns(), diag));
	for (size_t i = 0; i < p->n_listeners; i++)
		if (strcmp(p->listeners[i].purpose, "control") == 0) control_start(p, p->listeners[i].fd);
	uv_timer_init(&p->loop, &d->tick);
	d->tick.data = p;
	return uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS) == 0 ? KH_OK : KH_ESYS;
}

static const channel_table from_sensor = {
	[FRAME_SENSOR_HELLO] = on_hello,
	[FRAME_BATCH] = on_batch,
	[FRAME_SENSOR_STATE] = on_sensor_state,
};
static const channel_table from_courier = {
	[FRAME_COURIER_HELLO] = on_courier_hello,
	[FRAME_MAIL_COMMITTING] = on_committing,
	[FRAME_MAIL_DONE] = on_mail_done,
};
static const channel_table from_worker = {[FRAME_JOB_DONE] = on_job_done};
static const channel_table from_web = {[FRAME_CALL] = on_call};

const struct role_ops desk_ops = {
	.start = start,
	.peer_came = peer_came,
	.peer_gone = peer_gone,
	.stop = stop,
	.roles = on_roles,
	.from_peer = {[ROLE_SENSOR] = &from_sensor,
				  [ROLE_COURIER] = &from_courier,
				  [ROLE_WORKER] = &from_worker,
				  [ROLE_WEB] = &from_web},
};
