/* SPDX-License-Identifier: BSD-3-Clause
 * Answers: what the governor knows of a peer, and what it would say of an address now. The governor's thread.
 * Must not change state: asking about a stranger leaves no record of it.
 */
#include "control/governor_internal.h"

#include <stdio.h>

uint32_t governor_ban_strongest(const struct governor *governor, uint32_t chain, uint32_t best)
{
	for (uint32_t at = chain; at != RECORD_NONE; at = ban_table_at(&governor->bans, at)->next) {
		const struct ban_record *record = ban_table_at(&governor->bans, at);
		if (record->tier == BAN_TIER_REFUSED || record->end_ms <= governor->now_ms)
			continue;
		if (best == RECORD_NONE) {
			best = at;
			continue;
		}
		const struct ban_record *held = ban_table_at(&governor->bans, best);
		enum source_class class = ban_tier_class(record->tier),
				  held_class = ban_tier_class(held->tier);
		/* Among equals the one that ends last, then the more deliberate tier. */
		if (class > held_class || (class == held_class && record->end_ms > held->end_ms) ||
			(class == held_class && record->end_ms == held->end_ms && record->tier > held->tier))
			best = at;
	}
	return best;
}

/** The bit set of a chain's tiers in force. The records of the disconnect state are not bans. */
static unsigned tiers_of(const struct governor *governor, uint32_t chain)
{
	unsigned tiers = 0;
	for (uint32_t at = chain; at != RECORD_NONE; at = ban_table_at(&governor->bans, at)->next) {
		const struct ban_record *record = ban_table_at(&governor->bans, at);
		if (record->tier != BAN_TIER_REFUSED && record->end_ms > governor->now_ms)
			tiers |= 1u << record->tier;
	}
	return tiers;
}

static void fill_score(const struct governor *governor, const struct score *score, struct peer_info *info)
{
	const struct governor_config *config = &governor->config;
	int64_t now_ms = governor->now_ms;
	info->app_score = score_at(score, config, now_ms);
	info->state = score_state_at(score, config, now_ms);
	if (info->state == SCORE_STATE_HEALTHY)
		return;
	info->healthy_at_ms = score_healthy_ms(score, config);
	if (info->state != SCORE_STATE_BANNED)
		return;
	info->unban_at_ms = score_unbanned_ms(score, config);
	if (score->decay_from_ms > now_ms)
		info->freeze_until_ms = score->decay_from_ms;
}

static const char *event_kind_name(uint8_t kind)
{
	static const char *const names[EVENT_KIND_COUNT] = {[EVENT_FLOW_SILENT] = "silent",
		[EVENT_FLOW_CLOSED] = "reset",
		[EVENT_SOURCE_OVER_RATE] = "over_rate",
		[EVENT_FLOW_MALFORMED] = "malformed"};
	return kind < EVENT_KIND_COUNT && names[kind] != NULL ? names[kind] : "?";
}

static const char *change_name(const struct peer_change *change)
{
	if (change->kind == PEER_CHANGE_VALUE)
		return "value";
	return change->kind == PEER_CHANGE_EVENT ? event_kind_name(change->action)
						 : peer_action_name(change->action);
}

static void fill_history(
	const struct governor *governor, const struct peer_record *peer, struct peer_info *info)
{
	const struct peer_history *history = peer->history;
	if (history == NULL)
		return;
	unsigned first = history->n < GOVERNOR_HISTORY ? 0 : history->at;
	info->n_history = history->n;
	for (unsigned i = 0; i < history->n; i++) {
		const struct peer_change *change = &history->changes[(first + i) % GOVERNOR_HISTORY];
		info->history[i].t_ms = change->t_ms;
		info->history[i].score = change->score;
		snprintf(info->history[i].why, sizeof(info->history[i].why), "%s: %s", change_name(change),
			text_pool_get(&governor->texts, change->why));
	}
}

static void fill_record(
	const struct governor *governor, const struct peer_record *peer, struct peer_info *info)
{
	struct peer_record counted = *peer;
	governor_flows_settle(governor, &counted);
	info->known = true;
	snprintf(info->agent, sizeof(info->agent), "%s", text_pool_get(&governor->texts, peer->agent));
	snprintf(info->name.id, sizeof(info->name.id), "%s", governor_peer_id(governor, peer));
	if (peer->bound) {
		info->name.address = peer->address;
		info->name.port = peer->port;
	}
	info->ok = peer->ok;
	info->fail = peer->fail;
	info->streak = peer->streak;
	info->connections_now = counted.connections;
	info->rtt_ms = peer->rtt_ms;
	fill_history(governor, peer, info);
}

