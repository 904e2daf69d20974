/* SPDX-License-Identifier: Apache-2.0 */
#include "role/process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "role/trim.h"

static const struct role_ops *const ops_of[N_ROLES] = {
	[ROLE_SENSOR] = &sensor_ops,   [ROLE_DESK] = &desk_ops,     [ROLE_WEB] = &web_ops,
	[ROLE_COURIER] = &courier_ops, [ROLE_WORKER] = &worker_ops,
};

const char *json_text(const json_t *object, const char *key, const char *otherwise)
{
	const json_t *v = json_object_get(object, key);
	return json_is_string(v) ? json_string_value(v) : otherwise;
}

int64_t json_int(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(object, key);
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

const char *role_path(const struct role_process *p, const char *name)
{
	return json_text(json_object_get(p->start, "paths"), name, NULL);
}

const char *role_secret(const struct role_process *p, const char *name)
{
	return json_text(json_object_get(p->start, "secrets"), name, NULL);
}

void role_exit(struct role_process *p)
{
	for (int r = 0; r < N_ROLES; r++) channel_flush(p->peers[r], 500);
	channel_flush(p->control, 500);
	uv_stop(&p->loop);
}

void role_fail(struct role_process *p, const struct kh_diag *diag)
{
	kh_log(KH_LOG_ERROR, "event=role_failed reason=\"%s\"", diag->text);
	exit(p->running ? EX_SOFTWARE : EX_OSERR);
}

/* ---- frames of the supervisor ---- */

static void on_start(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)fd;
	struct role_process *p = ctx;
	struct kh_diag diag;
	const char *yaml = json_text(payload, "yaml", "");
	if (p->start != NULL) return;
	p->start = json_incref(payload);
	if (settings_read(kh_str(yaml), "khien.yaml", &p->settings, &diag) != KH_OK) role_fail(p, &diag);
	kh_lang_set((enum kh_lang)p->settings->language);
	kh_log_start(role_names[p->role], (enum kh_level)(KH_LOG_ERROR + p->settings->log_level));
}

static void on_listen(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	struct role_process *p = ctx;
	if (p->n_listeners == ROLE_MAX_LISTENERS) {
		close(fd);
		return;
	}
	struct role_listener *l = &p->listeners[p->n_listeners++];
	snprintf(l->purpose, sizeof l->purpose, "%s", json_text(payload, "purpose", ""));
	snprintf(l->address, sizeof l->address, "%s", json_text(payload, "address", ""));
	l->fd = fd;
}

static void on_peer_closed(void *ctx, struct channel *c)
{
	struct role_process *p = ctx;
	enum role peer = channel_peer(c);
	channel_free(c);
	if (p->peers[peer] != c) return; /* an older channel, already replaced */
	p->peers[peer] = NULL;
	if (p->running && p->ops->peer_gone != NULL) p->ops->peer_gone(p, peer);
}

static void open_peer(struct role_process *p, enum role peer, int fd, const json_t *payload)
{
	channel_free(p->peers[peer]);
	p->peers[peer] = channel_new(&p->loop, fd, p->role, peer, p->ops->from_peer[peer], on_peer_closed, p);
	if (p->peers[peer] == NULL) abort();
	if (p->ops->peer_came != NULL) p->ops->peer_came(p, peer, payload);
}

static void on_peer(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	struct role_process *p = ctx;
	enum role peer;
	if (!role_of(json_text(payload, "role", ""), &peer) || p->ops->from_peer[peer] == NULL) {
		close(fd);
		return;
	}
	if (p->running) {
		open_peer(p, peer, fd, payload);
		return;
	}
	if (p->early[peer] >= 0) close(p->early[peer]);
	p->early[peer] = fd;
}

static void on_file(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	struct role_process *p = ctx;
	if (p->ops->file != NULL)
		p->ops->file(p, payload, fd);
	else
		close(fd);
}

