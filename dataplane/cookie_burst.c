// SPDX-License-Identifier: BSD-3-Clause
/* A burst's cookies (cookie_burst.h): SipHash-2-4 as in keyed_hash.c, eight SYNs at a time. Runs on lcores, once a burst in which
 * SYNs are challenged. Must give what cookie.c gives, or no client would get in.
 */
#include "dataplane/cookie_burst.h"

#include "dataplane/cookie_private.h"

static void syns_finish_scalar(struct cookie_lanes *syns, unsigned n_words, const struct hash_key *key)
{
	uint64_t words[COOKIE_BURST_WORDS_MAX];

	for (unsigned i = 0; i < syns->n; i++) {
		for (unsigned word = 0; word < n_words; word++)
			words[word] = syns->words[word][i];
		*syns->sequences[i] = cookie_from_mac(keyed_mac(key, words, n_words), syns->data[i]);
	}
	syns->n = 0;
}

void cookie_burst_finish_scalar(struct cookie_burst *burst, const struct cookie_secrets *secrets, uint64_t clock_ns)
{
	const struct hash_key *key = cookie_secret_of(secrets, cookie_slot_of(clock_ns));

	syns_finish_scalar(&burst->v4, COOKIE_WORDS_V4, key);
	syns_finish_scalar(&burst->v6, COOKIE_WORDS_V6, key);
}

#if defined(__x86_64__)

/* Two vectors of four: a step of one fills the time that the other waits for its last. 32 bytes are what AVX2 has, and what
 * costs no CPU its clock rate. */
enum { LANES = 8, LANES_VECTOR = 4 };
_Static_assert(COOKIE_BURST_MAX % LANES == 0, "whole groups of lanes");

typedef uint64_t lanes __attribute__((vector_size(LANES_VECTOR * 8)));

struct sip_lanes {
	lanes v0, v1, v2, v3;
};

#define LANES_INLINE static inline __attribute__((always_inline, target("avx2")))
#define LANES_ROTATE(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

/* The constants are those of keyed_hash.c. */
LANES_INLINE struct sip_lanes lanes_start(const struct hash_key *key)
{
	uint64_t v0 = key->k0 ^ UINT64_C(0x736f6d6570736575), v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d);
	uint64_t v2 = key->k0 ^ UINT64_C(0x6c7967656e657261), v3 = key->k1 ^ UINT64_C(0x7465646279746573);

	return (struct sip_lanes){{v0, v0, v0, v0}, {v1, v1, v1, v1}, {v2, v2, v2, v2}, {v3, v3, v3, v3}};
}

LANES_INLINE void lanes_rounds(struct sip_lanes s[2], unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < 2; i++) {
			s[i].v0 += s[i].v1;
			s[i].v2 += s[i].v3;
			s[i].v1 = LANES_ROTATE(s[i].v1, 13) ^ s[i].v0;
			s[i].v3 = LANES_ROTATE(s[i].v3, 16) ^ s[i].v2;
			s[i].v0 = LANES_ROTATE(s[i].v0, 32);
			s[i].v2 += s[i].v1;
			s[i].v0 += s[i].v3;
			s[i].v1 = LANES_ROTATE(s[i].v1, 17) ^ s[i].v2;
			s[i].v3 = LANES_ROTATE(s[i].v3, 21) ^ s[i].v0;
			s[i].v2 = LANES_ROTATE(s[i].v2, 32);
		}
}

