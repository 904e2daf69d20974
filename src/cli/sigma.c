/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sigma.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/config.h"
#include "base/message.h"
#include "base/time.h"
#include "codec/line/line.h"
#include "codec/lines/lines.h"
#include "cli/cli.h"
#include "engine/sigma/predicate.h"
#include "engine/sigma/sigma.h"
#include "role/sensor/rules.h"

enum {
	MAX_NAMES = 64,
	MAPPING_BYTES = 64 << 20,
	MAPPING_BLOCK = 1 << 16,
	LONG_BUILD = 500 /* rules: more than half a second */
};

struct options {
	bool json, counts, stats;
	const char *rules[MAX_NAMES], *packs[MAX_NAMES], *mapping_folder, *config;
	size_t n_rules, n_packs;
	bool packs_named, declared;
	enum line_format format;
	struct sigma_logsource logsource;
};

/* What one run holds. */
struct run {
	struct options o;
	struct kh_arena *arena;
	struct settings *settings; /* of --config, or NULL */
	struct sigma_placeholders placeholders;
	struct sigma_rules *rules;
	struct mapping mapping;
	struct sigma_engine *engine;
	struct sigma_scratch *scratch;
	struct line_parser *parser;
	struct event event;
	const char *file;
	uint64_t line, n_events, n_bad, n_hits;
	uint64_t *counts;
	bool progress;
	int64_t shown_ns;
};

static int complain(const struct kh_diag *d, int code)
{
	fprintf(stderr, "khien: %s\n", d->text);
	return code;
}

static int usage(enum kh_msg key)
{
	kh_print(stderr, key, NULL);
	return EX_USAGE;
}

static int code_of(enum kh_err err)
{
	switch (err) {
	case KH_OK:
		return EX_OK;
	case KH_ESYS:
		return EX_NOINPUT;
	case KH_ENOMEM:
		return EX_OSERR;
	case KH_ESHORT:
	case KH_EFORMAT:
	case KH_ERANGE:
	case KH_ELIMIT:
		return EX_DATAERR;
	}
	return EX_SOFTWARE;
}

/* ---- options ---- */

enum option_id {
	OPT_JSON = 1000,
	OPT_COUNTS,
	OPT_RULES,
	OPT_MAPPING,
	OPT_FOLDER,
	OPT_LOGSOURCE,
	OPT_FORMAT,
	OPT_STATS,
	OPT_CONFIG
};

static const struct option long_options[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{"counts", no_argument, NULL, OPT_COUNTS},
	{"stats", no_argument, NULL, OPT_STATS},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"rules", required_argument, NULL, OPT_RULES},
	{"mapping", required_argument, NULL, OPT_MAPPING},
	{"mapping-folder", required_argument, NULL, OPT_FOLDER},
	{"logsource", required_argument, NULL, OPT_LOGSOURCE},
	{"format", required_argument, NULL, OPT_FORMAT},
	{0},
};

static bool split_packs(struct options *o, char *text)
{
	o->packs_named = true;
	for (char *name = text, *comma; name != NULL; name = comma) {
		comma = strchr(name, ',');
		if (comma != NULL) *comma++ = '\0';
		if (*name == '\0' || o->n_packs == MAX_NAMES) return false;
		o->packs[o->n_packs++] = name;
	}
	return true;
}

/* product=aws,service=cloudtrail */
static bool parse_logsource(struct options *o, const char *text)
{
	struct kh_slice rest = kh_str(text), piece, key;
	o->declared = true;
	for (bool more = true; more;) {
		more = kh_slice_cut(&rest, ',', &piece);
		if (!more) piece = rest;
		if (!kh_slice_cut(&piece, '=', &key)) return false;
		if (kh_slice_is(key, "product"))
			o->logsource.product = piece;
		else if (kh_slice_is(key, "category"))
			o->logsource.category = piece;
		else if (kh_slice_is(key, "service"))
			o->logsource.service = piece;
		else
			return false;
	}
	return true;
}

