// SPDX-License-Identifier: BSD-3-Clause
/* Row 7 for aggregates: a prefix beyond its limit is shaped, not banned. Its proven sources get through with
 * the probability limit / rate at each level, the nearest first; what is dropped is resent by its client.
 * Thread: owning lcore; shape_excess also any thread that holds rules.
 *
 * How is the rate known, if only completed handshakes may charge (rule 1) and what was dropped completes
 * none? A handshake that got through with probability p stands for 1/p attempts, so that is what it charges:
 * in the mean the counters hold what was offered, not what was let through, and the rate that gets through is
 * the limit itself.
 */
#include "dataplane/stage_private.h"

/* Each prefix's limit, times 1 + clients / clients_per_limit. IPv4 only: there thousands of honest clients
 * share a prefix because addresses are scarce, and for the same reason nobody can have many clients at will.
 * An IPv6 site has a /56 or /48 of its own and addresses without number, so their number says nothing. */
static struct pressure_limits limits_weighted(const struct stage_shared *shared, const struct moment *moment,
	const struct address *client, const struct pressure_limits *limits)
{
	uint64_t per_limit = moment->rules->policy.clients_per_limit;
	struct pressure_limits weighted = *limits;
	struct pressure_handle handle;

	if (per_limit == 0 || !address_is_v4(client))
		return weighted;
	pressure_table_prefetch_wide(shared->clients, client, &handle);
	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++) {
		uint64_t load = limits->load[level], clients;

		if (load == UINT32_MAX)
			continue;
		clients = pressure_table_load(
			shared->clients, &handle, (enum image_level)level, moment->now_ns);
		load += load * clients / (PRESSURE_PRICE_USUAL * per_limit);
		weighted.load[level] = load < UINT32_MAX ? (uint32_t)load : UINT32_MAX - 1;
	}
	return weighted;
}

bool shape_excess(const struct stage_shared *shared, const struct moment *moment,
	const struct address *client, const struct pressure_handle *opens, struct pressure_excess *ret_excess)
{
	const struct ruleset *rules = moment->rules;
	const struct pressure_limits *limits = address_is_v4(client) ? &rules->proven_v4 : &rules->proven_v6;
	struct pressure_limits weighted;

	/* The usual case needs nothing but the lines that are there already. */
	if (pressure_table_check(shared->proven_opens, opens, limits, moment->now_ns) == IMAGE_LEVEL_COUNT)
		return false;
	weighted = limits_weighted(shared, moment, client, limits);
	return pressure_table_excess(shared->proven_opens, opens, &weighted, moment->now_ns, ret_excess) !=
	       IMAGE_LEVEL_COUNT;
}

bool shape_drops(struct stage *stage, const struct pressure_excess *excess)
{
	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++) {
		uint32_t ratio = excess->ratio[level];

		if (ratio == PRESSURE_WITHIN)
			continue;
		if (ratio == PRESSURE_SATURATED ||
			((uint64_t)stage_random(stage) * ratio) >> 32 >= PRESSURE_WITHIN)
			return true;
	}
	return false;
}

/* What an attempt that got through charges: 1/p at the level that it passed with p, and at the nearer ones,
 * where it stands for those that farther levels dropped as well. */
static void prices_of(
	const struct pressure_excess *excess, uint32_t price, uint32_t ret_prices[IMAGE_LEVEL_COUNT])
{
	uint64_t whole = price;

	/* A host's limit is exact, and another table's. */
	ret_prices[IMAGE_LEVEL_HOST] = 0;
	for (int level = IMAGE_LEVEL_COUNT - 1; level >= IMAGE_LEVEL_NEAR; level--) {
		/* Below 2^32 * 2^12. A saturated level lets nothing through: it was over only after the SYN
		 * passed. */
		if (excess->ratio[level] != PRESSURE_SATURATED)
			whole = whole * excess->ratio[level] / PRESSURE_WITHIN;
		if (whole > PRESSURE_PRICE_MAX)
			whole = PRESSURE_PRICE_MAX;
		ret_prices[level] = (uint32_t)whole;
	}
}

void shape_charge(struct stage *stage, const struct moment *moment, const struct address *client)
{
	struct stage_shared *shared = stage->shared;
	struct pressure_excess excess;
	struct pressure_handle opens;
	struct lists_answer lists;
	uint32_t prices[IMAGE_LEVEL_COUNT];
	bool shaped;

	pressure_table_prefetch_wide(shared->proven_opens, client, &opens);
	lists_lookup(moment->rules->lists, client, moment->now_s, &lists);
	shaped = !lists.allowed && moment->rules->policy.mode != IMAGE_MODE_MONITOR &&
		 shape_excess(shared, moment, client, &opens, &excess);
	if (!shaped)
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
			excess.ratio[level] = PRESSURE_WITHIN;
	prices_of(&excess, lists.price, prices);
	counter_add(stage->counters, COUNTER_PRESSURE_EVICTED,
		pressure_table_charge_priced(
			shared->proven_opens, &opens, prices, moment->now_ns, stage_random(stage)));
}

/* A client weighs 1 in its prefixes when it proves itself, and half of that after each half-life: another
 * proof adds what it has lost since the last one, so however often it connects it is one client. */
void shape_client_seen(
	struct stage *stage, const struct moment *moment, const struct address *client, uint32_t quiet_s)
{
	struct stage_shared *shared = stage->shared;
	uint32_t prices[IMAGE_LEVEL_COUNT], price = PRESSURE_PRICE_USUAL;
	struct pressure_handle handle;

	if (moment->rules->policy.clients_per_limit == 0 || !address_is_v4(client))
		return;
	if (quiet_s != PROVEN_QUIET_NEW)
		price = pressure_table_lost(shared->clients, quiet_s, stage_random(stage));
	prices[IMAGE_LEVEL_HOST] = 0;
	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++)
		prices[level] = price;
	pressure_table_prefetch_wide(shared->clients, client, &handle);
	(void)pressure_table_charge_priced(
		shared->clients, &handle, prices, moment->now_ns, stage_random(stage));
}
