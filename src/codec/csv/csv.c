/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/csv/csv.h"

#include "base/message.h"
#include "codec/event/utf8.h"

static enum kh_err fail(const struct csv *c, struct kh_diag *diag, enum kh_err err, enum kh_msg text,
						size_t column)
{
	return kh_say(diag, err, text, KH_DEC(c->line), KH_DEC(column), NULL);
}

static uint32_t line_ends(struct kh_slice s)
{
	uint32_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
	return n;
}

/* The mark that the first line has most of outside quotes. */
static uint8_t guess_mark(struct kh_slice s)
{
	static const uint8_t marks[] = {',', ';', '\t'};
	size_t count[3] = {0}, best = 0;
	bool quoted = false;
	for (size_t i = 0; i < s.n && (quoted || s.p[i] != '\n'); i++) {
		quoted ^= s.p[i] == '"';
		for (size_t m = 0; m < 3 && !quoted; m++) count[m] += s.p[i] == marks[m];
	}
	for (size_t m = 1; m < 3; m++)
		if (count[m] > count[best]) best = m;
	return marks[best];
}

static bool is_end(struct kh_slice s)
{
	return s.n == 0 || s.p[0] == '\n' || (s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n');
}

static void skip_end(struct csv *c)
{
	struct kh_slice *s = &c->left;
	if (s->n > 1 && s->p[0] == '\r' && s->p[1] == '\n') *s = kh_slice_from(*s, 1);
	if (s->n == 0) return;
	*s = kh_slice_from(*s, 1);
	c->next_line++;
}

static bool starts_formula(struct kh_slice s)
{
	return s.n > 0 && memchr("=+-@\t\r", s.p[0], 6) != NULL;
}

static struct kh_slice after_quotes(struct kh_slice s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] == '\'') n++;
	return kh_slice_from(s, n);
}

static struct kh_slice without_guard(struct kh_slice s)
{
	return s.n > 0 && s.p[0] == '\'' && starts_formula(after_quotes(s)) ? kh_slice_from(s, 1) : s;
}

/* Where the quoted text (after its opening quote) ends, and how many doubled quotes it holds. False: never.
 */
static bool quoted_end(struct kh_slice s, size_t *end, size_t *n_doubled)
{
	*n_doubled = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '"') continue;
		if (i + 1 == s.n || s.p[i + 1] != '"') {
			*end = i;
			return true;
		}
		(*n_doubled)++;
		i++;
	}
	return false;
}

static enum kh_err undouble(struct csv *c, struct kh_slice s, size_t n_doubled, struct kh_slice *out)
{
	uint8_t *to = KH_ARRAY(c->arena, uint8_t, s.n - n_doubled);
	if (to == NULL) return KH_ENOMEM;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		to[n++] = s.p[i];
		if (s.p[i] == '"') i++;
	}
	*out = (struct kh_slice){to, n};
	return KH_OK;
}

static enum kh_err quoted_cell(struct csv *c, size_t column, struct kh_slice *out, struct kh_diag *diag)
{
	size_t end, n_doubled;
	struct kh_slice s = kh_slice_from(c->left, 1);
	if (!quoted_end(s, &end, &n_doubled)) return fail(c, diag, KH_EFORMAT, M_CSV_OPEN_QUOTE, column);
	*out = kh_slice_to(s, end);
	c->next_line += line_ends(*out);
	c->left = kh_slice_from(s, end + 1);
	if (!is_end(c->left) && c->left.p[0] != c->mark)
		return fail(c, diag, KH_EFORMAT, M_CSV_AFTER_QUOTE, column);
	if (n_doubled == 0) return KH_OK;
	if (undouble(c, *out, n_doubled, out) != KH_OK) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	return KH_OK;
}

static struct kh_slice bare_cell(struct csv *c)
{
	size_t n = 0;
	while (n < c->left.n && c->left.p[n] != c->mark && !is_end(kh_slice_from(c->left, n))) n++;
	struct kh_slice out = kh_slice_to(c->left, n);
	c->left = kh_slice_from(c->left, n);
	return out;
}

static enum kh_err cell(struct csv *c, size_t column, struct kh_slice *out, struct kh_diag *diag)
{
	if (c->left.n > 0 && c->left.p[0] == '"')
		KH_TRY(quoted_cell(c, column, out, diag));
	else
		*out = bare_cell(c);
	if (out->n > CSV_MAX_CELL) return fail(c, diag, KH_ELIMIT, M_CSV_LONG_CELL, column);
	*out = without_guard(*out);
	return KH_OK;
}

