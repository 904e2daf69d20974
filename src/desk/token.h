/* SPDX-License-Identifier: Apache-2.0
 * token.h - keys for programs and people who come in over HTTPS: "khien_pat_" and 256 random bits in hex.
 * The database holds the SHA-256 of a token, never the token: 256 random bits need no slow hash. It is shown
 * once, when it is made. */
#ifndef KH_DESK_TOKEN_H
#define KH_DESK_TOKEN_H
#include "desk/desk.h"

enum { TOKEN_START = 19, TOKEN_MAX_DAYS = 3660 };

struct token_found {
	char start[TOKEN_START]; /* what it is known by in lists and in the audit chain */
	unsigned scope;          /* API_READ, API_OPERATE, API_ADMIN */
};

/* Within the caller's transaction; audited. *out holds "token" this once. expires_ns 0: never. */
KH_MUST_USE enum kh_err token_create(struct desk *d, const char *name, const char *scope, int64_t expires_ns,
									 const struct desk_actor *actor, int64_t now_ns, json_t **out,
									 struct kh_diag *diag);
KH_MUST_USE enum kh_err token_revoke(struct desk *d, const char *id, const struct desk_actor *actor,
									 int64_t now_ns, bool *found, struct kh_diag *diag);
/* KH_ERANGE: no such token, or it expired or was revoked. Its own transaction: last use is noted once a
 * minute. */
KH_MUST_USE enum kh_err token_check(struct desk *d, struct kh_slice bearer, int64_t now_ns,
									struct token_found *out, struct kh_diag *diag);
#endif
