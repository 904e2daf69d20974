/* SPDX-License-Identifier: Apache-2.0
 * process.h - what every role process does the same way: takes its settings, sockets and channels from the
 * supervisor on descriptor 3, enters its sandbox at "go", answers pings, stops in order, and exits when the
 * supervisor is gone. A role is a row of callbacks (struct role_ops); it holds wiring, no logic. Threads: one
 * loop, one thread. */
#ifndef KH_ROLE_PROCESS_H
#define KH_ROLE_PROCESS_H
#include <jansson.h>
#include <uv.h>

#include "role/channel.h"
#include "role/sandbox.h"
#include "role/settings.h"

enum { ROLE_CONTROL_FD = 3, ROLE_MAX_LISTENERS = 64 };

struct role_listener {
	char purpose[32]; /* "web", "syslog.udp", "syslog.tcp", "control" */
	char address[96];
	int fd;
};

struct role_process {
	enum role role;
	const struct role_ops *ops;
	uv_loop_t loop;
	struct channel *control;
	struct channel *peers[N_ROLES]; /* NULL while the peer is away */
	int early[N_ROLES]; /* ends of channels that came before "go": opened once we can answer; -1: none */
	struct settings *settings;
	json_t *start; /* the whole start frame: secrets, paths */
	struct role_listener listeners[ROLE_MAX_LISTENERS];
	size_t n_listeners;
	bool running, stopping;
	void *state; /* the role's own */
};

struct role_ops {
	/* Before the sandbox: initialise libraries that read files; nothing hostile has been read yet. May be
	 * NULL. */
	enum kh_err (*prepare)(struct role_process *p, struct kh_diag *diag);
	/* Inside the sandbox. peer_came follows for each channel that was handed over before. */
	enum kh_err (*start)(struct role_process *p, struct kh_diag *diag);
	/* A channel to a peer was opened anew; `payload` is the frame that brought it. May be NULL. */
	void (*peer_came)(struct role_process *p, enum role peer, const json_t *payload);
	void (*peer_gone)(struct role_process *p, enum role peer); /* may be NULL */
	/* Finish what was acknowledged, then call role_exit. NULL: exit at once. */
	void (*stop)(struct role_process *p);
	/* A followed file from the supervisor; owns fd. NULL: not for this role. */
	void (*file)(struct role_process *p, const json_t *payload, int fd);
	/* "roles" from the supervisor. NULL: not for this role. */
	void (*roles)(struct role_process *p, const json_t *payload);
	const channel_table *from_peer[N_ROLES]; /* handlers by peer; their ctx is the role_process */
};

extern const struct role_ops sensor_ops, desk_ops, web_ops, courier_ops, worker_ops;

int role_main(enum role role);          /* the process's main; returns its exit code */
void role_exit(struct role_process *p); /* ends the loop; role_main returns 0 */
void role_fail(struct role_process *p, const struct kh_diag *diag); /* says why and ends with an error */
const char *role_path(const struct role_process *p,
					  const char *name); /* of the start frame's "paths", or NULL */
const char *role_secret(const struct role_process *p, const char *name);

/* JSON reading with defaults; texts borrowed from the document. */
const char *json_text(const json_t *object, const char *key, const char *otherwise);
int64_t json_int(const json_t *object, const char *key, int64_t otherwise);
#endif
