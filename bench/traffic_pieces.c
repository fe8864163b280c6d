// SPDX-License-Identifier: BSD-3-Clause
/* Cutting prefixes out of prefixes (traffic_pieces.h). What remains is disjoint, so weights are sizes. At
 * creation only.
 */
#include "bench/traffic_pieces.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* 32 sources and 32 holes; cutting one prefix out of another leaves at most 128 siblings */
	PIECES_MAX = (32 + 32) * 128,
};

_Static_assert(PIECES_MAX <= UINT16_MAX, "the guide has 16 bits a piece");

struct cut {
	struct prefix *items;
	size_t n;
};

static struct address address_flip(struct address address, unsigned bit)
{
	address.bytes[bit / 8] ^= (uint8_t)(0x80 >> (bit % 8));
	return address;
}

/* The piece at `index` covers `hole`: replace it by its parts beside the hole. */
static void cut_around(struct cut *cut, size_t index, const struct prefix *hole)
{
	struct prefix whole = cut->items[index];

	cut->items[index] = cut->items[--cut->n];
	for (unsigned length = whole.length + 1u; length <= hole->length && cut->n < PIECES_MAX; length++) {
		struct address beside = address_flip(hole->address, length - 1);

		cut->items[cut->n++] = prefix_of(&beside, (uint8_t)length);
	}
}

static void cut_exclude(struct cut *cut, const struct prefix *hole)
{
	for (size_t i = 0; i < cut->n;) {
		if (prefix_covers(hole, &cut->items[i])) {
			cut->items[i] = cut->items[--cut->n];
		} else if (prefix_covers(&cut->items[i], hole)) {
			cut_around(cut, i, hole);
			return; /* pieces are disjoint: no other one covers it */
		} else {
			i++;
		}
	}
}

static uint64_t mask_of(unsigned length)
{
	return length == 0 ? UINT64_MAX : length >= 64 ? 0 : UINT64_MAX >> length;
}

struct traffic_piece traffic_piece_of(const struct address *address, uint8_t length)
{
	struct traffic_piece piece = {.length = length};

	piece.mask_high = mask_of(length);
	piece.mask_low = length <= 64 ? UINT64_MAX : mask_of(length - 64u);
	memcpy(&piece.high, address->bytes, 8);
	memcpy(&piece.low, address->bytes + 8, 8);
	piece.high = be64toh(piece.high) & ~piece.mask_high;
	piece.low = be64toh(piece.low) & ~piece.mask_low;
	return piece;
}

/* Weights are sizes relative to the largest piece, at least 1: a host beside a /8 is drawn, if rarely. */
static void pieces_weigh(struct traffic_pieces *pieces, const struct cut *cut)
{
	unsigned shortest = 128;
	uint64_t sum = 0;

	for (size_t i = 0; i < cut->n; i++)
		shortest = cut->items[i].length < shortest ? cut->items[i].length : shortest;
	for (size_t i = 0; i < cut->n; i++) {
		unsigned below = cut->items[i].length - shortest;

		sum += below < 48 ? UINT64_C(1) << (48 - below) : 1;
		pieces->cumulative[i] = sum;
		pieces->items[i] = traffic_piece_of(&cut->items[i].address, cut->items[i].length);
	}
	pieces->n = cut->n;
}

static void guide_build(struct traffic_pieces *pieces)
{
	uint64_t sum = pieces->n != 0 ? pieces->cumulative[pieces->n - 1] : 0;
	uint16_t piece = 0;

	for (uint64_t step = 0; sum != 0 && step < 1u << TRAFFIC_GUIDE_BITS; step++) {
		uint64_t first = (uint64_t)(((unsigned __int128)sum * step) >> TRAFFIC_GUIDE_BITS);

		while (pieces->cumulative[piece] <= first)
			piece++;
		pieces->guide[step] = piece;
	}
}

int traffic_pieces_create(struct traffic_pieces *ret_pieces, const struct prefix *prefixes, size_t n_prefixes,
	const struct prefix *excluded, size_t n_excluded, bool v4)
{
	struct cut cut = {.items = calloc(PIECES_MAX, sizeof(cut.items[0]))};

	*ret_pieces = (struct traffic_pieces){0};
	for (size_t i = 0; cut.items != NULL && i < n_prefixes; i++) {
		if (prefix_is_v4(&prefixes[i]) != v4)
			continue;
		/* overlapping sources would weigh twice and break disjointness */
		cut_exclude(&cut, &prefixes[i]);
		if (cut.n < PIECES_MAX)
			cut.items[cut.n++] = prefixes[i];
	}
	for (size_t i = 0; cut.items != NULL && i < n_excluded; i++) {
		if (prefix_is_v4(&excluded[i]) == v4)
			cut_exclude(&cut, &excluded[i]);
	}
	ret_pieces->items = calloc(cut.n + 1, sizeof(ret_pieces->items[0]));
	ret_pieces->cumulative = calloc(cut.n + 1, sizeof(ret_pieces->cumulative[0]));
	ret_pieces->guide = calloc(UINT64_C(1) << TRAFFIC_GUIDE_BITS, sizeof(ret_pieces->guide[0]));
	if (cut.items == NULL || ret_pieces->items == NULL || ret_pieces->cumulative == NULL ||
		ret_pieces->guide == NULL) {
		free(cut.items);
		traffic_pieces_done(ret_pieces);
		return -ENOMEM;
	}
	pieces_weigh(ret_pieces, &cut);
	guide_build(ret_pieces);
	free(cut.items);
	return 0;
}

void traffic_pieces_done(struct traffic_pieces *pieces)
{
	free(pieces->items);
	free(pieces->cumulative);
	free(pieces->guide);
	*pieces = (struct traffic_pieces){0};
}
