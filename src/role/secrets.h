/* SPDX-License-Identifier: Apache-2.0
 * secrets.h - the secrets that the supervisor reads for the roles: the web role's certificate and key (made
 * on first start in <state>/tls when the settings name none), the courier's mail password. Texts are owned by
 * the struct and are overwritten when freed. */
#ifndef KH_ROLE_SECRETS_H
#define KH_ROLE_SECRETS_H
#include "role/settings.h"

struct secrets {
	char *certificate, *key; /* PEM, NULL without TLS */
	char *mail_password;     /* NULL: none */
};

KH_MUST_USE enum kh_err secrets_load(const struct settings *s, struct secrets *out, struct kh_diag *diag);
void secrets_free(struct secrets *t);
#endif
