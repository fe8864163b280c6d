// SPDX-License-Identifier: BSD-3-Clause
/* Frames that Weir itself sends (reply.h), each built in one pass from layer 2 upwards into the caller's
 * buffer. Runs on lcores; pure. Must never answer what must not be answered: a RST, an ICMP error, a group,
 * or with more than came in.
 */
#include "dataplane/reply.h"

#include <string.h>

#include "dataplane/packet_checksum.h"
#include "dataplane/packet_private.h"

enum {
	REPLY_TTL = 64,
	IPV4_DO_NOT_FRAGMENT = 0x4000, /* with it the id may be 0 (RFC 6864 4.1) */
	VLAN_TAG_BYTES = 4,
	TCP_MSS_OPTION_BYTES = 4,
	TCP_OPTIONS_BYTES_MAX = 12, /* MSS 4, SACK permitted 2, window scale 3, padding */
	ICMP_TYPE_UNREACHABLE = 3,
	ICMP_CODE_PROHIBITED = 13, /* RFC 1812 5.2.7.1 */
	ICMPV6_TYPE_UNREACHABLE = 1,
	ICMPV6_CODE_PROHIBITED = 1, /* RFC 4443 3.1 */
};

static inline void store_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static inline void store_u32(uint8_t *to, uint32_t value)
{
	store_u16(to, (uint16_t)(value >> 16));
	store_u16(to + 2, (uint16_t)value);
}

/* Sums are in machine order (packet_checksum.h), so they are stored as they are. */
static inline void store_checksum(uint8_t *to, uint64_t sum)
{
	uint16_t checksum = (uint16_t)~packet_checksum_fold(sum);

	memcpy(to, &checksum, sizeof(checksum));
}

static uint8_t family_of(const struct address *address)
{
	return address_is_v4(address) ? 4 : 6;
}

static uint32_t ip_header_bytes(uint8_t family)
{
	return family == 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
}

void next_hop_learn(const uint8_t *frame, const struct packet *packet, struct next_hop *ret_hop)
{
	struct next_hop hop = {.n_vlans = packet->n_vlans, .port_pair = packet->port_pair};

	memcpy(hop.destination_mac, frame + 6, 6);
	memcpy(hop.source_mac, frame, 6);
	for (unsigned i = 0; i < packet->n_vlans; i++) {
		hop.vlan_types[i] = load_u16(frame + 12 + i * VLAN_TAG_BYTES);
		hop.vlans[i] = packet->vlans[i];
	}
	/* A frame to a group says nothing about who should send the answer. */
	hop.valid = !(frame[0] & 1);
	*ret_hop = hop;
}

/* Returns the length of layer 2. */
static uint32_t write_ethernet(const struct next_hop *hop, uint8_t family, uint8_t *out)
{
	uint32_t n = 12;

	memcpy(out, hop->destination_mac, 6);
	memcpy(out + 6, hop->source_mac, 6);
	for (unsigned i = 0; i < hop->n_vlans && i < 2; i++) {
		store_u16(out + n, hop->vlan_types[i]);
		store_u16(out + n + 2, hop->vlans[i]);
		n += VLAN_TAG_BYTES;
	}
	store_u16(out + n, family == 4 ? 0x0800 : 0x86dd);
	return n + 2;
}

/* Returns the length of the IP header; the addresses have one family. */
static uint32_t write_ip(uint8_t *ip, uint8_t family, const struct address *source,
	const struct address *destination, uint8_t protocol, uint32_t payload_bytes)
{
	if (family == 6) {
		store_u32(ip, UINT32_C(6) << 28);
		store_u16(ip + 4, (uint16_t)payload_bytes);
		ip[6] = protocol;
		ip[7] = REPLY_TTL;
		memcpy(ip + 8, source->bytes, 16);
		memcpy(ip + 24, destination->bytes, 16);
		return IPV6_HEADER_BYTES;
	}
	memset(ip, 0, IPV4_HEADER_BYTES);
	ip[0] = 0x45;
	store_u16(ip + 2, (uint16_t)(IPV4_HEADER_BYTES + payload_bytes));
	store_u16(ip + 6, IPV4_DO_NOT_FRAGMENT);
	ip[8] = REPLY_TTL;
	ip[9] = protocol;
	memcpy(ip + 12, source->bytes + 12, 4);
	memcpy(ip + 16, destination->bytes + 12, 4);
	store_checksum(ip + 10, packet_checksum_add(0, ip, IPV4_HEADER_BYTES));
	return IPV4_HEADER_BYTES;
}

