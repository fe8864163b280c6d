/* SPDX-License-Identifier: BSD-3-Clause
 * The address book on disk: what policy.md 5.5.16 says persists comes back after a restart, what it says is
 * runtime does not, and loading keeps to the rules of the day (SP-5, SP-11, HE-5). Files of an older Weir
 * have no book and open as before. Fixed seed.
 */
#include <lmdb.h>

#include "control/keyed_random.h"
#include "tests/unit/store_fixture.h"

#define NOW_MS WALL_MS
enum { STEPS = 3000, ADDRESSES = 60 };

static struct store *open_store;
static struct address_book *book;

static void on_changed(void *context, const struct book_record *record)
{
	(void)context;
	CHECK_EQ("stored", store_put_book(open_store, record), 0);
}

static void on_removed(void *context, const struct book_record *record, const char *why)
{
	(void)context;
	(void)why;
	CHECK_EQ("deleted", store_delete_book(open_store, &record->address, record->port), 0);
}

static void on_cleared(void *context)
{
	(void)context;
	CHECK_EQ("cleared", store_clear_book(open_store), 0);
}

static const struct address_book_effects effects = {NULL, on_changed, on_removed, on_cleared};

static bool load_record(void *context, const struct book_record *record)
{
	(void)context;
	struct store_status before, after;
	store_status(open_store, &before);
	bool kept = address_book_load(book, record, NOW_MS) <= BOOK_REFRESHED;
	store_status(open_store, &after);
	CHECK_EQ("loading writes nothing", after.queued, before.queued);
	return kept;
}

/** Close the store, open it again, and fill a new book from it. */
static void restart(const struct address_book_config *config, struct store_load_stats *ret_stats)
{
	struct store_visitor visitor = {.book = load_record};
	CHECK_EQ("closed", store_close(open_store), 0);
	open_store = store_begin_plain();
	CHECK_EQ("opened", store_report.flags, (unsigned)STORE_OPENED);
	address_book_destroy(book);
	book = NULL;
	CHECK_EQ("a new book", address_book_create(config, &effects, &book), 0);
	CHECK_EQ("loaded", store_load(open_store, &visitor, ret_stats), 0);
}

static struct address_book_config config_of_test(void)
{
	struct address_book_config config;
	address_book_config_default(&config);
	config.capacity = 40;
	config.counters = counters_dugite;
	config.backoff = backoff_dugite;
	config.seed = 3;
	return config;
}

static void step(struct keyed_random *random, int64_t now_ms)
{
	struct book_endpoint endpoint = {
		address_from_v4(0x14000000 + (uint32_t)keyed_random_below(random, ADDRESSES) * 65537), 1};
	struct book_record values = {.address = endpoint.address,
		.port = endpoint.port,
		.type = (uint8_t)keyed_random_below(random, BOOK_TYPE_COUNT),
		.category = (uint8_t)keyed_random_below(random, PEER_CATEGORY_COUNT),
		.source = (uint8_t)keyed_random_below(random, PEER_SOURCE_COUNT),
		.verified = true};
	switch (keyed_random_below(random, 6)) {
	case 0:
	case 1:
		(void)address_book_put(book, &values,
			BOOK_PUT_TYPE | BOOK_PUT_CATEGORY | BOOK_PUT_SOURCE | BOOK_PUT_VERIFIED, now_ms,
			NULL);
		break;
	case 2:
		(void)address_book_outcome(book, &endpoint, true, now_ms);
		break;
	case 3:
		(void)address_book_outcome(book, &endpoint, false, now_ms);
		break;
	case 4:
		(void)address_book_update(
			book, &endpoint, BOOK_TYPE_COUNT, false, BOOK_BACKOFF_INCREASE, now_ms, NULL);
		break;
	default:
		if (keyed_random_below(random, 10) == 0)
			(void)address_book_remove(book, &endpoint, "asked");
		else if (keyed_random_below(random, 300) == 0)
			address_book_clear(book);
	}
}

