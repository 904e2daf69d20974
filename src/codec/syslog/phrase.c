/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/syslog/phrase.h"

#include "base/address.h"
#include "codec/event/scan.h"

/* A pattern is literal text with {name} for a capture up to the first place of the literal that follows,
 * {name>} up to the last one, and {*} for the rest. Constant fields follow as "name=value". */
struct phrase {
	const char *program; /* NULL: any */
	const char *pattern;
	const char *constant[3];
};

#define FAILED  "outcome=failure"
#define SUCCESS "outcome=success"
#define UNKNOWN "user_known=false"

/* The longer phrase stands before the one that is its beginning. */
static const struct phrase phrases[] = {
	{"sshd",
	 "Failed {auth_method} for invalid user {user>} from {src_ip} port {src_port}",
	 {FAILED, UNKNOWN}},
	{"sshd", "Failed {auth_method} for {user>} from {src_ip} port {src_port}", {FAILED}},
	{"sshd", "Accepted {auth_method} for {user>} from {src_ip} port {src_port}", {SUCCESS}},
	{"sshd", "Postponed {auth_method} for {user>} from {src_ip} port {src_port}", {NULL}},
	{"sshd", "Invalid user {user>} from {src_ip} port {src_port}", {FAILED, UNKNOWN}},
	{"sshd", "Invalid user {user>} from {src_ip}", {FAILED, UNKNOWN}},
	{"sshd",
	 "error: maximum authentication attempts exceeded for invalid user {user>} from {src_ip} port {src_port}",
	 {FAILED, UNKNOWN}},
	{"sshd",
	 "error: maximum authentication attempts exceeded for {user>} from {src_ip} port {src_port}",
	 {FAILED}},
	{"sshd", "User {user>} from {src_ip} not allowed because {reason}", {FAILED}},
	{"sshd", "ROOT LOGIN REFUSED FROM {src_ip} port {src_port}", {FAILED, "user=root"}},
	{"sshd", "Connection closed by authenticating user {user src_ip>} port {src_port}", {FAILED}},
	{"sshd", "Connection closed by invalid user {user src_ip>} port {src_port}", {FAILED, UNKNOWN}},
	{"sshd", "Connection reset by authenticating user {user src_ip>} port {src_port}", {FAILED}},
	{"sshd", "Connection reset by invalid user {user src_ip>} port {src_port}", {FAILED, UNKNOWN}},
	{"sshd", "Disconnected from authenticating user {user src_ip>} port {src_port}", {FAILED}},
	{"sshd", "Disconnected from invalid user {user src_ip>} port {src_port}", {FAILED, UNKNOWN}},
	{"sshd", "Disconnecting authenticating user {user src_ip>} port {src_port}: {reason}", {FAILED}},
	{"sshd", "Disconnecting invalid user {user src_ip>} port {src_port}: {reason}", {FAILED, UNKNOWN}},
	{"sshd", "input_userauth_request: invalid user {user} [preauth]", {FAILED, UNKNOWN}},
	{"sshd", "banner exchange: Connection from {src_ip} port {src_port}: {reason}", {NULL}},
	{"sshd", "error: Received disconnect from {src_ip}: {*}", {NULL}},
	{"sshd", "Disconnected from user {user src_ip>} port {src_port}", {NULL}},
	{"sshd", "Disconnected from {src_ip} port {src_port}", {NULL}},
	{"sshd", "Connection closed by {src_ip} port {src_port}", {NULL}},
	{"sshd", "Connection closed by {src_ip}", {NULL}},
	{"sshd", "Connection reset by {src_ip} port {src_port}", {NULL}},
	{"sshd", "Connection from {src_ip} port {src_port}", {NULL}},
	{"sshd", "Received disconnect from {src_ip} port {src_port}:{*}", {NULL}},
	{"sshd", "Received disconnect from {src_ip}: {*}", {NULL}},
	{"sshd", "Did not receive identification string from {src_ip} port {src_port}", {NULL}},
	{"sshd", "Did not receive identification string from {src_ip}", {NULL}},
	{"sshd", "Bad protocol version identification '{version>}' from {src_ip} port {src_port}", {NULL}},
	{"sshd", "Unable to negotiate with {src_ip} port {src_port}:{*}", {NULL}},
	{"sshd", "reverse mapping checking getaddrinfo for {src_host} [{src_ip}] failed{*}", {NULL}},
	{NULL,
	 "pam_unix({pam.service}:{pam.type}): authentication failure; logname={pam.logname} uid={pam.uid} "
	 "euid={pam.euid} "
	 "tty={pam.tty} ruser={pam.ruser} rhost={src} user={user}",
	 {FAILED}},
	{NULL,
	 "pam_unix({pam.service}:{pam.type}): authentication failure; logname={pam.logname} uid={pam.uid} "
	 "euid={pam.euid} "
	 "tty={pam.tty} ruser={pam.ruser} rhost={src}",
	 {FAILED}},
	{NULL,
	 "pam_unix({pam.service}:{pam.type}): session opened for user {user}(uid={uid}) by "
	 "{pam.by>}(uid={pam.uid})",
	 {NULL}},
	{NULL,
	 "pam_unix({pam.service}:{pam.type}): session opened for user {user>} by {pam.by>}(uid={pam.uid})",
	 {NULL}},
	{NULL, "pam_unix({pam.service}:{pam.type}): session closed for user {user}", {NULL}},
	{NULL, "pam_unix({pam.service}:{pam.type}): check pass; user unknown", {FAILED, UNKNOWN}},
	{"(pam_unix)",
	 "authentication failure; logname={pam.logname} uid={pam.uid} euid={pam.euid} tty={pam.tty} "
	 "ruser={pam.ruser} "
	 "rhost={src} user={user}",
	 {FAILED}},
	{"(pam_unix)",
	 "authentication failure; logname={pam.logname} uid={pam.uid} euid={pam.euid} tty={pam.tty} "
	 "ruser={pam.ruser} "
	 "rhost={src}",
	 {FAILED}},
	{"(pam_unix)", "session opened for user {user>} by {pam.by>}(uid={pam.uid})", {NULL}},
	{"(pam_unix)", "session closed for user {user}", {NULL}},
	{"(pam_unix)", "check pass; user unknown", {FAILED, UNKNOWN}},
	{"su", "FAILED SU (to {su.target}) {user>} on {su.tty}", {FAILED}},
	{"su", "(to {su.target}) {user>} on {su.tty}", {SUCCESS}},
	{"su", "Successful su for {su.target} by {user}", {SUCCESS}},
	{"su", "FAILED su for {su.target} by {user}", {FAILED}},
	{"cron", "({user}) CMD ({cron.command>})", {NULL}},
	{"crond", "({user}) CMD ({cron.command>})", {NULL}},
	{"useradd", "new user: name={user}, UID={uid}, GID={gid}, home={home}, shell={shell}{*}", {NULL}},
	{"userdel", "delete user '{user}'", {NULL}},
	{"passwd", "password for '{user}' changed by '{passwd.by}'", {NULL}},
	{"usermod", "add '{user}' to group '{group}'", {NULL}},
};