/* Returns the length of the options, a multiple of 4. */
static uint32_t write_options(const struct reply_options *options, uint8_t out[TCP_OPTIONS_BYTES_MAX])
{
	uint32_t n = 0;

	if (options->mss) {
		store_u32(out, UINT32_C(0x02040000) | options->mss);
		n += TCP_MSS_OPTION_BYTES;
	}
	if (options->sack_permitted) {
		store_u16(out + n, 0x0402);
		n += 2;
	}
	if (options->has_window_scale) {
		out[n++] = 3;
		out[n++] = 3;
		out[n++] = options->window_scale;
	}
	while (n % 4 != 0)
		out[n++] = 1;
	return n;
}

/* A whole frame with a TCP segment without data. */
static uint32_t write_tcp(const struct next_hop *hop, const struct reply_tcp *segment, uint8_t *out)
{
	uint8_t family = family_of(&segment->source), options[TCP_OPTIONS_BYTES_MAX];
	uint32_t options_bytes = write_options(&segment->options, options);
	uint32_t bytes = TCP_HEADER_BYTES + options_bytes, n;
	uint8_t *tcp;

	n = write_ethernet(hop, family, out);
	n += write_ip(out + n, family, &segment->source, &segment->destination, IP_PROTOCOL_TCP, bytes);
	tcp = out + n;
	store_u16(tcp, segment->source_port);
	store_u16(tcp + 2, segment->destination_port);
	store_u32(tcp + 4, segment->sequence);
	store_u32(tcp + 8, segment->acknowledgement);
	tcp[12] = (uint8_t)(bytes / 4 << 4);
	tcp[13] = segment->flags;
	store_u16(tcp + 14, segment->window);
	store_u32(tcp + 16, 0);
	memcpy(tcp + TCP_HEADER_BYTES, options, options_bytes);
	store_checksum(tcp + 16, packet_checksum_add(packet_checksum_pseudo(family, &segment->source,
							     &segment->destination, IP_PROTOCOL_TCP, bytes),
					 tcp, bytes));
	return n + bytes;
}

/* An answer to `packet`: the ends change places. False: this frame must not be answered. */
static bool answer_start(const uint8_t *frame, const struct packet *packet, struct next_hop *ret_hop)
{
	if (packet->family == 0 || packet->fragment_offset_bytes)
		return false;
	/* A group as destination would become the source (RFC 1122 3.2.2, RFC 4443 2.4 e). */
	if (packet->family == 4 ? packet->destination.bytes[12] >= 224 : packet->destination.bytes[0] == 0xff)
		return false;
	next_hop_learn(frame, packet, ret_hop);
	return ret_hop->valid;
}

static struct reply_tcp answer_tcp(const struct packet *packet)
{
	return (struct reply_tcp){
		.source = packet->destination,
		.destination = packet->source,
		.source_port = packet->destination_port,
		.destination_port = packet->source_port,
	};
}

/* The reply is no longer than the SYN: options leave until it fits. The MSS leaves first: without one the client keeps to its
 * protocol's default, but scale and SACK must be what the cookie says; and those fit, if the SYN offered them itself. */
static void options_fit(struct reply_options *options, uint32_t room_bytes)
{
	uint8_t scratch[TCP_OPTIONS_BYTES_MAX];

	if (write_options(options, scratch) <= room_bytes)
		return;
	options->mss = 0;
	if (write_options(options, scratch) > room_bytes)
		options->sack_permitted = options->has_window_scale = false;
}

static void segment_fill(struct reply_tcp *ret_tcp, const struct reply_segment *segment, uint8_t flags)
{
	ret_tcp->sequence = segment->sequence;
	ret_tcp->acknowledgement = segment->acknowledgement;
	ret_tcp->window = segment->window;
	ret_tcp->options = segment->options;
	ret_tcp->flags = flags;
}

unsigned reply_syn_ack(const uint8_t *frame, const struct packet *packet, const struct reply_segment *segment,
	uint8_t out[REPLY_BYTES_MAX])
{
	struct reply_tcp answer = answer_tcp(packet);
	struct next_hop hop;
	uint32_t bare_bytes;

	if (packet->kind != PACKET_KIND_TCP || !answer_start(frame, packet, &hop))
		return 0;
	/* Measured from the IP header on: what Ethernet pads a short frame with, other links never carried. */
	bare_bytes = ip_header_bytes(packet->family) + TCP_HEADER_BYTES;
	if (bare_bytes > packet->l3_bytes)
		return 0;
	segment_fill(&answer, segment, TCP_FLAG_SYN | TCP_FLAG_ACK);
	options_fit(&answer.options, packet->l3_bytes - bare_bytes);
	return write_tcp(&hop, &answer, out);
}

