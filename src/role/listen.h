/* SPDX-License-Identifier: Apache-2.0
 * listen.h - the sockets that the supervisor opens for the roles, from the settings. They stay open over
 * restarts of the roles, so that senders wait in the kernel instead of being refused. */
#ifndef KH_ROLE_LISTEN_H
#define KH_ROLE_LISTEN_H
#include "role/process.h"

struct listen_set {
	struct {
		enum role role;
		struct role_listener l;
	} at[ROLE_MAX_LISTENERS];
	size_t n;
};

KH_MUST_USE enum kh_err listen_open(const struct settings *s, gid_t group, struct listen_set *out,
									struct kh_diag *diag);
void listen_close(struct listen_set *set);
const char *listen_address(const struct listen_set *set, const char *purpose); /* the first one's, or NULL */
void listen_control_path(const struct settings *s, char *out, size_t cap);
#endif
