/* SPDX-License-Identifier: Apache-2.0
 * client.c - one API call over the desk's control socket (role/control.h has the form of request and answer).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "role/control.h"
#include "role/listen.h"
#include "role/settings.h"

enum { MAX_BODY = 64 << 20, WAIT_S = 120 };

static int dial(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = WAIT_S};
	if (strlen(path) >= sizeof a.sun_path) return -1;
	memcpy(a.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool send_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR) continue;
		if (done <= 0) return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static bool receive_all(int fd, void *bytes, size_t n)
{
	char *p = bytes;
	while (n > 0) {
		ssize_t got = recv(fd, p, n, 0);
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static bool exchange(int fd, const char *head, struct kh_slice body, json_t **answer_head,
					 struct cli_answer *out)
{
	struct control_sizes sizes = {(uint32_t)strlen(head), (uint32_t)body.n};
	if (!send_all(fd, &sizes, sizeof sizes) || !send_all(fd, head, sizes.head) ||
		!send_all(fd, body.p, body.n))
		return false;
	if (!receive_all(fd, &sizes, sizeof sizes) || sizes.head > CONTROL_MAX_HEAD || sizes.body > MAX_BODY)
		return false;
	char *text = malloc((size_t)sizes.head + 1), *bytes = malloc((size_t)sizes.body + 1);
	if (text == NULL || bytes == NULL) abort();
	bool ok = receive_all(fd, text, sizes.head) && receive_all(fd, bytes, sizes.body);
	bytes[ok ? sizes.body : 0] = '\0';
	*answer_head = ok ? json_loadb(text, sizes.head, 0, NULL) : NULL;
	free(text);
	if (*answer_head == NULL) {
		free(bytes);
		return false;
	}
	out->body = (struct kh_slice){(const uint8_t *)bytes, sizes.body};
	return true;
}

/* Only where the socket is matters here; a broken configuration must not keep an operator from acknowledging.
 */
static void socket_path(const struct cli *c, char *out, size_t cap)
{
	const char *state = getenv("KHIEN_STATE"), *ignored;
	struct settings *s = state == NULL ? cli_settings(c, &ignored) : NULL;
	if (s != NULL)
		listen_control_path(s, out, cap);
	else
		snprintf(out, cap, "%s/control.sock", state != NULL ? state : "/var/lib/khien");
	settings_free(s);
}

int cli_request(const struct cli *c, const char *method, const char *path, const json_t *query,
				struct kh_slice body, struct cli_answer *out)
{
	char socket_name[4096];
	socket_path(c, socket_name, sizeof socket_name);
	int fd = dial(socket_name);
	if (fd < 0) {
		kh_print(stderr, errno == EACCES ? M_CLI_DESK_DENIED : M_CLI_DESK_AWAY, socket_name, strerror(errno),
				 NULL);
		return errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE;
	}
	const char *user = getenv("SUDO_USER") != NULL ? getenv("SUDO_USER") : getenv("USER");
	json_t *head = json_pack("{s:s, s:s, s:O?, s:s, s:s}", "method", method, "path", path, "query", query,
							 "lang", kh_lang() == KH_EN ? "en" : "vi", "user", user != NULL ? user : "");
	char *text = json_dumps(head, JSON_COMPACT);
	json_t *answer = NULL;
	*out = (struct cli_answer){0};
	bool ok = text != NULL && exchange(fd, text, body, &answer, out);
	json_decref(head);
	free(text);
	close(fd);
	if (!ok) {
		kh_print(stderr, M_CLI_DESK_SILENT, NULL);
		return EX_TEMPFAIL;
	}
	const char *type = json_string_value(json_object_get(answer, "content_type"));
	out->status = (int)json_integer_value(json_object_get(answer, "status"));
	snprintf(out->content_type, sizeof out->content_type, "%s", type != NULL ? type : "");
	json_decref(answer);
	return EX_OK;
}

void cli_answer_free(struct cli_answer *a)
{
	free((void *)(uintptr_t)a->body.p);
	*a = (struct cli_answer){0};
}

static void print_errors(const json_t *errors)
{
	size_t i;
	const json_t *e;
	json_array_foreach((json_t *)(uintptr_t)errors, i, e)
	{
		const json_t *line = json_object_get(e, "line"), *column = json_object_get(e, "column"),
					 *reason = json_object_get(e, "reason");
		if (json_is_string(reason))
			kh_print(stderr, M_CLI_CELL_ERROR, KH_DEC(json_integer_value(line)),
					 json_is_string(column) ? json_string_value(column) : "", json_string_value(reason),
					 NULL);
	}
}

int cli_problem(const struct cli_answer *a)
{
	json_t *j = json_loadb((const char *)a->body.p, a->body.n, 0, NULL);
	const char *detail = json_string_value(json_object_get(j, "detail")),
			   *title = json_string_value(json_object_get(j, "title"));
	fprintf(stderr, "khien: %s\n",
			detail != NULL  ? detail
			: title != NULL ? title
							: kh_msg(M_CLI_DESK_SILENT));
	print_errors(json_object_get(j, "errors"));
	json_decref(j);
	switch (a->status) {
	case 400:
	case 409:
	case 413:
	case 422:
		return EX_DATAERR;
	case 401:
	case 403:
		return EX_NOPERM;
	case 404:
		return EX_NOINPUT;
	case 405:
		return EX_USAGE;
	case 503:
	case 507:
		return EX_TEMPFAIL;
	default:
		return EX_SOFTWARE;
	}
}
