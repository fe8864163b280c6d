/* SPDX-License-Identifier: BSD-3-Clause
 * SipHash in counter mode (keyed_random.h). One thread. Must not be replaced by a generator whose state can
 * be computed from its output: addresses that we hand out and victims that we choose are output.
 */
#include "control/keyed_random.h"

struct keyed_random keyed_random_from_seed(uint64_t seed, uint64_t purpose)
{
	struct keyed_hash seeded = keyed_hash_from_seed(seed);
	return (struct keyed_random){
		.key = {keyed_hash_words(&seeded, purpose, 0), keyed_hash_words(&seeded, purpose, 1)}};
}

uint64_t keyed_random_next(struct keyed_random *random)
{
	return keyed_hash_words(&random->key, random->counter++, 0);
}

uint64_t keyed_random_below(struct keyed_random *random, uint64_t bound)
{
	if (bound == 0)
		return 0;
	/* Lemire's multiplication: the low part tells whether this draw is one of the 2^64 mod bound surplus
	 * ones. */
	uint64_t surplus = -bound % bound;
	for (;;) {
		__extension__ unsigned __int128 product =
			(unsigned __int128)keyed_random_next(random) * bound;
		if ((uint64_t)product >= surplus)
			return (uint64_t)(product >> 64);
	}
}

void keyed_random_shuffle(struct keyed_random *random, uint32_t *items, uint32_t n)
{
	for (uint32_t left = n; left > 1; left--) {
		uint32_t at = (uint32_t)keyed_random_below(random, left);
		uint32_t taken = items[at];
		items[at] = items[left - 1];
		items[left - 1] = taken;
	}
}
