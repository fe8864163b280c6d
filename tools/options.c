/* SPDX-License-Identifier: BSD-3-Clause
 * Parsing of command lines. See options.h.
 */
#include "tools/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_DISTANCE_MAX = 32 }; /* longer words are nobody's typing slip */

/* Edit distance (Levenshtein), one row at a time. */
static unsigned word_distance(const char *a, const char *b)
{
	unsigned row[WORD_DISTANCE_MAX + 1];
	size_t n = strlen(b);

	if (n > WORD_DISTANCE_MAX || strlen(a) > WORD_DISTANCE_MAX)
		return WORD_DISTANCE_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[n];
}

const char *options_nearest(const char *word, const char *const candidates[])
{
	/* Two slips, but never more than half of the word: "x" is not near to "why". */
	unsigned limit = strlen(word) >= 4 ? 2 : 1, best = limit + 1;
	const char *nearest = NULL;

	for (size_t i = 0; candidates[i]; i++) {
		unsigned distance = word_distance(word, candidates[i]);
		bool begins = strlen(word) >= 3 && strncmp(word, candidates[i], strlen(word)) == 0;
		if (begins)
			distance = 1;
		if (distance < best) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}

static int unknown_option(const struct option_spec *specs, const char *name, char *sentence, size_t bytes)
{
	const char *candidates[OPTIONS_MAX + 1];
	const char *nearest;
	size_t n = 0;

	for (; specs[n].name && n < OPTIONS_MAX; n++)
		candidates[n] = specs[n].name;
	candidates[n] = NULL;
	nearest = options_nearest(name, candidates);
	if (nearest)
		snprintf(sentence, bytes, "unknown option --%.64s: did you mean --%s?", name, nearest);
	else
		snprintf(sentence, bytes, "unknown option --%.64s (see --help)", name);
	return -EINVAL;
}

/* One option at argv[*at]; moves *at over its value. */
static int option_parse(const struct option_spec *specs, int argc, char *const argv[], int *at,
	struct options *options, char *sentence, size_t bytes)
{
	const char *text = argv[*at] + 2, *equals = strchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : strlen(text), i = 0;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)n, text);
	while (specs[i].name && strcmp(specs[i].name, name) != 0)
		i++;
	if (!specs[i].name)
		return unknown_option(specs, name, sentence, bytes);
	if (!specs[i].metavar && equals) {
		snprintf(sentence, bytes, "--%s takes no value", name);
		return -EINVAL;
	}
	if (options->values[i]) {
		snprintf(sentence, bytes, "--%s is given twice", name);
		return -EINVAL;
	}
	if (!specs[i].metavar) {
		options->values[i] = "";
	} else if (equals) {
		options->values[i] = equals + 1;
	} else if (*at + 1 < argc) {
		options->values[i] = argv[++*at];
	} else {
		snprintf(sentence, bytes, "--%s needs a value: --%s %s", name, name, specs[i].metavar);
		return -EINVAL;
	}
	return 0;
}

int options_parse(const struct option_spec *specs, int argc, char *const argv[], struct options *ret_options,
	char *sentence, size_t sentence_bytes)
{
	struct options options = {0};
	bool only_words = false;
	static char help_long[] = "--help";
	char *help[] = {help_long};
	int rc, zero;

	for (int i = 1; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
			continue;
		}
		if (!only_words && strncmp(argv[i], "--", 2) == 0) {
			rc = option_parse(specs, argc, argv, &i, &options, sentence, sentence_bytes);
			if (rc < 0)
				return rc;
			continue;
		}
		if (!only_words && strcmp(argv[i], "-h") == 0) {
			zero = 0;
			rc = option_parse(specs, 1, help, &zero, &options, sentence, sentence_bytes);
			if (rc < 0)
				return rc;
			continue;
		}
		if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
			snprintf(sentence, sentence_bytes,
				"unknown option %.64s: options have two dashes (see --help)", argv[i]);
			return -EINVAL;
		}
		if (options.n_words == OPTIONS_WORDS_MAX) {
			snprintf(sentence, sentence_bytes, "more than %d words", OPTIONS_WORDS_MAX);
			return -EINVAL;
		}
		options.words[options.n_words++] = argv[i];
	}
	*ret_options = options;
	return 0;
}

bool options_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	size_t n = strlen(text);
	uint64_t value;

	/* 19 digits always fit 64 bits */
	if (n == 0 || n > 19 || strspn(text, "0123456789") != n)
		return false;
	value = strtoull(text, NULL, 10);
	if (value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}
