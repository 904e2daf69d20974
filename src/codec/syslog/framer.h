/* SPDX-License-Identifier: Apache-2.0
 * syslog/framer.h - messages out of a TCP or TLS stream of syslog (RFC 6587, RFC 5425).
 * Each message chooses its framing by its first bytes: "LEN <" is octet counting, all else ends at LF (a CR
 * before it is taken off). Empty messages are passed over. Input: hostile bytes in pieces of any size; the
 * cuts do not change the result. A message past `max_message` is skipped up to its end, as its own framing
 * tells, and counted. A count past FRAMER_MAX_COUNT is nonsense: it is skipped up to the next LF. At the end
 * of the stream an unfinished line is a message, an unfinished counted one is not. Ownership: a message
 * points into the fed bytes or the framer and dies when the sink returns. Errors: KH_ENOMEM, or what the sink
 * returned (the message that made it fail is not given again). Cost: O(bytes); memory max_message; no
 * allocation after syslog_framer_new. Threads: one owner. */
#ifndef KH_CODEC_SYSLOG_FRAMER_H
#define KH_CODEC_SYSLOG_FRAMER_H
#include "base/slice.h"

enum { FRAMER_MAX_COUNT = 16 * 1024 * 1024 };

struct syslog_framer_counts {
	uint64_t n_messages;
	uint64_t n_too_long;  /* skipped: past max_message */
	uint64_t n_bad_count; /* skipped: a count that no sender means */
	uint64_t n_cut;       /* the stream ended inside a counted message */
};

typedef enum kh_err syslog_sink(void *context, struct kh_slice message);

struct syslog_framer;
struct syslog_framer *syslog_framer_new(size_t max_message); /* NULL when out of memory */
void syslog_framer_free(struct syslog_framer *f);            /* NULL is allowed */
KH_MUST_USE enum kh_err syslog_framer_feed(struct syslog_framer *f, struct kh_slice bytes, syslog_sink *sink,
										   void *context);
KH_MUST_USE enum kh_err syslog_framer_end(struct syslog_framer *f, syslog_sink *sink, void *context);
struct syslog_framer_counts syslog_framer_counts(const struct syslog_framer *f);
#endif