/* The program's name without its path and without "(pam_unix)"; sshd's helpers count as sshd. */
static struct kh_slice program_of(struct kh_slice app)
{
	size_t slash = scan_last(app, KH_LIT("/")), bracket = scan_first(app, KH_LIT("("));
	if (slash < app.n) return kh_slice_from(app, slash + 1);
	app = kh_slice_to(app, bracket);
	return kh_slice_starts(app, KH_LIT("sshd-")) ? KH_LIT("sshd") : app;
}

static bool speaks(const struct phrase *p, struct kh_slice app, struct kh_slice program)
{
	if (p->program == NULL) return true;
	if (p->program[0] == '(') return scan_first(app, KH_LIT("(pam_unix)")) < app.n;
	return kh_slice_case_eq(program, kh_str(p->program));
}

struct capture {
	struct kh_slice name, value;
};
enum { MAX_CAPTURES = 10 };

static bool word_ok(struct kh_slice name, struct kh_slice value)
{
	if (kh_slice_is(name, "src_port")) return value.n <= 5 && value.n > 0 && scan_digits(value) == value.n;
	struct kh_address a;
	if (kh_slice_is(name, "src_ip")) return kh_address_parse(value, &a) == KH_OK;
	if (kh_slice_is(name, "user src_ip")) {
		size_t blank = scan_last(value, KH_LIT(" "));
		return kh_address_parse(kh_slice_from(value, blank + 1), &a) == KH_OK;
	}
	bool word = kh_slice_is(name, "src") || kh_slice_is(name, "src_host") ||
				kh_slice_is(name, "auth_method") || kh_slice_starts(name, KH_LIT("pam."));
	return !word || !scan_has(value, ' ');
}

/* The value in front of `next` (the literal that follows), or the rest. A port that ends a phrase ends at a
 * blank: "ssh2", "[preauth]" and key fingerprints follow it in some versions. */
static bool take_value(struct kh_slice *s, struct kh_slice name, bool last, struct kh_slice next,
					   struct kh_slice *out)
{
	size_t at = s->n;
	if (next.n > 0) {
		at = last ? scan_last(*s, next) : scan_first(*s, next);
		if (at == s->n) return false;
	} else if (kh_slice_is(name, "src_port") || kh_slice_is(name, "src_ip")) {
		at = scan_first(*s, KH_LIT(" "));
	}
	*out = kh_slice_to(*s, at);
	*s = kh_slice_from(*s, at);
	if (kh_slice_is(name, "src")) *out = kh_slice_trim(*out); /* PAM writes two blanks after it */
	return word_ok(name, *out);
}

static struct kh_slice literal(struct kh_slice pattern)
{
	return kh_slice_to(pattern, scan_first(pattern, KH_LIT("{")));
}

