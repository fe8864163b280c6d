/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/peer_tags.c: duties that are only ever extended (LH-24), subnets and their counts, groups
 * with valency (DU-17); and of the words of control/peer_category.c (DU-2).
 */
#include <errno.h>
#include <stdio.h>

#include "control/peer_tags.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)(seconds)*1000)

static void test_duties(void)
{
	struct peer_tags tags;
	peer_tags_init(&tags);
	CHECK_FALSE("no duty at first", peer_tags_has_duty(&tags, 0));
	CHECK_EQ("LH-24: protected until then", peer_tags_duty_extend(&tags, 7, AT(100), AT(1)), 0);
	CHECK_TRUE("LH-24: just before", peer_tags_has_duty(&tags, AT(100) - 1));
	CHECK_FALSE("LH-24: not at its end", peer_tags_has_duty(&tags, AT(100)));
	(void)peer_tags_duty_extend(&tags, 7, AT(50), AT(1));
	CHECK_EQ("LH-24: never shortened", peer_tags_duty_ms(&tags, 7, AT(1)), AT(100));
	(void)peer_tags_duty_extend(&tags, 7, AT(200), AT(1));
	CHECK_EQ("LH-24: but extended", peer_tags_duty_ms(&tags, 7, AT(1)), AT(200));
	CHECK_EQ("in one place", tags.n_duties, 1u);
	CHECK_EQ("of no other subnet", peer_tags_duty_ms(&tags, 8, AT(1)), 0);
	(void)peer_tags_duty_extend(&tags, 8, AT(1), AT(1));
	CHECK_EQ("a duty in the past is none", tags.n_duties, 1u);
	for (uint32_t subnet = 20; subnet < 20 + PEER_DUTIES_MAX; subnet++)
		(void)peer_tags_duty_extend(&tags, subnet, AT(1000 + subnet), AT(1));
	CHECK_EQ("they are bounded", tags.n_duties, (unsigned)PEER_DUTIES_MAX);
	CHECK_EQ("the one that would end first gave way", peer_tags_duty_ms(&tags, 7, AT(1)), 0);
	CHECK_EQ("the others stand", peer_tags_duty_ms(&tags, 20, AT(1)), AT(1020));
	(void)peer_tags_duty_extend(&tags, 99, AT(500), AT(1));
	CHECK_EQ("a shorter one takes nobody's place", peer_tags_duty_ms(&tags, 20, AT(1)), AT(1020));
	(void)peer_tags_duty_extend(&tags, 99, AT(5000), AT(1100));
	CHECK_EQ("ended ones leave their places", tags.n_duties, 1u);
	CHECK_EQ("no such subnet", peer_tags_duty_extend(&tags, EVICTION_SUBNETS, AT(5000), AT(1)), -EDOM);
}

static void test_subnets(void)
{
	struct peer_tags a, b;
	struct subnet_counts counts = {0};
	peer_tags_init(&a);
	peer_tags_init(&b);
	CHECK_EQ("the last subnet", peer_tags_subnet_set(&a, EVICTION_SUBNETS - 1, true), 0);
	CHECK_EQ("is the last", peer_tags_subnet_set(&a, EVICTION_SUBNETS, true), -EDOM);
	(void)peer_tags_subnet_set(&a, 3, true);
	(void)peer_tags_subnet_set(&b, 3, true);
	CHECK_TRUE("served", peer_tags_serves(&a, 3) && peer_tags_serves(&a, EVICTION_SUBNETS - 1));
	CHECK_FALSE("not served", peer_tags_serves(&a, 4) || peer_tags_serves(&a, EVICTION_SUBNETS));
	subnet_counts_change(&counts, &a, true);
	subnet_counts_change(&counts, &b, true);
	CHECK_TRUE("LH-24: two are below three", subnet_counts_wants(&counts, 3, 3));
	CHECK_FALSE("two are two", subnet_counts_wants(&counts, 3, 2));
	subnet_counts_change(&counts, &a, false);
	a.trusted = true;
	a.committees = 5;
	peer_tags_disconnect(&a);
	CHECK_FALSE("LH-10: subnets are cleared on disconnect", peer_tags_serves(&a, 3) || a.committees != 0);
	CHECK_TRUE("trust is not", a.trusted);
	CHECK_EQ("and counted out", counts.peers[3], 1u);
	subnet_counts_change(&counts, &b, false);
	subnet_counts_change(&counts, &b, false);
	CHECK_EQ("counts are never negative", counts.peers[3], 0u);
	(void)peer_tags_subnet_set(&b, 3, false);
	CHECK_FALSE("taken back", peer_tags_serves(&b, 3));
	CHECK_FALSE(
		"a subnet that cannot be is not searched", subnet_counts_wants(&counts, EVICTION_SUBNETS, 3));
}

