/* SPDX-License-Identifier: BSD-3-Clause
 * Connections begin, say something, and end (roster.h, conn.*): what a trace or the dataplane's events mean
 * for peers, counts, outcomes and the book. The roster's thread. Must not admit (roster_admit.c), nor act on
 * anything unproven (V39).
 */
#include "control/roster_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PROTOCOL_TCP = 6 };
/* The dataplane's index of a service is never this: it says an event of no service with 255. */
enum { EVENT_OF_NO_SERVICE = 255 };
/* The node may hear of a connection before control reads the ring that tells of it: a turn of the loop,
 * milliseconds; a stall of the disk or of the machine, seconds. Longer, and a stranger behind the same NAT
 * could have the port. */
#define BIND_AHEAD_MS INT64_C(2000)

static uint32_t saturate(uint64_t value)
{
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

void roster_feed(
	struct roster *roster, uint32_t index, enum event_kind kind, const struct roster_end *end_or_null)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	if (connection->service != ROSTER_SERVICE_NONE)
		return;
	struct event_record event = {.time_ns = (uint64_t)roster->now_ms * 1000000,
		.client_port = connection->port,
		.kind = (uint8_t)kind,
		.flags = (uint8_t)(EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE |
				   (connection->inbound ? 0 : EVENT_FLAG_OUTBOUND)),
		.service = EVENT_OF_NO_SERVICE,
		.protocol = PROTOCOL_TCP,
		.rtt_us = connection->rtt_min_ms > 0.0 ? (uint32_t)llround(connection->rtt_min_ms * 1000.0) : 0,
		.duration_ms = saturate((uint64_t)(roster->now_ms - connection->since_ms)),
		.bytes_in = saturate(connection->bytes_in),
		.bytes_out = saturate(connection->bytes_out)};
	memcpy(event.client, connection->address.bytes, sizeof(event.client));
	if (end_or_null != NULL) {
		/* The governor was told that it is open, so it is the node that closed it. */
		bool refused = end_or_null->how == CLOSED_HOW_BACKEND_REFUSED ||
			       end_or_null->how == CLOSED_HOW_BACKEND_SILENT;
		event.closed_by = refused ? CLOSED_BY_NODE : (uint8_t)end_or_null->by;
		event.closed_how = refused ? CLOSED_HOW_RST : (uint8_t)end_or_null->how;
	}
	if (connection->dialing || (!connection->inbound && kind == EVENT_FLOW_PROVEN)) {
		event.kind = EVENT_FLOW_OUT_RESULT;
		if (end_or_null == NULL)
			event.closed_how = CLOSED_HOW_ESTABLISHED;
	}
	governor_dataplane_event(roster->governor, &event, roster->now_ms);
}

/** 2.3: who opens faster than it may costs itself Low, at most once in ten seconds; live the dataplane tells.
 */
static void feed_over_rate(struct roster *roster, const struct roster_open *open)
{
	struct event_record event = {.time_ns = (uint64_t)roster->now_ms * 1000000,
		.client_port = open->port,
		.kind = EVENT_SOURCE_OVER_RATE,
		.flags = EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE,
		.service = EVENT_OF_NO_SERVICE,
		.protocol = PROTOCOL_TCP};
	memcpy(event.client, open->address.bytes, sizeof(event.client));
	governor_dataplane_event(roster->governor, &event, roster->now_ms);
}

/* Outcomes */

enum outcome roster_connection_outcome(struct roster *roster, uint32_t index, const struct roster_end *end,
	enum outcome_cause cause, const char **ret_why)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	int64_t auth_ms = roster->config.profile.times.auth_ms;
	struct outcome_input input = {.proven = connection->proven,
		.outbound = !connection->inbound,
		.node_up = roster->node_up,
		.wants_auth = roster->config.profile.counters.success_is_auth,
		.payload_is_auth = !roster->auth_told,
		.auth = connection->auth,
		.cause = connection->closing ? connection->cause : cause,
		.by = end->by,
		.how = end->how,
		.payload_ms = connection->payload_ms < 0 ? -1 : connection->payload_ms - connection->since_ms,
		.age_ms = roster->now_ms - connection->since_ms,
		/* Without such a timeout nobody is too late. */
		.auth_timeout_ms = auth_ms > 0 ? auth_ms : INT64_MAX,
		.min_life_ms = roster->config.min_life_ms};
	enum outcome outcome = outcome_classify(&input, ret_why);
	if (outcome == OUTCOME_FAILURE && !connection->evidence) {
		outcome = OUTCOME_NEUTRAL;
		*ret_why = "no evidence";
	}
	if (connection->counted || connection->courtesy)
		return outcome;
	connection->counted = true;
	roster_connection_front(roster, index);
	roster_outcome(roster, connection->peer, outcome);
	return outcome;
}

