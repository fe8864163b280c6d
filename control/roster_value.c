/* SPDX-License-Identifier: BSD-3-Clause
 * What a peer is worth, and what outcomes do to it (roster.h; policy.md 5.3 B and C, 5.4). The roster's
 * thread. Must not mix penalties into values but where a profile ranks by them (lighthouse).
 */
#include <math.h>

#include "control/roster_private.h"

/* DU-4: the later reputation recovers in steps of this length, as failures halve. */
#define REPUTATION_STEP_MS INT64_C(300000)
#define DAY_MS             86400000.0
#define MINUTE_MS          60000.0
/* LO-8: a change of more than one of a hundred is news; the other values have other ranges. */
#define NEWS_OF_HUNDRED 1.0
/* Below any difference that the first key of an order is given in. */
#define SECOND_KEY 1e-3

bool roster_peer_endpoint(const struct roster *roster, uint32_t peer, struct book_endpoint *ret_endpoint)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	uint16_t port = record->listen_port;
	/* One host may be dialled at several ports: the connection that is spoken of comes first. */
	for (uint32_t at = record->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		if (!connection->inbound) {
			*ret_endpoint = (struct book_endpoint){connection->address, connection->port};
			return true;
		}
		at = connection->of_peer_next;
	}
	/* The port of an inbound connection is a passing one. */
	if (port == 0 && record->state.n_in == 0 && record->state.direction != PEER_DIRECTION_IN)
		port = record->port;
	if (port == 0)
		return false;
	*ret_endpoint = (struct book_endpoint){record->address, port};
	return true;
}

enum temperature roster_temperature(const struct roster *roster, uint32_t peer)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	if (record->state.status != PEER_STATUS_CONNECTED)
		return facts->temperature.temperature == TEMPERATURE_COOLING ? TEMPERATURE_COOLING
									     : TEMPERATURE_COLD;
	if (facts->temperature.temperature == TEMPERATURE_COOLING)
		return TEMPERATURE_COOLING;
	if (record->state.n_out != 0 || facts->node_said)
		return facts->temperature.temperature == TEMPERATURE_HOT ? TEMPERATURE_HOT : TEMPERATURE_WARM;
	return temperature_inbound(facts->node_hot, facts->last_payload_ms, roster->now_ms);
}

static double reputation_now(const struct roster *roster, const struct roster_facts *facts)
{
	int64_t passed_ms = roster->now_ms - facts->reputation_ms;
	if (facts->reputation_ms == 0 || passed_ms < REPUTATION_STEP_MS)
		return facts->reputation;
	return value_reputation_recover(facts->reputation, (uint64_t)(passed_ms / REPUTATION_STEP_MS));
}

double roster_reputation(const struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	return roster->config.profile.value == PROFILE_VALUE_QUALITY ? facts->standing.reputation
								     : reputation_now(roster, facts);
}

struct value_lorachain roster_value_lorachain(const struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	const struct peer_counters *counters = &facts->counters;
	if (!facts->has_lorachain && counters->ok == 0 && counters->fail == 0 && counters->rtt_ms < 0)
		return (struct value_lorachain){ROSTER_LORACHAIN_UNKNOWN, ROSTER_LORACHAIN_UNKNOWN,
			ROSTER_LORACHAIN_UNKNOWN, ROSTER_LORACHAIN_UNKNOWN};
	struct value_lorachain_input input = facts->lorachain;
	if (!facts->has_lorachain)
		input = (struct value_lorachain_input){.uptime = -1,
			.conn_success = -1,
			.delivery = -1,
			.throughput = -1,
			.compliance = -1,
			.signal_dbm = NAN};
	input.latency_ms = counters->rtt_ms;
	input.light = facts->tags.light;
	/* What is measured stands in for what the node does not say. */
	if (input.conn_success < 0 && (counters->ok != 0 || counters->fail != 0))
		input.conn_success = value_quality(counters->ok, counters->fail);
	struct value_lorachain value = value_lorachain(&input);
	/* LO-7: all of it fades from when it was last reported. */
	double days = facts->lorachain_ms == 0 ? 0 : (double)(roster->now_ms - facts->lorachain_ms) / DAY_MS;
	value.reliability = value_lorachain_decay(value.reliability, days);
	value.performance = value_lorachain_decay(value.performance, days);
	value.behaviour = value_lorachain_decay(value.behaviour, days);
	value.overall = value_lorachain_decay(value.overall, days);
	return value;
}

