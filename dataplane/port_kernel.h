/* SPDX-License-Identifier: BSD-3-Clause
 * What the kernel knows of a port that is also a network interface (net_af_xdp, net_af_packet): queues, MTU, link, an
 * XDP program left behind by a killed run, and the sockets on which an idle lcore can wait. Main and the table thread;
 * never an lcore.
 */
#ifndef WEIR_DATAPLANE_PORT_KERNEL_H
#define WEIR_DATAPLANE_PORT_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum { PORT_KERNEL_NAME_BYTES = 16 /* IFNAMSIZ */, PORT_KERNEL_FDS = 1024 };

struct port_kernel_facts {
	unsigned index;
	unsigned receive_queues; /* 0: the driver does not say */
	unsigned mtu;
};

/** 0, or -ENODEV: no such interface in this network namespace. */
int port_kernel_facts_read(const char *interface, struct port_kernel_facts *ret_facts);
/** Bring the interface up or down. 0 or -errno. */
int port_kernel_up_set(const char *interface, bool up);
/** 1: up and the carrier is there, 0: not, -errno. */
int port_kernel_link_get(const char *interface);
/** libbpf and libxdp explain every fallback in many lines; our own sentences suffice. Before the first port is opened. */
void port_kernel_libraries_quieten(void);
/** Detach whatever XDP program is attached. 1: there was one, 0: there was none, -errno: it could not be detached. */
int port_kernel_xdp_detach(unsigned index);

/** Open descriptors as a set, to find those that a driver opens. */
struct port_kernel_fds {
	uint64_t bits[PORT_KERNEL_FDS / 64];
};
void port_kernel_fds_read(struct port_kernel_fds *ret_fds);
/** The lowest socket of `domain` (AF_XDP, AF_PACKET) that is open now, is not in `before`, and comes after `after`; -1: none. */
int port_kernel_fd_new(const struct port_kernel_fds *before, int domain, int after);

/** A net_af_packet socket: never hear what this host sends; hear what arrives only if `receives`. 0 or -errno. */
int port_kernel_packet_prepare(int fd, bool receives);

/** Hold the lock that says "this process drives interface `index` of this network namespace". ret_fd is kept open for life.
 * 0, -EBUSY: another process drives it, or -errno. */
int port_kernel_lock(const char *run_dir, unsigned index, int *ret_fd);
void port_kernel_unlock(const char *run_dir, unsigned index, int fd);

#endif
