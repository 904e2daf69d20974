/* SPDX-License-Identifier: Apache-2.0
 * log.h - what the program says of itself: one line of key=value pairs on standard error, with journald's
 * level mark
 * ("<4>") when the journal listens (JOURNAL_STREAM, sd-daemon(3)), else with time and level for a person.
 * No secret and no payload belongs here. Threads: a line is one write(2). */
#ifndef KH_BASE_LOG_H
#define KH_BASE_LOG_H

enum kh_level { KH_LOG_ERROR = 3, KH_LOG_WARNING = 4, KH_LOG_NOTICE = 5, KH_LOG_INFO = 6, KH_LOG_DEBUG = 7 };

void kh_log_start(const char *role,
				  enum kh_level most); /* lines above `most` are not written; NOTICE until called */
void kh_log(enum kh_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
