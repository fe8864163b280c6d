/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/store.h on a real disk: what is put comes back, what ends goes away, and limits are told instead of
 * lost. Damage and sudden death have their own executable (test_store_damage.c).
 */
#include <endian.h>
#include <errno.h>
#include <sys/wait.h>

#include "control/store_private.h"
#include "shm/segment.h"
#include "tests/unit/store_fixture.h"

#define HOUR_MS INT64_C(3600000)

static void fill(char *text, size_t bytes, char with)
{
	memset(text, with, bytes - 1);
	text[bytes - 1] = '\0';
}

static struct ban ban_case(const char *prefix, const char *id, enum ban_tier tier, bool full, double score)
{
	struct ban ban = {.scope = id != NULL ? BAN_SCOPE_PEER : BAN_SCOPE_PREFIX, .tier = tier, .start_ms = WALL_MS,
		.end_ms = full ? GOVERNOR_NEVER_MS : WALL_MS + HOUR_MS, .score = score,
		.freeze_until_ms = score != 0.0 ? WALL_MS + 1000 : 0};

	if (id == NULL)
		prefix_parse(prefix, &ban.prefix);
	else
		snprintf(ban.id, sizeof(ban.id), "%s", id);
	if (full) {
		fill(ban.reason, sizeof(ban.reason), 'r');
		fill(ban.evidence, sizeof(ban.evidence), 'e');
		fill(ban.source, sizeof(ban.source), 's');
	}
	return ban;
}

static void test_bans_return(void)
{
	static char long_id[GOVERNOR_ID_MAX];
	struct {
		const char *name, *prefix, *id;
		enum ban_tier tier;
		bool full;
		double score;
	} cases[] = {
		{"an address of IPv4", "203.0.113.9", NULL, BAN_TIER_STRIKE, false, 0},
		{"a prefix of IPv4 with full texts, for ever", "203.0.113.0/24", NULL, BAN_TIER_MANUAL, true, 0},
		{"a score's ban with its freeze", "203.0.113.9", NULL, BAN_TIER_SCORE, false, -57.25},
		{"a /56 of IPv6", "2001:db8:0:100::/56", NULL, BAN_TIER_ADDRESS, false, 0},
		{"all of IPv4", "0.0.0.0/0", NULL, BAN_TIER_MANUAL, false, 0},
		{"all of IPv6", "::/0", NULL, BAN_TIER_MANUAL, true, 0},
		{"a peer with a short id", NULL, "p", BAN_TIER_SCORE, false, -100},
		{"a peer with the longest id and full texts", NULL, long_id, BAN_TIER_MANUAL, true, 0},
	};
	struct store *store;

	fill(long_id, sizeof(long_id), 'i');
	directory_begin();
	store = store_begin_plain();
	CHECK_EQ("a new directory gets a new file", store_report.flags, (unsigned)STORE_CREATED);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct ban ban = ban_case(cases[i].prefix, cases[i].id, cases[i].tier, cases[i].full, cases[i].score);
		CHECK_EQ(cases[i].name, store_put_ban(store, &ban), 0);
	}
	CHECK_EQ("close commits", store_close(store), 0);
	store = store_begin_plain();
	CHECK_EQ("an old file is opened", store_report.flags, (unsigned)STORE_OPENED);
	CHECK_EQ("load", load_all(store), 0);
	CHECK_EQ("no ban is lost or doubled", loaded.n_bans, (unsigned)CHECK_COUNT(cases));
	CHECK_EQ("none is damaged", loaded.stats.damaged, 0u);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct ban ban = ban_case(cases[i].prefix, cases[i].id, cases[i].tier, cases[i].full, cases[i].score);
		bool found = false;

		for (unsigned j = 0; j < loaded.n_bans; j++)
			found |= bans_equal(&loaded.bans[j], &ban);
		CHECK_TRUE(cases[i].name, found);
	}
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct ban ban = ban_case(cases[i].prefix, cases[i].id, cases[i].tier, cases[i].full, cases[i].score);
		CHECK_EQ(cases[i].name, store_delete_ban(store, &ban), 0);
		CHECK_TRUE(cases[i].name, store_settle(store));
		load_all(store);
		CHECK_EQ(cases[i].name, loaded.n_bans, (unsigned)(CHECK_COUNT(cases) - i - 1));
	}
	store_close(store);
	directory_end();
}

static void append(struct store_value *value, const void *data, size_t bytes)
{
	memcpy(value->data + value->n, data, bytes);
	value->n = (uint16_t)(value->n + bytes);
}

