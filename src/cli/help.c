/* SPDX-License-Identifier: Apache-2.0
 * help.c - help, bash completion and documents, all from the table of commands. */
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "role/messages.h"
#include "role/settings.h"

static size_t usage_text(const struct cli_command *k, char *out, size_t cap)
{
	snprintf(out, cap, "khien %s%s%s%s%s", k->noun, k->verb != NULL ? " " : "",
			 k->verb != NULL ? k->verb : "", k->operands != NULL ? " " : "",
			 k->operands != NULL ? k->operands : "");
	return cli_width(out);
}

static void print_options(FILE *to, const struct cli_command *k)
{
	for (const struct cli_option *o = k->options; o != NULL && o->name != NULL; o++) {
		char left[96];
		snprintf(left, sizeof left, "--%s%s%s", o->name, o->placeholder != NULL ? " " : "",
				 o->placeholder != NULL ? o->placeholder : "");
		fprintf(to, "      %-26s %s\n", left, kh_msg(o->help));
	}
}

void cli_help(FILE *to, const char *noun)
{
	char left[128];
	if (noun == NULL) fprintf(to, "%s\n\n", kh_msg(M_HELP_HEAD));
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++) {
		if (k->hidden || (noun != NULL && strcmp(noun, k->noun) != 0)) continue;
		usage_text(k, left, sizeof left);
		fprintf(to, "  %-32s %s\n", left, kh_msg(k->help));
		if (noun != NULL) print_options(to, k);
	}
	fprintf(to, "\n%s\n", kh_msg(M_HELP_TAIL));
}

static void words_of(const char *noun)
{
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++) {
		bool first_of_noun = k == cli_commands || strcmp(k[-1].noun, k->noun) != 0;
		if (k->hidden) continue;
		if (noun == NULL ? first_of_noun : strcmp(noun, k->noun) == 0 && k->verb != NULL)
			printf("%s ", noun == NULL ? k->noun : k->verb);
	}
}

int cli_completion(struct cli *c)
{
	(void)c;
	puts("# bash completion for khien: source it, or put it into "
		 "/usr/share/bash-completion/completions/khien\n"
		 "_khien() {\n"
		 "  local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
		 "  COMPREPLY=()\n"
		 "  if [ \"$COMP_CWORD\" -eq 1 ]; then");
	printf("    words='");
	words_of(NULL);
	puts("help'\n  else\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in");
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++) {
		if (k->hidden) continue;
		printf("    \"%s %s\"*) words='--json --config --help", k->noun, k->verb != NULL ? k->verb : "");
		for (const struct cli_option *o = k->options; o != NULL && o->name != NULL; o++)
			printf(" --%s", o->name);
		puts("' ;;");
	}
	puts("    esac\n    if [ \"$COMP_CWORD\" -eq 2 ]; then\n      case \"${COMP_WORDS[1]}\" in");
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++) {
		if (k->hidden || k->verb == NULL || (k != cli_commands && strcmp(k[-1].noun, k->noun) == 0)) continue;
		printf("      %s) words='", k->noun);
		words_of(k->noun);
		puts("' ;;");
	}
	puts("      esac\n    fi\n  fi\n"
		 "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		 "  case $cur in -*) ;; *) [ \"$COMP_CWORD\" -gt 2 ] && COMPREPLY+=($(compgen -f -- \"$cur\")) ;; "
		 "esac\n"
		 "}\n"
		 "complete -o filenames -F _khien khien");
	return EX_OK;
}

/* docs/commands.md and the COMMANDS part of the man page. */
static void document_commands(void)
{
	char left[128];
	puts("# Commands\n\nWritten by `khien document commands` from `src/cli/commands.c`; a test compares "
		 "them.\n\n"
		 "| command | options | what it does |\n| --- | --- | --- |");
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++) {
		if (k->hidden) continue;
		usage_text(k, left, sizeof left);
		printf("| `%s` |", left);
		for (const struct cli_option *o = k->options; o != NULL && o->name != NULL; o++)
			printf(" `--%s`", o->name);
		printf(" | %s |\n", kh_msg_in(KH_EN, k->help));
	}
}

static const char *type_name(enum config_type type)
{
	static const char *const names[] = {"true/false", "number", "duration", "size", "text",
										"word",       "list",   "map",      "table"};
	return names[type];
}

static void settings_table(const struct config_row *rows, const char *prefix)
{
	for (; rows->key != NULL; rows++) {
		printf("| `%s%s` | %s | %s%s%s | %s |\n", prefix, rows->key, type_name(rows->type),
			   rows->def != NULL ? "`" : "", rows->def != NULL ? rows->def : "", rows->def != NULL ? "`" : "",
			   kh_msg_in(KH_EN, rows->help));
		if (rows->type == CFG_TABLE) settings_table(rows->rows, "inputs[].");
	}
}

static void document_settings(void)
{
	puts("# Settings\n\nWritten by `khien document settings` from `src/role/settings.c`; a test compares "
		 "them. The file is YAML:\n"
		 "`/etc/khien/khien.yaml`, or what `--config` or `KHIEN_CONFIG` names. `khien config check` reads "
		 "it, `khien config print`\n"
		 "writes back what is in force.\n\n| key | type | default | what it does |\n| --- | --- | --- | --- "
		 "|");
	settings_table(settings_rows, "");
}

int cli_document(struct cli *c)
{
	const char *what = c->operands[0];
	if (strcmp(what, "messages") == 0)
		messages_document(stdout);
	else if (strcmp(what, "commands") == 0)
		document_commands();
	else if (strcmp(what, "settings") == 0)
		document_settings();
	else
		return EX_USAGE;
	return EX_OK;
}

int cli_version(struct cli *c)
{
	if (c->json)
		puts("{\"name\": \"khien\", \"version\": \"" KH_VERSION "\"}");
	else
		puts("khien " KH_VERSION);
	return EX_OK;
}
