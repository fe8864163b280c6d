/* SPDX-License-Identifier: BSD-3-Clause
 * Compiles an image into what the packet path reads. Runs in the table thread (or a tool), never on an lcore.
 * Must not keep a pointer into the image: the image's memory goes away.
 */
#include "dataplane/ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for bans that arrive before the table thread builds bigger tables: a quarter more, and never less than
 * this. */
enum { BAN_TABLE_SPARE_MIN = 1024 };

static unsigned port_slot_first(uint8_t protocol, uint16_t port)
{
	return (port * 31u + protocol) % SERVICE_PORT_SLOTS;
}

static void services_index(struct ruleset *rules)
{
	for (unsigned i = 0; i < SERVICE_PORT_SLOTS; i++)
		rules->port_slots[i].service = SERVICE_NONE;
	for (unsigned i = 0; i < rules->n_services; i++) {
		const struct image_service *service = &rules->services[i];
		unsigned slot = port_slot_first(service->protocol, service->port);

		/* At most IMAGE_SERVICES_MAX of SERVICE_PORT_SLOTS slots are used, so a free one exists. */
		while (rules->port_slots[slot].service != SERVICE_NONE)
			slot = (slot + 1) % SERVICE_PORT_SLOTS;
		rules->port_slots[slot].port = service->port;
		rules->port_slots[slot].protocol = service->protocol;
		rules->port_slots[slot].service = (uint8_t)i;
	}
}
_Static_assert(IMAGE_SERVICES_MAX * 2 <= SERVICE_PORT_SLOTS, "probing needs free slots to end");

int ruleset_create(const struct image_view *image, const struct pressure_table *unproven,
	const struct pressure_table *proven, struct ruleset **ret_rules)
{
	struct ruleset *rules = calloc(1, sizeof(*rules));

	if (rules == NULL)
		return -ENOMEM;
	rules->policy = *image->policy;
	rules->n_services = (uint8_t)image->n_services;
	rules->n_nodes = (uint8_t)image->n_node_addresses;
	memcpy(rules->services, image->services, image->n_services * sizeof(*image->services));
	memcpy(rules->nodes, image->node_addresses, image->n_node_addresses * sizeof(*image->node_addresses));
	services_index(rules);

	rules->host_budget_v4 = token_bucket_profile_make(rules->policy.proven_rate_v4[IMAGE_LEVEL_HOST]);
	rules->host_budget_v6 = token_bucket_profile_make(rules->policy.proven_rate_v6[IMAGE_LEVEL_HOST]);
	rules->unproven_v4 = pressure_limits_make(unproven, rules->policy.unproven_rate_v4);
	rules->unproven_v6 = pressure_limits_make(unproven, rules->policy.unproven_rate_v6);
	rules->proven_v4 = pressure_limits_make(proven, rules->policy.proven_rate_v4);
	rules->proven_v6 = pressure_limits_make(proven, rules->policy.proven_rate_v6);
	/* The host level of proven opens is exact (the `opened` table), so its decaying twin must not refuse
	 * earlier. */
	rules->proven_v4.load[IMAGE_LEVEL_HOST] = UINT32_MAX;
	rules->proven_v6.load[IMAGE_LEVEL_HOST] = UINT32_MAX;
	for (unsigned i = 0; i < rules->n_services; i++)
		rules->paced[i] = token_bucket_profile_per_s(rules->services[i].paced_per_s);
	rules->replies = token_bucket_profile_per_s(rules->policy.replies_per_s);
	rules->reply_prefix = token_bucket_profile_per_s(rules->policy.replies_per_prefix_per_s);
	rules->icmp = token_bucket_profile_per_s(rules->policy.icmp_per_s);
	rules->infrastructure = token_bucket_profile_per_s(rules->policy.infrastructure_per_s);
	rules->other = token_bucket_profile_per_s(rules->policy.other_per_s);
	rules->adopt = token_bucket_profile_per_s(rules->policy.adopt_per_s);
	rules->generation = image->header->generation;
	*ret_rules = rules;
	return 0;
}

void ruleset_destroy(struct ruleset *rules)
{
	free(rules);
}

int ruleset_node_find(const struct ruleset *rules, const struct address *address)
{
	for (int i = 0; i < rules->n_nodes; i++)
		if (memcmp(&rules->nodes[i], address, sizeof(*address)) == 0)
			return i;
	return -1;
}

uint8_t ruleset_service_find(const struct ruleset *rules, uint8_t protocol, uint16_t port)
{
	unsigned slot = port_slot_first(protocol, port);

	while (rules->port_slots[slot].service != SERVICE_NONE) {
		if (rules->port_slots[slot].port == port && rules->port_slots[slot].protocol == protocol)
			return rules->port_slots[slot].service;
		slot = (slot + 1) % SERVICE_PORT_SLOTS;
	}
	return SERVICE_NONE;
}

