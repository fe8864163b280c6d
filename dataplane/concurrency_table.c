// SPDX-License-Identifier: BSD-3-Clause
/* Concurrency per prefix (concurrency_table.h). All lcores, lock-free: a word is {tag 48, count 16} and
 * changes by compare and swap of the whole word, so a count never goes to another prefix and a word that
 * reaches 0 is free again in the same step. No order between words is needed: relaxed atomics. Loops are
 * bounded; what cannot be counted is reported to the caller, never forgotten.
 */
#include "dataplane/concurrency_table.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* A race detector takes a vector for a plain access: it sees the portable loop. */
#if defined(__SSE4_1__) && !defined(__SANITIZE_THREAD__)
#include <smmintrin.h>
#define CONCURRENCY_SIMD 1
#endif

enum {
	CONCURRENCY_SLOTS = 8,
	CONCURRENCY_COUNT_BITS = 16,
	CONCURRENCY_COUNT_MAX = (1 << CONCURRENCY_COUNT_BITS) - 1,
	/* Entries per 1000 slots at capacity: two choices overflow for 2e-4 of the prefixes at 80 %
	   (ban_table.c). */
	CONCURRENCY_ENTRIES_PER_1000_SLOTS = 800,
	/* A compare and swap fails only because another lcore succeeded; with at most 128 lcores 256 rounds
	 * lose to nobody but a storm, and then the connection is reported as not counted. */
	CONCURRENCY_ROUNDS = 256,
};
/* Bucket numbers are made of 32 hash bits. */
#define CONCURRENCY_CAPACITY_MAX (UINT64_C(1) << 28)

struct concurrency_bucket {
	_Atomic uint64_t words[CONCURRENCY_SLOTS];
};
_Static_assert(sizeof(struct concurrency_bucket) == 64, "one cache line a bucket");
_Static_assert(IMAGE_LEVEL_COUNT <= 8, "a bit a level in uncounted_levels");

struct concurrency_table {
	struct concurrency_bucket *buckets;
	struct hash_key key;
	uint64_t n_buckets;
	struct table_memory memory;
	_Alignas(64) _Atomic uint64_t total; /* a line of its own: every lcore writes it */
};

/* Where one level of one client is counted. */
struct concurrency_place {
	struct concurrency_bucket *first, *second;
	uint64_t tag; /* in place, the count's bits zero; never 0 */
};

