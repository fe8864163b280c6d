/* SPDX-License-Identifier: BSD-3-Clause
 * What a UDP payload says as QUIC, without any key: headers of version 1 (RFC 9000) and 2 (RFC 9369), of
 * other versions what all of them share (RFC 8999). Pure, any thread, no allocation, never reads past the
 * bytes it is given, looks at no more than QUIC_PACKETS_MAX packets. Fuzzed (tests/fuzz/fuzz_quic.c).
 */
#ifndef WEIR_DATAPLANE_QUIC_H
#define WEIR_DATAPLANE_QUIC_H

#include <stdbool.h>
#include <stdint.h>

#define QUIC_VERSION_1 UINT32_C(1)
#define QUIC_VERSION_2 UINT32_C(0x6b3343cf)

enum {
	QUIC_HEAD_BYTES_MAX = 512, /* two connection ids of 255 bytes would not fit, but such versions are
				      only negotiated */
	QUIC_PACKETS_MAX = 4, /* one of each kind of key: Initial, 0-RTT, Handshake, 1-RTT (RFC 9000 12.2) */
	QUIC_ID_BYTES_MAX = 20,  /* in versions 1 and 2 */
	QUIC_ID_BYTES_PROOF = 8, /* an id that nobody guesses, and the shortest that a client may begin with
				    (RFC 9000 7.2) */
	QUIC_INITIAL_BYTES_MIN = 1200, /* of a datagram that opens a connection (RFC 9000 14.1) */
};

enum quic_kind {
	QUIC_KIND_INITIAL,
	QUIC_KIND_ZERO_RTT,
	QUIC_KIND_HANDSHAKE,
	QUIC_KIND_RETRY,
	QUIC_KIND_NEGOTIATION, /* version 0: only nodes send it */
	QUIC_KIND_OTHER_VERSION,
	QUIC_KIND_SHORT,
	QUIC_KIND_COUNT,
};

struct quic_packet {
	uint8_t kind;   /* enum quic_kind */
	bool fixed_bit; /* clear in anything but a first Initial, where both ends agreed (RFC 9287) */
	uint8_t destination_bytes, source_bytes; /* of the ids; SHORT: what the caller said, and 0 */
	uint16_t offset, destination_offset,
		source_offset; /* from the start of the payload; both ids lie within the head */
	uint32_t version;      /* SHORT: 0 */
	uint32_t token_bytes;  /* of an INITIAL */
};

struct quic_datagram {
	struct quic_packet
		packets[QUIC_PACKETS_MAX]; /* all have the first one's destination id (RFC 9000 12.2) */
	unsigned n;                        /* 1..QUIC_PACKETS_MAX */
};

/** Parse a datagram's payload of datagram_bytes, whose first head_bytes are at `head`: at least the first
 * min(datagram_bytes, QUIC_HEAD_BYTES_MAX), or what a header needs beyond them counts as malformed.
 * `short_id_bytes`: length of the destination id in a short header, which does not say it,
 * 0..QUIC_ID_BYTES_MAX. False: the first packet is not QUIC, and *ret_datagram is untouched. Later packets
 * that are not are left out, as a receiver would do. */
bool quic_parse(const uint8_t *head, uint32_t head_bytes, uint32_t datagram_bytes, uint8_t short_id_bytes,
	struct quic_datagram *ret_datagram);
/** The first packet of this kind, or NULL. */
const struct quic_packet *quic_find(const struct quic_datagram *datagram, enum quic_kind kind);
/** All bytes of an id of at least QUIC_ID_BYTES_PROOF, folded into 64 bits, else 0: what nothing is proven by. Not only the first bytes: nodes
 * behind a balancer put a route there, which all their connections share. */
uint64_t quic_id(const uint8_t *head, uint16_t offset, uint8_t bytes);

static inline bool quic_is_long(const struct quic_packet *packet)
{
	return packet->kind != QUIC_KIND_SHORT;
}

#endif
