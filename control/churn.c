/* SPDX-License-Identifier: BSD-3-Clause
 * Churn (churn.h). Pure functions, any thread. Must not keep a copy of targets: upstream did, and never found
 * back to them.
 */
#include "control/churn.h"

#include <errno.h>
#include <stdlib.h>

const struct churn_policy churn_dugite = {
	.mode = CHURN_SIMPLE,
	.normal_ms = 3300000,
	.bulk_ms = 900000,
	.step_ms = 30000,
	.fraction_per_mille = 200};
const struct churn_policy churn_ouroboros = {.mode = CHURN_SEQUENTIAL,
	.normal_ms = 3300000,
	.bulk_ms = 900000,
	.normal_fuzz_ms = 600000,
	.bulk_fuzz_ms = 60000,
	.step_ms = 30000};
const struct churn_policy churn_bootstrap = {
	.mode = CHURN_FREE, .normal_ms = 600000, .bulk_ms = 600000, .step_ms = 5000, .fraction_per_mille = 100};

/** Before the tip: blocks are fetched in bulk. */
static bool is_bulk(enum sync_state sync)
{
	return sync != SYNC_STATE_CAUGHT_UP;
}

static int64_t start_after_ms(const struct churn_policy *policy, enum sync_state sync, uint64_t random)
{
	bool bulk = is_bulk(sync);
	int64_t fuzz_ms = bulk ? policy->bulk_fuzz_ms : policy->normal_fuzz_ms;
	return (bulk ? policy->bulk_ms : policy->normal_ms) + (int64_t)(random % ((uint64_t)fuzz_ms + 1));
}

void churn_begin(struct churn *churn, const struct churn_policy *policy, enum sync_state sync,
	uint64_t random, int64_t now_ms)
{
	*churn = (struct churn){.phase = CHURN_PHASE_WHOLE, .next_ms = INT64_MAX, .whole_ms = now_ms};
	if (policy->mode != CHURN_OFF)
		churn->next_ms = now_ms + start_after_ms(policy, sync, random);
}

void churn_resync(struct churn *churn, const struct churn_policy *policy, enum sync_state before,
	enum sync_state sync, uint64_t random, int64_t now_ms)
{
	if (policy->mode == CHURN_OFF || churn->phase != CHURN_PHASE_WHOLE ||
		is_bulk(before) == is_bulk(sync))
		return;
	int64_t next_ms = churn->whole_ms + start_after_ms(policy, sync, random);
	churn->next_ms = next_ms > now_ms ? next_ms : now_ms;
}

enum churn_event churn_tick(struct churn *churn, const struct churn_policy *policy, enum sync_state sync,
	uint64_t random, int64_t now_ms)
{
	if (now_ms < churn->next_ms)
		return CHURN_EVENT_NONE;
	bool last = churn->phase == CHURN_PHASE_KNOWN ||
		    (churn->phase == CHURN_PHASE_ACTIVE && policy->mode != CHURN_SEQUENTIAL);
	if (policy->mode == CHURN_OFF || last) {
		bool was_reduced = churn->phase != CHURN_PHASE_WHOLE;
		churn->phase = CHURN_PHASE_WHOLE;
		churn->whole_ms = now_ms;
		churn->next_ms =
			policy->mode == CHURN_OFF ? INT64_MAX : now_ms + start_after_ms(policy, sync, random);
		return was_reduced ? CHURN_EVENT_RESTORE : CHURN_EVENT_NONE;
	}
	churn->phase++;
	churn->next_ms = now_ms + policy->step_ms;
	if (churn->phase != CHURN_PHASE_ACTIVE)
		return CHURN_EVENT_STEP;
	/* 0 says "never churned": the count skips it. */
	churn->cycle += churn->cycle == UINT32_MAX ? 2 : 1;
	return CHURN_EVENT_START;
}

uint32_t churn_decrease(uint32_t u, uint32_t v)
{
	uint32_t fifth = v / 5 > 1 ? v / 5 : 1;
	uint32_t decrease = u > fifth ? u : fifth;
	return v > decrease ? v - decrease : 0;
}

