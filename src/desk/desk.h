/* SPDX-License-Identifier: Apache-2.0
 * desk.h - the province's affairs: who there is, what was seen, what is done about it.
 * The desk is the one writer of its database. It has no thread, no clock and no descriptor of its own: times
 * come in as now_ns, what must happen outside goes through struct desk_ports.
 * Ownership: desk_new borrows db, settings and ports for the desk's life; json_t results are new references.
 * Errors: as store/db.h; KH_ELIMIT always and only means "no space". */
#ifndef KH_DESK_DESK_H
#define KH_DESK_DESK_H
#include <jansson.h>

#include "base/slice.h"

struct db;
struct desk;

/* Sigma's levels, in order. */
enum desk_level { DESK_INFORMATIONAL, DESK_LOW, DESK_MEDIUM, DESK_HIGH, DESK_CRITICAL };

struct desk_settings {
	enum desk_level open_at; /* findings of this level and above open incidents */
	int64_t window_ns;       /* a finding seen again within this time is the same finding */
	int64_t window_max_ns;   /* but no finding gathers for longer than this */
	int64_t reminder_ns;     /* between reminders of an incident that nobody acknowledged */
	int64_t reminders_max;   /* then the parent's contacts are told too */
	int64_t mail_expiry_ns;
	uint64_t store_max_bytes; /* 0: no limit but the disk */
};

extern const struct desk_settings desk_defaults; /* high, 1 h, 24 h, 30 min, 6, 24 h, no limit */

struct desk_ports {
	void *ctx;
	/* One job for the worker; done is called once, later, with a borrowed result or an error text. */
	enum kh_err (*run_job)(void *ctx, const char *kind, struct kh_slice input,
						   void (*done)(void *arg, json_t *result, const char *error), void *arg);
	void (*rules_changed)(void *ctx);  /* send desk_rules_state to the sensors */
	void (*outbox_changed)(void *ctx); /* something may be due now */
};

/* Who does it, and from where: both go into the audit chain. */
struct desk_actor {
	const char *who;  /* "uid:0 root", "token:khien_pat_ab12", "khien" */
	const char *from; /* "local", an address */
};

/* Brings the database to this program's schema first (store/migrate.h). */
KH_MUST_USE enum kh_err desk_new(struct db *db, const struct desk_settings *settings,
								 const struct desk_ports *ports, struct desk **out, struct kh_diag *diag);
void desk_free(struct desk *d); /* NULL is allowed; the db stays open */
void desk_settings_set(struct desk *d, const struct desk_settings *settings);
KH_MUST_USE enum kh_err desk_settings_reloaded(struct desk *d, const struct desk_actor *actor,
											   const json_t *before, const json_t *after, int64_t now_ns,
											   struct kh_diag *diag); /* only the audit entry */

/* Due reminders, expired mails and mutes. Call it once a second. */
KH_MUST_USE enum kh_err desk_tick(struct desk *d, int64_t now_ns, struct kh_diag *diag);

/* One batch of a sensor in one transaction; the same (boot, seq) again changes nothing and is acknowledged
 * again. *answer is {"seq", "status": "stored"}, or "refused" with "detail" when the batch can never be taken
 * (KH_EFORMAT, or KH_ERANGE for what the
 * database refuses: the sensor drops it); NULL on KH_ELIMIT and KH_ESYS: the sensor keeps it and tries again.
 */
KH_MUST_USE enum kh_err intake_apply(struct desk *d, const json_t *batch, int64_t now_ns, json_t **answer,
									 struct kh_diag *diag);

/* What the disk of the store has free, and the least the operator wants: below it intake_apply is KH_ELIMIT.
 */
void desk_set_disk(struct desk *d, uint64_t free_bytes, uint64_t least_bytes);

/* {"disabled": [rule ids], "filters": [Sigma filter documents]} */
KH_MUST_USE enum kh_err desk_rules_state(struct desk *d, json_t **out, struct kh_diag *diag);
/* {"<input>": [{"path", "dev", "ino", "head_len", "head_hash", "offset", "lines"}]} */
KH_MUST_USE enum kh_err desk_positions(struct desk *d, json_t **out, struct kh_diag *diag);
/* What the status page says of a role, as given (NULL: it is no more): {"state": "running", "pid": 1, "rss":
 * 2, ...}. */
void desk_set_role_state(struct desk *d, const char *role, json_t *state);
#endif
