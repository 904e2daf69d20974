/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/finding.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/fold.h"
#include "desk/own.h"

enum { MAX_TEXT = 500, MAX_HOST = 253, MAX_TAGS = 64, MAX_MATCHED = 64, MAX_VALUE = 1024 };

static const char *const levels[] = {"informational", "low", "medium", "high", "critical"};

enum desk_level finding_level(struct kh_slice level)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (kh_slice_is(level, levels[i])) return (enum desk_level)i;
	return DESK_INFORMATIONAL;
}

const char *finding_level_name(enum desk_level level)
{
	return levels[level];
}

/* A host that cannot be folded (not UTF-8 never comes this far) or is over-long is no host. */
static void name_entity(struct sighting *s, char **folded)
{
	struct kh_slice host = kh_slice_trim(s->host);
	while (host.n > 0 && host.p[host.n - 1] == '.') host.n--; /* a rooted name is the same host */
	*folded = NULL;
	if (host.n > 0 && host.n <= MAX_HOST && memchr(host.p, '\0', host.n) == NULL &&
		kh_fold(host, folded) == KH_OK) {
		snprintf(s->entity, sizeof s->entity, "host:%s", *folded);
		return;
	}
	/* One spelling for one address (RFC 5952): "2001:DB8:0::1" and "2001:db8::1" are the same entity. */
	char text[KH_ADDRESS_TEXT] = "";
	struct kh_address a;
	if (kh_address_parse(kh_slice_trim(s->address), &a) == KH_OK) kh_address_text(text, &a);
	snprintf(s->entity, sizeof s->entity, "address:%s", text);
}

/* Length before each part: no two different triples give the same bytes. */
static void name_group(struct sighting *s)
{
	crypto_hash_sha256_state st;
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct kh_slice part[] = {s->rule_id, kh_str(s->entity), kh_str(s->place.organisation)};
	crypto_hash_sha256_init(&st);
	for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
		uint64_t n = part[i].n;
		crypto_hash_sha256_update(&st, (const unsigned char *)&n, sizeof n);
		if (n > 0) crypto_hash_sha256_update(&st, part[i].p, n);
	}
	crypto_hash_sha256_final(&st, hash);
	kh_hex(s->group, hash, sizeof hash);
}

/* Some logs name a machine by its address: then it is one. */
static bool is_address(struct kh_slice host)
{
	struct kh_address a;
	return kh_address_parse(kh_slice_trim(host), &a) == KH_OK;
}

static void read_times(struct sighting *s, const json_t *e, int64_t now_ns)
{
	s->first_ns = desk_get_count(e, "first_ns", now_ns);
	s->last_ns = desk_get_count(e, "last_ns", s->first_ns);
	if (s->first_ns > now_ns)
		s->first_ns = now_ns; /* a clock that runs ahead must not move T0 into the future */
	if (s->last_ns > now_ns) s->last_ns = now_ns;
	if (s->last_ns < s->first_ns) s->last_ns = s->first_ns;
}

enum kh_err sighting_read(struct desk *d, const json_t *element, int64_t now_ns, struct sighting *out,
						  struct kh_diag *diag)
{
	const json_t *rule = json_object_get(element, "rule");
	struct sighting s = {
		.rule_id = kh_slice_to(desk_get(rule, "id"), MAX_TEXT),
		.title = desk_get(rule, "title"),
		.level = desk_get(rule, "level"),
		.author = desk_get(rule, "author"),
		.license = desk_get(rule, "license"),
		.version = desk_get(rule, "version"),
		.file = desk_get(rule, "file"),
		.host = desk_get(element, "host"),
		.address = desk_get(element, "address"),
		.input = desk_get(element, "input"),
		.tags = json_object_get(rule, "tags"),
		.evidence = json_object_get(element, "evidence"),
		.count = desk_get_delta(element, "count", 1),
	};
	char *folded;
	if (s.rule_id.n == 0) return kh_say(diag, KH_EFORMAT, M_INTAKE_FIELD, "findings[].rule.id", NULL);
	if (s.count == 0) return kh_say(diag, KH_EFORMAT, M_INTAKE_FIELD, "findings[].count", NULL);
	read_times(&s, element, now_ns);
	if (s.address.n == 0 && is_address(s.host)) s.address = kh_slice_trim(s.host);
	if (is_address(s.host)) s.host = (struct kh_slice){0};
	name_entity(&s, &folded);
	s.place = resolver_find(d->places, kh_str(folded), s.address);
	free(folded);
	name_group(&s);
	*out = s;
	return KH_OK;
}

