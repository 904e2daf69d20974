/* SPDX-License-Identifier: Apache-2.0
 * messages.h - the roles, and the one table of the frames between them (messages.def). */
#ifndef KH_ROLE_MESSAGES_H
#define KH_ROLE_MESSAGES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum role {
	ROLE_SUPERVISOR,
	ROLE_SENSOR,
	ROLE_DESK,
	ROLE_WEB,
	ROLE_COURIER,
	ROLE_WORKER,
	N_ROLES,
	ROLE_ANY = N_ROLES
};

enum message {
#define MESSAGE(id, name, from, to, max, fd, what) FRAME_##id,
#include "role/messages.def"
#undef MESSAGE
	N_FRAMES
};

struct message_row {
	const char *name;
	enum role from, to; /* ROLE_ANY: every role but the supervisor */
	size_t max_len;     /* bytes of JSON */
	bool with_fd;       /* a descriptor comes with it, always */
	const char *what;
};

extern const struct message_row message_rows[N_FRAMES];
extern const char *const role_names[N_ROLES + 1];

/* May `from` send this to `to`, in this size? */
bool message_allowed(enum message id, enum role from, enum role to, size_t len);
bool role_of(const char *name, enum role *out);
void messages_document(FILE *to); /* docs/messages.md */
#endif
