/* SPDX-License-Identifier: BSD-3-Clause
 * What the roster asks the node to do, as events, each once (roster_private.h; policy.md DU-12, DU-18):
 * connect, promote, demote; and forgetting cold addresses, which Weir does itself. The roster's thread. Must
 * not take a request for its fulfilment: what was told is over when it has happened, failed, or been overdue
 * too long.
 */
#include <errno.h>
#include <stdlib.h>

#include "control/roster_private.h"

/* After this time the node is told again. DU-1: for so long ouroboros waits for a connection's end; no
 * backoff of a profile with targets is longer. */
#define TOLD_AGAIN_MS TEMPERATURE_COOLING_MS
/* More requests than targets can want at once (5.3 K: established is at most 1000, twice). */
enum { TOLD_MAX = 4096 };

static uint32_t told_find(const struct roster *roster, const struct book_endpoint *endpoint)
{
	for (uint32_t i = 0; i < roster->n_told; i++)
		if (roster->told[i].endpoint.port == endpoint->port &&
			address_compare(&roster->told[i].endpoint.address, &endpoint->address) == 0)
			return i;
	return RECORD_NONE;
}

bool roster_is_told(const struct roster *roster, const struct book_endpoint *endpoint)
{
	return told_find(roster, endpoint) != RECORD_NONE;
}

static uint32_t attempts_of(const struct book_record *record)
{
	return record == NULL ? 0 : record->ok + record->fail;
}

static bool told_is_over(const struct roster *roster, const struct roster_told *told)
{
	const struct book_endpoint *endpoint = &told->endpoint;
	const struct book_record *record = address_book_find(roster->book, endpoint);
	if (roster->now_ms - told->told_ms >= TOLD_AGAIN_MS)
		return true;
	if (record != NULL && (record->connected || attempts_of(record) != told->attempts))
		return true;
	uint32_t connection = roster_connection_find(roster, &endpoint->address, endpoint->port);
	return connection != RECORD_NONE && !roster_connection_at(roster, connection)->dialing;
}

void roster_told_settle(struct roster *roster)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < roster->n_told; i++)
		if (!told_is_over(roster, &roster->told[i]))
			roster->told[kept++] = roster->told[i];
	roster->n_told = kept;
}

static bool told_add(struct roster *roster, const struct book_endpoint *endpoint)
{
	if (roster->n_told == roster->told_size) {
		uint32_t wanted = roster->told_size == 0 ? 64 : roster->told_size * 2;
		if (wanted > TOLD_MAX)
			return false;
		struct roster_told *grown = realloc(roster->told, wanted * sizeof(*grown));
		if (grown == NULL)
			return false;
		roster->told = grown;
		roster->told_size = wanted;
	}
	roster->told[roster->n_told++] = (struct roster_told){.endpoint = *endpoint,
		.told_ms = roster->now_ms,
		.attempts = attempts_of(address_book_find(roster->book, endpoint))};
	return true;
}

bool roster_tell_connect(
	struct roster *roster, const char *id, const struct book_endpoint *endpoint, const char *reason)
{
	struct event_text event;
	if (roster_is_told(roster, endpoint) || !told_add(roster, endpoint))
		return false;
	roster_event_address(&event, roster, "governor.connect", &endpoint->address, endpoint->port);
	event_string(&event, "id", id);
	event_string(&event, "old", temperature_name(TEMPERATURE_COLD));
	event_string(&event, "new", temperature_name(TEMPERATURE_WARM));
	event_string(&event, "reason", reason);
	event_end(&event);
	return true;
}

void roster_tell_move(struct roster *roster, uint32_t peer, enum target_action_kind kind, const char *reason)
{
	bool up = kind == TARGET_PROMOTE;
	struct roster_facts *facts = roster_facts_obtain(roster, peer);
	struct event_text event;
	if (facts == NULL)
		return;
	facts->is_told = true;
	facts->told = kind;
	facts->told_ms = roster->now_ms;
	roster_event_peer(&event, roster, up ? "governor.promote" : "governor.demote", peer);
	event_string(&event, "old", temperature_name(up ? TEMPERATURE_WARM : TEMPERATURE_HOT));
	event_string(&event, "new", temperature_name(up ? TEMPERATURE_HOT : TEMPERATURE_WARM));
	event_string(&event, "reason", reason);
	event_end(&event);
}

/** The node has done it, or must be told anew. */
static void move_settle(const struct roster *roster, struct roster_facts *facts, enum temperature now)
{
	if (!facts->is_told)
		return;
	bool done = facts->told == TARGET_PROMOTE ? now == TEMPERATURE_HOT : now != TEMPERATURE_HOT;
	if (done || roster->now_ms - facts->told_ms >= TOLD_AGAIN_MS)
		facts->is_told = false;
}

