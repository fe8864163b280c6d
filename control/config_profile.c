/* SPDX-License-Identifier: BSD-3-Clause
 * Between profiles and the configuration: what a profile sets of the keys, and the governor's policy that the
 * keys make. profile.c is the only place of the profiles' numbers. Pure functions, any thread.
 */
#include <math.h>
#include <stdio.h>

#include "control/config_schema.h"
#include "control/roster.h"
#include "control/target.h"

static uint64_t seconds_ms(double seconds)
{
	return (uint64_t)llround(seconds * 1000.0);
}

/* Table 5.4, "max in": what the dataplane enforces where there is no hard limit of its own. */
static uint64_t hard_of(const struct profile_limits *limits)
{
	if (limits->soft.hard != 0)
		return limits->soft.hard;
	return limits->in != 0 ? limits->in : limits->total;
}

static void fill_limits(struct config *config, const struct roster_config *roster)
{
	const struct profile *profile = &roster->profile;
	static const uint64_t modes[] = {[TARGET_SOFT_NONE] = CONFIG_SOFT_NONE,
		[TARGET_SOFT_LINEAR] = CONFIG_SOFT_LINEAR,
		[TARGET_SOFT_FIXED] = CONFIG_SOFT_FIXED};
	struct config_governor *governor = &config->governor;
	config->limit_hard = hard_of(&profile->limits);
	config->soft_mode = modes[profile->limits.soft.mode];
	if (profile->limits.soft.mode != TARGET_SOFT_NONE)
		config->soft_delay_max_ms = seconds_ms(profile->limits.soft.delay_max_s);
	governor->target = profile->target;
	governor->limit_total = profile->limits.total;
	governor->limit_in = profile->limits.in;
	governor->limit_out = profile->limits.out;
	governor->limit_pending = profile->limits.pending;
	governor->floor = profile->floor_per_mille / 1000.0;
	governor->rate_burst = roster->opens.kind == LIMITER_BUCKET ? roster->opens.burst : 0;
	if (governor->rate_burst != 0)
		governor->rate_per_s = (double)roster->opens.burst * 1000.0 / (double)roster->opens.period_ms;
	governor->rate_window_n = roster->opens.kind == LIMITER_WINDOW ? roster->opens.burst : 0;
	if (governor->rate_window_n != 0)
		governor->rate_window_s = (double)roster->opens.period_ms / 1000.0;
	/* LH-2 prunes the excess, 10 % of the target, at a heartbeat: all of it at once. */
	if (profile->target != 0)
		config->disconnects_per_s = target_per_mille(profile->target, profile->fractions.excess);
}

static void fill_score(struct config *config, const struct roster_config *roster)
{
	const struct profile_penalty *penalty = &roster->profile.penalty;
	const struct profile_times *times = &roster->profile.times;
	config->governor.score_on = penalty->on;
	if (penalty->on) {
		config->score_half_life_s = penalty->half_life_s;
		config->score_freeze_s = penalty->freeze_s;
		config->score_disconnect = penalty->disconnect;
		config->score_ban = penalty->ban;
	}
	config->governor.gossip_clamp = penalty->gossip.clamp;
	config->ban_auto = roster->profile.evidence_bans;
	config->throttle_ms = (uint64_t)times->throttle_ms;
	config->ban_temporary_ms = (uint64_t)times->temporary_ban_ms;
	if (times->temporary_bans_max != 0)
		config->ban_temporary_max = times->temporary_bans_max;
	config->auth_ms = (uint64_t)times->auth_ms;
	config->straggler_ms = (uint64_t)times->straggler_ms;
	/* ouroboros' 5 s are of what the node dialled (5.4: "outbound"), which the dataplane leaves alone */
	config->payload_idle_ms = config->profile == CONFIG_PROFILE_OUROBOROS ? 0 : (uint64_t)times->idle_ms;
}

static void fill_targets(struct config_governor *governor, const struct profile *profile)
{
	const struct target_set *base = &profile->base;
	governor->target_root = base->root;
	governor->target_known = base->normal.known;
	governor->target_established = base->normal.established;
	governor->target_active = base->normal.active;
	governor->target_blp_known = base->big_ledger.known;
	governor->target_blp_established = base->big_ledger.established;
	governor->target_blp_active = base->big_ledger.active;
	governor->stage_churn = profile->churn.mode != CHURN_OFF;
	if (profile->churn.mode != CHURN_OFF) {
		governor->churn_normal_s = (double)profile->churn.normal_ms / 1000.0;
		governor->churn_bulk_s = (double)profile->churn.bulk_ms / 1000.0;
		governor->churn_fuzz_s = (double)profile->churn.normal_fuzz_ms / 1000.0;
		governor->churn_fraction = profile->churn.fraction_per_mille / 1000.0;
	}
	governor->optimise_on = profile->times.optimise_ms != 0;
	if (governor->optimise_on)
		governor->optimise_interval_s = (double)profile->times.optimise_ms / 1000.0;
}

