/* SPDX-License-Identifier: Apache-2.0
 * config.h - a YAML file read through one table of rows: the row is parser, validator, default, unit and
 * manual entry. Keys are dotted in the table ("mail.server") and nested in the file. An unknown key is an
 * error with line, column and the nearest key that exists. A value outside its row's range is an error that
 * says the range. Ownership: every text and list lives in the arena that was handed in. Errors: KH_EFORMAT,
 * KH_ERANGE, KH_ELIMIT, KH_ENOMEM, with "file:line:column: reason" in the diag. Nothing is written to the
 * struct before the whole file was understood but the caller should throw it away after an error. Cost:
 * O(keys of the file x rows). */
#ifndef KH_BASE_CONFIG_H
#define KH_BASE_CONFIG_H
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/message.h"

enum config_type {
	CFG_BOOL,     /* bool: true/false, yes/no, on/off */
	CFG_UINT,     /* uint64_t */
	CFG_DURATION, /* int64_t nanoseconds: "500ms" "30s" "15m" "12h" "7d"; min and max in seconds */
	CFG_SIZE,     /* uint64_t bytes: "64KiB" "10MiB" "5GiB" or a bare number */
	CFG_TEXT,     /* const char *, NULL when absent and without default */
	CFG_WORD,     /* int: index into `words` */
	CFG_LIST,     /* struct config_list: one text or a sequence of texts */
	CFG_MAP,      /* struct config_map: names to lists */
	CFG_TABLE,    /* struct config_table: a sequence of mappings, each through `rows` */
};

struct config_list {
	const char **at;
	size_t n;
};

struct config_map_entry {
	const char *name;
	struct config_list values;
};

struct config_map {
	struct config_map_entry *at;
	size_t n;
};

struct config_table {
	void *at; /* n structs of `row_size` bytes */
	size_t n;
};

struct config_row {
	const char *key;
	enum config_type type;
	size_t offset;
	uint64_t min, max; /* CFG_UINT, CFG_SIZE: the value; CFG_DURATION: seconds; lists and tables: entries; max
						  0: none */
	const char *def;   /* as it would be written in the file; lists: separated by blanks */
	enum kh_msg help;  /* one line: what it does */
	const char *const *words;      /* CFG_WORD: ended by NULL */
	const struct config_row *rows; /* CFG_TABLE: ended by a row without a key */
	size_t row_size;
	bool required; /* inside a CFG_TABLE: every entry must have it */
};

/* `name` stands for the file in errors. `out` is a zeroed struct that the offsets belong to. */
KH_MUST_USE enum kh_err config_read(const struct config_row *rows, struct kh_slice yaml, const char *name,
									struct kh_arena *arena, void *out, struct kh_diag *diag);
KH_MUST_USE enum kh_err config_defaults(const struct config_row *rows, struct kh_arena *arena, void *out,
										struct kh_diag *diag);
/* Writes the struct back as YAML that config_read understands; with `comments`, each key's help and default
 * above it. */
void config_write(const struct config_row *rows, const void *from, bool comments, struct kh_buf *out);
/* The word of `words` (ended by NULL) nearest to `typed`, or NULL when none is near: for "did you mean". */
const char *kh_nearest(const char *typed, const char *const *words);
#endif
