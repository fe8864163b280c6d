/* SPDX-License-Identifier: BSD-3-Clause
 * Cookies: what a challenge asks a client to send back, so that nothing need be remembered meanwhile. Two
 * kinds, one MAC: SipHash-2-4 over addresses, ports, time slot, the 8 bits that the cookie carries and, for
 * the proxy, the client's initial sequence number.
 *   reset: the SYN-ACK's acknowledgement = {24 bits of MAC, 8 bits of the SYN's fingerprint}; the RST carries it.
 *   proxy: the SYN-ACK's sequence number = {24 bits of MAC, 8 bits of options agreed on}; the ACK carries it + 1.
 * A secret belongs to an epoch of slots, so a slot has one secret. Accepted are this slot and the last; for the proxy
 * two sequence numbers as well: a blind guess succeeds once in 2^23 (reset) or 2^22 (proxy), as design.md asks.
 * Stateless, pure; secrets and time are arguments. The clock is that of everybody who shares the secret.
 */
#ifndef WEIR_DATAPLANE_COOKIE_H
#define WEIR_DATAPLANE_COOKIE_H

#include "dataplane/keyed_hash.h"
#include "dataplane/packet.h"

/* Two slots are accepted: 32 to 64 s, more than any client waits between SYN and RST, and longer than the
 * zero-window probes that stand in for a lost ACK (0.2 to 25.5 s for the first seven of Linux). */
enum {
	COOKIE_SLOT_MS = 32000,
	/* A secret makes cookies for 32 slots (17 min) and is accepted one slot longer. */
	COOKIE_EPOCH_SLOTS = 32,
	COOKIE_MSS_CLASSES = 8,
	COOKIE_SCALE_NONE = 15,
};

/** A slot's key is keys[epoch % 2]. */
struct cookie_secrets {
	struct hash_key keys[2];
};

/** Epoch and slot of a time. */
uint64_t cookie_epoch_of(uint64_t clock_ns);
uint64_t cookie_slot_of(uint64_t clock_ns);
/** The key of an epoch, from a master key that several governors may share. */
struct hash_key cookie_epoch_key(const struct hash_key *master, uint64_t epoch);

/** reset: the acknowledgement number that challenges this SYN. Never equals the SYN's sequence + 1 nor + 0,
 * so that every stack finds it unacceptable. */
uint32_t cookie_make(const struct cookie_secrets *secrets, const struct packet *syn, uint64_t clock_ns);
/** reset: `rst` is a RST from the client: is its sequence number a cookie of ours? ret_fingerprint then is the SYN's. */
bool cookie_check(const struct cookie_secrets *secrets, const struct packet *rst, uint64_t clock_ns, uint8_t *ret_fingerprint);

/** What the SYN and its cookie SYN-ACK agreed on. */
struct cookie_options {
	uint8_t mss_class;    /* 0..7: the largest class that is not above the client's MSS */
	uint8_t window_scale; /* the client's, 0..14; COOKIE_SCALE_NONE: one side offered none */
	bool sack;            /* both sides offered it */
};
/** The window scale of a SYN as a cookie carries it: RFC 7323 2.3 takes what is above 14 for 14. */
static inline uint8_t cookie_scale_of(const struct packet *syn)
{
	if (syn->tcp_window_scale == PACKET_WINDOW_SCALE_ABSENT)
		return COOKIE_SCALE_NONE;
	return syn->tcp_window_scale < 14 ? syn->tcp_window_scale : 14;
}
uint8_t cookie_options_pack(const struct cookie_options *options);
struct cookie_options cookie_options_unpack(uint8_t packed);
/** Class of a SYN's MSS; `mss` 0: absent, the protocol's default (536, IPv6 1220). -1: below the smallest class, 536: this SYN cannot be
 * remembered in a cookie. family 4 or 6. */
int cookie_mss_class_of(uint8_t family, uint16_t mss);
/** The MSS that a class stands for. */
uint16_t cookie_mss_of_class(uint8_t family, uint8_t mss_class);

/** proxy: the sequence number of the SYN-ACK that challenges this SYN. */
uint32_t cookie_proxy_make(const struct cookie_secrets *secrets, const struct packet *syn, uint8_t packed, uint64_t clock_ns);

struct cookie_proof {
	uint32_t cookie;          /* our initial sequence number towards the client */
	uint32_t client_sequence; /* the client's initial sequence number */
	uint8_t packed;           /* cookie_options_unpack */
	bool last_slot;           /* made in the slot before this one */
};
/** proxy: does this segment acknowledge a cookie of ours? Its sequence number is the one after the client's SYN, or the SYN's own (a
 * zero-window probe). SYN and RST never do. */
bool cookie_proxy_check(const struct cookie_secrets *secrets, const struct packet *ack, uint64_t clock_ns, struct cookie_proof *ret_proof);

/** The fingerprint that packet_parse gives a SYN of this MSS class, window scale and SACK, from an initial TTL of this class: all that is
 * known of a SYN when only its cookie comes back. Never 0. */
uint8_t cookie_fingerprint(uint8_t packed, uint8_t ttl);

#endif
