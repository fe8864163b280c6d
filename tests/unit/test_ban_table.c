// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/ban_table.h: against a naive model, at declared capacity, around grace periods, expiry
 * and memory. */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/ban_table.h"
#include "dataplane/ban_table_private.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

static const struct {
	const char *name;
	enum ban_table_kind kind;
} kinds[] = {{"IPv4", BAN_TABLE_V4}, {"IPv6 sites", BAN_TABLE_V6}, {"exact IPv6", BAN_TABLE_EXACT}};

static struct ban_key key_random(enum ban_table_kind kind, uint64_t *random)
{
	uint64_t high = random_next(random), low = random_next(random);

	return (struct ban_key){kind == BAN_TABLE_V4 ? high >> 32 : high, kind == BAN_TABLE_EXACT ? low : 0};
}

static uint32_t meta_for(uint32_t end_s)
{
	return ban_meta_make(SOURCE_CLASS_BANNED, end_s);
}

static uint32_t look(const struct ban_table *table, struct ban_key key)
{
	uint64_t hash;

	ban_table_prefetch(table, key, &hash);
	return ban_table_lookup(table, key, hash);
}

/* A burst of random size, some keys twice, sees what single lookups see. */
static unsigned burst_differences(const struct ban_table *table, const struct ban_key keys[], unsigned n_keys, uint64_t *random)
{
	struct ban_key burst[BAN_TABLE_BURST_MAX];
	uint32_t metas[BAN_TABLE_BURST_MAX];
	unsigned n = (unsigned)(random_next(random) % (BAN_TABLE_BURST_MAX + 1)), differences = 0;

	for (unsigned i = 0; i < n; i++)
		burst[i] = keys[random_next(random) % n_keys];
	ban_table_lookup_burst(table, burst, n, metas);
	for (unsigned i = 0; i < n; i++)
		differences += metas[i] != look(table, burst[i]);
	return differences;
}

/* Few distinct keys, so that sets, renewals, clears and clears of nothing all happen often. */
static void test_model(void)
{
	enum { KEYS = 400, STEPS = 100000 };

	for (size_t k = 0; k < CHECK_COUNT(kinds); k++) {
		struct ban_table *table = NULL;
		struct ban_key keys[KEYS];
		uint32_t model[KEYS] = {0};
		uint64_t random = k, live = 0;
		unsigned wrong = 0;

		CHECK_EQ(kinds[k].name,
			ban_table_create(kinds[k].kind, KEYS, &test_key, &table_memory_heap, &table), 0);
		for (int i = 0; i < KEYS; i++)
			keys[i] = key_random(kinds[k].kind, &random);
		keys[0] = (struct ban_key){0, 0}; /* 0.0.0.0 and :: are keys like others */
		for (int step = 0; step < STEPS; step++) {
			uint64_t pick = random_next(&random);
			int i = (int)(pick % KEYS), result;

			if (pick >> 62) {
				uint32_t meta = meta_for((uint32_t)(pick >> 32) & 0xffff);

				result = ban_table_set(table, keys[i], meta);
				if (result == -EAGAIN) {
					ban_table_grace_elapsed(table);
					result = ban_table_set(table, keys[i], meta);
				}
				wrong += result != 0;
				live += model[i] == 0;
				model[i] = meta;
			} else {
				wrong += ban_table_clear(table, keys[i]) != (model[i] ? 0 : -ENOENT);
				live -= model[i] != 0;
				model[i] = 0;
			}
			i = (int)(random_next(&random) % KEYS);
			wrong += look(table, keys[i]) != model[i];
			wrong += ban_table_count(table) != live;
			wrong += step % 16 == 0 ? burst_differences(table, keys, KEYS, &random) : 0;
		}
		CHECK_EQ(kinds[k].name, wrong, 0u);
		ban_table_destroy(table);
	}
}

