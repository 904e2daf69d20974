/* SPDX-License-Identifier: Apache-2.0
 * serve.c - the desk itself and its roles. */
#include <sysexits.h>

#include "cli/cli.h"
#include "role/process.h"
#include "role/supervisor.h"

int cli_serve(struct cli *c)
{
	const char *path;
	struct settings *s = cli_settings(c, &path);
	if (s == NULL) return EX_CONFIG;
	kh_lang_set((enum kh_lang)s->language);
	return supervisor_run(s, path);
}

/* Only the supervisor starts a role: descriptor 3 must be its channel. */
int cli_role(struct cli *c)
{
	enum role role;
	if (!role_of(c->operands[0], &role) || role == ROLE_SUPERVISOR) return EX_USAGE;
	return role_main(role);
}
