/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of the address book's answers: best, random, what is sent, whom to dial, the coldest (policy.md SP-7,
 * HE-9 to HE-11, DU-5, DU-7, DU-10; V15, V18, V27, V28, V37).
 */
#include <string.h>

#include "tests/unit/book_fixture.h"

static void test_best(void)
{
	struct address_book_config config = config_of_tests();
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	(void)add("192.0.2.2", AT(1));
	(void)add("192.0.2.3", AT(1));
	outcomes("192.0.2.1", "F", AT(2));
	outcomes("192.0.2.2", "S", AT(2));
	CHECK_EQ("V15: the best two", tails(address_book_best(book, 2, NULL, AT(3), answer)), "2 3");
	struct book_endpoint two = at("192.0.2.2");
	struct book_exclude exclude = {&two, 1};
	CHECK_EQ("SP-7: without the excluded", tails(address_book_best(book, 9, &exclude, AT(3), answer)),
		"3 1");
	(void)add("192.0.2.4", AT(9));
	CHECK_EQ("SP-7: among equals the one seen last",
		tails(address_book_best(book, 9, NULL, AT(9), answer)), "2 4 3 1");
	struct book_record connected = {.address = at("192.0.2.3").address, .port = 30303, .connected = true};
	(void)address_book_put(book, &connected, BOOK_PUT_CONNECTED, AT(10), NULL);
	CHECK_EQ("kept ones keep their place among the others",
		tails(address_book_best(book, 9, NULL, AT(9), answer)), "2 4 3 1");
}

static void test_random(void)
{
	struct address_book_config config = config_of_tests();
	open_book(&config);
	put("192.0.2.1", BOOK_TYPE_INBOUND, 900, 0, AT(900));
	put("192.0.2.2", BOOK_TYPE_OUTBOUND, 1000, 10, AT(900));
	put("192.0.2.3", BOOK_TYPE_OUTBOUND, 1001, 0, AT(900));
	put("192.0.2.4", BOOK_TYPE_PREFERRED, 500, 11, AT(900));
	put("192.0.2.5", BOOK_TYPE_PREFERRED, 500, 10, AT(900));
	static const struct {
		const char *name;
		enum book_filter filter;
		bool ready;
		uint32_t max_failures;
		const char *set;
	} cases[] = {
		{"V27: any outbound, ready", BOOK_FILTER_ANY_OUTBOUND, true, 10, "2 5"},
		{"V27: any outbound", BOOK_FILTER_ANY_OUTBOUND, false, 10, "2 3 5"},
		{"V27: outbound only, ready", BOOK_FILTER_OUTBOUND, true, 10, "2"},
		{"V27: inbound only", BOOK_FILTER_INBOUND, true, 10, "1"},
		{"V27: any number of failures", BOOK_FILTER_ANY_OUTBOUND, true, UINT32_MAX, "2 4 5"},
		{"preferred only", BOOK_FILTER_PREFERRED, true, 10, "5"},
		{"all, whatever they are", BOOK_FILTER_ANY, false, UINT32_MAX, "1 2 3 4 5"},
		{"no failure allowed", BOOK_FILTER_ANY, false, 0, "1 3"},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name,
			tails_sorted(address_book_random(book, 100, cases[i].filter, cases[i].ready,
				cases[i].max_failures, AT(1000), answer)),
			cases[i].set);
	CHECK_EQ("V27: a second later the next is ready",
		tails_sorted(address_book_random(book, 9, BOOK_FILTER_OUTBOUND, true, 10, AT(1001), answer)),
		"2 3");
	unsigned hits[6] = {0}, first[6] = {0};
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = address_book_random(book, 2, BOOK_FILTER_ANY, false, UINT32_MAX, AT(1001), answer);
		if (!CHECK_EQ("two are two", n, 2) ||
			!CHECK_TRUE("and different",
				address_compare(&answer[0].address, &answer[1].address) != 0))
			return;
		first[answer[0].address.bytes[15]]++;
		hits[answer[0].address.bytes[15]]++;
		hits[answer[1].address.bytes[15]]++;
	}
	for (unsigned i = 1; i <= 5; i++) {
		CHECK_NEAR("each is as likely to be taken", (double)hits[i], 8000, 400);
		CHECK_NEAR("each is as likely to be first", (double)first[i], 4000, 320);
	}
	CHECK_EQ("V28: removing what failed ten times", address_book_remove_failed(book, 10, AT(1001)), 3u);
	CHECK_EQ("V28: leaves the others",
		tails_sorted(
			address_book_random(book, 9, BOOK_FILTER_ANY, false, UINT32_MAX, AT(1001), answer)),
		"1 3");
}

