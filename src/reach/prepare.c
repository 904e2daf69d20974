/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/message.h"
#include "reach/smtp.h"

/* glibc loads the modules that nsswitch.conf names at the first look-up, which would be after the sandbox.
 * Loaded here under the same name, they are found in memory later. One that is not installed is none that
 * glibc would use. */
static void load_name_services(struct kh_slice words)
{
	while (words.n > 0) {
		struct kh_slice word;
		if (!kh_slice_cut(&words, ' ', &word)) {
			word = words;
			words = (struct kh_slice){0};
		}
		word = kh_slice_trim(word);
		if (word.n == 0 || word.n > 32 || !isalpha(word.p[0])) continue; /* [NOTFOUND=return] */
		char name[64];
		snprintf(name, sizeof name, "libnss_%.*s.so.2", (int)word.n, (const char *)word.p);
		(void)dlopen(name, RTLD_NOW | RTLD_GLOBAL);
	}
}

static void warm_name_services(void)
{
	char line[512];
	FILE *f = fopen("/etc/nsswitch.conf", "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "hosts:", 6) == 0) load_name_services(kh_str(line + 6));
	if (f != NULL) fclose(f);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	if (getaddrinfo("localhost", "25", &hints, &found) == 0) freeaddrinfo(found);
}

enum kh_err reach_prepare(struct kh_diag *d)
{
	CURLcode rc = curl_global_init(CURL_GLOBAL_ALL); /* GnuTLS too, and its random source */
	if (rc != CURLE_OK) return kh_say(d, KH_ESYS, M_REACH_PREPARE, curl_easy_strerror(rc), NULL);
	warm_name_services();
	tzset(); /* GnuTLS words dates in local time */
	return KH_OK;
}