static void test_capacity(void)
{
	static const struct {
		const char *name;
		enum ban_table_kind kind;
		uint64_t capacity;
		double bytes_max; /* an entry; 0 = not promised */
	} cases[] = {
		{"a single IPv4 ban", BAN_TABLE_V4, 1, 0},
		{"100 IPv4 bans", BAN_TABLE_V4, 100, 0},
		{"10,000 IPv4 bans", BAN_TABLE_V4, 10000, 10.5},
		{"a million IPv4 bans take at most 10 bytes each", BAN_TABLE_V4, 1000000, 10},
		{"a single IPv6 ban", BAN_TABLE_V6, 1, 0},
		{"100 IPv6 bans", BAN_TABLE_V6, 100, 0},
		{"a million IPv6 bans take at most 20 bytes each", BAN_TABLE_V6, 1000000, 20},
		{"100 exact bans", BAN_TABLE_EXACT, 100, 0},
		{"200,000 exact bans", BAN_TABLE_EXACT, 200000, 0},
	};

	for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
		struct ban_table *table = NULL;
		uint64_t random = c + 1000, replay = random, refused = 0, missing = 0, strangers = 0;

		CHECK_EQ(cases[c].name,
			ban_table_create(
				cases[c].kind, cases[c].capacity, &test_key, &table_memory_heap, &table),
			0);
		while (ban_table_count(table) < cases[c].capacity && refused == 0)
			refused += ban_table_set(table, key_random(cases[c].kind, &random), meta_for(7)) != 0;
		CHECK_EQ(cases[c].name, refused, 0u);
		while (replay != random)
			missing += look(table, key_random(cases[c].kind, &replay)) != meta_for(7);
		CHECK_EQ(cases[c].name, missing, 0u);
		for (unsigned i = 0; i < 10000 && cases[c].kind != BAN_TABLE_V4; i++)
			strangers += look(table, key_random(cases[c].kind, &random)) != 0;
		CHECK_EQ(cases[c].name, strangers, 0u);
		if (cases[c].bytes_max > 0)
			CHECK_TRUE(
				cases[c].name, (double)ban_table_bytes(table) / (double)cases[c].capacity <=
						       cases[c].bytes_max);
		ban_table_destroy(table);
	}
}

/* The cost of a full table: what does not fit is refused, and never at the price of what is there. */
static void test_overfull(void)
{
	for (size_t k = 0; k < CHECK_COUNT(kinds); k++) {
		struct ban_table *table = NULL;
		uint64_t random = 5, replay = 5, stored = 0, missing = 0, refused = 0;
		enum { TRIES = 4000 };
		bool accepted[TRIES];

		CHECK_EQ(kinds[k].name,
			ban_table_create(kinds[k].kind, 1000, &test_key, &table_memory_heap, &table), 0);
		for (int i = 0; i < TRIES; i++) {
			int result = ban_table_set(table, key_random(kinds[k].kind, &random), meta_for(9));

			accepted[i] = result == 0;
			stored += result == 0;
			refused += result == -ENOSPC;
		}
		CHECK_TRUE(kinds[k].name, refused > 0 && stored + refused == TRIES);
		CHECK_EQ(kinds[k].name, ban_table_count(table), stored);
		for (int i = 0; i < TRIES; i++) {
			struct ban_key key = key_random(kinds[k].kind, &replay);
			uint32_t meta;

			ban_table_lookup_burst(table, &key, 1, &meta);
			missing += look(table, key) != (accepted[i] ? meta_for(9) : 0);
			missing += meta != (accepted[i] ? meta_for(9) : 0);
		}
		CHECK_EQ(kinds[k].name, missing, 0u);
		ban_table_destroy(table);
	}
}

/* Fill until one set is refused, free one entry that this key could replace, and see who may have the slot.
 */
