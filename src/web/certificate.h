/* SPDX-License-Identifier: Apache-2.0
 * certificate.h - the web role's certificate: one made on the first start, or the operator's own (RFC 5280,
 * X.509 v3). Made here: P-256, signed by itself with SHA-256, subject alternative names only (RFC 9525), 397
 * days (browsers refuse more than 825), a random serial of 127 bits. Nothing here reads or writes files: PEM
 * in memory both ways. Ownership: kh_buf of the caller; struct certificate_facts holds no pointers. The key's
 * bytes are wiped from what this module frees; the caller wipes its own copy. Errors: KH_EFORMAT with the
 * reason. Threads: pure. */
#ifndef KH_WEB_CERTIFICATE_H
#define KH_WEB_CERTIFICATE_H
#include "base/buf.h"

enum { CERTIFICATE_DAYS = 397, CERTIFICATE_MAX_NAMES = 32, CERTIFICATE_PEM_MAX = 64 * 1024 };

struct certificate_facts {
	int64_t not_before_ns, not_after_ns;
	char sha256[96];   /* "AB:CD:..." of the DER form, as browsers show it */
	char subject[256]; /* RFC 2253, for the start line */
};

/* `names` are host names (ASCII) and addresses as text; localhost, 127.0.0.1 and ::1 are always added. The
 * validity starts an hour before now_ns, for clocks that lag. Appends to both buffers. */
KH_MUST_USE enum kh_err certificate_make(const char *const *names, size_t n_names, int64_t now_ns,
										 struct kh_buf *cert_pem, struct kh_buf *key_pem, struct kh_diag *d);
/* Reads the first certificate of a chain and the key, and checks that they belong together. */
KH_MUST_USE enum kh_err certificate_check(struct kh_slice cert_pem, struct kh_slice key_pem,
										  struct certificate_facts *out, struct kh_diag *d);
#endif
