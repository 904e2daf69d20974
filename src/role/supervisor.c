/* SPDX-License-Identifier: Apache-2.0 */
#include "role/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "role/follow.h"
#include "role/listen.h"
#include "role/notify.h"
#include "role/process.h"
#include "role/secrets.h"
#include "role/trim.h"

enum { MAX_WORKERS = 2, PING_MS = 2000, LOOK_MS = 500, TICK_MS = 100 };
#define START_TIMEOUT (120 * KH_SECOND) /* a cold sensor compiles thousands of rules */
#define ALIVE_TIMEOUT (60 * KH_SECOND)
#define STOP_TIMEOUT  (10 * KH_SECOND)
#define BACKOFF_LEAST (KH_SECOND / 10)
#define BACKOFF_MOST  (30 * KH_SECOND)

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_UP };
static const char *const child_states[] = {"down", "starting", "up"};

struct supervisor;

struct child {
	struct supervisor *sup;
	enum role role;
	enum child_state state;
	uv_process_t process;
	struct channel *control;
	bool has_process, asked_to_stop;
	int64_t started, heard, backoff, restart_at;
	uint64_t restarts;
	char job[64]; /* workers: the one job */
};

struct supervisor {
	uv_loop_t loop;
	struct settings *settings;
	const char *config_path;
	char exe[4096], state[4096], store[4096];
	struct kh_buf yaml;
	struct sandbox_identity identity;
	struct secrets secrets;
	struct listen_set listeners;
	struct follow *follow;
	struct child children[N_ROLES + MAX_WORKERS];
	uv_timer_t tick;
	uv_signal_t on_term, on_int, on_hup;
	int lock_fd;
	bool stopping, said_ready, rolling;
	int64_t started;
	enum role rolling_role;
	int64_t stop_since, pinged, looked, watchdog_said;
	int exit_code;
};

static const enum role start_order[] = {ROLE_DESK, ROLE_SENSOR, ROLE_COURIER, ROLE_WEB};
enum { N_STARTED = sizeof start_order / sizeof *start_order };

static bool is_worker(const struct child *c)
{
	return c - c->sup->children >= N_ROLES;
}

/* ---- handing over ---- */

static json_t *secrets_of(const struct supervisor *s, enum role role)
{
	json_t *j = json_object();
	if (role == ROLE_WEB && s->secrets.certificate != NULL) {
		json_object_set_new(j, "certificate", json_string(s->secrets.certificate));
		json_object_set_new(j, "key", json_string(s->secrets.key));
	}
	if (role == ROLE_COURIER && s->secrets.mail_password != NULL)
		json_object_set_new(j, "mail_password", json_string(s->secrets.mail_password));
	return j;
}

static void send_start(struct supervisor *s, struct child *c)
{
	const struct sandbox_identity *who = &s->identity;
	json_t *start =
		json_pack("{s:s, s:{s:I, s:I, s:b}, s:{s:s}, s:o}", "yaml", s->yaml.bytes, "identity", "uid",
				  (json_int_t)who->uid, "gid", (json_int_t)who->gid, "change", (int)who->change, "paths",
				  "store", s->store, "secrets", secrets_of(s, c->role));
	channel_send(c->control, FRAME_START, start, -1);
}

static void send_listeners(struct supervisor *s, struct child *c)
{
	for (size_t i = 0; i < s->listeners.n; i++) {
		if (s->listeners.at[i].role != c->role) continue;
		const struct role_listener *l = &s->listeners.at[i].l;
		int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
		if (fd >= 0)
			channel_send(c->control, FRAME_LISTEN,
						 json_pack("{s:s, s:s}", "purpose", l->purpose, "address", l->address), fd);
	}
}

static void send_opened(struct supervisor *s, const char *input, const char *path, dev_t dev, ino_t ino,
						bool rotated, int fd)
{
	json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:b}", "input", input, "path", path, "dev", (json_int_t)dev,
						  "ino", (json_int_t)ino, "rotated", (int)rotated);
	channel_send(s->children[ROLE_SENSOR].control, FRAME_FILE, j, fd);
}

