/* SPDX-License-Identifier: Apache-2.0
 * bench/json.c - how fast lines become events, parsing alone: bench_json [SECONDS] FILE...
 * The lines (plain or zstd, any format that line/ knows) are read into memory first, then parsed over and
 * over on one core by CPU time. Prints events/s, MB/s, bytes and fields an event. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/line/line.h"
#include "codec/lines/lines.h"

struct load {
	struct kh_slice *lines;
	size_t n, cap;
	size_t bytes;
};

static bool keep(struct load *load, struct kh_slice line)
{
	if (load->n == load->cap) {
		size_t cap = load->cap == 0 ? 4096 : load->cap * 2;
		struct kh_slice *more = reallocarray(load->lines, cap, sizeof *more);
		if (more == NULL) return false;
		load->lines = more;
		load->cap = cap;
	}
	uint8_t *copy = malloc(line.n > 0 ? line.n : 1);
	if (copy == NULL) return false;
	if (line.n > 0) memcpy(copy, line.p, line.n);
	load->lines[load->n++] = (struct kh_slice){copy, line.n};
	load->bytes += line.n;
	return true;
}

static bool read_file(const char *path, struct load *load)
{
	struct lines *l;
	struct kh_slice line;
	struct kh_diag diag;
	if (lines_open(path, NULL, &l, &diag) != KH_OK) {
		fprintf(stderr, "%s\n", diag.text);
		return false;
	}
	enum kh_err err;
	while ((err = lines_next(l, &line, &diag)) == KH_OK && line.p != NULL)
		if (!keep(load, line)) break;
	if (err != KH_OK) fprintf(stderr, "%s\n", diag.text);
	lines_free(l);
	return err == KH_OK;
}

static double cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(const struct load *load, double seconds)
{
	struct line_parser *p = line_parser_new();
	struct event event = {0};
	size_t events = 0, fields = 0, refused = 0, rounds = 0;
	double start = cpu_s(), took;
	if (p == NULL) return;
	do {
		for (size_t i = 0; i < load->n; i++) {
			refused += line_parse(p, LINE_AUTO, load->lines[i], &event, NULL) != KH_OK;
			fields += event.n_fields;
		}
		events += load->n;
		rounds++;
		took = cpu_s() - start;
	} while (took < seconds);
	printf("%.0f events/s  %.0f MB/s  %.0f bytes/event  %.1f fields/event  %zu refused of %zu  (%zu rounds, "
		   "%.1f CPU s)\n",
		   (double)events / took, (double)load->bytes * (double)rounds / took / 1e6,
		   (double)load->bytes / (double)load->n, (double)fields / (double)events, refused / rounds, load->n,
		   rounds, took);
	line_parser_free(p);
	event_free(&event);
}

int main(int argc, char **argv)
{
	struct load load = {0};
	int first = argc > 1 && strspn(argv[1], "0123456789") == strlen(argv[1]) ? 2 : 1;
	double seconds = first == 2 ? (double)strtoul(argv[1], NULL, 10) : 5;
	for (int i = first; i < argc; i++)
		if (!read_file(argv[i], &load)) return 1;
	if (load.n == 0) {
		fprintf(stderr, "usage: bench_json [SECONDS] FILE...\n");
		return 2;
	}
	measure(&load, seconds);
	for (size_t i = 0; i < load.n; i++) free((void *)(uintptr_t)load.lines[i].p);
	free(load.lines);
	return 0;
}
