/* SPDX-License-Identifier: BSD-3-Clause
 * The phases of one evaluation (target_plan.h). Pure functions, any thread. Each phase sees what the ones
 * before it planned.
 */
#include "control/target_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* DU-12: at most two peers are asked for ten addresses each. */
enum { SHARE_PEERS = 2, SHARE_COUNT = 10 };

const char *target_phase_name(enum target_phase phase)
{
	static const char *const names[TARGET_PHASE_COUNT] = {
		[TARGET_PHASE_VALENCY] = "valency",
		[TARGET_PHASE_BIG_LEDGER] = "big_ledger",
		[TARGET_PHASE_ACTIVE] = "active",
		[TARGET_PHASE_ESTABLISHED] = "established",
		[TARGET_PHASE_SHARE] = "known",
		[TARGET_PHASE_SURPLUS] = "surplus",
		[TARGET_PHASE_EVICT_COLD] = "known_surplus",
		[TARGET_PHASE_STALL] = "stall",
	};
	return (unsigned)phase < TARGET_PHASE_COUNT ? names[phase] : "unknown";
}

void target_view_default(struct target_view *view)
{
	*view = (struct target_view){.targets = target_dugite,
		.phases = TARGET_PHASES_ALL,
		.share_ms = 60000,
		.known_high_water = target_dugite.normal.known * 3 / 2,
		.last_share_ms = INT64_MIN,
		.inbound_batch_ms = 60000,
		.last_inbound_ms = INT64_MIN,
		.stall_evaluations = 6,
		.stall_failures = 5};
}

struct plan {
	const struct target_view *view;
	enum temperature *planned; /* of each peer, after the actions so far */
	bool *acted;
	uint32_t *order; /* peers, lowest rank first */
	uint32_t cold_used;
	uint32_t inbound_left;    /* that may still become hot now */
	uint32_t warm[2], hot[2]; /* [1]: big ledger */
	struct target_action *actions;
	uint32_t n;
	enum target_phase phase;
};

static void act(struct plan *plan, enum target_action_kind kind, uint64_t id, uint32_t count)
{
	plan->actions[plan->n++] = (struct target_action){kind, plan->phase, id, count};
}

/** DU-22's rules are for who came by itself. Whoever the node dialled it has chosen already (V33), and so has
 * the operator a member of a group (V35). */
static bool came_by_itself(const struct target_peer *peer)
{
	return peer->inbound && peer->group == TARGET_NO_GROUP;
}

static void move(struct plan *plan, uint32_t item, enum target_action_kind kind)
{
	static const enum temperature after[] = {[TARGET_CONNECT] = TEMPERATURE_WARM,
		[TARGET_PROMOTE] = TEMPERATURE_HOT,
		[TARGET_DEMOTE] = TEMPERATURE_WARM,
		[TARGET_DISCONNECT] = TEMPERATURE_COOLING};
	unsigned level = plan->view->peers[item].big_ledger;
	plan->warm[level] -= plan->planned[item] == TEMPERATURE_WARM;
	plan->hot[level] -= plan->planned[item] == TEMPERATURE_HOT;
	plan->planned[item] = after[kind];
	plan->warm[level] += plan->planned[item] == TEMPERATURE_WARM;
	plan->hot[level] += plan->planned[item] == TEMPERATURE_HOT;
	plan->inbound_left -= kind == TARGET_PROMOTE && came_by_itself(&plan->view->peers[item]);
	plan->acted[item] = true;
	act(plan, kind, plan->view->peers[item].id, 0);
}

static bool is_ripe(const struct plan *plan, const struct target_peer *peer)
{
	int64_t age_ms = plan->view->now_ms - peer->since_ms;
	return !came_by_itself(peer) ||
	       (plan->inbound_left > 0 && age_ms >= plan->view->mature_ms && age_ms >= plan->view->dwell_ms);
}

static bool may_promote(const struct plan *plan, uint32_t item)
{
	const struct target_peer *peer = &plan->view->peers[item];
	return plan->planned[item] == TEMPERATURE_WARM && !plan->acted[item] && !peer->excluded &&
	       is_ripe(plan, peer);
}

/** Whether a member of the group may be moved this way now. */
static bool suits_group(const struct plan *plan, uint32_t item, uint32_t group, enum target_action_kind kind)
{
	if (plan->view->peers[item].group != group || plan->acted[item])
		return false;
	return kind == TARGET_CONNECT ? plan->planned[item] == TEMPERATURE_COLD : may_promote(plan, item);
}

