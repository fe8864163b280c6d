// SPDX-License-Identifier: BSD-3-Clause
/* rte_hash as weir-bench-tables measures it: it answers of the very keys it was given, and a lookup of what
 * is only read touches nothing but its own memory, since a line in a second array would make the peer slower
 * than its interface is. Memory for such arrays is made here, and can be locked.
 */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/tables_subject.h"
#include "tests/check.h"

enum { LOG2 = 12, MEMBERS = (4 << LOG2) / 5, BLOCKS_MAX = 16, BOOKKEEPING_BYTES = 4096 };

static const struct tables_subject *const peers[] = {&tables_rte_hash, &tables_rte_hash_keyed};
static const char *const kinds[TABLES_KEYS_COUNT] = {"IPv4", "IPv6", "flow"};
static struct {
	void *at;
	size_t bytes;
} blocks[BLOCKS_MAX];

void *huge_memory_allocate(void *context, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)context;
	for (unsigned i = 0; at != MAP_FAILED && i < BLOCKS_MAX; i++) {
		if (blocks[i].at)
			continue;
		blocks[i].at = at;
		blocks[i].bytes = bytes;
		return at;
	}
	return NULL;
}

void huge_memory_free(void *context, void *block, size_t bytes)
{
	(void)context;
	for (unsigned i = 0; block && i < BLOCKS_MAX; i++) {
		if (blocks[i].at == block)
			blocks[i].at = NULL;
	}
	if (block)
		munmap(block, bytes);
}

/* The table's arrays; not the few words that say where they are. */
static unsigned arrays_lock(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BLOCKS_MAX; i++)
		n += blocks[i].at && blocks[i].bytes > BOOKKEEPING_BYTES &&
		     mprotect(blocks[i].at, blocks[i].bytes, PROT_NONE) == 0;
	return n;
}

static void on_touch(int number)
{
	static const char words[] = "FAILED: a lookup touches an array beside rte_hash\n";

	(void)number;
	(void)!write(STDERR_FILENO, words, sizeof(words) - 1);
	_exit(1);
}

static unsigned burst(unsigned (*call)(void *, const struct tables_key[], unsigned), void *table,
	enum tables_keys keys, bool strangers)
{
	struct tables_key made[TABLES_BURST];
	unsigned hits = 0;

	for (unsigned i = 0; i < MEMBERS; i += TABLES_BURST) {
		unsigned n = MEMBERS - i < TABLES_BURST ? MEMBERS - i : TABLES_BURST;

		for (unsigned k = 0; k < n; k++)
			made[k] = tables_key_make(keys, strangers, i + k);
		hits += call(table, made, n);
	}
	return hits;
}

static void members_are_found_and_strangers_are_not(const struct tables_subject *peer, enum tables_keys keys)
{
	void *table = NULL;
	unsigned failed = 0;

	CHECK_EQ(kinds[keys], peer->create(keys, LOG2, &table), 0);
	if (keys != TABLES_FLOW)
		CHECK_EQ("who left and what changes", arrays_lock(), 2);
	CHECK_EQ(kinds[keys], burst(peer->lookup, table, keys, false), 0);
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct tables_key key = tables_key_make(keys, false, i);

		failed += peer->add(table, &key) != 0;
	}
	CHECK_EQ("all find room", failed, 0);
	CHECK_EQ(kinds[keys], burst(peer->lookup, table, keys, false), MEMBERS);
	CHECK_EQ(kinds[keys], burst(peer->lookup, table, keys, true), 0);
	peer->destroy(table);
}

static void charges_count_and_others_find_room(const struct tables_subject *peer, enum tables_keys keys)
{
	void *table = NULL;

	CHECK_EQ(kinds[keys], peer->create(keys, LOG2, &table), 0);
	CHECK_EQ("nobody was there", burst(peer->charge, table, keys, false), 0);
	CHECK_EQ("now all are", burst(peer->charge, table, keys, false), MEMBERS);
	CHECK_EQ("others find room, as somebody leaves for each", burst(peer->charge, table, keys, true), 0);
	CHECK_TRUE("of those before", burst(peer->charge, table, keys, false) < MEMBERS);
	peer->destroy(table);
}

static void test_peers(void)
{
	CHECK_TRUE("DPDK's environment starts", tables_environment_start());
	signal(SIGSEGV, on_touch);
	signal(SIGBUS, on_touch);
	for (unsigned i = 0; i < CHECK_COUNT(peers); i++) {
		for (enum tables_keys keys = 0; keys < TABLES_KEYS_COUNT; keys++) {
			members_are_found_and_strangers_are_not(peers[i], keys);
			charges_count_and_others_find_room(peers[i], keys);
		}
	}
}

static const struct check_test tests[] = {
	{"peers answer of the keys they were given, lookups of values from their own memory", test_peers}};
CHECK_MAIN("bench_peers", tests)
