/* SPDX-License-Identifier: BSD-3-Clause
 * The life of connection records and what follows from a peer's status: counts, lists, subnets, prefixes,
 * temperature, dues, the book. The roster's thread. Must not decide who may come or has to go.
 */
#include "control/roster_private.h"

#include <errno.h>

/* The session of a peer: from its first connection to the moment at which the last one is gone or closing. */

static void session_begin(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	struct roster_facts *facts = roster_facts_obtain(roster, index);
	const struct peer_due_policy *due = &roster->config.profile.due;
	roster_prefix_count(roster, &peer->address, 1);
	roster_temperature_set(roster, index, TEMPERATURE_WARM); /* 2.2: proven and accepted */
	if (facts == NULL)
		return;
	subnet_counts_change(&roster->subnets, &facts->tags, true);
	facts->hot_since_ms = 0;
	if (due->ping_in_ms != 0)
		peer_due_connected(
			&facts->due, due, peer->state.direction == PEER_DIRECTION_IN, roster->now_ms);
}

static void session_end(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	struct roster_facts *facts = peer->facts;
	roster_prefix_count(roster, &peer->address, -1);
	if (facts == NULL)
		return;
	subnet_counts_change(&roster->subnets, &facts->tags, false);
	peer_tags_disconnect(&facts->tags);
	peer_due_disconnected(&facts->due);
	facts->node_hot = facts->node_said = false;
	if (peer->state.status == PEER_STATUS_DISCONNECTING)
		roster_temperature_set(roster, index, TEMPERATURE_COOLING);
}

enum peer_operation roster_peer_change(struct roster *roster, uint32_t index, enum peer_occasion occasion)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	enum peer_status before = peer->state.status;
	bool outbound_only = peer_state_is_outbound_only(&peer->state);
	enum peer_operation operation = peer_state_change(&peer->state, occasion, roster->now_ms);
	enum peer_status after = peer->state.status;
	roster->n_outbound_only -= outbound_only;
	roster->n_outbound_only += peer_state_is_outbound_only(&peer->state);
	if (before == after)
		return operation;
	if (after == PEER_STATUS_CONNECTED)
		session_begin(roster, index);
	else if (before == PEER_STATUS_CONNECTED)
		session_end(roster, index);
	if (after == PEER_STATUS_DISCONNECTED || after == PEER_STATUS_BANNED)
		roster_temperature_set(roster, index, TEMPERATURE_COLD);
	peer->last_seen_ms = roster->now_ms;
	roster_peer_due_plan(roster, index);
	roster_peer_relist(roster, index);
	return operation;
}

/* Places */

void roster_connection_count(struct roster *roster, const struct roster_connection *connection, int change)
{
	uint32_t *place;
	if (connection->courtesy)
		place = &roster->n_courtesy;
	else if (connection->closing)
		place = &roster->n_closing;
	else if (connection->dialing)
		place = &roster->counts.pending_out;
	else if (connection->pending)
		place = connection->inbound ? &roster->counts.pending_in : &roster->counts.pending_out;
	else
		place = connection->inbound ? &roster->counts.in : &roster->counts.out;
	*place += (uint32_t)change;
	roster->n_dialing += connection->dialing ? (uint32_t)change : 0;
}

/* The list of a peer's connections */

static void attach(struct roster *roster, uint32_t index, uint32_t peer_index)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	struct roster_peer *peer = roster_peer_at(roster, peer_index);
	connection->peer = peer_index;
	connection->of_peer_previous = RECORD_NONE;
	connection->of_peer_next = peer->connections;
	if (peer->connections != RECORD_NONE)
		roster_connection_at(roster, peer->connections)->of_peer_previous = index;
	peer->connections = index;
}

static void detach(struct roster *roster, uint32_t index)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	if (connection->of_peer_previous != RECORD_NONE)
		roster_connection_at(roster, connection->of_peer_previous)->of_peer_next =
			connection->of_peer_next;
	else
		roster_peer_at(roster, connection->peer)->connections = connection->of_peer_next;
	if (connection->of_peer_next != RECORD_NONE)
		roster_connection_at(roster, connection->of_peer_next)->of_peer_previous =
			connection->of_peer_previous;
}

