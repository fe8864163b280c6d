/* SPDX-License-Identifier: BSD-3-Clause
 * Bans: adding, removing, loading, ending, and which class is in force for a source. The governor's thread.
 * Every path ends in governor_ban_put or governor_ban_drop: there, and only there, enforcement follows.
 */
#include "control/governor_internal.h"

#include <errno.h>
#include <string.h>

static bool is_stored(unsigned tier)
{
	return tier >= BAN_TIER_STRIKE && tier <= BAN_TIER_MANUAL;
}

static struct ban_key key_of(const struct governor *governor, const struct ban *ban)
{
	return ban->scope == BAN_SCOPE_PEER ? ban_key_id(&governor->bans, ban->id) : ban_key_prefix(&ban->prefix);
}

/** Tell the dataplane if what is in force for this key has changed. A ban of an id has no packets to bite. */
static void enforce(struct governor *governor, const struct ban_key *key, struct ban_force before)
{
	if (key->by_id || governor->effects.enforce == NULL)
		return;
	struct ban_force after = ban_table_force(&governor->bans, ban_table_chain(&governor->bans, key), INT64_MIN);
	if (after.class == before.class && after.end_ms == before.end_ms)
		return;
	struct prefix prefix = prefix_key_to(&key->prefix);
	governor->effects.enforce(governor->effects.context, &prefix, after.class, after.end_ms);
}

/** LH-25: who is banned, and where it is bound, so that the node can close it there. */
static void announce_peer(struct event_text *event, const struct governor *governor, const char *id)
{
	event_string(event, "id", id);
	uint32_t index = peer_table_find_id(&governor->peers, id);
	const struct peer_record *peer = index != RECORD_NONE ? peer_table_at(&governor->peers, index) : NULL;
	if (peer == NULL || !peer->bound)
		return;
	struct prefix exact = prefix_of(&peer->address, PREFIX_HOST_LENGTH);
	event_prefix(event, &exact);
	if (peer->port != 0)
		event_number(event, "port", peer->port);
}

static void announce(struct governor *governor, const char *name, const struct ban *ban, const char *why)
{
	struct event_text event;
	event_begin(&event, governor, name);
	if (!event.wanted)
		return;
	if (ban->scope == BAN_SCOPE_PEER)
		announce_peer(&event, governor, ban->id);
	else
		event_prefix(&event, &ban->prefix);
	event_number(&event, "tier", ban->tier);
	event_time(&event, "until", ban->end_ms);
	event_string(&event, "reason", why != NULL ? why : ban->reason);
	event_string(&event, "evidence", ban->evidence);
	event_string(&event, "source", ban->source);
	event_end(&event);
}

/** Make room for an automatic record by ending the automatic one that would end first. */
static bool evict_weakest(struct governor *governor)
{
	struct due_entry weakest;
	governor->evicted++;
	if (!due_queue_peek(&governor->bans.due, &weakest) ||
		ban_table_at(&governor->bans, weakest.item)->tier > BAN_TIER_SCORE)
		return false;
	governor_ban_drop(governor, weakest.item, /* expired= */ false, "evicted: the table of bans is full");
	return true;
}

/** Whether one more record of this tier fits; records of the disconnect state are bounded by the scores they belong to. */
static bool has_room(const struct governor *governor, unsigned tier)
{
	if (tier == BAN_TIER_REFUSED)
		return governor->bans.n_by_tier[BAN_TIER_REFUSED] < governor->config.peers_max;
	return governor->bans.n < governor->config.bans_max;
}

static void store(const struct governor *governor, const struct ban *ban)
{
	struct ban stored = *ban;
	governor_seen_fill(governor, &stored);
	governor->effects.store_ban(governor->effects.context, &stored);
}

int governor_ban_put(struct governor *governor, const struct ban *ban, bool automatic)
{
	struct ban_key key = key_of(governor, ban);
	bool renewed = ban_table_find(&governor->bans, &key, ban->tier) != RECORD_NONE;
	if (!renewed && !has_room(governor, ban->tier) &&
		(!automatic || (int)ban->tier == BAN_TIER_REFUSED || !evict_weakest(governor)))
		return -ENOSPC;
	struct ban_force before = ban_table_force(&governor->bans, ban_table_chain(&governor->bans, &key), INT64_MIN);
	int r = ban_table_put(&governor->bans, ban);
	if (r < 0)
		return r;
	enforce(governor, &key, before);
	if (governor->ban_changed != NULL)
		governor->ban_changed(governor->ban_changed_context, ban);
	if ((int)ban->tier == BAN_TIER_REFUSED)
		return 0;
	if (is_stored(ban->tier) && governor->effects.store_ban != NULL)
		store(governor, ban);
	announce(governor, "peer.banned", ban, NULL);
	if (ban->scope == BAN_SCOPE_PEER)
		governor_group_update(governor, ban->id);
	return 0;
}

