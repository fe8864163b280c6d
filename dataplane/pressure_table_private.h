/* SPDX-License-Identifier: BSD-3-Clause
 * Layout of the pressure tables, shared by pressure_table.c (life, limits, the three phases) and
 * pressure_table_line.c (lines). Lcores read and write all of it with relaxed atomics. Not for others.
 *
 * A line's loads are all as of its one time stamp. Between two decays the time stands still: a reader scales
 * what it reads down by 2^(-dt/H), and a charge at dt adds its price scaled up by 2^(dt/H), so both are exact
 * although nothing was rewritten. Only when dt reaches H/32 does the lcore that wins the compare and swap of
 * the time rewrite the line, so a hot line is rewritten 32 times a half-life and not once a millisecond.
 * Rounding of both is stochastic: the mean is exact.
 *
 * Lossy on purpose: the winner rewrites with plain stores, so an attempt that another lcore counts between
 * its load and its store of one word, some nanoseconds 32 times a half-life, is forgotten. Nothing is ever
 * counted that did not happen.
 */
#ifndef WEIR_DATAPLANE_PRESSURE_TABLE_PRIVATE_H
#define WEIR_DATAPLANE_PRESSURE_TABLE_PRIVATE_H

#include <stdatomic.h>

#include "dataplane/decay.h"
#include "dataplane/pressure_table.h"

/* SSE4.1 is what the tree is built for on x86-64 (meson.build), so nothing is chosen at run time. Vectors read and write a line's words
 * whole, as relaxed atomics do, but a race detector takes them for plain accesses: it sees the portable twins. */
#if defined(__SSE4_1__) && !defined(__SANITIZE_THREAD__)
#include <smmintrin.h>
#define PRESSURE_LINE_SIMD 1
#endif

enum {
	PRESSURE_COARSE_LOADS = 30,
	PRESSURE_KEYS = 15,
	/* Loads are 16 bits. An addition is one atomic add without a look back, so the highest load leaves
	 * room for 128 lcores that all saw it just below and add at once: 16 units times 2^(1/32), rounded
	 * up, is 17; 128 * 17 < 4096. */
	PRESSURE_LOAD_MAX = 0xffff - 4096,
	/* Limits stay below, so that a saturated prefix is over every limit even after some decay. */
	PRESSURE_LIMIT_MAX = PRESSURE_LOAD_MAX - PRESSURE_LOAD_MAX / 32,
	PRESSURE_QUANTA = 32, /* decays a half-life, at most */
};

struct pressure_coarse_line {
	_Atomic uint32_t time_ms;
	_Atomic uint16_t loads[PRESSURE_COARSE_LOADS];
};
struct pressure_key_line {
	_Atomic uint32_t time_ms;
	_Atomic uint32_t keys[PRESSURE_KEYS]; /* id << 16 | load: one word, so a replaced id never keeps the
						 old load; 0 = empty */
};
_Static_assert(sizeof(struct pressure_coarse_line) == 64, "one cache line");
_Static_assert(sizeof(struct pressure_key_line) == 64, "one cache line");

struct pressure_table {
	struct pressure_coarse_line *coarse[IMAGE_LEVEL_COUNT]; /* IPv4; [IMAGE_LEVEL_HOST] is NULL */
	struct pressure_key_line *lines;
	struct hash_key key;
	uint64_t n_lines;
	struct decay decay;
	uint32_t half_life_ms, quantum_ms;
	struct table_memory memory;
};

/** Time that passed since the line's stamp. The lcores' clocks differ by less than a burst; what looks up to
 * a second ahead is now. A line untouched for 49 days comes round and shows its loads of then, for a second
 * at most: attempts, not verdicts. */
static inline uint32_t pressure_elapsed_ms(uint32_t line_ms, uint32_t now_ms)
{
	uint32_t elapsed_ms = now_ms - line_ms;

	return elapsed_ms > UINT32_MAX - 1000 ? 0 : elapsed_ms;
}

