// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/lists.h: random nested prefixes against a naive list, at each boundary, before and after
 * commands; the overlay.
 */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/lists.h"
#include "dataplane/lists_private.h"
#include "shm/image_builder.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

enum { ENTRIES_MAX = 600, NOW_S = 1000 };

struct entry {
	struct prefix prefix;
	enum image_list_kind kind;
	uint32_t meta;
	bool live;
};

/* As ban_meta_make, and a constant. */
#define ban(class, end_s) ((uint32_t)(class) << BAN_META_END_BITS | (end_s))

/* Through the builder and the validator, as an image comes: what they make is what the lists read. */
static struct lists *lists_make(const struct entry *entries, size_t n)
{
	struct image_policy policy = {.half_open_timeout_ms = 1,
		.tcp_idle_timeout_ms = 1,
		.udp_idle_timeout_ms = 1,
		.udp_unanswered_timeout_ms = 1,
		.closing_timeout_ms = 1,
		.proven_lifetime_ms = 1};
	struct image_stamp stamp = {1, 1, 0, 0, 0};
	struct image_builder *builder = NULL;
	struct lists *lists = NULL;
	struct image_view view;
	void *block = NULL;
	size_t bytes = 0;

	CHECK_EQ("a builder is made", image_builder_create(&builder), 0);
	CHECK_EQ("a policy is set", image_builder_set_policy(builder, &policy), 0);
	for (size_t i = 0; i < n; i++)
		if (entries[i].live)
			CHECK_EQ("a prefix is added",
				image_builder_add_list(
					builder, entries[i].kind, &entries[i].prefix, entries[i].meta),
				0);
	CHECK_EQ("an image is built", image_builder_finish(builder, &stamp, &block, &bytes), 0);
	CHECK_EQ("it is valid", (int)image_validate(block, bytes, &view), (int)IMAGE_OK);
	CHECK_EQ("lists are made", lists_create(&view, &test_key, &table_memory_heap, &lists), 0);
	image_builder_destroy(builder);
	memset(block, 0xee, bytes); /* they are a copy */
	free(block);
	return lists;
}

static struct lists_answer answer_naive(const struct entry *entries, size_t n, const struct address *address)
{
	struct lists_answer answer = {.allowed = false, .price = IMAGE_PRICE_USUAL};
	int price_length = -1;

	for (size_t i = 0; i < n; i++) {
		if (!entries[i].live || !prefix_contains(&entries[i].prefix, address))
			continue;
		answer.allowed |= entries[i].kind == IMAGE_LIST_ALLOW;
		answer.denied |= entries[i].kind == IMAGE_LIST_DENY;
		if (entries[i].kind == IMAGE_LIST_BAN &&
			ban_meta_class_at(entries[i].meta, NOW_S) != SOURCE_CLASS_NONE &&
			entries[i].meta > answer.ban_meta)
			answer.ban_meta = entries[i].meta;
		if (entries[i].kind == IMAGE_LIST_PRICE && entries[i].prefix.length > price_length) {
			price_length = entries[i].prefix.length;
			answer.price = (uint16_t)entries[i].meta;
		}
	}
	return answer;
}

static unsigned wrong_answer(
	const struct lists *lists, const struct entry *entries, size_t n, const struct address *address)
{
	struct lists_answer expected = answer_naive(entries, n, address), got;

	lists_lookup(lists, address, NOW_S, &got);
	return got.allowed != expected.allowed || got.denied != expected.denied ||
	       got.ban_meta != expected.ban_meta || got.price != expected.price;
}

/* The address `step` behind (or before) another, within its family's bits. */
static struct address address_step(struct address address, int step)
{
	for (int i = 15; i >= (address_is_v4(&address) ? 12 : 0); i--) {
		address.bytes[i] = (uint8_t)(address.bytes[i] + step);
		if (address.bytes[i] != (step > 0 ? 0 : 0xff))
			break;
	}
	return address;
}

static struct address prefix_last(const struct prefix *prefix)
{
	struct address last = prefix->address;

	for (unsigned bit = prefix->length; bit < 128; bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	return last;
}

/* Both ends of every prefix, and the addresses just outside. */
static unsigned wrong_boundaries(const struct lists *lists, const struct entry *entries, size_t n)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct address first = entries[i].prefix.address, last = prefix_last(&entries[i].prefix);
		struct address before = address_step(first, -1), after = address_step(last, 1);

		wrong += wrong_answer(lists, entries, n, &first) + wrong_answer(lists, entries, n, &last) +
			 wrong_answer(lists, entries, n, &before) + wrong_answer(lists, entries, n, &after);
	}
	return wrong;
}

