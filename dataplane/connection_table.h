/* SPDX-License-Identifier: BSD-3-Clause
 * QUIC connection ids that nodes chose and proven clients have shown, so that a client whose address changes
 * is known again. Ids are quic_id's 64 bits. Shared
 * by all lcores without locks: the new address may belong to another lcore. Fixed size: four a cache line,
 * two choices; full, the id seen least lately goes. Only proofs write here: a flood of Initials evicts
 * nothing.
 */
#ifndef WEIR_DATAPLANE_CONNECTION_TABLE_H
#define WEIR_DATAPLANE_CONNECTION_TABLE_H

#include "dataplane/ban_table.h"

enum {
	CONNECTION_IDS_MIN = 1 << 8,
	/* An id moves once in so many seconds: who gives his own to a botnet names few victims with it. NATs
	 * keep a binding at least 30 s in practice (RFC 4787 asks for two minutes), so nobody honest waits.
	 */
	CONNECTION_MOVE_S = 10,
};

enum connection_added {
	CONNECTION_KNOWN, /* it was there: seen now */
	CONNECTION_NEW,
	CONNECTION_EVICTED, /* new, in the place of another */
	CONNECTION_LOST,    /* other lcores were faster each time; the next refresh adds it */
};

struct connection_table;

/** `capacity`: ids, CONNECTION_IDS_MIN..2^26. -EINVAL, -ENOMEM. */
int connection_table_create(uint64_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct connection_table **ret_table);
void connection_table_destroy(struct connection_table *table);
/** id: never 0. now_s: CLOCK_MONOTONIC. */
enum connection_added connection_table_add(struct connection_table *table, uint64_t id, uint32_t now_s);
/** Was it seen within lifetime_s, and has it not moved for CONNECTION_MOVE_S? Changes nothing. */
bool connection_table_may_move(
	const struct connection_table *table, uint64_t id, uint32_t lifetime_s, uint32_t now_s);
/** Somebody shows this id at a new address: true when it may move, and then it has moved now. Of lcores that
 * ask at once one hears true. */
bool connection_table_move(struct connection_table *table, uint64_t id, uint32_t lifetime_s, uint32_t now_s);
/** Its flow has ended, which was last active at last_s: forgotten, unless another flow of the connection was
 * seen later. Returns how many entries are gone: 0, 1, or 2 where two lcores had added it at once. */
unsigned connection_table_remove(struct connection_table *table, uint64_t id, uint32_t last_s);

#endif
