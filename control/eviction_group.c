/* SPDX-License-Identifier: BSD-3-Clause
 * Bitcoin's choice of a victim (eviction.h; described in src/node/eviction.cpp of bitcoin/bitcoin): protect
 * the best by several measures that an attacker cannot all meet, then take the youngest of the largest group.
 * Pure functions, any thread.
 */
#include "control/eviction.h"

#include <errno.h>
#include <stdlib.h>

#include "control/record_pool.h"

typedef bool (*better_than)(const struct eviction_candidate *a, const struct eviction_candidate *b);

/** Among equals who has been here longer is the better one to keep, then whose name is smaller: any order,
 * but one order. */
static bool is_older(const struct eviction_candidate *a, const struct eviction_candidate *b)
{
	return a->connected_ms != b->connected_ms ? a->connected_ms < b->connected_ms : a->id < b->id;
}

static bool has_larger_group_key(const struct eviction_candidate *a, const struct eviction_candidate *b)
{
	return a->group != b->group ? a->group > b->group : is_older(a, b);
}

static bool is_nearer(const struct eviction_candidate *a, const struct eviction_candidate *b)
{
	/* Never measured is the farthest. */
	if ((a->rtt_min_ms < 0) != (b->rtt_min_ms < 0))
		return b->rtt_min_ms < 0;
	return a->rtt_min_ms != b->rtt_min_ms ? a->rtt_min_ms < b->rtt_min_ms : is_older(a, b);
}

static bool has_newer_tx(const struct eviction_candidate *a, const struct eviction_candidate *b)
{
	if (a->tx_ms != b->tx_ms)
		return a->tx_ms > b->tx_ms;
	return a->relay_txs != b->relay_txs ? a->relay_txs : is_older(a, b);
}

static bool has_newer_block(const struct eviction_candidate *a, const struct eviction_candidate *b)
{
	return a->block_ms != b->block_ms ? a->block_ms > b->block_ms : is_older(a, b);
}

struct field {
	const struct eviction_candidate *candidates;
	uint32_t *items; /* unprotected: the first n */
	uint32_t n;
};

struct sort_context {
	const struct eviction_candidate *candidates;
	better_than better;
};

static int compare_for_sort(const void *a, const void *b, void *context)
{
	const struct sort_context *sort = context;
	const struct eviction_candidate *x = &sort->candidates[*(const uint32_t *)a];
	const struct eviction_candidate *y = &sort->candidates[*(const uint32_t *)b];
	/* Worst first, so that the best stand at the end and are cut off. */
	return sort->better(y, x) ? -1 : sort->better(x, y);
}

/** Take the best `most` by this measure out of the field. */
static void protect_best(struct field *field, better_than better, uint32_t most)
{
	struct sort_context sort = {field->candidates, better};
	if (most == 0 || field->n == 0)
		return;
	qsort_r(field->items, field->n, sizeof(field->items[0]), compare_for_sort, &sort);
	field->n -= most < field->n ? most : field->n;
}

/** Move out of the field the best `most` of those that `suits`; the others keep their places. Returns how
 * many. */
static uint32_t protect_suiting(struct field *field, better_than better, uint32_t most,
	bool (*suits)(const struct eviction_candidate *candidate, int what), int what)
{
	struct sort_context sort = {field->candidates, better};
	uint32_t kept = 0;
	qsort_r(field->items, field->n, sizeof(field->items[0]), compare_for_sort, &sort);
	for (uint32_t i = field->n; i-- > 0 && kept < most;) {
		uint32_t item = field->items[i];
		if (!suits(&field->candidates[item], what))
			continue;
		for (uint32_t j = i; j + 1 < field->n; j++)
			field->items[j] = field->items[j + 1];
		field->n--;
		kept++;
	}
	return kept;
}

static bool is_block_only(const struct eviction_candidate *candidate, int what)
{
	(void)what;
	return !candidate->relay_txs;
}

static bool is_in_network(const struct eviction_candidate *candidate, int what)
{
	return (int)candidate->network == what;
}

/** A quarter of the field for networks that lose every other comparison: those with the fewest peers choose
 * first. */
static uint32_t protect_networks(struct field *field, uint32_t most)
{
	uint32_t present[EVICTION_NETWORK_COUNT] = {0}, kept = 0;
	bool done[EVICTION_NETWORK_COUNT] = {[EVICTION_NETWORK_ORDINARY] = true};
	unsigned networks = 0;
	for (uint32_t i = 0; i < field->n; i++)
		present[field->candidates[field->items[i]].network]++;
	for (unsigned i = 1; i < EVICTION_NETWORK_COUNT; i++)
		networks += present[i] != 0;
	for (; networks > 0 && kept < most; networks--) {
		int fewest = -1;
		for (int i = 1; i < EVICTION_NETWORK_COUNT; i++)
			if (!done[i] && present[i] != 0 && (fewest < 0 || present[i] < present[fewest]))
				fewest = i;
		/* What a small network does not need, the next ones share. */
		uint32_t share = (most - kept + networks - 1) / networks;
		kept += protect_suiting(field, is_older, share, is_in_network, fewest);
		done[fewest] = true;
	}
	return kept;
}

