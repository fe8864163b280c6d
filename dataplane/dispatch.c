// SPDX-License-Identifier: BSD-3-Clause
/* Dispatch (dispatch.h). On the packet path: a hash, and one ring operation per burst and target. A full ring drops: an lcore
 * never waits for another. The one system call, waking a sleeper, is made only when the target sleeps.
 */
#include "dataplane/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_ring_elem.h>

static int dispatch_ring_create(struct rte_ring **ret_ring, const char *kind, unsigned from, unsigned to, unsigned element_bytes,
	unsigned count)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "weir_%s_%u_%u", kind, from, to);
	*ret_ring = rte_ring_create_elem(name, element_bytes, count, (int)rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (*ret_ring)
		return 0;
	fprintf(stderr, "weir-dataplane: no memory for a ring between lcores (%s).\n", rte_strerror(rte_errno));
	return -ENOMEM;
}

int dispatch_create(struct dispatch *dispatch, unsigned n_lcores, unsigned n_queues)
{
	int rc = 0;

	dispatch->n_lcores = n_lcores;
	dispatch->n_queues = n_queues;
	for (unsigned i = 0; i < n_lcores; i++)
		dispatch->lcores[i].wake_fd = -1;
	for (unsigned i = 0; rc == 0 && i < n_lcores; i++) {
		dispatch->lcores[i].wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (dispatch->lcores[i].wake_fd < 0)
			rc = -errno;
		if (rc == 0)
			rc = dispatch_ring_create(&dispatch->lcores[i].requests, "request", i, i, sizeof(struct dispatch_request),
				DISPATCH_RING_REQUESTS);
		for (unsigned j = 0; rc == 0 && j < n_lcores; j++)
			if (i != j)
				rc = dispatch_ring_create(&dispatch->frames[i][j], "frame", i, j, sizeof(void *), DISPATCH_RING_FRAMES);
	}
	if (rc != 0)
		dispatch_destroy(dispatch);
	return rc;
}

void dispatch_destroy(struct dispatch *dispatch)
{
	for (unsigned i = 0; i < dispatch->n_lcores; i++) {
		for (unsigned j = 0; j < dispatch->n_lcores; j++) {
			struct rte_mbuf *frame;

			while (dispatch->frames[i][j] && rte_ring_dequeue(dispatch->frames[i][j], (void **)&frame) == 0)
				rte_pktmbuf_free(frame);
			rte_ring_free(dispatch->frames[i][j]);
			dispatch->frames[i][j] = NULL;
		}
		rte_ring_free(dispatch->lcores[i].requests);
		dispatch->lcores[i].requests = NULL;
		if (dispatch->lcores[i].wake_fd >= 0)
			close(dispatch->lcores[i].wake_fd);
		dispatch->lcores[i].wake_fd = -1;
	}
	dispatch->n_lcores = 0;
}

unsigned dispatch_owner(const struct dispatch *dispatch, const struct address *client)
{
	uint64_t words[2];

	if (dispatch->n_lcores == 1)
		return 0;
	if (dispatch->rss_table_size != 0) {
		uint32_t hash = port_rss_hash(client, dispatch->rss_key);

		return hash % dispatch->rss_table_size % dispatch->n_queues % dispatch->n_lcores;
	}
	memcpy(words, client->bytes, sizeof(words));
	return (unsigned)(((keyed_hash_2(&dispatch->key, words[0], words[1]) >> 32) * dispatch->n_lcores) >> 32);
}

const struct address *dispatch_client(const struct packet *packet, enum side side)
{
	/* An error that comes from outside quotes what the node sent, and the other way round. */
	if (packet->kind == PACKET_KIND_ICMP_ERROR && packet->quoted_valid)
		return side == SIDE_OUTSIDE ? &packet->quoted_destination : &packet->quoted_source;
	return side == SIDE_OUTSIDE ? &packet->source : &packet->destination;
}

unsigned dispatch_owner_of(struct dispatch *dispatch, unsigned lcore, const struct packet *packet, enum side side,
	struct counters *counters)
{
	bool trusted = atomic_load_explicit(&dispatch->rss_trusted, memory_order_relaxed);
	unsigned owner;

	if (dispatch->n_lcores == 1 || packet->family == 0 || packet->kind == PACKET_KIND_INFRASTRUCTURE)
		return lcore;
	/* The device hashed an error's own addresses, not those of the flow that it quotes. */
	if (packet->kind == PACKET_KIND_ICMP_ERROR)
		return dispatch_owner(dispatch, dispatch_client(packet, side));
	if (trusted && dispatch->lcores[lcore].rss_checked >= DISPATCH_RSS_CHECKS)
		return lcore;
	owner = dispatch_owner(dispatch, dispatch_client(packet, side));
	if (trusted) {
		dispatch->lcores[lcore].rss_checked++;
		if (owner != lcore) {
			counter_add(counters, COUNTER_RSS_MISPLACED, 1);
			atomic_store_explicit(&dispatch->rss_trusted, false, memory_order_relaxed);
		}
	}
	return owner;
}

void dispatch_wake(struct dispatch *dispatch, unsigned to)
{
	static const uint64_t one = 1;

	/* Pairs with the fence of worker_sleep: either we see it asleep, or it sees what we have just enqueued. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&dispatch->lcores[to].asleep, memory_order_relaxed))
		return;
	/* It can fail only when the counter is full: then the sleeper is woken already. */
	if (write(dispatch->lcores[to].wake_fd, &one, sizeof(one)) < 0)
		return;
}

void dispatch_frames(struct dispatch *dispatch, unsigned from, unsigned to, struct rte_mbuf **frames, unsigned n,
	struct counters *counters)
{
	unsigned taken = rte_ring_sp_enqueue_burst(dispatch->frames[from][to], (void **)frames, n, NULL);

	counter_add(counters, COUNTER_DISPATCHED, taken);
	dispatch_wake(dispatch, to);
	if (taken == n)
		return;
	counter_add(counters, COUNTER_DISPATCH_REFUSED, n - taken);
	counter_reason_add(counters, REASON_NO_BUFFER, n - taken);
	rte_pktmbuf_free_bulk(frames + taken, n - taken);
}

int dispatch_request(struct dispatch *dispatch, unsigned to, const struct dispatch_request *request)
{
	if (rte_ring_sp_enqueue_elem(dispatch->lcores[to].requests, (void *)(uintptr_t)request, sizeof(*request)) != 0)
		return -EAGAIN;
	dispatch_wake(dispatch, to);
	return 0;
}

bool dispatch_has_work(const struct dispatch *dispatch, unsigned lcore)
{
	if (!rte_ring_empty(dispatch->lcores[lcore].requests))
		return true;
	for (unsigned i = 0; i < dispatch->n_lcores; i++)
		if (i != lcore && !rte_ring_empty(dispatch->frames[i][lcore]))
			return true;
	return false;
}
