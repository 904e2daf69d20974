/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/incident_mail.h"

#include "desk/contact.h"
#include "desk/incident.h"
#include "desk/outbox.h"
#include "desk/own.h"

enum { MAX_BODY = 64 << 10, MAX_LINES = 5, MAX_LINE = 300, MAX_RULES = 10, MAX_SUBJECT = 200 };

static const struct {
	const char *name;
	enum kh_msg subject, lead;
} kinds[] = {
	[MAIL_OPENED] = {"opened", M_MAIL_SUBJECT_OPENED, M_MAIL_LEAD_OPENED},
	[MAIL_UPDATE] = {"update", M_MAIL_SUBJECT_UPDATE, M_MAIL_LEAD_UPDATE},
	[MAIL_REMINDER] = {"reminder", M_MAIL_SUBJECT_REMINDER, M_MAIL_LEAD_REMINDER},
	[MAIL_ESCALATION] = {"escalation", M_MAIL_SUBJECT_ESCALATION, M_MAIL_LEAD_ESCALATION},
};

const char *incident_mail_name(enum incident_mail why)
{
	return kinds[why].name;
}

static const enum kh_msg severities[] = {
	[DESK_INFORMATIONAL] = M_SEVERITY_INFORMATIONAL,
	[DESK_LOW] = M_SEVERITY_LOW,
	[DESK_MEDIUM] = M_SEVERITY_MEDIUM,
	[DESK_HIGH] = M_SEVERITY_HIGH,
	[DESK_CRITICAL] = M_SEVERITY_CRITICAL,
};

/* The facts of one mail. */
struct letter {
	json_t *incident; /* as incident_show gives it */
	json_t *evidence; /* rows {"line"} */
	json_t *desk;     /* whom to call back: contacts of the authority */
	enum incident_mail why;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s != NULL ? s : "";
}

static void line(struct kh_buf *b, enum kh_lang lang, enum kh_msg key, const char *a0, const char *a1,
				 const char *a2)
{
	char text[4096];
	kh_msg_write(text, sizeof text, lang, key, a0, a1, a2, NULL);
	kh_buf_text(b, text);
	kh_buf_char(b, '\n');
}

static void both_times(char out[2 * KH_TIME_TEXT], const char *rfc3339, enum kh_lang lang)
{
	char local[KH_TIME_TEXT];
	int64_t ns;
	if (kh_time_parse(kh_str(rfc3339), true, &ns) != KH_OK) ns = 0;
	kh_time_vietnam(local, ns);
	snprintf(out, 2 * KH_TIME_TEXT, "%s (%s) = %s", local, lang == KH_VI ? "giờ Việt Nam" : "Vietnam time",
			 rfc3339);
}

static void put_place(struct kh_buf *b, enum kh_lang lang, const json_t *i)
{
	const char *org = text_of(i, "organisation_name"), *system = text_of(i, "system_name");
	if (org[0] != '\0')
		line(b, lang, M_MAIL_ORGANISATION, org, text_of(i, "organisation"), NULL);
	else
		line(b, lang, M_MAIL_NO_ORGANISATION, NULL, NULL, NULL);
	if (system[0] != '\0') line(b, lang, M_MAIL_SYSTEM, system, text_of(i, "system"), text_of(i, "asset"));
	line(b, lang, M_MAIL_ENTITY, text_of(i, "entity"), NULL, NULL);
}

static const char *or_unknown(const char *text, enum kh_lang lang)
{
	return text[0] != '\0' ? text : kh_msg_in(lang, M_MAIL_UNKNOWN);
}

static void put_rules(struct kh_buf *b, enum kh_lang lang, const json_t *findings)
{
	size_t n = json_array_size(findings);
	line(b, lang, M_MAIL_SEEN, NULL, NULL, NULL);
	for (size_t i = 0; i < n && i < MAX_RULES; i++) {
		const json_t *f = json_array_get(findings, i);
		int64_t count = (int64_t)json_integer_value(json_object_get(f, "count"));
		line(b, lang, M_MAIL_RULE, text_of(f, "rule_title"), text_of(f, "rule_level"), KH_DEC(count));
		line(b, lang, M_MAIL_RULE_BY, or_unknown(text_of(f, "rule_author"), lang),
			 or_unknown(text_of(f, "rule_license"), lang), text_of(f, "rule_id"));
		line(b, lang, M_MAIL_RULE_WHEN, text_of(f, "first"), text_of(f, "last"), NULL);
	}
	if (n > MAX_RULES) line(b, lang, M_MAIL_MORE_RULES, KH_DEC(n - MAX_RULES), NULL, NULL);
}

/* "://" is what mail readers turn into a link, and an attacker may have written the line. */
static void put_harmless(struct kh_buf *b, struct kh_slice text)
{
	struct kh_buf clean = KH_BUF(4 * MAX_LINE);
	desk_clean(&clean, text, MAX_LINE, false);
	struct kh_slice s = kh_buf_slice(&clean);
	while (s.n > 0) {
		bool link = kh_slice_starts(s, KH_LIT("://"));
		kh_buf_put(b, link ? KH_LIT("[:]//") : kh_slice_to(s, 1));
		s = kh_slice_from(s, link ? 3 : 1);
	}
	kh_buf_free(&clean);
}

