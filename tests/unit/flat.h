/* SPDX-License-Identifier: Apache-2.0
 * flat.h - an event as one text, for tests: name=value|name=value. */
#ifndef KH_TESTS_UNIT_FLAT_H
#define KH_TESTS_UNIT_FLAT_H
#include <stdio.h>

#include "codec/event/event.h"

static inline const char *flat(const struct event *e)
{
	static char out[16384];
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < e->n_fields && n < sizeof out; i++) {
		const struct event_field *f = &e->fields[i];
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s=%.*s", i > 0 ? "|" : "", (int)f->name.n,
							  (const char *)f->name.p, (int)f->value.n,
							  f->value.n > 0 ? (const char *)f->value.p : "");
	}
	return out;
}
#endif
