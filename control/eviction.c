/* SPDX-License-Identifier: BSD-3-Clause
 * The pipeline of eviction (eviction.h). Pure functions, any thread. Must not remember anything between
 * calls: what it chooses follows from the candidates, the policy and its key.
 */
#include "control/eviction.h"

#include <errno.h>
#include <stdlib.h>

#include "control/record_pool.h"
#include "control/value_score.h"

#define STAGE(name) (1u << EVICTION_STAGE_##name)

const struct eviction_policy eviction_bootstrap = {.stages = STAGE(STATE) | STAGE(DISCOURAGED) |
							     STAGE(SILENT) | STAGE(SCORE) | STAGE(IDLE) |
							     STAGE(SERVED) | STAGE(GROUP),
	.grace_ms = 60000,
	.idle_ms = 60000,
	/* RFC 6298: whoever lost the first segment has sent it again by then. */
	.silent_ms = 1000,
	.committee_min = 2,
	.protect_groups = 4,
	.protect_rtt = 8,
	.protect_tx = 4,
	.protect_block_only = 8,
	.protect_block = 4};
const struct eviction_policy eviction_lighthouse = {
	.stages = STAGE(STATE) | STAGE(SCORE) | STAGE(NO_SUBNET) | STAGE(DENSE) | STAGE(RANDOM),
	.committee_min = 2};
const struct eviction_policy eviction_ouroboros = {.stages = STAGE(STATE) | STAGE(RANDOM)};
const struct eviction_policy eviction_dugite = {.stages = STAGE(STATE) | STAGE(VALUE)};
const struct eviction_policy eviction_bitcoin = {.stages = STAGE(GROUP),
	.protect_groups = 4,
	.protect_rtt = 8,
	.protect_tx = 4,
	.protect_block_only = 8,
	.protect_block = 4};

const char *eviction_stage_name(enum eviction_stage stage)
{
	static const char *const names[EVICTION_STAGE_COUNT] = {
		[EVICTION_STAGE_STATE] = "state",
		[EVICTION_STAGE_DISCOURAGED] = "discouraged",
		[EVICTION_STAGE_SILENT] = "silent",
		[EVICTION_STAGE_SCORE] = "score",
		[EVICTION_STAGE_IDLE] = "idle",
		[EVICTION_STAGE_NO_SUBNET] = "no_subnet",
		[EVICTION_STAGE_DENSE] = "dense_subnet",
		[EVICTION_STAGE_SERVED] = "served",
		[EVICTION_STAGE_GROUP] = "group",
		[EVICTION_STAGE_VALUE] = "value",
		[EVICTION_STAGE_RANDOM] = "random",
	};
	return (unsigned)stage < EVICTION_STAGE_COUNT ? names[stage] : "unknown";
}

/** What is still connected while victims are chosen. */
struct selection {
	const struct eviction_policy *policy;
	const struct eviction_candidate *candidates;
	uint32_t n;
	bool *gone;
	uint32_t *items; /* scratch of a stage */
	uint32_t outbound;
	uint32_t served_by[EVICTION_SUBNETS], members[EVICTION_COMMITTEES];
	uint32_t densest; /* subnet; EVICTION_SUBNETS: none */
	int64_t now_ms;
};

static void count(struct selection *selection, const struct eviction_candidate *candidate, uint32_t change)
{
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		for (uint64_t left = candidate->subnets[word]; left != 0; left &= left - 1)
			selection->served_by[word * 64 + (unsigned)__builtin_ctzll(left)] += change;
	for (uint32_t left = candidate->committees; left != 0; left &= left - 1)
		selection->members[__builtin_ctz(left)] += change;
	if (!candidate->inbound)
		selection->outbound += change;
}

static bool serves(const struct eviction_candidate *candidate, uint32_t subnet)
{
	return subnet < EVICTION_SUBNETS && (candidate->subnets[subnet / 64] >> subnet % 64 & 1) != 0;
}

static unsigned subnets_of(const struct eviction_candidate *candidate)
{
	unsigned n = 0;
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		n += (unsigned)__builtin_popcountll(candidate->subnets[word]);
	return n;
}

