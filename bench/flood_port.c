// SPDX-License-Identifier: BSD-3-Clause
/* The ports: as many queues to receive on as to send on. Main thread.
 */
#include "bench/flood_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

enum {
	/* twice what one queue of 1024 descriptors and the lcore caches of one worker hold */
	BUFFERS_PER_QUEUE = 4096,
	DESCRIPTORS = 1024,
	CACHE = 256,
	LINK_WAIT_MS = 10000,
	LINK_POLL_MS = 10,
	EAL_ARGS_MAX = 32,
};

/* EAL wants to be told on the command line what we know. */
static void lcores_write(const struct flood_eal *eal, char *text, size_t bytes)
{
	long last_cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	int used = snprintf(text, bytes, "--lcores=0@(0-%ld)", last_cpu);

	for (unsigned i = 0; i < eal->n_lcores; i++) {
		if (eal->have_cpu)
			used += snprintf(text + used, bytes - (size_t)used, ",%u@%u", i + 1, eal->cpu + i);
		else
			used += snprintf(text + used, bytes - (size_t)used, ",%u@(0-%ld)", i + 1, last_cpu);
	}
}

int flood_eal_start(const struct flood_eal *eal)
{
	static char lcores[512], devices[2][512];
	char *args[EAL_ARGS_MAX];
	bool vdev = strncmp(eal->devices[0], "net_", 4) == 0 || strncmp(eal->devices[0], "eth_", 4) == 0;
	int n = 0;

	lcores_write(eal, lcores, sizeof(lcores));
	args[n++] = (char *)eal->program;
	args[n++] = lcores;
	args[n++] = (char *)"--no-telemetry";
	args[n++] = (char *)"--log-level=4"; /* errors: results own standard output, and the live line
						standard error */
	for (unsigned i = 0; i < 2 && eal->devices[i] != NULL; i++) {
		snprintf(devices[i], sizeof(devices[i]), vdev ? "--vdev=%s" : "--allow=%s", eal->devices[i]);
		args[n++] = devices[i];
	}
	if (vdev)
		args[n++] = (char *)"--no-pci";
	/* nothing of ours is shared with other processes, and nothing may outlive us */
	if (eal->huge) {
		args[n++] = (char *)"--in-memory";
	} else {
		args[n++] = (char *)"--no-shconf";
		args[n++] = (char *)"--no-huge";
		args[n++] = (char *)"-m";
		args[n++] = (char *)"64"; /* 16,384 buffers of 2.2 kB are 36 MB */
	}
	for (unsigned i = 0; i < eal->n_args && n < EAL_ARGS_MAX; i++)
		args[n++] = (char *)eal->args[i];
	if (rte_eal_init(n, args) < 0) {
		fprintf(stderr, "%s: EAL does not start with %s: %s\n", eal->program, devices[0],
			rte_strerror(rte_errno));
		return -EIO;
	}
	return 0;
}

static int queues_set_up(uint16_t port_id, unsigned n_queues, struct rte_mempool *pool)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	uint16_t rx_descriptors = DESCRIPTORS, tx_descriptors = DESCRIPTORS;
	int result = rte_eth_dev_info_get(port_id, &info);

	if (result == 0 && n_queues > info.max_tx_queues)
		return -ERANGE;
	if (result == 0)
		result = rte_eth_dev_configure(port_id, (uint16_t)n_queues, (uint16_t)n_queues, &conf);
	if (result == 0)
		result = rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &rx_descriptors, &tx_descriptors);
	for (uint16_t q = 0; result == 0 && q < n_queues; q++) {
		result = rte_eth_rx_queue_setup(port_id, q, rx_descriptors, SOCKET_ID_ANY, NULL, pool);
		if (result == 0)
			result = rte_eth_tx_queue_setup(port_id, q, tx_descriptors, SOCKET_ID_ANY, NULL);
	}
	return result == 0 ? rte_eth_dev_start(port_id) : result;
}

/* vhost and memif come up when the other process does; an interface that stays down would swallow packets
 * uncounted. */
static bool link_await(uint16_t port_id)
{
	struct rte_eth_link link = {0};

	for (unsigned waited_ms = 0; waited_ms < LINK_WAIT_MS; waited_ms += LINK_POLL_MS) {
		if (rte_eth_link_get_nowait(port_id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP)
			return true;
		rte_delay_us_sleep(LINK_POLL_MS * 1000);
	}
	return false;
}

int flood_pool_create(unsigned n_queues, unsigned n_ports, struct rte_mempool **ret_pool, char *error_text,
	size_t error_bytes)
{
	unsigned n = BUFFERS_PER_QUEUE * n_queues * n_ports;
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create("flood", n, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL) {
		snprintf(error_text, error_bytes, "no memory for %u buffers (try --huge, or fewer --lcores)",
			n);
		return -ENOMEM;
	}
	*ret_pool = pool;
	return 0;
}

/* A vdev's port has the name that stands before its arguments; a PCI device's port is the only one. */
static uint16_t port_find(const char *device)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	uint16_t port_id;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	return rte_eth_dev_get_port_by_name(name, &port_id) == 0 ? port_id : (uint16_t)rte_eth_find_next(0);
}

int flood_port_start(const char *device, unsigned n_queues, struct rte_mempool *pool, uint16_t *ret_port_id,
	char *error_text, size_t error_bytes)
{
	uint16_t port_id = port_find(device);

	if (port_id >= RTE_MAX_ETHPORTS) {
		snprintf(error_text, error_bytes,
			"EAL found no port: is --port spelt right, and is its device free?");
		return -ENODEV;
	}
	int result = queues_set_up(port_id, n_queues, pool);
	if (result == -ERANGE)
		snprintf(error_text, error_bytes, "the port does not have %u queues to send on", n_queues);
	else if (result != 0)
		snprintf(error_text, error_bytes, "the port does not start: %s", strerror(-result));
	if (result != 0)
		return result;
	if (!link_await(port_id)) {
		snprintf(error_text, error_bytes,
			"the port's link stays down: is there something at its other end?");
		return -ENOLINK;
	}
	*ret_port_id = port_id;
	return 0;
}

void flood_port_mac(uint16_t port_id, uint8_t mac[6])
{
	struct rte_ether_addr address;

	/* a device without an address (a ring, a pcap file) sends from a locally administered one */
	if (rte_eth_macaddr_get(port_id, &address) != 0 || rte_is_zero_ether_addr(&address))
		memcpy(address.addr_bytes, "\x02\x00\x00\x00\x00\x01", 6);
	memcpy(mac, address.addr_bytes, 6);
}

void flood_port_stop(uint16_t port_id)
{
	(void)rte_eth_dev_stop(port_id);
	(void)rte_eth_dev_close(port_id);
}
