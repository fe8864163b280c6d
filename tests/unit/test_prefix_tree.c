/* SPDX-License-Identifier: BSD-3-Clause
 * control/prefix_tree.c against a plain array: any sequence of puts and removals, and after it every kind of
 * search, the order and the memory. Fixed seed, so a failure repeats.
 */
#include "control/prefix_tree.h"
#include "tests/check.h"

/* Enough for three levels of nodes; the array's searches stay cheap at one in SCAN_EVERY steps. */
enum { KEYS = 3000, STEPS = 300000, PHASE_STEPS = 20000, SCAN_EVERY = 500 };

static struct prefix keys[KEYS];
static uint32_t values[KEYS]; /* RECORD_NONE: not in the tree */
static struct prefix_tree tree;

static uint32_t next_random(void)
{
	static uint64_t state = UINT64_C(88172645463325252);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 11);
}

static bool is_repeated(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (prefix_compare(&keys[i], &keys[n]) == 0)
			return true;
	}
	return false;
}

/** Two thirds IPv4 from /8 up in a small range, one third IPv6 of any length: many cover one another. */
static void make_keys(void)
{
	for (unsigned i = 0; i < KEYS; i++) {
		do {
			struct address address = address_from_v4(next_random() & 0x0fffff);
			uint8_t length = (uint8_t)(104 + next_random() % 25);
			if (i % 3 == 0) {
				address.bytes[0] = 0x20;
				address.bytes[5] = (uint8_t)next_random();
				address.bytes[10] = address.bytes[11] = 0;
				length = (uint8_t)(next_random() % 129);
			}
			keys[i] = prefix_of(&address, length);
		} while (is_repeated(i));
		values[i] = RECORD_NONE;
	}
}

static bool check_covers(const struct prefix *prefix)
{
	bool within = false;
	unsigned wanted = 0, found = 0;
	int length = prefix->length;
	uint32_t value;
	for (unsigned i = 0; i < KEYS; i++) {
		within |= values[i] != RECORD_NONE && prefix_covers(prefix, &keys[i]);
		wanted += values[i] != RECORD_NONE && prefix_covers(&keys[i], prefix);
	}
	while (prefix_tree_next_cover(&tree, prefix, &length, NULL, &value))
		found++;
	return CHECK_EQ("an entry within a prefix is found", prefix_tree_covers_any(&tree, prefix, NULL),
		       within) &&
	       CHECK_EQ("entries that cover a prefix are found", found, wanted);
}

static bool check_order(void)
{
	struct prefix_cursor cursor = prefix_tree_seek(&tree, NULL);
	struct prefix_key key;
	struct prefix last = {.length = 0};
	uint64_t n = 0, wanted = 0;
	uint32_t value;
	while (prefix_tree_next(&tree, &cursor, &key, &value)) {
		struct prefix prefix = prefix_key_to(&key);
		if (n++ != 0 && !CHECK_TRUE("the walk is in order", prefix_compare(&last, &prefix) < 0))
			return false;
		last = prefix;
	}
	for (unsigned i = 0; i < KEYS; i++)
		wanted += values[i] != RECORD_NONE;
	return CHECK_EQ("the walk has every entry", n, wanted) &&
	       CHECK_EQ("their number is known", tree.n, wanted);
}

static bool step(unsigned number)
{
	unsigned i = next_random() % KEYS, j = next_random() % KEYS;
	struct prefix_key key = prefix_key_from(&keys[i]), other = prefix_key_from(&keys[j]);
	bool grows = number / PHASE_STEPS % 2 == 0;
	if (next_random() % 10 < (grows ? 7u : 2u)) {
		values[i] = next_random() & 0xffff;
		if (!CHECK_EQ("a put", prefix_tree_put(&tree, &key, values[i]), 0))
			return false;
	} else {
		bool had = values[i] != RECORD_NONE;
		values[i] = RECORD_NONE;
		if (!CHECK_EQ("a removal", prefix_tree_remove(&tree, &key), had))
			return false;
	}
	if (!CHECK_EQ("a search", prefix_tree_find(&tree, &other), values[j]))
		return false;
	return number % SCAN_EVERY != 0 || (check_covers(&keys[j]) && check_order());
}

static void test_model(void)
{
	make_keys();
	prefix_tree_init(&tree);
	for (unsigned i = 0; i < STEPS; i++) {
		if (!step(i))
			break;
	}
	for (unsigned i = 0; i < KEYS; i++) {
		struct prefix_key key = prefix_key_from(&keys[i]);
		prefix_tree_remove(&tree, &key);
	}
	CHECK_EQ("all can be removed", tree.n, (uint64_t)0);
	CHECK_EQ("no node is left", tree.leaves.n_used + tree.inners.n_used, 0u);
	prefix_tree_fini(&tree);
}

static const struct check_test tests[] = {
	{"the tree is what an array would be", test_model},
};
CHECK_MAIN("prefix_tree", tests)
