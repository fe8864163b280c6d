/* SPDX-License-Identifier: BSD-3-Clause
 * Tags, duties, subnets and groups (peer_tags.h). Pure functions, any thread.
 */
#include "control/peer_tags.h"

#include <errno.h>
#include <string.h>

void peer_tags_init(struct peer_tags *tags)
{
	*tags = (struct peer_tags){.group = TARGET_NO_GROUP};
}

void peer_tags_disconnect(struct peer_tags *tags)
{
	memset(tags->subnets, 0, sizeof(tags->subnets));
	tags->committees = 0;
}

int peer_tags_subnet_set(struct peer_tags *tags, uint32_t subnet, bool serves)
{
	if (subnet >= EVICTION_SUBNETS)
		return -EDOM;
	uint64_t bit = UINT64_C(1) << subnet % 64;
	if (serves)
		tags->subnets[subnet / 64] |= bit;
	else
		tags->subnets[subnet / 64] &= ~bit;
	return 0;
}

bool peer_tags_serves(const struct peer_tags *tags, uint32_t subnet)
{
	return subnet < EVICTION_SUBNETS && (tags->subnets[subnet / 64] >> subnet % 64 & 1) != 0;
}

static void duties_expire(struct peer_tags *tags, int64_t now_ms)
{
	uint8_t n = 0;
	for (uint8_t i = 0; i < tags->n_duties; i++)
		if (now_ms < tags->duties[i].until_ms)
			tags->duties[n++] = tags->duties[i];
	tags->n_duties = n;
}

/** The duty of this subnet, else a free place, else the one that ends first. */
static struct peer_duty *duty_place(struct peer_tags *tags, uint32_t subnet)
{
	struct peer_duty *first = &tags->duties[0];
	for (uint8_t i = 0; i < tags->n_duties; i++) {
		if (tags->duties[i].subnet == subnet)
			return &tags->duties[i];
		if (tags->duties[i].until_ms < first->until_ms)
			first = &tags->duties[i];
	}
	if (tags->n_duties == PEER_DUTIES_MAX)
		return first;
	tags->duties[tags->n_duties] = (struct peer_duty){.until_ms = INT64_MIN};
	return &tags->duties[tags->n_duties++];
}

int peer_tags_duty_extend(struct peer_tags *tags, uint32_t subnet, int64_t until_ms, int64_t now_ms)
{
	if (subnet >= EVICTION_SUBNETS)
		return -EDOM;
	if (until_ms <= now_ms)
		return 0;
	duties_expire(tags, now_ms);
	struct peer_duty *duty = duty_place(tags, subnet);
	if (until_ms > duty->until_ms)
		*duty = (struct peer_duty){.subnet = (uint16_t)subnet, .until_ms = until_ms};
	return 0;
}

bool peer_tags_has_duty(const struct peer_tags *tags, int64_t now_ms)
{
	for (uint8_t i = 0; i < tags->n_duties; i++)
		if (now_ms < tags->duties[i].until_ms)
			return true;
	return false;
}

int64_t peer_tags_duty_ms(const struct peer_tags *tags, uint32_t subnet, int64_t now_ms)
{
	for (uint8_t i = 0; i < tags->n_duties; i++)
		if (tags->duties[i].subnet == subnet && now_ms < tags->duties[i].until_ms)
			return tags->duties[i].until_ms;
	return 0;
}

void subnet_counts_change(struct subnet_counts *counts, const struct peer_tags *tags, bool add)
{
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		for (uint64_t left = tags->subnets[word]; left != 0; left &= left - 1) {
			uint32_t *peers = &counts->peers[word * 64 + (unsigned)__builtin_ctzll(left)];
			if (add)
				(*peers)++;
			else
				*peers -= *peers != 0;
		}
}

bool subnet_counts_wants(const struct subnet_counts *counts, uint32_t subnet, uint32_t target)
{
	return subnet < EVICTION_SUBNETS && counts->peers[subnet] < target;
}

int root_groups_put(
	struct root_groups *groups, const char *name, uint32_t hot, uint32_t warm, uint32_t *ret_group)
{
	size_t bytes = strlen(name);
	if (bytes == 0 || hot > warm)
		return -EINVAL;
	if (bytes >= ROOT_GROUP_NAME_MAX)
		return -ENAMETOOLONG;
	uint32_t group = 0;
	while (group < groups->n && strcmp(groups->names[group], name) != 0)
		group++;
	if (group == ROOT_GROUPS_MAX)
		return -ENOSPC;
	if (group == groups->n) {
		memcpy(groups->names[group], name, bytes + 1);
		groups->n++;
	}
	groups->valency[group] = (struct target_group){.hot = hot, .warm = warm};
	*ret_group = group;
	return 0;
}
