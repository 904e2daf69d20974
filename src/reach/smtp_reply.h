/* SPDX-License-Identifier: Apache-2.0
 * smtp_reply.h - replies of a mail relay, taken byte by byte (RFC 5321, 4.2).
 * Input: hostile bytes in pieces of any size. Output: the code and the words on one line, UTF-8 or '?', cut
 * at SMTP_REPLY_TEXT. Errors: KH_EFORMAT for what is no reply, KH_ELIMIT past 1,000 bytes a line or 100
 * lines. Cost: O(bytes), no allocation. */
#ifndef KH_REACH_SMTP_REPLY_H
#define KH_REACH_SMTP_REPLY_H
#include "base/slice.h"

enum { SMTP_REPLY_LINE = 1000, SMTP_REPLY_LINES = 100, SMTP_REPLY_TEXT = 256 };

struct smtp_reply {
	unsigned code;              /* of the last whole line */
	char text[SMTP_REPLY_TEXT]; /* NUL-terminated */
	size_t text_len, line_len;
	unsigned n_lines;
	bool complete;
	char line[SMTP_REPLY_LINE];
};

void smtp_reply_clear(struct smtp_reply *r);
/* Takes bytes off the front of *in. KH_OK: a whole reply is in r, the rest of *in belongs to the next one
 * (clear first). KH_ESHORT: all taken, more is needed. */
KH_MUST_USE enum kh_err smtp_reply_feed(struct smtp_reply *r, struct kh_slice *in);
#endif
