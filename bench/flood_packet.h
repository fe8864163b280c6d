/* SPDX-License-Identifier: BSD-3-Clause
 * Frames of a flood: one template per kind and family with the sums of all constant words kept, so that a new
 * source, port and sequence number cost a copy and a few additions. Pure, any thread; knows nothing of DPDK.
 */
#ifndef WEIR_BENCH_FLOOD_PACKET_H
#define WEIR_BENCH_FLOOD_PACKET_H

#include <stdint.h>

#include "shm/prefix.h"

enum flood_kind {
	FLOOD_SYN,      /* with the options of a current Linux client */
	FLOOD_SYN_BARE, /* without options */
	FLOOD_ACK,      /* of nothing: both numbers are random */
	FLOOD_RST,
	FLOOD_UDP,
	FLOOD_QUIC,    /* an Initial of version 1, 1200 bytes: what a server must answer */
	FLOOD_QUIC_V2, /* of version 2 (RFC 9369) */
	FLOOD_ICMP,    /* echo request */
	FLOOD_DATA,    /* TCP with PSH and ACK and a payload: for flows that exist */
	FLOOD_FIN,     /* FIN and ACK */
	FLOOD_KINDS,
};

enum {
	FLOOD_MAC_BYTES = 6,
	FLOOD_PAYLOAD_MAX = 1472, /* of a datagram of IPv4 in 1500 bytes */
	/* Ethernet, IPv6, TCP with 20 bytes of options, payload, to the next 16 */
	FLOOD_FRAME_MAX = (14 + 40 + 40 + FLOOD_PAYLOAD_MAX + 15) / 16 * 16,
};

/* The simple IMIX: IP packets of 40, 576 and 1500 bytes, 7 : 4 : 1, as far apart as they go. */
enum { FLOOD_IMIX = 12 };
/** The payload of the i-th frame, i < FLOOD_IMIX, of FLOOD_DATA or FLOOD_UDP. The smallest ones fill a frame
 * of 64 bytes, or have 10 bytes where the headers do. */
uint16_t flood_imix_payload(enum flood_kind kind, unsigned i, bool v4);

struct flood_target {
	struct address address;
	uint16_t port;
	uint8_t source_mac[FLOOD_MAC_BYTES], mac[FLOOD_MAC_BYTES];
};

struct flood_template {
	_Alignas(16) uint8_t frame[FLOOD_FRAME_MAX];
	uint16_t frame_bytes, transport_offset;
	uint8_t kind; /* enum flood_kind */
	bool v4;
	/* of everything but source, source port, numbers and the checksums, as words of this machine's byte
	 * order: the ones' complement sum does not care */
	uint32_t ip_sum, transport_sum;
};

/** `payload_bytes` counts for FLOOD_UDP, FLOOD_ICMP and FLOOD_DATA only, at most FLOOD_PAYLOAD_MAX. */
void flood_template_build(struct flood_template *ret_template, enum flood_kind kind,
	const struct flood_target *target, uint16_t payload_bytes);
/** Write one frame of template->frame_bytes; up to 15 more bytes are overwritten, so `frame` has
 * FLOOD_FRAME_MAX. The source's family must be the template's. The low half of `random` is the sequence
 * number; the rest goes where the kind has something to vary: acknowledgement of FLOOD_ACK, connection id of
 * QUIC. */
void flood_frame_write(const struct flood_template *template, const struct address *source,
	uint16_t source_port, uint64_t random, uint8_t *frame);
/** The same for TCP, with both numbers. */
void flood_segment_write(const struct flood_template *template, const struct address *source,
	uint16_t source_port, uint32_t sequence, uint32_t acknowledgement, uint8_t *frame);

/** As in weir-flood's --packet: "syn", "syn-bare", "ack", ... */
const char *flood_kind_name(enum flood_kind kind);
/** -EINVAL. */
int flood_kind_parse(const char *text, enum flood_kind *ret_kind);

#endif
