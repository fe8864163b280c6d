// SPDX-License-Identifier: BSD-3-Clause
/* The clients' loop. Attempts are open loop by the TSC as in flood_worker.c; --in-flight bounds those that
 * wait, which finds the rate that a peer can complete, instead of burying it in SYNs. On the lcore that owns
 * the queue.
 */
#include "bench/flood_client.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

enum {
	BURST_MAX = 32,
	RECEIVE_BURSTS_MAX = 8,
	DEBT_MS = 10,
	/* An answer that the port does not take at once is tried again for some 100 us: without it the
	 * connection is lost, and would measure our queue. */
	SEND_TRIES = 2000,
	/* With nothing heard for so long whoever is still waited for will not answer. */
	SILENCE_MS = 5,
	/* Who still waits at the end gets a moment: a reply on its way is not a failure. */
	GRACE_MS = 50,
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

void flood_client_prepare(
	struct flood_client *client, struct flood_worker *worker, struct responder *responder)
{
	static const enum flood_kind kinds[CONNECT_SEGMENTS] = {[CONNECT_SEND_ACK] = FLOOD_ACK,
		[CONNECT_SEND_REQUEST] = FLOOD_DATA,
		[CONNECT_SEND_HALF] = FLOOD_DATA,
		[CONNECT_SEND_FIN] = FLOOD_FIN,
		[CONNECT_SEND_RST] = FLOOD_RST};
	const struct flood_options *options = worker->options;

