// SPDX-License-Identifier: BSD-3-Clause
/* ICMP and ICMPv6 in the parser: echo, errors with the packet they quote, neighbour discovery and multicast
 * listeners. Runs on lcores; pure. A message counts as infrastructure only if it cannot have crossed a
 * router.
 */
#include "dataplane/packet_private.h"

enum {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_MLD_QUERY = 130,
	ICMPV6_MLD_DONE = 132,
	ICMPV6_ROUTER_SOLICITATION = 133,
	ICMPV6_ROUTER_ADVERTISEMENT = 134,
	ICMPV6_NEIGHBOUR_SOLICITATION = 135,
	ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMPV6_REDIRECT = 137,
	ICMPV6_MLD2_REPORT = 143,
	ND_HOP_LIMIT = 255, /* a router would have made it less */
	ND_OPTION_SOURCE_LINK_ADDRESS = 1,
};

static const uint8_t unspecified[16];

/* The transport's first 8 bytes in a quote: all that RFC 792 promises. */
static void quoted_transport(struct packet_parser *parser, uint8_t protocol, uint32_t offset)
{
	struct packet *packet = parser->packet;
	const uint8_t *transport = parser->head + offset;

	if (!parser_has(parser, offset, 8))
		return;
	packet->quoted_protocol = protocol;
	packet->quoted_l4_offset = (uint16_t)offset;
	if (protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP) {
		packet->quoted_source_port = load_u16(transport);
		packet->quoted_destination_port = load_u16(transport + 2);
	}
	if (protocol == IP_PROTOCOL_TCP)
		packet->quoted_tcp_sequence = load_u32(transport + 4);
	if (protocol == IP_PROTOCOL_ICMP || protocol == IP_PROTOCOL_ICMPV6) {
		packet->quoted_source_port = load_u16(transport + 4);
		packet->quoted_destination_port = packet->quoted_source_port;
	}
	/* An error goes to the sender of what it quotes; one that does not quotes a packet that its receiver
	 * never sent. */
	packet->quoted_valid = address_compare(&packet->quoted_source, &packet->destination) == 0;
}

static void parse_quoted_ipv4(struct packet_parser *parser, uint32_t offset)
{
	struct packet *packet = parser->packet;
	const uint8_t *ip = parser->head + offset;
	uint32_t header_bytes;

	packet->quoted_offset = (uint16_t)offset;
	if (!parser_has(parser, offset, IPV4_HEADER_BYTES))
		return;
	header_bytes = (ip[0] & 15u) * 4;
	/* Later fragments quote no ports: bits of the offset must be 0. */
	if (ip[0] >> 4 != 4 || header_bytes < IPV4_HEADER_BYTES || (load_u16(ip + 6) & 0x1fff))
		return;
	load_v4(ip + 12, &packet->quoted_source);
	load_v4(ip + 16, &packet->quoted_destination);
	quoted_transport(parser, ip[9], offset + header_bytes);
}

/* Length of the extension header at `offset` of a quote, or 0: there is none here, or it cannot be skipped.
 */
static uint32_t quoted_extension_bytes(const struct packet_parser *parser, uint8_t protocol, uint32_t offset)
{
	const uint8_t *header = parser->head + offset;

	if (!parser_has(parser, offset, 8))
		return 0;
	switch (protocol) {
	case IP_PROTOCOL_HOP_BY_HOP:
	case IP_PROTOCOL_ROUTING:
	case IP_PROTOCOL_DESTINATION_OPTIONS:
		return (header[1] + 1u) * 8;
	case IP_PROTOCOL_AUTHENTICATION:
		return (header[1] + 2u) * 4;
	case IP_PROTOCOL_FRAGMENT:
		return (load_u16(header + 2) & 0xfff8) == 0 ? 8 : 0;
	default:
		return 0;
	}
}

static void parse_quoted_ipv6(struct packet_parser *parser, uint32_t offset)
{
	struct packet *packet = parser->packet;
	const uint8_t *ip = parser->head + offset;
	uint8_t protocol;

	packet->quoted_offset = (uint16_t)offset;
	if (!parser_has(parser, offset, IPV6_HEADER_BYTES) || ip[0] >> 4 != 6)
		return;
	memcpy(packet->quoted_source.bytes, ip + 8, 16);
	memcpy(packet->quoted_destination.bytes, ip + 24, 16);
	/* The packet's own destination is not mapped, and quoted_transport compares with it: only this one
	 * needs a look. */
	if (address_is_v4(&packet->quoted_destination))
		return;
	protocol = ip[6];
	offset += IPV6_HEADER_BYTES;
	for (unsigned n = 0; n <= EXTENSION_HEADERS_MAX; n++) {
		uint32_t bytes;

		if (protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP ||
			protocol == IP_PROTOCOL_ICMPV6) {
			quoted_transport(parser, protocol, offset);
			return;
		}
		bytes = quoted_extension_bytes(parser, protocol, offset);
		if (bytes == 0)
			return;
		protocol = parser->head[offset];
		offset += bytes;
	}
}

/* What all ICMP messages share. REASON_COUNT: the header is there and right. */
static enum reason parse_icmp_header(struct packet_parser *parser, bool pseudo_header)
{
	struct packet *packet = parser->packet;
	uint32_t offset = packet->l4_offset;

