// SPDX-License-Identifier: BSD-3-Clause
/* The IP layer of the parser: IPv4 with its options, IPv6 with its extension headers, fragments of both, and
 * sources that no packet may come from. Runs on lcores; pure. Must not read behind parser->readable, and must
 * refuse whatever would let one IPv6 packet stand for an IPv4 address.
 */
#include "dataplane/packet_private.h"

#include "dataplane/packet_checksum.h"

#define IPV6_NAT64_HIGH   UINT64_C(0x0064ff9b00000000) /* 64:ff9b::/96 */

enum {
	IPV4_OPTION_END = 0,
	IPV4_OPTION_NOP = 1,
	IPV4_OPTION_LOOSE_ROUTE = 131,
	IPV4_OPTION_STRICT_ROUTE = 137,
	IPV4_MORE_FRAGMENTS = 0x2000,
	IPV4_OFFSET_MASK = 0x1fff,
	IPV6_OPTION_PAD1 = 0,
	IPV6_OPTION_ROUTER_ALERT = 5,
	IPV6_OPTION_JUMBO = 0xc2,
	IP_DATAGRAM_BYTES_MAX = 65535,
};

enum reason packet_short_reason(
	const struct packet_parser *parser, uint32_t offset, uint32_t bytes, enum reason whole)
{
	if (parser->packet->is_fragment)
		return REASON_FRAGMENT_SHORT_FIRST;
	/* The datagram has it, but behind so many extension headers that it is out of sight. */
	if (offset + bytes <= parser->end)
		return REASON_BAD_EXTENSION_CHAIN;
	return whole;
}

/* Behind the IP headers: the transport, or what a later fragment carries. */
static enum reason parse_payload(struct packet_parser *parser, uint32_t offset)
{
	struct packet *packet = parser->packet;

	packet->l4_offset = (uint16_t)offset;
	packet->payload_offset = (uint16_t)offset;
	packet->payload_bytes = (uint16_t)(parser->end - offset);
	if (packet->fragment_offset_bytes) {
		packet->kind = PACKET_KIND_FRAGMENT;
		return parser->source_unspecified ? REASON_BAD_IP_SOURCE : REASON_COUNT;
	}
	return packet_parse_transport(parser);
}

/* `offset`: where the fragment's data begins. `whole_bytes`: length of all of the datagram in this fragment
 * that counts towards 65535. A TCP header takes the first 20 bytes at least, so a later fragment that begins
 * inside it exists only to overwrite what the first one showed (RFC 1858, RFC 3128). */
static enum reason check_fragment(const struct packet_parser *parser, uint32_t offset, uint32_t whole_bytes)
{
	const struct packet *packet = parser->packet;
	uint32_t data_bytes = parser->end - offset;

	if (data_bytes == 0)
		return REASON_BAD_FRAGMENT;
	if (packet->more_fragments && data_bytes % 8 != 0)
		return REASON_BAD_FRAGMENT;
	if (packet->fragment_offset_bytes + whole_bytes > IP_DATAGRAM_BYTES_MAX)
		return REASON_BAD_FRAGMENT;
	if (packet->protocol == IP_PROTOCOL_TCP && packet->fragment_offset_bytes &&
		packet->fragment_offset_bytes < TCP_HEADER_BYTES)
		return REASON_BAD_FRAGMENT;
	return REASON_COUNT;
}

/* Source routing names another destination than the one in the header, so it is refused (RFC 7126 4.3, 4.4).
 */
static enum reason check_ipv4_options(const uint8_t *option, uint32_t bytes)
{
	while (bytes) {
		uint32_t length = 1;

		if (option[0] == IPV4_OPTION_END)
			return REASON_COUNT;
		if (option[0] != IPV4_OPTION_NOP) {
			if (bytes < 2)
				return REASON_BAD_IP_OPTIONS;
			length = option[1];
			if (length < 2 || length > bytes)
				return REASON_BAD_IP_OPTIONS;
		}
		if (option[0] == IPV4_OPTION_LOOSE_ROUTE || option[0] == IPV4_OPTION_STRICT_ROUTE)
			return REASON_BAD_IP_OPTIONS;
		option += length;
		bytes -= length;
	}
	return REASON_COUNT;
}

