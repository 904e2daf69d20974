/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/incident.h"

#include "desk/audit.h"
#include "desk/contact.h"
#include "desk/incident_mail.h"
#include "desk/outbox.h"
#include "desk/own.h"

enum { CODE_LEN = 8, MAX_DETAIL = 4000, MAX_DUE = 50, MAX_REASON = 500 };

struct incident {
	char id[KH_UUID_TEXT], organisation[KH_UUID_TEXT];
	char number[24], state[16], severity[16], code[CODE_LEN + 1], owner[128], reason[MAX_REASON];
	int64_t t0_ns, mailed_ns, reminders, escalations;
	int64_t acknowledged_ns, contained_ns, closed_ns, remind_ns; /* 0: not yet, or never */
};

#define INCIDENT_COLUMNS                                                                                     \
	"incident.id, incident.organisation_id, incident.number, incident.state, incident.severity, "            \
	"incident.code,"                                                                                         \
	" incident.owner, incident.close_reason, incident.t0_ns, incident.mailed_ns, incident.reminders,"        \
	" incident.escalations, incident.acknowledged_ns, incident.contained_ns, incident.closed_ns, "           \
	"incident.remind_ns"

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text != NULL ? text : "");
}

static struct incident incident_of(const struct db_rows *r)
{
	struct incident i = {.t0_ns = db_col_int(r, 8)};
	const struct {
		char *out;
		size_t cap;
	} text[] = {
		{i.id, sizeof i.id},
		{i.organisation, sizeof i.organisation},
		{i.number, sizeof i.number},
		{i.state, sizeof i.state},
		{i.severity, sizeof i.severity},
		{i.code, sizeof i.code},
		{i.owner, sizeof i.owner},
		{i.reason, sizeof i.reason},
	};
	int64_t *const number[] = {&i.mailed_ns,    &i.reminders, &i.escalations, &i.acknowledged_ns,
							   &i.contained_ns, &i.closed_ns, &i.remind_ns};
	for (int c = 0; c < 8; c++) copy(text[c].out, text[c].cap, db_col_str(r, c));
	for (int c = 0; c < 7; c++) *number[c] = db_col_int(r, 9 + c);
	return i;
}

static enum kh_err find(struct desk *d, const char *sql, struct db_args args, struct incident *out,
						bool *found, struct kh_diag *diag)
{
	struct db_rows rows = db_query(d->db, sql, args);
	*found = db_next(&rows);
	if (*found) *out = incident_of(&rows);
	return db_end(&rows, diag);
}

static enum kh_err timeline(struct desk *d, const char *id, const char *kind, const char *actor,
							const char *detail, int64_t now_ns, struct kh_diag *diag)
{
	struct kh_buf text = KH_BUF(4 * MAX_DETAIL);
	kh_buf_text(&text, "");
	desk_clean(&text, kh_str(detail), MAX_DETAIL, true);
	enum kh_err err = text.err;
	if (err == KH_OK)
		err = db_exec(d->db, "UPDATE incident SET n_events = n_events + 1 WHERE id = $1", DB_ARGS(db_str(id)),
					  diag);
	if (err == KH_OK)
		err = db_exec(
			d->db,
			"INSERT INTO incident_event (incident_id, n, at_ns, kind, actor, detail)"
			" SELECT id, n_events, $2, $3, $4, $5 FROM incident WHERE id = $1",
			DB_ARGS(db_str(id), db_int(now_ns), db_str(kind), db_str(actor), db_text(kh_buf_slice(&text))),
			diag);
	kh_buf_free(&text);
	return err;
}

/* ---- opening and joining ---- */

/* Letters and digits that nobody mistakes on the telephone: no 0 O, 1 I L. */
static void draw_code(char out[CODE_LEN + 1])
{
	static const char alphabet[] = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
	enum { N = sizeof alphabet - 1, FAIR = 256 - 256 % N };
	for (int i = 0; i < CODE_LEN;) {
		uint8_t b;
		kh_random(&b, 1);
		if (b < FAIR) out[i++] = alphabet[b % N];
	}
	out[CODE_LEN] = '\0';
}

