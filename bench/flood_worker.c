// SPDX-License-Identifier: BSD-3-Clause
/* The sending loop. Open loop by the time stamp counter: what is due is a function of time alone. A worker
 * that falls behind may catch up 10 ms of packets; the rest is counted as not sent, or a late burst would
 * measure the generator.
 */
#include "bench/flood_worker.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "bench/flood_reply.h"
#include "dataplane/keyed_hash.h"

enum {
	BURST_MAX = 32,
	SEND_BURSTS_MAX = 4,
	ANSWER_BURSTS_MAX = 2 * SEND_BURSTS_MAX, /* at most one answer a packet comes back, but in lumps */
	DEBT_MS = 10,
	/* 0.5 ms between wake-ups is at most 10 packets at 20 kpps, and costs 2,000 wake-ups a second, not a
	   core */
	SLEEP_US = 500,
	/* A port that is closed at once takes with it what the far side has not fetched, and its last
	   answers. */
	GRACE_MS = 50,
};

/* What an adversary computes who has read the source and guesses that the key is zero. */
static uint64_t hash_guessed(const struct address *address)
{
	static const struct hash_key key;
	uint64_t words[2];

	memcpy(words, address->bytes, sizeof(words));
	return keyed_hash_2(&key, words[0], words[1]);
}

