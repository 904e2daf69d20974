/* SPDX-License-Identifier: Apache-2.0
 * stamp.h - times as log formats write them, beside RFC 3339 (base/time.h):
 *   "Nov 24 05:34:08", "Nov  4 2026 05:34:08.123"   RFC 3164, 4.1.2, and what senders made of it; no zone,
 * maybe no year "24/Nov/2026:05:34:08 +0700"                    Apache's and nginx's access logs A time
 * without a year is the latest one that is not more than a day after `now_ns`; a time without a zone is at
 * `offset_s` from UTC. Errors: KH_EFORMAT. Pure. */
#ifndef KH_CODEC_EVENT_STAMP_H
#define KH_CODEC_EVENT_STAMP_H
#include "base/slice.h"

KH_MUST_USE enum kh_err stamp_parse(struct kh_slice text, int64_t now_ns, int32_t offset_s, int64_t *out);
KH_MUST_USE enum kh_err stamp_offset(struct kh_slice text, int32_t *offset_s); /* "+07:00", "-0330", "Z" */
#endif
