/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/audit.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/message.h"
#include "base/time.h"
#include "base/uuid.h"
#include "store/db.h"

enum { HASH_TEXT = 65, MAX_RECORD = 4 << 20 };

static const char genesis[HASH_TEXT] = "0000000000000000000000000000000000000000000000000000000000000000";

struct record {
	int64_t n, at_ns;
	struct kh_slice actor, source, action, object, before, after, prev;
};

/* RFC 8785, 3.2.2.2: short escapes where JSON has them, \u00xx for the other controls, all else as it is. */
static void put_string(struct kh_buf *b, struct kh_slice s)
{
	static const char shorts[] = "btnvfr"; /* 0x08..0x0d; JSON knows no \v */
	kh_buf_char(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (c == '"' || c == '\\')
			kh_buf_printf(b, "\\%c", c);
		else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
			kh_buf_printf(b, "\\%c", shorts[c - 0x08]);
		else if (c < 0x20)
			kh_buf_printf(b, "\\u%04x", c);
		else
			kh_buf_char(b, (char)c);
	}
	kh_buf_char(b, '"');
}

static void put_member(struct kh_buf *b, const char *key, struct kh_slice value)
{
	kh_buf_printf(b, ",\"%s\":", key);
	put_string(b, value);
}

/* before and after are spliced in as the bytes that are stored: any changed byte changes the hash. */
static enum kh_err hash_record(const struct record *r, char out[HASH_TEXT])
{
	struct kh_buf b = KH_BUF(MAX_RECORD);
	unsigned char hash[crypto_hash_sha256_BYTES];
	kh_buf_text(&b, "{\"action\":");
	put_string(&b, r->action);
	put_member(&b, "actor", r->actor);
	kh_buf_text(&b, ",\"after\":");
	kh_buf_put(&b, r->after);
	kh_buf_printf(&b, ",\"at_ns\":%lld,\"before\":", (long long)r->at_ns);
	kh_buf_put(&b, r->before);
	put_member(&b, "from", r->source);
	kh_buf_printf(&b, ",\"n\":%lld", (long long)r->n);
	put_member(&b, "object", r->object);
	put_member(&b, "prev", r->prev);
	kh_buf_char(&b, '}');
	enum kh_err err = b.err;
	if (err == KH_OK) {
		crypto_hash_sha256(hash, (const unsigned char *)b.bytes, b.n);
		kh_hex(out, hash, sizeof hash);
	}
	kh_buf_free(&b);
	return err;
}

