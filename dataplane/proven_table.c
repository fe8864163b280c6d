// SPDX-License-Identifier: BSD-3-Clause
/* Proven sources (proven_table.h). Writers and readers: all lcores, lock-free. An entry is two words:
 *	grant: tag 28 | fingerprint 8 | end 28	what makes a source proven, and nothing else does
 *	spent: ticket port 16 | time 48		its budget and ticket
 * Two loads of an entry may come from two tenants when another lcore replaces it in between. Then the grant
 *word, which was checked first and whole, belongs to the source that asks, so it is proven; only its budget
 *or ticket is another's. No mix of words proves a source that has not shown to hear, and a lost update costs
 *or gives one attempt.
 */
#include "dataplane/proven_table.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* A race detector takes a vector for a plain access: it sees the portable loop. */
#if defined(__SSE4_1__) && !defined(__SANITIZE_THREAD__)
#include <smmintrin.h>
#define PROVEN_SIMD 1
#endif

enum {
	PROVEN_SLOTS = 4,
	PROVEN_CAPACITY_MIN = 1 << 8,
	PROVEN_CAPACITY_MAX = 1 << 24,
	PROVEN_END_BITS = 28, /* seconds of CLOCK_MONOTONIC: 8.5 years of uptime, so it does not wrap */
	PROVEN_FINGERPRINT_BITS = 8,
	PROVEN_TAG_BITS = 28,
	/* One source may hold so many fingerprints: a quarter of its 8 candidates is left to it for each pair
	 * of stacks behind one address, and no proven source fills its buckets alone. */
	PROVEN_FINGERPRINTS_MAX = 4,
	/* Budget times are kept in units of 64 ns, modulo 2^48: 208 days, half of which lie ahead. An entry
	 * lives 49 days at most, so its time is never so old that it looks new; a burst worth more than 52
	 * days is cut to that. */
	PROVEN_TIME_SHIFT = 6,
	PROVEN_TIME_BITS = 48,
	PROVEN_CHARGE_ATTEMPTS = 8, /* of a compare and swap; lost that often, the source counts as spent */
};
_Static_assert(PROVEN_END_BITS + PROVEN_FINGERPRINT_BITS + PROVEN_TAG_BITS == 64, "the grant is one word");
_Static_assert(PROVEN_TIME_BITS + 16 == 64, "budget and ticket are one word");

#define PROVEN_END_MASK  ((UINT64_C(1) << PROVEN_END_BITS) - 1)
#define PROVEN_TIME_MASK ((UINT64_C(1) << PROVEN_TIME_BITS) - 1)

struct proven_entry {
	_Atomic uint64_t grant;
	_Atomic uint64_t spent;
};
struct proven_bucket {
	struct proven_entry entries[PROVEN_SLOTS];
};
_Static_assert(sizeof(struct proven_bucket) == 64, "one cache line a bucket");

struct proven_table {
	struct proven_bucket *buckets;
	struct hash_key key;
	uint64_t n_buckets;
	struct table_memory memory;
};

