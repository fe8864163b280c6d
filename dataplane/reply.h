/* SPDX-License-Identifier: BSD-3-Clause
 * Frames that Weir itself sends: a cookie's SYN-ACK, a RST, an ICMP "administratively prohibited". Pure; the caller owns the
 * buffer. Every reply is no longer than the packet that it answers, from the IP header on: a frame's padding does not count (reflection limit).
 */
#ifndef WEIR_DATAPLANE_REPLY_H
#define WEIR_DATAPLANE_REPLY_H

#include "dataplane/packet.h"

enum { REPLY_BYTES_MAX = 160 };

/** Layer 2 of a frame that answers nothing: learnt earlier. */
struct next_hop {
	uint8_t destination_mac[6];
	uint8_t source_mac[6];
	uint8_t n_vlans;      /* tags to write into the bytes, 0..2 */
	uint8_t valid;
	uint8_t port_pair;    /* the pair of ports it was learnt on */
	uint16_t vlans[2];    /* tag control, outermost first, host order */
	uint16_t vlan_types[2]; /* 0x8100 or 0x88a8, host order */
};

/** Options of a SYN or SYN-ACK; all zero: none. */
struct reply_options {
	uint16_t mss; /* 0 = absent */
	bool has_window_scale;
	uint8_t window_scale; /* 0..14 */
	bool sack_permitted;
};

/** What a segment without data says besides its ends. */
struct reply_segment {
	uint32_t sequence, acknowledgement;
	uint16_t window;
	uint8_t flags;
	struct reply_options options;
};

/** SYN-ACK that answers `frame` (a parsed TCP SYN); the flags of `segment` do not count. MACs, VLANs, addresses and ports are swapped; checksums
 * are complete. Returns bytes written into out[REPLY_BYTES_MAX]; 0 if it would be longer than the packet it answers (options that do not fit are
 * left away: first the MSS, then window scale and SACK, which never happens to those that the SYN itself offered). */
unsigned reply_syn_ack(const uint8_t *frame, const struct packet *packet, const struct reply_segment *segment, uint8_t out[REPLY_BYTES_MAX]);
/** The same, byte for byte, over the bytes of `frame` itself, which must hold the packet in one piece: what is written is never longer. */
unsigned reply_syn_ack_over(uint8_t *frame, const struct packet *packet, const struct reply_segment *segment);
/** A segment that takes the place of `frame` (a parsed TCP segment) on its way: same layer 2, addresses and ports in the same direction. Returns
 * bytes written; 0: not TCP, or a fragment. */
unsigned reply_in_place(const uint8_t *frame, const struct packet *packet, const struct reply_segment *segment, uint8_t out[REPLY_BYTES_MAX]);
/** RST that refuses `frame` (a parsed TCP segment) as RFC 9293 3.10.7.1 says for CLOSED. Never answers a RST: returns 0. */
unsigned reply_rst(const uint8_t *frame, const struct packet *packet, uint8_t out[REPLY_BYTES_MAX]);
/** ICMP or ICMPv6 destination unreachable, administratively prohibited, quoting at most as much as keeps the reply no longer than the packet. */
unsigned reply_icmp_prohibited(const uint8_t *frame, uint32_t frame_bytes, const struct packet *packet, uint8_t out[REPLY_BYTES_MAX]);

struct reply_tcp {
	struct address source, destination;
	uint16_t source_port, destination_port;
	uint32_t sequence, acknowledgement;
	uint8_t flags;
	uint16_t window;
	struct reply_options options; /* of a SYN; else all zero */
};
/** A bare TCP segment from nothing but a next hop: the RSTs of a flow that is cut, what the SYN proxy says to the node. */
unsigned reply_tcp_segment(const struct next_hop *hop, const struct reply_tcp *segment, uint8_t out[REPLY_BYTES_MAX]);
/** Layer 2 as it must be to answer the sender of `frame`. */
void next_hop_learn(const uint8_t *frame, const struct packet *packet, struct next_hop *ret_hop);

#endif
