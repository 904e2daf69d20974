/* SPDX-License-Identifier: Apache-2.0
 * audit.c - `khien audit verify`: reads the store's file itself, so that it works on a copy and without the
 * desk. */
#include "desk/audit.h"

#include <stdlib.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "role/settings.h"
#include "store/db.h"

int cli_audit_verify(struct cli *c)
{
	char path[4096];
	const char *ignored, *store = cli_value(c, "store"), *state = getenv("KHIEN_STATE");
	struct kh_diag diag = {0};
	struct db *db = NULL;
	struct audit_report r = {0};
	if (store == NULL && state == NULL) {
		struct settings *s = cli_settings(c, &ignored);
		if (s == NULL) return EX_CONFIG;
		snprintf(path, sizeof path, "%s/store/khien.db", s->state);
		settings_free(s);
	} else {
		snprintf(path, sizeof path, "%s%s", store != NULL ? store : state,
				 store != NULL ? "" : "/store/khien.db");
	}
	enum kh_err err = db_open(path, &(struct db_options){.read_only = true}, &db, &diag);
	if (err != KH_OK) {
		fprintf(stderr, "khien: %s\n", diag.text);
		return EX_NOINPUT;
	}
	err = audit_verify(db, &r, &diag);
	db_close(db);
	json_t *j =
		json_pack("{s:b, s:I, s:I, s:s, s:s}", "ok", err == KH_OK, "records", (json_int_t)r.n_ok, "first_bad",
				  (json_int_t)r.first_bad, "head", r.head, "detail", err == KH_OK ? "" : diag.text);
	if (c->json) cli_print_json(j);
	json_decref(j);
	if (err == KH_OK)
		kh_print(stderr, M_AUDIT_OK, KH_DEC(r.n_ok), NULL);
	else
		kh_print(stderr, M_AUDIT_BROKEN, diag.text, NULL);
	return err == KH_OK ? EX_OK : CLI_NEGATIVE;
}