/* The list of a host's connections, whoever they are bound to */

static void stand_behind(struct roster *roster, uint32_t index, uint32_t host_index)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	struct roster_peer *host = roster_peer_at(roster, host_index);
	connection->of_host_previous = RECORD_NONE;
	connection->of_host_next = host->behind_first;
	if (host->behind_first != RECORD_NONE)
		roster_connection_at(roster, host->behind_first)->of_host_previous = index;
	host->behind_first = index;
	host->behind++;
}

static void leave_host(struct roster *roster, uint32_t index, uint32_t host_index)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	struct roster_peer *host = roster_peer_at(roster, host_index);
	if (connection->of_host_previous != RECORD_NONE)
		roster_connection_at(roster, connection->of_host_previous)->of_host_next =
			connection->of_host_next;
	else
		host->behind_first = connection->of_host_next;
	if (connection->of_host_next != RECORD_NONE)
		roster_connection_at(roster, connection->of_host_next)->of_host_previous =
			connection->of_host_previous;
	host->behind--;
}

void roster_connection_front(struct roster *roster, uint32_t index)
{
	uint32_t peer = roster_connection_at(roster, index)->peer;
	detach(roster, index);
	attach(roster, index, peer);
}

static enum peer_occasion occasion_open(const struct roster_connection *connection)
{
	return connection->inbound ? PEER_OCCASION_CONNECTED_IN : PEER_OCCASION_CONNECTED_OUT;
}

static enum peer_occasion occasion_closed(const struct roster_connection *connection)
{
	if (connection->dialing)
		return PEER_OCCASION_DIAL_FAILED;
	return connection->inbound ? PEER_OCCASION_CLOSED_IN : PEER_OCCASION_CLOSED_OUT;
}

void roster_connection_move(struct roster *roster, uint32_t index, uint32_t to)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	uint32_t from = connection->peer;
	if (from == to)
		return;
	detach(roster, index);
	attach(roster, index, to);
	roster_peer_relist(roster, from);
	roster_peer_relist(roster, to);
	struct roster_peer *peer = roster_peer_at(roster, to);
	/* A host keeps its identity, the address of its /64. */
	if (peer->id != RECORD_NONE && peer->state.status != PEER_STATUS_CONNECTED) {
		peer->address = connection->address;
		peer->port = connection->port;
	}
	if (connection->courtesy)
		return; /* it has no status */
	(void)roster_peer_change(roster, from, occasion_closed(connection));
	roster_facts_settle(roster, from);
	if (!connection->dialing)
		(void)roster_peer_change(roster, to, occasion_open(connection));
}

/* Records */

static int index_connection(struct roster *roster, uint32_t index)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	int r = due_queue_reserve(&roster->connection_due, index + 1);
	if (r == 0)
		r = hash_index_insert(&roster->number_index,
			(uint32_t)keyed_hash_words(&roster->key, connection->number, 0), index);
	if (r < 0)
		return r;
	r = hash_index_insert(&roster->connection_index,
		roster_connection_hash(roster, &connection->address, connection->port), index);
	if (r < 0)
		hash_index_remove(&roster->number_index, index);
	return r;
}

/** Room for one more: the connection whose timer is next gives way if it is one that is not open yet. */
static bool make_room(struct roster *roster)
{
	struct due_entry first;
	if (roster->connections.n_used < roster->config.connections_max)
		return true;
	if (!due_queue_peek(&roster->connection_due, &first))
		return false;
	const struct roster_connection *connection = roster_connection_at(roster, first.item);
	if (!connection->pending && !connection->dialing && !connection->closing && !connection->courtesy)
		return false;
	roster->refused++;
	roster_connection_drop(
		roster, first.item, &(struct roster_end){CLOSED_BY_WEIR, CLOSED_HOW_RST, "no room"});
	return true;
}

