/* SPDX-License-Identifier: Apache-2.0
 * Addresses and prefixes, hostile; what is read has a text that reads back as the same. */
#include <string.h>

#include "base/address.h"
#include "fuzz.h"

static void address(struct kh_slice text)
{
	struct kh_address a, again;
	char out[KH_ADDRESS_TEXT];
	if (kh_address_parse(text, &a) != KH_OK) return;
	FUZZ_HOLDS(kh_address_parse(kh_str(kh_address_text(out, &a)), &again) == KH_OK);
	FUZZ_HOLDS(memcmp(&a, &again, sizeof a) == 0);
}

static void prefix(struct kh_slice text)
{
	struct kh_prefix p, strict, again;
	char out[KH_ADDRESS_TEXT];
	bool loose = kh_prefix_parse(text, true, &p) == KH_OK;
	if (kh_prefix_parse(text, false, &strict) == KH_OK)
		FUZZ_HOLDS(loose && strict.len == p.len && memcmp(&strict.base, &p.base, sizeof p.base) == 0);
	if (!loose) return;
	FUZZ_HOLDS(p.len <= 128 && kh_prefix_holds(&p, &p.base));
	FUZZ_HOLDS(kh_prefix_parse(kh_str(kh_prefix_text(out, &p)), false, &again) == KH_OK);
	FUZZ_HOLDS(again.len == p.len && memcmp(&again.base, &p.base, sizeof p.base) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	address((struct kh_slice){data, size});
	prefix((struct kh_slice){data, size});
	return 0;
}
