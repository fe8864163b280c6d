/* SPDX-License-Identifier: BSD-3-Clause
 * Longest prefix matches for bench/tables.c: our lists beside rte_lpm, rte_fib and their IPv6 twins, all with the same prefixes and
 * asked for the same addresses. Only whether an address is covered is compared: all must say so of the same number. One thread.
 */
#ifndef WEIR_BENCH_TABLES_LISTS_H
#define WEIR_BENCH_TABLES_LISTS_H

#include <stdint.h>

#include "shm/prefix.h"

/** The same addresses in the forms that the subjects take, so that no trial converts. */
struct tables_lists_asked {
	uint32_t n; /* a multiple of TABLES_BURST */
	struct address *addresses;
	uint32_t *v4; /* NULL for IPv6 */
};

struct tables_lists_subject {
	const char *name;
	uint8_t family;
	int (*create)(const struct prefix prefixes[], uint32_t n, void **ret_table);
	void (*destroy)(void *table);
	/** How many of them are covered. */
	uint64_t (*lookup)(void *table, const struct tables_lists_asked *asked);
	uint64_t (*bytes)(const void *table);
};

enum { TABLES_LISTS_SUBJECTS = 6 };
/** Ours first, for each family. */
extern const struct tables_lists_subject tables_lists_subjects[TABLES_LISTS_SUBJECTS];

/** Prefixes as blocklists have them, different ones, shortest first (rte_fib of DPDK 22.11 answers wrong when they come in another
 * order). Returns how many. */
uint32_t tables_lists_prefixes(uint8_t family, uint32_t n, uint64_t seed, struct prefix prefixes[]);
/** Every second address lies in a prefix, the others anywhere. 0 or -ENOMEM. */
int tables_lists_ask(uint8_t family, const struct prefix prefixes[], uint32_t n_prefixes, uint32_t n, uint64_t seed,
	struct tables_lists_asked *ret_asked);
void tables_lists_ask_end(struct tables_lists_asked *asked);

#endif