double roster_value_dugite(const struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	double fetch_age_min = -1;
	if (facts->last_fetch_ms != 0)
		fetch_age_min = (double)(roster->now_ms - facts->last_fetch_ms) / MINUTE_MS;
	return value_dugite(&(struct value_dugite_input){.rtt_ms = facts->counters.rtt_ms,
		.fetch_ms = facts->counters.fetch_ms,
		.blocks = facts->blocks,
		.ok = facts->counters.ok,
		.fail = facts->counters.fail,
		.fetch_age_min = fetch_age_min});
}

double roster_value_rank(const struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	return value_rank(reputation_now(roster, facts), facts->counters.fetch_ms,
		peer_counters_failures(&facts->counters, &roster->config.profile.counters, roster->now_ms));
}

double roster_value_selection(const struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	struct peer_tags tags;
	roster_tags_of(roster, peer, &tags);
	return value_selection(&(struct value_selection_input){.reputation = reputation_now(roster, facts),
		.category = tags.category,
		.source = tags.source,
		.failures = peer_counters_failures(
			&facts->counters, &roster->config.profile.counters, roster->now_ms),
		.tip_known = facts->tip_known});
}

/** When the peer last sent something; 0: not in this session. */
static int64_t last_in_ms(const struct roster *roster, const struct roster_peer *record)
{
	int64_t last_ms = 0;
	for (uint32_t at = record->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		if (connection->last_in_ms > last_ms)
			last_ms = connection->last_in_ms;
		at = connection->of_peer_next;
	}
	return last_ms;
}

static uint64_t bytes_in(const struct roster *roster, const struct roster_peer *record)
{
	uint64_t bytes = 0;
	for (uint32_t at = record->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		bytes += connection->bytes_in;
		at = connection->of_peer_next;
	}
	return bytes;
}

double roster_value_inbound(const struct roster *roster, uint32_t peer)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	bool connected = record->state.status == PEER_STATUS_CONNECTED;
	double age_s = connected ? (double)(roster->now_ms - record->state.since_ms) / 1000.0 : 0;
	int64_t heard_ms = last_in_ms(roster, record);
	if (connected && heard_ms < record->state.since_ms)
		heard_ms = record->state.since_ms;
	uint32_t subnet = 0;
	if (roster->config.profile.subnet_penalty > 0)
		subnet = roster_prefix_connected(roster, &record->address);
	return value_inbound(&(struct value_inbound_input){.rtt_ms = facts->counters.rtt_ms,
		.useful = isnan(facts->useful) ? -1 : facts->useful,
		.bytes_in = facts->bytes_in + bytes_in(roster, record),
		.ok = facts->counters.ok,
		.fail = facts->counters.fail,
		.age_s = age_s,
		.idle_s = connected ? (double)(roster->now_ms - heard_ms) / 1000.0 : -1,
		.subnet_connected = subnet});
}

static double value_subnets(const struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	enum score_state state;
	unsigned subnets = 0;
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		subnets += (unsigned)__builtin_popcountll(facts->tags.subnets[word]);
	return roster_combined(roster, peer, &state) + SECOND_KEY * subnets;
}

static double value_type(const struct roster *roster, uint32_t peer)
{
	struct peer_tags tags;
	roster_tags_of(roster, peer, &tags);
	if (tags.preferred)
		return BOOK_TYPE_PREFERRED;
	return roster_peer_at(roster, peer)->state.n_out != 0 ? BOOK_TYPE_OUTBOUND : BOOK_TYPE_INBOUND;
}

