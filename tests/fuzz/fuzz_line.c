/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/utf8.h"
#include "codec/line/line.h"
#include "fuzz.h"

/* The first byte chooses the format. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line_parser *parser;
	static struct event event;
	static struct kh_diag diag;
	if (parser == NULL) parser = line_parser_new();
	if (size == 0) return 0;
	enum line_format format = (enum line_format)(data[0] % LINE_N_FORMATS);
	enum kh_err err = line_parse(parser, format, (struct kh_slice){data + 1, size - 1}, &event, &diag);
	FUZZ_HOLDS(err == KH_OK ? event_find(&event, "_format") != NULL : event.n_fields == 0);
	FUZZ_HOLDS(err == KH_OK || line_parser_reason(parser) != LINE_OK);
	for (size_t i = 0; i < event.n_fields; i++) {
		FUZZ_HOLDS(utf8_good(event.fields[i].name) == event.fields[i].name.n);
		FUZZ_HOLDS(utf8_good(event.fields[i].value) == event.fields[i].value.n);
	}
	return 0;
}
