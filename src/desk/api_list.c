/* SPDX-License-Identifier: Apache-2.0
 * api_list.c - every list, from one table: what it shows, its cursor, its filters. */
#include <assert.h>

#include "desk/api_own.h"
#include "desk/record.h"

enum { MAX_SQL = 4096, MAX_FILTERS = 5, MAX_LIMIT = 1000, DEFAULT_LIMIT = 100 };

struct filter {
	const char *query, *column;
};

static const struct list {
	enum api_route_id route;
	const char *columns, *from; /* NULL: those of the record kind */
	const char *cursor;         /* column that orders and pages; unique */
	const char *shown;          /* its name in a row */
	bool newest_first, number;  /* number: the cursor is an integer */
	struct filter filters[MAX_FILTERS];
} lists[] = {
	{ROUTE_ORGANISATIONS, NULL, NULL, "organisation.id", "id", false, false, {{"kind", "organisation.kind"}}},
	{ROUTE_CONTACTS, NULL, NULL, "contact.id", "id", false, false, {{"organisation", "organisation.code"}}},
	{ROUTE_SYSTEMS, NULL, NULL, "system.id", "id", false, false, {{"organisation", "organisation.code"}}},
	{ROUTE_ASSETS, NULL, NULL, "asset.id", "id", false, false, {{"system", "system.code"}}},
	{ROUTE_FINDINGS,
	 "finding.id AS id, finding.rule_id AS rule_id, finding.rule_title AS rule_title, finding.rule_level AS "
	 "rule_level,"
	 " finding.rule_author AS rule_author, finding.rule_license AS rule_license, finding.entity AS entity,"
	 " finding.host AS host, finding.address AS address, finding.input AS input, organisation.code AS "
	 "organisation,"
	 " system.code AS system, asset.name AS asset, finding.count AS count, finding.muted_count AS "
	 "muted_count,"
	 " finding.first_ns AS first_ns, finding.last_ns AS last_ns, finding.seen_ns AS seen_ns, incident.number "
	 "AS incident",
	 " FROM finding LEFT JOIN organisation ON organisation.id = finding.organisation_id"
	 " LEFT JOIN system ON system.id = finding.system_id LEFT JOIN asset ON asset.id = finding.asset_id"
	 " LEFT JOIN incident_finding ON incident_finding.finding_id = finding.id"
	 " LEFT JOIN incident ON incident.id = incident_finding.incident_id",
	 "finding.id",
	 "id",
	 true,
	 false,
	 {{"rule", "finding.rule_id"},
	  {"entity", "finding.entity"},
	  {"organisation", "organisation.code"},
	  {"level", "finding.rule_level"}}},
	{ROUTE_INCIDENTS,
	 "incident.id AS id, incident.number AS number, incident.title AS title, incident.entity AS entity,"
	 " organisation.code AS organisation, incident.severity AS severity, incident.state AS state,"
	 " incident.owner AS owner, incident.t0_ns AS t0_ns, incident.opened_ns AS opened_ns,"
	 " incident.acknowledged_ns AS acknowledged_ns, incident.closed_ns AS closed_ns, incident.reminders AS "
	 "reminders",
	 " FROM incident LEFT JOIN organisation ON organisation.id = incident.organisation_id",
	 "incident.number",
	 "number",
	 true,
	 false,
	 {{"state", "incident.state"},
	  {"severity", "incident.severity"},
	  {"organisation", "organisation.code"},
	  {"entity", "incident.entity"}}},
	{ROUTE_MUTES,
	 "mute.id AS id, mute.rule_id AS rule, mute.entity AS entity, organisation.code AS organisation,"
	 " mute.reason AS reason, mute.created_ns AS created_ns, mute.created_by AS created_by,"
	 " mute.expires_ns AS expires_ns, mute.ended_ns AS ended_ns",
	 " FROM mute LEFT JOIN organisation ON organisation.id = mute.organisation_id",
	 "mute.id",
	 "id",
	 true,
	 false,
	 {{"rule", "mute.rule_id"}, {"entity", "mute.entity"}}},
	{ROUTE_RULES,
	 "known.rule_id AS id, seen.title AS title, seen.level AS level, seen.count AS count, seen.last_ns AS "
	 "last_ns,"
	 " CASE WHEN rule_state.disabled = 1 THEN 'yes' ELSE 'no' END AS disabled, rule_state.reason AS reason,"
	 " rule_state.changed_ns AS changed_ns, rule_state.changed_by AS changed_by",
	 " FROM (SELECT rule_id FROM finding UNION SELECT rule_id FROM rule_state) AS known"
	 " LEFT JOIN (SELECT rule_id, MAX(rule_title) AS title, MAX(rule_level) AS level, SUM(count) AS count,"
	 " MAX(last_ns) AS last_ns FROM finding GROUP BY rule_id) AS seen ON seen.rule_id = known.rule_id"
	 " LEFT JOIN rule_state ON rule_state.rule_id = known.rule_id",
	 "known.rule_id",
	 "id",
	 false,
	 false,
	 {{"id", "known.rule_id"}}},
	{ROUTE_EXCEPTIONS,
	 "id AS id, title AS title, document AS document, created_ns AS created_ns, created_by AS created_by",
	 " FROM rule_exception",
	 "id",
	 "id",
	 false,
	 false,
	 {{NULL, NULL}}},
	{ROUTE_OUTBOX,
	 "outbox.id AS id, outbox.kind AS kind, outbox.reason AS reason, incident.number AS incident,"
	 " outbox.recipient AS recipient, outbox.subject AS subject, outbox.state AS state, outbox.attempts AS "
	 "attempts,"
	 " outbox.created_ns AS created_ns, outbox.next_ns AS next_ns, outbox.expires_ns AS expires_ns,"
	 " outbox.done_ns AS done_ns, outbox.last_error AS last_error",
	 " FROM outbox LEFT JOIN incident ON incident.id = outbox.incident_id",
	 "outbox.id",
	 "id",
	 true,
	 false,
	 {{"state", "outbox.state"}, {"incident", "incident.number"}, {"recipient", "outbox.recipient"}}},
	{ROUTE_TOKENS,
	 "id AS id, name AS name, start AS start, scope AS scope, created_ns AS created_ns, created_by AS "
	 "created_by,"
	 " expires_ns AS expires_ns, last_used_ns AS last_used_ns, revoked_ns AS revoked_ns",
	 " FROM token",
	 "id",
	 "id",
	 false,
	 false,
	 {{NULL, NULL}}},
	{ROUTE_AUDIT,
	 "n AS n, at_ns AS at_ns, actor AS actor, source AS source, action AS action, object AS object, before "
	 "AS before,"
	 " after AS after, hash AS hash",
	 " FROM audit",
	 "n",
	 "n",
	 true,
	 true,
	 {{"action", "action"}, {"object", "object"}, {"actor", "actor"}}},
};

