/* SPDX-License-Identifier: BSD-3-Clause
 * The one port weir-flood sends through. Main thread, after EAL and before the workers.
 */
#ifndef WEIR_BENCH_FLOOD_PORT_H
#define WEIR_BENCH_FLOOD_PORT_H

#include <stddef.h>
#include <stdint.h>

struct rte_mempool;

/** Start the first port with `n_queues` queues to send on. -errno, with a sentence in `error_text`. */
int flood_port_start(unsigned n_queues, uint16_t *ret_port_id, struct rte_mempool **ret_pool, char *error_text, size_t error_bytes);
void flood_port_mac(uint16_t port_id, uint8_t mac[6]);
void flood_port_stop(uint16_t port_id);

#endif
