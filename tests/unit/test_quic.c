// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/quic.h: the headers of the sample packets in RFC 9001 and RFC 9369, what coalesces, and
 * each way of being none.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/quic.h"
#include "tests/check.h"

/* Of both RFCs' samples. */
#define CLIENT_ID "8394c8f03e515708"
#define SERVER_ID "f067a5502a4262b5"
#define ID_20     "000102030405060708090a0b0c0d0e0f10111213"
#define ID_21     ID_20 "14"
#define ZEROS_16  "00000000000000000000000000000000"
#define ZEROS_20  ZEROS_16 "00000000"

static uint32_t bytes_of(const char *hex, uint8_t *ret_bytes)
{
	uint32_t n = 0;

	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2)
		ret_bytes[n++] = (uint8_t)strtoul((char[]){hex[0], hex[1], '\0'}, NULL, 16);
	return n;
}

/* A copy of exactly the head, so that AddressSanitizer sees one byte too far. */
static bool parse(const char *hex, uint32_t head_bytes, uint32_t datagram_bytes, uint8_t short_id_bytes,
	struct quic_datagram *ret_datagram)
{
	uint8_t bytes[2048] = {0};
	uint8_t *head;
	bool ok;

	if (datagram_bytes == 0)
		datagram_bytes = bytes_of(hex, bytes);
	else
		(void)bytes_of(hex, bytes);
	if (head_bytes == 0 || head_bytes > datagram_bytes)
		head_bytes = datagram_bytes;
	head = malloc(head_bytes > 0 ? head_bytes : 1);
	if (head == NULL)
		abort();
	memcpy(head, bytes, head_bytes);
	ok = quic_parse(head, head_bytes, datagram_bytes, short_id_bytes, ret_datagram);
	free(head);
	return ok;
}

