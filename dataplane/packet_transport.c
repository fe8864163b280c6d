// SPDX-License-Identifier: BSD-3-Clause
/* The transport layer of the parser: TCP with its options and flags, and UDP. Runs on lcores; pure. Checksums
 * are computed only when asked for, and never for fragments, whose datagram is not all here.
 */
#include "dataplane/packet_private.h"

#include "dataplane/cookie.h"
#include "dataplane/packet_checksum.h"

enum {
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_WINDOW_SCALE = 3,
	TCP_OPTION_SACK_PERMITTED = 4,
	TCP_OPTION_TIMESTAMPS = 8,
	TCP_OPTION_FAST_OPEN = 34,
	TCP_OPTION_EXPERIMENT = 254,
	TCP_EXPERIMENT_FAST_OPEN = 0xf989, /* RFC 7413 4.1.1 */
	TCP_WINDOW_SCALE_MAX = 14,         /* RFC 7323 2.3: larger values are taken as 14 */
	DHCP_CLIENT_PORT = 68,
	DHCP_SERVER_PORT = 67,
};

/* Timestamps alone, padded in front: what every segment of an established connection carries (RFC 7323
 * appendix A). */
#define TCP_OPTIONS_ONLY_TIMESTAMPS UINT32_C(0x0101080a)

bool packet_transport_checksum_ok(const struct packet_parser *parser, uint32_t bytes, bool pseudo_header)
{
	const struct packet *packet = parser->packet;
	uint64_t sum = 0;

	if (pseudo_header)
		sum = packet_checksum_pseudo(
			packet->family, &packet->source, &packet->destination, packet->protocol, bytes);
	return packet_checksum_add_segments(
		       parser->segments, parser->n_segments, packet->l4_offset, bytes, &sum) &&
	       packet_checksum_fold(sum) == UINT16_MAX;
}

/* One option with a right frame around it. A known kind with a length that is not its own is skipped, as
 * Linux does. */
static void parse_tcp_option(struct packet *packet, const uint8_t *option, bool syn)
{
	uint8_t kind = option[0], length = option[1];

	if (kind == TCP_OPTION_TIMESTAMPS && length == 10) {
		packet->tcp_timestamps = true;
		packet->tcp_timestamp_value = load_u32(option + 2);
		packet->tcp_timestamp_echo = load_u32(option + 6);
	}
	if (!syn)
		return;
	if (kind == TCP_OPTION_MSS && length == 4)
		packet->tcp_mss = load_u16(option + 2);
	else if (kind == TCP_OPTION_WINDOW_SCALE && length == 3)
		packet->tcp_window_scale =
			option[2] > TCP_WINDOW_SCALE_MAX ? TCP_WINDOW_SCALE_MAX : option[2];
	else if (kind == TCP_OPTION_SACK_PERMITTED && length == 2)
		packet->tcp_sack_permitted = true;
	else if (kind == TCP_OPTION_FAST_OPEN)
		packet->tcp_fast_open = true;
	else if (kind == TCP_OPTION_EXPERIMENT && length >= 4 &&
		 load_u16(option + 2) == TCP_EXPERIMENT_FAST_OPEN)
		packet->tcp_fast_open = true;
}

/* Walk at most 40 bytes of options. */
static bool parse_tcp_options(struct packet *packet, const uint8_t *option, uint32_t bytes, bool syn)
{
	if (bytes == 12 && load_u32(option) == TCP_OPTIONS_ONLY_TIMESTAMPS && !syn) {
		parse_tcp_option(packet, option + 2, false);
		return true;
	}
	while (bytes && option[0] != TCP_OPTION_END) {
		if (option[0] == TCP_OPTION_NOP) {
			option++;
			bytes--;
			continue;
		}
		if (bytes < 2 || option[1] < 2 || option[1] > bytes)
			return false;
		parse_tcp_option(packet, option, syn);
		bytes -= option[1];
		option += option[1];
	}
	return true;
}

/* What a cookie can carry of a SYN, and its TTL, so that a source proven by a cookie is known again by its next SYN. Same for a SYN and
 * its resends, with and without Fast Open. */
static uint8_t tcp_fingerprint_make(const struct packet *packet)
{
	int mss_class = cookie_mss_class_of(packet->family, packet->tcp_mss);
	struct cookie_options options = {
		.mss_class = (uint8_t)(mss_class > 0 ? mss_class : 0),
		.window_scale = cookie_scale_of(packet),
		.sack = packet->tcp_sack_permitted,
	};

	return cookie_fingerprint(cookie_options_pack(&options), packet->ttl);
}

bool packet_parse_tcp_options(struct packet *packet, const uint8_t *tcp, uint32_t header_bytes)
{
	bool syn = packet->tcp_flags & TCP_FLAG_SYN;

	if (header_bytes > TCP_HEADER_BYTES &&
		!parse_tcp_options(packet, tcp + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES, syn))
		return false;
	if (syn)
		packet->tcp_fingerprint = tcp_fingerprint_make(packet);
	return true;
}

