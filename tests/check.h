/* SPDX-License-Identifier: BSD-3-Clause
 * The test harness: a thin layer over CUnit that prints the case, both values and the line when a check
 *fails.
 *
 * How to write a test executable (one per module, tests/unit/test_<module>.c):
 *
 *	#include "tests/check.h"
 *
 *	static void test_parse(void)
 *	{
 *		static const struct { const char *name; const char *text; int expected; } cases[] = {
 *			{ "a dotted address is parsed", "1.2.3.4", 0 },
 *			{ "an octet above 255 is refused", "1.2.3.256", -EINVAL },
 *		};
 *		for (size_t i = 0; i < CHECK_COUNT(cases); i++)
 *			CHECK_EQ(cases[i].name, address_parse(cases[i].text, &address), cases[i].expected);
 *	}
 *
 *	static const struct check_test tests[] = {
 *		{ "addresses are parsed", test_parse },
 *	};
 *	CHECK_MAIN("prefix", tests)
 *
 * and one line in tests/meson.build. Every CHECK is true when it holds, so `if (!CHECK_TRUE(...)) return;`
 *leaves a test early. Checks may be made only in the thread and the process that run the test: other threads
 *keep their result for it, a forked child reports by its exit status (_exit, never exit). Run an executable
 *with an argument to run only the tests whose name contains it. Its last line is "suite NAME: N passed, N
 *failed" (tests, not checks); the exit status is 0 only if a test ran and none failed.
 */
#ifndef WEIR_TESTS_CHECK_H
#define WEIR_TESTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_test {
	const char *name; /* a sentence */
	void (*run)(void);
};

#define CHECK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** Equality of integers, enums, bools, pointers to char (as strings, NULL allowed). Other pointers:
 * CHECK_PTR_EQ. */
#define CHECK_EQ(name, actual, expected) \
	_Generic((actual), \
		bool: check_bool, \
		char *: check_string, \
		const char *: check_string, \
		unsigned char: check_unsigned, \
		unsigned short: check_unsigned, \
		unsigned int: check_unsigned, \
		unsigned long: check_unsigned, \
		unsigned long long: check_unsigned, \
		float: check_double, \
		double: check_double, \
		default: check_signed)(__FILE__, __LINE__, (name), #actual, (actual), (expected))
#define CHECK_TRUE(name, condition)  check_bool(__FILE__, __LINE__, (name), #condition, (condition), true)
#define CHECK_FALSE(name, condition) check_bool(__FILE__, __LINE__, (name), #condition, (condition), false)
/** |actual - expected| <= tolerance; a NaN never is. */
#define CHECK_NEAR(name, actual, expected, tolerance) \
	check_near(__FILE__, __LINE__, (name), #actual, (actual), (expected), (tolerance))
#define CHECK_PTR_EQ(name, actual, expected) \
	check_pointer(__FILE__, __LINE__, (name), #actual, (actual), (expected))
/** Equality of memory; prints the first bytes that differ. */
#define CHECK_MEM_EQ(name, actual, expected, bytes) \
	check_memory(__FILE__, __LINE__, (name), #actual, (actual), (expected), (bytes))
/** `text` contains `part`. */
#define CHECK_CONTAINS(name, text, part) check_contains(__FILE__, __LINE__, (name), #text, (text), (part))
/** Unconditional failure with a printf-like explanation. */
#define CHECK_FAIL(name, ...) check_fail(__FILE__, __LINE__, (name), __VA_ARGS__)

#define CHECK_MAIN(suite, tests) \
	int main(int argc, char **argv) \
	{ \
		return check_main((suite), (tests), CHECK_COUNT(tests), argc, argv); \
	}

/** Run the tests; returns the exit status. */
int check_main(const char *suite, const struct check_test *tests, size_t n, int argc, char **argv);

bool check_bool(
	const char *file, unsigned line, const char *name, const char *what, bool actual, bool expected);
bool check_signed(const char *file, unsigned line, const char *name, const char *what, int64_t actual,
	int64_t expected);
bool check_unsigned(const char *file, unsigned line, const char *name, const char *what, uint64_t actual,
	uint64_t expected);
bool check_double(
	const char *file, unsigned line, const char *name, const char *what, double actual, double expected);
bool check_near(const char *file, unsigned line, const char *name, const char *what, double actual,
	double expected, double tolerance);
bool check_string(const char *file, unsigned line, const char *name, const char *what, const char *actual,
	const char *expected);
bool check_pointer(const char *file, unsigned line, const char *name, const char *what, const void *actual,
	const void *expected);
bool check_memory(const char *file, unsigned line, const char *name, const char *what, const void *actual,
	const void *expected, size_t bytes);
bool check_contains(const char *file, unsigned line, const char *name, const char *what, const char *text,
	const char *part);
__attribute__((format(printf, 4, 5))) bool check_fail(
	const char *file, unsigned line, const char *name, const char *format, ...);

#endif