int proven_table_create(uint64_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct proven_table **ret_table)
{
	struct proven_table *table;

	if (capacity < PROVEN_CAPACITY_MIN || capacity > PROVEN_CAPACITY_MAX)
		return -EINVAL;
	table = memory->allocate(memory->context, sizeof(*table));
	if (!table)
		return -ENOMEM;
	*table = (struct proven_table){
		.key = *key,
		.n_buckets = (capacity + PROVEN_SLOTS - 1) / PROVEN_SLOTS,
		.memory = *memory,
	};
	table->buckets = memory->allocate(memory->context, table->n_buckets * sizeof(struct proven_bucket));
	if (!table->buckets) {
		memory->free(memory->context, table, sizeof(*table));
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

void proven_table_destroy(struct proven_table *table)
{
	struct table_memory memory;

	if (!table)
		return;
	memory = table->memory;
	memory.free(memory.context, table->buckets, table->n_buckets * sizeof(struct proven_bucket));
	memory.free(memory.context, table, sizeof(*table));
}

size_t proven_table_bytes(const struct proven_table *table)
{
	return table->n_buckets * sizeof(struct proven_bucket) + sizeof(*table);
}

/* The 8 places where a source may be: 0..3 of the first bucket, 4..7 of the second. */
struct proven_candidates {
	struct proven_bucket *buckets[2];
};

static struct proven_candidates candidates_find(const struct proven_table *table, uint64_t hash)
{
	return (struct proven_candidates){{&table->buckets[((hash >> 32) * table->n_buckets) >> 32],
		&table->buckets[((hash & 0xffffffff) * table->n_buckets) >> 32]}};
}

static struct proven_entry *candidate(const struct proven_candidates *candidates, unsigned i)
{
	return &candidates->buckets[i / PROVEN_SLOTS]->entries[i % PROVEN_SLOTS];
}

/* Bit i: entry i has this tag. Only which of them are worth a look: each is loaded again, atomically. */
static unsigned bucket_match(const struct proven_bucket *bucket, uint64_t tag)
{
#if defined(PROVEN_SIMD)
	const __m128i *entries = (const __m128i *)bucket;
	const __m128i wanted = _mm_set1_epi64x((int64_t)tag);
	__m128i low = _mm_srli_epi64(_mm_unpacklo_epi64(entries[0], entries[1]), 64 - PROVEN_TAG_BITS);
	__m128i high = _mm_srli_epi64(_mm_unpacklo_epi64(entries[2], entries[3]), 64 - PROVEN_TAG_BITS);

	return (unsigned)_mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(low, wanted))) |
	       (unsigned)_mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(high, wanted))) << 2;
#else
	unsigned mask = 0;

	for (unsigned i = 0; i < PROVEN_SLOTS; i++) {
		uint64_t grant = atomic_load_explicit(&bucket->entries[i].grant, memory_order_relaxed);

		mask |= (unsigned)(grant >> (64 - PROVEN_TAG_BITS) == tag) << i;
	}
	return mask;
#endif
}

static unsigned candidates_match(const struct proven_candidates *candidates, uint64_t tag)
{
	return bucket_match(candidates->buckets[0], tag) | bucket_match(candidates->buckets[1], tag) << PROVEN_SLOTS;
}

void proven_table_prefetch(const struct proven_table *table, const struct address *source, uint64_t *ret_hash)
{
	uint64_t halves[2], hash;

	memcpy(halves, source->bytes, sizeof(halves));
	hash = keyed_hash_2(&table->key, halves[0], halves[1]);
	__builtin_prefetch(&table->buckets[((hash >> 32) * table->n_buckets) >> 32]);
	__builtin_prefetch(&table->buckets[((hash & 0xffffffff) * table->n_buckets) >> 32]);
	*ret_hash = hash;
}

/* Both halves mixed: within a bucket, whose number fixes the top of one half, the tag is still 28 random
 * bits. A stranger who guesses addresses meets a living tag of another source once in 2^25 attempts. */
static uint64_t hash_tag(uint64_t hash)
{
	return (hash ^ (hash >> 32)) & ((UINT64_C(1) << PROVEN_TAG_BITS) - 1);
}

static uint64_t grant_make(uint64_t tag, uint8_t fingerprint, uint64_t end_s)
{
	return tag << (64 - PROVEN_TAG_BITS) | (uint64_t)fingerprint << PROVEN_END_BITS | end_s;
}

static bool grant_is_alive(uint64_t grant, uint64_t now_s)
{
	return (grant & PROVEN_END_MASK) > now_s;
}

static uint8_t grant_fingerprint(uint64_t grant)
{
	return (uint8_t)(grant >> PROVEN_END_BITS);
}

static bool grant_has_tag(uint64_t grant, uint64_t tag)
{
	return grant >> (64 - PROVEN_TAG_BITS) == tag;
}

