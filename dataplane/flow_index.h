/* SPDX-License-Identifier: BSD-3-Clause
 * A bucket of the flow table's index: one cache line that says of 8 flows where they are, and enough of each (16 bits of its
 * hash, its age, whether it is proven) to find one and to choose which must go without reading any other flow.
 * Vectors where there are some (SSE4.1 is what the tree is built for on x86-64), with portable twins that give the same
 * (test_flow_index). Thread: the owning lcore. Not for others than flow_table.c.
 */
#ifndef WEIR_DATAPLANE_FLOW_INDEX_H
#define WEIR_DATAPLANE_FLOW_INDEX_H

#include <stdint.h>

#if defined(__SSE4_1__)
#include <smmintrin.h>
#define FLOW_INDEX_SIMD 1
#endif

enum {
	FLOW_SLOTS = 8,
	/* A slot's stamp: time of birth in units of 64 ms, modulo 35 minutes, and whether the flow was seen
	 * to be proven. Unproven flows live for seconds; one that an unanswered UDP stream keeps alive longer
	 * may look younger than it is. */
	FLOW_STAMP_SHIFT = 6,
	FLOW_STAMP_MASK = 0x7fff,
	FLOW_STAMP_PROVEN = 0x8000,
	/* Of flow_bucket_oldest: nobody in this bucket may go. */
	FLOW_OLDEST_NONE = 0xffff,
};

struct flow_bucket {
	_Alignas(64) uint32_t places[FLOW_SLOTS]; /* place + 1; 0 = empty */
	uint16_t tags[FLOW_SLOTS];
	uint16_t stamps[FLOW_SLOTS];
};
_Static_assert(sizeof(struct flow_bucket) == 64, "one cache line a bucket");

/** Bit i: slot i has this tag. Empty slots have any. */
static inline unsigned flow_bucket_match_portable(const struct flow_bucket *bucket, uint16_t tag)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < FLOW_SLOTS; i++)
		mask |= (unsigned)(bucket->tags[i] == tag) << i;
	return mask;
}

/** Bit i: slot i is empty. */
static inline unsigned flow_bucket_empty_portable(const struct flow_bucket *bucket)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < FLOW_SLOTS; i++)
		mask |= (unsigned)(bucket->places[i] == 0) << i;
	return mask;
}

/** The youth of the oldest flow that is not known to be proven (FLOW_STAMP_MASK less its age), the lower the older, and its slot;
 * FLOW_OLDEST_NONE if there is none. `now`: as stamps are. */
static inline unsigned flow_bucket_oldest_portable(const struct flow_bucket *bucket, uint16_t now, unsigned *ret_slot)
{
	unsigned youngest = FLOW_OLDEST_NONE;

	*ret_slot = 0;
	for (unsigned i = 0; i < FLOW_SLOTS; i++) {
		unsigned youth = FLOW_STAMP_MASK - ((unsigned)(now - bucket->stamps[i]) & FLOW_STAMP_MASK);

		if (bucket->places[i] == 0 || (bucket->stamps[i] & FLOW_STAMP_PROVEN) || youth >= youngest)
			continue;
		youngest = youth;
		*ret_slot = i;
	}
	return youngest;
}

#if defined(FLOW_INDEX_SIMD)
static inline unsigned flow_bucket_match(const struct flow_bucket *bucket, uint16_t tag)
{
	__m128i same = _mm_cmpeq_epi16(*(const __m128i *)bucket->tags, _mm_set1_epi16((int16_t)tag));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(same, _mm_setzero_si128()));
}

/* A half word of ones for each empty slot. */
static inline __m128i flow_bucket_empty_halves(const struct flow_bucket *bucket)
{
	const __m128i *places = (const __m128i *)bucket->places;

	return _mm_packs_epi32(
		_mm_cmpeq_epi32(places[0], _mm_setzero_si128()), _mm_cmpeq_epi32(places[1], _mm_setzero_si128()));
}

static inline unsigned flow_bucket_empty(const struct flow_bucket *bucket)
{
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(flow_bucket_empty_halves(bucket), _mm_setzero_si128()));
}

static inline unsigned flow_bucket_oldest(const struct flow_bucket *bucket, uint16_t now, unsigned *ret_slot)
{
	__m128i stamps = *(const __m128i *)bucket->stamps, mask = _mm_set1_epi16(FLOW_STAMP_MASK);
	__m128i youth = _mm_andnot_si128(_mm_sub_epi16(_mm_set1_epi16((int16_t)now), stamps), mask);
	/* A proven flow's stamp is negative. */
	__m128i stays = _mm_or_si128(flow_bucket_empty_halves(bucket), _mm_srai_epi16(stamps, 15));
	__m128i oldest = _mm_minpos_epu16(_mm_or_si128(youth, stays));

	*ret_slot = (unsigned)_mm_extract_epi16(oldest, 1);
	return (unsigned)_mm_extract_epi16(oldest, 0);
}
#else
#define flow_bucket_match flow_bucket_match_portable
#define flow_bucket_empty flow_bucket_empty_portable
#define flow_bucket_oldest flow_bucket_oldest_portable
#endif

#endif
