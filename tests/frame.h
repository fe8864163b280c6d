/* SPDX-License-Identifier: BSD-3-Clause
 * Frames for tests: a table row says what it wants in a struct frame_spec, everything left out gets a sane
 * value, and frame_make writes bytes with right lengths and checksums. To test what is malformed, change
 * bytes afterwards, then call frame_checksum so that only that change is wrong. Any thread; aborts on a spec
 * that cannot be built. It shares no code with the parser, so a mistake in one is not repeated in the other.
 */
#ifndef WEIR_TESTS_FRAME_H
#define WEIR_TESTS_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum { FRAME_BYTES_MAX = 9216 /* a jumbo frame */, FRAME_EXTENSIONS_MAX = 10, FRAME_VLANS_MAX = 3 };

/** One IPv6 extension header. body: what follows the next-header and length bytes; it is padded with zeros to
 * the size that the length byte (`units`: in 8 bytes behind the first 8, as on the wire) announces. Fragment
 * headers are not given here. */
struct frame_extension {
	uint8_t type; /* 0, 43, 51, 60 or another */
	uint8_t units;
	const void *body;
	uint8_t body_bytes;
};

/** Zero means "the usual value" where a comment gives one. Numbers are in host order. */
struct frame_spec {
	const char *source, *destination; /* text; both IPv4 (192.0.2.1, 198.51.100.1 if NULL) or both IPv6 */
	const uint8_t *source_mac, *destination_mac; /* 02:00:00:00:00:01, 02:00:00:00:00:02 */
	uint8_t n_vlans;
	uint16_t vlans[FRAME_VLANS_MAX];      /* tag control, outermost first */
	uint16_t vlan_types[FRAME_VLANS_MAX]; /* 0x8100 innermost, 0x88a8 outside it */
	uint8_t protocol;       /* 6 TCP; 17 UDP; 1 or 58 ICMP of the address family (1 becomes 58 over IPv6);
				   others: payload alone */
	uint8_t ttl;            /* 64 */
	const void *ip_options; /* IPv4; a multiple of 4 bytes */
	uint8_t ip_options_bytes;
	uint8_t n_extensions;
	struct frame_extension extensions[FRAME_EXTENSIONS_MAX]; /* IPv6; those behind the fragment header
								    come after `before` */
	uint8_t extensions_before_fragment; /* so many stand in front of the fragment header */
	/* The datagram is built whole, and bytes [fragment_offset, fragment_offset + fragment_bytes) of what
	 * can be fragmented are sent; fragment_bytes 0: all from the offset. */
	bool fragment_header; /* IPv6: write one even when nothing else asks for it (an atomic fragment) */
	bool more_fragments;
	uint16_t fragment_offset, fragment_bytes;
	uint32_t fragment_id;
	uint16_t source_port, destination_port; /* 40000, 30303; port 0 by frame_put_u16 afterwards */
	uint32_t sequence, acknowledgement;
	uint8_t tcp_flags;       /* SYN */
	bool tcp_flags_zero;     /* really none */
	uint16_t window;         /* 65535 */
	const void *tcp_options; /* a multiple of 4 bytes */
	uint8_t tcp_options_bytes;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_word;  /* bytes 4 to 7; echo: id << 16 | sequence */
	const void *payload; /* NULL: bytes 0, 1, 2, ... */
	uint16_t payload_bytes;
	uint16_t pad_to_bytes; /* zeros behind the datagram up to this frame length */
};

struct frame {
	uint8_t bytes[FRAME_BYTES_MAX];
	uint32_t n;
	uint32_t l3, l4, payload; /* offsets; l4 of a later fragment: its data */
	uint32_t fragment;        /* offset of the IPv6 fragment header, 0: none */
};

/** Build the frame. */
void frame_make(const struct frame_spec *spec, struct frame *ret_frame);
/** An ARP request of 42 bytes: who has `target`? Text addresses. */
void frame_make_arp(const char *sender, const char *target, struct frame *ret_frame);
/** Drop what lies behind the first n bytes. */
void frame_cut(struct frame *frame, uint32_t n);

void frame_put_u16(struct frame *frame, uint32_t offset, uint16_t value);
void frame_put_u32(struct frame *frame, uint32_t offset, uint32_t value);
uint16_t frame_u16(const struct frame *frame, uint32_t offset);
/** Make the IPv4 header checksum and that of the TCP, UDP, ICMP or ICMPv6 header at l4 right again, over what
 * the lengths in the bytes say now. The transport's is left alone in fragments. */
void frame_checksum(struct frame *frame, uint8_t protocol);

#endif