/** DU-19: usefulness clears failures, here and in the book. */
static void hot_clears(struct roster *roster, uint32_t peer, struct roster_facts *facts)
{
	const struct counter_policy *policy = &roster->config.profile.counters;
	struct book_endpoint endpoint;
	if (facts->hot_since_ms == 0)
		facts->hot_since_ms = roster->now_ms;
	uint32_t before = peer_counters_failures(&facts->counters, policy, roster->now_ms);
	peer_counters_hot(&facts->counters, policy, facts->hot_since_ms, roster->now_ms);
	if (before == 0 || peer_counters_failures(&facts->counters, policy, roster->now_ms) != 0 ||
		policy->clock != FAILURE_CLOCK_CLEAR_AFTER_HOT)
		return;
	if (!roster_peer_endpoint(roster, peer, &endpoint) ||
		address_book_find(roster->book, &endpoint) == NULL)
		return;
	struct book_record values = {.address = endpoint.address, .port = endpoint.port};
	(void)address_book_put(roster->book, &values, BOOK_PUT_FAILURES, roster->now_ms, NULL);
}

static struct target_peer peer_view(struct roster *roster, uint32_t peer, struct roster_facts *facts)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	enum temperature now = roster_temperature(roster, peer);
	struct peer_tags tags;
	roster_tags_of(roster, peer, &tags);
	move_settle(roster, facts, now);
	if (now == TEMPERATURE_HOT)
		hot_clears(roster, peer, facts);
	else
		facts->hot_since_ms = 0;
	bool inbound = record->state.n_out == 0;
	return (struct target_peer){.id = peer,
		.temperature = !facts->is_told                 ? now
			       : facts->told == TARGET_PROMOTE ? TEMPERATURE_HOT
							       : TEMPERATURE_WARM,
		.big_ledger = roster_category(roster, peer) == PEER_CATEGORY_BIG_LEDGER,
		.inbound = inbound,
		.is_protected = tags.trusted || tags.is_protected || facts->is_told ||
				roster_peer_on_duty(roster, peer) || roster_is_local_root(roster, peer),
		.excluded = facts->is_told ||
			    (facts->churn_cycle != 0 && facts->churn_cycle == roster->churn.cycle),
		.group = roster_root_group(roster, peer),
		.rank = roster_value(roster, peer),
		/* An inbound one matures from its connection (DU-22). */
		.since_ms = inbound ? record->state.since_ms : facts->temperature.since_ms,
		.failures = peer_counters_failures(
			&facts->counters, &roster->config.profile.counters, roster->now_ms),
		.stale = facts->stall.stale};
}

/** DU-22: an inbound peer is none of the targets' business until it is mature, or the node has made it hot.
 * Else the newest, of which least is known, would be closed for every surplus and nobody would ever mature;
 * and strangers who send a byte a minute (5.5.15) would take the places of peers that the node chose. */
static bool is_candidate(const struct roster *roster, uint32_t peer)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	bool made_hot = roster_facts_of(roster, peer)->node_said &&
			roster_temperature(roster, peer) == TEMPERATURE_HOT;
	return record->state.n_out != 0 || made_hot ||
	       roster->now_ms - record->state.since_ms >= roster->config.profile.times.mature_ms ||
	       roster_is_local_root(roster, peer);
}

int roster_target_peers(
	struct roster *roster, uint32_t places, struct target_peer **ret_peers, uint32_t *ret_n)
{
	uint32_t n_roots = roster->n_roots, most = roster->lists[ROSTER_LIST_CONNECTED].n, n = 0;
	struct target_peer *peers = malloc(((size_t)most + places + 1) * sizeof(*peers));
	uint32_t *of_root = malloc(((size_t)n_roots + 1) * sizeof(*of_root));
	if (peers == NULL || of_root == NULL) {
		free(peers);
		free(of_root);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n_roots; i++)
		of_root[i] = RECORD_NONE;
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE && n_roots != 0;
		at = roster_peer_at(roster, at)->newer) {
		uint32_t root = roster_root_of(roster, at);
		if (root != RECORD_NONE && of_root[root] == RECORD_NONE)
			of_root[root] = at;
	}
	for (uint32_t i = 0; i < n_roots; i++)
		if (of_root[i] != RECORD_NONE && roster_facts_obtain(roster, of_root[i]) != NULL)
			peers[n++] = peer_view(roster, of_root[i], roster_peer_at(roster, of_root[i])->facts);
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer) {
		uint32_t root = n_roots != 0 ? roster_root_of(roster, at) : RECORD_NONE;
		if ((root == RECORD_NONE || of_root[root] != at) && is_candidate(roster, at) &&
			roster_facts_obtain(roster, at) != NULL)
			peers[n++] = peer_view(roster, at, roster_peer_at(roster, at)->facts);
	}
	free(of_root);
	*ret_peers = peers;
	*ret_n = n;
	return 0;
}

void roster_evict_cold(struct roster *roster, uint32_t count, const char *reason)
{
	struct book_endpoint coldest[BOOK_ANSWER_MAX];
	struct event_text event;
	size_t n = address_book_coldest(
		roster->book, count < BOOK_ANSWER_MAX ? count : BOOK_ANSWER_MAX, roster->now_ms, coldest);
	for (size_t i = 0; i < n; i++) {
		roster_event_address(
			&event, roster, "governor.evict_cold", &coldest[i].address, coldest[i].port);
		event_string(&event, "old", temperature_name(TEMPERATURE_COLD));
		event_string(&event, "reason", reason);
		event_end(&event);
		(void)address_book_remove(roster->book, &coldest[i], reason);
	}
}
