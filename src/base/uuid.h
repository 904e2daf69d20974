/* SPDX-License-Identifier: Apache-2.0
 * uuid.h - ids that travel: UUID version 7 (RFC 9562, 5.7), time-ordered, lower case, 36 characters. */
#ifndef KH_BASE_UUID_H
#define KH_BASE_UUID_H
#include "base/slice.h"

enum { KH_UUID_TEXT = 37 };

/* 48 bits of milliseconds, 74 random bits from the kernel. Blocks never once the kernel's pool is ready. */
char *kh_uuid7(char out[KH_UUID_TEXT], int64_t now_ns);
bool kh_uuid_ok(struct kh_slice text); /* any version; case is free */
void kh_random(void *out, size_t n);   /* from the kernel (getrandom); aborts if the kernel refuses */
char *kh_hex(char *out, const void *bytes, size_t n); /* out holds 2n + 1 */
#endif