/* The MACs of SYNs first .. first + LANES - 1. */
LANES_INLINE void lanes_macs(const struct hash_key *key, const struct cookie_lanes *syns, unsigned n_words, unsigned first,
	uint64_t macs[LANES])
{
	struct sip_lanes s[2] = {lanes_start(key), lanes_start(key)};

	for (unsigned word = 0; word < n_words; word++) {
		const lanes *at = (const lanes *)&syns->words[word][first];

		s[0].v3 ^= at[0];
		s[1].v3 ^= at[1];
		lanes_rounds(s, 2);
		s[0].v0 ^= at[0];
		s[1].v0 ^= at[1];
	}
	for (unsigned i = 0; i < 2; i++)
		s[i].v3 ^= (uint64_t)n_words * 8 << 56;
	lanes_rounds(s, 2);
	for (unsigned i = 0; i < 2; i++) {
		s[i].v0 ^= (uint64_t)n_words * 8 << 56;
		s[i].v2 ^= 0xff;
	}
	lanes_rounds(s, 4);
	for (unsigned i = 0; i < 2; i++) {
		lanes mac = s[i].v0 ^ s[i].v1 ^ s[i].v2 ^ s[i].v3;

		memcpy(macs + i * LANES_VECTOR, &mac, sizeof(mac));
	}
}

LANES_INLINE void lanes_finish(struct cookie_lanes *syns, unsigned n_words, const struct hash_key *key)
{
	uint64_t macs[LANES];

	/* The last group may be hashed over what an earlier burst left: nobody reads those. */
	for (unsigned first = 0; first < syns->n; first += LANES) {
		unsigned n = syns->n - first < LANES ? syns->n - first : LANES;

		lanes_macs(key, syns, n_words, first, macs);
		for (unsigned i = 0; i < n; i++)
			*syns->sequences[first + i] = cookie_from_mac(macs[i], syns->data[first + i]);
	}
	syns->n = 0;
}

__attribute__((target("avx2"))) static void burst_finish_avx2(struct cookie_burst *burst, const struct hash_key *key)
{
	lanes_finish(&burst->v4, COOKIE_WORDS_V4, key);
	lanes_finish(&burst->v6, COOKIE_WORDS_V6, key);
}

/* It rotates in one instruction where AVX2 needs three. */
__attribute__((target("avx2,avx512f,avx512vl"))) static void burst_finish_avx512(
	struct cookie_burst *burst, const struct hash_key *key)
{
	lanes_finish(&burst->v4, COOKIE_WORDS_V4, key);
	lanes_finish(&burst->v6, COOKIE_WORDS_V6, key);
}

bool cookie_burst_finish_by(struct cookie_burst *burst, const struct cookie_secrets *secrets, uint64_t clock_ns,
	enum cookie_vectors vectors)
{
	const struct hash_key *key = cookie_secret_of(secrets, cookie_slot_of(clock_ns));

	if (vectors == COOKIE_VECTORS_AVX512 && __builtin_cpu_supports("avx512vl"))
		burst_finish_avx512(burst, key);
	else if (vectors == COOKIE_VECTORS_AVX2 && __builtin_cpu_supports("avx2"))
		burst_finish_avx2(burst, key);
	else
		return false;
	return true;
}

#else

bool cookie_burst_finish_by(struct cookie_burst *burst, const struct cookie_secrets *secrets, uint64_t clock_ns,
	enum cookie_vectors vectors)
{
	(void)burst;
	(void)secrets;
	(void)clock_ns;
	(void)vectors;
	return false;
}

#endif

void cookie_burst_finish(struct cookie_burst *burst, const struct cookie_secrets *secrets, uint64_t clock_ns)
{
	if (!cookie_burst_finish_by(burst, secrets, clock_ns, COOKIE_VECTORS_AVX512) &&
		!cookie_burst_finish_by(burst, secrets, clock_ns, COOKIE_VECTORS_AVX2))
		cookie_burst_finish_scalar(burst, secrets, clock_ns);
}

void cookie_burst_add(
	struct cookie_burst *burst, const struct packet *syn, uint8_t packed, uint64_t clock_ns, uint32_t *sequence)
{
	struct cookie_lanes *syns = syn->family == 4 ? &burst->v4 : &burst->v6;
	unsigned i = syns->n;

	if (i == COOKIE_BURST_MAX)
		return;
	(void)cookie_words(syn, COOKIE_KIND_PROXY, syn->tcp_sequence, packed, cookie_slot_of(clock_ns), &syns->words[0][i],
		COOKIE_BURST_MAX);
	syns->sequences[i] = sequence;
	syns->data[i] = packed;
	syns->n = i + 1;
}
