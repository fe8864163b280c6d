// SPDX-License-Identifier: BSD-3-Clause
/* Sending a capture. Open loop by the TSC as in flood_worker.c: what is more than 10 ms late is not sent. On
 * the lcore.
 */
#include "bench/flood_replay_run.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

enum {
	BURST_MAX = 32,
	DEBT_MS = 10,
	GRACE_MS = 50,
	SLEEP_US = 100, /* a capture's gaps are shorter than those of a schedule that can be averaged */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static void frames_send(struct flood_replay_run *run, uint32_t first, unsigned n)
{
	struct flood_worker *worker = run->worker;
	struct rte_mbuf *mbufs[BURST_MAX];
	uint64_t bytes = 0;

	if (rte_pktmbuf_alloc_bulk(worker->pool, mbufs, n) != 0) {
		count(&worker->counts.not_sent_port, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		uint16_t frame_bytes = run->replay.frames[first + i].n_bytes;

		memcpy(rte_pktmbuf_mtod(mbufs[i], uint8_t *), flood_replay_bytes(&run->replay, first + i),
			frame_bytes);
		mbufs[i]->data_len = frame_bytes;
		mbufs[i]->pkt_len = frame_bytes;
	}
	unsigned taken = rte_eth_tx_burst(worker->port_id, worker->queue_id, mbufs, (uint16_t)n);

	for (unsigned i = 0; i < taken; i++)
		bytes += run->replay.frames[first + i].n_bytes;
	rte_pktmbuf_free_bulk(mbufs + taken, n - taken);
	count(&worker->counts.sent, taken);
	count(&worker->counts.bytes, bytes);
	count(&worker->counts.not_sent_port, n - taken);
}

static void answers_drop(struct flood_worker *worker)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	unsigned n = rte_eth_rx_burst(worker->port_id, worker->queue_id, mbufs, BURST_MAX);

	rte_pktmbuf_free_bulk(mbufs, n);
	count(&worker->counts.received, n);
}

int flood_replay_run(void *argument)
{
	struct flood_replay_run *run = argument;
	struct flood_worker *worker = run->worker;
	double ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
	uint64_t end_ns = (uint64_t)(worker->options->seconds * 1e9), elapsed_ns = 0;
	uint32_t next = 0;

	while (next < run->replay.n && elapsed_ns < end_ns &&
		!atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		elapsed_ns = (uint64_t)((double)(rte_rdtsc() - worker->start_tsc) * ns_per_cycle);
		uint32_t due = flood_replay_due(&run->replay, next, elapsed_ns);

		/* as everywhere: what is late beyond the bound is not sent late */
		while (next < due &&
			run->replay.frames[next].at_ns + (uint64_t)DEBT_MS * 1000000 < elapsed_ns) {
			count(&worker->counts.not_sent_late, 1);
			next++;
		}
		answers_drop(worker);
		if (next == due && !worker->options->poll)
			rte_delay_us_sleep(SLEEP_US);
		if (next == due)
			continue;
		unsigned n = due - next < BURST_MAX ? due - next : BURST_MAX;

		frames_send(run, next, n);
		next += n;
	}
	/* the port that closes behind us takes with it what the far side has not fetched */
	rte_delay_us_sleep(GRACE_MS * 1000);
	return 0;
}
