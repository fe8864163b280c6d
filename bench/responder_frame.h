/* SPDX-License-Identifier: BSD-3-Clause
 * What a node would say, without a node: a frame is turned into its answer in place. SYN gets SYN-ACK, data the same data,
 * FIN a FIN, a datagram itself. Knows plain IPv4 and IPv6 only, and trusts checksums. Pure, any thread.
 */
#ifndef WEIR_BENCH_RESPONDER_FRAME_H
#define WEIR_BENCH_RESPONDER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/** True: `frame` is now the answer, of the same length. False: nothing is to be said; the frame is spoilt. */
bool responder_frame_answer(uint8_t *frame, uint32_t bytes);

#endif