/** The price at dt < H/32 after the line's stamp, as of that stamp: price * 2^(dt/H), rounded at random. */
uint32_t pressure_price(
	const struct pressure_table *table, uint32_t price, uint32_t elapsed_ms, uint64_t *random);
/** Bring the line to now if a quantum has passed and no other lcore does it. Returns what has passed since
 * its stamp, 0..quantum. */
uint32_t pressure_coarse_refresh(const struct pressure_table *table, struct pressure_coarse_line *line,
	uint32_t now_ms, uint64_t *random);
uint32_t pressure_key_refresh(
	const struct pressure_table *table, struct pressure_key_line *line, uint32_t now_ms, uint64_t *random);

/* Whole lines, once with vectors and once without: the same results, which test_pressure_table compares. */

/** Times multiplier / 2^16, rounded by 16 bits that `seed` makes for each word; a key whose load reaches 0 is gone. The time stays. */
void pressure_key_line_decay_portable(struct pressure_key_line *line, uint16_t multiplier, uint16_t seed);
void pressure_coarse_line_decay_portable(struct pressure_coarse_line *line, uint16_t multiplier, uint16_t seed);
/** Bit i: key i has this id, which is not 0. */
unsigned pressure_line_match_portable(const struct pressure_key_line *line, uint16_t id);
/** The lowest load << 16 | the first key that has it. */
uint32_t pressure_line_weakest_portable(const struct pressure_key_line *line);

#if defined(PRESSURE_LINE_SIMD)
void pressure_key_line_decay(struct pressure_key_line *line, uint16_t multiplier, uint16_t seed);
void pressure_coarse_line_decay(struct pressure_coarse_line *line, uint16_t multiplier, uint16_t seed);

static inline unsigned pressure_line_match(const struct pressure_key_line *line, uint16_t id)
{
	const __m128i *words = (const __m128i *)line;
	const __m128i wanted = _mm_set1_epi32(id);
	__m128i low = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_srli_epi32(words[0], 16), wanted),
		_mm_cmpeq_epi32(_mm_srli_epi32(words[1], 16), wanted));
	__m128i high = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_srli_epi32(words[2], 16), wanted),
		_mm_cmpeq_epi32(_mm_srli_epi32(words[3], 16), wanted));

	/* The first word is the time. */
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high)) >> 1;
}

/* Load << 16 | word, of a minimum and its position among eight. */
static inline uint32_t pressure_minimum(__m128i minimum)
{
	uint32_t position_load = (uint32_t)_mm_cvtsi128_si32(minimum);

	return position_load << 16 | position_load >> 16;
}

/* Without a branch: which of random loads is the lowest nobody can predict. */
static inline uint32_t pressure_line_weakest(const struct pressure_key_line *line)
{
	const __m128i *words = (const __m128i *)line;
	const __m128i loads = _mm_set1_epi32(0xffff);
	/* The first word is the time: no load is higher than this. */
	__m128i first = _mm_or_si128(_mm_and_si128(words[0], loads), _mm_cvtsi32_si128(0xffff));
	uint32_t low = pressure_minimum(_mm_minpos_epu16(_mm_packus_epi32(first, _mm_and_si128(words[1], loads))));
	uint32_t high = pressure_minimum(_mm_minpos_epu16(_mm_packus_epi32(
				_mm_and_si128(words[2], loads), _mm_and_si128(words[3], loads)))) + 8;
	uint32_t lowest = low < high ? low : high;

	/* Where all are saturated it would be the time. */
	return lowest - ((lowest & 0xffff) != 0);
}
#else
#define pressure_key_line_decay pressure_key_line_decay_portable
#define pressure_coarse_line_decay pressure_coarse_line_decay_portable
#define pressure_line_match pressure_line_match_portable
#define pressure_line_weakest pressure_line_weakest_portable
#endif

/** Next of a cheap sequence of random words; only rounding depends on it. */
static inline uint64_t pressure_random_next(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *random;
}

#endif
