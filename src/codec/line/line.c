/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/line/line.h"

#include <stdlib.h>

#include "base/message.h"
#include "codec/accesslog/accesslog.h"
#include "codec/auditd/auditd.h"
#include "codec/event/json.h"
#include "codec/event/scan.h"
#include "codec/event/scratch.h"
#include "codec/event/utf8.h"
#include "codec/syslog/phrase.h"
#include "codec/syslog/syslog.h"

/* A mended line (three bytes for each broken one) and what is decoded out of it. */
enum { SCRATCH_BYTES = 6 * EVENT_MAX_BYTES };

struct line_parser {
	struct event_json *json;
	struct scratch scratch;
	enum line_reason reason;
	bool named; /* the failure has its reason and its words already */
	struct event *out;
	struct kh_diag *diag;
};

struct line_parser *line_parser_new(void)
{
	struct line_parser *p = calloc(1, sizeof *p);
	if (p == NULL) return NULL;
	p->json = event_json_new();
	if (p->json != NULL && scratch_init(&p->scratch, SCRATCH_BYTES)) return p;
	line_parser_free(p);
	return NULL;
}

void line_parser_free(struct line_parser *p)
{
	if (p == NULL) return;
	event_json_free(p->json);
	scratch_free(&p->scratch);
	free(p);
}

enum line_reason line_parser_reason(const struct line_parser *p)
{
	return p->reason;
}

const char *line_reason_name(enum line_reason reason)
{
	static const char *const names[LINE_N_REASONS] = {
		[LINE_OK] = "ok",
		[LINE_EMPTY] = "empty",
		[LINE_TOO_LONG] = "too_long",
		[LINE_NUL] = "nul",
		[LINE_NOT_UTF8] = "not_utf8",
		[LINE_TOO_DEEP] = "too_deep",
		[LINE_TOO_MANY] = "too_many",
		[LINE_BAD_JSON] = "bad_json",
		[LINE_NOT_OBJECT] = "not_object",
		[LINE_WRONG_FORMAT] = "wrong_format",
		[LINE_NO_MEMORY] = "no_memory",
	};
	return names[reason];
}

static const char *const format_names[LINE_N_FORMATS] = {
	[LINE_AUTO] = "auto",     [LINE_JSON] = "json",     [LINE_SYSLOG] = "syslog",
	[LINE_ACCESS] = "access", [LINE_AUDITD] = "auditd",
};

const char *line_format_name(enum line_format format)
{
	return format_names[format];
}

bool line_format_of(struct kh_slice name, enum line_format *out)
{
	for (size_t i = 0; i < LINE_N_FORMATS; i++) {
		if (!kh_slice_is(name, format_names[i])) continue;
		*out = (enum line_format)i;
		return true;
	}
	return false;
}

static enum kh_err mark(struct line_parser *p, const char *format)
{
	return event_add(p->out, KH_LIT("_format"), kh_str(format), EVENT_STRING);
}

static enum line_reason json_reason(enum event_json_fault fault)
{
	static const enum line_reason of[] = {
		[JSON_FAULT_NONE] = LINE_OK,
		[JSON_FAULT_EMPTY] = LINE_EMPTY,
		[JSON_FAULT_TOO_LONG] = LINE_TOO_LONG,
		[JSON_FAULT_UTF8] = LINE_NOT_UTF8,
		[JSON_FAULT_TOO_DEEP] = LINE_TOO_DEEP,
		[JSON_FAULT_TOO_MANY] = LINE_TOO_MANY,
		[JSON_FAULT_NOT_OBJECT] = LINE_NOT_OBJECT,
		[JSON_FAULT_SYNTAX] = LINE_BAD_JSON,
		[JSON_FAULT_MEMORY] = LINE_NO_MEMORY,
	};
	return of[fault];
}