void governor_ban_drop(struct governor *governor, uint32_t index, bool expired, const char *why)
{
	struct ban ban;
	ban_table_expand(&governor->bans, index, &ban);
	struct ban_key key = key_of(governor, &ban);
	struct ban_force before = ban_table_force(&governor->bans, ban_table_chain(&governor->bans, &key), INT64_MIN);
	ban_table_remove(&governor->bans, index);
	enforce(governor, &key, before);
	if (governor->ban_changed != NULL)
		governor->ban_changed(governor->ban_changed_context, &ban);
	if ((int)ban.tier == BAN_TIER_REFUSED)
		return;
	if (is_stored(ban.tier)) /* T1 is a delay: a busy node's would push every ban out of the ring */
		ban_history_add(&governor->ended, &ban, why, governor->now_ms);
	if (is_stored(ban.tier) && !expired && governor->effects.store_ban_delete != NULL)
		governor->effects.store_ban_delete(governor->effects.context, &ban);
	announce(governor, "peer.unbanned", &ban, why);
	if (ban.scope == BAN_SCOPE_PEER)
		governor_group_update(governor, ban.id);
	else if (ban.tier == BAN_TIER_ADDRESS && expired)
		governor_group_review(governor, &ban.prefix);
}

static bool is_host(const struct prefix *prefix)
{
	return prefix->length == PREFIX_HOST_LENGTH || (!prefix_is_v4(prefix) && prefix->length >= PREFIX_V6_SITE_LENGTH);
}

int governor_ban_add(struct governor *governor, const struct ban *ban, bool force, int64_t now_ms, struct prefix *ret_conflict)
{
	now_ms = governor_clock(governor, now_ms);
	struct ban put = *ban;
	if (put.tier < BAN_TIER_THROTTLE || put.tier > BAN_TIER_MANUAL || put.end_ms <= now_ms)
		return -EINVAL;
	if (put.scope == BAN_SCOPE_PEER) {
		if (put.id[0] == '\0')
			return -EINVAL;
	} else {
		put.prefix = prefix_of(&put.prefix.address, put.prefix.length);
		if (put.tier == BAN_TIER_THROTTLE && !is_host(&put.prefix))
			return -EINVAL;
		if (!force && governor_is_protected(governor, &put.prefix, ret_conflict))
			return -EPERM;
	}
	if (put.start_ms == 0)
		put.start_ms = now_ms;
	struct ban_key key = key_of(governor, &put);
	uint32_t known = ban_table_find(&governor->bans, &key, put.tier);
	if (known != RECORD_NONE && !force && ban_table_at(&governor->bans, known)->end_ms >= put.end_ms)
		return 0;
	return governor_ban_put(governor, &put, /* automatic= */ false);
}

/** Set the score of the key's peer to 0, and let what it enforced end with it. */
static void forgive(struct governor *governor, const struct ban *named)
{
	bool by_id = named->scope == BAN_SCOPE_PEER;
	uint32_t peer = by_id ? peer_table_find_id(&governor->peers, named->id)
			      : peer_table_find_host(&governor->peers, &named->prefix.address);
	if (peer != RECORD_NONE) {
		struct score *score = &peer_table_at(&governor->peers, peer)->score;
		score->value = 0.0;
		score->decay_from_ms = governor->now_ms;
	}
	struct ban_key key = key_of(governor, named);
	uint32_t refused = ban_table_find(&governor->bans, &key, BAN_TIER_REFUSED);
	if (refused != RECORD_NONE)
		governor_ban_drop(governor, refused, /* expired= */ false, NULL);
}