static bool same_persisted(const struct book_record *a, const struct book_record *b)
{
	return address_compare(&a->address, &b->address) == 0 && a->port == b->port &&
	       a->first_seen_ms == b->first_seen_ms && a->last_seen_ms == b->last_seen_ms &&
	       a->last_try_ms == b->last_try_ms && a->last_ok_ms == b->last_ok_ms &&
	       a->next_try_ms == b->next_try_ms && a->ok == b->ok && a->fail == b->fail &&
	       a->failures == b->failures && a->type == b->type && a->category == b->category &&
	       a->source == b->source && a->verified == b->verified && a->quality == b->quality &&
	       a->ready == b->ready && a->hash == b->hash;
}

static void test_restart(void)
{
	struct address_book_config config = config_of_test();
	struct keyed_random random = keyed_random_from_seed(19, 9);
	static struct book_record before[ADDRESSES];
	const struct book_record *records[BOOK_ANSWER_MAX];
	struct book_endpoint best[8], again[8];
	struct store_load_stats stats;
	directory_begin();
	open_store = store_begin_plain();
	CHECK_EQ("a book", address_book_create(&config, &effects, &book), 0);
	for (unsigned i = 0; i < STEPS; i++)
		step(&random, NOW_MS - (STEPS - (int64_t)i) * 1000);
	(void)address_book_advance(book, NOW_MS, UINT32_MAX);
	size_t n = address_book_list(book, BOOK_ANSWER_MAX, NULL, records);
	size_t n_best = address_book_best(book, 8, NULL, NOW_MS, best);
	for (size_t i = 0; i < n; i++)
		before[i] = *records[i];
	CHECK_TRUE("many were left", n > 20);
	restart(&config, &stats);
	CHECK_EQ("SP-5: as many are read", stats.book, (uint64_t)n);
	CHECK_EQ("none is damaged", stats.damaged, (uint64_t)0);
	CHECK_EQ("HE-5: as many are known", address_book_list(book, BOOK_ANSWER_MAX, NULL, records), n);
	bool runtime = false;
	for (size_t i = 0; i < n && i < address_book_count(book); i++) {
		CHECK_TRUE("SP-5: with what they had", same_persisted(records[i], &before[i]));
		runtime = runtime || records[i]->decayed.count != 0 ||
			  records[i]->circuit.state != CIRCUIT_CLOSED || records[i]->connected;
	}
	CHECK_FALSE("SP-11: and nothing of what is runtime", runtime);
	CHECK_EQ("as many good ones", address_book_best(book, 8, NULL, NOW_MS, again), n_best);
	CHECK_MEM_EQ("the same ones", again, best, n_best * sizeof(*best));
	address_book_destroy(book);
	book = NULL;
	store_close(open_store);
	directory_end();
}

static void test_rules_of_the_day(void)
{
	struct address_book_config config = config_of_test();
	struct book_record values = {.address = address_from_v4(0x0a000001), .port = 7, .ok = 3};
	struct store_load_stats stats;
	directory_begin();
	open_store = store_begin_plain();
	config.allow_private = true;
	CHECK_EQ("a book", address_book_create(&config, &effects, &book), 0);
	CHECK_EQ("a private address", address_book_put(book, &values, BOOK_PUT_OK, NOW_MS, NULL), BOOK_ADDED);
	values.address = address_from_v4(0x14000001);
	CHECK_EQ("a public one", address_book_put(book, &values, BOOK_PUT_OK, NOW_MS, NULL), BOOK_ADDED);
	config.allow_private = false;
	restart(&config, &stats);
	CHECK_EQ("SP-5: both are read", stats.book, 2u);
	CHECK_EQ("SP-5: one is no longer allowed", address_book_count(book), 1u);
	CHECK_EQ("and leaves the disk", stats.dropped, 1u);
	restart(&config, &stats);
	CHECK_EQ("for good", stats.book, 1u);
	CHECK_EQ("emptied", store_clear_book(open_store), 0);
	CHECK_EQ("and one comes after it", store_put_book(open_store, &values), 0);
	restart(&config, &stats);
	CHECK_EQ("a clearing holds for what was before it", stats.book, 1u);
	address_book_destroy(book);
	book = NULL;
	store_close(open_store);
	directory_end();
}