static enum kh_err draw_number(struct desk *d, int64_t now_ns, char *out, size_t cap, struct kh_diag *diag)
{
	char name[32];
	int64_t n;
	int year = kh_civil_of(now_ns, KH_VIETNAM_OFFSET_S).year;
	snprintf(name, sizeof name, "incident %d", year);
	KH_TRY(db_exec(d->db,
				   "INSERT INTO counter (name, value) VALUES ($1, 1)"
				   " ON CONFLICT (name) DO UPDATE SET value = counter.value + 1",
				   DB_ARGS(db_str(name)), diag));
	KH_TRY(
		db_get_int(d->db, "SELECT value FROM counter WHERE name = $1", DB_ARGS(db_str(name)), 0, &n, diag));
	snprintf(out, cap, "%04d-%06lld", year, (long long)n);
	return KH_OK;
}

static enum kh_err insert(struct desk *d, const struct sighting *s, struct incident *out, int64_t now_ns,
						  struct kh_diag *diag)
{
	struct incident i = {.t0_ns = s->first_ns};
	struct kh_buf title = KH_BUF(4096);
	kh_uuid7(i.id, now_ns);
	draw_code(i.code);
	copy(i.organisation, sizeof i.organisation, s->place.organisation);
	copy(i.severity, sizeof i.severity, finding_level_name(finding_level(s->level)));
	snprintf(i.state, sizeof i.state, "open");
	KH_TRY(draw_number(d, now_ns, i.number, sizeof i.number, diag));
	kh_buf_text(&title, "");
	desk_clean(&title, s->title, 500, false);
	enum kh_err err = title.err;
	if (err == KH_OK)
		err = db_exec(
			d->db,
			"INSERT INTO incident (id, number, code, title, entity, organisation_id, system_id, asset_id,"
			" severity, state, owner, t0_ns, opened_ns, reminders, escalations, remind_ns, n_events)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', '', $10, $11, 0, 0, $12, 0)",
			DB_ARGS(db_str(i.id), db_str(i.number), db_str(i.code), db_text(kh_buf_slice(&title)),
					db_str(s->entity), db_str(s->place.organisation), db_str(s->place.system),
					db_str(s->place.asset), db_str(i.severity), db_int(i.t0_ns), db_int(now_ns),
					db_int(now_ns + d->settings.reminder_ns)),
			diag);
	kh_buf_free(&title);
	if (err == KH_OK) *out = i;
	return err;
}

static enum kh_err link_finding(struct desk *d, const struct incident *i, const struct finding_ref *f,
								int64_t now_ns, struct kh_diag *diag)
{
	return db_exec(d->db,
				   "INSERT INTO incident_finding (finding_id, incident_id, linked_ns) VALUES ($1, $2, $3)",
				   DB_ARGS(db_str(f->id), db_str(i->id), db_int(now_ns)), diag);
}

/* Who was told, for the timeline: "opened: a@example.vn, b@example.vn". */
static enum kh_err note_told(struct desk *d, const struct incident *i, enum incident_mail why,
							 const json_t *contacts, int64_t now_ns, struct kh_diag *diag)
{
	struct kh_buf text = KH_BUF(MAX_DETAIL);
	const json_t *c;
	size_t n;
	kh_buf_printf(&text, "%s:", incident_mail_name(why));
	json_array_foreach(contacts, n, c)
		kh_buf_printf(&text, "%s %s", n > 0 ? "," : "", json_string_value(json_object_get(c, "email")));
	enum kh_err err =
		timeline(d, i->id, "mailed", "khien", text.bytes != NULL ? text.bytes : "", now_ns, diag);
	kh_buf_free(&text);
	if (err != KH_OK) return err;
	return db_exec(d->db, "UPDATE incident SET mailed_ns = $2 WHERE id = $1",
				   DB_ARGS(db_str(i->id), db_int(now_ns)), diag);
}

/* Queues the mails; nobody to tell is noted too. */
static enum kh_err tell_contacts(struct desk *d, const struct incident *i, enum incident_mail why,
								 const json_t *contacts, int64_t now_ns, struct kh_diag *diag)
{
	int64_t n = 0;
	if (json_array_size(contacts) == 0) return timeline(d, i->id, "no-contact", "khien", "", now_ns, diag);
	KH_TRY(incident_mail_queue(d, i->id, why, contacts, now_ns, &n, diag));
	return n > 0 ? note_told(d, i, why, contacts, now_ns, diag) : KH_OK;
}

