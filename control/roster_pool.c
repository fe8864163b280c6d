/* SPDX-License-Identifier: BSD-3-Clause
 * The pool's own steps of a tick (roster_private.h; policy.md LO-13, LO-14, HE-13, V32): a round of
 * optimisation, the outbound places of a Stellar node, and one outbound peer dropped when the node is out of
 * sync. The roster's thread. Must not dial: it tells the node whom.
 */
#include <stdlib.h>

#include "control/roster_private.h"

/* Offline peers forgotten a tick: a bound on its work; the rest has its turn at the next. */
enum { FORGET_MAX = 1000 };
/* Names of pool_optimise: peers by record, cold addresses by their place. */
#define ID_COLD (UINT64_C(1) << 40)

struct round {
	struct pool_peer *peers;
	struct book_target *targets;
	uint32_t *drop, *dial;
	uint32_t n, n_connected, connected_out;
};

static void round_end(struct round *round)
{
	free(round->peers);
	free(round->targets);
	free(round->drop);
	free(round->dial);
}

static bool round_begin(const struct roster *roster, struct round *round, uint32_t n_cold)
{
	size_t most = (size_t)roster->lists[ROSTER_LIST_CONNECTED].n + n_cold + 1;
	*round = (struct round){.peers = malloc(most * sizeof(*round->peers)),
		.targets = malloc(((size_t)n_cold + 1) * sizeof(*round->targets)),
		.drop = malloc(most * sizeof(*round->drop)),
		.dial = malloc(most * sizeof(*round->dial))};
	if (round->peers != NULL && round->targets != NULL && round->drop != NULL && round->dial != NULL)
		return true;
	round_end(round);
	return false;
}

static void round_connected(struct roster *roster, struct round *round)
{
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer) {
		double value = roster_value(roster, at);
		struct peer_tags tags;
		roster_tags_of(roster, at, &tags);
		round->connected_out += roster_peer_at(roster, at)->state.n_out != 0;
		round->peers[round->n++] = (struct pool_peer){.id = at,
			.score = value,
			.light = tags.light,
			.online = true,
			.connected = true,
			.is_protected = tags.trusted || tags.is_protected ||
					roster_peer_on_duty(roster, at) ||
					roster_is_local_root(roster, at)};
	}
	round->n_connected = round->n;
}

static void round_cold(struct roster *roster, struct round *round, uint32_t n_cold)
{
	size_t n = address_book_to_connect(roster->book, n_cold, roster->now_ms, round->targets);
	for (size_t i = 0; i < n; i++) {
		struct governor_why why;
		governor_why(roster->governor, &round->targets[i].endpoint.address, roster->now_ms, &why);
		round->peers[round->n] = (struct pool_peer){.id = ID_COLD | i,
			.score = ROSTER_LORACHAIN_UNKNOWN,
			.online = true,
			.banned = !why.allowed && (why.denied || why.class == SOURCE_CLASS_BANNED)};
		round->n++;
	}
}

static void optimise(struct roster *roster)
{
	struct pool_limits limits = roster_limits(roster);
	struct pool_policy policy = pool_policy_lorachain;
	struct round round;
	if (limits.total != 0)
		policy.size = limits.total;
	uint32_t n_cold = policy.size < BOOK_ANSWER_MAX ? policy.size : BOOK_ANSWER_MAX;
	if (!round_begin(roster, &round, n_cold))
		return;
	round_connected(roster, &round);
	round_cold(roster, &round, n_cold);
	struct pool_changes changes = {.drop = round.drop, .dial = round.dial};
	if (pool_optimise(&policy, &limits, round.peers, round.n, round.connected_out, &changes) == 0) {
		for (uint32_t i = 0; i < changes.n_drop; i++)
			roster_close_peer(roster, (uint32_t)round.peers[changes.drop[i]].id, "optimise", 0);
		for (uint32_t i = 0; i < changes.n_dial; i++)
			(void)roster_tell_connect(roster, "",
				&round.targets[changes.dial[i] - round.n_connected].endpoint, "optimise");
	}
	round_end(&round);
}

/** LO-14: who was not seen for a day is forgotten. */
static void forget_offline(struct roster *roster, enum roster_list_kind kind, int64_t after_ms)
{
	for (unsigned i = 0; i < FORGET_MAX; i++) {
		uint32_t oldest = roster->lists[kind].oldest;
		if (oldest == RECORD_NONE)
			return;
		const struct roster_peer *peer = roster_peer_at(roster, oldest);
		if (roster->now_ms - peer->last_seen_ms < after_ms)
			return;
		roster_peer_forget(roster, oldest);
	}
}

/** HE-13: while out of sync for so long, one random outbound peer that is not preferred gives way to another.
 */
static void out_of_sync(struct roster *roster)
{
	uint32_t n = 0, chosen = RECORD_NONE;
	if (roster->now_ms - roster->synced_ms < roster->config.profile.times.out_of_sync_ms)
		return;
	roster->synced_ms = roster->now_ms; /* and the next one as long after */
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer) {
		struct peer_tags tags;
		roster_tags_of(roster, at, &tags);
		if (roster_peer_at(roster, at)->state.n_out == 0 || tags.preferred || tags.trusted ||
			tags.is_protected)
			continue;
		if (keyed_random_below(&roster->random, ++n) == 0) /* each is chosen with equal chance */
			chosen = at;
	}
	if (chosen != RECORD_NONE)
		roster_close_peer(roster, chosen, "out_of_sync", 0);
}

/** V32: preferred ones first, then others that answered before, then any. */
static void outbound_fill(struct roster *roster)
{
	static const enum book_filter filters[] = {
		BOOK_FILTER_PREFERRED, BOOK_FILTER_OUTBOUND, BOOK_FILTER_INBOUND};
	const struct profile *profile = &roster->config.profile;
	struct book_endpoint endpoints[BOOK_ANSWER_MAX];
	uint32_t goal = target_slots_outbound(profile->limits.out, roster->counts.in);
	uint32_t have = roster->counts.out + roster->counts.pending_out + roster->n_told;
	for (unsigned i = 0; i < sizeof(filters) / sizeof(filters[0]) && have < goal; i++) {
		size_t n = address_book_random(roster->book, goal - have, filters[i], /* ready= */ true,
			profile->book.share_failures, roster->now_ms, endpoints);
		for (size_t j = 0; j < n && have < goal; j++) {
			const struct book_record *record = address_book_find(roster->book, &endpoints[j]);
			if (record != NULL && !record->connected)
				have += roster_tell_connect(roster, "", &endpoints[j], "outbound");
		}
	}
}

void roster_pool_step(struct roster *roster)
{
	const struct profile_times *times = &roster->config.profile.times;
	if (!roster->config.profile.has_targets)
		roster_told_settle(roster);
	if (times->optimise_ms != 0 && roster->now_ms >= roster->next_optimise_ms) {
		roster->next_optimise_ms = roster->now_ms + times->optimise_ms;
		optimise(roster);
	}
	if (times->forget_offline_ms != 0) {
		forget_offline(roster, ROSTER_LIST_DISCONNECTED, times->forget_offline_ms);
		forget_offline(roster, ROSTER_LIST_HOSTS, times->forget_offline_ms);
	}
	if (times->out_of_sync_ms != 0 && roster->sync != SYNC_STATE_CAUGHT_UP)
		out_of_sync(roster);
	if (roster->config.profile.value == PROFILE_VALUE_TYPE && roster->config.profile.limits.out != 0)
		outbound_fill(roster);
}