/* Addresses that fall together: few distinct bits, so that prefixes nest, touch and share starts. */
static struct address address_random(uint64_t *random)
{
	uint64_t pick = random_next(random);

	if (pick & 1)
		return address_from_v4((uint32_t)(pick >> 32) & 0xc3030307);
	return address_v6_make(random_next(random) & UINT64_C(0xc003000300030003),
		random_next(random) & UINT64_C(0x8000000000000003));
}

static size_t entries_random(struct entry entries[ENTRIES_MAX], size_t n, uint64_t *random)
{
	size_t filled = 0;

	while (filled < n) {
		struct address address = address_random(random);
		uint64_t pick = random_next(random);
		struct entry entry = {.live = true, .kind = (enum image_list_kind)(1 + pick % 4)};
		unsigned low = address_is_v4(&address) ? 96 : 0,
			 length = low + (unsigned)(pick >> 8) % (129 - low);
		size_t i = 0;

		entry.prefix = prefix_of(&address, (uint8_t)length);
		if (entry.kind == IMAGE_LIST_BAN) /* some have ended already */
			entry.meta = ban((enum source_class)(1 + (pick >> 32) % 4),
				(uint32_t)(pick >> 40) % (2 * NOW_S));
		if (entry.kind == IMAGE_LIST_PRICE)
			entry.meta = 1 + (uint32_t)(pick >> 32) % IMAGE_PRICE_MAX;
		while (i < filled && (entries[i].kind != entry.kind ||
					     prefix_compare(&entries[i].prefix, &entry.prefix) != 0))
			i++;
		if (i == filled)
			entries[filled++] = entry;
	}
	return filled;
}

static void test_compiled(void)
{
	static const size_t sizes[] = {0, 1, 2, 10, 100, ENTRIES_MAX};
	static struct entry entries[ENTRIES_MAX];
	uint64_t random = 2;

	for (size_t s = 0; s < CHECK_COUNT(sizes); s++)
		for (int round = 0; round < 5; round++) {
			size_t n = entries_random(entries, sizes[s], &random);
			struct lists *lists = lists_make(entries, n);
			unsigned wrong = wrong_boundaries(lists, entries, n);

			for (int i = 0; i < 5000; i++) {
				struct address address = address_random(&random);

				wrong += wrong_answer(lists, entries, n, &address);
			}
			CHECK_EQ("each address gets what its prefixes say", wrong, 0u);
			CHECK_EQ("each prefix is a label", lists_label_count(lists), n);
			lists_destroy(lists);
		}
}

static enum command_kind command_of(enum image_list_kind kind, bool set)
{
	if (kind == IMAGE_LIST_BAN)
		return set ? COMMAND_BAN_SET : COMMAND_BAN_CLEAR;
	if (kind == IMAGE_LIST_ALLOW)
		return set ? COMMAND_ALLOW_SET : COMMAND_ALLOW_CLEAR;
	return set ? COMMAND_DENY_SET : COMMAND_DENY_CLEAR;
}

/* Half of the prefixes are compiled, half come by command; then all of them come and go at random. */
static void test_commands(void)
{
	static struct entry entries[ENTRIES_MAX];
	uint64_t random = 9;
	size_t n = entries_random(entries, 300, &random);
	struct lists *lists;
	unsigned wrong = 0;

	/* Prices come with images only. */
	for (size_t i = 0; i < n; i += 2)
		entries[i].live = entries[i].kind == IMAGE_LIST_PRICE;
	lists = lists_make(entries, n);
	CHECK_EQ("before any command", wrong_boundaries(lists, entries, n), 0u);
	for (int step = 0; step < 100000; step++) {
		uint64_t pick = random_next(&random);
		struct entry *entry = &entries[pick % n];
		struct address address;

		if (entry->kind == IMAGE_LIST_PRICE)
			continue;
		entry->live = (pick >> 63) != 0;
		if (entry->live && entry->kind == IMAGE_LIST_BAN)
			entry->meta = ban((enum source_class)(1 + (pick >> 32) % 4),
				(uint32_t)(pick >> 40) % (2 * NOW_S));
		wrong += lists_apply(lists, command_of(entry->kind, entry->live), &entry->prefix,
				 entry->meta) != 0;
		if (step % 20)
			continue;
		address = pick >> 62 & 1 ? entry->prefix.address : address_random(&random);
		wrong += wrong_answer(lists, entries, n, &address);
	}
	CHECK_EQ("100,000 commands are obeyed", wrong, 0u);
	CHECK_EQ("at every boundary", wrong_boundaries(lists, entries, n), 0u);
	lists_destroy(lists);
}

