/* SPDX-License-Identifier: Apache-2.0
 * khien.yaml, hostile; what is read is written back, and reads back as the same text. */
#include <string.h>

#include "fuzz.h"
#include "role/settings.h"

enum { WRITTEN = 8 << 20 };

static void read_back(const struct settings *s)
{
	struct kh_buf first = KH_BUF(WRITTEN), second = KH_BUF(WRITTEN);
	struct settings *again = NULL;
	struct kh_diag why = {0};
	config_write(settings_rows, s, false, &first);
	if (first.err == KH_OK) {
		FUZZ_HOLDS(settings_read(kh_buf_slice(&first), "again", &again, &why) == KH_OK);
		config_write(settings_rows, again, false, &second);
		FUZZ_HOLDS(kh_slice_eq(kh_buf_slice(&first), kh_buf_slice(&second)));
	}
	settings_free(again);
	kh_buf_free(&first);
	kh_buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings *s = NULL;
	struct kh_diag why = {0};
	if (settings_read((struct kh_slice){data, size}, "fuzz.yaml", &s, &why) == KH_OK)
		read_back(s);
	else
		FUZZ_HOLDS(strncmp(why.text, "fuzz.yaml:", 10) == 0);
	settings_free(s);
	return 0;
}
