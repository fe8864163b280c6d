/* SPDX-License-Identifier: BSD-3-Clause
 * What a profile makes of the roster's configuration: the profile itself, the governor's constants that
 * follow from it, and what 5.4 has no column for. Pure data, any thread. The configuration file overrides any
 * of it.
 */
#include "control/roster.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SECONDS(n) (INT64_C(1000) * (n))

/* The defaults of ban.peers and ban.bans in the configuration, and a connection for each of three peers. */
enum { PEERS_DEFAULT = 300000, BANS_DEFAULT = 12000000, CONNECTIONS_DEFAULT = 100000 };
/* LO-10: strikes live 30 days. */
#define STRIKE_LIFE_MS (INT64_C(30) * 86400 * 1000)
/* Below the lowest score, -100: a profile without the penalty score neither disconnects nor bans by it. */
#define THRESHOLD_NEVER     (-1000.0)
#define HALF_LIFE_DEFAULT_S 600.0
/* LH-22. */
enum { LIGHTHOUSE_DISCONNECTED_MAX = 500, LIGHTHOUSE_BANNED_MAX = 1000 };
/* LH-24. */
enum { SUBNET_TARGET = 3 };
/* LO-8. */
#define SCORE_INTERVAL_MS SECONDS(60)
/* A node that closes for the peer's fault does it when it has read its first messages: within the time in
 * which those are due (LO's connection timeout is the longest of the profiles' timeouts of that kind: 15 s).
 */
#define MIN_LIFE_MS SECONDS(15)
/* LH-25: the application needs a round trip or two to say goodbye; the longest round trip that V17 knows
 * is 1.5 s, the ordinary ones are below half a second. */
#define GRACE_GOODBYE_MS SECONDS(1)
/* 5.4, rate per IP of bootstrap: 16 at once and 0.2 a second, so 80 s from empty to full. */
static const struct limiter_policy limiter_bootstrap = {LIMITER_BUCKET, 16, SECONDS(80), 0};
/* 5.4, subnet cap: 8 /32, /56; 64 /48; 32 /24. A /64 lies in its /56. */
static const uint32_t concurrency_bootstrap_v4[IMAGE_LEVEL_COUNT] = {
	[IMAGE_LEVEL_HOST] = 8, [IMAGE_LEVEL_NEAR] = 32};
static const uint32_t concurrency_bootstrap_v6[IMAGE_LEVEL_COUNT] = {
	[IMAGE_LEVEL_HOST] = 8, [IMAGE_LEVEL_NEAR] = 8, [IMAGE_LEVEL_MID] = 64};

static void set_governor(struct roster_config *config)
{
	const struct profile *profile = &config->profile;
	const struct profile_penalty *penalty = &profile->penalty;
	const struct profile_times *times = &profile->times;
	config->governor = (struct governor_config){
		.penalty_half_life_s = penalty->on ? penalty->half_life_s : HALF_LIFE_DEFAULT_S,
		.ban_freeze_s = penalty->on ? penalty->freeze_s : 0.0,
		.threshold_disconnect = penalty->on ? penalty->disconnect : THRESHOLD_NEVER,
		.threshold_ban = penalty->on ? penalty->ban : THRESHOLD_NEVER,
		.threshold_hard = penalty->on ? fmin(penalty->ban, penalty->gossip.hard) : THRESHOLD_NEVER,
		.auto_bans = profile->evidence_bans,
		.throttle_ms = times->throttle_ms,
		.temporary_ban_ms = times->temporary_ban_ms,
		.temporary_bans_max = times->temporary_bans_max,
		.strike_life_ms = STRIKE_LIFE_MS,
		.peers_max = PEERS_DEFAULT,
		.bans_max = BANS_DEFAULT,
		.auth_timeout_ms = times->auth_ms,
		.score_off = !penalty->on,
	};
}

/** What only one system has. */
static void set_system(struct roster_config *config)
{
	const char *name = config->profile.name;
	if (strcmp(name, "lighthouse") == 0) {
		config->disconnected_max = LIGHTHOUSE_DISCONNECTED_MAX;
		config->banned_max = LIGHTHOUSE_BANNED_MAX;
		config->grace_ms = GRACE_GOODBYE_MS;
	} else if (strcmp(name, "dugite") == 0) {
		config->opens = limiter_opens; /* V30 */
	} else if (strcmp(name, "stellar") == 0) {
		config->courtesy_ms = config->profile.times.auth_ms; /* HE-13: PEERS, then ERR_LOAD */
	} else if (strcmp(name, "lorachain") == 0) {
		config->score_interval_ms = SCORE_INTERVAL_MS;
	} else if (strcmp(name, "bootstrap") == 0) {
		config->opens = limiter_bootstrap;
		memcpy(config->concurrency_v4, concurrency_bootstrap_v4, sizeof(concurrency_bootstrap_v4));
		memcpy(config->concurrency_v6, concurrency_bootstrap_v6, sizeof(concurrency_bootstrap_v6));
	}
}

int roster_config_from_profile(const char *name, struct roster_config *ret_config)
{
	struct roster_config config = {
		.connections_max = CONNECTIONS_DEFAULT,
		.peers_max = PEERS_DEFAULT,
		.ignore_negative = UINT32_MAX,
		.target_phases = TARGET_PHASES_ALL,
		.subnet_target = SUBNET_TARGET,
		.attempt_challenge = true,
		.attempts = limiter_bootstrap,
		.min_life_ms = MIN_LIFE_MS,
	};
	int r = profile_get(name, &config.profile);
	if (r < 0)
		return r;
	set_governor(&config);
	set_system(&config);
	*ret_config = config;
	return 0;
}
