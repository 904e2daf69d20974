/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/route.h"

/* Looks on an exact-size heap copy, so that a byte read past the end is seen. */
static enum kh_err look(const char *method, const char *path, struct api_match *out, char **copy)
{
	size_t n = strlen(path);
	*copy = malloc(n > 0 ? n : 1);
	memcpy(*copy, path, n);
	return api_route_find(kh_str(method), (struct kh_slice){(uint8_t *)*copy, n}, out);
}

static void every_route_finds_itself(void **st)
{
	(void)st;
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		char path[200] = "", *copy;
		struct api_match m;
		for (const char *p = api_routes[i].path; *p != '\0'; p++) {
			size_t n = strlen(path);
			if (*p == '{') {
				snprintf(path + n, sizeof path - n, "2026-000001");
				p = strchr(p, '}');
			} else {
				snprintf(path + n, sizeof path - n, "%c", *p);
			}
		}
		assert_int_equal(look(api_routes[i].method, path, &m, &copy), KH_OK);
		assert_ptr_equal(m.route, &api_routes[i]);
		assert_int_equal(m.params[0].n, strchr(api_routes[i].path, '{') != NULL ? 11 : 0);
		assert_in_range(api_routes[i].access & API_SCOPE, API_READ, API_ADMIN);
		free(copy);
	}
}

static void what_is_no_route(void **st)
{
	static const char *const none[] = {"",
									   "/",
									   "status",
									   "/api/v1",
									   "/api/v1/",
									   "/api/v1/status/",
									   "/api/v1/findings/",
									   "//api/v1/status",
									   "/api/v1/findings/a/b",
									   "/api/v1/statusx",
									   "/API/v1/status"};
	struct api_match m;
	char *copy;
	(void)st;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		if (look("GET", none[i], &m, &copy) != KH_EFORMAT) fail_msg("found: %s", none[i]);
		free(copy);
	}
}

static void other_methods_are_named(void **st)
{
	struct api_match m;
	char *copy;
	(void)st;
	assert_int_equal(look("PUT", "/api/v1/mutes", &m, &copy), KH_ERANGE);
	assert_string_equal(m.allow, "GET, POST");
	free(copy);
	assert_int_equal(look("GET", "/api/v1/incidents/2026-000001/ack", &m, &copy), KH_ERANGE);
	assert_string_equal(m.allow, "POST");
	free(copy);
	assert_int_equal(look("HEAD", "/metrics", &m, &copy), KH_OK);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(every_route_finds_itself),
		cmocka_unit_test(what_is_no_route),
		cmocka_unit_test(other_methods_are_named),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
