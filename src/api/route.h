/* SPDX-License-Identifier: Apache-2.0
 * route.h - which route a request means; the table is routes.def. Pure.
 * Paths are compared byte by byte; "{name}" stands for one segment that is not empty, taken as it is (the
 * caller has decoded it). A trailing slash is another path. */
#ifndef KH_API_ROUTE_H
#define KH_API_ROUTE_H
#include "base/slice.h"

enum api_route_id {
#define ROUTE(id, method, path, access, max_body, handler) ROUTE_##id,
#include "api/routes.def"
#undef ROUTE
	ROUTE_COUNT
};

/* The least a token must be allowed; over the local socket everything is. API_LATER is no scope but a mark.
 */
enum api_access { API_READ = 1, API_OPERATE = 2, API_ADMIN = 3, API_SCOPE = 3, API_LATER = 8 };

enum { API_MAX_PARAMS = 2, API_ALLOW_TEXT = 64 };

struct api_route {
	enum api_route_id id;
	const char *name, *method, *path;
	unsigned access;
	size_t max_body;
};

struct api_match {
	const struct api_route *route;
	struct kh_slice params[API_MAX_PARAMS]; /* in the order of the path */
	char allow[API_ALLOW_TEXT]; /* the path's methods, "GET, POST", when the method is not among them */
};

extern const struct api_route api_routes[ROUTE_COUNT];

/* KH_EFORMAT: no such path (404); KH_ERANGE: the path has other methods (405), out->allow names them. HEAD is
 * GET. */
KH_MUST_USE enum kh_err api_route_find(struct kh_slice method, struct kh_slice path, struct api_match *out);
#endif
