// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the ban epochs (dataplane/stage.h): a change moves the epoch of every client that it may touch, whatever the prefix, and of
 * few others where it is one host's. That flows then look again is tested where flows are cut (test_stage_tcp.c, test_stage_udp.c).
 */
#include <stdlib.h>

#include "dataplane/stage.h"
#include "tests/check.h"

static struct stage_shared *shared;

static struct address address_of(const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) != 0)
		abort();
	return prefix.address;
}

static uint16_t epoch_of(const char *client)
{
	struct address address = address_of(client);

	return stage_ban_epoch(shared, address.bytes);
}

static void ban(const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) != 0)
		abort();
	stage_shared_ban_moved(shared, &prefix);
}

static void test_moves(void)
{
	static const struct {
		const char *name, *ban, *client;
	} cases[] = {
		{"a host's own", "192.0.2.1", "192.0.2.1"},
		{"of its /24", "192.0.2.0/24", "192.0.2.77"},
		{"of a /31", "192.0.2.76/31", "192.0.2.77"},
		{"of all IPv4", "0.0.0.0/0", "203.0.113.5"},
		{"an IPv6 host's own", "2001:db8:1:2::3", "2001:db8:1:2::3"},
		{"of its /64", "2001:db8:1:2::/64", "2001:db8:1:2:aaaa::3"},
		{"of a /65", "2001:db8:1:2:8000::/65", "2001:db8:1:2:8000::3"},
		{"of a /63", "2001:db8:1:2::/63", "2001:db8:1:3::3"},
		{"of a /48", "2001:db8:1::/48", "2001:db8:1:ffff::3"},
		{"of a site of zeros", "::/64", "::5"},
		{"of all IPv6", "::/0", "2001:db8::1"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		uint16_t before = epoch_of(cases[i].client);

		ban(cases[i].ban);
		CHECK_TRUE(cases[i].name, epoch_of(cases[i].client) != before);
		before = epoch_of(cases[i].client);
		stage_shared_all_moved(shared);
		CHECK_TRUE("and a list moves everybody's", epoch_of(cases[i].client) != before);
	}
}

/* Neighbours, strangers and sites: a host's ban leaves nearly all of them alone. */
static void test_others(void)
{
	enum { CLIENTS = 1 << 16 };
	uint16_t *before = calloc(2 * CLIENTS, sizeof(*before));
	unsigned moved[2] = {0, 0};

	if (!before)
		abort();
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < CLIENTS; i++) {
			struct address v4 = address_from_v4(UINT32_C(0x0a000000) + i), v6 = address_of("2001:db8::1");

			v6.bytes[6] = (uint8_t)(i >> 8);
			v6.bytes[7] = (uint8_t)i;
			if (pass == 0) {
				before[i] = stage_ban_epoch(shared, v4.bytes);
				before[CLIENTS + i] = stage_ban_epoch(shared, v6.bytes);
			} else {
				moved[0] += stage_ban_epoch(shared, v4.bytes) != before[i];
				moved[1] += stage_ban_epoch(shared, v6.bytes) != before[CLIENTS + i];
			}
		}
		if (pass == 0) {
			ban("10.0.0.7");
			ban("2001:db8:0:7::1");
		}
	}
	/* Each ban touches a partition of 65536 / 8192 = 8 in the mean of either family. */
	CHECK_TRUE("those of the partition, IPv4", moved[0] >= 1 && moved[0] <= 64);
	CHECK_TRUE("those of the partition, IPv6", moved[1] >= 1 && moved[1] <= 64);
	free(before);
}

static void test_lifted(void)
{
	uint16_t before = epoch_of("192.0.2.1");

	ban("192.0.2.1");
	ban("192.0.2.1");
	CHECK_EQ("each change counts: set and lifted between two looks is seen", epoch_of("192.0.2.1"), (uint16_t)(before + 2));
}

static void with_shared(void (*test)(void))
{
	shared = calloc(1, sizeof(*shared));
	if (!shared)
		abort();
	test();
	free(shared);
}

static void moves(void)
{
	with_shared(test_moves);
}

static void others(void)
{
	with_shared(test_others);
}

static void lifted(void)
{
	with_shared(test_lifted);
}

static const struct check_test tests[] = {
	{"whom a ban may touch looks again", moves},
	{"a host's ban leaves the others alone", others},
	{"no change is lost", lifted},
};
CHECK_MAIN("ban_epoch", tests)
