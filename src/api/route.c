/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

#include <stdio.h>

const struct api_route api_routes[ROUTE_COUNT] = {
#define ROUTE(id, method, path, access, max_body, handler)                                                   \
	[ROUTE_##id] = {ROUTE_##id, #id, method, path, (access), (max_body)},
#include "api/routes.def"
#undef ROUTE
};

/* Takes the next segment off; false at the end. */
static bool segment(struct kh_slice *path, struct kh_slice *out)
{
	if (path->n == 0) return false;
	*path = kh_slice_from(*path, 1); /* the '/' */
	struct kh_slice rest = *path;
	if (kh_slice_cut(&rest, '/', out)) {
		*path = kh_slice_from(*path, out->n);
	} else {
		*out = *path;
		*path = kh_slice_from(*path, path->n);
	}
	return true;
}

static bool fits(const char *pattern, struct kh_slice path, struct api_match *out)
{
	struct kh_slice want = kh_str(pattern), a, b;
	size_t n = 0;
	while (segment(&want, &a)) {
		if (path.n == 0 || path.p[0] != '/' || !segment(&path, &b)) return false;
		bool param = a.n > 0 && a.p[0] == '{';
		if (param && b.n == 0) return false;
		if (!param && !kh_slice_eq(a, b)) return false;
		if (param && n < API_MAX_PARAMS) out->params[n++] = b;
	}
	return path.n == 0;
}

static void add_method(char allow[API_ALLOW_TEXT], const char *method)
{
	size_t n = strlen(allow);
	if (strstr(allow, method) == NULL)
		snprintf(allow + n, API_ALLOW_TEXT - n, "%s%s", n > 0 ? ", " : "", method);
}

enum kh_err api_route_find(struct kh_slice method, struct kh_slice path, struct api_match *out)
{
	struct api_match m = {0};
	if (kh_slice_is(method, "HEAD")) method = KH_LIT("GET");
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		struct api_match at = {0};
		if (!fits(api_routes[i].path, path, &at)) continue;
		at.route = &api_routes[i];
		if (kh_slice_is(method, api_routes[i].method)) {
			*out = at;
			return KH_OK;
		}
		add_method(m.allow, api_routes[i].method);
	}
	*out = m;
	return m.allow[0] != '\0' ? KH_ERANGE : KH_EFORMAT;
}
