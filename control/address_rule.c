/* SPDX-License-Identifier: BSD-3-Clause
 * Kinds of addresses by the registries of special-purpose addresses (RFC 6890 and its updates). Pure
 * functions, any thread. IPv4 inside IPv6 counts as the IPv4 address that it leads to: ::ffff/96 is IPv4
 * already, NAT64 and 6to4 are unwrapped.
 */
#include "control/address_rule.h"

#include <stdint.h>

struct range_v4 {
	uint32_t base;
	uint8_t length;
	enum address_kind kind;
};

static const struct range_v4 ranges_v4[] = {
	{0x00000000, 8, ADDRESS_KIND_UNSPECIFIED},    /* 0.0.0.0/8 */
	{0x0a000000, 8, ADDRESS_KIND_PRIVATE},        /* 10.0.0.0/8 */
	{0x64400000, 10, ADDRESS_KIND_SHARED},        /* 100.64.0.0/10 */
	{0x7f000000, 8, ADDRESS_KIND_LOOPBACK},       /* 127.0.0.0/8 */
	{0xa9fe0000, 16, ADDRESS_KIND_LINK_LOCAL},    /* 169.254.0.0/16 */
	{0xac100000, 12, ADDRESS_KIND_PRIVATE},       /* 172.16.0.0/12 */
	{0xc0000000, 24, ADDRESS_KIND_RESERVED},      /* 192.0.0.0/24, protocol assignments */
	{0xc0000200, 24, ADDRESS_KIND_DOCUMENTATION}, /* 192.0.2.0/24 */
	{0xc0a80000, 16, ADDRESS_KIND_PRIVATE},       /* 192.168.0.0/16 */
	{0xc6120000, 15, ADDRESS_KIND_RESERVED},      /* 198.18.0.0/15, benchmarks */
	{0xc6336400, 24, ADDRESS_KIND_DOCUMENTATION}, /* 198.51.100.0/24 */
	{0xcb007100, 24, ADDRESS_KIND_DOCUMENTATION}, /* 203.0.113.0/24 */
	{0xe0000000, 4, ADDRESS_KIND_MULTICAST},      /* 224.0.0.0/4 */
	{0xf0000000, 4, ADDRESS_KIND_RESERVED},       /* 240.0.0.0/4 and broadcast */
};

struct range_v6 {
	uint16_t head[4]; /* the first 64 bits */
	uint8_t length;
	enum address_kind kind;
};

static const struct range_v6 ranges_v6[] = {
	{{0x0100, 0, 0, 0}, 64, ADDRESS_KIND_RESERVED},           /* 100::/64, discard */
	{{0x2001, 0x0db8, 0, 0}, 32, ADDRESS_KIND_DOCUMENTATION}, /* 2001:db8::/32 */
	{{0x2001, 0x0002, 0, 0}, 48, ADDRESS_KIND_RESERVED},      /* benchmarks */
	{{0x2001, 0x0010, 0, 0}, 28, ADDRESS_KIND_RESERVED},      /* ORCHID: identities, not routed */
	{{0x2001, 0x0020, 0, 0}, 28, ADDRESS_KIND_RESERVED},      /* ORCHIDv2 */
	{{0x3fff, 0, 0, 0}, 20, ADDRESS_KIND_DOCUMENTATION},      /* 3fff::/20 */
	{{0x0064, 0xff9b, 0x0001, 0}, 48, ADDRESS_KIND_PRIVATE},  /* NAT64 of one site */
	{{0xfc00, 0, 0, 0}, 7, ADDRESS_KIND_PRIVATE},             /* fc00::/7 */
	{{0xfe80, 0, 0, 0}, 10, ADDRESS_KIND_LINK_LOCAL},         /* fe80::/10 */
	{{0xfec0, 0, 0, 0}, 10, ADDRESS_KIND_PRIVATE},            /* fec0::/10, once site-local */
	{{0xff00, 0, 0, 0}, 8, ADDRESS_KIND_MULTICAST},           /* ff00::/8 */
};

static enum address_kind kind_v4(uint32_t address)
{
	for (unsigned i = 0; i < sizeof(ranges_v4) / sizeof(ranges_v4[0]); i++)
		if ((address ^ ranges_v4[i].base) >> (32 - ranges_v4[i].length) == 0)
			return ranges_v4[i].kind;
	return ADDRESS_KIND_PUBLIC;
}

static uint64_t head_of(const struct range_v6 *range)
{
	return (uint64_t)range->head[0] << 48 | (uint64_t)range->head[1] << 32 |
	       (uint64_t)range->head[2] << 16 | range->head[3];
}

static uint32_t four_bytes(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum address_kind kind_v6(const struct address *address)
{
	uint64_t head = address_v6_site(address);
	const uint8_t *bytes = address->bytes;
	uint64_t tail = (uint64_t)four_bytes(bytes + 8) << 32 | four_bytes(bytes + 12);
	if (head == 0 && tail == 0)
		return ADDRESS_KIND_UNSPECIFIED;
	if (head == 0 && tail == 1)
		return ADDRESS_KIND_LOOPBACK;
	/* ::a.b.c.d was given up in 2006 (RFC 4291); nothing else is assigned in ::/96 or above it up to
	 * ::ffff. */
	if (head == 0)
		return ADDRESS_KIND_RESERVED;
	if (head == UINT64_C(0x0064ff9b00000000) && tail >> 32 == 0)
		return kind_v4(four_bytes(bytes + 12));
	if (head >> 48 == 0x2002)
		return kind_v4(four_bytes(bytes + 2));
	for (unsigned i = 0; i < sizeof(ranges_v6) / sizeof(ranges_v6[0]); i++)
		if ((head ^ head_of(&ranges_v6[i])) >> (64 - ranges_v6[i].length) == 0)
			return ranges_v6[i].kind;
	return ADDRESS_KIND_PUBLIC;
}

enum address_kind address_kind(const struct address *address)
{
	return address_is_v4(address) ? kind_v4(address_v4(address)) : kind_v6(address);
}

const char *address_kind_name(enum address_kind kind)
{
	static const char *const names[ADDRESS_KIND_COUNT] = {
		[ADDRESS_KIND_PUBLIC] = "public",
		[ADDRESS_KIND_PRIVATE] = "private",
		[ADDRESS_KIND_SHARED] = "shared",
		[ADDRESS_KIND_LOOPBACK] = "loopback",
		[ADDRESS_KIND_LINK_LOCAL] = "link_local",
		[ADDRESS_KIND_UNSPECIFIED] = "unspecified",
		[ADDRESS_KIND_MULTICAST] = "multicast",
		[ADDRESS_KIND_RESERVED] = "reserved",
		[ADDRESS_KIND_DOCUMENTATION] = "documentation",
	};
	return (unsigned)kind < ADDRESS_KIND_COUNT ? names[kind] : "unknown";
}

bool address_kind_allowed(enum address_kind kind, bool allow_private, bool allow_doc)
{
	switch (kind) {
	case ADDRESS_KIND_PUBLIC:
		return true;
	case ADDRESS_KIND_PRIVATE:
	case ADDRESS_KIND_SHARED:
	case ADDRESS_KIND_LOOPBACK:
	case ADDRESS_KIND_LINK_LOCAL:
		return allow_private;
	case ADDRESS_KIND_DOCUMENTATION:
		return allow_doc;
	default:
		return false;
	}
}
