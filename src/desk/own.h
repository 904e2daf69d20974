/* SPDX-License-Identifier: Apache-2.0
 * own.h - what the desk's own files share and nobody outside sees. */
#ifndef KH_DESK_OWN_H
#define KH_DESK_OWN_H
#include "base/buf.h"
#include "base/message.h"
#include "base/time.h"
#include "base/uuid.h"
#include "desk/desk.h"
#include "desk/resolve.h"
#include "store/db.h"

struct pending;

struct desk {
	struct db *db;
	struct desk_settings settings;
	struct desk_ports ports;
	struct resolver *places;  /* rebuilt when organisations, systems or assets change */
	struct pending *pending;  /* calls that wait for a worker (api_change.c) */
	json_t *rates;            /* input -> {"at_ns", "rate": events a second, as a real} */
	json_t *roles;            /* name -> state, as told by the role that watches them */
	char intake_stopped[400]; /* why nothing is taken in; empty: it runs */
	int64_t intake_stopped_ns;
	int64_t batches, batches_repeated, batches_refused; /* since start */
	bool outbox_touched;                                /* a mail was queued in this transaction */
	bool rules_touched;
	bool places_touched;
	int64_t started_ns;
	bool disk_low; /* less than the operator wants free: nothing is taken in */
	uint64_t disk_free;
};

/* Calls that wait for a worker get no answer any more; their jobs may still end. */
void desk_forget_pending(struct desk *d);

/* Who acts when nobody does: the desk itself. */
extern const struct desk_actor desk_self;

/* One change: begin, fn, commit; then the ports are told what was touched. On any error nothing happened. */
KH_MUST_USE enum kh_err desk_change(struct desk *d,
									enum kh_err (*fn)(struct desk *d, void *arg, struct kh_diag *), void *arg,
									struct kh_diag *diag);
/* The same in two halves, for callers that do not fit one function. */
KH_MUST_USE enum kh_err desk_begin(struct desk *d, struct kh_diag *diag);
KH_MUST_USE enum kh_err desk_finish(struct desk *d, enum kh_err so_far, struct kh_diag *diag);

/* Rows of a query as JSON objects, keys = column names; a column named x_ns becomes "x" in RFC 3339. */
KH_MUST_USE enum kh_err desk_rows(struct desk *d, const char *sql, struct db_args args, json_t **out,
								  struct kh_diag *diag);
/* The first row, or NULL in *out when there is none. */
KH_MUST_USE enum kh_err desk_row(struct desk *d, const char *sql, struct db_args args, json_t **out,
								 struct kh_diag *diag);
json_t *desk_row_json(const struct db_rows *rows);

/* UTF-8 for the database and for people: NUL and other control characters become visible signs, cut to `most`
 * bytes at a whole character. Added to `out`. */
void desk_clean(struct kh_buf *out, struct kh_slice text, size_t most, bool keep_newlines);

/* Borrowed slice of a string member; empty when it is missing or no string. */
struct kh_slice desk_get(const json_t *object, const char *key);
/* Non-negative integer member; `fallback` when it is missing or none. */
int64_t desk_get_count(const json_t *object, const char *key, int64_t fallback);
/* What is added to a counter: a count, at most 10^12, so that no sum of ours runs over. */
int64_t desk_get_delta(const json_t *object, const char *key, int64_t fallback);
#endif
