// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/target_guard.h: both edges of every range that may be flooded.
 */
#include <errno.h>
#include <string.h>

#include "bench/target_guard.h"
#include "tests/check.h"

static void test_ranges(void)
{
	static const struct {
		const char *name, *address;
		bool allowed;
	} cases[] = {
		{"loopback", "127.0.0.1", true},
		{"the end of loopback", "127.255.255.255", true},
		{"just above loopback", "128.0.0.0", false},
		{"just below 10/8", "9.255.255.255", false},
		{"the start of 10/8", "10.0.0.0", true},
		{"the end of 10/8", "10.255.255.255", true},
		{"just above 10/8", "11.0.0.0", false},
		{"just below 172.16/12", "172.15.255.255", false},
		{"the end of 172.16/12", "172.31.255.255", true},
		{"just above 172.16/12", "172.32.0.0", false},
		{"192.168/16", "192.168.255.255", true},
		{"just above 192.168/16", "192.169.0.0", false},
		{"just below 198.18/15", "198.17.255.255", false},
		{"the end of 198.18/15", "198.19.255.255", true},
		{"just above 198.18/15", "198.20.0.0", false},
		{"documentation 1", "192.0.2.255", true},
		{"just above documentation 1", "192.0.3.0", false},
		{"documentation 2", "198.51.100.7", true},
		{"documentation 3", "203.0.113.7", true},
		{"shared address space is somebody's", "100.64.0.1", false},
		{"link-local is not ours to flood", "169.254.1.1", false},
		{"multicast", "224.0.0.1", false},
		{"a public resolver", "8.8.8.8", false},
		{"IPv6 loopback", "::1", true},
		{"the unspecified address", "::", false},
		{"IPv6 documentation", "2001:db8:ffff::1", true},
		{"just above IPv6 documentation", "2001:db9::", false},
		{"the newer IPv6 documentation", "3fff:fff::1", true},
		{"just above it", "3fff:1000::", false},
		{"unique local, never assigned half", "fc00::1", true},
		{"unique local", "fdff:ffff::1", true},
		{"link-local IPv6", "fe80::1", false},
		{"a public IPv6 address", "2001:4860:4860::8888", false},
		{"a mapped public address is that address", "::ffff:8.8.8.8", false},
		{"a mapped private address is that address", "::ffff:10.0.0.1", true},
	};
	char text[256];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct address address;

		CHECK_EQ(cases[i].name, address_parse(cases[i].address, &address), 0);
		CHECK_EQ(cases[i].name, target_guard_check(&address, false, text, sizeof(text)), cases[i].allowed ? 0 : -EPERM);
		CHECK_EQ(cases[i].name, target_guard_check(&address, true, text, sizeof(text)), 0);
	}
}

static void test_sentence(void)
{
	struct address address;
	char text[256] = "", small[8] = "";

	CHECK_EQ("a public address", address_parse("8.8.4.4", &address), 0);
	CHECK_EQ("is refused", target_guard_check(&address, false, text, sizeof(text)), -EPERM);
	CHECK_TRUE("the sentence names it", strstr(text, "8.8.4.4") != NULL);
	CHECK_TRUE("and the way out", strstr(text, "--i-own-this-target") != NULL);
	CHECK_EQ("a short buffer is respected", target_guard_check(&address, false, small, sizeof(small)), -EPERM);
	CHECK_EQ("and terminated", strlen(small), sizeof(small) - 1);
}

static const struct check_test tests[] = {
	{"only addresses that cannot be a stranger's are targets", test_ranges},
	{"a refusal says why", test_sentence},
};
CHECK_MAIN("target_guard", tests)
