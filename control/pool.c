/* SPDX-License-Identifier: BSD-3-Clause
 * Limits and optimisation of a pool (pool.h). Pure functions, any thread.
 */
#include "control/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "control/target.h"

const struct pool_limits pool_lorachain = {.total = 50, .in = 20, .out = 30};
const struct pool_limits pool_spacetime = {.total = 50};
const struct pool_policy pool_policy_lorachain = {.size = 50, .score_least = 30, .light_most = 5};

struct pool_limits pool_limits_from_target(uint32_t target)
{
	return (struct pool_limits){
		.in = target_per_mille(target, 900),
		.out = target_per_mille(target, 1100),
		.total = target_per_mille(target, 1300),
		.pending_in = 5,
		.pending_out = 16,
		.per_peer = 1,
	};
}

const char *pool_answer_name(enum pool_answer answer)
{
	static const char *const names[] = {[POOL_ADMITTED] = "",
		[POOL_TOTAL] = "total",
		[POOL_IN] = "in",
		[POOL_OUT] = "out",
		[POOL_PENDING] = "pending",
		[POOL_PER_PEER] = "per_peer"};
	return (unsigned)answer < sizeof(names) / sizeof(names[0]) ? names[answer] : "";
}

static bool is_full(uint64_t count, uint32_t limit)
{
	return limit != 0 && count >= limit;
}

enum pool_answer pool_admit(
	const struct pool_limits *limits, const struct pool_counts *counts, bool inbound, uint32_t of_peer)
{
	uint64_t in = (uint64_t)counts->in + counts->pending_in,
		 out = (uint64_t)counts->out + counts->pending_out;
	if (is_full(of_peer, limits->per_peer))
		return POOL_PER_PEER;
	if (is_full(inbound ? counts->pending_in : counts->pending_out,
		    inbound ? limits->pending_in : limits->pending_out))
		return POOL_PENDING;
	if (inbound && is_full(in, limits->in))
		return POOL_IN;
	if (!inbound && is_full(out, limits->out))
		return POOL_OUT;
	return is_full(in + out, limits->total) ? POOL_TOTAL : POOL_ADMITTED;
}

struct ranked {
	double score;
	uint64_t id;
	uint32_t item;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int pool_best(const struct pool_policy *policy, const struct pool_peer *peers, uint32_t n, uint32_t wanted,
	uint32_t *ret_items, uint32_t *ret_n)
{
	struct ranked *ranked = malloc(((size_t)n + 1) * sizeof(*ranked));
	if (ranked == NULL)
		return -ENOMEM;
	uint32_t found = 0;
	for (uint32_t i = 0; i < n; i++)
		if (!peers[i].banned && peers[i].online)
			ranked[found++] = (struct ranked){
				.score = peers[i].score +
					 (peers[i].light ? policy->bonus_light : policy->bonus_full),
				.id = peers[i].id,
				.item = i};
	qsort(ranked, found, sizeof(*ranked), compare_ranked);
	*ret_n = found < wanted ? found : wanted;
	for (uint32_t i = 0; i < *ret_n; i++)
		ret_items[i] = ranked[i].item;
	free(ranked);
	return 0;
}

bool pool_wants(const struct pool_policy *policy, const struct pool_limits *limits,
	const struct pool_peer *peer, uint32_t connected_out, uint32_t connected_light)
{
	if (peer->banned || !peer->online || peer->connected || peer->score < policy->score_least)
		return false;
	if (peer->light && connected_light >= policy->light_most)
		return false;
	return !is_full(connected_out, limits->out);
}

int pool_optimise(const struct pool_policy *policy, const struct pool_limits *limits,
	const struct pool_peer *peers, uint32_t n, uint32_t connected_out, struct pool_changes *changes)
{
	uint32_t *best = malloc(((size_t)n + 1) * sizeof(*best)), n_best = 0, light = 0;
	bool *is_best = calloc((size_t)n + 1, sizeof(*is_best));
	int r = best == NULL || is_best == NULL ? -ENOMEM
						: pool_best(policy, peers, n, policy->size, best, &n_best);
	if (r == 0) {
		changes->n_drop = changes->n_dial = 0;
		for (uint32_t i = 0; i < n_best; i++)
			is_best[best[i]] = true;
		for (uint32_t i = 0; i < n; i++) {
			if (peers[i].connected && !is_best[i] && !peers[i].is_protected)
				changes->drop[changes->n_drop++] = i;
			else
				light += peers[i].connected && peers[i].light;
		}
		for (uint32_t i = 0; i < n_best; i++)
			if (pool_wants(policy, limits, &peers[best[i]], connected_out, light)) {
				changes->dial[changes->n_dial++] = best[i];
				connected_out++;
				light += peers[best[i]].light;
			}
	}
	free(best);
	free(is_best);
	return r;
}
