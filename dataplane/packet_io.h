/* SPDX-License-Identifier: BSD-3-Clause
 * Between mbufs and the core: one lcore's frames in, its decisions carried out, frames out. Owning lcore only. No clock, no
 * lock, no log; memory is sized when it is created. What cannot be sent is freed and counted.
 */
#ifndef WEIR_DATAPLANE_PACKET_IO_H
#define WEIR_DATAPLANE_PACKET_IO_H

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dataplane/dispatch.h"
#include "dataplane/port.h"
#include "dataplane/stage.h"

enum { PACKET_IO_RECEIVE_MAX = 32, PACKET_IO_SOURCES_MAX = OPTIONS_PAIRS_MAX * 2 * OPTIONS_QUEUES_MAX + OPTIONS_LCORES_MAX };

/** A place where frames come from: a queue of a port, or the ring of another lcore. */
struct packet_io_source {
	const struct port *port; /* NULL: ring */
	struct rte_ring *ring;
	uint16_t queue;
};

struct packet_io_send_queue {
	struct rte_mbuf *frames[STAGE_BURST_MAX];
	unsigned n;
};

struct packet_io {
	unsigned lcore;
	const struct port (*pairs)[2]; /* [pair][side] */
	unsigned n_pairs;
	struct rte_mempool *pool;
	struct dispatch *dispatch;
	struct counters *counters;
	struct packet_io_source *sources;
	unsigned n_sources;
	/* The burst */
	unsigned n;
	struct rte_mbuf *frames[STAGE_BURST_MAX];
	struct arrival arrivals[STAGE_BURST_MAX];
	struct arrival *pointers[STAGE_BURST_MAX];
	struct decision decisions[STAGE_BURST_MAX];
	uint8_t scratch[STAGE_BURST_MAX][PACKET_HEADER_BYTES_MAX]; /* heads of frames in several pieces */
	/* What leaves */
	struct packet_io_send_queue send[OPTIONS_PAIRS_MAX][2];
	struct rte_mbuf *handed[OPTIONS_LCORES_MAX][PACKET_IO_RECEIVE_MAX];
	unsigned n_handed[OPTIONS_LCORES_MAX];
};

/** Queue q of each port belongs to lcore q % n_lcores; sending uses queue `lcore`. -ENOMEM. */
int packet_io_create(unsigned lcore, const struct port (*pairs)[2], unsigned n_pairs, struct rte_mempool *pool,
	struct dispatch *dispatch, struct counters *counters, struct packet_io **ret_io);
void packet_io_destroy(struct packet_io *io);

/** What a turn decides by. */
struct packet_io_moment {
	struct stage *stage;
	const struct ruleset *rules; /* NULL: none yet */
	uint64_t now_ns;
};
/** Receive from source i; drop what stage_shed says of frames from outside; parse, keep what this lcore owns and hand over the rest.
 * The burst must have room for PACKET_IO_RECEIVE_MAX. Returns how many frames came. */
unsigned packet_io_receive(struct packet_io *io, unsigned i, const struct packet_io_moment *moment);
static inline bool packet_io_is_full(const struct packet_io *io)
{
	return io->n > STAGE_BURST_MAX - PACKET_IO_RECEIVE_MAX;
}
/** Carry out io->decisions and empty the burst. */
void packet_io_apply(struct packet_io *io);
/** Give every collected frame to its port. */
void packet_io_flush(struct packet_io *io);
/** stage_output.send_segment; context is the struct packet_io. */
void packet_io_send_segment(void *context, enum side side, const struct next_hop *hop, const struct reply_tcp *segment);

#endif
