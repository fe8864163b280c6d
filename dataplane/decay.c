// SPDX-License-Identifier: BSD-3-Clause
/* Exponential decay (decay.h): whole half-lives are a shift, the rest is one table of 64 steps and a straight
 * line between two of them. Pure, any thread; no floating point, because lcores call it for each line they
 * touch.
 */
#include "dataplane/decay.h"

enum { DECAY_STEP_BITS = 6, DECAY_STEPS = 1 << DECAY_STEP_BITS, DECAY_SCALE_BITS = 40 };

/* round(2^31 * 2^(-i/64)), i = 0..64. A chord lies above the curve by at most (ln 2 / 64)^2 / 8 = 1.5e-5 of
 * it. */
static const uint32_t decay_steps[DECAY_STEPS + 1] = {
	0x80000000,
	0x7e9f0606,
	0x7d41d96e,
	0x7be86fba,
	0x7a92be8b,
	0x7940bb9e,
	0x77f25cce,
	0x76a7980f,
	0x75606374,
	0x741cb528,
	0x72dc8374,
	0x719fc4b9,
	0x70666f76,
	0x6f307a41,
	0x6dfddbcc,
	0x6cce8ae1,
	0x6ba27e65,
	0x6a79ad56,
	0x69540ec9,
	0x683199ed,
	0x6712460b,
	0x65f60a7f,
	0x64dcdec3,
	0x63c6ba64,
	0x62b39509,
	0x61a3666d,
	0x60962665,
	0x5f8bccdb,
	0x5e8451d0,
	0x5d7fad59,
	0x5c7dd7a4,
	0x5b7ec8f2,
	0x5a82799a,
	0x5988e209,
	0x5891fac1,
	0x579dbc57,
	0x56ac1f75,
	0x55bd1cdb,
	0x54d0ad5a,
	0x53e6c9da,
	0x52ff6b55,
	0x521a8ad7,
	0x51382182,
	0x50582888,
	0x4f7a9930,
	0x4e9f6cd4,
	0x4dc69cdd,
	0x4cf022ca,
	0x4c1bf829,
	0x4b4a169c,
	0x4a7a77d4,
	0x49ad1598,
	0x48e1e9ba,
	0x4818ee22,
	0x47521cc6,
	0x468d6fae,
	0x45cae0f2,
	0x450a6abb,
	0x444c0740,
	0x438fb0cb,
	0x42d561b4,
	0x421d1462,
	0x4166c34c,
	0x40b268fa,
	0x40000000,
};

struct decay decay_make(uint32_t half_life_ms)
{
	uint64_t limit_ms = (uint64_t)half_life_ms * DECAY_HALF_LIVES_MAX;

	return (struct decay){
		/* Rounded to nearest: within 32 half-lives the product is off by less than 32 * half_life / 2
		   of 2^40. */
		.per_ms = ((UINT64_C(1) << DECAY_SCALE_BITS) + half_life_ms / 2) / half_life_ms,
		.limit_ms = limit_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)limit_ms,
	};
}

struct decay_factor decay_factor_make(const struct decay *decay, uint32_t elapsed_ms)
{
	uint64_t half_lives; /* times 2^40; at most 33 * 2^40 */
	uint32_t step, rest, upper, lower;

	if (elapsed_ms >= decay->limit_ms)
		return (struct decay_factor){0, 0};
	half_lives = elapsed_ms * decay->per_ms;
	step = (uint32_t)(half_lives >> (DECAY_SCALE_BITS - DECAY_STEP_BITS)) & (DECAY_STEPS - 1);
	rest = (uint32_t)(half_lives >> (DECAY_SCALE_BITS - DECAY_STEP_BITS - 16)) & 0xffff;
	upper = decay_steps[step];
	lower = decay_steps[step + 1];
	return (struct decay_factor){
		.multiplier = upper - (uint32_t)(((uint64_t)(upper - lower) * rest) >> 16),
		.shift = (uint32_t)(half_lives >> DECAY_SCALE_BITS) & 31,
	};
}
