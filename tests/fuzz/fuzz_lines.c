/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <unistd.h>

#include "codec/lines/lines.h"
#include "fuzz.h"

/* Every line is whole and every plain byte is accounted for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lines *l;
	struct kh_slice line;
	struct lines_options options = {.max_line = 64};
	uint64_t n = 0;
	int fd = memfd_create("lines", MFD_CLOEXEC);
	FUZZ_HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	FUZZ_HOLDS(lines_from(fd, "fuzz", &options, &l, NULL) == KH_OK);
	while (lines_next(l, &line, NULL) == KH_OK && line.p != NULL && n < 100000) {
		n++;
		FUZZ_HOLDS(line.n <= options.max_line && memchr(line.p, '\n', line.n) == NULL);
	}
	struct lines_counts counts = lines_counts(l);
	FUZZ_HOLDS(n + counts.n_too_long == counts.n_lines || n == 100000);
	lines_free(l);
	close(fd);
	return 0;
}
