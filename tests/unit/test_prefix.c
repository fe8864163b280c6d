// SPDX-License-Identifier: BSD-3-Clause
/* Tests of shm/prefix.h: parsing, printing, order and cover, and of the tables behind reasons.def and
 * counters.def.
 */
#include <errno.h>
#include <string.h>

#include "shm/counters.h"
#include "shm/prefix.h"
#include "shm/reasons.h"
#include "tests/check.h"

static void test_address_text(void)
{
	static const struct {
		const char *name, *text;
		int expected;
		const char *printed;
	} cases[] = {
		{"a dotted address", "192.0.2.1", 0, "192.0.2.1"},
		{"the lowest IPv4 address", "0.0.0.0", 0, "0.0.0.0"},
		{"the highest IPv4 address", "255.255.255.255", 0, "255.255.255.255"},
		{"an IPv6 address is shortened", "2001:0db8:0000::0001", 0, "2001:db8::1"},
		{"a mapped address becomes IPv4", "::ffff:192.0.2.7", 0, "192.0.2.7"},
		{"a mapped address in hexadecimal becomes IPv4", "::ffff:c000:207", 0, "192.0.2.7"},
		{"an IPv4-compatible address stays IPv6", "::192.0.2.7", 0, "::192.0.2.7"},
		{"the unspecified IPv6 address", "::", 0, "::"},
		{"an empty text", "", -EINVAL, NULL},
		{"a leading space", " 1.2.3.4", -EINVAL, NULL},
		{"a trailing space", "1.2.3.4 ", -EINVAL, NULL},
		{"three octets", "1.2.3", -EINVAL, NULL},
		{"an octet above 255", "1.2.3.256", -EINVAL, NULL},
		{"an octal-looking octet", "01.2.3.4", -EINVAL, NULL},
		{"a name", "localhost", -EINVAL, NULL},
		{"a zone id", "fe80::1%eth0", -EINVAL, NULL},
		{"a port", "1.2.3.4:80", -EINVAL, NULL},
		{"nine groups", "1:2:3:4:5:6:7:8:9", -EINVAL, NULL},
	};
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct address address, untouched;

		memset(&address, 0xa5, sizeof(address));
		untouched = address;
		CHECK_EQ(cases[i].name, address_parse(cases[i].text, &address), cases[i].expected);
		if (cases[i].expected == 0)
			CHECK_EQ(cases[i].name, address_format(&address, text), cases[i].printed);
		else
			CHECK_MEM_EQ(cases[i].name, &address, &untouched, sizeof(address));
	}
}

static void test_prefix_text(void)
{
	static const struct {
		const char *name, *text;
		int expected;
		unsigned length;
		const char *printed;
	} cases[] = {
		{"a bare IPv4 address is a host", "192.0.2.1", 0, 128, "192.0.2.1"},
		{"a /32 is printed bare", "192.0.2.1/32", 0, 128, "192.0.2.1"},
		{"a /24", "192.0.2.0/24", 0, 120, "192.0.2.0/24"},
		{"all of IPv4", "0.0.0.0/0", 0, 96, "0.0.0.0/0"},
		{"all of IPv6", "::/0", 0, 0, "::/0"},
		{"an IPv6 /64", "2001:db8:1:2::/64", 0, 64, "2001:db8:1:2::/64"},
		{"an IPv6 host", "2001:db8::1", 0, 128, "2001:db8::1"},
		{"a mapped prefix becomes IPv4", "::ffff:192.0.2.0/120", 0, 120, "192.0.2.0/24"},
		{"the mapped /96 is all of IPv4", "::ffff:0.0.0.0/96", 0, 96, "0.0.0.0/0"},
		{"a /31 at the top", "255.255.255.254/31", 0, 127, "255.255.255.254/31"},
		{"host bits in IPv4", "192.0.2.1/24", -EDOM, 0, NULL},
		{"host bits in IPv6", "2001:db8::1/64", -EDOM, 0, NULL},
		{"a mapped address cut short of its mark", "::ffff:0.0.0.0/90", -EDOM, 0, NULL},
		{"IPv4 longer than 32", "192.0.2.0/33", -ERANGE, 0, NULL},
		{"IPv6 longer than 128", "2001:db8::/129", -ERANGE, 0, NULL},
		{"a length of four digits", "::/1000", -ERANGE, 0, NULL},
		{"an empty length", "192.0.2.0/", -EINVAL, 0, NULL},
		{"a sign", "192.0.2.0/+24", -EINVAL, 0, NULL},
		{"a minus", "192.0.2.0/-1", -EINVAL, 0, NULL},
		{"a leading zero", "192.0.2.0/024", -EINVAL, 0, NULL},
		{"a mask", "192.0.2.0/255.255.255.0", -EINVAL, 0, NULL},
		{"a second slash", "192.0.2.0/24/24", -EINVAL, 0, NULL},
		{"no address", "/24", -EINVAL, 0, NULL},
		{"a very long text",
			"1111111111111111111111111111111111111111111111111111111111111111111111111111/1",
			-EINVAL, 0, NULL},
	};
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct prefix prefix, untouched;

		memset(&prefix, 0xa5, sizeof(prefix));
		untouched = prefix;
		CHECK_EQ(cases[i].name, prefix_parse(cases[i].text, &prefix), cases[i].expected);
		if (cases[i].expected == 0) {
			CHECK_EQ(cases[i].name, prefix.length, cases[i].length);
			CHECK_EQ(cases[i].name, prefix_format(&prefix, text), cases[i].printed);
		} else {
			CHECK_MEM_EQ(cases[i].name, &prefix, &untouched, sizeof(prefix));
		}
	}
}

