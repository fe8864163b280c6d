/* SPDX-License-Identifier: BSD-3-Clause
 * Reading captures by libpcap. See replay_capture.h.
 */
#include "tools/replay_capture.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ETHERNET_BYTES = 14,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	/* The longest IPv4 headers: 60 bytes of IP and 60 of TCP, or of what an ICMP error quotes. */
	FAMILY_WORD_BYTES = 4,
};

struct capture {
	pcap_t *pcap;
	int link;
	uint64_t n;
	uint8_t frame[CAPTURE_FRAME_BYTES_MAX];
};

static bool link_is_known(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_NULL:
	case DLT_LOOP:
		return true;
	default:
		return false;
	}
}

int capture_open(const char *path, struct capture **ret_capture, char sentence[CAPTURE_SENTENCE_MAX])
{
	char why[PCAP_ERRBUF_SIZE] = "";
	struct capture *capture = calloc(1, sizeof(*capture));
	const char *name;

	if (!capture) {
		snprintf(sentence, CAPTURE_SENTENCE_MAX, "out of memory");
		return -ENOMEM;
	}
	capture->pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!capture->pcap) {
		/* libpcap puts the path in front of the sentences about opening, not of those about the
		 * contents. */
		bool named = strncmp(why, path, strlen(path)) == 0;
		snprintf(sentence, CAPTURE_SENTENCE_MAX, "%s%s%s", named ? "" : path,
			named ? "" : ": not a capture that can be read: ", why);
		free(capture);
		return -EINVAL;
	}
	capture->link = pcap_datalink(capture->pcap);
	if (!link_is_known(capture->link)) {
		name = pcap_datalink_val_to_name(capture->link);
		snprintf(sentence, CAPTURE_SENTENCE_MAX,
			"%s: link type %s (%d) is not supported (allowed: EN10MB, LINUX_SLL, LINUX_SLL2, "
			"RAW, IPV4, IPV6, NULL, LOOP)",
			path, name ? name : "unknown", capture->link);
		capture_close(capture);
		return -EINVAL;
	}
	*ret_capture = capture;
	return 0;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	pcap_close(capture->pcap);
	free(capture);
}

/* How many bytes of link header to take away, the protocol behind it and the sender's MAC when the header has
 * one. */
static uint32_t link_read(const struct capture *capture, const uint8_t *bytes, uint32_t captured,
	uint16_t *ret_type, uint8_t source[6])
{
	uint32_t skip = 0;
	uint8_t version;

	if (capture->link == DLT_LINUX_SLL && captured >= SLL_HDR_LEN) {
		*ret_type = (uint16_t)(bytes[14] << 8 | bytes[15]);
		if (bytes[4] == 0 && bytes[5] == 6)
			memcpy(source, bytes + 6, 6);
		return SLL_HDR_LEN;
	}
	if (capture->link == DLT_LINUX_SLL2 && captured >= SLL2_HDR_LEN) {
		*ret_type = (uint16_t)(bytes[0] << 8 | bytes[1]);
		if (bytes[11] == 6)
			memcpy(source, bytes + 12, 6);
		return SLL2_HDR_LEN;
	}
	if (capture->link == DLT_NULL || capture->link == DLT_LOOP)
		skip = FAMILY_WORD_BYTES;
	if (captured < skip + 1)
		return UINT32_MAX;
	version = bytes[skip] >> 4;
	*ret_type = version == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
	return skip;
}

/* An Ethernet header of our own. The sender's MAC must be a unicast one: the packet is not to blame for a
 * cooked capture. */
static uint32_t ethernet_make(
	const struct capture *capture, const uint8_t *bytes, uint32_t captured, uint8_t out[ETHERNET_BYTES])
{
	static const uint8_t us[6] = {2, 0, 0, 0, 0, 1}, them[6] = {2, 0, 0, 0, 0, 2}, zero[6];
	uint8_t source[6] = {2, 0, 0, 0, 0, 2};
	uint16_t type = 0;
	uint32_t skip = link_read(capture, bytes, captured, &type, source);

	if (skip == UINT32_MAX)
		return skip;
	if ((source[0] & 1) || memcmp(source, zero, 6) == 0)
		memcpy(source, them, 6);
	memcpy(out, us, 6);
	memcpy(out + 6, source, 6);
	out[12] = (uint8_t)(type >> 8);
	out[13] = (uint8_t)type;
	return skip;
}