static struct target_level level_sequential(const struct target_level *base, enum churn_phase phase)
{
	struct target_level level = *base;
	uint32_t active = churn_decrease(1, base->active);
	uint32_t established =
		base->active + churn_decrease(base->active - active, base->established - base->active);
	switch (phase) {
	case CHURN_PHASE_ACTIVE:
		level.active = active;
		break;
	case CHURN_PHASE_ESTABLISHED:
		level.established = established;
		break;
	case CHURN_PHASE_KNOWN:
		level.known = base->established + churn_decrease(base->established - established,
							  base->known - base->established);
		break;
	default:
		break;
	}
	return level;
}

static uint32_t reduced(const struct churn_policy *policy, uint32_t x)
{
	return (uint32_t)((uint64_t)x * (1000 - policy->fraction_per_mille) / 1000);
}

struct target_set churn_targets(
	const struct churn *churn, const struct churn_policy *policy, const struct target_set *base)
{
	struct target_set targets = *base;
	if (churn->phase == CHURN_PHASE_WHOLE)
		return targets;
	if (policy->mode == CHURN_SIMPLE) {
		targets.normal.active = reduced(policy, base->normal.active);
		targets.normal.established = reduced(policy, base->normal.established);
		targets.big_ledger.active = reduced(policy, base->big_ledger.active);
		targets.big_ledger.established = reduced(policy, base->big_ledger.established);
	} else if (policy->mode == CHURN_SEQUENTIAL) {
		targets.normal = level_sequential(&base->normal, churn->phase);
		targets.big_ledger = level_sequential(&base->big_ledger, churn->phase);
		if (churn->phase == CHURN_PHASE_KNOWN && base->root > base->normal.established) {
			uint32_t above = base->root - base->normal.established;
			uint32_t root = base->normal.established + churn_decrease(1, above);
			targets.root = root < targets.normal.known ? root : targets.normal.known;
		}
	}
	return targets;
}

uint32_t churn_free_wanted(const struct churn *churn, const struct churn_policy *policy, uint32_t connected)
{
	if (policy->mode != CHURN_FREE || churn->phase == CHURN_PHASE_WHOLE || connected == 0)
		return 0;
	uint32_t wanted = (uint32_t)((uint64_t)connected * policy->fraction_per_mille / 1000);
	return wanted > 1 ? wanted : 1;
}

struct choice {
	uint32_t item;
	double fetch_ms; /* of nobody measured: beyond all */
	uint64_t lot;
};

static int compare_fetch(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	if (x->fetch_ms != y->fetch_ms)
		return x->fetch_ms > y->fetch_ms ? -1 : 1;
	return x->lot < y->lot ? -1 : x->lot > y->lot;
}

static int compare_lot(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	return x->lot < y->lot ? -1 : x->lot > y->lot;
}

int churn_choose(const struct churn *churn, enum sync_state sync, const struct churn_candidate *candidates,
	uint32_t n, uint32_t wanted, const struct keyed_hash *key, uint32_t *ret_victims, uint32_t *ret_n)
{
	struct choice *choices = malloc(((size_t)n + 1) * sizeof(*choices));
	if (choices == NULL)
		return -ENOMEM;
	uint32_t free_ones = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct churn_candidate *candidate = &candidates[i];
		if (candidate->is_protected || (candidate->cycle != 0 && candidate->cycle == churn->cycle))
			continue;
		choices[free_ones++] = (struct choice){.item = i,
			.fetch_ms = candidate->fetch_ms < 0 ? __builtin_inf() : candidate->fetch_ms,
			.lot = keyed_hash_words(key, candidate->id, churn->cycle)};
	}
	qsort(choices, free_ones, sizeof(*choices),
		sync != SYNC_STATE_CAUGHT_UP ? compare_fetch : compare_lot);
	*ret_n = wanted < free_ones ? wanted : free_ones;
	for (uint32_t i = 0; i < *ret_n; i++)
		ret_victims[i] = choices[i].item;
	free(choices);
	return 0;
}
