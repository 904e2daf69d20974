/* SPDX-License-Identifier: Apache-2.0
 * test_real_logs.c - the parsers over public log collections, when ../shared/data lies beside the checkout.
 * Each file must give the expected format for at least 99.9 % of its lines. Skips (77) when the folder is
 * missing. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/line/line.h"
#include "codec/lines/lines.h"

struct file {
	const char *name, *format;
	const char *field; /* must be in at least field_percent of the events */
	unsigned field_percent;
};

static const struct file files[] = {
	{"loghub__OpenSSH_2k.log.zst", "syslog", "src_ip", 50},
	{"loghub__Linux_2k.log.zst", "syslog", "app_name", 90},
	{"loghub__Apache_2k.log.zst", "text", "message", 100},
	{"elastic-examples__apache_combined.log.zst", "access", "cs-user-agent", 90},
	{"suricata-eve__first-org-conf-2015.ndjson.zst", "json", "event_type", 100},
	{"suricata-eve__wrccdc-2018.ndjson.zst", "json", "event_type", 100},
	{"zeek-json__dns.ndjson.zst", "json", "query", 50},
	{"zeek-json__notice.ndjson.zst", "json", "note", 99},
	{"zeek-json__smtp.ndjson.zst", "json", "id.orig_h", 99},
	{"zeek-json__ssl.ndjson.zst", "json", "id.orig_h", 99},
	{"zeek-json__x509.ndjson.zst", "json", "certificate.subject", 90},
};

struct tally {
	uint64_t n_lines, n_format, n_field;
};

static void count(struct line_parser *p, struct kh_slice line, struct event *event, const struct file *f,
				  struct tally *t)
{
	struct kh_diag diag;
	t->n_lines++;
	if (line_parse(p, LINE_AUTO, line, event, &diag) != KH_OK) {
		printf("  %s: %s\n", line_reason_name(line_parser_reason(p)), diag.text);
		return;
	}
	const struct event_field *format = event_find(event, "_format");
	if (format != NULL && kh_slice_is(format->value, f->format))
		t->n_format++;
	else
		printf("  other format: %.*s\n", (int)line.n, (const char *)line.p);
	t->n_field += event_find(event, f->field) != NULL;
}

static bool holds(const char *folder, const struct file *f, struct line_parser *p, struct event *event)
{
	char path[512];
	struct lines *l;
	struct kh_slice line;
	struct kh_diag diag;
	struct tally t = {0};
	snprintf(path, sizeof path, "%s/%s", folder, f->name);
	if (lines_open(path, NULL, &l, &diag) != KH_OK) {
		printf("%s\n", diag.text);
		return false;
	}
	enum kh_err err;
	while ((err = lines_next(l, &line, &diag)) == KH_OK && line.p != NULL) count(p, line, event, f, &t);
	lines_free(l);
	printf("%-50s %7llu lines, %llu %s, %llu with %s\n", f->name, (unsigned long long)t.n_lines,
		   (unsigned long long)t.n_format, f->format, (unsigned long long)t.n_field, f->field);
	return err == KH_OK && t.n_lines > 0 && t.n_format * 1000 >= t.n_lines * 999 &&
		   t.n_field * 100 >= t.n_lines * f->field_percent;
}

int main(int argc, char **argv)
{
	char folder[400];
	struct event event = {0};
	int failed = 0;
	snprintf(folder, sizeof folder, "%s/../shared/data/detection/raw-logs", argc > 1 ? argv[1] : ".");
	if (access(folder, R_OK) != 0) {
		printf("skipped: no public log collections beside the checkout\n");
		return 77;
	}
	struct line_parser *p = line_parser_new();
	if (p == NULL) return 1;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) failed += !holds(folder, &files[i], p, &event);
	line_parser_free(p);
	event_free(&event);
	return failed > 0;
}
