/* SPDX-License-Identifier: Apache-2.0 */
#include "role/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"

enum {
	FLAG_MEMORY = 1,
	FLAG_FD = 2,
	MAX_FDS = 2,
	SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
};

struct header {
	uint32_t length;
	uint16_t message, flags;
};

struct frame {
	struct frame *next;
	int fds[MAX_FDS];
	size_t n_fds, len;
	char bytes[]; /* header and inline payload */
};

struct channel {
	uv_poll_t poll;
	int fd;
	enum role self, peer;
	const channel_table *handlers;
	void (*on_close)(void *ctx, struct channel *c);
	void *ctx;
	struct frame *first, **last;
	size_t queued;
	bool closing, told;
	char in[sizeof(struct header) + CHANNEL_INLINE];
};

int channel_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR) continue;
		if (done <= 0) return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int channel_memory(const void *bytes, size_t n)
{
	int fd = memfd_create("frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) return -1;
	if (write_all(fd, bytes, n) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0) return fd;
	close(fd);
	return -1;
}

enum kh_err channel_memory_map(int fd, size_t max, void **p, size_t *n)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0) return KH_EFORMAT;
	if (st.st_size < 0 || (size_t)st.st_size > max) return KH_ELIMIT;
	*n = (size_t)st.st_size;
	*p = NULL;
	if (*n == 0) return KH_OK;
	void *at = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED) return KH_ENOMEM;
	*p = at;
	return KH_OK;
}

static void frame_free(struct frame *f)
{
	for (size_t i = 0; i < f->n_fds; i++) close(f->fds[i]);
	free(f);
}

static void drop_queue(struct channel *c)
{
	while (c->first != NULL) {
		struct frame *f = c->first;
		c->first = f->next;
		frame_free(f);
	}
	c->last = &c->first;
	c->queued = 0;
}

static void on_poll_closed(uv_handle_t *h)
{
	free(h->data);
}

void channel_free(struct channel *c)
{
	if (c == NULL || c->closing) return;
	c->closing = true;
	drop_queue(c);
	uv_poll_stop(&c->poll);
	close(c->fd);
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

static void lost(struct channel *c, const char *why)
{
	if (c->closing || c->told) return;
	c->told = true;
	uv_poll_stop(&c->poll);
	kh_log(KH_LOG_INFO, "event=channel_closed peer=%s why=%s", role_names[c->peer], why);
	if (c->on_close != NULL) c->on_close(c->ctx, c);
}

/* 1 sent, 0 the peer's buffer is full, -1 broken. */
static int send_frame(struct channel *c, const struct frame *f)
{
	struct iovec iov = {.iov_base = (char *)(uintptr_t)f->bytes, .iov_len = f->len};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control = {0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	if (f->n_fds > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * f->n_fds);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int) * f->n_fds);
		memcpy(CMSG_DATA(h), f->fds, sizeof(int) * f->n_fds);
	}
	for (;;) {
		if (sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 1;
		if (errno == EINTR) continue;
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
	}
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct channel *c)
{
	if (!c->told && !c->closing)
		uv_poll_start(&c->poll, UV_READABLE | (c->first != NULL ? UV_WRITABLE : 0), on_ready);
}

static int push(struct channel *c)
{
	while (c->first != NULL) {
		struct frame *f = c->first;
		int sent = send_frame(c, f);
		if (sent <= 0) return sent;
		c->first = f->next;
		if (c->first == NULL) c->last = &c->first;
		c->queued -= f->len;
		frame_free(f);
	}
	return 0;
}

static struct frame *frame_of(enum message id, const char *text, size_t n, int fd)
{
	bool large = n > CHANNEL_INLINE;
	struct frame *f = malloc(sizeof *f + sizeof(struct header) + (large ? 0 : n));
	if (f == NULL) return NULL;
	struct header h = {(uint32_t)n, (uint16_t)id,
					   (uint16_t)((large ? FLAG_MEMORY : 0) | (fd >= 0 ? FLAG_FD : 0))};
	*f = (struct frame){.len = sizeof h + (large ? 0 : n)};
	memcpy(f->bytes, &h, sizeof h);
	if (!large) memcpy(f->bytes + sizeof h, text, n);
	if (large) {
		int memory = channel_memory(text, n);
		if (memory < 0) {
			free(f);
			return NULL;
		}
		f->fds[f->n_fds++] = memory;
	}
	if (fd >= 0) f->fds[f->n_fds++] = fd;
	return f;
}

static enum kh_err enqueue(struct channel *c, enum message id, const char *text, int fd)
{
	size_t n = text != NULL ? strlen(text) : 0;
	if (text == NULL) return KH_ENOMEM;
	if (!message_allowed(id, c->self, c->peer, n)) return KH_ELIMIT;
	if (c->queued + n > CHANNEL_QUEUE) return KH_ELIMIT;
	struct frame *f = frame_of(id, text, n, fd);
	if (f == NULL) return KH_ENOMEM;
	*c->last = f;
	c->last = &f->next;
	c->queued += f->len;
	return KH_OK;
}

