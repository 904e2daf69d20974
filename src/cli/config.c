/* SPDX-License-Identifier: Apache-2.0
 * config.c - the settings on the command line: which file, is it in order, what is in force. */
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "role/settings.h"

static const char default_config[] = "/etc/khien/khien.yaml";

static const char *config_path(const struct cli *c)
{
	if (c->config != NULL) return c->config;
	if (getenv("KHIEN_CONFIG") != NULL) return getenv("KHIEN_CONFIG");
	return access(default_config, F_OK) == 0 ? default_config : NULL;
}

struct settings *cli_settings(const struct cli *c, const char **path_out)
{
	struct settings *s = NULL;
	struct kh_diag diag;
	*path_out = config_path(c);
	if (settings_load(*path_out, &s, &diag) == KH_OK) {
		if (getenv("KHIEN_STATE") != NULL) s->state = getenv("KHIEN_STATE");
		return s;
	}
	fprintf(stderr, "khien: %s\n", diag.text);
	return NULL;
}

int cli_config_check(struct cli *c)
{
	const char *path;
	struct settings *s = cli_settings(c, &path);
	if (s == NULL) return EX_CONFIG;
	if (c->json) puts("{\"ok\": true}");
	kh_print(stderr, M_CLI_CONFIG_OK, path != NULL ? path : "-", NULL);
	settings_free(s);
	return EX_OK;
}

int cli_config_print(struct cli *c)
{
	const char *path;
	struct kh_buf b = KH_BUF(4 << 20);
	bool defaults = cli_value(c, "defaults") != NULL;
	struct settings *s = NULL;
	if (defaults && settings_load(NULL, &s, NULL) != KH_OK) return EX_SOFTWARE;
	if (!defaults) s = cli_settings(c, &path);
	if (s == NULL) return EX_CONFIG;
	config_write(settings_rows, s, true, &b);
	fwrite(b.bytes, 1, b.n, stdout);
	kh_buf_free(&b);
	settings_free(s);
	return EX_OK;
}