/* Which paths of this machine the sandbox's places stand for. */
static enum kh_err enter(struct role_process *p, struct sandbox_report *report, struct kh_diag *diag)
{
	static const char *const resolver[] = {
		"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf",
		"/etc/services",    NULL};
	const char *store[] = {role_path(p, "store"), NULL};
	const char *rules[65 + 1] = {NULL};
	size_t n = 0;
	for (size_t i = 0; i < p->settings->rules.paths.n && n < 64; i++)
		rules[n++] = p->settings->rules.paths.at[i];
	if (p->settings->rules.mapping_folder != NULL) rules[n++] = p->settings->rules.mapping_folder;
	const char *certificates[] = {"/etc/ssl/certs", "/usr/share/ca-certificates",
								  "/usr/local/share/ca-certificates", p->settings->mail.ca_file, NULL};
	const struct sandbox_places places = {{[PLACE_STORE] = store,
										   [PLACE_RULES] = rules,
										   [PLACE_RESOLVER] = resolver,
										   [PLACE_CERTIFICATES] = certificates}};
	const json_t *who = json_object_get(p->start, "identity");
	const struct sandbox_identity identity = {(uid_t)json_int(who, "uid", 65534),
											  (gid_t)json_int(who, "gid", 65534),
											  json_is_true(json_object_get(who, "change"))};
	return sandbox_enter(p->role, &places, &identity, report, diag);
}

static void on_go(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)payload;
	(void)fd;
	struct role_process *p = ctx;
	struct kh_diag diag = {0};
	struct sandbox_report report = {0};
	if (p->running || p->start == NULL) return;
	if (p->ops->prepare != NULL && p->ops->prepare(p, &diag) != KH_OK) role_fail(p, &diag);
	if (enter(p, &report, &diag) != KH_OK) role_fail(p, &diag);
	p->running = true;
	if (p->ops->start(p, &diag) != KH_OK) role_fail(p, &diag);
	kh_log(KH_LOG_INFO, "event=role_ready landlock_abi=%d user_changed=%d", report.landlock_abi,
		   (int)report.user_changed);
	channel_send(c, FRAME_READY, json_pack("{s:i}", "landlock_abi", report.landlock_abi), -1);
	for (int r = 0; r < N_ROLES; r++)
		if (p->early[r] >= 0) open_peer(p, (enum role)r, p->early[r], NULL);
	role_trim();
}

static void on_stop(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)payload;
	(void)fd;
	struct role_process *p = ctx;
	if (p->stopping) return;
	p->stopping = true;
	if (p->running && p->ops->stop != NULL)
		p->ops->stop(p);
	else
		role_exit(p);
}

static void on_ping(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)ctx;
	(void)payload;
	(void)fd;
	channel_send(c, FRAME_PONG, json_object(), -1);
}

static void on_roles(void *ctx, struct channel *c, json_t *payload, int fd)
{
	(void)c;
	(void)fd;
	struct role_process *p = ctx;
	if (p->running && p->ops->roles != NULL) p->ops->roles(p, payload);
}

static const channel_table from_supervisor = {
	[FRAME_START] = on_start, [FRAME_LISTEN] = on_listen, [FRAME_PEER] = on_peer, [FRAME_FILE] = on_file,
	[FRAME_GO] = on_go,       [FRAME_STOP] = on_stop,     [FRAME_PING] = on_ping, [FRAME_ROLES] = on_roles,
};

/* The supervisor is gone: nobody would restart or stop this role any more. */
static void on_supervisor_gone(void *ctx, struct channel *c)
{
	(void)ctx;
	(void)c;
	kh_log(KH_LOG_NOTICE, "event=supervisor_gone");
	_exit(EX_UNAVAILABLE);
}

int role_main(enum role role)
{
	struct role_process p = {.role = role, .ops = ops_of[role]};
	char name[16];
	for (int r = 0; r < N_ROLES; r++) p.early[r] = -1;
	snprintf(name, sizeof name, "khien-%s", role_names[role]);
	prctl(PR_SET_NAME, name);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group: the supervisor alone decides */
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	kh_log_start(role_names[role], KH_LOG_NOTICE);
	if (uv_loop_init(&p.loop) != 0) return EX_OSERR;
	p.control = channel_new(&p.loop, ROLE_CONTROL_FD, role, ROLE_SUPERVISOR, &from_supervisor,
							on_supervisor_gone, &p);
	if (p.control == NULL) return EX_USAGE;
	uv_run(&p.loop, UV_RUN_DEFAULT);
	json_decref(p.start);
	settings_free(p.settings);
	return EX_OK;
}
