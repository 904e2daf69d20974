/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/lines/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/message.h"

enum { READ_BYTES = 128 * 1024 };
enum kind { UNKNOWN, PLAIN, ZSTD };

struct lines {
	int fd;
	bool owns_fd, follow, eof;
	enum kind kind;
	char *name;
	size_t max_line;
	/* Decoded text: [start, end) is unread, [start, scanned) is known to hold no LF. */
	uint8_t *text;
	size_t cap, start, scanned, end;
	bool skipping; /* inside a line that is too long */
	struct lines_counts counts;
	/* Compressed input. */
	ZSTD_DStream *stream;
	uint8_t *packed;
	ZSTD_inBuffer in;
	bool frame_open, more_output;
	/* The first error, said again at every later call. */
	enum kh_err err;
	struct kh_diag diag;
};

enum kh_err lines_from(int fd, const char *name, const struct lines_options *options, struct lines **out,
					   struct kh_diag *diag)
{
	struct lines *l = calloc(1, sizeof *l);
	if (l == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	l->fd = fd;
	l->max_line = options != NULL && options->max_line > 0 ? options->max_line : LINES_MAX_LINE;
	l->follow = options != NULL && options->follow;
	l->counts.end = options != NULL ? options->offset : 0;
	if (l->counts.end > 0) l->kind = PLAIN; /* the magic number is long past */
	l->name = strdup(name);
	/* Room for the longest line, its CR and LF, and one read behind it. */
	if (!__builtin_add_overflow(l->max_line, READ_BYTES + 2, &l->cap)) l->text = malloc(l->cap);
	if (l->name == NULL || l->text == NULL) {
		lines_free(l);
		return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	}
	*out = l;
	return KH_OK;
}

enum kh_err lines_open(const char *path, const struct lines_options *options, struct lines **out,
					   struct kh_diag *diag)
{
	if (strcmp(path, "-") == 0) return lines_from(STDIN_FILENO, "stdin", options, out, diag);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) return kh_say_errno(diag, M_FILE_OPEN, path, NULL);
	enum kh_err err = lines_from(fd, path, options, out, diag);
	if (err == KH_OK)
		(*out)->owns_fd = true;
	else
		close(fd);
	return err;
}

void lines_free(struct lines *l)
{
	if (l == NULL) return;
	if (l->owns_fd) close(l->fd);
	ZSTD_freeDStream(l->stream);
	free(l->packed);
	free(l->text);
	free(l->name);
	free(l);
}

struct lines_counts lines_counts(const struct lines *l)
{
	return l->counts;
}

/* One read; n is 0 at the end or when nothing is there now. */
static enum kh_err read_some(struct lines *l, uint8_t *to, size_t cap, size_t *n)
{
	ssize_t got;
	do got = read(l->fd, to, cap);
	while (got < 0 && errno == EINTR);
	*n = got > 0 ? (size_t)got : 0;
	if (got >= 0 || errno == EAGAIN) {
		l->eof = *n == 0;
		return KH_OK;
	}
	return kh_say_errno(&l->diag, M_FILE_READ, l->name, NULL);
}

static bool is_zstd(struct kh_slice s)
{
	/* RFC 8878, 3.1: a frame, or a skippable frame (0x184D2A5?). */
	if (kh_slice_starts(s, KH_LIT("\x28\xb5\x2f\xfd"))) return true;
	return s.n >= 4 && (s.p[0] & 0xf0) == 0x50 && memcmp(s.p + 1, "\x2a\x4d\x18", 3) == 0;
}

