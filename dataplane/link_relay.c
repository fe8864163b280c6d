// SPDX-License-Identifier: BSD-3-Clause
/* Link relay (link_relay.h). A port that we hold down has no link because of us: that is never passed back. */
#include "dataplane/link_relay.h"

#include <errno.h>
#include <stdio.h>

/* 1: link, 0: none, negative: unknown. */
static int link_relay_link(const struct port *port)
{
	struct rte_eth_link link;

	/* Drivers on top of kernel interfaces report a link that is always up; the kernel knows better. */
	if (port->interface[0])
		return port_kernel_link_get(port->interface);
	if (rte_eth_link_get_nowait(port->devices[0].id, &link) != 0)
		return -ENOTSUP;
	return link.link_status == RTE_ETH_LINK_UP;
}

static int link_relay_set(const struct port *port, bool up)
{
	if (port->interface[0])
		return port_kernel_up_set(port->interface, up);
	return up ? rte_eth_dev_set_link_up(port->devices[0].id) : rte_eth_dev_set_link_down(port->devices[0].id);
}

static void link_relay_side(struct link_relay *relay, unsigned pair, unsigned side)
{
	const struct port *lost = &relay->pairs[pair][side], *other = &relay->pairs[pair][1 - side];
	bool *held = &relay->held_down[pair][1 - side];
	int link, rc;

	if (relay->held_down[pair][side])
		return;
	link = link_relay_link(lost);
	if (link < 0 || *held == (link == 0))
		return;
	rc = link_relay_set(other, link != 0);
	if (rc < 0 && !relay->unsupported_said) {
		relay->unsupported_said = true;
		fprintf(stderr, "weir-dataplane: port %s: its driver cannot take the link down: link changes of %s are not passed on.\n",
			other->device, lost->device);
	}
	if (rc < 0)
		return;
	*held = link == 0;
	fprintf(stderr, "weir-dataplane: port %s: link %s; port %s is %s.\n", lost->device, link ? "up" : "down", other->device,
		link ? "raised again" : "held down");
}

void link_relay_step(struct link_relay *relay, uint64_t now_ns)
{
	if (now_ns < relay->next_ns)
		return;
	relay->next_ns = now_ns + LINK_RELAY_INTERVAL_MS * UINT64_C(1000000);
	for (unsigned pair = 0; pair < relay->n_pairs; pair++)
		for (unsigned side = 0; side < 2; side++)
			link_relay_side(relay, pair, side);
}

void link_relay_end(struct link_relay *relay)
{
	for (unsigned pair = 0; pair < relay->n_pairs; pair++)
		for (unsigned side = 0; side < 2; side++)
			if (relay->held_down[pair][side])
				link_relay_set(&relay->pairs[pair][side], true);
}
