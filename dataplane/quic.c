// SPDX-License-Identifier: BSD-3-Clause
/* Headers of QUIC packets (quic.h). Pure functions, any thread. Nothing is decrypted: what header protection
 * hides, packet numbers and their lengths, is not looked at.
 */
#include "dataplane/quic.h"

#include <string.h>

enum {
	LONG_FORM = 0x80,
	FIXED_BIT = 0x40,
	LONG_HEADER_BYTES = 6, /* first byte, version and the length of the destination id */
	RETRY_TAG_BYTES = 16,
	/* Behind the length of a long header, and behind the id of a short one: packet number and payload
	 * fill at least 4 bytes and end with a tag of 16 (RFC 9001 5.4.2). Stateless resets, which have no
	 * number, are as long (RFC 9000 10.3). */
	PROTECTED_BYTES_MIN = 20,
};

/* What is left of a datagram. `head` is what can be read of it. */
struct cursor {
	const uint8_t *head;
	uint32_t head_bytes, datagram_bytes, at;
};

static bool read_bytes(struct cursor *cursor, uint32_t bytes, uint16_t *ret_offset)
{
	if (bytes > cursor->head_bytes - cursor->at)
		return false;
	*ret_offset = (uint16_t)cursor->at;
	cursor->at += bytes;
	return true;
}

static bool read_byte(struct cursor *cursor, uint8_t *ret_byte)
{
	uint16_t offset;

	if (!read_bytes(cursor, 1, &offset))
		return false;
	*ret_byte = cursor->head[offset];
	return true;
}

/* RFC 9000 16: the top two bits say how many bytes. */
static bool read_varint(struct cursor *cursor, uint64_t *ret_value)
{
	uint16_t offset;
	uint8_t first;
	uint64_t value;
	uint32_t more;

	if (!read_byte(cursor, &first))
		return false;
	more = (1u << (first >> 6)) - 1;
	value = first & 0x3f;
	if (!read_bytes(cursor, more, &offset))
		return false;
	for (uint32_t i = 0; i < more; i++)
		value = value << 8 | cursor->head[offset + i];
	*ret_value = value;
	return true;
}

static bool read_version(struct cursor *cursor, uint32_t *ret_version)
{
	uint16_t offset;

	if (!read_bytes(cursor, 4, &offset))
		return false;
	*ret_version = (uint32_t)cursor->head[offset] << 24 | (uint32_t)cursor->head[offset + 1] << 16 |
		       (uint32_t)cursor->head[offset + 2] << 8 | cursor->head[offset + 3];
	return true;
}

static bool read_id(struct cursor *cursor, uint8_t *ret_bytes, uint16_t *ret_offset)
{
	return read_byte(cursor, ret_bytes) && read_bytes(cursor, *ret_bytes, ret_offset);
}

static enum quic_kind kind_of(uint32_t version, uint8_t first)
{
	static const enum quic_kind kinds_1[] = {
		QUIC_KIND_INITIAL, QUIC_KIND_ZERO_RTT, QUIC_KIND_HANDSHAKE, QUIC_KIND_RETRY};
	static const enum quic_kind kinds_2[] = {
		QUIC_KIND_RETRY, QUIC_KIND_INITIAL, QUIC_KIND_ZERO_RTT, QUIC_KIND_HANDSHAKE};
	unsigned type = first >> 4 & 3;

	if (version == 0)
		return QUIC_KIND_NEGOTIATION;
	if (version == QUIC_VERSION_1)
		return kinds_1[type];
	return version == QUIC_VERSION_2 ? kinds_2[type] : QUIC_KIND_OTHER_VERSION;
}

/* The token may end beyond the head: then the packet is the last that is looked at. */
static bool skip_token(struct cursor *cursor, struct quic_packet *packet, bool *ret_is_beyond)
{
	uint64_t bytes;

	if (!read_varint(cursor, &bytes) || bytes > cursor->datagram_bytes - cursor->at)
		return false;
	packet->token_bytes = (uint32_t)bytes;
	*ret_is_beyond =
		bytes >= cursor->head_bytes - cursor->at && cursor->datagram_bytes > cursor->head_bytes;
	cursor->at = *ret_is_beyond ? cursor->datagram_bytes : cursor->at + (uint32_t)bytes;
	return true;
}

/* Behind the ids, in the versions whose rest is known. *cursor ends behind the packet. */
static bool parse_rest(struct cursor *cursor, struct quic_packet *packet)
{
	bool is_beyond = false;
	uint64_t length;

	if (packet->destination_bytes > QUIC_ID_BYTES_MAX || packet->source_bytes > QUIC_ID_BYTES_MAX)
		return false;
	if (packet->kind == QUIC_KIND_RETRY) {
		if (cursor->datagram_bytes - cursor->at < RETRY_TAG_BYTES)
			return false;
		cursor->at = cursor->datagram_bytes;
		return true;
	}
	if (packet->kind == QUIC_KIND_INITIAL && !skip_token(cursor, packet, &is_beyond))
		return false;
	if (is_beyond)
		return true;
	if (!read_varint(cursor, &length) || length < PROTECTED_BYTES_MIN ||
		length > cursor->datagram_bytes - cursor->at)
		return false;
	cursor->at += (uint32_t)length;
	return true;
}

