/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/address_book*.c: what enters, who gives way, types, waits and time (policy.md SP-1 to
 * SP-6, SP-9 to SP-11, HE-1 to HE-8, HE-12, HE-13, DU-19, DU-20, LO-1, LO-2, LO-4; V14, V15, V25, V26, V41).
 * The answers are tested in test_address_book_query.c.
 */
#include <errno.h>
#include <math.h>

#include "tests/unit/book_fixture.h"

static void test_validation(void)
{
	static const struct {
		const char *name;
		const char *address;
		uint32_t port;
		bool verified;
		enum book_verdict verdict;
	} cases[] = {
		{"V41: port 0", "8.8.8.8", 0, true, BOOK_REFUSED_PORT},
		{"V41: port 65536", "8.8.8.8", 65536, true, BOOK_REFUSED_PORT},
		{"V41: port 1", "8.8.8.8", 1, true, BOOK_ADDED},
		{"V41: port 65535", "8.8.8.8", 65535, true, BOOK_ADDED},
		{"V41: a mapped private address", "::ffff:10.0.0.1", 1, true, BOOK_REFUSED_KIND},
		{"V41: link-local", "169.254.1.1", 1, true, BOOK_REFUSED_KIND},
		{"V41: ::", "::", 1, true, BOOK_REFUSED_KIND},
		{"V41: 172.32.0.0", "172.32.0.0", 1, true, BOOK_ADDED},
		{"V41: 192.168.1.1", "192.168.1.1", 1, true, BOOK_REFUSED_KIND},
		{"documentation is not allowed here", "192.0.2.1", 1, true, BOOK_REFUSED_KIND},
		{"DU-20: the node's own address", "9.9.9.9", 1, true, BOOK_REFUSED_OWN},
		{"LO-2: not verified", "8.8.4.4", 1, false, BOOK_REFUSED_UNVERIFIED},
	};
	struct address_book_config config = config_of_tests();
	config.allow_doc = false;
	config.require_verified = true;
	open_book(&config);
	struct address own = at("9.9.9.9").address;
	address_book_set_own(book, &own, 1);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct book_entry entry = {.address = at(cases[i].address).address,
			.port = cases[i].port,
			.verified = cases[i].verified};
		CHECK_EQ(cases[i].name, book_verdict_name(address_book_add(book, &entry, AT(1))),
			book_verdict_name(cases[i].verdict));
	}
	own = at("172.32.0.0").address;
	address_book_set_own(book, &own, 1);
	CHECK_EQ("an address that turns out to be our own leaves", last_removed, "172.32.0.0 own");
	config.capacity = 0;
	struct address_book *none = NULL;
	CHECK_EQ("a book for nothing is refused", address_book_create(&config, NULL, &none), -EINVAL);
}

