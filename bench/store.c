/* SPDX-License-Identifier: Apache-2.0
 * store.c - how fast the desk takes batches in: what one synced transaction costs, and what findings cost in
 * it. Use: store FOLDER; the database is made there and removed. Prints key=value lines. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/message.h"
#include "base/time.h"
#include "base/uuid.h"
#include "desk/desk.h"
#include "store/db.h"

static void must(enum kh_err err, const struct kh_diag *diag)
{
	if (err == KH_OK) return;
	fprintf(stderr, "%s\n", diag->text);
	exit(EXIT_FAILURE);
}

static json_t *finding(int host, int rule, int64_t now_ns)
{
	char name[32], id[32];
	snprintf(name, sizeof name, "host%d.example.vn", host);
	snprintf(id, sizeof id, "rule-%d", rule);
	return json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:[s]},s:s,s:i,s:I,s:I,s:[{s:I,s:s,s:[]}]}", "rule", "id", id,
					 "title", "A rule", "level", host % 20 == 0 ? "high" : "low", "author", "A", "license",
					 "L", "tags", "attack.t1110", "host", name, "count", 5, "first_ns", (json_int_t)now_ns,
					 "last_ns", (json_int_t)now_ns, "evidence", "time_ns", (json_int_t)now_ns, "line",
					 "Nov 23 15:00:00 host sshd[1]: Failed password for invalid user admin from 203.0.113.9 "
					 "port 4242 ssh2",
					 "matched");
}

/* n batches of `each` findings over `hosts` hosts. */
static void run(struct desk *d, const char *name, int n, int each, int hosts)
{
	static int64_t seq;
	char boot[KH_UUID_TEXT];
	struct kh_diag diag = {0};
	int64_t total = 0;
	kh_uuid7(boot, kh_now_ns());
	for (int i = 0; i < n; i++) {
		json_t *list = json_array(), *answer;
		int64_t now = kh_now_ns();
		for (int k = 0; k < each; k++)
			json_array_append_new(list, finding((i * each + k) % hosts, k % 7, now));
		json_t *batch = json_pack("{s:s,s:I,s:[],s:o}", "boot", boot, "seq", (json_int_t)seq++, "inputs",
								  "findings", list);
		int64_t begin = kh_mono_ns();
		must(intake_apply(d, batch, now, &answer, &diag), &diag);
		total += kh_mono_ns() - begin;
		json_decref(answer);
		json_decref(batch);
	}
	printf("%s batches=%d findings=%d batch_us=%.0f findings_s=%.0f\n", name, n, each,
		   (double)total / n / 1e3, (double)n * each * 1e9 / (double)total);
}

int main(int argc, char **argv)
{
	char path[4096];
	struct kh_diag diag = {0};
	struct db *db;
	struct desk *d;
	struct rusage use;
	if (argc != 2) {
		fprintf(stderr, "use: store FOLDER\n");
		return EXIT_FAILURE;
	}
	kh_lang_set(KH_EN);
	snprintf(path, sizeof path, "%s/bench.db", argv[1]);
	must(db_open(path, NULL, &db, &diag), &diag);
	must(desk_new(db, NULL, NULL, &d, &diag), &diag);
	run(d, "empty", 300, 0, 1);
	run(d, "one_known", 300, 1, 1);
	run(d, "hundred_new", 20, 100, 2000);
	run(d, "hundred_known", 50, 100, 2000);
	getrusage(RUSAGE_SELF, &use);
	printf("store_bytes=%lld sqlite_bytes=%lld peak_kib=%ld\n", (long long)db_bytes(db),
		   (long long)db_memory(), use.ru_maxrss);
	desk_free(d);
	db_close(db);
	static const char *const tails[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		char name[4200];
		snprintf(name, sizeof name, "%s%s", path, tails[i]);
		unlink(name);
	}
	return EXIT_SUCCESS;
}