static void test_strongest(void)
{
	static const struct {
		const char *name;
		uint32_t wide, narrow, expected;
		uint8_t length;
	} cases[] = {
		{"the stronger class wins, though wider", ban(SOURCE_CLASS_BANNED, 2000),
			ban(SOURCE_CLASS_THROTTLED, 3000), ban(SOURCE_CLASS_BANNED, 2000), 104},
		{"of one class the later end", ban(SOURCE_CLASS_BANNED, 2000), ban(SOURCE_CLASS_BANNED, 3000),
			ban(SOURCE_CLASS_BANNED, 3000), 120},
		{"without an end is last", ban(SOURCE_CLASS_BANNED, BAN_META_NEVER),
			ban(SOURCE_CLASS_BANNED, 3000), ban(SOURCE_CLASS_BANNED, BAN_META_NEVER), 104},
		{"an ended ban does not hide a living one", ban(SOURCE_CLASS_BANNED, 999),
			ban(SOURCE_CLASS_THROTTLED, 1001), ban(SOURCE_CLASS_THROTTLED, 1001), 120},
		{"a ban ends at its end", ban(SOURCE_CLASS_BANNED, NOW_S), ban(SOURCE_CLASS_BANNED, NOW_S), 0,
			0},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		for (int overlay = 0; overlay < 2; overlay++) {
			struct entry entries[2] = {
				{.kind = IMAGE_LIST_BAN, .meta = cases[i].wide, .live = true},
				{.kind = IMAGE_LIST_BAN, .meta = cases[i].narrow, .live = true}};
			struct address address = address_from_v4(0x0a010203);
			struct lists_answer answer;
			struct lists *lists;

			entries[0].prefix = prefix_of(&address, 104);
			entries[1].prefix = prefix_of(&address, 120);
			lists = lists_make(entries, overlay ? 0 : 2);
			for (int e = 0; e < 2 && overlay; e++)
				CHECK_EQ("a ban comes by command",
					lists_apply(
						lists, COMMAND_BAN_SET, &entries[e].prefix, entries[e].meta),
					0);
			lists_lookup(lists, &address, NOW_S, &answer);
			CHECK_EQ(cases[i].name, answer.ban_meta, cases[i].expected);
			CHECK_EQ(cases[i].name, answer.ban_length, cases[i].length);
			lists_destroy(lists);
		}
}

static void test_overlay_bounds(void)
{
	struct lists *lists = lists_make(NULL, 0);
	struct lists_answer answer;
	struct prefix prefix;
	struct address address;
	unsigned wrong = 0;

	for (uint32_t i = 0; i < LISTS_OVERLAY_MAX; i++) {
		address = address_from_v4(i << 8);
		prefix = prefix_of(&address, 120);
		wrong += lists_apply(lists, COMMAND_BAN_SET, &prefix, ban(SOURCE_CLASS_BANNED, 2000)) != 0;
	}
	CHECK_EQ("the overlay takes what it promises", wrong, 0u);
	address = address_from_v4(0xff000000);
	prefix = prefix_of(&address, 120);
	CHECK_EQ("one more is refused", lists_apply(lists, COMMAND_DENY_SET, &prefix, 0), -ENOSPC);
	lists_lookup(lists, &address, NOW_S, &answer);
	CHECK_FALSE("and does nothing", answer.denied);
	CHECK_EQ(
		"clearing what is not there is done", lists_apply(lists, COMMAND_ALLOW_CLEAR, &prefix, 0), 0);
	address = address_from_v4(5 << 8);
	prefix = prefix_of(&address, 120);
	CHECK_EQ("a prefix that is there takes another kind",
		lists_apply(lists, COMMAND_ALLOW_SET, &prefix, 0), 0);
	lists_lookup(lists, &address, NOW_S, &answer);
	CHECK_TRUE("and has both", answer.allowed && answer.ban_meta != 0);
	CHECK_EQ("a command of another kind is refused", lists_apply(lists, COMMAND_FLOW_CUT, &prefix, 0),
		-EINVAL);
	CHECK_EQ("each overlay prefix is counted", lists_label_count(lists), (uint64_t)LISTS_OVERLAY_MAX);
	lists_destroy(lists);
	lists_destroy(NULL);
}

static const struct check_test tests[] = {
	{"compiled prefixes decide at each boundary", test_compiled},
	{"commands change what the lists say", test_commands},
	{"the strongest living ban is reported", test_strongest},
	{"the overlay is bounded", test_overlay_bounds},
};
CHECK_MAIN("lists", tests)
