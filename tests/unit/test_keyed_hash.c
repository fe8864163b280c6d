// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/keyed_hash.h and aes_round.h: the MAC against the vectors of the SipHash reference implementation (key
 * 00..0f, message 00 01 02 ...), a round of AES against FIPS 197 and the processor's, the table hash against its portable
 * twin and for what a table needs: avalanche, spread, and no collisions of keys that look alike.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/keyed_hash.h"
#include "tests/check.h"

static const struct hash_key key = {.k0 = UINT64_C(0x0706050403020100), .k1 = UINT64_C(0x0f0e0d0c0b0a0908)};
static const uint64_t message[8] = {
	UINT64_C(0x0706050403020100),
	UINT64_C(0x0f0e0d0c0b0a0908),
	UINT64_C(0x1716151413121110),
	UINT64_C(0x1f1e1d1c1b1a1918),
	UINT64_C(0x2726252423222120),
	UINT64_C(0x2f2e2d2c2b2a2928),
	UINT64_C(0x3736353433323130),
	UINT64_C(0x3f3e3d3c3b3a3938),
};

static void test_mac(void)
{
	static const struct {
		const char *name;
		unsigned n;
		uint64_t expected;
	} cases[] = {
		{"the empty message", 0, UINT64_C(0x726fdb47dd0e0e31)},
		{"one word", 1, UINT64_C(0x93f5f5799a932462)},
		{"two words", 2, UINT64_C(0x3f2acc7f57c29bdb)},
		{"three words", 3, UINT64_C(0xb8ad50c6f649af94)},
		{"four words", 4, UINT64_C(0x7127512f72f27cce)},
		{"six words, as a cookie has", 6, UINT64_C(0xe612a3cb9ecba951)},
		{"eight words, the most", 8, UINT64_C(0xacd2c40b8502cad8)},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, keyed_mac(&key, message, cases[i].n), cases[i].expected);
}

static struct aes_block block_of(const uint8_t bytes[16])
{
	struct aes_block block;

	memcpy(&block, bytes, sizeof(block));
	return block;
}

/* FIPS 197, appendix B: what round 1 makes of its start, with the key of round 1. */
static void test_round(void)
{
	static const uint8_t start[16] = {0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b, 0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08};
	static const uint8_t round_key[16] = {0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1, 0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05};
	static const uint8_t end[16] = {0xa4, 0x9c, 0x7f, 0xf2, 0x68, 0x9f, 0x35, 0x2b, 0x6b, 0x5b, 0xea, 0x43, 0x02, 0x6a, 0x50, 0x49};
	struct aes_block got = aes_round_portable(block_of(start), block_of(round_key)), expected = block_of(end);

	CHECK_EQ("the first half of round 1", got.low, expected.low);
	CHECK_EQ("the second half of round 1", got.high, expected.high);
}

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* On a processor without the instructions both sides are the portable one. */
static void test_twin(void)
{
	uint64_t random = 1;
	unsigned differ[3] = {0, 0, 0};

	for (unsigned i = 0; i < 100000; i++) {
		struct hash_key drawn = {random_next(&random), random_next(&random)};
		uint64_t a = random_next(&random), b = random_next(&random), c = random_next(&random);

		differ[0] += keyed_hash_1(&drawn, a) != keyed_hash_1_portable(&drawn, a);
		differ[1] += keyed_hash_2(&drawn, a, b) != keyed_hash_2_portable(&drawn, a, b);
		differ[2] += keyed_hash_3(&drawn, a, b, c) != keyed_hash_3_portable(&drawn, a, b, c);
	}
	CHECK_EQ("one word hashes to the same with and without instructions", differ[0], 0);
	CHECK_EQ("two words do", differ[1], 0);
	CHECK_EQ("three words do", differ[2], 0);
}

/* Each of the 192 bits of a key turns each bit of the hash in half of all cases. 4096 cases have a standard deviation of 32;
 * of 12288 pairs the worst lies 4 to 5 of them away, so 7 mean a defect. */
