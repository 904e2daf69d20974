/* SPDX-License-Identifier: Apache-2.0
 * main.c - finds the command's row, reads its options and operands, runs it. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/config.h"
#include "cli/cli.h"

const char *cli_value(const struct cli *c, const char *option)
{
	for (size_t i = 0; c->command->options != NULL && c->command->options[i].name != NULL; i++)
		if (strcmp(c->command->options[i].name, option) == 0) return c->values[i];
	return NULL;
}

/* ---- finding the row ---- */

static const struct cli_command *find(const char *noun, const char *verb)
{
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++) {
		if (strcmp(k->noun, noun) != 0) continue;
		if (k->verb == NULL || (verb != NULL && strcmp(k->verb, verb) == 0)) return k;
	}
	return NULL;
}

static bool is_noun(const char *word)
{
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++)
		if (strcmp(k->noun, word) == 0) return true;
	return false;
}

static int unknown(const char *noun, const char *verb)
{
	const char *words[256];
	size_t n = 0;
	bool known = is_noun(noun);
	for (const struct cli_command *k = cli_commands; k->noun != NULL && n < 255; k++) {
		if (k->hidden || (known && (strcmp(k->noun, noun) != 0 || k->verb == NULL))) continue;
		words[n++] = known ? k->verb : k->noun;
	}
	words[n] = NULL;
	if (known && verb == NULL) {
		cli_help(stderr, noun);
		return EX_USAGE;
	}
	const char *typed = known ? verb : noun, *near = kh_nearest(typed, words);
	kh_print(stderr, M_CLI_UNKNOWN, known ? noun : "khien", typed, NULL);
	if (near != NULL) kh_print(stderr, M_CLI_DID_YOU_MEAN, known ? noun : "", known ? " " : "", near, NULL);
	kh_print(stderr, M_CLI_SEE_HELP, NULL);
	return EX_USAGE;
}

/* ---- options and operands ---- */

static int bad_option(const struct cli *c, const char *typed)
{
	const char *words[CLI_MAX_OPTIONS + 3] = {"json", "config", "help"};
	size_t n = 3;
	for (size_t i = 0; c->command->options != NULL && c->command->options[i].name != NULL; i++)
		words[n++] = c->command->options[i].name;
	words[n] = NULL;
	const char *near = kh_nearest(typed + 2, words);
	kh_print(stderr, M_CLI_UNKNOWN_OPTION, typed, NULL);
	if (near != NULL) kh_print(stderr, M_CLI_DID_YOU_MEAN, "", "--", near, NULL);
	return EX_USAGE;
}

/* One "--name", "--name=value" or "--name value"; *i moves over what was taken. EX_OK or an exit code. */
static int take_option(struct cli *c, char **argv, int argc, int *i)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	size_t n = equals != NULL ? (size_t)(equals - name) : strlen(name);
	if (n == 4 && strncmp(name, "json", n) == 0) {
		c->json = true;
		return EX_OK;
	}
	bool is_config = n == 6 && strncmp(name, "config", n) == 0;
	const struct cli_option *o = c->command->options;
	size_t index = 0;
	while (!is_config && o != NULL && o[index].name != NULL &&
		   (strlen(o[index].name) != n || strncmp(o[index].name, name, n) != 0))
		index++;
	if (!is_config && (o == NULL || o[index].name == NULL)) return bad_option(c, argv[*i]);
	const char *value = equals != NULL ? equals + 1 : NULL;
	bool flag = !is_config && o[index].kind == CLI_FLAG;
	if (flag && value == NULL) value = "yes";
	if (value == NULL && *i + 1 < argc) value = argv[++*i];
	uint64_t number;
	if (value == NULL || (!is_config && o[index].kind == CLI_NUMBER &&
						  kh_slice_u64(kh_str(value), INT64_MAX, &number) != KH_OK)) {
		kh_print(stderr, M_CLI_OPTION_VALUE, argv[*i], NULL);
		return EX_USAGE;
	}
	*(is_config ? &c->config : &c->values[index]) = value;
	return EX_OK;
}

static size_t operands_wanted(const char *operands)
{
	size_t n = 0;
	for (const char *p = operands; p != NULL && *p != '\0'; p++)
		if ((p == operands || p[-1] == ' ') && *p != '[') n++;
	return n;
}

static size_t operands_most(const char *operands)
{
	if (operands == NULL) return 0;
	if (strstr(operands, "...") != NULL) return CLI_MAX_OPERANDS;
	size_t n = 1;
	for (const char *p = operands; *p != '\0'; p++) n += *p == ' ';
	return n;
}

static int take_all(struct cli *c, char **argv, int argc, int from)
{
	bool only_operands = false;
	for (int i = from; i < argc; i++) {
		if (!only_operands && strcmp(argv[i], "--") == 0) {
			only_operands = true;
		} else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
			int code = take_option(c, argv, argc, &i);
			if (code != EX_OK) return code;
		} else if (c->n_operands < operands_most(c->command->operands)) {
			c->operands[c->n_operands++] = argv[i];
		} else {
			kh_print(stderr, M_CLI_TOO_MANY_OPERANDS, argv[i], NULL);
			return EX_USAGE;
		}
	}
	if (c->n_operands >= operands_wanted(c->command->operands)) return EX_OK;
	kh_print(stderr, M_CLI_MISSING_OPERAND, c->command->operands, NULL);
	return EX_USAGE;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) return false;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
	}
	return argc < 2 || strcmp(argv[1], "help") == 0;
}

int main(int argc, char **argv)
{
	kh_lang_set(kh_lang_from_environment());
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) argv[1] = (char[]){"version"};
	if (wants_help(argc, argv)) {
		const char *noun = argc > 1 && strcmp(argv[1], "help") != 0 ? argv[1] : argc > 2 ? argv[2] : NULL;
		bool asked = argc > 1;
		cli_help(asked ? stdout : stderr, noun != NULL && is_noun(noun) ? noun : NULL);
		return asked ? EX_OK : EX_USAGE;
	}
	const struct cli_command *k = find(argv[1], argc > 2 ? argv[2] : NULL);
	if (k == NULL) return unknown(argv[1], argc > 2 && argv[2][0] != '-' ? argv[2] : NULL);
	int from = k->verb != NULL ? 3 : 2;
	if (k->raw != NULL) return k->raw(argc - from + 1, argv + from - 1);
	struct cli c = {.command = k};
	int code = take_all(&c, argv, argc, from);
	if (code != EX_OK) return code;
	return k->run != NULL ? k->run(&c) : cli_run_call(&c);
}
