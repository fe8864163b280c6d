/* SPDX-License-Identifier: BSD-3-Clause
 * B+ tree of prefixes (prefix_tree.h). One thread. Nodes are freed only when empty, never merged: bans leave in the
 * order of their ends, so a half-empty leaf is soon empty, and a merge would only be split again.
 */
#include "control/prefix_tree.h"

#include <errno.h>
#include <string.h>

/* 64 keys of 24 bytes: a leaf is 1.5 KiB, an insertion moves 800 bytes on average, and 10 million entries are four levels deep. */
enum { NODE_KEYS = 64, DEPTH_MAX = 8 };

struct entry {
	uint64_t high, low;
	uint32_t value;
	uint8_t length;
};

struct leaf {
	uint32_t next; /* in order; must be first to survive record_pool_give as garbage, never read then */
	uint32_t previous;
	uint32_t n;
	struct entry entries[NODE_KEYS];
};

/* keys[i] is the smallest key below children[i + 1]. */
struct inner {
	uint32_t n; /* children */
	uint32_t children[NODE_KEYS];
	struct entry keys[NODE_KEYS - 1]; /* their `value` is not used */
};

/* The way from the root to a leaf. */
struct path {
	uint32_t node[DEPTH_MAX];
	unsigned at[DEPTH_MAX];
	uint32_t leaf;
};

static uint64_t load_be64(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return __builtin_bswap64(word);
}

struct prefix_key prefix_key_from(const struct prefix *prefix)
{
	return (struct prefix_key){load_be64(prefix->address.bytes), load_be64(prefix->address.bytes + 8), prefix->length};
}

struct prefix prefix_key_to(const struct prefix_key *key)
{
	struct prefix prefix = {.length = key->length};
	uint64_t high = __builtin_bswap64(key->high), low = __builtin_bswap64(key->low);
	memcpy(prefix.address.bytes, &high, 8);
	memcpy(prefix.address.bytes + 8, &low, 8);
	return prefix;
}

static int compare(const struct entry *entry, const struct prefix_key *key)
{
	if (entry->high != key->high)
		return entry->high < key->high ? -1 : 1;
	if (entry->low != key->low)
		return entry->low < key->low ? -1 : 1;
	return (int)entry->length - (int)key->length;
}

