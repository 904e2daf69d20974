/* SPDX-License-Identifier: Apache-2.0
 * input.h - what the sensors' inputs took in and threw away, and how far each followed file was read. */
#ifndef KH_DESK_INPUT_H
#define KH_DESK_INPUT_H
#include "desk/desk.h"

enum { INPUT_MAX_FILES = 4096 };

/* One element of a batch's "inputs": its numbers are what was added since the last batch. Within the caller's
 * transaction. */
KH_MUST_USE enum kh_err input_apply(struct desk *d, const json_t *element, int64_t now_ns,
									struct kh_diag *diag);
/* After the batch was stored: keeps a running rate, in memory only. */
void input_count(struct desk *d, const json_t *inputs, int64_t now_ns);
/* [{"name", "kind", "events", "lines", "bytes", "last_event", "last_batch", "rate", "rejected": {reason:
 * {"count", "sample", "sample"}}}] */
KH_MUST_USE enum kh_err input_list(struct desk *d, int64_t now_ns, json_t **out, struct kh_diag *diag);
#endif
