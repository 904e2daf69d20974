/* SPDX-License-Identifier: Apache-2.0
 * asset.c - hosts, devices and applications of a system: their table, their import. */
#include <stdlib.h>

#include "base/address.h"
#include "base/fold.h"
#include "desk/record.h"

static enum kh_err write_one(struct import *im, const json_t *cells, int64_t line, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT], *key;
	const char *system = record_cell(cells, "system"), *name = record_cell(cells, "name");
	if (kh_fold(kh_str(name), &key) != KH_OK) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	enum kh_err err = db_exec(
		im->d->db,
		"INSERT INTO asset (id, system_id, name, name_key, kind, addresses, criticality, exposed, created_ns,"
		" changed_ns) SELECT $1, system.id, $3, $4, $5, $6, $7, $8, $9, $9 FROM system WHERE system.code = $2"
		" ON CONFLICT (system_id, name_key) DO UPDATE SET name = excluded.name, kind = excluded.kind,"
		" addresses = excluded.addresses, criticality = excluded.criticality, exposed = excluded.exposed,"
		" changed_ns = excluded.changed_ns",
		DB_ARGS(db_str(kh_uuid7(id, im->now_ns)), db_str(system), db_str(name), db_str(key),
				db_str(record_cell(cells, "kind")), db_str(record_cell(cells, "addresses")),
				db_str(record_cell(cells, "criticality")),
				db_int(strcmp(record_cell(cells, "exposed"), "yes") == 0), db_int(im->now_ns)),
		diag);
	free(key);
	if (err == KH_OK && db_changes(im->d->db) == 0)
		import_error(im, line, "system", M_IMPORT_NO_SYSTEM, system, NULL);
	return err;
}

/* Ranges that every house may use anew: RFC 1918, RFC 6598, RFC 3927, RFC 1122 3.2.1.3, RFC 4193, RFC
 * 4291 2.5.6. */
static bool is_private(const struct kh_address *a)
{
	static const char *const ranges[] = {"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
										 "169.254.0.0/16", "127.0.0.0/8",   "fc00::/7",       "fe80::/10"};
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		struct kh_prefix p;
		if (kh_prefix_parse(kh_str(ranges[i]), false, &p) == KH_OK && kh_prefix_holds(&p, a)) return true;
	}
	return false;
}

struct claims {
	struct import *im;
	json_t *owner; /* "<address>", for private ones "<address> <organisation>" -> natural key of the asset */
	char *key;     /* natural key of the asset at hand */
	const char *organisation;
};

static void claim(struct claims *c, struct kh_slice word)
{
	char text[KH_ADDRESS_TEXT], at[KH_ADDRESS_TEXT + 128];
	struct kh_address a;
	if (kh_address_parse(word, &a) != KH_OK) return;
	kh_address_text(text, &a);
	snprintf(at, sizeof at, "%s %s", text, is_private(&a) ? c->organisation : "");
	const char *other = json_string_value(json_object_get(c->owner, at));
	if (other == NULL) {
		json_object_set_new(c->owner, at, json_string(c->key));
		return;
	}
	import_taken(c->im, "addresses", text, c->key, other);
}

static enum kh_err check_addresses(struct import *im, struct kh_diag *diag)
{
	struct claims c = {.im = im, .owner = json_object()};
	struct db_rows r =
		db_query(im->d->db,
				 "SELECT system.code, asset.name_key, system.organisation_id, asset.addresses FROM asset"
				 " JOIN system ON system.id = asset.system_id ORDER BY asset.id",
				 DB_NONE);
	while (db_next(&r)) {
		struct kh_buf key = KH_BUF(4096);
		struct kh_slice word, cell = db_col_text(&r, 3);
		kh_buf_printf(&key, "%s\x1f%s", db_col_str(&r, 0), db_col_str(&r, 1));
		c.key = key.bytes;
		c.organisation = db_col_str(&r, 2);
		while (key.err == KH_OK && kh_slice_cut(&cell, ' ', &word)) claim(&c, word);
		if (key.err == KH_OK) claim(&c, cell);
		kh_buf_free(&key);
	}
	json_decref(c.owner);
	return db_end(&r, diag);
}

const struct record_kind asset_kind = {
	.name = "assets",
	.one = "asset",
	.columns =
		"system.code AS system, asset.name AS name, asset.kind AS kind, asset.addresses AS addresses,"
		" asset.criticality AS criticality, CASE WHEN asset.exposed = 1 THEN 'yes' ELSE 'no' END AS exposed",
	.from = " FROM asset JOIN system ON system.id = asset.system_id",
	.where = " WHERE system.code = $1 AND asset.name_key = $2",
	.keys = {"system", "name"},
	.fold_last_key = true,
	.write = write_one,
	.check = check_addresses,
};
