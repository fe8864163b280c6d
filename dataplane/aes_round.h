/* SPDX-License-Identifier: BSD-3-Clause
 * One round of AES encryption (SubBytes, ShiftRows, MixColumns, then the round key), by instruction where the CPU has one and
 * in portable C with the same result. Pure, any thread. A building block of keyed_hash.h: not a cipher, and the portable half
 * is no defence against timing, because its lookups depend on the data.
 */
#ifndef WEIR_DATAPLANE_AES_ROUND_H
#define WEIR_DATAPLANE_AES_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#define AES_ROUND_NATIVE 1
#endif

/** 16 bytes in order: the first eight in `low`, least significant first. */
struct aes_block {
	uint64_t low, high;
};

struct aes_block aes_round_portable(struct aes_block state, struct aes_block round_key);

#if defined(AES_ROUND_NATIVE)
/** Asked before aes_round_native. One load of what libgcc found at start, so callers may ask for each key. */
static inline bool aes_round_is_native(void)
{
	return __builtin_expect(__builtin_cpu_supports("aes") != 0, 1);
}

/** In assembler, because the tree is built for CPUs without it (meson.build), into which no intrinsic can be inlined. */
static inline __m128i aes_round_native(__m128i state, __m128i round_key)
{
	__asm__("aesenc %1, %0" : "+x"(state) : "x"(round_key));
	return state;
}
#endif

#endif