static bool fits(const char *text, struct kh_slice s, struct capture *c, size_t *n)
{
	struct kh_slice pattern = kh_str(text), name;
	*n = 0;
	for (;;) {
		struct kh_slice lit = literal(pattern);
		if (!kh_slice_starts(s, lit)) return false;
		s = kh_slice_from(s, lit.n);
		pattern = kh_slice_from(pattern, lit.n + 1);
		if (!kh_slice_cut(&pattern, '}', &name)) return s.n == 0 || s.p[0] == ' ';
		if (kh_slice_is(name, "*")) return true;
		bool last = name.p[name.n - 1] == '>';
		if (last) name.n--;
		c[*n].name = name;
		if (!take_value(&s, name, last, literal(pattern), &c[*n].value)) return false;
		(*n)++;
	}
}

/* "src" is an address or a host; "user src_ip" is both, parted by the last blank. */
static enum kh_err add_capture(struct capture c, struct event *out)
{
	struct kh_address a;
	if (c.value.n == 0) return KH_OK;
	if (kh_slice_is(c.name, "src"))
		c.name = kh_address_parse(c.value, &a) == KH_OK ? KH_LIT("src_ip") : KH_LIT("src_host");
	if (!kh_slice_is(c.name, "user src_ip")) return event_add(out, c.name, c.value, EVENT_STRING);
	size_t blank = scan_last(c.value, KH_LIT(" "));
	KH_TRY(event_add(out, KH_LIT("user"), kh_slice_to(c.value, blank), EVENT_STRING));
	return event_add(out, KH_LIT("src_ip"), kh_slice_from(c.value, blank + 1), EVENT_STRING);
}

static enum kh_err add_phrase(const struct phrase *p, const struct capture *c, size_t n, struct event *out)
{
	for (size_t i = 0; i < n; i++) KH_TRY(add_capture(c[i], out));
	for (size_t i = 0; i < 3 && p->constant[i] != NULL; i++) {
		struct kh_slice value = kh_str(p->constant[i]), name;
		if (kh_slice_cut(&value, '=', &name)) KH_TRY(event_add(out, name, value, EVENT_STRING));
	}
	return KH_OK;
}

static const struct {
	const char *key, *field;
} sudo_keys[] = {
	{"TTY", "sudo.tty"},   {"PWD", "sudo.pwd"}, {"USER", "sudo.user"},       {"GROUP", "sudo.group"},
	{"TSID", "sudo.tsid"}, {"ENV", "sudo.env"}, {"COMMAND", "sudo.command"}, {"CHROOT", "sudo.chroot"},
};

static const char *sudo_field(struct kh_slice key)
{
	for (size_t i = 0; i < sizeof sudo_keys / sizeof *sudo_keys; i++)
		if (kh_slice_is(key, sudo_keys[i].key)) return sudo_keys[i].field;
	return NULL;
}

/* "user : [reason ; ]TTY=x ; PWD=y ; USER=z ; COMMAND=all the rest" (sudoers(5), log format). */
static enum kh_err sudo(struct kh_slice s, struct event *out)
{
	s = scan_spaces(s);
	size_t colon = scan_first(s, KH_LIT(" : "));
	if (colon == s.n || scan_first(s, KH_LIT("COMMAND=")) == s.n || scan_has(kh_slice_to(s, colon), ' '))
		return KH_OK;
	KH_TRY(event_add(out, KH_LIT("user"), kh_slice_to(s, colon), EVENT_STRING));
	s = kh_slice_from(s, colon + 3);
	bool refused = false;
	while (s.n > 0) {
		bool command = kh_slice_starts(s, KH_LIT("COMMAND="));
		size_t end = command ? s.n : scan_first(s, KH_LIT(" ; "));
		struct kh_slice value = kh_slice_to(s, end), key;
		const char *field = kh_slice_cut(&value, '=', &key) ? sudo_field(key) : NULL;
		if (field != NULL) {
			KH_TRY(event_add(out, kh_str(field), value, EVENT_STRING));
		} else {
			KH_TRY(event_add(out, KH_LIT("sudo.reason"), kh_slice_to(s, end), EVENT_STRING));
			refused = true;
		}
		s = kh_slice_from(s, end + 3);
	}
	return event_add(out, KH_LIT("outcome"), refused ? KH_LIT("failure") : KH_LIT("success"), EVENT_STRING);
}

enum kh_err phrase_fields(struct kh_slice app_name, struct kh_slice message, struct event *out)
{
	struct capture c[MAX_CAPTURES];
	struct kh_slice program = program_of(app_name);
	size_t n;
	for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
		if (speaks(&phrases[i], app_name, program) && fits(phrases[i].pattern, message, c, &n))
			return add_phrase(&phrases[i], c, n, out);
	return kh_slice_is(program, "sudo") ? sudo(message, out) : KH_OK;
}