static bool take_option(struct options *o, int id, char *value)
{
	switch (id) {
	case OPT_JSON:
		return o->json = true;
	case OPT_COUNTS:
		return o->counts = true;
	case OPT_STATS:
		return o->stats = true;
	case OPT_RULES:
		if (o->n_rules == MAX_NAMES) return false;
		o->rules[o->n_rules++] = value;
		return true;
	case OPT_MAPPING:
		return split_packs(o, value);
	case OPT_FOLDER:
		o->mapping_folder = value;
		return true;
	case OPT_CONFIG:
		o->config = value;
		return true;
	case OPT_LOGSOURCE:
		return parse_logsource(o, value);
	case OPT_FORMAT:
		return line_format_of(kh_str(value), &o->format);
	default:
		return false;
	}
}

static void unknown_option(const char *typed)
{
	const char *words[sizeof long_options / sizeof *long_options + 1] = {NULL};
	for (size_t i = 0; long_options[i].name != NULL; i++) words[i] = long_options[i].name;
	const char *near = strncmp(typed, "--", 2) == 0 ? kh_nearest(typed + 2, words) : NULL;
	kh_print(stderr, M_CLI_UNKNOWN_OPTION, typed, NULL);
	if (near != NULL) kh_print(stderr, M_CLI_DID_YOU_MEAN, "", "--", near, NULL);
}

static bool parse_options(struct options *o, int argc, char **argv)
{
	int id, row = 0;
	optind = 1;
	opterr = 0;
	while ((id = getopt_long(argc, argv, "", long_options, &row)) != -1) {
		if (id != '?' && take_option(o, id, optarg)) continue;
		if (id != '?')
			kh_print(stderr, M_SIGMA_OPTION_VALUE, long_options[row].name, optarg, NULL);
		else if (optopt >= OPT_JSON)
			kh_print(stderr, M_CLI_OPTION_VALUE, argv[optind - 1], NULL);
		else
			unknown_option(argv[optind - 1]);
		return false;
	}
	return true;
}

/* ---- one run ---- */

/* EX_CONFIG after saying why. Only what --config names: a check of rules asks no setting of the machine. */
static int run_settings(struct run *r)
{
	const char *path;
	if (r->o.config == NULL) return EX_OK;
	r->settings = cli_settings(&(struct cli){.config = r->o.config}, &path);
	return r->settings != NULL ? EX_OK : EX_CONFIG;
}

static enum kh_err run_open(struct run *r, struct kh_diag *diag)
{
	r->arena = kh_arena_new(MAPPING_BLOCK, MAPPING_BYTES);
	if (r->settings != NULL && r->arena != NULL) r->placeholders = sensor_placeholders(r->settings, r->arena);
	r->rules = sigma_rules_new(&r->placeholders);
	r->parser = line_parser_new();
	if (r->arena == NULL || r->rules == NULL || r->parser == NULL)
		return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	r->progress = isatty(STDERR_FILENO) != 0 && (r->o.counts || isatty(STDOUT_FILENO) == 0);
	return mapping_load(r->arena, r->o.packs_named ? r->o.packs : NULL, r->o.n_packs, r->o.mapping_folder,
						&r->mapping, diag);
}

static void run_close(struct run *r)
{
	sigma_scratch_free(r->scratch);
	sigma_engine_free(r->engine);
	sigma_rules_free(r->rules);
	line_parser_free(r->parser);
	event_free(&r->event);
	kh_arena_free(r->arena);
	free(r->counts);
	settings_free(r->settings);
}

static void progress(struct run *r, const char *what, uint64_t n)
{
	if (!r->progress) return;
	int64_t now = kh_mono_ns();
	if (now - r->shown_ns < KH_SECOND / 4) return;
	r->shown_ns = now;
	fprintf(stderr, "\r%s %" PRIu64 "\x1b[K", what, n);
}

static void progress_end(const struct run *r)
{
	if (r->progress && r->shown_ns != 0) fprintf(stderr, "\r\x1b[K");
}

