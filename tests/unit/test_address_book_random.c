/* SPDX-License-Identifier: BSD-3-Clause
 * control/address_book*.c under random sequences: its limits hold, its answers are what looking at every
 * address would give, kept addresses stay, and two books fed the same trace with one seed answer alike. Fixed
 * seeds, so a failure repeats.
 */
#include <stdlib.h>
#include <string.h>

#include "control/keyed_random.h"
#include "tests/unit/book_fixture.h"

enum { STEPS = 30000, LOOK_EVERY = 150, ADDRESSES = 400 };

static unsigned bad_removals;

static void count_removed(void *context, const struct book_record *record, const char *why)
{
	(void)context;
	bad_removals += record->kept && strcmp(why, "asked") != 0 && strcmp(why, "failures") != 0;
}

static struct address_book_config config_of_trace(void)
{
	struct address_book_config config = config_of_tests();
	config.capacity = 150;
	config.subnet.limit = 4;
	config.group.limit = 20;
	config.backoff = backoff_dugite;
	config.counters = counters_dugite;
	config.stale_ms = AT(20000);
	config.sticky_ms = AT(100);
	config.keeps_configured = true;
	return config;
}

/** One of a few addresses in 8 /16s, 20 /24s each, with two ports. */
static struct book_endpoint some_endpoint(struct keyed_random *random)
{
	uint32_t n = (uint32_t)keyed_random_below(random, ADDRESSES);
	return (struct book_endpoint){
		address_from_v4(0x14000000 + (n % 8 << 16) + (n / 8 % 20 << 8) + n / 160),
		(uint16_t)(1 + keyed_random_below(random, 2))};
}

static void step(struct address_book *target, struct keyed_random *random, int64_t now_ms)
{
	struct book_endpoint endpoint = some_endpoint(random), stranger = some_endpoint(random);
	struct book_record values = {.address = endpoint.address,
		.port = endpoint.port,
		.type = (uint8_t)keyed_random_below(random, BOOK_TYPE_COUNT),
		.category = (uint8_t)keyed_random_below(random, PEER_CATEGORY_COUNT),
		.connected = keyed_random_below(random, 2) == 0,
		.failures = (uint32_t)keyed_random_below(random, 15),
		.next_try_ms = now_ms + (int64_t)keyed_random_below(random, 200000) - 100000,
		.reputation = (float)keyed_random_below(random, 11) / 10.0f};
	struct book_entry entry = {.address = endpoint.address,
		.port = endpoint.port,
		.source = keyed_random_below(random, 20) == 0 ? PEER_SOURCE_CONFIG : PEER_SOURCE_GOSSIP,
		.from = keyed_random_below(random, 2) == 0 ? &stranger.address : NULL};
	unsigned which = 1u << keyed_random_below(random, 15);
	struct book_dial dial;
	switch (keyed_random_below(random, 8)) {
	case 0:
	case 1:
		(void)address_book_add(target, &entry, now_ms);
		break;
	case 2:
		(void)address_book_put(target, &values,
			which & ~(unsigned)(BOOK_PUT_SOURCE | BOOK_PUT_OK | BOOK_PUT_FAIL |
					    BOOK_PUT_FIRST_SEEN | BOOK_PUT_LAST_SEEN | BOOK_PUT_LAST_OK |
					    BOOK_PUT_LAST_TRY),
			now_ms, NULL);
		break;
	case 3:
		(void)address_book_outcome(target, &endpoint, true, now_ms);
		break;
	case 4:
		(void)address_book_outcome(target, &endpoint, false, now_ms);
		break;
	case 5:
		address_book_dial(target, &endpoint, now_ms, &dial);
		break;
	case 6:
		(void)address_book_update(target, &endpoint,
			(enum book_type)keyed_random_below(random, BOOK_TYPE_COUNT + 1), false,
			(enum book_backoff)keyed_random_below(random, 4), now_ms, NULL);
		break;
	default:
		if (keyed_random_below(random, 8) == 0)
			(void)address_book_remove(target, &endpoint, "asked");
		else if (keyed_random_below(random, 40) == 0)
			(void)address_book_remove_failed(target, 12, now_ms);
		else
			(void)address_book_neutral(target, &endpoint, now_ms);
	}
}

static bool is_eligible(const struct book_record *record, int64_t now_ms)
{
	bool trustable =
		record->category == PEER_CATEGORY_LOCAL_ROOT || record->category == PEER_CATEGORY_BOOTSTRAP;
	return !record->connected && (record->next_try_ms <= now_ms || trustable) &&
	       record->next_try_ms != INT64_MAX && circuit_allows(&record->circuit, now_ms);
}

