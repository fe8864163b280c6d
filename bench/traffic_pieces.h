/* SPDX-License-Identifier: BSD-3-Clause
 * Where sources come from: a set of prefixes less the excluded ones, cut once so that a draw never has to try
 * again, and the random numbers that draws are made of. One thread a set of pieces; must not allocate after
 * creation.
 */
#ifndef WEIR_BENCH_TRAFFIC_PIECES_H
#define WEIR_BENCH_TRAFFIC_PIECES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shm/prefix.h"

/** splitmix64: one addition of state, so seeds that differ in one bit give unrelated streams. */
static inline uint64_t traffic_random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/** Uniform in 0..bound-1, wrong by at most bound / 2^64. */
static inline uint64_t traffic_random_below(uint64_t *state, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)traffic_random_next(state) * bound) >> 64);
}

/** Uniform in [0, 1). */
static inline double traffic_random_real(uint64_t *state)
{
	return (double)(traffic_random_next(state) >> 11) * 0x1p-53;
}

/** An address as two numbers in host order, and which of its bits are random. */
struct traffic_piece {
	uint64_t high, low;
	uint64_t mask_high, mask_low; /* host bits */
	uint8_t length;
};

/* 1,024 steps: the five holes in the world's unicast addresses leave twenty-odd pieces, most of which have
 * many to themselves. */
enum { TRAFFIC_GUIDE_BITS = 10 };

/** Disjoint pieces of one family. */
struct traffic_pieces {
	struct traffic_piece *items;
	uint64_t *cumulative; /* weight of all pieces up to and with this one */
	uint16_t *guide;      /* by the highest bits of a draw: the first piece that it can mean */
	size_t n;
};

/** Prefixes of one family out of `prefixes`, less `excluded`. -ENOMEM. Prefixes may overlap. */
int traffic_pieces_create(struct traffic_pieces *ret_pieces, const struct prefix *prefixes, size_t n_prefixes,
	const struct prefix *excluded, size_t n_excluded, bool v4);
void traffic_pieces_done(struct traffic_pieces *pieces);

static inline struct address traffic_address_of(uint64_t high, uint64_t low)
{
	struct address address;

	high = htobe64(high);
	low = htobe64(low);
	memcpy(address.bytes, &high, 8);
	memcpy(address.bytes + 8, &low, 8);
	return address;
}

/** Uniform over the host bits of one piece. */
static inline struct address traffic_piece_draw(const struct traffic_piece *piece, uint64_t *state)
{
	uint64_t high = piece->high;

	if (piece->mask_high != 0)
		high |= traffic_random_next(state) & piece->mask_high;
	return traffic_address_of(high, piece->low | (traffic_random_next(state) & piece->mask_low));
}

/** A piece in proportion to its size, at least one part in 2^48 of the largest. There is at least one. */
static inline const struct traffic_piece *traffic_pieces_pick(
	const struct traffic_pieces *pieces, uint64_t *state)
{
	uint64_t draw, at;
	size_t i;

	if (pieces->n == 1)
		return pieces->items;
	/* A search by halves costs a wrong guess of the processor at each step, more than the rest of a
	 * packet. */
	draw = traffic_random_next(state);
	at = (uint64_t)(((unsigned __int128)draw * pieces->cumulative[pieces->n - 1]) >> 64);
	for (i = pieces->guide[draw >> (64 - TRAFFIC_GUIDE_BITS)]; pieces->cumulative[i] <= at;)
		i++;
	return &pieces->items[i];
}

/** The piece around `address` of `length` bits, for draws inside a subnet. */
struct traffic_piece traffic_piece_of(const struct address *address, uint8_t length);

#endif
