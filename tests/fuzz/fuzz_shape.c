/* SPDX-License-Identifier: Apache-2.0
 * What an operator imports: the first byte chooses the kind, the rest is the file. */
#include <jansson.h>
#include <stdlib.h>

#include "api/hours.h"
#include "api/route.h"
#include "api/shapes.h"
#include "fuzz.h"

static void check(const char *kind, struct kh_slice csv)
{
	json_t *result = NULL;
	struct kh_diag diag = {0};
	if (shape_check(kind, csv, &result, &diag) != KH_OK) {
		FUZZ_HOLDS(result == NULL && diag.text[0] != '\0');
		return;
	}
	/* The result goes over a channel: it must survive being written and read. */
	char *text = json_dumps(result, JSON_COMPACT);
	json_t *again = json_loads(text, 0, NULL);
	FUZZ_HOLDS(again != NULL && json_equal(result, again));
	json_decref(again);
	json_decref(result);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const kinds[] = {"organisations", "contacts", "systems", "assets"};
	struct kh_slice s = {data, size};
	struct api_match m;
	if (size == 0) return 0;
	struct kh_slice rest = kh_slice_from(s, 1);
	check(kinds[data[0] % 4], rest);
	bool ok = hours_ok(rest);
	FUZZ_HOLDS(ok || !hours_hold(rest, 0));
	if (api_route_find(KH_LIT("GET"), rest, &m) == KH_OK) FUZZ_HOLDS(m.route != NULL);
	return 0;
}
