/* SPDX-License-Identifier: Apache-2.0 */
#include "role/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "codec/event/stamp.h"

#define S(member) offsetof(struct settings, member)
#define I(member) offsetof(struct settings_input, member)

enum { MAX_FILE = 1 << 20 };

static const char *const languages[] = {"vi", "en", NULL};
static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const levels[] = {"informational", "low", "medium", "high", "critical", NULL};
static const char *const tls_modes[] = {"none", "starttls", "tls", NULL};
static const char *const formats[] = {"auto", "json", "syslog", "access", "auditd", NULL};

/* clang-format off */
const struct config_row settings_input_rows[] = {
	{"name", CFG_TEXT, I(name), .help = M_SET_INPUT_NAME, .required = true},
	{"path", CFG_TEXT, I(path), .help = M_SET_INPUT_PATH, .required = true},
	{"format", CFG_WORD, I(format), .def = "auto", .words = formats, .help = M_SET_INPUT_FORMAT},
	{"host", CFG_TEXT, I(host), .help = M_SET_INPUT_HOST},
	{0},
};

/* Rows of one section stand together: config_write relies on it. */
const struct config_row settings_rows[] = {
	{"language", CFG_WORD, S(language), .def = "vi", .words = languages, .help = M_SET_LANGUAGE},
	{"state", CFG_TEXT, S(state), .def = "/var/lib/khien", .help = M_SET_STATE},
	{"user", CFG_TEXT, S(user), .def = "khien", .help = M_SET_USER},
	{"time_zone", CFG_TEXT, S(time_zone), .def = "+07:00", .help = M_SET_TIME_ZONE},
	{"log_level", CFG_WORD, S(log_level), .def = "notice", .words = log_levels, .help = M_SET_LOG_LEVEL},
	{"web.listen", CFG_TEXT, S(web.listen), .def = "127.0.0.1:8443", .help = M_SET_WEB_LISTEN},
	{"web.tls", CFG_BOOL, S(web.tls), .def = "true", .help = M_SET_WEB_TLS},
	{"web.certificate", CFG_TEXT, S(web.certificate), .help = M_SET_WEB_CERTIFICATE},
	{"web.key", CFG_TEXT, S(web.key), .help = M_SET_WEB_KEY},
	{"web.names", CFG_LIST, S(web.names), .max = 32, .def = "localhost", .help = M_SET_WEB_NAMES},
	{"web.max_connections", CFG_UINT, S(web.max_connections), .min = 4, .max = 60000, .def = "1000", .help = M_SET_WEB_MAX_CONNECTIONS},
	{"web.max_connections_per_address", CFG_UINT, S(web.max_connections_per_address), .min = 1, .max = 60000, .def = "100", .help = M_SET_WEB_PER_ADDRESS},
	{"syslog.udp", CFG_LIST, S(syslog.udp), .max = 16, .help = M_SET_SYSLOG_UDP},
	{"syslog.tcp", CFG_LIST, S(syslog.tcp), .max = 16, .help = M_SET_SYSLOG_TCP},
	{"syslog.max_connections", CFG_UINT, S(syslog.max_connections), .min = 1, .max = 60000, .def = "512", .help = M_SET_SYSLOG_MAX_CONNECTIONS},
	{"syslog.max_line", CFG_SIZE, S(syslog.max_line), .min = 1024, .max = 1 << 20, .def = "64KiB", .help = M_SET_SYSLOG_MAX_LINE},
	{"syslog.receive_buffer", CFG_SIZE, S(syslog.receive_buffer), .min = 4096, .max = 1 << 30, .def = "4MiB", .help = M_SET_SYSLOG_RECEIVE_BUFFER},
	{"inputs", CFG_TABLE, S(inputs), .max = 256, .rows = settings_input_rows, .row_size = sizeof(struct settings_input), .help = M_SET_INPUTS},
	{"rules.paths", CFG_LIST, S(rules.paths), .max = 64, .def = "/usr/share/khien/rules /etc/khien/rules", .help = M_SET_RULES_PATHS},
	{"rules.mapping", CFG_LIST, S(rules.mapping), .max = 64, .help = M_SET_RULES_MAPPING},
	{"rules.mapping_folder", CFG_TEXT, S(rules.mapping_folder), .help = M_SET_RULES_MAPPING_FOLDER},
	{"placeholders", CFG_MAP, S(placeholders), .max = 1024, .help = M_SET_PLACEHOLDERS},
	{"findings.window", CFG_DURATION, S(findings.window), .min = 1, .max = 7 * 86400, .def = "1h", .help = M_SET_FINDINGS_WINDOW},
	{"incidents.open_at", CFG_WORD, S(incidents.open_at), .def = "high", .words = levels, .help = M_SET_INCIDENTS_OPEN_AT},
	{"incidents.reminder", CFG_DURATION, S(incidents.reminder), .min = 1, .max = 7 * 86400, .def = "30m", .help = M_SET_INCIDENTS_REMINDER},
	{"incidents.reminders", CFG_UINT, S(incidents.reminders), .min = 0, .max = 100, .def = "6", .help = M_SET_INCIDENTS_REMINDERS},
	{"mail.server", CFG_TEXT, S(mail.server), .help = M_SET_MAIL_SERVER},
	{"mail.tls", CFG_WORD, S(mail.tls), .def = "starttls", .words = tls_modes, .help = M_SET_MAIL_TLS},
	{"mail.from", CFG_TEXT, S(mail.from), .def = "khien@localhost.localdomain", .help = M_SET_MAIL_FROM},
	{"mail.user", CFG_TEXT, S(mail.user), .help = M_SET_MAIL_USER},
	{"mail.password_file", CFG_TEXT, S(mail.password_file), .help = M_SET_MAIL_PASSWORD_FILE},
	{"mail.ca_file", CFG_TEXT, S(mail.ca_file), .help = M_SET_MAIL_CA_FILE},
	{"mail.timeout", CFG_DURATION, S(mail.timeout), .min = 1, .max = 3600, .def = "60s", .help = M_SET_MAIL_TIMEOUT},
	{"mail.expire", CFG_DURATION, S(mail.expire), .min = 60, .max = 30 * 86400, .def = "1d", .help = M_SET_MAIL_EXPIRE},
	{"mail.in_flight", CFG_UINT, S(mail.in_flight), .min = 1, .max = 64, .def = "4", .help = M_SET_MAIL_IN_FLIGHT},
	{"store.max_size", CFG_SIZE, S(store.max_size), .def = "0", .help = M_SET_STORE_MAX_SIZE},
	{"store.min_free", CFG_SIZE, S(store.min_free), .def = "64MiB", .help = M_SET_STORE_MIN_FREE},
	{0},
};
/* clang-format on */

