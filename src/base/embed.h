/* SPDX-License-Identifier: Apache-2.0
 * embed.h - files that the build put into the program (tools/embed.c writes the tables).
 * A table ends with a row whose name is NULL. The bytes are constant and followed by a NUL that is not
 * counted. */
#ifndef KH_BASE_EMBED_H
#define KH_BASE_EMBED_H
#include "base/slice.h"

struct kh_embed {
	const char *name; /* the file's base name */
	struct kh_slice bytes;
};
#endif
