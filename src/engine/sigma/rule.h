/* SPDX-License-Identifier: Apache-2.0
 * sigma/rule.h - one Sigma document (rule or filter) as read from YAML: immutable, in an arena.
 * Source: Sigma specification 2.1 (rules, filters, modifiers appendix). Correlation documents and documents
 * written for Sigma 1 (aggregations, `near`, `action: global`) are refused with that reason.
 * Input: one YAML document, hostile: limits below. Ownership: everything lives in the arena given.
 * Errors: KH_EFORMAT or KH_ELIMIT, with the line of the offending node in `line` and the reason in the diag.
 * Cost: O(bytes). Threads: pure, one arena a thread. */
#ifndef KH_ENGINE_SIGMA_RULE_H
#define KH_ENGINE_SIGMA_RULE_H
#include "base/address.h"
#include "base/arena.h"
#include "engine/sigma/pattern.h"

enum {
	SIGMA_MAX_DOCUMENT = 1 << 20,
	SIGMA_MAX_SELECTIONS = 256,
	SIGMA_MAX_VALUES = 20000, /* values of one rule after all expansions */
	SIGMA_MAX_DEPTH = 32,     /* of the expression, selections and condition together */
};

enum sigma_level {
	SIGMA_LEVEL_NONE,
	SIGMA_INFORMATIONAL,
	SIGMA_LOW,
	SIGMA_MEDIUM,
	SIGMA_HIGH,
	SIGMA_CRITICAL,
	SIGMA_N_LEVELS
};
const char *sigma_level_name(enum sigma_level level); /* "" for none */

struct sigma_logsource {
	struct kh_slice product, category, service; /* empty: any */
};

enum sigma_op {
	SIGMA_STRING,   /* pattern */
	SIGMA_REGEX,    /* text, a search */
	SIGMA_CIDR,     /* prefix */
	SIGMA_COMPARE,  /* compare with number; part picks a piece of a point in time */
	SIGMA_PRESENT,  /* there, and not null */
	SIGMA_EXISTS,   /* there, null or not */
	SIGMA_FIELDREF, /* text names the other field; form says how */
	SIGMA_WAIT,     /* text names a placeholder without values: never true */
};
enum sigma_compare { SIGMA_EQ, SIGMA_LT, SIGMA_LTE, SIGMA_GT, SIGMA_GTE };
enum sigma_part { SIGMA_WHOLE, SIGMA_MINUTE, SIGMA_HOUR, SIGMA_DAY, SIGMA_WEEK, SIGMA_MONTH, SIGMA_YEAR };

/* One question to one field. Always false when the field is missing; "not there" is written as a negation. */
struct sigma_pred {
	struct kh_slice field; /* empty: any part of the event (keywords) */
	enum sigma_op op;
	bool cased;                       /* strings and field references */
	bool filled;                      /* PRESENT: and not the empty text */
	bool numeric;                     /* the rule's value is a number: 1 also equals 1.0 */
	bool caseless, multiline, dotall; /* regular expressions: i, m, s */
	enum pattern_form form;
	struct pattern pattern; /* folded unless cased */
	struct kh_slice text;
	struct kh_prefix prefix;
	enum sigma_compare compare;
	enum sigma_part part;
	double number;
	uint32_t line; /* in the rule's file */
};

enum sigma_expr_kind { SIGMA_AND, SIGMA_OR, SIGMA_NOT, SIGMA_AT_LEAST, SIGMA_PRED };

struct sigma_expr {
	enum sigma_expr_kind kind;
	uint32_t n, need; /* children; how many must hold (AT_LEAST) */
	const struct sigma_expr **kids;
	const struct sigma_pred *pred;
	struct kh_slice name; /* of the selection whose root this is, else empty */
};

struct sigma_selection {
	struct kh_slice name;
	const struct sigma_expr *expr;
};

enum sigma_kind { SIGMA_RULE, SIGMA_FILTER };

struct sigma_rule {
	enum sigma_kind kind;
	struct kh_slice id, name, title, author, license, status, description, date, modified;
	enum sigma_level level;
	const struct kh_slice *tags, *falsepositives, *references, *fields;
	uint32_t n_tags, n_falsepositives, n_references, n_fields;
	struct sigma_logsource logsource;
	const struct sigma_selection *selections;
	uint32_t n_selections;
	const struct sigma_expr *condition;
	struct kh_slice condition_text; /* the first one, for people */
	const struct kh_slice *waits;   /* placeholders without values */
	uint32_t n_waits;
	const struct kh_slice *applies; /* filters: ids or names; NULL with applies_any */
	uint32_t n_applies;
	bool applies_any, narrows; /* narrows: a filter whose condition excludes nothing */
	const char *file;
	uint32_t line; /* where the document begins */
	bool disabled;
};

/* Site values of a placeholder. */
struct sigma_placeholder {
	struct kh_slice name; /* without the percent signs */
	const struct kh_slice *values;
	size_t n_values;
};

struct sigma_placeholders {
	const struct sigma_placeholder *at;
	size_t n;
};

struct sigma_source_text {
	const char *file;                              /* kept in the rule */
	struct kh_slice yaml;                          /* one document */
	uint32_t first_line;                           /* of the document in its file, from 1 */
	const struct sigma_placeholders *placeholders; /* NULL: none */
	bool after_global; /* a document before it in the file says `action: global` (Sigma 1): for the reason
						  only */
};

/* `line` is written on failure only. */
KH_MUST_USE enum kh_err sigma_rule_parse(struct kh_arena *a, const struct sigma_source_text *in,
										 struct sigma_rule *out, uint32_t *line, struct kh_diag *diag);
#endif