int roster_connection_make(struct roster *roster, const struct roster_open *open, uint32_t peer, bool dialing,
	uint32_t *ret_connection)
{
	uint32_t index, host;
	if (!make_room(roster))
		return -ENOSPC;
	int r = record_pool_take(&roster->connections, &index);
	if (r < 0)
		return r;
	struct roster_connection *connection = roster_connection_at(roster, index);
	*connection = (struct roster_connection){.number = roster->next_number,
		.address = open->address,
		.port = open->port,
		.since_ms = roster->now_ms,
		.last_in_ms = roster->now_ms,
		.last_ms = roster->now_ms,
		.payload_ms = -1,
		.due_ms = dialing ? roster->now_ms + DIALING_MS : INT64_MAX,
		.rtt_min_ms = open->rtt_ms >= 0.0 ? open->rtt_ms : -1.0,
		.inbound = open->inbound,
		.proven = !dialing,
		.pending = !dialing && roster_has_pending(roster),
		.dialing = dialing,
		.evidence = true,
		.reason = RECORD_NONE,
		.service = ROSTER_SERVICE_NONE};
	r = index_connection(roster, index);
	if (r < 0) {
		record_pool_give(&roster->connections, index);
		return r;
	}
	roster->next_number++;
	attach(roster, index, peer);
	roster_peer_relist(roster, peer); /* whose connection lives is not forgotten, be it a courtesy */
	roster_connection_count(roster, connection, 1);
	/* A dial may be for a peer whose host nobody has spoken of. */
	connection->behind = roster_peer_obtain(roster, NULL, &open->address, &host) == 0;
	if (connection->behind) {
		stand_behind(roster, index, host);
		roster_peer_relist(roster, host);
	}
	roster_connection_plan(roster, index);
	*ret_connection = index;
	return 0;
}

static const char *by_name(enum closed_by by)
{
	static const char *const names[] = {"", "client", "node", "weir"};
	return (unsigned)by < sizeof(names) / sizeof(names[0]) ? names[by] : "";
}

static const char *how_name(enum closed_how how)
{
	static const char *const names[] = {"", "fin", "rst", "timeout", "backend_refused", "established",
		"backend_silent", "idle", "straggler"};
	return (unsigned)how < sizeof(names) / sizeof(names[0]) ? names[how] : "";
}

static bool never_opened(const struct roster_connection *connection, const struct roster_end *end)
{
	return connection->dialing || end->how == CLOSED_HOW_BACKEND_REFUSED ||
	       end->how == CLOSED_HOW_BACKEND_SILENT;
}

static void announce_end(struct roster *roster, uint32_t index, const struct roster_end *end)
{
	struct event_text event;
	const struct roster_connection *connection = roster_connection_at(roster, index);
	bool failed = never_opened(connection, end);
	roster_event_connection(&event, roster, failed ? "conn.failed" : "peer.disconnected", index);
	if (!event.wanted)
		return;
	if (!failed) {
		/* The status follows below; the state machine says what it will be. */
		const struct roster_peer *peer = roster_peer_at(roster, connection->peer);
		struct peer_state after = peer->state;
		if (!connection->courtesy)
			(void)peer_state_change(&after, occasion_closed(connection), roster->now_ms);
		event_string(&event, "old", peer_status_name(peer->state.status));
		event_string(&event, "new", peer_status_name(after.status));
	}
	event_string(&event, "by", by_name(end->by));
	event_string(&event, "how", how_name(end->how));
	if (!failed) {
		event_number(&event, "seconds", (double)(roster->now_ms - connection->since_ms) / 1000.0);
		event_number(&event, "bytes_in", (double)connection->bytes_in);
		event_number(&event, "bytes_out", (double)connection->bytes_out);
	}
	event_string(&event, "reason", end->reason);
	event_end(&event);
}

