/* SPDX-License-Identifier: BSD-3-Clause
 * A weight-balanced tree (Adams; the parameters 3 and 2 are those that Hirai and Yamamoto proved to keep it
 * balanced after any insertion and removal). One thread. Balanced by sizes alone, so that no order of
 * insertions, chosen by whom it may be, makes it deep: a million records are at most 48 levels, log to the
 * base 4/3.
 */
#include "control/rank_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum { WEIGHT_RATIO = 3, SINGLE_RATIO = 2 };

void rank_tree_init(struct rank_tree *tree, const struct record_pool *records, rank_compare compare)
{
	*tree = (struct rank_tree){.records = records, .compare = compare, .root = RECORD_NONE};
}

void rank_tree_fini(struct rank_tree *tree)
{
	for (uint32_t i = 0; i < tree->n_chunks; i++)
		free(tree->nodes[i]);
	free(tree->nodes);
	rank_tree_init(tree, tree->records, tree->compare);
}

static int chunk_add(struct rank_tree *tree)
{
	if (tree->n_chunks == tree->chunks_size) {
		uint32_t size = tree->chunks_size != 0 ? tree->chunks_size * 2 : 16;
		struct rank_node **nodes = realloc(tree->nodes, size * sizeof(*nodes));
		if (nodes == NULL)
			return -ENOMEM;
		tree->nodes = nodes;
		tree->chunks_size = size;
	}
	struct rank_node *chunk = malloc(RECORD_CHUNK * sizeof(*chunk));
	if (chunk == NULL)
		return -ENOMEM;
	tree->nodes[tree->n_chunks++] = chunk;
	return 0;
}

int rank_tree_reserve(struct rank_tree *tree, uint32_t item_bound)
{
	int r = 0;
	while (r == 0 && (uint64_t)tree->n_chunks << RECORD_CHUNK_LOG2 < item_bound)
		r = chunk_add(tree);
	return r;
}

static struct rank_node *node_of(const struct rank_tree *tree, uint32_t item)
{
	return &tree->nodes[item >> RECORD_CHUNK_LOG2][item & (RECORD_CHUNK - 1)];
}

static uint32_t size_of(const struct rank_tree *tree, uint32_t item)
{
	return item == RECORD_NONE ? 0 : node_of(tree, item)->size;
}

static void size_update(const struct rank_tree *tree, struct rank_node *node)
{
	node->size = size_of(tree, node->left) + size_of(tree, node->right) + 1;
}

/** Lift the right child above `item`; returns it. */
static uint32_t rotate_left(struct rank_tree *tree, uint32_t item)
{
	struct rank_node *node = node_of(tree, item);
	uint32_t lifted = node->right;
	struct rank_node *top = node_of(tree, lifted);
	node->right = top->left;
	top->left = item;
	size_update(tree, node);
	size_update(tree, top);
	return lifted;
}

static uint32_t rotate_right(struct rank_tree *tree, uint32_t item)
{
	struct rank_node *node = node_of(tree, item);
	uint32_t lifted = node->left;
	struct rank_node *top = node_of(tree, lifted);
	node->left = top->right;
	top->right = item;
	size_update(tree, node);
	size_update(tree, top);
	return lifted;
}

static uint64_t weight_of(const struct rank_tree *tree, uint32_t item)
{
	return (uint64_t)size_of(tree, item) + 1;
}

/** Set the size of `item` and restore its balance after one change below it; returns who stands in its place.
 */
static uint32_t balance(struct rank_tree *tree, uint32_t item)
{
	struct rank_node *node = node_of(tree, item);
	size_update(tree, node);
	uint64_t left = weight_of(tree, node->left), right = weight_of(tree, node->right);
	if (left + right <= 3)
		return item;
	if (right > WEIGHT_RATIO * left) {
		const struct rank_node *heavy = node_of(tree, node->right);
		if (weight_of(tree, heavy->left) >= SINGLE_RATIO * weight_of(tree, heavy->right))
			node->right = rotate_right(tree, node->right);
		return rotate_left(tree, item);
	}
	if (left > WEIGHT_RATIO * right) {
		const struct rank_node *heavy = node_of(tree, node->left);
		if (weight_of(tree, heavy->right) >= SINGLE_RATIO * weight_of(tree, heavy->left))
			node->left = rotate_left(tree, node->left);
		return rotate_right(tree, item);
	}
	return item;
}

