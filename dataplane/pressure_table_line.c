// SPDX-License-Identifier: BSD-3-Clause
/* Lines of the pressure tables (pressure_table_private.h): decay of a whole line by one lcore, price of one
 * attempt, and the portable twins of what vectors do. All lcores, relaxed atomics, at most 30 steps a line.
 */
#include "dataplane/pressure_table_private.h"

uint32_t pressure_price(
	const struct pressure_table *table, uint32_t price, uint32_t elapsed_ms, uint64_t *random)
{
	struct decay_factor factor;

	if (elapsed_ms == 0)
		return price;
	/* 2^(dt/H) = 2 * 2^(-(H - dt)/H); multipliers are in units of 2^-31, so this one is in units of
	 * 2^-30. */
	factor = decay_factor_make(&table->decay, table->half_life_ms - elapsed_ms);
	return (uint32_t)(((uint64_t)price * factor.multiplier + (pressure_random_next(random) >> (64 - 30))) >> 30);
}

/* Who swaps the time owns the decay between the two times. */
static bool line_acquire(const struct pressure_table *table, _Atomic uint32_t *time_ms, uint32_t now_ms,
	uint32_t *ret_elapsed_ms)
{
	uint32_t line_ms = atomic_load_explicit(time_ms, memory_order_relaxed);
	uint32_t elapsed_ms = pressure_elapsed_ms(line_ms, now_ms);

	*ret_elapsed_ms = elapsed_ms;
	if (elapsed_ms < table->quantum_ms)
		return false;
	if (atomic_compare_exchange_strong_explicit(
		    time_ms, &line_ms, now_ms, memory_order_relaxed, memory_order_relaxed))
		return true;
	*ret_elapsed_ms = 0; /* another lcore has just brought the line to now */
	return false;
}

/* In units of 2^-16, so that a load and its multiplier make one word. That is off by less than 2^-16 of the load within the
 * first half-life, and by less than half a unit of the highest load after any time. */
static uint16_t multiplier_make(const struct pressure_table *table, uint32_t elapsed_ms)
{
	struct decay_factor factor = decay_factor_make(&table->decay, elapsed_ms);
	uint32_t bits = DECAY_FACTOR_BITS - 16 + factor.shift;
	uint64_t multiplier = (factor.multiplier + (UINT64_C(1) << (bits - 1))) >> bits;

	return multiplier < UINT16_MAX ? (uint16_t)multiplier : UINT16_MAX;
}

static uint16_t seed_next(uint64_t *random)
{
	return (uint16_t)(pressure_random_next(random) >> 48);
}

uint32_t pressure_coarse_refresh(const struct pressure_table *table, struct pressure_coarse_line *line,
	uint32_t now_ms, uint64_t *random)
{
	uint32_t elapsed_ms;

	if (!line_acquire(table, &line->time_ms, now_ms, &elapsed_ms))
		return elapsed_ms;
	pressure_coarse_line_decay(line, multiplier_make(table, elapsed_ms), seed_next(random));
	return 0;
}

uint32_t pressure_key_refresh(
	const struct pressure_table *table, struct pressure_key_line *line, uint32_t now_ms, uint64_t *random)
{
	uint32_t elapsed_ms;

	if (!line_acquire(table, &line->time_ms, now_ms, &elapsed_ms))
		return elapsed_ms;
	pressure_key_line_decay(line, multiplier_make(table, elapsed_ms), seed_next(random));
	return 0;
}

/* An odd number a half word of the line: times a seed that is evenly spread over 16 bits each makes bits that are so too. They need
 * not be independent of each other: every load keeps its mean for itself. */
static const uint16_t line_odds[32] __attribute__((aligned(16))) = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27,
	29, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};

static uint32_t half_decay(uint32_t load, uint16_t multiplier, uint16_t seed, unsigned half)
{
	return (load * multiplier + (uint16_t)(seed * line_odds[half])) >> 16;
}

