/* SPDX-License-Identifier: Apache-2.0
 * control.h - the desk's control socket: the API for an operator on the machine, without tokens (the socket's
 * mode and SO_PEERCRED say who it is). One request a connection, in host order: request  struct
 * control_sizes, head JSON {"method", "path", "query", "lang", "user"}, body bytes answer   struct
 * control_sizes, head JSON {"status", "content_type"}, body bytes Limits: CONTROL_MAX_HEAD, the route's body
 * limit, CONTROL_MAX_CONNECTIONS at once, CONTROL_IDLE_MS without a byte. */
#ifndef KH_ROLE_CONTROL_H
#define KH_ROLE_CONTROL_H
#include <stdint.h>

enum { CONTROL_MAX_HEAD = 64 * 1024, CONTROL_MAX_CONNECTIONS = 64, CONTROL_IDLE_MS = 30000 };

struct control_sizes {
	uint32_t head, body;
};

struct role_process;
void control_start(struct role_process *p, int listening_fd);
#endif