void governor_peer_get(
	struct governor *governor, const struct peer_name *name, int64_t now_ms, struct peer_info *ret_info)
{
	governor_clock(governor, now_ms);
	*ret_info = (struct peer_info){.name = *name, .rtt_ms = -1.0};
	uint32_t index = governor_peer_named(governor, name);
	const struct peer_record *peer = index != RECORD_NONE ? peer_table_at(&governor->peers, index) : NULL;
	struct prefix host = host_prefix(&name->address);
	struct ban_key key = peer != NULL          ? governor_peer_key(governor, peer)
			     : name->id[0] != '\0' ? ban_key_id(&governor->bans, name->id)
						   : ban_key_prefix(&host);
	struct score score = peer != NULL ? peer->score : governor_score_revive(governor, &key);
	fill_score(governor, &score, ret_info);
	uint32_t strikes = strike_table_find(&governor->strikes, &key);
	if (strikes != RECORD_NONE)
		ret_info->strikes = strike_table_at(&governor->strikes, strikes)->count;
	uint32_t chain = ban_table_chain(&governor->bans, &key);
	uint32_t strongest = governor_ban_strongest(governor, chain, RECORD_NONE);
	ret_info->known = chain != RECORD_NONE || strikes != RECORD_NONE;
	ret_info->has_ban = strongest != RECORD_NONE;
	ret_info->tiers = tiers_of(governor, chain);
	if (ret_info->has_ban)
		ban_table_expand(&governor->bans, strongest, &ret_info->ban);
	if (peer != NULL) {
		fill_record(governor, peer, ret_info);
		ret_info->trusted =
			governor_peer_protected(governor, peer, name->id[0] == '\0' ? &name->address : NULL);
	} else if (name->id[0] == '\0') {
		struct prefix exact = prefix_of(&name->address, PREFIX_HOST_LENGTH);
		ret_info->trusted = governor_is_protected(governor, &exact, NULL);
	}
}

static void why_lists(const struct governor *governor, const struct prefix *exact, struct governor_why *why)
{
	struct prefix found;
	why->own = governor_list_has(governor, GOVERNOR_LIST_OWN, exact, &found);
	if (why->own)
		why->list_prefix = found;
	why->denied = governor_list_has(governor, GOVERNOR_LIST_DENY, exact, &found);
	if (why->denied)
		why->list_prefix = found;
	why->allowed = governor_list_has(governor, GOVERNOR_LIST_ALLOW, exact, &found);
	if (why->allowed)
		why->list_prefix = found;
}

static void why_bans(const struct governor *governor, const struct prefix *exact, struct governor_why *why)
{
	uint32_t chain, best = RECORD_NONE;
	int length = exact->length;
	while (prefix_tree_next_cover(&governor->bans.prefixes, exact, &length, NULL, &chain)) {
		struct ban_force force = ban_table_force(&governor->bans, chain, governor->now_ms);
		if (force.class > why->class)
			why->class = force.class;
		why->tiers |= tiers_of(governor, chain);
		best = governor_ban_strongest(governor, chain, best);
	}
	if (best == RECORD_NONE)
		return;
	why->has_ban = true;
	ban_table_expand(&governor->bans, best, &why->ban);
}

void governor_why(struct governor *governor, const struct address *address, int64_t now_ms,
	struct governor_why *ret_why)
{
	governor_clock(governor, now_ms);
	*ret_why = (struct governor_why){0};
	struct prefix exact = prefix_of(address, PREFIX_HOST_LENGTH), host = host_prefix(address);
	why_lists(governor, &exact, ret_why);
	why_bans(governor, &exact, ret_why);
	uint32_t index = peer_table_find_host(&governor->peers, address);
	struct ban_key key = ban_key_prefix(&host);
	struct score score = index != RECORD_NONE ? peer_table_at(&governor->peers, index)->score
						  : governor_score_revive(governor, &key);
	ret_why->score = score_at(&score, &governor->config, governor->now_ms);
	ret_why->state = score_state_at(&score, &governor->config, governor->now_ms);
}

void governor_strikes_each(const struct governor *governor,
	void (*visit)(void *context, const struct prefix *prefix_or_null, const char *id_or_null,
		unsigned strikes, int64_t last_ms),
	void *context)
{
	const struct prefix_tree *trees[] = {&governor->strikes.prefixes, &governor->strikes.ids};

	for (unsigned i = 0; i < 2; i++) {
		struct prefix_cursor cursor = prefix_tree_seek(trees[i], NULL);
		struct prefix_key key;
		uint32_t index;

		while (prefix_tree_next(trees[i], &cursor, &key, &index)) {
			const struct strike_record *record = strike_table_at(&governor->strikes, index);
			struct prefix prefix = prefix_key_to(&record->key);

			if (record->id == RECORD_NONE)
				visit(context, &prefix, NULL, record->count, record->last_ms);
			else
				visit(context, NULL, text_pool_get(&governor->texts, record->id),
					record->count, record->last_ms);
		}
	}
}
