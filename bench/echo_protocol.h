/* SPDX-License-Identifier: BSD-3-Clause
 * What weir-dial asks and weir-node answers: a nonce comes back with a keyed tag over it, so that only the node (it
 * and the dialer know the key) can have answered, and only this attempt. Over UDP one datagram each. Pure, any thread.
 */
#ifndef WEIR_BENCH_ECHO_PROTOCOL_H
#define WEIR_BENCH_ECHO_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ECHO_NONCE_BYTES = 16, ECHO_TAG_BYTES = 8, ECHO_REQUEST_BYTES = 24, ECHO_REPLY_BYTES = 32, ECHO_KEY_BYTES = 16 };

struct echo_key {
	uint64_t low, high;
};

/** 32 hexadecimal digits. -EINVAL otherwise. */
int echo_key_parse(const char *text, struct echo_key *ret_key);
void echo_request_write(const uint8_t nonce[ECHO_NONCE_BYTES], uint8_t request[ECHO_REQUEST_BYTES]);
/** False: these 24 bytes are no request. */
bool echo_request_valid(const uint8_t request[ECHO_REQUEST_BYTES]);
/** The node's answer to a valid request. */
void echo_reply_write(const struct echo_key *key, const uint8_t request[ECHO_REQUEST_BYTES], uint8_t reply[ECHO_REPLY_BYTES]);
/** True: the node answered this nonce. */
bool echo_reply_valid(
	const struct echo_key *key, const uint8_t nonce[ECHO_NONCE_BYTES], const uint8_t reply[ECHO_REPLY_BYTES]);

#endif