/** The book no longer says that the endpoint is connected. */
static void book_leave(struct roster *roster, const struct roster_connection *connection)
{
	struct book_endpoint endpoint = {connection->address, connection->port};
	const struct book_record *record = address_book_find(roster->book, &endpoint);
	if (connection->inbound || record == NULL || !record->connected)
		return;
	struct book_record values = {.address = endpoint.address, .port = endpoint.port};
	(void)address_book_put(roster->book, &values, BOOK_PUT_CONNECTED, roster->now_ms, NULL);
}

/** HE-14: so many failures when it leaves are a temporary ban. */
static void ban_failures(struct roster *roster, uint32_t index, const struct roster_connection *connection)
{
	struct book_endpoint endpoint = {connection->address, connection->port};
	const struct book_record *record =
		connection->inbound ? NULL : address_book_find(roster->book, &endpoint);
	uint32_t failures = roster_facts_of(roster, index)->counters.streak;
	if (record != NULL && record->failures > failures)
		failures = record->failures;
	if (!profile_bans_failures(&roster->config.profile, failures))
		return;
	roster_peer_ban(roster, index, BAN_TIER_STRIKE,
		roster->now_ms + roster->config.profile.times.temporary_ban_ms, "too many failures");
}

/** The status of the peer follows; LH-6 where we closed it. */
static void status_follow(struct roster *roster, uint32_t peer_index,
	const struct roster_connection *connection, const struct roster_end *end)
{
	struct roster_peer *peer = roster_peer_at(roster, peer_index);
	if (connection->courtesy)
		return;
	/* Live only what was decided here is ours: the dataplane cuts by its timeouts, and whoever a ban or a
	 * list names, and neither is about too many peers. A trace says whom Weir closed. */
	bool decided =
		connection->service == ROSTER_SERVICE_NONE || connection->cause == OUTCOME_CAUSE_OWN_LIMIT;
	bool last = peer->state.n_in + peer->state.n_out <= 1, ours = end->by == CLOSED_BY_WEIR && decided;
	/* Weir closed its last connection without closing the peer first. */
	if (ours && last && !connection->dialing && peer->state.status == PEER_STATUS_CONNECTED)
		(void)roster_peer_change(roster, peer_index, PEER_OCCASION_DISCONNECT);
	int64_t since_ms =
		peer->state.status == PEER_STATUS_DISCONNECTING ? peer->state.since_ms : roster->now_ms;
	enum peer_operation operation = roster_peer_change(roster, peer_index, occasion_closed(connection));
	/* LH-6 is about whom we do not want, not about who fell silent. */
	bool silent = end->how == CLOSED_HOW_IDLE || end->how == CLOSED_HOW_TIMEOUT ||
		      end->how == CLOSED_HOW_STRAGGLER;
	if (operation == PEER_OPERATION_THROTTLE && !silent)
		roster_throttle(roster, peer_index, connection->inbound, /* closed_by_us= */ true, since_ms);
	else if (operation == PEER_OPERATION_NONE && !connection->dialing && last)
		roster_throttle(
			roster, peer_index, connection->inbound, /* closed_by_us= */ false, roster->now_ms);
}

void roster_connection_drop(struct roster *roster, uint32_t index, const struct roster_end *end)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	struct roster_connection gone = *connection;
	uint32_t peer = connection->peer, host = roster_peer_find_host(roster, &connection->address);
	announce_end(roster, index, end);
	roster_connection_count(roster, connection, -1);
	roster_place_give(roster, connection);
	due_queue_clear(&roster->connection_due, index);
	hash_index_remove(&roster->connection_index, index);
	hash_index_remove(&roster->number_index, index);
	detach(roster, index);
	if (gone.behind && host != RECORD_NONE)
		leave_host(roster, index, host);
	text_pool_drop(roster->texts, connection->reason);
	connection->number = 0; /* a given record is never taken for one that lives */
	record_pool_give(&roster->connections, index);
	if (gone.behind && host != RECORD_NONE)
		roster_peer_relist(roster, host);
	book_leave(roster, &gone);
	status_follow(roster, peer, &gone, end);
	if (!gone.dialing)
		ban_failures(roster, peer, &gone);
	roster_facts_settle(roster, peer);
	roster_peer_relist(roster, peer);
}