static void test_limits(void)
{
	struct address_book_config config = config_of_tests();
	config.subnet.limit = 2;
	open_book(&config);
	CHECK_EQ("V15: the first of a /24", add("203.0.113.1", AT(1)), BOOK_ADDED);
	CHECK_EQ("V15: the second", add("203.0.113.2", AT(1)), BOOK_ADDED);
	CHECK_EQ("V15: not the third", add("203.0.113.3", AT(1)), BOOK_REFUSED_SUBNET);
	CHECK_EQ("V15: the next /24 is another", add("203.0.114.1", AT(1)), BOOK_ADDED);
	CHECK_EQ("a known one is refreshed in a full subnet", add("203.0.113.1", AT(2)), BOOK_REFRESHED);
	CHECK_EQ("a /48 counts as one", add("2001:db8:1:1::1", AT(1)), BOOK_ADDED);
	CHECK_EQ("two", add("2001:db8:1:2::1", AT(1)), BOOK_ADDED);
	CHECK_EQ("not three", add("2001:db8:1:ffff::1", AT(1)), BOOK_REFUSED_SUBNET);
	CHECK_EQ("the next /48 is another", add("2001:db8:2:1::1", AT(1)), BOOK_ADDED);
	struct book_entry configured = {
		.address = at("203.0.113.9").address, .port = 1, .source = PEER_SOURCE_CONFIG};
	CHECK_EQ("V15: whatever its source", address_book_add(book, &configured, AT(1)), BOOK_REFUSED_SUBNET);
	configured.category = PEER_CATEGORY_LOCAL_ROOT;
	CHECK_EQ("but a configured root is not counted out", address_book_add(book, &configured, AT(1)),
		BOOK_ADDED);
	configured = (struct book_entry){.address = at("203.0.113.10").address,
		.port = 1,
		.source = PEER_SOURCE_CONFIG,
		.type = BOOK_TYPE_PREFERRED};
	CHECK_EQ("nor a configured preferred one", address_book_add(book, &configured, AT(1)), BOOK_ADDED);
	struct book_record stored = *address_book_find(book, &(struct book_endpoint){configured.address, 1});
	CHECK_EQ("it leaves",
		address_book_remove(book, &(struct book_endpoint){configured.address, 1}, "asked"), 0);
	CHECK_EQ("nor is it when it is loaded", address_book_load(book, &stored, AT(1)), BOOK_ADDED);
	configured.source = PEER_SOURCE_GOSSIP;
	configured.port = 2;
	CHECK_EQ(
		"which gossip cannot claim", address_book_add(book, &configured, AT(1)), BOOK_REFUSED_SUBNET);
	config.keeps_configured = true;
	address_book_reconfigure(book, &config);
	configured.source = PEER_SOURCE_CONFIG;
	configured.type = BOOK_TYPE_INBOUND;
	CHECK_EQ("DU-20: or anything configured where that is kept",
		address_book_add(book, &configured, AT(1)), BOOK_ADDED);
	config.keeps_configured = false;

	config.capacity = 2;
	open_book(&config);
	(void)add("203.0.113.1", AT(1));
	(void)add("198.51.100.1", AT(1));
	outcomes("198.51.100.1", "S", AT(2));
	CHECK_EQ("V15: a full book takes a newcomer", add("192.0.2.1", AT(3)), BOOK_ADDED);
	CHECK_EQ("V15: and gives up the worst", last_removed, "203.0.113.1 capacity");
	CHECK_EQ("the size stays", address_book_count(book), 2u);
	CHECK_EQ("among equals the one seen longest ago goes", add("8.8.8.8", AT(4)), BOOK_ADDED);
	CHECK_EQ("that was", last_removed, "192.0.2.1 capacity");
	struct book_record kept = {.address = at("8.8.8.8").address, .port = 30303, .connected = true};
	(void)address_book_put(book, &kept, BOOK_PUT_CONNECTED, AT(5), NULL);
	kept = (struct book_record){
		.address = at("198.51.100.1").address, .port = 30303, .source = PEER_SOURCE_CONFIG};
	(void)address_book_put(book, &kept, BOOK_PUT_SOURCE, AT(5), NULL);
	CHECK_EQ("SP-6: the worst goes whatever its source", add("192.0.2.1", AT(6)), BOOK_ADDED);
	CHECK_EQ("it did", last_removed, "198.51.100.1 capacity");
	config.keeps_configured = true;
	address_book_reconfigure(book, &config);
	kept.address = at("192.0.2.1").address;
	(void)address_book_put(book, &kept, BOOK_PUT_SOURCE, AT(6), NULL);
	CHECK_EQ("V37: connected and configured ones never go", add("192.0.2.2", AT(7)), BOOK_REFUSED_FULL);
	config.keeps_configured = false;

	config.capacity = 10000;
	config.group.limit = 3;
	open_book(&config);
	for (unsigned i = 0; i < 4; i++) {
		char text[32];
		snprintf(text, sizeof(text), "8.8.%u.1", i);
		CHECK_EQ(
			"a /16 has its limit too", add(text, AT(1)), i < 3 ? BOOK_ADDED : BOOK_REFUSED_GROUP);
	}
}