/** Remove tiers `first` to `last` of one key; true if a score in the disconnect state was forgiven too. */
static bool remove_tiers(struct governor *governor, const struct ban *named, unsigned first, unsigned last, bool all,
	unsigned *removed)
{
	struct ban_key key = key_of(governor, named);
	bool forgiven = false;
	for (unsigned tier = first; tier <= last; tier++) {
		uint32_t index = ban_table_find(&governor->bans, &key, tier);
		if (index == RECORD_NONE)
			continue;
		governor_ban_drop(governor, index, /* expired= */ false, "removed");
		*removed |= 1u << tier;
		if (tier == BAN_TIER_SCORE)
			forgive(governor, named);
		key = key_of(governor, named); /* an id whose last record went is no longer interned */
	}
	if (all && ban_table_find(&governor->bans, &key, BAN_TIER_REFUSED) != RECORD_NONE) {
		forgive(governor, named);
		forgiven = true;
	}
	return forgiven;
}

int governor_ban_remove(struct governor *governor, const struct ban *key, unsigned tier, int64_t now_ms, unsigned *ret_removed)
{
	governor_clock(governor, now_ms);
	struct ban named = *key;
	unsigned first = tier != 0 ? tier : BAN_TIER_THROTTLE, last = tier != 0 ? tier : BAN_TIER_MANUAL, removed = 0;
	if (last > BAN_TIER_MANUAL)
		return -EINVAL;
	bool forgiven = remove_tiers(governor, &named, first, last, tier == 0, &removed);
	bool v6_host = named.scope == BAN_SCOPE_PREFIX && named.prefix.length == PREFIX_HOST_LENGTH &&
		!prefix_is_v4(&named.prefix);
	if (v6_host && first <= BAN_TIER_SCORE) {
		named.prefix = host_prefix(&named.prefix.address);
		forgiven |= remove_tiers(governor, &named, first, last < BAN_TIER_SCORE ? last : BAN_TIER_SCORE, tier == 0,
			&removed);
	}
	if (removed == 0 && !forgiven)
		return -ENOENT;
	if (ret_removed != NULL)
		*ret_removed = removed;
	return 0;
}

struct score governor_score_revive(const struct governor *governor, const struct ban_key *key)
{
	uint32_t index = ban_table_find(&governor->bans, key, BAN_TIER_SCORE);
	if (index == RECORD_NONE)
		index = ban_table_find(&governor->bans, key, BAN_TIER_REFUSED);
	if (index == RECORD_NONE)
		return (struct score){0};
	const struct ban_record *record = ban_table_at(&governor->bans, index);
	return (struct score){.value = record->score, .decay_from_ms = record->freeze_until_ms};
}

/** The record that keeps a source refused from the end of its T3 until its score is healthy. */
static void refused_from_score(struct ban *ban, const struct governor_config *config, const struct score *score)
{
	ban->tier = (enum ban_tier)BAN_TIER_REFUSED;
	ban->end_ms = score_healthy_ms(score, config);
	ban->reason[0] = ban->evidence[0] = '\0';
}

void governor_score_enforce(struct governor *governor, uint32_t index, const struct evidence *evidence)
{
	const struct peer_record *peer = peer_table_at(&governor->peers, index);
	const struct governor_config *config = &governor->config;
	enum score_state state = score_state_at(&peer->score, config, governor->now_ms);
	if (state == SCORE_STATE_HEALTHY)
		return;
	bool by_id = peer->id != RECORD_NONE;
	struct ban ban = {.scope = by_id ? BAN_SCOPE_PEER : BAN_SCOPE_PREFIX,
		.start_ms = governor->now_ms,
		.score = peer->score.value,
		.freeze_until_ms = peer->score.decay_from_ms};
	strncpy(ban.reason, evidence->reason, sizeof(ban.reason) - 1);
	strncpy(ban.evidence, evidence->text, sizeof(ban.evidence) - 1);
	strncpy(ban.source, evidence->source, sizeof(ban.source) - 1);
	if (by_id)
		strncpy(ban.id, governor_peer_id(governor, peer), sizeof(ban.id) - 1);
	else
		ban.prefix = host_prefix(&peer->address);
	/* The identity of a host may hold a protected address beside the one that misbehaved: its /64 is then left alone. */
	if (!by_id && governor_is_protected(governor, &ban.prefix, NULL))
		return;
	if (state == SCORE_STATE_BANNED) {
		struct ban_key key = key_of(governor, &ban);
		uint32_t known = ban_table_find(&governor->bans, &key, BAN_TIER_SCORE);
		ban.tier = BAN_TIER_SCORE;
		ban.end_ms = score_unbanned_ms(&peer->score, config);
		if (known != RECORD_NONE) {
			const struct ban_record *record = ban_table_at(&governor->bans, known);
			ban.start_ms = record->start_ms;
			if (record->end_ms > ban.end_ms)
				ban.end_ms = record->end_ms; /* a manual T3 may be longer; a penalty never shortens */
		}
		(void)governor_ban_put(governor, &ban, /* automatic= */ true); /* full is counted as evicted */
	}
	if (!by_id) {
		refused_from_score(&ban, config, &peer->score);
		(void)governor_ban_put(governor, &ban, /* automatic= */ true);
	}
}

