/* SPDX-License-Identifier: BSD-3-Clause
 * Pressure: decaying counters of attempts per prefix level. Writers and readers: all lcores, relaxed atomics;
 * lossy by design and bounded. Coarse IPv4 levels (/24 /20 /18) are indexed directly: 2^24, 2^20 and 2^18
 * small counters, neighbours share a line and its timestamp. Host level and IPv6 levels: cache-line buckets
 * {u32 time, 15 ids, 15 loads}, two choices, the weakest is replaced in O(1) and the newcomer does not
 * inherit its load. Decay: 2^(-dt/half-life), lazily, in fixed point, so a load means "attempts in the recent
 * past": a source at constant rate r holds r * half-life / ln 2. Three instances exist: unproven attempts,
 * proven opens, and proven distinct clients (stage.h).
 */
#ifndef WEIR_DATAPLANE_PRESSURE_TABLE_H
#define WEIR_DATAPLANE_PRESSURE_TABLE_H

#include "dataplane/ban_table.h"
#include "shm/image.h"

struct pressure_table;
enum { PRESSURE_KEYS_MIN = 1 << 10 };

/** hashed_capacity: keys of the hashed part, PRESSURE_KEYS_MIN..2^26 (8 bytes each). half_life_ms 100..600000. */
int pressure_table_create(uint64_t hashed_capacity, uint32_t half_life_ms, const struct hash_key *key,
	const struct table_memory *memory, struct pressure_table **ret_table);
void pressure_table_destroy(struct pressure_table *table);

/** The thresholds of one family as loads, made from rates: load = burst + rate * half_life / ln 2 ... see .c
 * for the derivation. */
struct pressure_limits {
	uint32_t load[IMAGE_LEVEL_COUNT]; /* in the table's units; UINT32_MAX = none */
};
struct pressure_limits pressure_limits_make(
	const struct pressure_table *table, const struct image_rate rates[IMAGE_LEVEL_COUNT]);

struct pressure_handle {
	uint32_t slots[IMAGE_LEVEL_COUNT][2]; /* private: places found by prefetch */
	uint16_t ids[IMAGE_LEVEL_COUNT];
	uint8_t family;
};
/** Phase 1: hash and prefetch every line of this address. */
void pressure_table_prefetch(const struct pressure_table *table, const struct address *address,
	struct pressure_handle *ret_handle);
/** The same without the host level, for tables in which nobody charges or limits hosts: fewer lines. With this handle the host's
 * load is 0 and its price must be. */
void pressure_table_prefetch_wide(const struct pressure_table *table, const struct address *address,
	struct pressure_handle *ret_handle);
/** Phase 2: the most specific level over its limit, or IMAGE_LEVEL_COUNT. Changes nothing. */
enum image_level pressure_table_check(const struct pressure_table *table,
	const struct pressure_handle *handle, const struct pressure_limits *limits, uint64_t now_ns);
/** How far each level is over its limit, this attempt included. */
struct pressure_excess {
	uint32_t ratio[IMAGE_LEVEL_COUNT]; /* load / limit in 1/PRESSURE_WITHIN, more than it; PRESSURE_WITHIN: within the
					      limit; PRESSURE_SATURATED: so far over that nobody counts */
};
enum { PRESSURE_WITHIN = 256 };
#define PRESSURE_SATURATED UINT32_MAX
/** As check, with the ratios of all levels. Changes nothing. */
enum image_level pressure_table_excess(const struct pressure_table *table, const struct pressure_handle *handle,
	const struct pressure_limits *limits, uint64_t now_ns, struct pressure_excess *ret_excess);
/** What one level holds now, in sixteenths of an attempt. Changes nothing. */
uint32_t pressure_table_load(const struct pressure_table *table, const struct pressure_handle *handle,
	enum image_level level, uint64_t now_ns);

/** Prices are sixteenths of an attempt; the highest is 256 attempts, so that a shaper which passes one attempt in 256
 * can still say how many there were. */
enum { PRESSURE_PRICE_USUAL = 16, PRESSURE_PRICE_MAX = 256 * PRESSURE_PRICE_USUAL };
/** Phase 3: count one attempt at every level. `random` 32 fresh bits for rounding. Returns entries replaced
 * (0..4). */
unsigned pressure_table_charge(
	struct pressure_table *table, const struct pressure_handle *handle, uint64_t now_ns, uint32_t random);
/** What one attempt has lost after `elapsed_s` seconds, in sixteenths, rounded by 16 of the `random` bits: charged again, the
 * prefix holds it once. */
uint32_t pressure_table_lost(const struct pressure_table *table, uint32_t elapsed_s, uint32_t random);
/** As charge, at a price of its own for each level, 0..PRESSURE_PRICE_MAX (higher ones are cut); a level at price 0
 * is left alone. */
unsigned pressure_table_charge_priced(struct pressure_table *table, const struct pressure_handle *handle,
	const uint32_t prices[IMAGE_LEVEL_COUNT], uint64_t now_ns, uint32_t random);
/** As charge, at `price` for each level, and then as check: *ret_level is what that would say. One visit of each line for both. */
unsigned pressure_table_charge_check(struct pressure_table *table, const struct pressure_handle *handle, uint32_t price,
	const struct pressure_limits *limits, uint64_t now_ns, uint32_t random, enum image_level *ret_level);
size_t pressure_table_bytes(const struct pressure_table *table);

#endif