/** The record of an id's permanent T5 as Weir wrote it before it stored where ids were seen, byte by byte. */
static void earlier_record(const struct store_bytes *key, struct store_value *value)
{
	const uint64_t numbers[] = {htole64((uint64_t)WALL_MS), htole64((uint64_t)GOVERNOR_NEVER_MS), 0, 0};

	value->n = 4; /* the checksum's */
	append(value, "\x01", 1);
	append(value, numbers, sizeof(numbers));
	append(value, "\x04spam\x00\x08operator", 15);
	uint32_t checksum = checksum_crc32c(checksum_crc32c(0, key->data, key->n), value->data + 4, value->n - 4u);
	checksum = htole32(checksum);
	memcpy(value->data, &checksum, sizeof(checksum));
}

static void test_seen_returns(void)
{
	struct ban ban = ban_case(NULL, "p", BAN_TIER_MANUAL, true, 0), read;
	struct store_bytes key;
	struct store_value value, earlier;

	store_ban_key(&ban, &key);
	earlier_record(&key, &earlier);
	MDB_val name = {key.n, key.data}, data = {earlier.n, earlier.data};
	CHECK_TRUE("a record of an earlier Weir is read", store_ban_decode(&name, &data, &read));
	CHECK_FALSE("nobody knows where it was", read.has_seen);
	CHECK_EQ("why", (const char *)read.reason, "spam");
	CHECK_EQ("by whom", (const char *)read.source, "operator");
	store_ban_encode(&key, &read, &value);
	CHECK_TRUE("it is written as it was", value.n == earlier.n && memcmp(value.data, earlier.data, value.n) == 0);

	ban.has_seen = true;
	ban.seen_port = 9001;
	address_parse("2001:db8::7", &ban.seen);
	store_ban_encode(&key, &ban, &value);
	data = (MDB_val){value.n, value.data};
	CHECK_TRUE("the longest record is read", store_ban_decode(&name, &data, &read));
	CHECK_TRUE("where it was seen", read.has_seen && address_compare(&read.seen, &ban.seen) == 0);
	CHECK_EQ("at which port", (int)read.seen_port, 9001);
	data.mv_size--;
	CHECK_FALSE("half of an address is damage", store_ban_decode(&name, &data, &read));
}

static void test_strikes_and_lists_return(void)
{
	struct prefix host, net;
	struct store *store;

	prefix_parse("198.51.100.7", &host);
	prefix_parse("2001:db8::/32", &net);
	directory_begin();
	store = store_begin_plain();
	store_put_strike(store, &host, 3, WALL_MS - 5);
	store_put_strike_id(store, "12D3KooWpeer", 2, WALL_MS - 6);
	store_put_strike_id(store, "gone", 1, WALL_MS);
	store_put_strike_id(store, "gone", 0, WALL_MS);
	store_put_list(store, &host, /* allow = */ true, /* present = */ true, "our monitor");
	store_put_list(store, &net, /* allow = */ false, /* present = */ true, "");
	store_put_list(store, &host, /* allow = */ false, /* present = */ true, "taken back");
	store_put_list(store, &host, /* allow = */ false, /* present = */ false, "");
	CHECK_EQ("close", store_close(store), 0);
	store = store_begin_plain();
	load_all(store);
	if (CHECK_EQ("two strikes", loaded.n_strikes, 2u)) {
		unsigned by_id = loaded.strikes[0].id[0] != '\0' ? 0 : 1;

		CHECK_EQ("the id", loaded.strikes[by_id].id, "12D3KooWpeer");
		CHECK_EQ("its strikes", loaded.strikes[by_id].strikes, 2u);
		CHECK_EQ("its time", loaded.strikes[by_id].last_ms, WALL_MS - 6);
		CHECK_EQ("the address", prefix_compare(&loaded.strikes[1 - by_id].prefix, &host), 0);
		CHECK_EQ("its strikes", loaded.strikes[1 - by_id].strikes, 3u);
	}
	if (CHECK_EQ("two list entries", loaded.n_lists, 2u)) {
		unsigned allow = loaded.lists[0].allow ? 0 : 1;

		CHECK_TRUE("one of each list", loaded.lists[0].allow != loaded.lists[1].allow);
		CHECK_EQ("the reason", (const char *)loaded.lists[allow].reason, "our monitor");
		CHECK_EQ("the allowed one", prefix_compare(&loaded.lists[allow].prefix, &host), 0);
		CHECK_EQ("the denied one", prefix_compare(&loaded.lists[1 - allow].prefix, &net), 0);
	}
	store_close(store);
	directory_end();
}

static bool refuse_ban(void *context, const struct ban *ban)
{
	(void)context;
	return address_v4(&ban->prefix.address) % 2 == 0;
}

