/* SPDX-License-Identifier: Apache-2.0
 * A mapping pack, hostile; what is read becomes an engine and is asked one event. */
#include <stdlib.h>

#include "codec/event/event.h"
#include "engine/sigma/sigma.h"
#include "fuzz.h"

static const char rule[] = "title: t\nlogsource: {product: linux}\ndetection: {s: {a: abc}, condition: s}\n";

static void ask(const struct sigma_engine *e)
{
	struct sigma_scratch *s = sigma_scratch_new(e);
	struct event event = {.raw = KH_LIT("{\"a\":\"abc\"}")};
	if (s == NULL || event_add(&event, KH_LIT("a"), KH_LIT("abc"), EVENT_STRING) != KH_OK ||
		event_add(&event, KH_LIT("x.b"), KH_LIT("K=1,L=2"), EVENT_STRING) != KH_OK ||
		event_add(&event, KH_LIT("hostname"), KH_LIT("192.0.2.1"), EVENT_STRING) != KH_OK)
		abort();
	FUZZ_HOLDS(sigma_match(e, s, &event, NULL, NULL, NULL) == KH_OK);
	FUZZ_HOLDS(sigma_facts(e, s)->n_addresses <= SIGMA_MAX_ADDRESSES);
	event_free(&event);
	sigma_scratch_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kh_arena *arena = kh_arena_new(1 << 14, 16 << 20);
	struct sigma_rules *rules = sigma_rules_new(NULL);
	struct mapping_pack pack;
	struct kh_diag why = {0};
	struct sigma_engine *e = NULL;
	if (arena == NULL || rules == NULL) abort();
	enum kh_err err = mapping_pack_parse(arena, "fuzz", (struct kh_slice){data, size}, &pack, &why);
	FUZZ_HOLDS(err == KH_OK || why.text[0] != '\0');
	struct mapping mapping = {&pack, 1};
	if (err == KH_OK && sigma_rules_add_text(rules, "f.yml", kh_str(rule), NULL) == KH_OK &&
		sigma_engine_new(rules, &mapping, &e, NULL) == KH_OK)
		ask(e);
	sigma_engine_free(e);
	sigma_rules_free(rules);
	kh_arena_free(arena);
	return 0;
}
