/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "codec/syslog/framer.h"
#include "role/sensor/sensor.h"

enum { PIECE = 64 * 1024, A_TURN = 8 };

struct tcp_listener {
	uv_poll_t poll;
	struct tcp_set *set;
	struct sensor_input *input;
	int fd;
};

struct tcp_connection {
	struct tcp_connection *next, **at; /* `at` is what points here */
	uv_poll_t poll;
	struct tcp_set *set;
	struct sensor_input *input;
	struct syslog_framer *framer;
	struct syslog_framer_counts counted; /* already in the input's counters */
	int fd;
	char peer[KH_ADDRESS_TEXT];
};

struct tcp_set {
	struct sensor *sensor;
	struct tcp_listener listeners[ROLE_MAX_LISTENERS];
	size_t n_listeners, n_connections;
	struct tcp_connection *first;
	uint8_t piece[PIECE];
};

size_t tcp_connections(const struct tcp_set *t)
{
	return t != NULL ? t->n_connections : 0; /* the state is told before the sockets are there */
}

static enum kh_err on_message(void *context, struct kh_slice message)
{
	struct tcp_connection *c = context;
	c->input->lines++;
	sensor_line(c->set->sensor, c->input, message, c->peer);
	return KH_OK;
}

static void count(struct tcp_connection *c)
{
	struct syslog_framer_counts now = syslog_framer_counts(c->framer);
	for (uint64_t n = now.n_too_long - c->counted.n_too_long; n > 0; n--)
		sensor_reject(c->input, REJECT_OVERLONG, (struct kh_slice){0});
	uint64_t bad = now.n_bad_count + now.n_cut - c->counted.n_bad_count - c->counted.n_cut;
	for (; bad > 0; bad--) sensor_reject(c->input, REJECT_FRAMING, (struct kh_slice){0});
	c->counted = now;
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void hang_up(struct tcp_connection *c)
{
	if (syslog_framer_end(c->framer, on_message, c) == KH_OK) count(c);
	syslog_framer_free(c->framer);
	*c->at = c->next;
	if (c->next != NULL) c->next->at = c->at;
	c->set->n_connections--;
	uv_poll_stop(&c->poll);
	close(c->fd);
	uv_close((uv_handle_t *)&c->poll, on_closed);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct tcp_connection *c = poll->data;
	struct tcp_set *t = c->set;
	for (int i = 0; i < A_TURN && status == 0; i++) {
		ssize_t n = recv(c->fd, t->piece, PIECE, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
		if (n <= 0 ||
			syslog_framer_feed(c->framer, (struct kh_slice){t->piece, (size_t)n}, on_message, c) != KH_OK) {
			status = -1;
			break;
		}
		c->input->bytes += (uint64_t)n;
		count(c);
		if (t->sensor->paused || n < PIECE) return;
	}
	if (status < 0) hang_up(c);
}

static void peer_of(int fd, char out[KH_ADDRESS_TEXT])
{
	struct sockaddr_storage from = {0};
	socklen_t n = sizeof from;
	struct kh_address a = {{[10] = 0xff, [11] = 0xff}};
	getpeername(fd, (struct sockaddr *)&from, &n);
	if (from.ss_family == AF_INET)
		memcpy(a.b + 12, &((const struct sockaddr_in *)&from)->sin_addr, 4);
	else
		memcpy(a.b, &((const struct sockaddr_in6 *)&from)->sin6_addr, 16);
	kh_address_text(out, &a);
}

static void welcome(struct tcp_listener *l, int fd)
{
	struct tcp_set *t = l->set;
	const int on = 1;
	struct tcp_connection *c = calloc(1, sizeof *c);
	struct syslog_framer *framer = syslog_framer_new(t->sensor->p->settings->syslog.max_line);
	if (c == NULL || framer == NULL || uv_poll_init(&t->sensor->p->loop, &c->poll, fd) != 0) {
		syslog_framer_free(framer);
		free(c);
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on,
			   sizeof on); /* senders that vanish do not hold a place for ever */
	c->set = t;
	c->input = l->input;
	c->framer = framer;
	c->fd = fd;
	c->poll.data = c;
	peer_of(fd, c->peer);
	c->next = t->first;
	c->at = &t->first;
	if (c->next != NULL) c->next->at = &c->next;
	t->first = c;
	t->n_connections++;
	if (!t->sensor->paused) uv_poll_start(&c->poll, UV_READABLE, on_readable);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct tcp_listener *l = poll->data;
	for (int i = 0; i < 64 && status == 0; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) return;
		if (l->set->n_connections < l->set->sensor->p->settings->syslog.max_connections) {
			welcome(l, fd);
			continue;
		}
		l->input->refused_connections++;
		close(fd);
	}
}

static void watch(uv_poll_t *poll, bool paused, uv_poll_cb cb)
{
	if (paused)
		uv_poll_stop(poll);
	else
		uv_poll_start(poll, UV_READABLE, cb);
}

void tcp_pause(struct tcp_set *t, bool paused)
{
	for (size_t i = 0; i < t->n_listeners; i++) watch(&t->listeners[i].poll, paused, on_connection);
	for (struct tcp_connection *c = t->first; c != NULL; c = c->next) watch(&c->poll, paused, on_readable);
}

struct tcp_set *tcp_set_new(struct sensor *s)
{
	struct tcp_set *t = calloc(1, sizeof *t);
	if (t == NULL) abort();
	t->sensor = s;
	for (size_t i = 0; i < s->p->n_listeners; i++) {
		const struct role_listener *from = &s->p->listeners[i];
		char name[128];
		if (strcmp(from->purpose, "syslog.tcp") != 0) continue;
		struct tcp_listener *l = &t->listeners[t->n_listeners];
		snprintf(name, sizeof name, "tcp:%s", from->address);
		*l = (struct tcp_listener){.set = t, .fd = from->fd, .input = sensor_input(s, name, "syslog.tcp")};
		if (l->input == NULL || uv_poll_init(&s->p->loop, &l->poll, l->fd) != 0) continue;
		l->poll.data = l;
		t->n_listeners++;
	}
	tcp_pause(t, s->paused);
	return t;
}
