/* SPDX-License-Identifier: BSD-3-Clause
 * The node dials: may it, whom does that mean, and what a dial that failed says (roster.h, conn.dial;
 * policy.md DU-5, LH-1, V22). Every dial is a connection record that is not open yet, so that one path ends
 * them all. The roster's thread. Must not decide when to dial: the book does.
 */
#include "control/roster_private.h"

int roster_dial_failed(struct roster *roster, const struct book_endpoint *endpoint, uint8_t service,
	bool evidence, const struct roster_end *end, enum outcome *ret_outcome, const char **ret_why)
{
	uint32_t index = roster_connection_match(
		roster, &endpoint->address, endpoint->port, false, ROSTER_SERVICE_NONE);
	if (index == RECORD_NONE) {
		struct roster_open open = {
			.address = endpoint->address, .port = endpoint->port, .rtt_ms = -1};
		uint32_t peer;
		int r = roster_peer_obtain(roster, NULL, &endpoint->address, &peer);
		if (r == 0)
			r = roster_connection_make(roster, &open, peer, /* dialing= */ true, &index);
		if (r < 0)
			return r;
		(void)roster_peer_change(roster, peer, PEER_OCCASION_DIAL);
	}
	struct roster_connection *connection = roster_connection_at(roster, index);
	connection->service = service;
	connection->evidence = evidence;
	*ret_outcome = roster_connection_ended(roster, index, end, outcome_cause_from(end->reason), ret_why);
	return 0;
}

/** The peer that is bound to an endpoint, else the host. */
static int dialled_peer(struct roster *roster, const struct book_endpoint *endpoint, uint32_t *ret_peer)
{
	const struct peer_table *table = &roster->governor->peers;
	uint32_t bound = peer_table_find_bound(table, &endpoint->address, endpoint->port);
	if (bound != RECORD_NONE) {
		*ret_peer = roster_peer_find(
			roster, governor_peer_id(roster->governor, peer_table_at(table, bound)));
		if (*ret_peer != RECORD_NONE)
			return 0;
	}
	return roster_peer_obtain(roster, NULL, &endpoint->address, ret_peer);
}

/** What the book does not know, the counters of the peer do (V22). */
static bool circuit_of_peer(struct roster *roster, uint32_t peer, struct book_dial *dial)
{
	struct roster_facts *facts = roster_facts_obtain(roster, peer);
	if (facts == NULL)
		return true;
	dial->allow = circuit_allow(&facts->counters.circuit, roster->now_ms);
	dial->circuit = circuit_state_at(&facts->counters.circuit, roster->now_ms);
	if (!dial->allow) {
		dial->reason = "circuit";
		dial->wait_ms = facts->counters.circuit.until_ms - roster->now_ms;
	}
	return dial->allow;
}

/** V32 and LH-7: so many dials may be under way; 0: any number. */
static uint32_t dials_max(const struct roster *roster)
{
	const struct profile_limits *limits = &roster->config.profile.limits;
	struct target_slots slots;
	if (roster_has_pending(roster)) {
		target_slots(limits->out, limits->pending, &slots);
		return slots.pending_out;
	}
	return roster->target != 0 ? pool_limits_from_target(roster->target).pending_out : 0;
}

void roster_connection_dial(struct roster *roster, const struct address *address, uint16_t port,
	int64_t now_ms, struct book_dial *ret_dial)
{
	struct book_endpoint endpoint = {*address, port};
	struct roster_open open = {.address = *address, .port = port, .rtt_ms = -1};
	struct book_dial dial;
	uint32_t peer, index = roster_connection_match(roster, address, port, false, ROSTER_SERVICE_NONE);
	roster_clock(roster, now_ms);
	if (index == RECORD_NONE && dials_max(roster) != 0 &&
		roster->counts.pending_out >= dials_max(roster)) {
		*ret_dial = (struct book_dial){.reason = "pending", .wait_ms = DIALING_MS};
		return;
	}
	address_book_dial(roster->book, &endpoint, roster->now_ms, &dial);
	bool open_already = index != RECORD_NONE && !roster_connection_at(roster, index)->dialing;
	if (dial.allow && open_already) {
		dial.allow = false;
		dial.reason = "connected";
	}
	if (dial.allow && dialled_peer(roster, &endpoint, &peer) == 0 &&
		(address_book_find(roster->book, &endpoint) != NULL ||
			circuit_of_peer(roster, peer, &dial)) &&
		index == RECORD_NONE &&
		roster_connection_make(roster, &open, peer, /* dialing= */ true, &index) == 0)
		(void)roster_peer_change(roster, peer, PEER_OCCASION_DIAL);
	*ret_dial = dial;
}
