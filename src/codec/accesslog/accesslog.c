/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/accesslog/accesslog.h"

#include "base/address.h"
#include "codec/event/scan.h"
#include "codec/event/utf8.h"

struct access {
	struct kh_slice vhost, client, user, time, request, status, bytes, referer, agent;
};

static bool is_address(struct kh_slice s)
{
	struct kh_address a;
	return kh_address_parse(s, &a) == KH_OK;
}

/* "dd/Mon/yyyy:hh:mm:ss" after the bracket. */
static bool time_at(struct kh_slice s)
{
	return scan_digits(s) == 2 && s.n > 12 && s.p[2] == '/' && scan_month(kh_slice_from(s, 3)) == 3 &&
		   s.p[6] == '/' && s.p[11] == ':' && scan_clock(kh_slice_from(s, 12)) == 8;
}

/* Cuts s at the bracket that opens the time; a user name may hold brackets and blanks. */
static bool cut_time(struct kh_slice *s, struct kh_slice *before, struct kh_slice *time)
{
	struct kh_slice rest = *s;
	for (;;) {
		size_t at = scan_first(rest, KH_LIT(" ["));
		if (at == rest.n) return false;
		rest = kh_slice_from(rest, at + 2);
		if (time_at(rest)) break;
	}
	*before = kh_slice_to(*s, (size_t)(rest.p - s->p) - 2);
	return kh_slice_cut(&rest, ']', time) && time->n < 40 && (*s = rest, true);
}

/* "name:port" with one colon, as %v:%p writes it. */
static bool has_port(struct kh_slice s)
{
	struct kh_slice name;
	return kh_slice_cut(&s, ':', &name) && name.n > 0 && s.n > 0 && scan_digits(s) == s.n;
}

static bool who(struct kh_slice s, struct access *a)
{
	struct kh_slice first, second, ident, rest = s;
	if (!kh_slice_cut(&rest, ' ', &first)) return false;
	struct kh_slice after = rest;
	if (kh_slice_cut(&after, ' ', &second) && scan_has(after, ' ') && !is_address(first) &&
		(is_address(second) || has_port(first))) {
		a->vhost = first;
		first = second;
		rest = after;
	}
	a->client = first;
	if (!kh_slice_cut(&rest, ' ', &ident)) return false;
	a->user = rest;
	return first.n > 0;
}

/* True: a status (or "-") and then bytes (or "-") stand there. */
static bool status_at(struct kh_slice s, struct access *a)
{
	struct kh_slice status, bytes;
	if (!scan_byte(&s, ' ')) return false;
	if (!kh_slice_cut(&s, ' ', &status)) {
		status = s;
		s = (struct kh_slice){0};
	}
	if (!kh_slice_cut(&s, ' ', &bytes)) bytes = s;
	bool ok = (status.n == 3 && scan_digits(status) == 3) || kh_slice_is(status, "-");
	if (!ok || !(scan_digits(bytes) == bytes.n || kh_slice_is(bytes, "-"))) return false;
	a->status = status;
	a->bytes = bytes;
	return true;
}

/* The end of a quoted text at which `fits` holds for what follows; escaped quotes do not end it. */
static bool quoted(struct kh_slice *s, struct access *a, bool (*fits)(struct kh_slice, struct access *),
				   struct kh_slice *out)
{
	if (!scan_byte(s, '"')) return false;
	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n && (s->p[i + 1] == '"' || s->p[i + 1] == '\\')) {
			i++;
		} else if (s->p[i] == '"' && fits(kh_slice_from(*s, i + 1), a)) {
			*out = kh_slice_to(*s, i);
			*s = kh_slice_from(*s, i + 1);
			return true;
		}
	}
	return false;
}

static bool quote_or_end(struct kh_slice s, struct access *a)
{
	(void)a;
	return s.n == 0 || kh_slice_starts(s, KH_LIT(" \""));
}

static bool blank_or_end(struct kh_slice s, struct access *a)
{
	(void)a;
	return s.n == 0 || s.p[0] == ' ';
}

static bool split(struct kh_slice line, struct access *a)
{
	struct kh_slice before;
	if (!cut_time(&line, &before, &a->time) || !who(before, a)) return false;
	line = scan_spaces(line);
	if (!quoted(&line, a, status_at, &a->request)) return false;
	line = kh_slice_from(line, 1 + a->status.n + (a->bytes.n > 0 ? 1 + a->bytes.n : 0));
	line = scan_spaces(line);
	if (!quoted(&line, a, quote_or_end, &a->referer)) return true;
	line = scan_spaces(line);
	(void)quoted(&line, a, blank_or_end, &a->agent);
	return true;
}

