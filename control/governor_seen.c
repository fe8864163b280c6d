/* SPDX-License-Identifier: BSD-3-Clause
 * Where banned ids were seen: told to the store with each ban, and taken back at a start, so that T4 counts
 * the same ids before and after it (LH-21, 5.5.16). The governor's thread. Must not announce, enforce or
 * store while it loads.
 */
#include "control/governor_internal.h"

/** Its record, if it was ever bound: who was at its endpoint after it took that, not that it was there. */
static const struct peer_record *seen(const struct governor *governor, const char *id)
{
	uint32_t index = peer_table_find_id(&governor->peers, id);
	const struct peer_record *peer = index != RECORD_NONE ? peer_table_at(&governor->peers, index) : NULL;
	return peer != NULL && peer->seen ? peer : NULL;
}

void governor_seen_fill(const struct governor *governor, struct ban *ban)
{
	if (ban->scope != BAN_SCOPE_PEER)
		return;
	const struct peer_record *peer = seen(governor, ban->id);
	ban->has_seen = peer != NULL;
	if (peer == NULL)
		return;
	ban->seen = peer->address;
	ban->seen_port = peer->port;
}

void governor_seen_store(const struct governor *governor, uint32_t index)
{
	const struct peer_record *peer = peer_table_at(&governor->peers, index);
	struct ban_key key = governor_peer_key(governor, peer);
	struct ban ban;
	if (governor->effects.store_ban == NULL)
		return;
	for (uint32_t at = ban_table_chain(&governor->bans, &key); at != RECORD_NONE;) {
		const struct ban_record *record = ban_table_at(&governor->bans, at);
		at = record->next;
		if (record->tier < BAN_TIER_STRIKE || record->tier > BAN_TIER_MANUAL)
			continue;
		ban_table_expand(&governor->bans, ban_table_find(&governor->bans, &key, record->tier), &ban);
		governor_seen_fill(governor, &ban);
		governor->effects.store_ban(governor->effects.context, &ban);
	}
}

void governor_seen_load(struct governor *governor, const struct ban *ban)
{
	uint32_t index;
	if (ban->scope != BAN_SCOPE_PEER || !ban->has_seen)
		return;
	bool known = peer_table_find_id(&governor->peers, ban->id) != RECORD_NONE;
	if (!known && governor->peers.records.n_used >= governor->config.peers_max)
		return;
	if (governor_peer_obtain(governor, ban->id, NULL, &index) < 0)
		return; /* it is banned all the same, and counts again once it is bound */
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	if (peer->group == RECORD_NONE &&
		peer_table_bind(&governor->peers, index, &ban->seen, ban->seen_port) == 0)
		governor_group_load(governor, index);
}
