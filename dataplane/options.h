/* SPDX-License-Identifier: BSD-3-Clause
 * The command line of weir-dataplane as one plain structure. Runs once, in main, before any other thread exists.
 * Must not touch ports, memory or files: it only reads words.
 */
#ifndef WEIR_DATAPLANE_OPTIONS_H
#define WEIR_DATAPLANE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/paths.h"

enum {
	OPTIONS_PAIRS_MAX = 8,
	OPTIONS_LCORES_MAX = 64,
	OPTIONS_QUEUES_MAX = 64,
	OPTIONS_EAL_ARGUMENTS_MAX = 32,
	OPTIONS_OFFLOAD_BANS_MAX = 2048, /* OFFLOAD_BANS_MAX of ban_offload.h */
	OPTIONS_FILE_MAX = 95,
	OPTIONS_MTU_MIN = 1280,	 /* IPv6 needs it (RFC 8200, 5) */
	OPTIONS_MTU_MAX = 16000, /* no Ethernet device takes more; each says what it takes itself */
	OPTIONS_ERROR_MAX = 256,
};

enum options_result {
	OPTIONS_RUN,	 /* go on */
	OPTIONS_EXIT_OK, /* --help or --version was printed */
	OPTIONS_EXIT_WRONG, /* the sentence is in `error` */
};

struct options {
	char instance[PATHS_INSTANCE_MAX + 1];
	char shm_dir[PATHS_DIRECTORY_MAX + 1], run_dir[PATHS_DIRECTORY_MAX + 1];
	struct {
		const char *outside, *inside; /* point into argv */
		unsigned mtu; /* bytes of the largest IP packet; 0: what is usual for the device */
	} pairs[OPTIONS_PAIRS_MAX];
	unsigned n_pairs;
	unsigned lcores[OPTIONS_LCORES_MAX]; /* CPU numbers; the first runs in the main thread */
	unsigned n_lcores;
	unsigned n_queues; /* of each port, >= n_lcores: queue q belongs to lcore q % n_lcores */
	unsigned flows_log2, pressure_keys_log2, proven_log2; /* flows: per lcore; the others: shared */
	bool huge;
	bool fail_open; /* when no image came within start_wait_ms */
	uint32_t start_wait_ms;
	unsigned offload_bans;	/* of the heaviest, dropped by the outside ports; 0: none */
	uint32_t idle_sleep_us; /* longest sleep of an idle lcore whose ports cannot wake it; 0 = always poll */
	const char *cookie_secret; /* path of a secret that other governors share; NULL: none. Points into argv */
	const char *eal_arguments[OPTIONS_EAL_ARGUMENTS_MAX];
	unsigned n_eal_arguments;
};

/** Read argv. `error` gets one sentence when OPTIONS_EXIT_WRONG is returned. Strings stay argv's. */
enum options_result options_parse(int argc, char **argv, struct options *ret_options, char error[OPTIONS_ERROR_MAX]);

#endif
