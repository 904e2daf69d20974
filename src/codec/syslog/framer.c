/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/syslog/framer.h"

#include <stdlib.h>

enum state { HEAD, LINE, COUNTED, SKIP_LINE, SKIP_COUNTED };
enum { COUNT_DIGITS = 9 };

struct syslog_framer {
	enum state state;
	size_t left; /* bytes of a counted message still to come */
	size_t max, n;
	uint64_t count; /* in HEAD: the digits so far */
	struct syslog_framer_counts counts;
	uint8_t held[]; /* the head, or the unfinished message; `max` bytes and room for a head */
};

struct syslog_framer *syslog_framer_new(size_t max_message)
{
	size_t size;
	if (__builtin_add_overflow(sizeof(struct syslog_framer) + COUNT_DIGITS + 2, max_message, &size))
		return NULL;
	struct syslog_framer *f = calloc(1, size);
	if (f != NULL) f->max = max_message;
	return f;
}

void syslog_framer_free(struct syslog_framer *f)
{
	free(f);
}

struct syslog_framer_counts syslog_framer_counts(const struct syslog_framer *f)
{
	return f->counts;
}

static enum kh_err give(struct syslog_framer *f, struct kh_slice message, syslog_sink *sink, void *context)
{
	f->state = HEAD;
	f->n = 0;
	f->count = 0;
	if (message.n > 0 && message.p[message.n - 1] == '\n') message.n--;
	if (message.n > 0 && message.p[message.n - 1] == '\r') message.n--;
	if (message.n == 0) return KH_OK;
	if (message.n > f->max) {
		f->counts.n_too_long++;
		return KH_OK;
	}
	f->counts.n_messages++;
	return sink(context, message);
}

static void start_counted(struct syslog_framer *f)
{
	f->n = 0;
	f->left = (size_t)f->count;
	f->state = COUNTED;
	if (f->count > FRAMER_MAX_COUNT) {
		f->counts.n_bad_count++;
		f->state = SKIP_LINE;
	} else if (f->left > f->max) {
		f->counts.n_too_long++;
		f->state = SKIP_COUNTED;
	}
}

/* One byte of "LEN <" (the '<' is only looked at). Returns how many bytes were used. */
static size_t head_byte(struct syslog_framer *f, uint8_t c)
{
	bool counted = f->n > 0 && f->held[f->n - 1] == ' ';
	bool digit = c >= '0' && c <= '9';
	if (f->n == 0 && (c == '\n' || c == '\r')) return 1;
	if (counted && c == '<') {
		start_counted(f);
		return 0;
	}
	if (counted || (digit ? f->n == COUNT_DIGITS || (f->n == 0 && c == '0') : c != ' ' || f->n == 0)) {
		f->state = LINE;
		return 0;
	}
	if (digit) f->count = f->count * 10 + (uint64_t)(c - '0');
	f->held[f->n++] = c;
	return 1;
}

/* Keeps bytes of a message; false when it is past the limit. */
static bool keep(struct syslog_framer *f, struct kh_slice part)
{
	if (part.n > f->max + 1 || f->n > f->max + 1 - part.n)
		return false; /* one more: the CR before a LF to come */
	if (part.n > 0) memcpy(f->held + f->n, part.p, part.n);
	f->n += part.n;
	return true;
}

/* Each of the four takes bytes off the front and says how many. */
static enum kh_err line(struct syslog_framer *f, struct kh_slice s, syslog_sink *sink, void *context,
						size_t *used)
{
	const uint8_t *lf = memchr(s.p, '\n', s.n);
	struct kh_slice part = kh_slice_to(s, lf != NULL ? (size_t)(lf - s.p) : s.n);
	*used = part.n + (lf != NULL);
	if (f->n == 0 && lf != NULL) return give(f, part, sink, context);
	if (!keep(f, part)) {
		f->counts.n_too_long++;
		f->n = 0;
		f->count = 0;
		f->state = lf != NULL ? HEAD : SKIP_LINE;
		return KH_OK;
	}
	return lf != NULL ? give(f, (struct kh_slice){f->held, f->n}, sink, context) : KH_OK;
}

static enum kh_err counted(struct syslog_framer *f, struct kh_slice s, syslog_sink *sink, void *context,
						   size_t *used)
{
	struct kh_slice part = kh_slice_to(s, f->left);
	*used = part.n;
	f->left -= part.n;
	if (f->left == 0 && f->n == 0) return give(f, part, sink, context);
	(void)keep(f, part); /* start_counted() has seen that it fits */
	return f->left == 0 ? give(f, (struct kh_slice){f->held, f->n}, sink, context) : KH_OK;
}

static size_t skip_line(struct syslog_framer *f, struct kh_slice s)
{
	const uint8_t *lf = memchr(s.p, '\n', s.n);
	if (lf == NULL) return s.n;
	f->state = HEAD;
	f->n = 0;
	f->count = 0;
	return (size_t)(lf - s.p) + 1;
}

static size_t skip_counted(struct syslog_framer *f, struct kh_slice s)
{
	size_t n = s.n < f->left ? s.n : f->left;
	f->left -= n;
	if (f->left == 0) {
		f->state = HEAD;
		f->n = 0;
		f->count = 0;
	}
	return n;
}

enum kh_err syslog_framer_feed(struct syslog_framer *f, struct kh_slice bytes, syslog_sink *sink,
							   void *context)
{
	while (bytes.n > 0) {
		size_t used = 0;
		enum kh_err err = KH_OK;
		switch (f->state) {
		case HEAD:
			used = head_byte(f, bytes.p[0]);
			break;
		case LINE:
			err = line(f, bytes, sink, context, &used);
			break;
		case COUNTED:
			err = counted(f, bytes, sink, context, &used);
			break;
		case SKIP_LINE:
			used = skip_line(f, bytes);
			break;
		case SKIP_COUNTED:
			used = skip_counted(f, bytes);
			break;
		}
		KH_TRY(err);
		bytes = kh_slice_from(bytes, used);
	}
	return KH_OK;
}

enum kh_err syslog_framer_end(struct syslog_framer *f, syslog_sink *sink, void *context)
{
	enum state was = f->state;
	if (was == COUNTED || was == SKIP_COUNTED) f->counts.n_cut++;
	struct kh_slice rest = {f->held, was == LINE || was == HEAD ? f->n : 0};
	return give(f, rest, sink, context);
}