static void send_file(void *ctx, const struct settings_input *input, const char *path, dev_t dev, ino_t ino,
					  int fd)
{
	send_opened(ctx, input->name, path, dev, ino, false, fd);
}

static void send_rotated(void *ctx, const struct settings_input *input, const char *path, dev_t dev,
						 ino_t ino, int fd)
{
	send_opened(ctx, input->name, path, dev, ino, true, fd);
}

/* A channel between two roles: each gets one end. */
static void link_roles(struct child *a, struct child *b, const char *job)
{
	int ends[2];
	if (a->control == NULL || b->control == NULL || channel_pair(ends) != 0) return;
	json_t *to_a = json_pack("{s:s}", "role", role_names[b->role]),
		   *to_b = json_pack("{s:s}", "role", role_names[a->role]);
	if (job != NULL) json_object_set_new(to_a, "job", json_string(job));
	channel_send(a->control, FRAME_PEER, to_a, ends[0]);
	channel_send(b->control, FRAME_PEER, to_b, ends[1]);
}

static void link_child(struct supervisor *s, struct child *c)
{
	if (c->role != ROLE_DESK) {
		link_roles(&s->children[ROLE_DESK], c, is_worker(c) ? c->job : NULL);
		return;
	}
	for (int r = 0; r < N_ROLES; r++)
		if (r != ROLE_DESK && r != ROLE_WORKER && s->children[r].control != NULL)
			link_roles(c, &s->children[r], NULL);
}

/* ---- starting and ending ---- */

static const channel_table from_roles;
static void say_ready(struct supervisor *s);
static void tell_desk(struct supervisor *s, int64_t now);

static void on_control_closed(void *ctx, struct channel *ch)
{
	struct child *c = ctx;
	channel_free(ch);
	if (c->control == ch) c->control = NULL;
	if (c->has_process) uv_process_kill(&c->process, SIGKILL); /* it exited, or it broke the rules */
}

static void on_process_closed(uv_handle_t *h)
{
	struct child *c = h->data;
	c->has_process = false;
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal_number)
{
	struct child *c = process->data;
	struct supervisor *s = c->sup;
	bool expected = s->stopping || c->asked_to_stop || is_worker(c);
	kh_log(expected ? KH_LOG_INFO : KH_LOG_WARNING, "event=role_ended role_name=%s status=%lld signal=%d",
		   role_names[c->role], (long long)status, signal_number);
	channel_free(c->control);
	c->control = NULL;
	c->state = CHILD_DOWN;
	int64_t now = kh_mono_ns();
	if (c->asked_to_stop || now - c->started > KH_MINUTE) c->backoff = 0;
	c->restart_at = now + c->backoff;
	c->backoff = c->backoff == 0 ? BACKOFF_LEAST : c->backoff * 2;
	if (c->backoff > BACKOFF_MOST) c->backoff = BACKOFF_MOST;
	c->asked_to_stop = false;
	uv_close((uv_handle_t *)process, on_process_closed);
	if (!s->stopping) tell_desk(s, now);
}

