/* SPDX-License-Identifier: BSD-3-Clause
 * What weir-node does with its sockets: accept, read requests, answer them, up to a number of connections, as a small
 * P2P node would: when it is full it accepts and closes. One thread. Must not block or allocate after creation.
 */
#ifndef WEIR_BENCH_NODE_SERVICE_H
#define WEIR_BENCH_NODE_SERVICE_H

#include <stdint.h>
#include <stdio.h>

#include "bench/echo_protocol.h"

struct node_counts {
	uint64_t accepted, refused_full, echoed_tcp, echoed_udp, malformed;
	uint64_t closed_by_peer, reset_by_peer, idle_closed;
	uint32_t open, open_max;
};

struct node_service;

/** Watches with `epoll_fd`, whose events carry the pointers that node_service_event takes. -ENOMEM. */
int node_service_create(int epoll_fd, uint32_t connections_max, uint64_t idle_timeout_ns, const struct echo_key *key,
	struct node_service **ret_service);
/** From now on one line for each connection that a log would name: "ADDRESS full" (refused: no place left), "ADDRESS nothing" (went away
 * before a whole request), "ADDRESS malformed", "ADDRESS idle". Ban scripts read it. NULL: none. The file stays the caller's. */
void node_service_complain(struct node_service *service, FILE *file);
/** Closes every socket, listeners included. */
void node_service_destroy(struct node_service *service);
/** Takes the socket over: a listening TCP socket or a bound UDP socket, non-blocking. -errno of epoll_ctl, -ENOSPC. */
int node_service_add(struct node_service *service, int fd, int socket_type);
/** One event of epoll. `now_ns`: CLOCK_MONOTONIC. */
void node_service_event(struct node_service *service, void *pointer, uint32_t events, uint64_t now_ns);
/** Close what was idle too long. Looks at every connection: call once a second. */
void node_service_sweep(struct node_service *service, uint64_t now_ns);
const struct node_counts *node_service_counts(const struct node_service *service);

#endif
