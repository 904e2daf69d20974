/* SPDX-License-Identifier: Apache-2.0
 * sensor.c - the sensor role: lines in, each parsed and matched once, hits gathered for the desk. */
#include "role/sensor/sensor.h"

#include <stdlib.h>

#include "base/address.h"
#include "base/log.h"
#include "base/time.h"
#include "codec/event/stamp.h"
#include "role/sensor/rules.h"
#include "role/trim.h"

enum { STATE_EVERY_TICKS = 10, MAX_ADDRESS = 64 };

/* ---- inputs and their counters ---- */

const char *sensor_reject_name(unsigned reason)
{
	if (reason == REJECT_OVERLONG) return "over_limit";
	if (reason == REJECT_FRAMING) return "bad_framing";
	return line_reason_name((enum line_reason)reason);
}

void sensor_reject(struct sensor_input *in, unsigned reason, struct kh_slice sample)
{
	in->rejected[reason]++;
	if (in->sample[reason][0] != '\0') return;
	size_t n = sample.n < SENSOR_SAMPLE ? sample.n : SENSOR_SAMPLE;
	for (size_t i = 0; i < n; i++) in->sample[reason][i] = sample.p[i] == '\0' ? '.' : (char)sample.p[i];
	in->sample[reason][n] = '\0';
}

static void settings_of(struct sensor *s, struct sensor_input *in)
{
	const struct settings_input *rows = s->p->settings->inputs.at;
	for (size_t i = 0; i < s->p->settings->inputs.n; i++) {
		if (strcmp(rows[i].name, in->name) != 0) continue;
		in->format = (enum line_format)rows[i].format;
		if (rows[i].host != NULL) snprintf(in->host, sizeof in->host, "%s", rows[i].host);
	}
}

struct sensor_input *sensor_input(struct sensor *s, const char *name, const char *kind)
{
	for (size_t i = 0; i < s->n_inputs; i++)
		if (strcmp(s->inputs[i]->name, name) == 0) return s->inputs[i];
	if (s->n_inputs == SENSOR_MAX_INPUTS) return NULL;
	struct sensor_input *in = calloc(1, sizeof *in);
	if (in == NULL) abort();
	snprintf(in->name, sizeof in->name, "%s", name);
	snprintf(in->kind, sizeof in->kind, "%s", kind);
	in->format = strncmp(kind, "syslog", 6) == 0 ? LINE_SYSLOG : LINE_AUTO;
	settings_of(s, in);
	s->inputs[s->n_inputs++] = in;
	return in;
}

/* ---- one line ---- */

struct in_hand {
	struct sensor *s;
	const struct sensor_input *in;
	struct kh_slice line;
	const char *peer;
};

/* What the event speaks of: a host by name, or an address. Some sources (Zeek, EVE) know hosts by address
 * only. */
static void entity_of(const struct in_hand *h, struct kh_slice said, char host[256],
					  char address[KH_ADDRESS_TEXT])
{
	struct kh_address a;
	struct kh_slice name = kh_slice_to(said, 255);
	host[0] = '\0';
	snprintf(address, KH_ADDRESS_TEXT, "%s", h->peer);
	if (name.n == 0 || !kh_utf8_ok(name) || memchr(name.p, '\0', name.n) != NULL) name = kh_str(h->in->host);
	if (kh_address_parse(name, &a) == KH_OK)
		kh_address_text(address, &a);
	else
		snprintf(host, 256, "%.*s", (int)name.n, name.n > 0 ? (const char *)name.p : "");
}

/* When it happened: as the event says, in whatever form, else now. */
static int64_t time_of(const struct in_hand *h, const struct sigma_facts *facts)
{
	int64_t now = kh_now_ns(), at;
	const struct settings *s = h->s->p->settings;
	if (facts->has_time) return facts->time_ns;
	const struct event_field *f = event_find(&h->s->event, "timestamp");
	return f != NULL && stamp_parse(f->value, now, s->time_zone_s, &at) == KH_OK ? at : now;
}

static void on_hit(const struct sigma_hit *hit, void *context)
{
	const struct in_hand *h = context;
	char host[256], address[KH_ADDRESS_TEXT];
	entity_of(h, hit->facts->host, host, address);
	h->s->total_hits++;
	batch_hit(h->s->batch, h->in, hit, h->line, host, address, time_of(h, hit->facts));
}

