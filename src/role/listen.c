/* SPDX-License-Identifier: Apache-2.0 */
#include "role/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 512 };

void listen_control_path(const struct settings *s, char *out, size_t cap)
{
	snprintf(out, cap, "%s/control.sock", s->state);
}

const char *listen_address(const struct listen_set *set, const char *purpose)
{
	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->at[i].l.purpose, purpose) == 0) return set->at[i].l.address;
	return NULL;
}

void listen_close(struct listen_set *set)
{
	for (size_t i = 0; i < set->n; i++) close(set->at[i].l.fd);
	set->n = 0;
}

static void bound_text(int fd, char *out, size_t cap)
{
	struct sockaddr_storage s = {0};
	socklen_t n = sizeof s;
	char host[INET6_ADDRSTRLEN] = "?";
	uint16_t port = 0;
	getsockname(fd, (struct sockaddr *)&s, &n);
	if (s.ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&s;
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		port = ntohs(v4->sin_port);
	} else {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&s;
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		port = ntohs(v6->sin6_port);
	}
	snprintf(out, cap, s.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
}

static enum kh_err add(struct listen_set *set, enum role role, const char *purpose, int fd,
					   const char *address, struct kh_diag *diag)
{
	if (set->n == ROLE_MAX_LISTENERS) {
		close(fd);
		return kh_say(diag, KH_ELIMIT, M_LISTEN_TOO_MANY, KH_DEC(ROLE_MAX_LISTENERS), NULL);
	}
	struct role_listener *l = &set->at[set->n].l;
	set->at[set->n++].role = role;
	*l = (struct role_listener){.fd = fd};
	snprintf(l->purpose, sizeof l->purpose, "%s", purpose);
	if (address != NULL)
		snprintf(l->address, sizeof l->address, "%s", address);
	else
		bound_text(fd, l->address, sizeof l->address);
	return KH_OK;
}

static enum kh_err inet_socket(struct listen_set *set, enum role role, const char *purpose, const char *text,
							   bool datagram, uint64_t receive_buffer, struct kh_diag *diag)
{
	struct sockaddr_storage a;
	const int on = 1, buffer = receive_buffer > INT32_MAX ? INT32_MAX : (int)receive_buffer;
	KH_TRY(settings_endpoint(text, &a, diag));
	int fd = socket(a.ss_family, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) return kh_say_errno(diag, M_LISTEN_FAILED, text, NULL);
	if (!datagram) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (datagram && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	if (datagram)
		setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on); /* the kernel's own count of drops */
	socklen_t n = a.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (bind(fd, (struct sockaddr *)&a, n) != 0 || (!datagram && listen(fd, BACKLOG) != 0)) {
		enum kh_err err = kh_say_errno(diag, M_LISTEN_FAILED, text, NULL);
		close(fd);
		return err;
	}
	return add(set, role, purpose, fd, NULL, diag);
}

/* Operators reach the desk through this socket: root and members of the desk's group. */
static enum kh_err control_socket(const struct settings *s, gid_t group, struct listen_set *set,
								  struct kh_diag *diag)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char path[4096];
	listen_control_path(s, path, sizeof path);
	if (strlen(path) >= sizeof a.sun_path) return kh_say(diag, KH_ERANGE, M_LISTEN_PATH_LONG, path, NULL);
	memcpy(a.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path); /* left by a desk that was killed; the state folder's lock keeps two desks apart */
	mode_t old = umask(0117);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
	umask(old);
	if (ok && geteuid() == 0) ok = chown(path, 0, group) == 0;
	if (!ok || listen(fd, BACKLOG) != 0) {
		enum kh_err err = kh_say_errno(diag, M_LISTEN_FAILED, path, NULL);
		if (fd >= 0) close(fd);
		return err;
	}
	return add(set, ROLE_DESK, "control", fd, "control.sock", diag);
}

static enum kh_err open_all(const struct settings *s, gid_t group, struct listen_set *set,
							struct kh_diag *diag)
{
	KH_TRY(inet_socket(set, ROLE_WEB, "web", s->web.listen, false, 0, diag));
	for (size_t i = 0; i < s->syslog.udp.n; i++)
		KH_TRY(inet_socket(set, ROLE_SENSOR, "syslog.udp", s->syslog.udp.at[i], true,
						   s->syslog.receive_buffer, diag));
	for (size_t i = 0; i < s->syslog.tcp.n; i++)
		KH_TRY(inet_socket(set, ROLE_SENSOR, "syslog.tcp", s->syslog.tcp.at[i], false, 0, diag));
	return control_socket(s, group, set, diag);
}

enum kh_err listen_open(const struct settings *s, gid_t group, struct listen_set *out, struct kh_diag *diag)
{
	out->n = 0;
	enum kh_err err = open_all(s, group, out, diag);
	if (err != KH_OK) listen_close(out);
	return err;
}