static bool spawn(struct supervisor *s, struct child *c, int control_end)
{
	char role[16];
	snprintf(role, sizeof role, "%s", role_names[c->role]);
	char *argv[] = {s->exe, (char[]){"role"}, role, NULL};
	uv_stdio_container_t io[4] = {{.flags = UV_IGNORE},
								  {.flags = UV_IGNORE},
								  {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
								  {.flags = UV_INHERIT_FD, .data.fd = control_end}};
	uv_process_options_t o = {
		.file = s->exe, .args = argv, .exit_cb = on_exit_of, .stdio_count = 4, .stdio = io};
	int rc = uv_spawn(&s->loop, &c->process, &o);
	c->process.data = c;
	if (rc == 0) return true;
	kh_log(KH_LOG_ERROR, "event=spawn_failed role_name=%s error=%s", role_names[c->role], uv_err_name(rc));
	uv_close((uv_handle_t *)&c->process, on_process_closed);
	return false;
}

static void start_child(struct supervisor *s, struct child *c)
{
	int ends[2];
	if (channel_pair(ends) != 0) return;
	c->has_process = true;
	c->started = c->heard = kh_mono_ns();
	bool ok = spawn(s, c, ends[1]);
	close(ends[1]);
	if (!ok) {
		close(ends[0]);
		c->restart_at = kh_mono_ns() + BACKOFF_MOST;
		return;
	}
	c->state = CHILD_STARTING;
	c->control = channel_new(&s->loop, ends[0], ROLE_SUPERVISOR, c->role, &from_roles, on_control_closed, c);
	if (c->control == NULL) abort();
	send_start(s, c);
	send_listeners(s, c);
	link_child(s, c);
	channel_send(c->control, FRAME_GO, json_object(), -1);
	if (c->role != ROLE_SENSOR) return;
	follow_forget(s->follow);
	follow_look(s->follow, send_file, s);
}

static void restart_what_is_due(struct supervisor *s, int64_t now)
{
	for (int i = 0; i < N_STARTED; i++) {
		struct child *c = &s->children[start_order[i]];
		if (c->state != CHILD_DOWN || c->has_process || c->restart_at > now) continue;
		if (c->started != 0) c->restarts++;
		start_child(s, c);
	}
}

static void kill_what_hangs(struct supervisor *s, int64_t now)
{
	for (size_t i = 0; i < N_ROLES + MAX_WORKERS; i++) {
		struct child *c = &s->children[i];
		int64_t silence = c->state == CHILD_UP ? ALIVE_TIMEOUT : START_TIMEOUT;
		if (c->state == CHILD_DOWN || now - c->heard < silence) continue;
		kh_log(KH_LOG_ERROR, "event=role_hangs role_name=%s", role_names[c->role]);
		if (c->has_process) uv_process_kill(&c->process, SIGKILL);
		c->heard = now;
	}
}

/* ---- what the roles say ---- */

static void on_ready(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)payload;
	(void)fd;
	struct child *c = ctx;
	c->state = CHILD_UP;
	c->heard = kh_mono_ns();
	tell_desk(c->sup, c->heard); /* a fresh desk knows of nobody */
	say_ready(c->sup);
}

static void on_pong(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)payload;
	(void)fd;
	((struct child *)ctx)->heard = kh_mono_ns();
}

static void on_file_wanted(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	struct supervisor *s = ((struct child *)ctx)->sup;
	follow_rotated(s->follow, json_text(payload, "input", ""), (dev_t)json_int(payload, "dev", 0),
				   (ino_t)json_int(payload, "ino", 0), send_rotated, s);
}

static void on_worker_wanted(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	struct supervisor *s = ((struct child *)ctx)->sup;
	for (int i = 0; i < MAX_WORKERS; i++) {
		struct child *w = &s->children[N_ROLES + i];
		if (w->has_process || w->state != CHILD_DOWN) continue;
		snprintf(w->job, sizeof w->job, "%s", json_text(payload, "job", ""));
		start_child(s, w);
		return;
	}
	kh_log(KH_LOG_WARNING, "event=no_free_worker limit=%d", (int)MAX_WORKERS);
}

static const channel_table from_roles = {
	[FRAME_READY] = on_ready,
	[FRAME_PONG] = on_pong,
	[FRAME_FILE_WANTED] = on_file_wanted,
	[FRAME_WORKER_WANTED] = on_worker_wanted,
};

/* ---- looking after all ---- */

static bool all_up(const struct supervisor *s)
{
	for (int i = 0; i < N_STARTED; i++)
		if (s->children[start_order[i]].state != CHILD_UP) return false;
	return true;
}

static void say_ready(struct supervisor *s)
{
	if (s->said_ready || !all_up(s)) return;
	s->said_ready = true;
	const char *address = listen_address(&s->listeners, "web");
	kh_print(stderr, M_SERVE_READY, s->settings->web.tls ? "https" : "http", address, NULL);
	notify_say("READY=1\nSTATUS=ready");
	role_trim();
}

