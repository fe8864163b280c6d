/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/address_rule.c: every special range at its first and last address and just outside (SP-2,
 * DU-20, HE-15, V41).
 */
#include "control/address_rule.h"
#include "tests/check.h"

static void test_kinds(void)
{
	static const struct {
		const char *address;
		enum address_kind kind;
	} cases[] = {
		{"0.0.0.0", ADDRESS_KIND_UNSPECIFIED},
		{"0.1.2.3", ADDRESS_KIND_UNSPECIFIED},
		{"0.255.255.255", ADDRESS_KIND_UNSPECIFIED},
		{"1.0.0.0", ADDRESS_KIND_PUBLIC},
		{"9.255.255.255", ADDRESS_KIND_PUBLIC},
		{"10.0.0.0", ADDRESS_KIND_PRIVATE},
		{"10.0.0.1", ADDRESS_KIND_PRIVATE},
		{"::ffff:10.0.0.1", ADDRESS_KIND_PRIVATE},
		{"10.255.255.255", ADDRESS_KIND_PRIVATE},
		{"11.0.0.0", ADDRESS_KIND_PUBLIC},
		{"100.63.255.255", ADDRESS_KIND_PUBLIC},
		{"100.64.0.0", ADDRESS_KIND_SHARED},
		{"100.64.0.1", ADDRESS_KIND_SHARED},
		{"100.127.255.255", ADDRESS_KIND_SHARED},
		{"100.128.0.0", ADDRESS_KIND_PUBLIC},
		{"126.255.255.255", ADDRESS_KIND_PUBLIC},
		{"127.0.0.0", ADDRESS_KIND_LOOPBACK},
		{"127.255.255.255", ADDRESS_KIND_LOOPBACK},
		{"128.0.0.0", ADDRESS_KIND_PUBLIC},
		{"169.253.255.255", ADDRESS_KIND_PUBLIC},
		{"169.254.1.1", ADDRESS_KIND_LINK_LOCAL},
		{"169.254.255.255", ADDRESS_KIND_LINK_LOCAL},
		{"169.255.0.0", ADDRESS_KIND_PUBLIC},
		{"172.15.255.255", ADDRESS_KIND_PUBLIC},
		{"172.16.0.0", ADDRESS_KIND_PRIVATE},
		{"172.31.255.255", ADDRESS_KIND_PRIVATE},
		{"172.32.0.0", ADDRESS_KIND_PUBLIC},
		{"191.255.255.255", ADDRESS_KIND_PUBLIC},
		{"192.0.0.1", ADDRESS_KIND_RESERVED},
		{"192.0.1.0", ADDRESS_KIND_PUBLIC},
		{"192.0.2.1", ADDRESS_KIND_DOCUMENTATION},
		{"192.0.3.0", ADDRESS_KIND_PUBLIC},
		{"192.167.255.255", ADDRESS_KIND_PUBLIC},
		{"192.168.0.0", ADDRESS_KIND_PRIVATE},
		{"192.168.1.1", ADDRESS_KIND_PRIVATE},
		{"192.168.255.255", ADDRESS_KIND_PRIVATE},
		{"192.169.0.0", ADDRESS_KIND_PUBLIC},
		{"198.17.255.255", ADDRESS_KIND_PUBLIC},
		{"198.18.0.0", ADDRESS_KIND_RESERVED},
		{"198.19.255.255", ADDRESS_KIND_RESERVED},
		{"198.20.0.0", ADDRESS_KIND_PUBLIC},
		{"198.51.100.7", ADDRESS_KIND_DOCUMENTATION},
		{"203.0.113.7", ADDRESS_KIND_DOCUMENTATION},
		{"203.0.114.1", ADDRESS_KIND_PUBLIC},
		{"223.255.255.255", ADDRESS_KIND_PUBLIC},
		{"224.0.0.1", ADDRESS_KIND_MULTICAST},
		{"239.255.255.255", ADDRESS_KIND_MULTICAST},
		{"240.0.0.1", ADDRESS_KIND_RESERVED},
		{"255.255.255.255", ADDRESS_KIND_RESERVED},
		{"::", ADDRESS_KIND_UNSPECIFIED},
		{"::1", ADDRESS_KIND_LOOPBACK},
		{"::2", ADDRESS_KIND_RESERVED},
		{"::10.0.0.1", ADDRESS_KIND_RESERVED},
		{"64:ff9b::8.8.8.8", ADDRESS_KIND_PUBLIC},
		{"64:ff9b::10.0.0.1", ADDRESS_KIND_PRIVATE},
		{"64:ff9b:1::1", ADDRESS_KIND_PRIVATE},
		{"100::1", ADDRESS_KIND_RESERVED},
		{"2001:db8::1", ADDRESS_KIND_DOCUMENTATION},
		{"2001:db9::1", ADDRESS_KIND_PUBLIC},
		{"2001:2::1", ADDRESS_KIND_RESERVED},
		{"2001:20::1", ADDRESS_KIND_RESERVED},
		{"2001:30::1", ADDRESS_KIND_PUBLIC},
		{"2002:808:808::1", ADDRESS_KIND_PUBLIC},
		{"2002:c0a8:101::1", ADDRESS_KIND_PRIVATE},
		{"2a00:1450::1", ADDRESS_KIND_PUBLIC},
		{"3fff:fff::1", ADDRESS_KIND_DOCUMENTATION},
		{"3fff:1000::1", ADDRESS_KIND_PUBLIC},
		{"fbff::1", ADDRESS_KIND_PUBLIC},
		{"fc00::1", ADDRESS_KIND_PRIVATE},
		{"fdff::1", ADDRESS_KIND_PRIVATE},
		{"fe00::1", ADDRESS_KIND_PUBLIC},
		{"fe80::1", ADDRESS_KIND_LINK_LOCAL},
		{"febf::1", ADDRESS_KIND_LINK_LOCAL},
		{"fec0::1", ADDRESS_KIND_PRIVATE},
		{"ff02::1", ADDRESS_KIND_MULTICAST},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct address address;
		CHECK_EQ(cases[i].address, address_parse(cases[i].address, &address), 0);
		CHECK_EQ(cases[i].address, address_kind_name(address_kind(&address)),
			address_kind_name(cases[i].kind));
	}
}

static void test_allowing(void)
{
	for (unsigned kind = 0; kind < ADDRESS_KIND_COUNT; kind++) {
		bool local = kind == ADDRESS_KIND_PRIVATE || kind == ADDRESS_KIND_SHARED ||
			     kind == ADDRESS_KIND_LOOPBACK || kind == ADDRESS_KIND_LINK_LOCAL;
		bool doc = kind == ADDRESS_KIND_DOCUMENTATION, public = kind == ADDRESS_KIND_PUBLIC;
		const char *name = address_kind_name(kind);
		CHECK_EQ(name, address_kind_allowed(kind, false, false), public);
		CHECK_EQ(name, address_kind_allowed(kind, true, false), public || local);
		CHECK_EQ(name, address_kind_allowed(kind, false, true), public || doc);
		CHECK_EQ(name, address_kind_allowed(kind, true, true), public || local || doc);
	}
}

static const struct check_test tests[] = {
	{"V41: the kind of each range at its edges", test_kinds},
	{"what is allowed when", test_allowing},
};
CHECK_MAIN("address_rule", tests)
