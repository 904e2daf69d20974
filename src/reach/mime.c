/* SPDX-License-Identifier: Apache-2.0 */
#include "reach/mime.h"

#include "base/message.h"
#include "base/time.h"

enum { LINE = 76, WORD = 75, WORD_FRAME = 12 /* "=?UTF-8?B?" and "?=" */ };

/* ---- checks ---- */

static bool alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 5322, 3.2.3 */
static bool atext(uint8_t c)
{
	return alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool dot_atom(struct kh_slice s, size_t most)
{
	if (s.n == 0 || s.n > most) return false;
	for (size_t i = 0; i < s.n; i++) {
		bool dot = s.p[i] == '.';
		if (!dot && !atext(s.p[i])) return false;
		if (dot && (i == 0 || i + 1 == s.n || s.p[i - 1] == '.')) return false;
	}
	return true;
}

static bool label_ok(struct kh_slice l)
{
	if (l.n == 0 || l.n > 63 || l.p[0] == '-' || l.p[l.n - 1] == '-') return false;
	for (size_t i = 0; i < l.n; i++)
		if (!alnum(l.p[i]) && l.p[i] != '-') return false;
	return true;
}

static bool domain_ok(struct kh_slice s)
{
	struct kh_slice label;
	if (s.n > 253) return false;
	while (kh_slice_cut(&s, '.', &label))
		if (!label_ok(label)) return false;
	return label_ok(s);
}

static bool ascii(struct kh_slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80) return false;
	return true;
}

/* No control byte at all: CR and LF would open a header, NUL would hide one from some readers. */
static bool printable(struct kh_slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
	return true;
}

/* For the operator's eye only: controls would be blanked by the diag, length is cut here. */
static const char *shown(char out[80], struct kh_slice s)
{
	size_t n = s.n < 72 ? s.n : 72;
	for (size_t i = 0; i < n; i++) out[i] = s.p[i] >= 0x20 && s.p[i] < 0x7f ? (char)s.p[i] : '?';
	out[n] = '\0';
	return out;
}

#define SHOWN(s) shown((char[80]){0}, (s))

enum kh_err mime_mailbox_check(struct kh_slice mailbox, struct kh_diag *d)
{
	struct kh_slice domain = mailbox, local;
	if (!ascii(mailbox)) return kh_say(d, KH_EFORMAT, M_MIME_MAILBOX_ASCII, SHOWN(mailbox), NULL);
	if (mailbox.n > MIME_MAX_MAILBOX || !kh_slice_cut(&domain, '@', &local) || !dot_atom(local, 64) ||
		!domain_ok(domain))
		return kh_say(d, KH_EFORMAT, M_MIME_MAILBOX, SHOWN(mailbox), NULL);
	return KH_OK;
}

static enum kh_err message_id_check(struct kh_slice id, struct kh_diag *d)
{
	struct kh_slice right = id, left;
	if (!kh_slice_cut(&right, '@', &left) || !dot_atom(left, 128) || !domain_ok(right))
		return kh_say(d, KH_EFORMAT, M_MIME_MESSAGE_ID, SHOWN(id), NULL);
	return KH_OK;
}

static enum kh_err value_check(struct kh_slice value, const char *where, struct kh_diag *d)
{
	if (value.n > MIME_MAX_VALUE)
		return kh_say(d, KH_ELIMIT, M_MIME_VALUE_LONG, where, KH_DEC(MIME_MAX_VALUE), NULL);
	if (!printable(value)) return kh_say(d, KH_EFORMAT, M_MIME_VALUE_CONTROL, where, NULL);
	if (!kh_utf8_ok(value)) return kh_say(d, KH_EFORMAT, M_MIME_NOT_UTF8, where, NULL);
	return KH_OK;
}

/* Written below, or never by a sender that is a machine. "Content-" is a prefix. */
static const char *const own_headers[] = {
	"Date",       "From",         "Sender",         "To",       "Cc",          "Bcc",           "Subject",
	"Message-ID", "MIME-Version", "Auto-Submitted", "Received", "Return-Path", "DKIM-Signature"};

static enum kh_err name_check(struct kh_slice name, struct kh_diag *d)
{
	bool ok = name.n > 0 && name.n <= 64;
	for (size_t i = 0; ok && i < name.n; i++) ok = alnum(name.p[i]) || name.p[i] == '-';
	if (ok && name.n >= 8) ok = !kh_slice_case_eq(kh_slice_to(name, 8), KH_LIT("Content-"));
	for (size_t i = 0; ok && i < sizeof own_headers / sizeof *own_headers; i++)
		ok = !kh_slice_case_eq(name, kh_str(own_headers[i]));
	return ok ? KH_OK : kh_say(d, KH_EFORMAT, M_MIME_HEADER_NAME, SHOWN(name), NULL);
}