static const struct list *list_of(enum api_route_id id)
{
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (lists[i].route == id) return &lists[i];
	return NULL;
}

/* The text is put together from constants of the table alone; what the caller sent is bound. */
struct page {
	struct kh_buf sql;
	struct db_value v[MAX_FILTERS + 2];
	size_t n_values;
	int64_t limit;
};

static void add_condition(struct page *p, const char *column, const char *operator, struct db_value v)
{
	p->v[p->n_values++] = v;
	kh_buf_printf(&p->sql, " AND %s %s $%zu", column, operator, p->n_values);
}

static enum kh_err read_limit(const struct api_call *c, int64_t *out, struct kh_diag *diag)
{
	uint64_t n = DEFAULT_LIMIT;
	const char *limit = api_query(c, "limit");
	if (limit != NULL && (kh_slice_u64(kh_str(limit), MAX_LIMIT, &n) != KH_OK || n == 0))
		return kh_say(diag, KH_EFORMAT, M_API_LIMIT, KH_DEC(MAX_LIMIT), NULL);
	*out = (int64_t)n;
	return KH_OK;
}

static void add_filters(const struct list *l, const struct api_call *c, struct page *p)
{
	for (size_t i = 0; i < MAX_FILTERS && l->filters[i].query != NULL; i++) {
		const char *value = api_query(c, l->filters[i].query);
		if (value != NULL) add_condition(p, l->filters[i].column, "=", db_str(value));
	}
}

static enum kh_err add_cursor(const struct list *l, const struct api_call *c, struct page *p,
							  struct kh_diag *diag)
{
	const char *after = api_query(c, "cursor");
	int64_t n;
	if (after == NULL) return KH_OK;
	if (l->number && kh_slice_i64(kh_str(after), &n) != KH_OK)
		return kh_say(diag, KH_EFORMAT, M_API_FIELD, "cursor", NULL);
	add_condition(p, l->cursor, l->newest_first ? "<" : ">", l->number ? db_int(n) : db_str(after));
	return KH_OK;
}

static enum kh_err build(const struct list *l, const struct api_call *c, struct page *p, struct kh_diag *diag)
{
	const struct record_kind *k =
		l->columns == NULL ? record_kind_of(strrchr(c->match.route->path, '/') + 1) : NULL;
	KH_TRY(read_limit(c, &p->limit, diag));
	kh_buf_text(&p->sql, "SELECT ");
	if (k != NULL) kh_buf_printf(&p->sql, "%s AS id, ", l->cursor);
	kh_buf_printf(&p->sql, "%s%s WHERE 1 = 1", k != NULL ? k->columns : l->columns,
				  k != NULL ? k->from : l->from);
	add_filters(l, c, p);
	KH_TRY(add_cursor(l, c, p, diag));
	p->v[p->n_values++] = db_int(p->limit + 1);
	kh_buf_printf(&p->sql, " ORDER BY %s%s LIMIT $%zu", l->cursor, l->newest_first ? " DESC" : "",
				  p->n_values);
	return p->sql.err == KH_OK ? KH_OK : kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
}

/* One row more than asked for was read: whether there is a next page is known without another query. */
static json_t *cut(json_t *items, int64_t limit, const char *shown)
{
	json_t *next = json_null();
	if ((int64_t)json_array_size(items) > limit) {
		json_array_remove(items, (size_t)limit);
		const json_t *last = json_object_get(json_array_get(items, (size_t)limit - 1), shown);
		char n[24];
		next = json_is_integer(last) ? json_string(kh_dec(n, (int64_t)json_integer_value(last)))
									 : json_string(json_string_value(last));
	}
	return json_pack("{s:o,s:o}", "items", items, "next", next);
}

enum kh_err list_show(struct desk *d, struct api_call *c, struct reply *r, struct kh_diag *diag)
{
	const struct list *l = list_of(c->match.route->id);
	assert(l != NULL); /* every route that this handler serves has its row */
	struct page p = {.sql = KH_BUF(MAX_SQL)};
	json_t *items = NULL;
	enum kh_err err = build(l, c, &p, diag);
	if (err == KH_OK) err = desk_rows(d, p.sql.bytes, (struct db_args){p.v, p.n_values}, &items, diag);
	kh_buf_free(&p.sql);
	KH_TRY(err);
	r->json = cut(items, p.limit, l->shown);
	return r->json != NULL ? KH_OK : kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
}
