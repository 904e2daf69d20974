/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/json.h"
#include "codec/event/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_json *parser;
	static struct event event;
	static struct kh_diag diag;
	if (parser == NULL) parser = event_json_new();
	enum kh_err err = event_json_parse(parser, (struct kh_slice){data, size}, &event, &diag);
	FUZZ_HOLDS((err == KH_OK) == (event_json_fault(parser) == JSON_FAULT_NONE));
	FUZZ_HOLDS(err == KH_OK || event.n_fields == 0);
	for (size_t i = 0; i < event.n_fields; i++) {
		FUZZ_HOLDS(utf8_good(event.fields[i].name) == event.fields[i].name.n);
		FUZZ_HOLDS(utf8_good(event.fields[i].value) == event.fields[i].value.n);
	}
	return 0;
}
