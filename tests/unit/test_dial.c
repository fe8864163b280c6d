// SPDX-License-Identifier: BSD-3-Clause
/* Tests of weir-dial's parts that need no network: the pool of addresses, the heap of deadlines, the echo's proof, and
 * the values of command lines.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/dial_heap.h"
#include "bench/dial_sources.h"
#include "bench/echo_protocol.h"
#include "bench/option_value.h"
#include "bench/socket_address.h"
#include "tests/check.h"

static unsigned distinct(const struct address *addresses, unsigned n, uint8_t length)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		struct prefix prefix = prefix_of(&addresses[i], length);
		unsigned k = 0;

		while (k < i && !prefix_contains(&prefix, &addresses[k]))
			k++;
		count += k == i;
	}
	return count;
}

static void test_sources(void)
{
	static const struct {
		const char *name, *prefix;
		unsigned n, hosts, near, wide; /* distinct addresses; v4 /24 and /18, v6 /48 and /32 */
	} cases[] = {
		{"a /17 fills all its /24s first", "198.18.128.0/17", 128, 128, 128, 2},
		{"then a second host in each", "198.18.128.0/17", 256, 256, 128, 2},
		{"a /24 has 254 hosts", "192.0.2.0/24", 254, 254, 1, 1},
		{"a /28 has 14 hosts", "192.0.2.16/28", 14, 14, 1, 1},
		{"a /32 has one", "192.0.2.1", 5, 1, 1, 1},
		{"a /26 of IPv6 spreads over its /32s", "fd20::/26", 64, 64, 64, 64},
		{"and then over /48s", "fd20::/26", 320, 320, 320, 64},
		{"a /64 is one client", "fd20::/64", 5, 1, 1, 1},
	};
	static struct address addresses[512];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct prefix prefix;

		CHECK_EQ(cases[i].name, prefix_parse(cases[i].prefix, &prefix), 0);
		for (unsigned k = 0; k < cases[i].n; k++) {
			addresses[k] = dial_source_at(&prefix, k);
			CHECK_TRUE(cases[i].name, prefix_contains(&prefix, &addresses[k]));
		}
		bool v4 = prefix_is_v4(&prefix);
		CHECK_EQ(cases[i].name, distinct(addresses, cases[i].n, PREFIX_HOST_LENGTH), cases[i].hosts);
		CHECK_EQ(cases[i].name, distinct(addresses, cases[i].n, v4 ? 120 : 48), cases[i].near);
		CHECK_EQ(cases[i].name, distinct(addresses, cases[i].n, v4 ? 114 : 32), cases[i].wide);
	}
}

static void test_order(void)
{
	struct prefix prefixes[2];
	struct dial_sources *sources = NULL;
	static struct address seen[40];
	uint32_t index;

	CHECK_EQ("v4", prefix_parse("10.0.0.0/16", &prefixes[0]), 0);
	CHECK_EQ("v6", prefix_parse("fd20::/26", &prefixes[1]), 0);
	CHECK_EQ("a pool of both families", dial_sources_create(prefixes, 2, 0, 40, 9, &sources), 0);
	for (unsigned i = 0; i < 40; i++)
		CHECK_TRUE("there is a next one", dial_sources_next(sources, true, &seen[i], &index));
	CHECK_EQ("each is used once", distinct(seen, 40, PREFIX_HOST_LENGTH), 40);
	struct address again;
	CHECK_TRUE("before the first comes again", dial_sources_next(sources, true, &again, &index));
	CHECK_EQ("in the same order", address_compare(&again, &seen[0]), 0);
	CHECK_EQ("with the same index", index, 0);
	dial_sources_destroy(sources);

	sources = NULL;
	CHECK_EQ("no prefix", dial_sources_create(prefixes, 0, 0, 40, 9, &sources), -EINVAL);
	CHECK_EQ("no address", dial_sources_create(prefixes, 1, 0, 0, 9, &sources), -EINVAL);
	CHECK_EQ("too long", prefix_parse("fd20::1", &prefixes[1]), 0);
	CHECK_EQ("a /128 holds no /64", dial_sources_create(prefixes, 2, 0, 40, 9, &sources), -EINVAL);
}

static void test_heap(void)
{
	enum { SLOTS = 500 };
	struct dial_heap heap;
	uint64_t last = 0;
	unsigned n = 0, wrong = 0;

	CHECK_EQ("a heap", dial_heap_create(&heap, SLOTS), 0);
	CHECK_EQ("an empty one waits for ever", dial_heap_next_ns(&heap), UINT64_MAX);
	srand(5);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		dial_heap_set(&heap, slot, (uint64_t)rand());
	for (uint32_t slot = 0; slot < SLOTS; slot += 3)
		dial_heap_set(&heap, slot, (uint64_t)rand()); /* moved up or down */
	for (uint32_t slot = 1; slot < SLOTS; slot += 5)
		dial_heap_remove(&heap, slot);
	dial_heap_remove(&heap, 1); /* absent by now */
	while (heap.n > 0) {
		uint32_t slot = dial_heap_first(&heap);

		wrong += dial_heap_next_ns(&heap) < last || slot % 5 == 1;
		last = dial_heap_next_ns(&heap);
		dial_heap_remove(&heap, slot);
		n++;
	}
	CHECK_EQ("all that was left comes out", n, SLOTS - SLOTS / 5);
	CHECK_EQ("in order", wrong, 0);
	dial_heap_done(&heap);
}