static void test_grace(void)
{
	for (size_t k = 1; k < CHECK_COUNT(kinds); k++) {
		struct ban_table *table = NULL;
		struct ban_key keys[4000], late;
		uint64_t random = 77;
		unsigned n = 0;
		int result;

		CHECK_EQ(kinds[k].name,
			ban_table_create(kinds[k].kind, 100, &test_key, &table_memory_heap, &table), 0);
		for (;;) {
			late = key_random(kinds[k].kind, &random);
			result = ban_table_set(table, late, meta_for(9));
			if (result || n == CHECK_COUNT(keys))
				break;
			keys[n++] = late;
		}
		CHECK_EQ("the table is full for this key", result, -ENOSPC);
		for (unsigned i = 0; i < n; i++)
			CHECK_EQ("every entry is freed", ban_table_clear(table, keys[i]), 0);
		CHECK_EQ("while a reader may be held, no freed slot is given away",
			ban_table_set(table, late, meta_for(9)), -EAGAIN);
		CHECK_EQ("and the key is not there", look(table, late), 0u);
		CHECK_EQ("nor is the old one", look(table, keys[0]), 0u);
		ban_table_grace_elapsed(table);
		CHECK_EQ("after a grace period it is", ban_table_set(table, late, meta_for(9)), 0);
		CHECK_EQ("and found", look(table, late), meta_for(9));
		ban_table_destroy(table);
	}
}

/* A reader is a pair of steps: it has loaded the meta of a slot, and will compare the key. The slot's key
 * must still be the one the meta belongs to, whatever the writer does, until a grace period ends. */
static void test_held_reader(void)
{
	struct ban_table *table = NULL;
	struct ban_key victim = {UINT64_C(0x20010db800000001), 0};
	uint64_t hash, random = 3;
	union ban_bucket *bucket;
	unsigned slot = 99, moved = 0;
	uint32_t held_meta;

	CHECK_EQ("a table is made", ban_table_create(BAN_TABLE_V6, 20, &test_key, &table_memory_heap, &table),
		0);
	CHECK_EQ("a site is banned", ban_table_set(table, victim, meta_for(1)), 0);
	ban_table_prefetch(table, victim, &hash);
	bucket = &table->buckets[ban_index_first(table, hash)];
	held_meta = ban_bucket_lookup(bucket, BAN_TABLE_V6, victim, &slot);
	if (!CHECK_EQ("a reader holds its meta", held_meta, meta_for(1)))
		return;
	CHECK_EQ("the ban is lifted", ban_table_clear(table, victim), 0);
	for (int i = 0; i < 2000; i++) {
		(void)ban_table_set(table, key_random(BAN_TABLE_V6, &random), meta_for(2));
		moved += bucket->v6.sites[slot] != victim.high;
	}
	CHECK_EQ("2000 new bans leave the key under the reader alone", moved, 0u);
	ban_table_grace_elapsed(table);
	for (int i = 0; i < 2000; i++) {
		(void)ban_table_set(table, key_random(BAN_TABLE_V6, &random), meta_for(2));
		moved += bucket->v6.sites[slot] != victim.high;
	}
	CHECK_TRUE("after the grace period the slot is used again", moved > 0);
	ban_table_destroy(table);
}

static void test_grace_wraps(void)
{
	struct ban_table *table = NULL;
	struct ban_key key = {42, 0};
	unsigned wrong = 0;

	CHECK_EQ("a table is made", ban_table_create(BAN_TABLE_V6, 1, &test_key, &table_memory_heap, &table),
		0);
	for (int i = 0; i < 1000; i++) {
		int result = ban_table_set(table, key, meta_for(5));

		if (result == -EAGAIN) {
			ban_table_grace_elapsed(table);
			result = ban_table_set(table, key, meta_for(5));
		}
		wrong += result != 0 || look(table, key) != meta_for(5) || ban_table_clear(table, key) != 0;
		if (i % 3 == 0)
			ban_table_grace_elapsed(table);
	}
	CHECK_EQ("a slot can be freed and used through many generations", wrong, 0u);
	ban_table_destroy(table);
}

