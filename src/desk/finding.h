/* SPDX-License-Identifier: Apache-2.0
 * finding.h - what a detector saw, gathered: one row a rule, entity and organisation within a sliding window.
 * The window runs on the desk's clock, because event times are the sender's word: a log with jumping times
 * must not make a mail a line. Kept as evidence: the first three events and the latest two. */
#ifndef KH_DESK_FINDING_H
#define KH_DESK_FINDING_H
#include <jansson.h>

#include "base/uuid.h"
#include "desk/desk.h"
#include "desk/resolve.h"

enum { FINDING_ENTITY = 300, FINDING_FIRST = 3, FINDING_LATEST = 2, FINDING_LINE = 8192 };

/* One element of a batch's "findings", checked; slices point into the batch. */
struct sighting {
	struct kh_slice rule_id, title, level, author, license, version, file;
	struct kh_slice host, address, input;
	const json_t *tags, *evidence;
	char entity[FINDING_ENTITY]; /* "host:web01.example.vn" or "address:192.0.2.5" */
	char group[65];
	struct place place;
	int64_t count, first_ns, last_ns;
	bool muted;
};

struct finding_ref {
	char id[KH_UUID_TEXT];
	bool is_new;
};

/* KH_EFORMAT names what is wrong with the element. */
KH_MUST_USE enum kh_err sighting_read(struct desk *d, const json_t *element, int64_t now_ns,
									  struct sighting *out, struct kh_diag *diag);
/* Within the caller's transaction. */
KH_MUST_USE enum kh_err finding_apply(struct desk *d, const struct sighting *s, int64_t now_ns,
									  struct finding_ref *out, struct kh_diag *diag);
/* A level that Sigma does not know counts as informational. */
enum desk_level finding_level(struct kh_slice level);
const char *finding_level_name(enum desk_level level);
/* {"finding": {...}, "evidence": [...]}; NULL in *out when there is none. */
KH_MUST_USE enum kh_err finding_show(struct desk *d, const char *id, json_t **out, struct kh_diag *diag);
#endif
