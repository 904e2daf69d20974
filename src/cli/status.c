/* SPDX-License-Identifier: Apache-2.0
 * status.c - `khien status`: what runs, what comes in, what waits, in one screen. */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

int cli_status(struct cli *c)
{
	struct cli_answer a;
	int code = cli_request(c, "GET", "/api/v1/status", NULL, (struct kh_slice){0}, &a);
	if (code != EX_OK) return code;
	json_t *j = a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
	if (j == NULL)
		code = cli_problem(&a);
	else if (c->json)
		cli_print_json(j);
	else
		cli_print_object(j);
	json_decref(j);
	cli_answer_free(&a);
	return code;
}
