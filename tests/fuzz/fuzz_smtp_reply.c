/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "reach/smtp_reply.h"

/* Bytes in one piece and one by one must read alike. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smtp_reply whole, slow;
	struct kh_slice in = {data, size};
	size_t at = 0;
	for (enum kh_err err = KH_OK; err == KH_OK && in.n > 0;) {
		smtp_reply_clear(&whole);
		smtp_reply_clear(&slow);
		err = smtp_reply_feed(&whole, &in);
		enum kh_err other = KH_ESHORT;
		while (other == KH_ESHORT && at < size - in.n) {
			struct kh_slice one = {data + at++, 1};
			other = smtp_reply_feed(&slow, &one);
		}
		FUZZ_HOLDS(err == other && at == size - in.n);
		FUZZ_HOLDS(whole.code == slow.code && whole.text_len == slow.text_len);
		FUZZ_HOLDS(strcmp(whole.text, slow.text) == 0 && strlen(whole.text) == whole.text_len);
		FUZZ_HOLDS(kh_utf8_ok(kh_str(whole.text)));
		FUZZ_HOLDS(err != KH_OK || (whole.code >= 200 && whole.code < 600));
	}
	return 0;
}