void settings_free(struct settings *s)
{
	if (s == NULL) return;
	kh_arena_free(s->arena);
	free(s);
}

static enum kh_err check_endpoints(const char *const *at, size_t n, struct kh_diag *diag)
{
	struct sockaddr_storage ignored;
	for (size_t i = 0; i < n; i++) KH_TRY(settings_endpoint(at[i], &ignored, diag));
	return KH_OK;
}

static enum kh_err check_addresses(const struct settings *s, struct kh_diag *diag)
{
	char host[SETTINGS_MAX_HOST];
	uint16_t port;
	KH_TRY(check_endpoints(&s->web.listen, 1, diag));
	KH_TRY(check_endpoints(s->syslog.udp.at, s->syslog.udp.n, diag));
	KH_TRY(check_endpoints(s->syslog.tcp.at, s->syslog.tcp.n, diag));
	return s->mail.server != NULL ? settings_server(s->mail.server, host, &port, diag) : KH_OK;
}

/* The same, with the file before the reason. */
static enum kh_err check(struct settings *s, const char *name, struct kh_diag *diag)
{
	struct kh_diag why = {0};
	if (stamp_offset(kh_str(s->time_zone), &s->time_zone_s) != KH_OK)
		return kh_say(diag, KH_EFORMAT, M_SETTINGS_TIME_ZONE, name, s->time_zone, NULL);
	enum kh_err err = check_addresses(s, &why);
	return err == KH_OK ? err : kh_say(diag, err, M_SETTINGS_IN_FILE, name, why.text, NULL);
}

