/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/resolve.h"

#include <stdlib.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/fold.h"
#include "base/map.h"
#include "base/message.h"
#include "store/db.h"

enum { MAX_ENTRIES = 1 << 20, MAX_BYTES = 256 << 20, PREFIX_KEY = 17 };

struct resolver {
	struct kh_arena *arena;
	struct kh_map *hosts, *shorts, *addresses; /* -> struct place */
	struct kh_map *domains, *networks;         /* -> struct place with the organisation alone */
	bool lengths[129];                         /* prefix lengths that occur */
};

static const struct place shared = {0}; /* two assets claim it */

static const char *keep(struct resolver *r, struct kh_slice s)
{
	char *p = KH_ARRAY(r->arena, char, s.n + 1);
	if (p != NULL && s.n > 0) memcpy(p, s.p, s.n);
	return p;
}

/* The map holds const places as void *: nobody writes through it. */
static enum kh_err put(struct kh_map *m, struct kh_slice key, const struct place *p)
{
	void **at;
	KH_TRY(kh_map_put(m, key, &at));
	union {
		const struct place *in;
		void *out;
	} u = {.in = *at == NULL ? p : &shared};
	*at = u.out;
	return KH_OK;
}

static const struct place *get(const struct kh_map *m, struct kh_slice key)
{
	const struct place *p = kh_map_get(m, key);
	return p != &shared ? p : NULL;
}

static struct kh_slice first_label(struct kh_slice host)
{
	struct kh_slice rest = host, label = host;
	(void)kh_slice_cut(&rest, '.', &label);
	return label;
}

/* Calls fn for each word of a cell; the lists of a cell are separated by blanks. */
static enum kh_err each_word(struct kh_slice cell,
							 enum kh_err (*fn)(struct resolver *, struct kh_slice, void *),
							 struct resolver *r, void *arg)
{
	struct kh_slice word;
	while (cell.n > 0) {
		if (!kh_slice_cut(&cell, ' ', &word)) {
			word = cell;
			cell.n = 0;
		}
		if (word.n > 0) KH_TRY(fn(r, word, arg));
	}
	return KH_OK;
}

static enum kh_err add_domain(struct resolver *r, struct kh_slice word, void *place)
{
	char *key;
	KH_TRY(kh_fold(word, &key));
	enum kh_err err = put(r->domains, kh_str(key), place);
	free(key);
	return err;
}

static void prefix_key(uint8_t out[PREFIX_KEY], const struct kh_prefix *p)
{
	out[0] = p->len;
	memcpy(out + 1, p->base.b, 16);
}

/* What is no prefix was refused by the import; a row that holds one all the same is skipped, not fatal. */
static enum kh_err add_network(struct resolver *r, struct kh_slice word, void *place)
{
	struct kh_prefix p;
	uint8_t key[PREFIX_KEY];
	if (kh_prefix_parse(word, true, &p) != KH_OK) return KH_OK;
	prefix_key(key, &p);
	r->lengths[p.len] = true;
	return put(r->networks, (struct kh_slice){key, sizeof key}, place);
}

static enum kh_err add_address(struct resolver *r, struct kh_slice word, void *place)
{
	struct kh_address a;
	if (kh_address_parse(word, &a) != KH_OK) return KH_OK;
	return put(r->addresses, (struct kh_slice){a.b, sizeof a.b}, place);
}

static enum kh_err add_organisation(struct resolver *r, const struct db_rows *row)
{
	struct place *p = KH_NEW(r->arena, struct place);
	if (p == NULL) return KH_ENOMEM;
	p->organisation = keep(r, db_col_text(row, 0));
	if (p->organisation == NULL) return KH_ENOMEM;
	KH_TRY(each_word(db_col_text(row, 1), add_domain, r, p));
	return each_word(db_col_text(row, 2), add_network, r, p);
}

static enum kh_err add_asset(struct resolver *r, const struct db_rows *row)
{
	struct place *p = KH_NEW(r->arena, struct place);
	if (p == NULL) return KH_ENOMEM;
	*p = (struct place){keep(r, db_col_text(row, 0)), keep(r, db_col_text(row, 1)),
						keep(r, db_col_text(row, 2))};
	if (p->organisation == NULL || p->system == NULL || p->asset == NULL) return KH_ENOMEM;
	struct kh_slice name = db_col_text(row, 3);
	if (name.n > 0) {
		KH_TRY(put(r->hosts, name, p));
		KH_TRY(put(r->shorts, first_label(name), p));
	}
	return each_word(db_col_text(row, 4), add_address, r, p);
}

