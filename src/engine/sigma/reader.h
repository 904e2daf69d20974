/* SPDX-License-Identifier: Apache-2.0
 * sigma/reader.h - what the files that read one Sigma document share: the place, the arena, the limits.
 * Inside the folder only. Ownership: the reader borrows all; strings taken out are copied into the arena. */
#ifndef KH_ENGINE_SIGMA_READER_H
#define KH_ENGINE_SIGMA_READER_H
#include <libfyaml.h>

#include "base/message.h"
#include "engine/sigma/rule.h"

struct reader {
	struct kh_arena *arena;
	struct fy_document *doc;
	const struct sigma_placeholders *placeholders;
	uint32_t first_line, line; /* line: of the first failure */
	bool after_global;
	uint32_t n_values;
	struct kh_slice *waits;
	uint32_t n_waits;
	struct kh_diag *diag;
};

enum scalar_type { SCALAR_TEXT, SCALAR_NUMBER, SCALAR_BOOL, SCALAR_NULL };

struct scalar {
	enum scalar_type type;
	struct kh_slice text; /* a number in plain decimal form where the document used another base */
	double number;
	bool truth;
};

uint32_t reader_line(const struct reader *r, struct fy_node *node);
/* Notes the node's line and says why; `a` and `b` may be NULL. */
enum kh_err reader_fail(struct reader *r, struct fy_node *node, enum kh_err err, enum kh_msg key,
						const char *a, const char *b);
enum kh_err reader_no_memory(struct reader *r);
char *reader_text(struct reader *r, struct kh_slice s); /* NUL-terminated copy, "" when out of memory */
KH_MUST_USE enum kh_err reader_keep(struct reader *r, struct kh_slice s, struct kh_slice *out);
struct kh_slice reader_raw(struct fy_node *node); /* the scalar's text, valid while the document is */
struct fy_node *reader_real(struct reader *r, struct fy_node *node); /* follows an alias, one step */
struct fy_node *reader_get(struct reader *r, struct fy_node *map, const char *key);
struct scalar reader_scalar(struct reader *r, struct fy_node *node);

/* detection.c: `detection:` or `filter:` into selections and a condition. */
KH_MUST_USE enum kh_err detection_read(struct reader *r, struct fy_node *node, struct sigma_rule *rule);
/* modifier.c: `field|mod|mod: values` into an expression. `key` empty: keywords. */
KH_MUST_USE enum kh_err item_read(struct reader *r, struct kh_slice key, struct fy_node *values,
								  const struct sigma_expr **out);
/* condition.c */
KH_MUST_USE enum kh_err condition_read(struct reader *r, struct fy_node *node, struct kh_slice text,
									   const struct sigma_rule *rule, const struct sigma_expr **out);
/* n = 1 gives the child itself. */
struct sigma_expr *expr_join(struct kh_arena *a, enum sigma_expr_kind kind, const struct sigma_expr **kids,
							 uint32_t n);
struct sigma_expr *expr_not(struct kh_arena *a, const struct sigma_expr *kid);
struct sigma_expr *expr_pred(struct kh_arena *a, const struct sigma_pred *pred);
#endif