/* above: how many levels up; *beyond (NULL is allowed): there is no such level, nobody was told. */
static enum kh_err tell(struct desk *d, const struct incident *i, enum incident_mail why, int64_t above,
						bool *beyond, int64_t now_ns, struct kh_diag *diag)
{
	json_t *contacts;
	bool no_more;
	const char *org = i->organisation[0] != '\0' ? i->organisation : NULL;
	KH_TRY(contact_choose(d, org, above, now_ns, &contacts, &no_more, diag));
	if (beyond != NULL) *beyond = no_more;
	enum kh_err err = KH_OK;
	if (!no_more || beyond == NULL) err = tell_contacts(d, i, why, contacts, now_ns, diag);
	json_decref(contacts);
	return err;
}

static enum kh_err open_new(struct desk *d, const struct sighting *s, const struct finding_ref *f,
							int64_t now_ns, struct kh_diag *diag)
{
	struct incident i;
	char object[KH_UUID_TEXT + 10];
	KH_TRY(insert(d, s, &i, now_ns, diag));
	KH_TRY(link_finding(d, &i, f, now_ns, diag));
	KH_TRY(timeline(d, i.id, "opened", "khien", f->id, now_ns, diag));
	if (s->place.organisation == NULL)
		KH_TRY(timeline(d, i.id, "no-organisation", "khien", s->entity, now_ns, diag));
	json_t *after =
		json_pack("{s:s,s:s,s:s}", "number", i.number, "severity", i.severity, "entity", s->entity);
	snprintf(object, sizeof object, "incident:%s", i.id);
	enum kh_err err = audit_add(d->db, &desk_self,
								&(struct audit_entry){"incident.open", object, NULL, after}, now_ns, diag);
	json_decref(after);
	KH_TRY(err);
	return tell(d, &i, MAIL_OPENED, 0, NULL, now_ns, diag);
}

static bool rises(const struct incident *i, const struct sighting *s)
{
	return finding_level(s->level) > finding_level(kh_str(i->severity));
}

/* Severity is the highest seen, T0 the earliest. */
static enum kh_err absorb(struct desk *d, const struct incident *i, const struct sighting *s,
						  struct kh_diag *diag)
{
	return db_exec(
		d->db,
		"UPDATE incident SET severity = $2, t0_ns = CASE WHEN t0_ns > $3 THEN $3 ELSE t0_ns END WHERE id = "
		"$1",
		DB_ARGS(db_str(i->id),
				db_str(rises(i, s) ? finding_level_name(finding_level(s->level)) : i->severity),
				db_int(s->first_ns)),
		diag);
}

/* Another rule saw the same entity. While the incident is open its reminders tell of it; once people took it
 * over, they are told at most once a window, and at once when it became worse. */
static enum kh_err join(struct desk *d, const struct incident *i, const struct sighting *s,
						const struct finding_ref *f, int64_t now_ns, struct kh_diag *diag)
{
	bool worse = rises(i, s), taken = strcmp(i->state, "open") != 0;
	KH_TRY(link_finding(d, i, f, now_ns, diag));
	KH_TRY(absorb(d, i, s, diag));
	KH_TRY(timeline(d, i->id, worse ? "worse" : "joined", "khien", f->id, now_ns, diag));
	if (!worse && !(taken && now_ns - i->mailed_ns >= d->settings.window_ns)) return KH_OK;
	return tell(d, i, MAIL_UPDATE, 0, NULL, now_ns, diag);
}

/* The same finding goes on. After the case was closed that is noted once; its window's end makes a new case.
 */
static enum kh_err go_on(struct desk *d, const struct incident *i, const struct sighting *s, int64_t now_ns,
						 struct kh_diag *diag)
{
	int64_t noted;
	if (strcmp(i->state, "closed") != 0) return absorb(d, i, s, diag);
	KH_TRY(db_get_int(
		d->db,
		"SELECT COUNT(*) FROM incident_event WHERE incident_id = $1 AND kind = 'recurred' AND at_ns >= $2",
		DB_ARGS(db_str(i->id), db_int(i->closed_ns)), 0, &noted, diag));
	return noted > 0 ? KH_OK : timeline(d, i->id, "recurred", "khien", "", now_ns, diag);
}

