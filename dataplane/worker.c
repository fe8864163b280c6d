// SPDX-License-Identifier: BSD-3-Clause
/* The main loop (worker.h). Each lcore runs worker_run; everything here runs there but worker_prepare and worker_output. No
 * log, no allocation, no lock; the only system calls are those of an idle lcore that goes to sleep.
 */
#include "dataplane/worker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_pause.h>
#include <rte_ring_elem.h>
#include <urcu-qsbr.h>

enum {
	/* An idle lcore polls on for as long as the answer to what it forwarded may take on the same machine, then
	 * gives the CPU away: waking up costs some 5 to 50 us, which only the first packet after a pause pays. */
	WORKER_SPIN_NS = 20000,
	WORKER_PAUSE_NS = 50000,
	/* With descriptors that wake it, an lcore needs a clock only for time-outs and bans of idle flows (1 s is promised). */
	WORKER_SLEEP_WOKEN_US = 5000,
	/* 2^20 flows in 500 ms, called every 5 ms: 10,486. */
	WORKER_STEP_FLOWS = 16384,
	WORKER_REQUESTS = 4, /* cuts a poll: each walks the whole table once */
};

static uint64_t worker_now_ns(struct worker *worker)
{
	uint64_t now_ns = monotonic_clock_ns(&worker->shared->clock);

	if (now_ns > worker->now_ns)
		worker->now_ns = now_ns;
	return worker->now_ns;
}

/* No image yet. */
static void worker_decide_ungoverned(struct worker *worker)
{
	bool open = atomic_load_explicit(&worker->shared->gate, memory_order_relaxed) == WORKER_GATE_OPEN;
	enum reason reason = open ? REASON_FAIL_OPEN : REASON_NOT_READY;

	for (unsigned i = 0; i < worker->io->n; i++)
		worker->io->decisions[i] = (struct decision){ .reason = (uint16_t)reason,
			.verdict = open ? VERDICT_FORWARD : VERDICT_DROP };
	counter_reason_add(&worker->segment->counters, reason, worker->io->n);
}

/* Time-outs, bans that moved, and what the table thread asked for. */
static void worker_keep_house(struct worker *worker, const struct ruleset *rules, uint64_t now_ns, unsigned received)
{
	struct dispatch_request request;

	for (unsigned i = 0; i < WORKER_REQUESTS; i++) {
		if (rte_ring_sc_dequeue_elem(worker->dispatch->lcores[worker->lcore].requests, &request, sizeof(request)) != 0)
			break;
		stage_cut(worker->stage, rules, &request.client, request.client_port, now_ns);
	}
	stage_step(worker->stage, rules, now_ns, WORKER_STEP_FLOWS);
	if (received != 0 && atomic_load_explicit(worker->shared->first_governed_mono_ns, memory_order_relaxed) == 0)
		atomic_store_explicit(worker->shared->first_governed_mono_ns, now_ns, memory_order_relaxed);
}

/* Offline for RCU while asleep: the table thread never waits for a sleeper. */
static void worker_sleep(struct worker *worker)
{
	struct dispatch_lcore *mine = &worker->dispatch->lcores[worker->lcore];
	struct timespec limit = { .tv_nsec = (long)worker->sleep_us * 1000 };
	uint64_t wakes;

	counter_add(&worker->segment->counters, COUNTER_SLEEPS, 1);
	atomic_store_explicit(&mine->asleep, true, memory_order_relaxed);
	/* Pairs with the fence of dispatch_wake. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!dispatch_has_work(worker->dispatch, worker->lcore)) {
		rcu_thread_offline();
		ppoll(worker->wait, worker->n_wait, &limit, NULL);
		rcu_thread_online();
	}
	atomic_store_explicit(&mine->asleep, false, memory_order_relaxed);
	if ((worker->wait[0].revents & POLLIN) && read(mine->wake_fd, &wakes, sizeof(wakes)) < 0)
		worker->wait[0].revents = 0;
}

static void worker_rest(struct worker *worker, unsigned received)
{
	uint64_t idle_ns;

	counter_add(&worker->segment->counters, COUNTER_POLLS, 1);
	if (received != 0) {
		worker->busy_ns = worker->now_ns;
		return;
	}
	counter_add(&worker->segment->counters, COUNTER_POLLS_IDLE, 1);
	idle_ns = worker->now_ns - worker->busy_ns;
	if (idle_ns < WORKER_SPIN_NS || worker->sleep_us == 0)
		return;
	if (idle_ns < WORKER_PAUSE_NS)
		rte_pause();
	else
		worker_sleep(worker);
}

int worker_run(void *argument)
{
	struct worker *worker = argument;
	struct worker_shared *shared = worker->shared;
	struct packet_io *io = worker->io;

	rcu_register_thread();
	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		const struct ruleset *rules = rcu_dereference(shared->rules);
		uint64_t now_ns = worker_now_ns(worker);
		const struct packet_io_moment moment = { .stage = worker->stage, .rules = rules, .now_ns = now_ns };
		unsigned received = 0;

		for (unsigned i = 0; i < io->n_sources; i++) {
			received += packet_io_receive(io, i, &moment);
			if (io->n == 0 || (!packet_io_is_full(io) && i + 1 < io->n_sources))
				continue;
			if (rules)
				stage_decide_burst(worker->stage, rules, io->pointers, io->n, now_ns, io->decisions);
			else
				worker_decide_ungoverned(worker);
			packet_io_apply(io);
		}
		if (rules)
			worker_keep_house(worker, rules, now_ns, received);
		packet_io_flush(io);
		rcu_quiescent_state();
		worker_rest(worker, received);
	}
	rcu_unregister_thread();
	return 0;
}

static void worker_send_segment(void *context, enum side side, const struct next_hop *hop, const struct reply_tcp *segment)
{
	packet_io_send_segment(((struct worker *)context)->io, side, hop, segment);
}

static void worker_event(void *context, const struct event_record *event)
{
	struct worker *worker = context;
	uint64_t consumed = atomic_load_explicit(&worker->shared->ring_consumed[worker->lcore], memory_order_relaxed);
	int rc = event_ring_push(&worker->segment->events, consumed, event);

	counter_add(&worker->segment->counters, rc == 0 ? COUNTER_EVENTS_SENT : COUNTER_EVENTS_LOST, 1);
}

struct stage_output worker_output(struct worker *worker)
{
	return (struct stage_output){ .context = worker, .send_segment = worker_send_segment, .event = worker_event };
}

void worker_prepare(struct worker *worker)
{
	bool can_wake = true;

	worker->n_wait = 0;
	worker->wait[worker->n_wait++] = (struct pollfd){ .fd = worker->dispatch->lcores[worker->lcore].wake_fd, .events = POLLIN };
	for (unsigned i = 0; i < worker->io->n_sources; i++) {
		const struct packet_io_source *source = &worker->io->sources[i];

		if (!source->port)
			continue;
		if (source->port->queues[source->queue].wait_fd >= 0)
			worker->wait[worker->n_wait++] =
				(struct pollfd){ .fd = source->port->queues[source->queue].wait_fd, .events = POLLIN };
		else if (source->port->driver != PORT_DRIVER_PACKET || source->queue == 0)
			can_wake = false; /* the other queues of net_af_packet only send */
	}
	worker->sleep_us = worker->shared->idle_sleep_us;
	if (can_wake && worker->sleep_us != 0)
		worker->sleep_us = WORKER_SLEEP_WOKEN_US;
}