static uint64_t time_from_ns(uint64_t ns)
{
	return (ns >> PROVEN_TIME_SHIFT) & PROVEN_TIME_MASK;
}

/* The token bucket's state: the kept time, made whole again around now. In the past means a full bucket. */
static uint64_t spent_state_ns(uint64_t spent, uint64_t now_ns)
{
	uint64_t ahead = ((spent & PROVEN_TIME_MASK) - time_from_ns(now_ns)) & PROVEN_TIME_MASK;

	if (ahead == 0 || ahead >> (PROVEN_TIME_BITS - 1))
		return 0;
	/* The bits below a unit were cut off both times; rounding down by less than 64 ns never refuses an
	 * exact client. */
	return ((now_ns >> PROVEN_TIME_SHIFT) + ahead) << PROVEN_TIME_SHIFT;
}

static uint16_t spent_ticket(uint64_t spent)
{
	return (uint16_t)(spent >> PROVEN_TIME_BITS);
}

/* The living entry that proves this source with this fingerprint; one whose ticket is this port comes first.
 */
static struct proven_entry *entry_find(
	const struct proven_table *table, uint64_t hash, uint8_t fingerprint, uint16_t port, uint64_t now_ns)
{
	struct proven_candidates candidates = candidates_find(table, hash);
	struct proven_entry *found = NULL;
	uint64_t tag = hash_tag(hash), now_s = now_ns / UINT64_C(1000000000);

	for (unsigned mask = candidates_match(&candidates, tag); mask; mask &= mask - 1) {
		struct proven_entry *entry = candidate(&candidates, (unsigned)__builtin_ctz(mask));
		uint64_t grant = atomic_load_explicit(&entry->grant, memory_order_acquire);

		if (!grant_has_tag(grant, tag) || !grant_is_alive(grant, now_s))
			continue;
		if (fingerprint && grant_fingerprint(grant) && grant_fingerprint(grant) != fingerprint)
			continue;
		if (port &&
			spent_ticket(atomic_load_explicit(&entry->spent, memory_order_relaxed)) == port)
			return entry;
		if (!found)
			found = entry;
	}
	return found;
}

enum proven_answer proven_table_charge(struct proven_table *table, uint64_t hash, uint8_t fingerprint,
	uint16_t port, const struct token_bucket_profile *budget, uint64_t now_ns)
{
	struct proven_entry *entry = entry_find(table, hash, fingerprint, port, now_ns);
	uint64_t spent;

	if (!entry)
		return PROVEN_NO;
	spent = atomic_load_explicit(&entry->spent, memory_order_relaxed);
	for (unsigned i = 0; i < PROVEN_CHARGE_ATTEMPTS; i++) {
		bool ticket = port && spent_ticket(spent) == port;
		uint64_t state_ns = spent_state_ns(spent, now_ns), next;

		if (ticket) {
			next = spent & PROVEN_TIME_MASK;
		} else {
			if (!budget->interval_ns)
				return PROVEN_YES;
			if (!token_bucket_take(budget, &state_ns, now_ns) ||
				state_ns - now_ns > PROVEN_TIME_MASK / 4 << PROVEN_TIME_SHIFT)
				return PROVEN_SPENT;
			next = (spent & ~PROVEN_TIME_MASK) | time_from_ns(state_ns);
		}
		if (atomic_compare_exchange_strong_explicit(
			    &entry->spent, &spent, next, memory_order_relaxed, memory_order_relaxed))
			return ticket ? PROVEN_TICKET : PROVEN_YES;
	}
	return PROVEN_SPENT;
}

