// SPDX-License-Identifier: BSD-3-Clause
/* Templates and their sums. The ones' complement sum does not care for order or word position, so constant and variable
 * words are added apart (RFC 1071). Pure, any thread.
 */
#include "bench/flood_packet.h"

#include <errno.h>
#include <string.h>

enum {
	ETHERNET_BYTES = 14,
	V4_BYTES = 20,
	V6_BYTES = 40,
	TCP_BYTES = 20,
	UDP_BYTES = 8,
	TCP_OPTIONS_BYTES = 20,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_ACK = 0x10,
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t sum_words(const uint8_t *bytes, unsigned n_bytes)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i + 1 < n_bytes; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (n_bytes % 2 == 1)
		sum += (uint32_t)bytes[n_bytes - 1] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t ip_header_write(struct flood_template *template, const struct flood_target *target, uint16_t transport_bytes)
{
	uint8_t *ip = template->frame + ETHERNET_BYTES;
	uint8_t protocol = template->udp ? PROTOCOL_UDP : PROTOCOL_TCP;

	if (template->v4) {
		ip[0] = 0x45;
		put16(ip + 2, (uint32_t)V4_BYTES + transport_bytes);
		put16(ip + 6, 0x4000); /* don't fragment */
		ip[8] = 64;
		ip[9] = protocol;
		put32(ip + 16, address_v4(&target->address));
		template->ip_sum = sum_words(ip, V4_BYTES);
		template->transport_sum = sum_words(ip + 16, 4);
	} else {
		ip[0] = 0x60;
		put16(ip + 4, transport_bytes);
		ip[6] = protocol;
		ip[7] = 64;
		memcpy(ip + 24, target->address.bytes, 16);
		template->transport_sum = sum_words(ip + 24, 16);
	}
	template->transport_sum += (uint32_t)protocol + transport_bytes; /* the pseudo header */
	return template->v4 ? V4_BYTES : V6_BYTES;
}

static uint16_t tcp_write(uint8_t *tcp, enum flood_kind kind)
{
	/* MSS 1460, SACK permitted, timestamps, window scale 7: as Linux orders them */
	static const uint8_t options[TCP_OPTIONS_BYTES] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0x5e, 0xa1, 0x12, 0x34, 0, 0, 0, 0, 1, 3, 3, 7};
	uint16_t bytes = kind == FLOOD_SYN ? TCP_BYTES + TCP_OPTIONS_BYTES : TCP_BYTES;

	tcp[12] = (uint8_t)(bytes / 4 << 4);
	tcp[13] = kind == FLOOD_ACK ? TCP_FLAG_ACK : TCP_FLAG_SYN;
	put16(tcp + 14, 64240); /* the first window of a Linux client */
	if (kind == FLOOD_ACK)
		put32(tcp + 8, 0x13572468);
	if (kind == FLOOD_SYN)
		memcpy(tcp + TCP_BYTES, options, sizeof(options));
	return bytes;
}

void flood_template_build(struct flood_template *ret_template, enum flood_kind kind, const struct flood_target *target,
	uint16_t payload_bytes)
{
	struct flood_template *template = ret_template;

	memset(template, 0, sizeof(*template));
	template->v4 = address_is_v4(&target->address);
	template->udp = kind == FLOOD_UDP;
	memcpy(template->frame, target->mac, FLOOD_MAC_BYTES);
	memcpy(template->frame + 6, target->source_mac, FLOOD_MAC_BYTES);
	put16(template->frame + 12, template->v4 ? 0x0800 : 0x86dd);
	template->transport_offset = ETHERNET_BYTES + (template->v4 ? V4_BYTES : V6_BYTES);

	uint8_t *transport = template->frame + template->transport_offset;
	uint16_t transport_bytes;
	if (template->udp) {
		transport_bytes = (uint16_t)(UDP_BYTES + (payload_bytes < FLOOD_PAYLOAD_MAX ? payload_bytes : FLOOD_PAYLOAD_MAX));
		put16(transport + 4, transport_bytes);
	} else {
		transport_bytes = tcp_write(transport, kind);
	}
	put16(transport + 2, target->port);
	ip_header_write(template, target, transport_bytes);
	template->transport_sum += sum_words(transport, transport_bytes);
	template->frame_bytes = (uint16_t)(template->transport_offset + transport_bytes);
}

void flood_frame_write(const struct flood_template *template, const struct address *source, uint16_t source_port,
	uint32_t sequence, uint8_t *frame)
{
	uint8_t *ip = frame + ETHERNET_BYTES, *transport = frame + template->transport_offset;
	const uint8_t *source_bytes = template->v4 ? source->bytes + 12 : source->bytes;
	unsigned n_source = template->v4 ? 4 : 16;
	uint32_t source_sum = sum_words(source_bytes, n_source);
	uint32_t sum = template->transport_sum + source_sum + source_port;

	memcpy(frame, template->frame, template->frame_bytes);
	memcpy(template->v4 ? ip + 12 : ip + 8, source_bytes, n_source);
	if (template->v4)
		put16(ip + 10, sum_fold(template->ip_sum + source_sum));
	put16(transport, source_port);
	if (template->udp) {
		uint16_t checksum = sum_fold(sum);

		put16(transport + 6, checksum != 0 ? checksum : 0xffff); /* 0 would say: none */
		return;
	}
	put32(transport + 4, sequence);
	put16(transport + 16, sum_fold(sum + (sequence >> 16) + (sequence & 0xffff)));
}

static const char *const kind_names[FLOOD_KINDS] = {
	[FLOOD_SYN] = "syn",
	[FLOOD_SYN_BARE] = "syn-bare",
	[FLOOD_ACK] = "ack",
	[FLOOD_UDP] = "udp",
};

const char *flood_kind_name(enum flood_kind kind)
{
	return kind_names[kind];
}

int flood_kind_parse(const char *text, enum flood_kind *ret_kind)
{
	for (unsigned i = 0; i < FLOOD_KINDS; i++) {
		if (strcmp(text, kind_names[i]) == 0) {
			*ret_kind = (enum flood_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}
