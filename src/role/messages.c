/* SPDX-License-Identifier: Apache-2.0 */
#include "role/messages.h"

#include <string.h>

enum { FD_NONE, FD_REQUIRED };

const char *const role_names[N_ROLES + 1] = {"supervisor", "sensor", "desk", "web",
											 "courier",    "worker", "any"};

const struct message_row message_rows[N_FRAMES] = {
#define MESSAGE(id, name, from, to, max, fd, what)                                                           \
	[FRAME_##id] = {name, ROLE_##from, ROLE_##to, (size_t)(max), FD_##fd == FD_REQUIRED, what},
#include "role/messages.def"
#undef MESSAGE
};

static bool fits(enum role allowed, enum role actual)
{
	return allowed == actual || (allowed == ROLE_ANY && actual != ROLE_SUPERVISOR);
}

bool message_allowed(enum message id, enum role from, enum role to, size_t len)
{
	if ((int)id < 0 || id >= N_FRAMES) return false;
	const struct message_row *row = &message_rows[id];
	return fits(row->from, from) && fits(row->to, to) && len <= row->max_len;
}

bool role_of(const char *name, enum role *out)
{
	for (int r = 0; r < N_ROLES; r++) {
		if (strcmp(role_names[r], name) != 0) continue;
		*out = (enum role)r;
		return true;
	}
	return false;
}

void messages_document(FILE *to)
{
	fprintf(to, "# Messages between roles\n\n"
				"Written by `khien document messages` from `src/role/messages.def`; a test compares them.\n\n"
				"A frame is one packet on a socketpair: an 8-byte header (length, message, flags) and a JSON "
				"object. A payload\n"
				"above 64 KiB travels as a sealed memory file beside the header. The receiver refuses a "
				"frame whose sender,\n"
				"receiver, size or descriptor is not its row's, and drops the channel.\n\n"
				"| message | from | to | most bytes | descriptor | what it says |\n"
				"| --- | --- | --- | ---: | --- | --- |\n");
	for (int m = 0; m < N_FRAMES; m++) {
		const struct message_row *row = &message_rows[m];
		fprintf(to, "| `%s` | %s | %s | %zu | %s | %s |\n", row->name, role_names[row->from],
				role_names[row->to], row->max_len, row->with_fd ? "yes" : "", row->what);
	}
}
