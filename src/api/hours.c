/* SPDX-License-Identifier: Apache-2.0 */
#include "api/hours.h"

#include "base/time.h"

enum { DAY_MINUTES = 24 * 60 };

struct span {
	unsigned first_day, last_day; /* 0 = Monday; the span may run over Sunday */
	unsigned from, to;            /* minutes of the day; to <= from runs over midnight */
};

static const struct {
	const char *name;
	unsigned day;
} days[] = {
	{"t2", 0},  {"t3", 1},  {"t4", 2},  {"t5", 3},  {"t6", 4},  {"t7", 5},  {"cn", 6},
	{"mon", 0}, {"tue", 1}, {"wed", 2}, {"thu", 3}, {"fri", 4}, {"sat", 5}, {"sun", 6},
};

static bool read_day(struct kh_slice s, unsigned *out)
{
	for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
		if (!kh_slice_case_eq(s, kh_str(days[i].name))) continue;
		*out = days[i].day;
		return true;
	}
	return false;
}

static bool read_clock(struct kh_slice s, unsigned *out)
{
	struct kh_slice hour;
	uint64_t h, m;
	if (!kh_slice_cut(&s, ':', &hour)) return false;
	if (s.n != 2 || kh_slice_u64(hour, 24, &h) != KH_OK || kh_slice_u64(s, 59, &m) != KH_OK) return false;
	*out = (unsigned)(h * 60 + m);
	return *out <= DAY_MINUTES;
}

static bool read_span(struct kh_slice s, struct span *out)
{
	struct kh_slice on, first, from;
	if (!kh_slice_cut(&s, ' ', &on)) return false;
	struct kh_slice last = on, to = kh_slice_trim(s);
	if (!kh_slice_cut(&last, '-', &first)) first = last;
	if (!kh_slice_cut(&to, '-', &from)) return false;
	return read_day(first, &out->first_day) && read_day(last, &out->last_day) &&
		   read_clock(from, &out->from) && read_clock(to, &out->to);
}

static bool day_in(const struct span *s, unsigned day)
{
	if (s->first_day <= s->last_day) return day >= s->first_day && day <= s->last_day;
	return day >= s->first_day || day <= s->last_day;
}

static bool span_holds(const struct span *s, unsigned day, unsigned minute)
{
	if (s->from < s->to) return day_in(s, day) && minute >= s->from && minute < s->to;
	if (minute >= s->from) return day_in(s, day);
	return minute < s->to && day_in(s, (day + 6) % 7);
}

/* Walks the spans; tells whether all are well formed, and in *held whether one of them holds. */
static bool walk(struct kh_slice text, unsigned day, unsigned minute, bool *held)
{
	struct kh_slice part;
	bool more = true;
	*held = false;
	while (more) {
		struct span s;
		more = kh_slice_cut(&text, ',', &part);
		if (!read_span(kh_slice_trim(more ? part : text), &s)) return false;
		*held = *held || span_holds(&s, day, minute);
	}
	return true;
}

static bool always(struct kh_slice text)
{
	return kh_slice_case_eq(text, KH_LIT("24x7")) || kh_slice_is(text, "24/7");
}

bool hours_ok(struct kh_slice text)
{
	bool held;
	text = kh_slice_trim(text);
	return text.n == 0 || always(text) || walk(text, 0, 0, &held);
}

bool hours_hold(struct kh_slice text, int64_t time_ns)
{
	struct kh_civil c = kh_civil_of(time_ns, KH_VIETNAM_OFFSET_S);
	bool held;
	text = kh_slice_trim(text);
	if (always(text)) return true;
	return text.n > 0 && walk(text, c.weekday, c.hour * 60u + c.minute, &held) && held;
}