void config_profile_fill(struct config *config, enum config_profile name)
{
	struct config_governor *governor = &config->governor;
	struct roster_config roster;
	if (roster_config_from_profile(config_profile_name(name), &roster) != 0)
		return; /* every name of the schema is a profile: test_config_profile.c */
	const struct address_book_config *book = &roster.profile.book;
	governor->tick_s = (double)roster.profile.tick_ms / 1000.0;
	fill_limits(config, &roster);
	fill_score(config, &roster);
	fill_targets(governor, &roster.profile);
	governor->eviction_grace_ms = (uint64_t)roster.profile.eviction.grace_ms;
	governor->eviction_silent_ms = (uint64_t)roster.profile.eviction.silent_ms;
	governor->close_grace_ms = (uint64_t)roster.grace_ms;
	governor->courtesy_ms = (uint64_t)roster.courtesy_ms;
	governor->disconnected_max = roster.disconnected_max;
	governor->banned_max = roster.banned_max;
	governor->book_capacity = book->capacity;
	governor->book_per_subnet = book->subnet.limit;
	governor->book_share_failures = book->share_failures;
	governor->book_stale_s = (double)book->stale_ms / 1000.0;
	governor->reset_on_success = book->reset_on_success;
}

/** Of table 5.4's systems only bootstrap caps connections by prefix; live the dataplane does so under every profile. Where
 * there is none, others have the limits that somebody wrote. */
static void take_concurrency(const struct config *config, struct roster_config *roster)
{
	static const char *const names[IMAGE_LEVEL_COUNT] = {"host", "near", "mid", "wide"};
	bool whole = config->profile == CONFIG_PROFILE_BOOTSTRAP;
	char path[40];
	for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		snprintf(path, sizeof(path), "limits.concurrency.v4.%s", names[level]);
		if (whole || config->at[config_row_find(path) - config_rows].line != 0)
			roster->concurrency_v4[level] = (uint32_t)config->concurrency_v4[level];
		snprintf(path, sizeof(path), "limits.concurrency.v6.%s", names[level]);
		if (whole || config->at[config_row_find(path) - config_rows].line != 0)
			roster->concurrency_v6[level] = (uint32_t)config->concurrency_v6[level];
	}
}

static void take_limits(const struct config *config, struct roster_config *roster)
{
	const struct config_governor *from = &config->governor;
	struct profile *profile = &roster->profile;
	const struct config_row *hard = config_row_find("limits.hard");
	static const enum target_soft_mode modes[] = {[CONFIG_SOFT_LINEAR] = TARGET_SOFT_LINEAR,
		[CONFIG_SOFT_FIXED] = TARGET_SOFT_FIXED,
		[CONFIG_SOFT_NONE] = TARGET_SOFT_NONE};
	/* the hard limit of a profile without a soft one is that of "in" or "total", unless somebody wrote it
	 */
	bool has_hard = config->soft_mode != CONFIG_SOFT_NONE || config->at[hard - config_rows].line != 0;
	profile->limits.soft = (struct target_soft){modes[config->soft_mode], (uint32_t)config->limit_soft,
		has_hard ? (uint32_t)config->limit_hard : 0, (double)config->soft_delay_max_ms / 1000.0};
	profile->limits.total = (uint32_t)from->limit_total;
	profile->limits.in = (uint32_t)from->limit_in;
	profile->limits.out = (uint32_t)from->limit_out;
	profile->limits.pending = (uint32_t)from->limit_pending;
	profile->target = (uint32_t)from->target;
	/* fractions are Lighthouse's wherever somebody sets a target */
	if (profile->target != 0 && profile->fractions.excess == 0)
		profile->fractions = target_lighthouse;
	profile->floor_per_mille = (uint32_t)lround(from->floor * 1000.0);
	roster->opens.burst = 0;
	if (from->rate_window_n != 0)
		roster->opens = (struct limiter_policy){LIMITER_WINDOW, (uint32_t)from->rate_window_n,
			(int64_t)seconds_ms(from->rate_window_s), 0};
	else if (from->rate_burst != 0)
		roster->opens = (struct limiter_policy){LIMITER_BUCKET, (uint32_t)from->rate_burst,
			llround((double)from->rate_burst * 1000.0 / from->rate_per_s), 0};
}

