/* SPDX-License-Identifier: Apache-2.0 */
#include "reach/smtp_reply.h"

void smtp_reply_clear(struct smtp_reply *r)
{
	r->code = 0;
	r->text[0] = '\0';
	r->text_len = r->line_len = 0;
	r->n_lines = 0;
	r->complete = false;
}

static void keep_words(struct smtp_reply *r, struct kh_slice words)
{
	bool utf8 = kh_utf8_ok(words);
	if (r->text_len > 0 && words.n > 0 && r->text_len + 1 < sizeof r->text) r->text[r->text_len++] = ' ';
	for (size_t i = 0; i < words.n && r->text_len + 1 < sizeof r->text; i++) {
		uint8_t c = words.p[i];
		bool shows = c >= 0x20 && c != 0x7f && (c < 0x80 || utf8);
		r->text[r->text_len++] = shows ? (char)c : '?';
	}
	/* the cut may have gone through a character */
	while (r->text_len > 0 && !kh_utf8_ok((struct kh_slice){(const uint8_t *)r->text, r->text_len}))
		r->text_len--;
	r->text[r->text_len] = '\0';
}

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "250-words", "250 words" or "250"; codes run from 200 to 599 (RFC 5321, 4.2: first digit 2-5). */
static enum kh_err take_line(struct smtp_reply *r)
{
	struct kh_slice line = kh_slice_trim((struct kh_slice){(const uint8_t *)r->line, r->line_len});
	r->line_len = 0;
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !digit(line.p[1]) || !digit(line.p[2]))
		return KH_EFORMAT;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-') return KH_EFORMAT;
	unsigned code =
		(unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
	if (r->n_lines > 0 && code != r->code) return KH_EFORMAT;
	if (++r->n_lines > SMTP_REPLY_LINES) return KH_ELIMIT;
	r->code = code;
	keep_words(r, kh_slice_from(line, 4));
	r->complete = line.n == 3 || line.p[3] == ' ';
	return KH_OK;
}

enum kh_err smtp_reply_feed(struct smtp_reply *r, struct kh_slice *in)
{
	while (in->n > 0 && !r->complete) {
		uint8_t c = in->p[0];
		*in = kh_slice_from(*in, 1);
		if (c == '\n') {
			KH_TRY(take_line(r));
		} else {
			if (r->line_len == sizeof r->line) return KH_ELIMIT;
			r->line[r->line_len++] = (char)c;
		}
	}
	return r->complete ? KH_OK : KH_ESHORT;
}
