// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the image builder: compiled lists against a linear oracle over random nested prefixes and every
 * boundary address, exact bans in any order, refusals, and how long a million prefixes and ten million bans
 * take.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/image_table.h"
#include "tests/check.h"
#include "tests/unit/image_fixture.h"

static const struct image_stamp stamp = {.instance = 1, .generation = 1};

/* A deterministic stream (xorshift64*): a failure can be repeated. */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

struct listed {
	struct prefix prefix;
	enum image_list_kind kind;
	uint32_t meta;
};

/* Finish and validate; the view points into *ret_block, which the caller frees. */
static bool finish(struct image_builder *builder, void **ret_block, struct image_view *ret_view)
{
	size_t bytes;

	return CHECK_EQ("the image is finished", image_builder_finish(builder, &stamp, ret_block, &bytes),
		       0) &&
	       CHECK_EQ("and valid", (int)image_validate(*ret_block, bytes, ret_view), (int)IMAGE_OK);
}

/* The interval of an address by a linear search: slow, and nothing in it to get wrong. */
static uint32_t view_label(const struct image_view *view, const struct address *address)
{
	uint32_t label = 0;

	if (address_is_v4(address)) {
		for (uint64_t i = 0; i < view->n_list_v4 && view->list_v4_starts[i] <= address_v4(address);
			i++)
			label = view->list_v4_labels[i];
		return label;
	}
	uint64_t high = address_v6_site(address), low = 0;

	for (int i = 8; i < 16; i++)
		low = low << 8 | address->bytes[i];
	for (uint64_t i = 0; i < view->n_list_v6; i++) {
		const struct image_v6_start *start = &view->list_v6_starts[i];

		if (start->high > high || (start->high == high && start->low > low))
			break;
		label = view->list_v6_labels[i];
	}
	return label;
}

/* What is expected at one prefix length and kind: the greatest meta of the prefixes that contain the address.
 */
static bool oracle_find(const struct listed *listed, size_t n, const struct address *address, uint8_t length,
	enum image_list_kind kind, uint32_t *ret_meta)
{
	bool found = false;
	uint32_t meta = 0;

	for (size_t i = 0; i < n; i++) {
		if (listed[i].kind != kind || listed[i].prefix.length != length ||
			!prefix_contains(&listed[i].prefix, address))
			continue;
		found = true;
		if ((kind == IMAGE_LIST_BAN || kind == IMAGE_LIST_PRICE) && listed[i].meta > meta)
			meta = listed[i].meta;
	}
	*ret_meta = meta;
	return found;
}

/* The chain of an address holds exactly what the oracle finds, the longest prefix first. */
static bool chain_is_right(
	const struct image_view *view, const struct listed *listed, size_t n, const struct address *address)
{
	const struct image_list_label *label = &view->list_labels[view_label(view, address)];

	for (int length = PREFIX_HOST_LENGTH; length >= 0; length--)
		for (int kind = IMAGE_LIST_PRICE; kind >= IMAGE_LIST_ALLOW; kind--) {
			uint32_t meta;

			if (!oracle_find(
				    listed, n, address, (uint8_t)length, (enum image_list_kind)kind, &meta))
				continue;
			if (label->kind != kind || label->length != length || label->meta != meta)
				return false;
			label = &view->list_labels[label->parent];
		}
	return label == &view->list_labels[0];
}

static void address_step(struct address *address, int by)
{
	for (int i = 15; i >= 0; i--) {
		address->bytes[i] = (uint8_t)(address->bytes[i] + by);
		if (address->bytes[i] != (by > 0 ? 0 : 0xff))
			break;
	}
}

static struct address prefix_last(const struct prefix *prefix)
{
	struct address address = prefix->address;

	for (unsigned bit = prefix->length; bit < 128; bit++)
		address.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return address;
}

