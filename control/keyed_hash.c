/* SPDX-License-Identifier: BSD-3-Clause
 * SipHash with one compression and three finalisation rounds (Aumasson and Bernstein, 2012). Any thread.
 * Must not be used where 64 bits are too few to tell keys apart: callers always compare the key itself.
 */
#include "control/keyed_hash.h"

#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left(s->v2, 32);
}

static struct sip sip_begin(const struct keyed_hash *key)
{
	/* The four constants of the SipHash paper: "somepseudorandomlygeneratedbytes". */
	return (struct sip){key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573)};
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static uint64_t sip_end(struct sip *s)
{
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

struct keyed_hash keyed_hash_from_seed(uint64_t seed)
{
	/* Two outputs of the splitmix64 sequence: a 64-bit seed spread over a 128-bit key. */
	uint64_t words[2];
	for (unsigned i = 0; i < 2; i++) {
		seed += UINT64_C(0x9e3779b97f4a7c15);
		uint64_t z = seed;
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		words[i] = z ^ (z >> 31);
	}
	return (struct keyed_hash){words[0], words[1]};
}

uint64_t keyed_hash_bytes(const struct keyed_hash *key, const void *data, size_t bytes)
{
	struct sip s = sip_begin(key);
	const uint8_t *at = data;
	size_t left = bytes;
	for (; left >= 8; left -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		sip_word(&s, word);
	}
	uint64_t last = (uint64_t)bytes << 56;
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)at[i] << (8 * i);
	sip_word(&s, last);
	return sip_end(&s);
}

uint64_t keyed_hash_words(const struct keyed_hash *key, uint64_t a, uint64_t b)
{
	struct sip s = sip_begin(key);
	sip_word(&s, a);
	sip_word(&s, b);
	sip_word(&s, UINT64_C(16) << 56);
	return sip_end(&s);
}