static enum kh_err start_zstd(struct lines *l)
{
	l->stream = ZSTD_createDStream();
	l->packed = malloc(READ_BYTES);
	if (l->stream == NULL || l->packed == NULL) return kh_say(&l->diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	if (ZSTD_isError(ZSTD_DCtx_setParameter(l->stream, ZSTD_d_windowLogMax, LINES_WINDOW_LOG)))
		return kh_say(&l->diag, KH_EFORMAT, M_LINES_ZSTD, l->name, "window", NULL);
	memcpy(l->packed, l->text, l->end); /* l->end is at most one read here */
	l->in = (ZSTD_inBuffer){l->packed, l->end, 0};
	l->end = 0;
	l->kind = ZSTD;
	return KH_OK;
}

/* The first bytes decide; a pipe may bring fewer than a magic number at once. */
static enum kh_err detect(struct lines *l)
{
	while (l->end < 4) {
		size_t n;
		KH_TRY(read_some(l, l->text + l->end, READ_BYTES - l->end, &n));
		if (n == 0) break;
		l->end += n;
	}
	struct kh_slice head = {l->text, l->end};
	if (is_zstd(head)) return start_zstd(l);
	if (kh_slice_starts(head, KH_LIT("\x1f\x8b\x08"))) {
		l->end = 0; /* nothing of it is text */
		return kh_say(&l->diag, KH_EFORMAT, M_LINES_GZIP, l->name, NULL);
	}
	if (head.n >= 4 || (l->eof && !l->follow)) l->kind = PLAIN;
	return KH_OK;
}

static enum kh_err zstd_error(struct lines *l, size_t code)
{
	enum kh_err err =
		ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge ? KH_ELIMIT : KH_EFORMAT;
	return kh_say(&l->diag, err, M_LINES_ZSTD, l->name, ZSTD_getErrorName(code), NULL);
}

static enum kh_err unpack(struct lines *l)
{
	if (l->in.pos == l->in.size && !l->more_output) {
		size_t n;
		KH_TRY(read_some(l, l->packed, READ_BYTES, &n));
		if (n == 0 && l->frame_open && !l->follow)
			return kh_say(&l->diag, KH_ESHORT, M_LINES_ZSTD_CUT, l->name, NULL);
		l->in = (ZSTD_inBuffer){l->packed, n, 0};
		if (n == 0) return KH_OK;
	}
	ZSTD_outBuffer to = {l->text + l->end, l->cap - l->end, 0};
	size_t left = ZSTD_decompressStream(l->stream, &to, &l->in);
	if (ZSTD_isError(left)) return zstd_error(l, left);
	l->frame_open = left != 0;
	l->more_output = to.pos == to.size && left != 0;
	l->end += to.pos;
	return KH_OK;
}

/* More text behind `end`. Sets eof when there is none now. */
static enum kh_err fill(struct lines *l)
{
	l->eof = false;
	if (l->start > 0) {
		memmove(l->text, l->text + l->start, l->end - l->start);
		l->end -= l->start;
		l->scanned -= l->start;
		l->start = 0;
	}
	if (l->kind == UNKNOWN) return detect(l);
	if (l->kind == ZSTD) return unpack(l);
	size_t n, room = l->cap - l->end;
	KH_TRY(read_some(l, l->text + l->end, room < READ_BYTES ? room : READ_BYTES, &n));
	l->end += n;
	return KH_OK;
}

/* Takes [start, start + len) and `mark` more bytes (the LF) off the buffer as one line. */
static struct kh_slice take(struct lines *l, size_t len, size_t mark)
{
	struct kh_slice line = {l->text + l->start, len};
	l->start += len + mark;
	l->scanned = l->start;
	l->counts.end += len + mark;
	if (line.n > 0 && mark > 0 && line.p[line.n - 1] == '\r') line.n--;
	return line;
}

/* Drops what is known to hold no LF, so that a line without an end costs no memory. */
static void drop(struct lines *l)
{
	if (!l->skipping) {
		l->counts.n_too_long++;
		l->counts.n_lines++;
		l->counts.start = l->counts.end;
	}
	l->skipping = true;
	(void)take(l, l->end - l->start, 0);
}

/* True: a line was found and taken (or, when skipping, the rest of the long one was). */
static bool cut(struct lines *l, struct kh_slice *line)
{
	const uint8_t *lf = l->end > l->scanned ? memchr(l->text + l->scanned, '\n', l->end - l->scanned) : NULL;
	if (lf == NULL) {
		l->scanned = l->end;
		return false;
	}
	size_t len = (size_t)(lf - (l->text + l->start));
	if (len > l->max_line && !l->skipping) {
		l->counts.n_too_long++;
		l->counts.n_lines++;
		l->counts.start = l->counts.end;
		l->skipping = true;
	}
	uint64_t start = l->counts.end;
	*line = take(l, len, 1);
	if (l->skipping) return true;
	l->counts.start = start;
	l->counts.n_lines++;
	return true;
}

static bool tail(struct lines *l, struct kh_slice *line)
{
	size_t len = l->end - l->start;
	if (len == 0 || l->skipping || l->follow) return false;
	l->counts.start = l->counts.end;
	l->counts.n_lines++;
	*line = take(l, len, 0);
	return true;
}

enum kh_err lines_next(struct lines *l, struct kh_slice *line, struct kh_diag *diag)
{
	for (;;) {
		if (cut(l, line)) {
			if (!l->skipping) return KH_OK;
			l->skipping = false;
			continue;
		}
		if (l->skipping || l->end - l->start > l->max_line) drop(l);
		if (l->err == KH_OK) l->err = fill(l);
		if (l->err != KH_OK || l->eof) {
			if (l->end > l->scanned) continue; /* detect() may have read and then met the end */
			if (tail(l, line)) return KH_OK;
			break;
		}
	}
	*line = (struct kh_slice){0};
	if (l->err != KH_OK && diag != NULL) *diag = l->diag;
	return l->err;
}
