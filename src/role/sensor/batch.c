/* SPDX-License-Identifier: Apache-2.0
 * batch.c - what the sensor tells the desk: hits gathered by (rule, host, address, input), counters, file
 * positions. One batch is under way at a time; it is kept, and sent again to a desk that came back, until the
 * desk answers. File positions travel in the batch that holds everything found up to them: both become
 * durable in one transaction. */
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/time.h"
#include "base/uuid.h"
#include "codec/event/utf8.h"
#include "role/sensor/sensor.h"

enum {
	FIRST_KEPT = 3,
	LATEST_KEPT = 2,
	MAX_SEEN = 2000,
	MAX_IN_HAND = 4096,
	MAX_LINE = 16 * 1024,
	MAX_EVIDENCE = 8 << 20
};
#define RETRY_AFTER KH_SECOND

struct seen {
	struct seen *next;
	json_t *rule; /* as the desk wants it */
	char *host, *address;
	const char *input;
	uint64_t count;
	int64_t first_ns, last_ns;
	json_t *first, *latest; /* evidence */
};

struct batch {
	struct sensor *sensor;
	char boot[KH_UUID_TEXT];
	int64_t seq;
	struct kh_map *by_key;
	struct seen *seen;
	size_t n_seen, evidence_bytes;
	json_t *under_way;
	bool refused_for_now;
	int64_t sent_ns;
};

struct batch *batch_new(struct sensor *s)
{
	struct batch *b = calloc(1, sizeof *b);
	if (b == NULL || (b->by_key = kh_map_new(MAX_SEEN + MAX_IN_HAND)) == NULL) abort();
	b->sensor = s;
	kh_uuid7(b->boot, kh_now_ns());
	return b;
}

bool batch_full(const struct batch *b)
{
	return b->n_seen >= MAX_SEEN || b->evidence_bytes >= MAX_EVIDENCE;
}

bool batch_empty(const struct batch *b)
{
	return b->seen == NULL && b->under_way == NULL;
}

/* ---- gathering ---- */

static struct seen *seen_of(struct batch *b, const struct sensor_input *in, const struct sigma_hit *hit,
							const char *host, const char *address)
{
	struct kh_buf key = KH_BUF(4096);
	char id[128];
	void **value = NULL;
	kh_buf_printf(&key, "%s%c%s%c%s%c%s", sensor_hit_rule_id(hit, id), 0x1f, host, 0x1f, address, 0x1f,
				  in->name);
	enum kh_err err = key.err == KH_OK ? kh_map_put(b->by_key, kh_buf_slice(&key), &value) : key.err;
	kh_buf_free(&key);
	if (err != KH_OK) return NULL;
	if (*value != NULL) return *value;
	struct seen *s = calloc(1, sizeof *s);
	if (s == NULL || (s->host = strdup(host)) == NULL || (s->address = strdup(address)) == NULL) abort();
	s->input = in->name;
	s->rule = sensor_hit_rule_json(hit);
	s->first = json_array();
	s->latest = json_array();
	s->next = b->seen;
	b->seen = s;
	b->n_seen++;
	*value = s;
	return s;
}

/* A line as text that JSON can carry: cut at a limit, what is not UTF-8 replaced. */
static json_t *line_text(struct kh_slice line)
{
	static uint8_t mended[3 * MAX_LINE];
	return json_stringn((const char *)mended, utf8_mend(kh_slice_to(line, MAX_LINE), mended));
}

static void keep_evidence(struct batch *b, struct seen *s, const struct sigma_hit *hit, struct kh_slice line,
						  int64_t time_ns)
{
	bool first = json_array_size(s->first) < FIRST_KEPT;
	if (b->evidence_bytes >= MAX_EVIDENCE && !first) return;
	json_t *e = json_pack("{s:I, s:o, s:o}", "time_ns", (json_int_t)time_ns, "line", line_text(line),
						  "matched", sensor_hit_matched_json(hit));
	if (e == NULL) return;
	if (first) {
		json_array_append_new(s->first, e);
	} else {
		if (json_array_size(s->latest) == LATEST_KEPT) json_array_remove(s->latest, 0);
		json_array_append_new(s->latest, e);
	}
	b->evidence_bytes += line.n < MAX_LINE ? line.n : MAX_LINE;
}

static void pause_or_go_on(struct batch *b, bool pause)
{
	struct sensor *s = b->sensor;
	if (s->paused == pause) return;
	s->paused = pause;
	tcp_pause(s->tcp, pause);
	udp_pause(s->udp, pause);
	kh_log(KH_LOG_NOTICE, "event=intake state=%s", pause ? "paused" : "running");
}

void batch_hit(struct batch *b, const struct sensor_input *in, const struct sigma_hit *hit,
			   struct kh_slice line, const char *host, const char *address, int64_t time_ns)
{
	struct seen *s = seen_of(b, in, hit, host, address);
	if (batch_full(b)) pause_or_go_on(b, true); /* nobody reads on; what is in hand still finds its place */
	if (s == NULL) {
		kh_log(KH_LOG_WARNING, "event=finding_dropped reason=too_many");
		return;
	}
	if (s->count++ == 0 || time_ns < s->first_ns) s->first_ns = time_ns;
	if (time_ns > s->last_ns) s->last_ns = time_ns;
	keep_evidence(b, s, hit, line, time_ns);
}

