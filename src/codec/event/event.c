/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/event.h"

#include <stdlib.h>
#include <string.h>

void event_clear(struct event *e)
{
	e->n_fields = 0;
	e->raw = (struct kh_slice){0};
}

void event_free(struct event *e)
{
	if (e == NULL) return;
	free(e->fields);
	*e = (struct event){0};
}

static enum kh_err grow(struct event *e)
{
	if (e->cap >= EVENT_MAX_FIELDS) return KH_ELIMIT;
	size_t cap = e->cap == 0 ? 64 : e->cap * 2;
	struct event_field *fields = reallocarray(e->fields, cap, sizeof *fields);
	if (fields == NULL) return KH_ENOMEM;
	e->fields = fields;
	e->cap = cap;
	return KH_OK;
}

enum kh_err event_add(struct event *e, struct kh_slice name, struct kh_slice value, enum event_type type)
{
	if (e->n_fields == e->cap) KH_TRY(grow(e));
	e->fields[e->n_fields++] = (struct event_field){name, value, type, EVENT_NO_SLOT};
	return KH_OK;
}

const struct event_field *event_find(const struct event *e, const char *name)
{
	struct kh_slice wanted = kh_str(name);
	for (size_t i = 0; i < e->n_fields; i++)
		if (kh_slice_eq(e->fields[i].name, wanted)) return &e->fields[i];
	return NULL;
}
