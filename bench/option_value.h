/* SPDX-License-Identifier: BSD-3-Clause
 * Values of command lines: numbers with a range, checked to the last character. Pure, any thread.
 */
#ifndef WEIR_BENCH_OPTION_VALUE_H
#define WEIR_BENCH_OPTION_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** False, and nothing written: not a whole decimal number in lowest..highest. */
bool option_count_parse(const char *text, uint64_t lowest, uint64_t highest, uint64_t *ret_value);
/** False, and nothing written: not a finite number in lowest..highest. */
bool option_real_parse(const char *text, double lowest, double highest, double *ret_value);
/** Prints the arguments as a JSON array of strings: a result says how it was made. */
void option_command_print(FILE *file, int argc, char *const argv[]);

#endif
