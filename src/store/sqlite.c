/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/message.h"
#include "store/driver.h"

enum {
	N_CACHED = 256,              /* distinct statements of the desk, with room; more are prepared anew */
	APPLICATION_ID = 0x4b48694e, /* "KHiN": file(1) and doctor know the file by it */
	CHECKPOINT_PAGES = 1000,     /* 4 MiB of log before it flows back */
	LOG_BYTES = 8 << 20,
	BUSY_MS = 5000,
	MAX_VALUE = 32 << 20,
};

struct db_stmt {
	sqlite3_stmt *s;
	char *sql; /* owned; NULL: not in the cache */
	uint64_t hash;
	bool busy;
};

struct db {
	sqlite3 *h;
	struct db_stmt cache[N_CACHED];
	size_t n_cached;
	int64_t changes;
	int code; /* of the last failure, extended; sys and text belong to it */
	int sys;
	char text[256];
};

static bool no_space(int code, int sys)
{
	if ((code & 0xff) == SQLITE_FULL) return true;
	return (code & 0xff) == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT || sys == EFBIG);
}

static enum kh_err class_of(const struct db *db)
{
	if (no_space(db->code, db->sys)) return KH_ELIMIT;
	switch (db->code & 0xff) {
	case SQLITE_OK:
		return KH_OK;
	case SQLITE_CONSTRAINT:
		return KH_ERANGE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return KH_EFORMAT;
	case SQLITE_NOMEM:
		return KH_ENOMEM;
	default:
		return KH_ESYS;
	}
}

/* Keeps what went wrong: later calls on the handle overwrite SQLite's own record of it. */
static enum kh_err remember(struct db *db, int code)
{
	db->code = code;
	db->sys = sqlite3_system_errno(db->h);
	snprintf(db->text, sizeof db->text, "%s", sqlite3_errmsg(db->h));
	return class_of(db);
}

static enum kh_err tell(const struct db *db, struct kh_diag *diag)
{
	enum kh_err err = class_of(db);
	if (err == KH_ELIMIT) return kh_say(diag, err, M_STORE_FULL, db->text, NULL);
	kh_say(diag, err, M_STORE_FAILED, db->text, NULL);
	if (diag != NULL) diag->sys = db->sys;
	return err;
}

/* The file is made before SQLite sees it, so that it is never readable to others; -wal and -shm copy its
 * mode. */
static enum kh_err make_file(const char *path, struct kh_diag *diag)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) return kh_say_errno(diag, M_FILE_OPEN, path, NULL);
	close(fd);
	return KH_OK;
}

static enum kh_err pragma(struct db *db, const char *text, struct kh_diag *diag)
{
	int rc = sqlite3_exec(db->h, text, NULL, NULL, NULL);
	if (rc == SQLITE_OK) return KH_OK;
	(void)remember(db, sqlite3_extended_errcode(db->h));
	return tell(db, diag);
}

static enum kh_err check_owner(struct db *db, const char *path, bool read_only, struct kh_diag *diag)
{
	int64_t id, version;
	KH_TRY(db_get_int(db, "PRAGMA application_id", DB_NONE, 0, &id, diag));
	if (id == APPLICATION_ID) return KH_OK;
	KH_TRY(db_get_int(db, "SELECT COUNT(*) FROM sqlite_master", DB_NONE, 0, &version, diag));
	if (id != 0 || version != 0 || read_only) return kh_say(diag, KH_EFORMAT, M_STORE_FOREIGN, path, NULL);
	char set[64];
	snprintf(set, sizeof set, "PRAGMA application_id=%d", APPLICATION_ID);
	return pragma(db, set, diag);
}

