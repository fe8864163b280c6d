// SPDX-License-Identifier: BSD-3-Clause
/* Frames for tests (frame.h). Simple on purpose: sixteen bits at a time, no sharing with the code under test.
 */
#include "tests/frame.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	TCP = 6,
	UDP = 17,
	ICMP = 1,
	ICMPV6 = 58,
	FRAGMENT = 44,
	AUTHENTICATION = 51
};

static void refuse(const char *why)
{
	fprintf(stderr, "frame_make: %s\n", why);
	abort();
}

void frame_put_u16(struct frame *frame, uint32_t offset, uint16_t value)
{
	frame->bytes[offset] = (uint8_t)(value >> 8);
	frame->bytes[offset + 1] = (uint8_t)value;
}

void frame_put_u32(struct frame *frame, uint32_t offset, uint32_t value)
{
	frame_put_u16(frame, offset, (uint16_t)(value >> 16));
	frame_put_u16(frame, offset + 2, (uint16_t)value);
}

uint16_t frame_u16(const struct frame *frame, uint32_t offset)
{
	return (uint16_t)(frame->bytes[offset] << 8 | frame->bytes[offset + 1]);
}

void frame_cut(struct frame *frame, uint32_t n)
{
	frame->n = n;
}

static void append(struct frame *frame, const void *data, uint32_t bytes)
{
	if (frame->n + bytes > FRAME_BYTES_MAX)
		refuse("the frame is too long");
	if (bytes)
		memcpy(frame->bytes + frame->n, data, bytes);
	frame->n += bytes;
}

static void append_zeros(struct frame *frame, uint32_t bytes)
{
	if (frame->n + bytes > FRAME_BYTES_MAX)
		refuse("the frame is too long");
	memset(frame->bytes + frame->n, 0, bytes);
	frame->n += bytes;
}