static void test_prefix_relations(void)
{
	static const struct {
		const char *name, *outer, *inner;
		bool covers;
	} cases[] = {
		{"a prefix covers itself", "10.0.0.0/8", "10.0.0.0/8", true},
		{"a prefix covers a longer one", "10.0.0.0/8", "10.255.0.0/16", true},
		{"a prefix does not cover a shorter one", "10.0.0.0/16", "10.0.0.0/8", false},
		{"a prefix does not cover its neighbour", "10.0.0.0/9", "10.128.0.0/9", false},
		{"an odd length decides on its last bit", "10.0.0.0/13", "10.8.0.0/16", false},
		{"an odd length covers below its last bit", "10.0.0.0/13", "10.7.255.255", true},
		{"all of IPv4 covers the last address", "0.0.0.0/0", "255.255.255.255", true},
		{"all of IPv4 does not cover IPv6", "0.0.0.0/0", "2001:db8::1", false},
		{"all of IPv6 does not cover IPv4", "::/0", "192.0.2.1", false},
		{"all of IPv6 covers the last address", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			true},
		{"an IPv6 /64 covers its hosts", "2001:db8::/64", "2001:db8::ffff:1", true},
		{"an IPv6 /64 does not cover the next", "2001:db8::/64", "2001:db8:0:1::", false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct prefix outer, inner;

		CHECK_EQ(cases[i].name, prefix_parse(cases[i].outer, &outer), 0);
		CHECK_EQ(cases[i].name, prefix_parse(cases[i].inner, &inner), 0);
		CHECK_EQ(cases[i].name, prefix_covers(&outer, &inner), cases[i].covers);
		if (inner.length == PREFIX_HOST_LENGTH)
			CHECK_EQ(cases[i].name, prefix_contains(&outer, &inner.address), cases[i].covers);
	}
}

static void test_prefix_order(void)
{
	static const char *const ascending[] = {"::/0", "::1", "0.0.0.0/0", "0.0.0.0/8", "0.0.0.0",
		"10.0.0.0/8", "10.0.0.0/9", "10.0.0.1", "255.255.255.255", "2001:db8::/32", "2001:db8::/64",
		"2001:db8::"};
	struct prefix a, b;

	for (size_t i = 0; i < CHECK_COUNT(ascending); i++)
		for (size_t j = 0; j < CHECK_COUNT(ascending); j++) {
			int order;

			CHECK_EQ(ascending[i], prefix_parse(ascending[i], &a), 0);
			CHECK_EQ(ascending[j], prefix_parse(ascending[j], &b), 0);
			order = prefix_compare(&a, &b);
			CHECK_EQ(ascending[i], (order > 0) - (order < 0), (i > j) - (i < j));
		}
}

static void test_address_numbers(void)
{
	struct address address = address_from_v4(0xc0000201);

	CHECK_TRUE("a made IPv4 address is IPv4", address_is_v4(&address));
	CHECK_EQ("its number comes back", address_v4(&address), 0xc0000201u);
	CHECK_EQ("an IPv6 address parses", address_parse("2001:db8:1:2:3:4:5:6", &address), 0);
	CHECK_FALSE("it is not IPv4", address_is_v4(&address));
	CHECK_EQ("its site is the top half", address_v6_site(&address), UINT64_C(0x20010db800010002));
	for (unsigned length = 0; length <= 128; length++) {
		struct prefix prefix;
		unsigned ones = 0;

		memset(&address, 0xff, sizeof(address));
		prefix = prefix_of(&address, (uint8_t)length);
		for (int i = 0; i < 16; i++)
			ones += (unsigned)__builtin_popcount(prefix.address.bytes[i]);
		CHECK_EQ("prefix_of keeps exactly its length of bits", ones, length);
	}
}

static void test_tables_are_complete(void)
{
	for (int i = 0; i < REASON_COUNT; i++) {
		const struct reason_info *info = reason_info((enum reason)i);

		CHECK_TRUE("each reason has a name and a help",
			info->name && info->name[0] && info->help && info->help[0]);
		CHECK_TRUE("its verdict has a word", verdict_name((enum verdict)info->verdict) != NULL);
		CHECK_TRUE("a forwarded packet has no wire action",
			info->verdict != VERDICT_FORWARD || info->action == WIRE_ACTION_NONE);
		for (int j = 0; j < i; j++)
			CHECK_TRUE(
				"no name twice", strcmp(info->name, reason_info((enum reason)j)->name) != 0);
	}
	CHECK_EQ("names are the definition's", reason_info(REASON_BANNED)->name, "banned");
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const struct counter_info *info = counter_info((enum counter)i);

		CHECK_TRUE("each counter has name, unit and help", info->name && info->name[0] &&
									   info->unit && info->unit[0] &&
									   info->help && info->help[0]);
		for (int j = 0; j < i; j++)
			CHECK_TRUE("no name twice",
				strcmp(info->name, counter_info((enum counter)j)->name) != 0);
	}
	CHECK_EQ("gauges are known", (int)counter_info(COUNTER_FLOWS)->kind, (int)COUNTER_KIND_GAUGE);
}

static const struct check_test tests[] = {
	{"addresses are parsed and printed", test_address_text},
	{"prefixes are parsed and printed", test_prefix_text},
	{"prefixes cover and contain", test_prefix_relations},
	{"prefixes are ordered", test_prefix_order},
	{"addresses and numbers convert", test_address_numbers},
	{"reasons and counters are complete", test_tables_are_complete},
};
CHECK_MAIN("prefix", tests)
