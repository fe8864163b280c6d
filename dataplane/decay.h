/* SPDX-License-Identifier: BSD-3-Clause
 * Exponential decay 2^(-dt/half-life) in closed form and fixed point, without floating point or libm. Pure,
 * any thread. A factor is a multiplier in (2^30, 2^31] and a shift: value * multiplier >> (31 + shift).
 * Relative error below 2^-15.
 */
#ifndef WEIR_DATAPLANE_DECAY_H
#define WEIR_DATAPLANE_DECAY_H

#include <stdint.h>

enum {
	DECAY_HALF_LIVES_MAX =
		32, /* from here on a factor is zero: no 32-bit value survives so many halvings */
	DECAY_FACTOR_BITS = 31,
};

struct decay {
	uint64_t per_ms;   /* half-lives a millisecond, times 2^40 */
	uint32_t limit_ms; /* from here on everything has decayed; UINT32_MAX if that is farther than the
			      clock reaches */
};

struct decay_factor {
	uint32_t multiplier; /* 0 = nothing is left */
	uint32_t shift;      /* 0..31 */
};

/** half_life_ms 1..2^31. */
struct decay decay_make(uint32_t half_life_ms);
struct decay_factor decay_factor_make(const struct decay *decay, uint32_t elapsed_ms);

/** Rounded down. */
static inline uint32_t decay_apply(struct decay_factor factor, uint32_t value)
{
	return (uint32_t)(((uint64_t)value * factor.multiplier) >> (DECAY_FACTOR_BITS + factor.shift));
}

/** Rounded up with the probability of the fraction that rounding down would lose, so that a value that is
 * decayed often, in small steps, keeps its mean. `random`: 64 fresh bits, of which the upper ones count.
 * value < 2^31, so the sum stays below 2^63. */
static inline uint32_t decay_apply_random(struct decay_factor factor, uint32_t value, uint64_t random)
{
	uint32_t bits = DECAY_FACTOR_BITS + factor.shift;

	return (uint32_t)(((uint64_t)value * factor.multiplier + (random >> (64 - bits))) >> bits);
}

#endif
