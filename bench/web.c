/* SPDX-License-Identifier: Apache-2.0
 * web.c - a web server that answers every request with a small JSON document, for a load generator
 * beside it. bench_web [tls] [SECONDS]; prints the port, then at the end requests served and memory. For
 * example bench_web 10 & wrk -t1 -c50 -d8s http://127.0.0.1:PORT/ */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/time.h"
#include "web/certificate.h"
#include "web/server.h"

static size_t on_head(void *ctx, struct web_request *req)
{
	(void)ctx, (void)req;
	return 0;
}

static void on_request(void *ctx, struct web_request *req)
{
	(void)ctx;
	web_reply(req, &(struct web_answer){
					   .status = 200, .content_type = "application/json", .body = KH_LIT("{\"ok\":true}")});
}

static void stopped(void *arg)
{
	(void)arg;
}

static void print_memory(const char *when)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "VmRSS", 5) == 0 || strncmp(line, "RssAnon", 7) == 0 ||
			strncmp(line, "VmHWM", 5) == 0)
			printf("%s %s", when, line);
	if (f != NULL) fclose(f);
}

static void at_end(uv_timer_t *t)
{
	struct web_server *s = t->data;
	struct web_counts c = web_server_counts(s);
	printf("answered %llu\n", (unsigned long long)c.requests[2]);
	print_memory("end");
	web_server_stop(s, 100, stopped, NULL);
	uv_close((uv_handle_t *)t, NULL);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	struct kh_buf cert = KH_BUF(CERTIFICATE_PEM_MAX), key = KH_BUF(CERTIFICATE_PEM_MAX);
	struct kh_diag d = {0};
	struct web_server *s = NULL;
	bool tls = argc > 1 && strcmp(argv[1], "tls") == 0;
	uint64_t seconds = argc > 1 ? strtoull(argv[argc - 1], NULL, 10) : 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 128) != 0) return 1;
	getsockname(fd, (struct sockaddr *)&a, &len);
	if (certificate_make(NULL, 0, kh_now_ns(), &cert, &key, &d) != KH_OK) return 1;
	web_prepare();
	uv_timer_t end;
	struct web_settings set = {.listen_fd = fd, .max_per_address = 256};
	if (tls) set.cert_pem = cert.bytes, set.key_pem = key.bytes;
	uv_timer_init(uv_default_loop(), &end);
	if (web_server_new(uv_default_loop(), &set, &(struct web_handlers){on_head, on_request, NULL}, &s, &d) !=
		KH_OK) {
		fprintf(stderr, "%s\n", d.text);
		return 1;
	}
	end.data = s;
	uv_timer_start(&end, at_end, (seconds > 0 ? seconds : 10) * 1000, 0);
	printf("port %u\n", (unsigned)ntohs(a.sin_port));
	print_memory("idle");
	fflush(stdout);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	kh_buf_free(&cert);
	kh_buf_free(&key);
	return 0;
}