static void test_sources(void)
{
	struct address_book_config config = config_of_tests();
	config.capacity = 64 * 64; /* 64 buckets: one source has 4 of them */
	config.subnet.limit = 0;
	config.group.limit = UINT32_MAX;
	open_book(&config);
	struct address liar = at("8.8.8.8").address, other = at("9.9.9.9").address;
	struct book_entry entry = {.port = 1, .source = PEER_SOURCE_GOSSIP, .from = &liar};
	unsigned added = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		entry.address = address_from_v4(0x14000000 + i * 65537);
		added += address_book_add(book, &entry, AT(1)) == BOOK_ADDED;
	}
	CHECK_TRUE("one stranger fills his own buckets at most", added <= 4 * 64 && added > 64);
	CHECK_EQ("the rest is refused", address_book_count(book), added);
	entry.from = &other;
	entry.address = at("20.0.0.99").address;
	CHECK_EQ("another one still gets in", address_book_add(book, &entry, AT(1)), BOOK_ADDED);
	entry.from = NULL;
	entry.address = at("20.0.0.98").address;
	CHECK_EQ("and so does the node's own word", address_book_add(book, &entry, AT(1)), BOOK_ADDED);

	/* A stranger's addresses that turn out bad give way to his next ones. */
	const struct book_record *records[BOOK_ANSWER_MAX];
	size_t n = address_book_list(book, BOOK_ANSWER_MAX, NULL, records);
	struct book_endpoint all[BOOK_ANSWER_MAX];
	for (size_t i = 0; i < n; i++)
		all[i] = (struct book_endpoint){records[i]->address, records[i]->port};
	for (size_t i = 0; i < n; i++)
		CHECK_EQ("they fail", address_book_outcome(book, &all[i], false, AT(2)), 0);
	entry.from = &liar;
	entry.address = address_from_v4(0x15000000);
	CHECK_EQ("a newcomer takes the place of a failed one", address_book_add(book, &entry, AT(3)),
		BOOK_ADDED);
	CHECK_CONTAINS("which is told", last_removed, " source");
}

static void test_ways(void)
{
	struct address_book_config config = config_of_tests();
	config.sources_off = 1u << PEER_SOURCE_MDNS;
	config.source_most[PEER_SOURCE_DNS] = 2;
	open_book(&config);
	struct book_entry entry = {.address = at("192.0.2.1").address, .port = 1, .source = PEER_SOURCE_MDNS};
	CHECK_EQ("LO-1: a way that is switched off", address_book_add(book, &entry, AT(1)), BOOK_REFUSED_OFF);
	entry.source = PEER_SOURCE_DNS;
	for (uint32_t port = 1; port <= 3; port++) {
		entry.port = port;
		CHECK_EQ("LO-1: a way has its limit", address_book_add(book, &entry, AT(1)),
			port < 3 ? BOOK_ADDED : BOOK_REFUSED_MOST);
	}
	entry.port = 2;
	CHECK_EQ("LO-1: duplicates only refresh", address_book_add(book, &entry, AT(2)), BOOK_REFRESHED);
	entry.source = PEER_SOURCE_MESH;
	entry.port = 3;
	CHECK_EQ("LO-1: other ways are their own", address_book_add(book, &entry, AT(1)), BOOK_ADDED);
	struct book_endpoint first = {entry.address, 1};
	CHECK_EQ("one leaves", address_book_remove(book, &first, "asked"), 0);
	entry.source = PEER_SOURCE_DNS;
	entry.port = 4;
	CHECK_EQ("LO-1: and makes room", address_book_add(book, &entry, AT(1)), BOOK_ADDED);
	struct book_record moved = {.address = entry.address, .port = 4, .source = PEER_SOURCE_NODE};
	CHECK_EQ("one is known otherwise", address_book_put(book, &moved, BOOK_PUT_SOURCE, AT(1), NULL),
		BOOK_REFRESHED);
	entry.port = 5;
	CHECK_EQ("LO-1: which counts", address_book_add(book, &entry, AT(1)), BOOK_ADDED);
	address_book_clear(book);
	entry.port = 6;
	CHECK_EQ("LO-1: an empty book counts from zero", address_book_add(book, &entry, AT(1)), BOOK_ADDED);
}

static void test_quality(void)
{
	static const struct {
		const char *name, *outcomes;
		bool reset;
		double quality;
	} cases[] = {
		{"V14: nothing tried", "", false, 0.5},
		{"V14: SSSF", "SSSF", false, 0.75},
		{"V14: SFFFFF", "SFFFFF", false, 1.0 / 6},
		{"V14: FFFFS", "FFFFS", false, 0.2},
		{"V14: FFFFS with upstream's reset", "FFFFS", true, 1.0},
		{"SSSF with upstream's reset", "SSSF", true, 0.75},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct address_book_config config = config_of_tests();
		config.reset_on_success = cases[i].reset;
		open_book(&config);
		(void)add("192.0.2.1", AT(1));
		outcomes("192.0.2.1", cases[i].outcomes, AT(1));
		CHECK_NEAR(cases[i].name, (double)get("192.0.2.1")->quality, cases[i].quality, 1e-6);
	}
	struct address_book_config config = config_of_tests();
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	for (unsigned i = 0; i < 100; i++)
		outcomes("192.0.2.1", "F", AT(1));
	outcomes("192.0.2.1", "S", AT(1));
	CHECK_NEAR(
		"V14: a hundred failures, one success", (double)get("192.0.2.1")->quality, 1.0 / 101, 1e-6);
	struct book_endpoint unknown = at("192.0.2.2");
	CHECK_EQ("nothing is recorded of the unknown", address_book_outcome(book, &unknown, true, AT(1)),
		-ENOENT);
}

