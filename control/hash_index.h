/* SPDX-License-Identifier: BSD-3-Clause
 * A hash index from 32-bit hashes to record indices, by linear hashing: it grows by one bucket per insertion, so no
 * insertion ever pays for a rehash of everything. The index keeps the hash and the chain link of each item (8 bytes an
 * item, 4 a bucket); keys stay with the caller, who compares them. One thread.
 */
#ifndef WEIR_CONTROL_HASH_INDEX_H
#define WEIR_CONTROL_HASH_INDEX_H

#include <stdint.h>

#include "control/record_pool.h"

struct hash_link {
	uint32_t next, hash;
};

struct hash_index {
	uint32_t **segments; /* heads of chains, HASH_SEGMENT each; never move */
	struct hash_link **links; /* by item, RECORD_CHUNK each */
	uint32_t n_segments, segments_size, n_links, links_size;
	uint32_t level_size; /* buckets at the beginning of this doubling, a power of two */
	uint32_t split;	     /* buckets below this one have been split in this doubling */
	uint32_t n_items;
};

/** -ENOMEM. */
int hash_index_init(struct hash_index *index);
void hash_index_fini(struct hash_index *index);
/** Items of this hash: first, then next until RECORD_NONE. Compare keys: hashes collide. */
uint32_t hash_index_first(const struct hash_index *index, uint32_t hash);
uint32_t hash_index_next(const struct hash_index *index, uint32_t item);
/** `item` is an index of the caller's record pool, not in the index yet. -ENOMEM. */
int hash_index_insert(struct hash_index *index, uint32_t hash, uint32_t item);
/** The item must be in the index. */
void hash_index_remove(struct hash_index *index, uint32_t item);

#endif
