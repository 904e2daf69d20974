/* SPDX-License-Identifier: Apache-2.0
 * message.h - the words that people read, in Vietnamese and English.
 * The catalogues are src/catalogue/vi.def and en.def: rows KH_M(KEY, "text"), one file an area. A text holds
 * {0}..{9} where the arguments go, in any order. A key that one catalogue lacks fails
 * tests/unit/test_message.c. All arguments are NUL-terminated strings and the list ends with NULL; numbers go
 * through KH_DEC. Ownership: results of kh_msg are constants; kh_say writes into the diag. Threads: the
 * language is set once at start. */
#ifndef KH_BASE_MESSAGE_H
#define KH_BASE_MESSAGE_H
#include <stdio.h>

#include "base/slice.h"

enum kh_msg {
#define KH_M(key, text) M_##key,
#include "catalogue/en.def"
#undef KH_M
	M_COUNT
};

enum kh_lang { KH_VI, KH_EN, KH_N_LANGS };

void kh_lang_set(enum kh_lang lang); /* process-wide; KH_VI until set */
enum kh_lang kh_lang(void);
/* From KHIEN_LANG, LC_ALL, LC_MESSAGES, LANG, the first that is set: "en..." is English, all else Vietnamese.
 */
enum kh_lang kh_lang_from_environment(void);

const char *kh_msg(enum kh_msg key); /* the raw text, placeholders and all */
const char *kh_msg_in(enum kh_lang lang, enum kh_msg key);
const char *kh_msg_key(enum kh_msg key); /* the key's own name, for tests and documents */

/* Formats like snprintf: always terminated, cut at the last whole character that fits. */
void kh_msg_write(char *out, size_t cap, enum kh_lang lang, enum kh_msg key, ...) __attribute__((sentinel));
/* Fills a diag (NULL is allowed) and hands back `err`, so that `return kh_say(...)` reads as what happened.
 */
enum kh_err kh_say(struct kh_diag *d, enum kh_err err, enum kh_msg key, ...) __attribute__((sentinel));
/* The same, with errno and its text as the last argument. */
enum kh_err kh_say_errno(struct kh_diag *d, enum kh_msg key, ...) __attribute__((sentinel));
/* One line to a stream, followed by a newline. */
void kh_print(FILE *to, enum kh_msg key, ...) __attribute__((sentinel));

char *kh_dec(char buf[24], int64_t v);
#define KH_DEC(v) kh_dec((char[24]){0}, (int64_t)(v)) /* lives until the end of the block */
#endif
