// SPDX-License-Identifier: BSD-3-Clause
/* Ports of weir-delay (delay_port.h). A kernel interface is driven by net_af_packet: it takes every MTU, leaves nothing behind
 * when it is killed, and the driver's habits that would change frames are undone by dataplane/port_kernel.h. Main thread.
 */
#include "bench/delay_port.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include "dataplane/port_kernel.h"

enum {
	DESCRIPTORS = 2048,
	DESCRIPTORS_JUMBO = 512,
	/* A slot of the packet ring holds the kernel's header, at most 100 bytes, Ethernet and two tags, 22, and the packet. */
	SLOT_EXTRA = 122,
	SLOT_BYTES = 3584,
	BLOCK_BYTES = 7 * 4096, /* whole pages and whole slots: the driver steps from slot to slot without regard to blocks */
	SLOT_BYTES_JUMBO = 16384,
	/* buffers of one page: what net_af_xdp insists on */
	DATA_BYTES = 4096 - 64 - 128,
	DATA_BYTES_JUMBO = SLOT_BYTES_JUMBO + RTE_PKTMBUF_HEADROOM,
};

#ifndef AF_XDP
#define AF_XDP 44
#endif

/* The kernel interface behind "auto:IFACE" or "driver,iface=IFACE,..."; "" when there is none. */
static void interface_find(const char *device, char ret_interface[PORT_KERNEL_NAME_BYTES])
{
	const char *name = strncmp(device, "auto:", 5) == 0 ? device + 5 : strstr(device, "iface=");
	size_t length;

	ret_interface[0] = '\0';
	if (name != NULL && strncmp(name, "iface=", 6) == 0)
		name += 6;
	length = name == NULL ? 0 : strcspn(name, ",");
	if (length == 0 || length >= PORT_KERNEL_NAME_BYTES)
		return;
	memcpy(ret_interface, name, length);
	ret_interface[length] = '\0';
}

static bool is_jumbo(const char *device)
{
	char interface[PORT_KERNEL_NAME_BYTES];
	struct port_kernel_facts facts = {0};

	interface_find(device, interface);
	return interface[0] != '\0' && port_kernel_facts_read(interface, &facts) == 0 && facts.mtu > SLOT_BYTES - SLOT_EXTRA;
}

unsigned delay_port_data_bytes(const char *device)
{
	return is_jumbo(device) ? DATA_BYTES_JUMBO : DATA_BYTES;
}

/* Without spreading objects over memory channels: net_af_xdp wants them one page each, without gaps. */
struct rte_mempool *delay_port_pool_create(unsigned n, unsigned data_bytes)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = (uint16_t)data_bytes};
	struct rte_mempool *pool = rte_mempool_create_empty("delay", n, (unsigned)sizeof(struct rte_mbuf) + data_bytes, 256,
		sizeof(private), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_SPREAD);

	if (pool != NULL && rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) == 0) {
		rte_pktmbuf_pool_init(pool, &private);
		if (rte_mempool_populate_default(pool) == (int)n) {
			rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
			return pool;
		}
	}
	rte_mempool_free(pool);
	return NULL;
}

/* Have EAL make the virtual device, or find the physical one that it has already. */
static int device_attach(struct delay_port *port, unsigned number)
{
	char arguments[256], interface[PORT_KERNEL_NAME_BYTES];
	const char *comma = strchr(port->device, ',');

	if (strncmp(port->device, "auto:", 5) == 0) {
		bool jumbo = is_jumbo(port->device);

		interface_find(port->device, interface);
		snprintf(port->name, sizeof(port->name), "net_af_packet%u", number);
		snprintf(arguments, sizeof(arguments), "iface=%s,qpairs=1,framesz=%u,blocksz=%u,framecnt=%u", interface,
			jumbo ? SLOT_BYTES_JUMBO : SLOT_BYTES, jumbo ? SLOT_BYTES_JUMBO : BLOCK_BYTES,
			jumbo ? DESCRIPTORS_JUMBO : DESCRIPTORS);
	} else {
		size_t length = strcspn(port->device, ",");

		if (length >= sizeof(port->name))
			return -ENAMETOOLONG;
		snprintf(port->name, sizeof(port->name), "%.*s", (int)length, port->device);
		snprintf(arguments, sizeof(arguments), "%s", comma != NULL ? comma + 1 : "");
	}
	if (rte_eth_dev_get_port_by_name(port->name, &port->id) == 0)
		return 0;
	if (rte_eal_hotplug_add("vdev", port->name, arguments) != 0)
		return -ENODEV;
	port->attached = true;
	return rte_eth_dev_get_port_by_name(port->name, &port->id);
}

