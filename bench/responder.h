/* SPDX-License-Identifier: BSD-3-Clause
 * A port behind which a node seems to be: frames that come in are answered in place and sent back. One lcore
 * a queue.
 */
#ifndef WEIR_BENCH_RESPONDER_H
#define WEIR_BENCH_RESPONDER_H

#include <stdatomic.h>
#include <stdint.h>

/** Written by the lcore, read by anyone, relaxed. */
struct responder_counts {
	_Atomic uint64_t received, answered, not_sent;
};

struct responder {
	uint16_t port_id, queue_id;
	_Alignas(64) struct responder_counts counts;
};

/** Take what has come, up to 64 frames, and answer it. Returns how many came. */
unsigned responder_poll(struct responder *responder);

#endif