static void test_load_drops_what_nobody_wants(void)
{
	struct store_visitor visitor = {.ban = refuse_ban};
	struct store_load_stats stats;
	struct store *store;

	directory_begin();
	store = store_begin_plain();
	for (uint32_t i = 0; i < 10; i++) {
		struct ban ban = ban_of(0x0a000000 + i, GOVERNOR_NEVER_MS);
		store_put_ban(store, &ban);
	}
	store_settle(store);
	CHECK_EQ("load", store_load(store, &visitor, &stats), 0);
	CHECK_EQ("all are seen", stats.bans, 10u);
	CHECK_EQ("half is dropped", stats.dropped, 5u);
	CHECK_TRUE("on disk too", store_settle(store));
	load_all(store);
	CHECK_EQ("half is left", loaded.n_bans, 5u);
	store_close(store);
	directory_end();
}

/** Wait for the pruning of `n` records in all. */
static bool pruned(struct store *store, uint64_t n)
{
	struct store_status status = {0};

	for (unsigned i = 0; i < PATIENCE_S * 100; i++) {
		store_status(store, &status);
		if (status.pruned >= n)
			return status.pruned == n;
		usleep(10000);
	}
	return false;
}

static void test_ends(void)
{
	enum { MANY = 5000 };
	struct store *store;
	struct ban ban = ban_of(0x01010101, WALL_MS + 1000);

	directory_begin();
	store = store_begin_plain();
	store_put_ban(store, &ban);
	store_settle(store);
	ban.end_ms = WALL_MS + HOUR_MS; /* renewed: its first end must not delete it */
	store_put_ban(store, &ban);
	for (uint32_t i = 0; i < MANY; i++) {
		struct ban other = ban_of(0x0a000000 + i, WALL_MS + 2000);
		store_put_ban(store, &other);
	}
	store_settle(store);
	store_set_time(store, WALL_MS + 1999);
	usleep(100000);
	load_all(store);
	CHECK_EQ("nothing ends early, a renewed ban not at its first end", loaded.n_bans, MANY + 1u);
	store_set_time(store, WALL_MS + 2000);
	CHECK_TRUE("a ban ends at its end, each once", pruned(store, MANY));
	load_all(store);
	CHECK_EQ("the renewed one is left", loaded.n_bans, 1u);
	ban.end_ms = GOVERNOR_NEVER_MS;
	store_put_ban(store, &ban);
	store_settle(store);
	store_set_time(store, WALL_MS + 100 * HOUR_MS);
	usleep(100000);
	load_all(store);
	CHECK_EQ("one made permanent stays", loaded.n_bans, 1u);
	store_close(store);
	directory_end();
}

static void test_growth(void)
{
	enum { MANY = 100000 };
	struct store *store;
	struct store_status status;

	directory_begin();
	store = store_begin(&(struct store_config){.map_initial_bytes = 1 << 20});
	for (uint32_t i = 0; i < MANY; i++) {
		struct ban ban = ban_of(0x0a000000 + i, GOVERNOR_NEVER_MS);
		store_put_ban(store, &ban);
		if (i % 10000 == 0)
			store_sync_request(store);
	}
	CHECK_TRUE("a small map grows", store_settle(store));
	store_status(store, &status);
	CHECK_EQ("without an error", status.error, 0);
	CHECK_TRUE("it grew", status.map_bytes > 1 << 20);
	load_all(store);
	CHECK_EQ("nothing is lost", loaded.n_bans, (unsigned)MANY);
	CHECK_EQ("close", store_close(store), 0);
	store = store_begin(&(struct store_config){.map_initial_bytes = 1 << 20});
	if (CHECK_TRUE("a file larger than the first map opens", store != NULL))
		load_all(store);
	CHECK_EQ("with everything", loaded.n_bans, (unsigned)MANY);
	store_close(store);
	directory_end();
}

static bool error_comes(struct store *store, int error, struct store_status *ret_status)
{
	for (unsigned i = 0; i < PATIENCE_S * 100; i++) {
		store_status(store, ret_status);
		if (ret_status->error == error)
			return true;
		usleep(10000);
	}
	return false;
}

