/* SPDX-License-Identifier: Apache-2.0
 * courier.c - the courier role: takes mails from the desk, hands each to the SMTP server, and ends a mail
 * only after the desk noted that it may be ended. What is under way when this process dies is sorted out by
 * the desk. */
#include <netdb.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/time.h"
#include "reach/mime.h"
#include "reach/smtp.h"
#include "role/process.h"

enum { MAX_MESSAGE = 4 << 20, MAX_HOST = SETTINGS_MAX_HOST, MAX_ID = 64, MAX_TOLD = 256 };

struct errand {
	struct role_process *p;
	struct errand *next;
	struct smtp_transfer *transfer;
	bool committed; /* the desk said that it may be ended: from here on only the server's reply tells */
	char id[MAX_ID];
};

/* What became of a mail, kept in case the desk dies before it could note it. Telling it twice does no harm.
 */
struct told {
	char id[MAX_ID];
	const char *result;
	unsigned code;
	char text[SMTP_MAX_REPLY];
};

struct courier {
	struct smtp_client *client; /* NULL: no server is configured */
	struct errand *first;
	char domain[MAX_HOST];
	struct told told[MAX_TOLD]; /* a ring */
	size_t n_told;
};

static void send_told(struct role_process *p, const struct told *t)
{
	json_t *j = json_pack("{s:s, s:s, s:i, s:s}", "id", t->id, "result", t->result, "code", (int)t->code,
						  "text", t->text);
	channel_send(p->peers[ROLE_DESK], FRAME_MAIL_DONE, j, -1);
}

static void tell(struct role_process *p, const char *id, enum smtp_result result, unsigned code,
				 const char *text)
{
	struct courier *c = p->state;
	struct told *t = &c->told[c->n_told++ % MAX_TOLD];
	*t = (struct told){.result = smtp_result_name(result), .code = code};
	snprintf(t->id, sizeof t->id, "%s", id);
	snprintf(t->text, sizeof t->text, "%s", text);
	send_told(p, t);
}

static void forget(struct courier *c, struct errand *e)
{
	for (struct errand **at = &c->first; *at != NULL; at = &(*at)->next) {
		if (*at != e) continue;
		*at = e->next;
		break;
	}
	free(e);
}

/* Certainly not delivered: without its end the server must forget it (RFC 5321, 4.1.1.4). */
static void drop(struct errand *e)
{
	smtp_abort(e->transfer);
	tell(e->p, e->id, SMTP_TEMPORARY, 0, kh_msg(M_COURIER_DROPPED));
	forget(e->p->state, e);
}

static void on_committing(void *arg)
{
	struct errand *e = arg;
	if (channel_send(e->p->peers[ROLE_DESK], FRAME_MAIL_COMMITTING, json_pack("{s:s}", "id", e->id), -1) !=
		KH_OK)
		drop(e);
}

static void on_done(void *arg, const struct smtp_outcome *outcome)
{
	struct errand *e = arg;
	kh_log(KH_LOG_INFO, "event=mail_done id=%s result=%s code=%u", e->id, smtp_result_name(outcome->result),
		   outcome->code);
	tell(e->p, e->id, outcome->result, outcome->code, outcome->text);
	forget(e->p->state, e);
}

static const struct smtp_events events = {on_committing, on_done};

/* Of an earlier try: it must not be told over the one that begins now. */
static void untell(struct courier *c, const char *id)
{
	for (size_t i = 0; i < MAX_TOLD; i++)
		if (strcmp(c->told[i].id, id) == 0) c->told[i].id[0] = '\0';
}

static enum kh_err message_of(struct role_process *p, const json_t *mail, struct kh_buf *out,
							  struct kh_diag *diag)
{
	const struct courier *c = p->state;
	char message_id[MAX_HOST + MAX_ID + 2];
	snprintf(message_id, sizeof message_id, "%s@%s", json_text(mail, "id", ""), c->domain);
	const struct mime_address to = {.mailbox = kh_str(json_text(mail, "to", ""))};
	const struct mime_mail m = {
		.message_id = kh_str(message_id),
		.date_ns = kh_now_ns(),
		.from = {kh_str("Khiên"), kh_str(p->settings->mail.from)},
		.to = &to,
		.n_to = 1,
		.subject = kh_str(json_text(mail, "subject", "")),
		.body = kh_str(json_text(mail, "body", "")),
	};
	*out = KH_BUF(MAX_MESSAGE);
	return mime_build(&m, out, diag);
}