enum kh_err settings_read(struct kh_slice yaml, const char *name, struct settings **out, struct kh_diag *diag)
{
	struct settings *s = calloc(1, sizeof *s);
	if (s == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	s->arena = kh_arena_new(16 * 1024, 16 * MAX_FILE);
	enum kh_err err =
		s->arena != NULL ? config_read(settings_rows, yaml, name, s->arena, s, diag) : KH_ENOMEM;
	if (err == KH_OK) err = check(s, name, diag);
	if (err != KH_OK) {
		settings_free(s);
		return err;
	}
	*out = s;
	return KH_OK;
}

enum kh_err settings_file(const char *path, size_t max, struct kh_buf *out, struct kh_diag *diag)
{
	*out = KH_BUF(max);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) return kh_say_errno(diag, M_FILE_OPEN, path, NULL);
	char piece[16384];
	ssize_t n;
	while ((n = read(fd, piece, sizeof piece)) > 0 && out->err == KH_OK)
		kh_buf_put(out, (struct kh_slice){(const uint8_t *)piece, (size_t)n});
	enum kh_err err = out->err;
	if (n < 0)
		err = kh_say_errno(diag, M_FILE_READ, path, NULL);
	else if (err != KH_OK)
		kh_say(diag, err, M_FILE_TOO_LARGE, path, KH_DEC(max), NULL);
	close(fd);
	if (err != KH_OK) kh_buf_free(out);
	return err;
}

enum kh_err settings_load(const char *path, struct settings **out, struct kh_diag *diag)
{
	if (path == NULL) return settings_read((struct kh_slice){0}, "", out, diag);
	struct kh_buf text;
	KH_TRY(settings_file(path, MAX_FILE, &text, diag));
	enum kh_err err = settings_read(kh_buf_slice(&text), path, out, diag);
	kh_buf_free(&text);
	return err;
}

enum kh_err settings_endpoint(const char *text, struct sockaddr_storage *out, struct kh_diag *diag)
{
	const char *colon = strrchr(text, ':');
	struct kh_slice host = {(const uint8_t *)text, colon != NULL ? (size_t)(colon - text) : 0};
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct kh_slice){host.p + 1, host.n - 2};
	struct kh_address a;
	uint64_t port;
	if (colon == NULL || kh_address_parse(host, &a) != KH_OK ||
		kh_slice_u64(kh_str(colon + 1), 65535, &port) != KH_OK)
		return kh_say(diag, KH_EFORMAT, M_SETTINGS_ENDPOINT, text, NULL);
	struct sockaddr_storage s = {0};
	if (kh_address_is_v4(&a) && memchr(host.p, ':', host.n) == NULL) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&s;
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		memcpy(&v4->sin_addr, a.b + 12, 4);
	} else {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&s;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		memcpy(&v6->sin6_addr, a.b, 16);
	}
	*out = s;
	return KH_OK;
}

enum kh_err settings_server(const char *text, char host[SETTINGS_MAX_HOST], uint16_t *port,
							struct kh_diag *diag)
{
	struct kh_slice rest = kh_str(text), h = rest;
	uint64_t number = 0;
	bool bracket = rest.n > 0 && rest.p[0] == '[', closed = true;
	if (bracket) {
		rest = kh_slice_from(rest, 1);
		closed = kh_slice_cut(&rest, ']', &h) && (rest.n == 0 || rest.p[0] == ':');
		if (rest.n > 0) rest = kh_slice_from(rest, 1);
	} else if (!kh_slice_cut(&rest, ':', &h)) {
		rest.n = 0;
	}
	if (!closed || h.n == 0 || h.n >= SETTINGS_MAX_HOST ||
		(rest.n > 0 && kh_slice_u64(rest, 65535, &number) != KH_OK))
		return kh_say(diag, KH_EFORMAT, M_SETTINGS_SERVER, text, NULL);
	memcpy(host, h.p, h.n);
	host[h.n] = '\0';
	*port = (uint16_t)number;
	return KH_OK;
}