/* One escape after its backslash: its bytes, 0 when it is none. */
static size_t escape(struct kh_slice s, uint8_t *out)
{
	static const uint8_t plain[256] = {['"'] = '"',  ['\\'] = '\\', ['n'] = '\n', ['r'] = '\r',
									   ['t'] = '\t', ['b'] = '\b',  ['v'] = '\v', ['f'] = '\f'};
	if (s.n == 0) return 0;
	*out = plain[s.p[0]];
	if (*out != 0) return 1;
	if (s.p[0] != 'x' || s.n < 3) return 0;
	int high = scan_hex(s.p[1]), low = scan_hex(s.p[2]);
	if (high < 0 || low < 0) return 0;
	*out = (uint8_t)(high << 4 | low);
	return 3;
}

static enum kh_err decode(struct kh_slice s, struct scratch *scratch, struct kh_slice *out)
{
	*out = s;
	if (!scan_has(s, '\\')) return KH_OK;
	uint8_t *to = scratch_room(scratch, s.n);
	if (to == NULL) return KH_ELIMIT;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t byte = s.p[i], meant;
		size_t used = byte == '\\' ? escape(kh_slice_from(s, i + 1), &meant) : 0;
		to[n++] = used > 0 ? meant : byte;
		i += used;
	}
	if (utf8_good((struct kh_slice){to, n}) == n) *out = scratch_keep(scratch, n);
	return KH_OK;
}

static enum kh_err add(struct event *out, const char *name, struct kh_slice value)
{
	if (value.n == 0 || kh_slice_is(value, "-")) return KH_OK;
	return event_add(out, kh_str(name), value, EVENT_STRING);
}

static enum kh_err add_number(struct event *out, const char *name, struct kh_slice value)
{
	if (value.n == 0 || scan_digits(value) != value.n) return KH_OK;
	return event_add(out, kh_str(name), value, EVENT_NUMBER);
}

static bool method_ok(struct kh_slice s)
{
	if (s.n == 0 || s.n > 32) return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i] | 0x20;
		if ((c < 'a' || c > 'z') && s.p[i] != '_' && s.p[i] != '-') return false;
	}
	return true;
}

static enum kh_err add_target(struct kh_slice uri, struct event *out)
{
	struct kh_slice query = uri, stem;
	KH_TRY(event_add(out, KH_LIT("cs-uri"), uri, EVENT_STRING));
	bool has_query = kh_slice_cut(&query, '?', &stem);
	KH_TRY(event_add(out, KH_LIT("cs-uri-stem"), has_query ? stem : uri, EVENT_STRING));
	if (has_query) KH_TRY(event_add(out, KH_LIT("cs-uri-query"), query, EVENT_STRING));
	/* Public rules look for paths in cs-uri-query, so the whole target stands under that name too. */
	return event_add(out, KH_LIT("cs-uri-query"), uri, EVENT_STRING);
}

/* "METHOD target HTTP/x.y"; the target may hold blanks, the version may lack. Anything else is only
 * `request`. */
static enum kh_err add_request(struct kh_slice request, struct event *out)
{
	struct kh_slice rest = request, method;
	KH_TRY(add(out, "request", request));
	if (!kh_slice_cut(&rest, ' ', &method) || !method_ok(method) || rest.n == 0) return KH_OK;
	size_t last = scan_last(rest, KH_LIT(" HTTP/"));
	KH_TRY(event_add(out, KH_LIT("cs-method"), method, EVENT_STRING));
	if (last < rest.n)
		KH_TRY(event_add(out, KH_LIT("cs-version"), kh_slice_from(rest, last + 1), EVENT_STRING));
	return add_target(kh_slice_to(rest, last), out);
}

enum kh_err accesslog_parse(struct kh_slice line, struct scratch *scratch, struct event *out)
{
	struct access a = {0};
	struct kh_slice request, referer, agent, user;
	if (!split(line, &a)) return KH_EFORMAT;
	KH_TRY(decode(a.request, scratch, &request));
	KH_TRY(decode(a.referer, scratch, &referer));
	KH_TRY(decode(a.agent, scratch, &agent));
	KH_TRY(decode(a.user, scratch, &user));
	KH_TRY(add(out, "cs-host", a.vhost));
	KH_TRY(add(out, "c-ip", a.client));
	KH_TRY(add(out, "cs-username", user));
	KH_TRY(add(out, "timestamp", a.time));
	KH_TRY(add_request(request, out));
	KH_TRY(add_number(out, "sc-status", a.status));
	KH_TRY(add_number(out, "sc-bytes", a.bytes));
	KH_TRY(add(out, "cs-referer", referer));
	return add(out, "cs-user-agent", agent);
}
