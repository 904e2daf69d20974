/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/json.h"

#include <stdlib.h>

#include "base/message.h"
#include "codec/event/json_shim.h"
#include "codec/event/utf8.h"

/* An object or array that is open. */
struct frame {
	struct kh_slice path;
	bool array;
	bool started; /* a member was read, so a comma or the close must follow */
};

struct event_json {
	struct json_shim *shim;
	uint8_t *text;  /* the line, padded */
	uint8_t *plain; /* decoded strings */
	uint8_t *names; /* joined names */
	enum event_json_fault fault;
	/* The parse that is going on. */
	struct event *out;
	struct kh_diag *diag;
	const uint32_t *index; /* token starts; index[n_index] is the end of the text */
	size_t n_index, at;
	size_t shift; /* bytes of the byte order mark, for offsets in messages */
	size_t plain_len, names_len;
	size_t depth;
	struct frame frames[EVENT_MAX_DEPTH];
};

struct event_json *event_json_new(void)
{
	struct event_json *p = calloc(1, sizeof *p);
	if (p == NULL) return NULL;
	p->shim = json_shim_new(EVENT_MAX_BYTES);
	p->text = malloc(EVENT_MAX_BYTES + JSON_SHIM_PADDING);
	p->plain = malloc(EVENT_MAX_BYTES + 2 * JSON_SHIM_PADDING);
	p->names = malloc(JSON_NAMES_BYTES);
	if (p->shim != NULL && p->text != NULL && p->plain != NULL && p->names != NULL) return p;
	event_json_free(p);
	return NULL;
}

void event_json_free(struct event_json *p)
{
	if (p == NULL) return;
	json_shim_free(p->shim);
	free(p->text);
	free(p->plain);
	free(p->names);
	free(p);
}

enum event_json_fault event_json_fault(const struct event_json *p)
{
	return p->fault;
}

static enum kh_err fail(struct event_json *p, enum event_json_fault fault, enum kh_msg text, size_t offset)
{
	static const enum kh_err of[] = {
		[JSON_FAULT_EMPTY] = KH_EFORMAT,   [JSON_FAULT_TOO_LONG] = KH_ELIMIT,
		[JSON_FAULT_UTF8] = KH_EFORMAT,    [JSON_FAULT_TOO_DEEP] = KH_ELIMIT,
		[JSON_FAULT_TOO_MANY] = KH_ELIMIT, [JSON_FAULT_NOT_OBJECT] = KH_EFORMAT,
		[JSON_FAULT_SYNTAX] = KH_EFORMAT,  [JSON_FAULT_MEMORY] = KH_ENOMEM,
	};
	p->fault = fault;
	return kh_say(p->diag, of[fault], text, KH_DEC(offset + p->shift), NULL);
}

static enum kh_err bad_token(struct event_json *p)
{
	return fail(p, JSON_FAULT_SYNTAX, M_JSON_SYNTAX, p->index[p->at]);
}

static uint8_t peek(const struct event_json *p)
{
	return p->at < p->n_index ? p->text[p->index[p->at]] : 0;
}