static void test_samples(void)
{
	static const struct {
		const char *name, *hex;
		uint32_t datagram_bytes;
		enum quic_kind kind;
		uint32_t version, token_bytes;
		uint8_t destination_bytes, source_bytes;
	} cases[] = {
		{"RFC 9001 A.2, the client's Initial", "c00000000108" CLIENT_ID "0000449e7b9aec34", 1200,
			QUIC_KIND_INITIAL, QUIC_VERSION_1, 0, 8, 0},
		{"RFC 9001 A.3, the server's Initial", "cf000000010008" SERVER_ID "004075c0d95a48", 135,
			QUIC_KIND_INITIAL, QUIC_VERSION_1, 0, 0, 8},
		{"RFC 9001 A.4, Retry",
			"ff000000010008" SERVER_ID "746f6b656e04a265ba2eff4d829058fb3f0f2496ba", 0,
			QUIC_KIND_RETRY, QUIC_VERSION_1, 0, 0, 8},
		{"RFC 9001 A.5, a short header without id", "4cfe4189655e5cd55c41f69080575d7999c25a5bfb", 0,
			QUIC_KIND_SHORT, 0, 0, 0, 0},
		{"RFC 9369 A.2, the client's Initial", "d76b3343cf08" CLIENT_ID "0000449ea0c95e82", 1200,
			QUIC_KIND_INITIAL, QUIC_VERSION_2, 0, 8, 0},
		{"RFC 9369 A.3, the server's Initial", "dc6b3343cf0008" SERVER_ID "004075d92faaf1", 135,
			QUIC_KIND_INITIAL, QUIC_VERSION_2, 0, 0, 8},
		{"RFC 9369 A.4, Retry",
			"cf6b3343cf0008" SERVER_ID "746f6b656ec8646ce8bfe33952d955543665dcc7b6", 0,
			QUIC_KIND_RETRY, QUIC_VERSION_2, 0, 0, 8},
		{"RFC 9369 A.5, a short header without id", "5558b1c60ae7b6b932bc27d786f4bc2bb20f2162ba", 0,
			QUIC_KIND_SHORT, 0, 0, 0, 0},
		{"0-RTT of version 1", "d00000000108" CLIENT_ID "0014" ZEROS_20, 0, QUIC_KIND_ZERO_RTT, 1, 0,
			8, 0},
		{"Handshake of version 1", "e00000000108" CLIENT_ID "0014" ZEROS_20, 0, QUIC_KIND_HANDSHAKE,
			1, 0, 8, 0},
		{"0-RTT of version 2", "e06b3343cf08" CLIENT_ID "0014" ZEROS_20, 0, QUIC_KIND_ZERO_RTT,
			QUIC_VERSION_2, 0, 8, 0},
		{"Handshake of version 2", "f06b3343cf08" CLIENT_ID "0014" ZEROS_20, 0, QUIC_KIND_HANDSHAKE,
			QUIC_VERSION_2, 0, 8, 0},
		{"an Initial with a token", "c00000000108" CLIENT_ID "0003aabbcc14" ZEROS_20, 0,
			QUIC_KIND_INITIAL, 1, 3, 8, 0},
		{"an Initial with a token that ends beyond the head", "c00000000108" CLIENT_ID "004400", 1200,
			QUIC_KIND_INITIAL, 1, 1024, 8, 0},
		{"ids of 20 bytes", "e00000000114" ID_20 "14" ID_20 "14" ZEROS_20, 0, QUIC_KIND_HANDSHAKE, 1,
			0, 20, 20},
		{"an unknown version with an id of 21 bytes", "80babababa15" ID_21 "00ff", 0,
			QUIC_KIND_OTHER_VERSION, 0xbabababa, 0, 21, 0},
		{"a version negotiation",
			"80000000000008" SERVER_ID "00000001"
			"6b3343cf",
			0, QUIC_KIND_NEGOTIATION, 0, 0, 0, 8},
		{"a greased Initial", "800000000108" CLIENT_ID "000014" ZEROS_20, 0, QUIC_KIND_INITIAL, 1, 0,
			8, 0},
		{"a greased Initial with a token", "800000000108" CLIENT_ID "0001aa14" ZEROS_20, 0,
			QUIC_KIND_INITIAL, 1, 1, 8, 0},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct quic_datagram datagram;
		const struct quic_packet *packet = &datagram.packets[0];

		memset(&datagram, 0xa5, sizeof(datagram));
		if (!CHECK_TRUE(
			    cases[i].name, parse(cases[i].hex, 512, cases[i].datagram_bytes, 0, &datagram)))
			continue;
		CHECK_EQ(cases[i].name, datagram.n, 1u);
		CHECK_EQ(cases[i].name, packet->kind, (uint8_t)cases[i].kind);
		CHECK_EQ(cases[i].name, packet->version, cases[i].version);
		CHECK_EQ(cases[i].name, packet->token_bytes, cases[i].token_bytes);
		CHECK_EQ(cases[i].name, packet->destination_bytes, cases[i].destination_bytes);
		CHECK_EQ(cases[i].name, packet->source_bytes, cases[i].source_bytes);
	}
}

static void test_malformed(void)
{
	static const struct {
		const char *name, *hex;
		uint32_t datagram_bytes;
		uint8_t short_id_bytes;
	} cases[] = {
		{"nothing", "", 0, 0},
		{"a long header that ends in its version", "c0000000", 0, 0},
		{"a long header without ids", "c000000001", 0, 0},
		{"an id beyond the datagram", "c00000000108aabb", 0, 0},
		{"an unknown version whose id is beyond the datagram", "c0babababaff0102", 0, 0},
		{"a destination id of 21 bytes in version 1", "e00000000115" ID_21 "0014" ZEROS_20, 0, 0},
		{"a source id of 21 bytes in version 2", "f06b3343cf0015" ID_21 "14" ZEROS_20, 0, 0},
		{"a token beyond the datagram", "c00000000108" CLIENT_ID "0044ff", 1200, 0},
		{"a length beyond the datagram", "c00000000108" CLIENT_ID "0000449f", 1200, 0},
		{"a packet too short for header protection", "e00000000108" CLIENT_ID "0013" ZEROS_20, 0, 0},
		{"a Retry without room for its tag", "f00000000108" CLIENT_ID "0000", 0, 0},
		{"a negotiation of nothing", "80000000000008" SERVER_ID, 0, 0},
		{"a negotiation of half a version", "80000000000008" SERVER_ID "0000", 0, 0},
		{"a short header of 20 bytes", "40" ZEROS_16 "000000", 0, 0},
		{"a short header without room for its id", "40" ZEROS_20, 0, 8},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct quic_datagram datagram = {.n = 77};

		CHECK_FALSE(cases[i].name, parse(cases[i].hex, 512, cases[i].datagram_bytes,
						   cases[i].short_id_bytes, &datagram));
		CHECK_EQ(cases[i].name, datagram.n, 77u);
	}
}

