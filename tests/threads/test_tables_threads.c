// SPDX-License-Identifier: BSD-3-Clause
/* The tables that several threads share, under threads: bans with grace periods, lists under commands, exact
 * concurrency, pressure, proof. Built with -Db_sanitize=thread it also proves that no access races. Every
 * loop is bounded; results are checked by the thread that joins.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "dataplane/ban_table.h"
#include "dataplane/concurrency_table.h"
#include "dataplane/lists.h"
#include "dataplane/pressure_table.h"
#include "dataplane/proven_table.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

enum { THREADS = 4, READERS = 3 };

/* A registry of readers, as liburcu's QSBR has one: a reader counts its quiescent states, and a grace period
 * waits for one of each. */
struct reader {
	_Atomic uint64_t quiescent;
	uint64_t seed, looks, wrong;
	void *shared;
};
static struct reader readers[READERS];
static _Atomic bool readers_stop;
static pthread_barrier_t readers_start;

static void grace_wait(void)
{
	uint64_t before[READERS];

	for (int i = 0; i < READERS; i++)
		before[i] = atomic_load(&readers[i].quiescent);
	for (int i = 0; i < READERS; i++)
		while (atomic_load(&readers[i].quiescent) == before[i])
			sched_yield();
}

static void readers_run(void *(*run)(void *), void *shared, void (*write)(void *shared), uint64_t *ret_looks,
	uint64_t *ret_wrong)
{
	pthread_t threads[READERS];

	atomic_store(&readers_stop, false);
	CHECK_EQ("a barrier is made", pthread_barrier_init(&readers_start, NULL, READERS + 1), 0);
	for (int i = 0; i < READERS; i++) {
		readers[i].seed = (uint64_t)i;
		readers[i].looks = readers[i].wrong = 0;
		readers[i].shared = shared;
		CHECK_EQ("a reader starts", pthread_create(&threads[i], NULL, run, &readers[i]), 0);
	}
	pthread_barrier_wait(&readers_start);
	write(shared);
	atomic_store(&readers_stop, true);
	*ret_looks = *ret_wrong = 0;
	for (int i = 0; i < READERS; i++) {
		CHECK_EQ("a reader ends", pthread_join(threads[i], NULL), 0);
		*ret_looks += readers[i].looks;
		*ret_wrong += readers[i].wrong;
	}
	pthread_barrier_destroy(&readers_start);
}

/* Each key has one meta of its own, so a reader that gets another one has mixed two tenants of a slot. */
enum { BAN_KEYS = 64 };

static struct ban_key ban_key_make(uint64_t i)
{
	return (struct ban_key){i * UINT64_C(0x9e3779b97f4a7c15) >> 32, 0};
}

static void *ban_read(void *argument)
{
	struct reader *reader = argument;
	const struct ban_table *table = reader->shared;

	pthread_barrier_wait(&readers_start);
	do {
		for (int n = 0; n < 64; n++) {
			uint64_t i = random_next(&reader->seed) % BAN_KEYS, hash;
			uint32_t meta;

			ban_table_prefetch(table, ban_key_make(i), &hash);
			meta = ban_table_lookup(table, ban_key_make(i), hash);
			reader->wrong +=
				meta != 0 && meta != ban_meta_make(SOURCE_CLASS_BANNED, (uint32_t)i + 1);
			reader->wrong += i == 0 && meta == 0; /* key 0 is never cleared */
			reader->looks++;
		}
		atomic_fetch_add(&reader->quiescent, 1);
		sched_yield(); /* more threads than cores: let the writer have its turn */
	} while (!atomic_load_explicit(&readers_stop, memory_order_relaxed));
	atomic_store(&reader->quiescent, UINT64_MAX / 2); /* offline: one last step lets the writer go on */
	return NULL;
}

static void ban_write(void *shared)
{
	struct ban_table *table = shared;
	uint64_t random = 7;

	for (int step = 0; step < 5000; step++) {
		uint64_t pick = random_next(&random), i = 1 + pick % (BAN_KEYS - 1);

		if (!(pick >> 63)) {
			(void)ban_table_clear(table, ban_key_make(i));
		} else if (ban_table_set(table, ban_key_make(i),
				   ban_meta_make(SOURCE_CLASS_BANNED, (uint32_t)i + 1)) == -EAGAIN) {
			grace_wait();
			ban_table_grace_elapsed(table);
		}
	}
}

static void test_bans(void)
{
	static const struct {
		const char *name;
		enum ban_table_kind kind;
	} cases[] = {
		{"IPv4 words", BAN_TABLE_V4}, {"IPv6 sites", BAN_TABLE_V6}, {"exact IPv6", BAN_TABLE_EXACT}};

	for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
		struct ban_table *table = NULL;
		uint64_t looks, wrong;

		/* Declared far too small, so that slots are short and change hands all the time. */
		CHECK_EQ("a table is made",
			ban_table_create(cases[c].kind, 2, &test_key, &table_memory_heap, &table), 0);
		CHECK_EQ("key 0 is banned",
			ban_table_set(table, ban_key_make(0), ban_meta_make(SOURCE_CLASS_BANNED, 1)), 0);
		readers_run(ban_read, table, ban_write, &looks, &wrong);
		CHECK_TRUE("readers looked", looks > 0);
		CHECK_EQ(cases[c].name, wrong, 0u);
		ban_table_destroy(table);
	}
}

