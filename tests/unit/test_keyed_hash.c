// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/keyed_hash.h against the vectors of the SipHash reference implementation (key 00..0f,
 * message 00 01 02 ...); those of SipHash-1-3 were computed with OpenSSL 3 (SIPHASH, c-rounds 1, d-rounds 3).
 */
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

static void test_hash(void)
{
	CHECK_EQ("one word", keyed_hash_1(&key, message[0]), UINT64_C(0x369095118d299a8e));
	CHECK_EQ("two words", keyed_hash_2(&key, message[0], message[1]), UINT64_C(0xcc4fdd1a7d908b66));
	CHECK_EQ("three words", keyed_hash_3(&key, message[0], message[1], message[2]),
		UINT64_C(0xf464aeb267349c8c));
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
	{"SipHash-1-3 gives the vectors of another implementation", test_hash},
	{"neighbouring keys spread evenly", test_spread},
	{"every part of the key and the message counts", test_key_matters},
};
CHECK_MAIN("keyed_hash", tests)