/** The only server of a subnet, or one of the last in a committee. */
static bool is_critical(const struct selection *selection, const struct eviction_candidate *candidate)
{
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		for (uint64_t left = candidate->subnets[word]; left != 0; left &= left - 1)
			if (selection->served_by[word * 64 + (unsigned)__builtin_ctzll(left)] == 1)
				return true;
	for (uint32_t left = candidate->committees; left != 0; left &= left - 1)
		if (selection->members[__builtin_ctz(left)] <= selection->policy->committee_min)
			return true;
	return false;
}

static bool is_never(const struct eviction_candidate *candidate)
{
	return candidate->trusted || candidate->is_protected || candidate->duty || candidate->pinned;
}

static bool may_go(const struct selection *selection, uint32_t item, enum eviction_stage stage)
{
	const struct eviction_candidate *candidate = &selection->candidates[item];
	if (selection->gone[item] || is_never(candidate))
		return false;
	if (stage == EVICTION_STAGE_STATE)
		return candidate->state != SCORE_STATE_HEALTHY;
	if (stage != EVICTION_STAGE_SILENT &&
		selection->now_ms - candidate->connected_ms < selection->policy->grace_ms)
		return false;
	if (!candidate->inbound && selection->outbound <= selection->policy->outbound_floor)
		return false;
	return !is_critical(selection, candidate);
}

static int64_t useful_since_ms(const struct eviction_candidate *candidate)
{
	return candidate->useful_ms > candidate->connected_ms ? candidate->useful_ms
							      : candidate->connected_ms;
}

/** Is this stage about the candidate? */
static bool concerns(const struct selection *selection, const struct eviction_candidate *candidate,
	enum eviction_stage stage)
{
	switch (stage) {
	case EVICTION_STAGE_DISCOURAGED:
		return candidate->discouraged;
	case EVICTION_STAGE_SILENT:
		return selection->policy->silent_ms != 0 && candidate->silent &&
		       selection->now_ms - candidate->connected_ms >= selection->policy->silent_ms;
	case EVICTION_STAGE_SCORE:
		return candidate->score < 0.0;
	case EVICTION_STAGE_IDLE:
		return selection->now_ms - useful_since_ms(candidate) >= selection->policy->idle_ms;
	case EVICTION_STAGE_NO_SUBNET:
		return subnets_of(candidate) == 0;
	case EVICTION_STAGE_SERVED:
		return candidate->served;
	default:
		return true;
	}
}

static uint64_t lot_of(const struct selection *selection, uint32_t item)
{
	return keyed_hash_words(&selection->policy->key, selection->candidates[item].id, 0);
}

/** 5.5.8: among equals fewest subnets, inbound, youngest, lowest value, then lots. */
static int compare_equals(const struct selection *selection, uint32_t a, uint32_t b)
{
	const struct eviction_candidate *x = &selection->candidates[a], *y = &selection->candidates[b];
	unsigned x_subnets = subnets_of(x), y_subnets = subnets_of(y);
	if (x_subnets != y_subnets)
		return x_subnets < y_subnets ? -1 : 1;
	if (x->inbound != y->inbound)
		return x->inbound ? -1 : 1;
	if (x->connected_ms != y->connected_ms)
		return x->connected_ms > y->connected_ms ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	uint64_t x_lot = lot_of(selection, a), y_lot = lot_of(selection, b);
	return x_lot < y_lot ? -1 : x_lot > y_lot;
}

/** Negative: `a` goes before `b` in this stage. */
static int compare_in(const struct selection *selection, enum eviction_stage stage, uint32_t a, uint32_t b)
{
	const struct eviction_candidate *x = &selection->candidates[a], *y = &selection->candidates[b];
	int64_t x_ms = useful_since_ms(x), y_ms = useful_since_ms(y);
	switch (stage) {
	case EVICTION_STAGE_STATE:
		if (x->state != y->state)
			return x->state > y->state ? -1 : 1;
		/* fall through */
	case EVICTION_STAGE_SCORE:
		if (x->score != y->score)
			return x->score < y->score ? -1 : 1;
		break;
	case EVICTION_STAGE_IDLE:
		if (x_ms != y_ms)
			return x_ms < y_ms ? -1 : 1;
		break;
	case EVICTION_STAGE_SILENT:
	case EVICTION_STAGE_SERVED:
		if (x->connected_ms != y->connected_ms)
			return x->connected_ms < y->connected_ms ? -1 : 1;
		break;
	case EVICTION_STAGE_VALUE:
		if (x->value != y->value)
			return x->value < y->value ? -1 : 1;
		break;
	case EVICTION_STAGE_RANDOM:
		return lot_of(selection, a) < lot_of(selection, b) ? -1 : 1;
	default:
		break;
	}
	return compare_equals(selection, a, b);
}

