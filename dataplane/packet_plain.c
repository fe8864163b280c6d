/* SPDX-License-Identifier: BSD-3-Clause
 * The short way through the parser, for what most packets are: TCP in IPv4 without tags, IP options or fragments, in one piece. Runs on
 * lcores; pure. It says what the long way (packet_parse_general) would say, or nothing: whatever is unusual or wrong in any
 * way is left to that, which alone knows the reasons.
 */
#include <arpa/inet.h>

#include "dataplane/packet_private.h"

#include "dataplane/packet_checksum.h"

enum {
	PLAIN_IPV4 = 0x45, /* version 4, a header without options */
	PLAIN_L4_OFFSET = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES,
	PLAIN_FRAGMENT = 0x3fff, /* more fragments, or an offset */
};

static inline uint32_t half_word(const uint8_t *from)
{
	uint32_t half;

	memcpy(&half, from, sizeof(half));
	return half;
}

/* The addresses are summed for both: they stand together in the frame as they do in the pseudo header. */
static inline bool checksums_ok(const uint8_t *head, uint32_t segment_bytes, unsigned checks)
{
	uint64_t addresses = (uint64_t)half_word(head + 26) + half_word(head + 30);
	uint64_t ip = addresses + half_word(head + 14) + half_word(head + 18) + half_word(head + 22);
	uint64_t pseudo = addresses + htonl(segment_bytes) + htonl(IP_PROTOCOL_TCP);

	if ((checks & PACKET_CHECK_IP) && packet_checksum_fold(ip) != UINT16_MAX)
		return false;
	return !(checks & PACKET_CHECK_TRANSPORT) ||
	       packet_checksum_fold(packet_checksum_add(pseudo, head + PLAIN_L4_OFFSET, segment_bytes)) == UINT16_MAX;
}

/* Frame and IP header. */
static inline bool is_plain(const uint8_t *head, uint32_t bytes)
{
	uint32_t source = load_u32(head + 26);

	return load_u16(head + 12) == ETHERTYPE_IPV4 && head[14] == PLAIN_IPV4 && head[23] == IP_PROTOCOL_TCP &&
	       (load_u16(head + 20) & PLAIN_FRAGMENT) == 0 && !(head[0] & 1) && !source_mac_is_bad(head + 6) &&
	       load_u16(head + 16) >= IPV4_HEADER_BYTES + TCP_HEADER_BYTES &&
	       load_u16(head + 16) + (uint32_t)ETHERNET_HEADER_BYTES <= bytes &&
	       !ipv4_is_never_source(source) && source != load_u32(head + 30);
}

static inline void ip_fill(const uint8_t *head, struct packet *packet)
{
	packet->kind = PACKET_KIND_TCP;
	packet->family = 4;
	packet->protocol = IP_PROTOCOL_TCP;
	packet->ttl = head[22];
	packet->l3_offset = ETHERNET_HEADER_BYTES;
	packet->l4_offset = PLAIN_L4_OFFSET;
	packet->l3_bytes = load_u16(head + 16);
	load_v4(head + 26, &packet->source);
	load_v4(head + 30, &packet->destination);
}

static inline void tcp_fill(const uint8_t *tcp, uint32_t header_bytes, struct packet *packet)
{
	packet->source_port = load_u16(tcp);
	packet->destination_port = load_u16(tcp + 2);
	packet->tcp_sequence = load_u32(tcp + 4);
	packet->tcp_acknowledgement = load_u32(tcp + 8);
	packet->tcp_flags = tcp[13];
	packet->tcp_window = load_u16(tcp + 14);
	packet->tcp_window_scale = PACKET_WINDOW_SCALE_ABSENT;
	packet->payload_offset = (uint16_t)(PLAIN_L4_OFFSET + header_bytes);
	packet->payload_bytes = (uint16_t)(packet->l3_bytes - IPV4_HEADER_BYTES - header_bytes);
}

bool packet_parse_plain(const uint8_t *head, uint32_t bytes, unsigned checks, struct packet *packet)
{
	const uint8_t *tcp = head + PLAIN_L4_OFFSET;
	uint32_t segment_bytes, header_bytes;

	if (bytes < PLAIN_L4_OFFSET + TCP_HEADER_BYTES || !is_plain(head, bytes))
		return false;
	segment_bytes = load_u16(head + 16) - IPV4_HEADER_BYTES;
	header_bytes = (tcp[12] >> 4) * 4u;
	if (header_bytes < TCP_HEADER_BYTES || header_bytes > segment_bytes || load_u16(tcp) == 0 || load_u16(tcp + 2) == 0 ||
		!tcp_flags_are_legal(tcp[13]) || !checksums_ok(head, segment_bytes, checks))
		return false;
	packet_clear(packet);
	packet->wire_bytes = bytes;
	ip_fill(head, packet);
	tcp_fill(tcp, header_bytes, packet);
	/* Without a call where there is nothing to do. */
	if (header_bytes == TCP_HEADER_BYTES && !(tcp[13] & TCP_FLAG_SYN))
		return true;
	return packet_parse_tcp_options(packet, tcp, header_bytes);
}
