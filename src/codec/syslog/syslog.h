/* SPDX-License-Identifier: Apache-2.0
 * syslog/syslog.h - one syslog message: RFC 5424, or RFC 3164 as it is met in the field.
 * RFC 3164 here takes: no PRI (files), a year after the day or after the time, fractions of a second, RFC
 * 3339 times (rsyslog's file format), a sequence number and a '*' or '.' before the time and a colon after it
 * (Cisco), no host, no tag ("last message repeated 3 times"). Without a PRI a time must be there, else it is
 * not syslog. Input: one message without its framing, hostile. Ownership: slices point into `line`;
 * syslog_fields decodes structured data into `scratch`. The time is kept as written: RFC 3164 has neither
 * year nor zone. Errors: KH_EFORMAT when there is no header at all; a header that breaks half way leaves the
 * rest as `message`. Cost: O(bytes), no allocation. Threads: pure. */
#ifndef KH_CODEC_SYSLOG_SYSLOG_H
#define KH_CODEC_SYSLOG_SYSLOG_H
#include "codec/event/event.h"
#include "codec/event/scratch.h"

struct syslog_message {
	bool has_pri, rfc5424;
	unsigned facility, severity; /* with has_pri: 0-23, 0-7 */
	/* Empty when absent or "-". */
	struct kh_slice timestamp, hostname, app_name, proc_id, msg_id, structured, message;
};

KH_MUST_USE enum kh_err syslog_parse(struct kh_slice line, struct syslog_message *out);
/* Adds facility, severity, timestamp, hostname, app_name, proc_id, msg_id, sd.<id>.<param>, message.
 * KH_ELIMIT when `scratch` or the event is full. */
KH_MUST_USE enum kh_err syslog_fields(const struct syslog_message *m, struct scratch *scratch,
									  struct event *out);
#endif
