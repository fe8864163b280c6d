/* SPDX-License-Identifier: BSD-3-Clause
 * What a cookie's MAC is taken over, for the two files that make cookies: cookie.c (one) and cookie_burst.c (a burst's). Nobody else
 * includes this. Pure.
 */
#ifndef WEIR_DATAPLANE_COOKIE_PRIVATE_H
#define WEIR_DATAPLANE_COOKIE_PRIVATE_H

#include <endian.h>
#include <string.h>

#include "dataplane/cookie.h"

enum { COOKIE_MAC_BITS = 24, COOKIE_DATA_BITS = 8, COOKIE_WORDS_V4 = 3, COOKIE_WORDS_V6 = 6 };

/* So that a cookie of one kind is never taken for the other's. */
enum cookie_kind { COOKIE_KIND_RESET = 1, COOKIE_KIND_PROXY = 2 };

static inline const struct hash_key *cookie_secret_of(const struct cookie_secrets *secrets, uint64_t slot)
{
	return &secrets->keys[slot / COOKIE_EPOCH_SLOTS % 2];
}

static inline uint64_t cookie_load(const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return be64toh(word);
}

/* Word i is written to words[i * stride]. Addresses and ports as the client sends them, so the SYN and its answer give the same. An
 * IPv4 address is 4 bytes of the 16: fewer words to hash. Returns how many words. */
static inline unsigned cookie_words(const struct packet *packet, enum cookie_kind kind, uint32_t sequence, uint8_t data,
	uint64_t slot, uint64_t *words, unsigned stride)
{
	words[0] = (uint64_t)packet->source_port << 48 | (uint64_t)packet->destination_port << 32 | sequence;
	words[stride] = slot << 16 | (uint64_t)kind << 8 | data;
	if (packet->family == 4) {
		words[2 * stride] = (uint64_t)address_v4(&packet->source) << 32 | address_v4(&packet->destination);
		return COOKIE_WORDS_V4;
	}
	words[2 * stride] = cookie_load(packet->source.bytes);
	words[3 * stride] = cookie_load(packet->source.bytes + 8);
	words[4 * stride] = cookie_load(packet->destination.bytes);
	words[5 * stride] = cookie_load(packet->destination.bytes + 8);
	return COOKIE_WORDS_V6;
}

static inline uint32_t cookie_from_mac(uint64_t mac, uint8_t data)
{
	return (uint32_t)(mac >> (64 - COOKIE_MAC_BITS)) << COOKIE_DATA_BITS | data;
}

#endif
