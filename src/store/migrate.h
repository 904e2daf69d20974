/* SPDX-License-Identifier: Apache-2.0
 * migrate.h - brings a database to the schema of this program.
 * A migration is a file migrations/NNN-name.sql; each statement ends with ";" at the end of a line. It runs
 * in one transaction, which also records its number and the SHA-256 of its text. KH_EFORMAT: the database is
 * newer than the program, or a migration that was applied had another text. */
#ifndef KH_STORE_MIGRATE_H
#define KH_STORE_MIGRATE_H
#include "base/embed.h"
#include "store/db.h"

KH_MUST_USE enum kh_err db_migrate(struct db *db, int64_t now_ns, struct kh_diag *diag);
/* The same over a given table, for tests. */
KH_MUST_USE enum kh_err db_migrate_with(struct db *db, const struct kh_embed *migrations, int64_t now_ns,
										struct kh_diag *diag);
/* For a read-only database: as above, but nothing is applied; an older database is KH_EFORMAT too. */
KH_MUST_USE enum kh_err db_migrate_check(struct db *db, struct kh_diag *diag);
#endif
