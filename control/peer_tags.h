/* SPDX-License-Identifier: BSD-3-Clause
 * What the node says about a peer (policy.md LH-19, LH-24, DU-2, DU-17, HE-13): marks, category, the subnets
 * it serves, duties with their times, the group of local roots it belongs to. Pure data with rules, any
 * thread. Runtime only; cleared as LH-10 says.
 */
#ifndef WEIR_CONTROL_PEER_TAGS_H
#define WEIR_CONTROL_PEER_TAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/eviction.h"
#include "control/peer_category.h"
#include "control/target_plan.h"

/* A validator has a few duties at a time; the one that ends first gives way to a ninth. */
enum { PEER_DUTIES_MAX = 8 };
struct peer_duty {
	uint16_t subnet;
	int64_t until_ms;
};

struct peer_tags {
	bool trusted, is_protected, preferred, light, relay_txs;
	uint8_t category, source; /* enum peer_category, peer_source */
	uint8_t n_duties;
	uint32_t group; /* TARGET_NO_GROUP */
	uint32_t committees;
	uint64_t subnets[EVICTION_SUBNET_WORDS];
	struct peer_duty duties[PEER_DUTIES_MAX];
};
void peer_tags_init(struct peer_tags *tags);
/** LH-10: a peer that disconnects serves nothing any more; what the node said about it stays. */
void peer_tags_disconnect(struct peer_tags *tags);
/** -EDOM: EVICTION_SUBNETS or more. */
int peer_tags_subnet_set(struct peer_tags *tags, uint32_t subnet, bool serves);
bool peer_tags_serves(const struct peer_tags *tags, uint32_t subnet);
/** LH-24: protect until then; a time that is earlier than the one in force changes nothing. -EDOM. */
int peer_tags_duty_extend(struct peer_tags *tags, uint32_t subnet, int64_t until_ms, int64_t now_ms);
/** LH-8, LH-23: is a duty still ahead? In force while now < until. */
bool peer_tags_has_duty(const struct peer_tags *tags, int64_t now_ms);
/** Of one subnet; 0: none ahead. */
int64_t peer_tags_duty_ms(const struct peer_tags *tags, uint32_t subnet, int64_t now_ms);

/** How many connected peers serve each subnet, kept up by whoever connects, disconnects and re-tags them. */
struct subnet_counts {
	uint32_t peers[EVICTION_SUBNETS];
};
void subnet_counts_change(struct subnet_counts *counts, const struct peer_tags *tags, bool add);
/** LH-24: is the subnet to be searched for? Below `target` (3) peers. */
bool subnet_counts_wants(const struct subnet_counts *counts, uint32_t subnet, uint32_t target);

/* Groups of local roots (DU-17), from the configuration and peer.tag. */
enum { ROOT_GROUPS_MAX = 64, ROOT_GROUP_NAME_MAX = 32 };
struct root_groups {
	uint32_t n;
	char names[ROOT_GROUPS_MAX][ROOT_GROUP_NAME_MAX];
	struct target_group valency[ROOT_GROUPS_MAX];
};
/** Make or change a group. -EINVAL: no name, or hot above warm; -ENAMETOOLONG; -ENOSPC. */
int root_groups_put(
	struct root_groups *groups, const char *name, uint32_t hot, uint32_t warm, uint32_t *ret_group);

#endif
