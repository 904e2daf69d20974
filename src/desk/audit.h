/* SPDX-License-Identifier: Apache-2.0
 * audit.h - who did what: an append-only chain of records.
 * A record is canonical JSON (keys sorted, no blanks, integers only: the part of RFC 8785 that we need) of
 * action, actor, after, at_ns, before, from, n, object, prev; its hash is SHA-256 over those bytes, and prev
 * is the hash of the record before it. The first record's prev is 64 zeros. The chain's end is kept in a
 * second table, so that a cut-off tail is seen; who can rewrite both tables and every later record is seen
 * only by a copy of the head kept elsewhere. Cost: verifying reads every record once. */
#ifndef KH_DESK_AUDIT_H
#define KH_DESK_AUDIT_H
#include "desk/desk.h"

struct db;

struct audit_entry {
	const char *action;           /* "mute.create" */
	const char *object;           /* "mute:<id>" */
	const json_t *before, *after; /* NULL: null */
};

struct audit_report {
	int64_t n_ok;      /* records from the start that hold */
	int64_t first_bad; /* number of the first that does not; 0: all hold */
	int64_t at_ns;     /* the time it bears */
	char head[65];     /* hash of the last record that holds */
};

/* Within the caller's transaction. */
KH_MUST_USE enum kh_err audit_add(struct db *db, const struct desk_actor *actor,
								  const struct audit_entry *entry, int64_t now_ns, struct kh_diag *diag);
/* KH_EFORMAT and a text that names the record, when one was altered, removed or added; *out is filled then
 * too. */
KH_MUST_USE enum kh_err audit_verify(struct db *db, struct audit_report *out, struct kh_diag *diag);
#endif