/* The row that still gathers for this group, if there is one. */
static enum kh_err find_open(struct desk *d, const struct sighting *s, int64_t now_ns,
							 struct finding_ref *ref, int64_t *n_evidence, struct kh_diag *diag)
{
	struct db_rows rows = db_query(d->db,
								   "SELECT id, n_evidence FROM finding"
								   " WHERE group_key = $1 AND seen_ns > $2 AND opened_ns > $3"
								   " ORDER BY seen_ns DESC LIMIT 1",
								   DB_ARGS(db_str(s->group), db_int(now_ns - d->settings.window_ns),
										   db_int(now_ns - d->settings.window_max_ns)));
	ref->is_new = !db_next(&rows);
	if (!ref->is_new) {
		snprintf(ref->id, sizeof ref->id, "%s", db_col_str(&rows, 0));
		*n_evidence = db_col_int(&rows, 1);
	}
	return db_end(&rows, diag);
}

static void put_text(struct kh_buf *b, struct kh_slice text, size_t most)
{
	kh_buf_clear(b);
	kh_buf_text(b, "");
	desk_clean(b, text, most, false);
}

static char *tags_text(const json_t *tags)
{
	json_t *kept = json_array(), *t;
	size_t i;
	json_array_foreach(tags, i, t) if (i < MAX_TAGS && json_is_string(t) && json_string_length(t) <= 128)
		json_array_append(kept, t);
	char *text = json_dumps(kept, JSON_COMPACT);
	json_decref(kept);
	return text;
}

static enum kh_err insert(struct desk *d, const struct sighting *s, const char *id, int64_t now_ns,
						  struct kh_diag *diag)
{
	struct kh_slice raw[] = {s->title, s->level, s->author,  s->license, s->version,
							 s->file,  s->host,  s->address, s->input,   s->rule_id};
	enum { N = sizeof raw / sizeof *raw };
	struct kh_buf b[N];
	enum kh_err err = KH_OK;
	for (size_t i = 0; i < N; i++) {
		b[i] = KH_BUF(4 * MAX_TEXT);
		put_text(&b[i], raw[i], MAX_TEXT);
		if (b[i].err != KH_OK) err = b[i].err;
	}
	char *tags = tags_text(s->tags);
	if (tags == NULL) err = KH_ENOMEM;
	if (err == KH_OK)
		err = db_exec(
			d->db,
			"INSERT INTO finding (id, group_key, rule_id, rule_title, rule_level, rule_author, rule_license,"
			" rule_version, rule_file, tags, entity, host, address, input, organisation_id, system_id, "
			"asset_id,"
			" count, n_evidence, first_ns, last_ns, opened_ns, seen_ns, muted_count)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 0, 0, $18, "
			"$19,"
			" $20, $20, 0)",
			DB_ARGS(db_str(id), db_str(s->group), db_text(kh_buf_slice(&b[9])), db_text(kh_buf_slice(&b[0])),
					db_text(kh_buf_slice(&b[1])), db_text(kh_buf_slice(&b[2])), db_text(kh_buf_slice(&b[3])),
					db_text(kh_buf_slice(&b[4])), db_text(kh_buf_slice(&b[5])), db_str(tags),
					db_str(s->entity), db_text(kh_buf_slice(&b[6])), db_text(kh_buf_slice(&b[7])),
					db_text(kh_buf_slice(&b[8])), db_str(s->place.organisation), db_str(s->place.system),
					db_str(s->place.asset), db_int(s->first_ns), db_int(s->last_ns), db_int(now_ns)),
			diag);
	else
		err = kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	for (size_t i = 0; i < N; i++) kh_buf_free(&b[i]);
	free(tags);
	return err;
}

static char *matched_text(const json_t *matched)
{
	json_t *kept = json_array(), *m;
	size_t i;
	json_array_foreach(matched, i, m)
	{
		struct kh_slice field = desk_get(m, "field"), value = desk_get(m, "value");
		struct kh_buf b = KH_BUF(4 * MAX_VALUE);
		if (i >= MAX_MATCHED) break;
		put_text(&b, value, MAX_VALUE);
		if (b.err == KH_OK)
			json_array_append_new(kept,
								  json_pack("{s:s%,s:s%}", "field", field.p ? (const char *)field.p : "",
											field.n, "value", b.bytes, b.n));
		kh_buf_free(&b);
	}
	char *text = json_dumps(kept, JSON_COMPACT);
	json_decref(kept);
	return text;
}

/* Slots 0-2 hold the first events for good, 3 and 4 take turns at the latest. */
static int64_t slot_of(int64_t n)
{
	return n < FINDING_FIRST ? n : FINDING_FIRST + (n - FINDING_FIRST) % FINDING_LATEST;
}

