/* SPDX-License-Identifier: Apache-2.0
 * replay.c - runs one fuzz target over the files of its corpus folder, in any build: replay FOLDER.
 * Each file is handed over as an exact-size heap copy. Fails when the folder holds no file. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static int replay(int folder, const char *name)
{
	struct stat about;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &about) != 0) {
		perror(name);
		return -1;
	}
	int done = 0;
	if (S_ISREG(about.st_mode)) {
		size_t size = (size_t)about.st_size;
		uint8_t *bytes = malloc(size > 0 ? size : 1);
		done = bytes != NULL && read(fd, bytes, size) == (ssize_t)size ? 1 : -1;
		if (done == 1) (void)LLVMFuzzerTestOneInput(bytes, size);
		free(bytes);
	}
	close(fd);
	return done;
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	int n = 0;
	if (folder == NULL) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	for (struct dirent *e; (e = readdir(folder)) != NULL;) {
		int done = replay(dirfd(folder), e->d_name);
		if (done < 0) return 1;
		n += done;
	}
	closedir(folder);
	printf("%d inputs\n", n);
	return n > 0 ? 0 : 1;
}