static void test_to_send(void)
{
	struct address_book_config config = config_of_tests();
	config.allow_private = true;
	open_book(&config);
	put("192.0.2.1", BOOK_TYPE_INBOUND, 0, 0, AT(1));
	put("192.0.2.2", BOOK_TYPE_OUTBOUND, 0, 0, AT(1));
	put("192.0.2.3", BOOK_TYPE_OUTBOUND, 0, 0, AT(1));
	put("192.0.2.4", BOOK_TYPE_PREFERRED, 0, 0, AT(1));
	put("10.0.0.6", BOOK_TYPE_OUTBOUND, 0, 0, AT(1));
	struct book_endpoint c = at("192.0.2.3");
	struct book_exclude exclude = {&c, 1};
	CHECK_EQ("V28: preferred, outbound, inbound; no private one",
		tails(address_book_to_send(book, 3, &exclude, NULL, 10, AT(2), answer)), "4 2 1");
	CHECK_EQ("V28: no more than asked for",
		tails(address_book_to_send(book, 1, &exclude, NULL, 10, AT(2), answer)), "4");
	put("192.0.2.2", BOOK_TYPE_OUTBOUND, 0, 11, AT(1));
	CHECK_EQ("5.5.14: failed more than ten times is not sent",
		tails(address_book_to_send(book, 3, &exclude, NULL, 10, AT(2), answer)), "4 1");
	CHECK_EQ("unless asked for", tails(address_book_to_send(book, 3, &exclude, NULL, 11, AT(2), answer)),
		"4 2 1");
	CHECK_EQ("a stricter limit is kept too",
		tails(address_book_to_send(book, 9, NULL, NULL, 0, AT(2), answer)), "4 3 1");
	unsigned first = 0;
	put("192.0.2.2", BOOK_TYPE_OUTBOUND, 0, 0, AT(1));
	for (unsigned i = 0; i < 1000; i++) {
		(void)address_book_to_send(book, 3, NULL, NULL, 10, AT(2), answer);
		first += answer[1].address.bytes[15] == 2;
	}
	CHECK_NEAR("within a type the order is shuffled", (double)first, 500, 80);
}

static void test_sticky(void)
{
	struct address_book_config config = config_of_tests();
	config.subnet.limit = config.group.limit = 0;
	config.group.limit = UINT32_MAX;
	static const uint32_t sizes[] = {200, 6000};
	for (size_t s = 0; s < CHECK_COUNT(sizes); s++) {
		open_book(&config);
		for (uint32_t i = 0; i < sizes[s]; i++) {
			struct book_entry entry = {
				.address = address_from_v4(0x14000000 + i * 65537), .port = 1};
			(void)address_book_add(book, &entry, AT(1));
		}
		struct address asker = at("8.8.8.8").address, neighbour = at("8.8.8.9").address,
			       other = at("9.9.9.9").address;
		struct book_endpoint again[BOOK_ANSWER_MAX];
		size_t n = address_book_to_send(book, 1000, NULL, &asker, 10, AT(823), answer);
		CHECK_EQ("a stranger gets ten at most", n, 10);
		CHECK_EQ("asking again", address_book_to_send(book, 1000, NULL, &asker, 10, AT(1645), again),
			n);
		CHECK_MEM_EQ("gives the same", again, answer, n * sizeof(*answer));
		CHECK_EQ("so does his neighbour",
			address_book_to_send(book, 1000, NULL, &neighbour, 10, AT(1645), again), n);
		CHECK_MEM_EQ("in his /24", again, answer, n * sizeof(*answer));
		(void)address_book_to_send(book, 1000, NULL, &other, 10, AT(1645), again);
		CHECK_TRUE("another one gets others", memcmp(again, answer, n * sizeof(*answer)) != 0);
		(void)address_book_to_send(book, 1000, NULL, &asker, 10, AT(1646), again);
		CHECK_TRUE("and so does he after 823 s", memcmp(again, answer, n * sizeof(*answer)) != 0);
		/* One address leaves and some come: an answer changes by as much at most. */
		struct book_endpoint gone = answer[3];
		(void)address_book_remove(book, &gone, "test");
		n = address_book_to_send(book, 1000, NULL, &asker, 10, AT(1645), again);
		unsigned same = 0;
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < 10; j++)
				same += address_compare(&again[i].address, &answer[j].address) == 0;
		CHECK_EQ("an address that leaves changes no other", same, 9u);
		/* Everybody who asks once: the book is not read out by one, but known to all together. */
		bool seen[6000] = {false};
		unsigned known = 0;
		for (uint32_t i = 0; i < 2000; i++) {
			struct address someone = address_from_v4(0x50000000 + (i << 8));
			n = address_book_to_send(book, 10, NULL, &someone, 10, AT(1645), again);
			for (size_t j = 0; j < n; j++) {
				uint32_t which = (address_v4(&again[j].address) - 0x14000000) / 65537;
				known += !seen[which];
				seen[which] = true;
			}
		}
		CHECK_TRUE("all addresses are shared with somebody", known >= sizes[s] * 9 / 10);
	}
	config.capacity = 100;
	open_book(&config);
	for (uint32_t i = 0; i < 5; i++) {
		struct book_entry entry = {.address = address_from_v4(0x14000000 + i * 65537), .port = 1};
		(void)address_book_add(book, &entry, AT(1));
	}
	struct address asker = at("20.0.0.0").address;
	CHECK_EQ("V28: of a small book the asker gets all but himself",
		address_book_to_send(book, 10, NULL, &asker, 10, AT(2), answer), 4);
	CHECK_EQ("V28: or as many as he wants",
		address_book_to_send(book, 3, NULL, &asker, 10, AT(2), answer), 3);
	bool himself = false;
	for (unsigned i = 0; i < 100; i++) {
		size_t n = address_book_to_send(book, 10, NULL, &asker, 10, AT(823 * (i + 2)), answer);
		for (size_t j = 0; j < n; j++)
			himself = himself || address_compare(&answer[j].address, &asker) == 0;
	}
	CHECK_FALSE("HE-11: and never himself", himself);
}

