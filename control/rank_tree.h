/* SPDX-License-Identifier: BSD-3-Clause
 * An order over the records of a pool that also counts: insertion, removal, "the k-th" and "how many before
 * this" are O(log n). That is how the address book answers best, weakest and random-among-these without
 * looking at every address. The tree holds 12 bytes a record and no keys: the order compares the records
 * themselves. One thread.
 */
#ifndef WEIR_CONTROL_RANK_TREE_H
#define WEIR_CONTROL_RANK_TREE_H

#include <stdint.h>

#include "control/record_pool.h"

struct rank_node {
	uint32_t left, right, size; /* of the subtree */
};

/** Less than, equal to or greater than zero. Total: two records of the tree are never equal. */
typedef int (*rank_compare)(const void *a, const void *b);

struct rank_tree {
	const struct record_pool *records; /* not owned */
	rank_compare compare;
	struct rank_node **nodes; /* by item, RECORD_CHUNK each; never move */
	uint32_t n_chunks, chunks_size;
	uint32_t root;
};

void rank_tree_init(struct rank_tree *tree, const struct record_pool *records, rank_compare compare);
void rank_tree_fini(struct rank_tree *tree);
/** Make room for items below `item_bound`, so that insertion cannot fail. -ENOMEM. */
int rank_tree_reserve(struct rank_tree *tree, uint32_t item_bound);
/** The item must not be in the tree, its record complete, and its bound reserved. */
void rank_tree_insert(struct rank_tree *tree, uint32_t item);
/** The item must be in the tree, with what the order compares as it was at insertion. */
void rank_tree_remove(struct rank_tree *tree, uint32_t item);
uint32_t rank_tree_count(const struct rank_tree *tree);
/** The item with `rank` items before it; RECORD_NONE beyond the last. */
uint32_t rank_tree_at(const struct rank_tree *tree, uint32_t rank);
/** How many items are before `probe`, a record of the pool's type that need not be in it. */
uint32_t rank_tree_before(const struct rank_tree *tree, const void *probe);
/** The item that compares equal to `probe`, or RECORD_NONE. */
uint32_t rank_tree_find(const struct rank_tree *tree, const void *probe);

#endif
