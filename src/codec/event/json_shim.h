/* SPDX-License-Identifier: Apache-2.0
 * json_shim.h - the door to simdjson 3.0: where the tokens of a document start, and string decoding.
 * Only stage 1 of simdjson is used (it checks UTF-8, unclosed strings and raw control characters and lists
 * the offset of every brace, bracket, colon, comma, opening quote and first byte of a bare word); json.c
 * walks that list. Input buffers must be readable for JSON_SHIM_PADDING bytes past their end. No exception
 * leaves the C++ file. Ownership: the index dies at the next call or at json_shim_free. Cost: one pass at
 * several GB/s, no allocation after json_shim_new. Threads: one owner. */
#ifndef KH_CODEC_EVENT_JSON_SHIM_H
#define KH_CODEC_EVENT_JSON_SHIM_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_SHIM_PADDING = 64 };
enum json_shim_err {
	JSON_SHIM_OK,
	JSON_SHIM_EMPTY,
	JSON_SHIM_UNCLOSED, /* a string has no closing quote */
	JSON_SHIM_CONTROL,  /* a raw control character inside a string */
	JSON_SHIM_UTF8,
	JSON_SHIM_OTHER,
};

struct json_shim;
struct json_shim *json_shim_new(size_t max_bytes); /* NULL when out of memory */
void json_shim_free(struct json_shim *s);          /* NULL is allowed */
/* `bytes` is at most max_bytes. On success index[0..n) are offsets and index[n] is `len`. */
enum json_shim_err json_shim_index(struct json_shim *s, const uint8_t *bytes, size_t len,
								   const uint32_t **index, size_t *n);
/* Decodes a string whose first byte (after the quote) is *src and that ends in a bare quote. `dst` needs the
 * string's length and JSON_SHIM_PADDING bytes. The end of what was written, or NULL for a bad escape. */
uint8_t *json_shim_unescape(struct json_shim *s, const uint8_t *src, uint8_t *dst);

#ifdef __cplusplus
}
#endif
#endif
