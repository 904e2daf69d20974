/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/token.h"

#include <sodium.h>

#include "api/route.h"
#include "desk/audit.h"
#include "desk/own.h"

enum { SECRET = 32, HASH_TEXT = 2 * crypto_hash_sha256_BYTES + 1, MAX_NAME = 200 };
#define HEAD "khien_pat_"

static const struct {
	const char *name;
	unsigned scope;
} scopes[] = {{"read", API_READ}, {"operate", API_OPERATE}, {"admin", API_ADMIN}};

static unsigned scope_of(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof scopes / sizeof *scopes; i++)
		if (strcmp(scopes[i].name, name) == 0) return scopes[i].scope;
	return 0;
}

static void hash_of(char out[HASH_TEXT], struct kh_slice token)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256(hash, token.p, token.n);
	kh_hex(out, hash, sizeof hash);
}

static enum kh_err show(struct desk *d, const char *id, json_t **out, struct kh_diag *diag)
{
	return desk_row(d,
					"SELECT id, name, start, scope, created_ns, created_by, expires_ns, last_used_ns, "
					"revoked_ns FROM token"
					" WHERE id = $1",
					DB_ARGS(db_str(id)), out, diag);
}

static enum kh_err note(struct desk *d, const char *action, const char *id, const json_t *before,
						const json_t *after, const struct desk_actor *actor, int64_t now_ns,
						struct kh_diag *diag)
{
	char object[KH_UUID_TEXT + 8];
	snprintf(object, sizeof object, "token:%s", id);
	return audit_add(d->db, actor, &(struct audit_entry){action, object, before, after}, now_ns, diag);
}

enum kh_err token_create(struct desk *d, const char *name, const char *scope, int64_t expires_ns,
						 const struct desk_actor *actor, int64_t now_ns, json_t **out, struct kh_diag *diag)
{
	char id[KH_UUID_TEXT], hash[HASH_TEXT], token[sizeof HEAD + 2 * SECRET] = HEAD, start[TOKEN_START];
	unsigned char secret[SECRET];
	json_t *row;
	if (name == NULL || name[0] == '\0' || strlen(name) > MAX_NAME)
		return kh_say(diag, KH_EFORMAT, M_API_FIELD, "name", NULL);
	if (scope_of(scope) == 0) return kh_say(diag, KH_EFORMAT, M_API_FIELD, "scope", NULL);
	if (expires_ns != 0 && (expires_ns <= now_ns || expires_ns - now_ns > TOKEN_MAX_DAYS * KH_DAY))
		return kh_say(diag, KH_EFORMAT, M_API_FIELD, "expires", NULL);
	kh_random(secret, sizeof secret);
	kh_hex(token + strlen(HEAD), secret, sizeof secret);
	hash_of(hash, kh_str(token));
	snprintf(start, sizeof start, "%.18s", token);
	kh_uuid7(id, now_ns);
	KH_TRY(
		db_exec(d->db,
				"INSERT INTO token (id, name, hash, start, scope, created_ns, created_by, expires_ns)"
				" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
				DB_ARGS(db_str(id), db_str(name), db_str(hash), db_str(start), db_str(scope), db_int(now_ns),
						db_str(actor->who), expires_ns != 0 ? db_int(expires_ns) : db_str(NULL)),
				diag));
	KH_TRY(show(d, id, &row, diag));
	enum kh_err err = note(d, "token.create", id, NULL, row, actor, now_ns, diag);
	json_object_set_new(row, "token", json_string(token));
	sodium_memzero(token, sizeof token);
	if (err == KH_OK)
		*out = row;
	else
		json_decref(row);
	return err;
}

enum kh_err token_revoke(struct desk *d, const char *id, const struct desk_actor *actor, int64_t now_ns,
						 bool *found, struct kh_diag *diag)
{
	json_t *before, *after = NULL;
	KH_TRY(show(d, id, &before, diag));
	enum kh_err err = db_exec(d->db, "UPDATE token SET revoked_ns = $2 WHERE id = $1 AND revoked_ns IS NULL",
							  DB_ARGS(db_str(id), db_int(now_ns)), diag);
	*found = err == KH_OK && db_changes(d->db) == 1;
	if (*found) err = show(d, id, &after, diag);
	if (*found && err == KH_OK) err = note(d, "token.revoke", id, before, after, actor, now_ns, diag);
	json_decref(before);
	json_decref(after);
	return err;
}

struct use {
	const char *hash;
	int64_t now_ns;
};

static enum kh_err note_use(struct desk *d, void *arg, struct kh_diag *diag)
{
	const struct use *u = arg;
	return db_exec(d->db, "UPDATE token SET last_used_ns = $2 WHERE hash = $1",
				   DB_ARGS(db_str(u->hash), db_int(u->now_ns)), diag);
}

enum kh_err token_check(struct desk *d, struct kh_slice bearer, int64_t now_ns, struct token_found *out,
						struct kh_diag *diag)
{
	char hash[HASH_TEXT];
	struct token_found t = {0};
	int64_t used = 0;
	bearer = kh_slice_trim(bearer);
	if (kh_slice_case_eq(kh_slice_to(bearer, 7), KH_LIT("Bearer ")))
		bearer = kh_slice_trim(kh_slice_from(bearer, 7));
	if (bearer.n != strlen(HEAD) + 2 * SECRET) return kh_say(diag, KH_ERANGE, M_API_TOKEN, NULL);
	hash_of(hash, bearer);
	struct db_rows r =
		db_query(d->db,
				 "SELECT start, scope, last_used_ns FROM token WHERE hash = $1 AND revoked_ns IS NULL"
				 " AND (expires_ns IS NULL OR expires_ns > $2)",
				 DB_ARGS(db_str(hash), db_int(now_ns)));
	if (db_next(&r)) {
		snprintf(t.start, sizeof t.start, "%s", db_col_str(&r, 0));
		t.scope = scope_of(db_col_str(&r, 1));
		used = db_col_int(&r, 2);
	}
	KH_TRY(db_end(&r, diag));
	if (t.scope == 0) return kh_say(diag, KH_ERANGE, M_API_TOKEN, NULL);
	/* A full disk must not keep anybody out: when the use cannot be noted, it is not. */
	enum kh_err noted = KH_OK;
	if (now_ns - used >= KH_MINUTE) noted = desk_change(d, note_use, &(struct use){hash, now_ns}, NULL);
	(void)noted;
	*out = t;
	return KH_OK;
}
