/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fold.h"

#include <stdlib.h>
#include <utf8proc.h>

static enum kh_err mapped(struct kh_slice text, utf8proc_option_t options, utf8proc_uint8_t **out)
{
	utf8proc_ssize_t n = utf8proc_map(text.p, (utf8proc_ssize_t)text.n, out, options);
	if (n >= 0) return KH_OK;
	return n == UTF8PROC_ERROR_NOMEM ? KH_ENOMEM : KH_EFORMAT;
}

enum kh_err kh_nfc(struct kh_slice text, char **out)
{
	utf8proc_uint8_t *p = NULL;
	KH_TRY(mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE, &p));
	*out = (char *)p;
	return KH_OK;
}

enum kh_err kh_fold(struct kh_slice text, char **out)
{
	utf8proc_uint8_t *p = NULL;
	KH_TRY(mapped(
		text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK,
		&p));
	size_t to = 0; /* U+0111 is c4 91 in UTF-8; its capital was case-folded above */
	for (size_t from = 0; p[from] != '\0'; from++) {
		bool d = p[from] == 0xc4 && p[from + 1] == 0x91;
		p[to++] = d ? 'd' : p[from];
		if (d) from++;
	}
	p[to] = '\0';
	*out = (char *)p;
	return KH_OK;
}
