/* SPDX-License-Identifier: Apache-2.0 */
#include "role/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "role/desk_role.h"
#include "web/target.h"

struct control_connection {
	uv_poll_t poll;
	uv_timer_t idle;
	struct role_process *p;
	int fd, n_handles;
	struct control_sizes sizes;
	char *in; /* head and body, once the sizes are known */
	size_t got, wanted;
	struct api_match match;
	struct api_call call;
	struct target target;
	uint8_t path_room[4096];
	json_t *head;
	char actor[96];
	struct kh_buf out;
	size_t sent;
	bool answering, closed, in_desk; /* in_desk: the call must not be freed before its answer */
};

static size_t n_connections;

static void free_now(struct control_connection *c)
{
	if (c->n_handles > 0 || c->in_desk) return;
	json_decref(c->head);
	kh_buf_free(&c->out);
	free(c->in);
	free(c);
}

static void on_closed(uv_handle_t *h)
{
	struct control_connection *c = h->data;
	c->n_handles--;
	free_now(c);
}

static void hang_up(struct control_connection *c)
{
	if (c->closed) return;
	c->closed = true;
	n_connections--;
	uv_poll_stop(&c->poll);
	close(c->fd);
	uv_close((uv_handle_t *)&c->poll, on_closed);
	uv_close((uv_handle_t *)&c->idle, on_closed);
}

static void on_idle(uv_timer_t *t)
{
	struct control_connection *c = t->data;
	if (!c->in_desk) hang_up(c);
}

/* ---- answering ---- */

static void on_writable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct control_connection *c = poll->data;
	ssize_t n = status == 0
					? send(c->fd, c->out.bytes + c->sent, c->out.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT)
					: -1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && status == 0) return;
	if (n > 0) c->sent += (size_t)n;
	uv_timer_again(&c->idle);
	if (n <= 0 || c->sent == c->out.n) hang_up(c);
}

static void answer(struct control_connection *c, int http_status, const char *type, struct kh_slice body)
{
	json_t *j = json_pack("{s:i, s:s}", "status", http_status, "content_type", type);
	char *head = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (c->closed || head == NULL) {
		free(head);
		return;
	}
	struct control_sizes sizes = {(uint32_t)strlen(head), (uint32_t)body.n};
	c->out = KH_BUF(UINT32_MAX);
	kh_buf_put(&c->out, (struct kh_slice){(const uint8_t *)&sizes, sizeof sizes});
	kh_buf_text(&c->out, head);
	kh_buf_put(&c->out, body);
	free(head);
	c->answering = true;
	if (c->out.err != KH_OK)
		hang_up(c);
	else
		uv_poll_start(&c->poll, UV_WRITABLE, on_writable);
}

static void problem(struct control_connection *c, int http_status, enum kh_msg key)
{
	json_t *j = json_pack("{s:s, s:i, s:s}", "type", "about:blank", "status", http_status, "detail",
						  kh_msg_in(c->call.lang, key));
	char *text = json_dumps(j, JSON_COMPACT);
	answer(c, http_status, "application/problem+json", kh_str(text));
	free(text);
	json_decref(j);
}

static void on_reply(struct api_call *call, const struct api_answer *a)
{
	struct control_connection *c = call->ctx;
	c->in_desk = false;
	if (c->closed)
		free_now(c);
	else
		answer(c, a->status, a->type, a->body);
}

/* ---- asking ---- */

/* Who is at the other end: the kernel says which user, the client adds the name it goes by. */
static void actor_of(struct control_connection *c)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t n = sizeof who;
	char name[48];
	size_t len = 0;
	getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
	for (const char *p = json_text(c->head, "user", ""); *p != '\0' && len + 1 < sizeof name; p++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p) != NULL)
			name[len++] = *p;
	name[len] = '\0';
	snprintf(c->actor, sizeof c->actor, "uid:%u%s%s", who.uid, len > 0 ? " " : "", name);
}

