/* SPDX-License-Identifier: BSD-3-Clause
 * A port of weir-delay: one queue in, one out, and a descriptor on which an idle line can wait. Main thread, after EAL.
 */
#ifndef WEIR_BENCH_DELAY_PORT_H
#define WEIR_BENCH_DELAY_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ethdev.h>

struct rte_mempool;

/* Receive and send rings of the device and of the kernel behind it (net_af_xdp: 4096 + 2048 + 2048). */
enum { DELAY_PORT_BUFFERS = 8192 };

struct delay_port {
	const char *device; /* as the operator wrote it */
	uint16_t id;
	int wait_fd; /* readable when there are frames; -1: none is known */
	bool packet_socket, attached, started;
	uint64_t missed; /* by the kernel's ring, read so far */
	char name[RTE_ETH_NAME_MAX_LEN];
};

/** Bytes of data that a buffer needs for frames of this port: its interface's MTU decides. */
unsigned delay_port_data_bytes(const char *device);
/** Buffers for both ports. NULL: no memory. */
struct rte_mempool *delay_port_pool_create(unsigned n, unsigned data_bytes);
/** Open and start; `number` tells the ports apart. 0, or -errno with a sentence in `error_text`, and nothing left open. */
int delay_port_open(const char *device, unsigned number, struct rte_mempool *pool, struct delay_port *ret_port, char *error_text,
	size_t error_bytes);
/** Frames that arrived and were not received because a ring or the pool was full. */
uint64_t delay_port_missed(struct delay_port *port);
/** Harmless on a port that was never opened but zeroed. */
void delay_port_close(struct delay_port *port);

#endif