static void open_place(struct eviction_field *field, uint32_t place, uint32_t change)
{
	field->counts[field->numbers[place]] += change;
	if (field->candidates[field->items[place]].discouraged) {
		field->discouraged_counts[field->numbers[place]] += change;
		field->discouraged += change;
	}
}

/** How many of the oldest are protected: half of the field, less the places of small networks. */
static uint32_t oldest_protected(const struct eviction_field *field)
{
	uint32_t half = (field->alive + field->reserved) / 2;
	return half > field->reserved ? half - field->reserved : 0;
}

static int compare_by_age(const void *a, const void *b, void *context)
{
	const struct eviction_candidate *candidates = context;
	const struct eviction_candidate *x = &candidates[*(const uint32_t *)a],
					*y = &candidates[*(const uint32_t *)b];
	return is_older(x, y) ? -1 : is_older(y, x);
}

struct numbering {
	uint64_t group;
	uint32_t place;
};

static int compare_numberings(const void *a, const void *b)
{
	const struct numbering *x = a, *y = b;
	return x->group < y->group ? -1 : x->group > y->group;
}

/** Small numbers for the groups, so that counting their members needs an array and no search. -ENOMEM. */
static int groups_number(struct eviction_field *field)
{
	struct numbering *numberings = malloc(((size_t)field->n + 1) * sizeof(*numberings));
	if (numberings == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < field->n; i++)
		numberings[i] = (struct numbering){field->candidates[field->items[i]].group, i};
	qsort(numberings, field->n, sizeof(*numberings), compare_numberings);
	uint32_t number = 0;
	for (uint32_t i = 0; i < field->n; i++) {
		number += i != 0 && numberings[i].group != numberings[i - 1].group;
		field->numbers[numberings[i].place] = number;
	}
	free(numberings);
	return 0;
}

int eviction_field_begin(struct eviction_field *ret_field, const struct eviction_policy *policy,
	const struct eviction_candidate *candidates, uint32_t *items, uint32_t n)
{
	struct field field = {candidates, items, n};
	protect_best(&field, has_larger_group_key, policy->protect_groups);
	protect_best(&field, is_nearer, policy->protect_rtt);
	protect_best(&field, has_newer_tx, policy->protect_tx);
	(void)protect_suiting(&field, has_newer_block, policy->protect_block_only, is_block_only, 0);
	protect_best(&field, has_newer_block, policy->protect_block);
	*ret_field = (struct eviction_field){.candidates = candidates, .items = items};
	ret_field->reserved = protect_networks(&field, field.n / 4);
	ret_field->n = ret_field->alive = field.n;
	ret_field->numbers = calloc((size_t)field.n + 1, sizeof(uint32_t));
	ret_field->counts = calloc((size_t)field.n + 1, sizeof(uint32_t));
	ret_field->discouraged_counts = calloc((size_t)field.n + 1, sizeof(uint32_t));
	ret_field->gone = calloc((size_t)field.n + 1, sizeof(bool));
	if (ret_field->numbers == NULL || ret_field->counts == NULL ||
		ret_field->discouraged_counts == NULL || ret_field->gone == NULL)
		return -ENOMEM;
	qsort_r(items, field.n, sizeof(items[0]), compare_by_age, (void *)candidates);
	int r = groups_number(ret_field);
	if (r < 0)
		return r;
	ret_field->first = oldest_protected(ret_field);
	for (uint32_t place = ret_field->first; place < field.n; place++)
		open_place(ret_field, place, 1);
	return 0;
}

void eviction_field_end(struct eviction_field *field)
{
	free(field->numbers);
	free(field->counts);
	free(field->discouraged_counts);
	free(field->gone);
}

uint32_t eviction_field_choose(const struct eviction_field *field)
{
	/* Discouraged ones go first, if there are any: then only they count. */
	const uint32_t *counts = field->discouraged != 0 ? field->discouraged_counts : field->counts;
	uint32_t best = RECORD_NONE;
	/* From the youngest: among equally large groups the first one found has the youngest member, and it
	 * is that. */
	for (uint32_t place = field->n; place-- > field->first;) {
		if (field->gone[place] ||
			(field->discouraged != 0 && !field->candidates[field->items[place]].discouraged))
			continue;
		if (best == RECORD_NONE || counts[field->numbers[place]] > counts[field->numbers[best]])
			best = place;
	}
	return best;
}

uint32_t eviction_field_take(struct eviction_field *field, uint32_t place)
{
	field->gone[place] = true;
	open_place(field, place, UINT32_MAX); /* minus one */
	field->alive--;
	/* Half of a smaller field is less: the youngest of the protected ones stands open now. */
	while (field->first > oldest_protected(field))
		open_place(field, --field->first, 1);
	return field->items[place];
}
