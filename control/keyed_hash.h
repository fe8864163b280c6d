/* SPDX-License-Identifier: BSD-3-Clause
 * SipHash-1-3 for the governor's hash tables. Keys come from strangers (addresses, peer ids), so an unkeyed hash
 * would let them choose collisions. Pure functions, any thread.
 */
#ifndef WEIR_CONTROL_KEYED_HASH_H
#define WEIR_CONTROL_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

struct keyed_hash {
	uint64_t k0, k1;
};

/** Derive a key from a configured seed. Equal seeds give equal hashes: tests and `simulate` depend on it. */
struct keyed_hash keyed_hash_from_seed(uint64_t seed);
uint64_t keyed_hash_bytes(const struct keyed_hash *key, const void *data, size_t bytes);
/** The same function over two words; used for addresses. */
uint64_t keyed_hash_words(const struct keyed_hash *key, uint64_t a, uint64_t b);

#endif
