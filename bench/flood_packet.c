// SPDX-License-Identifier: BSD-3-Clause
/* Templates and their sums. The ones' complement sum does not care for order, position or byte order of
 * words, so constant and variable words are added apart and as this machine reads them (RFC 1071). Pure, any
 * thread.
 */
#include "bench/flood_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum {
	ETHERNET_BYTES = 14,
	V4_BYTES = 20,
	V6_BYTES = 40,
	TCP_BYTES = 20,
	UDP_BYTES = 8,
	ICMP_BYTES = 8,
	TCP_OPTIONS_BYTES = 20,
	QUIC_BYTES = 1200, /* RFC 9000, 14.1: a smaller datagram with an Initial must be dropped */
	QUIC_ID_OFFSET = UDP_BYTES + 6, /* flags, version, length of the id */
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMP = 1,
	PROTOCOL_ICMP6 = 58,
	TCP_FLAG_FIN = 0x01,
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_RST = 0x04,
	TCP_FLAG_PSH = 0x08,
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
	uint16_t word;

	for (unsigned i = 0; i + 1 < n_bytes; i += 2) {
		memcpy(&word, bytes + i, 2);
		sum += word;
	}
	if (n_bytes % 2 == 1) {
		uint8_t last[2] = {bytes[n_bytes - 1], 0};

		memcpy(&word, last, 2);
		sum += word;
	}
	return sum;
}

/* Two words of one load. */
static uint32_t sum_32(uint32_t words)
{
	return (words & 0xffff) + (words >> 16);
}

static uint16_t sum_fold(uint32_t sum)
{
	sum = sum_32(sum);
	sum = sum_32(sum);
	return (uint16_t)~sum;
}

static bool kind_is_tcp(enum flood_kind kind)
{
	return kind != FLOOD_UDP && kind != FLOOD_QUIC && kind != FLOOD_QUIC_V2 && kind != FLOOD_ICMP;
}

static uint8_t protocol_of(enum flood_kind kind, bool v4)
{
	if (kind == FLOOD_ICMP)
		return v4 ? PROTOCOL_ICMP : PROTOCOL_ICMP6;
	return kind_is_tcp(kind) ? PROTOCOL_TCP : PROTOCOL_UDP;
}

static void ip_header_write(
	struct flood_template *template, const struct flood_target *target, uint16_t transport_bytes)
{
	uint8_t *ip = template->frame + ETHERNET_BYTES, protocol = protocol_of(template->kind, template->v4);

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
	if (protocol == PROTOCOL_ICMP)
		template->transport_sum = 0; /* the one checksum without a pseudo header */
	else
		template->transport_sum += (uint32_t)htons(protocol) + htons(transport_bytes);
}

static uint8_t tcp_flags_of(enum flood_kind kind)
{
	switch (kind) {
	case FLOOD_ACK:
		return TCP_FLAG_ACK;
	case FLOOD_RST:
		return TCP_FLAG_RST;
	case FLOOD_DATA:
		return TCP_FLAG_PSH | TCP_FLAG_ACK;
	case FLOOD_FIN:
		return TCP_FLAG_FIN | TCP_FLAG_ACK;
	default:
		return TCP_FLAG_SYN;
	}
}

/* Something that is not all zeros: 'A' and following. */
static void payload_write(uint8_t *at, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)('A' + i % 26);
}

static uint16_t tcp_write(uint8_t *tcp, enum flood_kind kind, uint16_t payload_bytes)
{
	/* MSS 1460, SACK permitted, timestamps, window scale 7: as Linux orders them */
	static const uint8_t options[TCP_OPTIONS_BYTES] = {
		2, 4, 5, 0xb4, 4, 2, 8, 10, 0x5e, 0xa1, 0x12, 0x34, 0, 0, 0, 0, 1, 3, 3, 7};
	uint16_t bytes = kind == FLOOD_SYN ? TCP_BYTES + TCP_OPTIONS_BYTES : TCP_BYTES;

	tcp[12] = (uint8_t)(bytes / 4 << 4);
	tcp[13] = tcp_flags_of(kind);
	if (kind != FLOOD_RST)
		put16(tcp + 14, 64240); /* the first window of a Linux client */
	if (kind == FLOOD_SYN)
		memcpy(tcp + TCP_BYTES, options, sizeof(options));
	if (kind != FLOOD_DATA)
		return bytes;
	payload_write(tcp + bytes, payload_bytes);
	return (uint16_t)(bytes + payload_bytes);
}

