/* SPDX-License-Identifier: Apache-2.0
 * map.h - text to value: open addressing, keyed SipHash (the keys are hostile), copies of the keys owned by
 * the map. Owner: kh_map_new/kh_map_free; values are the caller's. Order of the walk: undefined. Cost: O(1)
 * expected. Errors: KH_ELIMIT at max_entries, KH_ENOMEM. Not thread-safe. */
#ifndef KH_BASE_MAP_H
#define KH_BASE_MAP_H
#include "base/slice.h"

struct kh_map;
struct kh_map *kh_map_new(size_t max_entries);
void kh_map_free(struct kh_map *m); /* NULL is allowed */
/* Where the key's value stands, made (NULL value) when it is new. Valid until the next put. */
KH_MUST_USE enum kh_err kh_map_put(struct kh_map *m, struct kh_slice key, void ***value);
void *kh_map_get(const struct kh_map *m, struct kh_slice key); /* NULL: not there */
size_t kh_map_count(const struct kh_map *m);
void kh_map_clear(struct kh_map *m);
/* Walks all entries: start with *at = 0; false at the end. */
bool kh_map_next(const struct kh_map *m, size_t *at, struct kh_slice *key, void **value);
uint64_t kh_hash(struct kh_slice s); /* SipHash-2-4 under a key drawn at start */
#endif
