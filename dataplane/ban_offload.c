// SPDX-License-Identifier: BSD-3-Clause
/* Which bans are lent to the device (ban_offload.h). Pure: tables and time come in, places go out. Thread:
 * the table thread, which is also the tables' one writer, so that no answer is old.
 */
#include "dataplane/ban_offload.h"

#include <stdlib.h>

static uint32_t ban_meta_of(const struct ruleset *rules, const struct prefix *prefix)
{
	bool v4 = prefix_is_v4(prefix);
	const struct ban_table *table = v4 ? rules->bans_v4 : rules->bans_v6;
	struct ban_key key = {.high = v4 ? address_v4(&prefix->address) : address_v6_site(&prefix->address)};
	uint64_t hash;

	ban_table_prefetch(table, key, &hash);
	return ban_table_lookup(table, key, hash);
}

static bool is_banned_at(const struct ruleset *rules, uint64_t source, uint32_t now_s, uint32_t until_s)
{
	struct prefix prefix = heavy_source_prefix(source);
	struct lists_answer lists;

	if (rules->policy.mode != IMAGE_MODE_ENFORCE ||
		ban_meta_class_at(ban_meta_of(rules, &prefix), until_s) != SOURCE_CLASS_BANNED)
		return false;
	if (!prefix_is_v4(&prefix))
		return !lists_allow_in_site(rules->lists, source);
	lists_lookup(rules->lists, &prefix.address, now_s, &lists);
	return !lists.allowed;
}

bool ban_offload_is_right(const struct ruleset *rules, uint64_t source, uint32_t now_s)
{
	return is_banned_at(rules, source, now_s, now_s);
}

bool ban_offload_is_due(const struct ruleset *rules, uint64_t source, uint32_t now_s)
{
	return is_banned_at(rules, source, now_s, now_s + OFFLOAD_LEASE_S + OFFLOAD_MARGIN_S);
}

static int compare_weights(const void *a, const void *b)
{
	uint32_t first = ((const struct heavy_ban *)a)->weight,
		 second = ((const struct heavy_ban *)b)->weight;

	return first < second ? 1 : first > second ? -1 : 0;
}

static bool is_held(const struct ban_offload *offload, uint64_t source)
{
	for (uint32_t place = 0; place < offload->max; place++)
		if (offload->places[place].source == source)
			return true;
	/* Two lcores may both have met it, as fragments and as whole packets. */
	for (uint32_t i = 0; i < offload->n_wanted; i++)
		if (offload->wanted[i] == source)
			return true;
	return false;
}

void ban_offload_choose(struct ban_offload *offload, const struct ruleset *rules, uint32_t now_s,
	struct heavy_ban *bans, unsigned n)
{
	uint32_t room = offload->max - offload->n;

	if (room > OFFLOAD_WANTED_MAX)
		room = OFFLOAD_WANTED_MAX;
	offload->n_wanted = 0;
	qsort(bans, n, sizeof(*bans), compare_weights);
	for (unsigned i = 0; i < n && offload->n_wanted < room && bans[i].weight >= OFFLOAD_WEIGHT_MIN; i++)
		if (!is_held(offload, bans[i].source) && ban_offload_is_due(rules, bans[i].source, now_s))
			offload->wanted[offload->n_wanted++] = bans[i].source;
	for (uint32_t i = 0; i < offload->n_wanted / 2; i++) {
		uint64_t lighter = offload->wanted[offload->n_wanted - 1 - i];

		offload->wanted[offload->n_wanted - 1 - i] = offload->wanted[i];
		offload->wanted[i] = lighter;
	}
}

bool ban_offload_take(
	struct ban_offload *offload, const struct ruleset *rules, uint32_t now_s, unsigned *ret_place)
{
	while (offload->n_wanted > 0 && offload->n < offload->max) {
		uint64_t source = offload->wanted[--offload->n_wanted];

		if (!ban_offload_is_due(rules, source, now_s))
			continue;
		for (uint32_t place = 0; place < offload->max; place++) {
			if (offload->places[place].source != 0)
				continue;
			offload->places[place] = (struct ban_offload_place){
				.source = source, .lease_end_s = now_s + OFFLOAD_LEASE_S};
			offload->n++;
			*ret_place = place;
			return true;
		}
	}
	return false;
}

bool ban_offload_ended(const struct ban_offload *offload, uint32_t now_s, unsigned *ret_place)
{
	for (uint32_t place = 0; place < offload->max; place++)
		if (offload->places[place].source != 0 &&
			(int32_t)(now_s - offload->places[place].lease_end_s) >= 0) {
			*ret_place = place;
			return true;
		}
	return false;
}

static bool is_met(uint64_t source, enum command_kind kind, const struct prefix *prefix)
{
	struct prefix held = heavy_source_prefix(source);

	if (kind == COMMAND_ALLOW_SET)
		return prefix_covers(prefix, &held) || prefix_covers(&held, prefix);
	return prefix_compare(prefix, &held) == 0;
}

bool ban_offload_met(const struct ban_offload *offload, enum command_kind kind, const struct prefix *prefix,
	unsigned from, unsigned *ret_place)
{
	/* A new word on the same ban may be a weaker class or an earlier end. */
	bool about_bans = kind == COMMAND_BAN_CLEAR || kind == COMMAND_BAN_SET;
	uint64_t same = heavy_source_of(&prefix->address);

	if (offload->n == 0 || (!about_bans && kind != COMMAND_ALLOW_SET))
		return false;
	for (unsigned place = from; place < offload->max; place++) {
		uint64_t source = offload->places[place].source;

		/* Bans come by the million: one comparison for each place, and no more for most. */
		if (source == 0 || (about_bans && source != same) || !is_met(source, kind, prefix))
			continue;
		*ret_place = place;
		return true;
	}
	return false;
}

void ban_offload_free(struct ban_offload *offload, unsigned place)
{
	if (offload->places[place].source == 0)
		return;
	offload->places[place].source = 0;
	offload->n--;
}
