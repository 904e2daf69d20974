/* SPDX-License-Identifier: Apache-2.0
 * follow.h - the supervisor's part of following log files: it may open what the sensor may not, and does
 * nothing else with them. Looks at the configured paths (glob(7)) and hands each new (device, inode) over,
 * opened for reading; finds a rotated file again by device and inode among its neighbours. Regular files
 * only; symbolic links are followed, as the operator named them. Cost: one stat a path a look. */
#ifndef KH_ROLE_FOLLOW_H
#define KH_ROLE_FOLLOW_H
#include <sys/types.h>

#include "role/settings.h"

enum { FOLLOW_MAX_FILES = 1024 };

struct follow;
typedef void follow_found(void *ctx, const struct settings_input *input, const char *path, dev_t dev,
						  ino_t ino, int fd);

struct follow *follow_new(const struct settings *s);
void follow_free(struct follow *f); /* NULL is allowed */
void follow_look(struct follow *f, follow_found *found, void *ctx);
void follow_forget(struct follow *f); /* the sensor is new: hand everything over again */
/* A file next to the input's path whose name begins with its name and that is this (device, inode). */
void follow_rotated(struct follow *f, const char *input, dev_t dev, ino_t ino, follow_found *found,
					void *ctx);
#endif
