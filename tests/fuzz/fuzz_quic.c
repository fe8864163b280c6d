// SPDX-License-Identifier: BSD-3-Clause
/* Fuzzes quic_parse. The first 2 bytes of the input steer: the length of short headers' ids, and by how much
 * the datagram is longer than what can be read of it, in units of 8 bytes. Any broken promise of quic.h
 * aborts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/quic.h"

enum { STEERING_BYTES = 2 };

#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require_packet(const uint8_t *head, uint32_t head_bytes, const struct quic_packet *packet,
	const struct quic_packet *first)
{
	REQUIRE(packet->kind < QUIC_KIND_COUNT && packet->offset < head_bytes);
	REQUIRE(quic_is_long(packet) == ((head[packet->offset] & 0x80) != 0));
	REQUIRE(packet->destination_offset >= packet->offset &&
		packet->source_offset >= packet->destination_offset);
	REQUIRE(packet->destination_offset + packet->destination_bytes <= head_bytes);
	REQUIRE(packet->source_offset + packet->source_bytes <= head_bytes);
	REQUIRE((packet->kind == QUIC_KIND_NEGOTIATION || packet->kind == QUIC_KIND_SHORT) ==
		(packet->version == 0));
	if (packet->version == QUIC_VERSION_1 || packet->version == QUIC_VERSION_2)
		REQUIRE(packet->destination_bytes <= QUIC_ID_BYTES_MAX &&
			packet->source_bytes <= QUIC_ID_BYTES_MAX);
	REQUIRE(packet->kind == QUIC_KIND_INITIAL || packet->token_bytes == 0);
	REQUIRE(packet->destination_bytes == first->destination_bytes);
	REQUIRE(memcmp(head + packet->destination_offset, head + first->destination_offset,
			packet->destination_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct quic_datagram datagram;
	uint32_t head_bytes, datagram_bytes;
	uint8_t short_id_bytes, *head;

	if (bytes < STEERING_BYTES || bytes - STEERING_BYTES > UINT16_MAX)
		return 0;
	short_id_bytes = data[0] % (QUIC_ID_BYTES_MAX + 1);
	datagram_bytes = (uint32_t)(bytes - STEERING_BYTES);
	head_bytes = datagram_bytes < QUIC_HEAD_BYTES_MAX ? datagram_bytes : QUIC_HEAD_BYTES_MAX;
	datagram_bytes += 8u * data[1];
	/* Exactly the head: AddressSanitizer sees one byte too far. */
	head = malloc(head_bytes > 0 ? head_bytes : 1);
	if (head == NULL)
		abort();
	memcpy(head, data + STEERING_BYTES, head_bytes);
	memset(&datagram, 0xa5, sizeof(datagram));
	if (quic_parse(head, head_bytes, datagram_bytes, short_id_bytes, &datagram)) {
		REQUIRE(datagram.n >= 1 && datagram.n <= QUIC_PACKETS_MAX && datagram.packets[0].offset == 0);
		for (unsigned i = 0; i < datagram.n; i++) {
			const struct quic_packet *packet = &datagram.packets[i];

			require_packet(head, head_bytes, packet, &datagram.packets[0]);
			REQUIRE(packet->token_bytes <= datagram_bytes);
			REQUIRE(i == 0 || packet->offset > packet[-1].offset);
			REQUIRE(i + 1 == datagram.n || packet->kind != QUIC_KIND_SHORT);
			REQUIRE(quic_find(&datagram, (enum quic_kind)packet->kind) != NULL);
		}
	}
	free(head);
	return 0;
}