static enum kh_err address_check(const struct mime_address *a, const char *where, struct kh_diag *d)
{
	KH_TRY(mime_mailbox_check(a->mailbox, d));
	return value_check(a->name, where, d);
}

static enum kh_err mail_check(const struct mime_mail *m, struct kh_diag *d)
{
	KH_TRY(message_id_check(m->message_id, d));
	KH_TRY(address_check(&m->from, "From", d));
	if (m->n_to == 0 || m->n_to > MIME_MAX_TO)
		return kh_say(d, KH_ELIMIT, M_MIME_RECIPIENTS, KH_DEC(MIME_MAX_TO), NULL);
	for (size_t i = 0; i < m->n_to; i++) KH_TRY(address_check(&m->to[i], "To", d));
	KH_TRY(value_check(m->subject, "Subject", d));
	if (m->n_headers > MIME_MAX_HEADERS)
		return kh_say(d, KH_ELIMIT, M_MIME_HEADERS, KH_DEC(MIME_MAX_HEADERS), NULL);
	for (size_t i = 0; i < m->n_headers; i++) {
		KH_TRY(name_check(m->headers[i].name, d));
		KH_TRY(value_check(m->headers[i].value, SHOWN(m->headers[i].name), d));
	}
	if (!kh_utf8_ok(m->body)) return kh_say(d, KH_EFORMAT, M_MIME_NOT_UTF8, "body", NULL);
	if (m->body.n > 0 && memchr(m->body.p, '\0', m->body.n) != NULL)
		return kh_say(d, KH_EFORMAT, M_MIME_VALUE_CONTROL, "body", NULL);
	return KH_OK;
}

/* ---- header lines ---- */

/* One header being written: `col` is the length of its current line. */
struct line {
	struct kh_buf *b;
	size_t col;
};

static void put(struct line *l, struct kh_slice s)
{
	kh_buf_put(l->b, s);
	l->col += s.n;
}

/* A blank, or a line break and a blank when `n` more bytes would not fit. */
static void gap(struct line *l, size_t n)
{
	if (l->col > 1 && l->col + 1 + n > LINE) {
		kh_buf_text(l->b, "\r\n");
		l->col = 0;
	}
	put(l, KH_LIT(" "));
}

static struct line header(struct kh_buf *b, struct kh_slice name)
{
	struct line l = {b, 0};
	put(&l, name);
	put(&l, KH_LIT(":"));
	return l;
}

static void base64(struct kh_buf *b, struct kh_slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t v = (uint32_t)s.p[i] << 16;
		if (i + 1 < s.n) v |= (uint32_t)s.p[i + 1] << 8;
		if (i + 2 < s.n) v |= s.p[i + 2];
		kh_buf_char(b, digits[v >> 18]);
		kh_buf_char(b, digits[v >> 12 & 63]);
		kh_buf_char(b, i + 1 < s.n ? digits[v >> 6 & 63] : '=');
		kh_buf_char(b, i + 2 < s.n ? digits[v & 63] : '=');
	}
}

/* The longest prefix of whole characters (RFC 2047, 5: a word never splits one) within `most` bytes. */
static size_t whole_characters(struct kh_slice s, size_t most)
{
	if (s.n <= most) return s.n;
	while (most > 0 && (s.p[most] & 0xc0) == 0x80) most--;
	return most;
}

static void encoded_words(struct line *l, struct kh_slice s)
{
	while (s.n > 0) {
		size_t room = l->col + 1 + WORD_FRAME < LINE ? LINE - l->col - 1 - WORD_FRAME : 0;
		if (room < 8) room = WORD - WORD_FRAME; /* gap() will start a line */
		size_t n = whole_characters(s, room / 4 * 3);
		gap(l, (n + 2) / 3 * 4 + WORD_FRAME);
		kh_buf_text(l->b, "=?UTF-8?B?");
		base64(l->b, kh_slice_to(s, n));
		kh_buf_text(l->b, "?=");
		l->col += (n + 2) / 3 * 4 + WORD_FRAME;
		s = kh_slice_from(s, n);
	}
}

/* Text that a reader of encoded words could take for one must be encoded itself. */
static bool plain(struct kh_slice s)
{
	if (!ascii(s)) return false;
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == '=' && s.p[i + 1] == '?') return false;
	return true;
}

static size_t longest_token(struct kh_slice s)
{
	size_t longest = 0, n = 0;
	for (size_t i = 0; i < s.n; i++) {
		n = s.p[i] == ' ' ? 0 : n + 1;
		if (n > longest) longest = n;
	}
	return longest;
}

