/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"

static const char *log_role = "khien";
static enum kh_level log_most = KH_LOG_NOTICE;
static bool to_journal;

void kh_log_start(const char *role, enum kh_level most)
{
	log_role = role;
	log_most = most;
	to_journal = getenv("JOURNAL_STREAM") != NULL;
}

static size_t head(char *line, size_t cap, enum kh_level level)
{
	static const char *const words[] = {"", "", "", "error", "warning", "notice", "info", "debug"};
	char at[KH_TIME_TEXT];
	int n = to_journal
				? snprintf(line, cap, "<%d>role=%s ", (int)level, log_role)
				: snprintf(line, cap, "%s level=%s role=%s ",
						   kh_time_rfc3339(at, kh_now_ns() / 1000000 * 1000000), words[level], log_role);
	return (size_t)n;
}

void kh_log(enum kh_level level, const char *format, ...)
{
	if (level > log_most) return;
	char line[1024];
	size_t n = head(line, sizeof line, level);
	va_list ap;
	va_start(ap, format);
	int more = vsnprintf(line + n, sizeof line - n - 1, format, ap);
	va_end(ap);
	if (more < 0) return;
	size_t end = n + (size_t)more < sizeof line - 2 ? n + (size_t)more : sizeof line - 2;
	for (size_t i = n; i < end; i++)
		if ((unsigned char)line[i] < 0x20) line[i] = ' ';
	line[end++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, end);
	(void)written; /* nobody is left to tell */
}
