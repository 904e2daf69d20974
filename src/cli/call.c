/* SPDX-License-Identifier: Apache-2.0
 * call.c - commands that are one call of the API, as their row says. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cli.h"

enum { MAX_BODY = 16 << 20 };

/* Percent-encodes what a path segment may not hold (RFC 3986, 3.3). */
static void put_segment(struct kh_buf *b, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
					 strchr("-._~@:", c) != NULL;
		kh_buf_printf(b, plain ? "%c" : "%%%02X", c);
	}
}

/* "{n}" of the path is operand n; returns how many operands the path took. */
static size_t path_of(const struct cli *c, const char *pattern, struct kh_buf *out)
{
	size_t most = 0;
	for (const char *p = pattern; *p != '\0'; p++) {
		if (p[0] != '{') {
			kh_buf_char(out, *p);
			continue;
		}
		size_t n = (size_t)(p[1] - '0');
		if (n >= 1 && n <= c->n_operands) put_segment(out, c->operands[n - 1]);
		if (n > most) most = n;
		p += 2;
	}
	return most;
}

static bool read_file(const char *path, struct kh_buf *out)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char piece[65536];
	ssize_t n = -1;
	while (fd >= 0 && out->err == KH_OK && (n = read(fd, piece, sizeof piece)) > 0)
		kh_buf_put(out, (struct kh_slice){(const uint8_t *)piece, (size_t)n});
	if (out->err != KH_OK)
		kh_print(stderr, M_FILE_TOO_LARGE, path, KH_DEC(MAX_BODY), NULL);
	else if (fd < 0 || n < 0)
		kh_print(stderr, M_FILE_OPEN, path, strerror(errno), NULL);
	bool ok = fd >= 0 && n == 0 && out->err == KH_OK;
	if (!standard && fd >= 0) close(fd);
	return ok;
}

static void put_value(json_t *to, const char *key, const char *value, enum cli_kind kind)
{
	uint64_t number;
	if (kind == CLI_NUMBER && kh_slice_u64(kh_str(value), INT64_MAX, &number) == KH_OK)
		json_object_set_new(to, key, json_integer((json_int_t)number));
	else if (kind == CLI_FLAG)
		json_object_set_new(to, key, json_true());
	else
		json_object_set_new(to, key, json_string(value));
}

static json_t *options_of(const struct cli *c)
{
	json_t *j = json_object();
	const struct cli_option *o = c->command->options;
	for (size_t i = 0; o != NULL && o[i].name != NULL; i++)
		if (c->values[i] != NULL) put_value(j, o[i].name, c->values[i], o[i].kind);
	return j;
}

/* Query texts: the API reads them as such. */
static json_t *query_of(json_t *options)
{
	const char *key;
	json_t *v, *q = json_object();
	json_object_foreach(options, key, v)
	{
		char number[24];
		if (json_is_integer(v))
			json_object_set_new(q, key, json_string(kh_dec(number, json_integer_value(v))));
		else
			json_object_set_new(q, key, json_is_true(v) ? json_string("true") : json_incref(v));
	}
	return q;
}

static int show(const struct cli *c, const struct cli_answer *a)
{
	const struct cli_call *call = c->command->call;
	if (a->status >= 300) return cli_problem(a);
	if (call->raw_answer) {
		fwrite(a->body.p, 1, a->body.n, stdout);
		return EX_OK;
	}
	json_t *j = json_loadb((const char *)a->body.p, a->body.n, 0, NULL);
	if (c->json && j != NULL)
		cli_print_json(j);
	else if (call->columns != NULL)
		cli_print_table(json_object_get(j, "items"), call->columns);
	else if (call->done == M_NOTHING)
		cli_print_object(j);
	if (!c->json && call->done != M_NOTHING)
		kh_print(stderr, call->done, c->n_operands > 0 ? c->operands[0] : "", NULL);
	const char *next = json_string_value(json_object_get(j, "next"));
	if (!c->json && next != NULL) kh_print(stderr, M_CLI_MORE, next, NULL);
	json_decref(j);
	return EX_OK;
}

int cli_run_call(struct cli *c)
{
	const struct cli_call *call = c->command->call;
	struct kh_buf path = KH_BUF(8192), file = KH_BUF(MAX_BODY);
	json_t *options = options_of(c), *query = NULL;
	char *text = NULL;
	struct kh_slice body = {0};
	size_t taken = path_of(c, call->path, &path);
	if (call->body_from != NULL) {
		if (!read_file(c->operands[c->n_operands - 1], &file)) {
			json_decref(options);
			kh_buf_free(&path);
			kh_buf_free(&file);
			return EX_NOINPUT;
		}
		body = kh_buf_slice(&file);
	}
	for (size_t i = taken; i < c->n_operands && i - taken < 3 && call->operand_keys[i - taken] != NULL; i++)
		put_value(options, call->operand_keys[i - taken], c->operands[i], CLI_TEXT);
	if (strcmp(call->method, "GET") == 0 || call->body_from != NULL)
		query = query_of(options);
	else
		body = kh_str(text = json_dumps(options, JSON_COMPACT));
	struct cli_answer answer;
	int code = cli_request(c, call->method, path.bytes, query, body, &answer);
	if (code == EX_OK) {
		code = show(c, &answer);
		cli_answer_free(&answer);
	}
	free(text);
	json_decref(query);
	json_decref(options);
	kh_buf_free(&path);
	kh_buf_free(&file);
	return code;
}
