/* SPDX-License-Identifier: BSD-3-Clause
 * Reading what comes back to a generator: just enough of a frame to know whose it is and what it asks for.
 * Made for speed, so it knows only what a peer of ours sends: no VLAN tags, no extension headers. Pure, any
 * thread.
 */
#ifndef WEIR_BENCH_FLOOD_REPLY_H
#define WEIR_BENCH_FLOOD_REPLY_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bench/traffic_pieces.h"

enum {
	FLOOD_REPLY_FIN = 0x01,
	FLOOD_REPLY_SYN = 0x02,
	FLOOD_REPLY_RST = 0x04,
	FLOOD_REPLY_ACK = 0x10,
};

/** A TCP segment that came back. */
struct flood_reply {
	struct address to, from;
	uint16_t to_port, from_port; /* host order */
	uint32_t sequence, acknowledgement;
	uint16_t window; /* as it stands in the segment */
	uint16_t payload_bytes;
	uint8_t flags;
	bool v4;
};

static inline uint16_t flood_reply_16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, 2);
	return ntohs(value);
}

static inline uint32_t flood_reply_32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, 4);
	return ntohl(value);
}

/** False: not IP, or cut short. */
static inline bool flood_reply_destination(const uint8_t *frame, uint32_t bytes, struct address *ret_to)
{
	if (bytes >= 34 && frame[12] == 0x08 && frame[13] == 0x00) {
		*ret_to = traffic_address_of(0, UINT64_C(0xffff00000000) | flood_reply_32(frame + 30));
		return true;
	}
	if (bytes < 54 || frame[12] != 0x86 || frame[13] != 0xdd)
		return false;
	memcpy(ret_to->bytes, frame + 38, 16);
	return true;
}

/** False: not a whole TCP header behind a plain IP header. */
static inline bool flood_reply_parse(const uint8_t *frame, uint32_t bytes, struct flood_reply *ret_reply)
{
	struct flood_reply *reply = ret_reply;
	const uint8_t *tcp;
	uint32_t ip_bytes;

	if (bytes >= 54 && frame[12] == 0x08 && frame[13] == 0x00 && frame[14] == 0x45 && frame[23] == 6) {
		reply->v4 = true;
		reply->from = traffic_address_of(0, UINT64_C(0xffff00000000) | flood_reply_32(frame + 26));
		reply->to = traffic_address_of(0, UINT64_C(0xffff00000000) | flood_reply_32(frame + 30));
		ip_bytes = flood_reply_16(frame + 16);
		tcp = frame + 34;
	} else if (bytes >= 74 && frame[12] == 0x86 && frame[13] == 0xdd && frame[20] == 6) {
		reply->v4 = false;
		memcpy(reply->from.bytes, frame + 22, 16);
		memcpy(reply->to.bytes, frame + 38, 16);
		ip_bytes = flood_reply_16(frame + 18) + 40u;
		tcp = frame + 54;
	} else {
		return false;
	}
	uint32_t headers = (uint32_t)(tcp - frame) - 14u + (uint32_t)(tcp[12] >> 4) * 4u;
	if (ip_bytes + 14u > bytes || headers > ip_bytes)
		return false;
	reply->payload_bytes = (uint16_t)(ip_bytes - headers);
	reply->from_port = flood_reply_16(tcp);
	reply->to_port = flood_reply_16(tcp + 2);
	reply->sequence = flood_reply_32(tcp + 4);
	reply->acknowledgement = flood_reply_32(tcp + 8);
	reply->window = flood_reply_16(tcp + 14);
	reply->flags = tcp[13];
	return true;
}

#endif