int concurrency_table_create(uint64_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct concurrency_table **ret_table)
{
	struct concurrency_table *table;

	if (capacity == 0 || capacity > CONCURRENCY_CAPACITY_MAX)
		return -EINVAL;
	table = memory->allocate(memory->context, sizeof(*table));
	if (!table)
		return -ENOMEM;
	*table = (struct concurrency_table){
		.key = *key,
		.n_buckets = capacity * 1000 / (CONCURRENCY_ENTRIES_PER_1000_SLOTS * CONCURRENCY_SLOTS) + 2,
		.memory = *memory,
	};
	table->buckets =
		memory->allocate(memory->context, table->n_buckets * sizeof(struct concurrency_bucket));
	if (!table->buckets) {
		memory->free(memory->context, table, sizeof(*table));
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

void concurrency_table_destroy(struct concurrency_table *table)
{
	struct table_memory memory;

	if (!table)
		return;
	memory = table->memory;
	memory.free(memory.context, table->buckets, table->n_buckets * sizeof(struct concurrency_bucket));
	memory.free(memory.context, table, sizeof(*table));
}

/* The bits of a client that name its prefix at a level: v4 /32 /24 /20 /18, v6 /64 /56 /48 /32. */
static uint64_t level_prefix(const struct address *client, bool v4, enum image_level level)
{
	static const uint8_t host_bits[2][IMAGE_LEVEL_COUNT] = {{0, 8, 16, 32}, {0, 8, 12, 14}};
	uint64_t bits = v4 ? address_v4(client) : address_v6_site(client);

	return bits >> host_bits[v4][level] << host_bits[v4][level];
}

static struct concurrency_place place_find(
	const struct concurrency_table *table, const struct address *client, bool v4, enum image_level level)
{
	uint64_t hash = keyed_hash_2(&table->key, level_prefix(client, v4, level), (uint64_t)v4 << 8 | level);
	struct concurrency_place place = {
		.first = &table->buckets[((hash >> 32) * table->n_buckets) >> 32],
		.second = &table->buckets[((hash & 0xffffffff) * table->n_buckets) >> 32],
		.tag = hash << CONCURRENCY_COUNT_BITS,
	};

	if (place.tag == 0) /* would look like an empty word */
		place.tag = UINT64_C(1) << CONCURRENCY_COUNT_BITS;
	__builtin_prefetch(place.first, 1);
	__builtin_prefetch(place.second, 1);
	return place;
}

/* Bit 2i: word i of the bucket has this tag, or is empty where the tag is 0. Only which of them are worth a look: each is loaded again,
 * atomically. */
#if defined(CONCURRENCY_SIMD)
static uint32_t bucket_match(const struct concurrency_bucket *bucket, uint64_t tag)
{
	const __m128i *words = (const __m128i *)bucket;
	const __m128i wanted = _mm_set1_epi64x((int64_t)(tag >> CONCURRENCY_COUNT_BITS));
	__m128i same[4];

	for (unsigned i = 0; i < 4; i++)
		same[i] = _mm_cmpeq_epi64(_mm_srli_epi64(words[i], CONCURRENCY_COUNT_BITS), wanted);
	/* Eight bytes of ones become two. */
	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(same[0], same[1]), _mm_packs_epi32(same[2], same[3]))) & 0x5555;
}
#else
static uint32_t bucket_match(const struct concurrency_bucket *bucket, uint64_t tag)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < CONCURRENCY_SLOTS; i++) {
		uint64_t word = atomic_load_explicit(&bucket->words[i], memory_order_relaxed);

		mask |= (uint32_t)(word >> CONCURRENCY_COUNT_BITS == tag >> CONCURRENCY_COUNT_BITS) << (2 * i);
	}
	return mask;
}
#endif

/* As bucket_match; the second bucket's words from bit 16 on. */
static uint32_t place_match(const struct concurrency_place *place, uint64_t tag)
{
	uint32_t mask = bucket_match(place->first, tag);

	return place->first == place->second ? mask : mask | bucket_match(place->second, tag) << (2 * CONCURRENCY_SLOTS);
}

/* The word of the lowest bit of a mask, which is not 0. */
static _Atomic uint64_t *place_word(const struct concurrency_place *place, uint32_t mask)
{
	unsigned i = (unsigned)__builtin_ctz(mask) / 2;

	return i < CONCURRENCY_SLOTS ? &place->first->words[i] : &place->second->words[i - CONCURRENCY_SLOTS];
}

static uint32_t place_count(const struct concurrency_place *place)
{
	uint32_t count = 0;

	for (uint32_t mask = place_match(place, place->tag); mask; mask &= mask - 1) {
		uint64_t word = atomic_load_explicit(place_word(place, mask), memory_order_relaxed);

		if ((word ^ place->tag) <= CONCURRENCY_COUNT_MAX)
			count += (uint32_t)(word & CONCURRENCY_COUNT_MAX);
	}
	return count;
}

/* One round: look at all candidates, then try to change one word. */
enum round { ROUND_DONE, ROUND_AGAIN, ROUND_NO_ROOM };

static enum round word_swap(_Atomic uint64_t *word, uint64_t expected, uint64_t next)
{
	return atomic_compare_exchange_strong_explicit(
		       word, &expected, next, memory_order_relaxed, memory_order_relaxed)
		       ? ROUND_DONE
		       : ROUND_AGAIN;
}

static enum round place_add_round(const struct concurrency_place *place)
{
	uint32_t match = place_match(place, place->tag), empty;

