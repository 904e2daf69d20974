/* SPDX-License-Identifier: Apache-2.0
 * status.c - `khien status`: what runs, what comes in, what waits, in one screen. */
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

/* clang-format off */
static const struct cli_column role_columns[] = {
	{"name", M_COL_ROLE}, {"state", M_COL_STATE}, {"pid", M_COL_PID}, {"restarts", M_COL_RESTARTS}, {"memory_mb", M_COL_MEMORY},
	{"memory_peak_mb", M_COL_MEMORY_PEAK}, {0}};
static const struct cli_column input_columns[] = {
	{"name", M_COL_INPUT}, {"kind", M_COL_KIND}, {"events", M_COL_EVENTS}, {"rate", M_COL_RATE}, {"n_rejected", M_COL_REJECTED},
	{"last_event", M_COL_LAST_EVENT}, {0}};
static const struct cli_column reject_columns[] = {
	{"input", M_COL_INPUT}, {"reason", M_COL_REASON}, {"count", M_COL_COUNT}, {"sample", M_COL_SAMPLE}, {0}};
/* clang-format on */

static void put_megabytes(json_t *row, const char *from, const char *to)
{
	char text[32];
	snprintf(text, sizeof text, "%.1f", (double)json_integer_value(json_object_get(row, from)) / (1 << 20));
	json_object_set_new(row, to, json_string(text));
}

static void print_roles(const json_t *roles)
{
	const char *name;
	json_t *row, *rows = json_array();
	json_object_foreach((json_t *)(uintptr_t)roles, name, row)
	{
		put_megabytes(row, "memory", "memory_mb");
		put_megabytes(row, "memory_peak", "memory_peak_mb");
		json_array_append(rows, row);
	}
	cli_print_table(rows, role_columns);
	json_decref(rows);
}

static void print_inputs(json_t *inputs)
{
	size_t i, j;
	json_t *row, *reject, *rejects = json_array();
	json_array_foreach(inputs, i, row)
	{
		json_int_t n = 0;
		json_array_foreach(json_object_get(row, "rejected"), j, reject)
		{
			n += json_integer_value(json_object_get(reject, "count"));
			json_object_set(reject, "input", json_object_get(row, "name"));
			json_array_append(rejects, reject);
		}
		json_object_set_new(row, "n_rejected", json_integer(n));
	}
	if (json_array_size(inputs) > 0) {
		putchar('\n');
		cli_print_table(inputs, input_columns);
	}
	if (json_array_size(rejects) > 0) {
		putchar('\n');
		cli_print_table(rejects, reject_columns);
	}
	json_decref(rejects);
}

/* "3 open, 2 closed"; what is zero is left out. */
static void print_counts(enum kh_msg title, const json_t *counts)
{
	const char *name;
	json_t *n;
	bool first = true;
	printf("%s: ", kh_msg(title));
	json_object_foreach((json_t *)(uintptr_t)counts, name, n)
	{
		if (json_integer_value(n) == 0) continue;
		printf("%s%lld %s", first ? "" : ", ", (long long)json_integer_value(n), name);
		first = false;
	}
	puts(first ? "0" : "");
}

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));
	return s != NULL ? s : "";
}

static void print_status(json_t *j)
{
	const json_t *intake = json_object_get(j, "intake");
	const json_t *rules = json_object_get(
		json_object_get(json_object_get(json_object_get(j, "roles"), "sensor"), "work"), "rules");
	bool running = strcmp(text(intake, "state"), "running") == 0;
	kh_print(stdout, M_STATUS_HEAD, text(j, "version"),
			 running ? kh_msg(M_STATUS_RUNNING) : text(intake, "state"), text(intake, "reason"), NULL);
	putchar('\n');
	print_roles(json_object_get(j, "roles"));
	print_inputs(json_object_get(j, "inputs"));
	putchar('\n');
	kh_print(stdout, M_STATUS_RULES, KH_DEC(json_integer_value(json_object_get(rules, "loaded"))),
			 KH_DEC(json_integer_value(json_object_get(rules, "n_rejected"))),
			 KH_DEC(json_integer_value(json_object_get(rules, "disabled"))), NULL);
	print_counts(M_STATUS_FINDINGS, json_object_get(j, "findings"));
	print_counts(M_STATUS_INCIDENTS, json_object_get(j, "incidents"));
	print_counts(M_STATUS_OUTBOX, json_object_get(j, "outbox"));
	print_counts(M_STATUS_RECORDS, json_object_get(j, "records"));
	print_counts(M_STATUS_ATTENTION, json_object_get(j, "attention"));
}

int cli_status(struct cli *c)
{
	struct cli_answer a;
	int code = cli_request(c, "GET", "/api/v1/status", NULL, (struct kh_slice){0}, &a);
	if (code != EX_OK) return code;
	json_t *j = a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
	if (j == NULL)
		code = cli_problem(&a);
	else if (c->json)
		cli_print_json(j);
	else
		print_status(j);
	json_decref(j);
	cli_answer_free(&a);
	return code;
}
