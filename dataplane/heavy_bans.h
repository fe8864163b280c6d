/* SPDX-License-Identifier: BSD-3-Clause
 * Which banned sources send most: a sketch of a fixed size per lcore (Space-Saving on a sample, halved every
 * second), so that the heaviest may be dropped by the device. Writer: the owning lcore; reader: the table
 * thread, relaxed. Must not decide anything: what it says is about weights, and may be torn by a change at
 * the same moment; the ban tables are the truth.
 */
#ifndef WEIR_DATAPLANE_HEAVY_BANS_H
#define WEIR_DATAPLANE_HEAVY_BANS_H

#include <stdatomic.h>

#include "shm/prefix.h"

enum {
	/* A source that sends more than 1/64 of an lcore's banned packets has a place for certain. */
	HEAVY_BANS_PLACES = 64,
	/* One packet in so many is counted, at random: a scan of 64 places, some 100 ns, becomes 2 ns a
	   packet. */
	HEAVY_BANS_SAMPLING = 64,
};

/** A banned source in one word, 0 = none: an IPv6 /64 as it is; an IPv4 address behind 32 ones, which as an
 * IPv6 prefix would be multicast and no source. */
uint64_t heavy_source_of(const struct address *client);
struct prefix heavy_source_prefix(uint64_t source);

struct heavy_bans {
	_Alignas(64) uint32_t skip; /* packets until the next that is counted */
	_Atomic uint32_t decayed_s; /* when all were halved last */
	struct heavy_place {
		_Atomic uint64_t source;
		_Atomic uint32_t count; /* of sampled packets, halved every second */
		_Atomic uint32_t error; /* at most so much of it belongs to whoever had the place before */
	} places[HEAVY_BANS_PLACES];
};

/** What a source has for certain, in sampled packets: a steady r packets a second are r/64 to 2r/64. */
struct heavy_ban {
	uint64_t source;
	uint32_t weight;
};

/** Owner. Count a sampled packet; `random`: 32 fresh bits, which say when the next is. */
void heavy_bans_sample(
	struct heavy_bans *heavy, const struct address *client, uint32_t now_s, uint32_t random);
/** Owner, once for every dropped packet: is it one to be counted? */
static inline bool heavy_bans_is_due(struct heavy_bans *heavy)
{
	if (heavy->skip == 0)
		return true;
	heavy->skip--;
	return false;
}
/** Any thread: those with a weight, in no order. Returns how many. */
unsigned heavy_bans_read(
	const struct heavy_bans *heavy, uint32_t now_s, struct heavy_ban ret_bans[HEAVY_BANS_PLACES]);

#endif
