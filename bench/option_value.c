// SPDX-License-Identifier: BSD-3-Clause
/* Values of command lines. Pure, any thread.
 */
#include "bench/option_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

bool option_count_parse(const char *text, uint64_t lowest, uint64_t highest, uint64_t *ret_value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || value < lowest || value > highest)
		return false;
	*ret_value = value;
	return true;
}

bool option_real_parse(const char *text, double lowest, double highest, double *ret_value)
{
	char *end;

	errno = 0;
	double value = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !isfinite(value) || value < lowest || value > highest)
		return false;
	*ret_value = value;
	return true;
}

void option_command_print(FILE *file, int argc, char *const argv[])
{
	fputc('[', file);
	for (int i = 0; i < argc; i++) {
		fputs(i == 0 ? "\"" : ", \"", file);
		for (const char *at = argv[i]; *at != '\0'; at++) {
			if (*at == '"' || *at == '\\')
				fprintf(file, "\\%c", *at);
			else if ((unsigned char)*at < 0x20)
				fprintf(file, "\\u%04x", *at);
			else
				fputc(*at, file);
		}
		fputc('"', file);
	}
	fputc(']', file);
}
