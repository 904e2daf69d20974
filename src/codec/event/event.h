/* SPDX-License-Identifier: Apache-2.0
 * event.h - one log event as a flat list of named values, whatever it was written in.
 * Nested names are joined by a dot ("Event.EventData.Image", "winlog.event_data.Image"); an element of an
 * array carries the name of the array, so a name may occur more than once. Values are the decoded text:
 * numbers and booleans as they were written, EVENT_NULL with an empty value.
 * Ownership: names and values
 * point into the input, into the producer's scratch memory, or at constants; all die at the producer's next
 * event. The event owns only `fields`. Cost: event_add is amortised O(1) and allocates only while the largest
 * event so far grows. Errors: KH_ELIMIT past EVENT_MAX_FIELDS. Threads: one owner. */
#ifndef KH_CODEC_EVENT_H
#define KH_CODEC_EVENT_H
#include "base/slice.h"

enum { EVENT_MAX_FIELDS = 2048, EVENT_MAX_DEPTH = 64, EVENT_MAX_BYTES = 1 << 20 };

enum event_type { EVENT_STRING, EVENT_NUMBER, EVENT_BOOL, EVENT_NULL };

struct event_field {
	struct kh_slice name;
	struct kh_slice value;
	enum event_type type;
	uint32_t slot; /* set by whoever resolves names to slots; EVENT_NO_SLOT from event_add */
};
#define EVENT_NO_SLOT UINT32_MAX

struct event {
	struct event_field *fields;
	size_t n_fields, cap;
	struct kh_slice raw; /* the line as received, without its end */
};

void event_clear(struct event *e);
void event_free(struct event *e); /* NULL is allowed; frees `fields`, not the struct */
KH_MUST_USE enum kh_err event_add(struct event *e, struct kh_slice name, struct kh_slice value,
								  enum event_type type);
/* The first field of that exact name, or NULL. O(n_fields): for tests and rare looks, not for the matcher. */
const struct event_field *event_find(const struct event *e, const char *name);
#endif