/* RFC 8999: what every version has, then the rest of those that are known. */
static bool parse_long(struct cursor *cursor, struct quic_packet *packet)
{
	uint8_t first;

	if (!read_byte(cursor, &first) || !read_version(cursor, &packet->version) ||
		!read_id(cursor, &packet->destination_bytes, &packet->destination_offset) ||
		!read_id(cursor, &packet->source_bytes, &packet->source_offset))
		return false;
	packet->fixed_bit = first & FIXED_BIT;
	packet->kind = (uint8_t)kind_of(packet->version, first);
	if (packet->kind != QUIC_KIND_NEGOTIATION && packet->kind != QUIC_KIND_OTHER_VERSION)
		return parse_rest(cursor, packet);
	/* A list of versions, 4 bytes each and not empty; of other versions nothing is known. */
	if (packet->kind == QUIC_KIND_NEGOTIATION &&
		(cursor->datagram_bytes == cursor->at || (cursor->datagram_bytes - cursor->at) % 4 != 0))
		return false;
	cursor->at = cursor->datagram_bytes;
	return true;
}

static bool parse_short(struct cursor *cursor, uint8_t id_bytes, struct quic_packet *packet)
{
	uint8_t first;

	if (cursor->datagram_bytes - cursor->at < 1u + id_bytes + PROTECTED_BYTES_MIN)
		return false;
	if (!read_byte(cursor, &first) || !read_bytes(cursor, id_bytes, &packet->destination_offset))
		return false;
	packet->kind = QUIC_KIND_SHORT;
	packet->fixed_bit = first & FIXED_BIT;
	packet->destination_bytes = id_bytes;
	packet->source_offset = packet->destination_offset;
	cursor->at = cursor->datagram_bytes;
	return true;
}

static bool parse_one(struct cursor *cursor, uint8_t short_id_bytes, struct quic_packet *packet)
{
	if (cursor->at >= cursor->head_bytes)
		return false;
	*packet = (struct quic_packet){.offset = (uint16_t)cursor->at};
	return cursor->head[cursor->at] & LONG_FORM ? parse_long(cursor, packet)
						    : parse_short(cursor, short_id_bytes, packet);
}

static bool has_id_of(const uint8_t *head, const struct quic_packet *packet, const struct quic_packet *first)
{
	return packet->destination_bytes == first->destination_bytes &&
	       memcmp(head + packet->destination_offset, head + first->destination_offset,
		       first->destination_bytes) == 0;
}

bool quic_parse(const uint8_t *head, uint32_t head_bytes, uint32_t datagram_bytes, uint8_t short_id_bytes,
	struct quic_datagram *ret_datagram)
{
	struct cursor cursor = {.head = head, .datagram_bytes = datagram_bytes};
	struct quic_datagram datagram = {.n = 0};
	struct quic_packet *first = &datagram.packets[0];

	cursor.head_bytes = head_bytes < datagram_bytes ? head_bytes : datagram_bytes;
	if (cursor.head_bytes > QUIC_HEAD_BYTES_MAX)
		cursor.head_bytes = QUIC_HEAD_BYTES_MAX;
	if (!parse_one(&cursor, short_id_bytes, first))
		return false;
	datagram.n = 1;
	while (datagram.n < QUIC_PACKETS_MAX) {
		struct quic_packet *packet = &datagram.packets[datagram.n];
		/* What a short header in the same datagram must begin with is known: its id is the first
		 * one's. */
		if (!parse_one(&cursor, first->destination_bytes, packet) || !has_id_of(head, packet, first))
			break;
		datagram.n++;
	}
	*ret_datagram = datagram;
	return true;
}

const struct quic_packet *quic_find(const struct quic_datagram *datagram, enum quic_kind kind)
{
	for (unsigned i = 0; i < datagram->n; i++)
		if (datagram->packets[i].kind == kind)
			return &datagram->packets[i];
	return NULL;
}

uint64_t quic_id(const uint8_t *head, uint16_t offset, uint8_t bytes)
{
	uint64_t id, more = 0;

	if (bytes < QUIC_ID_BYTES_PROOF)
		return 0;
	memcpy(&id, head + offset, sizeof(id));
	/* Each step is a bijection of the sum so far, so whoever knows the first bytes must still guess 64 bits. */
	for (unsigned at = sizeof(id); at < bytes; at += sizeof(more)) {
		more = 0;
		memcpy(&more, head + offset + at, bytes - at < sizeof(more) ? bytes - at : sizeof(more));
		id = (id ^ more) * UINT64_C(0x9e3779b97f4a7c15);
		id ^= id >> 32;
	}
	return id;
}