/* Of 0/8 only 0.0.0.0 has a use, before a host knows its address: the transport decides. */
static inline bool ipv4_source_is_bad(struct packet_parser *parser, uint32_t source, uint32_t destination)
{
	parser->source_unspecified = source == 0;
	return source == destination || (ipv4_is_never_source(source) && source != 0);
}

static bool header_checksum_ok(const uint8_t *ip, uint32_t header_bytes)
{
	/* Most have no options: a length that the compiler knows. */
	if (header_bytes == IPV4_HEADER_BYTES)
		return packet_checksum_fold(packet_checksum_add_scalar(0, ip, IPV4_HEADER_BYTES)) == UINT16_MAX;
	return packet_checksum_fold(packet_checksum_add(0, ip, header_bytes)) == UINT16_MAX;
}

enum reason packet_parse_ipv4(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;
	uint32_t offset = packet->l3_offset, header_bytes, total_length, fragment;
	const uint8_t *ip = parser->head + offset;
	enum reason reason;

	if (!parser_has(parser, offset, IPV4_HEADER_BYTES))
		return REASON_TRUNCATED;
	header_bytes = (ip[0] & 15u) * 4;
	total_length = load_u16(ip + 2);
	if (ip[0] >> 4 != 4 || header_bytes < IPV4_HEADER_BYTES || total_length < header_bytes)
		return REASON_BAD_IP_HEADER;
	packet->family = 4;
	load_v4(ip + 12, &packet->source);
	load_v4(ip + 16, &packet->destination);
	if (offset + total_length > parser->total_bytes || !parser_has(parser, offset, header_bytes))
		return REASON_TRUNCATED;
	if ((parser->checks & PACKET_CHECK_IP) && !header_checksum_ok(ip, header_bytes))
		return REASON_BAD_IP_CHECKSUM;
	packet->protocol = ip[9];
	packet->ttl = ip[8];
	packet->l3_bytes = (uint16_t)total_length;
	parser->end = offset + total_length;
	if (parser->readable > parser->end)
		parser->readable = parser->end;
	if (ipv4_source_is_bad(parser, load_u32(ip + 12), load_u32(ip + 16)))
		return REASON_BAD_IP_SOURCE;
	if (__builtin_expect(header_bytes > IPV4_HEADER_BYTES, 0)) {
		reason = check_ipv4_options(ip + IPV4_HEADER_BYTES, header_bytes - IPV4_HEADER_BYTES);
		if (reason != REASON_COUNT)
			return reason;
	}
	fragment = load_u16(ip + 6);
	if (__builtin_expect(fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK), 0)) {
		packet->is_fragment = true;
		packet->more_fragments = fragment & IPV4_MORE_FRAGMENTS;
		packet->fragment_offset_bytes = (uint16_t)((fragment & IPV4_OFFSET_MASK) * 8);
		packet->fragment_id = load_u16(ip + 4);
		reason = check_fragment(parser, offset + header_bytes, total_length);
		if (reason != REASON_COUNT)
			return reason;
	}
	return parse_payload(parser, offset + header_bytes);
}

/* Multicast; IPv4-mapped (it would be taken for the IPv4 address itself: bans, flows and lists know addresses in
 * that form); ::/96, which holds ::1 and the IPv4-compatible addresses that nothing has any more (RFC 4291
 * 2.5.5.1); and what a relay would turn into an IPv4 packet to an address that is never a source: 6to4 (RFC 3964
 * 5.2) and NAT64's well-known prefix (RFC 6052 3.1). :: is left to the transport. */
