/* SPDX-License-Identifier: BSD-3-Clause
 * One port: found, configured, started, stopped. A pair of them is a bump in the wire. Opened and closed by main before and
 * after the lcores run; afterwards its fields are read-only. Each failure is one sentence on stderr.
 */
#ifndef WEIR_DATAPLANE_PORT_H
#define WEIR_DATAPLANE_PORT_H

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "dataplane/options.h"
#include "dataplane/port_kernel.h"
#include "dataplane/stage.h"

enum port_driver { PORT_DRIVER_OTHER, PORT_DRIVER_XDP, PORT_DRIVER_PACKET };

/** One queue of a port: a queue of a DPDK device. Ports on kernel interfaces are one device per queue, because net_af_xdp counts
 * only "combined" channels, which veth has not, and net_af_packet has the kernel reassemble fragments when it spreads queues. */
struct port_queue {
	uint16_t device, queue; /* DPDK's */
	int wait_fd; /* readable when it has packets; -1: none known */
};

struct port {
	uint8_t pair;
	uint8_t side; /* enum side */
	uint8_t driver; /* enum port_driver */
	const char *device; /* as the operator wrote it */
	char interface[PORT_KERNEL_NAME_BYTES]; /* "" when the port is no kernel interface */
	unsigned interface_index;
	int lock_fd;
	unsigned mtu; /* that the operator wants, bytes; 0: the device's usual one */
	unsigned n_queues, n_devices; /* devices: 1, or one per queue */
	struct port_queue queues[OPTIONS_QUEUES_MAX];
	struct port_device {
		uint16_t id;
		bool attached, started; /* attached: made by us, to be removed */
		char name[RTE_ETH_NAME_MAX_LEN];
	} devices[OPTIONS_QUEUES_MAX];
};

/** How large mbufs must be for these ports: AF_XDP wants a page for each. */
unsigned port_data_bytes(const struct options *options);
/** Open, configure and start. 0, or -errno after a sentence; then nothing is left open. `rss_key`: PORT_RSS_KEY_BYTES. */
int port_open(const struct options *options, const char *device, unsigned pair, enum side side, struct rte_mempool *pool,
	const uint8_t *rss_key, struct port *ret_port);
/** Frames that the port's devices received since they were opened and no lcore saw: none came in time, no buffer was free, or they were
 * damaged or larger than the MTU. net_af_packet and virtio count none. Any thread, while the port is open. */
uint64_t port_missed(const struct port *port);
/** Stop, detach XDP, release. Harmless on a port that was never opened but zeroed. */
void port_close(const struct options *options, struct port *port);

#endif
