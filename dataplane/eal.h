/* SPDX-License-Identifier: BSD-3-Clause
 * DPDK's environment: built from our options, started once by main, stopped once by main. Each usual failure is one
 * sentence on stderr that says what to do. Must not know ports or packets.
 */
#ifndef WEIR_DATAPLANE_EAL_H
#define WEIR_DATAPLANE_EAL_H

#include <rte_mempool.h>

#include "dataplane/options.h"

/** Frames of one kind of mbuf: ordinary MTU, or as large as a page allows (AF_XDP at MTU 3506). */
enum { EAL_MBUF_DATA_BYTES = 2048 + RTE_PKTMBUF_HEADROOM };

/** Start EAL. 0, or -errno after a sentence on stderr. lcore ids are 0..n_lcores-1, pinned to options->lcores. */
int eal_start(const struct options *options);
/** One pool of mbufs for all ports. NULL after a sentence on stderr. */
struct rte_mempool *eal_pool_create(const struct options *options, unsigned data_bytes);
/** Stop EAL and remove the huge pages and files that it would leave until its next start. */
void eal_stop(const struct options *options);
/** True when `device` is written as a PCI address (0000:01:00.0 or 01:00.0). */
bool eal_device_is_pci(const char *device);
enum { EAL_PCI_NAME_BYTES = 16 };
/** The same, and the address as DPDK and sysfs write it: 0000:01:00.0. */
bool eal_device_pci_name(const char *device, char ret_name[EAL_PCI_NAME_BYTES]);

#endif
