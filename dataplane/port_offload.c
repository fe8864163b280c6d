// SPDX-License-Identifier: BSD-3-Clause
/* rte_flow rules for bans (port_offload.h). Exact rules only: both addresses and the protocol, no ports, no
 * VLAN tag (tagged frames go to software on most devices). Thread: the table thread.
 */
#include "dataplane/port_offload.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

enum {
	/* A refusal is mostly a full table, and leases give room back. */
	PORT_OFFLOAD_RETRY_S = OFFLOAD_LEASE_S,
	/* Of a ban: two protocols for each node address and device. */
	PORT_OFFLOAD_PROTOCOLS = 2,
};

static const uint8_t offload_protocols[PORT_OFFLOAD_PROTOCOLS] = {IPPROTO_TCP, IPPROTO_UDP};

/* One rule as the device is asked for it. */
struct offload_question {
	struct rte_flow_item_ipv4 v4, v4_mask;
	struct rte_flow_item_ipv6 v6, v6_mask;
	struct rte_flow_item pattern[3];
};

static void question_v4(struct offload_question *question, const struct prefix *source,
	const struct address *node, uint8_t protocol)
{
	question->v4.hdr = (struct rte_ipv4_hdr){.src_addr = htonl(address_v4(&source->address)),
		.dst_addr = htonl(address_v4(node)),
		.next_proto_id = protocol};
	question->v4_mask.hdr = (struct rte_ipv4_hdr){
		.src_addr = UINT32_MAX, .dst_addr = UINT32_MAX, .next_proto_id = UINT8_MAX};
	question->pattern[1] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &question->v4, .mask = &question->v4_mask};
}

static void question_v6(struct offload_question *question, const struct prefix *source,
	const struct address *node, uint8_t protocol)
{
	question->v6.hdr.proto = protocol;
	question->v6_mask.hdr.proto = UINT8_MAX;
	memcpy(question->v6.hdr.src_addr, source->address.bytes, sizeof(question->v6.hdr.src_addr));
	memset(question->v6_mask.hdr.src_addr, 0xff, source->length / 8u);
	memcpy(question->v6.hdr.dst_addr, node->bytes, sizeof(question->v6.hdr.dst_addr));
	memset(question->v6_mask.hdr.dst_addr, 0xff, sizeof(question->v6_mask.hdr.dst_addr));
	question->pattern[1] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &question->v6, .mask = &question->v6_mask};
}

static void question_make(struct offload_question *question, const struct prefix *source,
	const struct address *node, uint8_t protocol)
{
	memset(question, 0, sizeof(*question));
	question->pattern[0].type = RTE_FLOW_ITEM_TYPE_ETH;
	question->pattern[2].type = RTE_FLOW_ITEM_TYPE_END;
	if (prefix_is_v4(source))
		question_v4(question, source, node, protocol);
	else
		question_v6(question, source, node, protocol);
}

static const struct rte_flow_attr offload_attributes = {.ingress = 1};
static const struct rte_flow_action offload_actions[] = {
	{.type = RTE_FLOW_ACTION_TYPE_DROP}, {.type = RTE_FLOW_ACTION_TYPE_END}};

static const char *error_text(const struct rte_flow_error *error, int rc)
{
	return error->message ? error->message : strerror(rc < 0 ? -rc : rc);
}

/* net_tap validates what the kernel then refuses: only a rule that was made says that rules can be made. */
static int device_try(uint16_t device, const struct offload_question *question, struct rte_flow_error *error)
{
	struct rte_flow *flow;
	int rc = rte_flow_validate(device, &offload_attributes, question->pattern, offload_actions, error);

	if (rc != 0)
		return rc;
	flow = rte_flow_create(device, &offload_attributes, question->pattern, offload_actions, error);
	return flow ? rte_flow_destroy(device, flow, error) : -rte_errno;
}

/* A rule between two documentation addresses says whether the device understands the kind. */
static bool port_is_able(const struct port *port, struct rte_flow_error *error, int *ret_rc)
{
	struct prefix source = {.address = address_from_v4(0xc0000201), .length = PREFIX_HOST_LENGTH};
	struct address node = address_from_v4(0xc6336401);
	struct offload_question question;

	question_make(&question, &source, &node, IPPROTO_TCP);
	for (unsigned i = 0; i < port->n_devices; i++) {
		memset(error, 0, sizeof(*error));
		*ret_rc = device_try(port->devices[i].id, &question, error);
		if (*ret_rc != 0)
			return false;
	}
	return true;
}

unsigned port_offload_open(struct port_offload *offload, const struct port (*pairs)[2], unsigned n_pairs)
{
	unsigned able = 0;

	for (unsigned i = 0; i < n_pairs; i++) {
		struct port_offload_port *mine = &offload->ports[offload->n_ports++];
		struct rte_flow_error error;
		int rc = 0;

		mine->port = &pairs[i][SIDE_OUTSIDE];
		mine->supported = port_is_able(mine->port, &error, &rc);
		able += mine->supported;
		if (!mine->supported)
			fprintf(stderr,
				"weir-dataplane: port %s: the port does not support dropping by rte_flow "
				"(%s): --offload-bans does nothing here, and bans hold in software as "
				"before.\n",
				mine->port->device, error_text(&error, rc));
	}
	port_offload_flush(offload);
	return able;
}