static void test_echo(void)
{
	struct echo_key key, other;
	/* the first 16 bytes of SipHash's own test vectors: key 00..0f, message 00..0f */
	static const uint8_t nonce[ECHO_NONCE_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	static const uint8_t tag[ECHO_TAG_BYTES] = {0xdb, 0x9b, 0xc2, 0x57, 0x7f, 0xcc, 0x2a, 0x3f};
	uint8_t request[ECHO_REQUEST_BYTES], reply[ECHO_REPLY_BYTES];

	CHECK_EQ("a key of 32 digits", echo_key_parse("0f0e0d0c0b0a09080706050403020100", &key), 0);
	CHECK_EQ("another key", echo_key_parse("0f0e0d0c0b0a09080706050403020101", &other), 0);
	CHECK_EQ("a short key", echo_key_parse("0f", &other), -EINVAL);
	CHECK_EQ("a key with a letter too far", echo_key_parse("0f0e0d0c0b0a0908070605040302010g", &other), -EINVAL);
	echo_request_write(nonce, request);
	CHECK_TRUE("a request is one", echo_request_valid(request));
	echo_reply_write(&key, request, reply);
	CHECK_MEM_EQ("the tag is SipHash-2-4's", reply + ECHO_REPLY_BYTES - ECHO_TAG_BYTES, tag, sizeof(tag));
	CHECK_TRUE("the node's reply is accepted", echo_reply_valid(&key, nonce, reply));
	CHECK_FALSE("under another key it is not", echo_reply_valid(&other, nonce, reply));
	for (unsigned bit = 0; bit < 8 * ECHO_REPLY_BYTES; bit++) {
		reply[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK_FALSE("nor with one bit changed", echo_reply_valid(&key, nonce, reply));
		reply[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CHECK_FALSE("an echo of the request alone proves nothing", echo_reply_valid(&key, nonce, (uint8_t[ECHO_REPLY_BYTES]){0}));
	request[0] ^= 1;
	CHECK_FALSE("a spoilt request is none", echo_request_valid(request));
}

static void test_values(void)
{
	static const struct {
		const char *name, *text;
		bool fine;
		uint64_t value;
	} counts[] = {
		{"a number", "12", true, 12},
		{"the least", "1", true, 1},
		{"the most", "100", true, 100},
		{"below", "0", false, 0},
		{"above", "101", false, 0},
		{"a sign", "+5", false, 0},
		{"a minus", "-5", false, 0},
		{"a blank", " 5", false, 0},
		{"more behind it", "5x", false, 0},
		{"nothing", "", false, 0},
		{"beyond 64 bits", "99999999999999999999", false, 0},
	};
	static const struct {
		const char *name, *text, *address;
		int expected;
		uint16_t port;
	} targets[] = {
		{"IPv4", "192.0.2.1:80", "192.0.2.1", 0, 80},
		{"IPv6 in brackets", "[2001:db8::1]:65535", "2001:db8::1", 0, 65535},
		{"IPv6 without brackets", "2001:db8::1:80", NULL, -EINVAL, 0},
		{"no port", "192.0.2.1", NULL, -EINVAL, 0},
		{"port 0", "192.0.2.1:0", NULL, -EINVAL, 0},
		{"port too large", "192.0.2.1:65536", NULL, -EINVAL, 0},
		{"more behind the port", "192.0.2.1:80x", NULL, -EINVAL, 0},
		{"a name", "localhost:80", NULL, -EINVAL, 0},
	};

	for (size_t i = 0; i < CHECK_COUNT(counts); i++) {
		uint64_t value = 0;

		CHECK_EQ(counts[i].name, option_count_parse(counts[i].text, 1, 100, &value), counts[i].fine);
		CHECK_EQ(counts[i].name, value, counts[i].value);
	}
	for (size_t i = 0; i < CHECK_COUNT(targets); i++) {
		struct address address, expected;
		uint16_t port = 0;

		CHECK_EQ(targets[i].name, socket_address_parse(targets[i].text, &address, &port), targets[i].expected);
		CHECK_EQ(targets[i].name, port, targets[i].port);
		if (targets[i].expected == 0) {
			CHECK_EQ(targets[i].name, address_parse(targets[i].address, &expected), 0);
			CHECK_EQ(targets[i].name, address_compare(&address, &expected), 0);
		}
	}
	double real = -1;
	CHECK_TRUE("a fraction", option_real_parse("0.5", 0, 1, &real));
	CHECK_FALSE("not a number", option_real_parse("nan", 0, 1, &real));
	CHECK_FALSE("infinite", option_real_parse("inf", 0, 1e308, &real));
	CHECK_NEAR("a refused one changes nothing", real, 0.5, 0);
}

static const struct check_test tests[] = {
	{"addresses are spread as widely as their prefix allows", test_sources},
	{"addresses are used in turn", test_order},
	{"deadlines come out in order", test_heap},
	{"only the node's echo of this nonce is a success", test_echo},
	{"command lines are read to the last character", test_values},
};
CHECK_MAIN("dial", tests)