/* Resident memory in bytes, now and at its highest, from /proc/PID/status. */
static void memory_of(pid_t pid, uint64_t *now, uint64_t *peak)
{
	char path[64], line[256];
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		uint64_t *to = strncmp(line, "VmRSS:", 6) == 0 ? now : strncmp(line, "VmHWM:", 6) == 0 ? peak : NULL;
		struct kh_slice v = kh_slice_trim(kh_slice_from(kh_str(line), 6)), digits;
		if (to != NULL && kh_slice_cut(&v, ' ', &digits) &&
			kh_slice_u64(digits, UINT64_MAX / 1024, to) == KH_OK)
			*to *= 1024;
	}
	if (f != NULL) fclose(f);
}

static json_t *row_of_process(const char *name, pid_t pid, const char *state, uint64_t restarts,
							  int64_t since_ns)
{
	uint64_t now = 0, peak = 0;
	if (pid > 0) memory_of(pid, &now, &peak);
	return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:I}", "name", name, "pid", (int)pid, "state", state,
					 "restarts", (json_int_t)restarts, "memory", (json_int_t)now, "memory_peak",
					 (json_int_t)peak, "up_ns", (json_int_t)since_ns);
}

static void tell_desk(struct supervisor *s, int64_t now)
{
	struct child *desk = &s->children[ROLE_DESK];
	if (desk->state != CHILD_UP) return;
	json_t *rows = json_array();
	json_array_append_new(rows, row_of_process("supervisor", getpid(), "up", 0, now - s->started));
	for (size_t i = 0; i < N_ROLES + MAX_WORKERS; i++) {
		const struct child *c = &s->children[i];
		if (i == ROLE_SUPERVISOR || i == ROLE_WORKER || (is_worker(c) && c->state == CHILD_DOWN)) continue;
		json_array_append_new(rows, row_of_process(role_names[c->role], c->has_process ? c->process.pid : 0,
												   child_states[c->state], c->restarts, now - c->started));
	}
	json_t *listening = json_array();
	for (size_t i = 0; i < s->listeners.n; i++) {
		const struct role_listener *l = &s->listeners.at[i].l;
		json_array_append_new(listening,
							  json_pack("{s:s, s:s}", "purpose", l->purpose, "address", l->address));
	}
	channel_send(desk->control, FRAME_ROLES, json_pack("{s:o, s:o}", "roles", rows, "listening", listening),
				 -1);
}

static void ping_all(struct supervisor *s)
{
	for (size_t i = 0; i < N_ROLES + MAX_WORKERS; i++)
		if (s->children[i].state == CHILD_UP)
			channel_send(s->children[i].control, FRAME_PING, json_object(), -1);
}

static void ask_to_stop(struct child *c)
{
	if (c->control == NULL || c->asked_to_stop) return;
	c->asked_to_stop = true;
	channel_send(c->control, FRAME_STOP, json_object(), -1);
}

static bool any_left(const struct supervisor *s, bool desk)
{
	for (size_t i = 0; i < N_ROLES + MAX_WORKERS; i++)
		if ((i == ROLE_DESK) == desk && s->children[i].has_process) return true;
	return false;
}

/* First those who bring work to the desk, then the desk; what does not go in time is killed. */
static void stop_in_order(struct supervisor *s, int64_t now)
{
	bool others = any_left(s, false), late = now - s->stop_since > STOP_TIMEOUT;
	for (size_t i = 0; i < N_ROLES + MAX_WORKERS; i++) {
		struct child *c = &s->children[i];
		if (!c->has_process || (i == ROLE_DESK && others && !late)) continue;
		ask_to_stop(c);
		if (now - s->stop_since > 2 * STOP_TIMEOUT || (late && i != ROLE_DESK))
			uv_process_kill(&c->process, SIGKILL);
	}
	if (!others && !any_left(s, true)) uv_stop(&s->loop);
}

