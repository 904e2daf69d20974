/* SPDX-License-Identifier: Apache-2.0
 * scratch.h - a bump of memory for the decoded texts of one event; scratch_reset starts the next one.
 * Ownership: whoever called scratch_init. Errors: NULL past `cap`. Cost: O(1), no allocation after
 * scratch_init. Threads: one owner. */
#ifndef KH_CODEC_EVENT_SCRATCH_H
#define KH_CODEC_EVENT_SCRATCH_H
#include <stdlib.h>

#include "base/slice.h"

struct scratch {
	uint8_t *p;
	size_t cap, n;
};

static inline bool scratch_init(struct scratch *s, size_t cap)
{
	*s = (struct scratch){.p = malloc(cap), .cap = cap};
	return s->p != NULL;
}

static inline void scratch_free(struct scratch *s)
{
	free(s->p);
	*s = (struct scratch){0};
}

static inline void scratch_reset(struct scratch *s)
{
	s->n = 0;
}

/* Room for at most `n` bytes; scratch_keep then says how many were used. */
static inline uint8_t *scratch_room(struct scratch *s, size_t n)
{
	return n <= s->cap - s->n ? s->p + s->n : NULL;
}

static inline struct kh_slice scratch_keep(struct scratch *s, size_t n)
{
	struct kh_slice out = {s->p + s->n, n};
	s->n += n;
	return out;
}
#endif