static void test_gossip(void)
{
	struct address_book_config config = config_of_tests();
	open_book(&config);
	struct address from = at("8.8.8.8").address;
	struct book_entry entry = {.address = at("192.0.2.1").address,
		.port = 30303,
		.source = PEER_SOURCE_GOSSIP,
		.from = &from};
	CHECK_EQ("SP-10: heard of", address_book_add(book, &entry, AT(100)), BOOK_ADDED);
	CHECK_EQ("HE-2: new addresses are inbound", (int)get("192.0.2.1")->type, (int)BOOK_TYPE_INBOUND);
	CHECK_TRUE("HE-2: and ready", get("192.0.2.1")->ready && get("192.0.2.1")->failures == 0);
	(void)address_book_add(book, &entry, AT(3000));
	CHECK_EQ("SP-10: not refreshed within the hour", get("192.0.2.1")->last_seen_ms, AT(100));
	entry.category = PEER_CATEGORY_LOCAL_ROOT;
	(void)address_book_add(book, &entry, AT(3701));
	CHECK_EQ("SP-10: but after it", get("192.0.2.1")->last_seen_ms, AT(3701));
	CHECK_EQ("a stranger does not choose the category", (int)get("192.0.2.1")->category,
		(int)PEER_CATEGORY_NONE);
	entry.from = NULL;
	(void)address_book_add(book, &entry, AT(3702));
	CHECK_EQ("the node does", (int)get("192.0.2.1")->category, (int)PEER_CATEGORY_LOCAL_ROOT);
	entry = (struct book_entry){.address = at("192.0.2.2").address, .port = 30303, .seen_ms = AT(99999)};
	(void)address_book_add(book, &entry, AT(3702));
	CHECK_EQ("nobody has seen it in the future", get("192.0.2.2")->last_seen_ms, AT(3702));
}

