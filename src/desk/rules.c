/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/own.h"

/* ["a", "b"] out of the first column of a query. */
static enum kh_err column(struct desk *d, const char *sql, json_t **out, struct kh_diag *diag)
{
	json_t *list = json_array();
	struct db_rows rows = db_query(d->db, sql, DB_NONE);
	while (list != NULL && db_next(&rows)) {
		struct kh_slice s = db_col_text(&rows, 0);
		json_array_append_new(list, json_stringn((const char *)s.p, s.n));
	}
	enum kh_err err = db_end(&rows, diag);
	if (err == KH_OK && list == NULL) err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err == KH_OK)
		*out = list;
	else
		json_decref(list);
	return err;
}

enum kh_err desk_rules_state(struct desk *d, json_t **out, struct kh_diag *diag)
{
	json_t *disabled, *filters;
	KH_TRY(column(d, "SELECT rule_id FROM rule_state WHERE disabled = 1 ORDER BY rule_id", &disabled, diag));
	enum kh_err err = column(d, "SELECT document FROM rule_exception ORDER BY id", &filters, diag);
	if (err == KH_OK)
		*out = json_pack("{s:o,s:o}", "disabled", disabled, "filters", filters);
	else
		json_decref(disabled);
	return err;
}