static int compare_items(const struct rank_tree *tree, uint32_t a, uint32_t b)
{
	return tree->compare(record_pool_at(tree->records, a), record_pool_at(tree->records, b));
}

static uint32_t insert_below(struct rank_tree *tree, uint32_t root, uint32_t item)
{
	if (root == RECORD_NONE) {
		*node_of(tree, item) = (struct rank_node){RECORD_NONE, RECORD_NONE, 1};
		return item;
	}
	struct rank_node *node = node_of(tree, root);
	if (compare_items(tree, item, root) < 0)
		node->left = insert_below(tree, node->left, item);
	else
		node->right = insert_below(tree, node->right, item);
	return balance(tree, root);
}

/** Take the first or last item of a subtree out; returns the rest. */
static uint32_t take_end(struct rank_tree *tree, uint32_t root, bool first, uint32_t *ret_taken)
{
	struct rank_node *node = node_of(tree, root);
	uint32_t *next = first ? &node->left : &node->right;
	if (*next == RECORD_NONE) {
		*ret_taken = root;
		return first ? node->right : node->left;
	}
	*next = take_end(tree, *next, first, ret_taken);
	return balance(tree, root);
}

static uint32_t remove_root(struct rank_tree *tree, uint32_t root)
{
	const struct rank_node node = *node_of(tree, root);
	if (node.left == RECORD_NONE)
		return node.right;
	if (node.right == RECORD_NONE)
		return node.left;
	struct rank_node put = node;
	uint32_t taken;
	if (size_of(tree, node.left) > size_of(tree, node.right))
		put.left = take_end(tree, node.left, false, &taken);
	else
		put.right = take_end(tree, node.right, true, &taken);
	*node_of(tree, taken) = put;
	return balance(tree, taken);
}

static uint32_t remove_below(struct rank_tree *tree, uint32_t root, uint32_t item)
{
	if (root == item)
		return remove_root(tree, root);
	if (root == RECORD_NONE)
		abort(); /* the record was changed while in the tree: going on would corrupt the order
			    silently */
	struct rank_node *node = node_of(tree, root);
	if (compare_items(tree, item, root) < 0)
		node->left = remove_below(tree, node->left, item);
	else
		node->right = remove_below(tree, node->right, item);
	return balance(tree, root);
}

void rank_tree_insert(struct rank_tree *tree, uint32_t item)
{
	tree->root = insert_below(tree, tree->root, item);
}

void rank_tree_remove(struct rank_tree *tree, uint32_t item)
{
	tree->root = remove_below(tree, tree->root, item);
}

uint32_t rank_tree_count(const struct rank_tree *tree)
{
	return size_of(tree, tree->root);
}

uint32_t rank_tree_at(const struct rank_tree *tree, uint32_t rank)
{
	uint32_t at = tree->root;
	while (at != RECORD_NONE) {
		const struct rank_node *node = node_of(tree, at);
		uint32_t left = size_of(tree, node->left);
		if (rank == left)
			return at;
		if (rank < left) {
			at = node->left;
		} else {
			rank -= left + 1;
			at = node->right;
		}
	}
	return RECORD_NONE;
}

uint32_t rank_tree_before(const struct rank_tree *tree, const void *probe)
{
	uint32_t before = 0, at = tree->root;
	while (at != RECORD_NONE) {
		const struct rank_node *node = node_of(tree, at);
		if (tree->compare(probe, record_pool_at(tree->records, at)) <= 0) {
			at = node->left;
		} else {
			before += size_of(tree, node->left) + 1;
			at = node->right;
		}
	}
	return before;
}

uint32_t rank_tree_find(const struct rank_tree *tree, const void *probe)
{
	uint32_t at = tree->root;
	while (at != RECORD_NONE) {
		int order = tree->compare(probe, record_pool_at(tree->records, at));
		if (order == 0)
			break;
		at = order < 0 ? node_of(tree, at)->left : node_of(tree, at)->right;
	}
	return at;
}