static void test_to_connect(void)
{
	struct address_book_config config = config_of_tests();
	config.backoff = backoff_dugite;
	config.counters = counters_dugite;
	open_book(&config);
	struct book_target targets[16];
	struct book_record values = {.address = at("192.0.2.1").address,
		.port = 30303,
		.category = PEER_CATEGORY_BOOTSTRAP,
		.source = PEER_SOURCE_NODE};
	(void)address_book_put(book, &values, BOOK_PUT_CATEGORY, AT(1), NULL);
	values = (struct book_record){.address = at("192.0.2.2").address,
		.port = 30303,
		.category = PEER_CATEGORY_LEDGER,
		.source = PEER_SOURCE_LEDGER,
		.tip_known = true};
	(void)address_book_put(
		book, &values, BOOK_PUT_CATEGORY | BOOK_PUT_SOURCE | BOOK_PUT_TIP_KNOWN, AT(1), NULL);
	values = (struct book_record){.address = at("192.0.2.3").address, .port = 30303, .reputation = 1.0f};
	(void)address_book_put(book, &values, BOOK_PUT_REPUTATION, AT(1), NULL);
	size_t n = address_book_to_connect(book, 16, AT(2), targets);
	for (size_t i = 0; i < n; i++)
		answer[i] = targets[i].endpoint;
	CHECK_EQ("DU-7: trustable first, then by score", tails(n), "1 3 2");
	CHECK_EQ("two tiers", targets[0].tier * 10 + targets[1].tier, 1);
	CHECK_NEAR("V18: trustable", targets[0].score, 0.7, 1e-6);
	CHECK_NEAR("V18: ledger, tip known", targets[2].score, 0.6, 1e-6);

	outcomes("192.0.2.1", "F", AT(10));
	outcomes("192.0.2.3", "F", AT(10));
	n = address_book_to_connect(book, 16, AT(11), targets);
	for (size_t i = 0; i < n; i++)
		answer[i] = targets[i].endpoint;
	CHECK_EQ("DU-7: only the trustable do not wait", tails(n), "1 2");
	n = address_book_to_connect(book, 16, AT(20), targets);
	CHECK_EQ("DU-19: ten seconds later the other is back", n, 3);
	CHECK_NEAR("DU-7: with its failure", targets[1].score, 0.85, 1e-6);
	(void)address_book_to_connect(book, 16, AT(310), targets);
	CHECK_NEAR("DU-10: which heals after 300 s", targets[1].score, 1.0, 1e-6);

	outcomes("192.0.2.1", "FFF", AT(400));
	n = address_book_to_connect(book, 16, AT(401), targets);
	for (size_t i = 0; i < n; i++)
		answer[i] = targets[i].endpoint;
	CHECK_EQ("DU-5: an open circuit excludes all", tails(n), "3 2");
	CHECK_EQ("until it is half open", address_book_to_connect(book, 16, AT(460), targets), 3);
	struct book_endpoint one = at("192.0.2.1");
	struct book_dial dial;
	address_book_dial(book, &one, AT(459), &dial);
	CHECK_TRUE("DU-5: no dialling while it is open", !dial.allow && dial.wait_ms == 1000);
	CHECK_EQ("for this reason", dial.reason, "circuit");
	address_book_dial(book, &one, AT(460), &dial);
	CHECK_TRUE("then one probe", dial.allow);
	address_book_dial(book, &one, AT(461), &dial);
	CHECK_FALSE("and no second", dial.allow);
	CHECK_EQ("it is not offered either", address_book_to_connect(book, 16, AT(461), targets), 2);
	CHECK_EQ("a neutral end frees it", address_book_neutral(book, &one, AT(462)), 0);
	CHECK_EQ("at once", address_book_to_connect(book, 16, AT(462), targets), 3);
	struct book_record connected = {.address = at("192.0.2.2").address, .port = 30303, .connected = true};
	(void)address_book_put(book, &connected, BOOK_PUT_CONNECTED, AT(463), NULL);
	CHECK_EQ("who is connected is not dialled", address_book_to_connect(book, 16, AT(463), targets), 2);
	struct book_endpoint two = at("192.0.2.2"), nobody = at("192.0.2.99");
	address_book_dial(book, &two, AT(463), &dial);
	CHECK_EQ("nor twice", dial.reason, "connected");
	address_book_dial(book, &nobody, AT(463), &dial);
	CHECK_TRUE("the unknown may be dialled", dial.allow);

	config.third_tier = true;
	open_book(&config);
	values = (struct book_record){
		.address = at("192.0.2.1").address, .port = 30303, .category = PEER_CATEGORY_LOCAL_ROOT};
	(void)address_book_put(book, &values, BOOK_PUT_CATEGORY, AT(1), NULL);
	(void)add("192.0.2.2", AT(1));
	outcomes("192.0.2.1", "FFF", AT(2));
	n = address_book_to_connect(book, 16, AT(62), targets);
	CHECK_TRUE("5.5.12: the third tier is an option", n == 2 && targets[1].tier == 2);
}

