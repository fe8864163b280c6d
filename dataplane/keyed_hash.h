/* SPDX-License-Identifier: BSD-3-Clause
 * Keyed hashing of everything whose key a stranger chooses: SipHash-1-3 on whole 64-bit words (SipHash-2-4
 * for cookies). The key comes from the caller (getrandom at start). Pure, any thread.
 */
#ifndef WEIR_DATAPLANE_KEYED_HASH_H
#define WEIR_DATAPLANE_KEYED_HASH_H

#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

uint64_t keyed_hash_1(const struct hash_key *key, uint64_t a);
uint64_t keyed_hash_2(const struct hash_key *key, uint64_t a, uint64_t b);
uint64_t keyed_hash_3(const struct hash_key *key, uint64_t a, uint64_t b, uint64_t c);
/** SipHash-2-4 of n words, for cookies: a MAC that strangers see. n <= 8. */
uint64_t keyed_mac(const struct hash_key *key, const uint64_t *words, unsigned n);

#endif
