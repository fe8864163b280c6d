/* SPDX-License-Identifier: BSD-3-Clause
 * weir-delay's command line. Filled once at start, read-only afterwards.
 */
#ifndef WEIR_BENCH_DELAY_OPTIONS_H
#define WEIR_BENCH_DELAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/delay_queue.h"

enum { DELAY_EAL_ARGS_MAX = 16 };

/** A direction is named by the port at which its frames arrive. */
enum { DELAY_A_TO_B, DELAY_B_TO_A, DELAY_DIRECTIONS };

struct delay_options {
	const char *ports[DELAY_DIRECTIONS]; /* a, b: "auto:IFACE", a vdev text or a PCI address */
	struct delay_model models[DELAY_DIRECTIONS];
	uint32_t n_frames; /* in flight, each direction */
	uint64_t seed;
	double seconds; /* 0: until a signal */
	bool json, huge;
	const char *eal_args[DELAY_EAL_ARGS_MAX];
	unsigned n_eal_args;
};

/** "a-to-b", "b-to-a". */
const char *delay_direction_name(unsigned direction);
/** Returns -1 to run, otherwise the exit status; says why on standard error. */
int delay_options_parse(int argc, char **argv, struct delay_options *ret_options);

#endif
