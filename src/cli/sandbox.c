/* SPDX-License-Identifier: Apache-2.0
 * sandbox.c - `khien sandbox probe ROLE`: enters the role's sandbox and tries what it must not do. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "role/sandbox.h"
#include "role/settings.h"

/* A port of ours that listens, so that a refused connection is the sandbox's doing. */
static int listening_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 4) != 0) return 0;
	return getsockname(fd, (struct sockaddr *)&a, &n) == 0 ? ntohs(a.sin_port) : 0;
}

static struct sandbox_identity identity(const char *user)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;
	if (geteuid() != 0) return (struct sandbox_identity){.uid = geteuid(), .gid = getegid()};
	if (pw == NULL || pw->pw_uid == 0) return (struct sandbox_identity){65534, 65534, true};
	return (struct sandbox_identity){pw->pw_uid, pw->pw_gid, true};
}

/* A stand-in store that everybody may read: only the sandbox keeps a role from it. */
static bool make_store(char *folder, char *file, size_t cap)
{
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) return false;
	snprintf(file, cap, "%s/khien.db", folder);
	FILE *f = fopen(file, "we");
	if (f == NULL) return false;
	fputs("store\n", f);
	return fclose(f) == 0 && chmod(file, 0644) == 0;
}

static int report(const struct cli *c, enum role role, const struct sandbox_report *r,
				  const struct sandbox_probe *probes, size_t n)
{
	json_t *rows = json_array();
	size_t n_holes = 0;
	for (size_t i = 0; i < n; i++) {
		const struct sandbox_probe *p = &probes[i];
		bool hole = p->allowed && !p->intended;
		n_holes += hole;
		json_array_append_new(rows, json_pack("{s:s, s:b, s:b, s:s}", "attempt", p->name, "refused",
											  (int)!p->allowed, "intended", (int)p->intended, "error",
											  p->err != 0 ? strerrorname_np(p->err) : ""));
		const char *verdict = p->allowed ? kh_msg(p->intended ? M_CLI_PROBE_INTENDED : M_CLI_PROBE_HOLE)
										 : kh_msg(M_CLI_PROBE_REFUSED);
		if (!c->json)
			printf("%-34s %s%s%s\n", p->name, verdict, p->err != 0 ? " " : "",
				   p->err != 0 ? strerrorname_np(p->err) : "");
	}
	json_t *all = json_pack("{s:s, s:i, s:b, s:o}", "role", role_names[role], "landlock_abi", r->landlock_abi,
							"user_changed", (int)r->user_changed, "attempts", rows);
	if (c->json) cli_print_json(all);
	json_decref(all);
	fflush(stdout);
	return n_holes == 0 ? EX_OK : CLI_NEGATIVE;
}

int cli_sandbox_probe(struct cli *c)
{
	enum role role;
	char folder[] = "/tmp/khien-probe-XXXXXX", file[64];
	if (!role_of(c->operands[0], &role) || role == ROLE_SUPERVISOR) {
		kh_print(stderr, M_CLI_NO_SUCH_ROLE, c->operands[0], NULL);
		return EX_USAGE;
	}
	int port = listening_port();
	if (port == 0 || !make_store(folder, file, sizeof file)) return EX_OSERR;
	const char *store[] = {folder, NULL}, *nothing[] = {NULL};
	const struct sandbox_places places = {{store, nothing, nothing, nothing}};
	const struct sandbox_identity who = identity("khien");
	struct sandbox_report r;
	struct kh_diag diag;
	struct sandbox_probe probes[SANDBOX_MAX_PROBES];
	pid_t child = fork(); /* the parent stays outside, to be attacked and to clean up */
	if (child == 0) {
		if (sandbox_enter(role, &places, &who, &r, &diag) != KH_OK) {
			fprintf(stderr, "khien: %s\n", diag.text);
			_exit(EX_OSERR);
		}
		size_t n = sandbox_probe(role, file, port, probes);
		_exit(report(c, role, &r, probes, n));
	}
	int status = 0;
	int code = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
																					 : EX_OSERR;
	unlink(file);
	rmdir(folder);
	return code;
}
