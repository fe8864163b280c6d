/* SPDX-License-Identifier: BSD-3-Clause
 * Targets and what follows from them (target.h). Pure functions, any thread.
 */
#include "control/target.h"

#include <errno.h>
#include <stdlib.h>

/* 5.5.2: 85 known by default. 5.5.12: the targets of both states before the tip. DU-11: a relay's. */
const struct target_set target_dugite = {.root = 60, .normal = {85, 40, 15}, .big_ledger = {15, 10, 5}};
const struct target_set target_dugite_sync = {.root = 30, .normal = {50, 20, 10}, .big_ledger = {15, 10, 5}};
const struct target_set target_ouroboros = {.root = 60, .normal = {150, 30, 20}, .big_ledger = {15, 10, 5}};

const struct target_fractions target_lighthouse = {.excess = 100,
	.priority = 200,
	.outbound = 300,
	.outbound_min = 200,
	.inbound = 900,
	.ignore_negative = 100};

enum { KNOWN_MAX = 10000, ESTABLISHED_MAX = 1000, ACTIVE_MAX = 100 };
/* stellar-core: eight times the target come in; at least three go out, and one more for each three that came.
 */
enum { INBOUND_FACTOR = 8, PREFERRED_EXTRA = 2, OUTBOUND_LEAST = 3 };
#define BIG_LEDGER_SHARE 0.9

static const char *level_flaw(const struct target_level *level)
{
	if (level->active > level->established)
		return "active is above established";
	if (level->established > level->known)
		return "established is above known";
	if (level->known > KNOWN_MAX)
		return "known is above 10000";
	if (level->established > ESTABLISHED_MAX)
		return "established is above 1000";
	return level->active > ACTIVE_MAX ? "active is above 100" : NULL;
}

const char *target_set_flaw(const struct target_set *targets)
{
	const char *flaw = level_flaw(&targets->normal);
	if (flaw == NULL)
		flaw = level_flaw(&targets->big_ledger);
	if (flaw == NULL && targets->root > targets->normal.known)
		flaw = "root is above known";
	return flaw;
}

uint32_t target_per_mille(uint32_t value, uint32_t per_mille)
{
	uint64_t result = ((uint64_t)value * per_mille + 999) / 1000;
	return result > UINT32_MAX ? UINT32_MAX : (uint32_t)result;
}

void target_limits(
	uint32_t target, const struct target_fractions *fractions, struct target_limits *ret_limits)
{
	*ret_limits = (struct target_limits){
		.target = target,
		.max = target_per_mille(target, 1000 + fractions->excess),
		.priority = target_per_mille(target, 1000 + fractions->excess + fractions->priority),
		.dial_out = target_per_mille(target, 1000 + fractions->excess + fractions->outbound_min / 2),
		.min_out = target_per_mille(target, fractions->outbound_min),
		.target_out = target_per_mille(target, fractions->outbound),
		.max_in = target_per_mille(target, fractions->inbound),
		.ignore_negative = target_per_mille(target, fractions->ignore_negative),
	};
}

uint32_t target_discover(
	const struct target_limits *limits, uint32_t connected, uint32_t outbound, uint32_t dialing)
{
	uint64_t count = (uint64_t)connected + dialing;
	uint32_t most = 0;
	if (count < limits->target)
		most = limits->max;
	else if (outbound < limits->min_out)
		most = limits->dial_out;
	return most > count ? (uint32_t)(most - count) : 0;
}

bool target_admits(
	const struct target_limits *limits, bool inbound, bool duty, uint32_t connected, uint32_t dialing)
{
	if (duty)
		return connected < limits->priority;
	if (!inbound)
		return connected < limits->dial_out;
	return (uint64_t)connected + dialing < limits->max;
}

bool target_throttles(uint32_t target, uint32_t remaining, bool closed_by_us, bool on_any_close)
{
	return (closed_by_us || on_any_close) && remaining >= target;
}

bool target_soft_delay(const struct target_soft *soft, uint32_t n, double *ret_delay_s)
{
	double delay_s = 0.0;
	if (soft->hard != 0 && n >= soft->hard)
		return false;
	if (soft->mode == TARGET_SOFT_FIXED && n >= soft->soft)
		delay_s = soft->delay_max_s;
	else if (soft->mode == TARGET_SOFT_LINEAR && n > soft->soft && soft->hard > soft->soft)
		delay_s = soft->delay_max_s * (n - soft->soft) / (soft->hard - soft->soft);
	*ret_delay_s = delay_s;
	return true;
}

void target_slots(uint32_t target, uint32_t pending_max, struct target_slots *ret_slots)
{
	uint64_t inbound = (uint64_t)target * INBOUND_FACTOR, all = inbound + target;
	uint32_t pending_out = all == 0 ? 0 : (uint32_t)(((uint64_t)pending_max * target + all - 1) / all);
	*ret_slots = (struct target_slots){
		.inbound_max = inbound > UINT32_MAX ? UINT32_MAX : (uint32_t)inbound,
		.pending_out = pending_out,
		.pending_in = pending_max - pending_out,
		.preferred_extra = PREFERRED_EXTRA,
	};
}

bool target_slots_admit(const struct target_slots *slots, uint32_t pending_in, bool possibly_preferred)
{
	return pending_in < slots->pending_in + (possibly_preferred ? slots->preferred_extra : 0);
}

uint32_t target_slots_outbound(uint32_t target, uint32_t inbound_authenticated)
{
	uint32_t most = inbound_authenticated / 3 + OUTBOUND_LEAST;
	return target < most ? target : most;
}

static int compare_stakes(const void *a, const void *b)
{
	const struct target_stake *const *x = a, *const *y = b;
	if ((*x)->stake != (*y)->stake)
		return (*x)->stake > (*y)->stake ? -1 : 1;
	return *x < *y ? -1 : *x > *y; /* equal stakes: as they were given */
}

int target_big_ledger(struct target_stake *peers, uint32_t n, uint32_t *ret_big)
{
	struct target_stake **order = malloc(((size_t)n + 1) * sizeof(struct target_stake *));
	if (order == NULL)
		return -ENOMEM;
	double all = 0.0, held = 0.0;
	for (uint32_t i = 0; i < n; i++) {
		peers[i].big = false;
		order[i] = &peers[i];
		all += peers[i].stake;
	}
	qsort(order, n, sizeof(struct target_stake *), compare_stakes);
	uint32_t big = 0;
	/* The tolerance takes the rounding of the sum: nine tenths of ten equal stakes are nine. */
	while (big < n && order[big]->stake > 0.0 && held < all * BIG_LEDGER_SHARE - all * 1e-12) {
		held += order[big]->stake;
		order[big++]->big = true;
	}
	free(order);
	*ret_big = big;
	return 0;
}
