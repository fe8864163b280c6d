/* SPDX-License-Identifier: BSD-3-Clause
 * Who goes when there are too many, and which are wanted when there are too few (roster_private.h; policy.md
 * LH-3, LH-4, LH-23, LH-24, 5.3 F, 5.5.8, 5.5.9, 5.5.20). The roster's thread. Must not choose victims
 * itself: eviction.h does.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/roster_private.h"

#define EVICT_SILENT (1u << EVICTION_STAGE_SILENT)

/* Groups of bitcoin's stage: IPv4 /16 and IPv6 /32, in bits of the 16-byte form. */
enum { GROUP_V4_LENGTH = 112, GROUP_V6_LENGTH = 32 };

static uint64_t group_of(const struct roster *roster, const struct address *address)
{
	uint8_t length = address_is_v4(address) ? GROUP_V4_LENGTH : GROUP_V6_LENGTH;
	struct prefix prefix = prefix_of(address, length);
	return keyed_hash_bytes(&roster->key, prefix.address.bytes, sizeof(prefix.address.bytes));
}

static bool is_local(const struct address *address)
{
	return address_is_v4(address) && address_v4(address) >> 24 == 127;
}

/** The number of its first connection: what lots are drawn from, and what two runs of one trace agree on. */
static uint64_t number_of(const struct roster *roster, const struct roster_peer *record)
{
	uint64_t number = UINT64_MAX;
	for (uint32_t at = record->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		if (connection->number < number)
			number = connection->number;
		at = connection->of_peer_next;
	}
	return number;
}

static void candidate_traffic(
	const struct roster *roster, const struct roster_peer *record, struct eviction_candidate *candidate)
{
	uint64_t bytes_out = 0;
	for (uint32_t at = record->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		if (connection->bytes_in != 0 && connection->last_in_ms > candidate->useful_ms)
			candidate->useful_ms = connection->last_in_ms;
		bytes_out += connection->bytes_in != 0 ? connection->bytes_out : 0;
		candidate->silent &= connection->inbound && connection->payload_ms < 0 &&
				     connection->auth == OUTCOME_AUTH_NONE;
		at = connection->of_peer_next;
	}
	/* Asked and answered: a bootstrap node has done its part. */
	candidate->served |= bytes_out != 0;
}

static void candidate_fill(struct roster *roster, uint32_t peer, struct eviction_candidate *candidate)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	struct peer_tags tags;
	enum score_state state;
	double combined = roster_combined(roster, peer, &state), value = roster_value(roster, peer);
	bool pinned = roster_is_local_root(roster, peer);
	bool duty = roster_peer_on_duty(roster, peer);
	roster_tags_of(roster, peer, &tags);
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	*candidate = (struct eviction_candidate){.id = number_of(roster, record),
		.inbound = record->state.n_in != 0,
		.trusted = tags.trusted,
		.is_protected = roster_peer_protected(roster, peer), /* the lists too, as at admission (5.3 E) */
		.duty = duty,
		.pinned = pinned,
		.preferred = tags.preferred,
		.discouraged = facts->discouraged,
		.silent = record->id == RECORD_NONE, /* the node knows it, so it has spoken */
		.served = facts->served,
		.relay_txs = tags.relay_txs,
		.state = state,
		.network = is_local(&record->address) ? EVICTION_NETWORK_LOCAL : EVICTION_NETWORK_ORDINARY,
		.score = combined,
		.value = value,
		.rtt_min_ms = facts->counters.rtt_min_ms,
		.connected_ms = record->state.since_ms,
		.useful_ms = facts->last_payload_ms,
		.tx_ms = facts->tx_ms,
		.block_ms = facts->block_ms,
		.group = group_of(roster, &record->address),
		.committees = tags.committees};
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		candidate->subnets[word] = tags.subnets[word];
	candidate_traffic(roster, record, candidate);
}

struct eviction_candidate *roster_candidates(struct roster *roster, uint32_t *ret_n, uint32_t **ret_peers)
{
	uint32_t n = roster->lists[ROSTER_LIST_CONNECTED].n, i = 0;
	*ret_n = 0;
	if (n == 0)
		return NULL;
	struct eviction_candidate *candidates = malloc(n * sizeof(*candidates));
	uint32_t *peers = malloc(n * sizeof(*peers));
	if (candidates == NULL || peers == NULL) {
		free(candidates);
		free(peers);
		return NULL;
	}
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE && i < n;
		at = roster_peer_at(roster, at)->newer) {
		peers[i] = at;
		candidate_fill(roster, at, &candidates[i++]);
	}
	*ret_n = i;
	if (ret_peers != NULL)
		*ret_peers = peers;
	else
		free(peers);
	return candidates;
}

/** Close `wanted` of whoever is connected, by those of the profile's stages that are in `stages`. Returns how
 * many were closed. */
static uint32_t prune(struct roster *roster, uint32_t wanted, uint32_t outbound_floor, uint32_t stages)
{
	uint32_t n, found = 0, *peers;
	struct eviction_policy policy = roster->config.profile.eviction;
	struct eviction_candidate *candidates = roster_candidates(roster, &n, &peers);
	if (candidates == NULL)
		return 0;
	struct eviction_victim *victims = malloc(wanted * sizeof(*victims));
	policy.outbound_floor = outbound_floor;
	policy.stages &= stages;
	policy.key = roster->key;
	if (victims != NULL &&
		eviction_select(&policy, candidates, n, wanted, roster->now_ms, victims, &found) == 0)
		for (uint32_t i = 0; i < found; i++)
			roster_close_peer(roster, peers[victims[i].candidate],
				eviction_stage_name(victims[i].stage), ROSTER_GOODBYE_TOO_MANY);
	free(victims);
	free(candidates);
	free(peers);
	return found;
}

