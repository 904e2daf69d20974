/* SPDX-License-Identifier: Apache-2.0
 * Every modifier, value form and condition form at least once true and once false; then random rules and
 * events, where the compiled engine must say what the plain evaluator says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "codec/event/json.h"
#include "codec/line/line.h"
#include "engine/sigma/sigma.h"

struct world {
	struct kh_arena *arena;
	struct mapping mapping;
	struct sigma_rules *rules;
	struct sigma_engine *engine;
	struct sigma_scratch *scratch;
	struct event_json *json;
	struct event event;
	unsigned hits;
	char pairs[512];
};

static void world_open(struct world *w, const char *yaml, const struct sigma_placeholders *site)
{
	struct kh_diag why = {0};
	*w = (struct world){.arena = kh_arena_new(1 << 16, 16 << 20), .rules = sigma_rules_new(site)};
	w->json = event_json_new();
	if (mapping_load(w->arena, NULL, 0, NULL, &w->mapping, &why) != KH_OK) fail_msg("%s", why.text);
	assert_int_equal(sigma_rules_add_text(w->rules, "t.yml", kh_str(yaml), &why), KH_OK);
	if (sigma_rules_rejects(w->rules) > 0)
		fail_msg("rejected: %s\n%s", sigma_rules_reject(w->rules, 0)->reason, yaml);
	if (sigma_engine_new(w->rules, &w->mapping, &w->engine, &why) != KH_OK) fail_msg("%s", why.text);
	w->scratch = sigma_scratch_new(w->engine);
	assert_non_null(w->scratch);
}

static void world_close(struct world *w)
{
	sigma_scratch_free(w->scratch);
	sigma_engine_free(w->engine);
	sigma_rules_free(w->rules);
	event_json_free(w->json);
	event_free(&w->event);
	kh_arena_free(w->arena);
}

static void on_hit(const struct sigma_hit *hit, void *context)
{
	struct world *w = context;
	w->hits++;
	size_t at = 0;
	for (size_t i = 0; i < hit->n_pairs && at < sizeof w->pairs; i++)
		at += (size_t)snprintf(w->pairs + at, sizeof w->pairs - at, "%.*s=%.*s;", (int)hit->pairs[i].field.n,
							   (const char *)hit->pairs[i].field.p, (int)hit->pairs[i].value.n,
							   (const char *)hit->pairs[i].value.p);
}

static unsigned ask(struct world *w, const char *event)
{
	struct kh_diag why = {0};
	w->hits = 0;
	if (event_json_parse(w->json, kh_str(event), &w->event, &why) != KH_OK)
		fail_msg("%s: %s", event, why.text);
	assert_int_equal(sigma_match(w->engine, w->scratch, &w->event, NULL, on_hit, w), KH_OK);
	return w->hits;
}

struct row {
	const char *detection, *event;
	unsigned hits;
};

#define YES(d, e)                                                                                            \
	{                                                                                                        \
		d, e, 1                                                                                              \
	}
#define NO(d, e)                                                                                             \
	{                                                                                                        \
		d, e, 0                                                                                              \
	}

static const struct row rows[] = {
	/* plain values: case, numbers, lists, several values, missing */
	YES("{s: {a: Foo}, condition: s}", "{\"a\":\"fOO\"}"),
	NO("{s: {a: Foo}, condition: s}", "{\"a\":\"foo \"}"),
	NO("{s: {a: Foo}, condition: s}", "{\"b\":\"foo\"}"),
	YES("{s: {a: 'ĐIỆN BIÊN'}, condition: s}", "{\"a\":\"điện biên\"}"),
	NO("{s: {a: 'ĐIỆN BIÊN'}, condition: s}", "{\"a\":\"dien bien\"}"),
	YES("{s: {a|contains: 'ÉCOLE'}, condition: s}", "{\"a\":\"une école\"}"),
	YES("{s: {a: 1}, condition: s}", "{\"a\":\"1\"}"),
	YES("{s: {a: '1'}, condition: s}", "{\"a\":1}"),
	YES("{s: {a: 1}, condition: s}", "{\"a\":1.0}"),
	NO("{s: {a: '1'}, condition: s}", "{\"a\":1.0}"),
	YES("{s: {a: 0x10}, condition: s}", "{\"a\":16}"),
	NO("{s: {a: 1}, condition: s}", "{\"a\":10}"),
	YES("{s: {a: true}, condition: s}", "{\"a\":true}"),
	YES("{s: {a: true}, condition: s}", "{\"a\":\"True\"}"),
	NO("{s: {a: true}, condition: s}", "{\"a\":false}"),
	YES("{s: {a: [x, 2, y]}, condition: s}", "{\"a\":2}"),
	NO("{s: {a: [x, 2, y]}, condition: s}", "{\"a\":3}"),
	YES("{s: {a: x}, condition: s}", "{\"a\":[\"q\",\"x\"]}"),
	NO("{s: {a: x}, condition: s}", "{\"a\":[\"q\",\"r\"]}"),
	YES("{s: {a.b: x}, condition: s}", "{\"a\":{\"b\":\"x\"}}"),
	YES("{s: {a: x, b: y}, condition: s}", "{\"a\":\"x\",\"b\":\"y\"}"),
	NO("{s: {a: x, b: y}, condition: s}", "{\"a\":\"x\"}"),
	/* null and the empty text */
	YES("{s: {a: null}, condition: s}", "{\"b\":1}"),
	YES("{s: {a: null}, condition: s}", "{\"a\":null}"),
	YES("{s: {a: null}, condition: s}", "{\"a\":\"\"}"),
	NO("{s: {a: null}, condition: s}", "{\"a\":\"x\"}"),
	YES("{s: {a: ''}, condition: s}", "{\"a\":\"\"}"),
	NO("{s: {a: ''}, condition: s}", "{\"b\":\"\"}"),
	NO("{s: {a: ''}, condition: s}", "{\"a\":null}"),
	NO("{s: {a: ''}, condition: s}", "{\"a\":\"x\"}"),
	/* wildcards and escapes */
	YES("{s: {a: 'f*r'}, condition: s}", "{\"a\":\"foo\\nbar\"}"),
	NO("{s: {a: 'f*r'}, condition: s}", "{\"a\":\"foobaz\"}"),
	YES("{s: {a: 'f?o'}, condition: s}", "{\"a\":\"fôo\"}"),
	NO("{s: {a: 'f?o'}, condition: s}", "{\"a\":\"fo\"}"),
	YES("{s: {a: 'f\\*o'}, condition: s}", "{\"a\":\"f*o\"}"),
	NO("{s: {a: 'f\\*o'}, condition: s}", "{\"a\":\"fxo\"}"),
	YES("{s: {a: 'f\\\\*o'}, condition: s}", "{\"a\":\"f\\\\xo\"}"),
	YES("{s: {a: 'f\\\\\\*o'}, condition: s}", "{\"a\":\"f\\\\*o\"}"),
	YES("{s: {a: 'C:\\x'}, condition: s}", "{\"a\":\"c:\\\\x\"}"),
	YES("{s: {a: 'C:\\\\x'}, condition: s}", "{\"a\":\"c:\\\\x\"}"),
	YES("{s: {a: '*'}, condition: s}", "{\"a\":\"x\"}"),
	NO("{s: {a: '*'}, condition: s}", "{\"b\":\"x\"}"),
	YES("{s: {a: '?*'}, condition: s}", "{\"a\":\"x\"}"),
	NO("{s: {a: '?*'}, condition: s}", "{\"a\":\"\"}"),
	/* contains, startswith, endswith, all, cased, neq, exists */
	YES("{s: {a|contains: oo}, condition: s}", "{\"a\":\"fOOl\"}"),
	NO("{s: {a|contains: oo}, condition: s}", "{\"a\":\"fol\"}"),
	YES("{s: {a|contains: 4}, condition: s}", "{\"a\":\"146\"}"),
	YES("{s: {a|contains: 'o*l'}, condition: s}", "{\"a\":\"xfoolx\"}"),
	YES("{s: {a|startswith: fo}, condition: s}", "{\"a\":\"Fool\"}"),
	NO("{s: {a|startswith: fo}, condition: s}", "{\"a\":\"afool\"}"),
	NO("{s: {a|startswith: fo}, condition: s}", "{\"a\":\"x\\nfool\"}"),
	YES("{s: {a|endswith: ol}, condition: s}", "{\"a\":\"FoOl\"}"),
	NO("{s: {a|endswith: ol}, condition: s}", "{\"a\":\"fool\\n\"}"),
	YES("{s: {a|contains|all: [x, y]}, condition: s}", "{\"a\":\"y-x\"}"),
	NO("{s: {a|contains|all: [x, y]}, condition: s}", "{\"a\":\"x\"}"),
	YES("{s: {a|cased: Foo}, condition: s}", "{\"a\":\"Foo\"}"),
	NO("{s: {a|cased: Foo}, condition: s}", "{\"a\":\"foo\"}"),
	YES("{s: {a|contains|cased: Oo}, condition: s}", "{\"a\":\"fOol\"}"),
	NO("{s: {a|contains|cased: Oo}, condition: s}", "{\"a\":\"fool\"}"),
	YES("{s: {a|neq: x}, condition: s}", "{\"a\":\"y\"}"),
	YES("{s: {a|neq: x}, condition: s}", "{\"b\":\"y\"}"),
	NO("{s: {a|neq: [x, y]}, condition: s}", "{\"a\":\"y\"}"),
	YES("{s: {a|exists: true}, condition: s}", "{\"a\":null}"),
	NO("{s: {a|exists: true}, condition: s}", "{\"b\":1}"),
	YES("{s: {a|exists: false}, condition: s}", "{\"b\":1}"),
	NO("{s: {a|exists: false}, condition: s}", "{\"a\":\"\"}"),
	/* windash */
	YES("{s: {a|contains|windash: ' -enc'}, condition: s}", "{\"a\":\"x /enc y\"}"),
	YES("{s: {a|contains|windash: ' -enc'}, condition: s}", "{\"a\":\"x –enc y\"}"),
	YES("{s: {a|windash|contains: ' /enc'}, condition: s}", "{\"a\":\"x ―enc y\"}"),
	NO("{s: {a|contains|windash: ' -enc'}, condition: s}", "{\"a\":\"x +enc y\"}"),
	NO("{s: {a|contains|windash: 'a-b'}, condition: s}", "{\"a\":\"a/b\"}"),
	/* regular expressions */
	YES("{s: {a|re: 'f[o]+l$'}, condition: s}", "{\"a\":\"a fool\"}"),
	NO("{s: {a|re: 'f[o]+l$'}, condition: s}", "{\"a\":\"a Fool\"}"),
	YES("{s: {a|re|i: 'f[o]+l$'}, condition: s}", "{\"a\":\"a FOOL\"}"),
	YES("{s: {a|re: '(?i)fool'}, condition: s}", "{\"a\":\"FOOL\"}"),
	NO("{s: {a|re: '^b'}, condition: s}", "{\"a\":\"a\\nb\"}"),
	YES("{s: {a|re|m: '^b'}, condition: s}", "{\"a\":\"a\\nb\"}"),
	NO("{s: {a|re: 'a.b'}, condition: s}", "{\"a\":\"a\\nb\"}"),
	YES("{s: {a|re|s: 'a.b'}, condition: s}", "{\"a\":\"a\\nb\"}"),
	YES("{s: {a|re: '^.{3}$'}, condition: s}", "{\"a\":\"đôi\"}"),
	YES("{s: {a|re: '(a)\\1'}, condition: s}", "{\"a\":\"xaa\"}"),
	NO("{s: {a|re: '(a)\\1'}, condition: s}", "{\"a\":\"xa\"}"),
	YES("{s: {a|re: '(?<!x)abc'}, condition: s}", "{\"a\":\"yabc\"}"),
	NO("{s: {a|re: '(?<!x)abc'}, condition: s}", "{\"a\":\"xabc\"}"),
	YES("{s: {a|re: '.*'}, condition: s}", "{\"a\":\"\"}"),
	YES("{s: {a|re|all: [x, y]}, condition: s}", "{\"a\":\"yx\"}"),
	/* encodings */
	YES("{s: {a|base64: foobar}, condition: s}", "{\"a\":\"Zm9vYmFy\"}"),
	NO("{s: {a|base64: foobar}, condition: s}", "{\"a\":\"foobar\"}"),
	YES("{s: {a|base64offset|contains: 'foobar'}, condition: s}", "{\"a\":\"Zm9vYmFy\"}"),
	YES("{s: {a|base64offset|contains: 'foobar'}, condition: s}", "{\"a\":\"eGZvb2Jhcg==\"}"),
	YES("{s: {a|base64offset|contains: 'foobar'}, condition: s}", "{\"a\":\"eHhmb29iYXI=\"}"),
	NO("{s: {a|base64offset|contains: 'foobar'}, condition: s}", "{\"a\":\"eHhmb29ieXo=\"}"),
	YES("{s: {a|wide|base64: cmd}, condition: s}", "{\"a\":\"YwBtAGQA\"}"),
	YES("{s: {a|utf16le|base64: cmd}, condition: s}", "{\"a\":\"YwBtAGQA\"}"),
	YES("{s: {a|utf16be|base64: cmd}, condition: s}", "{\"a\":\"AGMAbQBk\"}"),
	YES("{s: {a|utf16|base64: cmd}, condition: s}", "{\"a\":\"//5jAG0AZAA=\"}"),
	NO("{s: {a|utf16be|base64: cmd}, condition: s}", "{\"a\":\"YwBtAGQA\"}"),
	YES("{s: {a|windash|wide|base64: '-e'}, condition: s}", "{\"a\":\"LwBlAA==\"}"),
	/* numbers */
	YES("{s: {a|gt: 5}, condition: s}", "{\"a\":6}"),
	NO("{s: {a|gt: 5}, condition: s}", "{\"a\":5}"),
	YES("{s: {a|gte: 5}, condition: s}", "{\"a\":\"5.0\"}"),
	NO("{s: {a|gte: 5}, condition: s}", "{\"a\":4.9}"),
	YES("{s: {a|lt: -1}, condition: s}", "{\"a\":-2}"),
	NO("{s: {a|lt: 5}, condition: s}", "{\"a\":\"abc\"}"),
	NO("{s: {a|lt: 5}, condition: s}", "{\"a\":5}"),
	YES("{s: {a|lte: 5}, condition: s}", "{\"a\":5}"),
	NO("{s: {a|lte: 5}, condition: s}", "{\"a\":5.1}"),
	/* times */
	YES("{s: {t|minute: 4}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	NO("{s: {t|minute: 5}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	YES("{s: {t|hour: 3}, condition: s}", "{\"t\":\"2026-11-23 03:04:05.123\"}"),
	NO("{s: {t|hour: 4}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	YES("{s: {t|hour|gte: 3}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	NO("{s: {t|hour|lt: 3}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	YES("{s: {t|day: 23}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	NO("{s: {t|day: 24}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	YES("{s: {t|week: 48}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	NO("{s: {t|week: 47}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	YES("{s: {t|month: 11}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	NO("{s: {t|month: 1}, condition: s}", "{\"t\":\"2026-11-23T03:04:05Z\"}"),
	YES("{s: {t|year: 2026}, condition: s}", "{\"t\":1795000000}"),
	NO("{s: {t|year: 2025}, condition: s}", "{\"t\":\"not a time\"}"),
	/* addresses */
	YES("{s: {a|cidr: 192.0.2.0/24}, condition: s}", "{\"a\":\"192.0.2.77\"}"),
	NO("{s: {a|cidr: 192.0.2.0/24}, condition: s}", "{\"a\":\"192.0.3.77\"}"),
	NO("{s: {a|cidr: 192.0.2.0/24}, condition: s}", "{\"a\":\"-\"}"),
	YES("{s: {a|cidr: '2001:db8::/32'}, condition: s}", "{\"a\":\"2001:DB8:1::1\"}"),
	NO("{s: {a|cidr: '2001:db8::/32'}, condition: s}", "{\"a\":\"2001:db9::1\"}"),
	YES("{s: {a|cidr: [198.51.100.0/24, 192.0.2.0/24]}, condition: s}", "{\"a\":\"192.0.2.1\"}"),
	/* field references */
	YES("{s: {a|fieldref: b}, condition: s}", "{\"a\":\"X\",\"b\":\"x\"}"),
	NO("{s: {a|fieldref: b}, condition: s}", "{\"a\":\"x\",\"b\":\"y\"}"),
	NO("{s: {a|fieldref: b}, condition: s}", "{\"a\":\"x\"}"),
	YES("{s: {a|fieldref|startswith: b}, condition: s}", "{\"a\":\"xyz\",\"b\":\"XY\"}"),
	NO("{s: {a|fieldref|startswith: b}, condition: s}", "{\"a\":\"zxy\",\"b\":\"xy\"}"),
	YES("{s: {a|fieldref|endswith: b}, condition: s}", "{\"a\":\"zxy\",\"b\":\"xy\"}"),
	NO("{s: {a|fieldref|endswith: b}, condition: s}", "{\"a\":\"xyz\",\"b\":\"xy\"}"),
	YES("{s: {a|fieldref|contains: b}, condition: s}", "{\"a\":\"zxyz\",\"b\":\"XY\"}"),
	NO("{s: {a|fieldref|contains: b}, condition: s}", "{\"a\":\"zyx\",\"b\":\"xy\"}"),
	YES("{s: {a|fieldref|neq: b}, condition: s}", "{\"a\":\"x\",\"b\":\"y\"}"),
	NO("{s: {a|neq|fieldref: b}, condition: s}", "{\"a\":\"x\",\"b\":\"x\"}"),
	NO("{s: {a|fieldref|cased: b}, condition: s}", "{\"a\":\"X\",\"b\":\"x\"}"),
	/* keywords */
	YES("{k: [evil, bad], condition: k}", "{\"m\":\"so EVIL it is\"}"),
	NO("{k: [evil, bad], condition: k}", "{\"m\":\"good\"}"),
	YES("{k: {'|all': [evil, bad]}, condition: k}", "{\"m\":\"evil\",\"n\":\"bad\"}"),
	NO("{k: {'|all': [evil, bad]}, condition: k}", "{\"m\":\"evil\"}"),
	YES("{k: [77], condition: k}", "{\"m\":\"a 77 b\"}"),
	YES("{k: ['e*l'], condition: k}", "{\"m\":\"x evil y\"}"),
	YES("{k: {'|re': 'ev[aeiou]l'}, condition: k}", "{\"m\":\"x evil y\"}"),
	YES("{k: evil, condition: k}", "{\"m\":\"x evil y\"}"),
	YES("{k: [evil, {a: x}], condition: k}", "{\"a\":\"x\"}"),
	/* lists of maps */
	YES("{s: [{a: x}, {b: y, c: z}], condition: s}", "{\"b\":\"y\",\"c\":\"z\"}"),
	NO("{s: [{a: x}, {b: y, c: z}], condition: s}", "{\"b\":\"y\"}"),
	/* conditions */
	YES("{s: {a: x}, f: {b: y}, condition: s and not f}", "{\"a\":\"x\"}"),
	NO("{s: {a: x}, f: {b: y}, condition: s and not f}", "{\"a\":\"x\",\"b\":\"y\"}"),
	YES("{s: {a: x}, t: {b: y}, condition: s or t}", "{\"b\":\"y\"}"),
	NO("{s: {a: x}, t: {b: y}, condition: s or t}", "{\"b\":\"z\"}"),
	YES("{s: {a: x}, t: {b: y}, u: {c: z}, condition: s or t and u}", "{\"a\":\"x\"}"),
	NO("{s: {a: x}, t: {b: y}, u: {c: z}, condition: (s or t) and u}", "{\"a\":\"x\"}"),
	YES("{s: {a: x}, t: {b: y}, condition: NOT (s AND t)}", "{\"a\":\"x\"}"),
	NO("{s: {a: x}, t: {b: y}, condition: not (s and t)}", "{\"a\":\"x\",\"b\":\"y\"}"),
	YES("{s_1: {a: x}, s_2: {b: y}, condition: 1 of s_*}", "{\"b\":\"y\"}"),
	NO("{s_1: {a: x}, s_2: {b: y}, condition: 1 of s_*}", "{\"b\":\"z\"}"),
	YES("{s_1: {a: x}, s_2: {b: y}, condition: any of s_*}", "{\"b\":\"y\"}"),
	YES("{s_1: {a: x}, s_2: {b: y}, condition: all of s_*}", "{\"a\":\"x\",\"b\":\"y\"}"),
	NO("{s_1: {a: x}, s_2: {b: y}, condition: all of s_*}", "{\"a\":\"x\"}"),
	YES("{s_1: {a: x}, s_2: {b: y}, s_3: {c: z}, condition: 2 of s_*}", "{\"a\":\"x\",\"c\":\"z\"}"),
	NO("{s_1: {a: x}, s_2: {b: y}, s_3: {c: z}, condition: 2 of them}", "{\"a\":\"x\"}"),
	YES("{s: {a: x}, _t: {b: y}, condition: all of them}", "{\"a\":\"x\"}"),
	NO("{s: {a: x}, _t: {b: y}, condition: 1 of them}", "{\"b\":\"y\"}"),
	YES("{s: {a: x}, _t: {b: y}, condition: s or _t}", "{\"b\":\"y\"}"),
	YES("{s: {a: x}, f_1: {b: y}, f_2: {c: z}, condition: s and not all of f_*}",
		"{\"a\":\"x\",\"b\":\"y\"}"),
	NO("{s: {a: x}, f_1: {b: y}, f_2: {c: z}, condition: s and not 1 of f_*}", "{\"a\":\"x\",\"b\":\"y\"}"),
	YES("{s: {a: x}, t: {b: y}, condition: [s, t]}", "{\"b\":\"y\"}"),
	NO("{s: {a: x}, t: {b: y}, condition: [s, t]}", "{\"b\":\"z\"}"),
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char yaml[1024];
		struct world w;
		snprintf(yaml, sizeof yaml, "title: t\nid: t\nlogsource: {product: testing}\ndetection: %s\n",
				 rows[i].detection);
		world_open(&w, yaml, NULL);
		if (ask(&w, rows[i].event) != rows[i].hits)
			fail_msg("%s on %s: expected %u", rows[i].detection, rows[i].event, rows[i].hits);
		bool plain = sigma_ask_expr(w.engine, w.scratch, sigma_rules_at(w.rules, 0)->condition);
		if (plain != (rows[i].hits == 1)) fail_msg("plainly: %s on %s", rows[i].detection, rows[i].event);
		world_close(&w);
	}
	printf("%zu rows\n", sizeof rows / sizeof *rows);
}

/* ---- placeholders, filters, states ---- */

static void test_placeholders(void **state)
{
	(void)state;
	static const char yaml[] = "title: t\nid: t\nlogsource: {product: testing}\n"
							   "detection: {s: {u|expand: 'x-%admins%'}, condition: s}\n";
	const struct kh_slice values[] = {KH_LIT("alice"), KH_LIT("adm_*")};
	const struct sigma_placeholder one = {KH_LIT("admins"), values, 2};
	const struct sigma_placeholders site = {&one, 1};
	struct world w;
	world_open(&w, yaml, &site);
	assert_int_equal(ask(&w, "{\"u\":\"X-Alice\"}"), 1);
	assert_int_equal(ask(&w, "{\"u\":\"x-adm_7\"}"), 1);
	assert_int_equal(ask(&w, "{\"u\":\"x-bob\"}"), 0);
	world_close(&w);
	world_open(&w, yaml, NULL);
	assert_int_equal(sigma_rules_at(w.rules, 0)->n_waits, 1);
	assert_int_equal(ask(&w, "{\"u\":\"x-alice\"}"), 0);
	world_close(&w);
	world_open(&w,
			   "title: t\nid: t\nlogsource: {product: testing}\ndetection:\n  s: {a: x}\n"
			   "  f: {u|contains|expand: '%nobody%'}\n  condition: s and not f\n",
			   NULL);
	assert_int_equal(ask(&w, "{\"a\":\"x\"}"), 0); /* a rule that waits never matches */
	world_close(&w);
}

static void test_filters(void **state)
{
	(void)state;
	struct world w;
	world_open(
		&w,
		"title: a\nid: 11111111-1111-4111-8111-111111111111\nlogsource: {product: testing}\n"
		"detection: {s: {a: x}, condition: s}\n---\n"
		"title: b\nid: 22222222-2222-4222-8222-222222222222\nlogsource: {product: testing, service: other}\n"
		"detection: {s: {a: x}, condition: s}\n---\n"
		"title: f\nlogsource: {product: testing}\nfilter:\n"
		"  rules: [11111111-1111-4111-8111-111111111111]\n  s: {u|startswith: adm_}\n  condition: not "
		"s\n---\n"
		"title: g\nlogsource: {product: testing, service: other}\nfilter:\n"
		"  rules: any\n  s: {u: root}\n  condition: not s\n",
		NULL);
	assert_int_equal(ask(&w, "{\"a\":\"x\",\"u\":\"bob\"}"), 2);
	assert_int_equal(ask(&w, "{\"a\":\"x\",\"u\":\"adm_1\"}"), 1);
	assert_int_equal(ask(&w, "{\"a\":\"x\",\"u\":\"root\"}"), 1);
	assert_int_equal(ask(&w, "{\"a\":\"x\"}"), 2);
	assert_string_equal((const char *)sigma_filter_of(w.engine, 0, 0)->title.p, "f");
	assert_null(sigma_filter_of(w.engine, 0, 1));
	world_close(&w);
}

static void test_disabled(void **state)
{
	(void)state;
	struct kh_diag why = {0};
	struct world w = {
		.arena = kh_arena_new(1 << 16, 16 << 20), .rules = sigma_rules_new(NULL), .json = event_json_new()};
	static const char yaml[] =
		"title: f\nid: f\nlogsource: {}\nfilter: {rules: any, s: {u: root}, condition: not s}\n---\n"
		"title: g\nid: g\nlogsource: {}\nfilter: {rules: any, s: {u: bob}, condition: not s}\n---\n"
		"title: a\nid: a\nlogsource: {product: testing}\ndetection: {s: {a: x}, condition: s}\n---\n"
		"title: b\nid: b\nlogsource: {product: testing}\ndetection: {s: {a: x}, condition: s}\n";
	assert_int_equal(sigma_rules_add_text(w.rules, "t.yml", kh_str(yaml), &why), KH_OK);
	assert_true(sigma_rules_disable(w.rules, KH_LIT("f")) && sigma_rules_disable(w.rules, KH_LIT("a")));
	assert_int_equal(sigma_engine_new(w.rules, &w.mapping, &w.engine, &why), KH_OK);
	w.scratch = sigma_scratch_new(w.engine);
	assert_int_equal(ask(&w, "{\"a\":\"x\",\"u\":\"root\"}"), 1);
	assert_int_equal(ask(&w, "{\"a\":\"x\",\"u\":\"bob\"}"), 0);
	assert_int_equal(sigma_hits(w.scratch)[2], 0);
	assert_int_equal(sigma_hits(w.scratch)[3], 1);
	world_close(&w);
}

/* An audit record's `hostname` is where the user came from; the machine is its node, or the syslog sender. */
static void test_host_of_audit_records(void **state)
{
	(void)state;
	static const struct {
		const char *line, *host;
	} records[] = {
		{"node=db1 type=USER_AUTH msg=audit(1.2:3): pid=5 msg='op=x hostname=203.0.113.9 addr=203.0.113.9'",
		 "db1"},
		{"node=db1 type=USER_CMD msg=audit(1.2:3): pid=5 msg='op=x hostname=? addr=?'", "db1"},
		{"type=USER_CMD msg=audit(1.2:3): pid=5 msg='op=x hostname=? addr=?'", ""},
		{"<13>Nov 23 22:00:00 web1 audispd: type=USER_CMD msg=audit(1.2:3): msg='hostname=? addr=?'", "web1"},
		{"<13>Nov 23 22:00:00 relay audispd: node=db1 type=USER_CMD msg=audit(1.2:3): msg='hostname=?'",
		 "db1"},
		{"<38>Nov 23 03:04:05 web1 sshd[812]: Invalid user x from 192.0.2.9 port 1", "web1"},
	};
	struct world w;
	struct line_parser *parser = line_parser_new();
	assert_non_null(parser);
	world_open(&w,
			   "title: p\nid: p\nlogsource: {product: linux}\n"
			   "detection: {s: {_format|exists: true}, condition: s}\n",
			   NULL);
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		struct kh_diag why = {0};
		if (line_parse(parser, LINE_AUTO, kh_str(records[i].line), &w.event, &why) != KH_OK)
			fail_msg("%s: %s", records[i].line, why.text);
		w.hits = 0;
		assert_int_equal(sigma_match(w.engine, w.scratch, &w.event, NULL, on_hit, &w), KH_OK);
		assert_int_equal(w.hits, 1);
		struct kh_slice host = sigma_facts(w.engine, w.scratch)->host;
		if (!kh_slice_is(host, records[i].host))
			fail_msg("%.*s for %s", (int)host.n, host.p, records[i].line);
	}
	line_parser_free(parser);
	world_close(&w);
}

static void test_mapping(void **state)
{
	(void)state;
	struct world w;
	world_open(&w,
			   "title: p\nid: p\nlogsource: {product: windows, category: process_creation}\n"
			   "detection: {s: {Image|endswith: '\\cmd.exe'}, condition: s}\n---\n"
			   "title: h\nid: h\nlogsource: {product: windows, category: image_load}\n"
			   "detection: {s: {Imphash: abc}, condition: s}\n---\n"
			   "title: aws\nid: aws\nlogsource: {product: aws, service: cloudtrail}\n"
			   "detection: {s: {eventName: StopLogging}, condition: s}\n",
			   NULL);
	assert_int_equal(ask(&w, "{\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":1,"
							 "\"Image\":\"C:\\\\Windows\\\\cmd.exe\",\"Hostname\":\"pc1\"}"),
					 1);
	assert_string_equal(w.pairs, "Image=C:\\Windows\\cmd.exe;");
	assert_true(kh_slice_is(sigma_facts(w.engine, w.scratch)->host, "pc1"));
	assert_int_equal(
		ask(&w, "{\"Event\":{\"System\":{\"Channel\":\"Security\",\"EventID\":4688,\"Computer\":\"pc2\"},"
				"\"EventData\":{\"NewProcessName\":\"C:\\\\cmd.exe\"}}}"),
		1);
	assert_true(kh_slice_is(sigma_facts(w.engine, w.scratch)->host, "pc2"));
	assert_int_equal(ask(&w,
						 "{\"winlog\":{\"channel\":\"Microsoft-Windows-Sysmon/Operational\",\"event_id\":1,"
						 "\"event_data\":{\"Image\":\"C:\\\\cmd.exe\"}}}"),
					 1);
	assert_int_equal(ask(&w, "{\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":3,"
							 "\"Image\":\"C:\\\\cmd.exe\"}"),
					 0);
	assert_int_equal(ask(&w, "{\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"EventID\":7,"
							 "\"Hashes\":\"MD5=0,IMPHASH=ABC\"}"),
					 1);
	assert_int_equal(ask(&w, "{\"eventName\":\"StopLogging\"}"), 1);
	assert_int_equal(ask(&w, "{\"eventName\":\"StopLogging\",\"Channel\":\"System\",\"EventID\":1}"), 0);
	struct sigma_logsource aws = {KH_LIT("aws"), KH_LIT(""), KH_LIT("cloudtrail")};
	assert_int_equal(sigma_match(w.engine, w.scratch, &w.event, &aws, on_hit, &w), KH_OK);
	assert_int_equal(w.hits, 1);
	world_close(&w);
}

/* ---- the compiled engine against the plain one ---- */

static unsigned seed;

static unsigned roll(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return seed >> 16 & 0x7fff ? (seed >> 16 & 0x7fff) % n : 0;
}

static const char *pick_word(void)
{
	static const char *const words[] = {"a",   "ab", "abc", "b-c", "-x",  "",   "1",
										"1.0", "12", "Đà",  "x*",  "*b*", "?b", "\\*"};
	return words[roll(14)];
}

static size_t random_selection(char *out, size_t cap, unsigned n)
{
	static const char *const mods[] = {"",
									   "|contains",
									   "|startswith",
									   "|endswith",
									   "|contains|all",
									   "|re",
									   "|re|i",
									   "|cased",
									   "|neq",
									   "|windash",
									   "|contains|windash",
									   "|base64offset|contains",
									   "|fieldref",
									   "|gt",
									   "|lte",
									   "|exists",
									   "|cidr"};
	unsigned m = roll(17), field = roll(4);
	static const char *const fields = "abcd";
	if (m == 5 || m == 6)
		return (size_t)snprintf(out, cap, "s%u: {%c%s: 'a[b-]?c*'}, ", n, fields[field], mods[m]);
	if (m == 11) return (size_t)snprintf(out, cap, "s%u: {%c%s: abc}, ", n, fields[field], mods[m]);
	if (m == 12)
		return (size_t)snprintf(out, cap, "s%u: {%c%s: %c}, ", n, fields[field], mods[m], fields[roll(4)]);
	if (m == 13 || m == 14)
		return (size_t)snprintf(out, cap, "s%u: {%c%s: %u}, ", n, fields[field], mods[m], roll(13));
	if (m == 15)
		return (size_t)snprintf(out, cap, "s%u: {%c%s: %s}, ", n, fields[field], mods[m],
								roll(2) ? "true" : "false");
	if (m == 16) return (size_t)snprintf(out, cap, "s%u: {%c%s: 192.0.2.0/25}, ", n, fields[field], mods[m]);
	if (roll(8) == 0) return (size_t)snprintf(out, cap, "s%u: ['%s', '%s'], ", n, "ab", "zz");
	if (roll(8) == 0) return (size_t)snprintf(out, cap, "s%u: {%c: null}, ", n, fields[field]);
	if (roll(8) == 0) return (size_t)snprintf(out, cap, "s%u: {%c: %u}, ", n, fields[field], roll(13));
	return (size_t)snprintf(out, cap, "s%u: {%c%s: ['%s', '%s']}, ", n, fields[field], mods[m], pick_word(),
							pick_word());
}

static void random_rule(char *out, size_t cap, unsigned id)
{
	static const char *const conditions[] = {
		"s0 and not s1", "s0 or s1 and s2",       "1 of s*",         "2 of s*",           "all of s*",
		"not s0",        "(s0 or s1) and not s2", "not (s0 and s1)", "s2 and not 1 of s*"};
	size_t n =
		(size_t)snprintf(out, cap, "title: r\nid: r%u\nlogsource: {product: testing}\ndetection: {", id);
	for (unsigned i = 0; i < 3; i++) n += random_selection(out + n, cap - n, i);
	snprintf(out + n, cap - n, "condition: %s}\n---\n", conditions[roll(9)]);
}

static void random_event(char *out, size_t cap)
{
	static const char *const values[] = {"\"abc\"",
										 "\"AB\"",
										 "\"\"",
										 "null",
										 "1",
										 "1.0",
										 "12",
										 "\"đÀ\"",
										 "\"xabcx\"",
										 "\"/x\"",
										 "\"–x\"",
										 "\"192.0.2.5\"",
										 "[\"a\",\"b-c\"]",
										 "true",
										 "\"YWJj\"",
										 "\"a*b\"",
										 "\"zz\"",
										 "\"ab\\u0000c\""};
	size_t n = (size_t)snprintf(out, cap, "{\"e\":1");
	for (unsigned i = 0; i < 4; i++)
		if (roll(4)) n += (size_t)snprintf(out + n, cap - n, ",\"%c\":%s", "abcd"[i], values[roll(18)]);
	snprintf(out + n, cap - n, "}");
}

enum { N_RULES = 60, N_EVENTS = 400, N_ROUNDS = 8 };

static void one_round(unsigned *matched)
{
	static char yaml[N_RULES * 512];
	size_t n = 0;
	for (unsigned i = 0; i < N_RULES; i++) {
		random_rule(yaml + n, sizeof yaml - n, i);
		n += strlen(yaml + n);
	}
	struct world w;
	world_open(&w, yaml, NULL);
	for (unsigned e = 0; e < N_EVENTS; e++) {
		char event[512];
		uint64_t before[N_RULES];
		random_event(event, sizeof event);
		memcpy(before, sigma_hits(w.scratch), sizeof before);
		*matched += ask(&w, event);
		for (unsigned i = 0; i < N_RULES; i++) {
			bool fast = sigma_hits(w.scratch)[i] > before[i];
			if (fast != sigma_ask_expr(w.engine, w.scratch, sigma_rules_at(w.rules, i)->condition))
				fail_msg("rule r%u, event %s: compiled says %d\n%s", i, event, fast, yaml);
		}
	}
	world_close(&w);
}

static void test_compiled_equals_plain(void **state)
{
	(void)state;
	const char *given = getenv("KHIEN_TEST_SEED");
	seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	printf("seed %u\n", seed);
	unsigned matched = 0;
	for (unsigned i = 0; i < N_ROUNDS; i++) one_round(&matched);
	printf("%d rules x %d events, %u matches\n", N_RULES * N_ROUNDS, N_EVENTS, matched);
	assert_true(matched > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_placeholders),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_host_of_audit_records),
		cmocka_unit_test(test_compiled_equals_plain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
