/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "base/uuid.h"
#include "role/sensor/sensor.h"

enum { MAX_TAILS = 2048, HEAD_LEN = 256, HASH_LEN = 16, PIECE = 256 * 1024, A_TURN = 1 << 20 };
#define REST_AFTER_ROTATION (10 * KH_SECOND) /* writers may hold a rotated file open for a while */

/* One open file. The position is where the first line begins that was not yet handed on. */
struct tail {
	struct tail *next;
	struct sensor_input *input;
	char *path;
	dev_t dev;
	ino_t ino;
	int fd;
	uint64_t offset, lines, told_offset;
	size_t head_len;
	char head_hash[2 * HASH_LEN + 1];
	bool replaced, skipping, told; /* skipping: inside a line that is too long */
	int64_t grew_ns;
};

struct tail_set {
	struct sensor *sensor;
	struct tail *first;
	size_t n;
	json_t *saved; /* positions of the last run, by input */
	char *piece;
};

struct tail_set *tail_set_new(struct sensor *s)
{
	struct tail_set *t = calloc(1, sizeof *t);
	if (t == NULL || (t->piece = malloc(PIECE)) == NULL) abort();
	t->sensor = s;
	return t;
}

static void tail_free(struct tail *f)
{
	close(f->fd);
	free(f->path);
	free(f);
}

/* The first bytes tell a file from another one that got its inode later. */
static bool head_of(int fd, size_t len, char hash[2 * HASH_LEN + 1])
{
	uint8_t head[HEAD_LEN], digest[HASH_LEN];
	if (len > HEAD_LEN || pread(fd, head, len, 0) != (ssize_t)len) return false;
	crypto_generichash(digest, sizeof digest, head, len, NULL, 0);
	kh_hex(hash, digest, sizeof digest);
	return true;
}

static void note_head(struct tail *f)
{
	if (f->head_len == HEAD_LEN) return;
	size_t len = f->offset < HEAD_LEN ? (size_t)f->offset : HEAD_LEN;
	if (len > f->head_len && head_of(f->fd, len, f->head_hash)) f->head_len = len;
}

static const json_t *saved_position(const struct tail_set *t, const char *input, dev_t dev, ino_t ino)
{
	const json_t *files = json_object_get(t->saved, input);
	size_t i;
	json_t *p;
	json_array_foreach((json_t *)(uintptr_t)files, i, p) if ((dev_t)json_int(p, "dev", -1) == dev &&
															 (ino_t)json_int(p, "ino", -1) == ino) return p;
	return NULL;
}

static void take_saved(struct tail_set *t, struct tail *f)
{
	const json_t *p = saved_position(t, f->input->name, f->dev, f->ino);
	char hash[2 * HASH_LEN + 1];
	if (p == NULL) return;
	size_t head_len = (size_t)json_int(p, "head_len", 0);
	if (!head_of(f->fd, head_len, hash) || strcmp(hash, json_text(p, "head_hash", "")) != 0) {
		kh_log(KH_LOG_NOTICE, "event=file_replaced input=%s path=%s", f->input->name, f->path);
		return;
	}
	f->offset = f->told_offset = (uint64_t)json_int(p, "offset", 0);
	f->lines = (uint64_t)json_int(p, "lines", 0);
	f->head_len = head_len;
	memcpy(f->head_hash, hash, sizeof hash);
	f->told = true;
}

/* Asks for files that were rotated away while nobody looked. */
static void want_rotated(struct tail_set *t, const char *input, const json_t *files)
{
	size_t i;
	json_t *p;
	json_array_foreach((json_t *)(uintptr_t)files, i, p)
		channel_send(t->sensor->p->control, FRAME_FILE_WANTED,
					 json_pack("{s:s, s:I, s:I}", "input", input, "dev", json_int(p, "dev", 0), "ino",
							   json_int(p, "ino", 0)),
					 -1);
}

void tail_resume(struct tail_set *t, const json_t *positions)
{
	const char *input;
	json_t *files;
	t->saved = json_incref((json_t *)(uintptr_t)positions);
	for (struct tail *f = t->first; f != NULL; f = f->next) take_saved(t, f);
	json_object_foreach((json_t *)(uintptr_t)positions, input, files) want_rotated(t, input, files);
}

static struct tail *find(struct tail_set *t, const struct sensor_input *in, dev_t dev, ino_t ino)
{
	struct tail *f = t->first;
	while (f != NULL && !(f->input == in && f->dev == dev && f->ino == ino)) f = f->next;
	return f;
}

