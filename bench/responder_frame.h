/* SPDX-License-Identifier: BSD-3-Clause
 * What a node would say, without a node: a frame is turned into its answer in place. SYN gets SYN-ACK, data
 * the same data, FIN a FIN, a datagram itself. Knows plain IPv4 and IPv6 only, and trusts checksums. Pure,
 * any thread.
 */
#ifndef WEIR_BENCH_RESPONDER_FRAME_H
#define WEIR_BENCH_RESPONDER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/** The first sequence number that a client's SYN is answered with: a function, so that a resent SYN gets the
 * same answer and a generator can speak for connections that it does not remember. */
uint32_t responder_frame_sequence(uint16_t client_port, uint16_t node_port, uint32_t client_sequence);
/** True: `frame` is now the answer, of the same length. False: nothing is to be said; the frame is spoilt. */
bool responder_frame_answer(uint8_t *frame, uint32_t bytes);

#endif