static inline bool ipv6_is_never_source(uint64_t high, uint64_t low)
{
	if (high >> 56 == 0xff)
		return true;
	if (high == 0)
		return low >> 32 == 0xffff || low >> 32 == 0;
	if (high >> 48 == 0x2002)
		return ipv4_is_never_source((uint32_t)(high >> 16));
	return high == IPV6_NAT64_HIGH && low >> 32 == 0 && ipv4_is_never_source((uint32_t)low);
}

static inline bool ipv6_source_is_bad(
	struct packet_parser *parser, const uint8_t *source, const uint8_t *destination)
{
	uint64_t high = load_u64(source), low = load_u64(source + 8);

	parser->source_unspecified = high == 0 && low == 0;
	return memcmp(source, destination, 16) == 0 ||
	       (ipv6_is_never_source(high, low) && !parser->source_unspecified);
}

/* Options of a hop-by-hop or destination header, whose first two bytes are skipped. A jumbo payload needs a
 * payload length of 0 in the IPv6 header, which is refused already: with any other it is an error (RFC 2675
 * 3). */
static enum reason parse_ipv6_options(
	struct packet_parser *parser, const uint8_t *option, uint32_t bytes, bool hop_by_hop)
{
	while (bytes) {
		uint32_t length;

		if (option[0] == IPV6_OPTION_PAD1) {
			option++;
			bytes--;
			continue;
		}
		if (bytes < 2 || 2u + option[1] > bytes)
			return REASON_BAD_EXTENSION_CHAIN;
		length = 2u + option[1];
		if (option[0] == IPV6_OPTION_JUMBO)
			return REASON_BAD_EXTENSION_CHAIN;
		if (hop_by_hop && option[0] == IPV6_OPTION_ROUTER_ALERT && option[1] == 2)
			parser->router_alert = true;
		option += length;
		bytes -= length;
	}
	return REASON_COUNT;
}

/* An atomic fragment (offset 0, nothing follows) is a whole packet with a header that says nothing (RFC
 * 6946). */
static enum reason parse_fragment_header(struct packet_parser *parser, uint32_t offset)
{
	const uint8_t *header = parser->head + offset;
	struct packet *packet = parser->packet;
	uint16_t field = load_u16(header + 2);

	packet->protocol = header[0];
	packet->fragment_id = load_u32(header + 4);
	if ((field & 0xfff9) == 0)
		return REASON_COUNT;
	packet->is_fragment = true;
	packet->more_fragments = field & 1;
	packet->fragment_offset_bytes = field & 0xfff8;
	/* The reassembled payload: extension headers before this one, and the data; not the fragment header
	 * (RFC 8200 4.5). */
	return check_fragment(parser, offset + 8, parser->end - packet->l3_offset - IPV6_HEADER_BYTES - 8);
}

/* Routing type 0 is dead (RFC 5095). Other types with segments left name a final destination that is not the
 * one in the header, as IPv4's source routing does; a node that Weir fronts is an end, never a waypoint, so
 * they are refused too. With none left the header is history. */
static inline enum reason check_routing_header(const uint8_t *header)
{
	return header[2] == 0 || header[3] != 0 ? REASON_BAD_EXTENSION_CHAIN : REASON_COUNT;
}

static inline bool is_extension(uint8_t protocol)
{
	return protocol == IP_PROTOCOL_HOP_BY_HOP || protocol == IP_PROTOCOL_ROUTING ||
	       protocol == IP_PROTOCOL_FRAGMENT || protocol == IP_PROTOCOL_AUTHENTICATION ||
	       protocol == IP_PROTOCOL_DESTINATION_OPTIONS;
}

static uint32_t extension_bytes(uint8_t protocol, const uint8_t *header)
{
	if (protocol == IP_PROTOCOL_FRAGMENT)
		return 8;
	if (protocol == IP_PROTOCOL_AUTHENTICATION)
		return (header[1] + 2u) * 4;
	return (header[1] + 1u) * 8;
}

/* One extension header at `offset`, known to be wholly readable; sets packet->protocol to what comes next. */
static enum reason parse_extension(struct packet_parser *parser, uint32_t offset, uint32_t bytes, bool first)
{
	const uint8_t *header = parser->head + offset;
	struct packet *packet = parser->packet;
	uint8_t protocol = packet->protocol;

