/* SPDX-License-Identifier: BSD-3-Clause
 * The ports that generators send through. Main thread, after EAL and before the workers.
 */
#ifndef WEIR_BENCH_FLOOD_PORT_H
#define WEIR_BENCH_FLOOD_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mempool;

struct flood_eal {
	const char *program;
	const char *devices[2]; /* vdev texts, or one PCI address; the second may be NULL */
	unsigned n_lcores,
		cpu; /* lcores 1, 2, ... run on CPUs cpu, cpu + 1, ... if have_cpu, else anywhere */
	bool have_cpu, huge;
	const char *const *args; /* further ones, at most 16 */
	unsigned n_args;
};

/** Start EAL; the main thread floats. -EIO, after saying why on standard error. */
int flood_eal_start(const struct flood_eal *eal);
/** Buffers for `n_queues` queues of each of `n_ports` ports. -ENOMEM, with a sentence in `error_text`. */
int flood_pool_create(unsigned n_queues, unsigned n_ports, struct rte_mempool **ret_pool, char *error_text,
	size_t error_bytes);
/** Start the port of a device (a vdev text or a PCI address) that EAL was given, with `n_queues` queues each
 * way, and wait until its link is up. -errno, with a sentence in `error_text`. */
int flood_port_start(const char *device, unsigned n_queues, struct rte_mempool *pool, uint16_t *ret_port_id,
	char *error_text, size_t error_bytes);
void flood_port_mac(uint16_t port_id, uint8_t mac[6]);
void flood_port_stop(uint16_t port_id);

#endif
