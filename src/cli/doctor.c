/* SPDX-License-Identifier: Apache-2.0
 * doctor.c - `khien doctor`: one row a check; each that fails says the line that mends it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/cli.h"
#include "role/settings.h"
#include "web/certificate.h"

enum { N_SYNCS = 21, SLOW_SYNC_MS = 30, CERTIFICATE_DAYS_LEFT = 30, MAX_PEM = 64 * 1024 };

enum verdict { WELL, ILL, NOT_CHECKED };

struct check {
	enum verdict verdict;
	char detail[400], fix[400];
};

struct patient {
	struct cli *cli;
	struct settings *settings;
	json_t *status; /* of the running desk, or NULL */
};

static void say(struct check *c, enum verdict v, enum kh_msg key, const char *a, const char *b)
{
	c->verdict = v;
	kh_msg_write(c->detail, sizeof c->detail, kh_lang(), key, a, b, NULL);
}

static void mend(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void mend(struct check *c, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(c->fix, sizeof c->fix, format, ap);
	va_end(ap);
}

static void check_state(const struct patient *p, struct check *c)
{
	const char *path = p->settings->state;
	struct stat st;
	bool well = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	say(c, well ? WELL : ILL, well ? M_DOC_STATE_OK : M_DOC_STATE_BAD, path, well ? "" : strerror(errno));
	if (!well) mend(c, "install -d -m 0750 %s", path);
	if (well && (st.st_mode & S_IRWXO) != 0) {
		say(c, ILL, M_DOC_STATE_OPEN, path, "");
		mend(c, "chmod 0750 %s", path);
	}
}

static void check_disk(const struct patient *p, struct check *c)
{
	struct statvfs v;
	if (statvfs(p->settings->state, &v) != 0) {
		say(c, NOT_CHECKED, M_DOC_NO_STATE, "", "");
		return;
	}
	uint64_t free_mib = (uint64_t)v.f_bavail * v.f_frsize >> 20, least = p->settings->store.min_free >> 20;
	bool well = free_mib >= 2 * least;
	say(c, well ? WELL : ILL, M_DOC_DISK, KH_DEC(free_mib), KH_DEC(least));
	if (!well) mend(c, "du -xsh %s/* ; journalctl --vacuum-size=200M", p->settings->state);
}

static void check_clock(const struct patient *p, struct check *c)
{
	(void)p;
	struct timex t = {0};
	int state = adjtimex(&t);
	bool well = state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
	say(c, well ? WELL : ILL, well ? M_DOC_CLOCK_OK : M_DOC_CLOCK_BAD, "", "");
	if (!well) mend(c, "apt-get install -y chrony && systemctl enable --now chrony");
}

static bool can_bind(const char *endpoint, int type, char why[200])
{
	struct sockaddr_storage a;
	struct kh_diag diag;
	const int on = 1;
	if (settings_endpoint(endpoint, &a, &diag) != KH_OK) {
		snprintf(why, 200, "%.199s", diag.text);
		return false;
	}
	int fd = socket(a.ss_family, type | SOCK_CLOEXEC, 0);
	if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
	if (!ok) snprintf(why, 200, "%s: %s", endpoint, strerror(errno));
	if (fd >= 0) close(fd);
	return ok;
}

static void check_ports(const struct patient *p, struct check *c)
{
	const struct settings *s = p->settings;
	char why[200] = "";
	if (p->status != NULL) {
		say(c, WELL, M_DOC_PORTS_HELD, "", "");
		return;
	}
	bool ok = can_bind(s->web.listen, SOCK_STREAM, why);
	for (size_t i = 0; ok && i < s->syslog.tcp.n; i++) ok = can_bind(s->syslog.tcp.at[i], SOCK_STREAM, why);
	for (size_t i = 0; ok && i < s->syslog.udp.n; i++) ok = can_bind(s->syslog.udp.at[i], SOCK_DGRAM, why);
	say(c, ok ? WELL : ILL, ok ? M_DOC_PORTS_FREE : M_DOC_PORTS_BAD, why, "");
	if (!ok) mend(c, "ss -ltnup");
}

static uint64_t number_in(const char *path)
{
	struct kh_buf b;
	uint64_t v = 0;
	if (settings_file(path, 4096, &b, NULL) != KH_OK) return 0;
	if (kh_slice_u64(kh_slice_trim(kh_buf_slice(&b)), UINT64_MAX, &v) != KH_OK) v = 0;
	kh_buf_free(&b);
	return v;
}

static void check_buffers(const struct patient *p, struct check *c)
{
	uint64_t most = number_in("/proc/sys/net/core/rmem_max"), wanted = p->settings->syslog.receive_buffer;
	bool well =
		p->settings->syslog.udp.n == 0 || most >= wanted || geteuid() == 0; /* root may go past the limit */
	say(c, well ? WELL : ILL, M_DOC_BUFFERS, KH_DEC(most), KH_DEC(wanted));
	if (!well) mend(c, "sysctl -w net.core.rmem_max=%llu", (unsigned long long)wanted);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The median of some small synced writes: each stored batch costs at least one. */
static void check_sync(const struct patient *p, struct check *c)
{
	char path[4096], text[32];
	int64_t took[N_SYNCS];
	snprintf(path, sizeof path, "%s/.doctor-%d", p->settings->state, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		say(c, NOT_CHECKED, M_DOC_NO_STATE, "", "");
		return;
	}
	bool ok = true;
	for (size_t i = 0; i < N_SYNCS; i++) {
		int64_t from = kh_mono_ns();
		ok = ok && write(fd, "khien\n", 6) == 6 && fdatasync(fd) == 0;
		took[i] = kh_mono_ns() - from;
	}
	close(fd);
	unlink(path);
	qsort(took, N_SYNCS, sizeof *took, by_value);
	snprintf(text, sizeof text, "%.1f", (double)took[N_SYNCS / 2] / 1e6);
	bool well = ok && took[N_SYNCS / 2] < SLOW_SYNC_MS * (KH_SECOND / 1000);
	say(c, well ? WELL : ILL, M_DOC_SYNC, text, KH_DEC(SLOW_SYNC_MS));
	if (!well) mend(c, "lsblk -o NAME,ROTA,MOUNTPOINT; iostat -x 1 3");
}

static void check_certificate(const struct patient *p, struct check *c)
{
	const struct settings *s = p->settings;
	char cert[4096], key[4096], until[KH_TIME_TEXT];
	struct kh_buf cert_pem = {0}, key_pem = {0};
	struct kh_diag diag = {0};
	struct certificate_facts f;
	snprintf(cert, sizeof cert, "%s%s", s->web.certificate != NULL ? s->web.certificate : s->state,
			 s->web.certificate != NULL ? "" : "/tls/certificate.pem");
	snprintf(key, sizeof key, "%s%s", s->web.key != NULL ? s->web.key : s->state,
			 s->web.key != NULL ? "" : "/tls/key.pem");
	if (!s->web.tls || access(cert, F_OK) != 0) {
		say(c, NOT_CHECKED, M_DOC_NO_CERTIFICATE, "", "");
		return;
	}
	enum kh_err err = settings_file(cert, MAX_PEM, &cert_pem, &diag);
	if (err == KH_OK) err = settings_file(key, MAX_PEM, &key_pem, &diag);
	if (err == KH_OK) err = certificate_check(kh_buf_slice(&cert_pem), kh_buf_slice(&key_pem), &f, &diag);
	int64_t days = err == KH_OK ? (f.not_after_ns - kh_now_ns()) / KH_DAY : 0;
	bool well = err == KH_OK && days >= CERTIFICATE_DAYS_LEFT;
	if (err == KH_OK)
		say(c, well ? WELL : ILL, M_DOC_CERTIFICATE, kh_time_vietnam(until, f.not_after_ns), KH_DEC(days));
	else
		say(c, ILL, M_DOC_CERTIFICATE_BAD, diag.text, "");
	if (!well)
		mend(c, s->web.certificate != NULL ? "certbot renew  # %s" : "rm %s && systemctl restart khien",
			 cert);
	kh_buf_free(&cert_pem);
	kh_buf_free(&key_pem);
}

static void check_user(const struct patient *p, struct check *c)
{
	bool well = getpwnam(p->settings->user) != NULL;
	say(c, well ? WELL : ILL, well ? M_DOC_USER_OK : M_DOC_USER_BAD, p->settings->user, "");
	if (!well) mend(c, "adduser --system --group --no-create-home %s", p->settings->user);
}

static void check_landlock(const struct patient *p, struct check *c)
{
	(void)p;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	say(c, abi > 0 ? WELL : ILL, abi > 0 ? M_DOC_LANDLOCK_OK : M_DOC_LANDLOCK_BAD, KH_DEC(abi), "");
	if (abi <= 0)
		mend(c, "add lsm=landlock,... to the kernel's command line (GRUB_CMDLINE_LINUX), then update-grub");
}

static void check_mail(const struct patient *p, struct check *c)
{
	bool well = p->settings->mail.server != NULL;
	say(c, well ? WELL : ILL, well ? M_DOC_MAIL_OK : M_DOC_MAIL_BAD, well ? p->settings->mail.server : "",
		"");
	if (!well) mend(c, "khien.yaml: mail: {server: \"mail.example.vn:587\", from: \"khien@example.vn\"}");
}

static void check_roles(const struct patient *p, struct check *c)
{
	const char *name;
	json_t *role;
	if (p->status == NULL) {
		say(c, ILL, M_DOC_DESK_AWAY, "", "");
		mend(c, "systemctl start khien");
		return;
	}
	say(c, WELL, M_DOC_ROLES_OK, "", "");
	json_object_foreach(json_object_get(p->status, "roles"), name, role)
	{
		const char *state = json_string_value(json_object_get(role, "state"));
		if (state == NULL || strcmp(state, "up") == 0) continue;
		say(c, ILL, M_DOC_ROLE_BAD, name, state);
		mend(c, "journalctl -u khien -n 50");
	}
}

/* A desk without rules looks well and sees nothing: the sensor reads them as the roles' user. */
static void check_rules(const struct patient *p, struct check *c)
{
	const json_t *sensor = json_object_get(json_object_get(p->status, "roles"), "sensor");
	const json_t *rules = json_object_get(json_object_get(sensor, "work"), "rules");
	if (rules == NULL) {
		say(c, NOT_CHECKED, M_DOC_DESK_AWAY, "", "");
		return;
	}
	json_int_t loaded = json_integer_value(json_object_get(rules, "loaded"));
	say(c, loaded > 0 ? WELL : ILL, M_DOC_RULES, KH_DEC(loaded),
		KH_DEC(json_integer_value(json_object_get(rules, "n_rejected"))));
	const struct config_list *paths = &p->settings->rules.paths;
	if (loaded == 0)
		mend(c, "chmod -R a+rX %s && systemctl reload khien",
			 paths->n > 0 ? paths->at[0] : "/etc/khien/rules");
}

static void check_intake(const struct patient *p, struct check *c)
{
	const json_t *intake = json_object_get(p->status, "intake");
	const char *state = json_string_value(json_object_get(intake, "state")),
			   *reason = json_string_value(json_object_get(intake, "reason"));
	if (state == NULL) {
		say(c, NOT_CHECKED, M_DOC_DESK_AWAY, "", "");
		return;
	}
	bool well = strcmp(state, "running") == 0;
	say(c, well ? WELL : ILL, well ? M_DOC_INTAKE_OK : M_DOC_INTAKE_BAD, reason != NULL ? reason : "", "");
	if (!well) mend(c, "df -h %s", p->settings->state);
}

static const struct {
	enum kh_msg name;
	void (*run)(const struct patient *p, struct check *c);
} checks[] = {
	{M_DOC_STATE, check_state},
	{M_DOC_DISK_NAME, check_disk},
	{M_DOC_SYNC_NAME, check_sync},
	{M_DOC_CLOCK, check_clock},
	{M_DOC_PORTS, check_ports},
	{M_DOC_BUFFERS_NAME, check_buffers},
	{M_DOC_CERTIFICATE_NAME, check_certificate},
	{M_DOC_USER, check_user},
	{M_DOC_LANDLOCK, check_landlock},
	{M_DOC_MAIL, check_mail},
	{M_DOC_ROLES, check_roles},
	{M_DOC_RULES_NAME, check_rules},
	{M_DOC_INTAKE, check_intake},
};

static json_t *status_of(struct cli *c)
{
	struct cli_answer a;
	if (cli_request(c, "GET", "/api/v1/status", NULL, (struct kh_slice){0}, &a) != EX_OK) return NULL;
	json_t *j = a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
	cli_answer_free(&a);
	return j;
}

int cli_doctor(struct cli *c)
{
	static const char *const marks[] = {"ok", "!!", "--"};
	const char *path;
	struct patient p = {.cli = c, .settings = cli_settings(c, &path)};
	if (p.settings == NULL) return EX_CONFIG;
	p.status = status_of(c);
	json_t *rows = json_array();
	size_t n_ill = 0;
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct check r = {0};
		checks[i].run(&p, &r);
		n_ill += r.verdict == ILL;
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "check", kh_msg_key(checks[i].name),
											  "verdict",
											  r.verdict == WELL  ? "ok"
											  : r.verdict == ILL ? "failed"
																 : "not_checked",
											  "detail", r.detail, "fix", r.fix));
		if (c->json) continue;
		printf("%s  %s: %s\n", marks[r.verdict], kh_msg(checks[i].name), r.detail);
		if (r.fix[0] != '\0') printf("      %s\n", r.fix);
	}
	json_t *all = json_pack("{s:b, s:o}", "ok", n_ill == 0, "checks", rows);
	if (c->json) cli_print_json(all);
	json_decref(all);
	json_decref(p.status);
	settings_free(p.settings);
	return n_ill == 0 ? EX_OK : CLI_NEGATIVE;
}
