/* SPDX-License-Identifier: Apache-2.0
 * document.c - `khien document WHAT`: the parts of the documents that are tables of this program, as Markdown
 * for docs/ and as scdoc for the man pages. English, whatever the language of the session. */
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "role/messages.h"
#include "role/settings.h"

struct style {
	void (*command)(const char *usage, const struct cli_command *k);
	void (*setting)(const char *prefix, const struct config_row *row);
};

static const char *english(enum kh_msg key)
{
	return kh_msg_in(KH_EN, key);
}

static const char *type_name(enum config_type type)
{
	static const char *const names[] = {"true/false", "number", "duration", "size", "text",
										"word",       "list",   "map",      "table"};
	return names[type];
}

static void unit_of(char *out, size_t cap, enum config_type type, uint64_t v)
{
	static const struct {
		enum config_type type;
		uint64_t worth;
		const char *unit;
	} units[] = {
		{CFG_DURATION, 86400, "d"}, {CFG_DURATION, 3600, "h"},  {CFG_DURATION, 60, "m"},
		{CFG_DURATION, 1, "s"},     {CFG_SIZE, 1 << 30, "GiB"}, {CFG_SIZE, 1 << 20, "MiB"},
		{CFG_SIZE, 1 << 10, "KiB"},
	};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (units[i].type != type || v == 0 || v % units[i].worth != 0) continue;
		snprintf(out, cap, "%llu%s", (unsigned long long)(v / units[i].worth), units[i].unit);
		return;
	}
	snprintf(out, cap, "%llu", (unsigned long long)v);
}

/* What a value may be: "vi, en", "4 to 60000", "at most 16 entries"; empty when anything goes. */
static void allowed(char *out, size_t cap, const struct config_row *row)
{
	char least[32], most[32];
	bool many = row->type == CFG_LIST || row->type == CFG_MAP || row->type == CFG_TABLE;
	size_t len = 0;
	*out = '\0';
	for (size_t i = 0; row->words != NULL && row->words[i] != NULL && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s", i > 0 ? ", " : "", row->words[i]);
	if (row->max == 0) return;
	unit_of(least, sizeof least, row->type, row->min);
	unit_of(most, sizeof most, row->type, row->max);
	if (many)
		snprintf(out, cap, "at most %s entries", most);
	else
		snprintf(out, cap, "%s to %s", least, most);
}

/* ---- Markdown ---- */

static void markdown_command(const char *usage, const struct cli_command *k)
{
	printf("| `%s` |", usage);
	for (const struct cli_option *o = k->options; o != NULL && o->name != NULL; o++)
		printf(" `--%s%s%s`", o->name, o->placeholder != NULL ? " " : "",
			   o->placeholder != NULL ? o->placeholder : "");
	printf(" | %s |\n", english(k->help));
}

static void markdown_setting(const char *prefix, const struct config_row *row)
{
	char values[128];
	const char *tick = row->def != NULL ? "`" : "";
	allowed(values, sizeof values, row);
	printf("| `%s%s` | %s | %s%s%s | %s | %s |\n", prefix, row->key, type_name(row->type), tick,
		   row->def != NULL ? row->def
		   : row->required  ? "required"
							: "",
		   tick, values, english(row->help));
}

static const struct style markdown = {markdown_command, markdown_setting};

/* ---- scdoc: marks that belong to the text are escaped ---- */

static void scdoc_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("\\_*#~`[]", *text) != NULL) putchar('\\');
		putchar(*text);
	}
}

static void scdoc_command(const char *usage, const struct cli_command *k)
{
	putchar('*');
	scdoc_text(usage);
	printf("*\n\t");
	scdoc_text(english(k->help));
	puts("\n");
	for (const struct cli_option *o = k->options; o != NULL && o->name != NULL; o++) {
		printf("\t*--%s*", o->name);
		if (o->placeholder != NULL) printf(" _%s_", o->placeholder);
		printf("\n\t\t");
		scdoc_text(english(o->help));
		puts("\n");
	}
}

static void scdoc_setting(const char *prefix, const struct config_row *row)
{
	char values[128];
	allowed(values, sizeof values, row);
	putchar('*');
	scdoc_text(prefix);
	scdoc_text(row->key);
	printf("* (%s%s%s%s", type_name(row->type), row->required ? ", required" : "",
		   values[0] != '\0' ? ": " : "", values);
	if (row->def != NULL) {
		printf("; default ");
		scdoc_text(row->def);
	}
	printf(")\n\t");
	scdoc_text(english(row->help));
	puts("\n");
}

static const struct style scdoc = {scdoc_command, scdoc_setting};

/* ---- the tables ---- */

static void all_commands(const struct style *style)
{
	char usage[128];
	for (const struct cli_command *k = cli_commands; k->noun != NULL; k++) {
		if (k->hidden) continue;
		snprintf(usage, sizeof usage, "khien %s%s%s%s%s", k->noun, k->verb != NULL ? " " : "",
				 k->verb != NULL ? k->verb : "", k->operands != NULL ? " " : "",
				 k->operands != NULL ? k->operands : "");
		style->command(usage, k);
	}
}

static void all_settings(const struct style *style, const struct config_row *rows, const char *prefix)
{
	for (; rows->key != NULL; rows++) {
		style->setting(prefix, rows);
		for (const struct config_row *r = rows->type == CFG_TABLE ? rows->rows : NULL;
			 r != NULL && r->key != NULL; r++) {
			char inside[64];
			snprintf(inside, sizeof inside, "%s[].", rows->key);
			style->setting(inside, r);
		}
	}
}

static void document_messages(void)
{
	messages_document(stdout);
}

static void document_commands(void)
{
	puts("# Commands\n\n"
		 "Written by `khien document commands` from `src/cli/commands.c`; a test compares them. Every "
		 "command takes\n"
		 "`--json`, `--config FILE` and `--help`; those of `sigma` are told in khien-sigma(1).\n\n"
		 "| command | options | what it does |\n| --- | --- | --- |");
	all_commands(&markdown);
}

static void document_settings(void)
{
	puts("# Settings\n\n"
		 "Written by `khien document settings` from `src/role/settings.c`; a test compares them. The file is "
		 "YAML:\n"
		 "`/etc/khien/khien.yaml`, or what `--config` or `KHIEN_CONFIG` names. `khien config check` reads "
		 "it,\n"
		 "`khien config print` writes back what is in force. A dot in a key is a level of the file.\n\n"
		 "| key | type | default | values | what it does |\n| --- | --- | --- | --- | --- |");
	all_settings(&markdown, settings_rows, "");
}

static void document_man_commands(void)
{
	all_commands(&scdoc);
}

static void document_man_settings(void)
{
	all_settings(&scdoc, settings_rows, "");
}

static const struct {
	const char *name;
	void (*write)(void);
} documents[] = {
	{"messages", document_messages},         {"commands", document_commands},
	{"settings", document_settings},         {"man-commands", document_man_commands},
	{"man-settings", document_man_settings},
};

int cli_document(struct cli *c)
{
	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
		if (strcmp(documents[i].name, c->operands[0]) != 0) continue;
		documents[i].write();
		return EX_OK;
	}
	return EX_USAGE;
}
