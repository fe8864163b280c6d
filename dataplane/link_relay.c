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

enum link_relay_action link_relay_decide(struct link_relay_pair *pair, unsigned side, int link, uint64_t now_ns)
{
	const uint64_t patience_ns = LINK_RELAY_NEGOTIATION_MS * UINT64_C(1000000);

	if (!pair->began)
		pair->negotiates_until_ns[0] = pair->negotiates_until_ns[1] = now_ns + patience_ns;
	pair->began = true;
	if (pair->held_down[side] || link < 0)
		return LINK_RELAY_NOTHING;
	if (link != 0)
		pair->negotiates_until_ns[side] = 0;
	else if (now_ns < pair->negotiates_until_ns[side])
		return LINK_RELAY_NOTHING;
	if (pair->held_down[1 - side] == (link == 0))
		return LINK_RELAY_NOTHING;
	return link == 0 ? LINK_RELAY_HOLD : LINK_RELAY_RAISE;
}

void link_relay_done(struct link_relay_pair *pair, unsigned side, enum link_relay_action action, uint64_t now_ns)
{
	pair->held_down[1 - side] = action == LINK_RELAY_HOLD;
	if (action == LINK_RELAY_RAISE)
		pair->negotiates_until_ns[1 - side] = now_ns + LINK_RELAY_NEGOTIATION_MS * UINT64_C(1000000);
}

static void link_relay_side(struct link_relay *relay, unsigned pair, unsigned side, uint64_t now_ns)
{
	const struct port *lost = &relay->pairs[pair][side], *other = &relay->pairs[pair][1 - side];
	enum link_relay_action action = link_relay_decide(&relay->states[pair], side, link_relay_link(lost), now_ns);
	bool link = action == LINK_RELAY_RAISE;
	int rc;

	if (action == LINK_RELAY_NOTHING)
		return;
	rc = link_relay_set(other, link);
	if (rc < 0 && !relay->unsupported_said) {
		relay->unsupported_said = true;
		fprintf(stderr, "weir-dataplane: port %s: its driver cannot take the link down: link changes of %s are not passed on.\n",
			other->device, lost->device);
	}
	if (rc < 0)
		return;
	link_relay_done(&relay->states[pair], side, action, now_ns);
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
			link_relay_side(relay, pair, side, now_ns);
}

void link_relay_end(struct link_relay *relay)
{
	for (unsigned pair = 0; pair < relay->n_pairs; pair++)
		for (unsigned side = 0; side < 2; side++)
			if (relay->states[pair].held_down[side])
				link_relay_set(&relay->pairs[pair][side], true);
}