	if (!parser_has(parser, offset, ICMP_HEADER_BYTES))
		return packet_short_reason(parser, offset, ICMP_HEADER_BYTES, REASON_BAD_ICMP);
	packet->icmp_type = parser->head[offset];
	packet->icmp_code = parser->head[offset + 1];
	packet->payload_offset = (uint16_t)(offset + ICMP_HEADER_BYTES);
	packet->payload_bytes = (uint16_t)(parser->end - packet->payload_offset);
	if ((parser->checks & PACKET_CHECK_TRANSPORT) && !packet->is_fragment &&
		!packet_transport_checksum_ok(parser, parser->end - offset, pseudo_header))
		return REASON_BAD_ICMP;
	return REASON_COUNT;
}

static void parse_echo(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;

	packet->kind = PACKET_KIND_ICMP_ECHO;
	packet->source_port = load_u16(parser->head + packet->l4_offset + 4);
	packet->destination_port = packet->source_port;
}

enum reason packet_parse_icmp(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;
	enum reason reason = parse_icmp_header(parser, false);

	if (reason != REASON_COUNT)
		return reason;
	switch (packet->icmp_type) {
	case ICMP_ECHO_REQUEST:
	case ICMP_ECHO_REPLY:
		parse_echo(parser);
		break;
	case ICMP_UNREACHABLE:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		packet->kind = PACKET_KIND_ICMP_ERROR;
		parse_quoted_ipv4(parser, packet->payload_offset);
		break;
	default:
		packet->kind = PACKET_KIND_OTHER;
	}
	return REASON_COUNT;
}

static bool is_link_local(const uint8_t *address)
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* The options of a neighbour discovery message: type, length in units of 8, never 0. `allow_source_link`: may
 * the sender say its link address? Not when it has no IP address yet. */
static bool nd_options_are_legal(const struct packet_parser *parser, uint32_t offset, bool allow_source_link)
{
	while (offset < parser->end) {
		if (!parser_has(parser, offset, 2))
			return false;
		if (parser->head[offset + 1] == 0 || offset + parser->head[offset + 1] * 8u > parser->end)
			return false;
		if (parser->head[offset] == ND_OPTION_SOURCE_LINK_ADDRESS && !allow_source_link)
			return false;
		offset += parser->head[offset + 1] * 8u;
	}
	return true;
}

/* The validity tests of RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2 and 8.1, and RFC 6980: never behind a
 * fragment header. */
static bool nd_is_legal(const struct packet_parser *parser)
{
	static const uint8_t solicited_node[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};
	static const uint8_t fixed_bytes[] = {8, 16, 24, 24, 40};
	const struct packet *packet = parser->packet;
	const uint8_t *nd = parser->head + packet->l4_offset, *destination = packet->destination.bytes;
	uint32_t fixed = fixed_bytes[packet->icmp_type - ICMPV6_ROUTER_SOLICITATION];
	bool no_source = memcmp(packet->source.bytes, unspecified, sizeof(unspecified)) == 0;

	if (packet->ttl != ND_HOP_LIMIT || packet->icmp_code != 0 || parser->fragment_header ||
		!parser_has(parser, packet->l4_offset, fixed))
		return false;
	switch (packet->icmp_type) {
	case ICMPV6_ROUTER_SOLICITATION:
		break;
	case ICMPV6_NEIGHBOUR_SOLICITATION:
		if (nd[8] == 0xff ||
			(no_source && memcmp(destination, solicited_node, sizeof(solicited_node)) != 0))
			return false;
		break;
	case ICMPV6_NEIGHBOUR_ADVERTISEMENT:
		/* The solicited flag answers somebody, so it never goes to a group. */
		if (nd[8] == 0xff || no_source || (destination[0] == 0xff && (nd[4] & 0x40)))
			return false;
		break;
	case ICMPV6_REDIRECT:
		if (!is_link_local(packet->source.bytes) || nd[24] == 0xff)
			return false;
		break;
	default:
		if (!is_link_local(packet->source.bytes))
			return false;
	}
	return nd_options_are_legal(parser, packet->l4_offset + fixed, !no_source);
}

/* RFC 2710 3, RFC 3810 5: hop limit 1, a router alert, and a source on the link (or none yet: RFC 3590). 24
 * bytes is the first version's message, 8 the second version's empty report. */
static bool mld_is_legal(const struct packet_parser *parser)
{
	const struct packet *packet = parser->packet;
	uint32_t bytes = packet->icmp_type == ICMPV6_MLD2_REPORT ? 8 : 24;

	return packet->ttl == 1 && parser->router_alert && !parser->fragment_header &&
	       packet->l4_offset + bytes <= parser->end &&
	       (is_link_local(packet->source.bytes) ||
		       memcmp(packet->source.bytes, unspecified, sizeof(unspecified)) == 0);
}

enum reason packet_parse_icmpv6(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;
	enum reason reason = parse_icmp_header(parser, true);
	uint8_t type = packet->icmp_type;
	bool legal;

	if (reason != REASON_COUNT)
		return reason;
	if (type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY) {
		parse_echo(parser);
		return REASON_COUNT;
	}
	if (type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM) {
		packet->kind = PACKET_KIND_ICMP_ERROR;
		parse_quoted_ipv6(parser, packet->payload_offset);
		return REASON_COUNT;
	}
	if (type >= ICMPV6_ROUTER_SOLICITATION && type <= ICMPV6_REDIRECT)
		legal = nd_is_legal(parser);
	else if ((type >= ICMPV6_MLD_QUERY && type <= ICMPV6_MLD_DONE) || type == ICMPV6_MLD2_REPORT)
		legal = mld_is_legal(parser);
	else
		return REASON_COUNT;
	if (!legal)
		return REASON_BAD_ICMP;
	packet->kind = PACKET_KIND_INFRASTRUCTURE;
	packet->infrastructure = INFRASTRUCTURE_ND;
	return REASON_COUNT;
}
