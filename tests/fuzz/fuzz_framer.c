/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/syslog/framer.h"
#include "fuzz.h"

enum { MAX = 48 };

static enum kh_err sum(void *context, struct kh_slice message)
{
	uint64_t *hash = context;
	FUZZ_HOLDS(message.n > 0 && message.n <= MAX);
	for (size_t i = 0; i < message.n; i++) *hash = *hash * 1099511628211u + message.p[i];
	*hash = *hash * 1099511628211u + 256;
	return KH_OK;
}

static struct syslog_framer_counts run(struct kh_slice s, size_t piece, uint64_t *hash)
{
	struct syslog_framer *f = syslog_framer_new(MAX);
	FUZZ_HOLDS(f != NULL);
	*hash = 0;
	while (s.n > 0) {
		struct kh_slice part = kh_slice_to(s, piece);
		FUZZ_HOLDS(syslog_framer_feed(f, part, sum, hash) == KH_OK);
		s = kh_slice_from(s, part.n);
	}
	FUZZ_HOLDS(syslog_framer_end(f, sum, hash) == KH_OK);
	struct syslog_framer_counts counts = syslog_framer_counts(f);
	syslog_framer_free(f);
	return counts;
}

/* The cuts of the stream do not change what comes out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole, cut;
	if (size == 0) return 0;
	struct kh_slice s = {data + 1, size - 1};
	struct syslog_framer_counts a = run(s, SIZE_MAX, &whole), b = run(s, 1 + data[0] % 32u, &cut);
	FUZZ_HOLDS(whole == cut && memcmp(&a, &b, sizeof a) == 0);
	return 0;
}