static void test_types(void)
{
	const enum book_type I = BOOK_TYPE_INBOUND, O = BOOK_TYPE_OUTBOUND, P = BOOK_TYPE_PREFERRED;
	const struct {
		const char *name;
		enum book_type stored, observed;
		int known; /* -1: either */
		enum book_type type;
	} cases[] = {
		{"V26: I, I", I, I, -1, I},
		{"V26: I, O", I, O, -1, O},
		{"V26: I, P", I, P, -1, P},
		{"V26: O, I", O, I, -1, O},
		{"V26: O, O", O, O, -1, O},
		{"V26: O, P", O, P, -1, P},
		{"V26: P, I", P, I, -1, O},
		{"V26: P, O, not known", P, O, 0, P},
		{"V26: P, O, known", P, O, 1, O},
		{"V26: P, P", P, P, -1, P},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		for (int known = 0; known < 2; known++)
			if (cases[i].known < 0 || cases[i].known == known)
				CHECK_EQ(cases[i].name,
					(int)book_type_update(cases[i].stored, cases[i].observed, known == 1),
					(int)cases[i].type);
	struct address_book_config config = config_of_tests();
	open_book(&config);
	struct book_endpoint endpoint = at("192.0.2.1");
	const struct book_record *record;
	CHECK_EQ("HE-12: updating makes it",
		address_book_update(book, &endpoint, P, false, BOOK_BACKOFF_NONE, AT(1), &record),
		BOOK_ADDED);
	CHECK_EQ("with its type", (int)record->type, (int)P);
	CHECK_EQ("and changes it",
		address_book_update(book, &endpoint, I, false, BOOK_BACKOFF_NONE, AT(1), &record),
		BOOK_REFRESHED);
	CHECK_EQ("to what the table says", (int)record->type, (int)O);
	struct book_endpoint private = at("10.0.0.1");
	CHECK_EQ("but not against validation",
		address_book_update(book, &private, P, false, BOOK_BACKOFF_NONE, AT(1), NULL),
		BOOK_REFUSED_KIND);
}

static void test_backoff(void)
{
	struct address_book_config config = config_of_tests();
	open_book(&config);
	struct book_endpoint endpoint = at("192.0.2.1");
	const struct book_record *record;
	for (uint32_t i = 1; i <= 12; i++) {
		(void)address_book_update(
			book, &endpoint, BOOK_TYPE_COUNT, false, BOOK_BACKOFF_INCREASE, AT(1000), &record);
		CHECK_EQ("HE-8: an increase counts", record->failures, i);
		int64_t max_ms = (int64_t)backoff_max_s(&backoff_stellar, i) * 1000;
		CHECK_TRUE("HE-8: and waits within the new count's maximum",
			record->next_try_ms >= AT(1001) && record->next_try_ms <= AT(1000) + max_ms);
		CHECK_FALSE("it is not ready", record->ready);
	}
	(void)address_book_update(
		book, &endpoint, BOOK_TYPE_COUNT, false, BOOK_BACKOFF_RESET, AT(2000), &record);
	CHECK_TRUE("5.6: a reset waits 1 to 10 s",
		record->failures == 0 && record->next_try_ms >= AT(2001) && record->next_try_ms <= AT(2010));
	(void)address_book_update(
		book, &endpoint, BOOK_TYPE_COUNT, false, BOOK_BACKOFF_HARD_RESET, AT(3000), &record);
	CHECK_TRUE("HE-8: a hard reset does not wait", record->next_try_ms == AT(3000) && record->ready);

	config.counters = counters_ouroboros;
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	outcomes("192.0.2.1", "FFS", AT(2));
	CHECK_EQ("ouroboros: a success alone forgives nothing", get("192.0.2.1")->decayed.count, 2u);
	(void)address_book_update(
		book, &endpoint, BOOK_TYPE_COUNT, false, BOOK_BACKOFF_HARD_RESET, AT(3), &record);
	CHECK_EQ("ouroboros: a reset does, after 120 s of use", record->decayed.count, 0u);
	struct book_record odd = {.address = endpoint.address, .port = endpoint.port, .reputation = NAN};
	(void)address_book_put(book, &odd, BOOK_PUT_REPUTATION, AT(3), &record);
	CHECK_NEAR("what is no number is the middle", (double)record->reputation, 0.5, 0);
	config.counters = counters_stellar;
	config.backoff = backoff_ouroboros;
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	struct book_entry root = {
		.address = at("192.0.2.2").address, .port = 30303, .category = PEER_CATEGORY_PUBLIC_ROOT};
	(void)address_book_add(book, &root, AT(1));
	outcomes("192.0.2.1", "FFFF", AT(2));
	CHECK_TRUE("DU-19: remembered after four failures", get("192.0.2.1") != NULL);
	outcomes("192.0.2.1", "F", AT(2));
	CHECK_EQ("DU-19: forgotten after five", last_removed, "192.0.2.1 failures");
	outcomes("192.0.2.2", "FFFFFFFF", AT(2));
	CHECK_TRUE("DU-19: but no root", get("192.0.2.2") != NULL);

	config.backoff = backoff_lorachain;
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	static const int64_t waits_s[] = {60, 120, 240, 480, 960};
	for (size_t i = 0; i < CHECK_COUNT(waits_s); i++) {
		outcomes("192.0.2.1", "F", AT(10000));
		CHECK_EQ("LO-4: the wait doubles", get("192.0.2.1")->next_try_ms, AT(10000 + waits_s[i]));
	}
	outcomes("192.0.2.1", "F", AT(10000));
	CHECK_EQ("LO-4: and then it is given up", get("192.0.2.1")->next_try_ms, INT64_MAX);
}

static void test_attempts(void)
{
	struct address_book_config config = config_of_tests();
	config.backoff_at_attempt = true;
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	struct book_endpoint one = at("192.0.2.1");
	struct book_dial dial;
	address_book_dial(book, &one, AT(2), &dial);
	CHECK_TRUE("HE-13: allowed", dial.allow);
	CHECK_EQ("HE-13: and charged at once", get("192.0.2.1")->failures, 1u);
	address_book_dial(book, &one, AT(2), &dial);
	CHECK_TRUE("so it waits", !dial.allow && dial.wait_ms >= 1000 && dial.wait_ms <= 20000);
	CHECK_EQ("for this reason", dial.reason, "backoff");
	outcomes("192.0.2.1", "F", AT(3));
	CHECK_EQ("HE-13: the failure is not charged again", get("192.0.2.1")->failures, 1u);
	outcomes("192.0.2.1", "S", AT(4));
	CHECK_EQ("HE-13: success resets", get("192.0.2.1")->failures, 0u);
}

static void test_time(void)
{
	struct address_book_config config = config_of_tests();
	config.stale_ms = AT(86400);
	config.keeps_configured = true;
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	(void)add("192.0.2.2", AT(1));
	struct book_entry configured = {
		.address = at("192.0.2.3").address, .port = 1, .source = PEER_SOURCE_CONFIG};
	(void)address_book_add(book, &configured, AT(1));
	CHECK_EQ("the next thing to do is known", address_book_next_due_ms(book), AT(86401));
	(void)add("192.0.2.2", AT(50000));
	CHECK_FALSE("nothing is due before", address_book_advance(book, AT(86400), 100));
	CHECK_EQ("so all are there", address_book_count(book), 3u);
	CHECK_FALSE("SP-6: after a day unseen", address_book_advance(book, AT(86401), 100));
	CHECK_EQ("SP-6: it is forgotten", last_removed, "192.0.2.1 stale");
	(void)address_book_advance(book, AT(10 * 86400), 100);
	CHECK_EQ("the configured one stays", address_book_count(book), 1u);

	config.stale_ms = 0;
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	(void)add("192.0.2.2", AT(1));
	outcomes("192.0.2.1", "SFFFF", AT(100));
	outcomes("192.0.2.2", "SSFFF", AT(100));
	(void)address_book_advance(book, AT(3699), 100);
	CHECK_EQ("SP-6: poor ones have an hour", address_book_count(book), 2u);
	(void)address_book_advance(book, AT(3700), 100);
	CHECK_EQ("SP-6: then they go", last_removed, "192.0.2.1 poor");
	CHECK_EQ("better than 0.3 stays", address_book_count(book), 1u);

	open_book(&config);
	for (uint32_t i = 0; i < 10; i++) {
		struct book_record values = {
			.address = address_from_v4(0x14000000 + i * 65537), .port = 1, .next_try_ms = AT(50)};
		(void)address_book_put(book, &values, BOOK_PUT_NEXT_TRY, AT(1), NULL);
	}
	CHECK_TRUE("a budget is kept", address_book_advance(book, AT(60), 9));
	CHECK_FALSE("and the rest comes next time", address_book_advance(book, AT(60), 9));
}

static void test_storing(void)
{
	struct address_book_config config = config_of_tests();
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	outcomes("192.0.2.1", "SF", AT(2));
	CHECK_EQ("each change is told", n_changed, 3u);
	struct book_record stored = *get("192.0.2.1");
	address_book_clear(book);
	CHECK_TRUE("a cleared book says so and is empty", n_cleared == 1 && address_book_count(book) == 0);
	CHECK_EQ("SP-5: a stored record is put back",
		address_book_put(book, &stored, BOOK_PUT_PERSISTED, AT(3), NULL), BOOK_ADDED);
	const struct book_record *record = get("192.0.2.1");
	CHECK_TRUE("SP-5: with what it had",
		record->ok == 1 && record->fail == 1 && record->failures == stored.failures &&
			record->next_try_ms == stored.next_try_ms && record->last_ok_ms == AT(2) &&
			record->first_seen_ms == AT(1));
	stored.address = at("10.0.0.1").address;
	CHECK_EQ("SP-5: but only by the rules of today",
		address_book_put(book, &stored, BOOK_PUT_PERSISTED, AT(3), NULL), BOOK_REFUSED_KIND);
	struct book_endpoint one = at("192.0.2.1");
	CHECK_EQ("removing", address_book_remove(book, &one, "asked"), 0);
	CHECK_EQ("says why", last_removed, "192.0.2.1 asked");
	CHECK_EQ("and is done once", address_book_remove(book, &one, "asked"), -ENOENT);
}

static const struct check_test tests[] = {
	{"what may enter", test_validation},
	{"limits of subnets, groups and the book", test_limits},
	{"limits of sources", test_sources},
	{"ways of learning", test_ways},
	{"quality", test_quality},
	{"gossip", test_gossip},
	{"types", test_types},
	{"waits", test_backoff},
	{"waits by attempt", test_attempts},
	{"what time does", test_time},
	{"what is stored", test_storing},
};
CHECK_MAIN("address_book", tests)
