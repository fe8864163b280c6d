// SPDX-License-Identifier: BSD-3-Clause
/* Ban tables (ban_table.h): what the table thread does: set, clear, expire. Every entry has three places at
 * most (two choices and one bucket of the stash) and entries never move, so a reader cannot miss one and a
 * change costs a constant time.
 */
#include <errno.h>

#include "dataplane/ban_table.h"
#include "dataplane/ban_table_private.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static void bucket_candidates(
	const struct ban_table *table, uint64_t hash, union ban_bucket *ret_buckets[BAN_CANDIDATES])
{
	ret_buckets[0] = &table->buckets[ban_index_first(table, hash)];
	ret_buckets[1] = &table->buckets[ban_index_second(table, hash)];
	ret_buckets[2] = &table->buckets[ban_index_stash(table, hash)];
}

static unsigned candidates_in_use(const struct ban_table *table)
{
	return atomic_load_explicit(&table->stash_count, memory_order_relaxed) ? BAN_CANDIDATES
									       : BAN_CANDIDATES - 1;
}

ALWAYS_INLINE uint32_t slot_meta(const union ban_bucket *bucket, enum ban_table_kind kind, unsigned slot)
{
	if (kind == BAN_TABLE_V4)
		return (uint32_t)atomic_load_explicit(&bucket->v4.words[slot], memory_order_relaxed);
	if (kind == BAN_TABLE_V6)
		return atomic_load_explicit(&bucket->v6.metas[slot], memory_order_relaxed);
	return atomic_load_explicit(&bucket->exact.metas[slot], memory_order_relaxed);
}

ALWAYS_INLINE uint32_t *bucket_waiting(union ban_bucket *bucket, enum ban_table_kind kind)
{
	return kind == BAN_TABLE_V6 ? &bucket->v6.waiting : &bucket->exact.waiting;
}

/* Freed in this generation: a reader may still hold the key it matched. */
ALWAYS_INLINE bool slot_waits(
	const struct ban_table *table, union ban_bucket *bucket, enum ban_table_kind kind, unsigned slot)
{
	uint32_t mark;

	if (kind == BAN_TABLE_V4)
		return false;
	mark = (*bucket_waiting(bucket, kind) >> (slot * BAN_WAITING_BITS)) & BAN_WAITING_GENERATIONS;
	return mark == table->generation + 1;
}

ALWAYS_INLINE void slot_set_mark(
	union ban_bucket *bucket, enum ban_table_kind kind, unsigned slot, uint32_t mark)
{
	uint32_t *waiting = bucket_waiting(bucket, kind);

	*waiting = (*waiting & ~((uint32_t)BAN_WAITING_GENERATIONS << (slot * BAN_WAITING_BITS))) |
		   mark << (slot * BAN_WAITING_BITS);
}

/* Publish a new entry in a free slot. */
ALWAYS_INLINE void slot_fill(
	union ban_bucket *bucket, enum ban_table_kind kind, unsigned slot, struct ban_key key, uint32_t meta)
{
	if (kind == BAN_TABLE_V4) {
		atomic_store_explicit(&bucket->v4.words[slot], key.high << 32 | meta, memory_order_release);
	} else if (kind == BAN_TABLE_V6) {
		atomic_store_explicit(&bucket->v6.sites[slot], key.high, memory_order_relaxed);
		atomic_store_explicit(&bucket->v6.metas[slot], meta, memory_order_release);
		slot_set_mark(bucket, kind, slot, 0);
	} else {
		atomic_store_explicit(&bucket->exact.highs[slot], key.high, memory_order_relaxed);
		atomic_store_explicit(&bucket->exact.lows[slot], key.low, memory_order_relaxed);
		atomic_store_explicit(&bucket->exact.metas[slot], meta, memory_order_release);
		slot_set_mark(bucket, kind, slot, 0);
	}
}

/* Another meta for the key that is there: one store. */
ALWAYS_INLINE void slot_renew(
	union ban_bucket *bucket, enum ban_table_kind kind, unsigned slot, struct ban_key key, uint32_t meta)
{
	if (kind == BAN_TABLE_V4)
		atomic_store_explicit(&bucket->v4.words[slot], key.high << 32 | meta, memory_order_release);
	else if (kind == BAN_TABLE_V6)
		atomic_store_explicit(&bucket->v6.metas[slot], meta, memory_order_release);
	else
		atomic_store_explicit(&bucket->exact.metas[slot], meta, memory_order_release);
}

ALWAYS_INLINE void slot_free(
	struct ban_table *table, union ban_bucket *bucket, enum ban_table_kind kind, unsigned slot)
{
	if (kind == BAN_TABLE_V4) {
		atomic_store_explicit(&bucket->v4.words[slot], 0, memory_order_release);
	} else {
		slot_renew(bucket, kind, slot, (struct ban_key){0, 0}, 0);
		slot_set_mark(bucket, kind, slot, table->generation + 1);
	}
	table->count--;
	if (bucket >= table->buckets + table->n_buckets)
		atomic_fetch_sub_explicit(&table->stash_count, 1, memory_order_relaxed);
}