static void test_map_maximum(void)
{
	struct store *store;
	struct store_status status;

	directory_begin();
	store = store_begin(&(struct store_config){.map_initial_bytes = 1 << 20, .map_max_bytes = 1 << 20,
		.commit_interval_ms = 3600000}); /* one batch, at the request below */
	for (uint32_t i = 0; i < 50000; i++) {
		struct ban ban = ban_of(0x0a000000 + i, GOVERNOR_NEVER_MS);
		store_put_ban(store, &ban);
	}
	store_sync_request(store);
	CHECK_TRUE("a map at its maximum is told", error_comes(store, -ENOBUFS, &status));
	CHECK_TRUE("with a sentence", strlen(status.text) > 20);
	CHECK_EQ("nothing is taken for durable", store_durable_sequence(store), 0u);
	CHECK_EQ("close says that changes are lost", store_close(store), -ENOBUFS);
	store = store_begin_plain();
	if (CHECK_TRUE("the file is sound", store != NULL && store_report.flags == STORE_OPENED))
		store_close(store);
	directory_end();
}

static void test_full_queue(void)
{
	struct store *store;
	struct store_status status;
	uint32_t i;
	int error = 0;

	directory_begin();
	/* Nothing commits before the sync at the end: an hour's interval. */
	store = store_begin(&(struct store_config){.queue_max_bytes = 64 * 1024, .commit_interval_ms = 3600000});
	for (i = 0; i < 100000 && error == 0; i++) {
		struct ban ban = ban_of(0x0a000000 + i, GOVERNOR_NEVER_MS);
		error = store_put_ban(store, &ban);
	}
	CHECK_EQ("a full queue refuses", error, -ENOBUFS);
	store_status(store, &status);
	CHECK_TRUE("and asks for everything anew", status.resync);
	CHECK_EQ("counted", status.overflows, 1u);
	CHECK_TRUE("within its bound", status.queue_bytes <= 64 * 1024 && i > 100);
	CHECK_TRUE("what was taken reaches the disk", store_settle(store));
	CHECK_EQ("resync", store_resync_begin(store), 0);
	for (i = 0; i < 20; i++) {
		struct ban ban = ban_of(0x0b000000 + i, GOVERNOR_NEVER_MS);
		CHECK_EQ("puts go on", store_put_ban(store, &ban), 0);
	}
	CHECK_TRUE("settled", store_settle(store));
	store_status(store, &status);
	CHECK_FALSE("nothing more is asked", status.resync);
	load_all(store);
	CHECK_EQ("the disk holds what memory holds", loaded.n_bans, 20u);
	for (i = 0; i < 20; i++)
		CHECK_EQ("each one", address_v4(&loaded.bans[i].prefix.address), 0x0b000000 + i);
	store_close(store);
	directory_end();
}

static void test_million(void)
{
	enum { MILLION = 1000000 };
	struct timespec times[4];
	struct store_status status;
	struct store *store;

	directory_begin();
	store = store_begin_plain();
	clock_gettime(CLOCK_MONOTONIC, &times[0]);
	for (uint32_t i = 0; i < MILLION; i++) {
		struct ban ban = ban_of(i * 2654435761u, i % 2 ? GOVERNOR_NEVER_MS : WALL_MS + HOUR_MS);
		store_put_ban(store, &ban);
	}
	clock_gettime(CLOCK_MONOTONIC, &times[1]);
	CHECK_EQ("close", store_close(store), 0);
	clock_gettime(CLOCK_MONOTONIC, &times[2]);
	store = store_begin_plain();
	load_all(store);
	clock_gettime(CLOCK_MONOTONIC, &times[3]);
	CHECK_EQ("a million comes back", loaded.n_bans, (unsigned)MILLION);
	store_status(store, &status);
	for (unsigned i = 0; i < 3; i++)
		printf("\n  million bans: %s %.2f s", i == 0 ? "put" : i == 1 ? "commit, backup, close" : "check, open, load",
			(double)(times[i + 1].tv_sec - times[i].tv_sec) + (double)(times[i + 1].tv_nsec - times[i].tv_nsec) / 1e9);
	printf(", %llu bytes on disk a ban\n", (unsigned long long)status.used_bytes / MILLION);
	store_close(store);
	directory_end();
}

static const struct check_test tests[] = {
	{"bans of every kind come back whole, and go when deleted", test_bans_return},
	{"where an id was seen comes back, and a record of an earlier Weir is read", test_seen_returns},
	{"strikes and list entries come back, and go when taken back", test_strikes_and_lists_return},
	{"what the visitor refuses leaves the disk", test_load_drops_what_nobody_wants},
	{"bans leave the disk at their end, renewed ones later, permanent ones never", test_ends},
	{"a small map grows under a hundred thousand bans", test_growth},
	{"a map at its maximum is an error and loses no file", test_map_maximum},
	{"a full queue refuses, and everything is put anew", test_full_queue},
	{"a million bans go and come", test_million},
};
CHECK_MAIN("store", tests)