	client->worker = worker;
	client->responder = responder;
	client->plan = (struct connect_plan){.behaviour = options->behaviour,
		.seed = options->sources.seed,
		.request_bytes = options->payload_bytes};
	for (unsigned t = 0; t < options->n_targets; t++) {
		const struct flood_target *target = &options->targets[t];
		bool v4 = address_is_v4(&target->address);

		flood_template_build(&client->syn[v4],
			options->kinds[0] == FLOOD_SYN_BARE ? FLOOD_SYN_BARE : FLOOD_SYN, target, 0);
		for (unsigned i = 0; i < CONNECT_SEGMENTS; i++)
			flood_template_build(&client->segments[v4][i], kinds[i], target,
				i == CONNECT_SEND_HALF ? options->payload_bytes / 2 : options->payload_bytes);
	}
}

static void mbuf_lengths_set(struct rte_mbuf *mbuf, const struct flood_template *template)
{
	mbuf->data_len = template->frame_bytes;
	mbuf->pkt_len = template->frame_bytes;
	mbuf->ol_flags = 0; /* of what was received in it */
}

uint16_t flood_client_port(const struct flood_client *client, const struct address *source)
{
	const struct flood_options *options = client->worker->options;
	uint32_t n_ports = 1u + options->source_port_high - options->source_port_low;
	uint64_t draw = connect_sequence(client->plan.seed + 1, source, 0);

	return (uint16_t)(options->source_port_low + (draw * n_ports >> 32));
}

void flood_client_open(struct flood_client *client, unsigned n)
{
	struct flood_worker *worker = client->worker;
	const struct flood_options *options = worker->options;
	uint32_t n_ports = 1u + options->source_port_high - options->source_port_low;
	struct rte_mbuf *mbufs[BURST_MAX];
	uint64_t bytes = 0;

	if (rte_pktmbuf_alloc_bulk(worker->pool, mbufs, n) != 0) {
		count(&worker->counts.not_sent_port, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct address source = traffic_model_next(worker->model);
		const struct flood_template *template = &client->syn[address_is_v4(&source)];
		uint16_t port = client->one_port
					? flood_client_port(client, &source)
					: (uint16_t)(options->source_port_low +
						     traffic_random_below(&worker->random_state, n_ports));

		flood_segment_write(template, &source, port,
			connect_sequence(client->plan.seed, &source, port), 0,
			rte_pktmbuf_mtod(mbufs[i], uint8_t *));
		mbuf_lengths_set(mbufs[i], template);
		bytes += template->frame_bytes;
	}
	unsigned taken = rte_eth_tx_burst(worker->port_id, worker->queue_id, mbufs, (uint16_t)n);

	for (unsigned i = taken; i < n; i++)
		bytes -= mbufs[i]->pkt_len;
	rte_pktmbuf_free_bulk(mbufs + taken, n - taken);
	client->in_flight += taken;
	count(&worker->counts.sent, taken);
	count(&worker->counts.bytes, bytes);
	count(&worker->counts.by_kind[client->syn[1].kind], taken);
	count(&worker->counts.not_sent_port, n - taken);
}

static void answers_send(struct flood_client *client, struct rte_mbuf **mbufs, unsigned n)
{
	unsigned sent = 0;

	for (unsigned tries = 0; sent < n && tries < SEND_TRIES; tries++) {
		unsigned taken = rte_eth_tx_burst(client->worker->port_id, client->worker->queue_id,
			mbufs + sent, (uint16_t)(n - sent));

		if (taken == 0)
			rte_pause();
		sent += taken;
	}
	rte_pktmbuf_free_bulk(mbufs + sent, n - sent);
	count(&client->counts.answers, sent);
	count(&client->counts.answers_not_sent, n - sent);
}

/* Write the segments of an answer. The first goes over the frame that it answers; a second needs a buffer of
 * its own. Returns how many `answers` there are now. */
static unsigned segments_write(struct flood_client *client, const struct flood_reply *reply,
	const struct connect_answer *answer, struct rte_mbuf *frame, struct rte_mbuf **answers, unsigned n)
{
	struct rte_mbuf *place = frame;

	for (unsigned i = 0; i < 2; i++) {
		if (answer->segments[i] == CONNECT_SEND_NONE)
			continue;
		const struct flood_template *template = &client->segments[reply->v4][answer->segments[i]];

		if (place == NULL)
			place = rte_pktmbuf_alloc(client->worker->pool);
		if (place == NULL) {
			count(&client->counts.answers_not_sent, 1);
			break;
		}
		flood_segment_write(template, &reply->to, reply->to_port, answer->sequence,
			answer->acknowledgement, rte_pktmbuf_mtod(place, uint8_t *));
		mbuf_lengths_set(place, template);
		answers[n++] = place;
		place = NULL;
	}
	if (place == frame)
		rte_pktmbuf_free(frame);
	return n;
}

static unsigned replies_take(struct flood_client *client)
{
	struct rte_mbuf *mbufs[BURST_MAX], *answers[2 * BURST_MAX];
	uint64_t events[CONNECT_EVENTS] = {0};
	unsigned n = rte_eth_rx_burst(client->worker->port_id, client->worker->queue_id, mbufs, BURST_MAX),
		 n_answers = 0;
	uint64_t finished = 0;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct flood_reply reply;
		struct connect_answer answer;

		if (mbufs[i]->nb_segs != 1 || !flood_reply_parse(rte_pktmbuf_mtod(mbufs[i], const uint8_t *),
						      mbufs[i]->data_len, &reply)) {
			events[CONNECT_STRAY]++;
			rte_pktmbuf_free(mbufs[i]);
			continue;
		}
		connect_answer_find(&client->plan, &client->memory, &reply, &answer);
		events[answer.event]++;
		finished += answer.finished;
		n_answers = segments_write(client, &reply, &answer, mbufs[i], answers, n_answers);
	}
	if (n_answers > 0)
		answers_send(client, answers, n_answers);
	client->in_flight -= finished < client->in_flight ? finished : client->in_flight;
	client->heard_tsc = rte_rdtsc();
	count(&client->worker->counts.received, n);
	for (unsigned i = 0; i < CONNECT_EVENTS; i++) {
		if (events[i] != 0)
			count(&client->counts.events[i], events[i]);
	}
	return n;
}

/* The node's side first: what it owes holds up the clients. */
void flood_client_poll(struct flood_client *client)
{
	for (unsigned bursts = 0; client->responder != NULL && bursts < RECEIVE_BURSTS_MAX; bursts++) {
		if (responder_poll(client->responder) == 0)
			break;
	}
	for (unsigned bursts = 0; bursts < RECEIVE_BURSTS_MAX; bursts++) {
		if (replies_take(client) < BURST_MAX)
			break;
	}
}

static void turn_attempts(struct flood_client *client, uint64_t debt)
{
	uint64_t room = client->worker->options->in_flight, silence = rte_get_tsc_hz() / 1000 * SILENCE_MS;

	if (room != 0 && client->in_flight >= room && rte_rdtsc() - client->heard_tsc > silence) {
		count(&client->counts.abandoned, client->in_flight);
		client->in_flight = 0;
	}
	if (room != 0) {
		room = room > client->in_flight ? room - client->in_flight : 0;
		if (debt > room) {
			count(&client->counts.not_sent_open, debt - room);
			debt = room;
		}
	}
	while (debt > 0) {
		unsigned n = debt < BURST_MAX ? (unsigned)debt : BURST_MAX;

		flood_client_open(client, n);
		debt -= n;
		flood_client_poll(client);
	}
}

static uint64_t accounted(const struct flood_client *client)
{
	const struct flood_counts *counts = &client->worker->counts;

	return counts->sent + counts->not_sent_late + counts->not_sent_port + client->counts.not_sent_open;
}

int flood_client_run(void *argument)
{
	struct flood_client *client = argument;
	struct flood_worker *worker = client->worker;
	double ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
	uint64_t end_ns = (uint64_t)(worker->options->seconds * 1e9), elapsed_ns = 0;
	uint64_t grace_ns = end_ns + (uint64_t)GRACE_MS * 1000000;
	uint64_t debt_max = (uint64_t)(worker->schedule.rate_pps * DEBT_MS / 1000) + BURST_MAX;
	struct traffic_arrivals arrivals;

	client->heard_tsc = rte_rdtsc();
	traffic_arrivals_start(
		&arrivals, &worker->schedule, worker->options->sources.seed + worker->queue_id);
	while (elapsed_ns < grace_ns && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		elapsed_ns = (uint64_t)((double)(rte_rdtsc() - worker->start_tsc) * ns_per_cycle);
		flood_client_poll(client);
		if (elapsed_ns >= end_ns)
			continue;

		uint64_t debt = traffic_arrivals_due(&arrivals, elapsed_ns) - accounted(client);
		if (debt > debt_max) {
			count(&worker->counts.not_sent_late, debt - debt_max);
			debt = debt_max;
		}
		if (debt > 0)
			turn_attempts(client, debt);
		else
			rte_pause();
	}
	return 0;
}