static void test_groups(void)
{
	static struct root_groups groups;
	uint32_t group = 99, other = 99;
	CHECK_EQ("DU-17: a group", root_groups_put(&groups, "relays", 1, 2, &group), 0);
	CHECK_EQ("DU-17: its valency", groups.valency[group].hot * 10 + groups.valency[group].warm, 12u);
	CHECK_EQ("again", root_groups_put(&groups, "relays", 2, 3, &other), 0);
	CHECK_TRUE(
		"is the same, changed", other == group && groups.n == 1 && groups.valency[group].warm == 3);
	CHECK_EQ("more hot than warm", root_groups_put(&groups, "x", 3, 2, &other), -EINVAL);
	CHECK_EQ("no name", root_groups_put(&groups, "", 1, 2, &other), -EINVAL);
	CHECK_EQ("too long a name",
		root_groups_put(&groups, "0123456789012345678901234567890x", 1, 2, &other), -ENAMETOOLONG);
	for (unsigned i = 1; i < ROOT_GROUPS_MAX; i++) {
		char name[16];
		snprintf(name, sizeof(name), "g%u", i);
		CHECK_EQ(name, root_groups_put(&groups, name, 0, 1, &other), 0);
	}
	CHECK_EQ("bounded", root_groups_put(&groups, "one more", 0, 1, &other), -ENOSPC);
	CHECK_EQ("but a known one is changed", root_groups_put(&groups, "relays", 0, 1, &other), 0);
}

static void test_words(void)
{
	static const struct {
		const char *word;
		int category, source;
	} cases[] = {
		{"none", PEER_CATEGORY_NONE, -1},
		{"bootstrap", PEER_CATEGORY_BOOTSTRAP, -1},
		{"ledger", PEER_CATEGORY_LEDGER, PEER_SOURCE_LEDGER},
		{"ledger_peer", PEER_CATEGORY_LEDGER, -1},
		{"big_ledger_peer", PEER_CATEGORY_BIG_LEDGER, -1},
		{"node", -1, PEER_SOURCE_NODE},
		{"mesh", -1, PEER_SOURCE_MESH},
		{"peer_sharing", -1, PEER_SOURCE_GOSSIP},
		{"peer_exchange", -1, PEER_SOURCE_GOSSIP},
		{"Ledger", -1, -1},
		{"", -1, -1},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		CHECK_EQ(cases[i].word, peer_category_of(cases[i].word), cases[i].category);
		CHECK_EQ(cases[i].word, peer_source_of(cases[i].word), cases[i].source);
	}
	for (int i = 0; i < PEER_CATEGORY_COUNT; i++)
		CHECK_EQ("a category's word means it",
			peer_category_of(peer_category_name((enum peer_category)i)), i);
	for (int i = 0; i < PEER_SOURCE_COUNT; i++)
		CHECK_EQ(
			"a source's word means it", peer_source_of(peer_source_name((enum peer_source)i)), i);
	CHECK_EQ("the words of a choice", (const char *)PEER_SOURCE_WORDS,
		(const char *)"node|config|gossip|ledger|inbound|dns|mdns|mesh|peer_sharing|peer_exchange");
}

static const struct check_test tests[] = {
	{"duties", test_duties},
	{"subnets", test_subnets},
	{"groups of local roots", test_groups},
	{"words of categories and sources", test_words},
};
CHECK_MAIN("peer_tags", tests)