static void test_clearing_is_of_the_book(void)
{
	struct ban ban = ban_of(0xc0000201, GOVERNOR_NEVER_MS);
	struct book_record record = {.address = address_from_v4(0x14000001), .port = 7};
	directory_begin();
	open_store = store_begin_plain();
	CHECK_EQ("a ban", store_put_ban(open_store, &ban), 0);
	CHECK_TRUE("on disk", store_settle(open_store));
	CHECK_EQ("an address", store_put_book(open_store, &record), 0);
	CHECK_EQ("emptied", store_clear_book(open_store), 0);
	CHECK_TRUE("on disk", store_settle(open_store));
	CHECK_EQ("load", load_all(open_store), 0);
	CHECK_EQ("the book is empty", loaded.stats.book, 0u);
	CHECK_EQ("bans are not", loaded.n_bans, 1u);
	CHECK_EQ("an address again", store_put_book(open_store, &record), 0);
	CHECK_EQ("everything anew", store_resync_begin(open_store), 0);
	CHECK_TRUE("on disk", store_settle(open_store));
	CHECK_EQ("load", load_all(open_store), 0);
	CHECK_EQ("that empties all", loaded.stats.book + loaded.n_bans, 0u);
	store_close(open_store);
	directory_end();
}

static void test_batches(void)
{
	struct store_status before, after;
	directory_begin();
	/* Nothing is committed before it is asked for: an hour's interval. */
	open_store = store_begin(&(struct store_config){.commit_interval_ms = 3600000});
	store_status(open_store, &before);
	for (uint32_t i = 0; i < 1000; i++) {
		struct book_record record = {.address = address_from_v4(0x14000000 + i), .port = 7};
		CHECK_EQ("an address", store_put_book(open_store, &record), 0);
	}
	CHECK_TRUE("on disk", store_settle(open_store));
	store_status(open_store, &after);
	CHECK_EQ("LO-16: a thousand changes are one commit", after.commits - before.commits, 1u);
	CHECK_EQ("load", load_all(open_store), 0);
	CHECK_EQ("LO-16: and none is lost", loaded.stats.book, 1000u);
	store_close(open_store);
	directory_end();
}

/** Take the book's table out of the file, as a Weir that did not know it left it. */
static void table_remove(void)
{
	MDB_env *environment;
	MDB_txn *transaction;
	MDB_dbi table;
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.mdb", store_directory);
	CHECK_EQ("lmdb", mdb_env_create(&environment), 0);
	mdb_env_set_maxdbs(environment, 8);
	CHECK_EQ("the file", mdb_env_open(environment, path, MDB_NOSUBDIR, 0600), 0);
	CHECK_EQ("a change", mdb_txn_begin(environment, NULL, 0, &transaction), 0);
	CHECK_EQ("the table", mdb_dbi_open(transaction, "book", 0, &table), 0);
	CHECK_EQ("goes", mdb_drop(transaction, table, 1), 0);
	CHECK_EQ("for good", mdb_txn_commit(transaction), 0);
	mdb_env_close(environment);
}

static void test_older_file(void)
{
	struct ban ban = ban_of(0xc0000201, GOVERNOR_NEVER_MS);
	directory_begin();
	open_store = store_begin_plain();
	CHECK_EQ("a ban", store_put_ban(open_store, &ban), 0);
	CHECK_EQ("closed", store_close(open_store), 0);
	table_remove();
	open_store = store_begin_plain();
	CHECK_EQ("a file without a book is opened", store_report.flags, (unsigned)STORE_OPENED);
	CHECK_EQ("load", load_all(open_store), 0);
	CHECK_EQ("with its bans", loaded.n_bans, 1u);
	store_close(open_store);
	directory_end();
}

static const struct check_test tests[] = {
	{"a restart", test_restart},
	{"loading keeps to the rules of the day", test_rules_of_the_day},
	{"clearing", test_clearing_is_of_the_book},
	{"batches", test_batches},
	{"a file of an older Weir", test_older_file},
};
CHECK_MAIN("store_book", tests)