static enum kh_err load(struct resolver *r, struct db *db, const char *sql,
						enum kh_err (*add)(struct resolver *, const struct db_rows *), struct kh_diag *diag)
{
	struct db_rows rows = db_query(db, sql, DB_NONE);
	enum kh_err err = KH_OK;
	while (err == KH_OK && db_next(&rows)) err = add(r, &rows);
	enum kh_err sql_err = db_end(&rows, diag);
	if (err != KH_OK) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	return sql_err;
}

enum kh_err resolver_load(struct db *db, struct resolver **out, struct kh_diag *diag)
{
	struct resolver *r = calloc(1, sizeof *r);
	if (r == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	r->arena = kh_arena_new(64 << 10, MAX_BYTES);
	struct kh_map **maps[] = {&r->hosts, &r->shorts, &r->addresses, &r->domains, &r->networks};
	bool whole = r->arena != NULL;
	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
		*maps[i] = kh_map_new(MAX_ENTRIES);
		whole = whole && *maps[i] != NULL;
	}
	enum kh_err err = whole ? KH_OK : kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (err == KH_OK)
		err = load(r, db, "SELECT id, domains, networks FROM organisation", add_organisation, diag);
	if (err == KH_OK)
		err = load(r, db,
				   "SELECT system.organisation_id, system.id, asset.id, asset.name_key, asset.addresses"
				   " FROM asset JOIN system ON system.id = asset.system_id",
				   add_asset, diag);
	if (err != KH_OK) {
		resolver_free(r);
		return err;
	}
	*out = r;
	return KH_OK;
}

void resolver_free(struct resolver *r)
{
	if (r == NULL) return;
	kh_map_free(r->hosts);
	kh_map_free(r->shorts);
	kh_map_free(r->addresses);
	kh_map_free(r->domains);
	kh_map_free(r->networks);
	if (r->arena != NULL) kh_arena_free(r->arena);
	free(r);
}

/* The longest suffix first: the whole name, then without its first label, and so on. */
static const struct place *by_domain(const struct resolver *r, struct kh_slice host)
{
	while (host.n > 0) {
		const struct place *p = get(r->domains, host);
		if (p != NULL) return p;
		struct kh_slice label;
		if (!kh_slice_cut(&host, '.', &label)) return NULL;
	}
	return NULL;
}

static const struct place *by_network(const struct resolver *r, const struct kh_address *a)
{
	for (int len = 128; len >= 0; len--) {
		if (!r->lengths[len]) continue;
		struct kh_prefix p = {.base = *a, .len = (uint8_t)len};
		uint8_t key[PREFIX_KEY];
		for (int bit = len; bit < 128; bit++) p.base.b[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
		prefix_key(key, &p);
		const struct place *found = get(r->networks, (struct kh_slice){key, sizeof key});
		if (found != NULL) return found;
	}
	return NULL;
}

static bool same_organisation(const struct place *a, const struct place *b)
{
	return a != NULL && b != NULL && strcmp(a->organisation, b->organisation) == 0;
}

/* "web01" is the asset "web01.agency.example" when no other asset begins so; "web01.agency.example" is the
 * asset "web01" when that belongs to the organisation of the domain. */
static const struct place *by_short_name(const struct resolver *r, struct kh_slice host)
{
	struct kh_slice label = first_label(host);
	const struct place *p = label.n > 0 ? get(r->shorts, label) : NULL;
	if (p == NULL || label.n == host.n) return p;
	const struct place *whole = get(r->hosts, label);
	return whole == p && same_organisation(p, by_domain(r, host)) ? p : NULL;
}

struct place resolver_find(const struct resolver *r, struct kh_slice host, struct kh_slice address)
{
	struct kh_address a;
	bool has_address = kh_address_parse(address, &a) == KH_OK;
	const struct place *p = host.n > 0 ? get(r->hosts, host) : NULL;
	if (p == NULL && has_address) p = get(r->addresses, (struct kh_slice){a.b, sizeof a.b});
	if (p == NULL) p = by_short_name(r, host);
	if (p == NULL) p = by_domain(r, host);
	if (p == NULL && has_address) p = by_network(r, &a);
	return p != NULL ? *p : (struct place){0};
}
