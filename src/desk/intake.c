/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/intake.h"

#include "desk/finding.h"
#include "desk/incident.h"
#include "desk/input.h"
#include "desk/mute.h"
#include "desk/own.h"

enum { MAX_FINDINGS = 65536 }; /* far above what a sensor gathers before it stops reading */

struct batch {
	const json_t *json;
	struct kh_slice boot;
	int64_t seq, now_ns;
	bool repeated;
};

/* A row per batch, not the highest number: a batch refused for want of space comes back after later ones. */
static enum kh_err claim(struct desk *d, struct batch *b, struct kh_diag *diag)
{
	KH_TRY(db_exec(
		d->db,
		"INSERT INTO batch (boot, seq, applied_ns) VALUES ($1, $2, $3) ON CONFLICT (boot, seq) DO NOTHING",
		DB_ARGS(db_text(b->boot), db_int(b->seq), db_int(b->now_ns)), diag));
	b->repeated = db_changes(d->db) == 0;
	return KH_OK;
}

static enum kh_err apply_finding(struct desk *d, const json_t *element, int64_t now_ns, struct kh_diag *diag)
{
	struct sighting s;
	struct finding_ref f;
	KH_TRY(sighting_read(d, element, now_ns, &s, diag));
	KH_TRY(mute_hits(d, &s, now_ns, &s.muted, diag));
	KH_TRY(finding_apply(d, &s, now_ns, &f, diag));
	return incident_on_finding(d, &s, &f, now_ns, diag);
}

/* The worst first: an incident then bears its name, and no second mail tells that it became worse. */
static enum kh_err apply_level(struct desk *d, const struct batch *b, enum desk_level level,
							   struct kh_diag *diag)
{
	const json_t *e;
	size_t i;
	json_array_foreach(json_object_get(b->json, "findings"), i, e)
	{
		if (finding_level(desk_get(json_object_get(e, "rule"), "level")) != level) continue;
		KH_TRY(apply_finding(d, e, b->now_ns, diag));
	}
	return KH_OK;
}

static enum kh_err apply(struct desk *d, void *arg, struct kh_diag *diag)
{
	struct batch *b = arg;
	const json_t *e;
	size_t i;
	KH_TRY(claim(d, b, diag));
	if (b->repeated) return KH_OK;
	json_array_foreach(json_object_get(b->json, "inputs"), i, e) KH_TRY(input_apply(d, e, b->now_ns, diag));
	for (int level = DESK_CRITICAL; level >= DESK_INFORMATIONAL; level--)
		KH_TRY(apply_level(d, b, (enum desk_level)level, diag));
	return KH_OK;
}

static enum kh_err read_batch(const json_t *json, int64_t now_ns, struct batch *out, struct kh_diag *diag)
{
	struct batch b = {.json = json, .now_ns = now_ns};
	b.boot = desk_get(json, "boot");
	b.seq = desk_get_count(json, "seq", -1);
	if (!kh_uuid_ok(b.boot)) return kh_say(diag, KH_EFORMAT, M_INTAKE_FIELD, "boot", NULL);
	if (b.seq < 0) return kh_say(diag, KH_EFORMAT, M_INTAKE_FIELD, "seq", NULL);
	if (json_array_size(json_object_get(json, "findings")) > MAX_FINDINGS)
		return kh_say(diag, KH_EFORMAT, M_INTAKE_FIELD, "findings", NULL);
	*out = b;
	return KH_OK;
}

static void note_stopped(struct desk *d, int64_t now_ns, const struct kh_diag *why)
{
	if (d->intake_stopped[0] == '\0') d->intake_stopped_ns = now_ns;
	snprintf(d->intake_stopped, sizeof d->intake_stopped, "%s", why->text);
}

/* KH_ENOMEM when the answer cannot be made: the batch is then stored, and its repetition is answered. */
static enum kh_err reply(json_t **answer, const json_t *batch, const char *status, const char *detail)
{
	json_t *a = json_pack("{s:I,s:s}", "seq", (json_int_t)desk_get_count(batch, "seq", 0), "status", status);
	if (a != NULL && detail != NULL) json_object_set_new(a, "detail", json_string(detail));
	*answer = a;
	return a != NULL ? KH_OK : KH_ENOMEM;
}

void desk_set_disk(struct desk *d, uint64_t free_bytes, uint64_t least_bytes)
{
	d->disk_free = free_bytes;
	d->disk_low = free_bytes < least_bytes;
}

static enum kh_err take(struct desk *d, const json_t *json, int64_t now_ns, struct kh_diag *diag)
{
	struct batch b;
	KH_TRY(read_batch(json, now_ns, &b, diag));
	if (d->disk_low) return kh_say(diag, KH_ELIMIT, M_INTAKE_DISK_LOW, KH_DEC(d->disk_free >> 20), NULL);
	KH_TRY(desk_change(d, apply, &b, diag));
	d->batches++;
	if (b.repeated)
		d->batches_repeated++;
	else
		input_count(d, json_object_get(json, "inputs"), now_ns);
	return KH_OK;
}

enum kh_err intake_apply(struct desk *d, const json_t *batch, int64_t now_ns, json_t **answer,
						 struct kh_diag *diag)
{
	struct kh_diag own = {0};
	enum kh_err err = take(d, batch, now_ns, &own);
	*answer = NULL;
	if (diag != NULL) *diag = own;
	if (err == KH_OK) {
		d->intake_stopped[0] = '\0';
		return reply(answer, batch, "stored", NULL);
	}
	if (err == KH_EFORMAT || err == KH_ERANGE) { /* no later try would do better, and all others would wait */
		d->batches_refused++;
		if (reply(answer, batch, "refused", own.text) != KH_OK) return KH_ENOMEM;
		return err;
	}
	note_stopped(d, now_ns, &own);
	return err;
}

enum kh_err intake_prune(struct desk *d, int64_t now_ns, struct kh_diag *diag)
{
	return db_exec(d->db, "DELETE FROM batch WHERE applied_ns <= $1",
				   DB_ARGS(db_int(now_ns - INTAKE_REMEMBER_NS)), diag);
}