int flood_worker_prepare(struct flood_worker *worker, const struct flood_options *options, unsigned index,
	const char **ret_why)
{
	struct traffic_config sources = options->sources;

	worker->options = options;
	worker->schedule = options->schedule;
	worker->schedule.rate_pps /= options->n_lcores;
	worker->queue_id = (uint16_t)index;
	worker->random_state = sources.seed ^ (UINT64_C(0xA5A5) << 32) ^ index;
	sources.worker = index;
	sources.n_workers = options->n_lcores;
	sources.hash = hash_guessed;
	for (unsigned t = 0; t < options->n_targets; t++) {
		bool v4 = address_is_v4(&options->targets[t].address);

		for (unsigned i = 0; options->imix && !options->stream && i < FLOOD_IMIX; i++)
			flood_template_build(&worker->templates[v4][worker->n_templates[v4]++],
				options->kinds[0], &options->targets[t],
				flood_imix_payload(options->kinds[0], i, v4));
		for (unsigned k = 0; k < options->n_kinds && (!options->imix || options->stream); k++)
			flood_template_build(&worker->templates[v4][worker->n_templates[v4]++],
				options->kinds[k], &options->targets[t], options->payload_bytes);
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
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static const struct flood_template *template_next(struct flood_worker *worker, bool v4)
{
	unsigned n = worker->turn[v4];

	worker->turn[v4] = n + 1 == worker->n_templates[v4] ? 0 : n + 1;
	return &worker->templates[v4][n];
}

static const struct flood_template *frame_fill(
	struct flood_worker *worker, struct rte_mbuf *mbuf, uint32_t n_ports)
{
	struct address source = traffic_model_next(worker->model);
	uint64_t random = traffic_random_next(&worker->random_state);
	const struct flood_template *template = template_next(worker, address_is_v4(&source));
	/* the port from other bits than the numbers in the packet: 16 of each half */
	uint32_t draw = (uint32_t)(random >> 48 << 16) | (uint16_t)(random >> 8);
	uint16_t port =
		(uint16_t)(worker->options->source_port_low + (uint32_t)(((uint64_t)draw * n_ports) >> 32));

	flood_frame_write(template, &source, port, random, rte_pktmbuf_mtod(mbuf, uint8_t *));
	mbuf->data_len = template->frame_bytes;
	mbuf->pkt_len = template->frame_bytes;
	return template;
}

/* Returns false when the port was full. */
static bool burst_send(struct flood_worker *worker, unsigned n)
{
	uint32_t n_ports = 1u + worker->options->source_port_high - worker->options->source_port_low;
	uint64_t by_kind[FLOOD_KINDS] = {0}, bytes = 0;
	const struct flood_template *templates[BURST_MAX];
	struct rte_mbuf *mbufs[BURST_MAX];

	if (rte_pktmbuf_alloc_bulk(worker->pool, mbufs, n) != 0) {
		count(&worker->counts.not_sent_port, n); /* every buffer waits in the port's queue */
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++)
		templates[i] = frame_fill(worker, mbufs[i], n_ports);
	unsigned taken = rte_eth_tx_burst(worker->port_id, worker->queue_id, mbufs, (uint16_t)n);

	for (unsigned i = 0; i < taken; i++) {
		by_kind[templates[i]->kind]++;
		bytes += templates[i]->frame_bytes;
	}
	for (unsigned k = 0; k < FLOOD_KINDS; k++) {
		if (by_kind[k] != 0)
			count(&worker->counts.by_kind[k], by_kind[k]);
	}
	count(&worker->counts.bytes, bytes);
	count(&worker->counts.sent, taken);
	if (taken == n)
		return true;
	rte_pktmbuf_free_bulk(mbufs + taken, n - taken);
	count(&worker->counts.not_sent_port, n - taken);
	return false;
}

/* One burst of what came back; returns how many. */
static unsigned answers_take_burst(struct flood_worker *worker)
{
	struct rte_mbuf *mbufs[BURST_MAX];
	unsigned n = rte_eth_rx_burst(worker->port_id, worker->queue_id, mbufs, BURST_MAX);

	if (n == 0)
		return 0;
	count(&worker->counts.received, n);
	if (traffic_model_listens(worker->model)) {
		for (unsigned i = 0; i < n; i++) {
			struct address to;

			if (flood_reply_destination(
				    rte_pktmbuf_mtod(mbufs[i], const uint8_t *), mbufs[i]->data_len, &to))
				traffic_model_answered(worker->model, &to);
		}
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

/* Nobody else empties the queue, and answers that found it full would look like packets that Weir could not
 * send. */
static void answers_take(struct flood_worker *worker)
{
	for (unsigned bursts = 0; bursts < ANSWER_BURSTS_MAX; bursts++) {
		if (answers_take_burst(worker) < BURST_MAX)
			return;
	}
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
	uint64_t debt_max = (uint64_t)(worker->schedule.rate_pps * DEBT_MS / 1000) + BURST_MAX,
		 elapsed_ns = 0;
	struct traffic_arrivals arrivals;

	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	traffic_arrivals_start(
		&arrivals, &worker->schedule, worker->options->sources.seed + worker->queue_id);
	while (elapsed_ns < end_ns && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		elapsed_ns = (uint64_t)((double)(rte_rdtsc() - worker->start_tsc) * ns_per_cycle);
		if (elapsed_ns > end_ns)
			elapsed_ns = end_ns;

		uint64_t debt = traffic_arrivals_due(&arrivals, elapsed_ns) - accounted(worker);
		if (debt > debt_max) {
			count(&worker->counts.not_sent_late, debt - debt_max);
			debt = debt_max;
		}
		answers_take(worker);
		if (debt == 0 && worker->options->poll)
			rte_pause();
		else if (debt == 0)
			rte_delay_us_sleep(SLEEP_US);
		/* answers are looked for between bursts, or a queue of them would fill behind ten
		 * milliseconds of debt */
		for (unsigned bursts = 0; debt > 0 && bursts < SEND_BURSTS_MAX; bursts++) {
			unsigned n = debt < BURST_MAX ? (unsigned)debt : BURST_MAX;

			burst_send(worker, n);
			debt -= n;
		}
	}
	for (uint64_t end_tsc = rte_rdtsc() + rte_get_tsc_hz() / 1000 * GRACE_MS; rte_rdtsc() < end_tsc;
		rte_delay_us_sleep(SLEEP_US / 10))
		answers_take(worker);
	return 0;
}
