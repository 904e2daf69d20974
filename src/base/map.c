/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/uuid.h"

struct entry {
	char *key; /* NULL: free place */
	size_t key_len;
	uint64_t hash;
	void *value;
};

struct kh_map {
	struct entry *at;
	size_t cap, n, max; /* cap is a power of two, at most half full */
};

uint64_t kh_hash(struct kh_slice s)
{
	static unsigned char secret[crypto_shorthash_KEYBYTES];
	static bool ready;
	if (!ready) {
		kh_random(secret, sizeof secret);
		ready = true;
	}
	uint64_t h;
	static const unsigned char nothing;
	crypto_shorthash((unsigned char *)&h, s.n > 0 ? s.p : &nothing, s.n, secret);
	return h;
}

struct kh_map *kh_map_new(size_t max_entries)
{
	struct kh_map *m = calloc(1, sizeof *m);
	if (m != NULL) m->max = max_entries;
	return m;
}

void kh_map_clear(struct kh_map *m)
{
	for (size_t i = 0; i < m->cap; i++) free(m->at[i].key);
	free(m->at);
	m->at = NULL;
	m->cap = m->n = 0;
}

void kh_map_free(struct kh_map *m)
{
	if (m == NULL) return;
	kh_map_clear(m);
	free(m);
}

static struct entry *place(const struct kh_map *m, struct kh_slice key, uint64_t hash)
{
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct entry *e = &m->at[i];
		if (e->key == NULL) return e;
		if (e->hash == hash && kh_slice_eq((struct kh_slice){(const uint8_t *)e->key, e->key_len}, key))
			return e;
	}
}

static enum kh_err grow(struct kh_map *m)
{
	struct kh_map wider = {.cap = m->cap > 0 ? m->cap * 2 : 16};
	wider.at = calloc(wider.cap, sizeof *wider.at);
	if (wider.at == NULL) return KH_ENOMEM;
	for (size_t i = 0; i < m->cap; i++) {
		struct entry *e = &m->at[i];
		if (e->key == NULL) continue;
		*place(&wider, (struct kh_slice){(const uint8_t *)e->key, e->key_len}, e->hash) = *e;
	}
	free(m->at);
	m->at = wider.at;
	m->cap = wider.cap;
	return KH_OK;
}

enum kh_err kh_map_put(struct kh_map *m, struct kh_slice key, void ***value)
{
	if ((m->n + 1) * 2 > m->cap) KH_TRY(grow(m));
	uint64_t hash = kh_hash(key);
	struct entry *e = place(m, key, hash);
	if (e->key == NULL) {
		if (m->n >= m->max) return KH_ELIMIT;
		char *copy = kh_slice_dup(key);
		if (copy == NULL) return KH_ENOMEM;
		*e = (struct entry){.key = copy, .key_len = key.n, .hash = hash};
		m->n++;
	}
	*value = &e->value;
	return KH_OK;
}

void *kh_map_get(const struct kh_map *m, struct kh_slice key)
{
	return m->cap > 0 ? place(m, key, kh_hash(key))->value : NULL;
}

size_t kh_map_count(const struct kh_map *m)
{
	return m->n;
}

bool kh_map_next(const struct kh_map *m, size_t *at, struct kh_slice *key, void **value)
{
	for (; *at < m->cap; (*at)++) {
		const struct entry *e = &m->at[*at];
		if (e->key == NULL) continue;
		*key = (struct kh_slice){(const uint8_t *)e->key, e->key_len};
		*value = e->value;
		(*at)++;
		return true;
	}
	return false;
}