/* RFC 9000, 17.2.2: flags, version, both connection ids of 8 bytes, no token, the length of the rest, which a
 * server can only find wrong by decrypting it. */
static void quic_write(uint8_t *datagram, enum flood_kind kind)
{
	uint8_t *at = datagram;

	*at++ = kind == FLOOD_QUIC_V2 ? 0xd3 : 0xc3; /* long header, fixed bit, Initial (00, of version 2:
							01), 4 bytes of number */
	put32(at, kind == FLOOD_QUIC_V2 ? 0x6b3343cf : 1);
	at += 4;
	*at++ = 8;
	at += 8; /* the destination's id: written for each packet */
	*at++ = 8;
	payload_write(at, 8);
	at += 8;
	*at++ = 0;
	uint32_t rest = (uint32_t)(QUIC_BYTES - (at + 2 - datagram));
	put16(at, 0x4000 | rest);
	payload_write(at + 2, rest);
}

static uint16_t udp_write(uint8_t *udp, enum flood_kind kind, uint16_t payload_bytes)
{
	uint16_t bytes = (uint16_t)(UDP_BYTES + (kind == FLOOD_UDP ? payload_bytes : QUIC_BYTES));

	put16(udp + 4, bytes);
	if (kind == FLOOD_UDP)
		payload_write(udp + UDP_BYTES, payload_bytes);
	else
		quic_write(udp + UDP_BYTES, kind);
	return bytes;
}

static uint16_t transport_write(
	uint8_t *transport, const struct flood_template *template, uint16_t port, uint16_t payload_bytes)
{
	enum flood_kind kind = template->kind;

	if (kind == FLOOD_ICMP) {
		transport[0] = template->v4 ? 8 : 128;
		payload_write(transport + ICMP_BYTES, payload_bytes);
		return (uint16_t)(ICMP_BYTES + payload_bytes);
	}
	put16(transport + 2, port);
	return kind_is_tcp(kind) ? tcp_write(transport, kind, payload_bytes)
				 : udp_write(transport, kind, payload_bytes);
}

void flood_template_build(struct flood_template *ret_template, enum flood_kind kind,
	const struct flood_target *target, uint16_t payload_bytes)
{
	struct flood_template *template = ret_template;

	memset(template, 0, sizeof(*template));
	template->v4 = address_is_v4(&target->address);
	template->kind = (uint8_t)kind;
	memcpy(template->frame, target->mac, FLOOD_MAC_BYTES);
	memcpy(template->frame + 6, target->source_mac, FLOOD_MAC_BYTES);
	put16(template->frame + 12, template->v4 ? 0x0800 : 0x86dd);
	template->transport_offset = ETHERNET_BYTES + (template->v4 ? V4_BYTES : V6_BYTES);

	uint8_t *transport = template->frame + template->transport_offset;
	uint16_t bytes = transport_write(transport, template, target->port,
		payload_bytes < FLOOD_PAYLOAD_MAX ? payload_bytes : FLOOD_PAYLOAD_MAX);
	ip_header_write(template, target, bytes);
	template->transport_sum += sum_words(transport, bytes);
	template->frame_bytes = (uint16_t)(template->transport_offset + bytes);
}

/* Sixteen bytes at a time and up to fifteen too many: a call of memcpy of unknown length costs more than the
 * copy. */
static void frame_copy(uint8_t *frame, const struct flood_template *template)
{
	for (unsigned i = 0; i < template->frame_bytes; i += 16)
		memcpy(frame + i, template->frame + i, 16);
}

/* Writes the source into the IP header and returns its sum. */
static uint32_t source_write(const struct flood_template *template, const struct address *source, uint8_t *ip)
{
	uint32_t words[4], sum;

	memcpy(words, source->bytes, 16);
	if (template->v4) {
		uint16_t checksum;

		sum = sum_32(words[3]);
		checksum = sum_fold(template->ip_sum + sum);
		memcpy(ip + 12, &words[3], 4);
		memcpy(ip + 10, &checksum, 2);
		return sum;
	}
	memcpy(ip + 8, words, 16);
	return sum_32(words[0]) + sum_32(words[1]) + sum_32(words[2]) + sum_32(words[3]);
}

