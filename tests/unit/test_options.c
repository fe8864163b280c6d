/* SPDX-License-Identifier: BSD-3-Clause
 * Command lines: options anywhere, one sentence for each mistake, hints that are near and not wild.
 */
#include <errno.h>
#include <string.h>

#include "tests/check.h"
#include "tools/options.h"

enum { HELP, FOR, FORCE };
static const struct option_spec specs[] = {[HELP] = {"help", NULL, "help"},
	[FOR] = {"for", "DURATION", "how long"},
	[FORCE] = {"force", NULL, "force"},
	{NULL, NULL, NULL}};

/* A line of words cut at blanks. */
static int parse(const char *line, struct options *ret_options, char *sentence)
{
	static char copy[256];
	char *argv[80] = {NULL}, *save = NULL;
	static char name[] = "tool";
	int argc = 1;

	argv[0] = name;
	strncpy(copy, line, sizeof(copy) - 1);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	sentence[0] = '\0';
	return options_parse(specs, argc, argv, ret_options, sentence, OPTIONS_SENTENCE_MAX);
}

static void test_good(void)
{
	static const struct {
		const char *name, *line, *value_for;
		bool force, help;
		size_t n_words;
		const char *last_word;
	} cases[] = {
		{"options behind words", "ban add 1.2.3.4 --for 10m --force", "10m", true, false, 3,
			"1.2.3.4"},
		{"options before and between words", "--force ban --for=10m add", "10m", true, false, 2,
			"add"},
		{"an empty value", "--for= x", "", false, false, 1, "x"},
		{"a lone dash is a word", "ban import -", NULL, false, false, 3, "-"},
		{"two dashes end the options", "ban -- --force", NULL, false, false, 2, "--force"},
		{"-h is --help", "-h", NULL, false, true, 0, NULL},
		{"nothing", "", NULL, false, false, 0, NULL},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		char sentence[OPTIONS_SENTENCE_MAX];
		struct options options;
		if (!CHECK_EQ(cases[i].name, parse(cases[i].line, &options, sentence), 0))
			continue;
		CHECK_EQ(cases[i].name, options.values[FOR], cases[i].value_for);
		CHECK_EQ(cases[i].name, options.values[FORCE] != NULL, cases[i].force);
		CHECK_EQ(cases[i].name, options.values[HELP] != NULL, cases[i].help);
		CHECK_EQ(cases[i].name, options.n_words, cases[i].n_words);
		if (options.n_words)
			CHECK_EQ(cases[i].name, options.words[options.n_words - 1], cases[i].last_word);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *name, *line, *sentence;
	} cases[] = {
		{"a slip gets a hint", "--forse", "did you mean --force?"},
		{"a beginning gets a hint", "--hel", "did you mean --help?"},
		{"something else gets none", "--colour", "unknown option --colour (see --help)"},
		{"a value is missing", "ban --for", "--for needs a value: --for DURATION"},
		{"a flag takes none", "--force=1", "--force takes no value"},
		{"twice", "--for 1 --for 2", "--for is given twice"},
		{"one dash", "-x", "options have two dashes"},
		{"too many words",
			"a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
			"a a a a a a a a a a a a a "
			"a a a a a a a a a a",
			"more than 64 words"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		char sentence[OPTIONS_SENTENCE_MAX];
		struct options options = {.n_words = 4711};
		CHECK_EQ(cases[i].name, parse(cases[i].line, &options, sentence), -EINVAL);
		CHECK_CONTAINS(cases[i].name, sentence, cases[i].sentence);
		CHECK_EQ("the result is untouched", options.n_words, 4711u);
	}
}

static void test_nearest(void)
{
	static const char *const candidates[] = {"status", "why", "ban", "events", NULL};
	static const struct {
		const char *name, *word, *nearest;
	} cases[] = {
		{"swapped letters", "stauts", "status"},
		{"a letter too many", "whyy", "why"},
		{"a beginning", "eve", "events"},
		{"a short word is not near to another", "x", NULL},
		{"nothing like it", "frobnicate", NULL},
		{"a very long word", "statusstatusstatusstatusstatusstatusstatus", NULL},
		{"an empty word", "", NULL},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, options_nearest(cases[i].word, candidates), cases[i].nearest);
}

static void test_counts(void)
{
	static const struct {
		const char *name, *text;
		bool good;
	} cases[] = {
		{"the least", "1", true},
		{"the most", "65535", true},
		{"too small", "0", false},
		{"too large", "65536", false},
		{"a sign", "+5", false},
		{"a blank", " 5", false},
		{"nothing", "", false},
		{"letters behind", "5x", false},
		{"beyond 64 bits", "99999999999999999999", false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		uint64_t value = 4711;
		CHECK_EQ(cases[i].name, options_count(cases[i].text, 1, 65535, &value), cases[i].good);
		CHECK_TRUE(cases[i].name, cases[i].good || value == 4711);
	}
}

static const struct check_test tests[] = {
	{"options and words are told apart", test_good},
	{"each mistake has a sentence", test_bad},
	{"hints are near", test_nearest},
	{"numbers are digits in a range", test_counts},
};
CHECK_MAIN("options", tests)