enum kh_err channel_send(struct channel *c, enum message id, json_t *payload, int fd)
{
	enum kh_err err = KH_ESYS;
	if (c != NULL && !c->told && !c->closing) {
		char *text = json_dumps(payload, JSON_COMPACT);
		err = enqueue(c, id, text, fd);
		free(text);
	}
	json_decref(payload);
	if (err != KH_OK) {
		if (fd >= 0) close(fd);
		if (err != KH_ESYS)
			kh_log(KH_LOG_WARNING, "event=frame_not_sent message=%s err=%d", message_rows[id].name, (int)err);
		return err;
	}
	push(c); /* a broken pipe is seen by the reader */
	watch(c);
	return KH_OK;
}

enum role channel_peer(const struct channel *c)
{
	return c->peer;
}

size_t channel_queued(const struct channel *c)
{
	return c->queued;
}

void channel_flush(struct channel *c, int timeout_ms)
{
	int64_t end = kh_mono_ns() + timeout_ms * (KH_SECOND / 1000);
	while (c != NULL && !c->told && !c->closing && push(c) == 0 && c->first != NULL && kh_mono_ns() < end) {
		struct pollfd p = {.fd = c->fd, .events = POLLOUT};
		poll(&p, 1, 20);
	}
}

/* ---- receiving ---- */

struct received {
	struct header header;
	int fds[MAX_FDS];
	size_t n_fds, len;
};

static void take_fds(struct msghdr *m, struct received *r)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (r->n_fds < MAX_FDS)
				r->fds[r->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

/* 1 a packet, 0 nothing now, -1 the peer is gone. */
static int receive(struct channel *c, struct received *r)
{
	struct iovec iov = {.iov_base = c->in, .iov_len = sizeof c->in};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
	*r = (struct received){.len = (size_t)n};
	take_fds(&m, r);
	if (n == 0) return -1;
	if (r->len >= sizeof r->header) memcpy(&r->header, c->in, sizeof r->header);
	return 1;
}

static json_t *payload_of(struct channel *c, const struct received *r)
{
	size_t n = r->header.length;
	if ((r->header.flags & FLAG_MEMORY) == 0)
		return json_loadb(c->in + sizeof r->header, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	void *at;
	size_t len;
	if (channel_memory_map(r->fds[0], n, &at, &len) != KH_OK) return NULL;
	json_t *j = len == n ? json_loadb(at, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL) : NULL;
	if (len > 0) munmap(at, len);
	return j;
}

/* Why the frame must not be handled, or NULL. */
static const char *fault(const struct channel *c, const struct received *r)
{
	const struct header *h = &r->header;
	if (r->len < sizeof *h || h->message >= N_FRAMES) return "no_such_message";
	bool large = (h->flags & FLAG_MEMORY) != 0, with_fd = (h->flags & FLAG_FD) != 0;
	if (r->len != sizeof *h + (large ? 0 : h->length)) return "length";
	if (r->n_fds != (size_t)large + (size_t)with_fd) return "descriptors";
	if (message_rows[h->message].with_fd != with_fd) return "descriptor";
	if (!message_allowed((enum message)h->message, c->peer, c->self, h->length)) return "not_allowed";
	return (*c->handlers)[h->message] == NULL ? "no_handler" : NULL;
}

static bool handle(struct channel *c, struct received *r)
{
	const char *why = fault(c, r);
	json_t *payload = why == NULL ? payload_of(c, r) : NULL;
	bool large = (r->header.flags & FLAG_MEMORY) != 0;
	if (why == NULL && !json_is_object(payload)) why = "not_json";
	size_t first_kept = why == NULL ? (large ? 1 : 0) : r->n_fds;
	for (size_t i = 0; i < first_kept && i < r->n_fds; i++) close(r->fds[i]);
	if (why == NULL) {
		(*c->handlers)[r->header.message](c->ctx, c, payload,
										  r->n_fds > first_kept ? r->fds[first_kept] : -1);
	} else {
		kh_log(KH_LOG_ERROR, "event=frame_refused peer=%s message=%u why=%s", role_names[c->peer],
			   r->header.message, why);
	}
	json_decref(payload);
	return why == NULL;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct channel *c = poll->data;
	if (status < 0) {
		lost(c, uv_err_name(status));
		return;
	}
	if ((events & UV_WRITABLE) != 0 && push(c) < 0) {
		lost(c, "broken");
		return;
	}
	for (int i = 0; i < 64 && (events & UV_READABLE) != 0 && !c->closing && !c->told; i++) {
		struct received r;
		int got = receive(c, &r);
		if (got == 0) break;
		if (got < 0 || !handle(c, &r)) {
			lost(c, got < 0 ? "gone" : "refused");
			return;
		}
	}
	watch(c);
}

struct channel *channel_new(uv_loop_t *loop, int fd, enum role self, enum role peer,
							const channel_table *handlers, void (*on_close)(void *ctx, struct channel *c),
							void *ctx)
{
	struct channel *c = calloc(1, sizeof *c);
	if (c == NULL) return NULL;
	c->fd = fd;
	c->self = self;
	c->peer = peer;
	c->handlers = handlers;
	c->on_close = on_close;
	c->ctx = ctx;
	c->last = &c->first;
	c->poll.data = c;
	if (uv_poll_init(loop, &c->poll, fd) != 0) {
		free(c);
		return NULL;
	}
	watch(c);
	return c;
}
