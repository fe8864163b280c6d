/* SPDX-License-Identifier: BSD-3-Clause
 * A frame's bytes become a struct packet: where each header is and what it says. Pure, any thread, no allocation,
 * never reads past the data it is given, no loop longer than a constant. Fuzzed (tests/fuzz/fuzz_packet.c).
 */
#ifndef WEIR_DATAPLANE_PACKET_H
#define WEIR_DATAPLANE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/prefix.h"
#include "shm/reasons.h"

enum packet_kind {
	PACKET_KIND_INFRASTRUCTURE, /* ARP, LACP, LLDP, ND, MLD, IGMP, other non-IP: see infrastructure */
	PACKET_KIND_TCP,
	PACKET_KIND_UDP,
	PACKET_KIND_ICMP_ECHO,	/* request or reply */
	PACKET_KIND_ICMP_ERROR, /* quotes a packet: see quoted_* */
	PACKET_KIND_FRAGMENT,	/* not the first: no transport header */
	PACKET_KIND_OTHER,	/* another IP protocol or ICMP type */
};

enum infrastructure {
	INFRASTRUCTURE_ARP,
	INFRASTRUCTURE_ND, /* ICMPv6 133..137, hop limit 255; also MLD and IGMP */
	INFRASTRUCTURE_LINK, /* LACP, LLDP, STP: link-local multicast 01:80:c2:00:00:0x */
	INFRASTRUCTURE_OTHER, /* any other ethertype */
	INFRASTRUCTURE_COUNT,
};

enum {
	TCP_FLAG_FIN = 1, TCP_FLAG_SYN = 2, TCP_FLAG_RST = 4, TCP_FLAG_PSH = 8, TCP_FLAG_ACK = 16, TCP_FLAG_URG = 32,
	TCP_FLAG_ECE = 64, TCP_FLAG_CWR = 128,
};

enum packet_check {
	PACKET_CHECK_IP = 1,	    /* verify the IPv4 header checksum */
	PACKET_CHECK_TRANSPORT = 2, /* verify TCP, UDP and ICMP checksums (needs the whole datagram: skipped for fragments) */
};

/** One stretch of a frame's data; an mbuf chain is a few of them. */
struct packet_segment {
	const uint8_t *data;
	uint32_t bytes;
};
enum { PACKET_SEGMENTS_MAX = 16, PACKET_HEADER_BYTES_MAX = 512, PACKET_WINDOW_SCALE_ABSENT = 255 };

struct packet {
	uint8_t kind;	 /* enum packet_kind */
	uint8_t family;	 /* 4, 6, 0 = not IP */
	uint8_t protocol;/* of the transport; 0 if none was found */
	uint8_t infrastructure; /* enum infrastructure */
	uint8_t n_vlans; /* in the frame's bytes, 0..2 */
	bool is_fragment;/* any fragment, first or later */
	bool more_fragments;
	uint8_t ttl;	 /* or hop limit */
	uint16_t vlans[2]; /* tag control, outermost first, host order; from bytes only */
	uint16_t l3_offset, l4_offset, payload_offset; /* from the start of the frame */
	uint16_t l3_bytes;	/* length that the IP header announces, header included */
	uint16_t payload_bytes; /* behind the TCP, UDP or ICMP header (else behind the IP headers), by the IP and UDP lengths */
	uint16_t fragment_offset_bytes;
	uint32_t fragment_id;
	struct address source, destination;
	uint16_t source_port, destination_port; /* host order; ICMP echo: id in both */
	/* TCP; host order */
	uint8_t tcp_flags;
	uint8_t tcp_window_scale; /* of a SYN; 255 = absent */
	bool tcp_sack_permitted;
	bool tcp_timestamps;
	bool tcp_fast_open; /* option 34 or experimental 254/0xF989 present */
	uint16_t tcp_mss;   /* of a SYN; 0 = absent */
	uint16_t tcp_window;
	uint32_t tcp_sequence, tcp_acknowledgement;
	uint32_t tcp_timestamp_value, tcp_timestamp_echo;
	uint8_t tcp_fingerprint; /* of a SYN: hash of MSS class, window scale, SACK and initial TTL class (cookie_fingerprint) */
	/* ICMP */
	uint8_t icmp_type, icmp_code;
	/* the packet quoted in an ICMP error: enough to find its flow */
	bool quoted_valid; /* its source is this packet's destination, as of every honest error */
	uint8_t quoted_protocol;
	uint16_t quoted_offset; /* of the quoted IP header, from the start of the frame */
	uint16_t quoted_l4_offset; /* of the quoted transport header; 0: not found */
	struct address quoted_source, quoted_destination;
	uint16_t quoted_source_port, quoted_destination_port;
	uint32_t quoted_tcp_sequence;
	uint32_t wire_bytes; /* the whole frame */
	uint8_t port_pair; /* that it came in by: set by the caller after parsing, for next_hop_learn; 0 where there is one pair */
};

/** Parse a frame that begins with an Ethernet header. `head` must hold the first min(total, PACKET_HEADER_BYTES_MAX)
 * bytes in one piece; `segments` are all the bytes (for checksums), n_segments 0 if head is everything.
 * Returns REASON_COUNT when the packet is well formed, else the reason of row 1. `packet` is then filled as far as known
 * (family, addresses), the rest zero, its kind never INFRASTRUCTURE. `checks`: enum packet_check bits. Bytes behind the IP length (padding) are ignored. */
enum reason packet_parse(const uint8_t *head, uint32_t head_bytes, const struct packet_segment *segments, unsigned n_segments,
	uint32_t total_bytes, unsigned checks, struct packet *packet);

static inline bool packet_is_attempt_tcp(const struct packet *packet)
{
	return packet->kind == PACKET_KIND_TCP && (packet->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) == TCP_FLAG_SYN;
}
/** Sequence space that a segment takes: payload plus one each for SYN and FIN. */
static inline uint32_t packet_tcp_sequence_length(const struct packet *packet)
{
	return packet->payload_bytes + ((packet->tcp_flags & TCP_FLAG_SYN) ? 1u : 0u) + ((packet->tcp_flags & TCP_FLAG_FIN) ? 1u : 0u);
}

#endif
