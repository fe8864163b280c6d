/* SPDX-License-Identifier: BSD-3-Clause
 * The log: see log.h.
 */
#include "control/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum log_level log_limit = LOG_LEVEL_INFO; /* set at start and by a reload */

void log_set_level(enum log_level level)
{
	log_limit = level;
}

void log_write(enum log_level level, const char *format, ...)
{
	static const struct {
		const char *journal, *word;
	} prefixes[] = {{"<3>", "error: "}, {"<4>", "warning: "}, {"<6>", ""}, {"<7>", "debug: "}};
	char line[2048];
	va_list arguments;

	if (level > log_limit)
		return;
	const char *journal = getenv("JOURNAL_STREAM") != NULL ? prefixes[level].journal : "weir-control: ";
	int n = snprintf(line, sizeof(line), "%s%s", journal, prefixes[level].word);
	va_start(arguments, format);
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, arguments);
	va_end(arguments);
	size_t end = (size_t)n + (m > 0 ? (size_t)m : 0);
	if (end > sizeof(line) - 2)
		end = sizeof(line) - 2;
	for (size_t i = (size_t)n; i < end; i++) {
		if ((unsigned char)line[i] < ' ')
			line[i] = ' '; /* one message is one line, whatever a reason or a name holds */
	}
	line[end] = '\n';
	/* a log that cannot be written has nobody to tell */
	(void)!write(STDERR_FILENO, line, end + 1);
}
