/* SPDX-License-Identifier: Apache-2.0
 * line/line.h - one log line of any known format becomes one event.
 * LINE_AUTO looks at the first bytes of each line: '{' JSON, '<' or a time syslog, "type=" or "node=" auditd,
 * a bracketed time and a quoted request access log; anything else is text: an event with the line as
 * `message`. A syslog message that holds a JSON object ("@cee:" or '{'), an audit record or, from nginx,
 * apache or httpd, an access log line, is read further, once. `_format` names what the event was: the
 * innermost format first, then "syslog" when it came in one ("json", "syslog", "access", "auditd", "text").
 * Input: hostile bytes without their line end. In text formats broken UTF-8 becomes U+FFFD and NULs in front
 * (a file after a crash) are taken off: both are accepted and named by line_parser_reason. JSON is refused
 * instead. Ownership: the event's slices point into the parser, or into `line`, and die at the next parse;
 * out->raw is `line`. Errors: as line_parser_reason tells; `out` then holds no field. A format that is asked
 * for by name and does not fit is KH_EFORMAT, but LINE_SYSLOG: a datagram without a header is still a
 * message. Cost: O(bytes), no allocation after line_parser_new but for the event's own growth. Threads: one
 * owner. */
#ifndef KH_CODEC_LINE_LINE_H
#define KH_CODEC_LINE_LINE_H
#include "codec/event/event.h"

enum line_format { LINE_AUTO, LINE_JSON, LINE_SYSLOG, LINE_ACCESS, LINE_AUDITD, LINE_N_FORMATS };

enum line_reason {
	LINE_OK,
	LINE_EMPTY,
	LINE_TOO_LONG,
	LINE_NUL,      /* all NUL: refused; NUL in front of text: accepted */
	LINE_NOT_UTF8, /* JSON: refused; text: accepted, mended */
	LINE_TOO_DEEP,
	LINE_TOO_MANY, /* fields, or bytes of names and decoded text */
	LINE_BAD_JSON,
	LINE_NOT_OBJECT,
	LINE_WRONG_FORMAT, /* not the format that was asked for */
	LINE_NO_MEMORY,
	LINE_N_REASONS,
};

struct line_parser;
struct line_parser *line_parser_new(void);    /* NULL when out of memory */
void line_parser_free(struct line_parser *p); /* NULL is allowed */
KH_MUST_USE enum kh_err line_parse(struct line_parser *p, enum line_format format, struct kh_slice line,
								   struct event *out, struct kh_diag *diag);
/* Of the last parse: why it failed, or what was mended (then line_parse was KH_OK). */
enum line_reason line_parser_reason(const struct line_parser *p);
const char *line_reason_name(enum line_reason reason);            /* "too_long", for counters */
bool line_format_of(struct kh_slice name, enum line_format *out); /* "auto", "json", ... */
const char *line_format_name(enum line_format format);
#endif
