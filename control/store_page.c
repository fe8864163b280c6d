/* SPDX-License-Identifier: BSD-3-Clause
 * Checks a store's file page by page before LMDB trusts it: LMDB has no checksums, follows any offset it
 * finds, and writes where a damaged page tells it to. Runs in the verifying child; reads only, never beyond
 * the bytes that it was given. Knows the format of LMDB 0.9 on 64-bit machines, little-endian (the only one
 * that Weir is built for).
 */
#include <stdlib.h>
#include <string.h>

#include "control/store_private.h"

/* A page: number, pad, flags, lower and upper bound of its free space, then the offsets of its nodes. */
enum {
	PAGE_HEAD = 16,
	AT_FLAGS = 10,
	AT_LOWER = 12,
	AT_UPPER = 14,
	FLAG_BRANCH = 1,
	FLAG_LEAF = 2,
	FLAG_OVERFLOW = 4,
	FLAG_META = 8
};
/* A node: size in two halves (of a branch: the child's number, with the flags), flags, bytes of the key, key,
 * value. */
enum { NODE_HEAD = 8, NODE_BIG = 1, NODE_TREE = 2 };
/* A tree: pad, flags, depth, branch, leaf and overflow pages, entries, root. */
enum { TREE_BYTES = 48, TREE_DEPTH_MAX = 32 };
enum {
	AT_META_MAGIC = 16,
	AT_META_VERSION = 20,
	AT_META_TREES = 40,
	AT_META_LAST = 136,
	AT_META_TRANSACTION = 144
};
/* Pages that were taken and given back in one transaction may never have been written; the file is then
 * shorter. */
enum { UNWRITTEN_PAGES_MAX = 1024 };
#define META_MAGIC UINT32_C(0xBEEFC0DE)
#define NO_PAGE    UINT64_MAX

