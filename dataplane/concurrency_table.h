/* SPDX-License-Identifier: BSD-3-Clause
 * Proven connections at once per prefix, exact. Shared by all lcores without locks: 64-bit words {tag,
 * count}, 8 a cache line, two choices. Two lcores may create the same tag twice: a count is the sum over all
 * words with its tag, and a decrement takes any of them, so duplicates are harmless. Full: the connection is
 * not counted, which is counted itself (saturates visibly). Rebuilt from the flows at start.
 */
#ifndef WEIR_DATAPLANE_CONCURRENCY_TABLE_H
#define WEIR_DATAPLANE_CONCURRENCY_TABLE_H

#include "dataplane/ban_table.h"
#include "shm/image.h"

struct concurrency_table;

int concurrency_table_create(uint64_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct concurrency_table **ret_table);
void concurrency_table_destroy(struct concurrency_table *table);
/** The most specific level at or over its limit (limits[level], 0 = none), or IMAGE_LEVEL_COUNT. */
enum image_level concurrency_table_check(const struct concurrency_table *table, const struct address *client,
	const uint32_t limits[IMAGE_LEVEL_COUNT]);
/** One more. Returns a bit per level that had no room (bit i = level i); pass it back at removal. */
uint8_t concurrency_table_add(struct concurrency_table *table, const struct address *client);
void concurrency_table_remove(
	struct concurrency_table *table, const struct address *client, uint8_t uncounted_levels);
uint32_t concurrency_table_count(
	const struct concurrency_table *table, const struct address *client, enum image_level level);
/** Connections counted at all levels together: one per add. For the global limits. */
uint64_t concurrency_table_total(const struct concurrency_table *table);

#endif