static void valency_fill(
	struct plan *plan, uint32_t group, enum target_action_kind kind, uint32_t have, uint32_t want)
{
	/* In the order in which the group names its members. */
	for (uint32_t i = 0; i < plan->view->n && have < want; i++)
		if (suits_group(plan, i, group, kind)) {
			move(plan, i, kind);
			have++;
		}
}

static void phase_valency(struct plan *plan)
{
	for (uint32_t group = 0; group < plan->view->n_groups; group++) {
		uint32_t warm = 0, hot = 0;
		for (uint32_t i = 0; i < plan->view->n; i++)
			if (plan->view->peers[i].group == group) {
				warm += plan->planned[i] == TEMPERATURE_WARM;
				hot += plan->planned[i] == TEMPERATURE_HOT;
			}
		valency_fill(plan, group, TARGET_CONNECT, warm + hot, plan->view->groups[group].warm);
		valency_fill(plan, group, TARGET_PROMOTE, hot, plan->view->groups[group].hot);
	}
}

/** Promote the best warm peers of a level until as many are hot as should be. Returns how many were promoted.
 */
static uint32_t promote(struct plan *plan, bool big_ledger, uint32_t want)
{
	uint32_t promoted = 0;
	for (uint32_t i = plan->view->n; i-- > 0 && plan->hot[big_ledger] < want;) {
		uint32_t item = plan->order[i];
		if (plan->view->peers[item].big_ledger == big_ledger && may_promote(plan, item)) {
			move(plan, item, TARGET_PROMOTE);
			promoted++;
		}
	}
	return promoted;
}

/** Demote the lowest hot peers of a level until `want` are left. */
static void demote(struct plan *plan, bool big_ledger, uint32_t want)
{
	for (uint32_t i = 0; i < plan->view->n && plan->hot[big_ledger] > want; i++) {
		uint32_t item = plan->order[i];
		const struct target_peer *peer = &plan->view->peers[item];
		if (peer->big_ledger == big_ledger && plan->planned[item] == TEMPERATURE_HOT &&
			!plan->acted[item] && !peer->is_protected && peer->group == TARGET_NO_GROUP)
			move(plan, item, TARGET_DEMOTE);
	}
}

static void disconnect(struct plan *plan, bool big_ledger, uint32_t want)
{
	for (uint32_t i = 0; i < plan->view->n && plan->warm[big_ledger] + plan->hot[big_ledger] > want;
		i++) {
		uint32_t item = plan->order[i];
		const struct target_peer *peer = &plan->view->peers[item];
		if (peer->big_ledger == big_ledger && plan->planned[item] == TEMPERATURE_WARM &&
			!plan->acted[item] && !peer->is_protected && peer->group == TARGET_NO_GROUP)
			move(plan, item, TARGET_DISCONNECT);
	}
}

static void phase_big_ledger(struct plan *plan)
{
	const struct target_level *want = &plan->view->targets.big_ledger;
	uint32_t promoted = promote(plan, true, want->active);
	for (uint32_t i = plan->view->n; i-- > 0 && plan->warm[1] + plan->hot[1] < want->established;) {
		uint32_t item = plan->order[i];
		if (plan->view->peers[item].big_ledger && plan->planned[item] == TEMPERATURE_COLD &&
			!plan->acted[item])
			move(plan, item, TARGET_CONNECT);
	}
	/* Preemption: while syncing a big ledger peer that becomes hot takes the place of another, where
	 * places are taken. */
	if (plan->view->sync == SYNC_STATE_SYNCING && plan->hot[0] >= plan->view->targets.normal.active)
		demote(plan, false, plan->hot[0] > promoted ? plan->hot[0] - promoted : 0);
}

static void phase_established(struct plan *plan)
{
	while (plan->warm[0] + plan->hot[0] < plan->view->targets.normal.established &&
		plan->cold_used < plan->view->n_cold) {
		plan->warm[0]++;
		act(plan, TARGET_CONNECT, plan->view->cold[plan->cold_used++], 0);
	}
}

static void phase_share(struct plan *plan)
{
	const struct target_view *view = plan->view;
	if (view->known >= view->targets.normal.known)
		return;
	/* INT64_MIN: never asked before. */
	if (view->last_share_ms != INT64_MIN && view->now_ms - view->last_share_ms < view->share_ms)
		return;
	uint32_t asked = 0;
	for (uint32_t i = view->n; i-- > 0 && asked < SHARE_PEERS;) {
		const struct target_peer *peer = &view->peers[plan->order[i]];
		if (peer->temperature == TEMPERATURE_WARM || peer->temperature == TEMPERATURE_HOT) {
			act(plan, TARGET_SHARE, peer->id, SHARE_COUNT);
			asked++;
		}
	}
}

