/* SPDX-License-Identifier: Apache-2.0 */
#include "base/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

static const char *const texts[KH_N_LANGS][M_COUNT] = {
	[KH_VI] =
		{
#define KH_M(key, text) [M_##key] = text,
#include "catalogue/vi.def"
		},
	[KH_EN] =
		{
#include "catalogue/en.def"
#undef KH_M
		},
};

static const char *const keys[M_COUNT] = {
#define KH_M(key, text) [M_##key] = #key,
#include "catalogue/en.def"
#undef KH_M
};

static enum kh_lang current = KH_VI;

void kh_lang_set(enum kh_lang lang)
{
	current = lang;
}

enum kh_lang kh_lang(void)
{
	return current;
}

enum kh_lang kh_lang_from_environment(void)
{
	static const char *const names[] = {"KHIEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *v = getenv(names[i]);
		if (v == NULL || *v == '\0') continue;
		return strncmp(v, "en", 2) == 0 ? KH_EN : KH_VI;
	}
	return KH_VI;
}

const char *kh_msg_in(enum kh_lang lang, enum kh_msg key)
{
	return texts[lang][key] != NULL ? texts[lang][key] : keys[key];
}

const char *kh_msg(enum kh_msg key)
{
	return kh_msg_in(current, key);
}

const char *kh_msg_key(enum kh_msg key)
{
	return keys[key];
}

enum { MAX_ARGS = 10 };

struct args {
	const char *at[MAX_ARGS];
	size_t n;
};

static struct args args_of(va_list ap)
{
	struct args a = {0};
	const char *v;
	while ((v = va_arg(ap, const char *)) != NULL)
		if (a.n < MAX_ARGS) a.at[a.n++] = v;
	return a;
}

/* Takes back a character that the end of the buffer cut in two. */
static void cut_whole(char *out, size_t len)
{
	while (len > 0 && ((unsigned char)out[len - 1] & 0xc0) == 0x80) len--;
	if (len > 0 && ((unsigned char)out[len - 1] & 0x80) != 0) len--;
	out[len] = '\0';
}

static void fill(char *out, size_t cap, const char *text, const struct args *a)
{
	size_t len = 0;
	for (const char *p = text; *p != '\0';) {
		const char *piece = p;
		size_t n = 1;
		if (p[0] == '{' && p[1] >= '0' && p[1] <= '9' && p[2] == '}') {
			size_t index = (size_t)(p[1] - '0');
			piece = index < a->n ? a->at[index] : "";
			n = strlen(piece);
			p += 3;
		} else {
			p++;
		}
		size_t room = cap - 1 - len;
		memcpy(out + len, piece, n < room ? n : room);
		len += n < room ? n : room;
		if (n > room) {
			cut_whole(out, len);
			return;
		}
	}
	out[len] = '\0';
}

void kh_msg_write(char *out, size_t cap, enum kh_lang lang, enum kh_msg key, ...)
{
	va_list ap;
	va_start(ap, key);
	struct args a = args_of(ap);
	va_end(ap);
	if (cap > 0) fill(out, cap, kh_msg_in(lang, key), &a);
}

static void one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = ' ';
}

enum kh_err kh_say(struct kh_diag *d, enum kh_err err, enum kh_msg key, ...)
{
	if (d == NULL) return err;
	va_list ap;
	va_start(ap, key);
	struct args a = args_of(ap);
	va_end(ap);
	d->sys = 0;
	fill(d->text, sizeof d->text, kh_msg(key), &a);
	one_line(d->text);
	return err;
}

enum kh_err kh_say_errno(struct kh_diag *d, enum kh_msg key, ...)
{
	int sys = errno;
	if (d == NULL) return KH_ESYS;
	va_list ap;
	va_start(ap, key);
	struct args a = args_of(ap);
	va_end(ap);
	char buf[128];
	if (a.n < MAX_ARGS) a.at[a.n++] = strerror_r(sys, buf, sizeof buf);
	d->sys = sys;
	fill(d->text, sizeof d->text, kh_msg(key), &a);
	one_line(d->text);
	return KH_ESYS;
}

void kh_print(FILE *to, enum kh_msg key, ...)
{
	char line[4096];
	va_list ap;
	va_start(ap, key);
	struct args a = args_of(ap);
	va_end(ap);
	fill(line, sizeof line, kh_msg(key), &a);
	fprintf(to, "%s\n", line);
}

char *kh_dec(char buf[24], int64_t v)
{
	snprintf(buf, 24, "%" PRId64, v);
	return buf;
}
