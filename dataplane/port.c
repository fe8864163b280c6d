// SPDX-License-Identifier: BSD-3-Clause
/* Ports (port.h): which DPDK driver serves a device, and what it is asked for. Main only. What the driver itself says
 * of a failure goes to the log; our sentence says what to do about it. */
#include "dataplane/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>

#include "dataplane/eal.h"
#include "dataplane/port_rss.h"

enum {
	PORT_RECEIVE_DESCRIPTORS = 2048,
	PORT_SEND_DESCRIPTORS = 2048,
	PORT_ARGUMENT_BYTES = 256,
	/* AF_XDP puts a frame into the mbuf's own memory, which must fill one page (eal_pool_create): 4096 less mempool header and
	 * struct rte_mbuf. */
	PORT_DATA_BYTES_MAX = 4096 - 64 - 128,
	PORT_MTU_XDP_MAX = 3506, /* of veth, and of any device that gives a frame one page */
	PORT_FRAME_OVERHEAD = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN, /* with QinQ */
};

/* Rings of net_af_packet by the largest MTU they take. A slot holds the kernel's header, at most 100 bytes, and the frame with Ethernet
 * and two VLAN tags, 22; its frame must fit one mbuf. A block is whole pages and whole slots, because the driver steps
 * from slot to slot without regard to blocks. Ring memory: 2, 3.5 and 8 MiB a queue and direction. */
static const struct port_slots {
	unsigned mtu_max, slot_bytes, block_bytes, slots;
} port_slots[] = {
	{2048 - 122, 2048, 4096, 1024},
	{3584 - 122, 3584, 7 * 4096, 1024}, /* with the page-sized mbufs that net_af_xdp needs */
	{16384 - 122, 16384, 16384, 512},   /* jumbo: net_af_xdp is out of question, so mbufs may be large */
};
enum { PORT_DATA_BYTES_JUMBO = 16384 + RTE_PKTMBUF_HEADROOM };

#ifndef AF_XDP
#define AF_XDP 44
#endif

__attribute__((format(printf, 2, 3))) static void port_say(const char *device, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "weir-dataplane: port %s: ", device);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static bool port_is_packet(const char *device)
{
	return strncmp(device, "net_af_packet", 13) == 0 || strncmp(device, "eth_af_packet", 13) == 0;
}

/* The kernel interface behind "auto:IFACE" or "driver,iface=IFACE,..."; "" when there is none. Of other drivers' iface= (net_tap,
 * net_vhost) the device itself makes the interface or socket. */
static void port_interface_find(const char *device, char ret_interface[PORT_KERNEL_NAME_BYTES])
{
	const char *name = strncmp(device, "auto:", 5) == 0 ? device + 5 : strstr(device, "iface=");
	bool known = strncmp(device, "auto:", 5) == 0 || strncmp(device, "net_af_xdp", 10) == 0 || port_is_packet(device);
	size_t length;

	ret_interface[0] = '\0';
	if (!known || !name)
		return;
	if (strncmp(name, "iface=", 6) == 0)
		name += 6;
	length = strcspn(name, ",");
	if (length == 0 || length >= PORT_KERNEL_NAME_BYTES)
		return;
	memcpy(ret_interface, name, length);
	ret_interface[length] = '\0';
}

static const struct port_slots *port_slots_for(unsigned mtu)
{
	for (size_t i = 0; i + 1 < RTE_DIM(port_slots); i++)
		if (mtu <= port_slots[i].mtu_max)
			return &port_slots[i];
	return &port_slots[RTE_DIM(port_slots) - 1];
}

unsigned port_data_bytes(const struct options *options)
{
	unsigned data_bytes = EAL_MBUF_DATA_BYTES;

	for (unsigned i = 0; i < options->n_pairs; i++) {
		const char *devices[2] = { options->pairs[i].outside, options->pairs[i].inside };

		for (unsigned j = 0; j < 2; j++) {
			char interface[PORT_KERNEL_NAME_BYTES];
			struct port_kernel_facts facts = { 0 };

			if (strncmp(devices[j], "auto:", 5) != 0 && strncmp(devices[j], "net_af_xdp", 10) != 0)
				continue;
			data_bytes = RTE_MAX(data_bytes, (unsigned)PORT_DATA_BYTES_MAX);
			port_interface_find(devices[j], interface);
			if (port_kernel_facts_read(interface, &facts) == 0 && facts.mtu > PORT_MTU_XDP_MAX)
				return PORT_DATA_BYTES_JUMBO;
		}
	}
	return data_bytes;
}

