/* SPDX-License-Identifier: BSD-3-Clause
 * A B+ tree from prefixes to 32-bit values, in the order of prefix_compare. It is the one index of bans, lists and
 * strikes: exact lookup, "does this prefix cover any entry", paging from any point, and the image's ordered walk all
 * come from it without sorting. One thread. About 24 bytes an entry loaded in order, 35 in random order.
 */
#ifndef WEIR_CONTROL_PREFIX_TREE_H
#define WEIR_CONTROL_PREFIX_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/record_pool.h"
#include "shm/prefix.h"

/** A prefix as two host-order words, so that order is two comparisons of registers. */
struct prefix_key {
	uint64_t high, low;
	uint8_t length;
};

struct prefix_tree {
	struct record_pool leaves, inners;
	uint32_t root;
	unsigned depth; /* inner levels above the leaves */
	uint64_t n;
	uint64_t n_length[PREFIX_HOST_LENGTH + 1]; /* entries of each length: which lengths a cover search must try */
	uint64_t n_length_v4[PREFIX_HOST_LENGTH + 1];
};

/** A place in the tree; valid until the tree changes. */
struct prefix_cursor {
	uint32_t leaf;
	unsigned at;
};

struct prefix_key prefix_key_from(const struct prefix *prefix);
struct prefix prefix_key_to(const struct prefix_key *key);

void prefix_tree_init(struct prefix_tree *tree);
void prefix_tree_fini(struct prefix_tree *tree);
/** The value, or RECORD_NONE. */
uint32_t prefix_tree_find(const struct prefix_tree *tree, const struct prefix_key *key);
/** Insert, or overwrite the value of a key that exists. -ENOMEM: the tree is as before. */
int prefix_tree_put(struct prefix_tree *tree, const struct prefix_key *key, uint32_t value);
/** False if it was not there. */
bool prefix_tree_remove(struct prefix_tree *tree, const struct prefix_key *key);
/** The first entry at or after `key` (NULL: the first of all). */
struct prefix_cursor prefix_tree_seek(const struct prefix_tree *tree, const struct prefix_key *key_or_null);
/** The entry under the cursor, and step; false at the end. */
bool prefix_tree_next(const struct prefix_tree *tree, struct prefix_cursor *cursor, struct prefix_key *ret_key,
	uint32_t *ret_value);
/** True when an entry lies within `prefix` (itself included); ret_found may be NULL. */
bool prefix_tree_covers_any(const struct prefix_tree *tree, const struct prefix *prefix, struct prefix *ret_found);
/** Entries that cover `prefix` (itself included), longest first. Start with *length = prefix->length; false when there are
 * no more. Tries only lengths in use. */
bool prefix_tree_next_cover(const struct prefix_tree *tree, const struct prefix *prefix, int *length,
	struct prefix *ret_found, uint32_t *ret_value);

#endif