void pressure_key_line_decay_portable(struct pressure_key_line *line, uint16_t multiplier, uint16_t seed)
{
	for (unsigned i = 0; i < PRESSURE_KEYS; i++) {
		uint32_t word = atomic_load_explicit(&line->keys[i], memory_order_relaxed), load;

		if (!word)
			continue;
		load = half_decay(word & 0xffff, multiplier, seed, 2 * i + 2);
		atomic_store_explicit(
			&line->keys[i], load ? (word & 0xffff0000) | load : 0, memory_order_relaxed);
	}
}

void pressure_coarse_line_decay_portable(struct pressure_coarse_line *line, uint16_t multiplier, uint16_t seed)
{
	for (unsigned i = 0; i < PRESSURE_COARSE_LOADS; i++) {
		uint32_t load = atomic_load_explicit(&line->loads[i], memory_order_relaxed);

		if (load)
			atomic_store_explicit(&line->loads[i], (uint16_t)half_decay(load, multiplier, seed, i + 2),
				memory_order_relaxed);
	}
}

unsigned pressure_line_match_portable(const struct pressure_key_line *line, uint16_t id)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < PRESSURE_KEYS; i++)
		mask |= (unsigned)(atomic_load_explicit(&line->keys[i], memory_order_relaxed) >> 16 == id) << i;
	return mask;
}

uint32_t pressure_line_weakest_portable(const struct pressure_key_line *line)
{
	uint32_t weakest = UINT32_MAX;

	for (unsigned i = 0; i < PRESSURE_KEYS; i++) {
		uint32_t load = atomic_load_explicit(&line->keys[i], memory_order_relaxed) & 0xffff;

		if ((load << 16 | i) < weakest)
			weakest = load << 16 | i;
	}
	return weakest;
}

#if defined(PRESSURE_LINE_SIMD)
/* Eight half words times multiplier / 2^16, plus one where the low halves of product and random bits make a carry. */
static __m128i halves_decay(__m128i halves, __m128i multiplier, __m128i seed, unsigned eight)
{
	__m128i bits = _mm_mullo_epi16(seed, ((const __m128i *)line_odds)[eight]);
	__m128i low = _mm_mullo_epi16(halves, multiplier), sum = _mm_add_epi16(low, bits);
	__m128i no_carry = _mm_cmpeq_epi16(_mm_max_epu16(sum, low), sum);

	return _mm_add_epi16(
		_mm_add_epi16(_mm_mulhi_epu16(halves, multiplier), _mm_set1_epi16(1)), no_carry);
}

/* The first word is the time, which another lcore may have moved since. */
static void first_store(__m128i *line, __m128i words)
{
	_mm_storeu_si32((char *)line + 4, _mm_srli_si128(words, 4));
	_mm_storeh_pi((__m64 *)line + 1, _mm_castsi128_ps(words));
}

static __m128i keys_decay(__m128i words, __m128i multiplier, __m128i seed, unsigned eight)
{
	/* Ids are the odd halves. */
	__m128i next = _mm_blend_epi16(halves_decay(words, multiplier, seed, eight), words, 0xaa);
	__m128i gone = _mm_cmpeq_epi32(_mm_and_si128(next, _mm_set1_epi32(0xffff)), _mm_setzero_si128());

	return _mm_andnot_si128(gone, next);
}

void pressure_key_line_decay(struct pressure_key_line *line, uint16_t multiplier, uint16_t seed)
{
	__m128i factor = _mm_set1_epi16((int16_t)multiplier), seeds = _mm_set1_epi16((int16_t)seed);
	__m128i *words = (__m128i *)line;

	first_store(words, keys_decay(words[0], factor, seeds, 0));
	for (unsigned i = 1; i < 4; i++)
		words[i] = keys_decay(words[i], factor, seeds, i);
}

void pressure_coarse_line_decay(struct pressure_coarse_line *line, uint16_t multiplier, uint16_t seed)
{
	__m128i factor = _mm_set1_epi16((int16_t)multiplier), seeds = _mm_set1_epi16((int16_t)seed);
	__m128i *halves = (__m128i *)line;

	first_store(halves, halves_decay(halves[0], factor, seeds, 0));
	for (unsigned i = 1; i < 4; i++)
		halves[i] = halves_decay(halves[i], factor, seeds, i);
}
#endif