static char *canonical(const json_t *v)
{
	if (v == NULL) return kh_slice_dup(KH_LIT("null"));
	return json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

static enum kh_err read_head(struct db *db, int64_t *n, char hash[HASH_TEXT], struct kh_diag *diag)
{
	struct db_rows rows = db_query(db, "SELECT n, hash FROM audit_head WHERE id = 1", DB_NONE);
	int64_t have = 0;
	memcpy(hash, genesis, HASH_TEXT);
	if (db_next(&rows)) {
		have = db_col_int(&rows, 0);
		snprintf(hash, HASH_TEXT, "%s", db_col_str(&rows, 1) ? db_col_str(&rows, 1) : "");
	}
	KH_TRY(db_end(&rows, diag));
	*n = have;
	return KH_OK;
}

static enum kh_err insert(struct db *db, const struct record *r, const char *hash, struct kh_diag *diag)
{
	KH_TRY(db_exec(db,
				   "INSERT INTO audit (n, at_ns, actor, source, action, object, before, after, prev, hash)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
				   DB_ARGS(db_int(r->n), db_int(r->at_ns), db_text(r->actor), db_text(r->source),
						   db_text(r->action), db_text(r->object), db_text(r->before), db_text(r->after),
						   db_text(r->prev), db_str(hash)),
				   diag));
	return db_exec(db,
				   "INSERT INTO audit_head (id, n, hash) VALUES (1, $1, $2)"
				   " ON CONFLICT (id) DO UPDATE SET n = excluded.n, hash = excluded.hash",
				   DB_ARGS(db_int(r->n), db_str(hash)), diag);
}

enum kh_err audit_add(struct db *db, const struct desk_actor *actor, const struct audit_entry *entry,
					  int64_t now_ns, struct kh_diag *diag)
{
	char prev[HASH_TEXT], hash[HASH_TEXT];
	int64_t n;
	KH_TRY(read_head(db, &n, prev, diag));
	char *before = canonical(entry->before), *after = canonical(entry->after);
	enum kh_err err = KH_ENOMEM;
	if (before != NULL && after != NULL) {
		struct record r = {n + 1,
						   now_ns,
						   kh_str(actor->who),
						   kh_str(actor->from),
						   kh_str(entry->action),
						   kh_str(entry->object),
						   kh_str(before),
						   kh_str(after),
						   kh_str(prev)};
		err = hash_record(&r, hash);
		if (err == KH_OK) err = insert(db, &r, hash, diag);
	} else {
		kh_say(diag, err, M_OUT_OF_MEMORY, NULL);
	}
	free(before);
	free(after);
	return err;
}

static struct record record_of(const struct db_rows *rows)
{
	return (struct record){db_col_int(rows, 0),  db_col_int(rows, 1),  db_col_text(rows, 2),
						   db_col_text(rows, 3), db_col_text(rows, 4), db_col_text(rows, 5),
						   db_col_text(rows, 6), db_col_text(rows, 7), db_col_text(rows, 8)};
}

static enum kh_err altered(struct audit_report *out, const struct record *r, enum kh_msg what,
						   struct kh_diag *diag)
{
	char when[KH_TIME_TEXT];
	out->first_bad = r->n > out->n_ok + 1 ? out->n_ok + 1 : r->n;
	out->at_ns = r->at_ns;
	return kh_say(diag, KH_EFORMAT, M_AUDIT_ALTERED, KH_DEC(out->first_bad), kh_time_rfc3339(when, r->at_ns),
				  kh_msg(what), NULL);
}

static enum kh_err check_record(const struct db_rows *rows, struct audit_report *out, struct kh_diag *diag)
{
	struct record r = record_of(rows);
	char hash[HASH_TEXT];
	if (r.n != out->n_ok + 1) return altered(out, &r, M_AUDIT_MISSING, diag);
	if (hash_record(&r, hash) != KH_OK) return altered(out, &r, M_AUDIT_CONTENT, diag);
	if (!kh_slice_is(db_col_text(rows, 9), hash)) return altered(out, &r, M_AUDIT_CONTENT, diag);
	if (!kh_slice_is(r.prev, out->head)) return altered(out, &r, M_AUDIT_LINK, diag);
	memcpy(out->head, hash, HASH_TEXT);
	out->n_ok = r.n;
	out->at_ns = r.at_ns;
	return KH_OK;
}

static enum kh_err check_head(struct db *db, struct audit_report *out, struct kh_diag *diag)
{
	char head[HASH_TEXT];
	int64_t n;
	KH_TRY(read_head(db, &n, head, diag));
	if (n == out->n_ok && memcmp(head, out->head, HASH_TEXT) == 0) return KH_OK;
	struct record r = {.n = n > out->n_ok ? out->n_ok + 1 : out->n_ok, .at_ns = out->at_ns};
	return altered(out, &r, n > out->n_ok ? M_AUDIT_TAIL : M_AUDIT_HEAD, diag);
}

enum kh_err audit_verify(struct db *db, struct audit_report *out, struct kh_diag *diag)
{
	*out = (struct audit_report){0};
	memcpy(out->head, genesis, HASH_TEXT);
	struct db_rows rows = db_query(db,
								   "SELECT n, at_ns, actor, source, action, object, before, after, prev, hash"
								   " FROM audit ORDER BY n",
								   DB_NONE);
	enum kh_err err = KH_OK;
	while (err == KH_OK && db_next(&rows)) err = check_record(&rows, out, diag);
	if (err != KH_OK) {
		(void)db_end(&rows, NULL);
		return err;
	}
	KH_TRY(db_end(&rows, diag));
	return check_head(db, out, diag);
}