enum outcome roster_connection_ended(struct roster *roster, uint32_t index, const struct roster_end *end,
	enum outcome_cause cause, const char **ret_why)
{
	uint64_t number = roster_connection_at(roster, index)->number;
	enum outcome outcome = roster_connection_outcome(roster, index, end, cause, ret_why);
	index = roster_connection_numbered(roster, number); /* an outcome may close its peer (SP-8) */
	if (index == RECORD_NONE)
		return outcome;
	struct roster_end told = *end;
	if (roster_connection_at(roster, index)->dialing && told.reason[0] == '\0')
		told.reason = *ret_why; /* nobody said more of the dial than how it ended */
	roster_feed(roster, index, EVENT_FLOW_CLOSED, end);
	roster_connection_drop(roster, index, &told);
	roster_judge_due(roster);
	return outcome;
}

/* Beginning */

/** The endpoint is dialled no longer: the same record is the connection now. */
static void dial_answered(
	struct roster *roster, uint32_t index, uint32_t peer, const struct roster_open *open)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	if (connection->peer != peer)
		roster_connection_move(roster, index, peer);
	roster_connection_count(roster, connection, -1);
	connection->dialing = false;
	connection->proven = true;
	connection->pending = roster_has_pending(roster);
	connection->since_ms = connection->last_in_ms = connection->last_ms = roster->now_ms;
	connection->rtt_min_ms = open->rtt_ms >= 0.0 ? open->rtt_ms : -1.0;
	roster_connection_count(roster, connection, 1);
	roster_connection_plan(roster, index);
}

static void announce_connected(struct roster *roster, uint32_t index, enum peer_status before)
{
	struct event_text event;
	const struct roster_connection *connection = roster_connection_at(roster, index);
	roster_event_connection(&event, roster, "peer.connected", index);
	if (!event.wanted)
		return;
	if (connection->rtt_min_ms >= 0.0)
		event_number(&event, "rtt_ms", connection->rtt_min_ms);
	event_string(&event, "old", peer_status_name(before));
	event_string(&event, "new", peer_status_name(roster_peer_at(roster, connection->peer)->state.status));
	if (connection->courtesy)
		event_string(&event, "reason", "courtesy");
	event_end(&event);
}

static void book_enter(struct roster *roster, const struct roster_open *open)
{
	struct book_endpoint endpoint = {open->address, open->port};
	if (open->inbound || address_book_find(roster->book, &endpoint) == NULL)
		return;
	struct book_record values = {.address = open->address, .port = open->port, .connected = true};
	(void)address_book_update(
		roster->book, &endpoint, BOOK_TYPE_OUTBOUND, false, BOOK_BACKOFF_NONE, roster->now_ms, NULL);
	(void)address_book_put(roster->book, &values, BOOK_PUT_CONNECTED, roster->now_ms, NULL);
}

/** The peer that the node bound at this endpoint just before the dataplane's event was read; RECORD_NONE. */
static uint32_t bound_ahead(const struct roster *roster, const struct roster_open *open)
{
	const struct peer_table *table = &roster->governor->peers;
	uint32_t bound = peer_table_find_bound(table, &open->address, open->port);
	if (bound == RECORD_NONE)
		return RECORD_NONE;
	uint32_t peer =
		roster_peer_find(roster, governor_peer_id(roster->governor, peer_table_at(table, bound)));
	if (peer == RECORD_NONE || roster_peer_at(roster, peer)->connections != RECORD_NONE ||
		roster->now_ms - roster_peer_at(roster, peer)->last_seen_ms >= BIND_AHEAD_MS)
		return RECORD_NONE;
	return peer;
}

/** An id that comes with its connection is seen at this address as one that peer.bind tells: it can be reported,
 * and counts for T4. The agent stays what was told before. */
static int bind_at_open(struct roster *roster, const struct roster_open *open, uint32_t peer)
{
	return governor_bind(roster->governor, open->id_or_null, &open->address, open->port,
		roster_text(roster, roster_peer_at(roster, peer)->agent), roster->now_ms);
}

