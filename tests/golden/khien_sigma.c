/* SPDX-License-Identifier: Apache-2.0
 * The three `khien sigma` commands alone, so that the golden tests need nothing above the engine. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/message.h"
#include "cli/sigma.h"

static const struct {
	const char *verb;
	int (*run)(int argc, char **argv);
} verbs[] = {{"check", sigma_check_main}, {"match", sigma_match_main}, {"explain", sigma_explain_main}};

int main(int argc, char **argv)
{
	kh_lang_set(kh_lang_from_environment());
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs && argc > 2; i++)
		if (strcmp(argv[1], "sigma") == 0 && strcmp(argv[2], verbs[i].verb) == 0)
			return verbs[i].run(argc - 2, argv + 2);
	fprintf(stderr, "use: khien_sigma sigma check|match|explain ...\n");
	return EX_USAGE;
}