/** The subnet that most serve, among those served by somebody who may go. */
static void densest_find(struct selection *selection)
{
	uint64_t open[EVICTION_SUBNET_WORDS] = {0};
	for (uint32_t i = 0; i < selection->n; i++)
		if (may_go(selection, i, EVICTION_STAGE_DENSE))
			for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
				open[word] |= selection->candidates[i].subnets[word];
	selection->densest = EVICTION_SUBNETS;
	for (uint32_t subnet = 0; subnet < EVICTION_SUBNETS; subnet++)
		if ((open[subnet / 64] >> subnet % 64 & 1) != 0 &&
			(selection->densest == EVICTION_SUBNETS ||
				selection->served_by[subnet] > selection->served_by[selection->densest]))
			selection->densest = subnet;
}

/** Where victims go, and how many are still wanted. */
struct harvest {
	struct eviction_victim *victims;
	uint32_t found, wanted;
};

static void evict(
	struct selection *selection, struct harvest *harvest, uint32_t item, enum eviction_stage stage)
{
	selection->gone[item] = true;
	count(selection, &selection->candidates[item], UINT32_MAX); /* minus one */
	harvest->victims[harvest->found++] = (struct eviction_victim){item, stage};
}

struct stage_context {
	const struct selection *selection;
	enum eviction_stage stage;
};

static int compare_for_sort(const void *a, const void *b, void *context)
{
	const struct stage_context *sort = context;
	return compare_in(sort->selection, sort->stage, *(const uint32_t *)a, *(const uint32_t *)b);
}

/** A stage whose order does not change while it runs. Whoever may not go at its turn may not go later either:
 * peers only ever become more critical. */
static void run_sorted(struct selection *selection, struct harvest *harvest, enum eviction_stage stage)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < selection->n; i++)
		if (concerns(selection, &selection->candidates[i], stage) && may_go(selection, i, stage))
			selection->items[n++] = i;
	qsort_r(selection->items, n, sizeof(selection->items[0]), compare_for_sort,
		&(struct stage_context){selection, stage});
	for (uint32_t i = 0; i < n && harvest->found < harvest->wanted; i++)
		if (may_go(selection, selection->items[i], stage))
			evict(selection, harvest, selection->items[i], stage);
}

/** The densest subnet may be another after each victim. */
static void run_dense(struct selection *selection, struct harvest *harvest)
{
	while (harvest->found < harvest->wanted) {
		uint32_t chosen = RECORD_NONE;
		densest_find(selection);
		for (uint32_t i = 0; i < selection->n; i++)
			if (serves(&selection->candidates[i], selection->densest) &&
				may_go(selection, i, EVICTION_STAGE_DENSE) &&
				(chosen == RECORD_NONE ||
					compare_in(selection, EVICTION_STAGE_DENSE, i, chosen) < 0))
				chosen = i;
		if (chosen == RECORD_NONE)
			return;
		evict(selection, harvest, chosen, EVICTION_STAGE_DENSE);
	}
}

static int run_groups(struct selection *selection, struct harvest *harvest)
{
	struct eviction_field field;
	uint32_t n = 0;
	for (uint32_t i = 0; i < selection->n; i++)
		/* Bitcoin's rule is about those who came to us. */
		if (selection->candidates[i].inbound && may_go(selection, i, EVICTION_STAGE_GROUP))
			selection->items[n++] = i;
	int r = eviction_field_begin(&field, selection->policy, selection->candidates, selection->items, n);
	while (r == 0 && harvest->found < harvest->wanted) {
		uint32_t place = eviction_field_choose(&field);
		if (place == RECORD_NONE)
			break;
		uint32_t item = eviction_field_take(&field, place);
		if (may_go(selection, item, EVICTION_STAGE_GROUP))
			evict(selection, harvest, item, EVICTION_STAGE_GROUP);
	}
	eviction_field_end(&field);
	return r;
}

