/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <zstd.h>

#include "base/message.h"
#include "codec/lines/lines.h"

static struct kh_diag diag;

static int file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("lines", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* All lines, each in brackets; the counts and the last result are left for the caller. */
static struct lines_counts counts;
static enum kh_err last;

static const char *read_all(int fd, size_t max_line)
{
	static char out[4096];
	size_t n = 0;
	out[0] = '\0';
	struct lines *l;
	struct lines_options options = {.max_line = max_line};
	assert_int_equal(lines_from(fd, "test", &options, &l, &diag), KH_OK);
	struct kh_slice line;
	while ((last = lines_next(l, &line, &diag)) == KH_OK && line.p != NULL)
		n += (size_t)snprintf(out + n, sizeof out - n, "[%.*s]", (int)line.n, (const char *)line.p);
	counts = lines_counts(l);
	lines_free(l);
	close(fd);
	return out;
}

static void lines_end_at_lf_and_the_last_needs_none(void **st)
{
	(void)st;
	static const struct {
		const char *in, *out;
		uint64_t n;
	} rows[] = {
		{"", "", 0},
		{"\n", "[]", 1},
		{"a", "[a]", 1},
		{"a\nb\n", "[a][b]", 2},
		{"a\r\nb", "[a][b]", 2},
		{"a\r\r\n", "[a\r]", 1},
		{"a\r", "[a\r]", 1},
		{"\n\na\n", "[][][a]", 3},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_string_equal(read_all(file_of(rows[i].in, strlen(rows[i].in)), 0), rows[i].out);
		assert_int_equal(last, KH_OK);
		assert_int_equal(counts.n_lines, rows[i].n);
		assert_int_equal(counts.end, strlen(rows[i].in));
	}
}

static void long_lines_are_skipped_and_counted(void **st)
{
	(void)st;
	assert_string_equal(read_all(file_of("abcd\nabcde\nxy\n", 14), 4), "[abcd][xy]");
	assert_int_equal(counts.n_too_long, 1);
	assert_int_equal(counts.n_lines, 3);
	assert_int_equal(counts.start, 11);
	assert_int_equal(counts.end, 14);
	size_t n = 3 << 20;
	char *big = malloc(n);
	memset(big, 'x', n);
	memcpy(big, "first\n", 6);
	memcpy(big + n - 6, "\nlast\n", 6);
	assert_string_equal(read_all(file_of(big, n), 100), "[first][last]");
	assert_int_equal(counts.n_too_long, 1);
	assert_int_equal(counts.n_lines, 3);
	assert_int_equal(counts.end, n);
	assert_string_equal(read_all(file_of(big, n - 6), 100), "[first]");
	assert_int_equal(counts.n_too_long, 1);
	free(big);
}

static size_t pack(const void *in, size_t n, void *out, size_t cap)
{
	size_t len = ZSTD_compress(out, cap, in, n, 3);
	assert_false(ZSTD_isError(len));
	return len;
}

static void zstd_frames_are_read_one_after_the_other(void **st)
{
	(void)st;
	char packed[512];
	size_t n = pack("one\ntw", 6, packed, sizeof packed);
	n += pack("o\nthree", 7, packed + n, sizeof packed - n);
	assert_string_equal(read_all(file_of(packed, n), 0), "[one][two][three]");
	assert_int_equal(last, KH_OK);
}

static void broken_zstd_gives_the_lines_before_it_and_an_error(void **st)
{
	(void)st;
	char packed[512];
	size_t n = pack("one\ntwo\n", 8, packed, sizeof packed);
	for (size_t cut = 4; cut < n; cut++) {
		(void)read_all(file_of(packed, cut), 0);
		assert_int_equal(last, KH_ESHORT);
	}
	packed[n] = 'x';
	memset(packed + n, 'x', 8);
	assert_string_equal(read_all(file_of(packed, n + 8), 0), "[one][two]");
	assert_int_equal(last, KH_EFORMAT);
	assert_string_equal(read_all(file_of("\x1f\x8b\x08\x00zz", 6), 0), "");
	assert_int_equal(last, KH_EFORMAT);
	assert_string_equal(read_all(open("/", O_RDONLY), 0), "");
	assert_int_equal(last, KH_ESYS);
}

static void a_huge_window_is_refused(void **st)
{
	(void)st;
	/* RFC 8878, 3.1.1.1.2: window descriptor exponent 20 is 2^30 bytes. */
	static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00};
	assert_string_equal(read_all(file_of(frame, sizeof frame), 0), "");
	assert_int_equal(last, KH_ELIMIT);
}

static void a_followed_file_keeps_its_unfinished_line_back(void **st)
{
	(void)st;
	int fd = file_of("one\ntw", 6), writer = dup(fd);
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int reader = open(path, O_RDONLY | O_CLOEXEC);
	struct lines *l;
	struct lines_options options = {.follow = true, .offset = 0};
	struct kh_slice line;
	assert_int_equal(lines_from(reader, "test", &options, &l, &diag), KH_OK);
	assert_int_equal(lines_next(l, &line, &diag), KH_OK);
	assert_true(kh_slice_is(line, "one"));
	assert_int_equal(lines_counts(l).end, 4);
	assert_int_equal(lines_next(l, &line, &diag), KH_OK);
	assert_null(line.p);
	assert_int_equal(lines_counts(l).end, 4);
	assert_int_equal(lseek(writer, 0, SEEK_END), 6);
	assert_int_equal(write(writer, "o\nth", 4), 4);
	assert_int_equal(lines_next(l, &line, &diag), KH_OK);
	assert_true(kh_slice_is(line, "two"));
	assert_int_equal(lines_counts(l).end, 8);
	assert_int_equal(lines_next(l, &line, &diag), KH_OK);
	assert_null(line.p);
	lines_free(l);
	close(reader);
	close(writer);
	close(fd);
}

/* Cutting the same bytes into reads of any size, packed or not, gives the same lines: here through a pipe. */
static void the_size_of_reads_does_not_matter(void **st)
{
	(void)st;
	unsigned seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	for (int round = 0; round < 100; round++) {
		char text[300], packed[1024], plain[4096];
		size_t n = (size_t)rand_r(&seed) % sizeof text;
		for (size_t i = 0; i < n; i++) text[i] = "ab\n\rc"[rand_r(&seed) % 5];
		snprintf(plain, sizeof plain, "%s", read_all(file_of(text, n), 3));
		struct lines_counts want = counts;
		size_t len = pack(text, n, packed, sizeof packed);
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		if (fork() == 0) {
			for (size_t i = 0; i < len; i++)
				if (write(ends[1], packed + i, 1) != 1) _exit(1);
			_exit(0);
		}
		close(ends[1]);
		assert_string_equal(read_all(ends[0], 3), plain);
		assert_memory_equal(&counts, &want, sizeof want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_at_lf_and_the_last_needs_none),
		cmocka_unit_test(long_lines_are_skipped_and_counted),
		cmocka_unit_test(zstd_frames_are_read_one_after_the_other),
		cmocka_unit_test(broken_zstd_gives_the_lines_before_it_and_an_error),
		cmocka_unit_test(a_huge_window_is_refused),
		cmocka_unit_test(a_followed_file_keeps_its_unfinished_line_back),
		cmocka_unit_test(the_size_of_reads_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
