/* SPDX-License-Identifier: BSD-3-Clause
 * The governor's life and its time: creation, constants, and what is due (governor.h). One thread: the caller's event loop.
 * Must not sweep: each turn looks only at what a queue says is due, within the caller's budget.
 */
#include "control/governor_internal.h"

#include <errno.h>
#include <stdlib.h>

static void destroy_parts(struct governor *governor)
{
	peer_table_fini(&governor->peers);
	strike_table_fini(&governor->strikes);
	ban_table_fini(&governor->bans);
	ban_history_fini(&governor->ended);
	for (unsigned list = 0; list < GOVERNOR_LIST_COUNT; list++)
		prefix_tree_fini(&governor->lists[list]);
	record_pool_fini(&governor->list_records);
	prefix_tree_fini(&governor->groups);
	record_pool_fini(&governor->group_records);
	text_pool_fini(&governor->texts);
}

int governor_create(const struct governor_config *config, const struct governor_effects *effects, int64_t now_ms,
	struct governor **ret_governor)
{
	struct governor *governor = calloc(1, sizeof(*governor));
	if (governor == NULL)
		return -ENOMEM;
	governor->config = *config;
	governor->effects = *effects;
	governor->now_ms = now_ms;
	struct keyed_hash key = keyed_hash_from_seed(config->seed);
	for (unsigned list = 0; list < GOVERNOR_LIST_COUNT; list++)
		prefix_tree_init(&governor->lists[list]);
	record_pool_init(&governor->list_records, sizeof(struct list_record));
	prefix_tree_init(&governor->groups);
	record_pool_init(&governor->group_records, sizeof(struct address_group));
	ban_table_init(&governor->bans, &governor->texts);
	strike_table_init(&governor->strikes, &governor->texts);
	int r = text_pool_init(&governor->texts, &key);
	if (r == 0)
		r = peer_table_init(&governor->peers, &key, &governor->texts);
	if (r < 0) {
		governor_destroy(governor);
		return r;
	}
	*ret_governor = governor;
	return 0;
}

void governor_destroy(struct governor *governor)
{
	if (governor == NULL)
		return;
	destroy_parts(governor);
	free(governor);
}

void governor_reconfigure(struct governor *governor, const struct governor_config *config, int64_t now_ms)
{
	governor_clock(governor, now_ms);
	/* A record of the table is bounded by what was promised when it was made: the seed keys tables that stand. */
	uint64_t seed = governor->config.seed;
	governor->config = *config;
	governor->config.seed = seed;
}

int64_t governor_clock(struct governor *governor, int64_t now_ms)
{
	if (now_ms > governor->now_ms)
		governor->now_ms = now_ms;
	return governor->now_ms;
}

void governor_clock_step_back(struct governor *governor, int64_t now_ms)
{
	if (now_ms < governor->now_ms)
		governor->now_ms = now_ms;
}

/** Strikes are queued by their last time; their life comes from the configuration of the moment. */
static int64_t strike_due_ms(const struct governor *governor)
{
	int64_t last_ms = due_queue_next_ms(&governor->strikes.due);
	return last_ms == INT64_MAX ? GOVERNOR_NEVER_MS : last_ms + governor->config.strike_life_ms;
}

int64_t governor_next_due_ms(const struct governor *governor)
{
	int64_t bans_ms = due_queue_next_ms(&governor->bans.due);
	int64_t peers_ms = due_queue_next_ms(&governor->peers.forget);
	int64_t strikes_ms = strike_due_ms(governor);
	int64_t least_ms = bans_ms < peers_ms ? bans_ms : peers_ms;
	return least_ms < strikes_ms ? least_ms : strikes_ms;
}

bool governor_advance(struct governor *governor, int64_t now_ms, unsigned budget)
{
	now_ms = governor_clock(governor, now_ms);
	struct due_entry due;
	for (; budget > 0; budget--) {
		if (due_queue_peek(&governor->bans.due, &due) && due.due_ms <= now_ms)
			governor_ban_drop(governor, due.item, /* expired= */ true, "expired");
		else if (strike_due_ms(governor) <= now_ms && due_queue_peek(&governor->strikes.due, &due))
			governor_strike_drop(governor, due.item);
		else if (due_queue_peek(&governor->peers.forget, &due) && due.due_ms <= now_ms)
			governor_peer_expire(governor, due.item);
		else
			return false;
	}
	return governor_next_due_ms(governor) <= now_ms;
}

static int strike_load(struct governor *governor, const struct ban_key *key, const char *id, unsigned strikes, int64_t last_ms)
{
	if (last_ms + governor->config.strike_life_ms <= governor->now_ms || strikes == 0)
		return -ESTALE;
	if (governor->strikes.records.n_used >= governor->config.peers_max)
		return -ENOSPC;
	return strike_table_put(&governor->strikes, key, id, strikes, last_ms);
}

int governor_strike_load(struct governor *governor, const struct prefix *prefix, unsigned strikes, int64_t last_ms)
{
	struct ban_key key = ban_key_prefix(prefix);
	return strike_load(governor, &key, NULL, strikes, last_ms);
}

int governor_strike_load_id(struct governor *governor, const char *id, unsigned strikes, int64_t last_ms)
{
	struct ban_key key = ban_key_id(&governor->bans, id);
	return strike_load(governor, &key, id, strikes, last_ms);
}

void governor_stats(const struct governor *governor, struct governor_stats *ret_stats)
{
	*ret_stats = (struct governor_stats){.peers = governor->peers.records.n_used,
		.ids = governor->peers.n_ids,
		.strikes = governor->strikes.records.n_used,
		.allow = governor->lists[GOVERNOR_LIST_ALLOW].n,
		.deny = governor->lists[GOVERNOR_LIST_DENY].n,
		.own = governor->lists[GOVERNOR_LIST_OWN].n,
		.evicted = governor->evicted,
		.unproven_refused = governor->unproven_refused,
		.floods = governor->floods,
		.pressures = governor->pressures};
	ret_stats->bans[0] = governor->bans.n;
	for (unsigned tier = BAN_TIER_THROTTLE; tier <= BAN_TIER_MANUAL; tier++)
		ret_stats->bans[tier] = governor->bans.n_by_tier[tier];
}
