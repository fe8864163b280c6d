/* SPDX-License-Identifier: BSD-3-Clause
 * Later fragments follow their first: a small direct-mapped table of datagrams whose first fragment was
 * forwarded. One lcore owns it. Bounded, O(1).
 */
#ifndef WEIR_DATAPLANE_FRAGMENT_TABLE_H
#define WEIR_DATAPLANE_FRAGMENT_TABLE_H

#include "dataplane/ban_table.h"
#include "dataplane/packet.h"

enum {
	/* 64 KiB in pieces of 512 bytes: every link carries 576. */
	FRAGMENTS_MAX = 128,
	FRAGMENT_LIFETIME_MS = 5000 /* RFC 8900 has hosts give up after 15 to 60 s; a burst of fragments lasts
				       milliseconds */
};

struct fragment_table;
int fragment_table_create(uint32_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct fragment_table **ret_table);
void fragment_table_destroy(struct fragment_table *table);
/** The first fragment of this datagram was forwarded. */
void fragment_table_add(struct fragment_table *table, const struct packet *packet, uint64_t now_ns);
/** A later fragment: does it follow? Counts it: no more than FRAGMENTS_MAX follow one first. */
bool fragment_table_has(struct fragment_table *table, const struct packet *packet, uint64_t now_ns);

#endif
