// SPDX-License-Identifier: BSD-3-Clause
/* Polling a queue for responder_frame.h. On the lcore that owns the queue; never waits for the far side.
 */
#include "bench/responder.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "bench/responder_frame.h"

enum { BURST_MAX = 64 };

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

unsigned responder_poll(struct responder *responder)
{
	struct rte_mbuf *mbufs[BURST_MAX], *silent[BURST_MAX];
	unsigned n_answers = 0, n_silent = 0;
	unsigned n = rte_eth_rx_burst(responder->port_id, responder->queue_id, mbufs, BURST_MAX);

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		if (mbufs[i]->nb_segs == 1 &&
			responder_frame_answer(rte_pktmbuf_mtod(mbufs[i], uint8_t *), mbufs[i]->data_len))
			mbufs[n_answers++] = mbufs[i];
		else
			silent[n_silent++] = mbufs[i];
	}
	for (unsigned i = 0; i < n_answers; i++)
		mbufs[i]->ol_flags = 0; /* what the driver said of the received frame */
	unsigned sent = n_answers == 0 ? 0
				       : rte_eth_tx_burst(responder->port_id, responder->queue_id, mbufs,
						 (uint16_t)n_answers);

	rte_pktmbuf_free_bulk(mbufs + sent, n_answers - sent);
	rte_pktmbuf_free_bulk(silent, n_silent);
	count(&responder->counts.received, n);
	count(&responder->counts.answered, sent);
	count(&responder->counts.not_sent, n_answers - sent);
	return n;
}
