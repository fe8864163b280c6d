// SPDX-License-Identifier: BSD-3-Clause
/* The parser's entry (packet.h): Ethernet, VLAN tags, and frames that are not IP. Runs on lcores, in
 * weir-replay and in tools; pure. Reads nothing outside `head` and the segments, allocates nothing, and every
 * loop ends at a constant.
 */
#include "dataplane/packet.h"

#include "dataplane/packet_private.h"

enum {
	ETHERTYPE_LENGTH_BELOW = 0x0600, /* smaller values are an 802.3 length, with LLC behind it */
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ_OLD = 0x9100,
	ETHERTYPE_QINQ = 0x88a8,
	VLANS_MAX = 2,
	VLAN_TAG_BYTES = 4,
	ARP_FIXED_BYTES = 8,
};

static inline bool is_vlan(uint16_t ethertype)
{
	return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ || ethertype == ETHERTYPE_QINQ_OLD;
}

/* ARP announces the lengths of its own addresses; they must be in the frame. */
static enum reason parse_arp(const struct packet_parser *parser)
{
	const uint8_t *arp = parser->head + parser->packet->l3_offset;

	if (!parser_has(parser, parser->packet->l3_offset, ARP_FIXED_BYTES))
		return REASON_TRUNCATED;
	if (parser->packet->l3_offset + ARP_FIXED_BYTES + 2u * (arp[4] + arp[5]) > parser->total_bytes)
		return REASON_TRUNCATED;
	parser->packet->kind = PACKET_KIND_INFRASTRUCTURE;
	parser->packet->infrastructure = INFRASTRUCTURE_ARP;
	return REASON_COUNT;
}

/* 01:80:c2:00:00:00 to 0f: bridges never pass these on (802.1D 7.12.6), so they speak of this very link. */
static enum reason parse_not_ip(const struct packet_parser *parser)
{
	static const uint8_t link_local[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
	bool link = memcmp(parser->head, link_local, sizeof(link_local)) == 0 && parser->head[5] < 0x10;

	parser->packet->kind = PACKET_KIND_INFRASTRUCTURE;
	parser->packet->infrastructure = link ? INFRASTRUCTURE_LINK : INFRASTRUCTURE_OTHER;
	return REASON_COUNT;
}

enum reason packet_parse_general(const uint8_t *head, uint32_t head_bytes, const struct packet_segment *segments,
	unsigned n_segments, uint32_t total_bytes, unsigned checks, struct packet *packet)
{
	struct packet_segment whole = {.data = head, .bytes = head_bytes};
	struct packet_parser parser = {
		.head = head,
		.segments = n_segments ? segments : &whole,
		.n_segments = n_segments ? n_segments : 1,
		.checks = checks,
		.total_bytes = total_bytes,
		.end = total_bytes,
		.readable = head_bytes < total_bytes ? head_bytes : total_bytes,
		.packet = packet,
	};
	uint32_t offset = ETHERNET_HEADER_BYTES;
	uint16_t ethertype;

	/* Offsets are 16 bits wide and a header that begins later than this is refused anyway. */
	if (parser.readable > PACKET_HEADER_BYTES_MAX)
		parser.readable = PACKET_HEADER_BYTES_MAX;
	packet_clear(packet);
	packet->wire_bytes = total_bytes;
	packet->kind = PACKET_KIND_OTHER; /* so that nothing malformed looks like infrastructure */
	if (parser.readable < ETHERNET_HEADER_BYTES)
		return REASON_TRUNCATED;
	if (__builtin_expect(source_mac_is_bad(head + 6), 0))
		return REASON_BAD_ETHERNET;
	ethertype = load_u16(head + 12);
	while (is_vlan(ethertype)) {
		if (packet->n_vlans == VLANS_MAX)
			return REASON_BAD_VLAN;
		if (!parser_has(&parser, offset, VLAN_TAG_BYTES))
			return REASON_TRUNCATED;
		packet->vlans[packet->n_vlans++] = load_u16(head + offset);
		ethertype = load_u16(head + offset + 2);
		offset += VLAN_TAG_BYTES;
	}
	packet->l3_offset = (uint16_t)offset;
	packet->payload_offset = (uint16_t)offset;
	packet->l4_offset = (uint16_t)offset;
	if (ethertype == ETHERTYPE_IPV4)
		return packet_parse_ipv4(&parser);
	if (ethertype == ETHERTYPE_IPV6)
		return packet_parse_ipv6(&parser);
	if (ethertype == ETHERTYPE_ARP)
		return parse_arp(&parser);
	return parse_not_ip(&parser);
}

enum reason packet_parse(const uint8_t *head, uint32_t head_bytes, const struct packet_segment *segments,
	unsigned n_segments, uint32_t total_bytes, unsigned checks, struct packet *packet)
{
	if (head_bytes >= total_bytes && packet_parse_plain(head, total_bytes, checks, packet))
		return REASON_COUNT;
	return packet_parse_general(head, head_bytes, segments, n_segments, total_bytes, checks, packet);
}