/* Runs of blanks become one: folding could otherwise leave a line of blanks only (RFC 5322, 3.2.2). */
static void unstructured(struct line *l, struct kh_slice s)
{
	s = kh_slice_trim(s);
	if (!plain(s) || longest_token(s) > 900) {
		encoded_words(l, s);
		return;
	}
	while (s.n > 0) {
		struct kh_slice token;
		if (!kh_slice_cut(&s, ' ', &token)) {
			token = s;
			s = (struct kh_slice){0};
		}
		if (token.n == 0) continue;
		gap(l, token.n);
		put(l, token);
	}
}

static void quoted_name(struct line *l, struct kh_slice name)
{
	gap(l, name.n + 2);
	put(l, KH_LIT("\""));
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\') put(l, KH_LIT("\\"));
		put(l, (struct kh_slice){name.p + i, 1});
	}
	put(l, KH_LIT("\""));
}

static void address(struct line *l, const struct mime_address *a, bool last)
{
	struct kh_slice name = kh_slice_trim(a->name);
	if (name.n > 0 && name.n < 60 && plain(name))
		quoted_name(l, name);
	else
		encoded_words(l, name);
	gap(l, a->mailbox.n + 3);
	put(l, KH_LIT("<"));
	put(l, a->mailbox);
	put(l, last ? KH_LIT(">") : KH_LIT(">,"));
}

static void write_date(struct kh_buf *b, int64_t date_ns)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
										 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct kh_civil c = kh_civil_of(date_ns, KH_VIETNAM_OFFSET_S);
	kh_buf_printf(b, "Date: %s, %u %s %04d %02u:%02u:%02u +0700\r\n", days[c.weekday], (unsigned)c.day,
				  months[c.month - 1], (int)c.year, (unsigned)c.hour, (unsigned)c.minute, (unsigned)c.second);
}

static void write_headers(const struct mime_mail *m, struct kh_buf *b)
{
	write_date(b, m->date_ns);
	struct line l = header(b, KH_LIT("From"));
	address(&l, &m->from, true);
	kh_buf_text(b, "\r\n");
	l = header(b, KH_LIT("To"));
	for (size_t i = 0; i < m->n_to; i++) address(&l, &m->to[i], i + 1 == m->n_to);
	kh_buf_text(b, "\r\n");
	l = header(b, KH_LIT("Subject"));
	unstructured(&l, m->subject);
	kh_buf_text(b, "\r\nMessage-ID: <");
	kh_buf_put(b, m->message_id);
	kh_buf_text(b, ">\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
				   "Content-Transfer-Encoding: quoted-printable\r\nAuto-Submitted: auto-generated\r\n");
	for (size_t i = 0; i < m->n_headers; i++) {
		l = header(b, m->headers[i].name);
		unstructured(&l, m->headers[i].value);
		kh_buf_text(b, "\r\n");
	}
}

/* ---- body: quoted-printable (RFC 2045, 6.7) ---- */

static bool qp_literal(struct kh_slice line, size_t i, size_t col)
{
	uint8_t c = line.p[i];
	if (c == ' ' || c == '\t') return i + 1 < line.n;     /* rule 3: no blank at the end of a line */
	if (col == 0 && (c == '.' || c == 'F')) return false; /* SMTP's dot, mbox's "From " */
	return c > 0x20 && c < 0x7f && c != '=';
}

static void qp_line(struct kh_buf *b, struct kh_slice line)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t col = 0;
	for (size_t i = 0; i < line.n; i++) {
		bool literal = qp_literal(line, i, col);
		if (col + (literal ? 1 : 3) > LINE - 1) { /* rule 5: room for the soft break's "=" */
			kh_buf_text(b, "=\r\n");
			col = 0;
			literal = qp_literal(line, i, col);
		}
		if (literal) {
			kh_buf_char(b, (char)line.p[i]);
		} else {
			kh_buf_char(b, '=');
			kh_buf_char(b, hex[line.p[i] >> 4]);
			kh_buf_char(b, hex[line.p[i] & 15]);
		}
		col += literal ? 1 : 3;
	}
	kh_buf_text(b, "\r\n");
}

static void write_body(struct kh_slice body, struct kh_buf *b)
{
	while (body.n > 0 && b->err == KH_OK) {
		struct kh_slice line;
		if (!kh_slice_cut(&body, '\n', &line)) {
			line = body;
			body = (struct kh_slice){0};
		}
		if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
		qp_line(b, line);
	}
}

enum kh_err mime_build(const struct mime_mail *m, struct kh_buf *out, struct kh_diag *d)
{
	KH_TRY(mail_check(m, d));
	write_headers(m, out);
	kh_buf_text(out, "\r\n");
	write_body(m->body, out);
	if (out->err == KH_ELIMIT) return kh_say(d, KH_ELIMIT, M_MIME_TOO_LARGE, KH_DEC(out->limit), NULL);
	return out->err == KH_OK ? KH_OK : kh_say(d, out->err, M_OUT_OF_MEMORY, NULL);
}
