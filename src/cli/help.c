/* SPDX-License-Identifier: Apache-2.0
 * help.c - help and bash completion, both from the table of commands. */
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

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

int cli_version(struct cli *c)
{
	if (c->json)
		puts("{\"name\": \"khien\", \"version\": \"" KH_VERSION "\"}");
	else
		puts("khien " KH_VERSION);
	return EX_OK;
}