static bool rule_add(struct port_offload_ban *ban, uint16_t device, const struct offload_question *question,
	struct rte_flow_error *error)
{
	struct rte_flow *flow;

	memset(error, 0, sizeof(*error));
	flow = rte_flow_create(device, &offload_attributes, question->pattern, offload_actions, error);
	if (!flow)
		return false;
	ban->rules[ban->n_rules++] = (struct port_offload_rule){.device = device, .flow = flow};
	return true;
}

/* The last rules of a ban until `n` are left. */
static bool rules_remove(struct port_offload_ban *ban, unsigned n)
{
	struct rte_flow_error error;

	while (ban->n_rules > n) {
		const struct port_offload_rule *rule = &ban->rules[ban->n_rules - 1];

		if (rte_flow_destroy(rule->device, rule->flow, &error) != 0)
			return false;
		ban->n_rules--;
	}
	return true;
}

static unsigned rules_max(const struct port_offload *offload, unsigned n_nodes)
{
	unsigned devices = 0;

	for (unsigned i = 0; i < offload->n_ports; i++)
		devices += offload->ports[i].port->n_devices;
	return devices * n_nodes * PORT_OFFLOAD_PROTOCOLS;
}

static bool port_install(struct port_offload_ban *ban, const struct port *port, const struct prefix *source,
	const struct address *nodes, unsigned n_nodes, struct rte_flow_error *error)
{
	for (unsigned i = 0; i < port->n_devices; i++)
		for (unsigned node = 0; node < n_nodes; node++)
			for (unsigned j = 0; j < PORT_OFFLOAD_PROTOCOLS; j++) {
				struct offload_question question;

				if (address_is_v4(&nodes[node]) != prefix_is_v4(source))
					continue;
				question_make(&question, source, &nodes[node], offload_protocols[j]);
				if (!rule_add(ban, port->devices[i].id, &question, error))
					return false;
			}
	return true;
}

int port_offload_install(struct port_offload *offload, unsigned place, const struct prefix *source,
	const struct address *nodes, unsigned n_nodes, uint64_t now_ns)
{
	struct port_offload_ban *ban = &offload->bans[place];

	ban->rules = calloc(rules_max(offload, n_nodes) + 1, sizeof(*ban->rules));
	ban->n_rules = 0;
	for (unsigned i = 0; ban->rules && i < offload->n_ports; i++) {
		struct port_offload_port *port = &offload->ports[i];
		unsigned before = ban->n_rules;
		struct rte_flow_error error;

		if (!port->supported || now_ns < port->next_try_ns ||
			port_install(ban, port->port, source, nodes, n_nodes, &error))
			continue;
		offload->refused++;
		port->next_try_ns = now_ns + PORT_OFFLOAD_RETRY_S * UINT64_C(1000000000);
		if (!port->refused_said)
			fprintf(stderr,
				"weir-dataplane: port %s: the device refused a rule for a ban (%s): that ban "
				"holds in software, and the device is asked again every %d s; this is said "
				"once.\n",
				port->port->device, error_text(&error, rte_errno), PORT_OFFLOAD_RETRY_S);
		port->refused_said = true;
		if (!rules_remove(ban, before)) {
			port_offload_flush(offload);
			return -EIO;
		}
	}
	if (ban->n_rules != 0)
		return 0;
	free(ban->rules);
	ban->rules = NULL;
	return -ENOSPC;
}

int port_offload_remove(struct port_offload *offload, unsigned place)
{
	struct port_offload_ban *ban = &offload->bans[place];

	if (!rules_remove(ban, 0)) {
		port_offload_flush(offload);
		return -EIO;
	}
	free(ban->rules);
	ban->rules = NULL;
	return 0;
}

void port_offload_flush(struct port_offload *offload)
{
	for (unsigned i = 0; i < offload->n_ports; i++) {
		const struct port *port = offload->ports[i].port;

		for (unsigned j = 0; offload->ports[i].supported && j < port->n_devices; j++) {
			struct rte_flow_error error = {.message = NULL};
			int rc = rte_flow_flush(port->devices[j].id, &error);

			if (rc == 0)
				continue;
			offload->ports[i].supported = false;
			fprintf(stderr,
				"weir-dataplane: port %s: the device does not remove its rules (%s): it may "
				"drop sources that are no longer banned until weir-dataplane is started "
				"again; it gets no more rules.\n",
				port->device, error_text(&error, rc));
		}
	}
	for (unsigned place = 0; place < OFFLOAD_BANS_MAX; place++) {
		free(offload->bans[place].rules);
		offload->bans[place] = (struct port_offload_ban){.rules = NULL};
	}
}
