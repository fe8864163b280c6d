/* SPDX-License-Identifier: BSD-3-Clause
 * Frames of a flood: one template per kind and family with the sums of all constant words kept, so that a new source,
 * port and sequence number cost a copy and a few additions. Pure, any thread; knows nothing of DPDK.
 */
#ifndef WEIR_BENCH_FLOOD_PACKET_H
#define WEIR_BENCH_FLOOD_PACKET_H

#include <stdint.h>

#include "shm/prefix.h"

enum flood_kind {
	FLOOD_SYN,	/* with the options of a current Linux client */
	FLOOD_SYN_BARE, /* without options */
	FLOOD_ACK,
	FLOOD_UDP,
	FLOOD_KINDS,
};

enum {
	FLOOD_MAC_BYTES = 6,
	FLOOD_PAYLOAD_MAX = 1400,
	/* Ethernet, IPv6, TCP with 20 bytes of options, payload */
	FLOOD_FRAME_MAX = 14 + 40 + 40 + FLOOD_PAYLOAD_MAX,
};

struct flood_target {
	struct address address;
	uint16_t port;
	uint8_t source_mac[FLOOD_MAC_BYTES], mac[FLOOD_MAC_BYTES];
};

struct flood_template {
	uint8_t frame[FLOOD_FRAME_MAX];
	uint16_t frame_bytes, transport_offset;
	bool v4, udp;
	uint32_t ip_sum, transport_sum; /* of everything but source, source port, sequence number and the checksums */
};

/** `payload_bytes` counts for FLOOD_UDP only, at most FLOOD_PAYLOAD_MAX. */
void flood_template_build(struct flood_template *ret_template, enum flood_kind kind, const struct flood_target *target,
	uint16_t payload_bytes);
/** Write one frame of template->frame_bytes. The source's family must be the template's. `sequence` is not used by UDP. */
void flood_frame_write(const struct flood_template *template, const struct address *source, uint16_t source_port,
	uint32_t sequence, uint8_t *frame);

const char *flood_kind_name(enum flood_kind kind);
/** "syn", "syn-bare", "ack", "udp". -EINVAL. */
int flood_kind_parse(const char *text, enum flood_kind *ret_kind);

#endif
