/* SPDX-License-Identifier: Apache-2.0
 * lines.h - lines out of a file descriptor, plain or compressed with zstd (RFC 8878; told by its magic
 * number).
 *
 * Input: hostile bytes. A line ends at LF; one CR before it is taken off; every other byte, NUL included, is
 * data. The last line needs no LF unless `follow` is set. A line longer than `max_line` is skipped whole,
 * counted in n_too_long and in the line numbers, and the stream goes on after it. Several zstd frames may
 * follow each other.
 *
 * Units: offsets are bytes of the decoded text. Ownership: a line points into the reader and dies at the next
 * call. Errors: KH_ESYS (open, read), KH_EFORMAT (broken zstd, gzip), KH_ELIMIT (a zstd window past 128 MiB),
 * KH_ESHORT (the zstd data ends early); every whole line before the broken place is delivered first. After an
 * error only the same error follows. Cost: one pass, no allocation after the start; memory is max_line and
 * some 400 kB, and the window for zstd. Threads: one owner. */
#ifndef KH_CODEC_LINES_LINES_H
#define KH_CODEC_LINES_LINES_H
#include "base/slice.h"

enum { LINES_MAX_LINE = 1 << 20, LINES_WINDOW_LOG = 27 };

struct lines_options {
	size_t max_line; /* 0: LINES_MAX_LINE */
	uint64_t offset; /* where the descriptor already stands (plain files only): the base of the offsets */
	bool follow;     /* the end may move: an unfinished last line is kept back until its LF arrives */
};

struct lines_counts {
	uint64_t n_lines;    /* delivered or skipped: the number of the last line, from 1 */
	uint64_t n_too_long; /* skipped */
	uint64_t start, end; /* of the last line; `end` is after its LF: the place to go on from */
};

struct lines;
/* "-" is standard input. Closes what it opened. */
KH_MUST_USE enum kh_err lines_open(const char *path, const struct lines_options *options, struct lines **out,
								   struct kh_diag *diag);
/* Borrows fd; `name` is for messages only. options may be NULL. */
KH_MUST_USE enum kh_err lines_from(int fd, const char *name, const struct lines_options *options,
								   struct lines **out, struct kh_diag *diag);
/* The next line; line->p is NULL at the end (an empty line has a pointer and n 0). With `follow`, and with a
 * descriptor that does not block, the end means "nothing more now" and the next call tries again. */
KH_MUST_USE enum kh_err lines_next(struct lines *l, struct kh_slice *line, struct kh_diag *diag);
struct lines_counts lines_counts(const struct lines *l);
void lines_free(struct lines *l); /* NULL is allowed */
#endif
