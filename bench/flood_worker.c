// SPDX-License-Identifier: BSD-3-Clause
/* The sending loop. Open loop by the time stamp counter: what is due is a function of time alone. A worker that falls
 * behind may catch up 10 ms of packets; the rest is counted as not sent, or a late burst would measure the generator.
 */
#include "bench/flood_worker.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

enum {
	BURST_MAX = 32,
	DEBT_MS = 10,
	/* 0.5 ms between wake-ups is at most 10 packets at 20 kpps, and costs 2,000 wake-ups a second, not a core */
	SLEEP_US = 500,
};

int flood_worker_prepare(struct flood_worker *worker, const struct flood_options *options, unsigned index, const char **ret_why)
{
	struct traffic_config sources = options->sources;

	worker->options = options;
	worker->schedule = options->schedule;
	worker->schedule.rate_pps /= options->n_lcores;
	worker->queue_id = (uint16_t)index;
	worker->random_state = sources.seed ^ (UINT64_C(0xA5A5) << 32) ^ index;
	/* fixed populations are the same on all lcores; fresh sources must not repeat */
	if (sources.kind == TRAFFIC_SPOOF)
		sources.seed += index;
	for (unsigned t = 0; t < options->n_targets; t++) {
		bool v4 = address_is_v4(&options->targets[t].address);

		for (unsigned k = 0; k < options->n_kinds; k++) {
			unsigned n = worker->n_templates[v4]++;

			flood_template_build(&worker->templates[v4][n], options->kinds[k], &options->targets[t], options->payload_bytes);
			worker->kinds[v4][n] = options->kinds[k];
		}
	}
	return traffic_model_create(&sources, &worker->model, ret_why);
}

void flood_worker_done(struct flood_worker *worker)
{
	traffic_model_destroy(worker->model);
	worker->model = NULL;
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static enum flood_kind frame_fill(struct flood_worker *worker, struct rte_mbuf *mbuf)
{
	struct address source = traffic_model_next(worker->model);
	uint64_t random = traffic_random_next(&worker->random_state);
	bool v4 = address_is_v4(&source);
	unsigned n = worker->turn[v4]++ % worker->n_templates[v4];
	const struct flood_template *template = &worker->templates[v4][n];
	uint32_t ports = 1u + worker->options->source_port_high - worker->options->source_port_low;
	uint16_t port = (uint16_t)(worker->options->source_port_low + (uint32_t)(random >> 32) % ports);

	flood_frame_write(template, &source, port, (uint32_t)random, rte_pktmbuf_mtod(mbuf, uint8_t *));
	mbuf->data_len = template->frame_bytes;
	mbuf->pkt_len = template->frame_bytes;
	return worker->kinds[v4][n];
}

static void burst_send(struct flood_worker *worker, unsigned n)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	enum flood_kind kinds[BURST_MAX];
	uint32_t lengths[BURST_MAX];

	if (rte_pktmbuf_alloc_bulk(worker->pool, mbufs, n) != 0) {
		count(&worker->counts.not_sent_port, n); /* every buffer waits in the port's queue */
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		kinds[i] = frame_fill(worker, mbufs[i]);
		lengths[i] = mbufs[i]->pkt_len;
	}
	unsigned taken = rte_eth_tx_burst(worker->port_id, worker->queue_id, mbufs, (uint16_t)n);
	for (unsigned i = 0; i < taken; i++) {
		count(&worker->counts.by_kind[kinds[i]], 1);
		count(&worker->counts.bytes, lengths[i]);
	}
	rte_pktmbuf_free_bulk(mbufs + taken, n - taken);
	count(&worker->counts.sent, taken);
	count(&worker->counts.not_sent_port, n - taken);
}

static uint64_t accounted(const struct flood_worker *worker)
{
	return worker->counts.sent + worker->counts.not_sent_late + worker->counts.not_sent_port;
}

int flood_worker_run(void *argument)
{
	struct flood_worker *worker = argument;
	double ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
	uint64_t end_ns = (uint64_t)(worker->options->seconds * 1e9);
	uint64_t debt_max = (uint64_t)(worker->schedule.rate_pps * DEBT_MS / 1000) + BURST_MAX, elapsed_ns = 0;

	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	while (elapsed_ns < end_ns && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		elapsed_ns = (uint64_t)((double)(rte_rdtsc() - worker->start_tsc) * ns_per_cycle);
		if (elapsed_ns > end_ns)
			elapsed_ns = end_ns;

		uint64_t debt = traffic_schedule_due(&worker->schedule, elapsed_ns) - accounted(worker);
		if (debt > debt_max) {
			count(&worker->counts.not_sent_late, debt - debt_max);
			debt = debt_max;
		}
		if (debt == 0 && worker->options->poll)
			rte_pause();
		else if (debt == 0)
			rte_delay_us_sleep(SLEEP_US);
		while (debt > 0) {
			unsigned n = debt < BURST_MAX ? (unsigned)debt : BURST_MAX;

			burst_send(worker, n);
			debt -= n;
		}
	}
	return 0;
}