/** How many of `n` sorted entries are below the key (or at it, if `or_equal`). */
static unsigned rank(const struct entry *entries, unsigned n, const struct prefix_key *key, bool or_equal)
{
	unsigned low = 0;
	while (n > 0) {
		unsigned half = n / 2;
		int order = compare(&entries[low + half], key);
		if (order < 0 || (or_equal && order == 0)) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static struct leaf *leaf_at(const struct prefix_tree *tree, uint32_t index)
{
	return record_pool_at(&tree->leaves, index);
}

static struct inner *inner_at(const struct prefix_tree *tree, uint32_t index)
{
	return record_pool_at(&tree->inners, index);
}

void prefix_tree_init(struct prefix_tree *tree)
{
	*tree = (struct prefix_tree){.root = RECORD_NONE};
	record_pool_init(&tree->leaves, sizeof(struct leaf));
	record_pool_init(&tree->inners, sizeof(struct inner));
}

void prefix_tree_fini(struct prefix_tree *tree)
{
	record_pool_fini(&tree->leaves);
	record_pool_fini(&tree->inners);
	prefix_tree_init(tree);
}

static void descend(const struct prefix_tree *tree, const struct prefix_key *key, struct path *path)
{
	uint32_t node = tree->root;
	for (unsigned level = 0; level < tree->depth; level++) {
		const struct inner *inner = inner_at(tree, node);
		path->node[level] = node;
		path->at[level] = rank(inner->keys, inner->n - 1, key, true);
		node = inner->children[path->at[level]];
	}
	path->leaf = node;
}

uint32_t prefix_tree_find(const struct prefix_tree *tree, const struct prefix_key *key)
{
	if (tree->root == RECORD_NONE)
		return RECORD_NONE;
	struct path path;
	descend(tree, key, &path);
	const struct leaf *leaf = leaf_at(tree, path.leaf);
	unsigned at = rank(leaf->entries, leaf->n, key, false);
	if (at == leaf->n || compare(&leaf->entries[at], key) != 0)
		return RECORD_NONE;
	return leaf->entries[at].value;
}

static void count(struct prefix_tree *tree, const struct prefix_key *key, int64_t change)
{
	tree->n += (uint64_t)change;
	bool v4 = key->high == 0 && key->low >> 32 == 0xffff && key->length >= PREFIX_V4_BASE;
	if (v4)
		tree->n_length_v4[key->length] += (uint64_t)change;
	else
		tree->n_length[key->length] += (uint64_t)change;
}

/** New nodes that a split may need, taken before anything is changed, so that running out of memory changes nothing. */
struct spares {
	uint32_t leaf, inners[DEPTH_MAX], n_inners;
};

static void spares_give(struct prefix_tree *tree, struct spares *spares)
{
	if (spares->leaf != RECORD_NONE)
		record_pool_give(&tree->leaves, spares->leaf);
	while (spares->n_inners > 0)
		record_pool_give(&tree->inners, spares->inners[--spares->n_inners]);
}

static int spares_take(struct prefix_tree *tree, const struct path *path, struct spares *spares)
{
	*spares = (struct spares){.leaf = RECORD_NONE};
	int r = record_pool_take(&tree->leaves, &spares->leaf);
	if (r < 0)
		return r;
	unsigned need = 1; /* a new root, if every level is full */
	for (unsigned level = tree->depth; level-- > 0; need++) {
		if (inner_at(tree, path->node[level])->n < NODE_KEYS)
			break;
	}
	while (spares->n_inners < need) {
		r = record_pool_take(&tree->inners, &spares->inners[spares->n_inners]);
		if (r < 0) {
			spares_give(tree, spares);
			return r;
		}
		spares->n_inners++;
	}
	return 0;
}

static void inner_insert(struct inner *inner, unsigned at, const struct entry *key, uint32_t child)
{
	memmove(&inner->keys[at + 1], &inner->keys[at], (inner->n - 1 - at) * sizeof(inner->keys[0]));
	memmove(&inner->children[at + 2], &inner->children[at + 1], (inner->n - 1 - at) * sizeof(inner->children[0]));
	inner->keys[at] = *key;
	inner->children[at + 1] = child;
	inner->n++;
}

/** Hang `child`, whose smallest key is `key`, behind the child that the path went through, splitting upward. */
static void insert_upward(struct prefix_tree *tree, const struct path *path, struct spares *spares, struct entry key,
	uint32_t child)
{
	for (unsigned level = tree->depth; level-- > 0;) {
		struct inner *inner = inner_at(tree, path->node[level]);
		unsigned at = path->at[level];
		if (inner->n < NODE_KEYS) {
			inner_insert(inner, at, &key, child);
			return;
		}
		uint32_t right_index = spares->inners[--spares->n_inners];
		struct inner *right = inner_at(tree, right_index);
		/* Append at the far end leaves the left node full: loading in order fills nodes. */
		unsigned left_n = at + 1 == NODE_KEYS ? NODE_KEYS - 1 : NODE_KEYS / 2;
		struct entry middle = inner->keys[left_n - 1];
		right->n = NODE_KEYS - left_n;
		memcpy(right->children, &inner->children[left_n], right->n * sizeof(right->children[0]));
		memcpy(right->keys, &inner->keys[left_n], (right->n - 1) * sizeof(right->keys[0]));
		inner->n = left_n;
		if (at < left_n)
			inner_insert(inner, at, &key, child);
		else
			inner_insert(right, at - left_n, &key, child);
		key = middle;
		child = right_index;
	}
	uint32_t root_index = spares->inners[--spares->n_inners];
	struct inner *root = inner_at(tree, root_index);
	root->n = 2;
	root->children[0] = tree->root;
	root->children[1] = child;
	root->keys[0] = key;
	tree->root = root_index;
	tree->depth++;
}

static void leaf_insert(struct leaf *leaf, unsigned at, const struct prefix_key *key, uint32_t value)
{
	memmove(&leaf->entries[at + 1], &leaf->entries[at], (leaf->n - at) * sizeof(leaf->entries[0]));
	leaf->entries[at] = (struct entry){key->high, key->low, value, key->length};
	leaf->n++;
}

static int split_and_insert(struct prefix_tree *tree, const struct path *path, unsigned at, const struct prefix_key *key,
	uint32_t value)
{
	struct spares spares;
	int r = spares_take(tree, path, &spares);
	if (r < 0)
		return r;
	struct leaf *left = leaf_at(tree, path->leaf);
	uint32_t right_index = spares.leaf;
	spares.leaf = RECORD_NONE;
	struct leaf *right = leaf_at(tree, right_index);
	bool append = at == NODE_KEYS && left->next == RECORD_NONE;
	unsigned left_n = append ? NODE_KEYS : NODE_KEYS / 2;
	right->n = NODE_KEYS - left_n;
	memcpy(right->entries, &left->entries[left_n], right->n * sizeof(right->entries[0]));
	left->n = left_n;
	right->next = left->next;
	right->previous = path->leaf;
	if (right->next != RECORD_NONE)
		leaf_at(tree, right->next)->previous = right_index;
	left->next = right_index;
	if (at < left_n || (at == left_n && !append))
		leaf_insert(left, at, key, value);
	else
		leaf_insert(right, at - left_n, key, value);
	insert_upward(tree, path, &spares, right->entries[0], right_index);
	spares_give(tree, &spares);
	return 0;
}

int prefix_tree_put(struct prefix_tree *tree, const struct prefix_key *key, uint32_t value)
{
	if (tree->root == RECORD_NONE) {
		int r = record_pool_take(&tree->leaves, &tree->root);
		if (r < 0) {
			tree->root = RECORD_NONE;
			return r;
		}
		struct leaf *leaf = leaf_at(tree, tree->root);
		leaf->next = RECORD_NONE;
		leaf->previous = RECORD_NONE;
		tree->depth = 0;
	}
	struct path path;
	descend(tree, key, &path);
	struct leaf *leaf = leaf_at(tree, path.leaf);
	unsigned at = rank(leaf->entries, leaf->n, key, false);
	if (at < leaf->n && compare(&leaf->entries[at], key) == 0) {
		leaf->entries[at].value = value;
		return 0;
	}
	if (leaf->n == NODE_KEYS) {
		int r = split_and_insert(tree, &path, at, key, value);
		if (r < 0)
			return r;
	} else {
		leaf_insert(leaf, at, key, value);
	}
	count(tree, key, 1);
	return 0;
}

/** Take an empty leaf out, and every inner node that has lost its last child. */
static void unlink_leaf(struct prefix_tree *tree, const struct path *path)
{
	struct leaf *leaf = leaf_at(tree, path->leaf);
	if (leaf->previous != RECORD_NONE)
		leaf_at(tree, leaf->previous)->next = leaf->next;
	if (leaf->next != RECORD_NONE)
		leaf_at(tree, leaf->next)->previous = leaf->previous;
	record_pool_give(&tree->leaves, path->leaf);
	for (unsigned level = tree->depth; level-- > 0;) {
		struct inner *inner = inner_at(tree, path->node[level]);
		unsigned at = path->at[level];
		if (inner->n > 1) {
			/* Without the first child the second one's separator goes: the range before it belongs to it now. */
			unsigned key_at = at > 0 ? at - 1 : 0;
			memmove(&inner->keys[key_at], &inner->keys[key_at + 1], (inner->n - 2 - key_at) * sizeof(inner->keys[0]));
			memmove(&inner->children[at], &inner->children[at + 1], (inner->n - 1 - at) * sizeof(inner->children[0]));
			inner->n--;
			break;
		}
		record_pool_give(&tree->inners, path->node[level]);
		if (level == 0) {
			tree->root = RECORD_NONE;
			tree->depth = 0;
			return;
		}
	}
	if (tree->depth == 0)
		tree->root = RECORD_NONE;
	while (tree->depth > 0 && inner_at(tree, tree->root)->n == 1) {
		uint32_t child = inner_at(tree, tree->root)->children[0];
		record_pool_give(&tree->inners, tree->root);
		tree->root = child;
		tree->depth--;
	}
}

bool prefix_tree_remove(struct prefix_tree *tree, const struct prefix_key *key)
{
	if (tree->root == RECORD_NONE)
		return false;
	struct path path;
	descend(tree, key, &path);
	struct leaf *leaf = leaf_at(tree, path.leaf);
	unsigned at = rank(leaf->entries, leaf->n, key, false);
	if (at == leaf->n || compare(&leaf->entries[at], key) != 0)
		return false;
	memmove(&leaf->entries[at], &leaf->entries[at + 1], (leaf->n - 1 - at) * sizeof(leaf->entries[0]));
	count(tree, key, -1);
	if (--leaf->n == 0)
		unlink_leaf(tree, &path);
	return true;
}

static uint32_t first_leaf(const struct prefix_tree *tree)
{
	uint32_t node = tree->root;
	for (unsigned level = 0; level < tree->depth; level++)
		node = inner_at(tree, node)->children[0];
	return node;
}

struct prefix_cursor prefix_tree_seek(const struct prefix_tree *tree, const struct prefix_key *key_or_null)
{
	if (tree->root == RECORD_NONE)
		return (struct prefix_cursor){RECORD_NONE, 0};
	if (key_or_null == NULL)
		return (struct prefix_cursor){first_leaf(tree), 0};
	struct path path;
	descend(tree, key_or_null, &path);
	const struct leaf *leaf = leaf_at(tree, path.leaf);
	return (struct prefix_cursor){path.leaf, rank(leaf->entries, leaf->n, key_or_null, false)};
}

bool prefix_tree_next(const struct prefix_tree *tree, struct prefix_cursor *cursor, struct prefix_key *ret_key,
	uint32_t *ret_value)
{
	while (cursor->leaf != RECORD_NONE) {
		const struct leaf *leaf = leaf_at(tree, cursor->leaf);
		if (cursor->at < leaf->n) {
			const struct entry *entry = &leaf->entries[cursor->at++];
			*ret_key = (struct prefix_key){entry->high, entry->low, entry->length};
			*ret_value = entry->value;
			return true;
		}
		cursor->leaf = leaf->next;
		cursor->at = 0;
	}
	return false;
}

bool prefix_tree_covers_any(const struct prefix_tree *tree, const struct prefix *prefix, struct prefix *ret_found)
{
	/* Everything inside a prefix sorts directly after it, so looking at one entry answers for all. */
	struct prefix_key key = prefix_key_from(prefix);
	struct prefix_cursor cursor = prefix_tree_seek(tree, &key);
	uint32_t value;
	if (!prefix_tree_next(tree, &cursor, &key, &value))
		return false;
	struct prefix found = prefix_key_to(&key);
	if (prefix_is_v4(&found) && !prefix_is_v4(prefix)) {
		/* A short IPv6 prefix sorts before the mapped range without containing it: look behind the range. */
		struct prefix_key behind = {0, UINT64_C(1) << 48, 0};
		cursor = prefix_tree_seek(tree, &behind);
		if (!prefix_tree_next(tree, &cursor, &key, &value))
			return false;
		found = prefix_key_to(&key);
	}
	if (!prefix_covers(prefix, &found))
		return false;
	if (ret_found != NULL)
		*ret_found = found;
	return true;
}

bool prefix_tree_next_cover(const struct prefix_tree *tree, const struct prefix *prefix, int *length,
	struct prefix *ret_found, uint32_t *ret_value)
{
	/* The families do not mix: ::/0 contains the mapped range as numbers, and covers no IPv4 address. */
	bool v4 = prefix_is_v4(prefix);
	const uint64_t *n_length = v4 ? tree->n_length_v4 : tree->n_length;
	for (; *length >= (v4 ? PREFIX_V4_BASE : 0); (*length)--) {
		if (n_length[*length] == 0)
			continue;
		struct prefix cover = prefix_of(&prefix->address, (uint8_t)*length);
		struct prefix_key key = prefix_key_from(&cover);
		uint32_t value = prefix_tree_find(tree, &key);
		if (value == RECORD_NONE)
			continue;
		(*length)--;
		if (ret_found != NULL)
			*ret_found = cover;
		*ret_value = value;
		return true;
	}
	return false;
}