#define INITIAL_OF(id)   "c00000000108" id "000014" ZEROS_20
#define HANDSHAKE_OF(id) "e00000000108" id "0014" ZEROS_20
#define SHORT_OF(id)     "40" id ZEROS_20

static void test_coalesced(void)
{
	static const struct {
		const char *name, *hex;
		unsigned n;
		enum quic_kind last;
	} cases[] = {
		{"Initial and Handshake", INITIAL_OF(CLIENT_ID) HANDSHAKE_OF(CLIENT_ID), 2,
			QUIC_KIND_HANDSHAKE},
		{"Initial, Handshake and 1-RTT",
			INITIAL_OF(CLIENT_ID) HANDSHAKE_OF(CLIENT_ID) SHORT_OF(CLIENT_ID), 3,
			QUIC_KIND_SHORT},
		{"no more than four are looked at",
			INITIAL_OF(CLIENT_ID) INITIAL_OF(CLIENT_ID) INITIAL_OF(CLIENT_ID)
				HANDSHAKE_OF(CLIENT_ID) HANDSHAKE_OF(CLIENT_ID),
			4, QUIC_KIND_HANDSHAKE},
		{"another id ends the datagram", INITIAL_OF(CLIENT_ID) HANDSHAKE_OF(SERVER_ID), 1,
			QUIC_KIND_INITIAL},
		{"another id in a short header too", INITIAL_OF(CLIENT_ID) SHORT_OF(SERVER_ID), 1,
			QUIC_KIND_INITIAL},
		{"padding behind a packet is left out", INITIAL_OF(CLIENT_ID) ZEROS_16, 1, QUIC_KIND_INITIAL},
		{"nothing follows a short header", SHORT_OF(CLIENT_ID) INITIAL_OF(CLIENT_ID), 1,
			QUIC_KIND_SHORT},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct quic_datagram datagram;

		if (!CHECK_TRUE(cases[i].name, parse(cases[i].hex, 0, 0, 8, &datagram)))
			continue;
		CHECK_EQ(cases[i].name, datagram.n, cases[i].n);
		CHECK_EQ(cases[i].name, datagram.packets[datagram.n - 1].kind, (uint8_t)cases[i].last);
		CHECK_TRUE(cases[i].name, quic_find(&datagram, cases[i].last) != NULL);
		CHECK_TRUE(cases[i].name, quic_find(&datagram, QUIC_KIND_NEGOTIATION) == NULL);
	}
}

static void test_ids(void)
{
	static const uint8_t bytes[] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	uint64_t expected;

	memcpy(&expected, bytes + 1, sizeof(expected));
	CHECK_EQ("an id of 8 bytes is itself", quic_id(bytes, 1, 8), expected);
	CHECK_TRUE("of a longer one all of them", quic_id(bytes, 1, 9) != expected);
	CHECK_EQ("a shorter one is none", quic_id(bytes, 1, 7), UINT64_C(0));
}

static const struct check_test tests[] = {
	{"the RFCs' samples are read", test_samples},
	{"what is not QUIC is refused", test_malformed},
	{"coalesced packets are walked", test_coalesced},
	{"ids of 8 bytes and more count", test_ids},
};

CHECK_MAIN("quic", tests)
