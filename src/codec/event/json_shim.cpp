/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event/json_shim.h"

#include <memory>
#include <new>

#include <simdjson.h>

struct json_shim {
	std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

extern "C" struct json_shim *json_shim_new(size_t max_bytes)
{
	try {
		std::unique_ptr<json_shim> s(new json_shim);
		/* The depth only sizes tables of stage 2, which is never run. */
		auto err =
			simdjson::get_active_implementation()->create_dom_parser_implementation(max_bytes, 1, s->parser);
		return err == simdjson::SUCCESS ? s.release() : nullptr;
	} catch (...) {
		return nullptr;
	}
}

extern "C" void json_shim_free(struct json_shim *s)
{
	delete s;
}

static enum json_shim_err reason(simdjson::error_code err)
{
	switch (err) {
	case simdjson::SUCCESS:
		return JSON_SHIM_OK;
	case simdjson::EMPTY:
		return JSON_SHIM_EMPTY;
	case simdjson::UNCLOSED_STRING:
		return JSON_SHIM_UNCLOSED;
	case simdjson::UNESCAPED_CHARS:
		return JSON_SHIM_CONTROL;
	case simdjson::UTF8_ERROR:
		return JSON_SHIM_UTF8;
	default:
		return JSON_SHIM_OTHER;
	}
}

extern "C" enum json_shim_err json_shim_index(struct json_shim *s, const uint8_t *bytes, size_t len,
											  const uint32_t **index, size_t *n)
{
	enum json_shim_err err = reason(s->parser->stage1(bytes, len, simdjson::stage1_mode::regular));
	*index = s->parser->structural_indexes.get();
	*n = err == JSON_SHIM_OK ? s->parser->n_structural_indexes : 0;
	return err;
}

extern "C" uint8_t *json_shim_unescape(struct json_shim *s, const uint8_t *src, uint8_t *dst)
{
	return s->parser->parse_string(src, dst);
}
