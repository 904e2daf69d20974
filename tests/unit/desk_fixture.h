/* SPDX-License-Identifier: Apache-2.0
 * desk_fixture.h - a desk over a fresh database in a folder of its own, with a small province in it. */
#ifndef KH_TESTS_DESK_FIXTURE_H
#define KH_TESTS_DESK_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/message.h"
#include "base/time.h"
#include "desk/desk.h"
#include "desk/own.h"
#include "store/db.h"
#include "store/migrate.h"

/* 2026-11-23T03:00:00Z: a Monday, ten in the morning in Vietnam. */
#define MORNING (INT64_C(1795402800) * KH_SECOND)
#define BOOT    "0193a5a0-0000-7000-8000-000000000001"

struct fixture {
	char dir[64], path[96];
	struct db *db;
	struct desk *d;
	int outbox_changed, rules_changed;
};

static struct kh_diag diag; /* of the last call; the words in the log of a failed test */

static inline void check_ok(enum kh_err err, const struct kh_diag *said, const char *file, int line)
{
	if (err != KH_OK) print_error("%d: %s\n", err, said->text);
	_assert_true(err == KH_OK, "KH_OK", file, line);
}
#define OK(expr) check_ok((expr), &diag, __FILE__, __LINE__)

static void fixture_outbox(void *ctx)
{
	((struct fixture *)ctx)->outbox_changed++;
}

static void fixture_rules(void *ctx)
{
	((struct fixture *)ctx)->rules_changed++;
}

static inline void fixture_run(struct fixture *f, const char *sql)
{
	OK(db_exec(f->db, sql, DB_NONE, &diag));
}

static inline void fixture_desk(struct fixture *f)
{
	struct desk_ports ports = {.ctx = f, .rules_changed = fixture_rules, .outbox_changed = fixture_outbox};
	desk_free(f->d);
	OK(desk_new(f->db, &desk_defaults, &ports, &f->d, &diag));
}

static inline void fixture_empty(struct fixture *f)
{
	*f = (struct fixture){0};
	kh_lang_set(KH_EN);
	snprintf(f->dir, sizeof f->dir, "/tmp/khien-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/khien.db", f->dir);
	OK(db_open(f->path, NULL, &f->db, &diag));
	OK(db_migrate(f->db, MORNING, &diag));
	fixture_run(f, "PRAGMA synchronous=OFF"); /* thousands of transactions, no power cut in sight */
}

/* Authority GOC; agency YTE below it with a duty desk and office staff; SYT1 below YTE without any contact.
 */
static inline void fixture_province(struct fixture *f)
{
	fixture_empty(f);
	fixture_run(
		f, "INSERT INTO organisation VALUES"
		   " ('o-goc','GOC',NULL,'Trung tam','authority','goc.example.vn','198.51.100.0/24',1,1),"
		   " ('o-yte','YTE','o-goc','So Y te','agency','yte.example.vn','192.0.2.0/24 2001:db8:1::/48',1,1),"
		   " ('o-bv','BV1','o-yte','Benh vien','agency','bv1.yte.example.vn','192.0.2.128/25',1,1)");
	fixture_run(
		f,
		"INSERT INTO contact VALUES"
		" ('c1','o-goc','Truc ban','duty','duty@goc.example.vn','+1-202-555-0100','24x7','vi',NULL,1,1),"
		" ('c2','o-yte','Truc CNTT','duty','duty@yte.example.vn','','T2-T6 07:30-17:00','vi',NULL,1,1),"
		" ('c3','o-yte','Truong phong','lead','lead@yte.example.vn','','T2-T6 07:30-17:00','vi',NULL,1,1)");
	fixture_run(f, "INSERT INTO system VALUES ('s1','o-yte','YTE-WEB','Cong thong tin',3,'','','',1,1)");
	fixture_run(f, "INSERT INTO asset VALUES ('a1','s1','web01.yte.example.vn','web01.yte.example.vn','host',"
				   "'192.0.2.5','high',1,1,1),('a2','s1','db01','db01','host','192.0.2.6','high',0,1,1)");
	fixture_desk(f);
}

static inline void fixture_end(struct fixture *f)
{
	char cmd[128];
	static const char *const tails[] = {"", "-wal", "-shm"};
	desk_free(f->d);
	db_close(f->db);
	for (size_t i = 0; i < 3; i++) {
		snprintf(cmd, sizeof cmd, "%s%s", f->path, tails[i]);
		unlink(cmd);
	}
	rmdir(f->dir);
}

static inline int64_t count_of(struct fixture *f, const char *sql)
{
	int64_t n = -1;
	OK(db_get_int(f->db, sql, DB_NONE, -1, &n, &diag));
	return n;
}

/* A text out of the first row; the caller frees it. */
static inline char *text_of_row(struct fixture *f, const char *sql)
{
	struct db_rows rows = db_query(f->db, sql, DB_NONE);
	char *text = db_next(&rows) ? kh_slice_dup(db_col_text(&rows, 0)) : NULL;
	OK(db_end(&rows, &diag));
	assert_non_null(text);
	return text;
}

static inline json_t *finding_json(const char *rule, const char *level, const char *host, int64_t count,
								   int64_t at_ns)
{
	return json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:[s]},s:s,s:s,s:s,s:I,s:I,s:I,s:[{s:I,s:s,s:[{s:s,s:s}]}]}",
					 "rule", "id", rule, "title", "Guessing of users", "level", level, "author", "Somebody",
					 "license", "DRL-1.1", "tags", "attack.t1110", "host", host, "address", "", "input",
					 "auth", "count", (json_int_t)count, "first_ns", (json_int_t)at_ns, "last_ns",
					 (json_int_t)at_ns, "evidence", "time_ns", (json_int_t)at_ns, "line",
					 "Invalid user admin from 203.0.113.9 http://bad.example/x", "matched", "field",
					 "message", "value", "Invalid user");
}

static inline json_t *batch_json(int64_t seq, json_t *findings)
{
	return json_pack("{s:s,s:I,s:[{s:s,s:s,s:i,s:i,s:i,s:{s:i},s:[{s:s,s:s}]}],s:o}", "boot", BOOT, "seq",
					 (json_int_t)seq, "inputs", "name", "auth", "kind", "file", "events", 10, "lines", 11,
					 "bytes", 1000, "rejected", "bad_json", 1, "samples", "reason", "bad_json", "text",
					 "{\"a\":", "findings", findings != NULL ? findings : json_array());
}

/* One finding in a batch of its own. */
static inline void see(struct fixture *f, int64_t seq, const char *rule, const char *level, const char *host,
					   int64_t now_ns)
{
	json_t *batch = batch_json(seq, json_pack("[o]", finding_json(rule, level, host, 1, now_ns - KH_SECOND)));
	json_t *answer = NULL;
	OK(intake_apply(f->d, batch, now_ns, &answer, &diag));
	assert_string_equal(json_string_value(json_object_get(answer, "status")), "stored");
	json_decref(answer);
	json_decref(batch);
}
#endif