enum kh_err incident_on_finding(struct desk *d, const struct sighting *s, const struct finding_ref *f,
								int64_t now_ns, struct kh_diag *diag)
{
	struct incident i;
	bool found;
	if (finding_level(s->level) < d->settings.open_at || s->muted) return KH_OK;
	KH_TRY(find(d,
				"SELECT " INCIDENT_COLUMNS " FROM incident_finding JOIN incident"
				" ON incident.id = incident_finding.incident_id WHERE incident_finding.finding_id = $1",
				DB_ARGS(db_str(f->id)), &i, &found, diag));
	if (found) return go_on(d, &i, s, now_ns, diag);
	KH_TRY(
		find(d,
			 "SELECT " INCIDENT_COLUMNS " FROM incident WHERE entity = $1 AND state <> 'closed'"
			 " AND COALESCE(organisation_id, '') = $2 ORDER BY id LIMIT 1",
			 DB_ARGS(db_str(s->entity), db_str(s->place.organisation != NULL ? s->place.organisation : "")),
			 &i, &found, diag));
	return found ? join(d, &i, s, f, now_ns, diag) : open_new(d, s, f, now_ns, diag);
}

/* ---- reminders and escalation ---- */

static enum kh_err remind_again(struct desk *d, const struct incident *i, const char *counter, int64_t now_ns,
								struct kh_diag *diag)
{
	bool escalation = strcmp(counter, "escalations") == 0;
	return db_exec(d->db,
				   escalation
					   ? "UPDATE incident SET escalations = escalations + 1, remind_ns = $2 WHERE id = $1"
					   : "UPDATE incident SET reminders = reminders + 1, remind_ns = $2 WHERE id = $1",
				   DB_ARGS(db_str(i->id), db_int(now_ns + d->settings.reminder_ns)), diag);
}

static enum kh_err remind(struct desk *d, const struct incident *i, int64_t now_ns, struct kh_diag *diag)
{
	bool beyond;
	if (i->reminders < d->settings.reminders_max) {
		KH_TRY(timeline(d, i->id, "reminded", "khien", "", now_ns, diag));
		KH_TRY(tell(d, i, MAIL_REMINDER, 0, NULL, now_ns, diag));
		return remind_again(d, i, "reminders", now_ns, diag);
	}
	KH_TRY(tell(d, i, MAIL_ESCALATION, i->escalations + 1, &beyond, now_ns, diag));
	KH_TRY(timeline(d, i->id, beyond ? "unanswered" : "escalated", "khien", "", now_ns, diag));
	if (!beyond) return remind_again(d, i, "escalations", now_ns, diag);
	return db_exec(d->db, "UPDATE incident SET remind_ns = NULL WHERE id = $1", DB_ARGS(db_str(i->id)), diag);
}

enum kh_err incident_remind_due(struct desk *d, int64_t now_ns, struct kh_diag *diag)
{
	struct incident due[MAX_DUE];
	size_t n = 0;
	struct db_rows rows = db_query(d->db,
								   "SELECT " INCIDENT_COLUMNS " FROM incident WHERE remind_ns <= $1"
								   " AND state = 'open' ORDER BY remind_ns LIMIT $2",
								   DB_ARGS(db_int(now_ns), db_int(MAX_DUE)));
	while (n < MAX_DUE && db_next(&rows)) due[n++] = incident_of(&rows);
	KH_TRY(db_end(&rows, diag));
	for (size_t i = 0; i < n; i++) KH_TRY(remind(d, &due[i], now_ns, diag));
	return KH_OK;
}

/* ---- what people do ---- */

enum { OPEN = 1, ACKNOWLEDGED = 2, CONTAINED = 4, CLOSED = 8, ANY = 15 };

static unsigned state_bit(const char *state)
{
	static const char *const names[] = {"open", "acknowledged", "contained", "closed"};
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(state, names[i]) == 0) return 1u << i;
	return 0;
}

struct step {
	const char *text, *who;
	int64_t now_ns;
};

static void acknowledge(struct incident *i, const struct step *s)
{
	copy(i->state, sizeof i->state, "acknowledged");
	i->acknowledged_ns = s->now_ns;
	i->remind_ns = 0;
	if (i->owner[0] == '\0') copy(i->owner, sizeof i->owner, s->who);
}

static void contain(struct incident *i, const struct step *s)
{
	copy(i->state, sizeof i->state, "contained");
	i->contained_ns = s->now_ns;
}

