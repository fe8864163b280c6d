// SPDX-License-Identifier: BSD-3-Clause
/* Keyed hashing (keyed_hash.h): the MAC, SipHash-2-4 of Aumasson and Bernstein over whole 64-bit words, so the tail of a
 * message is only its length; and the table hash without AES instructions. Pure functions, any thread; they keep
 * no key and draw no randomness.
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

static inline void sip_word(struct sip_state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

/* The last block of a message of n whole words holds nothing but the length in bytes, in its top byte. */
static inline uint64_t sip_end(struct sip_state *s, unsigned n)
{
	sip_word(s, (uint64_t)n * 8 << 56);
	s->v2 ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static struct aes_block block_hash(const struct hash_key *key, struct aes_block block)
{
	struct aes_block secret = {key->k0, key->k1};

	block.low ^= secret.low ^ keyed_hash_constants[0].low;
	block.high ^= secret.high ^ keyed_hash_constants[0].high;
	for (unsigned i = 1; i <= KEYED_HASH_ROUNDS; i++) {
		struct aes_block round_key = {secret.low ^ keyed_hash_constants[i].low,
			secret.high ^ keyed_hash_constants[i].high};

		block = aes_round_portable(block, round_key);
	}
	return block;
}

uint64_t keyed_hash_1_portable(const struct hash_key *key, uint64_t a)
{
	return keyed_hash_2_portable(key, a, KEYED_HASH_ONE_WORD);
}

uint64_t keyed_hash_2_portable(const struct hash_key *key, uint64_t a, uint64_t b)
{
	return block_hash(key, (struct aes_block){a, b}).low;
}

uint64_t keyed_hash_3_portable(const struct hash_key *key, uint64_t a, uint64_t b, uint64_t c)
{
	struct aes_block block = block_hash(key, (struct aes_block){a, b});

	block.low ^= c;
	return block_hash(key, block).low;
}

uint64_t keyed_mac(const struct hash_key *key, const uint64_t *words, unsigned n)
{
	struct sip_state s = sip_start(key);

	for (unsigned i = 0; i < n; i++)
		sip_word(&s, words[i]);
	return sip_end(&s, n);
}
