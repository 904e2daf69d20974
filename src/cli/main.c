/* SPDX-License-Identifier: Apache-2.0
 * main.c - finds the command's row and runs it. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "base/config.h"
#include "cli/cli.h"

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

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) return false;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
	}
	return argc < 2 || strcmp(argv[1], "help") == 0;
}

static int run(int argc, char **argv)
{
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
	int code = cli_take(&c, argc, argv, from);
	if (code != EX_OK) return code;
	return k->run != NULL ? k->run(&c) : cli_run_call(&c);
}

/* A full disk or a closed pipe shows only when the last bytes go out. */
static bool all_written(void)
{
	bool ok = !ferror(stdout);
	if (fflush(stdout) == 0 && ok) return true;
	kh_print(stderr, M_FILE_WRITE, "stdout", strerror(errno), NULL);
	return false;
}

int main(int argc, char **argv)
{
	kh_lang_set(kh_lang_from_environment());
	int code = run(argc, argv);
	return all_written() || code != EX_OK ? code : EX_IOERR;
}
