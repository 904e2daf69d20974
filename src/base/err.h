/* SPDX-License-Identifier: Apache-2.0
 * err.h - the one result type of khien.
 * A function that can fail returns enum kh_err; 0 is success; results go through
 * out-pointers, which are written only on success. The text for the operator is put
 * in a struct kh_diag by the function that knows most (the innermost one). */
#ifndef KH_BASE_ERR_H
#define KH_BASE_ERR_H

enum kh_err {
	KH_OK = 0,
	KH_ESHORT = -1,  /* input ends early: more bytes may make it valid */
	KH_EFORMAT = -2, /* input can never become valid */
	KH_ERANGE = -3,  /* a value outside the range this program accepts */
	KH_ELIMIT = -4,  /* one of our own limits reached (count, depth, bytes) */
	KH_ENOMEM = -5,
	KH_ESYS = -6, /* see errno, saved in kh_diag.sys */
};

struct kh_diag {
	int sys;        /* errno at the failure, or 0 */
	char text[400]; /* one line in the reader's language, UTF-8, no newline, NUL-terminated */
};

#define KH_TRY(expr)                                                                                         \
	do {                                                                                                     \
		enum kh_err kh_try_ = (expr);                                                                        \
		if (kh_try_ != KH_OK) return kh_try_;                                                                \
	} while (0)

#define KH_MUST_USE __attribute__((warn_unused_result))
#endif
