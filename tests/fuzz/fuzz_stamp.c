/* SPDX-License-Identifier: Apache-2.0
 * A time as logs write it, hostile; what has no year is never more than a day ahead of the clock. */
#include <string.h>

#include "base/time.h"
#include "codec/event/stamp.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t clocks[] = {INT64_C(0), INT64_C(1795473243) * KH_SECOND,
									 INT64_C(4102444799) * KH_SECOND};
	static const int32_t offsets[] = {0, 7 * 3600, -12 * 3600};
	struct kh_slice text = {data, size};
	int32_t offset;
	for (size_t i = 0; i < 3; i++) {
		int64_t t = INT64_MIN;
		enum kh_err err = stamp_parse(text, clocks[i], offsets[i], &t);
		FUZZ_HOLDS(err == KH_OK || (err == KH_EFORMAT && t == INT64_MIN));
		bool no_year = size >= 15 && size < 20 && data[6] == ' ' && data[9] == ':';
		if (err == KH_OK && no_year) FUZZ_HOLDS(t <= clocks[i] + KH_DAY);
	}
	if (stamp_offset(text, &offset) == KH_OK) FUZZ_HOLDS(offset > -86400 && offset < 86400);
	return 0;
}
