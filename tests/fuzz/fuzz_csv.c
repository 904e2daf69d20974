/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/csv/csv.h"
#include "fuzz.h"

/* A row that was read and written again is read as the same row. */
static void write_back(struct kh_arena *arena, const struct kh_slice *cells, size_t n)
{
	struct csv again;
	struct kh_slice got[CSV_MAX_COLUMNS], names[CSV_MAX_COLUMNS];
	struct kh_buf out = KH_BUF(1 << 22);
	size_t n_got;
	for (size_t i = 0; i < n; i++) names[i] = KH_LIT("x");
	csv_write(&out, names, n);
	csv_write(&out, cells, n);
	FUZZ_HOLDS(out.err == KH_OK && csv_open(&again, kh_buf_slice(&out), arena, NULL) == KH_OK);
	FUZZ_HOLDS(csv_next(&again, got, &n_got, NULL) == KH_OK && n_got == n);
	for (size_t i = 0; i < n; i++) FUZZ_HOLDS(kh_slice_eq(cells[i], got[i]));
	kh_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kh_arena *arena = kh_arena_new(4096, 1 << 24);
	struct csv table;
	struct kh_slice cells[CSV_MAX_COLUMNS];
	struct kh_diag diag;
	size_t n = 0, rows = 0;
	enum kh_err err = csv_open(&table, (struct kh_slice){data, size}, arena, &diag);
	while (err == KH_OK || err == KH_ERANGE) {
		err = csv_next(&table, cells, &n, &diag);
		if (err == KH_OK && n == 0) break;
		if (err == KH_OK) write_back(arena, cells, n);
		FUZZ_HOLDS(++rows <= size + 1);
	}
	kh_arena_free(arena);
	return 0;
}
