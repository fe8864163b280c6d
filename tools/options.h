/* SPDX-License-Identifier: BSD-3-Clause
 * Command lines of the tools: long options from one table, wherever they stand; everything else is a word.
 * Pure functions: a wrong line gives one sentence, nothing is printed here.
 */
#ifndef WEIR_TOOLS_OPTIONS_H
#define WEIR_TOOLS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_MAX = 32, OPTIONS_WORDS_MAX = 64, OPTIONS_SENTENCE_MAX = 512 };

struct option_spec {
	const char *name;    /* without dashes; NULL ends the table */
	const char *metavar; /* NULL: a flag */
	const char *help;
};

struct options {
	const char *values[OPTIONS_MAX]; /* by index in the table; NULL: not given; a flag: "" */
	const char *words[OPTIONS_WORDS_MAX];
	size_t n_words;
};

/** Parse argv[1..]. "--name value", "--name=value", "--" ends options, "-" is a word; "-h" is "--help" where
 * the table has it. Pointers lead into argv. -EINVAL with a sentence. */
int options_parse(const struct option_spec *specs, int argc, char *const argv[], struct options *ret_options,
	char *sentence, size_t sentence_bytes);
/** The candidate that `word` was probably meant to be, or NULL. `candidates` ends with NULL. */
const char *options_nearest(const char *word, const char *const candidates[]);
/** A whole number, digits only, in [min, max]. */
bool options_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

#endif
