/* SPDX-License-Identifier: Apache-2.0
 * mime.h - one plain-text mail as the bytes that go over SMTP (RFC 5322, RFC 2045, RFC 2047).
 * Input: values from people and records, hostile: a value that would open a header of its own is refused,
 * never cleaned. Output: pure ASCII, CRLF, header lines folded at 76 where a blank allows it, none over 998
 * (RFC 5322, 2.1.1); body in quoted-printable, so that no line starts with a dot or "From ". Auto-Submitted:
 * auto-generated (RFC 3834) is always set. Ownership: slices are borrowed for the call. Errors: KH_EFORMAT
 * (the diag names the part), KH_ELIMIT past `limit`. Cost: O(bytes), the memory of the result. Threads: pure.
 */
#ifndef KH_REACH_MIME_H
#define KH_REACH_MIME_H
#include "base/buf.h"

enum { MIME_MAX_TO = 100, MIME_MAX_HEADERS = 32, MIME_MAX_VALUE = 2000, MIME_MAX_MAILBOX = 254 };

struct mime_address {
	struct kh_slice name; /* UTF-8, may be empty */
	struct kh_slice mailbox;
};

struct mime_header {
	struct kh_slice name, value;
};

struct mime_mail {
	struct kh_slice message_id; /* "uuid@domain", without <> */
	int64_t date_ns;
	struct mime_address from;
	const struct mime_address *to;
	size_t n_to;
	struct kh_slice subject, body;     /* UTF-8; body lines end in LF or CRLF */
	const struct mime_header *headers; /* further headers; those that this module writes itself are refused */
	size_t n_headers;
};

/* An address this desk can write to: dot-atom@domain in ASCII (RFC 5321, 4.1.2, without quoted strings,
 * address literals and SMTPUTF8), local part up to 64, all up to 254 bytes. */
KH_MUST_USE enum kh_err mime_mailbox_check(struct kh_slice mailbox, struct kh_diag *d);
/* Appends the message to `out`, whose limit is the size limit; on error what `out` holds is of no use. */
KH_MUST_USE enum kh_err mime_build(const struct mime_mail *m, struct kh_buf *out, struct kh_diag *d);
#endif
