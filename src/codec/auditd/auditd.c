/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/auditd/auditd.h"

#include "codec/event/scan.h"
#include "codec/event/utf8.h"

struct audit {
	struct scratch *scratch;
	struct event *out;
	bool execve;
};

/* Numbers of linux/audit.h that the kernel's own log carries. */
static const struct {
	const char *number, *name;
} types[] = {
	{"1100", "USER_AUTH"},
	{"1101", "USER_ACCT"},
	{"1103", "CRED_ACQ"},
	{"1104", "CRED_DISP"},
	{"1105", "USER_START"},
	{"1106", "USER_END"},
	{"1108", "USER_CHAUTHTOK"},
	{"1110", "CRED_REFR"},
	{"1112", "USER_LOGIN"},
	{"1123", "USER_CMD"},
	{"1130", "SERVICE_START"},
	{"1131", "SERVICE_STOP"},
	{"1300", "SYSCALL"},
	{"1302", "PATH"},
	{"1305", "CONFIG_CHANGE"},
	{"1306", "SOCKADDR"},
	{"1307", "CWD"},
	{"1309", "EXECVE"},
	{"1325", "NETFILTER_CFG"},
	{"1326", "SECCOMP"},
	{"1327", "PROCTITLE"},
	{"1334", "BPF"},
	{"1400", "AVC"},
	{"1700", "ANOM_PROMISCUOUS"},
	{"1701", "ANOM_ABEND"},
};

/* Fields that the kernel or libaudit may write in hexadecimal. */
static const char *const encoded[] = {
	"proctitle", "comm",  "exe", "cwd", "name",  "cmd",    "data", "acct",      "path",     "key", "file",
	"dir",       "watch", "vm",  "sw",  "ocomm", "device", "grp",  "new_group", "root_dir", "unit"};

static bool is_encoded(const struct audit *a, struct kh_slice key)
{
	if (a->execve && key.n > 1 && key.p[0] == 'a') {
		size_t digits = scan_digits(kh_slice_from(key, 1));
		if (digits > 0 && (key.n == digits + 1 || key.p[digits + 1] == '[')) return true; /* a0, a1[2] */
	}
	for (size_t i = 0; i < sizeof encoded / sizeof *encoded; i++)
		if (kh_slice_is(key, encoded[i])) return true;
	return false;
}

static bool is_hex(struct kh_slice s)
{
	if (s.n == 0 || s.n % 2 != 0) return false;
	for (size_t i = 0; i < s.n; i++)
		if (scan_hex(s.p[i]) < 0) return false;
	return true;
}

static enum kh_err unhex(struct audit *a, struct kh_slice s, struct kh_slice *out)
{
	size_t n = s.n / 2;
	uint8_t *bytes = scratch_room(a->scratch, n);
	if (bytes == NULL) return KH_ELIMIT;
	for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(scan_hex(s.p[2 * i]) << 4 | scan_hex(s.p[2 * i + 1]));
	while (n > 0 && bytes[n - 1] == 0) n--;
	*out = scratch_keep(a->scratch, n);
	if (utf8_good(*out) == n) return KH_OK;
	uint8_t *to = scratch_room(a->scratch, 3 * n);
	if (to == NULL) return KH_ELIMIT;
	*out = scratch_keep(a->scratch, utf8_mend(*out, to));
	return KH_OK;
}

/* The arguments of a process title are parted by NULs. */
static enum kh_err blanks_for_nuls(struct audit *a, struct kh_slice *s)
{
	if (!scan_has(*s, 0)) return KH_OK;
	uint8_t *to = scratch_room(a->scratch, s->n);
	if (to == NULL) return KH_ELIMIT;
	for (size_t i = 0; i < s->n; i++) to[i] = s->p[i] == 0 ? ' ' : s->p[i];
	*s = scratch_keep(a->scratch, s->n);
	return KH_OK;
}

static enum kh_err add_keys(struct audit *a, struct kh_slice key, struct kh_slice value)
{
	struct kh_slice one;
	while (kh_slice_cut(&value, 0x01, &one)) KH_TRY(event_add(a->out, key, one, EVENT_STRING));
	return event_add(a->out, key, value, EVENT_STRING);
}

static enum kh_err add_value(struct audit *a, struct kh_slice key, struct kh_slice value, bool quoted)
{
	if (!quoted && is_hex(value) && is_encoded(a, key)) {
		KH_TRY(unhex(a, value, &value));
		if (kh_slice_is(key, "proctitle")) KH_TRY(blanks_for_nuls(a, &value));
		if (kh_slice_is(key, "key")) return add_keys(a, key, value);
	}
	return event_add(a->out, key, value, EVENT_STRING);
}

static bool separator(uint8_t c)
{
	return c == ' ' || c == ',' || c == 0x1d || c == '\t';
}

