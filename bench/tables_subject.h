/* SPDX-License-Identifier: BSD-3-Clause
 * What bench/tables.c measures: tables of ours and of others behind one set of calls, so that both get the same keys, the same bursts,
 * the same pages and the same occupancy. One thread. A call costs both sides the same pointer.
 */
#ifndef WEIR_BENCH_TABLES_SUBJECT_H
#define WEIR_BENCH_TABLES_SUBJECT_H

#include "bench/huge_memory.h"
#include "shm/prefix.h"

enum { TABLES_BURST = 32 };

enum tables_keys {
	TABLES_V4,   /* {address, 0}: 4 bytes for who can use so few */
	TABLES_V6,   /* {site, 0}: 8 bytes */
	TABLES_FLOW, /* client {high, low}, whose port is in the low bits: as much as flow_key holds */
	TABLES_KEYS_COUNT,
};

struct tables_key {
	uint64_t high, low;
};

/** Keys that differ for numbers that differ, spread over half the space of their kind: members over one half, strangers over the
 * other. number < 2^31. */
struct tables_key tables_key_make(enum tables_keys keys, bool stranger, uint64_t number);
struct address tables_key_address(enum tables_keys keys, const struct tables_key *key);

struct tables_subject {
	const char *name;
	/** Room for 2^log2 places, of which four fifths will be used; every table of a kind gets the same. 0 or -errno. */
	int (*create)(enum tables_keys keys, unsigned log2, void **ret_table);
	void (*destroy)(void *table);
	/** A key that is not there. 0 or -errno. NULL: charge fills it. */
	int (*add)(void *table, const struct tables_key *key);
	/** How many of n <= TABLES_BURST are there. NULL: not measured. */
	unsigned (*lookup)(void *table, const struct tables_key keys[], unsigned n);
	/** Count an attempt of each: a key that is not there gets a place, another's if there is none. How many were there before; a table
	 * that cannot tell returns 0. NULL: not measured. */
	unsigned (*charge)(void *table, const struct tables_key keys[], unsigned n);
	/** All of the table's memory. */
	uint64_t (*bytes)(const void *table);
};

extern const struct tables_subject tables_bans, tables_pressure, tables_proven, tables_flows; /* ours */
extern const struct tables_subject tables_rte_hash, tables_rte_hash_keyed, tables_lfht;

/** Memory as huge_memory gives, counted: what is mapped for the table that is measured now. */
extern const struct table_memory tables_memory;
extern uint64_t tables_memory_bytes;

/** DPDK's environment with the same kind of pages; must run before a table of DPDK is made. False: it cannot start, said on stderr. */
bool tables_environment_start(void);
/** "huge" or "small": what DPDK's tables lie in. */
const char *tables_environment_pages(void);

#endif
