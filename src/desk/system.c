/* SPDX-License-Identifier: Apache-2.0
 * system.c - information systems of an organisation: their table, their import. */
#include "desk/record.h"

static enum kh_err write_one(struct import *im, const json_t *cells, int64_t line, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT];
	const char *organisation = record_cell(cells, "organisation");
	KH_TRY(db_exec(
		im->d->db,
		"INSERT INTO system"
		" (id, organisation_id, code, name, level, owner, operator, monitored_by, created_ns,"
		" changed_ns) SELECT $1, organisation.id, $3, $4, $5, $6, $7, $8, $9, $9 FROM organisation"
		" WHERE organisation.code = $2 ON CONFLICT (code) DO UPDATE SET"
		" organisation_id = excluded.organisation_id, name = excluded.name, level = excluded.level,"
		" owner = excluded.owner, operator = excluded.operator, monitored_by = excluded.monitored_by,"
		" changed_ns = excluded.changed_ns",
		DB_ARGS(db_str(kh_uuid7(id, im->now_ns)), db_str(organisation), db_str(record_cell(cells, "code")),
				db_str(record_cell(cells, "name")), db_int(record_cell(cells, "level")[0] - '0'),
				db_str(record_cell(cells, "owner")), db_str(record_cell(cells, "operator")),
				db_str(record_cell(cells, "monitored_by")), db_int(im->now_ns)),
		diag));
	if (db_changes(im->d->db) == 0)
		import_error(im, line, "organisation", M_NO_ORGANISATION, organisation, NULL);
	return KH_OK;
}

const struct record_kind system_kind = {
	.name = "systems",
	.one = "system",
	.columns = "organisation.code AS organisation, system.code AS code, system.name AS name,"
			   " CAST(system.level AS TEXT) AS level, system.owner AS owner, system.operator AS operator,"
			   " system.monitored_by AS monitored_by",
	.from = " FROM system JOIN organisation ON organisation.id = system.organisation_id",
	.where = " WHERE system.code = $1",
	.keys = {"code"},
	.write = write_one,
};