/** 5.5.8: nobody else may go. Counted each time, told when it changes. */
static void short_tell(struct roster *roster, uint32_t wanted, uint32_t closed)
{
	uint32_t missing = wanted - closed;
	roster->prune_short += missing;
	if (missing == roster->short_now)
		return;
	roster->short_now = missing;
	if (missing == 0)
		return;
	struct event_text event;
	event_begin(&event, roster->governor, "prune.short");
	event_number(&event, "wanted", wanted);
	event_number(&event, "closed", closed);
	event_number(&event, "short", missing);
	event_string(&event, "reason", "everybody else is protected, alone on a subnet, or outbound");
	event_end(&event);
}

/** 5.5.9: free places are made before they are needed. How many are missing. */
static uint32_t room_wanted(const struct roster *roster)
{
	const struct profile *profile = &roster->config.profile;
	uint32_t most = profile->limits.total != 0 ? profile->limits.total : profile->limits.soft.hard;
	if (profile->floor_per_mille == 0)
		return 0;
	return eviction_floor_wanted(most, roster->counts.in + roster->counts.out, profile->floor_per_mille);
}

/** Above the soft limit newcomers are delayed by seconds. Before that, silence is enough to go: how many
 * would have to. */
static uint32_t crowd_wanted(const struct roster *roster)
{
	const struct profile *profile = &roster->config.profile;
	const struct target_soft *soft = &profile->limits.soft;
	uint32_t taken = roster->counts.in + roster->counts.out;
	bool paced = soft->mode != TARGET_SOFT_NONE && soft->hard != 0 && taken >= soft->soft;
	return paced && (profile->eviction.stages & EVICT_SILENT) != 0 ? taken - soft->soft + 1 : 0;
}

/* A look at everybody costs about 1 us each: at most a twentieth of the time while places are made, and a
 * two hundredth while there is nobody who may go. */
static int64_t room_rest_ms(const struct roster *roster, bool in_vain)
{
	enum { REST_MS = 20, PEERS_A_MS = 50, IN_VAIN_MS = 100, PEERS_A_MS_IN_VAIN = 5 };
	uint32_t n = roster->lists[ROSTER_LIST_CONNECTED].n;
	return in_vain ? IN_VAIN_MS + n / PEERS_A_MS_IN_VAIN : REST_MS + n / PEERS_A_MS;
}

void roster_room_plan(struct roster *roster)
{
	if (roster->room_due_ms != INT64_MAX || (room_wanted(roster) == 0 && crowd_wanted(roster) == 0))
		return;
	roster->room_due_ms = roster->room_next_ms > roster->now_ms ? roster->room_next_ms : roster->now_ms;
}

void roster_room_make(struct roster *roster)
{
	uint32_t crowd = crowd_wanted(roster),
		 silent = crowd != 0 ? prune(roster, crowd, 0, EVICT_SILENT) : 0;
	uint32_t wanted = room_wanted(roster),
		 closed = wanted != 0 ? prune(roster, wanted, 0, UINT32_MAX) : 0;
	roster->room_next_ms = roster->now_ms + room_rest_ms(roster, silent < crowd || closed < wanted);
	roster->room_due_ms = INT64_MAX;
	roster_room_plan(roster);
}

void roster_prune(struct roster *roster)
{
	const struct profile *profile = &roster->config.profile;
	uint32_t connected = roster->lists[ROSTER_LIST_CONNECTED].n, floor = 0;
	uint32_t wanted = room_wanted(roster);
	if (roster->target != 0) {
		struct target_limits limits;
		target_limits(roster->target, &profile->fractions, &limits);
		if (connected > limits.target && connected - limits.target > wanted)
			wanted = connected - limits.target;
		floor = limits.target_out;
	}
	short_tell(roster, wanted, wanted != 0 ? prune(roster, wanted, floor, UINT32_MAX) : 0);
}

static void discover_peers(struct roster *roster)
{
	struct target_limits limits;
	struct event_text event;
	if (roster->target == 0)
		return;
	target_limits(roster->target, &roster->config.profile.fractions, &limits);
	uint32_t connected = roster->lists[ROSTER_LIST_CONNECTED].n;
	uint32_t wanted = target_discover(&limits, connected, roster->n_outbound_only, roster->n_dialing);
	if (wanted == 0)
		return;
	event_begin(&event, roster->governor, "discover.peers");
	event_number(&event, "n", wanted);
	event_string(&event, "reason", connected + roster->n_dialing < limits.target ? "peers" : "outbound");
	event_end(&event);
}

static void discover_subnets(struct roster *roster)
{
	char list[EVICTION_SUBNETS * 4 + 2] = "[";
	size_t n = 1;
	for (uint32_t subnet = 0; subnet < EVICTION_SUBNETS; subnet++)
		if (roster->now_ms < roster->subnet_until_ms[subnet] &&
			subnet_counts_wants(&roster->subnets, subnet, roster->config.subnet_target))
			n += (size_t)snprintf(list + n, sizeof(list) - n, n == 1 ? "%u" : ",%u", subnet);
	if (n == 1)
		return;
	snprintf(list + n, sizeof(list) - n, "]");
	struct event_text event;
	event_begin(&event, roster->governor, "discover.subnets");
	event_json(&event, "subnets", list);
	event_string(&event, "reason", "too few peers serve them");
	event_end(&event);
}

void roster_discover(struct roster *roster)
{
	discover_peers(roster);
	discover_subnets(roster);
}
