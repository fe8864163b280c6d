// SPDX-License-Identifier: BSD-3-Clause
/* Cookies of both challenges (cookie.h). Runs on lcores, once per challenged SYN and once per RST or ACK that
 * no flow knows; keeps nothing. Must not say which part of a wrong cookie was wrong.
 */
#include "dataplane/cookie.h"

#include <stddef.h>

#include "dataplane/cookie_private.h"

uint64_t cookie_slot_of(uint64_t clock_ns)
{
	return clock_ns / (UINT64_C(1000000) * COOKIE_SLOT_MS);
}

uint64_t cookie_epoch_of(uint64_t clock_ns)
{
	return cookie_slot_of(clock_ns) / COOKIE_EPOCH_SLOTS;
}

struct hash_key cookie_epoch_key(const struct hash_key *master, uint64_t epoch)
{
	const uint64_t first[] = {epoch, 0}, second[] = {epoch, 1};

	return (struct hash_key){keyed_mac(master, first, 2), keyed_mac(master, second, 2)};
}

static uint32_t cookie_of(const struct cookie_secrets *secrets, const struct packet *packet, enum cookie_kind kind,
	uint32_t sequence, uint8_t data, uint64_t slot)
{
	uint64_t words[COOKIE_WORDS_V6];
	unsigned n = cookie_words(packet, kind, sequence, data, slot, words, 1);

	return cookie_from_mac(keyed_mac(cookie_secret_of(secrets, slot), words, n), data);
}

/* Would the client take it as an acknowledgement of its SYN? RFC 9293 accepts up to SND.NXT, data of a Fast
 * Open SYN included; the sequence number itself is kept out too, because some stacks are lax there. */
static bool cookie_is_acceptable(const struct packet *syn, uint32_t cookie)
{
	return cookie - syn->tcp_sequence <= 1u + syn->payload_bytes;
}

uint32_t cookie_make(const struct cookie_secrets *secrets, const struct packet *syn, uint64_t clock_ns)
{
	uint64_t slot = cookie_slot_of(clock_ns);
	uint32_t cookie = cookie_of(secrets, syn, COOKIE_KIND_RESET, 0, syn->tcp_fingerprint, slot);

	/* The last slot's cookie is valid too, only not for as long. */
	if (cookie_is_acceptable(syn, cookie))
		cookie = cookie_of(secrets, syn, COOKIE_KIND_RESET, 0, syn->tcp_fingerprint, slot - 1);
	/* Both: once in 2^43 for a Fast Open SYN of 1460 bytes. Half the number space away is a cookie that
	 * we refuse; the client's next SYN decides. */
	if (cookie_is_acceptable(syn, cookie))
		cookie ^= UINT32_C(1) << 31;
	return cookie;
}

bool cookie_check(const struct cookie_secrets *secrets, const struct packet *rst, uint64_t clock_ns,
	uint8_t *ret_fingerprint)
{
	uint8_t fingerprint = (uint8_t)rst->tcp_sequence;
	uint64_t slot = cookie_slot_of(clock_ns);

	/* No SYN has fingerprint 0 (packet.h). */
	if (!(rst->tcp_flags & TCP_FLAG_RST) || fingerprint == 0)
		return false;
	if (rst->tcp_sequence != cookie_of(secrets, rst, COOKIE_KIND_RESET, 0, fingerprint, slot) &&
		rst->tcp_sequence != cookie_of(secrets, rst, COOKIE_KIND_RESET, 0, fingerprint, slot - 1))
		return false;
	*ret_fingerprint = fingerprint;
	return true;
}

/* What hosts really announce: the protocol's least, IPv6's least MTU and tunnels, common access networks,
 * Ethernet, veth under XDP (3,506), jumbo frames. A client between two of them is told of the smaller, which
 * costs it at most 11 % of a segment from 1,220 to 1,460; below that, which only IPv4's rarest links are, up to half. */
static const uint16_t mss_classes[2][COOKIE_MSS_CLASSES] = {
	{536, 1220, 1360, 1400, 1440, 1460, 3400, 8960},
	{536, 1220, 1340, 1380, 1420, 1440, 3380, 8940},
};

static const uint16_t *classes_of(uint8_t family)
{
	return mss_classes[family == 6];
}

int cookie_mss_class_of(uint8_t family, uint16_t mss)
{
	const uint16_t *classes = classes_of(family);
	int class = COOKIE_MSS_CLASSES - 1;

	/* RFC 9293 3.7.1: 536 where IPv4 announces none, 1220 for IPv6. */
	if (mss == 0)
		return family == 6 ? 1 : 0;
	while (class >= 0 && classes[class] > mss)
		class--;
	return class;
}

uint16_t cookie_mss_of_class(uint8_t family, uint8_t mss_class)
{
	return classes_of(family)[mss_class % COOKIE_MSS_CLASSES];
}

uint8_t cookie_options_pack(const struct cookie_options *options)
{
	return (uint8_t)(options->mss_class << 5 | (options->sack ? 1u << 4 : 0u) | options->window_scale);
}

struct cookie_options cookie_options_unpack(uint8_t packed)
{
	return (struct cookie_options){
		.mss_class = packed >> 5, .sack = (packed >> 4 & 1) != 0, .window_scale = packed & 15};
}

uint32_t cookie_proxy_make(
	const struct cookie_secrets *secrets, const struct packet *syn, uint8_t packed, uint64_t clock_ns)
{
	return cookie_of(secrets, syn, COOKIE_KIND_PROXY, syn->tcp_sequence, packed, cookie_slot_of(clock_ns));
}

bool cookie_proxy_check(const struct cookie_secrets *secrets, const struct packet *ack, uint64_t clock_ns,
	struct cookie_proof *ret_proof)
{
	uint32_t cookie = ack->tcp_acknowledgement - 1;
	uint64_t slot = cookie_slot_of(clock_ns);

	if ((ack->tcp_flags & (TCP_FLAG_ACK | TCP_FLAG_SYN | TCP_FLAG_RST)) != TCP_FLAG_ACK)
		return false;
	for (unsigned guess = 0; guess < 4; guess++) {
		/* First what nearly all are: this slot, the sequence number after the SYN's. */
		uint32_t sequence = ack->tcp_sequence - (guess & 2 ? 0 : 1);
		uint64_t age = guess & 1;

		if (cookie_of(secrets, ack, COOKIE_KIND_PROXY, sequence, (uint8_t)cookie, slot - age) != cookie)
			continue;
		*ret_proof = (struct cookie_proof){
			.cookie = cookie, .client_sequence = sequence, .packed = (uint8_t)cookie, .last_slot = age != 0};
		return true;
	}
	return false;
}

uint8_t cookie_fingerprint(uint8_t packed, uint8_t ttl)
{
	/* Hosts start at 32, 64, 128 or 255, and paths are shorter than 32 hops. */
	uint32_t ttl_class = ttl <= 32 ? 0 : ttl <= 64 ? 1 : ttl <= 128 ? 2 : 3;
	uint64_t hash = (uint64_t)packed << 8 | ttl_class;

	/* Fibonacci hashing; the top bits depend on all others. 255 values, from 1. */
	hash = (hash ^ hash >> 29) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint8_t)(1 + (hash >> 32) % 255);
}
