/* SPDX-License-Identifier: Apache-2.0
 * csv/csv.h - tables as text (RFC 4180), read and written.
 * Reading: UTF-8, a byte order mark is skipped; cells parted by ',' ';' or tab, whichever the first line has
 * most of outside quotes (spreadsheets of a Vietnamese locale write ';'), or as a first line "sep=;" says;
 * quoted cells may hold anything; lines end at LF or CRLF; empty lines are passed over; the first row names
 * the columns. Writing: a cell that a spreadsheet would run as a formula gets one ' in front: any number of '
 * and then one of = + - @ tab CR; a plain negative number does not. Reading takes that one ' off again, so
 * both ways give the same text. Input: a whole file in memory, hostile. Ownership: cells point into the text
 * or the arena. Lines and columns in messages count from 1; a column is a cell's place in its row. Errors:
 * KH_EFORMAT (not UTF-8, a quote left open, text after a closing quote), KH_ELIMIT, KH_ENOMEM: nothing more
 * can be read; KH_ERANGE: this row has more or fewer cells than the first, the next row can be read.
 * Cost: O(bytes). Threads: one owner. */
#ifndef KH_CODEC_CSV_CSV_H
#define KH_CODEC_CSV_CSV_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

enum { CSV_MAX_BYTES = 64 << 20, CSV_MAX_COLUMNS = 128, CSV_MAX_CELL = 64 << 10 };

struct csv {
	struct kh_slice left;
	struct kh_arena *arena;
	struct kh_slice columns[CSV_MAX_COLUMNS]; /* the first row, blanks off */
	size_t n_columns;
	uint32_t line;      /* of the row that csv_next gave last */
	uint32_t next_line; /* of the first byte of `left` */
	uint8_t mark;
};

/* Reads the first row. */
KH_MUST_USE enum kh_err csv_open(struct csv *c, struct kh_slice text, struct kh_arena *arena,
								 struct kh_diag *diag);
/* cells[CSV_MAX_COLUMNS]; *n is n_columns, or 0 at the end. */
KH_MUST_USE enum kh_err csv_next(struct csv *c, struct kh_slice *cells, size_t *n, struct kh_diag *diag);
/* The place of a column, ASCII case aside; false when there is none. */
bool csv_column(const struct csv *c, const char *name, size_t *out);

/* Appends one row and CRLF. */
void csv_write(struct kh_buf *out, const struct kh_slice *cells, size_t n);
#endif
