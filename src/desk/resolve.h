/* SPDX-License-Identifier: Apache-2.0
 * resolve.h - whose is this host, whose is this address: answered from memory, without SQL.
 * Order: an asset of that name; an asset at that address; an asset whose first label is that name; then only
 * the organisation, by the longest domain suffix, then by the longest address prefix. A name or an address
 * that two assets share decides nothing by itself. Ownership: resolver_load/resolver_free; a place points
 * into the resolver. Cost: a few hash look-ups. */
#ifndef KH_DESK_RESOLVE_H
#define KH_DESK_RESOLVE_H
#include "base/slice.h"

struct db;
struct resolver;

/* Ids of the rows; NULL what is not known. */
struct place {
	const char *organisation, *system, *asset;
};

KH_MUST_USE enum kh_err resolver_load(struct db *db, struct resolver **out, struct kh_diag *diag);
void resolver_free(struct resolver *r); /* NULL is allowed */
/* host: folded (base/fold.h), may be empty; address: text, may be empty or no address at all. */
struct place resolver_find(const struct resolver *r, struct kh_slice host, struct kh_slice address);
#endif
