/* SPDX-License-Identifier: BSD-3-Clause
 * The sketch of heavy banned sources: who must be in it, what its weights may claim, that it forgets, and
 * that the stage feeds it with what it should. Deterministic randomness, injected clock.
 */
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"
#include "tests/unit/table_support.h"

static struct address address_of(const char *text)
{
	struct address address;

	if (address_parse(text, &address) != 0)
		CHECK_FAIL("an address", "%s", text);
	return address;
}

static uint32_t weight_of(const struct heavy_bans *heavy, uint32_t now_s, const char *text)
{
	struct heavy_ban bans[HEAVY_BANS_PLACES];
	unsigned n = heavy_bans_read(heavy, now_s, bans);
	struct address address = address_of(text);

	for (unsigned i = 0; i < n; i++)
		if (bans[i].source == heavy_source_of(&address))
			return bans[i].weight;
	return 0;
}

static void test_sources(void)
{
	static const struct {
		const char *name, *address, *prefix;
	} cases[] = {
		{"an IPv4 address is a source of its own", "203.0.113.7", "203.0.113.7"},
		{"also the last one", "255.255.255.255", "255.255.255.255"},
		{"an IPv6 address counts for its /64", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"also one with many ones", "fdff:ffff:ffff:ffff::1", "fdff:ffff:ffff:ffff::/64"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct address address = address_of(cases[i].address);
		struct prefix prefix = heavy_source_prefix(heavy_source_of(&address));
		char text[PREFIX_TEXT_MAX];

		CHECK_EQ(cases[i].name, prefix_format(&prefix, text), cases[i].prefix);
		CHECK_TRUE(cases[i].name, prefix_contains(&prefix, &address));
	}
}

/* Packets as the stage sees them: each asks whether it is due. */
static void packets(
	struct heavy_bans *heavy, const struct address *client, unsigned n, uint32_t now_s, uint64_t *random)
{
	for (unsigned i = 0; i < n; i++)
		if (heavy_bans_is_due(heavy))
			heavy_bans_sample(heavy, client, now_s, (uint32_t)random_next(random));
}

static void test_noise(void)
{
	enum { NOISE = 200000, HEAVY = 20000 };
	static struct heavy_bans heavy;
	struct address loud = address_of("203.0.113.7"), loud_v6 = address_of("2001:db8::1");
	uint64_t random = 5;
	struct heavy_ban bans[HEAVY_BANS_PLACES];
	unsigned n, light_sure = 0;
	uint32_t weight;

	memset(&heavy, 0, sizeof(heavy));
	for (unsigned i = 0; i < NOISE; i++) {
		struct address light =
			address_from_v4(0x0a000000 + (uint32_t)(random_next(&random) % 100000));

		packets(&heavy, &light, 1, 100, &random);
		if (i % (NOISE / HEAVY) == 0) {
			packets(&heavy, &loud, 1, 100, &random);
			packets(&heavy, &loud_v6, 1, 100, &random);
		}
	}
	weight = weight_of(&heavy, 100, "203.0.113.7");
	CHECK_TRUE("a source with a twelfth of the packets is found among 100,000 others",
		weight > HEAVY / HEAVY_BANS_SAMPLING / 2);
	CHECK_TRUE("and not made heavier than it is by more than chance",
		weight < 2 * HEAVY / HEAVY_BANS_SAMPLING);
	CHECK_TRUE("so is an IPv6 site",
		weight_of(&heavy, 100, "2001:db8::2") > HEAVY / HEAVY_BANS_SAMPLING / 2);
	n = heavy_bans_read(&heavy, 100, bans);
	for (unsigned i = 0; i < n; i++)
		light_sure += bans[i].weight > 8;
	CHECK_EQ("nobody else is sure to have sent much", light_sure, 2u);
}

static void test_decay(void)
{
	static struct heavy_bans heavy;
	struct address loud = address_of("203.0.113.7");
	uint32_t before;

	memset(&heavy, 0, sizeof(heavy));
	for (unsigned i = 0; i < 1000; i++)
		heavy_bans_sample(&heavy, &loud, 100, 0);
	before = weight_of(&heavy, 100, "203.0.113.7");
	CHECK_EQ("a thousand samples weigh a thousand", before, 1000u);
	CHECK_EQ("half a second later", weight_of(&heavy, 101, "203.0.113.7"), 500u);
	CHECK_EQ("read by a clock that is a little behind", weight_of(&heavy, 99, "203.0.113.7"), 1000u);
	CHECK_EQ("a source that fell silent is forgotten though nobody writes",
		weight_of(&heavy, 110, "203.0.113.7"), 0u);
	CHECK_EQ("also after a very long time", weight_of(&heavy, 100 + 40, "203.0.113.7"), 0u);
	heavy_bans_sample(&heavy, &loud, 102, 0);
	CHECK_EQ("the writer halves as the reader does", weight_of(&heavy, 102, "203.0.113.7"), 251u);
	heavy_bans_sample(&heavy, &loud, 200, 0);
	CHECK_EQ("and forgets as it does", weight_of(&heavy, 200, "203.0.113.7"), 1u);
}

static void test_sampling(void)
{
	static struct heavy_bans heavy;
	struct address loud = address_of("203.0.113.7");
	uint64_t random = 3;

	memset(&heavy, 0, sizeof(heavy));
	packets(&heavy, &loud, 64000, 7, &random);
	CHECK_NEAR("one packet in 64 is counted", weight_of(&heavy, 7, "203.0.113.7"), 1000, 100);
}

static void test_stage(void)
{
	struct world *world = world_create();
	struct frame_spec ping = {.source = "203.0.113.9", .protocol = 1, .icmp_type = 8};
	static struct heavy_bans heavy;
	uint32_t now_s;

	memset(&heavy, 0, sizeof(heavy));
	world_ban(world, "203.0.113.7", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "203.0.113.9", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "198.18.0.0/15", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_start(world);
	CHECK_EQ("without a sketch a ban is a ban", world_send_syn(world, 2000, "203.0.113.7", 40000, 30303),
		REASON_BANNED);
	world->stage->heavy = &heavy;
	for (unsigned i = 0; i < 6400; i++) {
		CHECK_EQ("a banned SYN",
			world_send_syn(world, 2000, "203.0.113.7", (uint16_t)(1024 + i), 30303),
			REASON_BANNED);
		CHECK_EQ("of a banned prefix",
			world_send_syn(world, 2000, "198.18.0.1", (uint16_t)(1024 + i), 30303),
			REASON_BANNED_PREFIX);
		CHECK_EQ("a banned ping", world_send(world, 2000, SIDE_OUTSIDE, &ping), REASON_BANNED);
	}
	now_s = (uint32_t)(world->now_ns / 1000000000);
	CHECK_NEAR("a banned source is counted", weight_of(&heavy, now_s, "203.0.113.7"), 100, 40);
	CHECK_EQ("one that only a prefix bans is not", weight_of(&heavy, now_s, "198.18.0.1"), 0u);
	CHECK_EQ("and what no device drops for us is not", weight_of(&heavy, now_s, "203.0.113.9"), 0u);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"sources fit in a word", test_sources},
	{"heavy sources are found among many light ones", test_noise},
	{"weights halve every second", test_decay},
	{"packets are sampled", test_sampling},
	{"the stage counts what a device could drop", test_stage},
};
CHECK_MAIN("heavy_bans", tests)