	if (protocol == IP_PROTOCOL_FRAGMENT)
		return parse_fragment_header(parser, offset);
	packet->protocol = header[0];
	if (protocol == IP_PROTOCOL_ROUTING)
		return check_routing_header(header);
	if (protocol == IP_PROTOCOL_AUTHENTICATION)
		return bytes < 12 ? REASON_BAD_EXTENSION_CHAIN : REASON_COUNT;
	if (protocol == IP_PROTOCOL_HOP_BY_HOP && !first)
		return REASON_BAD_EXTENSION_CHAIN;
	return parse_ipv6_options(parser, header + 2, bytes - 2, protocol == IP_PROTOCOL_HOP_BY_HOP);
}

static enum reason parse_ipv6_chain(struct packet_parser *parser, uint32_t offset)
{
	struct packet *packet = parser->packet;

	for (unsigned n = 0; is_extension(packet->protocol); n++) {
		enum reason reason;
		uint32_t bytes;

		if (n == EXTENSION_HEADERS_MAX)
			return REASON_BAD_EXTENSION_CHAIN;
		/* A second fragment header, atomic or not, would hide one inside the other. */
		if (packet->protocol == IP_PROTOCOL_FRAGMENT) {
			if (parser->fragment_header)
				return REASON_BAD_EXTENSION_CHAIN;
			parser->fragment_header = true;
		}
		if (!parser_has(parser, offset, 8))
			return packet_short_reason(parser, offset, 8, REASON_BAD_EXTENSION_CHAIN);
		bytes = extension_bytes(packet->protocol, parser->head + offset);
		if (!parser_has(parser, offset, bytes))
			return packet_short_reason(parser, offset, bytes, REASON_BAD_EXTENSION_CHAIN);
		reason = parse_extension(parser, offset, bytes, n == 0);
		if (reason != REASON_COUNT)
			return reason;
		offset += bytes;
		/* Behind a later fragment's header comes data, whatever its next header says. */
		if (packet->fragment_offset_bytes)
			break;
	}
	return parse_payload(parser, offset);
}

enum reason packet_parse_ipv6(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;
	uint32_t offset = packet->l3_offset, payload_length, total_length;
	const uint8_t *ip = parser->head + offset;

	if (!parser_has(parser, offset, IPV6_HEADER_BYTES))
		return REASON_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return REASON_BAD_IP_HEADER;
	packet->family = 6;
	memcpy(packet->source.bytes, ip + 8, 16);
	memcpy(packet->destination.bytes, ip + 24, 16);
	payload_length = load_u16(ip + 4);
	packet->protocol = ip[6];
	/* 0 announces a jumbogram, which no Ethernet carries, or nothing at all. */
	if (payload_length == 0 && packet->protocol != IP_PROTOCOL_NO_NEXT_HEADER)
		return REASON_BAD_IP_HEADER;
	total_length = IPV6_HEADER_BYTES + payload_length;
	if (offset + total_length > parser->total_bytes)
		return REASON_TRUNCATED;
	packet->ttl = ip[7];
	packet->l3_bytes = (uint16_t)(total_length > UINT16_MAX ? UINT16_MAX : total_length);
	parser->end = offset + total_length;
	if (parser->readable > parser->end)
		parser->readable = parser->end;
	if (ipv6_source_is_bad(parser, packet->source.bytes, packet->destination.bytes))
		return REASON_BAD_IP_SOURCE;
	/* An IPv4-mapped destination is an IPv4 address under the wrong version: it would match the node's
	 * own. */
	if (__builtin_expect(address_is_v4(&packet->destination), 0))
		return REASON_BAD_IP_HEADER;
	if (__builtin_expect(is_extension(packet->protocol), 0))
		return parse_ipv6_chain(parser, offset + IPV6_HEADER_BYTES);
	return parse_payload(parser, offset + IPV6_HEADER_BYTES);
}
