/* SPDX-License-Identifier: Apache-2.0 */
#include "store/migrate.h"

#include <sodium.h>

#include "base/message.h"
#include "base/uuid.h"
#include "store/driver.h"

extern const struct kh_embed store_migrations[];

enum { DIGEST_TEXT = 2 * crypto_hash_sha256_BYTES + 1 };

static const char meta_table[] = "CREATE TABLE IF NOT EXISTS migration (number INTEGER NOT NULL PRIMARY KEY,"
								 " name TEXT NOT NULL, digest TEXT NOT NULL, applied_ns INTEGER NOT NULL)";

static char *digest_of(char out[DIGEST_TEXT], struct kh_slice text)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256(hash, text.p, text.n);
	return kh_hex(out, hash, sizeof hash);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whole-line comments and blanks before a statement. */
static struct kh_slice skip_comments(struct kh_slice s)
{
	for (;;) {
		while (s.n > 0 && is_space(s.p[0])) s = kh_slice_from(s, 1);
		if (!kh_slice_starts(s, KH_LIT("--"))) return s;
		struct kh_slice line;
		if (!kh_slice_cut(&s, '\n', &line)) return (struct kh_slice){0};
	}
}

static bool next_statement(struct kh_slice *rest, struct kh_slice *out)
{
	*rest = skip_comments(*rest);
	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] != ';' || (i + 1 < rest->n && rest->p[i + 1] != '\n')) continue;
		*out = kh_slice_to(*rest, i);
		*rest = kh_slice_from(*rest, i + 1);
		return true;
	}
	return false;
}

static enum kh_err run_statements(struct db *db, struct kh_slice text, struct kh_diag *diag)
{
	struct kh_slice statement;
	while (next_statement(&text, &statement)) KH_TRY(db_define(db, statement, diag));
	return KH_OK;
}

static enum kh_err apply(struct db *db, const struct kh_embed *m, int64_t number, int64_t now_ns,
						 struct kh_diag *diag)
{
	char digest[DIGEST_TEXT];
	KH_TRY(db_begin(db, diag));
	enum kh_err err = run_statements(db, m->bytes, diag);
	if (err == KH_OK)
		err = db_exec(
			db, "INSERT INTO migration (number, name, digest, applied_ns) VALUES ($1, $2, $3, $4)",
			DB_ARGS(db_int(number), db_str(m->name), db_str(digest_of(digest, m->bytes)), db_int(now_ns)),
			diag);
	if (err == KH_OK) return db_commit(db, diag);
	db_rollback(db);
	return err;
}

static size_t count(const struct kh_embed *m)
{
	size_t n = 0;
	while (m[n].name != NULL) n++;
	return n;
}

/* What was applied must be what this program would apply. Numbers are 1, 2, 3...: the place in the table. */
static enum kh_err check_applied(struct db *db, const struct kh_embed *m, int64_t *applied,
								 struct kh_diag *diag)
{
	char digest[DIGEST_TEXT], have[24], known[24];
	int64_t n = 0, total = (int64_t)count(m);
	enum kh_err err = KH_OK;
	struct db_rows rows = db_query(db, "SELECT number, digest FROM migration ORDER BY number", DB_NONE);
	while (err == KH_OK && db_next(&rows)) {
		int64_t number = db_col_int(&rows, 0);
		if (number > total)
			err = kh_say(diag, KH_EFORMAT, M_STORE_NEWER, kh_dec(have, number), kh_dec(known, total), NULL);
		else if (number != n + 1 || !kh_slice_is(db_col_text(&rows, 1), digest_of(digest, m[n].bytes)))
			err = kh_say(diag, KH_EFORMAT, M_STORE_DIGEST, m[n].name, NULL);
		n = number;
	}
	if (err != KH_OK) {
		(void)db_end(&rows, NULL);
		return err;
	}
	KH_TRY(db_end(&rows, diag));
	*applied = n;
	return KH_OK;
}

enum kh_err db_migrate_with(struct db *db, const struct kh_embed *migrations, int64_t now_ns,
							struct kh_diag *diag)
{
	int64_t applied;
	KH_TRY(db_define(db, kh_str(meta_table), diag));
	KH_TRY(check_applied(db, migrations, &applied, diag));
	for (size_t i = (size_t)applied; migrations[i].name != NULL; i++)
		KH_TRY(apply(db, &migrations[i], (int64_t)i + 1, now_ns, diag));
	return KH_OK;
}

enum kh_err db_migrate(struct db *db, int64_t now_ns, struct kh_diag *diag)
{
	return db_migrate_with(db, store_migrations, now_ns, diag);
}

enum kh_err db_migrate_check(struct db *db, struct kh_diag *diag)
{
	int64_t applied, total = (int64_t)count(store_migrations);
	KH_TRY(check_applied(db, store_migrations, &applied, diag));
	if (applied == total) return KH_OK;
	return kh_say(diag, KH_EFORMAT, M_STORE_OLDER, KH_DEC(applied), KH_DEC(total), NULL);
}

int64_t db_schema_version(struct db *db)
{
	int64_t v;
	if (db_get_int(db, "SELECT MAX(number) FROM migration", DB_NONE, 0, &v, NULL) != KH_OK) return 0;
	return v;
}
