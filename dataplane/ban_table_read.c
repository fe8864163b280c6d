/* SPDX-License-Identifier: BSD-3-Clause
 * What lcores do with ban tables (ban_table.h): prefetch and look up, one source or a burst of them. They only load; nothing here takes
 * a lock, allocates, or looks at more than the slots of three cache lines a key. Both buckets of a key are compared without
 * a branch on where it is, because which of the two it is nobody can predict; what is found so is read again as
 * ban_table_private.h says.
 */
#include "dataplane/ban_table_private.h"

/* A race detector takes a vector for a plain access: it sees the portable loop. */
#if defined(__SSE4_1__) && !defined(__SANITIZE_THREAD__)
#include <smmintrin.h>
#define BAN_TABLE_SIMD 1
#endif

/* Which slots of this bucket may hold the key, a bit each. May be torn by the writer: a wrong bit is found out, a missing one is the
 * same as a lookup a moment earlier or later. */
static inline __attribute__((always_inline)) unsigned slots_matching(
	const union ban_bucket *bucket, enum ban_table_kind kind, struct ban_key key)
{
	unsigned mask = 0;

#if defined(BAN_TABLE_SIMD)
	const __m128i *pairs = (const __m128i *)bucket;

	if (kind == BAN_TABLE_V4) {
		const __m128i wanted = _mm_set1_epi32((int32_t)key.high);

		/* The address is the upper half of a word, so its comparison becomes the word's sign. */
		for (unsigned i = 0; i < BAN_SLOTS_V4 / 2; i++) {
			__m128i equal = _mm_cmpeq_epi32(_mm_load_si128(&pairs[i]), wanted);

			mask |= (unsigned)_mm_movemask_pd(_mm_castsi128_pd(equal)) << (2 * i);
		}
		return mask;
	}
	if (kind == BAN_TABLE_V6) {
		const __m128i wanted = _mm_set1_epi64x((int64_t)key.high);

		/* The partner of the last site is no site. */
		for (unsigned i = 0; i < (BAN_SLOTS_V6 + 1) / 2; i++) {
			__m128i equal = _mm_cmpeq_epi64(_mm_load_si128(&pairs[i]), wanted);

			mask |= (unsigned)_mm_movemask_pd(_mm_castsi128_pd(equal)) << (2 * i);
		}
		return mask & ((1u << BAN_SLOTS_V6) - 1);
	}
#endif
	for (unsigned i = 0; i < ban_slots(kind); i++) {
		bool equal;

		if (kind == BAN_TABLE_V4)
			equal = atomic_load_explicit(&bucket->v4.words[i], memory_order_relaxed) >> 32 == key.high;
		else if (kind == BAN_TABLE_V6)
			equal = atomic_load_explicit(&bucket->v6.sites[i], memory_order_relaxed) == key.high;
		else
			equal = (atomic_load_explicit(&bucket->exact.highs[i], memory_order_relaxed) == key.high) &
				(atomic_load_explicit(&bucket->exact.lows[i], memory_order_relaxed) == key.low);
		mask |= (unsigned)equal << i;
	}
	return mask;
}

/* The meta of the slot if it holds the key, else 0. */
static inline __attribute__((always_inline)) uint32_t slot_read(
	const union ban_bucket *bucket, enum ban_table_kind kind, struct ban_key key, unsigned slot)
{
	uint32_t meta;

	if (kind == BAN_TABLE_V4) {
		uint64_t word = atomic_load_explicit(&bucket->v4.words[slot], memory_order_relaxed);

		return word >> 32 == key.high ? (uint32_t)word : 0;
	}
	if (kind == BAN_TABLE_V6) {
		meta = atomic_load_explicit(&bucket->v6.metas[slot], memory_order_acquire);
		return atomic_load_explicit(&bucket->v6.sites[slot], memory_order_relaxed) == key.high ? meta : 0;
	}
	meta = atomic_load_explicit(&bucket->exact.metas[slot], memory_order_acquire);
	return atomic_load_explicit(&bucket->exact.highs[slot], memory_order_relaxed) == key.high &&
			       atomic_load_explicit(&bucket->exact.lows[slot], memory_order_relaxed) == key.low
		       ? meta
		       : 0;
}