static enum kh_err configure(struct db *db, const char *path, const struct db_options *o,
							 struct kh_diag *diag)
{
	char text[256];
	sqlite3_busy_timeout(db->h, BUSY_MS);
	sqlite3_extended_result_codes(db->h, 1);
	sqlite3_limit(db->h, SQLITE_LIMIT_LENGTH, MAX_VALUE);
	sqlite3_limit(db->h, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	snprintf(text, sizeof text,
			 "PRAGMA foreign_keys=ON;PRAGMA temp_store=MEMORY;PRAGMA mmap_size=0;PRAGMA cache_size=-%u;",
			 o->cache_kib > 0 ? o->cache_kib : 4096u);
	KH_TRY(pragma(db, text, diag));
	KH_TRY(check_owner(db, path, o->read_only, diag));
	if (o->read_only) return pragma(db, "PRAGMA query_only=ON", diag);
	snprintf(text, sizeof text,
			 "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=%d;"
			 "PRAGMA journal_size_limit=%d;",
			 CHECKPOINT_PAGES, LOG_BYTES);
	KH_TRY(pragma(db, text, diag));
	return db_set_max_bytes(db, o->max_bytes, diag);
}

enum kh_err db_open(const char *path, const struct db_options *options, struct db **out, struct kh_diag *diag)
{
	struct db_options none = {0};
	const struct db_options *o = options != NULL ? options : &none;
	if (!o->read_only) KH_TRY(make_file(path, diag));
	struct db *db = calloc(1, sizeof *db);
	if (db == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	int flags = (o->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
	enum kh_err err;
	if (sqlite3_open_v2(path, &db->h, flags, NULL) != SQLITE_OK)
		err = kh_say(diag, KH_ESYS, M_FILE_OPEN, path, db->h ? sqlite3_errmsg(db->h) : "", NULL);
	else
		err = configure(db, path, o, diag);
	if (err != KH_OK) {
		db_close(db);
		return err;
	}
	*out = db;
	return KH_OK;
}

static void forget_statements(struct db *db)
{
	for (size_t i = 0; i < db->n_cached; i++) {
		sqlite3_finalize(db->cache[i].s);
		free(db->cache[i].sql);
	}
	db->n_cached = 0;
}

void db_close(struct db *db)
{
	if (db == NULL) return;
	forget_statements(db);
	sqlite3_close_v2(db->h);
	free(db);
}

static uint64_t hash_of(const char *sql)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a: our own texts, nobody hostile chooses them */
	for (; *sql != '\0'; sql++) h = (h ^ (uint8_t)*sql) * 0x100000001b3u;
	return h;
}

static struct db_stmt *cached(struct db *db, const char *sql, uint64_t hash)
{
	for (size_t i = 0; i < db->n_cached; i++) {
		struct db_stmt *s = &db->cache[i];
		if (s->hash == hash && !s->busy && strcmp(s->sql, sql) == 0) return s;
	}
	return NULL;
}

static enum kh_err prepare(struct db *db, const char *sql, struct db_stmt **out)
{
	uint64_t hash = hash_of(sql);
	struct db_stmt *s = cached(db, sql, hash);
	if (s == NULL) {
		bool keep = db->n_cached < N_CACHED;
		sqlite3_stmt *raw;
		int rc = sqlite3_prepare_v3(db->h, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, &raw, NULL);
		if (rc != SQLITE_OK) return remember(db, rc);
		s = keep ? &db->cache[db->n_cached] : calloc(1, sizeof *s);
		char *copy = keep ? kh_slice_dup(kh_str(sql)) : NULL;
		if (s == NULL || (keep && copy == NULL)) {
			sqlite3_finalize(raw);
			free(copy);
			if (!keep) free(s);
			return remember(db, SQLITE_NOMEM);
		}
		*s = (struct db_stmt){.s = raw, .sql = copy, .hash = hash};
		if (keep) db->n_cached++;
	}
	s->busy = true;
	*out = s;
	return KH_OK;
}

static void release(struct db_stmt *s)
{
	sqlite3_reset(s->s);
	sqlite3_clear_bindings(s->s);
	s->busy = false;
	if (s->sql != NULL) return;
	sqlite3_finalize(s->s);
	free(s);
}

static int bind_one(sqlite3_stmt *s, int at, const struct db_value *v)
{
	/* SQLite takes a NULL pointer for NULL, whatever the length says. */
	const char *p = v->s.p != NULL ? (const char *)v->s.p : "";
	switch (v->kind) {
	case DB_NULL:
		return sqlite3_bind_null(s, at);
	case DB_INT:
		return sqlite3_bind_int64(s, at, v->i);
	case DB_REAL:
		return sqlite3_bind_double(s, at, v->r);
	case DB_TEXT:
		return sqlite3_bind_text64(s, at, p, v->s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	case DB_BLOB:
		return sqlite3_bind_blob64(s, at, p, v->s.n, SQLITE_TRANSIENT);
	}
	return SQLITE_MISUSE;
}

/* "$3" may stand anywhere and more than once: SQLite numbers names by first use, so each is looked up. */
static enum kh_err bind_all(struct db *db, struct db_stmt *s, struct db_args args)
{
	for (size_t i = 0; i < args.n; i++) {
		char name[24];
		snprintf(name, sizeof name, "$%zu", i + 1);
		int at = sqlite3_bind_parameter_index(s->s, name);
		assert(at > 0); /* a value without a place is our own slip */
		int rc = bind_one(s->s, at, &args.v[i]);
		if (rc != SQLITE_OK) return remember(db, rc);
	}
	assert((size_t)sqlite3_bind_parameter_count(s->s) == args.n);
	return KH_OK;
}

struct db_rows db_query(struct db *db, const char *sql, struct db_args args)
{
	struct db_rows rows = {.db = db};
	rows.err = prepare(db, sql, &rows.stmt);
	if (rows.err == KH_OK && rows.stmt != NULL) rows.err = bind_all(db, rows.stmt, args);
	return rows;
}

bool db_next(struct db_rows *rows)
{
	if (rows->err != KH_OK || rows->stmt == NULL) return false;
	int rc = sqlite3_step(rows->stmt->s);
	if (rc == SQLITE_ROW) return true;
	if (rc != SQLITE_DONE) rows->err = remember(rows->db, rc);
	return false;
}

enum kh_err db_end(struct db_rows *rows, struct kh_diag *diag)
{
	if (rows->stmt != NULL) release(rows->stmt);
	rows->stmt = NULL;
	return rows->err == KH_OK ? KH_OK : tell(rows->db, diag);
}

enum kh_err db_exec(struct db *db, const char *sql, struct db_args args, struct kh_diag *diag)
{
	struct db_rows rows = db_query(db, sql, args);
	while (db_next(&rows)) {
	}
	db->changes = rows.err == KH_OK ? sqlite3_changes64(db->h) : 0;
	return db_end(&rows, diag);
}

int64_t db_changes(const struct db *db)
{
	return db->changes;
}

int64_t db_col_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_int64(rows->stmt->s, column);
}

double db_col_real(const struct db_rows *rows, int column)
{
	return sqlite3_column_double(rows->stmt->s, column);
}

struct kh_slice db_col_text(const struct db_rows *rows, int column)
{
	const unsigned char *p = sqlite3_column_text(rows->stmt->s, column);
	int n = sqlite3_column_bytes(rows->stmt->s, column);
	return p != NULL ? (struct kh_slice){p, (size_t)n} : (struct kh_slice){0};
}

const char *db_col_str(const struct db_rows *rows, int column)
{
	return (const char *)sqlite3_column_text(rows->stmt->s, column);
}

bool db_col_null(const struct db_rows *rows, int column)
{
	return sqlite3_column_type(rows->stmt->s, column) == SQLITE_NULL;
}

bool db_col_is_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_type(rows->stmt->s, column) == SQLITE_INTEGER;
}

int db_n_cols(const struct db_rows *rows)
{
	return rows->stmt != NULL ? sqlite3_column_count(rows->stmt->s) : 0;
}

const char *db_col_name(const struct db_rows *rows, int column)
{
	return sqlite3_column_name(rows->stmt->s, column);
}

enum kh_err db_get_int(struct db *db, const char *sql, struct db_args args, int64_t fallback, int64_t *out,
					   struct kh_diag *diag)
{
	struct db_rows rows = db_query(db, sql, args);
	int64_t v = db_next(&rows) ? db_col_int(&rows, 0) : fallback;
	KH_TRY(db_end(&rows, diag));
	*out = v;
	return KH_OK;
}

enum kh_err db_begin(struct db *db, struct kh_diag *diag)
{
	return db_exec(db, "BEGIN IMMEDIATE", DB_NONE, diag);
}

enum kh_err db_commit(struct db *db, struct kh_diag *diag)
{
	enum kh_err err = db_exec(db, "COMMIT", DB_NONE, diag);
	if (err != KH_OK) db_rollback(db);
	return err;
}

void db_rollback(struct db *db)
{
	/* SQLite rolls back by itself on some errors, a full disk among them. */
	if (!db_in_transaction(db)) return;
	sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(const struct db *db)
{
	return sqlite3_get_autocommit(db->h) == 0;
}

enum kh_err db_set_max_bytes(struct db *db, uint64_t max_bytes, struct kh_diag *diag)
{
	int64_t page;
	char text[64];
	const int64_t most = 4294967294; /* SQLite's own bound; 0 pages would mean "unchanged" */
	KH_TRY(db_get_int(db, "PRAGMA page_size", DB_NONE, 4096, &page, diag));
	uint64_t pages = max_bytes > 0 ? max_bytes / (uint64_t)page : (uint64_t)most;
	if (pages == 0) pages = 1;
	if (pages > (uint64_t)most) pages = (uint64_t)most;
	snprintf(text, sizeof text, "PRAGMA max_page_count=%llu", (unsigned long long)pages);
	return pragma(db, text, diag);
}

int64_t db_bytes(struct db *db)
{
	int64_t pages, page;
	if (db_get_int(db, "PRAGMA page_count", DB_NONE, 0, &pages, NULL) != KH_OK) return -1;
	if (db_get_int(db, "PRAGMA page_size", DB_NONE, 0, &page, NULL) != KH_OK) return -1;
	return pages * page;
}

int64_t db_memory(void)
{
	return sqlite3_memory_used();
}

const char *db_engine(void)
{
	static char text[32];
	snprintf(text, sizeof text, "SQLite %s", sqlite3_libversion());
	return text;
}

/* The migrations are written for both engines; only here a table learns SQLite's word for checked types. */
enum kh_err db_define(struct db *db, struct kh_slice sql, struct kh_diag *diag)
{
	bool table = kh_slice_starts(sql, KH_LIT("CREATE TABLE"));
	char *text = malloc(sql.n + sizeof " STRICT");
	if (text == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	memcpy(text, sql.p, sql.n);
	memcpy(text + sql.n, table ? " STRICT" : "", table ? sizeof " STRICT" : 1);
	enum kh_err err = pragma(db, text, diag);
	free(text);
	return err;
}
