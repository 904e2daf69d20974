/* SPDX-License-Identifier: Apache-2.0
 * event/json.h - one JSON object (RFC 8259) becomes one flat event.
 * Input: one line, hostile. A byte order mark at the front is skipped; white space around the object is
 * allowed, anything else after it is an error, and so is any other top-level value. Fields: names joined by
 * dots; an element of an array carries the array's name; objects in arrays flatten under it; strings decoded
 * (U+0000 included: lengths are carried; a lone surrogate escape, which Windows names may hold, becomes
 * U+FFFD); numbers and booleans as written; null, {} and [] give EVENT_NULL, so that the field exists. A
 * repeated key gives two fields. Field order is the order of the input. Ownership: the event's slices point
 * into the parser's memory and die at its next parse. out->raw is `line` itself. Errors: KH_EFORMAT for bad
 * JSON or UTF-8 (with the byte offset), KH_ELIMIT past EVENT_MAX_BYTES, EVENT_MAX_DEPTH, EVENT_MAX_FIELDS,
 * JSON_MAX_NAME or JSON_NAMES_BYTES; `out` is then empty but for `raw`. Cost: O(bytes), no allocation after
 * event_json_new but for the event's own growth. Threads: one owner. */
#ifndef KH_CODEC_EVENT_JSON_H
#define KH_CODEC_EVENT_JSON_H
#include "codec/event/event.h"

enum {
	JSON_MAX_NAME = 1024,       /* bytes of one joined name */
	JSON_NAMES_BYTES = 1 << 20, /* all joined names of one event */
};

/* Why the last parse failed, coarse enough to count by. */
enum event_json_fault {
	JSON_FAULT_NONE,
	JSON_FAULT_EMPTY,
	JSON_FAULT_TOO_LONG,
	JSON_FAULT_UTF8,
	JSON_FAULT_TOO_DEEP,
	JSON_FAULT_TOO_MANY, /* fields, or bytes of names */
	JSON_FAULT_NOT_OBJECT,
	JSON_FAULT_SYNTAX,
	JSON_FAULT_MEMORY,
};

struct event_json;
struct event_json *event_json_new(void);    /* NULL when out of memory */
void event_json_free(struct event_json *p); /* NULL is allowed */
KH_MUST_USE enum kh_err event_json_parse(struct event_json *p, struct kh_slice line, struct event *out,
										 struct kh_diag *diag);
/* The same, behind the fields that `out` holds already; `raw` stays. On failure `out` is as it was. */
KH_MUST_USE enum kh_err event_json_append(struct event_json *p, struct kh_slice text, struct event *out,
										  struct kh_diag *diag);
enum event_json_fault event_json_fault(const struct event_json *p);
#endif
