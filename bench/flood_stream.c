// SPDX-License-Identifier: BSD-3-Clause
/* Opening and sending (flood_stream.h). Every source has one port that follows from its address, so nothing
 * is kept of a connection. On the lcore that owns the queues of both ports.
 */
#include "bench/flood_stream.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "bench/responder_frame.h"

enum {
	BURST_MAX = 32,
	SINK_BURST_MAX = 64,
	OPEN_PER_MS = 200, /* far below what any subject can open: what is lost here would be missing later */
	OPEN_GRACE_MS = 50,
	DEBT_MS = 10, /* as of packets: flood_worker.c */
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

void flood_stream_prepare(struct flood_stream *stream, struct flood_client *client)
{
	const struct flood_options *options = client->worker->options;

	stream->client = client;
	client->plan.behaviour = CONNECT_SILENT;
	client->one_port = true;
	for (unsigned t = 0; t < options->n_targets; t++) {
		bool v4 = address_is_v4(&options->targets[t].address);

		stream->node_port[v4] = options->targets[t].port;
		for (unsigned i = 0; i < FLOOD_STREAM_SIZES; i++)
			flood_template_build(&stream->templates[v4][i], FLOOD_DATA, &options->targets[t],
				options->imix ? flood_imix_payload(FLOOD_DATA, i, v4)
					      : options->payload_bytes);
	}
}

/* One SYN of each source. */
static void connections_open(struct flood_stream *stream)
{
	const struct flood_worker *worker = stream->client->worker;
	uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc(), n = worker->options->sources.population,
		 opened = 0;
	uint64_t end = start + n * hz / 1000 / OPEN_PER_MS + hz / 1000 * OPEN_GRACE_MS;

	while (rte_rdtsc() < end && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		uint64_t due = (rte_rdtsc() - start) * OPEN_PER_MS / (hz / 1000);

		due = due < n ? due : n;
		if (opened < due) {
			uint64_t burst = due - opened < BURST_MAX ? due - opened : BURST_MAX;

			flood_client_open(stream->client, (unsigned)burst);
			opened += burst;
		}
		flood_client_poll(stream->client);
	}
}

/* What arrived behind the other side, and what came back this way, which should be nothing. */
static void arrivals_take(struct flood_stream *stream)
{
	const struct responder *sink = stream->client->responder;
	const struct flood_worker *worker = stream->client->worker;
	struct rte_mbuf *mbufs[SINK_BURST_MAX];
	uint64_t bytes = 0;
	unsigned n = rte_eth_rx_burst(sink->port_id, sink->queue_id, mbufs, SINK_BURST_MAX);

	for (unsigned i = 0; i < n; i++)
		bytes += mbufs[i]->pkt_len;
	rte_pktmbuf_free_bulk(mbufs, n);
	count(&stream->counts.arrived, n);
	count(&stream->counts.arrived_bytes, bytes);
	n = rte_eth_rx_burst(worker->port_id, worker->queue_id, mbufs, SINK_BURST_MAX);
	rte_pktmbuf_free_bulk(mbufs, n);
}

static void segments_send(struct flood_stream *stream, unsigned n)
{
	struct flood_client *client = stream->client;
	struct flood_worker *worker = client->worker;
	struct rte_mbuf *mbufs[BURST_MAX];
	uint64_t bytes = 0;

	if (rte_pktmbuf_alloc_bulk(worker->pool, mbufs, n) != 0) {
		count(&stream->counts.not_sent, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct address source = traffic_model_next(worker->model);
		bool v4 = address_is_v4(&source);
		const struct flood_template *template = &stream->templates[v4][worker->turn[v4]];
		uint16_t port = flood_client_port(client, &source);

		worker->turn[v4] = worker->turn[v4] + 1 == FLOOD_STREAM_SIZES ? 0 : worker->turn[v4] + 1;
		uint32_t sequence = connect_sequence(client->plan.seed, &source, port);

		flood_segment_write(template, &source, port, sequence + 1,
			responder_frame_sequence(port, stream->node_port[v4], sequence) + 1,
			rte_pktmbuf_mtod(mbufs[i], uint8_t *));
		mbufs[i]->data_len = template->frame_bytes;
		mbufs[i]->pkt_len = template->frame_bytes;
	}
	unsigned taken = rte_eth_tx_burst(worker->port_id, worker->queue_id, mbufs, (uint16_t)n);

	for (unsigned i = 0; i < taken; i++)
		bytes += mbufs[i]->pkt_len;
	rte_pktmbuf_free_bulk(mbufs + taken, n - taken);
	count(&stream->counts.sent, taken);
	count(&stream->counts.sent_bytes, bytes);
	count(&stream->counts.not_sent, n - taken);
}

static uint64_t accounted(const struct flood_stream_counts *counts)
{
	return counts->sent + counts->not_sent + counts->not_sent_late;
}

int flood_stream_run(void *argument)
{
	struct flood_stream *stream = argument;
	const struct flood_worker *worker = stream->client->worker;
	double ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
	uint64_t end_ns = (uint64_t)(worker->options->seconds * 1e9), elapsed_ns = 0, start;
	uint64_t debt_max = (uint64_t)(worker->schedule.rate_pps * DEBT_MS / 1000) + BURST_MAX;
	struct traffic_arrivals arrivals;

	connections_open(stream);
	/* A second SYN for whoever was lost; those who are there already shrug it off. One in a hundred may
	 * be missing: two sources of a large population can be the same address. */
	if (stream->client->counts.events[CONNECT_SHAKEN] <
		worker->options->sources.population * UINT64_C(99) / 100)
		connections_open(stream);
	traffic_arrivals_start(&arrivals, &worker->schedule, worker->options->sources.seed);
	start = rte_rdtsc();
	while (elapsed_ns < end_ns && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		elapsed_ns = (uint64_t)((double)(rte_rdtsc() - start) * ns_per_cycle);
		uint64_t debt = traffic_arrivals_due(&arrivals, elapsed_ns) - accounted(&stream->counts);

		if (debt > debt_max)
			count(&stream->counts.not_sent_late, debt - debt_max);
		if (debt >= BURST_MAX)
			segments_send(stream, BURST_MAX);
		arrivals_take(stream);
	}
	count(&stream->counts.nanoseconds, elapsed_ns);
	/* what is on its way arrives, or counts as lost */
	for (start = rte_rdtsc(); rte_rdtsc() - start < rte_get_tsc_hz() / 1000 * OPEN_GRACE_MS;)
		arrivals_take(stream);
	return 0;
}