static enum kh_err send_mail(struct role_process *p, const json_t *mail, struct kh_diag *diag)
{
	struct courier *c = p->state;
	struct kh_buf message;
	struct errand *e = calloc(1, sizeof *e);
	if (e == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	e->p = p;
	snprintf(e->id, sizeof e->id, "%s", json_text(mail, "id", ""));
	enum kh_err err = message_of(p, mail, &message, diag);
	const char *to[] = {json_text(mail, "to", "")};
	const struct smtp_mail m = {p->settings->mail.from, to, 1, kh_buf_slice(&message)};
	if (err == KH_OK) err = smtp_send(c->client, &m, &events, e, &e->transfer, diag);
	kh_buf_free(&message);
	if (err != KH_OK) {
		free(e);
		return err;
	}
	e->next = c->first;
	c->first = e;
	return KH_OK;
}

static void on_mail(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	struct role_process *p = ctx;
	struct courier *c = p->state;
	struct kh_diag diag = {0};
	const char *id = json_text(payload, "id", "");
	untell(c, id);
	if (c->client == NULL) {
		tell(p, id, SMTP_TEMPORARY, 0, kh_msg(M_COURIER_NO_SERVER));
		return;
	}
	enum kh_err err = send_mail(p, payload, &diag);
	if (err == KH_OK) return;
	tell(p, id, err == KH_EFORMAT ? SMTP_PERMANENT : SMTP_TEMPORARY, 0, diag.text);
}

static void on_commit(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	(void)ch;
	(void)fd;
	struct courier *c = ((struct role_process *)ctx)->state;
	const char *id = json_text(payload, "id", "");
	struct errand *e = c->first;
	while (e != NULL && strcmp(e->id, id) != 0) e = e->next;
	if (e == NULL || e->committed) return;
	e->committed = true;
	smtp_commit(e->transfer);
}

/* A desk that comes back knows no more of mails that it had not noted as ended: they go back to its outbox.
 */
static void desk_gone(struct role_process *p, enum role peer)
{
	(void)peer;
	struct courier *c = p->state;
	for (struct errand *e = c->first, *next; e != NULL; e = next) {
		next = e->next;
		if (!e->committed) drop(e);
	}
}

static void desk_came(struct role_process *p, enum role peer, const json_t *payload)
{
	(void)payload;
	struct courier *c = p->state;
	size_t n = c->n_told < MAX_TOLD ? c->n_told : MAX_TOLD;
	for (size_t i = 0; i < n; i++) {
		const struct told *t = &c->told[(c->n_told - n + i) % MAX_TOLD];
		if (t->id[0] != '\0') send_told(p, t);
	}
	channel_send(p->peers[peer], FRAME_COURIER_HELLO, json_object(), -1);
}

static enum kh_err prepare(struct role_process *p, struct kh_diag *diag)
{
	(void)p;
	return reach_prepare(diag);
}

static enum kh_err start(struct role_process *p, struct kh_diag *diag)
{
	const struct settings *s = p->settings;
	char host[MAX_HOST];
	struct courier *c = calloc(1, sizeof *c);
	if (c == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	p->state = c;
	const char *at = strrchr(s->mail.from, '@');
	snprintf(c->domain, sizeof c->domain, "%s", at != NULL ? at + 1 : "localhost.localdomain");
	if (s->mail.server == NULL) return KH_OK;
	struct smtp_settings smtp = {.host = host,
								 .tls = (enum smtp_tls)s->mail.tls,
								 .ca_file = s->mail.ca_file,
								 .user = s->mail.user,
								 .password = role_secret(p, "mail_password"),
								 .helo = c->domain,
								 .timeout_s = (unsigned)(s->mail.timeout / KH_SECOND),
								 .max_in_flight = (unsigned)s->mail.in_flight};
	KH_TRY(settings_server(s->mail.server, host, &smtp.port, diag));
	return smtp_client_new(&p->loop, &smtp, &c->client, diag);
}

static const channel_table from_desk = {
	[FRAME_MAIL] = on_mail,
	[FRAME_MAIL_COMMIT] = on_commit,
};

const struct role_ops courier_ops = {
	.prepare = prepare,
	.start = start,
	.peer_came = desk_came,
	.peer_gone = desk_gone,
	.from_peer = {[ROLE_DESK] = &from_desk},
};
