/* SPDX-License-Identifier: BSD-3-Clause
 * The profiles (profile.h), one function each: what it sets beside what is off. Pure data, any thread.
 */
#include "control/profile.h"

#include <errno.h>
#include <string.h>

#define SECONDS(n) (INT64_C(1000) * (n))

static const struct profile_penalty penalty_lighthouse = {
	.on = true, .half_life_s = 600, .freeze_s = 43200, .disconnect = -20, .ban = -50};

static void set_bootstrap(struct profile *profile)
{
	profile->tick_ms = SECONDS(5);
	profile->limits.soft = (struct target_soft){TARGET_SOFT_LINEAR, 384, 512, 5};
	profile->penalty = penalty_lighthouse;
	profile->penalty.freeze_s = 3600;
	profile->counters = counters_dugite;
	profile->backoff = backoff_stellar;
	profile->value = PROFILE_VALUE_INBOUND;
	profile->subnet_penalty = 0.2;
	profile->eviction = eviction_bootstrap;
	profile->newcomer =
		EVICTION_NEWCOMER_REFUSE; /* 5.5.9: refused at once; the floor is kept beforehand */
	profile->floor_per_mille = 50;
	profile->churn = churn_bootstrap;
	profile->times = (struct profile_times){.auth_ms = SECONDS(5),
		.idle_ms = SECONDS(60),
		.straggler_ms = SECONDS(120),
		.throttle_ms = SECONDS(60),
		.temporary_ban_ms = SECONDS(600),
		.temporary_bans_max = 3};
	profile->evidence_bans = true;
}

static void set_lighthouse(struct profile *profile)
{
	profile->tick_ms = SECONDS(30);
	profile->target = 50;
	profile->fractions = target_lighthouse;
	profile->limits.in = 45;
	profile->limits.pending = 5; /* LH-7, inbound */
	profile->penalty = penalty_lighthouse;
	profile->value = PROFILE_VALUE_SUBNETS;
	profile->eviction = eviction_lighthouse;
	profile->due = peer_due_lighthouse;
	profile->times = (struct profile_times){
		.throttle_ms = SECONDS(600), .temporary_ban_ms = SECONDS(600), .temporary_bans_max = 3};
}

static void set_ouroboros(struct profile *profile)
{
	profile->tick_ms = SECONDS(30);
	profile->has_targets = true;
	profile->base = target_ouroboros;
	profile->sync = target_dugite_sync; /* 5.5.12 names no system */
	profile->limits.soft = (struct target_soft){TARGET_SOFT_LINEAR, 384, 512, 5};
	profile->counters = counters_ouroboros;
	profile->backoff = backoff_ouroboros;
	profile->value = PROFILE_VALUE_USEFUL;
	profile->eviction = eviction_ouroboros;
	profile->churn = churn_ouroboros;
	profile->times = (struct profile_times){.idle_ms = SECONDS(5),
		.throttle_ms = SECONDS(10),
		.mature_ms = SECONDS(900),
		.share_ms = SECONDS(900)};
}

static void set_dugite(struct profile *profile)
{
	profile->tick_ms = SECONDS(30);
	profile->has_targets = true;
	profile->base = target_dugite;
	profile->sync = target_dugite_sync;
	profile->limits.in = 100;
	profile->limits.soft = (struct target_soft){TARGET_SOFT_FIXED, 384, 512, 5};
	profile->counters = counters_dugite;
	profile->backoff = backoff_dugite;
	profile->value = PROFILE_VALUE_DUGITE;
	profile->subnet_penalty = 0.2;
	profile->eviction = eviction_dugite;
	profile->churn = churn_dugite;
	profile->times = (struct profile_times){.idle_ms = SECONDS(300),
		.mature_ms = SECONDS(900),
		.dwell_ms = SECONDS(5),
		.share_ms = SECONDS(60)};
}