/* SIGHUP: one role after the other takes the new settings by starting anew. */
static void roll(struct supervisor *s)
{
	static const enum role order[] = {ROLE_WEB, ROLE_COURIER, ROLE_SENSOR, ROLE_DESK};
	if (!s->rolling || !all_up(s)) return;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		if (order[i] != s->rolling_role) continue;
		ask_to_stop(&s->children[order[i]]);
		s->children[order[i]].state = CHILD_STARTING; /* not up until it said so again */
		s->rolling = order[i] != ROLE_DESK;
		if (s->rolling) s->rolling_role = order[i + 1];
		return;
	}
}

static void on_tick(uv_timer_t *t)
{
	struct supervisor *s = t->data;
	int64_t now = kh_mono_ns();
	if (s->stopping) {
		stop_in_order(s, now);
		return;
	}
	restart_what_is_due(s, now);
	roll(s);
	if (s->children[ROLE_SENSOR].control != NULL && now - s->looked >= LOOK_MS * (KH_SECOND / 1000)) {
		s->looked = now;
		follow_look(s->follow, send_file, s);
	}
	if (now - s->pinged >= PING_MS * (KH_SECOND / 1000)) {
		s->pinged = now;
		ping_all(s);
		kill_what_hangs(s, now);
		tell_desk(s, now);
	}
	uint64_t watchdog = notify_watchdog_ms();
	if (watchdog > 0 && now - s->watchdog_said >= (int64_t)watchdog * (KH_SECOND / 1000)) {
		s->watchdog_said = now;
		notify_say("WATCHDOG=1");
	}
}

static void on_stop_signal(uv_signal_t *h, int number)
{
	(void)number;
	struct supervisor *s = h->data;
	if (s->stopping) return;
	s->stopping = true;
	s->stop_since = kh_mono_ns();
	kh_print(stderr, M_SERVE_STOPPING, NULL);
	notify_say("STOPPING=1");
	stop_in_order(s, s->stop_since);
}

static void yaml_of(struct supervisor *s)
{
	kh_buf_clear(&s->yaml);
	config_write(settings_rows, s->settings, false, &s->yaml);
}

/* All or nothing: what is running stays when any part of the new cannot be had. The state folder is locked
 * and in use, so it stays whatever the file says now. */
static enum kh_err reload(struct supervisor *s, struct kh_diag *diag)
{
	struct settings *fresh = NULL;
	struct secrets secrets = {0};
	KH_TRY(settings_load(s->config_path, &fresh, diag));
	fresh->state = s->state;
	struct follow *follow = follow_new(fresh);
	enum kh_err err =
		follow != NULL ? secrets_load(fresh, &secrets, diag) : kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err != KH_OK) {
		follow_free(follow);
		settings_free(fresh);
		return err;
	}
	follow_free(s->follow);
	settings_free(s->settings);
	secrets_free(&s->secrets);
	s->follow = follow;
	s->settings = fresh;
	s->secrets = secrets;
	yaml_of(s);
	return KH_OK;
}

static void on_reload_signal(uv_signal_t *h, int number)
{
	(void)number;
	struct supervisor *s = h->data;
	struct kh_diag diag;
	if (s->stopping) return;
	if (reload(s, &diag) != KH_OK) {
		kh_log(KH_LOG_ERROR, "event=reload_refused reason=\"%s\"", diag.text);
		return;
	}
	s->rolling = true;
	s->rolling_role = ROLE_WEB;
	kh_log(KH_LOG_NOTICE, "event=reload path=%s", s->config_path != NULL ? s->config_path : "-");
}

/* ---- getting ready ---- */

static void find_identity(struct supervisor *s)
{
	s->identity = (struct sandbox_identity){.uid = geteuid(), .gid = getegid()};
	if (geteuid() != 0) return;
	const struct passwd *pw = getpwnam(s->settings->user);
	if (pw == NULL) {
		kh_log(KH_LOG_WARNING, "event=no_such_user user=%s instead=nobody", s->settings->user);
		pw = getpwnam("nobody");
	}
	s->identity = (struct sandbox_identity){65534, 65534, true};
	if (pw == NULL || pw->pw_uid == 0) return;
	s->identity.uid = pw->pw_uid;
	s->identity.gid = pw->pw_gid;
}

