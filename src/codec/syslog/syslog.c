/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/syslog/syslog.h"

#include "codec/event/scan.h"

/* "<N>" with N at most 191, no leading zero (RFC 5424, 6.2.1; RFC 3164 is looser, nobody uses it). */
static bool pri(struct kh_slice *s, struct syslog_message *m)
{
	struct kh_slice rest = *s, number;
	uint64_t value;
	if (!scan_byte(&rest, '<') || !kh_slice_cut(&rest, '>', &number) || number.n > 3) return false;
	if (kh_slice_u64(number, 191, &value) != KH_OK) return false;
	m->has_pri = true;
	m->facility = (unsigned)value >> 3;
	m->severity = (unsigned)value & 7;
	*s = rest;
	return true;
}

static struct kh_slice nil(struct kh_slice s)
{
	return kh_slice_is(s, "-") ? (struct kh_slice){s.p, 0} : s;
}

/* The length of one SD-ELEMENT with its brackets, 0 when it is broken (RFC 5424, 6.3). */
static size_t sd_element(struct kh_slice s)
{
	bool quoted = false;
	if (s.n == 0 || s.p[0] != '[') return 0;
	for (size_t i = 1; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == ']' && !quoted)
			return i + 1;
	}
	return 0;
}

static size_t sd_length(struct kh_slice s)
{
	size_t n = 0, one;
	while ((one = sd_element(kh_slice_from(s, n))) > 0) n += one;
	return n;
}

static void take_message(struct syslog_message *m, struct kh_slice s)
{
	if (s.n > 0 && s.p[0] == ' ') s = kh_slice_from(s, 1);
	if (kh_slice_starts(s, KH_LIT("\xef\xbb\xbf"))) s = kh_slice_from(s, 3); /* RFC 5424, 6.4 */
	m->message = s;
}

/* What follows "<PRI>1 ". False: not RFC 5424 after all. */
static bool rfc5424(struct kh_slice s, struct syslog_message *m)
{
	struct kh_slice version;
	uint64_t v;
	if (!kh_slice_cut(&s, ' ', &version) || version.n > 3 || kh_slice_u64(version, 999, &v) != KH_OK ||
		v == 0)
		return false;
	struct kh_slice head[5];
	for (size_t i = 0; i < 5; i++)
		if (!kh_slice_cut(&s, ' ', &head[i])) return false;
	if (!kh_slice_is(head[0], "-") && scan_rfc3339(head[0]) != head[0].n) return false;
	m->rfc5424 = true;
	m->timestamp = nil(head[0]);
	m->hostname = nil(head[1]);
	m->app_name = nil(head[2]);
	m->proc_id = nil(head[3]);
	m->msg_id = nil(head[4]);
	size_t n = s.n > 0 && s.p[0] == '-' ? 1 : sd_length(s);
	m->structured = nil(kh_slice_to(s, n));
	take_message(m, kh_slice_from(s, n));
	return true;
}

/* "Mmm dd [yyyy ]hh:mm:ss[.fff][ yyyy]"; the length, 0 when it is no time. */
static size_t bsd_time(struct kh_slice s)
{
	size_t n = scan_month(s);
	if (n == 0 || n >= s.n || s.p[n] != ' ') return 0;
	n++;
	if (n < s.n && s.p[n] == ' ') n++;
	size_t day = scan_digits(kh_slice_from(s, n));
	if (day == 0 || day > 2) return 0;
	n += day;
	if (n >= s.n || s.p[n++] != ' ') return 0;
	if (scan_digits(kh_slice_from(s, n)) == 4 && n + 4 < s.n && s.p[n + 4] == ' ') n += 5;
	size_t clock = scan_clock(kh_slice_from(s, n));
	if (clock == 0) return 0;
	n += clock;
	struct kh_slice after = kh_slice_from(s, n);
	bool year = after.n >= 5 && after.p[0] == ' ' && (after.p[1] == '1' || after.p[1] == '2') &&
				scan_digits(kh_slice_from(after, 1)) == 4 &&
				(after.n == 5 || after.p[5] == ' ' || after.p[5] == ':');
	return year ? n + 5 : n;
}

/* "123: " and "*" or "." before the time, as Cisco writes them. */
static struct kh_slice cisco_lead(struct kh_slice s)
{
	size_t n = scan_digits(s);
	if (n > 0 && kh_slice_starts(kh_slice_from(s, n), KH_LIT(": "))) s = kh_slice_from(s, n + 2);
	if (s.n > 0 && (s.p[0] == '*' || s.p[0] == '.')) s = kh_slice_from(s, 1);
	return s;
}

static bool take_time(struct kh_slice *s, struct syslog_message *m)
{
	struct kh_slice at = cisco_lead(*s);
	size_t n = bsd_time(at);
	if (n == 0) n = scan_rfc3339(at);
	if (n == 0) return false;
	struct kh_slice after = kh_slice_from(at, n);
	if (after.n > 0 && after.p[0] != ' ' && after.p[0] != ':') return false;
	m->timestamp = kh_slice_to(at, n);
	(void)scan_byte(&after, ':');
	*s = scan_spaces(after);
	return true;
}

static bool tag_char(uint8_t c)
{
	return c > ' ' && c != ':' && c != '[' && c != 0x7f && c != '{' && c != '"' && c != '=';
}

/* "app[pid]: ", "app: " or "app[pid] "; the tag may be as long as a path. False, s untouched: no tag there.
 */