/* Count the slots that can take a new entry, and those that only wait for a grace period. */
ALWAYS_INLINE unsigned bucket_room(const struct ban_table *table, union ban_bucket *bucket,
	enum ban_table_kind kind, unsigned *ret_slot, unsigned *waiting)
{
	unsigned free_slots = 0;

	for (unsigned i = ban_slots(kind); i-- > 0;) {
		if (slot_meta(bucket, kind, i))
			continue;
		if (slot_waits(table, bucket, kind, i)) {
			(*waiting)++;
			continue;
		}
		free_slots++;
		*ret_slot = i;
	}
	return free_slots;
}

ALWAYS_INLINE int set_kind(
	struct ban_table *table, enum ban_table_kind kind, struct ban_key key, uint64_t hash, uint32_t meta)
{
	union ban_bucket *buckets[BAN_CANDIDATES];
	unsigned slot = 0, slots[BAN_CANDIDATES] = {0}, room[BAN_CANDIDATES], waiting = 0,
		 n = candidates_in_use(table);
	unsigned choice;

	bucket_candidates(table, hash, buckets);
	for (unsigned i = 0; i < n; i++) {
		if (!ban_bucket_lookup(buckets[i], kind, key, &slot))
			continue;
		slot_renew(buckets[i], kind, slot, key, meta);
		return 0;
	}
	for (unsigned i = 0; i < BAN_CANDIDATES - 1; i++)
		room[i] = bucket_room(table, buckets[i], kind, &slots[i], &waiting);
	choice = room[1] > room[0]
			 ? 1
			 : 0; /* the emptier of the two: this is what makes two choices fill evenly */
	if (!room[choice]) {
		choice = BAN_CANDIDATES - 1;
		if (!bucket_room(table, buckets[choice], kind, &slots[choice], &waiting))
			return waiting ? -EAGAIN : -ENOSPC;
		/* Before the entry: a reader that sees the entry's effect elsewhere must look into the stash.
		 */
		atomic_fetch_add_explicit(&table->stash_count, 1, memory_order_release);
	}
	slot_fill(buckets[choice], kind, slots[choice], key, meta);
	table->count++;
	return 0;
}

int ban_table_set(struct ban_table *table, struct ban_key key, uint32_t meta)
{
	uint64_t hash = ban_hash(table, key);

	/* A meta of 0 is "no entry" to every reader. */
	if (!meta || (table->kind == BAN_TABLE_V4 && key.high > UINT32_MAX))
		return -EINVAL;
	switch (table->kind) {
	case BAN_TABLE_V4:
		return set_kind(table, BAN_TABLE_V4, key, hash, meta);
	case BAN_TABLE_V6:
		return set_kind(table, BAN_TABLE_V6, key, hash, meta);
	case BAN_TABLE_EXACT:
		return set_kind(table, BAN_TABLE_EXACT, key, hash, meta);
	}
	return -EINVAL;
}

int ban_table_clear(struct ban_table *table, struct ban_key key)
{
	union ban_bucket *buckets[BAN_CANDIDATES];
	unsigned slot = 0, n = candidates_in_use(table);

	bucket_candidates(table, ban_hash(table, key), buckets);
	for (unsigned i = 0; i < n; i++) {
		if (!ban_bucket_lookup(buckets[i], table->kind, key, &slot))
			continue;
		slot_free(table, buckets[i], table->kind, slot);
		return 0;
	}
	return -ENOENT;
}

/* O(1): slots carry the generation in which they were freed, and this is the next one. The table thread
 * clears nothing between the beginning of the grace period and this call, so everything freed so far was
 * freed before the period began. */
void ban_table_grace_elapsed(struct ban_table *table)
{
	table->generation = (table->generation + 1) % BAN_WAITING_GENERATIONS;
}

unsigned ban_table_expire_step(struct ban_table *table, uint32_t now_s, unsigned budget_buckets)
{
	uint32_t n = table->n_buckets + table->n_stash;
	unsigned freed = 0;

	if (budget_buckets > n)
		budget_buckets = n;
	for (; budget_buckets > 0; budget_buckets--) {
		union ban_bucket *bucket = &table->buckets[table->cursor];

		for (unsigned i = 0; i < ban_slots(table->kind); i++) {
			uint32_t meta = slot_meta(bucket, table->kind, i);

			if (!meta || ban_meta_class_at(meta, now_s) != SOURCE_CLASS_NONE)
				continue;
			slot_free(table, bucket, table->kind, i);
			freed++;
		}
		table->cursor = table->cursor + 1 == n ? 0 : table->cursor + 1;
	}
	return freed;
}
