/* SPDX-License-Identifier: BSD-3-Clause
 * Bans in the device: rte_flow rules on the outside ports that drop TCP and UDP from one source to the node's
 * addresses, and nothing else, so that what passes in software (ICMP errors, other hosts behind the wire)
 * passes still. A device that cannot is said once and asked no more. Thread: the table thread; main makes and
 * ends it. Must not decide which bans (ban_offload.h).
 */
#ifndef WEIR_DATAPLANE_PORT_OFFLOAD_H
#define WEIR_DATAPLANE_PORT_OFFLOAD_H

#include <rte_flow.h>

#include "dataplane/ban_offload.h"
#include "dataplane/port.h"

struct port_offload {
	struct port_offload_port {
		const struct port *port;
		bool supported; /* the device has answered that it takes such rules */
		bool refused_said;
		uint64_t next_try_ns; /* after a refusal; 0: at once */
	} ports[OPTIONS_PAIRS_MAX];
	unsigned n_ports;
	struct port_offload_ban {
		struct port_offload_rule {
			uint16_t device;
			struct rte_flow *flow;
		} * rules; /* NULL: none */
		unsigned n_rules;
	} bans[OFFLOAD_BANS_MAX]; /* by the place in struct ban_offload */
	uint64_t refused;         /* rules that a device did not take */
};

/** Removes what a killed run may have left, and asks each outside port whether it takes such rules at all.
 * Returns how many do; of the others one sentence each. `offload`: zeroed. */
unsigned port_offload_open(struct port_offload *offload, const struct port (*pairs)[2], unsigned n_pairs);
/** Have `source` dropped on its way to those of `nodes` that are of its family. A port takes all rules of a
 * ban or none of them. 0: at least one port does. -ENOSPC: none does. -EIO: a device would not remove a rule
 * again; then every rule of every place was flushed, and the caller forgets them all. */
int port_offload_install(struct port_offload *offload, unsigned place, const struct prefix *source,
	const struct address *nodes, unsigned n_nodes, uint64_t now_ns);
/** When this returns no packet received later is dropped for it. 0, or -EIO as above. */
int port_offload_remove(struct port_offload *offload, unsigned place);
/** Remove all rules of all places. */
void port_offload_flush(struct port_offload *offload);

#endif
