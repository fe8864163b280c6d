/* SPDX-License-Identifier: BSD-3-Clause
 * What control decided, compiled for the packet path: one immutable object per image, plus pointers to the
 * ban tables and lists that the table thread keeps current. Lcores get it once a burst inside an RCU
 * read-side section and hold it no longer.
 */
#ifndef WEIR_DATAPLANE_RULESET_H
#define WEIR_DATAPLANE_RULESET_H

#include <stdatomic.h>

#include "dataplane/ban_table.h"
#include "dataplane/lists.h"
#include "dataplane/pressure_table.h"
#include "dataplane/token_bucket.h"
#include "shm/image.h"

enum { SERVICE_NONE = 255, SERVICE_PORT_SLOTS = 256 };

struct ruleset {
	struct image_policy policy;
	struct image_service services[IMAGE_SERVICES_MAX];
	struct address nodes[IMAGE_NODE_ADDRESSES_MAX];
	uint8_t n_services, n_nodes;
	struct {
		uint16_t port;
		uint8_t protocol;
		uint8_t service;
	} port_slots[SERVICE_PORT_SLOTS]; /* open addressing */
	struct token_bucket_profile host_budget_v4,
		host_budget_v6; /* proven_rate at IMAGE_LEVEL_HOST: exact */
	struct pressure_limits unproven_v4, unproven_v6, proven_v4, proven_v6;
	struct token_bucket_profile reply_prefix; /* replies to one prefix, all lcores */
	struct token_bucket_profile paced[IMAGE_SERVICES_MAX]; /* paced_per_s; interval 0: nobody */
	struct token_bucket_profile replies, icmp, infrastructure, other, adopt;
	/* Swapped together by the table thread when one grows; written in place otherwise. */
	struct lists *lists;
	struct ban_table *bans_v4, *bans_v6, *bans_exact;
	uint64_t generation;
};

/** Compile a validated image. The tables are the caller's and are only referred to; `pressure_*` give the
 * units of the limits. -ENOMEM. Free with ruleset_destroy, which leaves the tables alone. */
int ruleset_create(const struct image_view *image, const struct pressure_table *unproven,
	const struct pressure_table *proven, struct ruleset **ret_rules);
void ruleset_destroy(struct ruleset *rules);
/** Index of the node address, or -1. */
int ruleset_node_find(const struct ruleset *rules, const struct address *address);
/** Index of the service, or SERVICE_NONE. */
uint8_t ruleset_service_find(const struct ruleset *rules, uint8_t protocol, uint16_t port);
/** Build the three ban tables and the lists of an image, with room for `spare` further entries each. On error
 * nothing is left. -ENOMEM. */
int ruleset_tables_create(struct ruleset *rules, const struct image_view *image, uint64_t spare,
	const struct hash_key *key, const struct table_memory *memory);
void ruleset_tables_destroy(struct ruleset *rules);

#endif
