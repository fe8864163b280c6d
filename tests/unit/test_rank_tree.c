/* SPDX-License-Identifier: BSD-3-Clause
 * control/rank_tree.c against a sorted array: any sequence of insertions and removals leaves the same order
 * and ranks, and no order of insertions makes it deep. Fixed seed, so a failure repeats.
 */
#include <math.h>
#include <string.h>

#include "control/keyed_random.h"
#include "control/rank_tree.h"
#include "tests/check.h"

enum { ITEMS = 600, STEPS = 60000, LOOK_EVERY = 64, MANY = 1 << 17 };

struct item {
	uint32_t free_link; /* record_pool_give overwrites it */
	uint32_t value, tie;
};

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->tie < y->tie ? -1 : x->tie > y->tie;
}

static uint32_t model[ITEMS], n_model;

static void model_toggle(const struct record_pool *pool, uint32_t item, bool insert)
{
	uint32_t at = 0;
	while (at < n_model && model[at] != item &&
		(!insert || compare(record_pool_at(pool, model[at]), record_pool_at(pool, item)) < 0))
		at++;
	if (insert) {
		memmove(&model[at + 1], &model[at], (n_model++ - at) * sizeof(*model));
		model[at] = item;
	} else {
		memmove(&model[at], &model[at + 1], (--n_model - at) * sizeof(*model));
	}
}

/** Depth of the subtree, and every node within the balance. */
static unsigned depth_of(const struct rank_tree *tree, uint32_t item)
{
	if (item == RECORD_NONE)
		return 0;
	const struct rank_node *node = &tree->nodes[item >> RECORD_CHUNK_LOG2][item & (RECORD_CHUNK - 1)];
	unsigned left = depth_of(tree, node->left), right = depth_of(tree, node->right);
	return 1 + (left > right ? left : right);
}

static bool same_as_model(const struct rank_tree *tree, const struct record_pool *pool)
{
	if (!CHECK_EQ("as many", rank_tree_count(tree), n_model))
		return false;
	for (uint32_t i = 0; i < n_model; i++) {
		const struct item *item = record_pool_at(pool, model[i]);
		if (!CHECK_EQ("the item at each rank", rank_tree_at(tree, i), model[i]) ||
			!CHECK_EQ("as many before each", rank_tree_before(tree, item), i) ||
			!CHECK_EQ("each is found", rank_tree_find(tree, item), model[i]))
			return false;
	}
	return CHECK_EQ("nothing beyond the last", rank_tree_at(tree, n_model), RECORD_NONE);
}

static void test_model(void)
{
	struct record_pool pool;
	struct rank_tree tree;
	bool in[ITEMS] = {false};
	struct keyed_random random = keyed_random_from_seed(3, 3);
	record_pool_init(&pool, sizeof(struct item));
	rank_tree_init(&tree, &pool, compare);
	CHECK_EQ("room is made", rank_tree_reserve(&tree, ITEMS), 0);
	n_model = 0;
	for (uint32_t i = 0; i < ITEMS; i++) {
		uint32_t item;
		CHECK_EQ("a record", record_pool_take(&pool, &item), 0);
		/* Few values, so that ties decide. */
		*(struct item *)record_pool_at(&pool, item) =
			(struct item){.value = (uint32_t)keyed_random_below(&random, 40), .tie = i};
	}
	CHECK_EQ("an empty tree has no first", rank_tree_at(&tree, 0), RECORD_NONE);
	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t item = (uint32_t)keyed_random_below(&random, ITEMS);
		in[item] = !in[item];
		if (in[item])
			rank_tree_insert(&tree, item);
		else
			rank_tree_remove(&tree, item);
		model_toggle(&pool, item, in[item]);
		if (step % LOOK_EVERY == 0 && !same_as_model(&tree, &pool))
			break;
	}
	struct item lowest = {.value = 0}, highest = {.value = 40};
	CHECK_EQ("none before the lowest probe", rank_tree_before(&tree, &lowest), 0u);
	CHECK_EQ("all before the highest", rank_tree_before(&tree, &highest), n_model);
	CHECK_EQ("a probe that is no record is not found", rank_tree_find(&tree, &highest), RECORD_NONE);
	for (uint32_t i = 0; i < ITEMS; i++)
		if (in[i])
			rank_tree_remove(&tree, i);
	CHECK_EQ("and it empties", rank_tree_count(&tree), 0u);
	rank_tree_fini(&tree);
	record_pool_fini(&pool);
}

static void test_depth(void)
{
	struct record_pool pool;
	struct rank_tree tree;
	record_pool_init(&pool, sizeof(struct item));
	rank_tree_init(&tree, &pool, compare);
	CHECK_EQ("room is made", rank_tree_reserve(&tree, MANY), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t item;
		CHECK_EQ("a record", record_pool_take(&pool, &item), 0);
		*(struct item *)record_pool_at(&pool, item) = (struct item){.value = i};
		rank_tree_insert(&tree, item);
	}
	unsigned bound = (unsigned)(log2(MANY) / log2(4.0 / 3.0)) + 1;
	CHECK_TRUE("ascending insertions stay within the proven depth", depth_of(&tree, tree.root) <= bound);
	CHECK_TRUE("and near the least", depth_of(&tree, tree.root) <= 2 * 17);
	for (uint32_t i = 0; i < MANY; i++)
		if (i % 16 != 0)
			rank_tree_remove(&tree, i);
	CHECK_EQ("a sixteenth is left", rank_tree_count(&tree), MANY / 16u);
	CHECK_TRUE("and it is as flat as it should be", depth_of(&tree, tree.root) <= 2 * 13);
	rank_tree_fini(&tree);
	record_pool_fini(&pool);
}

static const struct check_test tests[] = {
	{"the tree is what a sorted array would be", test_model},
	{"no order makes it deep", test_depth},
};
CHECK_MAIN("rank_tree", tests)
