/* SPDX-License-Identifier: Apache-2.0
 * What is read of a rule, and what is refused: each refusal names the line and the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the three above first */
#include <cmocka.h>

#include "base/message.h"
#include "engine/sigma/mapping.h"
#include "engine/sigma/sigma.h"

/* The text in an exact-size heap copy, so that a read past its end is seen. */
static struct sigma_rules *load(const char *yaml)
{
	size_t n = strlen(yaml);
	uint8_t *copy = malloc(n > 0 ? n : 1);
	assert_non_null(copy);
	memcpy(copy, yaml, n);
	struct sigma_rules *r = sigma_rules_new(NULL);
	assert_int_equal(sigma_rules_add_text(r, "f.yml", (struct kh_slice){copy, n}, NULL), KH_OK);
	free(copy);
	return r;
}

struct bad {
	const char *yaml;
	uint32_t line;
	const char *reason; /* a part of it */
};

#define HEAD "title: t\nlogsource: {product: p}\ndetection:\n" /* the detection begins on line 4 */

static const struct bad bads[] = {
	{"logsource: {product: p}\ndetection: {s: {a: b}, condition: s}\n", 1, "title"},
	{"title: t\ndetection: {s: {a: b}, condition: s}\n", 1, "logsource"},
	{"title: t\nlogsource: {product: p}\n", 1, "detection"},
	{HEAD "  s: {a: b}\n", 4, "condition"},
	{HEAD "  condition: s\n", 4, "detection"},
	{HEAD "  s: {a: b}\n  condition: t\n", 5, "\"t\""},
	{HEAD "  s: {a: b}\n  condition: s and\n", 5, "ends"},
	{HEAD "  s: {a: b}\n  condition: (s\n", 5, "parenthesis"},
	{HEAD "  s: {a: b}\n  condition: s s\n", 5, "goes on"},
	{HEAD "  s: {a: b}\n  condition: 1 of x*\n", 5, "\"x*\""},
	{HEAD "  s: {a: b}\n  condition: 3 of them\n", 5, "more selections"},
	{HEAD "  s: {a: b}\n  condition: s | count() > 5\n", 5,
	 "legacy aggregation \"| count() > 5\": not Sigma 2"},
	{HEAD "  s: {a: b}\n  condition: s | near t\n", 5, "legacy aggregation \"| near t\": not Sigma 2"},
	{HEAD "  s: {a: b}\n  condition: s near s\n", 5, "legacy aggregation \"near s\""},
	{HEAD "  s: {a: b}\n  timeframe: 5m\n  condition: s\n", 5, "legacy \"timeframe: 5m\": not Sigma 2"},
	{HEAD "  s: {a: b}\n  timeframe: 5m\n  condition: s | count() > 5\n", 6, "legacy aggregation"},
	{HEAD "  s: {a: b}\n  condition: write a from s\n", 5, "\"write\" and \"a\" stand side by side"},
	{HEAD "  s:\n    a|nonsense: b\n  condition: s\n", 5, "unknown modifier"},
	{HEAD "  s:\n    a|re: '('\n  condition: s\n", 5, "regular expression"},
	{HEAD "  s:\n    a|cidr: 192.0.2.1/99\n  condition: s\n", 5, "network"},
	{HEAD "  s:\n    a|gt: abc\n  condition: s\n", 5, "number"},
	{HEAD "  s:\n    a|hour: abc\n  condition: s\n", 5, "number"},
	{HEAD "  s:\n    a|exists: maybe\n  condition: s\n", 5, "exists"},
	{HEAD "  s:\n    a|i: b\n  condition: s\n", 5, "does not fit"},
	{HEAD "  s:\n    a|cidr|contains: 192.0.2.0/24\n  condition: s\n", 5, "does not fit"},
	{HEAD "  s:\n    a|base64: 'x*'\n  condition: s\n", 5, "wildcards"},
	{HEAD "  s:\n    a: {b: c}\n  condition: s\n", 5, "neither text"},
	{HEAD "  s: []\n  condition: s\n", 4, "without any value"},
	{"title: t\nlevel: urgent\nlogsource: {product: p}\ndetection: {s: {a: b}, condition: s}\n", 2, "level"},
	{"title: t\naction: global\n", 2, "\"action: global\" is not Sigma 2"},
	{"title: t\ncorrelation: {type: event_count}\n", 1, "correlation: not yet supported"},
	{"title: t\n  bad: [\n", 1, "YAML"},
	{"just text\n", 1, "not a Sigma rule"},
	{"title: \xff\n", 1, "UTF-8"},
};

