/* SPDX-License-Identifier: BSD-3-Clause
 * Ban lookups of a whole burst (ban_table.h), for floods of banned sources: both buckets of every key are fetched first and then
 * compared without a branch on where the key is, because which of the two it is nobody can predict. Lcores only load; what is
 * found is a hint that is read again as ban_table_private.h says.
 */
#include "dataplane/ban_table_private.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Which slots of this bucket may hold the key, a bit each. May be torn by the writer: a wrong bit is found out, a missing one is the
 * same as a lookup a moment earlier or later. */
static inline __attribute__((always_inline)) unsigned slots_matching(
	const union ban_bucket *bucket, enum ban_table_kind kind, struct ban_key key)
{
	unsigned mask = 0;

#if defined(__SSE2__)
	if (kind == BAN_TABLE_V4) {
		const __m128i wanted = _mm_set1_epi32((int32_t)key.high);
		const __m128i *words = (const __m128i *)bucket;

		/* The address is the upper half of a word, so its comparison becomes the word's sign. */
		for (unsigned i = 0; i < BAN_SLOTS_V4 / 2; i++) {
			__m128i equal = _mm_cmpeq_epi32(_mm_load_si128(&words[i]), wanted);

			mask |= (unsigned)_mm_movemask_pd(_mm_castsi128_pd(equal)) << (2 * i);
		}
		return mask;
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

/* Most keys of a flood are in one place of the two buckets. What is not there, or has just gone from there, or is there twice for a
 * moment (a removed IPv6 entry keeps its key), is looked up the usual way. */
static inline __attribute__((always_inline)) uint32_t meta_find(
	const struct ban_table *table, enum ban_table_kind kind, struct ban_key key, uint64_t hash)
{
	const union ban_bucket *first = &table->buckets[ban_index_first(table, hash)];
	const union ban_bucket *second = &table->buckets[ban_index_second(table, hash)];
	unsigned mask = slots_matching(first, kind, key) | slots_matching(second, kind, key) << BAN_SLOTS_V4;
	unsigned slot;
	uint32_t meta;

	if (mask == 0 && atomic_load_explicit(&table->stash_count, memory_order_relaxed) == 0)
		return 0;
	if (mask == 0)
		return ban_table_lookup(table, key, hash);
	slot = (unsigned)__builtin_ctz(mask);
	meta = slot_read(slot < BAN_SLOTS_V4 ? first : second, kind, key, slot % BAN_SLOTS_V4);
	return meta != 0 ? meta : ban_table_lookup(table, key, hash);
}

static inline __attribute__((always_inline)) void burst_lookup(const struct ban_table *table, enum ban_table_kind kind,
	const struct ban_key keys[], unsigned n, uint32_t ret_metas[])
{
	bool with_stash = atomic_load_explicit(&table->stash_count, memory_order_relaxed) != 0;
	uint64_t hashes[BAN_TABLE_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		uint64_t hash = kind == BAN_TABLE_EXACT ? keyed_hash_2(&table->key, keys[i].high, keys[i].low)
							: keyed_hash_1(&table->key, keys[i].high);

		__builtin_prefetch(&table->buckets[ban_index_first(table, hash)]);
		__builtin_prefetch(&table->buckets[ban_index_second(table, hash)]);
		if (with_stash)
			__builtin_prefetch(&table->buckets[ban_index_stash(table, hash)]);
		hashes[i] = hash;
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
