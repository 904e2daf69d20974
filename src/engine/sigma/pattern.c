/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sigma/pattern.h"

#include <utf8proc.h>

/* The characters that `windash` makes equal: hyphen, slash, en dash, em dash, horizontal bar. */
static const char *const dashes[] = {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95"};
enum { N_DASHES = 5 };

static bool wildcard(uint16_t symbol)
{
	return symbol == PATTERN_ANY || symbol == PATTERN_ONE;
}

static uint16_t wildcard_of(uint8_t c)
{
	return c == '*' ? PATTERN_ANY : c == '?' ? PATTERN_ONE : c;
}

enum kh_err pattern_parse(struct kh_arena *a, struct kh_slice text, bool escapes, struct pattern *out)
{
	if (text.n > PATTERN_MAX) return KH_ELIMIT;
	struct pattern p = {KH_ARRAY(a, uint16_t, text.n + 1), 0};
	if (p.at == NULL) return KH_ENOMEM;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 0;
		if (escapes && c == '\\' && (next == '*' || next == '?' || next == '\\')) {
			p.at[p.n++] = next;
			i++;
		} else {
			p.at[p.n++] = escapes ? wildcard_of(c) : c;
		}
	}
	*out = p;
	return KH_OK;
}

enum kh_err pattern_surround(struct kh_arena *a, struct pattern p, bool front, bool behind,
							 struct pattern *out)
{
	bool add_front = front && (p.n == 0 || p.at[0] != PATTERN_ANY);
	bool add_behind = behind && (p.n == 0 || p.at[p.n - 1] != PATTERN_ANY);
	struct pattern w = {KH_ARRAY(a, uint16_t, (size_t)p.n + 2), 0};
	if (w.at == NULL) return KH_ENOMEM;
	if (add_front) w.at[w.n++] = PATTERN_ANY;
	for (uint32_t i = 0; i < p.n; i++) w.at[w.n++] = p.at[i];
	if (add_behind) w.at[w.n++] = PATTERN_ANY;
	*out = w;
	return KH_OK;
}

static bool word(uint16_t c)
{
	return c < 256 && (c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
					   (c >= 'A' && c <= 'Z'));
}

static uint32_t dash_at(struct pattern p, uint32_t i)
{
	for (size_t d = 0; d < N_DASHES; d++) {
		uint32_t n = (uint32_t)strlen(dashes[d]), k = 0;
		while (k < n && i + k < p.n && p.at[i + k] == (uint8_t)dashes[d][k]) k++;
		if (k == n) return n;
	}
	return 0;
}

void pattern_windash(struct pattern *p)
{
	uint32_t to = 0;
	uint16_t before = ' ';
	for (uint32_t i = 0; i < p->n;) {
		uint32_t n = dash_at(*p, i);
		/* only a dash that begins a word is an option's dash: "-enc", not "a-b" and not "- " */
		if (n > 0 && !word(before) && i + n < p->n && word(p->at[i + n]) && dash_at(*p, i + n) == 0) {
			p->at[to++] = PATTERN_DASH;
			before = PATTERN_DASH;
			i += n;
			continue;
		}
		before = n > 0 ? (uint16_t)'-' : p->at[i]; /* a dash of several bytes is no word character */
		for (n = n > 0 ? n : 1; n > 0; n--) p->at[to++] = p->at[i++];
	}
	p->n = to;
}

bool pattern_dash_combination(struct kh_arena *a, struct pattern p, uint32_t which, struct pattern *out)
{
	struct pattern w = {KH_ARRAY(a, uint16_t, (size_t)p.n * 3 + 1), 0};
	if (w.at == NULL) return false;
	for (uint32_t i = 0; i < p.n; i++) {
		if (p.at[i] != PATTERN_DASH) {
			w.at[w.n++] = p.at[i];
			continue;
		}
		for (const char *c = dashes[which % N_DASHES]; *c != '\0'; c++) w.at[w.n++] = (uint8_t)*c;
		which /= N_DASHES;
	}
	*out = w;
	return which == 0;
}

enum pattern_form pattern_form(struct pattern p, struct pattern *inner)
{
	bool front = false, behind = false;
	struct pattern in = p;
	while (in.n > 0 && in.at[0] == PATTERN_ANY) front = true, in.at++, in.n--;
	while (in.n > 0 && in.at[in.n - 1] == PATTERN_ANY) behind = true, in.n--;
	*inner = in;
	if (in.n == 0) return front || behind ? PATTERN_ALL : PATTERN_EQUAL;
	for (uint32_t i = 0; i < in.n; i++)
		if (wildcard(in.at[i]) || in.at[i] == PATTERN_DASH) {
			*inner = p;
			return PATTERN_WILD;
		}
	if (front) return behind ? PATTERN_CONTAINS : PATTERN_ENDS;
	return behind ? PATTERN_STARTS : PATTERN_EQUAL;
}

bool pattern_is_literal(struct pattern p)
{
	for (uint32_t i = 0; i < p.n; i++)
		if (p.at[i] > 255) return false;
	return true;
}

enum kh_err pattern_bytes(struct kh_arena *a, struct pattern p, struct kh_slice *out)
{
	uint8_t *bytes = KH_ARRAY(a, uint8_t, (size_t)p.n + 1);
	if (bytes == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < p.n; i++) bytes[i] = (uint8_t)p.at[i];
	*out = (struct kh_slice){bytes, p.n};
	return KH_OK;
}

/* ---- case ---- */