static int device_start(struct delay_port *port, struct rte_mempool *pool)
{
	uint16_t receive = DESCRIPTORS, send = DESCRIPTORS; /* net_af_packet goes by its arguments */
	struct rte_eth_conf conf = {0};
	struct port_kernel_fds before;
	int result = rte_eth_dev_configure(port->id, 1, 1, &conf);

	port_kernel_fds_read(&before);
	if (result == 0)
		result = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &receive, &send);
	if (result == 0)
		result = rte_eth_rx_queue_setup(port->id, 0, receive, SOCKET_ID_ANY, NULL, pool);
	if (result == 0 && !port->packet_socket)
		port->wait_fd = port_kernel_fd_new(&before, AF_XDP, -1);
	if (result == 0)
		result = rte_eth_tx_queue_setup(port->id, 0, send, SOCKET_ID_ANY, NULL);
	if (result == 0)
		result = rte_eth_dev_start(port->id);
	if (result != 0)
		return result;
	port->started = true;
	/* frames are for other stations; a device that cannot be told so hears them anyway */
	(void)rte_eth_promiscuous_enable(port->id);
	return 0;
}

int delay_port_open(const char *device, unsigned number, struct rte_mempool *pool, struct delay_port *ret_port, char *error_text,
	size_t error_bytes)
{
	struct delay_port port = {.device = device, .wait_fd = -1};
	char interface[PORT_KERNEL_NAME_BYTES];
	struct port_kernel_facts facts;
	struct port_kernel_fds before;
	int result;

	interface_find(device, interface);
	if ((strncmp(device, "auto:", 5) == 0 || interface[0] != '\0') && port_kernel_facts_read(interface, &facts) != 0) {
		snprintf(error_text, error_bytes, "port %s: there is no such interface in this network namespace", device);
		return -ENODEV;
	}
	if (interface[0] != '\0' && (result = port_kernel_up_set(interface, true)) != 0) {
		snprintf(error_text, error_bytes, "port %s: the interface cannot be set up: %s", device, strerror(-result));
		return result;
	}
	port_kernel_fds_read(&before);
	result = device_attach(&port, number);
	if (result == 0 && strncmp(port.name, "net_af_packet", 13) == 0) {
		port.packet_socket = true;
		port.wait_fd = port_kernel_fd_new(&before, AF_PACKET, -1);
		result = port_kernel_packet_prepare(port.wait_fd, true);
	}
	if (result == 0)
		result = device_start(&port, pool);
	if (result != 0) {
		snprintf(error_text, error_bytes, "port %s does not start (%s): is it spelt right, and is its device free?", device,
			rte_strerror(-result));
		delay_port_close(&port);
		return result;
	}
	*ret_port = port;
	return 0;
}

uint64_t delay_port_missed(struct delay_port *port)
{
	struct rte_eth_stats stats = {0};
	struct tpacket_stats ring;
	socklen_t bytes = sizeof(ring);

	if (!port->started)
		return 0;
	/* the kernel forgets what it has told */
	if (port->packet_socket && getsockopt(port->wait_fd, SOL_PACKET, PACKET_STATISTICS, &ring, &bytes) == 0)
		port->missed += ring.tp_drops;
	(void)rte_eth_stats_get(port->id, &stats);
	return port->missed + stats.imissed + stats.rx_nombuf;
}

void delay_port_close(struct delay_port *port)
{
	if (port->started)
		(void)rte_eth_dev_stop(port->id);
	if (port->attached) {
		(void)rte_eth_dev_close(port->id);
		(void)rte_eal_hotplug_remove("vdev", port->name);
	}
	port->started = port->attached = false;
}