static void put_evidence(struct kh_buf *b, enum kh_lang lang, const json_t *rows)
{
	size_t n = json_array_size(rows);
	if (n == 0) return;
	line(b, lang, M_MAIL_EVIDENCE, NULL, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		kh_buf_text(b, "  | ");
		put_harmless(b, desk_get(json_array_get(rows, i), "line"));
		kh_buf_char(b, '\n');
	}
}

static void put_call_back(struct kh_buf *b, enum kh_lang lang, const struct letter *l)
{
	const json_t *c = json_array_get(l->desk, 0);
	line(b, lang, M_MAIL_ACK, text_of(l->incident, "number"), text_of(l->incident, "code"), NULL);
	if (c != NULL)
		line(b, lang, M_MAIL_CALL, text_of(c, "organisation"), text_of(c, "phone"), text_of(c, "email"));
}

static void put_part(struct kh_buf *b, enum kh_lang lang, const struct letter *l)
{
	const json_t *i = l->incident;
	char t0[2 * KH_TIME_TEXT];
	both_times(t0, text_of(i, "t0"), lang);
	line(b, lang, kinds[l->why].lead, text_of(i, "number"), NULL, NULL);
	kh_buf_char(b, '\n');
	line(b, lang, M_MAIL_NUMBER, text_of(i, "number"), text_of(i, "code"), NULL);
	line(b, lang, M_MAIL_SEVERITY, kh_msg_in(lang, severities[finding_level(kh_str(text_of(i, "severity")))]),
		 NULL, NULL);
	put_place(b, lang, i);
	line(b, lang, M_MAIL_T0, t0, NULL, NULL);
	kh_buf_char(b, '\n');
	put_rules(b, lang, json_object_get(i, "findings"));
	kh_buf_char(b, '\n');
	put_evidence(b, lang, l->evidence);
	kh_buf_char(b, '\n');
	line(b, lang, M_MAIL_DO, NULL, NULL, NULL);
	kh_buf_char(b, '\n');
	put_call_back(b, lang, l);
}

static enum kh_err gather(struct desk *d, const char *id, int64_t now_ns, struct letter *l,
						  struct kh_diag *diag)
{
	bool beyond;
	KH_TRY(incident_show(d, id, &l->incident, diag));
	KH_TRY(desk_rows(d,
					 "SELECT line FROM finding_evidence JOIN incident_finding"
					 " ON incident_finding.finding_id = finding_evidence.finding_id"
					 " WHERE incident_finding.incident_id = $1"
					 " ORDER BY incident_finding.linked_ns DESC, finding_evidence.n LIMIT $2",
					 DB_ARGS(db_str(id), db_int(MAX_LINES)), &l->evidence, diag));
	return contact_choose(d, NULL, 0, now_ns, &l->desk, &beyond, diag);
}

static enum kh_err waits(struct desk *d, const char *id, const char *recipient, bool *out,
						 struct kh_diag *diag)
{
	int64_t n;
	KH_TRY(db_get_int(d->db,
					  "SELECT COUNT(*) FROM outbox WHERE incident_id = $1 AND recipient = $2"
					  " AND state IN ('queued', 'sending', 'committing')",
					  DB_ARGS(db_str(id), db_str(recipient)), 0, &n, diag));
	*out = n > 0;
	return KH_OK;
}

static enum kh_err queue_all(struct desk *d, const char *id, const struct letter *l, const json_t *contacts,
							 const char *body, int64_t now_ns, int64_t *n_told, struct kh_diag *diag)
{
	char subject[MAX_SUBJECT];
	const json_t *c;
	size_t i;
	kh_msg_write(subject, sizeof subject, KH_VI, kinds[l->why].subject, text_of(l->incident, "number"),
				 text_of(l->incident, "entity"), text_of(l->incident, "title"), NULL);
	json_array_foreach(contacts, i, c)
	{
		bool waiting;
		struct outbox_mail mail = {kinds[l->why].name, id, text_of(c, "email"), subject, body};
		KH_TRY(waits(d, id, mail.recipient, &waiting, diag));
		if (waiting) continue;
		KH_TRY(outbox_add(d, &mail, now_ns, diag));
		(*n_told)++;
	}
	return KH_OK;
}

enum kh_err incident_mail_queue(struct desk *d, const char *incident_id, enum incident_mail why,
								const json_t *contacts, int64_t now_ns, int64_t *n_told, struct kh_diag *diag)
{
	struct letter l = {.why = why};
	struct kh_buf body = KH_BUF(MAX_BODY);
	*n_told = 0;
	enum kh_err err = gather(d, incident_id, now_ns, &l, diag);
	if (err == KH_OK) {
		put_part(&body, KH_VI, &l);
		kh_buf_text(&body, "\n----------------------------------------------------------------------\n\n");
		put_part(&body, KH_EN, &l);
		err = body.err;
	}
	if (err == KH_OK) err = queue_all(d, incident_id, &l, contacts, body.bytes, now_ns, n_told, diag);
	json_decref(l.incident);
	json_decref(l.evidence);
	json_decref(l.desk);
	kh_buf_free(&body);
	return err;
}