bool text_is_ascii(struct kh_slice s)
{
	uint64_t seen = 0, word8;
	size_t i = 0;
	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word8, s.p + i, 8);
		seen |= word8;
	}
	for (; i < s.n; i++) seen |= (uint64_t)s.p[i];
	return (seen & UINT64_C(0x8080808080808080)) == 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

size_t text_fold(struct kh_slice s, uint8_t *out)
{
	size_t to = 0;
	for (size_t i = 0; i < s.n;) {
		if (s.p[i] < 0x80) {
			out[to++] = lower(s.p[i++]);
			continue;
		}
		utf8proc_int32_t code;
		utf8proc_ssize_t n = utf8proc_iterate(s.p + i, (utf8proc_ssize_t)(s.n - i), &code);
		if (n <= 0) {
			out[to++] = s.p[i++];
			continue;
		}
		/* lower case can be longer (U+023A: 2 bytes to 3), never more than twice as long */
		to += (size_t)utf8proc_encode_char(utf8proc_tolower(code), out + to);
		i += (size_t)n;
	}
	return to;
}

enum kh_err pattern_fold(struct kh_arena *a, struct pattern *p)
{
	struct pattern w = {KH_ARRAY(a, uint16_t, (size_t)p->n * 2 + 4), 0};
	uint8_t *run = KH_ARRAY(a, uint8_t, (size_t)p->n * 3 + 8), *folded = run != NULL ? run + p->n : NULL;
	if (w.at == NULL || run == NULL) return KH_ENOMEM;
	for (uint32_t i = 0; i < p->n;) {
		size_t n = 0;
		while (i < p->n && p->at[i] < 256) run[n++] = (uint8_t)p->at[i++];
		size_t k = text_fold((struct kh_slice){run, n}, folded);
		for (size_t j = 0; j < k; j++) w.at[w.n++] = folded[j];
		if (i < p->n) w.at[w.n++] = p->at[i++];
	}
	*p = w;
	return KH_OK;
}

/* ---- matching ---- */

static size_t char_len(struct kh_slice v, size_t at)
{
	size_t n = 1;
	if (v.p[at] >= 0xc0)
		while (n < 4 && at + n < v.n && (v.p[at + n] & 0xc0) == 0x80) n++;
	return n;
}

static size_t dash_len(struct kh_slice v, size_t at)
{
	for (size_t d = 0; d < N_DASHES; d++) {
		size_t n = strlen(dashes[d]);
		if (v.n - at >= n && memcmp(v.p + at, dashes[d], n) == 0) return n;
	}
	return 0;
}

/* How many bytes of the value one symbol takes; 0: it does not fit here. */
static size_t symbol_takes(uint16_t symbol, struct kh_slice v, size_t at, bool ascii_caseless)
{
	if (at >= v.n) return 0;
	if (symbol == PATTERN_ONE) return char_len(v, at);
	if (symbol == PATTERN_DASH) return dash_len(v, at);
	return (ascii_caseless ? lower(v.p[at]) : v.p[at]) == symbol ? 1 : 0;
}

bool pattern_match(struct pattern p, struct kh_slice value, bool ascii_caseless)
{
	size_t at = 0, star_at = 0;
	uint32_t i = 0, star = UINT32_MAX;
	for (;;) {
		if (i < p.n && p.at[i] == PATTERN_ANY) {
			star = i++;
			star_at = at;
			continue;
		}
		size_t takes = i < p.n ? symbol_takes(p.at[i], value, at, ascii_caseless) : 0;
		if (takes > 0) {
			at += takes;
			i++;
		} else if (i == p.n && at == value.n) {
			return true;
		} else if (star != UINT32_MAX && star_at < value.n) {
			at = ++star_at; /* the last star takes one byte more */
			i = star + 1;
		} else {
			return false;
		}
	}
}

static void regex_symbol(uint16_t symbol, struct kh_buf *out)
{
	if (symbol == PATTERN_ANY)
		kh_buf_text(out, ".*");
	else if (symbol == PATTERN_ONE)
		kh_buf_text(out, "(?:[\\x00-\\xbf]|[\\xc0-\\xff][\\x80-\\xbf]{0,3})");
	else if (symbol == PATTERN_DASH)
		kh_buf_text(out, "(?:-|/|\\xe2\\x80\\x93|\\xe2\\x80\\x94|\\xe2\\x80\\x95)");
	else if (word(symbol) && symbol < 0x80)
		kh_buf_char(out, (char)symbol);
	else
		kh_buf_printf(out, "\\x%02x", symbol);
}

void pattern_regex(struct pattern p, struct kh_buf *out)
{
	uint32_t from = 0, to = p.n;
	while (from < to && p.at[from] == PATTERN_ANY) from++;
	while (to > from && p.at[to - 1] == PATTERN_ANY) to--;
	if (from == 0) kh_buf_text(out, "\\A");
	for (uint32_t i = from; i < to; i++) regex_symbol(p.at[i], out);
	if (to == p.n) kh_buf_text(out, "\\z");
}

void pattern_print(struct pattern p, struct kh_buf *out)
{
	for (uint32_t i = 0; i < p.n; i++) {
		uint16_t s = p.at[i];
		if (s == PATTERN_ANY)
			kh_buf_char(out, '*');
		else if (s == PATTERN_ONE)
			kh_buf_char(out, '?');
		else if (s == PATTERN_DASH)
			kh_buf_text(out, "[-]");
		else if (s == '*' || s == '?')
			kh_buf_printf(out, "\\%c", s);
		else
			kh_buf_char(out, (char)s);
	}
}