static enum reason parse_tcp(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;
	uint32_t offset = packet->l4_offset, header_bytes;
	const uint8_t *tcp = parser->head + offset;

	if (!parser_has(parser, offset, TCP_HEADER_BYTES))
		return packet_short_reason(parser, offset, TCP_HEADER_BYTES, REASON_TRUNCATED);
	/* RFC 9293 3.9.2.3: segments to a group are never answered, and no stack opens a connection that way.
	 */
	if (__builtin_expect(parser->head[0] & 1, 0))
		return REASON_BAD_ETHERNET;
	header_bytes = (tcp[12] >> 4) * 4u;
	if (header_bytes < TCP_HEADER_BYTES)
		return REASON_BAD_TCP_HEADER;
	if (!parser_has(parser, offset, header_bytes))
		return packet_short_reason(parser, offset, header_bytes, REASON_BAD_TCP_HEADER);
	packet->kind = PACKET_KIND_TCP;
	packet->source_port = load_u16(tcp);
	packet->destination_port = load_u16(tcp + 2);
	packet->tcp_sequence = load_u32(tcp + 4);
	packet->tcp_acknowledgement = load_u32(tcp + 8);
	packet->tcp_flags = tcp[13];
	packet->tcp_window = load_u16(tcp + 14);
	packet->tcp_window_scale = PACKET_WINDOW_SCALE_ABSENT;
	packet->payload_offset = (uint16_t)(offset + header_bytes);
	packet->payload_bytes = (uint16_t)(parser->end - packet->payload_offset);
	if (packet->source_port == 0 || packet->destination_port == 0)
		return REASON_BAD_PORT;
	if (!tcp_flags_are_legal(packet->tcp_flags))
		return REASON_BAD_TCP_FLAGS;
	if (!packet_parse_tcp_options(packet, tcp, header_bytes))
		return REASON_BAD_TCP_HEADER;
	if ((parser->checks & PACKET_CHECK_TRANSPORT) && !packet->is_fragment &&
		!packet_transport_checksum_ok(parser, parser->end - offset, true))
		return REASON_BAD_TCP_CHECKSUM;
	return REASON_COUNT;
}

/* Bytes between the UDP length and the end of the IP payload are legal (RFC 768 does not forbid them, and UDP
 * options use them): they are ignored. A first fragment holds only a part of what the length announces. */
static enum reason parse_udp(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;
	uint32_t offset = packet->l4_offset, length, available = parser->end - offset;
	const uint8_t *udp = parser->head + offset;
	uint16_t checksum;

	if (!parser_has(parser, offset, UDP_HEADER_BYTES))
		return packet_short_reason(parser, offset, UDP_HEADER_BYTES, REASON_TRUNCATED);
	packet->kind = PACKET_KIND_UDP;
	packet->source_port = load_u16(udp);
	packet->destination_port = load_u16(udp + 2);
	length = load_u16(udp + 4);
	checksum = load_u16(udp + 6);
	packet->payload_offset = (uint16_t)(offset + UDP_HEADER_BYTES);
	packet->payload_bytes = 0;
	if (length < UDP_HEADER_BYTES || (length > available && !packet->is_fragment))
		return REASON_BAD_UDP_HEADER;
	packet->payload_bytes = (uint16_t)((length < available ? length : available) - UDP_HEADER_BYTES);
	if (packet->source_port == 0 || packet->destination_port == 0)
		return REASON_BAD_PORT;
	if (!(parser->checks & PACKET_CHECK_TRANSPORT))
		return REASON_COUNT;
	if (checksum == 0)
		return packet->family == 6 ? REASON_BAD_UDP_CHECKSUM : REASON_COUNT;
	if (!packet->is_fragment && !packet_transport_checksum_ok(parser, length, true))
		return REASON_BAD_UDP_CHECKSUM;
	return REASON_COUNT;
}

/* IGMP speaks to the link: TTL 1 and a group as destination (RFC 3376 4). Anything else with that protocol
 * number came from farther away, and is just another protocol. */
static enum reason parse_igmp(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;

	if (!parser_has(parser, packet->l4_offset, 8))
		return packet_short_reason(parser, packet->l4_offset, 8, REASON_TRUNCATED);
	if (packet->ttl == 1 && packet->destination.bytes[12] >> 4 == 14) {
		packet->kind = PACKET_KIND_INFRASTRUCTURE;
		packet->infrastructure = INFRASTRUCTURE_ND;
	}
	return REASON_COUNT;
}

static enum reason parse_protocol(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;

	if (packet->protocol == IP_PROTOCOL_ICMP && packet->family == 4)
		return packet_parse_icmp(parser);
	if (packet->protocol == IP_PROTOCOL_ICMPV6 && packet->family == 6)
		return packet_parse_icmpv6(parser);
	if (packet->protocol == IP_PROTOCOL_IGMP && packet->family == 4)
		return parse_igmp(parser);
	packet->kind = PACKET_KIND_OTHER;
	return REASON_COUNT;
}

/* A host without an address asks for one by DHCP. */
static bool is_dhcp_request(const struct packet *packet)
{
	return packet->kind == PACKET_KIND_UDP && packet->source_port == DHCP_CLIENT_PORT &&
	       packet->destination_port == DHCP_SERVER_PORT && address_v4(&packet->destination) == UINT32_MAX;
}

/* Only what a host sends before it has an address may come from none: DHCP, IGMP, and over IPv6 ND and MLD.
 */
static enum reason check_unspecified_source(struct packet *packet)
{
	if (packet->family == 4 && is_dhcp_request(packet)) {
		packet->kind = PACKET_KIND_INFRASTRUCTURE;
		packet->infrastructure = INFRASTRUCTURE_OTHER;
	}
	return packet->kind == PACKET_KIND_INFRASTRUCTURE ? REASON_COUNT : REASON_BAD_IP_SOURCE;
}

enum reason packet_parse_transport(struct packet_parser *parser)
{
	struct packet *packet = parser->packet;
	enum reason reason;

	if (packet->protocol == IP_PROTOCOL_TCP)
		reason = parse_tcp(parser);
	else if (packet->protocol == IP_PROTOCOL_UDP)
		reason = parse_udp(parser);
	else
		reason = parse_protocol(parser);
	if (__builtin_expect(parser->source_unspecified, 0) && reason == REASON_COUNT)
		return check_unspecified_source(packet);
	return reason;
}