static void append_u16(struct frame *frame, uint16_t value)
{
	append_zeros(frame, 2);
	frame_put_u16(frame, frame->n - 2, value);
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *data, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static bool is_v6(const struct frame *frame)
{
	return frame->bytes[frame->l3] >> 4 == 6;
}

/* Where the checksum of a transport lies in its header; -1: it has none. */
static int checksum_place(uint8_t protocol)
{
	return protocol == TCP ? 16 : protocol == UDP ? 6 : protocol == ICMP || protocol == ICMPV6 ? 2 : -1;
}

static void transport_checksum(struct frame *frame, uint8_t protocol, uint32_t bytes)
{
	int place = checksum_place(protocol);
	const uint8_t *ip = frame->bytes + frame->l3;
	uint32_t sum = 0;

	if (place < 0)
		return;
	frame_put_u16(frame, frame->l4 + (uint32_t)place, 0);
	if (protocol != ICMP) {
		sum = is_v6(frame) ? sum_bytes(0, ip + 8, 32) : sum_bytes(0, ip + 12, 8);
		sum = sum_bytes(
			sum, (const uint8_t[]){0, protocol, (uint8_t)(bytes >> 8), (uint8_t)bytes}, 4);
	}
	sum = ~sum_bytes(sum, frame->bytes + frame->l4, bytes) & 0xffff;
	if (protocol == UDP && sum == 0)
		sum = 0xffff;
	frame_put_u16(frame, frame->l4 + (uint32_t)place, (uint16_t)sum);
}

static bool is_fragment(const struct frame *frame)
{
	if (is_v6(frame))
		return frame->fragment && (frame_u16(frame, frame->fragment + 2) & 0xfff9);
	return frame_u16(frame, frame->l3 + 6) & 0x3fff;
}

static void ipv4_checksum(struct frame *frame)
{
	uint32_t bytes = (frame->bytes[frame->l3] & 15u) * 4;

	frame_put_u16(frame, frame->l3 + 10, 0);
	frame_put_u16(frame, frame->l3 + 10, (uint16_t)~sum_bytes(0, frame->bytes + frame->l3, bytes));
}

void frame_checksum(struct frame *frame, uint8_t protocol)
{
	uint32_t end = frame->l3 + (is_v6(frame) ? IPV6_BYTES + frame_u16(frame, frame->l3 + 4)
						 : frame_u16(frame, frame->l3 + 2));
	uint32_t bytes = end - frame->l4;

	if (!is_v6(frame))
		ipv4_checksum(frame);
	if (end < frame->l4 || end > frame->n || is_fragment(frame))
		return;
	if (protocol == UDP && frame_u16(frame, frame->l4 + 4) <= bytes)
		bytes = frame_u16(frame, frame->l4 + 4);
	transport_checksum(frame, protocol, bytes);
}

static void append_ethernet(struct frame *frame, const struct frame_spec *spec, uint16_t ethertype)
{
	static const uint8_t source[6] = {2, 0, 0, 0, 0, 1}, destination[6] = {2, 0, 0, 0, 0, 2};

	append(frame, spec->destination_mac ? spec->destination_mac : destination, 6);
	append(frame, spec->source_mac ? spec->source_mac : source, 6);
	for (unsigned i = 0; i < spec->n_vlans; i++) {
		uint16_t usual = i + 1 == spec->n_vlans ? 0x8100 : 0x88a8;

		append_u16(frame, spec->vlan_types[i] ? spec->vlan_types[i] : usual);
		append_u16(frame, spec->vlans[i]);
	}
	append_u16(frame, ethertype);
	frame->l3 = frame->n;
}

static void append_payload(struct frame *frame, const struct frame_spec *spec)
{
	frame->payload = frame->n;
	if (spec->payload) {
		append(frame, spec->payload, spec->payload_bytes);
		return;
	}
	append_zeros(frame, spec->payload_bytes);
	for (uint32_t i = 0; i < spec->payload_bytes; i++)
		frame->bytes[frame->payload + i] = (uint8_t)i;
}

static void append_tcp(struct frame *frame, const struct frame_spec *spec)
{
	uint32_t l4 = frame->n;

	if (spec->tcp_options_bytes % 4 || spec->tcp_options_bytes > 40)
		refuse("TCP options must be a multiple of 4, 40 at most");
	append_zeros(frame, 20);
	frame_put_u16(frame, l4, spec->source_port ? spec->source_port : 40000);
	frame_put_u16(frame, l4 + 2, spec->destination_port ? spec->destination_port : 30303);
	frame_put_u32(frame, l4 + 4, spec->sequence);
	frame_put_u32(frame, l4 + 8, spec->acknowledgement);
	frame->bytes[l4 + 12] = (uint8_t)((20 + spec->tcp_options_bytes) / 4 << 4);
	frame->bytes[l4 + 13] = spec->tcp_flags || spec->tcp_flags_zero ? spec->tcp_flags : 2;
	frame_put_u16(frame, l4 + 14, spec->window ? spec->window : 65535);
	append(frame, spec->tcp_options, spec->tcp_options_bytes);
	append_payload(frame, spec);
}

static void append_udp(struct frame *frame, const struct frame_spec *spec)
{
	uint32_t l4 = frame->n;

	append_zeros(frame, 8);
	frame_put_u16(frame, l4, spec->source_port ? spec->source_port : 40000);
	frame_put_u16(frame, l4 + 2, spec->destination_port ? spec->destination_port : 30303);
	frame_put_u16(frame, l4 + 4, (uint16_t)(8 + spec->payload_bytes));
	append_payload(frame, spec);
}

static void append_icmp(struct frame *frame, const struct frame_spec *spec)
{
	uint32_t l4 = frame->n;

	append_zeros(frame, 8);
	frame->bytes[l4] = spec->icmp_type;
	frame->bytes[l4 + 1] = spec->icmp_code;
	frame_put_u32(frame, l4 + 4, spec->icmp_word);
	append_payload(frame, spec);
}

/* The transport with its checksum over the whole datagram. */
static void append_transport(struct frame *frame, const struct frame_spec *spec, uint8_t protocol)
{
	frame->l4 = frame->n;
	if (protocol == TCP)
		append_tcp(frame, spec);
	else if (protocol == UDP)
		append_udp(frame, spec);
	else if (protocol == ICMP || protocol == ICMPV6)
		append_icmp(frame, spec);
	else
		append_payload(frame, spec);
	transport_checksum(frame, protocol, frame->n - frame->l4);
}

/* Keep bytes [offset, offset + bytes) of what stands behind `start`; 0 bytes: all of the rest. */
static void cut_fragment(struct frame *frame, uint32_t start, uint32_t offset, uint32_t bytes)
{
	uint32_t whole = frame->n - start;

	if (offset % 8 || offset > whole || offset + bytes > whole)
		refuse("the fragment is not a part of the datagram");
	if (bytes == 0)
		bytes = whole - offset;
	memmove(frame->bytes + start, frame->bytes + start + offset, bytes);
	frame->n = start + bytes;
	if (offset) {
		frame->l4 = start;
		frame->payload = start;
	}
}

static void make_ipv4(
	struct frame *frame, const struct frame_spec *spec, uint8_t protocol, const uint8_t addresses[2][16])
{
	uint32_t l3, header = IPV4_BYTES + spec->ip_options_bytes;

	if (spec->ip_options_bytes % 4 || spec->ip_options_bytes > 40)
		refuse("IPv4 options must be a multiple of 4, 40 at most");
	append_ethernet(frame, spec, 0x0800);
	l3 = frame->l3;
	append_zeros(frame, IPV4_BYTES);
	append(frame, spec->ip_options, spec->ip_options_bytes);
	frame->bytes[l3] = (uint8_t)(0x40 | header / 4);
	memcpy(frame->bytes + l3 + 12, addresses[0], 4);
	memcpy(frame->bytes + l3 + 16, addresses[1], 4);
	append_transport(frame, spec, protocol);
	cut_fragment(frame, l3 + header, spec->fragment_offset, spec->fragment_bytes);
	frame_put_u16(frame, l3 + 2, (uint16_t)(frame->n - l3));
	frame_put_u16(frame, l3 + 4, (uint16_t)spec->fragment_id);
	frame_put_u16(
		frame, l3 + 6, (uint16_t)(spec->fragment_offset / 8 | (spec->more_fragments ? 0x2000 : 0)));
	frame->bytes[l3 + 8] = spec->ttl ? spec->ttl : 64;
	frame->bytes[l3 + 9] = protocol;
	ipv4_checksum(frame);
}

/* *next: the place of the byte that names the header appended now. */
static void append_extension(struct frame *frame, const struct frame_extension *extension, uint32_t *next)
{
	uint32_t start = frame->n, bytes = (extension->units + 1u) * 8;

	if (extension->type == AUTHENTICATION)
		bytes = (extension->units + 2u) * 4;
	if (extension->body_bytes + 2u > bytes)
		refuse("an extension header's body is longer than its length");
	append_zeros(frame, bytes);
	frame->bytes[start + 1] = extension->units;
	if (extension->body_bytes)
		memcpy(frame->bytes + start + 2, extension->body, extension->body_bytes);
	frame->bytes[*next] = extension->type;
	*next = start;
}

static void make_ipv6(
	struct frame *frame, const struct frame_spec *spec, uint8_t protocol, const uint8_t addresses[2][16])
{
	bool fragment = spec->fragment_header || spec->more_fragments || spec->fragment_offset;
	uint32_t l3, next, fragmentable;

	append_ethernet(frame, spec, 0x86dd);
	l3 = frame->l3;
	append_zeros(frame, IPV6_BYTES);
	frame->bytes[l3] = 0x60;
	frame->bytes[l3 + 7] = spec->ttl ? spec->ttl : 64;
	memcpy(frame->bytes + l3 + 8, addresses[0], 16);
	memcpy(frame->bytes + l3 + 24, addresses[1], 16);
	next = l3 + 6;
	fragmentable = frame->n;
	for (unsigned i = 0; i <= spec->n_extensions; i++) {
		if (fragment && i == spec->extensions_before_fragment) {
			frame->fragment = frame->n;
			append_extension(frame, &(struct frame_extension){.type = FRAGMENT}, &next);
			frame_put_u16(frame, frame->fragment + 2,
				(uint16_t)(spec->fragment_offset | (spec->more_fragments ? 1 : 0)));
			frame_put_u32(frame, frame->fragment + 4, spec->fragment_id);
			fragmentable = frame->n;
		}
		if (i < spec->n_extensions)
			append_extension(frame, &spec->extensions[i], &next);
	}
	frame->bytes[next] = protocol;
	append_transport(frame, spec, protocol);
	if (fragment)
		cut_fragment(frame, fragmentable, spec->fragment_offset, spec->fragment_bytes);
	frame_put_u16(frame, l3 + 4, (uint16_t)(frame->n - l3 - IPV6_BYTES));
}

void frame_make(const struct frame_spec *spec, struct frame *ret_frame)
{
	const char *source = spec->source ? spec->source : "192.0.2.1";
	const char *destination = spec->destination ? spec->destination : "198.51.100.1";
	uint8_t addresses[2][16], protocol = spec->protocol ? spec->protocol : TCP;
	int family = strchr(source, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, source, addresses[0]) != 1 || inet_pton(family, destination, addresses[1]) != 1)
		refuse("an address is wrong, or the families differ");
	if (family == AF_INET6 && protocol == ICMP)
		protocol = ICMPV6;
	memset(ret_frame, 0, sizeof(*ret_frame));
	if (family == AF_INET6)
		make_ipv6(ret_frame, spec, protocol, addresses);
	else
		make_ipv4(ret_frame, spec, protocol, addresses);
	if (ret_frame->n < spec->pad_to_bytes)
		append_zeros(ret_frame, spec->pad_to_bytes - ret_frame->n);
}

void frame_make_arp(const char *sender, const char *target, struct frame *ret_frame)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			     fixed[8] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint8_t addresses[2][4];

	if (inet_pton(AF_INET, sender, addresses[0]) != 1 || inet_pton(AF_INET, target, addresses[1]) != 1)
		refuse("an ARP address is wrong");
	memset(ret_frame, 0, sizeof(*ret_frame));
	append_ethernet(ret_frame, &(struct frame_spec){.destination_mac = broadcast}, 0x0806);
	append(ret_frame, fixed, sizeof(fixed));
	append(ret_frame, ret_frame->bytes + 6, 6);
	append(ret_frame, addresses[0], 4);
	append_zeros(ret_frame, 6);
	append(ret_frame, addresses[1], 4);
	ret_frame->l4 = ret_frame->payload = ret_frame->n;
}
