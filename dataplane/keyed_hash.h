/* SPDX-License-Identifier: BSD-3-Clause
 * Keyed hashing of everything whose key a stranger chooses. Pure, any thread. The key comes from the caller (getrandom at
 * start). Two functions, because two kinds of strangers are to be held off:
 * - keyed_hash_*: where a table looks. Nobody sees what comes out, so it must only spread keys that somebody chose
 *   who does not know `key`: four AES rounds a block of 16 bytes, which take a few ns (aes_round.h).
 * - keyed_mac: what strangers see, such as cookies. SipHash-2-4, whose outputs tell nothing of the key.
 */
#ifndef WEIR_DATAPLANE_KEYED_HASH_H
#define WEIR_DATAPLANE_KEYED_HASH_H

#include <stdint.h>

#include "dataplane/aes_round.h"

struct hash_key {
	uint64_t k0, k1;
};

/* Why four rounds with keys that differ: any change of a block makes 25 or more active S-boxes in four rounds of AES,
 * so without the key two chosen blocks share a bucket as often as random ones do (a fixed difference comes out with
 * 2^-150 a trail). The round keys are the key and these constants: the first 64 bits of the fractions of the square
 * roots of the first ten primes, as SHA-512 and SHA-384 begin with. */
enum { KEYED_HASH_ROUNDS = 4 };
static const struct aes_block keyed_hash_constants[KEYED_HASH_ROUNDS + 1] __attribute__((aligned(16))) = {
	{UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b)},
	{UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1)},
	{UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f)},
	{UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)},
	{UINT64_C(0xcbbb9d5dc1059ed8), UINT64_C(0x629a292a367cd507)},
};
/* Says that a key has one word: the next of these constants. */
#define KEYED_HASH_ONE_WORD UINT64_C(0x9159015a3070dd17)

/** The same values without the instructions, slower: what keyed_hash_* return where the CPU has none, and their twin in tests. */
uint64_t keyed_hash_1_portable(const struct hash_key *key, uint64_t a);
uint64_t keyed_hash_2_portable(const struct hash_key *key, uint64_t a, uint64_t b);
uint64_t keyed_hash_3_portable(const struct hash_key *key, uint64_t a, uint64_t b, uint64_t c);

#if defined(AES_ROUND_NATIVE)
static inline __m128i keyed_hash_block(const struct hash_key *key, __m128i block)
{
	__m128i secret = _mm_set_epi64x((int64_t)key->k1, (int64_t)key->k0);
	const __m128i *constants = (const __m128i *)keyed_hash_constants;

	block = _mm_xor_si128(block, _mm_xor_si128(secret, constants[0]));
	for (unsigned i = 1; i <= KEYED_HASH_ROUNDS; i++)
		block = aes_round_native(block, _mm_xor_si128(secret, constants[i]));
	return block;
}
#endif

static inline uint64_t keyed_hash_2(const struct hash_key *key, uint64_t a, uint64_t b)
{
#if defined(AES_ROUND_NATIVE)
	if (aes_round_is_native())
		return (uint64_t)_mm_cvtsi128_si64(keyed_hash_block(key, _mm_set_epi64x((int64_t)b, (int64_t)a)));
#endif
	return keyed_hash_2_portable(key, a, b);
}

static inline uint64_t keyed_hash_1(const struct hash_key *key, uint64_t a)
{
	return keyed_hash_2(key, a, KEYED_HASH_ONE_WORD);
}

/** The third word is added between two times four rounds: to meet another key's result there, one would have to
 * know what the first four make of a chosen difference. */
static inline uint64_t keyed_hash_3(const struct hash_key *key, uint64_t a, uint64_t b, uint64_t c)
{
#if defined(AES_ROUND_NATIVE)
	if (aes_round_is_native()) {
		__m128i block = keyed_hash_block(key, _mm_set_epi64x((int64_t)b, (int64_t)a));

		block = keyed_hash_block(key, _mm_xor_si128(block, _mm_cvtsi64_si128((int64_t)c)));
		return (uint64_t)_mm_cvtsi128_si64(block);
	}
#endif
	return keyed_hash_3_portable(key, a, b, c);
}

/** SipHash-2-4 of n words, for cookies: a MAC that strangers see. n <= 8. */
uint64_t keyed_mac(const struct hash_key *key, const uint64_t *words, unsigned n);

#endif
