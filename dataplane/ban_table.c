// SPDX-License-Identifier: BSD-3-Clause
/* Ban tables (ban_table.h): creation and end, by the table thread or main. What lcores do is in ban_table_read.c, what the table thread
 * writes in ban_table_write.c.
 */
#include "dataplane/ban_table.h"

#include <errno.h>

#include "dataplane/ban_table_private.h"

/* How full the two-choice part is when the table holds its capacity, in entries per 1000 slots, and main
 * buckets per stash bucket. Without moving entries, two choices leave over (differential equations of the
 * process, checked by test_ban_table): 8 slots at 81 %: 2.6e-4 of the entries; 5 slots at 65 %: 1e-4; 3 slots
 * at 45 %: 1.9e-4. So a stash bucket gets 0.43, 0.09 and 0.01 entries in the mean, and more than its slots
 * with a probability below 1e-8. Bytes an entry, stash included: v4 64/(8*.81)*(1+1/256) = 9.91; v6
 * 64/(5*.65)*(1+1/256) = 19.77; exact 48.9. */
static const struct {
	unsigned entries_per_1000_slots, buckets_per_stash;
} ban_sizing[] = {
	[BAN_TABLE_V4] = {810, 256},
	[BAN_TABLE_V6] = {650, 256},
	[BAN_TABLE_EXACT] = {450, 32},
};

/* Bucket indices are made of 32 hash bits; beyond 2^30 buckets (64 GB) they would no longer spread evenly. */
#define BAN_BUCKETS_MAX (UINT64_C(1) << 30)

int ban_table_create(enum ban_table_kind kind, uint64_t capacity, const struct hash_key *key,
	const struct table_memory *memory, struct ban_table **ret_table)
{
	struct ban_table *table;
	uint64_t n_buckets, n_stash, per_1000_buckets;

	if ((unsigned)kind > BAN_TABLE_EXACT || capacity == 0 || capacity > BAN_BUCKETS_MAX)
		return -EINVAL;
	per_1000_buckets = (uint64_t)ban_sizing[kind].entries_per_1000_slots * ban_slots(kind);
	n_buckets = (capacity * 1000 + per_1000_buckets - 1) / per_1000_buckets;
	n_stash = n_buckets / ban_sizing[kind].buckets_per_stash;
	if (n_stash < BAN_STASH_BUCKETS_MIN)
		n_stash = BAN_STASH_BUCKETS_MIN;
	table = memory->allocate(memory->context, sizeof(*table));
	if (!table)
		return -ENOMEM;
	*table = (struct ban_table){
		.key = *key,
		.n_buckets = (uint32_t)n_buckets,
		.n_stash = (uint32_t)n_stash,
		.kind = kind,
		.capacity = capacity,
		.bytes = (n_buckets + n_stash) * sizeof(union ban_bucket),
		.memory = *memory,
	};
	table->buckets = memory->allocate(memory->context, table->bytes);
	if (!table->buckets) {
		memory->free(memory->context, table, sizeof(*table));
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

void ban_table_destroy(struct ban_table *table)
{
	struct table_memory memory;

	if (!table)
		return;
	memory = table->memory;
	memory.free(memory.context, table->buckets, table->bytes);
	memory.free(memory.context, table, sizeof(*table));
}

uint64_t ban_table_count(const struct ban_table *table)
{
	return table->count;
}

uint64_t ban_table_capacity(const struct ban_table *table)
{
	return table->capacity;
}

size_t ban_table_bytes(const struct ban_table *table)
{
	return table->bytes + sizeof(*table);
}