static void phase_surplus(struct plan *plan)
{
	const struct target_set *targets = &plan->view->targets;
	demote(plan, false, targets->normal.active);
	demote(plan, true, targets->big_ledger.active);
	disconnect(plan, false, targets->normal.established);
	disconnect(plan, true, targets->big_ledger.established);
}

static void phase_evict_cold(struct plan *plan)
{
	if (plan->view->known > plan->view->known_high_water)
		act(plan, TARGET_EVICT_COLD, 0, plan->view->known - plan->view->known_high_water);
}

static void phase_stall(struct plan *plan)
{
	const struct target_view *view = plan->view;
	for (uint32_t i = 0; i < view->n && plan->hot[0] > view->targets.normal.active; i++) {
		uint32_t item = plan->order[i];
		const struct target_peer *peer = &view->peers[item];
		bool stalled = (view->stall_evaluations != 0 && peer->stale >= view->stall_evaluations) ||
			       (view->stall_failures != 0 && peer->failures >= view->stall_failures);
		if (stalled && !peer->big_ledger && plan->planned[item] == TEMPERATURE_HOT &&
			!plan->acted[item] && !peer->is_protected && peer->group == TARGET_NO_GROUP)
			move(plan, item, TARGET_DEMOTE);
	}
}

static void phase_active(struct plan *plan)
{
	(void)promote(plan, false, plan->view->targets.normal.active);
}

static void (*const phases[TARGET_PHASE_COUNT])(struct plan *plan) = {
	[TARGET_PHASE_VALENCY] = phase_valency,
	[TARGET_PHASE_BIG_LEDGER] = phase_big_ledger,
	[TARGET_PHASE_ACTIVE] = phase_active,
	[TARGET_PHASE_ESTABLISHED] = phase_established,
	[TARGET_PHASE_SHARE] = phase_share,
	[TARGET_PHASE_SURPLUS] = phase_surplus,
	[TARGET_PHASE_EVICT_COLD] = phase_evict_cold,
	[TARGET_PHASE_STALL] = phase_stall,
};

static int compare_ranks(const void *a, const void *b, void *context)
{
	const struct target_peer *peers = context, *x = &peers[*(const uint32_t *)a],
				 *y = &peers[*(const uint32_t *)b];
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void plan_begin(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->view->n; i++) {
		const struct target_peer *peer = &plan->view->peers[i];
		plan->planned[i] = peer->temperature;
		plan->order[i] = i;
		plan->warm[peer->big_ledger] += peer->temperature == TEMPERATURE_WARM;
		plan->hot[peer->big_ledger] += peer->temperature == TEMPERATURE_HOT;
	}
	bool batch_rests = plan->view->last_inbound_ms != INT64_MIN &&
			   plan->view->now_ms - plan->view->last_inbound_ms < plan->view->inbound_batch_ms;
	plan->inbound_left = plan->view->inbound_batch == 0 ? UINT32_MAX
			     : batch_rests                  ? 0
							    : plan->view->inbound_batch;
	qsort_r(plan->order, plan->view->n, sizeof(plan->order[0]), compare_ranks, (void *)plan->view->peers);
}

int target_plan(const struct target_view *view, struct target_action *ret_actions, uint32_t *ret_n)
{
	struct plan plan = {.view = view, .actions = ret_actions};
	int r = -ENOMEM;
	plan.planned = malloc(((size_t)view->n + 1) * sizeof(*plan.planned));
	plan.order = malloc(((size_t)view->n + 1) * sizeof(*plan.order));
	plan.acted = calloc((size_t)view->n + 1, sizeof(*plan.acted));
	if (plan.planned != NULL && plan.order != NULL && plan.acted != NULL) {
		plan_begin(&plan);
		for (unsigned phase = 0; phase < TARGET_PHASE_COUNT; phase++) {
			plan.phase = (enum target_phase)phase;
			if ((view->phases >> phase & 1) != 0)
				phases[phase](&plan);
		}
		*ret_n = plan.n;
		r = 0;
	}
	free(plan.planned);
	free(plan.order);
	free(plan.acted);
	return r;
}

void target_stall_evaluate(struct target_stall *stall, uint64_t blocks)
{
	/* Who never sent a block is new or of another kind, not stalled. */
	if (blocks != stall->blocks || blocks == 0)
		*stall = (struct target_stall){.blocks = blocks};
	else if (stall->stale != UINT8_MAX)
		stall->stale++;
}
