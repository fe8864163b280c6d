// SPDX-License-Identifier: BSD-3-Clause
/* Cookies of the `reset` challenge (cookie.h). Runs on lcores, once per challenged SYN and once per RST that
 * no flow knows; keeps nothing. Must not say which part of a wrong cookie was wrong.
 */
#include "dataplane/cookie.h"

enum { COOKIE_MAC_BITS = 24, COOKIE_FINGERPRINT_BITS = 8 };

static uint64_t slot_of(uint64_t now_ns)
{
	return now_ns / (UINT64_C(1000000) * COOKIE_SLOT_MS);
}

static uint64_t load_native(const uint8_t *from)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | from[i];
	return value;
}

/* The cookie of a client's packet: addresses and ports as the client sends them, so the SYN and the RST give
 * the same. */
static uint32_t cookie_of(
	const struct hash_key *secret, const struct packet *packet, uint8_t fingerprint, uint64_t slot)
{
	const uint64_t words[] = {
		load_native(packet->source.bytes),
		load_native(packet->source.bytes + 8),
		load_native(packet->destination.bytes),
		load_native(packet->destination.bytes + 8),
		(uint64_t)packet->source_port << 32 | (uint64_t)packet->destination_port << 16 | fingerprint,
		slot,
	};
	uint64_t mac = keyed_mac(secret, words, sizeof(words) / sizeof(words[0]));

	return (uint32_t)(mac >> (64 - COOKIE_MAC_BITS)) << COOKIE_FINGERPRINT_BITS | fingerprint;
}

/* Would the client take it as an acknowledgement of its SYN? RFC 9293 accepts up to SND.NXT, data of a Fast
 * Open SYN included; the sequence number itself is kept out too, because some stacks are lax there. */
static bool cookie_is_acceptable(const struct packet *syn, uint32_t cookie)
{
	return cookie - syn->tcp_sequence <= 1u + syn->payload_bytes;
}

uint32_t cookie_make(const struct hash_key *secret, const struct packet *syn, uint64_t now_ns)
{
	uint64_t slot = slot_of(now_ns);
	uint32_t cookie = cookie_of(secret, syn, syn->tcp_fingerprint, slot);

	/* The last slot's cookie is valid too, only not for as long. */
	if (cookie_is_acceptable(syn, cookie))
		cookie = cookie_of(secret, syn, syn->tcp_fingerprint, slot - 1);
	/* Both: once in 2^43 for a Fast Open SYN of 1460 bytes. Half the number space away is a cookie that
	 * we refuse; the client's next SYN decides. */
	if (cookie_is_acceptable(syn, cookie))
		cookie ^= UINT32_C(1) << 31;
	return cookie;
}

bool cookie_check(
	const struct hash_key secrets[2], const struct packet *rst, uint64_t now_ns, uint8_t *ret_fingerprint)
{
	uint8_t fingerprint = (uint8_t)rst->tcp_sequence;
	uint64_t slot = slot_of(now_ns);

	/* No SYN has fingerprint 0 (packet.h). */
	if (!(rst->tcp_flags & TCP_FLAG_RST) || fingerprint == 0)
		return false;
	/* The secret may have changed at any time, in this slot or in the last. */
	if (rst->tcp_sequence != cookie_of(&secrets[0], rst, fingerprint, slot) &&
		rst->tcp_sequence != cookie_of(&secrets[0], rst, fingerprint, slot - 1) &&
		rst->tcp_sequence != cookie_of(&secrets[1], rst, fingerprint, slot) &&
		rst->tcp_sequence != cookie_of(&secrets[1], rst, fingerprint, slot - 1))
		return false;
	*ret_fingerprint = fingerprint;
	return true;
}
