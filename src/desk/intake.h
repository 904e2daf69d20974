/* SPDX-License-Identifier: Apache-2.0
 * intake.h - see intake_apply in desk.h: a sensor's batch, once. */
#ifndef KH_DESK_INTAKE_H
#define KH_DESK_INTAKE_H
#include "base/time.h"
#include "desk/desk.h"

/* How long a batch is remembered. A sensor repeats a batch it holds in memory until it is answered: minutes.
 */
#define INTAKE_REMEMBER_NS (7 * KH_DAY)

/* Within the caller's transaction. */
KH_MUST_USE enum kh_err intake_prune(struct desk *d, int64_t now_ns, struct kh_diag *diag);
#endif
