/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t v4_head[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum kh_err kh_address_parse(struct kh_slice text, struct kh_address *out)
{
	char copy[INET6_ADDRSTRLEN + 1];
	struct kh_address a = {0};
	if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, '\0', text.n) != NULL) return KH_EFORMAT;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (strchr(copy, ':') != NULL) {
		if (inet_pton(AF_INET6, copy, a.b) != 1) return KH_EFORMAT;
	} else {
		memcpy(a.b, v4_head, sizeof v4_head);
		if (inet_pton(AF_INET, copy, a.b + 12) != 1) return KH_EFORMAT;
	}
	*out = a;
	return KH_OK;
}

bool kh_address_is_v4(const struct kh_address *a)
{
	return memcmp(a->b, v4_head, sizeof v4_head) == 0;
}

/* Clears what lies past the first `len` bits; tells whether any bit there was set. */
static bool mask(struct kh_address *a, unsigned len)
{
	bool was_set = false;
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = len >= (i + 1) * 8 ? 8 : len > i * 8 ? len - i * 8 : 0;
		uint8_t bits = (uint8_t)(0xff00u >> keep);
		was_set = was_set || (a->b[i] & (uint8_t)~bits) != 0;
		a->b[i] &= bits;
	}
	return was_set;
}

enum kh_err kh_prefix_parse(struct kh_slice text, bool loose, struct kh_prefix *out)
{
	struct kh_slice address = text, len = text;
	struct kh_prefix p;
	bool has_len = kh_slice_cut(&len, '/', &address);
	KH_TRY(kh_address_parse(address, &p.base));
	unsigned shift = memchr(address.p, ':', address.n) != NULL ? 0 : 96;
	uint64_t n = 128 - shift;
	if (has_len) KH_TRY(kh_slice_u64(len, 128 - shift, &n));
	p.len = (uint8_t)(n + shift);
	if (mask(&p.base, p.len) && !loose) return KH_EFORMAT;
	*out = p;
	return KH_OK;
}

char *kh_address_text(char out[KH_ADDRESS_TEXT], const struct kh_address *a)
{
	bool v4 = kh_address_is_v4(a);
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + 12 : a->b, out, KH_ADDRESS_TEXT);
	return out;
}

char *kh_prefix_text(char out[KH_ADDRESS_TEXT], const struct kh_prefix *p)
{
	kh_address_text(out, &p->base);
	size_t n = strlen(out);
	bool v4 = kh_address_is_v4(&p->base) && p->len >= 96;
	snprintf(out + n, KH_ADDRESS_TEXT - n, "/%u", v4 ? p->len - 96u : p->len);
	return out;
}

bool kh_prefix_holds(const struct kh_prefix *p, const struct kh_address *a)
{
	struct kh_address cut = *a;
	mask(&cut, p->len);
	return memcmp(cut.b, p->base.b, sizeof cut.b) == 0;
}