static enum kh_err json(struct line_parser *p, struct kh_slice s)
{
	enum kh_err err = event_json_append(p->json, s, p->out, p->diag);
	if (err != KH_OK) {
		p->reason = json_reason(event_json_fault(p->json));
		p->named = true;
		return err;
	}
	return mark(p, "json");
}

static enum kh_err access_log(struct line_parser *p, struct kh_slice s)
{
	KH_TRY(accesslog_parse(s, &p->scratch, p->out));
	return mark(p, "access");
}

static enum kh_err audit(struct line_parser *p, struct kh_slice s)
{
	KH_TRY(auditd_parse(s, &p->scratch, p->out));
	return mark(p, "auditd");
}

static enum kh_err text(struct line_parser *p, struct kh_slice s)
{
	KH_TRY(event_add(p->out, KH_LIT("message"), s, EVENT_STRING));
	return mark(p, "text");
}

/* "[   12.345678] " in front of a kernel message. */
static struct kh_slice after_kernel_clock(struct kh_slice s)
{
	struct kh_slice rest = s, clock;
	if (!scan_byte(&rest, '[') || !kh_slice_cut(&rest, ']', &clock) || clock.n > 24) return s;
	for (size_t i = 0; i < clock.n; i++)
		if (memchr(" .0123456789", clock.p[i], 12) == NULL) return s;
	return scan_spaces(rest);
}

static bool writes_access_logs(struct kh_slice app)
{
	static const char *const names[] = {"nginx", "apache",       "apache2",
										"httpd", "nginx_access", "apache_access"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (kh_slice_case_eq(app, kh_str(names[i]))) return true;
	return false;
}

static struct kh_slice without_cee(struct kh_slice s)
{
	return scan_spaces(kh_slice_starts(s, KH_LIT("@cee:")) ? kh_slice_from(s, 5) : s);
}

/* A record without a node of its own speaks of the machine that sent the message. */
static enum kh_err audit_from(struct line_parser *p, struct kh_slice record, struct kh_slice sender)
{
	KH_TRY(audit(p, record));
	if (sender.n == 0 || event_find(p->out, "node") != NULL) return KH_OK;
	return event_add(p->out, KH_LIT("node"), sender, EVENT_STRING);
}

/* Reads a message that is itself a log line of another format. What does not parse stays only a message. */
static enum kh_err inner(struct line_parser *p, const struct syslog_message *m)
{
	size_t n_before = p->out->n_fields;
	enum line_reason mended = p->reason;
	struct kh_diag *diag = p->diag;
	struct kh_slice object = without_cee(m->message), record = after_kernel_clock(m->message);
	enum kh_err err = KH_EFORMAT;
	p->diag = NULL;
	if (object.n > 0 && object.p[0] == '{')
		err = json(p, object);
	else if (auditd_looks_like(record))
		err = audit_from(p, record, m->hostname);
	else if (writes_access_logs(m->app_name))
		err = access_log(p, m->message);
	p->diag = diag;
	if (err == KH_OK) return KH_OK;
	p->out->n_fields = n_before;
	p->reason = mended;
	p->named = false;
	return err == KH_ENOMEM ? err : KH_OK;
}

static enum kh_err syslog_event(struct line_parser *p, const struct syslog_message *m)
{
	KH_TRY(inner(p, m));
	KH_TRY(mark(p, "syslog"));
	KH_TRY(syslog_fields(m, &p->scratch, p->out));
	return phrase_fields(m->app_name, m->message, p->out);
}

static enum kh_err syslog_line(struct line_parser *p, struct kh_slice s)
{
	struct syslog_message m;
	KH_TRY(syslog_parse(s, &m));
	return syslog_event(p, &m);
}

/* A datagram without a header is all message (RFC 3164, 4.3.3). */
static enum kh_err syslog_or_message(struct line_parser *p, struct kh_slice s)
{
	struct syslog_message m = {.message = s};
	if (syslog_parse(s, &m) != KH_OK) m = (struct syslog_message){.message = s};
	return syslog_event(p, &m);
}

static enum kh_err any_text(struct line_parser *p, struct kh_slice s)
{
	typedef enum kh_err reader(struct line_parser *, struct kh_slice);
	static reader *const readers[] = {audit, syslog_line, access_log};
	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
		enum kh_err err = readers[i](p, s);
		if (err != KH_EFORMAT) return err;
		p->out->n_fields = 0;
	}
	return text(p, s);
}