static enum kh_err add(struct event_json *p, struct kh_slice name, struct kh_slice value,
					   enum event_type type)
{
	enum kh_err err = event_add(p->out, name, value, type);
	if (err == KH_OK) return KH_OK;
	size_t offset = p->index[p->at < p->n_index ? p->at : p->n_index];
	if (err == KH_ENOMEM) return fail(p, JSON_FAULT_MEMORY, M_OUT_OF_MEMORY, offset);
	return fail(p, JSON_FAULT_TOO_MANY, M_JSON_TOO_MANY, offset);
}

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The bytes of the token at `at`, up to the next one, blanks off. */
static struct kh_slice token(const struct event_json *p)
{
	size_t start = p->index[p->at], end = p->index[p->at + 1];
	while (end > start && blank(p->text[end - 1])) end--;
	return (struct kh_slice){p->text + start, end - start};
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex4(struct kh_slice s, uint32_t *out)
{
	if (s.n < 4) return false;
	uint32_t v = 0;
	for (size_t i = 0; i < 4; i++) {
		int d = hex_digit(s.p[i]);
		if (d < 0) return false;
		v = v << 4 | (uint32_t)d;
	}
	*out = v;
	return true;
}

/* What follows "\u"; a surrogate without its partner becomes U+FFFD. The bytes used, 0 when broken. */
static size_t unicode_escape(struct kh_slice s, uint32_t *code)
{
	if (!hex4(s, code)) return 0;
	if (*code < 0xd800 || *code > 0xdfff) return 4;
	struct kh_slice next = kh_slice_from(s, 4);
	uint32_t low;
	if (*code < 0xdc00 && kh_slice_starts(next, KH_LIT("\\u")) && hex4(kh_slice_from(next, 2), &low) &&
		low >= 0xdc00 && low <= 0xdfff) {
		*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
		return 10;
	}
	*code = 0xfffd;
	return 4;
}

/* One escape after its backslash (RFC 8259, section 7). The bytes used, 0 when broken. */
static size_t escape(struct kh_slice s, uint8_t **dst)
{
	static const uint8_t plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
									   ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
	if (s.n == 0) return 0;
	if (plain[s.p[0]] != 0) {
		*(*dst)++ = plain[s.p[0]];
		return 1;
	}
	uint32_t code;
	size_t used = s.p[0] == 'u' ? unicode_escape(kh_slice_from(s, 1), &code) : 0;
	if (used == 0) return 0;
	*dst += utf8_put(code, *dst);
	return used + 1;
}

/* The slow way, for what simdjson refuses (lone surrogates). */
static uint8_t *unescape(struct kh_slice s, uint8_t *dst)
{
	struct kh_slice run;
	while (kh_slice_cut(&s, '\\', &run)) {
		memcpy(dst, run.p, run.n);
		dst += run.n;
		size_t used = escape(s, &dst);
		if (used == 0) return NULL;
		s = kh_slice_from(s, used);
	}
	if (s.n > 0) memcpy(dst, s.p, s.n);
	return dst + s.n;
}

/* The string token at `at`, decoded; moves past it. Decoded text is never longer than what was written. */
static enum kh_err string(struct event_json *p, struct kh_slice *out)
{
	struct kh_slice t = token(p);
	if (t.n < 2 || t.p[t.n - 1] != '"') return bad_token(p);
	struct kh_slice inner = {t.p + 1, t.n - 2};
	if (memchr(inner.p, '\\', inner.n) == NULL) {
		*out = inner;
		p->at++;
		return KH_OK;
	}
	uint8_t *start = p->plain + p->plain_len;
	uint8_t *end = json_shim_unescape(p->shim, inner.p, start);
	if (end == NULL) end = unescape(inner, start);
	if (end == NULL) return fail(p, JSON_FAULT_SYNTAX, M_JSON_ESCAPE, p->index[p->at]);
	*out = (struct kh_slice){start, (size_t)(end - start)};
	p->plain_len += out->n;
	p->at++;
	return KH_OK;
}

static size_t digits(struct kh_slice s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') n++;
	return n;
}

/* RFC 8259, section 6. */
static bool number_ok(struct kh_slice s)
{
	if (s.n > 0 && s.p[0] == '-') s = kh_slice_from(s, 1);
	size_t n = digits(s);
	if (n == 0 || (n > 1 && s.p[0] == '0')) return false;
	s = kh_slice_from(s, n);
	if (s.n > 0 && s.p[0] == '.') {
		n = digits(kh_slice_from(s, 1));
		if (n == 0) return false;
		s = kh_slice_from(s, n + 1);
	}
	if (s.n > 0 && (s.p[0] | 0x20) == 'e') {
		size_t sign = s.n > 1 && (s.p[1] == '+' || s.p[1] == '-') ? 2 : 1;
		n = digits(kh_slice_from(s, sign));
		if (n == 0) return false;
		s = kh_slice_from(s, sign + n);
	}
	return s.n == 0;
}

static enum kh_err bare_word(struct event_json *p, struct kh_slice name)
{
	struct kh_slice t = token(p);
	enum event_type type = EVENT_NUMBER;
	if (kh_slice_eq(t, KH_LIT("true")) || kh_slice_eq(t, KH_LIT("false"))) {
		type = EVENT_BOOL;
	} else if (kh_slice_eq(t, KH_LIT("null"))) {
		type = EVENT_NULL;
		t.n = 0;
	} else if (!number_ok(t)) {
		return bad_token(p);
	}
	KH_TRY(add(p, name, t, type));
	p->at++;
	return KH_OK;
}

static enum kh_err open_frame(struct event_json *p, struct kh_slice path, bool array)
{
	if (p->depth == EVENT_MAX_DEPTH) return fail(p, JSON_FAULT_TOO_DEEP, M_JSON_TOO_DEEP, p->index[p->at]);
	p->frames[p->depth++] = (struct frame){path, array, false};
	p->at++;
	return KH_OK;
}

static enum kh_err close_frame(struct event_json *p)
{
	const struct frame *f = &p->frames[--p->depth];
	p->at++;
	if (f->started || p->depth == 0) return KH_OK;
	return add(p, f->path, (struct kh_slice){f->path.p, 0}, EVENT_NULL);
}

static enum kh_err value(struct event_json *p, struct kh_slice name)
{
	struct kh_slice text = {0};
	switch (peek(p)) {
	case '{':
		return open_frame(p, name, false);
	case '[':
		return open_frame(p, name, true);
	case '"':
		KH_TRY(string(p, &text));
		return add(p, name, text, EVENT_STRING);
	default:
		return p->at < p->n_index ? bare_word(p, name) : bad_token(p);
	}
}

/* The member's name under the open object: the key itself at the top, else the path, a dot and the key. */
static enum kh_err join(struct event_json *p, struct kh_slice key, struct kh_slice *name)
{
	struct kh_slice path = p->frames[p->depth - 1].path;
	size_t len = p->depth == 1 ? key.n : path.n + 1 + key.n;
	if (len > JSON_MAX_NAME || len > JSON_NAMES_BYTES - p->names_len)
		return fail(p, JSON_FAULT_TOO_MANY, M_JSON_LONG_NAME, p->index[p->at]);
	*name = key;
	if (p->depth == 1) return KH_OK;
	uint8_t *to = p->names + p->names_len;
	memcpy(to, path.p, path.n);
	to[path.n] = '.';
	memcpy(to + path.n + 1, key.p, key.n);
	p->names_len += len;
	*name = (struct kh_slice){to, len};
	return KH_OK;
}

static enum kh_err member(struct event_json *p)
{
	struct kh_slice key = {0}, name = {0};
	if (peek(p) != '"') return bad_token(p);
	KH_TRY(string(p, &key));
	if (peek(p) != ':') return bad_token(p);
	p->at++;
	KH_TRY(join(p, key, &name));
	return value(p, name);
}

/* One member or element of the innermost open object or array, or its end. */
static enum kh_err step(struct event_json *p)
{
	struct frame *f = &p->frames[p->depth - 1];
	if (peek(p) == (f->array ? ']' : '}')) return close_frame(p);
	if (f->started) {
		if (peek(p) != ',') return bad_token(p);
		p->at++;
	}
	f->started = true;
	return f->array ? value(p, f->path) : member(p);
}

static enum kh_err walk(struct event_json *p)
{
	if (peek(p) != '{') return fail(p, JSON_FAULT_NOT_OBJECT, M_JSON_NOT_OBJECT, p->index[0]);
	KH_TRY(open_frame(p, (struct kh_slice){0}, false));
	while (p->depth > 0) KH_TRY(step(p));
	if (p->at < p->n_index) return fail(p, JSON_FAULT_SYNTAX, M_JSON_TRAILING, p->index[p->at]);
	return KH_OK;
}

static enum kh_err refused(struct event_json *p, enum json_shim_err err, struct kh_slice line)
{
	/* stage 1 names broken UTF-8 last, but it is the better reason: a cut or foreign byte breaks the rest. */
	size_t good = utf8_good(line);
	if (good < line.n) return fail(p, JSON_FAULT_UTF8, M_JSON_UTF8, good);
	if (err == JSON_SHIM_EMPTY) return fail(p, JSON_FAULT_EMPTY, M_JSON_EMPTY, 0);
	if (err == JSON_SHIM_CONTROL) return fail(p, JSON_FAULT_SYNTAX, M_JSON_CONTROL, 0);
	return fail(p, JSON_FAULT_SYNTAX, M_JSON_UNCLOSED, line.n);
}

static enum kh_err parse(struct event_json *p, struct kh_slice line)
{
	p->shift = 0;
	if (kh_slice_starts(line, KH_LIT("\xef\xbb\xbf"))) {
		line = kh_slice_from(line, 3);
		p->shift = 3;
	}
	if (line.n > EVENT_MAX_BYTES) return fail(p, JSON_FAULT_TOO_LONG, M_JSON_TOO_LONG, line.n);
	if (line.n == 0) return fail(p, JSON_FAULT_EMPTY, M_JSON_EMPTY, 0);
	memcpy(p->text, line.p, line.n);
	memset(p->text + line.n, ' ', JSON_SHIM_PADDING);
	enum json_shim_err err = json_shim_index(p->shim, p->text, line.n, &p->index, &p->n_index);
	if (err != JSON_SHIM_OK) return refused(p, err, line);
	p->at = p->depth = p->plain_len = p->names_len = 0;
	return walk(p);
}

enum kh_err event_json_append(struct event_json *p, struct kh_slice text, struct event *out,
							  struct kh_diag *diag)
{
	size_t n_before = out->n_fields;
	p->out = out;
	p->diag = diag;
	p->fault = JSON_FAULT_NONE;
	enum kh_err err = parse(p, text);
	if (err != KH_OK) out->n_fields = n_before;
	return err;
}

enum kh_err event_json_parse(struct event_json *p, struct kh_slice line, struct event *out,
							 struct kh_diag *diag)
{
	event_clear(out);
	out->raw = line;
	return event_json_append(p, line, out, diag);
}
