// SPDX-License-Identifier: BSD-3-Clause
/* Keyed hashing (keyed_hash.h): SipHash of Aumasson and Bernstein over whole 64-bit words, so the tail of a
 * message is only its length. Pure functions, any thread; they keep no key and draw no randomness.
 */
#include "dataplane/keyed_hash.h"

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 = rotate_left(s->v2, 32);
}

/* The constants are the ASCII text that the definition of SipHash starts from. */
static inline struct sip_state sip_start(const struct hash_key *key)
{
	return (struct sip_state){
		.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = key->k1 ^ UINT64_C(0x7465646279746573),
	};
}

static inline void sip_word(struct sip_state *s, uint64_t word, unsigned rounds)
{
	s->v3 ^= word;
	for (unsigned i = 0; i < rounds; i++)
		sip_round(s);
	s->v0 ^= word;
}

/* The last block of a message of n whole words holds nothing but the length in bytes, in its top byte. */
static inline uint64_t sip_end(struct sip_state *s, unsigned n, unsigned rounds, unsigned end_rounds)
{
	sip_word(s, (uint64_t)n * 8 << 56, rounds);
	s->v2 ^= 0xff;
	for (unsigned i = 0; i < end_rounds; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t keyed_hash_1(const struct hash_key *key, uint64_t a)
{
	struct sip_state s = sip_start(key);

	sip_word(&s, a, 1);
	return sip_end(&s, 1, 1, 3);
}

uint64_t keyed_hash_2(const struct hash_key *key, uint64_t a, uint64_t b)
{
	struct sip_state s = sip_start(key);

	sip_word(&s, a, 1);
	sip_word(&s, b, 1);
	return sip_end(&s, 2, 1, 3);
}

uint64_t keyed_hash_3(const struct hash_key *key, uint64_t a, uint64_t b, uint64_t c)
{
	struct sip_state s = sip_start(key);

	sip_word(&s, a, 1);
	sip_word(&s, b, 1);
	sip_word(&s, c, 1);
	return sip_end(&s, 3, 1, 3);
}

uint64_t keyed_mac(const struct hash_key *key, const uint64_t *words, unsigned n)
{
	struct sip_state s = sip_start(key);

	for (unsigned i = 0; i < n; i++)
		sip_word(&s, words[i], 2);
	return sip_end(&s, n, 2, 4);
}