static void set_stellar(struct profile *profile)
{
	profile->tick_ms = SECONDS(3);
	profile->limits.in = 64;
	profile->limits.out = 8;
	profile->limits.pending = 500;
	profile->counters = counters_stellar;
	profile->backoff = backoff_stellar;
	profile->value = PROFILE_VALUE_TYPE;
	profile->newcomer = EVICTION_NEWCOMER_PREFERRED;
	profile->times = (struct profile_times){.auth_ms = SECONDS(2),
		.idle_ms = SECONDS(30),
		.straggler_ms = SECONDS(120),
		.temporary_ban_ms = SECONDS(300),
		.failures_ban = 10,
		.out_of_sync_ms = SECONDS(60)};
}

static void set_spacetime(struct profile *profile)
{
	profile->tick_ms = SECONDS(30);
	profile->limits.total = 50;
	profile->counters = counters_spacetime; /* a success clears the streak */
	profile->value = PROFILE_VALUE_QUALITY;
	profile->newcomer = EVICTION_NEWCOMER_REFUSE;
	profile->times = (struct profile_times){.auth_ms = SECONDS(10)};
}

static void set_lorachain(struct profile *profile)
{
	profile->tick_ms = SECONDS(30);
	profile->limits = (struct profile_limits){.total = 50, .in = 20, .out = 30};
	profile->backoff = backoff_lorachain;
	profile->value = PROFILE_VALUE_LORACHAIN;
	profile->newcomer = EVICTION_NEWCOMER_MARGIN;
	profile->times = (struct profile_times){.auth_ms = SECONDS(15),
		.idle_ms = SECONDS(300),
		.throttle_ms = SECONDS(60),
		.temporary_ban_ms = SECONDS(3600),
		.temporary_bans_max = 3,
		.optimise_ms = SECONDS(120),
		.forget_offline_ms = SECONDS(86400)};
}

/** The book of a system: counters and backoff are the profile's, the rest differs in few places. */
static void set_book(struct profile *profile)
{
	address_book_config_default(&profile->book);
	profile->book.counters = profile->counters;
	profile->book.backoff = profile->backoff;
	if (profile->times.forget_offline_ms != 0)
		profile->book.stale_ms = profile->times.forget_offline_ms;
	if (profile->value == PROFILE_VALUE_QUALITY)
		profile->book.stale_ms = SECONDS(86400); /* SP-6 */
	if (profile->value == PROFILE_VALUE_TYPE) {
		profile->book.backoff_at_attempt = true;
		profile->book.stale_ms = profile->book.poor_ms = 0; /* HE-10: only failures remove */
	}
	profile->book.share_connected_only = profile->has_targets; /* DU-20 */
	profile->book.keeps_configured = profile->has_targets;     /* DU-20, V37 */
}

static const struct {
	const char *name;
	void (*set)(struct profile *profile);
} profiles[PROFILE_COUNT] = {
	{"lighthouse", set_lighthouse},
	{"ouroboros", set_ouroboros},
	{"dugite", set_dugite},
	{"stellar", set_stellar},
	{"spacetime", set_spacetime},
	{"lorachain", set_lorachain},
	{"bootstrap", set_bootstrap},
};

const char *profile_name(unsigned index)
{
	return index < PROFILE_COUNT ? profiles[index].name : NULL;
}

int profile_get(const char *name, struct profile *ret_profile)
{
	for (unsigned i = 0; i < PROFILE_COUNT; i++) {
		if (strcmp(profiles[i].name, name) != 0)
			continue;
		*ret_profile = (struct profile){.name = profiles[i].name};
		profiles[i].set(ret_profile);
		ret_profile->penalty.gossip =
			gossip_lighthouse; /* -60 in both profiles that have penalties */
		set_book(ret_profile);
		return 0;
	}
	return -ENOENT;
}

bool profile_bans_failures(const struct profile *profile, uint32_t failures)
{
	return profile->times.failures_ban != 0 && failures >= profile->times.failures_ban;
}