static bool take_tag(struct kh_slice *s, struct syslog_message *m)
{
	size_t n = 0;
	while (n < s->n && n < 128 && tag_char(s->p[n])) n++;
	struct kh_slice name = kh_slice_to(*s, n), rest = kh_slice_from(*s, n), pid = {0};
	if (n == 0) return false;
	if (scan_byte(&rest, '[') && (!kh_slice_cut(&rest, ']', &pid) || pid.n > 64)) return false;
	bool colon = scan_byte(&rest, ':');
	if (!colon && pid.p == NULL) return false;
	if (rest.n > 0 && rest.p[0] != ' ' && !(colon && pid.p != NULL)) return false;
	m->app_name = name;
	m->proc_id = pid;
	take_message(m, rest);
	return true;
}

/* The host, unless the word is a tag itself or the text is a bare notice. */
static bool take_host(struct kh_slice *s, struct syslog_message *m)
{
	struct kh_slice rest = *s, word;
	if (kh_slice_starts(*s, KH_LIT("last message repeated")) ||
		kh_slice_starts(*s, KH_LIT("message repeated")))
		return false;
	if (!kh_slice_cut(&rest, ' ', &word) || word.n == 0 || word.n > 255) return false;
	if (word.p[word.n - 1] == ':' && !(rest.n > 0 && rest.p[0] == '%')) return false;
	if (scan_has(word, '[') || scan_has(word, '=')) return false;
	if (word.p[word.n - 1] == ':') word.n--; /* "host: %ASA-..." */
	m->hostname = word;
	*s = scan_spaces(rest);
	if (kh_slice_starts(*s, KH_LIT(": "))) *s = kh_slice_from(*s, 2); /* "host : %ASA-..." */
	return true;
}

static void rfc3164(struct kh_slice s, struct syslog_message *m)
{
	if (take_time(&s, m)) (void)take_host(&s, m);
	if (!take_tag(&s, m)) take_message(m, s);
}

enum kh_err syslog_parse(struct kh_slice line, struct syslog_message *out)
{
	struct syslog_message m = {0};
	struct kh_slice s = line;
	if (pri(&s, &m)) {
		if (!rfc5424(s, &m)) rfc3164(s, &m);
	} else {
		struct kh_slice probe = s;
		struct syslog_message time = {0};
		if (!take_time(&probe, &time)) return KH_EFORMAT;
		rfc3164(s, &m);
	}
	*out = m;
	return KH_OK;
}

static enum kh_err add(struct event *out, const char *name, struct kh_slice value)
{
	return value.n == 0 ? KH_OK : event_add(out, kh_str(name), value, EVENT_STRING);
}

static enum kh_err add_small(struct event *out, const char *name, unsigned value)
{
	static const char digits[][3] = {"0",  "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11",
									 "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23"};
	return event_add(out, kh_str(name), kh_str(digits[value]), EVENT_NUMBER);
}

/* One PARAM-VALUE after its opening quote: \" \\ \] are escapes, another backslash is itself (RFC
 * 5424, 6.3.3). */
static enum kh_err sd_value(struct kh_slice *s, struct scratch *scratch, struct kh_slice *out)
{
	uint8_t *to = scratch_room(scratch, s->n);
	if (to == NULL) return KH_ELIMIT;
	size_t n = 0, i = 0;
	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n && memchr("\"\\]", s->p[i + 1], 3) != NULL) i++;
		to[n++] = s->p[i];
	}
	*s = kh_slice_from(*s, i + 1);
	*out = scratch_keep(scratch, n);
	return KH_OK;
}

static enum kh_err sd_name(struct kh_slice id, struct kh_slice param, struct scratch *scratch,
						   struct kh_slice *out)
{
	size_t n = 3 + id.n + 1 + param.n;
	uint8_t *to = scratch_room(scratch, n);
	if (to == NULL) return KH_ELIMIT;
	memcpy(to, "sd.", 3);
	memcpy(to + 3, id.p, id.n);
	to[3 + id.n] = '.';
	memcpy(to + 4 + id.n, param.p, param.n);
	*out = scratch_keep(scratch, n);
	return KH_OK;
}

/* One element without its brackets: id name="value" name="value". */
static enum kh_err sd_fields(struct kh_slice s, struct scratch *scratch, struct event *out)
{
	struct kh_slice id, param, name, value;
	if (!kh_slice_cut(&s, ' ', &id)) return KH_OK;
	while (s = scan_spaces(s), kh_slice_cut(&s, '=', &param)) {
		if (!scan_byte(&s, '"')) return KH_OK;
		KH_TRY(sd_name(id, param, scratch, &name));
		KH_TRY(sd_value(&s, scratch, &value));
		KH_TRY(event_add(out, name, value, EVENT_STRING));
	}
	return KH_OK;
}

enum kh_err syslog_fields(const struct syslog_message *m, struct scratch *scratch, struct event *out)
{
	if (m->has_pri) {
		KH_TRY(add_small(out, "facility", m->facility));
		KH_TRY(add_small(out, "severity", m->severity));
	}
	KH_TRY(add(out, "timestamp", m->timestamp));
	KH_TRY(add(out, "hostname", m->hostname));
	KH_TRY(add(out, "app_name", m->app_name));
	KH_TRY(add(out, "proc_id", m->proc_id));
	KH_TRY(add(out, "msg_id", m->msg_id));
	struct kh_slice sd = m->structured;
	for (size_t n; (n = sd_element(sd)) > 0; sd = kh_slice_from(sd, n))
		KH_TRY(sd_fields((struct kh_slice){sd.p + 1, n - 2}, scratch, out));
	return event_add(out, KH_LIT("message"), m->message, EVENT_STRING);
}