/* ---- building ---- */

static json_t *findings_of(struct batch *b)
{
	json_t *all = json_array();
	while (b->seen != NULL) {
		struct seen *s = b->seen;
		b->seen = s->next;
		json_array_extend(s->first, s->latest);
		json_array_append_new(all,
							  json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:o}", "rule", s->rule, "host",
										s->host, "address", s->address, "input", s->input, "count",
										(json_int_t)s->count, "first_ns", (json_int_t)s->first_ns, "last_ns",
										(json_int_t)s->last_ns, "evidence", s->first));
		json_decref(s->latest);
		free(s->host);
		free(s->address);
		free(s);
	}
	kh_map_clear(b->by_key);
	b->n_seen = b->evidence_bytes = 0;
	return all;
}

static void rejects_of(struct sensor_input *in, json_t *to)
{
	json_t *rejected = json_object(), *samples = json_array();
	for (unsigned r = 0; r < N_REJECTS; r++) {
		if (in->rejected[r] > 0)
			json_object_set_new(rejected, sensor_reject_name(r), json_integer((json_int_t)in->rejected[r]));
		if (in->sample[r][0] != '\0')
			json_array_append_new(samples, json_pack("{s:s, s:o}", "reason", sensor_reject_name(r), "text",
													 line_text(kh_str(in->sample[r]))));
		in->rejected[r] = 0;
		in->sample[r][0] = '\0';
	}
	if (in->kernel_drops > 0)
		json_object_set_new(rejected, "kernel_drop", json_integer((json_int_t)in->kernel_drops));
	if (in->refused_connections > 0)
		json_object_set_new(rejected, "too_many_connections",
							json_integer((json_int_t)in->refused_connections));
	in->kernel_drops = in->refused_connections = 0;
	json_object_set_new(to, "rejected", rejected);
	json_object_set_new(to, "samples", samples);
}

/* What changed at one input since the last batch, or NULL. */
static json_t *input_of(struct sensor *s, struct sensor_input *in)
{
	json_t *files = tail_positions(s->tails, in->name);
	bool rejected = in->kernel_drops > 0 || in->refused_connections > 0;
	for (unsigned r = 0; r < N_REJECTS; r++) rejected = rejected || in->rejected[r] > 0;
	if (files == NULL && in->lines == 0 && !rejected) return NULL;
	json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "name", in->name, "kind", in->kind, "events",
						  (json_int_t)in->events, "lines", (json_int_t)in->lines, "bytes",
						  (json_int_t)in->bytes, "last_event_ns", (json_int_t)in->last_event_ns);
	rejects_of(in, j);
	if (files != NULL) json_object_set_new(j, "files", files);
	in->events = in->lines = in->bytes = 0;
	return j;
}

static json_t *build(struct batch *b)
{
	struct sensor *s = b->sensor;
	json_t *inputs = json_array();
	for (size_t i = 0; i < s->n_inputs; i++) {
		json_t *j = input_of(s, s->inputs[i]);
		if (j != NULL) json_array_append_new(inputs, j);
	}
	json_t *findings = findings_of(b);
	if (json_array_size(inputs) == 0 && json_array_size(findings) == 0) {
		json_decref(inputs);
		json_decref(findings);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:o, s:o}", "boot", b->boot, "seq", (json_int_t)++b->seq, "inputs", inputs,
					 "findings", findings);
}

/* ---- sending ---- */

static void send_batch(struct batch *b)
{
	b->sent_ns = kh_mono_ns();
	b->refused_for_now = false;
	channel_send(b->sensor->p->peers[ROLE_DESK], FRAME_BATCH, json_incref(b->under_way), -1);
}

void batch_tick(struct batch *b)
{
	if (b->under_way == NULL && (b->under_way = build(b)) != NULL) send_batch(b);
	if (b->refused_for_now && kh_mono_ns() - b->sent_ns > RETRY_AFTER) send_batch(b);
	if (batch_full(b)) pause_or_go_on(b, true);
}

void batch_desk_came(struct batch *b)
{
	if (b->under_way != NULL) send_batch(b);
}

void batch_done(struct batch *b, const json_t *answer)
{
	const char *status = json_text(answer, "status", "");
	if (b->under_way == NULL || json_int(answer, "seq", 0) != b->seq) return;
	if (strcmp(status, "later") ==
		0) { /* no space, or the store is away: nothing was lost, nothing more is read */
		b->refused_for_now = true;
		pause_or_go_on(b, true);
		return;
	}
	if (strcmp(status, "stored") != 0)
		kh_log(KH_LOG_ERROR, "event=batch_refused seq=%lld reason=\"%s\"", (long long)b->seq,
			   json_text(answer, "detail", ""));
	json_decref(b->under_way);
	b->under_way = NULL;
	if (batch_full(b)) batch_tick(b); /* work is waiting: no need to wait for the tick */
	pause_or_go_on(b, batch_full(b));
}