static void test_avalanche(void)
{
	enum { CASES = 4096, BITS = 192, AWAY = 7 * 32 };
	static unsigned turned[BITS][64];
	uint64_t random = 2;
	unsigned worst = 0;

	memset(turned, 0, sizeof(turned));
	for (unsigned i = 0; i < CASES; i++) {
		uint64_t words[3] = {random_next(&random), random_next(&random), random_next(&random)};
		uint64_t whole = keyed_hash_3(&key, words[0], words[1], words[2]);

		for (unsigned bit = 0; bit < BITS; bit++) {
			uint64_t changed;

			words[bit / 64] ^= UINT64_C(1) << (bit % 64);
			changed = whole ^ keyed_hash_3(&key, words[0], words[1], words[2]);
			words[bit / 64] ^= UINT64_C(1) << (bit % 64);
			for (unsigned out = 0; out < 64; out++)
				turned[bit][out] += changed >> out & 1;
		}
	}
	for (unsigned bit = 0; bit < BITS; bit++)
		for (unsigned out = 0; out < 64; out++) {
			unsigned away = (unsigned)abs((int)turned[bit][out] - CASES / 2);

			worst = away > worst ? away : worst;
		}
	CHECK_TRUE("no bit of the hash follows a bit of the key, or ignores it", worst < AWAY);
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Random values of 32 bits meet n^2 / 2^33 = 512 times among 2^21; standard deviation 23. Both halves, because tables use both. */
enum { ALIKE_KEYS = 1 << 21, ALIKE_MEET = 512, ALIKE_AWAY = 5 * 23 };

static unsigned meetings(uint32_t values[], unsigned n)
{
	unsigned met = 0;

	qsort(values, n, sizeof(values[0]), ascending);
	for (unsigned i = 1; i < n; i++)
		met += values[i] == values[i - 1];
	return met;
}

static uint64_t alike_hash(unsigned kind, uint64_t i)
{
	switch (kind) {
	case 0: return keyed_hash_1(&key, i); /* neighbours */
	case 1: return keyed_hash_1(&key, i << 43); /* prefixes: the top bits alone */
	case 2: return keyed_hash_2(&key, i >> 10, i & 1023); /* a grid */
	case 3: return keyed_hash_3(&key, 0, i >> 12, i << 52); /* addresses and ports */
	default: return keyed_hash_3(&key, i, i, i); /* words that could cancel each other */
	}
}

static void test_alike(void)
{
	static const char *const names[] = {"neighbours", "prefixes", "a grid of two words", "addresses with ports", "three equal words"};
	static uint32_t halves[2][ALIKE_KEYS];

	for (unsigned kind = 0; kind < CHECK_COUNT(names); kind++) {
		for (uint64_t i = 0; i < ALIKE_KEYS; i++) {
			uint64_t hash = alike_hash(kind, i);

			halves[0][i] = (uint32_t)hash;
			halves[1][i] = (uint32_t)(hash >> 32);
		}
		for (unsigned half = 0; half < 2; half++)
			CHECK_NEAR(names[kind], meetings(halves[half], ALIKE_KEYS), ALIKE_MEET, ALIKE_AWAY);
	}
}

/* With the key unknown, nobody can choose keys that share buckets: neighbours must spread like random
 * numbers. */
static void test_spread(void)
{
	enum { KEYS = 1 << 16, BUCKETS = 1 << 12 };
	static unsigned counts[BUCKETS];
	double chi_squared = 0, mean = (double)KEYS / BUCKETS;

	for (uint64_t i = 0; i < KEYS; i++)
		counts[keyed_hash_1(&key, i) % BUCKETS]++;
	for (unsigned i = 0; i < BUCKETS; i++)
		chi_squared += (counts[i] - mean) * (counts[i] - mean) / mean;
	/* 4095 degrees of freedom: mean 4095, standard deviation sqrt(2 * 4095) = 90.5; five of them are
	 * allowed. */
	CHECK_NEAR("65536 neighbours spread over 4096 buckets", chi_squared, 4095.0, 5 * 90.5);
}

static void test_key_matters(void)
{
	struct hash_key other = key;

	other.k0 ^= 1;
	CHECK_TRUE("k0 changes the hash", keyed_hash_1(&key, 7) != keyed_hash_1(&other, 7));
	other = key;
	other.k1 ^= UINT64_C(1) << 63;
	CHECK_TRUE("k1 changes the hash", keyed_hash_2(&key, 7, 8) != keyed_hash_2(&other, 7, 8));
	CHECK_TRUE("k1 changes the MAC", keyed_mac(&key, message, 2) != keyed_mac(&other, message, 2));
	CHECK_TRUE("a zero word is not nothing", keyed_hash_1(&key, 0) != keyed_hash_2(&key, 0, 0));
}

static const struct check_test tests[] = {
	{"SipHash-2-4 gives the published vectors", test_mac},
	{"a round of AES in portable C gives the standard's example", test_round},
	{"the hash is the same with and without AES instructions", test_twin},
	{"every bit of a key moves every bit of the hash", test_avalanche},
	{"keys that look alike meet no more often than random ones", test_alike},
	{"neighbouring keys spread evenly", test_spread},
	{"every part of the key and the message counts", test_key_matters},
};
CHECK_MAIN("keyed_hash", tests)