static void ask(struct control_connection *c)
{
	struct kh_slice path = kh_str(json_text(c->head, "path", ""));
	struct role_process *p = c->p;
	const char *method = json_text(c->head, "method", "");
	if (path.n > sizeof c->path_room || target_parse(path, c->path_room, &c->target) != KH_OK) {
		problem(c, 400, M_CONTROL_BAD_REQUEST);
		return;
	}
	enum kh_err err = api_route_find(kh_str(method), c->target.path, &c->match);
	if (err != KH_OK) {
		problem(c, err == KH_ERANGE ? 405 : 404, M_CONTROL_NO_ROUTE);
		return;
	}
	if (c->sizes.body > c->match.route->max_body) {
		problem(c, 413, M_CONTROL_TOO_LARGE);
		return;
	}
	actor_of(c);
	c->call.match = c->match;
	c->call.door = API_DOOR_LOCAL;
	c->call.actor = c->actor;
	c->call.from = "local";
	c->call.query = json_object_get(c->head, "query");
	c->call.body = (struct kh_slice){(const uint8_t *)c->in + c->sizes.head, c->sizes.body};
	c->call.now_ns = kh_now_ns();
	c->call.reply = on_reply;
	c->call.ctx = c;
	c->in_desk = true;
	desk_api(desk_of(p), &c->call);
}

/* 1 whole, 0 more to come, -1 broken */
static int fill(struct control_connection *c, void *to, size_t wanted)
{
	while (c->got < wanted) {
		ssize_t n = recv(c->fd, (char *)to + c->got, wanted - c->got, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return 0;
		if (n <= 0) return -1;
		c->got += (size_t)n;
	}
	return 1;
}

static bool sizes_hold(const struct control_sizes *s)
{
	size_t most = 0;
	for (int r = 0; r < ROUTE_COUNT; r++)
		if (api_routes[r].max_body > most) most = api_routes[r].max_body;
	return s->head > 0 && s->head <= CONTROL_MAX_HEAD && s->body <= most;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct control_connection *c = poll->data;
	uv_timer_again(&c->idle);
	int whole = status < 0 ? -1 : 1;
	if (whole == 1 && c->in == NULL) {
		whole = fill(c, &c->sizes, sizeof c->sizes);
		if (whole == 1 && !sizes_hold(&c->sizes)) whole = -1;
		if (whole == 1) {
			c->wanted = (size_t)c->sizes.head + c->sizes.body;
			c->got = 0;
			c->in = malloc(c->wanted + 1);
			if (c->in == NULL) whole = -1;
		}
	}
	if (whole == 1) whole = fill(c, c->in, c->wanted);
	if (whole == 0) return;
	if (whole < 0) {
		hang_up(c);
		return;
	}
	uv_poll_stop(&c->poll);
	c->head = json_loadb(c->in, c->sizes.head, JSON_REJECT_DUPLICATES, NULL);
	c->call.lang = strcmp(json_text(c->head, "lang", "vi"), "en") == 0 ? KH_EN : KH_VI;
	ask(c);
}

struct control_listener {
	uv_poll_t poll;
	struct role_process *p;
	int fd;
};

static void on_connection(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct control_listener *l = poll->data;
	int fd;
	while (status == 0 && (fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct control_connection *c = n_connections < CONTROL_MAX_CONNECTIONS ? calloc(1, sizeof *c) : NULL;
		if (c == NULL || uv_poll_init(&l->p->loop, &c->poll, fd) != 0) {
			free(c);
			close(fd);
			continue;
		}
		c->p = l->p;
		c->fd = fd;
		c->poll.data = c->idle.data = c;
		c->n_handles = 2;
		n_connections++;
		uv_timer_init(&l->p->loop, &c->idle);
		uv_timer_start(&c->idle, on_idle, CONTROL_IDLE_MS, CONTROL_IDLE_MS);
		uv_poll_start(&c->poll, UV_READABLE, on_readable);
	}
}

void control_start(struct role_process *p, int listening_fd)
{
	struct control_listener *l = calloc(1, sizeof *l);
	if (l == NULL) abort();
	l->p = p;
	l->fd = listening_fd;
	l->poll.data = l;
	if (uv_poll_init(&p->loop, &l->poll, listening_fd) != 0) abort();
	uv_poll_start(&l->poll, UV_READABLE, on_connection);
}
