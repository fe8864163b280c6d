// SPDX-License-Identifier: BSD-3-Clause
/* The cookie's SYN-ACK written over the SYN that it answers (reply.h): a flood is answered once a packet, so nothing is
 * copied that may stay and nothing is summed that is known. Runs on lcores; pure. Must write byte for byte what
 * reply_syn_ack builds, which it leaves to do what is rare.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dataplane/packet_checksum.h"
#include "dataplane/packet_private.h"
#include "dataplane/reply.h"

enum {
	OVER_TTL = 64,
	OVER_DO_NOT_FRAGMENT = 0x4000, /* with it the id may be 0 (RFC 6864 4.1) */
	OVER_OPTION_WORDS_MAX = 3,
};

/* Words of 32 bits as they lie in memory. */
struct option_words {
	uint32_t words[OVER_OPTION_WORDS_MAX];
	uint32_t n;
};

static inline struct option_words option_words_of(const struct reply_options *options)
{
	struct option_words result = {.n = 0};
	uint32_t scale = UINT32_C(0x03030000) | (uint32_t)options->window_scale << 8 | 1;

	if (options->mss)
		result.words[result.n++] = htonl(UINT32_C(0x02040000) | options->mss);
	if (options->sack_permitted && options->has_window_scale) {
		result.words[result.n++] = htonl(UINT32_C(0x04020303));
		result.words[result.n++] = htonl((uint32_t)options->window_scale << 24 | UINT32_C(0x00010101));
	} else if (options->sack_permitted) {
		result.words[result.n++] = htonl(UINT32_C(0x04020101));
	} else if (options->has_window_scale) {
		result.words[result.n++] = htonl(scale);
	}
	return result;
}

static inline uint32_t load_word(const uint8_t *from)
{
	uint32_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

static inline void store_word(uint8_t *to, uint32_t word)
{
	memcpy(to, &word, sizeof(word));
}

static inline void store_sum(uint8_t *to, uint64_t sum)
{
	uint16_t checksum = (uint16_t)~packet_checksum_fold(sum);

	memcpy(to, &checksum, sizeof(checksum));
}

static inline void macs_swap(uint8_t *frame)
{
	uint8_t destination[6];

	memcpy(destination, frame, sizeof(destination));
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, destination, sizeof(destination));
}

/* Returns the sum of both addresses, which do not change it by changing places. */
static inline uint64_t ipv4_over(uint8_t *ip, uint32_t tcp_bytes)
{
	uint32_t source = load_word(ip + 12), destination = load_word(ip + 16);
	uint32_t first = htonl(UINT32_C(0x45000000) | (IPV4_HEADER_BYTES + tcp_bytes));
	uint32_t second = htonl(OVER_DO_NOT_FRAGMENT), third = htonl(OVER_TTL << 24 | IP_PROTOCOL_TCP << 16);
	uint64_t ends = (uint64_t)source + destination;

	store_word(ip, first);
	store_word(ip + 4, second);
	store_word(ip + 8, third);
	store_word(ip + 12, destination);
	store_word(ip + 16, source);
	store_sum(ip + 10, ends + first + second + third);
	return ends;
}

static inline uint64_t ipv6_over(uint8_t *ip, uint32_t tcp_bytes)
{
	uint64_t ends = packet_checksum_add_scalar(0, ip + 8, 32);
	uint8_t source[16];

	memcpy(source, ip + 8, sizeof(source));
	store_word(ip, htonl(UINT32_C(6) << 28));
	store_word(ip + 4, htonl(tcp_bytes << 16 | IP_PROTOCOL_TCP << 8 | OVER_TTL));
	memcpy(ip + 8, ip + 24, 16);
	memcpy(ip + 24, source, sizeof(source));
	return ends;
}

/* `ends`: sum of the addresses. */
static inline void tcp_over(uint8_t *tcp, uint64_t ends, const struct reply_segment *segment,
	const struct option_words *options, uint32_t bytes)
{
	uint32_t ports = load_word(tcp), sequence = htonl(segment->sequence);
	uint32_t acknowledgement = htonl(segment->acknowledgement);
	uint32_t rest = htonl(bytes / 4 << 28 | (TCP_FLAG_SYN | TCP_FLAG_ACK) << 16 | segment->window);
	uint64_t sum = ends + htonl(bytes) + htonl(IP_PROTOCOL_TCP) + ports + sequence + acknowledgement + rest;

	store_word(tcp, ports << 16 | ports >> 16);
	store_word(tcp + 4, sequence);
	store_word(tcp + 8, acknowledgement);
	store_word(tcp + 12, rest);
	store_word(tcp + 16, 0);
	for (uint32_t i = 0; i < options->n; i++) {
		store_word(tcp + TCP_HEADER_BYTES + 4 * i, options->words[i]);
		sum += options->words[i];
	}
	store_sum(tcp + 16, sum);
}

/* IP header without options, in layer 2 of one sender, for one receiver; nothing must be left away. */
static inline bool is_plain(const uint8_t *frame, const struct packet *packet, uint32_t reply_bytes)
{
	uint32_t ip_bytes = (uint32_t)packet->l4_offset - packet->l3_offset;

	if (packet->kind != PACKET_KIND_TCP || packet->fragment_offset_bytes != 0 || (frame[0] & 1))
		return false;
	if (packet->family == 4 ? ip_bytes != IPV4_HEADER_BYTES || packet->destination.bytes[12] >= 224
				: ip_bytes != IPV6_HEADER_BYTES || packet->destination.bytes[0] == 0xff)
		return false;
	return ip_bytes + reply_bytes <= packet->l3_bytes;
}

unsigned reply_syn_ack_over(uint8_t *frame, const struct packet *packet, const struct reply_segment *segment)
{
	struct option_words options = option_words_of(&segment->options);
	uint32_t bytes = TCP_HEADER_BYTES + 4 * options.n;
	uint8_t *ip = frame + packet->l3_offset;
	uint64_t ends;

	if (__builtin_expect(!is_plain(frame, packet, bytes), 0)) {
		uint8_t built[REPLY_BYTES_MAX];
		unsigned n = reply_syn_ack(frame, packet, segment, built);

		memcpy(frame, built, n);
		return n;
	}
	macs_swap(frame);
	ends = packet->family == 4 ? ipv4_over(ip, bytes) : ipv6_over(ip, bytes);
	tcp_over(frame + packet->l4_offset, ends, segment, &options, bytes);
	return packet->l4_offset + bytes;
}
