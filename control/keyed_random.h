/* SPDX-License-Identifier: BSD-3-Clause
 * Random numbers from a secret key and a counter: what strangers see of one answer tells them nothing of the
 * next, and equal keys give equal sequences, which `simulate` and the tests depend on. One thread. Reads no
 * entropy: the key comes in.
 */
#ifndef WEIR_CONTROL_KEYED_RANDOM_H
#define WEIR_CONTROL_KEYED_RANDOM_H

#include <stdint.h>

#include "control/keyed_hash.h"

struct keyed_random {
	struct keyed_hash key;
	uint64_t counter;
};

/** `purpose` keeps the sequences of two users of one seed apart. */
struct keyed_random keyed_random_from_seed(uint64_t seed, uint64_t purpose);
uint64_t keyed_random_next(struct keyed_random *random);
/** Uniform in [0, bound), without modulo bias; 0 when bound is 0. */
uint64_t keyed_random_below(struct keyed_random *random, uint64_t bound);
/** Shuffle `n` indices in place, every order equally likely. */
void keyed_random_shuffle(struct keyed_random *random, uint32_t *items, uint32_t n);

#endif
