/* SPDX-License-Identifier: Apache-2.0
 * cli.h - `khien <noun> <verb>`: one row a command (commands.c) gives dispatch, help, options, completion and
 * man page. Data goes to standard output, words to standard error; --json everywhere; exit codes of
 * sysexits.h, and 1 for a negative answer (rules rejected, a check failed). */
#ifndef KH_CLI_CLI_H
#define KH_CLI_CLI_H
#include <jansson.h>
#include <stdbool.h>

#include "base/message.h"

enum { CLI_MAX_OPERANDS = 64, CLI_MAX_OPTIONS = 16, CLI_NEGATIVE = 1 };

enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_NUMBER };

struct cli_option {
	const char *name; /* without the dashes */
	enum cli_kind kind;
	const char *placeholder; /* "FILE"; NULL for a flag */
	enum kh_msg help;
};

struct cli_column {
	const char *key; /* of the JSON object; "a.b" looks inside */
	enum kh_msg title;
};

/* A command that is one call of the API. "{1}" in the path is the first operand; options go by their name
 * into the query of a GET, else into the JSON body. */
struct cli_call {
	const char *method, *path;
	const struct cli_column *columns; /* of a list; NULL: show the object */
	const char *body_from;       /* "file": operand 1 is a file (or -) that is the body; NULL otherwise */
	const char *operand_keys[3]; /* body keys of operands that the path does not take */
	bool raw_answer;             /* print the answer's bytes as they are (exports) */
	enum kh_msg done;            /* what to say when it worked; M_NOTHING: show the answer */
};

struct cli;
struct cli_command {
	const char *noun, *verb; /* verb NULL: the noun alone */
	const char *operands;    /* "NUMBER", "FILE...", "[ID]"; NULL: none */
	enum kh_msg help;
	const struct cli_option *options; /* ended by a row without a name; NULL: none */
	int (*run)(struct cli *c);        /* NULL: `call` */
	const struct cli_call *call;
	int (*raw)(int argc, char **argv); /* parses its own arguments; argv[0] is the verb */
	bool hidden;
};

struct cli {
	const struct cli_command *command;
	const char *operands[CLI_MAX_OPERANDS];
	size_t n_operands;
	const char *values[CLI_MAX_OPTIONS]; /* by the option's index; flags: "yes" */
	bool json;
	const char *config; /* --config, or NULL */
};

/* Options and operands from argv[from] on; EX_OK, or an exit code after saying what is wrong. */
int cli_take(struct cli *c, int argc, char **argv, int from);
extern const struct cli_command cli_commands[]; /* ended by a row without a noun */

const char *cli_value(const struct cli *c, const char *option); /* NULL: not given */

/* One call over the control socket. `body` may be empty. The answer's body is owned by the caller. EX_* on
 * failure, after saying why. */
struct cli_answer {
	int status;
	char content_type[64];
	struct kh_slice body;
};
int cli_request(const struct cli *c, const char *method, const char *path, const json_t *query,
				struct kh_slice body, struct cli_answer *out);
void cli_answer_free(struct cli_answer *a);
/* Says what a problem document (RFC 9457) says; the exit code that fits its status. */
int cli_problem(const struct cli_answer *a);
int cli_run_call(struct cli *c); /* runs command->call */

/* table.c */
void cli_print_table(const json_t *rows, const struct cli_column *columns);
void cli_print_object(const json_t *object);
void cli_print_json(const json_t *j);
size_t cli_width(const char *text); /* columns on a terminal */

/* The settings as --config, KHIEN_CONFIG or /etc/khien/khien.yaml give them; NULL after saying why. */
struct settings;
struct settings *cli_settings(const struct cli *c, const char **path_out);

int cli_serve(struct cli *c);
int cli_role(struct cli *c);
int cli_status(struct cli *c);
int cli_doctor(struct cli *c);
int cli_config_check(struct cli *c);
int cli_config_print(struct cli *c);
int cli_audit_verify(struct cli *c);
int cli_sandbox_probe(struct cli *c);
int cli_completion(struct cli *c);
int cli_document(struct cli *c);
int cli_version(struct cli *c);
void cli_help(FILE *to, const char *noun);
#endif
