/* SPDX-License-Identifier: Apache-2.0
 * db.h - the desk's view of a SQL database; the driver behind it is sqlite.c.
 * SQL is the subset that SQLite and PostgreSQL share: $1..$n for values, RETURNING, ON CONFLICT DO UPDATE,
 * JSON as TEXT, times as INTEGER nanoseconds. Values are always bound.
 * Ownership: db_open/db_close; slices read from a row live until the next db_next or db_end of that query.
 * Errors: KH_ELIMIT means "no space" (disk full, or the size limit set here) and nothing else; KH_ERANGE a
 * broken constraint; KH_EFORMAT a damaged, foreign or newer database; KH_ESYS the rest. After any of them the
 * connection is usable again once db_rollback was called. Cost: statements are prepared once per text.
 * Threads: one connection, one thread. */
#ifndef KH_STORE_DB_H
#define KH_STORE_DB_H
#include "base/slice.h"

struct db;
struct db_stmt;

struct db_options {
	bool read_only;     /* for tools: no migration, no file is made */
	uint64_t max_bytes; /* 0: as much as the disk holds */
	uint32_t cache_kib; /* 0: 4096 */
};

enum db_kind { DB_NULL, DB_INT, DB_TEXT, DB_BLOB, DB_REAL };

struct db_value {
	enum db_kind kind;
	int64_t i;
	double r;
	struct kh_slice s;
};

struct db_args {
	const struct db_value *v;
	size_t n;
};

static inline struct db_value db_int(int64_t i)
{
	return (struct db_value){.kind = DB_INT, .i = i};
}

static inline struct db_value db_text(struct kh_slice s)
{
	return (struct db_value){.kind = DB_TEXT, .s = s};
}

/* NULL becomes SQL's NULL. */
static inline struct db_value db_str(const char *text)
{
	return text != NULL ? db_text(kh_str(text)) : (struct db_value){.kind = DB_NULL};
}

static inline struct db_value db_blob(struct kh_slice s)
{
	return (struct db_value){.kind = DB_BLOB, .s = s};
}

#define DB_NONE ((struct db_args){NULL, 0})
#define DB_ARGS(...)                                                                                         \
	((struct db_args){(const struct db_value[]){__VA_ARGS__},                                                \
					  sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)})

/* A running query: its first error sticks, so that a loop needs one check, in db_end. */
struct db_rows {
	struct db *db;
	struct db_stmt *stmt;
	enum kh_err err;
};

KH_MUST_USE enum kh_err db_open(const char *path, const struct db_options *options, struct db **out,
								struct kh_diag *diag);
void db_close(struct db *db); /* NULL is allowed */

KH_MUST_USE enum kh_err db_begin(struct db *db, struct kh_diag *diag); /* takes the write lock at once */
KH_MUST_USE enum kh_err db_commit(struct db *db, struct kh_diag *diag);
void db_rollback(struct db *db); /* nothing happens outside of a transaction */
bool db_in_transaction(const struct db *db);

/* Runs one statement to its end; rows it returns are ignored. */
KH_MUST_USE enum kh_err db_exec(struct db *db, const char *sql, struct db_args args, struct kh_diag *diag);
int64_t db_changes(const struct db *db); /* rows changed by the last db_exec */

/* Every query is ended by db_end, whether or not all rows were read. */
struct db_rows db_query(struct db *db, const char *sql, struct db_args args);
bool db_next(struct db_rows *rows);
enum kh_err db_end(struct db_rows *rows, struct kh_diag *diag);
int64_t db_col_int(const struct db_rows *rows, int column); /* NULL reads as 0 */
double db_col_real(const struct db_rows *rows, int column);
struct kh_slice db_col_text(const struct db_rows *rows,
							int column);                        /* NULL: empty, p NULL; followed by NUL */
const char *db_col_str(const struct db_rows *rows, int column); /* NULL stays NULL */
bool db_col_null(const struct db_rows *rows, int column);
bool db_col_is_int(const struct db_rows *rows, int column);
int db_n_cols(const struct db_rows *rows);
const char *db_col_name(const struct db_rows *rows, int column);

/* The first column of the first row; `fallback` when there is no row. */
KH_MUST_USE enum kh_err db_get_int(struct db *db, const char *sql, struct db_args args, int64_t fallback,
								   int64_t *out, struct kh_diag *diag);

KH_MUST_USE enum kh_err db_set_max_bytes(struct db *db, uint64_t max_bytes, struct kh_diag *diag);
int64_t db_bytes(struct db *db);        /* size of the main file; -1 when it cannot be told */
int64_t db_memory(void);                /* bytes the driver holds in this process */
const char *db_engine(void);            /* "SQLite 3.40.1" */
int64_t db_schema_version(struct db *); /* number of the newest migration applied */
#endif