static enum kh_err row(struct csv *c, struct kh_slice *cells, size_t *n, struct kh_diag *diag)
{
	*n = 0;
	while (c->left.n > 0 && is_end(c->left)) skip_end(c);
	c->line = c->next_line;
	if (c->left.n == 0) return KH_OK;
	for (;;) {
		if (*n == CSV_MAX_COLUMNS) return fail(c, diag, KH_ELIMIT, M_CSV_MANY_COLUMNS, *n + 1);
		KH_TRY(cell(c, *n + 1, &cells[*n], diag));
		(*n)++;
		if (is_end(c->left)) break;
		c->left = kh_slice_from(c->left, 1);
	}
	skip_end(c);
	return KH_OK;
}

/* "sep=;" as spreadsheets write it before the first row. */
static void take_sep(struct csv *c)
{
	struct kh_slice s = c->left;
	if (!kh_slice_starts(s, KH_LIT("sep=")) || s.n < 5 || !is_end(kh_slice_from(s, 5)) || s.p[4] == '"' ||
		s.p[4] < 9)
		return;
	if (s.p[4] == '\n' || s.p[4] == '\r' || s.p[4] >= 0x80) return;
	c->mark = s.p[4];
	c->left = kh_slice_from(s, 5);
	skip_end(c);
}

static enum kh_err check_text(struct csv *c, struct kh_diag *diag)
{
	if (c->left.n > CSV_MAX_BYTES) return kh_say(diag, KH_ELIMIT, M_CSV_TOO_LONG, NULL);
	size_t good = utf8_good(c->left);
	if (good == c->left.n) return KH_OK;
	c->line = 1 + line_ends(kh_slice_to(c->left, good));
	return kh_say(diag, KH_EFORMAT, M_CSV_UTF8, KH_DEC(c->line), NULL);
}

enum kh_err csv_open(struct csv *c, struct kh_slice text, struct kh_arena *arena, struct kh_diag *diag)
{
	*c = (struct csv){.left = text, .arena = arena, .line = 1, .next_line = 1};
	KH_TRY(check_text(c, diag));
	if (kh_slice_starts(c->left, KH_LIT("\xef\xbb\xbf"))) c->left = kh_slice_from(c->left, 3);
	take_sep(c);
	if (c->mark == 0) c->mark = guess_mark(c->left);
	KH_TRY(row(c, c->columns, &c->n_columns, diag));
	if (c->n_columns == 0) return kh_say(diag, KH_EFORMAT, M_CSV_EMPTY, NULL);
	for (size_t i = 0; i < c->n_columns; i++) c->columns[i] = kh_slice_trim(c->columns[i]);
	return KH_OK;
}

enum kh_err csv_next(struct csv *c, struct kh_slice *cells, size_t *n, struct kh_diag *diag)
{
	size_t got;
	enum kh_err err = row(c, cells, &got, diag);
	if (err != KH_OK) {
		c->left.n = 0;
		return err;
	}
	if (got != 0 && got != c->n_columns)
		return kh_say(diag, KH_ERANGE, M_CSV_RAGGED, KH_DEC(c->line), KH_DEC(got), KH_DEC(c->n_columns),
					  NULL);
	*n = got;
	return KH_OK;
}

bool csv_column(const struct csv *c, const char *name, size_t *out)
{
	for (size_t i = 0; i < c->n_columns; i++) {
		if (!kh_slice_case_eq(c->columns[i], kh_str(name))) continue;
		*out = i;
		return true;
	}
	return false;
}

static bool plain_negative(struct kh_slice s)
{
	if (s.n < 2 || s.p[0] != '-') return false;
	for (size_t i = 1; i < s.n; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.') return false;
	return true;
}

static bool needs_quotes(struct kh_slice s)
{
	if (s.n == 0) return false;
	if (s.p[0] == ' ' || s.p[s.n - 1] == ' ') return true;
	for (size_t i = 0; i < s.n; i++)
		if (memchr("\",;\t\r\n", s.p[i], 6) != NULL) return true;
	return false;
}

static void write_quoted(struct kh_buf *out, bool guard, struct kh_slice s)
{
	struct kh_slice part;
	kh_buf_text(out, guard ? "\"'" : "\"");
	while (kh_slice_cut(&s, '"', &part)) {
		kh_buf_put(out, part);
		kh_buf_text(out, "\"\"");
	}
	kh_buf_put(out, s);
	kh_buf_char(out, '"');
}

void csv_write(struct kh_buf *out, const struct kh_slice *cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct kh_slice s = cells[i];
		bool guard = starts_formula(after_quotes(s)) && !plain_negative(s);
		if (i > 0) kh_buf_char(out, ',');
		if (needs_quotes(s) || (s.n == 0 && n == 1)) { /* a lone empty cell would be an empty line */
			write_quoted(out, guard, s);
			continue;
		}
		if (guard) kh_buf_char(out, '\'');
		kh_buf_put(out, s);
	}
	kh_buf_text(out, "\r\n");
}
