/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of the tables share: a fixed hash key, a repeatable random sequence, addresses from numbers.
 */
#ifndef WEIR_TESTS_UNIT_TABLE_SUPPORT_H
#define WEIR_TESTS_UNIT_TABLE_SUPPORT_H

#include <string.h>

#include "dataplane/keyed_hash.h"
#include "shm/prefix.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS     UINT64_C(1000000)

static const struct hash_key test_key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* splitmix64: every state gives a good word, so 0 is a fine start. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline struct address address_v6_make(uint64_t high, uint64_t low)
{
	struct address address;

	for (int i = 0; i < 8; i++) {
		address.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
		address.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	return address;
}

#endif
