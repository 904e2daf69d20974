/* SPDX-License-Identifier: Apache-2.0
 * auditd.h - one record of the Linux audit system, as auditd writes it, the kernel logs it or syslog carries
 * it. [node=NAME ]type=SYSCALL msg=audit(1700000000.123:4567): key=value ... [0x1d ENRICHED="value" ...]
 *   audit: type=1400 audit(1700000000.123:4567): key=value ...
 * Input: one line, hostile. Every key keeps its own name; added are type (a number becomes its name where
 * known), timestamp (seconds as written) and event_id. The fields of msg='...' come out flat. Texts that the
 * kernel writes in hexadecimal when they hold blanks or quotes are decoded, by field name as ausearch(8)
 * does: comm exe cwd name cmd proctitle data acct key ..., a0.. of EXECVE. A proctitle's NULs become blanks,
 * a key with 0x01 gives one field a key; bytes that are not UTF-8 become U+FFFD. Ownership: slices point into
 * `line`, `scratch` or constants. Errors: KH_EFORMAT when it is no audit record, KH_ELIMIT when scratch or
 * event is full. Cost: O(bytes), no allocation. Threads: pure. */
#ifndef KH_CODEC_AUDITD_AUDITD_H
#define KH_CODEC_AUDITD_AUDITD_H
#include "codec/event/event.h"
#include "codec/event/scratch.h"

KH_MUST_USE enum kh_err auditd_parse(struct kh_slice line, struct scratch *scratch, struct event *out);
/* A cheap look at the front. */
bool auditd_looks_like(struct kh_slice line);
#endif
