/* SPDX-License-Identifier: BSD-3-Clause
 * Which lcore owns a client, and how frames and requests get there. Owner: a keyed function of the client's address alone, so
 * both directions, fragments and ICMP errors of a client meet one lcore. Built by main; then lcores only, by bounded
 * single-producer rings; the table thread has a ring of its own to each lcore for requests.
 */
#ifndef WEIR_DATAPLANE_DISPATCH_H
#define WEIR_DATAPLANE_DISPATCH_H

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/options.h"
#include "dataplane/port_rss.h"
#include "dataplane/stage.h"

enum {
	DISPATCH_RING_FRAMES = 1024, /* 16 bursts of 64: what one lcore may bring while the other walks its flows for 100 us */
	DISPATCH_RING_REQUESTS = 1024,
	DISPATCH_RSS_CHECKS = 1024, /* packets of each lcore whose place is compared with the computed one */
};

/** What the table thread asks of an lcore. */
struct dispatch_request {
	struct address client;
	uint16_t client_port; /* 0: all */
	uint8_t reserved[6];
};

struct dispatch_lcore {
	_Alignas(64) _Atomic bool asleep; /* the lcore waits, or is about to: who brings work writes wake_fd */
	int wake_fd;
	struct rte_ring *requests; /* of struct dispatch_request, from the table thread */
	_Alignas(64) uint32_t rss_checked; /* that lcore only */
};

struct dispatch {
	struct hash_key key;
	uint8_t rss_key[PORT_RSS_KEY_BYTES];
	unsigned n_lcores, n_queues;
	unsigned rss_table_size; /* 0: the owner is computed by a keyed hash, else by Toeplitz and the devices' table */
	_Atomic bool rss_trusted; /* false: the owner is computed for each packet */
	struct dispatch_lcore lcores[OPTIONS_LCORES_MAX];
	struct rte_ring *frames[OPTIONS_LCORES_MAX][OPTIONS_LCORES_MAX]; /* [from][to]; NULL on the diagonal */
};

/** Rings and wake-up descriptors. 0, or -errno after a sentence. key and rss fields are the caller's to set first. */
int dispatch_create(struct dispatch *dispatch, unsigned n_lcores, unsigned n_queues);
void dispatch_destroy(struct dispatch *dispatch);
/** Any thread: the lcore that owns this client. */
unsigned dispatch_owner(const struct dispatch *dispatch, const struct address *client);
/** The client of a packet: the far end as seen from the node; for an ICMP error, of the flow that it quotes. */
const struct address *dispatch_client(const struct packet *packet, enum side side);
/** Lcore: who shall decide this packet. Packets without addresses are decided where they came in. */
unsigned dispatch_owner_of(struct dispatch *dispatch, unsigned lcore, const struct packet *packet, enum side side,
	struct counters *counters);
/** Lcore: hand over n frames; those that the ring does not take are freed and counted. */
void dispatch_frames(struct dispatch *dispatch, unsigned from, unsigned to, struct rte_mbuf **frames, unsigned n,
	struct counters *counters);
/** Table thread. -EAGAIN: the ring is full, try again. */
int dispatch_request(struct dispatch *dispatch, unsigned to, const struct dispatch_request *request);
/** Wake an lcore that sleeps; no system call when it does not. */
void dispatch_wake(struct dispatch *dispatch, unsigned to);
/** Lcore: is there work from others? */
bool dispatch_has_work(const struct dispatch *dispatch, unsigned lcore);

#endif
