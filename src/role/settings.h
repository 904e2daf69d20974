/* SPDX-License-Identifier: Apache-2.0
 * settings.h - khien.yaml: the one table of settings, and the struct that it fills.
 * An immutable value: a reload builds a new one and swaps, or keeps the old one and says why.
 * Ownership: everything lives in the struct's own arena until settings_free. Times are nanoseconds, sizes
 * bytes. */
#ifndef KH_ROLE_SETTINGS_H
#define KH_ROLE_SETTINGS_H
#include "base/config.h"

enum settings_tls { SETTINGS_TLS_NONE, SETTINGS_TLS_STARTTLS, SETTINGS_TLS_IMPLICIT };

struct settings_input {
	const char *name, *path, *host;
	int format; /* enum line_format of codec/line */
};

struct settings {
	struct kh_arena *arena;
	int language; /* enum kh_lang */
	const char *state, *user, *time_zone;
	int32_t time_zone_s; /* the same, in seconds east of UTC */
	int log_level;       /* index into error, warning, notice, info, debug */
	struct {
		const char *listen, *certificate, *key;
		struct config_list names;
		bool tls;
		uint64_t max_connections, max_connections_per_address;
	} web;
	struct {
		struct config_list udp, tcp;
		uint64_t max_connections, max_line, receive_buffer;
	} syslog;
	struct config_table inputs; /* struct settings_input */
	struct {
		struct config_list paths, mapping;
		const char *mapping_folder;
	} rules;
	struct config_map placeholders;
	struct {
		int64_t window;
	} findings;
	struct {
		int open_at; /* enum desk_level of desk/desk.h */
		int64_t reminder;
		uint64_t reminders;
	} incidents;
	struct {
		const char *server, *user, *password_file, *from, *ca_file;
		int tls; /* enum settings_tls */
		int64_t timeout, expire;
		uint64_t in_flight;
	} mail;
	struct {
		uint64_t max_size, min_free;
	} store;
};

extern const struct config_row settings_rows[];
extern const struct config_row settings_input_rows[];

/* From YAML text; `name` stands for the file in errors. Addresses are looked at here, so that a slip is an
 * answer to `config check` and to a reload, and not a role that cannot start. */
KH_MUST_USE enum kh_err settings_read(struct kh_slice yaml, const char *name, struct settings **out,
									  struct kh_diag *diag);
/* From a file; a NULL path is all defaults. */
KH_MUST_USE enum kh_err settings_load(const char *path, struct settings **out, struct kh_diag *diag);
void settings_free(struct settings *s); /* NULL is allowed */

/* "127.0.0.1:8443", "[::1]:514" -> address and port. KH_EFORMAT. */
struct sockaddr_storage;
KH_MUST_USE enum kh_err settings_endpoint(const char *text, struct sockaddr_storage *out,
										  struct kh_diag *diag);
/* "relay.example.vn:25", "relay.example.vn", "[2001:db8::1]:587" -> name and port; port 0: none was given.
 * KH_EFORMAT. */
enum { SETTINGS_MAX_HOST = 256 };
KH_MUST_USE enum kh_err settings_server(const char *text, char host[SETTINGS_MAX_HOST], uint16_t *port,
										struct kh_diag *diag);
/* The whole of a regular file, at most `max` bytes, to be freed. */
KH_MUST_USE enum kh_err settings_file(const char *path, size_t max, struct kh_buf *out, struct kh_diag *diag);
#endif