enum proven_answer proven_table_peek(const struct proven_table *table, uint64_t hash, uint8_t fingerprint,
	uint16_t port, const struct token_bucket_profile *budget, uint64_t now_ns)
{
	const struct proven_entry *entry = entry_find(table, hash, fingerprint, port, now_ns);
	uint64_t spent;

	if (!entry)
		return PROVEN_NO;
	spent = atomic_load_explicit(&entry->spent, memory_order_relaxed);
	if (port && spent_ticket(spent) == port)
		return PROVEN_TICKET;
	return token_bucket_peek(budget, spent_state_ns(spent, now_ns), now_ns) ? PROVEN_YES : PROVEN_SPENT;
}

bool proven_table_has(const struct proven_table *table, uint64_t hash, uint64_t now_ns)
{
	return entry_find(table, hash, 0, 0, now_ns) != NULL;
}

static uint64_t end_make(uint32_t lifetime_ms, uint64_t now_ns)
{
	uint64_t end_s = (now_ns / UINT64_C(1000000) + lifetime_ms + 999) / 1000;

	return end_s > PROVEN_END_MASK ? PROVEN_END_MASK : end_s;
}

/* Another proof of an entry that exists: its budget stays as it is, or a new handshake would buy a new burst.
 * Returns by how many seconds it prolonged the entry's life: the time since the last proof. */
static uint32_t entry_renew(struct proven_entry *entry, uint64_t grant, uint64_t end_s, uint16_t ticket_port)
{
	uint64_t spent = atomic_load_explicit(&entry->spent, memory_order_relaxed);

	if (ticket_port)
		for (unsigned i = 0; i < PROVEN_CHARGE_ATTEMPTS; i++)
			if (atomic_compare_exchange_strong_explicit(&entry->spent, &spent,
				    (spent & PROVEN_TIME_MASK) | (uint64_t)ticket_port << PROVEN_TIME_BITS,
				    memory_order_relaxed, memory_order_relaxed))
				break;
	/* Failure means that another lcore renewed or replaced it; either is a good state. */
	if (end_s <= (grant & PROVEN_END_MASK))
		return 0;
	if (!atomic_compare_exchange_strong_explicit(&entry->grant, &grant, (grant & ~PROVEN_END_MASK) | end_s,
		    memory_order_release, memory_order_relaxed))
		return 0;
	return (uint32_t)(end_s - (grant & PROVEN_END_MASK));
}

/* The entry of a bucket that expires soonest, as end << 2 | index, and how many there are free. */
static uint32_t bucket_soonest(const struct proven_bucket *bucket, uint64_t now_s, unsigned *ret_free)
{
#if defined(PROVEN_SIMD)
	const __m128i *entries = (const __m128i *)bucket;
	__m128 low = _mm_castsi128_ps(_mm_unpacklo_epi64(entries[0], entries[1]));
	__m128 high = _mm_castsi128_ps(_mm_unpacklo_epi64(entries[2], entries[3]));
	__m128i ends = _mm_and_si128(_mm_castps_si128(_mm_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0))),
		_mm_set1_epi32((int32_t)PROVEN_END_MASK));
	__m128i alive = _mm_cmpgt_epi32(ends, _mm_set1_epi32((int32_t)now_s));
	__m128i soonest = _mm_or_si128(_mm_slli_epi32(ends, 2), _mm_setr_epi32(0, 1, 2, 3));

	soonest = _mm_min_epu32(soonest, _mm_shuffle_epi32(soonest, _MM_SHUFFLE(1, 0, 3, 2)));
	soonest = _mm_min_epu32(soonest, _mm_shuffle_epi32(soonest, _MM_SHUFFLE(2, 3, 0, 1)));
	*ret_free = PROVEN_SLOTS - (unsigned)__builtin_popcount((unsigned)_mm_movemask_ps(_mm_castsi128_ps(alive)));
	return (uint32_t)_mm_cvtsi128_si32(soonest);
#else
	uint32_t soonest = UINT32_MAX;

	*ret_free = 0;
	for (unsigned i = 0; i < PROVEN_SLOTS; i++) {
		uint64_t grant = atomic_load_explicit(&bucket->entries[i].grant, memory_order_relaxed);
		uint32_t end = (uint32_t)(grant & PROVEN_END_MASK) << 2 | i;

		*ret_free += !grant_is_alive(grant, now_s);
		soonest = end < soonest ? end : soonest;
	}
	return soonest;