	if (match) {
		_Atomic uint64_t *word = place_word(place, match);
		uint64_t value = atomic_load_explicit(word, memory_order_relaxed);

		if ((value ^ place->tag) > CONCURRENCY_COUNT_MAX)
			return ROUND_AGAIN;
		/* Saturated: the caller keeps the bit, so removal stays exact. */
		if ((value & CONCURRENCY_COUNT_MAX) == CONCURRENCY_COUNT_MAX)
			return ROUND_NO_ROOM;
		return word_swap(word, value, value + 1);
	}
	empty = place_match(place, 0);
	if (!empty)
		return ROUND_NO_ROOM;
	/* The emptier bucket: two choices fill evenly only so. */
	if (__builtin_popcount(empty >> (2 * CONCURRENCY_SLOTS)) > __builtin_popcount(empty & 0xffff))
		empty &= ~(uint32_t)0xffff;
	return word_swap(place_word(place, empty), 0, place->tag | 1);
}

static bool place_add(const struct concurrency_place *place)
{
	for (unsigned i = 0; i < CONCURRENCY_ROUNDS; i++) {
		enum round round = place_add_round(place);

		if (round != ROUND_AGAIN)
			return round == ROUND_DONE;
	}
	return false;
}

/* The count that is taken here was added before, so the sum over the words is at least 1; a round can miss it
 * only while other lcores move counts between duplicates under its eyes. */
static void place_remove(const struct concurrency_place *place)
{
	for (unsigned round = 0; round < CONCURRENCY_ROUNDS; round++) {
		uint32_t match = place_match(place, place->tag);
		_Atomic uint64_t *word;
		uint64_t value;

		if (!match)
			continue;
		word = place_word(place, match);
		value = atomic_load_explicit(word, memory_order_relaxed);
		if ((value ^ place->tag) <= CONCURRENCY_COUNT_MAX &&
			word_swap(word, value, (value & CONCURRENCY_COUNT_MAX) == 1 ? 0 : value - 1) == ROUND_DONE)
			return;
	}
}

static void places_find(const struct concurrency_table *table, const struct address *client,
	struct concurrency_place ret_places[IMAGE_LEVEL_COUNT])
{
	bool v4 = address_is_v4(client);

	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		ret_places[level] = place_find(table, client, v4, (enum image_level)level);
}

enum image_level concurrency_table_check(const struct concurrency_table *table, const struct address *client,
	const uint32_t limits[IMAGE_LEVEL_COUNT])
{
	struct concurrency_place places[IMAGE_LEVEL_COUNT];
	bool v4 = address_is_v4(client);

	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		if (limits[level])
			places[level] = place_find(table, client, v4, (enum image_level)level);
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		/* A saturated count is at every limit: beyond it nobody knows. */
		uint32_t limit =
			limits[level] > CONCURRENCY_COUNT_MAX ? CONCURRENCY_COUNT_MAX : limits[level];

		if (limit && place_count(&places[level]) >= limit)
			return (enum image_level)level;
	}
	return IMAGE_LEVEL_COUNT;
}

uint8_t concurrency_table_add(struct concurrency_table *table, const struct address *client)
{
	struct concurrency_place places[IMAGE_LEVEL_COUNT];
	uint8_t uncounted = 0;

	places_find(table, client, places);
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		if (!place_add(&places[level]))
			uncounted |= (uint8_t)(1u << level);
	atomic_fetch_add_explicit(&table->total, 1, memory_order_relaxed);
	return uncounted;
}

void concurrency_table_remove(
	struct concurrency_table *table, const struct address *client, uint8_t uncounted_levels)
{
	struct concurrency_place places[IMAGE_LEVEL_COUNT];

	places_find(table, client, places);
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		if (!(uncounted_levels & (1u << level)))
			place_remove(&places[level]);
	atomic_fetch_sub_explicit(&table->total, 1, memory_order_relaxed);
}

uint32_t concurrency_table_count(
	const struct concurrency_table *table, const struct address *client, enum image_level level)
{
	struct concurrency_place place = place_find(table, client, address_is_v4(client), level);

	return place_count(&place);
}

uint64_t concurrency_table_total(const struct concurrency_table *table)
{
	return atomic_load_explicit(&table->total, memory_order_relaxed);
}