struct tree {
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct check {
	const uint8_t *file;
	size_t page_bytes;
	uint64_t pages, last;
	uint8_t *seen;     /* a bit a page: each has one use */
	struct tree *tree; /* the one being walked, and what was counted in it */
	struct tree counted;
	bool free_list;     /* its keys are numbers, its values lists of pages */
	bool trees_of_main; /* its values are trees */
};

struct bound {
	const uint8_t *key; /* NULL: none */
	size_t bytes;
};

/* What the parent says of the keys of a page: not below low, below high. */
struct range {
	struct bound low, high;
};

struct node {
	const uint8_t *at;
	size_t room; /* from there to the end of the page */
	struct bound key;
};

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static struct tree tree_read(const uint8_t *at)
{
	return (struct tree){.flags = get_u16(at + 4),
		.depth = get_u16(at + 6),
		.branches = get_u64(at + 8),
		.leaves = get_u64(at + 16),
		.overflows = get_u64(at + 24),
		.entries = get_u64(at + 32),
		.root = get_u64(at + 40)};
}

static bool page_claim(struct check *check, uint64_t number)
{
	if (number < 2 || number > check->last || check->seen[number / 8] & 1u << number % 8)
		return false;
	check->seen[number / 8] |= (uint8_t)(1u << number % 8);
	return true;
}

static int key_compare(
	const struct check *check, const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes)
{
	int order;

	if (check->free_list)
		return get_u64(a) < get_u64(b) ? -1 : get_u64(a) > get_u64(b);
	order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
	return order != 0 ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

/* A list of free pages: how many, then their numbers, falling. */
static bool free_pages_are_sound(struct check *check, const uint8_t *list, size_t bytes)
{
	uint64_t n = bytes >= 8 ? get_u64(list) : NO_PAGE;

	if (n > bytes / 8 - 1)
		return false;
	for (uint64_t i = 1; i <= n; i++)
		if (!page_claim(check, get_u64(list + 8 * i)) ||
			(i > 1 && get_u64(list + 8 * i) >= get_u64(list + 8 * i - 8)))
			return false;
	return true;
}

/* A value too large for its leaf stands in pages of its own. Only lists of free pages are that large here. */
static bool big_value_is_sound(struct check *check, const uint8_t *at, size_t value_bytes)
{
	uint64_t number = get_u64(at),
		 n = (PAGE_HEAD + value_bytes + check->page_bytes - 1) / check->page_bytes;
	const uint8_t *page;
	uint32_t length;

	if (!check->free_list || number >= check->pages || n > check->pages - number)
		return false;
	page = check->file + number * check->page_bytes;
	memcpy(&length, page + AT_LOWER, sizeof(length));
	if (get_u64(page) != number || get_u16(page + AT_FLAGS) != FLAG_OVERFLOW || length < n ||
		length > check->pages - number)
		return false;
	for (uint64_t i = 0; i < length; i++)
		if (!page_claim(check, number + i))
			return false;
	check->counted.overflows += length;
	return free_pages_are_sound(check, page + PAGE_HEAD, value_bytes);
}

static bool tree_is_sound(struct check *check, struct tree *tree, bool free_list, bool trees_of_main);

static bool value_is_sound(struct check *check, const uint8_t *node, size_t room, size_t key_bytes)
{
	size_t value_bytes = get_u16(node) | (size_t)get_u16(node + 2) << 16;
	const uint8_t *value = node + NODE_HEAD + key_bytes;
	uint16_t flags = get_u16(node + 4);

	room -= NODE_HEAD + key_bytes;
	check->counted.entries++;
	if (flags == NODE_BIG)
		return room >= 8 && big_value_is_sound(check, value, value_bytes);
	if (value_bytes > room || flags != (check->trees_of_main ? NODE_TREE : 0))
		return false;
	if (check->free_list)
		return free_pages_are_sound(check, value, value_bytes);
	if (check->trees_of_main) {
		struct check inner = *check;
		struct tree tree;

		if (value_bytes != TREE_BYTES)
			return false;
		tree = tree_read(value);
		return tree_is_sound(&inner, &tree, false, false);
	}
	return true;
}

static bool page_head_is_sound(
	const struct check *check, const uint8_t *page, uint64_t number, bool leaf, unsigned *ret_n)
{
	uint16_t lower = get_u16(page + AT_LOWER), upper = get_u16(page + AT_UPPER);

	if (get_u64(page) != number || get_u16(page + AT_FLAGS) != (leaf ? FLAG_LEAF : FLAG_BRANCH) ||
		lower < PAGE_HEAD + 2 || lower % 2 != 0 || lower > upper || upper > check->page_bytes)
		return false;
	*ret_n = (lower - PAGE_HEAD) / 2u;
	return leaf || *ret_n >= 2;
}

static size_t value_bytes_in_leaf(const uint8_t *node, bool leaf)
{
	if (!leaf)
		return 0;
	return get_u16(node + 4) == NODE_BIG ? sizeof(uint64_t)
					     : get_u16(node) | (size_t)get_u16(node + 2) << 16;
}

/* The node at one place of a page, as far as its key goes; false when it reaches beyond the page. */
static bool node_find(const struct check *check, const uint8_t *page, unsigned i, struct node *ret_node)
{
	size_t offset = get_u16(page + PAGE_HEAD + 2 * i), room, key_bytes;

	if (offset < get_u16(page + AT_UPPER) || offset >= check->page_bytes || offset % 2 != 0)
		return false;
	room = check->page_bytes - offset;
	if (room < NODE_HEAD)
		return false;
	key_bytes = get_u16(page + offset + 6);
	if (NODE_HEAD + key_bytes > room)
		return false;
	*ret_node = (struct node){page + offset, room, {page + offset + NODE_HEAD, key_bytes}};
	return true;
}

/* A key has the length of its tree, comes after the last one, and lies within what the parent said. */
static bool key_is_sound(
	const struct check *check, struct bound key, struct bound last, const struct range *range)
{
	struct bound low = range->low, high = range->high;

	if (check->free_list ? key.bytes != sizeof(uint64_t) : key.bytes == 0)
		return false;
	if (last.key != NULL && key_compare(check, last.key, last.bytes, key.key, key.bytes) >= 0)
		return false;
	if (low.key != NULL && key_compare(check, low.key, low.bytes, key.key, key.bytes) > 0)
		return false;
	return high.key == NULL || key_compare(check, key.key, key.bytes, high.key, high.bytes) < 0;
}

static bool page_is_sound(struct check *check, uint64_t number, unsigned depth, const struct range *range);

/* The page under one node of a branch: its keys lie between this node's and the next one's. */
static bool child_is_sound(struct check *check, const uint8_t *page, unsigned i, unsigned n, unsigned depth,
	const struct range *range)
{
	struct range inner = *range;
	struct node node, next;

	if (!node_find(check, page, i, &node))
		return false;
	if (i > 0)
		inner.low = node.key;
	if (i + 1 < n) {
		if (!node_find(check, page, i + 1, &next) ||
			(check->free_list && next.key.bytes != sizeof(uint64_t)))
			return false;
		inner.high = next.key;
	}
	return page_is_sound(check,
		get_u16(node.at) | (uint64_t)get_u16(node.at + 2) << 16 |
			(uint64_t)get_u16(node.at + 4) << 32,
		depth + 1, &inner);
}

static bool page_is_sound(struct check *check, uint64_t number, unsigned depth, const struct range *range)
{
	const uint8_t *page = check->file + number * check->page_bytes;
	bool leaf = depth == check->tree->depth;
	struct bound last = {NULL, 0};
	size_t used = 0;
	unsigned n;

	if (number >= check->pages || !page_claim(check, number) ||
		!page_head_is_sound(check, page, number, leaf, &n))
		return false;
	*(leaf ? &check->counted.leaves : &check->counted.branches) += 1;
	for (unsigned i = 0; i < n; i++) {
		struct node node;

		if (!node_find(check, page, i, &node))
			return false;
		/* The first key of a branch stands for "less than the second", whatever it says. */
		if (leaf || i > 0) {
			if (!key_is_sound(check, node.key, last, range))
				return false;
			last = node.key;
		}
		used += (NODE_HEAD + node.key.bytes + value_bytes_in_leaf(node.at, leaf) + 1) / 2 * 2;
		if (leaf ? !value_is_sound(check, node.at, node.room, node.key.bytes)
			 : !child_is_sound(check, page, i, n, depth, range))
			return false;
	}
	/* LMDB moves nodes by their sizes: a wrong one would shift its neighbours. */
	return used == check->page_bytes - get_u16(page + AT_UPPER);
}

static bool tree_is_sound(struct check *check, struct tree *tree, bool free_list, bool trees_of_main)
{
	static const struct range everything = {{NULL, 0}, {NULL, 0}};
	const struct tree *counted = &check->counted;

	check->tree = tree;
	check->counted = (struct tree){0};
	check->free_list = free_list;
	check->trees_of_main = trees_of_main;
	/* LMDB keeps the flags of the whole file with the free list. */
	if ((free_list ? tree->flags & ~MDB_NOSUBDIR : tree->flags) != (free_list ? MDB_INTEGERKEY : 0) ||
		tree->depth > TREE_DEPTH_MAX)
		return false;
	if (tree->root == NO_PAGE)
		return tree->depth == 0 && tree->entries == 0;
	return tree->depth > 0 && page_is_sound(check, tree->root, 1, &everything) &&
	       counted->branches == tree->branches && counted->leaves == tree->leaves &&
	       counted->overflows == tree->overflows && counted->entries == tree->entries;
}

/* LMDB writes its two heads in turn: they are one transaction apart. */
static bool heads_are_sound(
	const uint8_t *file, size_t bytes, size_t *ret_page_bytes, const uint8_t **ret_head)
{
	uint32_t magic, version, page_bytes;
	const uint8_t *heads[2];
	uint64_t transactions[2];

	if (bytes < AT_META_TRANSACTION + 8)
		return false;
	memcpy(&page_bytes, file + AT_META_TREES, sizeof(page_bytes));
	if (page_bytes < 512 || page_bytes > 65536 || (page_bytes & (page_bytes - 1)) != 0 ||
		bytes < 2 * (size_t)page_bytes)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *head = heads[i] = file + i * page_bytes;
		uint32_t again;

		memcpy(&magic, head + AT_META_MAGIC, sizeof(magic));
		memcpy(&version, head + AT_META_VERSION, sizeof(version));
		memcpy(&again, head + AT_META_TREES, sizeof(again));
		transactions[i] = get_u64(head + AT_META_TRANSACTION);
		if (get_u64(head) != i || !(get_u16(head + AT_FLAGS) & FLAG_META) || magic != META_MAGIC ||
			version != 1 || again != page_bytes ||
			(transactions[i] > 1 && transactions[i] % 2 != i))
			return false;
	}
	if (transactions[0] + 1 != transactions[1] && transactions[1] + 1 != transactions[0] &&
		(transactions[0] | transactions[1]) != 0)
		return false;
	*ret_page_bytes = page_bytes;
	*ret_head = heads[transactions[1] > transactions[0] ? 1 : 0];
	return true;
}

bool store_pages_are_sound(const void *file, size_t bytes)
{
	struct check check = {.file = file};
	const uint8_t *head;
	struct tree main_tree, free_tree;
	bool sound;

	if (!heads_are_sound(file, bytes, &check.page_bytes, &head))
		return false;
	check.pages = bytes / check.page_bytes;
	check.last = get_u64(head + AT_META_LAST);
	if (check.last < 1 || check.last > check.pages + UNWRITTEN_PAGES_MAX)
		return false;
	check.seen = calloc(check.last / 8 + 1, 1);
	if (check.seen == NULL)
		return false;
	free_tree = tree_read(head + AT_META_TREES);
	main_tree = tree_read(head + AT_META_TREES + TREE_BYTES);
	sound = tree_is_sound(&check, &main_tree, false, true) &&
		tree_is_sound(&check, &free_tree, true, false);
	free(check.seen);
	return sound;
}