double roster_value(const struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	const struct profile *profile = &roster->config.profile;
	double useful = isnan(facts->useful) ? 0 : facts->useful, value;
	switch (profile->value) {
	case PROFILE_VALUE_SUBNETS:
		return value_subnets(roster, peer);
	case PROFILE_VALUE_USEFUL: /* 5.5.2 */
		return useful + SECOND_KEY * roster_value_dugite(roster, peer);
	case PROFILE_VALUE_DUGITE:
		value = roster_value_dugite(roster, peer);
		if (profile->subnet_penalty > 0)
			value -= value_subnet_penalty(
				roster_prefix_connected(roster, &roster_peer_at(roster, peer)->address));
		return value;
	case PROFILE_VALUE_TYPE:
		return value_type(roster, peer);
	case PROFILE_VALUE_QUALITY:
		return value_quality(facts->counters.ok, facts->counters.fail);
	case PROFILE_VALUE_LORACHAIN:
		return roster_value_lorachain(roster, peer).overall;
	default:
		return roster_value_inbound(roster, peer);
	}
}

static struct score app_score(const struct roster *roster, uint32_t peer)
{
	const struct governor *governor = roster->governor;
	struct peer_name name = roster_peer_name(roster, peer);
	uint32_t known = governor_peer_named(governor, &name);
	return known == RECORD_NONE ? (struct score){0} : peer_table_at(&governor->peers, known)->score;
}

double roster_app_score(const struct roster *roster, uint32_t peer)
{
	struct score score = app_score(roster, peer);
	return score_at(&score, &roster->governor->config, roster->now_ms);
}

double roster_combined(const struct roster *roster, uint32_t peer, enum score_state *ret_state)
{
	const struct governor_config *config = &roster->governor->config;
	struct score score = app_score(roster, peer);
	struct peer_tags tags;
	roster_tags_of(roster, peer, &tags);
	/* LH-19, 5.5.4: what is said of a trusted one does not count, whoever says it. */
	bool counts = !tags.trusted && !tags.is_protected;
	*ret_state = counts && roster->config.profile.penalty.on
			     ? score_state_at(&score, config, roster->now_ms)
			     : SCORE_STATE_HEALTHY;
	return counts ? score_combined_at(&score, config, roster->now_ms) : 0;
}

/** The scale on which a change of one hundredth is news. */
static double news_unit(const struct profile *profile)
{
	return profile->value == PROFILE_VALUE_LORACHAIN || profile->value == PROFILE_VALUE_SUBNETS ? 1 : 100;
}

double roster_value_start(const struct roster *roster)
{
	return roster->config.profile.value == PROFILE_VALUE_LORACHAIN ? ROSTER_LORACHAIN_UNKNOWN : (double)NAN;
}

/** LO-8: into the history of whoever the governor knows. */
static void value_note(struct roster *roster, uint32_t peer, double value)
{
	struct governor *governor = roster->governor;
	struct peer_name name = roster_peer_name(roster, peer);
	uint32_t known = governor_peer_named(governor, &name);
	struct peer_change change = {.t_ms = roster->now_ms, .score = value, .kind = PEER_CHANGE_VALUE};
	if (known != RECORD_NONE)
		peer_history_add(&governor->peers, known, &change, roster->config.profile.name);
}

void roster_value_tell(struct roster *roster, uint32_t peer)
{
	struct roster_facts *facts = roster_peer_at(roster, peer)->facts;
	if (facts == NULL)
		return;
	double value = roster_value(roster, peer), before = facts->value;
	facts->value_ms = roster->now_ms;
	if (isnan(before))
		facts->value = value;
	if (isnan(before) || fabs(value - before) * news_unit(&roster->config.profile) <= NEWS_OF_HUNDRED)
		return;
	facts->value = value;
	value_note(roster, peer, value);
	struct event_text event;
	roster_event_peer(&event, roster, "peer.score_updated", peer);
	event_number(&event, "old_value", before);
	event_number(&event, "value", value);
	event_end(&event);
}