static struct prefix lists_prefix(uint32_t i)
{
	struct address address = address_from_v4(0x0a000000 | i << 8);

	return prefix_of(&address, 120);
}

static void *lists_read(void *argument)
{
	struct reader *reader = argument;

	pthread_barrier_wait(&readers_start);
	do {
		uint32_t i = (uint32_t)random_next(&reader->seed) % 2000;
		struct address address = address_from_v4(0x0a000001 | i << 8);
		struct lists_answer answer;

		lists_lookup(reader->shared, &address, 100, &answer);
		reader->wrong += answer.ban_meta != 0 &&
				 answer.ban_meta != ban_meta_make(SOURCE_CLASS_BANNED, 1000 + i);
		reader->wrong += answer.allowed;               /* never said */
		reader->wrong += i >= 1000 && answer.ban_meta; /* never banned */
		reader->looks++;
	} while (!atomic_load_explicit(&readers_stop, memory_order_relaxed));
	return NULL;
}

static void lists_write(void *shared)
{
	uint64_t random = 7;

	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)random_next(&random) % 1000;
		struct prefix prefix = lists_prefix(i);

		(void)lists_apply(shared, step & 1 ? COMMAND_BAN_CLEAR : COMMAND_BAN_SET, &prefix,
			ban_meta_make(SOURCE_CLASS_BANNED, 1000 + i));
	}
}

static void test_lists(void)
{
	struct image_view view;
	struct lists *lists = NULL;
	uint64_t looks, wrong;

	memset(&view, 0, sizeof(view));
	CHECK_EQ("empty lists are made", lists_create(&view, &test_key, &table_memory_heap, &lists), 0);
	readers_run(lists_read, lists, lists_write, &looks, &wrong);
	CHECK_TRUE("readers looked", looks > 0);
	CHECK_EQ("each answer is one that was true", wrong, 0u);
	lists_destroy(lists);
}

struct worker {
	void *table;
	uint64_t seed, count;
};

static uint64_t workers_run(void *(*run)(void *), void *table)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint64_t count = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.table = table, .seed = (uint64_t)i};
		CHECK_EQ("a thread starts", pthread_create(&threads[i], NULL, run, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		CHECK_EQ("a thread ends", pthread_join(threads[i], NULL), 0);
		count += workers[i].count;
	}
	return count;
}

/* All threads open and close connections of the same few prefixes, so that words appear and vanish under one
 * another. */
enum { CLIENTS = 16, KEPT = 3 };

static struct address client_make(uint64_t i)
{
	return address_v6_make(UINT64_C(0x20010db800000000) + (i << 8), 1);
}

static void *concurrency_work(void *argument)
{
	struct worker *worker = argument;

	for (int step = 0; step < 20000; step++) {
		struct address client = client_make(random_next(&worker->seed) % CLIENTS);
		uint8_t uncounted = concurrency_table_add(worker->table, &client);

		worker->count += uncounted != 0;
		concurrency_table_remove(worker->table, &client, uncounted);
	}
	for (uint64_t i = 0; i < CLIENTS * KEPT; i++) {
		struct address client = client_make(i % CLIENTS);

		worker->count += concurrency_table_add(worker->table, &client) != 0;
	}
	return NULL;
}

static void test_concurrency(void)
{
	struct concurrency_table *table = NULL;

	CHECK_EQ("a table is made", concurrency_table_create(1000, &test_key, &table_memory_heap, &table), 0);
	CHECK_EQ("each connection is counted", workers_run(concurrency_work, table), 0u);
	for (uint64_t i = 0; i < CLIENTS; i++) {
		struct address client = client_make(i);

		CHECK_EQ("each site has what was left open",
			concurrency_table_count(table, &client, IMAGE_LEVEL_HOST),
			(uint32_t)(THREADS * KEPT));
		CHECK_EQ("so has the prefix of all", concurrency_table_count(table, &client, IMAGE_LEVEL_MID),
			(uint32_t)(THREADS * KEPT * CLIENTS));
	}
	CHECK_EQ("and the total", concurrency_table_total(table), (uint64_t)THREADS * KEPT * CLIENTS);
	concurrency_table_destroy(table);
}

enum { CHARGES = 500 };

static void *pressure_work(void *argument)
{
	struct worker *worker = argument;
	struct address address = address_from_v4(0xc0000201);
	struct pressure_handle handle;

	for (int i = 0; i < CHARGES; i++) {
		pressure_table_prefetch(worker->table, &address, &handle);
		pressure_table_charge(
			worker->table, &handle, SECOND_NS, (uint32_t)random_next(&worker->seed));
	}
	return NULL;
}