/* The documents that a global one was meant for say so, and those of the next file do not. */
static void test_after_global(void **state)
{
	(void)state;
	struct sigma_rules *r = load("title: t\naction: global\n---\nlogsource: {product: p}\n"
								 "detection: {s: {a: b}, condition: s}\n");
	assert_int_equal(sigma_rules_rejects(r), 2);
	assert_non_null(strstr(sigma_rules_reject(r, 0)->reason, "\"action: global\" is not Sigma 2"));
	assert_non_null(strstr(sigma_rules_reject(r, 1)->reason, "leans on \"action: global\""));
	assert_int_equal(sigma_rules_reject(r, 1)->line, 4);
	assert_int_equal(sigma_rules_add_text(r, "g.yml", KH_LIT("logsource: {product: p}\n"), NULL), KH_OK);
	assert_string_equal(sigma_rules_reject(r, 2)->reason, "\"title\" is missing");
	sigma_rules_free(r);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
		struct sigma_rules *r = load(bads[i].yaml);
		if (sigma_rules_rejects(r) != 1) fail_msg("not refused once:\n%s", bads[i].yaml);
		const struct sigma_reject *x = sigma_rules_reject(r, 0);
		if (strstr(x->reason, bads[i].reason) == NULL) fail_msg("\"%s\" for:\n%s", x->reason, bads[i].yaml);
		/* a reader of YAML may see a broken line at its end or its beginning */
		bool near = strstr(x->reason, "YAML") != NULL && x->line <= 4;
		if (!near && x->line != bads[i].line)
			fail_msg("line %u, not %u, for:\n%s", x->line, bads[i].line, bads[i].yaml);
		sigma_rules_free(r);
	}
}

static void test_documents(void **state)
{
	(void)state;
	struct sigma_rules *r =
		load("\xef\xbb\xbf# first\n---\ntitle: a\nid: 1\nauthor: x\nlicense: MIT\nlevel: HIGH\n"
			 "tags: [attack.t1059, cve.2026-1]\nlogsource: {product: p, service: q}\n"
			 "detection: {s: {a: b}, condition: s}\n---\ntitle: broken\n---\n"
			 "title: c\nlogsource: {product: p}\ndetection: {s: {a: b}, condition: s}\n...\n");
	assert_int_equal(sigma_rules_count(r), 2);
	assert_int_equal(sigma_rules_rejects(r), 1);
	assert_int_equal(sigma_rules_documents(r), 3);
	assert_int_equal(sigma_rules_files(r), 1);
	const struct sigma_rule *a = sigma_rules_at(r, 0);
	assert_true(kh_slice_is(a->title, "a") && kh_slice_is(a->id, "1") && kh_slice_is(a->author, "x"));
	assert_true(kh_slice_is(a->license, "MIT") && a->level == SIGMA_HIGH && a->n_tags == 2);
	assert_true(kh_slice_is(a->tags[1], "cve.2026-1") && kh_slice_is(a->logsource.service, "q"));
	assert_int_equal(sigma_rules_reject(r, 0)->line, 12);
	assert_true(sigma_rules_disable(r, KH_LIT("1")));
	assert_false(sigma_rules_disable(r, KH_LIT("nobody")));
	sigma_rules_free(r);
}

static void test_depth_and_aliases(void **state)
{
	(void)state;
	char deep[4096] = HEAD "  s: {a: b}\n  condition: ";
	size_t n = strlen(deep);
	memset(deep + n, '(', 1000);
	struct sigma_rules *r = load(deep);
	assert_int_equal(sigma_rules_rejects(r), 1);
	sigma_rules_free(r);
	r = load(HEAD "  s: {a: &x [b, c]}\n  t: {d: *x}\n  condition: s or t\n");
	assert_int_equal(sigma_rules_count(r), 1);
	sigma_rules_free(r);
}

static void test_packs(void **state)
{
	(void)state;
	struct kh_arena *a = kh_arena_new(1 << 16, 16 << 20);
	struct mapping m;
	struct mapping_pack p;
	struct kh_diag why = {0};
	static const char *const names[] = {"sysmon", "nothing"};
	assert_int_equal(mapping_load(a, NULL, 0, NULL, &m, &why), KH_OK);
	assert_true(m.n_packs >= 7);
	assert_int_equal(mapping_load(a, names, 1, NULL, &m, &why), KH_OK);
	assert_int_equal(mapping_load(a, names, 2, NULL, &m, &why), KH_EFORMAT);
	assert_non_null(strstr(why.text, "nothing"));
	assert_int_equal(mapping_pack_parse(a, "x", KH_LIT("pack: x\nsources:\n  - product: p\n"), &p, &why),
					 KH_EFORMAT);
	assert_int_equal(mapping_pack_parse(a, "x", KH_LIT("pack: x\nsauces: []\n"), &p, &why), KH_EFORMAT);
	assert_non_null(strstr(why.text, "sauces"));
	assert_int_equal(mapping_pack_parse(a, "x", KH_LIT("pack: y\n"), &p, &why), KH_EFORMAT);
	kh_arena_free(a);
}

int main(void)
{
	kh_lang_set(KH_EN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),  cmocka_unit_test(test_after_global),
		cmocka_unit_test(test_documents), cmocka_unit_test(test_depth_and_aliases),
		cmocka_unit_test(test_packs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