int governor_ban_load(struct governor *governor, const struct ban *ban, int64_t now_ms)
{
	now_ms = governor_clock(governor, now_ms);
	if (!is_stored(ban->tier))
		return -EINVAL;
	if (ban->end_ms <= now_ms)
		return 0;
	if (!has_room(governor, ban->tier))
		return -ENOSPC;
	int r = ban_table_put(&governor->bans, ban);
	if (r == 0)
		governor_seen_load(governor, ban);
	if (r < 0 || ban->tier != BAN_TIER_SCORE || ban->scope != BAN_SCOPE_PREFIX)
		return r;
	struct score score = {.value = ban->score, .decay_from_ms = ban->freeze_until_ms};
	struct ban refused = *ban;
	refused_from_score(&refused, &governor->config, &score);
	if (refused.end_ms > ban->end_ms && has_room(governor, BAN_TIER_REFUSED))
		r = ban_table_put(&governor->bans, &refused);
	return r;
}

uint64_t governor_ban_count(const struct governor *governor)
{
	return governor->bans.n;
}

/** Visit the records of one chain that are bans and in force; false when the visitor had enough. */
static bool visit_chain(const struct governor *governor, uint32_t chain,
	bool (*visit)(void *context, const struct ban *ban), void *context)
{
	struct ban ban;
	for (uint32_t at = chain; at != RECORD_NONE; at = ban_table_at(&governor->bans, at)->next) {
		const struct ban_record *record = ban_table_at(&governor->bans, at);
		if (record->tier == BAN_TIER_REFUSED || record->end_ms <= governor->now_ms)
			continue;
		ban_table_expand(&governor->bans, at, &ban);
		governor_seen_fill(governor, &ban);
		if (!visit(context, &ban))
			return false;
	}
	return true;
}

void governor_ban_each(const struct governor *governor, const struct prefix *after_or_null,
	bool (*visit)(void *context, const struct ban *ban), void *context)
{
	struct prefix_key after, key;
	if (after_or_null != NULL)
		after = prefix_key_from(after_or_null);
	struct prefix_cursor cursor = prefix_tree_seek(&governor->bans.prefixes, after_or_null != NULL ? &after : NULL);
	uint32_t chain;
	bool first = after_or_null != NULL;
	while (prefix_tree_next(&governor->bans.prefixes, &cursor, &key, &chain)) {
		bool is_after = first && key.high == after.high && key.low == after.low && key.length == after.length;
		first = false;
		if (!is_after && !visit_chain(governor, chain, visit, context))
			return;
	}
	cursor = prefix_tree_seek(&governor->bans.ids, NULL);
	while (prefix_tree_next(&governor->bans.ids, &cursor, &key, &chain)) {
		if (!visit_chain(governor, chain, visit, context))
			return;
	}
}

void governor_ban_ended_each(const struct governor *governor, uint64_t before,
	bool (*visit)(void *context, const struct ban_ended *ended), void *context)
{
	uint64_t number = before != 0 && before <= governor->ended.n ? before - 1 : governor->ended.n;
	const struct ban_ended *ended;
	for (; (ended = ban_history_find(&governor->ended, number)) != NULL; number--)
		if (!visit(context, ended))
			return;
}

void governor_enforced_each(const struct governor *governor, int64_t now_ms,
	bool (*visit)(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms), void *context)
{
	struct prefix_cursor cursor = prefix_tree_seek(&governor->bans.prefixes, NULL);
	struct prefix_key key;
	uint32_t chain;
	while (prefix_tree_next(&governor->bans.prefixes, &cursor, &key, &chain)) {
		struct ban_force force = ban_table_force(&governor->bans, chain, now_ms);
		if (force.class == SOURCE_CLASS_NONE)
			continue;
		struct prefix prefix = prefix_key_to(&key);
		if (!visit(context, &prefix, force.class, force.end_ms))
			return;
	}
}