static void take_score(const struct config *config, struct roster_config *roster)
{
	struct governor_config *governor = &roster->governor;
	struct profile *profile = &roster->profile;
	profile->penalty.on = config->governor.score_on != 0;
	governor->score_off = !profile->penalty.on;
	if (profile->penalty.on) {
		profile->penalty.half_life_s = governor->penalty_half_life_s = config->score_half_life_s;
		profile->penalty.freeze_s = governor->ban_freeze_s = config->score_freeze_s;
		profile->penalty.disconnect = governor->threshold_disconnect = config->score_disconnect;
		profile->penalty.ban = governor->threshold_ban = config->score_ban;
		governor->threshold_hard = fmin(config->score_ban, profile->penalty.gossip.hard);
	}
	profile->penalty.gossip.clamp = config->governor.gossip_clamp;
	profile->evidence_bans = governor->auto_bans = config->ban_auto != 0;
	profile->times.throttle_ms = governor->throttle_ms = (int64_t)config->throttle_ms;
	profile->times.temporary_ban_ms = governor->temporary_ban_ms = (int64_t)config->ban_temporary_ms;
	profile->times.temporary_bans_max = governor->temporary_bans_max =
		(unsigned)config->ban_temporary_max;
	governor->strike_life_ms = (int64_t)config->ban_strike_life_ms;
	governor->peers_max = roster->peers_max = (uint32_t)config->peers_max;
	governor->bans_max = (unsigned)config->bans_max;
	profile->times.auth_ms = governor->auth_timeout_ms = (int64_t)config->auth_ms;
	profile->times.straggler_ms = (int64_t)config->straggler_ms;
	if (config->profile != CONFIG_PROFILE_OUROBOROS)
		profile->times.idle_ms = (int64_t)config->payload_idle_ms;
	roster->throttle_any_close = config->governor.throttle_on != 0;
	const struct config_row *ignore = config_row_find("ignore_negative");
	if (config->at[ignore - config_rows].line != 0)
		roster->ignore_negative = (uint32_t)config->governor.ignore_negative;
}

static void take_targets(const struct config_governor *from, struct roster_config *roster)
{
	struct profile *profile = &roster->profile;
	struct target_set base = {(uint32_t)from->target_root,
		{(uint32_t)from->target_known, (uint32_t)from->target_established,
			(uint32_t)from->target_active},
		{(uint32_t)from->target_blp_known, (uint32_t)from->target_blp_established,
			(uint32_t)from->target_blp_active}};
	if (!profile->has_targets)
		profile->sync = base;
	profile->base = base;
	profile->has_targets |= base.normal.known != 0;
	roster->target_phases = TARGET_PHASES_ALL;
	if (!from->stage_surplus)
		roster->target_phases &= ~(1u << TARGET_PHASE_SURPLUS);
	if (!from->stage_stall)
		roster->target_phases &= ~(1u << TARGET_PHASE_STALL);
	if (!from->stage_valency)
		roster->target_phases &= ~(1u << TARGET_PHASE_VALENCY);
	if (!from->stage_blp)
		roster->target_phases &= ~(1u << TARGET_PHASE_BIG_LEDGER);
	if (!from->stage_churn) {
		profile->churn.mode = CHURN_OFF;
	} else {
		profile->churn.normal_ms = (int64_t)seconds_ms(from->churn_normal_s);
		profile->churn.bulk_ms = (int64_t)seconds_ms(from->churn_bulk_s);
		profile->churn.normal_fuzz_ms = (int64_t)seconds_ms(from->churn_fuzz_s);
		profile->churn.bulk_fuzz_ms = profile->churn.normal_fuzz_ms / 10;
		profile->churn.fraction_per_mille = (uint32_t)lround(from->churn_fraction * 1000.0);
	}
	profile->times.optimise_ms = from->optimise_on ? (int64_t)seconds_ms(from->optimise_interval_s) : 0;
}

static void take_book(const struct config_governor *from, struct address_book_config *book)
{
	book->capacity = (uint32_t)from->book_capacity;
	book->subnet.limit = (uint32_t)from->book_per_subnet;
	book->allow_private = from->book_allow_private != 0;
	book->allow_doc = from->book_allow_doc != 0;
	book->require_verified = from->book_require_verified != 0;
	book->share_failures = (uint32_t)from->book_share_failures;
	book->stale_ms = (int64_t)seconds_ms(from->book_stale_s);
	book->reset_on_success = from->reset_on_success != 0;
	for (int source = 0; source < PEER_SOURCE_COUNT; source++)
		book->sources_off |= from->sources[source] ? 0 : 1u << source;
}

void config_to_roster(const struct config *config, struct roster_config *ret_config)
{
	const struct config_governor *from = &config->governor;
	struct roster_config roster;
	if (roster_config_from_profile(config_profile_name((enum config_profile)config->profile), &roster) !=
		0)
		return;
	roster.profile.tick_ms = (int64_t)seconds_ms(from->tick_s);
	take_limits(config, &roster);
	take_concurrency(config, &roster);
	take_score(config, &roster);
	take_targets(from, &roster);
	take_book(from, &roster.profile.book);
	roster.profile.eviction.grace_ms = (int64_t)from->eviction_grace_ms;
	roster.profile.eviction.silent_ms = (int64_t)from->eviction_silent_ms;
	roster.grace_ms = (int64_t)from->close_grace_ms;
	roster.courtesy_ms = (int64_t)from->courtesy_ms;
	roster.connections_max = (uint32_t)from->connections_max;
	roster.disconnected_max = (uint32_t)from->disconnected_max;
	roster.banned_max = (uint32_t)from->banned_max;
	roster.outbound_only = !config->accept_inbound;
	*ret_config = roster;
}
