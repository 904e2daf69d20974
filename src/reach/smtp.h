/* SPDX-License-Identifier: Apache-2.0
 * smtp.h - hands mails to one relay (RFC 5321; STARTTLS RFC 3207; implicit TLS RFC 8314; AUTH RFC 4954),
 * driven by a uv loop. libcurl connects, verifies the certificate and logs in; the mail dialogue after it is
 * ours, because the end-of-data dot must wait for the caller (docs/adr/0020-smtp-dialogue.md).
 *
 * One mail: smtp_send -> ... -> committing(arg): the relay holds the whole message but the dot -> the caller
 * notes that durably -> smtp_commit -> done(arg, outcome). If the process dies before smtp_commit, nothing
 * was delivered (RFC 5321, 4.1.1.4: without the dot the relay must drop the message). A mail with several
 * recipients goes to all or to none. done() comes exactly once a mail that smtp_send took, never from inside
 * smtp_send; the handle is dead from then on.
 *
 * Ownership: the client copies settings and mail. Limits: max_in_flight connections, SMTP_MAX_WAITING mails
 * waiting for one, every step within timeout_s. After the sandbox it opens only what reach_prepare() names.
 * Threads: the loop's; libcurl resolves names in threads of its own. */
#ifndef KH_REACH_SMTP_H
#define KH_REACH_SMTP_H
#include <uv.h>

#include "base/slice.h"

enum { SMTP_MAX_TO = 100, SMTP_MAX_WAITING = 1000, SMTP_MAX_REPLY = 256 };

enum smtp_tls { SMTP_TLS_NONE, SMTP_TLS_STARTTLS, SMTP_TLS_IMPLICIT };

struct smtp_settings {
	const char *host; /* name or address, without brackets */
	uint16_t port;    /* 0: 25, 587 or 465, as `tls` says */
	enum smtp_tls tls;
	const char *ca_file;         /* PEM, trusted instead of the system; NULL: the system's bundle */
	const char *user, *password; /* NULL: no login; refused without TLS but to a loopback address */
	const char *helo;            /* our own name in EHLO */
	unsigned timeout_s;          /* each step: connect and login, each reply; 0: 60 */
	unsigned final_timeout_s;    /* the reply to the dot; 0: 600 (RFC 5321, 4.5.3.2.6) */
	unsigned max_in_flight;      /* 0: 2 */
};

struct smtp_mail {
	const char *from; /* envelope; "" is the null sender */
	const char *const *to;
	size_t n_to;
	struct kh_slice message; /* 7-bit, CRLF, lines up to 998: what mime_build makes */
};

enum smtp_result {
	SMTP_SENT,      /* the relay took it */
	SMTP_TEMPORARY, /* not delivered; a later try may do: 4xx, network, TLS, login */
	SMTP_PERMANENT, /* not delivered; the relay refuses this mail: 5xx */
	SMTP_UNCERTAIN, /* the dot went out and no reply came: delivered or not */
};

struct smtp_outcome {
	enum smtp_result result;
	unsigned code;             /* the relay's last reply, 0: none */
	char text[SMTP_MAX_REPLY]; /* its words, or ours when there are none; one line of UTF-8 */
};

struct smtp_client;
struct smtp_transfer;

struct smtp_events {
	void (*committing)(void *arg);
	void (*done)(void *arg, const struct smtp_outcome *outcome);
};

struct smtp_counts {
	uint64_t sent, temporary, permanent, uncertain;
	unsigned waiting, in_flight;
};

/* Once a process, before the sandbox and before any thread: libcurl, GnuTLS, the modules of the name service.
 * From then on a mail opens /etc/resolv.conf, /etc/hosts, /etc/host.conf, /etc/nsswitch.conf, /etc/gai.conf,
 * the CA file, sockets. */
KH_MUST_USE enum kh_err reach_prepare(struct kh_diag *d);

KH_MUST_USE enum kh_err smtp_client_new(uv_loop_t *loop, const struct smtp_settings *s,
										struct smtp_client **out, struct kh_diag *d);
/* Drops what is in flight without a dot and without done(). The loop must run once more to close the handles.
 */
void smtp_client_free(struct smtp_client *c);

/* KH_EFORMAT: an address or the message is not what SMTP may carry; KH_ELIMIT: too many wait. */
KH_MUST_USE enum kh_err smtp_send(struct smtp_client *c, const struct smtp_mail *m,
								  const struct smtp_events *ev, void *arg, struct smtp_transfer **out,
								  struct kh_diag *d);
void smtp_commit(struct smtp_transfer *t); /* only after committing() */
/* No dot, no done(); after smtp_commit it is too late, the call is ignored and done() comes. */
void smtp_abort(struct smtp_transfer *t);
struct smtp_counts smtp_client_counts(const struct smtp_client *c);
const char *smtp_result_name(enum smtp_result r); /* "sent", "temporary", ... */
#endif
