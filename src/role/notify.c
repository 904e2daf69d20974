/* SPDX-License-Identifier: Apache-2.0 */
#include "role/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/slice.h"

static struct sockaddr_un to;
static socklen_t to_len;
static uint64_t watchdog_ms;

static uint64_t number(const char *name)
{
	uint64_t v = 0;
	return kh_slice_u64(kh_str(getenv(name)), UINT64_MAX, &v) == KH_OK ? v : 0;
}

void notify_start(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path != NULL ? strlen(path) : 0;
	if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) return;
	to.sun_family = AF_UNIX;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@') to.sun_path[0] = '\0';
	to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	uint64_t pid = number("WATCHDOG_PID");
	if (pid == 0 || pid == (uint64_t)getpid()) watchdog_ms = number("WATCHDOG_USEC") / 2000;
}

void notify_say(const char *lines)
{
	if (to_len == 0) return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return;
	sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&to, to_len);
	close(fd);
}

uint64_t notify_watchdog_ms(void)
{
	return watchdog_ms;
}