static const char *circuit_name(enum circuit_state state)
{
	static const char *const names[] = {
		[CIRCUIT_CLOSED] = "closed", [CIRCUIT_OPEN] = "open", [CIRCUIT_HALF_OPEN] = "half_open"};
	return names[state];
}

static void circuit_tell(struct roster *roster, uint32_t peer, enum circuit_state before)
{
	const struct circuit *circuit = &roster_facts_of(roster, peer)->counters.circuit;
	enum circuit_state after = circuit_state_at(circuit, roster->now_ms);
	if (before == after)
		return;
	struct event_text event;
	roster_event_peer(&event, roster, "circuit.changed", peer);
	event_string(&event, "old", circuit_name(before));
	event_string(&event, "new", circuit_name(after));
	if (after == CIRCUIT_OPEN)
		event_time(&event, "until", circuit->until_ms);
	event_end(&event);
}

static void reputation_outcome(struct roster *roster, struct roster_facts *facts, bool ok)
{
	facts->reputation = value_reputation_outcome(reputation_now(roster, facts), ok);
	/* Whole steps have been taken; what is left of the last one counts on. */
	if (facts->reputation_ms == 0)
		facts->reputation_ms = roster->now_ms;
	else
		facts->reputation_ms +=
			(roster->now_ms - facts->reputation_ms) / REPUTATION_STEP_MS * REPUTATION_STEP_MS;
}

/** SP-9: the book's layer; what orders dialling goes with it (DU-7). */
static void book_outcome(
	struct roster *roster, uint32_t peer, const struct roster_facts *facts, enum outcome outcome)
{
	struct book_endpoint endpoint;
	if (!roster_peer_endpoint(roster, peer, &endpoint) ||
		address_book_find(roster->book, &endpoint) == NULL)
		return;
	if (outcome == OUTCOME_NEUTRAL) {
		(void)address_book_neutral(roster->book, &endpoint, roster->now_ms);
		return;
	}
	(void)address_book_outcome(roster->book, &endpoint, outcome == OUTCOME_SUCCESS, roster->now_ms);
	struct book_record values = {.address = endpoint.address,
		.port = endpoint.port,
		.reputation = (float)facts->reputation,
		.tip_known = facts->tip_known};
	(void)address_book_put(
		roster->book, &values, BOOK_PUT_REPUTATION | BOOK_PUT_TIP_KNOWN, roster->now_ms, NULL);
}

/** SP-8's blacklist is Spacetime's alone; elsewhere bans are what keeps somebody out. */
static void standing_outcome(struct roster *roster, uint32_t peer, struct roster_facts *facts, bool ok)
{
	bool before = facts->standing.blacklisted;
	value_standing_outcome(&facts->standing, ok);
	if (roster->config.profile.value != PROFILE_VALUE_QUALITY)
		facts->standing.blacklisted = false;
	if (!before && facts->standing.blacklisted)
		roster_close_peer(roster, peer, "blacklisted", 0);
}

void roster_outcome(struct roster *roster, uint32_t peer, enum outcome outcome)
{
	const struct counter_policy *policy = &roster->config.profile.counters;
	struct roster_facts *facts = roster_facts_obtain(roster, peer);
	if (facts == NULL)
		return; /* without memory for what would be counted */
	enum circuit_state before = circuit_state_at(&facts->counters.circuit, roster->now_ms);
	if (outcome == OUTCOME_NEUTRAL) {
		peer_counters_neutral(&facts->counters, roster->now_ms);
	} else {
		bool ok = outcome == OUTCOME_SUCCESS;
		if (ok)
			peer_counters_success(&facts->counters, policy, roster->now_ms);
		else
			peer_counters_failure(&facts->counters, policy, roster->now_ms);
		reputation_outcome(roster, facts, ok);
	}
	book_outcome(roster, peer, facts, outcome);
	circuit_tell(roster, peer, before);
	if (outcome != OUTCOME_NEUTRAL)
		standing_outcome(roster, peer, facts, outcome == OUTCOME_SUCCESS);
}
