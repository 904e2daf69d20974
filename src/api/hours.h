/* SPDX-License-Identifier: Apache-2.0
 * hours.h - when a contact is on duty: "24x7", or spans such as "T2-T6 07:30-17:00" and "Mon-Fri
 * 07:30-17:00", several of them separated by commas. Days: T2..T7 and CN (Monday..Saturday, Sunday), or
 * Mon..Sun; a span may run over midnight and then belongs to the day it begins. Time zone: Asia/Ho_Chi_Minh.
 * Pure. */
#ifndef KH_API_HOURS_H
#define KH_API_HOURS_H
#include "base/slice.h"

bool hours_ok(struct kh_slice text);                    /* the empty text is well formed: not known */
bool hours_hold(struct kh_slice text, int64_t time_ns); /* false for what is empty or malformed */
#endif