void flood_segment_write(const struct flood_template *template, const struct address *source,
	uint16_t source_port, uint32_t sequence, uint32_t acknowledgement, uint8_t *frame)
{
	uint8_t *tcp = frame + template->transport_offset;
	uint16_t port = htons(source_port), checksum;

	frame_copy(frame, template);
	sequence = htonl(sequence);
	acknowledgement = htonl(acknowledgement);
	checksum = sum_fold(template->transport_sum + source_write(template, source, frame + ETHERNET_BYTES) +
			    port + sum_32(sequence) + sum_32(acknowledgement));
	memcpy(tcp, &port, 2);
	memcpy(tcp + 4, &sequence, 4);
	memcpy(tcp + 8, &acknowledgement, 4);
	memcpy(tcp + 16, &checksum, 2);
}

static void datagram_write(const struct flood_template *template, const struct address *source,
	uint16_t source_port, uint64_t random, uint8_t *frame)
{
	uint8_t *transport = frame + template->transport_offset;
	uint16_t port = htons(source_port), checksum;
	uint32_t sum;

	frame_copy(frame, template);
	sum = template->transport_sum + source_write(template, source, frame + ETHERNET_BYTES) + port;
	memcpy(transport, &port, 2);
	if (template->kind != FLOOD_UDP) {
		memcpy(transport + QUIC_ID_OFFSET, &random, 8);
		sum += sum_32((uint32_t)random) + sum_32((uint32_t)(random >> 32));
	}
	checksum = sum_fold(sum);
	if (checksum == 0)
		checksum = 0xffff; /* 0 would say: none */
	memcpy(transport + 6, &checksum, 2);
}

static void echo_write(const struct flood_template *template, const struct address *source,
	uint16_t identifier, uint64_t random, uint8_t *frame)
{
	uint8_t *icmp = frame + template->transport_offset;
	uint16_t id = htons(identifier), sequence = htons((uint16_t)random), checksum;
	uint32_t source_sum;

	frame_copy(frame, template);
	source_sum = source_write(template, source, frame + ETHERNET_BYTES);
	checksum = sum_fold(template->transport_sum + id + sequence + (template->v4 ? 0 : source_sum));
	memcpy(icmp + 4, &id, 2);
	memcpy(icmp + 6, &sequence, 2);
	memcpy(icmp + 2, &checksum, 2);
}

void flood_frame_write(const struct flood_template *template, const struct address *source,
	uint16_t source_port, uint64_t random, uint8_t *frame)
{
	switch ((enum flood_kind) template->kind) {
	case FLOOD_UDP:
	case FLOOD_QUIC:
	case FLOOD_QUIC_V2:
		datagram_write(template, source, source_port, random, frame);
		return;
	case FLOOD_ICMP:
		echo_write(template, source, source_port, random, frame);
		return;
	case FLOOD_SYN:
	case FLOOD_SYN_BARE:
	case FLOOD_RST:
		flood_segment_write(template, source, source_port, (uint32_t)random, 0, frame);
		return;
	default:
		flood_segment_write(
			template, source, source_port, (uint32_t)random, (uint32_t)(random >> 32), frame);
	}
}

static const char *const kind_names[FLOOD_KINDS] = {
	[FLOOD_SYN] = "syn",
	[FLOOD_SYN_BARE] = "syn-bare",
	[FLOOD_ACK] = "ack",
	[FLOOD_RST] = "rst",
	[FLOOD_UDP] = "udp",
	[FLOOD_QUIC] = "quic",
	[FLOOD_QUIC_V2] = "quic-v2",
	[FLOOD_ICMP] = "icmp",
	[FLOOD_DATA] = "data",
	[FLOOD_FIN] = "fin",
};

uint16_t flood_imix_payload(enum flood_kind kind, unsigned i, bool v4)
{
	static const uint16_t sizes[FLOOD_IMIX] = {40, 576, 40, 40, 576, 40, 1500, 40, 576, 40, 576, 40};
	uint16_t headers = (uint16_t)((v4 ? 20 : 40) + (kind == FLOOD_UDP ? 8 : 20));
	uint16_t smallest = headers < 50 ? (uint16_t)(50 - headers) : 10;

	return sizes[i] > headers + smallest ? (uint16_t)(sizes[i] - headers) : smallest;
}

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