static uint64_t table_capacity(uint64_t n, uint64_t spare)
{
	uint64_t quarter = n / 4;
	uint64_t extra = spare > quarter ? spare : quarter;

	return n + (extra > BAN_TABLE_SPARE_MIN ? extra : BAN_TABLE_SPARE_MIN);
}

/* Set bans in bulk: fetch the lines of keys to come while this one is written. */
enum { LOAD_AHEAD = 16 };

static struct ban_key key_v4(const void *bans, uint64_t i)
{
	return (struct ban_key){((const struct image_ban_v4 *)bans)[i].address, 0};
}

static struct ban_key key_v6(const void *bans, uint64_t i)
{
	return (struct ban_key){((const struct image_ban_v6 *)bans)[i].site, 0};
}

static struct ban_key key_exact(const void *bans, uint64_t i)
{
	const struct image_ban_exact *ban = (const struct image_ban_exact *)bans + i;

	return (struct ban_key){ban->high, ban->low};
}

static void load_ahead(const struct ban_table *table, const void *bans, uint64_t n, uint64_t i,
	struct ban_key (*key_of)(const void *bans, uint64_t i))
{
	uint64_t hash;

	if (i + LOAD_AHEAD < n)
		ban_table_prefetch(table, key_of(bans, i + LOAD_AHEAD), &hash);
}

/* A fresh table has no slot that waits for a grace period, so -EAGAIN cannot happen; -ENOSPC means that
 * chance filled two buckets and the stash: the caller tries again with a larger table. */
static int bans_load(struct ruleset *rules, const struct image_view *image)
{
	int error = 0;

	for (uint64_t i = 0; i < image->n_bans_v4 && error == 0; i++) {
		load_ahead(rules->bans_v4, image->bans_v4, image->n_bans_v4, i, key_v4);
		error = ban_table_set(rules->bans_v4, key_v4(image->bans_v4, i), image->bans_v4[i].meta);
	}
	for (uint64_t i = 0; i < image->n_bans_v6 && error == 0; i++) {
		load_ahead(rules->bans_v6, image->bans_v6, image->n_bans_v6, i, key_v6);
		error = ban_table_set(rules->bans_v6, key_v6(image->bans_v6, i), image->bans_v6[i].meta);
	}
	for (uint64_t i = 0; i < image->n_bans_exact && error == 0; i++) {
		load_ahead(rules->bans_exact, image->bans_exact, image->n_bans_exact, i, key_exact);
		error = ban_table_set(
			rules->bans_exact, key_exact(image->bans_exact, i), image->bans_exact[i].meta);
	}
	return error;
}

static int tables_try(struct ruleset *rules, const struct image_view *image, uint64_t spare,
	const struct hash_key *key, const struct table_memory *memory)
{
	int error = lists_create(image, key, memory, &rules->lists);

	if (error == 0)
		error = ban_table_create(
			BAN_TABLE_V4, table_capacity(image->n_bans_v4, spare), key, memory, &rules->bans_v4);
	if (error == 0)
		error = ban_table_create(
			BAN_TABLE_V6, table_capacity(image->n_bans_v6, spare), key, memory, &rules->bans_v6);
	if (error == 0)
		error = ban_table_create(BAN_TABLE_EXACT, table_capacity(image->n_bans_exact, spare), key,
			memory, &rules->bans_exact);
	if (error == 0)
		error = bans_load(rules, image);
	if (error != 0)
		ruleset_tables_destroy(rules);
	return error;
}

int ruleset_tables_create(struct ruleset *rules, const struct image_view *image, uint64_t spare,
	const struct hash_key *key, const struct table_memory *memory)
{
	uint64_t n_bans = image->n_bans_v4 + image->n_bans_v6 + image->n_bans_exact;
	int error = tables_try(rules, image, spare, key, memory);

	/* Twice the room makes a full pair of buckets vanishingly rare; a third failure would be a defect of
	 * the hash. */
	if (error == -ENOSPC)
		error = tables_try(rules, image, spare + n_bans, key, memory);
	return error == -ENOSPC ? -ENOMEM : error;
}

void ruleset_tables_destroy(struct ruleset *rules)
{
	lists_destroy(rules->lists);
	ban_table_destroy(rules->bans_v4);
	ban_table_destroy(rules->bans_v6);
	ban_table_destroy(rules->bans_exact);
	rules->lists = NULL;
	rules->bans_v4 = rules->bans_v6 = rules->bans_exact = NULL;
}
