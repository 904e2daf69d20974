/* SPDX-License-Identifier: Apache-2.0
 * worker.c - the worker role: one job, one process. It can reach nothing but the descriptor that holds its
 * input and the channel that takes its result, so a foreign document that breaks a parser breaks nothing
 * else. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/shapes.h"
#include "base/log.h"
#include "engine/sigma/sigma.h"
#include "role/process.h"

enum { MAX_DOCUMENT = 64 << 20 };

typedef enum kh_err job_function(const char *what, struct kh_slice input, json_t **result,
								 struct kh_diag *diag);

/* CSV bytes -> {"rows": [...], "errors": [...]}; `what` is organisations, contacts, systems or assets. */
static enum kh_err import_job(const char *what, struct kh_slice input, json_t **result, struct kh_diag *diag)
{
	return shape_check(what, input, result, diag);
}

/* A Sigma filter document -> {"id", "title"}, or why it is none. */
static enum kh_err filter_job(const char *what, struct kh_slice input, json_t **result, struct kh_diag *diag)
{
	(void)what;
	struct sigma_rules *rules = sigma_rules_new(NULL);
	if (rules == NULL) return kh_say(diag, KH_ENOMEM, M_OUT_OF_MEMORY, NULL);
	enum kh_err err = sigma_rules_add_text(rules, "exception", input, diag);
	const struct sigma_reject *reject = sigma_rules_rejects(rules) > 0 ? sigma_rules_reject(rules, 0) : NULL;
	const struct sigma_rule *r = sigma_rules_count(rules) == 1 ? sigma_rules_at(rules, 0) : NULL;
	if (err == KH_OK && reject != NULL) {
		err = kh_say(diag, KH_EFORMAT, M_WORKER_FILTER_REJECTED, KH_DEC(reject->line), reject->reason, NULL);
	} else if (err == KH_OK && (r == NULL || r->kind != SIGMA_FILTER)) {
		err = kh_say(diag, KH_EFORMAT, M_WORKER_NO_FILTER, NULL);
	} else if (err == KH_OK) {
		*result = json_pack("{s:o, s:o}", "id", json_stringn((const char *)r->id.p, r->id.n), "title",
							json_stringn((const char *)r->title.p, r->title.n));
	}
	sigma_rules_free(rules);
	return err;
}

static const struct {
	const char *kind; /* "import." is followed by what to import */
	job_function *run;
} jobs[] = {
	{"import.", import_job},
	{"filter.", filter_job},
};

static json_t *run_job(const char *kind, struct kh_slice input)
{
	struct kh_diag diag = {0};
	json_t *result = NULL;
	kh_say(&diag, KH_EFORMAT, M_WORKER_NO_SUCH_JOB, kind, NULL);
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
		size_t n = strlen(jobs[i].kind);
		if (strncmp(kind, jobs[i].kind, n) != 0) continue;
		if (jobs[i].run(kind + n, input, &result, &diag) == KH_OK)
			return json_pack("{s:o}", "result", result);
	}
	return json_pack("{s:s}", "error", diag.text);
}

static void on_job(void *ctx, struct channel *ch, json_t *payload, int fd)
{
	struct role_process *p = ctx;
	void *at = NULL;
	size_t n = 0;
	enum kh_err err = channel_memory_map(fd, MAX_DOCUMENT, &at, &n);
	close(fd);
	json_t *answer = err == KH_OK ? run_job(json_text(payload, "kind", ""), (struct kh_slice){at, n})
								  : json_pack("{s:s}", "error", kh_msg(M_WORKER_BAD_INPUT));
	if (n > 0) munmap(at, n);
	channel_send(ch, FRAME_JOB_DONE, answer, -1);
	role_exit(p);
}

static enum kh_err start(struct role_process *p, struct kh_diag *diag)
{
	(void)p;
	(void)diag;
	return KH_OK;
}

static void desk_gone(struct role_process *p, enum role peer)
{
	(void)peer;
	role_exit(p); /* nobody waits for the result */
}

static const channel_table from_desk = {[FRAME_JOB] = on_job};

const struct role_ops worker_ops = {
	.start = start,
	.peer_gone = desk_gone,
	.from_peer = {[ROLE_DESK] = &from_desk},
};