static enum kh_err keep_event(struct desk *d, const char *id, const json_t *event, int64_t n, int64_t now_ns,
							  struct kh_diag *diag)
{
	struct kh_buf line = KH_BUF(4 * FINDING_LINE);
	put_text(&line, desk_get(event, "line"), FINDING_LINE);
	char *matched = matched_text(json_object_get(event, "matched"));
	enum kh_err err = line.err != KH_OK || matched == NULL ? KH_ENOMEM : KH_OK;
	if (err == KH_OK)
		err = db_exec(d->db,
					  "INSERT INTO finding_evidence (finding_id, slot, n, time_ns, line, matched)"
					  " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (finding_id, slot) DO UPDATE"
					  " SET n = excluded.n, time_ns = excluded.time_ns, line = excluded.line,"
					  " matched = excluded.matched",
					  DB_ARGS(db_str(id), db_int(slot_of(n)), db_int(n),
							  db_int(desk_get_count(event, "time_ns", now_ns)), db_text(kh_buf_slice(&line)),
							  db_str(matched)),
					  diag);
	else
		kh_say(diag, err, M_OUT_OF_MEMORY, NULL);
	kh_buf_free(&line);
	free(matched);
	return err;
}

/* Of many events only those are written whose slot is not overwritten by a later one of the same batch. */
static enum kh_err keep_evidence(struct desk *d, const char *id, const json_t *events, int64_t have,
								 int64_t now_ns, struct kh_diag *diag)
{
	int64_t n = (int64_t)json_array_size(events);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = have + i;
		if (at >= FINDING_FIRST && i + FINDING_LATEST < n) continue;
		KH_TRY(keep_event(d, id, json_array_get(events, (size_t)i), at, now_ns, diag));
	}
	return KH_OK;
}

enum kh_err finding_apply(struct desk *d, const struct sighting *s, int64_t now_ns, struct finding_ref *out,
						  struct kh_diag *diag)
{
	int64_t have = 0;
	KH_TRY(find_open(d, s, now_ns, out, &have, diag));
	if (out->is_new) {
		kh_uuid7(out->id, now_ns);
		KH_TRY(insert(d, s, out->id, now_ns, diag));
	}
	KH_TRY(keep_evidence(d, out->id, s->evidence, have, now_ns, diag));
	return db_exec(d->db,
				   "UPDATE finding SET count = count + $2, muted_count = muted_count + $3,"
				   " n_evidence = n_evidence + $4, seen_ns = $5,"
				   " first_ns = CASE WHEN first_ns > $6 THEN $6 ELSE first_ns END,"
				   " last_ns = CASE WHEN last_ns < $7 THEN $7 ELSE last_ns END WHERE id = $1",
				   DB_ARGS(db_str(out->id), db_int(s->count), db_int(s->muted ? s->count : 0),
						   db_int((int64_t)json_array_size(s->evidence)), db_int(now_ns), db_int(s->first_ns),
						   db_int(s->last_ns)),
				   diag);
}

/* Columns that hold JSON text become JSON. */
static void unfold(json_t *row, const char *key)
{
	json_t *v = json_loads(
		json_string_value(json_object_get(row, key)) ? json_string_value(json_object_get(row, key)) : "null",
		JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (v != NULL) json_object_set_new(row, key, v);
}

enum kh_err finding_show(struct desk *d, const char *id, json_t **out, struct kh_diag *diag)
{
	json_t *row, *events, *e;
	size_t i;
	KH_TRY(desk_row(
		d,
		"SELECT finding.*, organisation.code AS organisation, system.code AS system, asset.name AS asset,"
		" incident.number AS incident"
		" FROM finding LEFT JOIN organisation ON organisation.id = finding.organisation_id"
		" LEFT JOIN system ON system.id = finding.system_id LEFT JOIN asset ON asset.id = finding.asset_id"
		" LEFT JOIN incident_finding ON incident_finding.finding_id = finding.id"
		" LEFT JOIN incident ON incident.id = incident_finding.incident_id WHERE finding.id = $1",
		DB_ARGS(db_str(id)), &row, diag));
	*out = row;
	if (row == NULL) return KH_OK;
	unfold(row, "tags");
	enum kh_err err = desk_rows(
		d, "SELECT n, time_ns, line, matched FROM finding_evidence WHERE finding_id = $1 ORDER BY n",
		DB_ARGS(db_str(id)), &events, diag);
	if (err != KH_OK) {
		json_decref(row);
		*out = NULL;
		return err;
	}
	json_array_foreach(events, i, e) unfold(e, "matched");
	json_object_set_new(row, "evidence", events);
	return KH_OK;
}