/* Everything that can be wrong with a kernel interface before a driver sees it. */
static int port_interface_prepare(const struct options *options, struct port *port)
{
	struct port_kernel_facts facts;
	int rc;

	if (port_kernel_facts_read(port->interface, &facts) < 0) {
		port_say(port->device, "there is no interface \"%s\" in this network namespace; \"ip link\" lists them.",
			port->interface);
		return -ENODEV;
	}
	port->interface_index = facts.index;
	if (facts.receive_queues != 0 && facts.receive_queues != options->n_queues) {
		port_say(port->device, "the interface has %u receive queues and --queues is %u: packets of the others would be lost, so make them equal (ethtool -L, or numrxqueues when a veth is created).",
			facts.receive_queues, options->n_queues);
		return -EINVAL;
	}
	if (port->mtu != 0 && facts.mtu != port->mtu) {
		port_say(port->device, "the interface's MTU is %u and --mtu is %u: make them equal (\"ip link set dev %s mtu %u\").",
			facts.mtu, port->mtu, port->interface, port->mtu);
		return -EINVAL;
	}
	rc = port_kernel_lock(options->run_dir, facts.index, &port->lock_fd);
	if (rc < 0) {
		port_say(port->device, rc == -EBUSY ? "another weir-dataplane drives this interface; stop it first." :
						      "its lock file in %s cannot be made; check that directory.", options->run_dir);
		return rc;
	}
	rc = port_kernel_xdp_detach(facts.index);
	if (rc == 1)
		port_say(port->device, "an XDP program that a killed run had left on %s was detached.", port->interface);
	else if (rc < 0 && rc != -EOPNOTSUPP)
		port_say(port->device, "an XDP program is attached to %s and cannot be detached (%s); try \"ip link set dev %s xdp off\".",
			port->interface, strerror(-rc), port->interface);
	rc = port_kernel_up_set(port->interface, true);
	if (rc < 0)
		port_say(port->device, "the interface cannot be set up (%s).", strerror(-rc));
	return rc < 0 ? rc : 0;
}

