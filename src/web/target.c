/* SPDX-License-Identifier: Apache-2.0 */
#include "web/target.h"

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

/* Where decoded bytes go: never more than were read. */
struct writer {
	uint8_t *p;
	size_t n;
};

static enum kh_err decode(struct kh_slice s, bool plus_is_blank, struct writer *w, struct kh_slice *out)
{
	uint8_t *start = w->p + w->n;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (c == '%') {
			int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
			int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
			if (high < 0 || low < 0) return KH_EFORMAT;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		} else if (c <= 0x20 || c == 0x7f) {
			return KH_EFORMAT; /* never bare in a target */
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		start[n++] = c;
	}
	*out = (struct kh_slice){start, n};
	w->n += n;
	return kh_utf8_ok(*out) ? KH_OK : KH_EFORMAT;
}

static bool dots_only(struct kh_slice segment)
{
	return kh_slice_is(segment, ".") || kh_slice_is(segment, "..");
}

/* Segment by segment, because an encoded slash must not become one. */
static enum kh_err parse_path(struct kh_slice raw, struct writer *w, struct kh_slice *out)
{
	uint8_t *start = w->p + w->n;
	if (raw.n == 0 || raw.p[0] != '/') return KH_EFORMAT;
	while (raw.n > 0) {
		struct kh_slice segment, decoded;
		w->p[w->n++] = '/';
		raw = kh_slice_from(raw, 1);
		size_t n = 0;
		while (n < raw.n && raw.p[n] != '/') n++;
		segment = kh_slice_to(raw, n);
		raw = kh_slice_from(raw, n);
		if (segment.n == 0 && raw.n > 0) return KH_EFORMAT; /* "//" */
		KH_TRY(decode(segment, false, w, &decoded));
		if (dots_only(decoded)) return KH_EFORMAT;
		for (size_t i = 0; i < decoded.n; i++)
			if (decoded.p[i] < 0x20 || decoded.p[i] == 0x7f || decoded.p[i] == '/' || decoded.p[i] == '\\')
				return KH_EFORMAT;
	}
	*out = (struct kh_slice){start, (size_t)(w->p + w->n - start)};
	return KH_OK;
}

/* Names hold no control byte; values may hold tabs and line breaks: a search text can. */
static bool pair_ok(const struct target_pair *pair)
{
	if (pair->name.n == 0) return false;
	for (size_t i = 0; i < pair->name.n; i++)
		if (pair->name.p[i] < 0x20 || pair->name.p[i] == 0x7f) return false;
	for (size_t i = 0; i < pair->value.n; i++) {
		uint8_t c = pair->value.p[i];
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) return false;
	}
	return true;
}

static enum kh_err parse_query(struct kh_slice raw, struct writer *w, struct target *t)
{
	while (raw.n > 0) {
		struct kh_slice one, name;
		if (!kh_slice_cut(&raw, '&', &one)) {
			one = raw;
			raw = (struct kh_slice){0};
		}
		if (one.n == 0) continue;
		if (t->n_query == TARGET_MAX_PAIRS) return KH_ELIMIT;
		struct target_pair *pair = &t->query[t->n_query];
		if (!kh_slice_cut(&one, '=', &name)) {
			name = one;
			one = (struct kh_slice){0};
		}
		KH_TRY(decode(name, true, w, &pair->name));
		KH_TRY(decode(one, true, w, &pair->value));
		if (!pair_ok(pair)) return KH_EFORMAT;
		t->n_query++;
	}
	return KH_OK;
}

/* The absolute form is for proxies, but a server must take it (RFC 9112, 3.2.2). */
static struct kh_slice without_authority(struct kh_slice s)
{
	static const char *const schemes[] = {"http://", "https://"};
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		if (s.n < n || !kh_slice_case_eq(kh_slice_to(s, n), kh_str(schemes[i]))) continue;
		while (n < s.n && s.p[n] != '/' && s.p[n] != '?') n++;
		return kh_slice_from(s, n);
	}
	return s;
}

enum kh_err target_parse(struct kh_slice text, uint8_t *room, struct target *out)
{
	struct target t = {.n_query = 0};
	struct writer w = {room, 0};
	struct kh_slice query = without_authority(text), path;
	if (!kh_slice_cut(&query, '?', &path)) {
		path = query;
		query = (struct kh_slice){0};
	}
	KH_TRY(parse_path(path, &w, &t.path));
	KH_TRY(parse_query(query, &w, &t));
	*out = t;
	return KH_OK;
}

static bool is_proxy(const struct kh_address *a, const struct kh_prefix *proxies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (kh_prefix_holds(&proxies[i], a)) return true;
	return false;
}

struct kh_address target_client(struct kh_address peer, struct kh_slice forwarded,
								const struct kh_prefix *proxies, size_t n)
{
	struct kh_address client = peer;
	for (size_t hop = 0; hop < TARGET_MAX_HOPS && forwarded.n > 0 && is_proxy(&client, proxies, n); hop++) {
		size_t start = forwarded.n;
		while (start > 0 && forwarded.p[start - 1] != ',') start--;
		struct kh_slice last = kh_slice_trim(kh_slice_from(forwarded, start));
		struct kh_address a;
		if (kh_address_parse(last, &a) != KH_OK) break;
		client = a;
		forwarded = kh_slice_to(forwarded, start > 0 ? start - 1 : 0);
	}
	return client;
}

/* "q=0.7" in thousandths (RFC 9110, 12.4.2); what is no weight counts as refused. */
static unsigned weight_of(struct kh_slice parameters)
{
	parameters = kh_slice_trim(parameters);
	if (parameters.n == 0) return 1000;
	if (parameters.n < 3 || !kh_slice_case_eq(kh_slice_to(parameters, 2), KH_LIT("q="))) return 0;
	unsigned value = parameters.p[2] == '1' ? 1000 : 0, step = 100;
	for (size_t i = 4; i < parameters.n && i < 7 && value < 1000; i++, step /= 10) {
		if (parameters.p[i] < '0' || parameters.p[i] > '9') return 0;
		value += (unsigned)(parameters.p[i] - '0') * step;
	}
	return value;
}

static bool names_language(struct kh_slice range, const char *tag)
{
	return range.n >= 2 && kh_slice_case_eq(kh_slice_to(range, 2), kh_str(tag)) &&
		   (range.n == 2 || range.p[2] == '-');
}

enum kh_lang target_language(struct kh_slice accept, enum kh_lang otherwise)
{
	enum kh_lang best = otherwise;
	unsigned best_weight = 0;
	while (accept.n > 0) {
		struct kh_slice one, range;
		if (!kh_slice_cut(&accept, ',', &one)) {
			one = accept;
			accept = (struct kh_slice){0};
		}
		if (!kh_slice_cut(&one, ';', &range)) {
			range = one;
			one = (struct kh_slice){0};
		}
		range = kh_slice_trim(range);
		bool vi = names_language(range, "vi"), en = names_language(range, "en");
		unsigned weight = weight_of(one);
		if ((!vi && !en) || weight <= best_weight) continue;
		best = vi ? KH_VI : KH_EN;
		best_weight = weight;
	}
	return best;
}