#endif
}

/* The emptier bucket while there is room, so that both fill evenly; then whichever proof ends first. */
static struct proven_entry *entry_choose(const struct proven_candidates *candidates, uint64_t now_s)
{
	unsigned n_free[2], choice;
	uint32_t soonest[2] = {bucket_soonest(candidates->buckets[0], now_s, &n_free[0]),
		bucket_soonest(candidates->buckets[1], now_s, &n_free[1])};

	if (n_free[0] != n_free[1])
		choice = n_free[1] > n_free[0];
	else
		choice = soonest[1] >> 2 < soonest[0] >> 2;
	return &candidates->buckets[choice]->entries[soonest[choice] & (PROVEN_SLOTS - 1)];
}

/* Entries of this source with any fingerprint: the one with this one, if there is one; else, if there are as many as may be, the one that
 * ends first; else NULL. */
static struct proven_entry *own_find(const struct proven_candidates *candidates, uint64_t tag, uint8_t fingerprint,
	uint64_t now_s, uint64_t *ret_grant, bool *ret_same)
{
	struct proven_entry *soonest = NULL;
	uint64_t soonest_end_s = UINT64_MAX;
	unsigned n = 0;

	*ret_same = false;
	for (unsigned mask = candidates_match(candidates, tag); mask; mask &= mask - 1) {
		struct proven_entry *entry = candidate(candidates, (unsigned)__builtin_ctz(mask));
		uint64_t grant = atomic_load_explicit(&entry->grant, memory_order_acquire);

		if (!grant_has_tag(grant, tag) || !grant_is_alive(grant, now_s))
			continue;
		if (grant_fingerprint(grant) == fingerprint) {
			*ret_grant = grant;
			*ret_same = true;
			return entry;
		}
		n++;
		if ((grant & PROVEN_END_MASK) < soonest_end_s) {
			soonest = entry;
			soonest_end_s = grant & PROVEN_END_MASK;
		}
	}
	return n >= PROVEN_FINGERPRINTS_MAX ? soonest : NULL;
}

bool proven_table_add_timed(struct proven_table *table, uint64_t hash, uint8_t fingerprint, uint16_t ticket_port,
	uint32_t lifetime_ms, uint64_t now_ns, uint32_t *ret_quiet_s)
{
	struct proven_candidates candidates = candidates_find(table, hash);
	uint64_t tag = hash_tag(hash), now_s = now_ns / UINT64_C(1000000000), end_s = end_make(lifetime_ms, now_ns), grant;
	struct proven_entry *entry;
	bool same;

	entry = own_find(&candidates, tag, fingerprint, now_s, &grant, &same);
	if (same) {
		*ret_quiet_s = entry_renew(entry, grant, end_s, ticket_port);
		return false;
	}
	*ret_quiet_s = PROVEN_QUIET_NEW;
	if (!entry)
		entry = entry_choose(&candidates, now_s);
	grant = atomic_load_explicit(&entry->grant, memory_order_relaxed);
	/* Budget and ticket first: whoever sees the new grant sees them too. */
	atomic_store_explicit(&entry->spent, (uint64_t)ticket_port << PROVEN_TIME_BITS | time_from_ns(now_ns),
		memory_order_relaxed);
	atomic_store_explicit(&entry->grant, grant_make(tag, fingerprint, end_s), memory_order_release);
	return grant_is_alive(grant, now_s);
}

bool proven_table_add(struct proven_table *table, uint64_t hash, uint8_t fingerprint, uint16_t ticket_port,
	uint32_t lifetime_ms, uint64_t now_ns)
{
	uint32_t quiet_s;

	return proven_table_add_timed(table, hash, fingerprint, ticket_port, lifetime_ms, now_ns, &quiet_s);
}