void sensor_line(struct sensor *s, struct sensor_input *in, struct kh_slice line, const char *peer)
{
	s->total_lines++;
	enum kh_err err = line_parse(s->parser, in->format, line, &s->event, NULL);
	enum line_reason reason = line_parser_reason(s->parser);
	if (reason == LINE_EMPTY) return;
	if (reason != LINE_OK) sensor_reject(in, reason, line); /* mended lines are counted too, and go on */
	if (err != KH_OK) return;
	struct in_hand h = {s, in, line, peer};
	in->events++;
	s->total_events++;
	in->last_event_ns = kh_now_ns();
	if (s->rules.engine == NULL ||
		sigma_match(s->rules.engine, s->rules.scratch, &s->event, NULL, on_hit, &h) == KH_OK)
		return;
	kh_log(KH_LOG_ERROR, "event=match_failed reason=out_of_memory");
}

/* ---- frames of the desk ---- */

static void send_state(struct sensor *s)
{
	json_t *j = json_pack("{s:O?, s:o, s:{s:I, s:I, s:I, s:I}, s:b}", "rules", s->rules.report, "hits",
						  sensor_rules_hits(&s->rules), "totals", "lines", (json_int_t)s->total_lines,
						  "events", (json_int_t)s->total_events, "hits", (json_int_t)s->total_hits,
						  "connections", (json_int_t)tcp_connections(s->tcp), "paused", (int)s->paused);
	channel_send(s->p->peers[ROLE_DESK], FRAME_SENSOR_STATE, j, -1);
}

static void load_rules(struct sensor *s, const json_t *state)
{
	struct kh_diag diag = {0};
	if (sensor_rules_load(&s->rules, s->p->settings, state, &diag) != KH_OK)
		kh_log(KH_LOG_ERROR, "event=rules_not_loaded reason=\"%s\"", diag.text); /* the old set stays */
	role_trim(); /* compiling the patterns leaves much behind */
	send_state(s);
}

static void on_resume(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	struct sensor *s = ((struct role_process *)ctx)->state;
	if (!s->resumed) { /* a desk that came back has older positions than we */
		s->resumed = true;
		tail_resume(s->tails, json_object_get(payload, "positions"));
		s->tcp = tcp_set_new(s);
		s->udp = udp_set_new(s);
	}
	load_rules(s, json_object_get(payload, "rules")); /* before the loop brings the first line */
}

static void on_rules(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	load_rules(((struct role_process *)ctx)->state, payload);
}

static void on_batch_done(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	struct role_process *p = ctx;
	struct sensor *s = p->state;
	batch_done(s->batch, payload);
	if (p->stopping && batch_empty(s->batch)) role_exit(p);
}

static const channel_table from_desk = {
	[FRAME_SENSOR_RESUME] = on_resume,
	[FRAME_SENSOR_RULES] = on_rules,
	[FRAME_BATCH_DONE] = on_batch_done,
};

/* ---- the role ---- */

static void on_tick(uv_timer_t *t)
{
	struct sensor *s = t->data;
	bool more = s->resumed && !s->p->stopping && tail_tick(s->tails);
	if (s->resumed) batch_tick(s->batch);
	if (s->resumed && ++s->ticks % STATE_EVERY_TICKS == 0) send_state(s);
	if (s->p->stopping && batch_empty(s->batch)) role_exit(s->p);
	uv_timer_start(t, on_tick, more && !s->paused ? 1 : SENSOR_TICK_MS, 0);
}

static enum kh_err start(struct role_process *p, struct kh_diag *diag)
{
	struct sensor *s = calloc(1, sizeof *s);
	if (s == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	p->state = s;
	s->p = p;
	s->parser = line_parser_new();
	s->batch = batch_new(s);
	s->tails = tail_set_new(s);
	if (s->parser == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	uv_timer_init(&p->loop, &s->tick);
	s->tick.data = s;
	uv_timer_start(&s->tick, on_tick, SENSOR_TICK_MS, 0);
	return KH_OK;
}

static void peer_came(struct role_process *p, enum role peer, const json_t *payload)
{
	(void)payload;
	struct sensor *s = p->state;
	channel_send(p->peers[peer], FRAME_SENSOR_HELLO, json_pack("{s:b}", "again", (int)s->resumed), -1);
	if (s->resumed) batch_desk_came(s->batch);
}

/* Reading ends; what was read is told to the desk before the process goes. */
static void stop(struct role_process *p)
{
	struct sensor *s = p->state;
	if (!s->resumed) {
		role_exit(p);
		return;
	}
	tcp_pause(s->tcp, true);
	udp_pause(s->udp, true);
	batch_tick(s->batch);
	if (batch_empty(s->batch)) role_exit(p);
}

static void on_file(struct role_process *p, const json_t *payload, int fd)
{
	struct sensor *s = p->state;
	tail_file(s->tails, payload, fd);
}

const struct role_ops sensor_ops = {
	.start = start,
	.peer_came = peer_came,
	.stop = stop,
	.file = on_file,
	.from_peer = {[ROLE_DESK] = &from_desk},
};