/** Whose connection this is, and the one of its endpoint that is known already (RECORD_NONE). */
static int find_peer(struct roster *roster, const struct roster_open *open, uint8_t service,
	uint32_t *ret_peer, uint32_t *ret_dialing)
{
	uint32_t host,
		known = roster_connection_match(roster, &open->address, open->port, open->inbound, service);
	int r = roster_peer_obtain(roster, NULL, &open->address, &host);
	if (r < 0)
		return r;
	if (known != RECORD_NONE && !roster_connection_at(roster, known)->dialing) {
		/* A new one from the same port: the end of the old one was lost. */
		roster_connection_drop(roster, known,
			&(struct roster_end){CLOSED_BY_NONE, CLOSED_HOW_NONE, "its end was lost"});
		known = RECORD_NONE;
		r = roster_peer_obtain(roster, NULL, &open->address, &host);
	}
	*ret_dialing = known;
	uint32_t ahead = service != ROSTER_SERVICE_NONE ? bound_ahead(roster, open) : RECORD_NONE;
	*ret_peer = ahead != RECORD_NONE   ? ahead
		    : known != RECORD_NONE ? roster_connection_at(roster, known)->peer
					   : host;
	if (r < 0 || open->id_or_null == NULL || open->id_or_null[0] == '\0')
		return r;
	/* The host's record must not give way to the id's. */
	roster_peer_at(roster, host)->behind++;
	roster_peer_relist(roster, host);
	r = roster_peer_obtain(roster, open->id_or_null, &open->address, ret_peer);
	roster_peer_at(roster, host)->behind--;
	roster_peer_relist(roster, host);
	/* Where a connected one is bound stays until its new connection is let in. */
	if (r < 0 || roster_peer_at(roster, *ret_peer)->state.status == PEER_STATUS_CONNECTED)
		return r;
	return bind_at_open(roster, open, *ret_peer);
}

/** The record exists and is counted: status, measurements, events follow. */
static void opened_follow(
	struct roster *roster, uint32_t index, const struct roster_open *open, struct roster_opened *opened)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	uint64_t number = connection->number;
	struct roster_peer *peer = roster_peer_at(roster, connection->peer);
	enum peer_status before = peer->state.status;
	enum peer_operation operation = PEER_OPERATION_NONE;
	if (open->id_or_null != NULL && open->id_or_null[0] != '\0')
		(void)bind_at_open(roster, open, connection->peer); /* without memory it is bound as before */
	if (peer->id != RECORD_NONE && before != PEER_STATUS_CONNECTED) {
		peer->address = open->address;
		peer->port = open->port;
	}
	if (!connection->courtesy)
		operation = roster_peer_change(roster, connection->peer,
			open->inbound ? PEER_OCCASION_CONNECTED_IN : PEER_OCCASION_CONNECTED_OUT);
	if (open->rtt_ms >= 0.0 && peer->facts != NULL)
		peer_counters_rtt(&peer->facts->counters, open->rtt_ms);
	roster->last_accept_ms = open->inbound ? roster->now_ms : roster->last_accept_ms;
	book_enter(roster, open);
	announce_connected(roster, index, before);
	roster_feed(roster, index, EVENT_FLOW_PROVEN, NULL);
	opened->connection = number;
	if (operation == PEER_OPERATION_DISCONNECT) {
		roster_close_connection(roster, index, "banned", ROSTER_GOODBYE_BANNED);
	} else if (!open->inbound && !connection->pending && !connection->courtesy) {
		/* DU-5, SP-9: an endpoint that answers is a success of the dial at once. */
		connection->counted = true;
		roster_connection_front(roster, index);
		roster_outcome(roster, connection->peer, OUTCOME_SUCCESS);
	}
}

static void courtesy_begin(struct roster *roster, uint32_t index, const char *reason)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	struct event_text event;
	roster_connection_count(roster, connection, -1);
	connection->courtesy = true;
	connection->due_ms = roster->now_ms + roster->config.courtesy_ms;
	roster_connection_count(roster, connection, 1);
	roster_connection_plan(roster, index);
	roster_event_connection(&event, roster, "governor.disconnect", index);
	event_string(&event, "reason", reason);
	event_number(&event, "code", ROSTER_GOODBYE_TOO_MANY);
	event_number(&event, "grace", (double)roster->config.courtesy_ms / 1000.0);
	event_end(&event);
}