static void resume(struct incident *i, const struct step *s)
{
	(void)s;
	copy(i->state, sizeof i->state, "acknowledged");
	i->contained_ns = 0;
}

static void close_case(struct incident *i, const struct step *s)
{
	copy(i->state, sizeof i->state, "closed");
	copy(i->reason, sizeof i->reason, s->text);
	i->closed_ns = s->now_ns;
	i->remind_ns = 0;
}

/* Somebody must take it over again: reminders start anew, the first one at once. */
static void reopen(struct incident *i, const struct step *s)
{
	copy(i->state, sizeof i->state, "open");
	i->reason[0] = '\0';
	i->acknowledged_ns = i->contained_ns = i->closed_ns = i->reminders = i->escalations = 0;
	i->remind_ns = s->now_ns;
}

static void assign(struct incident *i, const struct step *s)
{
	copy(i->owner, sizeof i->owner, s->text);
}

/* Every step people can take: from which states, what it does, whether it needs words. */
static const struct verb {
	const char *name, *action, *kind;
	void (*apply)(struct incident *i, const struct step *s); /* NULL: only the timeline grows */
	unsigned from;
	bool needs_text;
} verbs[] = {
	{"ack", "incident.ack", "acknowledged", acknowledge, OPEN, false},
	{"contain", "incident.contain", "contained", contain, ACKNOWLEDGED, false},
	{"resume", "incident.resume", "resumed", resume, CONTAINED, true},
	{"close", "incident.close", "closed", close_case, OPEN | ACKNOWLEDGED | CONTAINED, true},
	{"reopen", "incident.reopen", "reopened", reopen, CLOSED, true},
	{"assign", "incident.assign", "assigned", assign, ANY, true},
	{"note", "incident.note", "note", NULL, ANY, true},
};

static const struct verb *verb_of(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
	return NULL;
}

static struct db_value time_or_null(int64_t ns)
{
	return ns > 0 ? db_int(ns) : db_str(NULL);
}

static enum kh_err save(struct desk *d, const struct incident *i, struct kh_diag *diag)
{
	return db_exec(
		d->db,
		"UPDATE incident SET state = $2, owner = $3, acknowledged_ns = $4, contained_ns = $5, closed_ns = $6,"
		" close_reason = $7, reminders = $8, escalations = $9, remind_ns = $10 WHERE id = $1",
		DB_ARGS(db_str(i->id), db_str(i->state), db_str(i->owner), time_or_null(i->acknowledged_ns),
				time_or_null(i->contained_ns), time_or_null(i->closed_ns),
				db_str(i->closed_ns > 0 ? i->reason : NULL), db_int(i->reminders), db_int(i->escalations),
				time_or_null(i->remind_ns)),
		diag);
}

/* What of an incident a step can change, for the audit chain. */
static json_t *picture(const struct incident *i)
{
	return json_pack("{s:s,s:s,s:s}", "state", i->state, "owner", i->owner, "reason", i->reason);
}

/* Reads what a person typed from a paper or a telephone: case and blanks do not matter. */
static bool code_fits(const char *code, const char *typed)
{
	unsigned wrong = 0;
	for (; *typed != '\0'; typed++) {
		if (*typed == ' ' || *typed == '-') continue;
		char up = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 32) : *typed;
		if (*code == '\0') return false;
		wrong |= (unsigned)(up ^ *code++);
	}
	return wrong == 0 && *code == '\0';
}

static enum kh_err check_step(const struct verb *v, const struct incident *i, const struct incident_word *w,
							  struct kh_diag *diag)
{
	bool has_text = w->text != NULL && w->text[0] != '\0';
	if ((state_bit(i->state) & v->from) == 0)
		return kh_say(diag, KH_ERANGE, M_INCIDENT_STATE, i->number, i->state, v->name, NULL);
	if (v->needs_text && !has_text) return kh_say(diag, KH_ERANGE, M_INCIDENT_WORDS, v->name, NULL);
	if (v->apply == acknowledge && has_text && !code_fits(i->code, w->text))
		return kh_say(diag, KH_ERANGE, M_INCIDENT_CODE, i->number, NULL);
	return KH_OK;
}