static void test_expiry(void)
{
	static const struct {
		const char *name;
		uint32_t end_s, now_s;
		bool freed;
	} cases[] = {
		{"a ban is in force before its end", 100, 99, false},
		{"a ban ends at its end", 100, 100, true},
		{"a ban has ended after its end", 100, 101, true},
		{"a ban without an end stays", BAN_META_NEVER, BAN_META_NEVER, false},
	};

	for (size_t k = 0; k < CHECK_COUNT(kinds); k++)
		for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
			struct ban_table *table = NULL;
			struct ban_key key = {7, 0};

			CHECK_EQ(kinds[k].name,
				ban_table_create(kinds[k].kind, 100, &test_key, &table_memory_heap, &table),
				0);
			CHECK_EQ(cases[c].name, ban_table_set(table, key, meta_for(cases[c].end_s)), 0);
			CHECK_EQ(cases[c].name, ban_table_expire_step(table, cases[c].now_s, UINT32_MAX),
				cases[c].freed ? 1u : 0u);
			CHECK_EQ(cases[c].name, ban_table_count(table), cases[c].freed ? 0u : 1u);
			CHECK_EQ(cases[c].name, look(table, key),
				cases[c].freed ? 0 : meta_for(cases[c].end_s));
			ban_table_destroy(table);
		}
}

static void test_expiry_budget(void)
{
	struct ban_table *table = NULL;
	uint64_t random = 8;
	unsigned freed = 0, steps = 0, buckets;

	CHECK_EQ("a table is made",
		ban_table_create(BAN_TABLE_V4, 1000, &test_key, &table_memory_heap, &table), 0);
	buckets = table->n_buckets + table->n_stash;
	for (int i = 0; i < 1000; i++)
		(void)ban_table_set(table, key_random(BAN_TABLE_V4, &random), meta_for(5));
	for (; steps < buckets; steps++) {
		unsigned n = ban_table_expire_step(table, 6, 1);

		freed += n;
		if (n > BAN_SLOTS_V4)
			CHECK_FAIL("one step looks at one bucket only", "freed %u", n);
	}
	CHECK_EQ("a round of single steps frees everything", freed, 1000u);
	CHECK_EQ("a budget of nothing does nothing", ban_table_expire_step(table, 6, 0), 0u);
	CHECK_EQ("an empty stash costs readers nothing", table->stash_count, 0u);
	ban_table_destroy(table);
}

static void test_arguments(void)
{
	struct ban_table *table = NULL, *untouched = (struct ban_table *)&kinds;

	CHECK_EQ("no capacity", ban_table_create(BAN_TABLE_V4, 0, &test_key, &table_memory_heap, &untouched),
		-EINVAL);
	CHECK_EQ("an unknown kind",
		ban_table_create((enum ban_table_kind)9, 10, &test_key, &table_memory_heap, &untouched),
		-EINVAL);
	CHECK_PTR_EQ("a failure leaves the pointer", untouched, (struct ban_table *)&kinds);
	CHECK_EQ("a table is made", ban_table_create(BAN_TABLE_V4, 10, &test_key, &table_memory_heap, &table),
		0);
	CHECK_EQ("a meta of 0 means no entry and is refused", ban_table_set(table, (struct ban_key){1, 0}, 0),
		-EINVAL);
	CHECK_EQ("a key beyond 32 bits is refused",
		ban_table_set(table, (struct ban_key){UINT64_C(1) << 32, 0}, meta_for(1)), -EINVAL);
	CHECK_EQ("its capacity is told", ban_table_capacity(table), 10u);
	ban_table_destroy(table);
	ban_table_destroy(NULL);
}

static const struct check_test tests[] = {
	{"a table behaves like a list of bans", test_model},
	{"the declared capacity always fits", test_capacity},
	{"a full table refuses and forgets nothing", test_overfull},
	{"a freed slot waits for a grace period", test_grace},
	{"a held reader's key is not replaced", test_held_reader},
	{"grace generations wrap", test_grace_wraps},
	{"bans end by themselves", test_expiry},
	{"expiry keeps to its budget", test_expiry_budget},
	{"wrong arguments are refused", test_arguments},
};
CHECK_MAIN("ban_table", tests)
