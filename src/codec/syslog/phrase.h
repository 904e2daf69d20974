/* SPDX-License-Identifier: Apache-2.0
 * syslog/phrase.h - fields out of the fixed phrases of sshd, PAM, sudo, su, cron and useradd.
 * Input: app name and message of one syslog message, hostile: a user name may be any text, so it reaches to
 * the LAST " from " of the phrase and cannot put in an address of its own. Only phrases read in one way are
 * read; src_ip is given only when it is an address (src_host when PAM or sshd name a host instead). Fields:
 * user, user_known, src_ip, src_host, src_port, auth_method, outcome, pam.*, sudo.*, su.*, cron.*, uid ...;
 * docs/log-formats.md lists them. Nothing is taken away from the message.
 * Ownership: slices point into the message or at constants. Errors: KH_ELIMIT when the event is full; no
 * phrase at all is KH_OK. Cost: O(phrases of that program * bytes), no allocation. Threads: pure. */
#ifndef KH_CODEC_SYSLOG_PHRASE_H
#define KH_CODEC_SYSLOG_PHRASE_H
#include "codec/event/event.h"

KH_MUST_USE enum kh_err phrase_fields(struct kh_slice app_name, struct kh_slice message, struct event *out);
#endif