/** Every answer against a look at every address. */
static bool same_as_looking(int64_t now_ms)
{
	static const struct book_record *all[BOOK_ANSWER_MAX];
	static struct book_target targets[BOOK_ANSWER_MAX];
	(void)address_book_advance(book, now_ms, UINT32_MAX);
	size_t n = address_book_list(book, BOOK_ANSWER_MAX, NULL, all), ready = 0, eligible = 0,
	       evictable = 0;
	bool good = CHECK_EQ("the list is all", n, address_book_count(book)) &&
		    CHECK_TRUE("no more than fit", n <= 150);
	for (size_t i = 0; i < n; i++) {
		unsigned in_subnet = 0, in_group = 0;
		for (size_t j = 0; j < n; j++) {
			bool counted = all[j]->source != PEER_SOURCE_CONFIG;
			in_subnet += counted && memcmp(all[i]->address.bytes, all[j]->address.bytes, 15) == 0;
			in_group += counted && memcmp(all[i]->address.bytes, all[j]->address.bytes, 14) == 0;
		}
		good = good && CHECK_TRUE("no crowded subnet", in_subnet <= 4 && in_group <= 20);
		bool outbound = all[i]->type != BOOK_TYPE_INBOUND;
		ready += outbound && all[i]->next_try_ms <= now_ms && all[i]->failures <= 10;
		eligible += is_eligible(all[i], now_ms);
		evictable += !all[i]->kept;
		good = good && CHECK_TRUE("ordered", i == 0 || address_compare(&all[i - 1]->address,
								       &all[i]->address) <= 0);
	}
	good = good && CHECK_EQ("random finds all that match",
			       address_book_random(book, BOOK_ANSWER_MAX, BOOK_FILTER_ANY_OUTBOUND, true, 10,
				       now_ms, answer),
			       ready);
	good = good && CHECK_EQ("the coldest are all that may go",
			       address_book_coldest(book, BOOK_ANSWER_MAX, now_ms, answer), evictable);
	good = good && CHECK_EQ("the best are all",
			       address_book_best(book, BOOK_ANSWER_MAX, NULL, now_ms, answer), n);
	for (size_t i = 1; good && i < n; i++) {
		const struct book_record *a = address_book_find(book, &answer[i - 1]),
					 *b = address_book_find(book, &answer[i]);
		good = CHECK_TRUE("the best are in order",
			a->quality > b->quality ||
				(a->quality == b->quality && a->last_seen_ms >= b->last_seen_ms));
	}
	size_t dials = address_book_to_connect(book, BOOK_ANSWER_MAX, now_ms, targets);
	good = good && CHECK_EQ("all that may be dialled", dials, eligible);
	for (size_t i = 1; good && i < dials; i++)
		good = CHECK_TRUE(
			"dialled in order", targets[i - 1].tier < targets[i].tier ||
						    (targets[i - 1].tier == targets[i].tier &&
							    targets[i - 1].score >= targets[i].score));
	return good;
}

static void test_random_sequences(void)
{
	static const struct address_book_effects effects = {NULL, NULL, count_removed, NULL};
	struct address_book_config config = config_of_trace();
	struct keyed_random random = keyed_random_from_seed(5, 5);
	open_book(&config);
	address_book_destroy(book);
	CHECK_EQ("a book", address_book_create(&config, &effects, &book), 0);
	bad_removals = 0;
	int64_t now_ms = AT(1000);
	for (unsigned i = 0; i < STEPS; i++) {
		step(book, &random, now_ms);
		now_ms += (int64_t)keyed_random_below(&random, 20000);
		if (i % LOOK_EVERY == 0 && !same_as_looking(now_ms))
			break;
	}
	CHECK_EQ("kept addresses are never taken out by Weir", bad_removals, 0u);
	struct address_book_stats stats;
	address_book_stats(book, &stats);
	CHECK_TRUE("every limit was met on the way", stats.evicted > 0 && stats.stale > 0 &&
							     stats.verdicts[BOOK_REFUSED_SUBNET] > 0 &&
							     stats.verdicts[BOOK_REFUSED_GROUP] > 0);
}

static void test_repeats(void)
{
	struct address_book_config config = config_of_trace();
	struct keyed_random a = keyed_random_from_seed(9, 1), b = a;
	struct address_book *other = NULL;
	static struct book_endpoint same[BOOK_ANSWER_MAX];
	open_book(&config);
	CHECK_EQ("another book", address_book_create(&config, NULL, &other), 0);
	struct address asker = at("8.8.8.8").address;
	for (unsigned i = 0; i < 5000; i++) {
		int64_t now_ms = AT(1000 + i * 7);
		step(book, &a, now_ms);
		step(other, &b, now_ms);
		if (i % 50 != 0)
			continue;
		size_t n = address_book_random(book, 20, BOOK_FILTER_ANY, false, 10, now_ms, answer);
		CHECK_EQ("as many", address_book_random(other, 20, BOOK_FILTER_ANY, false, 10, now_ms, same),
			n);
		CHECK_MEM_EQ("the same random ones", same, answer, n * sizeof(*same));
		n = address_book_to_send(book, 20, NULL, i % 2 != 0 ? &asker : NULL, 10, now_ms, answer);
		CHECK_EQ("as many",
			address_book_to_send(other, 20, NULL, i % 2 != 0 ? &asker : NULL, 10, now_ms, same),
			n);
		if (!CHECK_MEM_EQ("the same for strangers", same, answer, n * sizeof(*same)))
			break;
	}
	address_book_destroy(other);
}

static const struct check_test tests[] = {
	{"random sequences keep the limits, and answers are exact", test_random_sequences},
	{"one seed, one trace, one answer", test_repeats},
};
CHECK_MAIN("address_book_random", tests)
