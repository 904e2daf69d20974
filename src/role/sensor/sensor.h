/* SPDX-License-Identifier: Apache-2.0
 * sensor.h - inside the sensor role: sockets and files bring lines (udp.c, tcp.c, tail.c); sensor.c parses
 * and matches each once; batch.c gathers what is worth telling the desk and keeps it until the desk says it
 * is durable. One thread, one loop. While the desk cannot take more (disk full, away), `paused` is set and
 * nobody reads: TCP senders and files wait, UDP is dropped by the kernel, which counts it. */
#ifndef KH_ROLE_SENSOR_H
#define KH_ROLE_SENSOR_H
#include "codec/line/line.h"
#include "role/process.h"
#include "role/sensor/rules.h"

enum { SENSOR_SAMPLE = 200, SENSOR_MAX_INPUTS = 256, SENSOR_TICK_MS = 200 };

enum reject {
	/* the first ones are line.h's reasons, in its order */
	REJECT_OVERLONG = LINE_N_REASONS, /* longer than syslog.max_line: never whole in memory */
	REJECT_FRAMING,
	N_REJECTS
};

/* One named source of lines; the counters are what the desk has not been told yet. */
struct sensor_input {
	char name[64], kind[16], host[256];
	enum line_format format;
	uint64_t events, lines, bytes, kernel_drops, refused_connections;
	int64_t last_event_ns;
	uint64_t rejected[N_REJECTS];
	char sample[N_REJECTS][SENSOR_SAMPLE + 1]; /* "" when there is none since the last batch */
};

struct tail_set;
struct tcp_set;
struct udp_set;
struct batch;

struct sensor {
	struct role_process *p;
	struct line_parser *parser;
	struct event event;
	struct sensor_rules rules;
	struct sensor_input *inputs[SENSOR_MAX_INPUTS];
	size_t n_inputs;
	struct batch *batch;
	struct tail_set *tails;
	struct tcp_set *tcp;
	struct udp_set *udp;
	uv_timer_t tick;
	bool resumed, paused;
	uint64_t total_events, total_lines, total_hits, ticks;
};

struct sensor_input *sensor_input(struct sensor *s, const char *name,
								  const char *kind); /* found or made; NULL at the limit */
/* One line (without its end) from `peer` (text, "" for files). */
void sensor_line(struct sensor *s, struct sensor_input *in, struct kh_slice line, const char *peer);
void sensor_reject(struct sensor_input *in, unsigned reason, struct kh_slice sample);
const char *sensor_reject_name(unsigned reason);

/* batch.c */
struct batch *batch_new(struct sensor *s);
void batch_hit(struct batch *b, const struct sensor_input *in, const struct sigma_hit *hit,
			   struct kh_slice line, const char *host, const char *address, int64_t time_ns);
void batch_tick(struct batch *b);      /* builds and sends when there is something and nothing is under way */
void batch_desk_came(struct batch *b); /* sends again what was not confirmed */
void batch_done(struct batch *b, const json_t *answer);
bool batch_full(const struct batch *b);  /* the desk is behind: stop reading */
bool batch_empty(const struct batch *b); /* nothing gathered, nothing under way */

/* tail.c: followed files */
struct tail_set *tail_set_new(struct sensor *s);
void tail_resume(struct tail_set *t, const json_t *positions); /* saved positions: before the first read */
void tail_file(struct tail_set *t, const json_t *payload, int fd);
bool tail_tick(struct tail_set *t); /* true when there is more to read at once */
/* The positions of one input's files that moved since they were last told, or NULL; marks them told. */
json_t *tail_positions(struct tail_set *t, const char *input);

/* tcp.c, udp.c: syslog listeners */
struct tcp_set *tcp_set_new(struct sensor *s);
void tcp_pause(struct tcp_set *t, bool paused);
size_t tcp_connections(const struct tcp_set *t);
struct udp_set *udp_set_new(struct sensor *s);
void udp_pause(struct udp_set *u, bool paused);
#endif
