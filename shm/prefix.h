/* SPDX-License-Identifier: BSD-3-Clause
 * Addresses and prefixes as every part of Weir names them: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d,
 * so one comparison orders both families. Pure functions, any thread. Must not allocate or resolve names.
 */
#ifndef WEIR_SHM_PREFIX_H
#define WEIR_SHM_PREFIX_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct address {
	uint8_t bytes[16]; /* network order; IPv4 is mapped */
};

/** A prefix. `length` counts bits of the 16-byte form: an IPv4 /24 has length 120. Host bits are zero. */
struct prefix {
	struct address address;
	uint8_t length; /* 0..128; 96..128 with a mapped address is IPv4 */
};

enum { PREFIX_V4_BASE = 96, PREFIX_HOST_LENGTH = 128, PREFIX_V6_SITE_LENGTH = 64, PREFIX_TEXT_MAX = 64 };

struct address address_from_v4(uint32_t v4_host_order);

/* Inline, because every packet asks these several times. */
static inline bool address_is_v4(const struct address *address)
{
	uint64_t zeros;
	uint32_t mark;

	memcpy(&zeros, address->bytes, sizeof(zeros));
	memcpy(&mark, address->bytes + 8, sizeof(mark));
	return zeros == 0 && mark == htobe32(0xffff);
}

/** The IPv4 address in host order; meaningful only when address_is_v4. */
static inline uint32_t address_v4(const struct address *address)
{
	uint32_t v4;

	memcpy(&v4, address->bytes + 12, sizeof(v4));
	return be32toh(v4);
}

/** The top 64 bits in host order: the identity of an IPv6 source. */
static inline uint64_t address_v6_site(const struct address *address)
{
	uint64_t site;

	memcpy(&site, address->bytes, sizeof(site));
	return be64toh(site);
}

int address_compare(const struct address *a, const struct address *b);
/** Parse "1.2.3.4", "2001:db8::1" or "::ffff:1.2.3.4" (becomes IPv4). -EINVAL: not an address. */
int address_parse(const char *text, struct address *ret_address);
/** Writes at most PREFIX_TEXT_MAX bytes, NUL included; returns `text`. IPv4 is printed dotted. */
const char *address_format(const struct address *address, char text[PREFIX_TEXT_MAX]);

/** Parse an address or "address/len" (len counts in the family's own bits). A bare address is a host prefix.
 * -EINVAL: not a prefix; -ERANGE: the length is out of range; -EDOM: host bits are set (out gets no value).
 */
int prefix_parse(const char *text, struct prefix *ret_prefix);
/** "1.2.3.0/24"; a host prefix is printed without its length. */
const char *prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX]);
struct prefix prefix_of(const struct address *address, uint8_t length);
bool prefix_is_v4(const struct prefix *prefix);
/** The families are apart: ::/0 is all of IPv6 and contains no IPv4 address. */
bool prefix_contains(const struct prefix *prefix, const struct address *address);
/** True when every address of `inner` lies in `outer`; never across families. */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);
/** Order: address bytes, then length (shorter first). */
int prefix_compare(const struct prefix *a, const struct prefix *b);

#endif