int roster_open_as(struct roster *roster, const struct roster_open *open, uint8_t service, bool evidence,
	struct roster_opened *ret_opened)
{
	struct roster_opened opened = {.verdict = ROSTER_FORWARD};
	uint32_t peer, index;
	int r = find_peer(roster, open, service, &peer, &index);
	if (r < 0)
		return r;
	bool admitted = roster_admit(roster, open, peer, &opened);
	bool kept = admitted || open->already_open || opened.verdict == ROSTER_COURTESY;
	if (!kept) {
		roster->refused++;
		if (strcmp(opened.reason, ROSTER_REASON_RATE) == 0)
			feed_over_rate(roster, open);
		if (index !=
			RECORD_NONE) /* the dial is over; that there is no place for it is nobody's fault */
			roster_connection_drop(roster, index,
				&(struct roster_end){CLOSED_BY_WEIR, CLOSED_HOW_RST, opened.reason});
		roster_facts_settle(roster, peer);
		*ret_opened = opened;
		return 0;
	}
	if (index != RECORD_NONE)
		dial_answered(roster, index, peer, open);
	else
		r = roster_connection_make(roster, open, peer, /* dialing= */ false, &index);
	if (r < 0)
		return r;
	struct roster_connection *connection = roster_connection_at(roster, index);
	connection->service = service;
	connection->evidence = evidence;
	roster_place_take(roster, connection);
	connection->seen_epoch = roster->dump_epoch; /* who begins during a dump is not missing in it */
	roster_connection_plan(roster, index);
	if (!admitted && opened.verdict == ROSTER_COURTESY)
		courtesy_begin(roster, index, opened.reason);
	opened_follow(roster, index, open, &opened);
	index = roster_connection_numbered(roster, opened.connection);
	if (!admitted && opened.verdict != ROSTER_COURTESY && index != RECORD_NONE)
		roster_close_connection(roster, index, opened.reason, ROSTER_GOODBYE_TOO_MANY);
	roster_judge_due(roster);
	roster_room_plan(roster);
	*ret_opened = opened;
	return 0;
}

int roster_connection_open(struct roster *roster, const struct roster_open *open, int64_t now_ms,
	struct roster_opened *ret_opened)
{
	roster_clock(roster, now_ms);
	governor_clock(roster->governor, roster->now_ms);
	if (open->proven)
		return roster_open_as(roster, open, ROSTER_SERVICE_NONE, /* evidence= */ true, ret_opened);
	*ret_opened = (struct roster_opened){.verdict = ROSTER_FORWARD, .reason = "unproven"};
	return 0;
}

/* Traffic */

/** A connection that waited for authentication has it: a place in the pool, another's place, or none (HE-13).
 */
static void establish(struct roster *roster, uint32_t index, struct roster_opened *opened)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	if (!connection->pending || connection->closing)
		return;
	struct pool_limits limits = roster_limits(roster);
	struct pool_counts counts = {.in = roster->counts.in, .out = roster->counts.out};
	enum pool_answer answer = pool_admit(&limits, &counts, connection->inbound, 0);
	struct peer_tags tags;
	roster_tags_of(roster, connection->peer, &tags);
	bool preferred = tags.preferred || roster_address_preferred(roster, &connection->address);
	bool has_place = answer == POOL_ADMITTED || roster_peer_protected(roster, connection->peer) ||
			 roster_displace(roster, connection->peer, answer, preferred, opened);
	if (!has_place && !connection->courtesy && connection->inbound && roster->config.courtesy_ms > 0) {
		(void)roster_peer_change(
			roster, connection->peer, PEER_OCCASION_CLOSED_IN); /* it has no place */
		courtesy_begin(roster, index, pool_answer_name(answer));
	} else if (!has_place && !connection->courtesy) {
		roster_close_connection(roster, index, pool_answer_name(answer), ROSTER_GOODBYE_TOO_MANY);
	}
	if (!has_place)
		return;
	bool had_no_status = connection->courtesy;
	roster_connection_count(roster, connection, -1);
	connection->pending = connection->courtesy = false;
	roster_connection_count(roster, connection, 1);
	roster_connection_plan(roster, index);
	if (had_no_status)
		(void)roster_peer_change(roster, connection->peer, PEER_OCCASION_CONNECTED_IN);
}

void roster_connection_rtt(struct roster *roster, uint32_t index, double rtt_ms)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	struct roster_facts *facts = roster_facts_obtain(roster, connection->peer);
	if (connection->rtt_min_ms < 0.0 || rtt_ms < connection->rtt_min_ms)
		connection->rtt_min_ms = rtt_ms;
	if (facts != NULL)
		peer_counters_rtt(&facts->counters, rtt_ms);
}