static int port_pci_attach(struct port *port, struct port_device **ret_device)
{
	char name[EAL_PCI_NAME_BYTES] = "", path[128], driver[128];
	ssize_t n;

	*ret_device = &port->devices[0];
	eal_device_pci_name(port->device, name);
	if (rte_eth_dev_get_port_by_name(name, &port->devices[0].id) == 0) {
		port->n_devices = 1;
		return 0;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
	if (access(path, F_OK) != 0) {
		port_say(port->device, "there is no PCI device at this address; \"lspci -D\" lists them.");
		return -ENODEV;
	}
	strncat(path, "/driver", sizeof(path) - strlen(path) - 1);
	n = readlink(path, driver, sizeof(driver) - 1);
	driver[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		port_say(port->device, "no driver is bound; bind it to vfio-pci: \"dpdk-devbind.py -b vfio-pci %s\".", port->device);
	else if (!strstr(driver, "vfio") && !strstr(driver, "uio"))
		port_say(port->device, "the kernel's driver %s holds it; give it to DPDK with \"dpdk-devbind.py -b vfio-pci %s\", or use auto:IFACE.",
			strrchr(driver, '/') ? strrchr(driver, '/') + 1 : driver, port->device);
	else
		port_say(port->device, "DPDK has no driver for this device, its IOMMU group is not wholly bound to vfio-pci, or another process drives it.");
	return -ENODEV;
}

/* Make the DPDK device `name` with `arguments` the port's next device. */
static int port_virtual_attach(struct port *port, const char *name, const char *arguments, struct port_device **ret_device)
{
	struct port_device *device = &port->devices[port->n_devices];

	snprintf(device->name, sizeof(device->name), "%s", name);
	if (rte_eal_hotplug_add("vdev", name, arguments) != 0)
		return -ENODEV;
	device->attached = true;
	port->n_devices++;
	*ret_device = device;
	return rte_eth_dev_get_port_by_name(name, &device->id) == 0 ? 0 : -ENODEV;
}

static void port_conf_make(const struct rte_eth_dev_info *info, const struct port *port, unsigned n_queues, const uint8_t *rss_key,
	struct rte_eth_conf *ret_conf)
{
	uint64_t wanted = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
			  RTE_ETH_RX_OFFLOAD_SCATTER;

	/* Asked for these, virtio's other side leaves checksums of its own packets uncomputed: they would be dropped as wrong, or
	 * be wrong on the wire. */
	if (info->driver_name && (strstr(info->driver_name, "virtio") || strstr(info->driver_name, "vhost")))
		wanted &= ~(uint64_t)(RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	memset(ret_conf, 0, sizeof(*ret_conf));
	/* 0 leaves it to DPDK: 1500, or less where the device takes less. */
	if (!port->interface[0])
		ret_conf->rxmode.mtu = port->mtu;
	ret_conf->rxmode.offloads = info->rx_offload_capa & wanted;
	ret_conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	port_rss_request(info, (enum side)port->side, n_queues, rss_key, ret_conf);
}

/* Queues 0..n_queues-1 of the device are the port's queues from `first` on. */
static int port_queues_set_up(struct port *port, const struct port_device *device, unsigned first, unsigned n_queues, struct rte_mempool *pool)
{
	uint16_t receive = PORT_RECEIVE_DESCRIPTORS, send = PORT_SEND_DESCRIPTORS;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(device->id, &receive, &send);

	for (unsigned i = 0; rc == 0 && i < n_queues; i++) {
		struct port_queue *queue = &port->queues[first + i];
		unsigned socket = (unsigned)rte_eth_dev_socket_id(device->id);
		struct port_kernel_fds before;

		port_kernel_fds_read(&before);
		queue->device = device->id;
		queue->queue = (uint16_t)i;
		rc = rte_eth_rx_queue_setup(device->id, (uint16_t)i, receive, socket, NULL, pool);
		if (rc == 0 && port->driver == PORT_DRIVER_XDP)
			queue->wait_fd = port_kernel_fd_new(&before, AF_XDP, -1);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(device->id, (uint16_t)i, send, socket, NULL);
	}
	return rc;
}

/* Whether the device can do what was asked for; -ERANGE after a sentence if not. */
static int port_device_check(const struct port *port, const struct rte_eth_dev_info *info, unsigned n_queues, unsigned data_bytes)
{
	bool in_pieces = port->mtu + PORT_FRAME_OVERHEAD > data_bytes - RTE_PKTMBUF_HEADROOM;
	/* Some drivers know their largest frame but no MTU. */
	unsigned mtu_max = RTE_MIN((unsigned)info->max_mtu, info->max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN);

	if (info->max_rx_queues < n_queues || info->max_tx_queues < n_queues) {
		port_say(port->device, "the device has %u receive and %u send queues and --queues is %u; use no more lcores than it has queues.",
			info->max_rx_queues, info->max_tx_queues, n_queues);
		return -ERANGE;
	}
	if (port->mtu == 0 || port->interface[0])
		return 0;
	if (port->mtu < info->min_mtu || port->mtu > mtu_max) {
		port_say(port->device, "the device takes an MTU of %u to %u and --mtu is %u.", info->min_mtu, mtu_max, port->mtu);
		return -ERANGE;
	}
	/* Virtual devices chain buffers without saying so. */
	if (in_pieces && eal_device_is_pci(port->device) &&
		(!(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) || !(info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))) {
		port_say(port->device, "the device cannot %s a frame in several buffers of %u bytes, which an MTU of %u needs.",
			info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER ? "send" : "receive", data_bytes - RTE_PKTMBUF_HEADROOM, port->mtu);
		return -ERANGE;
	}
	return 0;
}

/* Configure and start a device that DPDK has. */
static int port_device_start(struct port *port, struct port_device *device, unsigned first, unsigned n_queues, struct rte_mempool *pool,
	const uint8_t *rss_key)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	int rc = rte_eth_dev_info_get(device->id, &info);

	if (rc == 0)
		rc = port_device_check(port, &info, n_queues, rte_pktmbuf_data_room_size(pool));
	if (rc != 0)
		return rc;
	port_conf_make(&info, port, n_queues, rss_key, &conf);
	rc = rte_eth_dev_configure(device->id, (uint16_t)n_queues, (uint16_t)n_queues, &conf);
	if (rc == 0)
		rc = port_queues_set_up(port, device, first, n_queues, pool);
	if (rc == 0)
		rc = rte_eth_dev_start(device->id);
	if (rc != 0)
		return rc;
	device->started = true;
	/* A bump in the wire hears frames for other stations' addresses. */
	rc = rte_eth_promiscuous_enable(device->id);
	if (rc != 0 && rc != -ENOTSUP)
		port_say(port->device, "promiscuous mode was refused (%s): frames for other addresses may be lost.", rte_strerror(-rc));
	return 0;
}

uint64_t port_missed(const struct port *port)
{
	uint64_t missed = 0;

	for (unsigned i = 0; i < port->n_devices; i++) {
		struct rte_eth_stats stats = { 0 };

		if (rte_eth_stats_get(port->devices[i].id, &stats) != 0)
			continue;
		missed += stats.imissed + stats.rx_nombuf + stats.ierrors;
	}
	return missed;
}

static void port_devices_release(struct port *port)
{
	for (unsigned i = 0; i < port->n_devices; i++) {
		struct port_device *device = &port->devices[i];

		if (device->started)
			rte_eth_dev_stop(device->id);
		if (device->attached) {
			rte_eth_dev_close(device->id);
			rte_eal_hotplug_remove("vdev", device->name);
		}
		*device = (struct port_device){ 0 };
	}
	port->n_devices = 0;
	for (unsigned i = 0; i < OPTIONS_QUEUES_MAX; i++)
		port->queues[i].wait_fd = -1;
}

/* One queue of a kernel interface as a device of its own. */
static int port_kernel_queue_open(struct port *port, unsigned queue, unsigned mtu, struct rte_mempool *pool, const uint8_t *rss_key)
{
	unsigned number = (port->pair * 2u + port->side) * OPTIONS_QUEUES_MAX + queue;
	char name[RTE_ETH_NAME_MAX_LEN], arguments[PORT_ARGUMENT_BYTES];
	const struct port_slots *slots = port_slots_for(mtu);
	struct port_kernel_fds before;
	struct port_device *device;
	int rc;

	if (port->driver == PORT_DRIVER_XDP) {
		snprintf(name, sizeof(name), "net_af_xdp%u", number);
		/* busy_budget=0: the lcore polls or sleeps by its own rules, the kernel's busy polling would only add system calls. */
		snprintf(arguments, sizeof(arguments), "iface=%s,start_queue=%u,queue_count=1,busy_budget=0", port->interface, queue);
	} else {
		snprintf(name, sizeof(name), "net_af_packet%u", number);
		snprintf(arguments, sizeof(arguments), "iface=%s,qpairs=1,framesz=%u,blocksz=%u,framecnt=%u", port->interface,
			slots->slot_bytes, slots->block_bytes, slots->slots);
	}
	port_kernel_fds_read(&before);
	rc = port_virtual_attach(port, name, arguments, &device);
	if (rc == 0 && port->driver == PORT_DRIVER_PACKET) {
		port->queues[queue].wait_fd = port_kernel_fd_new(&before, AF_PACKET, -1);
		rc = port_kernel_packet_prepare(port->queues[queue].wait_fd, queue == 0);
		if (queue != 0)
			port->queues[queue].wait_fd = -1;
	}
	return rc == 0 ? port_device_start(port, device, queue, 1, pool, rss_key) : rc;
}

/* One of the two drivers for all queues of a kernel interface. */
static int port_kernel_try(struct port *port, enum port_driver driver, unsigned mtu, struct rte_mempool *pool, const uint8_t *rss_key)
{
	int rc = 0;

	port->driver = (uint8_t)driver;
	for (unsigned queue = 0; rc == 0 && queue < port->n_queues; queue++)
		rc = port_kernel_queue_open(port, queue, mtu, pool, rss_key);
	if (rc != 0)
		port_devices_release(port);
	return rc;
}

static int port_auto_open(struct port *port, struct rte_mempool *pool, const uint8_t *rss_key)
{
	struct port_kernel_facts facts = { 0 };
	int rc;

	port_kernel_facts_read(port->interface, &facts);
	rc = facts.mtu > PORT_MTU_XDP_MAX ? -EMSGSIZE : port_kernel_try(port, PORT_DRIVER_XDP, facts.mtu, pool, rss_key);
	if (rc == 0)
		return 0;
	port_say(port->device, "net_af_xdp cannot drive %s (%s; it takes an MTU of at most 3506 on veth); using net_af_packet, which is slower.",
		port->interface, strerror(-rc));
	port_kernel_xdp_detach(port->interface_index);
	rc = port_kernel_try(port, PORT_DRIVER_PACKET, facts.mtu, pool, rss_key);
	if (rc != 0)
		port_say(port->device, "net_af_packet cannot drive %s either (%s); CAP_NET_RAW is needed.", port->interface, strerror(-rc));
	return rc;
}

/* A device string of the operator's own: one device with all queues. */
static int port_named_open(struct port *port, struct rte_mempool *pool, const uint8_t *rss_key)
{
	struct port_device *device = NULL;
	char name[RTE_ETH_NAME_MAX_LEN];
	size_t length = strcspn(port->device, ",");
	int rc;

	if (eal_device_is_pci(port->device)) {
		rc = port_pci_attach(port, &device);
	} else if (length >= sizeof(name)) {
		rc = -ENAMETOOLONG;
	} else {
		memcpy(name, port->device, length);
		name[length] = '\0';
		if (strncmp(name, "net_af_xdp", 10) == 0)
			port->driver = PORT_DRIVER_XDP;
		else if (port_is_packet(name))
			port->driver = PORT_DRIVER_PACKET;
		rc = port_virtual_attach(port, name, port->device[length] ? port->device + length + 1 : "", &device);
		if (rc != 0)
			port_say(port->device, "DPDK could not make this device; check its name and arguments.");
	}
	if (rc != 0)
		return rc;
	rc = port_device_start(port, device, 0, port->n_queues, pool, rss_key);
	if (rc != 0 && rc != -ERANGE)
		port_say(port->device, "the device could not be started (%s).", rte_strerror(rc < 0 ? -rc : rc));
	return rc;
}

int port_open(const struct options *options, const char *device, unsigned pair, enum side side, struct rte_mempool *pool,
	const uint8_t *rss_key, struct port *ret_port)
{
	struct port *port = ret_port;
	int rc = 0;

	*port = (struct port){ .pair = (uint8_t)pair, .side = (uint8_t)side, .device = device, .lock_fd = -1,
		.n_queues = options->n_queues, .mtu = options->pairs[pair].mtu };
	port_devices_release(port);
	port_interface_find(device, port->interface);
	if (strncmp(device, "auto:", 5) == 0 && port->interface[0] == '\0') {
		port_say(device, "auto: wants the name of a network interface.");
		return -EINVAL;
	}
	if (port->interface[0])
		rc = port_interface_prepare(options, port);
	if (rc == 0)
		rc = strncmp(device, "auto:", 5) == 0 ? port_auto_open(port, pool, rss_key) : port_named_open(port, pool, rss_key);
	if (rc != 0)
		port_close(options, port);
	return rc;
}

void port_close(const struct options *options, struct port *port)
{
	if (!port->device)
		return;
	port_devices_release(port);
	/* The driver detaches its program; once more, because a program left behind would swallow the interface's traffic. */
	if (port->driver == PORT_DRIVER_XDP && port->interface_index != 0)
		port_kernel_xdp_detach(port->interface_index);
	port_kernel_unlock(options->run_dir, port->interface_index, port->lock_fd);
	port->lock_fd = -1;
	port->device = NULL;
}
