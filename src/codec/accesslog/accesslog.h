/* SPDX-License-Identifier: Apache-2.0
 * accesslog.h - access logs of Apache (common, combined, vhost_combined) and nginx (combined).
 *   [vhost[:port] ]client ident user [dd/Mon/yyyy:hh:mm:ss zone] "request" status bytes[ "referer" "user
 * agent"] Input: one line, hostile: the request is whatever the attacker sent. A quote ends a field only
 * where what follows fits, so that an unescaped one inside does not cut the field. \xHH, \", \\, \n, \r, \t
 * are decoded; where the result would not be UTF-8 the text stays as written. Percent escapes are NOT
 * decoded: rules list encoded forms. docs/log-formats.md names the fields; "-" gives none. Ownership: slices
 * point into `line` or `scratch`. Errors: KH_EFORMAT when it is no access log, KH_ELIMIT when scratch or
 * event is full. Cost: O(bytes), no allocation. Threads: pure. */
#ifndef KH_CODEC_ACCESSLOG_ACCESSLOG_H
#define KH_CODEC_ACCESSLOG_ACCESSLOG_H
#include "codec/event/event.h"
#include "codec/event/scratch.h"

KH_MUST_USE enum kh_err accesslog_parse(struct kh_slice line, struct scratch *scratch, struct event *out);
#endif
