/* SPDX-License-Identifier: Apache-2.0
 * A rule file, hostile; what loads is compiled and asked one event both ways, which must agree. */
#include <stdlib.h>

#include "base/arena.h"
#include "codec/event/event.h"
#include "engine/sigma/sigma.h"
#include "fuzz.h"

static struct sigma_engine *engine_of(const struct sigma_rules *rules, const struct mapping *mapping)
{
	struct sigma_engine *e = NULL;
	return sigma_engine_new(rules, mapping, &e, NULL) == KH_OK ? e : NULL;
}

static void ask_both_ways(const struct sigma_rules *rules, const struct sigma_engine *e)
{
	struct sigma_scratch *s = sigma_scratch_new(e);
	struct event event = {.raw = KH_LIT("{\"a\":\"abc\"}")};
	if (s == NULL || event_add(&event, KH_LIT("a"), KH_LIT("abc"), EVENT_STRING) != KH_OK ||
		event_add(&event, KH_LIT("b"), KH_LIT("12"), EVENT_NUMBER) != KH_OK)
		abort();
	if (sigma_match(e, s, &event, NULL, NULL, NULL) == KH_OK)
		for (size_t i = 0; i < sigma_rules_count(rules); i++) {
			const struct sigma_rule *r = sigma_rules_at(rules, i);
			if (r->kind != SIGMA_RULE || r->n_waits > 0 || !sigma_ask_logsource(e, s, i)) continue;
			if (sigma_filter_of(e, i, 0) != NULL) continue;
			FUZZ_HOLDS((sigma_hits(s)[i] > 0) == sigma_ask_expr(e, s, r->condition));
		}
	event_free(&event);
	sigma_scratch_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sigma_rules *rules = sigma_rules_new(NULL);
	struct mapping none = {0};
	if (rules == NULL) return 0;
	if (sigma_rules_add_text(rules, "fuzz.yml", (struct kh_slice){data, size}, NULL) == KH_OK &&
		size < 2048 && sigma_rules_count(rules) > 0) {
		struct sigma_engine *e = engine_of(rules, &none);
		if (e != NULL) ask_both_ways(rules, e);
		sigma_engine_free(e);
	}
	sigma_rules_free(rules);
	return 0;
}