static enum kh_err note_step(struct desk *d, const struct verb *v, const struct incident *before,
							 const struct incident *after, const struct step *s,
							 const struct desk_actor *actor, struct kh_diag *diag)
{
	char object[KH_UUID_TEXT + 10];
	snprintf(object, sizeof object, "incident:%s", after->id);
	json_t *was = picture(before), *is = picture(after);
	if (v->apply == NULL) json_object_set_new(is, "note", json_string(s->text));
	enum kh_err err =
		audit_add(d->db, actor, &(struct audit_entry){v->action, object, was, is}, s->now_ns, diag);
	json_decref(was);
	json_decref(is);
	KH_TRY(err);
	/* The code is a secret between the mail and the desk: it does not belong into a timeline. */
	return timeline(d, after->id, v->kind, actor->who, v->apply == acknowledge ? "" : s->text, s->now_ns,
					diag);
}

static enum kh_err find_ref(struct desk *d, const char *ref, struct incident *out, bool *found,
							struct kh_diag *diag)
{
	return find(d, "SELECT " INCIDENT_COLUMNS " FROM incident WHERE id = $1 OR number = $1",
				DB_ARGS(db_str(ref)), out, found, diag);
}

enum kh_err incident_change(struct desk *d, const struct incident_word *word, const struct desk_actor *actor,
							int64_t now_ns, bool *found, json_t **out, struct kh_diag *diag)
{
	struct incident was, is;
	const struct verb *v = verb_of(word->verb);
	struct step s = {word->text != NULL ? word->text : "", actor->who, now_ns};
	KH_TRY(find_ref(d, word->ref, &was, found, diag));
	if (!*found || v == NULL) return kh_say(diag, KH_ERANGE, M_NO_INCIDENT, word->ref, NULL);
	KH_TRY(check_step(v, &was, word, diag));
	is = was;
	if (v->apply != NULL) v->apply(&is, &s);
	KH_TRY(save(d, &is, diag));
	KH_TRY(note_step(d, v, &was, &is, &s, actor, diag));
	if (is.remind_ns == 0 && was.remind_ns != 0) KH_TRY(outbox_drop(d, is.id, now_ns, diag));
	return incident_show(d, is.id, out, diag);
}

enum kh_err incident_show(struct desk *d, const char *ref, json_t **out, struct kh_diag *diag)
{
	json_t *row, *list = NULL;
	KH_TRY(desk_row(
		d,
		"SELECT incident.id, incident.number, incident.code, incident.title, incident.entity,"
		" incident.severity, incident.state, incident.owner, incident.t0_ns, incident.opened_ns,"
		" incident.acknowledged_ns, incident.contained_ns, incident.closed_ns, incident.close_reason,"
		" incident.reminders, incident.escalations, incident.remind_ns, incident.mailed_ns,"
		" organisation.code AS organisation, organisation.name AS organisation_name,"
		" system.code AS system, system.name AS system_name, asset.name AS asset FROM incident"
		" LEFT JOIN organisation ON organisation.id = incident.organisation_id"
		" LEFT JOIN system ON system.id = incident.system_id"
		" LEFT JOIN asset ON asset.id = incident.asset_id WHERE incident.id = $1 OR incident.number = $1",
		DB_ARGS(db_str(ref)), &row, diag));
	*out = row;
	if (row == NULL) return KH_OK;
	const char *id = json_string_value(json_object_get(row, "id"));
	enum kh_err err = desk_rows(
		d,
		"SELECT finding.id, finding.rule_id, finding.rule_title, finding.rule_level, finding.rule_author,"
		" finding.rule_license, finding.count, finding.first_ns, finding.last_ns, incident_finding.linked_ns"
		" FROM incident_finding JOIN finding ON finding.id = incident_finding.finding_id"
		" WHERE incident_finding.incident_id = $1 ORDER BY finding.id",
		DB_ARGS(db_str(id)), &list, diag);
	if (err == KH_OK) json_object_set_new(row, "findings", list);
	if (err == KH_OK)
		err = desk_rows(
			d, "SELECT n, at_ns, kind, actor, detail FROM incident_event WHERE incident_id = $1 ORDER BY n",
			DB_ARGS(db_str(id)), &list, diag);
	if (err == KH_OK) json_object_set_new(row, "timeline", list);
	if (err == KH_OK) return KH_OK;
	json_decref(row);
	*out = NULL;
	return err;
}
