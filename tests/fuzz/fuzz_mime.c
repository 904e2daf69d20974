/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "fuzz.h"
#include "reach/mime.h"
#include "reach/smtp.h"

enum { PARTS = 8 };

/* Parts are divided by 0xff, which no UTF-8 holds. */
static void divide(struct kh_slice s, struct kh_slice part[PARTS])
{
	for (size_t i = 0; i < PARTS; i++) {
		if (i + 1 < PARTS && kh_slice_cut(&s, 0xff, &part[i])) continue;
		part[i] = s;
		s = (struct kh_slice){0};
	}
}

static void check(struct kh_slice m, size_t n_headers)
{
	size_t names = 0;
	bool head = true;
	while (m.n > 0) {
		struct kh_slice line;
		FUZZ_HOLDS(kh_slice_cut(&m, '\n', &line)); /* the last line ends too */
		FUZZ_HOLDS(line.n > 0 && line.p[line.n - 1] == '\r' && line.n <= 999);
		line.n--;
		for (size_t i = 0; i < line.n; i++)
			FUZZ_HOLDS(line.p[i] < 0x80 && (line.p[i] >= 0x20 || line.p[i] == '\t'));
		if (head) {
			if (line.n == 0)
				head = false;
			else
				names += line.p[0] != ' ';
			continue;
		}
		FUZZ_HOLDS(line.n <= 76 && (line.n == 0 || line.p[0] != '.'));
		FUZZ_HOLDS(line.n == 0 || (line.p[line.n - 1] != ' ' && line.p[line.n - 1] != '\t'));
	}
	FUZZ_HOLDS(!head && names == 9 + n_headers); /* no value opened a header of its own */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kh_slice p[PARTS];
	divide((struct kh_slice){data, size}, p);
	struct mime_address to[2] = {{p[1], p[2]}, {p[4], p[2]}};
	struct mime_header more = {p[5], p[6]};
	struct mime_mail m = {.message_id = p[0],
						  .date_ns = (int64_t)(size % 2000) * KH_DAY,
						  .from = {p[3], p[2]},
						  .to = to,
						  .n_to = 2,
						  .subject = p[4],
						  .body = p[7],
						  .headers = &more,
						  .n_headers = p[5].n > 0 ? 1 : 0};
	struct kh_buf out = KH_BUF(1 << 16);
	struct kh_diag d = {0};
	enum kh_err err = mime_build(&m, &out, &d);
	FUZZ_HOLDS(err == KH_OK || d.text[0] != '\0');
	if (err == KH_OK) check(kh_buf_slice(&out), m.n_headers);
	kh_buf_free(&out);
	return 0;
}
