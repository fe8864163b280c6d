/* SPDX-License-Identifier: BSD-3-Clause
 * Cookies of the `reset` challenge. The SYN-ACK's acknowledgement number is {24 bits of MAC, 8 bits of the
 * SYN's fingerprint}; the client's RST carries it back. MAC = SipHash-2-4 over addresses, ports, time slot
 * and fingerprint: 24 bits, of which four values are accepted (below): a blind guess succeeds once in 2^22, as
 * design.md asks. Stateless, pure; secrets and time are arguments.
 */
#ifndef WEIR_DATAPLANE_COOKIE_H
#define WEIR_DATAPLANE_COOKIE_H

#include "dataplane/keyed_hash.h"
#include "dataplane/packet.h"

/* Two slots are accepted: 32 to 64 s, more than any client waits between SYN and RST. */
enum { COOKIE_SLOT_MS = 32000 };

/** The acknowledgement number that challenges this SYN. Never equals the SYN's sequence + 1 nor + 0, so that
 * every stack finds it unacceptable. */
uint32_t cookie_make(const struct hash_key *secret, const struct packet *syn, uint64_t now_ns);
/** `rst` is a RST from the client: is its sequence number a cookie of ours? Accepted: either secret
 * (current, previous) in this slot and the last; ret_fingerprint then is the SYN's. */
bool cookie_check(const struct hash_key secrets[2], const struct packet *rst, uint64_t now_ns,
	uint8_t *ret_fingerprint);

#endif
