/* SPDX-License-Identifier: Apache-2.0
 * options.c - what stands after the verb: options by the command's table, operands by its pattern. */
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

int cli_take(struct cli *c, int argc, char **argv, int from)
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