static enum kh_err run_engine(struct run *r, struct kh_diag *diag)
{
	size_t n = sigma_rules_count(r->rules);
	if (sigma_rules_documents(r->rules) == 0) kh_print(stderr, M_SIGMA_NO_RULES, NULL);
	if (n >= LONG_BUILD) progress(r, kh_msg(M_SIGMA_BUILDING), n);
	KH_TRY(sigma_engine_new(r->rules, &r->mapping, &r->engine, diag));
	r->scratch = sigma_scratch_new(r->engine);
	r->counts = calloc(sigma_rules_count(r->rules) + 1, sizeof *r->counts);
	if (r->scratch == NULL || r->counts == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	return KH_OK;
}

static void say_rejects(const struct run *r)
{
	for (size_t i = 0; i < sigma_rules_rejects(r->rules); i++) {
		const struct sigma_reject *x = sigma_rules_reject(r->rules, i);
		fprintf(stderr, "%s:%u: %s\n", x->file, x->line, x->reason);
	}
}

static void say_notes(const struct run *r)
{
	for (size_t i = 0; i < sigma_rules_count(r->rules); i++) {
		const struct sigma_rule *rule = sigma_rules_at(r->rules, i);
		for (uint32_t w = 0; w < rule->n_waits; w++) {
			fprintf(stderr, "%s:%u: ", rule->file, rule->line);
			kh_print(stderr, M_SIGMA_WAITS, (const char *)rule->waits[w].p, NULL);
		}
		if (!rule->narrows) continue;
		fprintf(stderr, "%s:%u: ", rule->file, rule->line);
		kh_print(stderr, M_SIGMA_NARROWS, NULL);
	}
}

/* ---- check ---- */

static int print_check(const struct run *r)
{
	json_t *rejected = json_array();
	for (size_t i = 0; i < sigma_rules_rejects(r->rules); i++) {
		const struct sigma_reject *x = sigma_rules_reject(r->rules, i);
		json_array_append_new(rejected, json_pack("{s:s, s:I, s:s}", "file", x->file, "line",
												  (json_int_t)x->line, "reason", x->reason));
	}
	json_t *all = json_pack("{s:I, s:I, s:I, s:o}", "files", (json_int_t)sigma_rules_files(r->rules), "rules",
							(json_int_t)sigma_rules_documents(r->rules), "loaded",
							(json_int_t)sigma_rules_count(r->rules), "rejected", rejected);
	int rc = all != NULL ? json_dumpf(all, stdout, JSON_COMPACT) : -1;
	putchar('\n');
	json_decref(all);
	return rc == 0 ? EX_OK : EX_OSERR;
}

static int check(struct run *r, int n, char **paths)
{
	struct kh_diag why = {0};
	if (run_settings(r) != EX_OK) return EX_CONFIG;
	enum kh_err err = run_open(r, &why);
	for (int i = 0; i < n && err == KH_OK; i++) {
		err = sigma_rules_add_path(r->rules, paths[i], &why);
		progress(r, kh_msg(M_SIGMA_FILES), sigma_rules_files(r->rules));
	}
	progress_end(r);
	if (err != KH_OK) return complain(&why, code_of(err));
	size_t n_rejects = sigma_rules_rejects(r->rules);
	if (r->o.json) {
		int code = print_check(r);
		if (code != EX_OK) return code;
	} else {
		say_rejects(r);
		say_notes(r);
		kh_print(stdout, M_SIGMA_CHECKED, KH_DEC(sigma_rules_files(r->rules)),
				 KH_DEC(sigma_rules_documents(r->rules)), KH_DEC(sigma_rules_count(r->rules)),
				 KH_DEC(n_rejects), NULL);
	}
	return n_rejects > 0 ? 1 : EX_OK;
}

int sigma_check_main(int argc, char **argv)
{
	struct run r = {0};
	if (!parse_options(&r.o, argc, argv) || optind == argc) return usage(M_SIGMA_USAGE_CHECK);
	int code = check(&r, argc - optind, argv + optind);
	run_close(&r);
	return code;
}

/* ---- match ---- */

static void json_text(struct kh_slice s)
{
	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_hit(const struct sigma_hit *h, const struct run *r)
{
	const struct sigma_rule *rule = h->rule;
	printf("{\"file\":");
	json_text(kh_str(r->file));
	printf(",\"line\":%" PRIu64 ",\"rule_id\":", r->line);
	json_text(rule->id);
	printf(",\"title\":");
	json_text(rule->title);
	printf(",\"level\":\"%s\",\"tags\":[", sigma_level_name(rule->level));
	for (uint32_t i = 0; i < rule->n_tags; i++) {
		if (i > 0) putchar(',');
		json_text(rule->tags[i]);
	}
	printf("],\"matched\":[");
	for (size_t i = 0; i < h->n_pairs; i++) {
		printf("%s{\"field\":", i > 0 ? "," : "");
		json_text(h->pairs[i].field);
		printf(",\"value\":");
		json_text(h->pairs[i].value);
		putchar('}');
	}
	printf("]}\n");
}

static void on_hit(const struct sigma_hit *h, void *context)
{
	struct run *r = context;
	r->n_hits++;
	r->counts[h->index]++;
	if (!r->o.counts) print_hit(h, r);
}

static void print_counts(struct run *r)
{
	const char *slash = strrchr(r->file, '/'), *base = slash != NULL ? slash + 1 : r->file;
	size_t n = strlen(base);
	if (n > 4 && strcmp(base + n - 4, ".zst") == 0) n -= 4;
	for (size_t i = 0; i < sigma_rules_count(r->rules); i++) {
		if (r->counts[i] == 0) continue;
		struct kh_slice id = sigma_rules_at(r->rules, i)->id;
		printf("%.*s\t%.*s\t%" PRIu64 "\n", (int)n, base, (int)id.n, id.p != NULL ? (const char *)id.p : "",
			   r->counts[i]);
		r->counts[i] = 0;
	}
}

static enum kh_err match_line(struct run *r, struct kh_slice line, struct kh_diag *diag)
{
	struct kh_diag why = {0};
	enum kh_err err = line_parse(r->parser, r->o.format, line, &r->event, &why);
	if (err == KH_ENOMEM) return kh_say(diag, err, M_OUT_OF_MEMORY, NULL);
	if (err != KH_OK) {
		if (r->n_bad++ < 5) fprintf(stderr, "%s:%" PRIu64 ": %s\n", r->file, r->line, why.text);
		return KH_OK;
	}
	r->n_events++;
	err = sigma_match(r->engine, r->scratch, &r->event, r->o.declared ? &r->o.logsource : NULL, on_hit, r);
	return err == KH_OK ? KH_OK : kh_say(diag, err, M_OUT_OF_MEMORY, NULL);
}

static enum kh_err match_file(struct run *r, const char *path, struct kh_diag *diag)
{
	struct lines *lines = NULL;
	KH_TRY(lines_open(path, NULL, &lines, diag));
	r->file = path;
	r->line = 0;
	struct kh_slice line;
	enum kh_err err;
	while ((err = lines_next(lines, &line, diag)) == KH_OK && line.p != NULL) {
		r->line = lines_counts(lines).n_lines;
		if (kh_slice_trim(line).n == 0) continue;
		if ((err = match_line(r, line, diag)) != KH_OK) break;
		if ((r->n_events & 255) == 0) progress(r, kh_msg(M_SIGMA_EVENTS), r->n_events);
	}
	uint64_t skipped = lines_counts(lines).n_too_long;
	if (skipped > 0) kh_print(stderr, M_SIGMA_LONG_LINES, path, KH_DEC(skipped), NULL);
	lines_free(lines);
	if (r->o.counts) print_counts(r);
	return err;
}

static void say_stats(const struct run *r, int64_t ns)
{
	struct sigma_stats s = sigma_engine_stats(r->engine);
	struct rusage used = {0};
	(void)getrusage(RUSAGE_SELF, &used);
	fprintf(
		stderr,
		"rules=%zu filters=%zu slots=%zu atoms=%zu indexed=%zu plain=%zu databases=%zu database_bytes=%zu "
		"always=%zu build_ms=%" PRId64 " events=%" PRIu64 " bad=%" PRIu64 " hits=%" PRIu64
		" match_ms=%" PRId64 " events_per_s=%.0f peak_kib=%ld\n",
		s.rules, s.filters, s.slots, s.atoms, s.indexed, s.slow, s.databases, s.database_bytes, s.always,
		s.build_ns / 1000000, r->n_events, r->n_bad, r->n_hits, ns / 1000000,
		ns > 0 ? (double)r->n_events * 1e9 / (double)ns : 0.0, used.ru_maxrss);
}

static int match(struct run *r, int n, char **files)
{
	struct kh_diag why = {0};
	if (run_settings(r) != EX_OK) return EX_CONFIG;
	enum kh_err err = run_open(r, &why);
	for (size_t i = 0; i < r->o.n_rules && err == KH_OK; i++)
		err = sigma_rules_add_path(r->rules, r->o.rules[i], &why);
	if (err == KH_OK) say_rejects(r);
	if (err == KH_OK) err = run_engine(r, &why);
	if (err != KH_OK) return complain(&why, code_of(err));
	int code = EX_OK;
	int64_t begin = kh_mono_ns();
	for (int i = 0; i < n; i++) { /* one bad file does not hide the others */
		err = match_file(r, files[i], &why);
		if (err != KH_OK) code = complain(&why, code_of(err));
	}
	progress_end(r);
	if (r->n_bad > 0) kh_print(stderr, M_SIGMA_BAD_LINES, KH_DEC(r->n_bad), NULL);
	if (r->o.stats) say_stats(r, kh_mono_ns() - begin);
	return code;
}

int sigma_match_main(int argc, char **argv)
{
	struct run r = {0};
	if (!parse_options(&r.o, argc, argv) || optind == argc || r.o.n_rules == 0)
		return usage(M_SIGMA_USAGE_MATCH);
	int code = match(&r, argc - optind, argv + optind);
	run_close(&r);
	return code;
}

/* ---- explain ---- */

static json_t *explain_expr(struct run *r, const struct sigma_expr *x, unsigned depth)
{
	static const char *const kinds[] = {"and", "or", "not", "at_least", "field"};
	static const char *const truths[] = {"no", "yes", "missing"};
	json_t *o = json_object();
	bool holds = sigma_ask_expr(r->engine, r->scratch, x);
	json_object_set_new(o, "kind", json_string(kinds[x->kind]));
	if (x->name.n > 0) json_object_set_new(o, "selection", json_stringn((const char *)x->name.p, x->name.n));
	json_object_set_new(o, "holds", json_boolean(holds));
	if (x->kind == SIGMA_PRED) {
		struct kh_buf b = KH_BUF(1 << 16);
		predicate_print(x->pred, &b);
		json_object_set_new(o, "test", json_stringn(b.bytes != NULL ? b.bytes : "", b.n));
		json_object_set_new(o, "answer", json_string(truths[sigma_ask(r->engine, r->scratch, x->pred)]));
		kh_buf_free(&b);
		return o;
	}
	json_t *of = json_array();
	for (uint32_t i = 0; i < x->n; i++) json_array_append_new(of, explain_expr(r, x->kids[i], depth + 1));
	json_object_set_new(o, "of", of);
	return o;
}

static void print_tree(const json_t *o, int depth)
{
	const char *name = json_string_value(json_object_get(o, "selection")), *test = NULL;
	const char *kind = json_string_value(json_object_get(o, "kind"));
	const char *answer = json_string_value(json_object_get(o, "answer"));
	bool holds = json_is_true(json_object_get(o, "holds"));
	test = json_string_value(json_object_get(o, "test"));
	enum kh_msg word = answer != NULL && strcmp(answer, "missing") == 0 ? M_SIGMA_FIELD_MISSING
					   : holds                                          ? M_SIGMA_HOLDS
																		: M_SIGMA_HOLDS_NOT;
	printf("%*s%s  %s%s%s\n", depth * 2, "", kh_msg(word), name != NULL ? name : "", name != NULL ? ": " : "",
		   test != NULL ? test : kind);
	size_t i;
	const json_t *kid;
	json_array_foreach(json_object_get(o, "of"), i, kid) print_tree(kid, depth + 1);
}

static void explain_rule(struct run *r, size_t i)
{
	const struct sigma_rule *rule = sigma_rules_at(r->rules, i), *f;
	bool source = sigma_ask_logsource(r->engine, r->scratch, i);
	json_t *o = json_pack("{s:s%, s:s%, s:b, s:o}", "rule_id", rule->id.n > 0 ? (const char *)rule->id.p : "",
						  rule->id.n, "title", (const char *)rule->title.p, rule->title.n, "logsource",
						  (int)source, "condition", explain_expr(r, rule->condition, 0));
	json_t *filters = json_array();
	for (size_t k = 0; (f = sigma_filter_of(r->engine, i, k)) != NULL; k++)
		json_array_append_new(filters, explain_expr(r, f->condition, 0));
	json_object_set_new(o, "filters", filters);
	json_object_set_new(o, "matches", json_boolean(sigma_hits(r->scratch)[i] > 0));
	if (r->o.json) {
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		kh_print(stdout, sigma_hits(r->scratch)[i] > 0 ? M_SIGMA_MATCHES : M_SIGMA_MATCHES_NOT,
				 (const char *)rule->title.p, NULL);
		kh_print(stdout, source ? M_SIGMA_SOURCE_FITS : M_SIGMA_SOURCE_FITS_NOT, NULL);
		print_tree(json_object_get(o, "condition"), 0);
		size_t k;
		const json_t *kid;
		json_array_foreach(filters, k, kid) print_tree(kid, 0);
	}
	json_decref(o);
}

/* The event of FILE, or of line N with FILE:N. */
static enum kh_err explain_event(struct run *r, char *place, struct kh_diag *diag)
{
	uint64_t wanted = 1;
	char *colon = strrchr(place, ':');
	if (colon != NULL && kh_slice_u64(kh_str(colon + 1), UINT32_MAX, &wanted) == KH_OK)
		*colon = '\0';
	else
		wanted = 1;
	struct lines *lines = NULL;
	KH_TRY(lines_open(place, NULL, &lines, diag));
	struct kh_slice line;
	enum kh_err err;
	while ((err = lines_next(lines, &line, diag)) == KH_OK && line.p != NULL)
		if (lines_counts(lines).n_lines >= wanted) break;
	if (err == KH_OK && line.p == NULL)
		err = kh_say(diag, KH_EFORMAT, M_SIGMA_NO_LINE, place, KH_DEC(wanted), NULL);
	if (err == KH_OK) err = line_parse(r->parser, r->o.format, line, &r->event, diag);
	if (err == KH_OK)
		err =
			sigma_match(r->engine, r->scratch, &r->event, r->o.declared ? &r->o.logsource : NULL, NULL, NULL);
	if (err == KH_OK)
		for (size_t i = 0; i < sigma_rules_count(r->rules); i++)
			if (sigma_rules_at(r->rules, i)->kind == SIGMA_RULE) explain_rule(r, i);
	lines_free(lines);
	return err;
}

static int explain(struct run *r, char *rule, char *place)
{
	struct kh_diag why = {0};
	if (run_settings(r) != EX_OK) return EX_CONFIG;
	enum kh_err err = run_open(r, &why);
	if (err == KH_OK) err = sigma_rules_add_path(r->rules, rule, &why);
	for (size_t i = 0; i < r->o.n_rules && err == KH_OK; i++)
		err = sigma_rules_add_path(r->rules, r->o.rules[i], &why);
	if (err == KH_OK) say_rejects(r);
	if (err == KH_OK) say_notes(r);
	if (err == KH_OK) err = run_engine(r, &why);
	if (err == KH_OK) err = explain_event(r, place, &why);
	return err == KH_OK ? EX_OK : complain(&why, code_of(err));
}

int sigma_explain_main(int argc, char **argv)
{
	struct run r = {0};
	if (!parse_options(&r.o, argc, argv) || argc - optind != 2) return usage(M_SIGMA_USAGE_EXPLAIN);
	int code = explain(&r, argv[optind], argv[optind + 1]);
	run_close(&r);
	return code;
}