static void test_coldest(void)
{
	struct address_book_config config = config_of_tests();
	config.keeps_configured = true;
	open_book(&config);
	(void)add("192.0.2.1", AT(1));
	(void)add("192.0.2.2", AT(2));
	(void)add("192.0.2.3", AT(3));
	(void)add("192.0.2.4", AT(3));
	outcomes("192.0.2.1", "S", AT(20));
	outcomes("192.0.2.2", "S", AT(10));
	struct book_record values = {.address = at("192.0.2.4").address, .port = 30303, .reputation = 0.2f};
	(void)address_book_put(book, &values, BOOK_PUT_REPUTATION, AT(21), NULL);
	struct book_entry configured = {
		.address = at("192.0.2.5").address, .port = 30303, .source = PEER_SOURCE_CONFIG};
	(void)address_book_add(book, &configured, AT(1));
	CHECK_EQ("V37: never connected, oldest, lowest reputation; no configured one",
		tails(address_book_coldest(book, 9, AT(22), answer)), "4 3 2 1");
}

static void test_list(void)
{
	struct address_book_config config = config_of_tests();
	open_book(&config);
	(void)add("192.0.2.2", AT(1));
	(void)add("2001:db8::1", AT(1));
	(void)add("192.0.2.1", AT(1));
	const struct book_record *records[4];
	CHECK_EQ("a page", address_book_list(book, 2, NULL, records), 2);
	CHECK_EQ("in order of address", records[0]->address.bytes[15] * 10 + records[1]->address.bytes[15],
		12);
	struct book_endpoint last = {records[1]->address, records[1]->port};
	CHECK_EQ("the next page", address_book_list(book, 2, &last, records), 1);
	CHECK_FALSE("is the rest", address_is_v4(&records[0]->address));
	config.capacity = 1;
	address_book_reconfigure(book, &config);
	CHECK_EQ("a smaller capacity holds at once", address_book_count(book), 1u);
	address_book_destroy(book);
	book = NULL;
}

static const struct check_test tests[] = {
	{"the best", test_best},
	{"random selection", test_random},
	{"what is sent", test_to_send},
	{"sticky, bounded answers", test_sticky},
	{"whom to dial", test_to_connect},
	{"the coldest", test_coldest},
	{"listing", test_list},
};
CHECK_MAIN("address_book_query", tests)
