/* SPDX-License-Identifier: Apache-2.0
 * fold.h - text for people: NFC at the border, and the key by which Vietnamese text is compared and searched.
 * The folded key drops case and marks: "Đường Số 5" and "duong so 5" are equal. đ has no decomposition in
 * Unicode and is folded by a row of our own. Invalid UTF-8 is KH_EFORMAT. Results are NUL-terminated, to be
 * freed by the caller. */
#ifndef KH_BASE_FOLD_H
#define KH_BASE_FOLD_H
#include "base/slice.h"

KH_MUST_USE enum kh_err kh_fold(struct kh_slice text, char **out);
KH_MUST_USE enum kh_err kh_nfc(struct kh_slice text, char **out);
#endif