unsigned reply_in_place(const uint8_t *frame, const struct packet *packet, const struct reply_segment *segment,
	uint8_t out[REPLY_BYTES_MAX])
{
	struct reply_tcp same = {
		.source = packet->source,
		.destination = packet->destination,
		.source_port = packet->source_port,
		.destination_port = packet->destination_port,
	};
	struct next_hop hop;

	if (packet->kind != PACKET_KIND_TCP || packet->is_fragment)
		return 0;
	next_hop_learn(frame, packet, &hop);
	memcpy(hop.destination_mac, frame, sizeof(hop.destination_mac));
	memcpy(hop.source_mac, frame + 6, sizeof(hop.source_mac));
	segment_fill(&same, segment, segment->flags);
	return write_tcp(&hop, &same, out);
}

unsigned reply_rst(const uint8_t *frame, const struct packet *packet, uint8_t out[REPLY_BYTES_MAX])
{
	struct reply_tcp segment = answer_tcp(packet);
	struct next_hop hop;

	/* A fragment does not say how long its segment is, so the acknowledgement would be wrong. */
	if (packet->kind != PACKET_KIND_TCP || (packet->tcp_flags & TCP_FLAG_RST) || packet->is_fragment)
		return 0;
	if (!answer_start(frame, packet, &hop))
		return 0;
	if (packet->tcp_flags & TCP_FLAG_ACK) {
		segment.sequence = packet->tcp_acknowledgement;
		segment.flags = TCP_FLAG_RST;
	} else {
		segment.acknowledgement = packet->tcp_sequence + packet_tcp_sequence_length(packet);
		segment.flags = TCP_FLAG_RST | TCP_FLAG_ACK;
	}
	return write_tcp(&hop, &segment, out);
}

/* How much of the packet to quote: as much as fits, at least up to the transport's first 8 bytes (RFC 792);
 * 0: too little fits. Padding behind the IP length is not part of the packet. */
static uint32_t quote_bytes(const struct packet *packet, uint32_t frame_bytes, uint32_t overhead_bytes)
{
	uint32_t least = packet->l4_offset - packet->l3_offset + 8u, quote = packet->l3_bytes;
	uint32_t whole = (uint32_t)packet->l3_offset + packet->l3_bytes;
	uint32_t room = whole < REPLY_BYTES_MAX ? whole : REPLY_BYTES_MAX;

	if (room < overhead_bytes || frame_bytes < packet->l3_offset)
		return 0;
	room -= overhead_bytes;
	if (quote > room)
		quote = room;
	if (quote > frame_bytes - packet->l3_offset)
		quote = frame_bytes - packet->l3_offset;
	return quote < least ? 0 : quote;
}

unsigned reply_icmp_prohibited(
	const uint8_t *frame, uint32_t frame_bytes, const struct packet *packet, uint8_t out[REPLY_BYTES_MAX])
{
	bool v4 = packet->family == 4;
	uint8_t protocol = v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6;
	struct next_hop hop;
	uint32_t n, quote;
	uint64_t sum = 0;
	uint8_t *icmp;

	/* Never an error about an error, nor about the link's own housekeeping. */
	if (packet->kind == PACKET_KIND_ICMP_ERROR || packet->kind == PACKET_KIND_INFRASTRUCTURE ||
		!answer_start(frame, packet, &hop))
		return 0;
	quote = quote_bytes(
		packet, frame_bytes, packet->l3_offset + ip_header_bytes(packet->family) + ICMP_HEADER_BYTES);
	if (quote == 0)
		return 0;
	n = write_ethernet(&hop, packet->family, out);
	n += write_ip(out + n, packet->family, &packet->destination, &packet->source, protocol,
		ICMP_HEADER_BYTES + quote);
	icmp = out + n;
	icmp[0] = v4 ? ICMP_TYPE_UNREACHABLE : ICMPV6_TYPE_UNREACHABLE;
	icmp[1] = v4 ? ICMP_CODE_PROHIBITED : ICMPV6_CODE_PROHIBITED;
	memset(icmp + 2, 0, ICMP_HEADER_BYTES - 2);
	memcpy(icmp + ICMP_HEADER_BYTES, frame + packet->l3_offset, quote);
	if (!v4)
		sum = packet_checksum_pseudo(
			6, &packet->destination, &packet->source, protocol, ICMP_HEADER_BYTES + quote);
	store_checksum(icmp + 2, packet_checksum_add(sum, icmp, ICMP_HEADER_BYTES + quote));
	return n + ICMP_HEADER_BYTES + quote;
}

unsigned reply_tcp_segment(
	const struct next_hop *hop, const struct reply_tcp *segment, uint8_t out[REPLY_BYTES_MAX])
{
	if (!hop->valid || family_of(&segment->source) != family_of(&segment->destination))
		return 0;
	return write_tcp(hop, segment, out);
}
