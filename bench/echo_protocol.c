// SPDX-License-Identifier: BSD-3-Clause
/* The echo protocol: request "WEIRASK1" nonce, reply "WEIRECHO" nonce tag. The tag is SipHash-2-4 of the nonce
 * (Aumasson and Bernstein's specification), so no middle box can make it up. Pure, any thread.
 */
#include "bench/echo_protocol.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char request_mark[8] = {'W', 'E', 'I', 'R', 'A', 'S', 'K', '1'};
static const char reply_mark[8] = {'W', 'E', 'I', 'R', 'E', 'C', 'H', 'O'};

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
	return (value << bits) | (value >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] = rotate_left(v[2], 32);
}

static uint64_t tag_of(const struct echo_key *key, const uint8_t nonce[ECHO_NONCE_BYTES])
{
	uint64_t v[4] = {key->low ^ UINT64_C(0x736f6d6570736575), key->high ^ UINT64_C(0x646f72616e646f6d),
		key->low ^ UINT64_C(0x6c7967656e657261), key->high ^ UINT64_C(0x7465646279746573)};
	uint64_t blocks[3];

	memcpy(blocks, nonce, ECHO_NONCE_BYTES);
	blocks[0] = le64toh(blocks[0]);
	blocks[1] = le64toh(blocks[1]);
	blocks[2] = (uint64_t)ECHO_NONCE_BYTES << 56; /* the length closes the message */
	for (unsigned i = 0; i < 3; i++) {
		v[3] ^= blocks[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= blocks[i];
	}
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int echo_key_parse(const char *text, struct echo_key *ret_key)
{
	unsigned long long high, low;
	int end = 0;

	if (strlen(text) != 2 * ECHO_KEY_BYTES || strspn(text, "0123456789abcdefABCDEF") != 2 * ECHO_KEY_BYTES ||
		sscanf(text, "%16llx%16llx%n", &high, &low, &end) != 2)
		return -EINVAL;
	ret_key->high = high;
	ret_key->low = low;
	return 0;
}

void echo_request_write(const uint8_t nonce[ECHO_NONCE_BYTES], uint8_t request[ECHO_REQUEST_BYTES])
{
	memcpy(request, request_mark, sizeof(request_mark));
	memcpy(request + sizeof(request_mark), nonce, ECHO_NONCE_BYTES);
}

bool echo_request_valid(const uint8_t request[ECHO_REQUEST_BYTES])
{
	return memcmp(request, request_mark, sizeof(request_mark)) == 0;
}

void echo_reply_write(const struct echo_key *key, const uint8_t request[ECHO_REQUEST_BYTES], uint8_t reply[ECHO_REPLY_BYTES])
{
	const uint8_t *nonce = request + sizeof(request_mark);
	uint64_t tag = htole64(tag_of(key, nonce));

	memcpy(reply, reply_mark, sizeof(reply_mark));
	memcpy(reply + sizeof(reply_mark), nonce, ECHO_NONCE_BYTES);
	memcpy(reply + sizeof(reply_mark) + ECHO_NONCE_BYTES, &tag, sizeof(tag));
}

bool echo_reply_valid(
	const struct echo_key *key, const uint8_t nonce[ECHO_NONCE_BYTES], const uint8_t reply[ECHO_REPLY_BYTES])
{
	uint8_t request[ECHO_REQUEST_BYTES], expected[ECHO_REPLY_BYTES];

	echo_request_write(nonce, request);
	echo_reply_write(key, request, expected);
	return memcmp(reply, expected, ECHO_REPLY_BYTES) == 0;
}