int capture_next(
	struct capture *capture, struct capture_frame *ret_frame, char sentence[CAPTURE_SENTENCE_MAX])
{
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	uint32_t captured, wire, skip = 0, room = CAPTURE_FRAME_BYTES_MAX, put = 0;
	int rc = pcap_next_ex(capture->pcap, &header, &bytes);

	if (rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc != 1) {
		snprintf(sentence, CAPTURE_SENTENCE_MAX,
			"the capture ends or is damaged after packet %" PRIu64 ": %s", capture->n,
			pcap_geterr(capture->pcap));
		return -EINVAL;
	}
	capture->n++;
	captured = header->caplen;
	wire = header->len > captured ? header->len : captured;
	if (capture->link != DLT_EN10MB) {
		skip = ethernet_make(capture, bytes, captured, capture->frame);
		put = ETHERNET_BYTES;
		/* Less than a link header: an empty frame of which nothing was captured. */
		if (skip == UINT32_MAX || skip > captured)
			skip = captured;
	}
	captured -= skip;
	wire -= skip;
	if (wire > room - put)
		wire = room - put;
	if (captured > wire)
		captured = wire;
	memcpy(capture->frame + put, bytes + skip, captured);
	memset(capture->frame + put + captured, 0, wire - captured);
	ret_frame->bytes = capture->frame;
	ret_frame->captured_bytes = put + captured;
	ret_frame->wire_bytes = put + wire;
	/* With nanosecond precision libpcap keeps nanoseconds in tv_usec. */
	ret_frame->time_ns = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec;
	return 1;
}

/* Bytes of the transport header, or as much of it as is captured. */
static uint32_t transport_bytes(uint8_t protocol, const uint8_t *at, uint32_t bytes)
{
	switch (protocol) {
	case 6:
		return bytes > 12 ? (uint32_t)(at[12] >> 4) * 4 : UINT32_MAX;
	case 1:
	case 58:
		/* The header, and in an error the quoted IP header with its options and eight bytes. */
		return 8 + 60 + 8;
	default:
		return 8;
	}
}

bool capture_has_headers(const struct capture_frame *frame)
{
	const uint8_t *bytes = frame->bytes;
	uint32_t n = frame->captured_bytes, at = 12;
	uint64_t end;
	uint16_t type = 0;

	if (n >= frame->wire_bytes)
		return true;
	for (unsigned tags = 0; at + 2 <= n && tags < 4; tags++, at += 4) {
		type = (uint16_t)(bytes[at] << 8 | bytes[at + 1]);
		if (type != 0x8100 && type != 0x88a8)
			break;
	}
	at += 2;
	if (type == ETHERTYPE_IPV4 && at + 20 <= n) {
		uint32_t header = (uint32_t)(bytes[at] & 15) * 4;
		end = (uint64_t)at + header;
		/* A wrong header length or a later fragment: the IP header is all there is. */
		if (header < 20 || (bytes[at + 6] & 0x1f) || bytes[at + 7])
			return end <= n;
		return end <= n && end + transport_bytes(bytes[at + 9], bytes + end, n - (uint32_t)end) <= n;
	}
	if (type == ETHERTYPE_IPV6 && at + 40 <= n) {
		uint8_t next = bytes[at + 6];
		end = (uint64_t)at + 40;
		/* Extension headers may go on for as long as the parser looks (PACKET_HEADER_BYTES_MAX). */
		if (next != 6 && next != 17 && next != 58)
			return n >= 512;
		return end + transport_bytes(next, bytes + end, n - (uint32_t)end) <= n;
	}
	return false;
}