static int run(struct selection *selection, struct harvest *harvest, enum eviction_stage stage)
{
	if (stage == EVICTION_STAGE_GROUP)
		return run_groups(selection, harvest);
	if (stage == EVICTION_STAGE_DENSE)
		run_dense(selection, harvest);
	else
		run_sorted(selection, harvest, stage);
	return 0;
}

int eviction_select(const struct eviction_policy *policy, const struct eviction_candidate *candidates,
	uint32_t n, uint32_t wanted, int64_t now_ms, struct eviction_victim *ret_victims, uint32_t *ret_n)
{
	struct selection selection = {.policy = policy, .candidates = candidates, .n = n, .now_ms = now_ms};
	struct harvest harvest = {.victims = ret_victims, .wanted = wanted};
	selection.gone = calloc((size_t)n + 1, sizeof(*selection.gone));
	selection.items = malloc(((size_t)n + 1) * sizeof(*selection.items));
	int r = selection.gone == NULL || selection.items == NULL ? -ENOMEM : 0;
	for (uint32_t i = 0; i < n && r == 0; i++)
		count(&selection, &candidates[i], 1);
	for (unsigned stage = 0; stage < EVICTION_STAGE_COUNT && harvest.found < wanted && r == 0; stage++)
		if ((policy->stages >> stage & 1) != 0)
			r = run(&selection, &harvest, (enum eviction_stage)stage);
	free(selection.gone);
	free(selection.items);
	if (r == 0)
		*ret_n = harvest.found;
	return r;
}

uint32_t eviction_floor_wanted(uint32_t maximum, uint32_t connected, uint32_t per_mille)
{
	if (maximum == 0)
		return 0;
	uint32_t floor = (uint32_t)(((uint64_t)maximum * per_mille + 999) / 1000);
	if (floor == 0)
		floor = 1;
	uint32_t most = maximum > floor ? maximum - floor : 0;
	return connected > most ? connected - most : 0;
}

/** The weakest of those that may go and are not preferred: by value, or by lot. */
static uint32_t weakest_of(const struct eviction_policy *policy, const struct eviction_candidate *candidates,
	uint32_t n, bool by_value)
{
	struct selection selection = {.policy = policy, .candidates = candidates, .n = n};
	uint32_t weakest = RECORD_NONE;
	enum eviction_stage stage = by_value ? EVICTION_STAGE_VALUE : EVICTION_STAGE_RANDOM;
	for (uint32_t i = 0; i < n; i++)
		if (!is_never(&candidates[i]) && (by_value || !candidates[i].preferred) &&
			(weakest == RECORD_NONE || compare_in(&selection, stage, i, weakest) < 0))
			weakest = i;
	return weakest;
}

bool eviction_for_newcomer(enum eviction_newcomer_rule rule, const struct eviction_policy *policy,
	const struct eviction_candidate *candidates, uint32_t n, const struct eviction_newcomer *newcomer,
	int64_t now_ms, uint32_t *ret_candidate)
{
	uint32_t chosen = RECORD_NONE;
	struct eviction_victim victim;
	uint32_t found = 0;
	switch (rule) {
	case EVICTION_NEWCOMER_MARGIN:
		chosen = weakest_of(policy, candidates, n, true);
		if (chosen != RECORD_NONE && !value_replaces(candidates[chosen].value, newcomer->value))
			chosen = RECORD_NONE;
		break;
	case EVICTION_NEWCOMER_PREFERRED:
		if (newcomer->preferred)
			chosen = weakest_of(policy, candidates, n, false);
		break;
	case EVICTION_NEWCOMER_PIPELINE:
		if (eviction_select(policy, candidates, n, 1, now_ms, &victim, &found) == 0 && found == 1)
			chosen = victim.candidate;
		break;
	default:
		break;
	}
	if (chosen == RECORD_NONE)
		return false;
	*ret_candidate = chosen;
	return true;
}