void roster_connection_paid(struct roster *roster, uint32_t index, uint64_t bytes_in, uint64_t bytes_out)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	struct roster_facts *facts = roster_facts_obtain(roster, connection->peer);
	connection->bytes_in += bytes_in;
	connection->bytes_out += bytes_out;
	if (bytes_in != 0 || bytes_out != 0)
		connection->last_ms = roster->now_ms;
	if (facts != NULL) {
		facts->bytes_in += bytes_in;
		facts->bytes_out += bytes_out;
	}
	if (bytes_in == 0)
		return;
	connection->last_in_ms = roster->now_ms;
	if (facts != NULL)
		facts->last_payload_ms = roster->now_ms;
	if (connection->payload_ms >= 0)
		return;
	connection->payload_ms = roster->now_ms;
	roster_feed(roster, index, EVENT_FLOW_PAYLOAD, NULL);
	if (!roster->auth_told) {
		struct roster_opened opened = {0};
		establish(roster, index, &opened);
	}
}

int roster_connection_data(struct roster *roster, uint64_t number, uint64_t bytes_in, uint64_t bytes_out,
	double rtt_ms, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	uint32_t index = roster_connection_numbered(roster, number);
	if (index == RECORD_NONE)
		return -ENOENT;
	if (rtt_ms >= 0.0)
		roster_connection_rtt(roster, index, rtt_ms);
	roster_connection_paid(roster, index, bytes_in, bytes_out);
	return 0;
}

int roster_connection_auth(struct roster *roster, uint64_t number, bool ok, const char *reason,
	int64_t now_ms, enum outcome *ret_outcome, struct roster_opened *ret_opened)
{
	struct roster_opened opened = {.connection = number, .verdict = ROSTER_FORWARD};
	struct roster_end end = {CLOSED_BY_NODE, CLOSED_HOW_NONE, reason};
	const char *why;
	roster_clock(roster, now_ms);
	governor_clock(roster->governor, roster->now_ms);
	uint32_t index = roster_connection_numbered(roster, number);
	if (index == RECORD_NONE)
		return -ENOENT;
	roster->auth_told = true;
	roster_connection_at(roster, index)->auth = ok ? OUTCOME_AUTH_OK : OUTCOME_AUTH_FAILED;
	*ret_outcome = roster_connection_outcome(roster, index, &end, outcome_cause_from(reason), &why);
	index = roster_connection_numbered(roster, number);
	if (index != RECORD_NONE && ok)
		establish(roster, index, &opened);
	else if (index != RECORD_NONE)
		roster_close_connection(roster, index, reason[0] != '\0' ? reason : "authentication failed",
			ROSTER_GOODBYE_UNABLE);
	index = roster_connection_numbered(roster, number);
	if (ok && (index == RECORD_NONE || roster_connection_at(roster, index)->courtesy))
		opened.verdict = index == RECORD_NONE ? ROSTER_REFUSE : ROSTER_COURTESY;
	roster_judge_due(roster);
	*ret_opened = opened;
	return 0;
}

/* Ending */

/** Bytes of the whole connection. One that nobody told of payload had it in time, or it would have been
 * silent. */
static void take_bytes(struct roster *roster, uint32_t index, const struct roster_close *close)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	uint64_t in = close->bytes_in > connection->bytes_in ? close->bytes_in - connection->bytes_in : 0;
	uint64_t out =
		close->bytes_out > connection->bytes_out ? close->bytes_out - connection->bytes_out : 0;
	if (close->has_bytes)
		roster_connection_paid(roster, index, in, out);
}

int roster_connection_close(struct roster *roster, const struct roster_close *close, int64_t now_ms,
	enum outcome *ret_outcome, const char **ret_why)
{
	struct book_endpoint endpoint = {close->address, close->port};
	struct roster_end end = {close->by, close->how, close->reason};
	roster_clock(roster, now_ms);
	governor_clock(roster->governor, roster->now_ms);
	uint32_t index = close->connection != 0
				 ? roster_connection_numbered(roster, close->connection)
				 : roster_connection_find(roster, &close->address, close->port);
	if (index == RECORD_NONE) {
		/* An endpoint of the book was dialled without conn.dial. */
		if (close->connection != 0 || address_book_find(roster->book, &endpoint) == NULL)
			return -ENOENT;
		return roster_dial_failed(roster, &endpoint, ROSTER_SERVICE_NONE, /* evidence= */ true, &end,
			ret_outcome, ret_why);
	}
	enum outcome_cause cause = outcome_cause_from(close->reason);
	if (close->by == CLOSED_BY_WEIR)
		cause = OUTCOME_CAUSE_OWN_LIMIT;
	take_bytes(roster, index, close);
	*ret_outcome = roster_connection_ended(roster, index, &end, cause, ret_why);
	return 0;
}