static enum kh_err folder(const char *path, mode_t mode, uid_t uid, gid_t gid, struct kh_diag *diag)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST) return kh_say_errno(diag, M_FILE_WRITE, path, NULL);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && (geteuid() != 0 || fchown(fd, uid, gid) == 0) && fchmod(fd, mode) == 0;
	enum kh_err err = ok ? KH_OK : kh_say_errno(diag, M_FILE_WRITE, path, NULL);
	if (fd >= 0) close(fd);
	return err;
}

/* Two desks on one state folder would both be "the one writer". */
static enum kh_err lock_state(struct supervisor *s, struct kh_diag *diag)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/lock", s->settings->state);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0) return kh_say_errno(diag, M_FILE_WRITE, path, NULL);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) return KH_OK;
	return kh_say(diag, KH_ESYS, M_SERVE_LOCKED, s->settings->state, NULL);
}

static enum kh_err get_ready(struct supervisor *s, struct kh_diag *diag)
{
	size_t n = sizeof s->exe;
	if (uv_exepath(s->exe, &n) != 0) return kh_say_errno(diag, M_FILE_OPEN, "/proc/self/exe", NULL);
	find_identity(s);
	const struct sandbox_identity *who = &s->identity;
	KH_TRY(folder(s->settings->state, 0750, 0, who->gid, diag));
	KH_TRY(lock_state(s, diag));
	snprintf(s->store, sizeof s->store, "%s/store", s->settings->state);
	KH_TRY(folder(s->store, 0700, who->uid, who->gid, diag));
	KH_TRY(secrets_load(s->settings, &s->secrets, diag));
	s->follow = follow_new(s->settings);
	if (s->follow == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	s->yaml = KH_BUF(4 << 20);
	yaml_of(s);
	return listen_open(s->settings, who->gid, &s->listeners, diag);
}

static void watch_signals(struct supervisor *s)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	uv_signal_t *handles[] = {&s->on_term, &s->on_int, &s->on_hup};
	for (int i = 0; i < 3; i++) {
		uv_signal_init(&s->loop, handles[i]);
		handles[i]->data = s;
		uv_signal_start(handles[i], numbers[i] == SIGHUP ? on_reload_signal : on_stop_signal, numbers[i]);
	}
}

static void run(struct supervisor *s)
{
	for (size_t i = 0; i < N_ROLES + MAX_WORKERS; i++) {
		s->children[i].sup = s;
		s->children[i].role = i < N_ROLES ? (enum role)i : ROLE_WORKER;
	}
	watch_signals(s);
	uv_timer_init(&s->loop, &s->tick);
	s->tick.data = s;
	uv_timer_start(&s->tick, on_tick, 0, TICK_MS);
	uv_run(&s->loop, UV_RUN_DEFAULT);
}

int supervisor_run(struct settings *settings, const char *config_path)
{
	struct supervisor *s = calloc(1, sizeof *s);
	struct kh_diag diag = {0};
	if (s == NULL) return EX_OSERR;
	s->settings = settings;
	snprintf(s->state, sizeof s->state, "%s", settings->state);
	s->config_path = config_path;
	s->lock_fd = -1;
	s->started = kh_mono_ns();
	signal(SIGPIPE, SIG_IGN);
	kh_log_start("supervisor", (enum kh_level)(KH_LOG_ERROR + settings->log_level));
	notify_start();
	if (uv_loop_init(&s->loop) != 0) return EX_OSERR;
	if (get_ready(s, &diag) == KH_OK) {
		run(s);
	} else {
		fprintf(stderr, "khien: %s\n", diag.text);
		s->exit_code = EX_UNAVAILABLE;
	}
	char path[4096];
	listen_control_path(s->settings, path, sizeof path);
	if (s->listeners.n > 0) unlink(path);
	listen_close(&s->listeners);
	follow_free(s->follow);
	kh_buf_free(&s->yaml);
	secrets_free(&s->secrets);
	settings_free(s->settings);
	if (s->lock_fd >= 0) close(s->lock_fd);
	int code = s->exit_code;
	free(s);
	return code;
}
