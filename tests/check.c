// SPDX-License-Identifier: BSD-3-Clause
/* The test harness over CUnit (check.h). CUnit keeps its state in globals and is not thread-safe: only the
 * thread that runs the tests may come here. CU_basic_run_tests returns success when assertions fail, and a
 * test that was never run leaves no trace but a failure record, so check_main looks at the records and at the
 * number run.
 */
#include "tests/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

static bool check_result(bool ok, const char *file, unsigned line, const char *text)
{
	CU_assertImplementation(ok ? CU_TRUE : CU_FALSE, line, text, file, "", CU_FALSE);
	return ok;
}

__attribute__((format(printf, 6, 7))) static bool check_format(
	bool ok, const char *file, unsigned line, const char *name, const char *what, const char *format, ...)
{
	char text[1024];
	int n;
	va_list arguments;

	if (ok)
		return check_result(true, file, line, "");
	n = snprintf(text, sizeof(text), "[%s] %s: ", name, what);
	if (n < 0 || (size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	va_start(arguments, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, arguments);
	va_end(arguments);
	return check_result(false, file, line, text);
}

bool check_bool(
	const char *file, unsigned line, const char *name, const char *what, bool actual, bool expected)
{
	return check_format(actual == expected, file, line, name, what, "got %s, expected %s",
		actual ? "true" : "false", expected ? "true" : "false");
}

bool check_signed(
	const char *file, unsigned line, const char *name, const char *what, int64_t actual, int64_t expected)
{
	return check_format(actual == expected, file, line, name, what, "got %" PRId64 ", expected %" PRId64,
		actual, expected);
}

bool check_unsigned(const char *file, unsigned line, const char *name, const char *what, uint64_t actual,
	uint64_t expected)
{
	return check_format(actual == expected, file, line, name, what,
		"got %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64 ")", actual, actual,
		expected, expected);
}

bool check_double(
	const char *file, unsigned line, const char *name, const char *what, double actual, double expected)
{
	return check_format(
		actual == expected, file, line, name, what, "got %.17g, expected %.17g", actual, expected);
}

bool check_near(const char *file, unsigned line, const char *name, const char *what, double actual,
	double expected, double tolerance)
{
	return check_format(fabs(actual - expected) <= tolerance, file, line, name, what,
		"got %.17g, expected %.17g within %.3g", actual, expected, tolerance);
}

bool check_string(const char *file, unsigned line, const char *name, const char *what, const char *actual,
	const char *expected)
{
	bool ok = actual == expected || (actual && expected && strcmp(actual, expected) == 0);

	return check_format(ok, file, line, name, what, "got \"%s\", expected \"%s\"",
		actual ? actual : "(null)", expected ? expected : "(null)");
}

bool check_pointer(const char *file, unsigned line, const char *name, const char *what, const void *actual,
	const void *expected)
{
	return check_format(
		actual == expected, file, line, name, what, "got %p, expected %p", actual, expected);
}

bool check_memory(const char *file, unsigned line, const char *name, const char *what, const void *actual,
	const void *expected, size_t bytes)
{
	const uint8_t *a = actual, *e = expected;
	size_t i = 0;

	while (i < bytes && a[i] == e[i])
		i++;
	if (i == bytes)
		return check_result(true, file, line, "");
	return check_format(false, file, line, name, what, "byte %zu of %zu: got 0x%02x, expected 0x%02x", i,
		bytes, a[i], e[i]);
}

bool check_contains(const char *file, unsigned line, const char *name, const char *what, const char *text,
	const char *part)
{
	bool ok = text && part && strstr(text, part);

	return check_format(ok, file, line, name, what, "\"%s\" does not contain \"%s\"",
		text ? text : "(null)", part ? part : "(null)");
}

bool check_fail(const char *file, unsigned line, const char *name, const char *format, ...)
{
	char text[768];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return check_format(false, file, line, name, "failed", "%s", text);
}

int check_main(const char *suite, const struct check_test *tests, size_t n, int argc, char **argv)
{
	const char *filter = argc > 1 ? argv[1] : NULL;
	unsigned passed, failed, records;
	CU_pSuite registered;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS || !(registered = CU_add_suite(suite, NULL, NULL))) {
		fprintf(stderr, "%s: CUnit: %s\n", suite, CU_get_error_msg());
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < n; i++) {
		if (filter && !strstr(tests[i].name, filter))
			continue;
		/* CUnit refuses a name twice with a null result; a table with a mistake must not lose a test.
		 */
		if (!CU_add_test(registered, tests[i].name, tests[i].run)) {
			fprintf(stderr, "%s: test \"%s\": %s\n", suite, tests[i].name, CU_get_error_msg());
			CU_cleanup_registry();
			return EXIT_FAILURE;
		}
	}
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	records = CU_get_number_of_failure_records();
	failed = CU_get_number_of_tests_failed();
	passed = CU_get_number_of_tests_run() - failed;
	if (records && !failed)
		failed = 1;
	CU_cleanup_registry();
	printf("suite %s: %u passed, %u failed\n", suite, passed, failed);
	return records == 0 && failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
