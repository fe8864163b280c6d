/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of the parser share: packet.c (Ethernet, and what is not IP), packet_ip.c,
 * packet_transport.c (TCP, UDP) and packet_icmp.c. Each layer gets the state of the one below and returns the
 * final reason. Nobody else includes this.
 */
#ifndef WEIR_DATAPLANE_PACKET_PRIVATE_H
#define WEIR_DATAPLANE_PACKET_PRIVATE_H

#include <string.h>

#include "dataplane/packet.h"

enum {
	ETHERNET_HEADER_BYTES = 14,
	IPV4_HEADER_BYTES = 20,
	IPV6_HEADER_BYTES = 40,
	TCP_HEADER_BYTES = 20,
	UDP_HEADER_BYTES = 8,
	ICMP_HEADER_BYTES = 8,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	EXTENSION_HEADERS_MAX = 8, /* RFC 8200 names 7 that a packet may carry at once; one more for a second
				      destination options */
};

enum {
	IP_PROTOCOL_HOP_BY_HOP = 0,
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_IGMP = 2,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_ROUTING = 43,
	IP_PROTOCOL_FRAGMENT = 44,
	IP_PROTOCOL_AUTHENTICATION = 51,
	IP_PROTOCOL_ICMPV6 = 58,
	IP_PROTOCOL_NO_NEXT_HEADER = 59,
	IP_PROTOCOL_DESTINATION_OPTIONS = 60,
};

#define IPV4_DNS64_PROBES 0xc00000aau /* 192.0.0.170 and .171 */

struct packet_parser {
	const uint8_t *head;
	const struct packet_segment *segments; /* at least one */
	unsigned n_segments;
	unsigned checks;
	uint32_t total_bytes;
	uint32_t end;      /* of the IP datagram, from the start of the frame; <= total_bytes */
	uint32_t readable; /* headers may be read up to here: the end, or the end of head if that comes first
			    */
	bool router_alert; /* IPv6 hop-by-hop option 5 was seen */
	bool fragment_header;    /* IPv6: there is one, be it of an atomic fragment */
	bool source_unspecified; /* the transport must be one that may come from :: or 0.0.0.0 */
	struct packet *packet;
};

static inline uint16_t load_u16(const uint8_t *from)
{
	uint16_t value;

	memcpy(&value, from, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap16(value);
#endif
	return value;
}

static inline uint32_t load_u32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap32(value);
#endif
	return value;
}

static inline uint64_t load_u64(const uint8_t *from)
{
	return (uint64_t)load_u32(from) << 32 | load_u32(from + 4);
}

/** Fill an address from 4 bytes of an IPv4 header. */
static inline void load_v4(const uint8_t *from, struct address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(address->bytes, mapped, sizeof(mapped));
	memcpy(address->bytes + sizeof(mapped), from, 4);
}

/* Of the addresses: a group address cannot send, and nobody owns the zero address. */
static inline bool source_mac_is_bad(const uint8_t *mac)
{
	return (mac[0] & 1) || (load_u32(mac) | load_u16(mac + 4)) == 0;
}

/* In pieces of a cache line, which become vector stores: the whole at once becomes `rep stos`, whose start
 * alone takes longer than the rest of the parser. */
static inline void packet_clear(struct packet *packet)
{
	uint8_t *bytes = (uint8_t *)packet;

	_Static_assert(sizeof(*packet) > 128 && sizeof(*packet) <= 192, "three pieces");
	memset(bytes, 0, 64);
	memset(bytes + 64, 0, 64);
	memset(bytes + 128, 0, sizeof(*packet) - 128);
}

/* What no network has as a source, so that an answer would go where it must not: multicast and above (240/4,
 * broadcast), loopback, 0/8, which means "this host" (RFC 1122 3.2.1.3), and the two addresses that exist only
 * inside DNS answers (RFC 8880). Private, shared, link-local, benchmarking and documentation ranges are sources
 * in somebody's network: keeping them out is the operator's deny list's part. */
static inline bool ipv4_is_never_source(uint32_t address)
{
	uint32_t top = address >> 24;

	return top >= 224 || top == 127 || top == 0 || (address & ~1u) == IPV4_DNS64_PROBES;
}

/* Sets of flags that some stack sends, PSH, ECE and CWR aside: SYN, SYN+ACK, SYN+URG, RST, RST+ACK, and ACK
 * with any of FIN and URG. Bit i of the mask: the set with value i is legal. */
static inline bool tcp_flags_are_legal(unsigned flags)
{
	enum { F = TCP_FLAG_FIN, S = TCP_FLAG_SYN, R = TCP_FLAG_RST, A = TCP_FLAG_ACK, U = TCP_FLAG_URG };
	const uint64_t legal = UINT64_C(1) << S | UINT64_C(1) << (S | A) | UINT64_C(1) << (S | U) |
			       UINT64_C(1) << R | UINT64_C(1) << (R | A) | UINT64_C(1) << A |
			       UINT64_C(1) << (A | F) | UINT64_C(1) << (A | U) | UINT64_C(1) << (A | F | U);

	return legal >> (flags & (F | S | R | A | U)) & 1;
}

/** May [offset, offset + bytes) be read, and does it belong to the datagram? */
static inline bool parser_has(const struct packet_parser *parser, uint32_t offset, uint32_t bytes)
{
	return offset + bytes <= parser->readable;
}

/** The short way: true, with `packet` filled, or false, with rubbish in it, and then only packet_parse_general knows. */
bool packet_parse_plain(const uint8_t *head, uint32_t bytes, unsigned checks, struct packet *packet);
/** The long way: packet_parse for every frame. */
enum reason packet_parse_general(const uint8_t *head, uint32_t head_bytes, const struct packet_segment *segments,
	unsigned n_segments, uint32_t total_bytes, unsigned checks, struct packet *packet);
/** Options of the TCP header, and a SYN's fingerprint. False: they do not fit into the header. */
bool packet_parse_tcp_options(struct packet *packet, const uint8_t *tcp, uint32_t header_bytes);

/** The reason when a transport header does not fit into what parser_has allows. */
enum reason packet_short_reason(
	const struct packet_parser *parser, uint32_t offset, uint32_t bytes, enum reason whole);

enum reason packet_parse_ipv4(struct packet_parser *parser);
enum reason packet_parse_ipv6(struct packet_parser *parser);
/** The header at packet->l4_offset; packet->protocol says which. */
enum reason packet_parse_transport(struct packet_parser *parser);
enum reason packet_parse_icmp(struct packet_parser *parser);
enum reason packet_parse_icmpv6(struct packet_parser *parser);
/** Is the checksum over [l4_offset, l4_offset + bytes) and the pseudo header (not for IPv4 ICMP) right? */
bool packet_transport_checksum_ok(const struct packet_parser *parser, uint32_t bytes, bool pseudo_header);

#endif