/* Slot by slot, all three lines. */
static uint32_t meta_search(const struct ban_table *table, enum ban_table_kind kind, struct ban_key key, uint64_t hash)
{
	const uint32_t indices[BAN_CANDIDATES] = {
		ban_index_first(table, hash), ban_index_second(table, hash), ban_index_stash(table, hash)};
	uint32_t meta = 0;
	unsigned slot;

	for (unsigned i = 0; i < BAN_CANDIDATES && meta == 0; i++)
		meta = ban_bucket_lookup(&table->buckets[indices[i]], kind, key, &slot);
	return meta;
}

static bool stash_used(const struct ban_table *table)
{
	return atomic_load_explicit(&table->stash_count, memory_order_relaxed) != 0;
}

/* Most keys are in one place of the two buckets, or in none. What is only in the stash, or has just gone from there, or is there twice
 * for a moment (a removed IPv6 entry keeps its key), is searched for. */
static inline __attribute__((always_inline)) uint32_t meta_find(
	const struct ban_table *table, enum ban_table_kind kind, struct ban_key key, uint64_t hash)
{
	const union ban_bucket *first = &table->buckets[ban_index_first(table, hash)];
	const union ban_bucket *second = &table->buckets[ban_index_second(table, hash)];
	unsigned mask = slots_matching(first, kind, key) | slots_matching(second, kind, key) << BAN_SLOTS_V4;
	unsigned slot;
	uint32_t meta;

	/* Strangers: in none of the three. */
	if (mask == 0 &&
		(!stash_used(table) || slots_matching(&table->buckets[ban_index_stash(table, hash)], kind, key) == 0))
		return 0;
	if (mask == 0)
		return meta_search(table, kind, key, hash);
	slot = (unsigned)__builtin_ctz(mask);
	meta = slot_read(slot < BAN_SLOTS_V4 ? first : second, kind, key, slot % BAN_SLOTS_V4);
	return meta != 0 ? meta : meta_search(table, kind, key, hash);
}

static inline __attribute__((always_inline)) void lines_prefetch(const struct ban_table *table, uint64_t hash)
{
	__builtin_prefetch(&table->buckets[ban_index_first(table, hash)]);
	__builtin_prefetch(&table->buckets[ban_index_second(table, hash)]);
	if (stash_used(table))
		__builtin_prefetch(&table->buckets[ban_index_stash(table, hash)]);
}

void ban_table_prefetch(const struct ban_table *table, struct ban_key key, uint64_t *ret_hash)
{
	*ret_hash = ban_hash(table, key);
	lines_prefetch(table, *ret_hash);
}

/* Three compiled variants: the number of slots is a constant in each. */
uint32_t ban_table_lookup(const struct ban_table *table, struct ban_key key, uint64_t hash)
{
	switch (table->kind) {
	case BAN_TABLE_V4:
		return meta_find(table, BAN_TABLE_V4, key, hash);
	case BAN_TABLE_V6:
		return meta_find(table, BAN_TABLE_V6, key, hash);
	case BAN_TABLE_EXACT:
		return meta_find(table, BAN_TABLE_EXACT, key, hash);
	}
	return 0;
}

static inline __attribute__((always_inline)) void burst_lookup(const struct ban_table *table, enum ban_table_kind kind,
	const struct ban_key keys[], unsigned n, uint32_t ret_metas[])
{
	uint64_t hashes[BAN_TABLE_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		hashes[i] = kind == BAN_TABLE_EXACT ? keyed_hash_2(&table->key, keys[i].high, keys[i].low)
						    : keyed_hash_1(&table->key, keys[i].high);
		lines_prefetch(table, hashes[i]);
	}
	for (unsigned i = 0; i < n; i++)
		ret_metas[i] = meta_find(table, kind, keys[i], hashes[i]);
}

void ban_table_lookup_burst(const struct ban_table *table, const struct ban_key keys[], unsigned n, uint32_t ret_metas[])
{
	if (n > BAN_TABLE_BURST_MAX)
		n = BAN_TABLE_BURST_MAX;
	switch (table->kind) {
	case BAN_TABLE_V4:
		burst_lookup(table, BAN_TABLE_V4, keys, n, ret_metas);
		break;
	case BAN_TABLE_V6:
		burst_lookup(table, BAN_TABLE_V6, keys, n, ret_metas);
		break;
	case BAN_TABLE_EXACT:
		burst_lookup(table, BAN_TABLE_EXACT, keys, n, ret_metas);
		break;
	}
}
