/* SPDX-License-Identifier: Apache-2.0 */
#include "role/follow.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

struct known {
	const struct settings_input *input;
	char *path;
	dev_t dev;
	ino_t ino;
};

struct follow {
	const struct settings *settings;
	struct known at[FOLLOW_MAX_FILES];
	size_t n;
	bool told_limit;
};

struct follow *follow_new(const struct settings *s)
{
	struct follow *f = calloc(1, sizeof *f);
	if (f != NULL) f->settings = s;
	return f;
}

void follow_forget(struct follow *f)
{
	for (size_t i = 0; i < f->n; i++) free(f->at[i].path);
	f->n = 0;
}

void follow_free(struct follow *f)
{
	if (f == NULL) return;
	follow_forget(f);
	free(f);
}

static int open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode)) return fd;
	close(fd);
	return -1;
}

static struct known *known_of(struct follow *f, const struct settings_input *input, const char *path)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->at[i].input == input && strcmp(f->at[i].path, path) == 0) return &f->at[i];
	if (f->n == FOLLOW_MAX_FILES) {
		if (!f->told_limit)
			kh_log(KH_LOG_WARNING, "event=too_many_followed_files limit=%d", (int)FOLLOW_MAX_FILES);
		f->told_limit = true;
		return NULL;
	}
	char *copy = strdup(path);
	if (copy == NULL) return NULL;
	f->at[f->n] = (struct known){.input = input, .path = copy};
	return &f->at[f->n++];
}

static void look_at(struct follow *f, const struct settings_input *input, const char *path,
					follow_found *found, void *ctx)
{
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return;
	struct known *k = known_of(f, input, path);
	if (k == NULL || (k->dev == st.st_dev && k->ino == st.st_ino)) return;
	int fd = open_regular(path, &st);
	if (fd < 0) return;
	k->dev = st.st_dev;
	k->ino = st.st_ino;
	found(ctx, input, path, st.st_dev, st.st_ino, fd);
}

void follow_look(struct follow *f, follow_found *found, void *ctx)
{
	const struct settings_input *inputs = f->settings->inputs.at;
	for (size_t i = 0; i < f->settings->inputs.n; i++) {
		glob_t g;
		if (glob(inputs[i].path, GLOB_NOSORT, NULL, &g) != 0) continue;
		for (size_t j = 0; j < g.gl_pathc; j++) look_at(f, &inputs[i], g.gl_pathv[j], found, ctx);
		globfree(&g);
	}
}

/* Looks through one folder for the inode; true when it was handed over. */
static bool search(const struct settings_input *input, const char *folder, const char *name, dev_t dev,
				   ino_t ino, follow_found *found, void *ctx)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	bool done = false;
	size_t stem = strcspn(name, "*?[");
	while (d != NULL && !done && (e = readdir(d)) != NULL) {
		struct stat st;
		char path[4096];
		if (e->d_ino != ino || strncmp(e->d_name, name, stem) != 0) continue;
		if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= sizeof path) continue;
		int fd = open_regular(path, &st);
		if (fd < 0) continue;
		done = st.st_dev == dev && st.st_ino == ino;
		if (done)
			found(ctx, input, path, dev, ino, fd);
		else
			close(fd);
	}
	if (d != NULL) closedir(d);
	return done;
}

void follow_rotated(struct follow *f, const char *input, dev_t dev, ino_t ino, follow_found *found, void *ctx)
{
	const struct settings_input *inputs = f->settings->inputs.at;
	for (size_t i = 0; i < f->settings->inputs.n; i++) {
		if (strcmp(inputs[i].name, input) != 0) continue;
		char *a = strdup(inputs[i].path), *b = strdup(inputs[i].path);
		bool done =
			a != NULL && b != NULL && search(&inputs[i], dirname(a), basename(b), dev, ino, found, ctx);
		free(a);
		free(b);
		if (done) return;
	}
}