static void test_pressure(void)
{
	struct pressure_table *table = NULL;
	struct address address = address_from_v4(0xc0000201);
	struct pressure_handle handle;

	CHECK_EQ("a table is made", pressure_table_create(1024, 1000, &test_key, &table_memory_heap, &table),
		0);
	pressure_table_prefetch(table, &address, &handle);
	/* The first charge acquires the lines' decay; what others add meanwhile may be lost, by design. */
	pressure_table_charge(table, &handle, SECOND_NS, 1);
	workers_run(pressure_work, table);
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		struct pressure_limits limits;

		for (int i = 0; i < IMAGE_LEVEL_COUNT; i++)
			limits.load[i] = i == level ? (THREADS * CHARGES + 1) * 16 : UINT32_MAX;
		CHECK_EQ("attempts of all threads are counted",
			(int)pressure_table_check(table, &handle, &limits, SECOND_NS), level);
		limits.load[level] += 16;
		CHECK_EQ("and none twice", (int)pressure_table_check(table, &handle, &limits, SECOND_NS),
			IMAGE_LEVEL_COUNT);
	}
	pressure_table_destroy(table);
}

/* Prices so high that each charge nearly fills a counter: what all threads add at once must not wrap it. */
static void *price_work(void *argument)
{
	struct worker *worker = argument;
	const uint32_t prices[IMAGE_LEVEL_COUNT] = {
		PRESSURE_PRICE_MAX, PRESSURE_PRICE_MAX, PRESSURE_PRICE_MAX, PRESSURE_PRICE_MAX};
	struct address address = address_from_v4(0xc0000201);
	struct pressure_handle handle;

	for (int i = 0; i < CHARGES * 20; i++) {
		pressure_table_prefetch(worker->table, &address, &handle);
		pressure_table_charge_priced(
			worker->table, &handle, prices, SECOND_NS, (uint32_t)random_next(&worker->seed));
	}
	return NULL;
}

static void test_prices(void)
{
	struct pressure_table *table = NULL;
	struct address address = address_from_v4(0xc0000201), neighbour = address_from_v4(0xc0000301);
	struct pressure_handle handle;
	uint32_t before = 0;

	CHECK_EQ("a table is made", pressure_table_create(1024, 60000, &test_key, &table_memory_heap, &table),
		0);
	workers_run(price_work, table);
	pressure_table_prefetch(table, &address, &handle);
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		uint32_t load = pressure_table_load(table, &handle, (enum image_level)level, SECOND_NS);

		CHECK_TRUE("full, and no less full than the level below", load >= 50000 && load >= before);
		before = load;
	}
	pressure_table_prefetch(table, &neighbour, &handle);
	CHECK_EQ("nothing ran over into the neighbour",
		pressure_table_load(table, &handle, IMAGE_LEVEL_NEAR, SECOND_NS), 0u);
	pressure_table_destroy(table);
}

enum { BURST = 1000 };
static const struct token_bucket_profile burst_only = {
	.interval_ns = SECOND_NS, .tolerance_ns = (BURST - 1) * SECOND_NS};

static uint64_t proven_hash(const struct proven_table *table, uint64_t i)
{
	struct address address = address_v6_make(i, i);
	uint64_t hash;

	proven_table_prefetch(table, &address, &hash);
	return hash;
}

static void *proven_spend(void *argument)
{
	struct worker *worker = argument;
	uint64_t hash = proven_hash(worker->table, 1);

	for (int i = 0; i < BURST; i++)
		worker->count +=
			proven_table_charge(worker->table, hash, 1, 0, &burst_only, SECOND_NS) == PROVEN_YES;
	return NULL;
}

/* More sources than places: entries are replaced all the time, and even numbers are never proven. */
static void *proven_churn(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < 20000; i++) {
		uint64_t pick = random_next(&worker->seed);

		proven_table_add(worker->table, proven_hash(worker->table, (pick % 1000) * 2 + 1), 1, 7,
			60000, SECOND_NS);
		worker->count += proven_table_charge(worker->table,
					 proven_hash(worker->table, (pick >> 32) % 1000 * 2), 1, 7,
					 &burst_only, SECOND_NS) != PROVEN_NO;
	}
	return NULL;
}

static void test_proven(void)
{
	struct proven_table *table = NULL;
	uint64_t spent;

	CHECK_EQ("a table is made", proven_table_create(256, &test_key, &table_memory_heap, &table), 0);
	proven_table_add(table, proven_hash(table, 1), 1, 0, 60000, SECOND_NS);
	spent = workers_run(proven_spend, table);
	CHECK_EQ("threads share one budget exactly", spent, (uint64_t)BURST);
	CHECK_EQ("no torn entry proves a stranger", workers_run(proven_churn, table), 0u);
	proven_table_destroy(table);
}

static const struct check_test tests[] = {
	{"readers of bans never see another key's meta", test_bans},
	{"readers of lists see what a command said", test_lists},
	{"concurrency is exact under threads", test_concurrency},
	{"pressure counts the attempts of all lcores", test_pressure},
	{"prices of all lcores do not wrap a counter", test_prices},
	{"proofs are not mixed up", test_proven},
};
CHECK_MAIN("tables_threads", tests)
