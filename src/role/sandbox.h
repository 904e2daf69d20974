/* SPDX-License-Identifier: Apache-2.0
 * sandbox.h - what each role may do to the machine, from one table (sandbox.c): unprivileged user,
 * no_new_privs, Landlock rules (file system, TCP, abstract sockets and signals as far as the running kernel
 * knows them: ABI 1-6), a list of allowed system calls (seccomp; all others fail with EPERM), resource
 * limits. sandbox_enter cannot be undone. It must run before the role reads the first byte that others wrote.
 * Sources: landlock(7), seccomp(2), prctl(2). */
#ifndef KH_ROLE_SANDBOX_H
#define KH_ROLE_SANDBOX_H
#include <stdio.h>
#include <sys/types.h>

#include "base/err.h"
#include "role/messages.h"

enum sandbox_place { PLACE_STORE, PLACE_RULES, PLACE_RESOLVER, PLACE_CERTIFICATES, N_PLACES };

/* The folders and files that a place stands for on this machine; each list ends with NULL, a NULL list is
 * empty. */
struct sandbox_places {
	const char *const *paths[N_PLACES];
};

struct sandbox_identity {
	uid_t uid;
	gid_t gid;
	bool change; /* started as root: become uid and gid */
};

struct sandbox_report {
	int landlock_abi; /* 0: the kernel has none; the other walls still stand */
	bool user_changed;
};

/* KH_ESYS with the step that failed in the diag: the role must exit then. */
KH_MUST_USE enum kh_err sandbox_enter(enum role role, const struct sandbox_places *places,
									  const struct sandbox_identity *who, struct sandbox_report *report,
									  struct kh_diag *diag);

struct sandbox_probe {
	const char *name;
	bool allowed;  /* it went through */
	bool intended; /* the table says that this role may */
	int err;       /* errno of the refusal */
};
enum { SANDBOX_MAX_PROBES = 32 };

/* Tries, inside the sandbox that was entered, what attackers try. `store` is a file of the store, `port` a
 * TCP port of 127.0.0.1 that somebody listens on. Returns the number of rows written. */
size_t sandbox_probe(enum role role, const char *store, int port, struct sandbox_probe *out);
#endif
