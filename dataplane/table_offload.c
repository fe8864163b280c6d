// SPDX-License-Identifier: BSD-3-Clause
/* Bans between tables and devices (table_offload.h). Thread: the table thread, which is also the one that
 * changes the tables: so a rule never outlives its ban.
 */
#include "dataplane/table_offload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OFFLOAD_CHOICE_MS = 1000,
	/* 50 bans a second in and 50 out. A device takes 10 us to 1 ms for a rule, and between two bans waits
	 * whoever sends a command: with two node addresses, 4 rules, at most 8 ms in the worst case. */
	OFFLOAD_CHANGE_MS = 20,
};

_Static_assert((int)OPTIONS_OFFLOAD_BANS_MAX == (int)OFFLOAD_BANS_MAX,
	"an option cannot ask for more than there are places");

struct table_offload {
	struct ban_offload plan;
	struct port_offload ports;
	struct stage *stages[OPTIONS_LCORES_MAX];
	unsigned n_stages; /* with a sketch */
	struct dataplane_payload *payload;
	/* That the rules in the devices speak of */
	struct address nodes[IMAGE_NODE_ADDRESSES_MAX];
	unsigned n_nodes;
	uint64_t next_choice_ns, next_change_ns;
	uint64_t installed;
	struct heavy_ban bans[OPTIONS_LCORES_MAX * HEAVY_BANS_PLACES];
};

static uint32_t seconds_of(uint64_t ns)
{
	return (uint32_t)(ns / 1000000000);
}

static int sketches_create(struct table_offload *offload, struct stage *const *stages, unsigned n)
{
	for (; offload->n_stages < n; offload->n_stages++) {
		struct heavy_bans *heavy = aligned_alloc(64, sizeof(*heavy));

		if (!heavy)
			return -ENOMEM;
		memset(heavy, 0, sizeof(*heavy));
		offload->stages[offload->n_stages] = stages[offload->n_stages];
		offload->stages[offload->n_stages]->heavy = heavy;
	}
	return 0;
}

int table_offload_create(const struct options *options, const struct port (*pairs)[2],
	struct stage *const *stages, struct dataplane_payload *payload, struct table_offload **ret_offload)
{
	struct table_offload *offload;
	int rc = 0;

	*ret_offload = NULL;
	if (options->offload_bans == 0)
		return 0;
	offload = calloc(1, sizeof(*offload));
	if (!offload)
		return -ENOMEM;
	offload->plan.max = options->offload_bans;
	offload->payload = payload;
	if (port_offload_open(&offload->ports, pairs, options->n_pairs) != 0)
		rc = sketches_create(offload, stages, options->n_lcores);
	if (offload->n_stages == 0 || rc != 0) {
		table_offload_destroy(offload);
		return rc;
	}
	fprintf(stderr,
		"weir-dataplane: up to %u bans of the heaviest sources are dropped by the outside ports.\n",
		offload->plan.max);
	*ret_offload = offload;
	return 0;
}

static void numbers_publish(const struct table_offload *offload)
{
	atomic_store_explicit(&offload->payload->offload_bans, offload->plan.n, memory_order_relaxed);
	atomic_store_explicit(&offload->payload->offload_installed, offload->installed, memory_order_relaxed);
	atomic_store_explicit(
		&offload->payload->offload_refused, offload->ports.refused, memory_order_relaxed);
}

static void places_forget(struct table_offload *offload)
{
	for (unsigned place = 0; place < offload->plan.max; place++)
		ban_offload_free(&offload->plan, place);
}

static void place_remove(struct table_offload *offload, unsigned place)
{
	if (port_offload_remove(&offload->ports, place) == 0)
		ban_offload_free(&offload->plan, place);
	else
		places_forget(offload);
}

static void place_install(struct table_offload *offload, unsigned place, uint64_t now_ns)
{
	struct prefix source = heavy_source_prefix(offload->plan.places[place].source);
	int rc = port_offload_install(
		&offload->ports, place, &source, offload->nodes, offload->n_nodes, now_ns);

	if (rc == 0)
		offload->installed++;
	else if (rc == -EIO)
		places_forget(offload);
	else
		ban_offload_free(&offload->plan, place);
}

static void choose(struct table_offload *offload, const struct ruleset *rules, uint64_t now_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < offload->n_stages; i++)
		n += heavy_bans_read(offload->stages[i]->heavy, seconds_of(now_ns), offload->bans + n);
	ban_offload_choose(&offload->plan, rules, seconds_of(now_ns), offload->bans, n);
}

void table_offload_step(struct table_offload *offload, const struct ruleset *rules, uint64_t now_ns)
{
	unsigned place;

	if (!offload || !rules || now_ns < offload->next_change_ns)
		return;
	offload->next_change_ns = now_ns + OFFLOAD_CHANGE_MS * UINT64_C(1000000);
	if (ban_offload_ended(&offload->plan, seconds_of(now_ns), &place))
		place_remove(offload, place);
	if (now_ns >= offload->next_choice_ns) {
		offload->next_choice_ns = now_ns + OFFLOAD_CHOICE_MS * UINT64_C(1000000);
		choose(offload, rules, now_ns);
	}
	if (ban_offload_take(&offload->plan, rules, seconds_of(now_ns), &place))
		place_install(offload, place, now_ns);
	numbers_publish(offload);
}

void table_offload_command(struct table_offload *offload, const struct command_record *record)
{
	struct prefix prefix = {.length = record->prefix_length};
	unsigned place = 0;

	if (!offload || prefix.length > PREFIX_HOST_LENGTH)
		return;
	memcpy(prefix.address.bytes, record->address, sizeof(prefix.address.bytes));
	while (ban_offload_met(&offload->plan, (enum command_kind)record->kind, &prefix, place, &place))
		place_remove(offload, place);
	numbers_publish(offload);
}

void table_offload_follow(struct table_offload *offload, const struct ruleset *rules, uint64_t now_ns)
{
	if (!offload)
		return;
	if (offload->n_nodes != rules->n_nodes ||
		memcmp(offload->nodes, rules->nodes, rules->n_nodes * sizeof(rules->nodes[0])) != 0) {
		port_offload_flush(&offload->ports);
		places_forget(offload);
		offload->n_nodes = rules->n_nodes;
		memcpy(offload->nodes, rules->nodes, rules->n_nodes * sizeof(rules->nodes[0]));
	}
	for (unsigned place = 0; place < offload->plan.max; place++) {
		uint64_t source = offload->plan.places[place].source;

		if (source != 0 && !ban_offload_is_right(rules, source, seconds_of(now_ns)))
			place_remove(offload, place);
	}
	numbers_publish(offload);
}

void table_offload_destroy(struct table_offload *offload)
{
	if (!offload)
		return;
	port_offload_flush(&offload->ports);
	for (unsigned i = 0; i < offload->n_stages; i++) {
		free(offload->stages[i]->heavy);
		offload->stages[i]->heavy = NULL;
	}
	places_forget(offload);
	numbers_publish(offload);
	free(offload);
}