/* A bare value ends at a blank; a comma ends it only before a blank (grantors=pam_unix,pam_env). */
static struct kh_slice bare(struct kh_slice *s)
{
	size_t n = 0;
	while (n < s->n && s->p[n] != ' ' && s->p[n] != 0x1d && s->p[n] != '\t' &&
		   !(s->p[n] == ',' && n + 1 < s->n && s->p[n + 1] == ' '))
		n++;
	struct kh_slice out = kh_slice_to(*s, n);
	*s = kh_slice_from(*s, n);
	return out;
}

/* key= at the front; words without '=' are passed over. False at the end. */
static bool next_key(struct kh_slice *s, struct kh_slice *key)
{
	for (;;) {
		size_t n = 0;
		while (n < s->n && separator(s->p[n])) n++;
		*s = kh_slice_from(*s, n);
		if (s->n == 0) return false;
		n = 0;
		while (n < s->n && s->p[n] != '=' && !separator(s->p[n])) n++;
		*key = kh_slice_to(*s, n);
		bool found = n > 0 && n < s->n && s->p[n] == '=';
		*s = kh_slice_from(*s, found || n == 0 ? n + 1 : n);
		if (found) return true;
	}
}

/* The fields of a text without nested ones, or, at the top, with msg='...' opened once. */
static enum kh_err fields(struct audit *a, struct kh_slice s, bool top)
{
	struct kh_slice key, value;
	while (next_key(&s, &key)) {
		struct kh_slice rest = s;
		if (scan_byte(&rest, '"') && kh_slice_cut(&rest, '"', &value)) {
			KH_TRY(add_value(a, key, value, true));
		} else if (top && kh_slice_is(key, "msg") && (rest = s, scan_byte(&rest, '\''))) {
			/* The last quote closes it: texts inside may hold others. */
			size_t end = scan_last(rest, KH_LIT("'"));
			KH_TRY(fields(a, kh_slice_to(rest, end), false));
			rest = kh_slice_from(rest, end + 1);
		} else if (rest = s, scan_byte(&rest, '\'') && kh_slice_cut(&rest, '\'', &value)) {
			KH_TRY(add_value(a, key, value, true));
		} else {
			rest = s;
			value = bare(&rest);
			KH_TRY(add_value(a, key, value, false));
		}
		s = rest;
	}
	return KH_OK;
}

static struct kh_slice type_name(struct kh_slice type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (kh_slice_is(type, types[i].number)) return kh_str(types[i].name);
	return type;
}

struct head {
	struct kh_slice node, type, stamp, serial;
};

/* "[audit: ][node=X ]type=T [msg=]audit(S:N): "; s becomes what follows. */
static bool head(struct kh_slice *s, struct head *h)
{
	struct kh_slice rest = scan_spaces(*s), word;
	if (kh_slice_starts(rest, KH_LIT("audit: "))) rest = kh_slice_from(rest, 7);
	if (kh_slice_starts(rest, KH_LIT("node=")) && kh_slice_cut(&rest, ' ', &word))
		h->node = kh_slice_from(word, 5);
	if (!kh_slice_starts(rest, KH_LIT("type=")) || !kh_slice_cut(&rest, ' ', &word)) return false;
	h->type = type_name(kh_slice_from(word, 5));
	if (kh_slice_starts(rest, KH_LIT("msg="))) rest = kh_slice_from(rest, 4);
	if (!kh_slice_starts(rest, KH_LIT("audit("))) return false;
	rest = kh_slice_from(rest, 6);
	if (!kh_slice_cut(&rest, ')', &word) || !kh_slice_cut(&word, ':', &h->stamp)) return false;
	h->serial = word;
	if (scan_digits(h->stamp) == 0 || scan_digits(h->serial) != h->serial.n || h->serial.n == 0) return false;
	(void)scan_byte(&rest, ':');
	*s = rest;
	return true;
}

bool auditd_looks_like(struct kh_slice line)
{
	struct head h = {0};
	return head(&line, &h);
}

enum kh_err auditd_parse(struct kh_slice line, struct scratch *scratch, struct event *out)
{
	struct head h = {0};
	if (!head(&line, &h)) return KH_EFORMAT;
	struct audit a = {scratch, out, kh_slice_is(h.type, "EXECVE")};
	KH_TRY(event_add(out, KH_LIT("type"), h.type, EVENT_STRING));
	KH_TRY(event_add(out, KH_LIT("timestamp"), h.stamp, EVENT_STRING));
	KH_TRY(event_add(out, KH_LIT("event_id"), h.serial, EVENT_NUMBER));
	if (h.node.n > 0) KH_TRY(event_add(out, KH_LIT("node"), h.node, EVENT_STRING));
	return fields(&a, line, true);
}
