// SPDX-License-Identifier: BSD-3-Clause
/* Answers by exchange (responder_frame.h): swapping both ends of a packet leaves every checksum as it is, so
 * only what else changes is summed (RFC 1624). Pure, any thread.
 */
#include "bench/responder_frame.h"

#include <string.h>

#include "bench/flood_reply.h"

enum {
	ETHERNET_BYTES = 14,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	TCP_BYTES = 20,
	TCP_FLAG_PSH = 0x08,
	OPTION_END = 0,
	OPTION_NONE = 1,
	OPTION_TIMESTAMPS = 8,
};

static void swap(uint8_t *a, uint8_t *b, unsigned bytes)
{
	uint8_t kept[16];

	memcpy(kept, a, bytes);
	memcpy(a, b, bytes);
	memcpy(b, kept, bytes);
}

static uint32_t sum_of(const uint8_t *bytes, unsigned n_bytes)
{
	uint32_t sum = 0;
	uint16_t word;

	for (unsigned i = 0; i + 1 < n_bytes; i += 2) {
		memcpy(&word, bytes + i, 2);
		sum += word;
	}
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Timestamps would need an answer of their own; a node may leave them out, and then they are off (RFC 7323).
 */
static void timestamps_blank(uint8_t *options, unsigned bytes)
{
	for (unsigned i = 0; i < bytes && options[i] != OPTION_END;) {
		unsigned length = options[i] == OPTION_NONE ? 1u : i + 1 < bytes ? options[i + 1] : 0u;

		if (length == 0 || i + length > bytes)
			return;
		if (options[i] == OPTION_TIMESTAMPS)
			memset(options + i, OPTION_NONE, length);
		i += length;
	}
}

uint32_t responder_frame_sequence(uint16_t client_port, uint16_t node_port, uint32_t client_sequence)
{
	uint64_t state = (uint64_t)client_port << 48 | (uint64_t)node_port << 32 | client_sequence;

	return (uint32_t)traffic_random_next(&state);
}

static void put_32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, 4);
}

/* `bytes`: header and payload. Everything from the sequence number to the end of the options may change. */
static bool tcp_answer(uint8_t *tcp, uint32_t bytes)
{
	uint8_t flags = tcp[13], answer = FLOOD_REPLY_ACK;
	uint32_t header = (uint32_t)(tcp[12] >> 4) * 4u, sequence = flood_reply_32(tcp + 4);
	uint32_t acknowledgement = flood_reply_32(tcp + 8), before;

	if (bytes < TCP_BYTES || header < TCP_BYTES || header > bytes || (flags & FLOOD_REPLY_RST))
		return false;
	uint32_t payload = bytes - header;
	uint32_t consumed = payload + ((flags & FLOOD_REPLY_SYN) != 0) + ((flags & FLOOD_REPLY_FIN) != 0);

	if (consumed == 0 || ((flags & FLOOD_REPLY_SYN) && (flags & FLOOD_REPLY_ACK)))
		return false;
	before = sum_of(tcp + 4, 12) + sum_of(tcp + TCP_BYTES, header - TCP_BYTES);
	if (flags & FLOOD_REPLY_SYN) {
		answer |= FLOOD_REPLY_SYN;
		acknowledgement =
			responder_frame_sequence(flood_reply_16(tcp), flood_reply_16(tcp + 2), sequence);
		timestamps_blank(tcp + TCP_BYTES, header - TCP_BYTES);
	}
	answer |= (flags & FLOOD_REPLY_FIN) | (payload != 0 ? TCP_FLAG_PSH : 0);
	put_32(tcp + 4, acknowledgement);
	put_32(tcp + 8, sequence + consumed);
	tcp[13] = answer;
	tcp[14] = 0xff; /* an open window, whatever the client's is */
	tcp[15] = 0xff;

	uint16_t checksum;
	memcpy(&checksum, tcp + 16, 2);
	/* ~(~old sum + ~before + after); sum_fold complements */
	checksum = sum_fold((uint32_t)(uint16_t)~checksum + sum_fold(before) + sum_of(tcp + 4, 12) +
			    sum_of(tcp + TCP_BYTES, header - TCP_BYTES));
	memcpy(tcp + 16, &checksum, 2);
	swap(tcp, tcp + 2, 2);
	return true;
}

static bool transport_answer(uint8_t *transport, uint32_t bytes, uint8_t protocol)
{
	if (protocol == PROTOCOL_TCP && bytes >= TCP_BYTES)
		return tcp_answer(transport, bytes);
	if (protocol != PROTOCOL_UDP || bytes < 8)
		return false;
	swap(transport, transport + 2, 2);
	return true;
}

bool responder_frame_answer(uint8_t *frame, uint32_t bytes)
{
	uint8_t *ip = frame + ETHERNET_BYTES;
	uint32_t ip_bytes;

	if (bytes >= ETHERNET_BYTES + 20u && frame[12] == 0x08 && frame[13] == 0x00 && ip[0] == 0x45) {
		ip_bytes = flood_reply_16(ip + 2);
		if (ip_bytes < 20 || ip_bytes + ETHERNET_BYTES > bytes ||
			!transport_answer(ip + 20, ip_bytes - 20, ip[9]))
			return false;
		swap(ip + 12, ip + 16, 4);
	} else if (bytes >= ETHERNET_BYTES + 40u && frame[12] == 0x86 && frame[13] == 0xdd) {
		ip_bytes = flood_reply_16(ip + 4) + 40u;
		if (ip_bytes + ETHERNET_BYTES > bytes || !transport_answer(ip + 40, ip_bytes - 40, ip[6]))
			return false;
		swap(ip + 8, ip + 24, 16);
	} else {
		return false;
	}
	swap(frame, frame + 6, 6);
	return true;
}