/* Both ends of every prefix and their outer neighbours. */
static void check_boundaries(
	const char *name, const struct image_view *view, const struct listed *listed, size_t n)
{
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		struct address at[4] = {listed[i].prefix.address, listed[i].prefix.address,
			prefix_last(&listed[i].prefix), prefix_last(&listed[i].prefix)};

		address_step(&at[1], -1);
		address_step(&at[3], 1);
		for (int j = 0; j < 4; j++)
			if (!chain_is_right(view, listed, n, &at[j]))
				CHECK_FAIL(name, "the chain of %s is wrong", address_format(&at[j], text));
	}
}

static void check_lists(const char *name, const struct listed *listed, size_t n)
{
	struct image_builder *builder = image_fixture_builder();
	struct image_view view;
	void *block = NULL;

	for (size_t i = 0; i < n; i++)
		CHECK_EQ(name,
			image_builder_add_list(builder, listed[i].kind, &listed[i].prefix, listed[i].meta),
			0);
	if (finish(builder, &block, &view))
		check_boundaries(name, &view, listed, n);
	free(block);
	image_builder_destroy(builder);
}

static void test_lists_by_hand(void)
{
	static const struct {
		const char *name;
		const char *prefixes[8];
	} cases[] = {
		{"nothing listed", {NULL}},
		{"all of IPv4", {"0.0.0.0/0"}},
		{"all of IPv6", {"::/0"}},
		{"the first and the last IPv4 address", {"0.0.0.0", "255.255.255.255"}},
		{"the first and the last IPv6 address", {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
		{"both halves of IPv4", {"0.0.0.0/1", "128.0.0.0/1"}},
		{"neighbours", {"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/23"}},
		{"nested with the same start", {"10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.0"}},
		{"nested with the same end",
			{"0.0.0.0/0", "255.0.0.0/8", "255.255.255.0/24", "255.255.255.255"}},
		{"nested at the end of IPv6", {"::/0", "ff00::/8", "ffff:ffff:ffff:ffff::/64",
						      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
		{"the neighbours of mapped addresses", {"::fffe:0:0/96", "::1:0:0:0/80", "0.0.0.0/0"}},
		{"an IPv6 prefix around the mapped addresses", {"::/64", "1.2.3.0/24"}},
		{"the innermost first",
			{"10.1.2.3", "10.1.2.0/24", "10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct listed listed[24];
		size_t n = 0;

		for (size_t j = 0; j < CHECK_COUNT(cases[i].prefixes) && cases[i].prefixes[j]; j++)
			listed[n++] = (struct listed){image_fixture_prefix(cases[i].prefixes[j]),
				IMAGE_LIST_BAN, ban_meta_make(SOURCE_CLASS_BANNED, (uint32_t)j + 1)};
		check_lists(cases[i].name, listed, n);
		/* The same with all kinds at each prefix, and one of them twice. */
		for (size_t j = 0, m = n; j < m && n + 2 <= CHECK_COUNT(listed); j++) {
			listed[n++] = (struct listed){listed[j].prefix, IMAGE_LIST_ALLOW, 0};
			listed[n++] =
				(struct listed){listed[j].prefix, j % 2 ? IMAGE_LIST_DENY : IMAGE_LIST_BAN,
					ban_meta_make(SOURCE_CLASS_THROTTLED, 500)};
		}
		check_lists(cases[i].name, listed, n);
	}
}

/* Few distinct leading bits, so that prefixes nest, touch and repeat. */
static struct listed random_listed(uint64_t *state)
{
	uint64_t bits = random_next(state);
	bool v4 = bits & 1;
	struct address address;
	uint8_t length;

	if (v4) {
		address =
			address_from_v4((uint32_t)random_next(state) & (bits & 2 ? 0xc0000007 : 0xff0000ff));
		length = (uint8_t)(96 + random_next(state) % 33);
	} else {
		for (int i = 0; i < 16; i++)
			address.bytes[i] = (uint8_t)(random_next(state) & (i % 5 == 0 ? 0xc3 : 0));
		length = (uint8_t)(random_next(state) % 129);
	}
	if (random_next(state) % 4 == 0)
		return (struct listed){prefix_of(&address, length), IMAGE_LIST_PRICE,
			1 + (uint32_t)(random_next(state) % IMAGE_PRICE_MAX)};
	return (struct listed){prefix_of(&address, length),
		(enum image_list_kind)(1 + random_next(state) % 3),
		ban_meta_make((enum source_class)(1 + random_next(state) % 4),
			(uint32_t)(random_next(state) % 1000))};
}

static void test_lists_random(void)
{
	uint64_t state = 0x9e3779b97f4a7c15;

	for (int round = 0; round < 60; round++) {
		struct listed listed[120];
		size_t n = 1 + random_next(&state) % CHECK_COUNT(listed);

		for (size_t i = 0; i < n; i++)
			listed[i] = random_listed(&state);
		check_lists("random prefixes", listed, n);
	}
}

/* The deepest chain there can be: every IPv6 length, every kind. */
static void test_deepest(void)
{
	struct listed listed[129 * 4];
	struct address address;
	size_t n = 0;

	memset(address.bytes, 0xff, sizeof(address.bytes));
	for (int length = 128; length >= 0; length--)
		for (int kind = IMAGE_LIST_ALLOW; kind <= IMAGE_LIST_PRICE; kind++)
			listed[n++] = (struct listed){prefix_of(&address, (uint8_t)length),
				(enum image_list_kind)kind,
				kind == IMAGE_LIST_PRICE ? 7 : ban_meta_make(SOURCE_CLASS_REFUSED, 7)};
	check_lists("every length and kind nested", listed, n);
}

static void test_refusals(void)
{
	struct image_builder *builder;
	struct prefix host_bits = {.address = address_from_v4(0x0a000001), .length = 104};
	struct prefix too_long = {.address = address_from_v4(0x0a000001), .length = 129};
	struct prefix good = image_fixture_prefix("10.0.0.0/8");
	uint32_t meta = ban_meta_make(SOURCE_CLASS_BANNED, 1);
	struct image_policy policy = image_fixture_policy();
	struct image_service service = image_fixture_service(1, 6);
	struct image_stamp nobody = {.instance = 0, .generation = 1};
	void *block = &block;
	size_t bytes = 7;

	if (!CHECK_EQ("create", image_builder_create(&builder), 0))
		return;
	CHECK_EQ("no policy", image_builder_finish(builder, &stamp, &block, &bytes), -EINVAL);
	policy.mode = 9;
	CHECK_EQ("a wrong policy", image_builder_set_policy(builder, &policy), -EINVAL);
	policy.mode = IMAGE_MODE_MONITOR;
	CHECK_EQ("a right policy", image_builder_set_policy(builder, &policy), 0);
	CHECK_EQ("no instance", image_builder_finish(builder, &nobody, &block, &bytes), -EINVAL);
	CHECK_EQ("host bits", image_builder_add_list(builder, IMAGE_LIST_DENY, &host_bits, 0), -EINVAL);
	CHECK_EQ("too long", image_builder_add_list(builder, IMAGE_LIST_DENY, &too_long, 0), -EINVAL);
	CHECK_EQ("no kind", image_builder_add_list(builder, IMAGE_LIST_NONE, &good, 0), -EINVAL);
	CHECK_EQ("an unknown kind", image_builder_add_list(builder, (enum image_list_kind)5, &good, 0),
		-EINVAL);
	CHECK_EQ("nothing is free of price", image_builder_add_list(builder, IMAGE_LIST_PRICE, &good, 0), -EINVAL);
	CHECK_EQ("a price has an end",
		image_builder_add_list(builder, IMAGE_LIST_PRICE, &good, IMAGE_PRICE_MAX + 1), -EINVAL);
	CHECK_EQ("a ban of no class", image_builder_add_list(builder, IMAGE_LIST_BAN, &good, 5), -EINVAL);
	CHECK_EQ("a ban of an unknown class", image_builder_add_ban(builder, &good, UINT32_MAX), -EINVAL);
	CHECK_EQ("a ban with host bits", image_builder_add_ban(builder, &host_bits, meta), -EINVAL);
	CHECK_EQ("a ban too long", image_builder_add_ban(builder, &too_long, meta), -EINVAL);
	CHECK_EQ("a service", image_builder_add_service(builder, &service), 0);
	CHECK_EQ("the same port again", image_builder_add_service(builder, &service), -EEXIST);
	service.port = 0;
	CHECK_EQ("a wrong service", image_builder_add_service(builder, &service), -EINVAL);
	for (unsigned i = 1; i < IMAGE_SERVICES_MAX; i++) {
		service.port = (uint16_t)(i + 1);
		CHECK_EQ("as many as there may be", image_builder_add_service(builder, &service), 0);
	}
	service.port = 9999;
	CHECK_EQ("one more", image_builder_add_service(builder, &service), -ENOSPC);
	for (uint32_t i = 0; i < IMAGE_NODE_ADDRESSES_MAX; i++) {
		struct address node = address_from_v4(i);

		CHECK_EQ("a node address", image_builder_add_node_address(builder, &node), 0);
		CHECK_EQ("again is no error", image_builder_add_node_address(builder, &node), 0);
	}
	struct address other = address_from_v4(0xffffffff);

	CHECK_EQ("one more", image_builder_add_node_address(builder, &other), -ENOSPC);
	CHECK_PTR_EQ("nothing was handed out by failures", block, &block);
	CHECK_EQ("not even a size", bytes, 7u);
	image_builder_destroy(builder);
	image_builder_destroy(NULL);
}

static void test_bans_by_length(void)
{
	static const struct {
		const char *name, *prefix;
		unsigned v4, v6, exact, labels;
	} cases[] = {
		{"an IPv4 host", "203.0.113.9", 1, 0, 0, 1},
		{"an IPv4 /31 is a list entry", "203.0.113.8/31", 0, 0, 0, 2},
		{"an IPv6 /64", "2001:db8::/64", 0, 1, 0, 1},
		{"an IPv6 host", "2001:db8::1", 0, 0, 1, 1},
		{"an IPv6 /65 is a list entry", "2001:db8::/65", 0, 0, 0, 2},
		{"an IPv6 /48 is a list entry", "2001:db8::/48", 0, 0, 0, 2},
		{"the highest IPv4 host", "255.255.255.255", 1, 0, 0, 1},
		{"the lowest IPv6 /64", "::/64", 0, 1, 0, 1},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct image_builder *builder = image_fixture_builder();
		struct prefix prefix = image_fixture_prefix(cases[i].prefix);
		struct image_view view;
		void *block = NULL;

		CHECK_EQ(cases[i].name,
			image_builder_add_ban(builder, &prefix, ban_meta_make(SOURCE_CLASS_BANNED, 9)), 0);
		if (finish(builder, &block, &view)) {
			CHECK_EQ(cases[i].name, view.n_bans_v4, cases[i].v4);
			CHECK_EQ(cases[i].name, view.n_bans_v6, cases[i].v6);
			CHECK_EQ(cases[i].name, view.n_bans_exact, cases[i].exact);
			CHECK_EQ(cases[i].name, view.n_list_labels, cases[i].labels);
		}
		free(block);
		image_builder_destroy(builder);
	}
}

/* Random order and repeats in all three tables against a bitmap of what was added; then more, and again. */
static void test_bans_any_order(void)
{
	enum { BANS = 5000, KEYS = 3000 };
	struct image_builder *builder = image_fixture_builder();
	static uint32_t expected[3][KEYS];
	uint64_t state = 42;

	for (int round = 1; round <= 2; round++) {
		struct image_view view;
		void *block = NULL;
		uint64_t n[3] = {0};

		for (int i = 0; i < BANS; i++) {
			unsigned table = random_next(&state) % 3,
				 key = (unsigned)(random_next(&state) % KEYS);
			uint32_t meta = ban_meta_make((enum source_class)(1 + random_next(&state) % 4),
				(uint32_t)(random_next(&state) % 100));
			struct prefix prefix = {.address = address_from_v4(key * 0x9e3779b1u), .length = 128};

			if (table > 0) {
				/* The key is spread over both ends of the half that the table sorts by. */
				memset(&prefix, 0, sizeof(prefix));
				prefix.length = table == 1 ? 64 : 128;
				prefix.address.bytes[0] = (uint8_t)(0x20 + key % 16);
				prefix.address.bytes[table == 1 ? 6 : 14] = (uint8_t)(key >> 8);
				prefix.address.bytes[table == 1 ? 7 : 15] = (uint8_t)key;
			}
			if (meta > expected[table][key])
				expected[table][key] = meta;
			CHECK_EQ("a ban is taken", image_builder_add_ban(builder, &prefix, meta), 0);
		}
		for (int table = 0; table < 3; table++)
			for (int key = 0; key < KEYS; key++)
				n[table] += expected[table][key] != 0;
		if (!finish(builder, &block, &view))
			return;
		CHECK_EQ("each IPv4 host once", view.n_bans_v4, n[0]);
		CHECK_EQ("each site once", view.n_bans_v6, n[1]);
		CHECK_EQ("each IPv6 host once", view.n_bans_exact, n[2]);
		for (uint64_t i = 0; i < view.n_bans_v4; i++) {
			/* 0x0e8b2f51 is the inverse of 0x9e3779b1 modulo 2^32. */
			uint32_t key = view.bans_v4[i].address * 0x0e8b2f51u;

			if (key >= KEYS || expected[0][key] != view.bans_v4[i].meta)
				CHECK_FAIL("the strongest ban wins", "IPv4 key %u", key);
		}
		for (uint64_t i = 0; i < view.n_bans_v6; i++)
			if (expected[1][view.bans_v6[i].site & 0xffff] != view.bans_v6[i].meta)
				CHECK_FAIL("the strongest ban wins", "site %d", (int)i);
		for (uint64_t i = 0; i < view.n_bans_exact; i++)
			if (expected[2][view.bans_exact[i].low & 0xffff] != view.bans_exact[i].meta)
				CHECK_FAIL("the strongest ban wins", "exact %d", (int)i);
		free(block);
	}
	image_builder_destroy(builder);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The sizes of the design: a million prefixes, ten million bans. The bound is for sanitizers on a busy
 * machine. */
static void test_large(void)
{
	enum { PREFIXES = 1000000, BANS = 10000000 };
	struct image_builder *builder = image_fixture_builder();
	uint64_t state = 7;
	struct image_view view;
	void *block = NULL;
	double start = seconds_now(), added, finished;

	for (int i = 0; i < BANS; i++) {
		struct prefix prefix = {
			.address = address_from_v4((uint32_t)random_next(&state)), .length = 128};

		if (image_builder_add_ban(
			    builder, &prefix, ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER)) != 0)
			CHECK_FAIL("a ban is taken", "number %d", i);
	}
	for (int i = 0; i < PREFIXES; i++) {
		struct address address = address_from_v4((uint32_t)random_next(&state));
		struct prefix prefix = prefix_of(&address, (uint8_t)(96 + 16 + random_next(&state) % 16));

		if (image_builder_add_list(builder, IMAGE_LIST_DENY, &prefix, 0) != 0)
			CHECK_FAIL("a prefix is taken", "number %d", i);
	}
	added = seconds_now();
	if (finish(builder, &block, &view)) {
		finished = seconds_now();
		printf("10 M bans and 1 M prefixes in random order: added in %.2f s, finished and validated "
		       "in %.2f s\n",
			added - start, finished - added);
		CHECK_TRUE("in seconds", finished - start < 60);
		CHECK_TRUE("few collide among 2^32", view.n_bans_v4 > BANS - BANS / 500);
		CHECK_TRUE("few prefixes repeat but the short ones", view.n_list_labels > PREFIXES / 2);
	}
	free(block);
	image_builder_destroy(builder);
}

static const struct check_test tests[] = {
	{"lists made by hand", test_lists_by_hand},
	{"random lists against a linear oracle", test_lists_random},
	{"the deepest chain", test_deepest},
	{"wrong input is refused and nothing handed out", test_refusals},
	{"bans go where their length says", test_bans_by_length},
	{"bans in any order, with repeats, finished twice", test_bans_any_order},
	{"ten million bans and a million prefixes", test_large},
};
CHECK_MAIN("image_builder", tests)