void tail_file(struct tail_set *t, const json_t *payload, int fd)
{
	const char *path = json_text(payload, "path", "");
	struct sensor_input *in = sensor_input(t->sensor, json_text(payload, "input", ""), "file");
	dev_t dev = (dev_t)json_int(payload, "dev", 0);
	ino_t ino = (ino_t)json_int(payload, "ino", 0);
	bool rotated = json_is_true(json_object_get(payload, "rotated"));
	if (in == NULL || t->n == MAX_TAILS || find(t, in, dev, ino) != NULL) {
		close(fd);
		return;
	}
	for (struct tail *f = t->first; f != NULL; f = f->next)
		if (f->input == in && strcmp(f->path, path) == 0) f->replaced = true; /* read on to its end */
	struct tail *f = calloc(1, sizeof *f);
	if (f == NULL || (f->path = strdup(path)) == NULL) abort();
	*f = (struct tail){.next = t->first,
					   .input = in,
					   .path = f->path,
					   .dev = dev,
					   .ino = ino,
					   .fd = fd,
					   .replaced = rotated,
					   .grew_ns = kh_mono_ns()};
	t->first = f;
	t->n++;
	if (t->saved != NULL) take_saved(t, f);
}

/* Hands on the whole lines of a piece; returns how many bytes they took. */
static size_t lines_of(struct tail_set *t, struct tail *f, struct kh_slice piece)
{
	struct kh_slice rest = piece, line;
	uint64_t most = t->sensor->p->settings->syslog.max_line;
	while (!t->sensor->paused && kh_slice_cut(&rest, '\n', &line)) {
		f->lines++;
		f->input->lines++;
		f->input->bytes += line.n + 1;
		if (f->skipping || line.n > most)
			sensor_reject(f->input, REJECT_OVERLONG, line);
		else
			sensor_line(t->sensor, f->input, line, "");
		f->skipping = false;
	}
	if (!t->sensor->paused &&
		rest.n > most) { /* a line that is too long already: forget what there is of it */
		f->skipping = true;
		f->input->bytes += rest.n;
		rest.n = 0;
	}
	return piece.n - rest.n;
}

/* True when the file has more than this turn took. */
static bool read_on(struct tail_set *t, struct tail *f)
{
	struct stat st;
	if (fstat(f->fd, &st) != 0) return false;
	if ((uint64_t)st.st_size < f->offset) { /* emptied in place (logrotate's copytruncate) */
		f->offset = f->lines = f->head_len = 0;
		f->skipping = false;
	}
	size_t taken = 0;
	while (taken < A_TURN && !t->sensor->paused && f->offset < (uint64_t)st.st_size) {
		ssize_t n = pread(f->fd, t->piece, PIECE, (off_t)f->offset);
		if (n <= 0) break;
		size_t used = lines_of(t, f, (struct kh_slice){(const uint8_t *)t->piece, (size_t)n});
		if (used == 0) break; /* a line that is still being written */
		f->offset += used;
		taken += used;
		f->grew_ns = kh_mono_ns();
	}
	note_head(f);
	return taken >= A_TURN;
}

/* A rotated file that nobody wrote to for a while is done. Its position was told: it moved before it rested.
 */
static void let_go(struct tail_set *t)
{
	int64_t now = kh_mono_ns();
	for (struct tail **at = &t->first; *at != NULL;) {
		struct tail *f = *at;
		bool done =
			f->replaced && f->told && f->told_offset == f->offset && now - f->grew_ns > REST_AFTER_ROTATION;
		if (!done) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		t->n--;
		tail_free(f);
	}
}

bool tail_tick(struct tail_set *t)
{
	bool more = false;
	for (struct tail *f = t->first; f != NULL && !t->sensor->paused; f = f->next)
		more = read_on(t, f) || more;
	let_go(t);
	return more;
}

json_t *tail_positions(struct tail_set *t, const char *input)
{
	json_t *files = NULL;
	for (struct tail *f = t->first; f != NULL; f = f->next) {
		if (strcmp(f->input->name, input) != 0 || (f->told && f->told_offset == f->offset) ||
			f->head_len == 0)
			continue;
		if (files == NULL) files = json_array();
		json_array_append_new(files, json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:I}", "path", f->path, "dev",
											   (json_int_t)f->dev, "ino", (json_int_t)f->ino, "head_len",
											   (json_int_t)f->head_len, "head_hash", f->head_hash, "offset",
											   (json_int_t)f->offset, "lines", (json_int_t)f->lines));
		f->told = true;
		f->told_offset = f->offset;
	}
	return files;
}