/* Text with broken UTF-8 mended: a Latin-1 user name must not hide the line. */
static enum kh_err mend(struct line_parser *p, struct kh_slice *s)
{
	if (utf8_good(*s) == s->n) return KH_OK;
	uint8_t *to = scratch_room(&p->scratch, 3 * s->n);
	if (to == NULL) return KH_ELIMIT;
	*s = scratch_keep(&p->scratch, utf8_mend(*s, to));
	p->reason = LINE_NOT_UTF8;
	return KH_OK;
}

static enum kh_err read_text(struct line_parser *p, enum line_format format, struct kh_slice s)
{
	typedef enum kh_err reader(struct line_parser *, struct kh_slice);
	static reader *const readers[LINE_N_FORMATS] = {
		[LINE_AUTO] = any_text,     [LINE_JSON] = json,    [LINE_SYSLOG] = syslog_or_message,
		[LINE_ACCESS] = access_log, [LINE_AUDITD] = audit,
	};
	KH_TRY(mend(p, &s));
	return readers[format](p, s);
}

static struct kh_slice without_nuls(struct kh_slice s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] == 0) n++;
	return kh_slice_from(s, n);
}

static enum kh_err refuse(struct line_parser *p, enum kh_err err, enum line_reason reason, enum kh_msg key)
{
	p->reason = reason;
	p->named = true;
	return kh_say(p->diag, err, key, NULL);
}

static enum kh_err parse(struct line_parser *p, enum line_format format, struct kh_slice line)
{
	struct kh_slice s = without_nuls(line);
	if (line.n > EVENT_MAX_BYTES) return refuse(p, KH_ELIMIT, LINE_TOO_LONG, M_LINE_TOO_LONG);
	if (line.n > 0 && s.n == 0) return refuse(p, KH_EFORMAT, LINE_NUL, M_LINE_NUL);
	if (kh_slice_trim(s).n == 0) return refuse(p, KH_EFORMAT, LINE_EMPTY, M_LINE_EMPTY);
	if (s.n < line.n) p->reason = LINE_NUL;
	if (kh_slice_starts(s, KH_LIT("\xef\xbb\xbf"))) s = kh_slice_from(s, 3);
	if (format == LINE_JSON || (format == LINE_AUTO && kh_slice_starts(kh_slice_trim(s), KH_LIT("{"))))
		return json(p, s);
	return read_text(p, format, s);
}

/* What the readers of text leave to be named here. */
static enum kh_err name_failure(struct line_parser *p, enum kh_err err)
{
	switch (err) {
	case KH_ELIMIT:
		return refuse(p, err, LINE_TOO_MANY, M_LINE_TOO_MANY);
	case KH_ENOMEM:
		return refuse(p, err, LINE_NO_MEMORY, M_OUT_OF_MEMORY);
	case KH_OK:
	case KH_ESHORT:
	case KH_EFORMAT:
	case KH_ERANGE:
	case KH_ESYS:
	default:
		return refuse(p, err, LINE_WRONG_FORMAT, M_LINE_WRONG_FORMAT);
	}
}

enum kh_err line_parse(struct line_parser *p, enum line_format format, struct kh_slice line,
					   struct event *out, struct kh_diag *diag)
{
	event_clear(out);
	scratch_reset(&p->scratch);
	out->raw = line;
	p->out = out;
	p->diag = diag;
	p->reason = LINE_OK;
	p->named = false;
	enum kh_err err = parse(p, format, line);
	if (err == KH_OK) return KH_OK;
	out->n_fields = 0;
	return p->named ? err : name_failure(p, err);
}
