/* SPDX-License-Identifier: BSD-3-Clause
 * The timers of connections (policy.md 2.1, 2.3, LO-12, DU-21, HE-13, LH-1): dials that nobody heard of
 * again, silence after the proof, idleness, grace and courtesy. Live the dataplane sees silence and idleness
 * itself and cuts: these two run only for connections that no dataplane reports. The roster's thread.
 */
#include "control/roster_private.h"

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/** DU-21, LO-12, HE-13. The 5 s of ouroboros are its protocol's, on an outbound connection that nobody uses:
 * a peer that is warm is wanted. Only two systems close what the node itself opened. */
static int64_t idle_ms(const struct roster *roster, const struct roster_connection *connection)
{
	const struct profile *profile = &roster->config.profile;
	bool both = profile->value == PROFILE_VALUE_TYPE || profile->value == PROFILE_VALUE_LORACHAIN;
	if (profile->value == PROFILE_VALUE_USEFUL || (!connection->inbound && !both))
		return 0;
	return profile->times.idle_ms;
}

static bool awaits_payload(const struct roster *roster, const struct roster_connection *connection)
{
	return roster->config.profile.times.auth_ms > 0 && connection->inbound && !connection->silent &&
	       connection->payload_ms < 0 && connection->auth == OUTCOME_AUTH_NONE;
}

void roster_connection_plan(struct roster *roster, uint32_t index)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	int64_t idle = idle_ms(roster, connection);
	if (!connection->dialing && !connection->closing && !connection->courtesy) {
		connection->due_ms = INT64_MAX;
		if (connection->service == ROSTER_SERVICE_NONE && idle > 0)
			connection->due_ms = connection->last_ms + idle;
		if (connection->service == ROSTER_SERVICE_NONE && awaits_payload(roster, connection))
			connection->due_ms = least(connection->due_ms,
				connection->since_ms + roster->config.profile.times.auth_ms);
	}
	due_queue_set(&roster->connection_due, index, connection->due_ms);
}

/** 2.1 and 2.3: a failure and, where the penalty score counts, Mid; once a connection. HE-13: and it is
 * closed, if it was to authenticate. */
static void silent(struct roster *roster, uint32_t index)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	uint64_t number = connection->number;
	connection->silent = true;
	roster_connection_plan(roster, index);
	if (roster->node_up && !connection->counted) {
		connection->counted = true;
		roster_connection_front(roster, index);
		roster_outcome(roster, connection->peer, OUTCOME_FAILURE);
	}
	index = roster_connection_numbered(roster, number);
	if (index != RECORD_NONE && roster->node_up)
		roster_feed(roster, index, EVENT_FLOW_SILENT, NULL);
	index = roster_connection_numbered(roster, number);
	if (index == RECORD_NONE || !roster_connection_at(roster, index)->pending)
		return;
	struct roster_end end = {CLOSED_BY_WEIR, CLOSED_HOW_TIMEOUT, "not authenticated in time"};
	roster_connection_cut(roster, index, &end);
}

static void idle(struct roster *roster, uint32_t index)
{
	struct roster_end end = {CLOSED_BY_WEIR, CLOSED_HOW_IDLE, "idle"};
	const char *why;
	uint64_t number = roster_connection_at(roster, index)->number;
	(void)roster_connection_outcome(roster, index, &end, OUTCOME_CAUSE_OWN_LIMIT, &why);
	index = roster_connection_numbered(roster, number);
	if (index != RECORD_NONE)
		roster_connection_cut(roster, index, &end);
}

void roster_connection_due(struct roster *roster, uint32_t index)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	const int64_t now_ms = roster->now_ms, idle_after_ms = idle_ms(roster, connection);
	struct roster_end given_up = {CLOSED_BY_NODE, CLOSED_HOW_NONE, "nothing was heard of the dial"};
	const char *why;
	if (connection->dialing) {
		uint64_t number = connection->number;
		(void)roster_connection_outcome(roster, index, &given_up, OUTCOME_CAUSE_NONE, &why);
		index = roster_connection_numbered(roster, number);
		if (index != RECORD_NONE)
			roster_connection_drop(roster, index, &given_up);
	} else if (connection->closing || connection->courtesy) {
		roster_connection_end(roster, index);
	} else if (awaits_payload(roster, connection) &&
		   connection->since_ms + roster->config.profile.times.auth_ms <= now_ms) {
		silent(roster, index);
	} else if (idle_after_ms > 0 && connection->last_ms + idle_after_ms <= now_ms) {
		idle(roster, index);
	} else {
		roster_connection_plan(roster, index);
	}
}
