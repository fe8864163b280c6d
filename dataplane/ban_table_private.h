/* SPDX-License-Identifier: BSD-3-Clause
 * Layout of the ban tables, shared by ban_table.c (life and readers) and ban_table_write.c (the table
 * thread). Not for others.
 *
 * Who reads what, and why a reader needs no lock:
 * - v4: address and meta are one 64-bit word. Whatever a reader loads was one whole entry, or 0 = empty.
 * - v6 and exact: meta 0 = empty. The writer stores the key, then the meta with release. The reader loads the
 * meta with acquire and then the key. A reader that loads meta m sees the key stored before it, or a later
 * one; a later key is stored only after meta was set to 0 and a grace period passed, and the reader, who saw
 * m and thus began before the grace period did, would have ended its section by then. So key and m belong
 * together. (Key first would be wrong even on x86: an old key could match, and the meta loaded after it be
 * the next tenant's.)
 * - `waiting` is private to the table thread. It says in which grace generation each slot was freed, 6 bits a
 * slot.
 */
#ifndef WEIR_DATAPLANE_BAN_TABLE_PRIVATE_H
#define WEIR_DATAPLANE_BAN_TABLE_PRIVATE_H

#include <stdatomic.h>

#include "dataplane/ban_table.h"

enum {
	BAN_SLOTS_V4 = 8,
	BAN_SLOTS_V6 = 5,
	BAN_SLOTS_EXACT = 3,
	BAN_WAITING_BITS = 6,
	/* Marks are 1..63. A slot forgotten for 63 grace periods looks as if freed just now and waits once
	   more: safe. */
	BAN_WAITING_GENERATIONS = (1 << BAN_WAITING_BITS) - 1,
	BAN_STASH_BUCKETS_MIN = 8, /* 64 IPv4 entries */
	BAN_CANDIDATES = 3,        /* two choices and the stash */
};

struct ban_bucket_v4 {
	_Atomic uint64_t words[BAN_SLOTS_V4]; /* address << 32 | meta */
};
struct ban_bucket_v6 {
	_Atomic uint64_t sites[BAN_SLOTS_V6];
	_Atomic uint32_t metas[BAN_SLOTS_V6];
	uint32_t waiting;
};
struct ban_bucket_exact {
	_Atomic uint64_t highs[BAN_SLOTS_EXACT], lows[BAN_SLOTS_EXACT];
	_Atomic uint32_t metas[BAN_SLOTS_EXACT];
	uint32_t waiting;
};
union ban_bucket {
	struct ban_bucket_v4 v4;
	struct ban_bucket_v6 v6;
	struct ban_bucket_exact exact;
};
_Static_assert(
	sizeof(struct ban_bucket_v4) == 64 && sizeof(struct ban_bucket_v6) == 64, "one cache line a bucket");
_Static_assert(
	sizeof(struct ban_bucket_exact) == 64 && sizeof(union ban_bucket) == 64, "one cache line a bucket");
_Static_assert(BAN_SLOTS_V6 *BAN_WAITING_BITS <= 32, "all marks fit the spare word");

struct ban_table {
	/* read by lcores */
	union ban_bucket *buckets; /* n_buckets of two choices, then n_stash */
	struct hash_key key;
	uint32_t n_buckets, n_stash;
	enum ban_table_kind kind;
	_Atomic uint32_t stash_count; /* entries in the stash: 0 saves readers its line */
	/* table thread only */
	_Alignas(64) uint64_t count;
	uint64_t capacity;
	size_t bytes;        /* of the buckets */
	uint32_t generation; /* 0..62: grace periods seen, modulo */
	uint32_t cursor;     /* of ban_table_expire_step */
	struct table_memory memory;
};

static inline unsigned ban_slots(enum ban_table_kind kind)
{
	return kind == BAN_TABLE_V4 ? BAN_SLOTS_V4 : kind == BAN_TABLE_V6 ? BAN_SLOTS_V6 : BAN_SLOTS_EXACT;
}

static inline uint64_t ban_hash(const struct ban_table *table, struct ban_key key)
{
	return table->kind == BAN_TABLE_EXACT ? keyed_hash_2(&table->key, key.high, key.low)
					      : keyed_hash_1(&table->key, key.high);
}

/* Multiply and shift maps 32 hash bits to any number of buckets, so a table need not be a power of two. */
static inline uint32_t ban_index_first(const struct ban_table *table, uint64_t hash)
{
	return (uint32_t)(((hash >> 32) * table->n_buckets) >> 32);
}
static inline uint32_t ban_index_second(const struct ban_table *table, uint64_t hash)
{
	return (uint32_t)(((hash & 0xffffffff) * table->n_buckets) >> 32);
}
/* Both halves mixed: keys that share a full bucket agree in the top bits of one half only, so they do not
 * share their place in the stash. */
static inline uint32_t ban_index_stash(const struct ban_table *table, uint64_t hash)
{
	uint32_t bits = (uint32_t)(hash ^ (hash >> 32)) * 0x9e3779b1u;

	return table->n_buckets + (uint32_t)(((uint64_t)bits * table->n_stash) >> 32);
}

/** The meta of `key` in this bucket, or 0. Readers and the writer. */
static inline __attribute__((always_inline)) uint32_t ban_bucket_lookup(
	union ban_bucket *bucket, enum ban_table_kind kind, struct ban_key key, unsigned *ret_slot)
{
	for (unsigned i = 0; i < ban_slots(kind); i++) {
		uint32_t meta;

		if (kind == BAN_TABLE_V4) {
			uint64_t word = atomic_load_explicit(&bucket->v4.words[i], memory_order_relaxed);

			if (word >> 32 != key.high || !word)
				continue;
			meta = (uint32_t)word;
		} else if (kind == BAN_TABLE_V6) {
			meta = atomic_load_explicit(&bucket->v6.metas[i], memory_order_acquire);
			if (!meta ||
				atomic_load_explicit(&bucket->v6.sites[i], memory_order_relaxed) != key.high)
				continue;
		} else {
			meta = atomic_load_explicit(&bucket->exact.metas[i], memory_order_acquire);
			if (!meta ||
				atomic_load_explicit(&bucket->exact.highs[i], memory_order_relaxed) !=
					key.high ||
				atomic_load_explicit(&bucket->exact.lows[i], memory_order_relaxed) != key.low)
				continue;
		}
		*ret_slot = i;
		return meta;
	}
	return 0;
}

#endif
