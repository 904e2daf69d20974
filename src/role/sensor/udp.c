/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "role/sensor/sensor.h"

enum { BATCH = 32, A_TURN = 64, DATAGRAM = 65536 }; /* a UDP payload ends at 65,507 bytes */

struct udp_socket {
	uv_poll_t poll;
	struct udp_set *set;
	struct sensor_input *input;
	int fd;
	uint32_t overflow; /* the kernel's count of drops, since the socket was opened */
	bool overflow_known;
};

struct udp_set {
	struct sensor *sensor;
	struct udp_socket at[ROLE_MAX_LISTENERS];
	size_t n;
	uint8_t *bytes; /* BATCH datagrams */
};

/* A mapped IPv4 address is shown as IPv4. */
static void peer_text(const struct sockaddr_storage *from, char out[KH_ADDRESS_TEXT])
{
	struct kh_address a = {{[10] = 0xff, [11] = 0xff}};
	if (from->ss_family == AF_INET)
		memcpy(a.b + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	else
		memcpy(a.b, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	kh_address_text(out, &a);
}

static void count_drops(struct udp_socket *s, struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		uint32_t now;
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SO_RXQ_OVFL) continue;
		memcpy(&now, CMSG_DATA(h), sizeof now);
		if (s->overflow_known)
			s->input->kernel_drops += (uint32_t)(now - s->overflow);
		else if (now > 0)
			s->input->kernel_drops += now;
		s->overflow = now;
		s->overflow_known = true;
	}
}

static void take(struct udp_socket *s, struct msghdr *m, size_t n, const struct sockaddr_storage *from,
				 bool cut)
{
	struct kh_slice line = {m->msg_iov->iov_base, n};
	char peer[KH_ADDRESS_TEXT];
	peer_text(from, peer);
	count_drops(s, m);
	s->input->lines++;
	s->input->bytes += n;
	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\0'))
		line.n--; /* some senders end with NUL */
	if (cut || line.n > s->set->sensor->p->settings->syslog.max_line)
		sensor_reject(s->input, REJECT_OVERLONG, line);
	else
		sensor_line(s->set->sensor, s->input, line, peer);
}

/* How many datagrams came. */
static int receive(struct udp_socket *s)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage from[BATCH];
	alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(sizeof(uint32_t))];
	memset(m, 0, sizeof m);
	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){s->set->bytes + i * DATAGRAM, DATAGRAM};
		m[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
									   .msg_namelen = sizeof from[i],
									   .msg_iov = &iov[i],
									   .msg_iovlen = 1,
									   .msg_control = control[i],
									   .msg_controllen = sizeof control[i]};
	}
	int n = recvmmsg(s->fd, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		take(s, &m[i].msg_hdr, m[i].msg_len, &from[i], (m[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
	return n;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct udp_socket *s = poll->data;
	if (status < 0) return;
	for (int i = 0; i < A_TURN && !s->set->sensor->paused && receive(s) == BATCH; i++) continue;
}

void udp_pause(struct udp_set *u, bool paused)
{
	for (size_t i = 0; i < u->n; i++) {
		if (paused)
			uv_poll_stop(&u->at[i].poll);
		else
			uv_poll_start(&u->at[i].poll, UV_READABLE, on_readable);
	}
}

struct udp_set *udp_set_new(struct sensor *s)
{
	struct udp_set *u = calloc(1, sizeof *u);
	if (u == NULL || (u->bytes = malloc((size_t)BATCH * DATAGRAM)) == NULL) abort();
	u->sensor = s;
	for (size_t i = 0; i < s->p->n_listeners; i++) {
		const struct role_listener *l = &s->p->listeners[i];
		char name[128];
		if (strcmp(l->purpose, "syslog.udp") != 0) continue;
		struct udp_socket *to = &u->at[u->n];
		snprintf(name, sizeof name, "udp:%s", l->address);
		*to = (struct udp_socket){.set = u, .fd = l->fd, .input = sensor_input(s, name, "syslog.udp")};
		if (to->input == NULL || uv_poll_init(&s->p->loop, &to->poll, l->fd) != 0) continue;
		to->poll.data = to;
		u->n++;
	}
	udp_pause(u, false);
	return u;
}
