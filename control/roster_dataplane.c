/* SPDX-License-Identifier: BSD-3-Clause
 * What the dataplane reports: events of its rings, and dumps of its flows after events were lost (roster.h).
 * Each event goes to the governor, which penalises and counts what is scored (policy.md 2.3), and means the
 * same here as the conn.* functions: status, counts, outcomes, the book. The roster's thread. Must not
 * penalise: that would be the second time.
 */
#include "control/roster_private.h"

#include <string.h>

enum { PROTOCOL_TCP = 6 };
/* An index of the image that no service has, below ROSTER_SERVICE_NONE. */
enum { SERVICE_UNKNOWN = 254 };

static uint8_t service_of(uint8_t service)
{
	return service < SERVICE_UNKNOWN ? service : SERVICE_UNKNOWN;
}

/** What an event or a flow is about. */
struct subject {
	struct roster_open open;
	uint8_t service;
	bool evidence;
	uint32_t connection; /* RECORD_NONE: not known */
};

static struct subject subject_of(const struct roster *roster, const struct event_record *event)
{
	struct subject subject = {
		.service = service_of(event->service), .evidence = (event->flags & EVENT_FLAG_EVIDENCE) != 0};
	memcpy(subject.open.address.bytes, event->client, sizeof(event->client));
	subject.open.port = event->client_port;
	subject.open.inbound = (event->flags & EVENT_FLAG_OUTBOUND) == 0;
	subject.open.proven = subject.open.already_open = true;
	subject.open.rtt_ms = event->rtt_us != 0 ? event->rtt_us / 1000.0 : -1.0;
	subject.connection = roster_connection_match(
		roster, &subject.open.address, subject.open.port, subject.open.inbound, subject.service);
	return subject;
}

/** It is open; since when is told by `age_ms`. */
static void begin(struct roster *roster, const struct subject *subject, uint32_t age_ms)
{
	struct roster_opened opened;
	if (roster_open_as(roster, &subject->open, subject->service, subject->evidence, &opened) < 0)
		return; /* no room: it stays unknown, and the dataplane's own limits hold it */
	uint32_t index = roster_connection_numbered(roster, opened.connection);
	if (index != RECORD_NONE)
		roster_connection_at(roster, index)->since_ms -= age_ms;
}

/** The node or the connection was never there; the client was promised nothing (2.1). */
static void announce_failure(
	struct roster *roster, const struct subject *subject, const struct event_record *event)
{
	struct event_text text;
	roster_event_address(&text, roster, "conn.failed", &subject->open.address, subject->open.port);
	event_string(&text, "direction", subject->open.inbound ? "in" : "out");
	/* A client that gave up waiting for a silent node closed it itself. */
	event_string(&text, "by", event->closed_by == CLOSED_BY_CLIENT ? "client" : "node");
	event_string(&text, "how",
		event->closed_how == CLOSED_HOW_BACKEND_REFUSED ? "backend_refused" : "backend_silent");
	event_end(&text);
}

/* Dumps tell who is open at a time after their question; events tell of before and after it, and may be read
 * late, because a ring that ran full is full of old ones. */

static bool was_named(const struct roster *roster, uint32_t connection)
{
	return connection != RECORD_NONE && !roster_connection_at(roster, connection)->dialing &&
	       roster_connection_at(roster, connection)->seen_epoch == roster->dump_epoch;
}

/** The end of a dump has said what this event says, or that it is no longer so. */
static bool is_settled(const struct roster *roster, const struct event_record *event)
{
	return event->time_ns < roster->governor->flows_since_ns;
}

/** The question of the running dump came after this event: the dump must name the flow, or it is gone. */
static bool is_asked_for(const struct roster *roster, const struct event_record *event)
{
	return roster->dumping && event->time_ns < roster->governor->dump_since_ns;
}

static void begin_told(struct roster *roster, const struct subject *subject, const struct event_record *event)
{
	uint64_t since_ns =
		roster->dumping ? roster->governor->dump_since_ns : roster->governor->flows_since_ns;
	if (is_settled(roster, event))
		return;
	if (was_named(roster, subject->connection) && governor_event_born_before(event, since_ns)) {
		/* It is the one that the dump has named, which did not say whether its proof is evidence. */
		roster_connection_at(roster, subject->connection)->evidence = subject->evidence;
		return;
	}
	begin(roster, subject, event->duration_ms);
	uint32_t index = roster_connection_match(
		roster, &subject->open.address, subject->open.port, subject->open.inbound, subject->service);
	if (index != RECORD_NONE && is_asked_for(roster, event))
		roster_connection_at(roster, index)->seen_epoch = roster->dump_epoch - 1;
}

static uint32_t *closed_place(struct roster *roster, const struct subject *subject, uint32_t *ret_hash)
{
	*ret_hash = roster_connection_hash(roster, &subject->open.address, subject->open.port) | 1;
	return &roster->dump_closed[*ret_hash / 2 % ROSTER_DUMP_CLOSED];
}

static void on_closed(struct roster *roster, const struct subject *subject, const struct event_record *event)
{
	struct roster_end end = {(enum closed_by)event->closed_by, (enum closed_how)event->closed_how, ""};
	bool never_opened = end.how == CLOSED_HOW_BACKEND_REFUSED || end.how == CLOSED_HOW_BACKEND_SILENT;
	const char *why;
	/* It was closed before the dump found it open: that is an earlier one of the same endpoint. */
	bool is_older = is_settled(roster, event) ||
			(is_asked_for(roster, event) && was_named(roster, subject->connection));
	if (roster->dumping && !is_asked_for(roster, event)) {
		uint32_t hash, *place = closed_place(roster, subject, &hash);
		*place = hash;
	}
	if (subject->connection == RECORD_NONE || is_older) {
		if (never_opened)
			announce_failure(roster, subject, event);
		return;
	}
	struct roster_connection *connection = roster_connection_at(roster, subject->connection);
	/* The event has the whole; what came before it is not told. */
	if (event->bytes_in > connection->bytes_in)
		roster_connection_paid(
			roster, subject->connection, event->bytes_in - connection->bytes_in, 0);
	if (event->bytes_out > connection->bytes_out)
		roster_connection_paid(
			roster, subject->connection, 0, event->bytes_out - connection->bytes_out);
	(void)roster_connection_ended(roster, subject->connection, &end,
		end.by == CLOSED_BY_WEIR ? OUTCOME_CAUSE_OWN_LIMIT : OUTCOME_CAUSE_NONE, &why);
}

/** The governor has penalised it. The failure is booked once (2.1). */
static void on_silent(struct roster *roster, const struct subject *subject)
{
	if (subject->connection == RECORD_NONE)
		return;
	struct roster_connection *connection = roster_connection_at(roster, subject->connection);
	connection->silent = true;
	if (connection->counted || !connection->evidence || !roster->node_up)
		return;
	connection->counted = true;
	roster_connection_front(roster, subject->connection);
	roster_outcome(roster, connection->peer, OUTCOME_FAILURE);
}

static void on_out_result(struct roster *roster, struct subject *subject, const struct event_record *event)
{
	struct book_endpoint endpoint = {subject->open.address, subject->open.port};
	/* Whoever answered is the client of an outbound flow, so an RST came from it. */
	struct roster_end end = {CLOSED_BY_CLIENT, (enum closed_how)event->closed_how, ""};
	enum outcome outcome;
	const char *why;
	subject->open.inbound = false;
	if (event->closed_how == CLOSED_HOW_ESTABLISHED) {
		begin_told(roster, subject, event);
		return;
	}
	if (end.how == CLOSED_HOW_BACKEND_REFUSED)
		end.how = CLOSED_HOW_RST;
	if (end.how == CLOSED_HOW_BACKEND_SILENT)
		end.how = CLOSED_HOW_TIMEOUT;
	(void)roster_dial_failed(
		roster, &endpoint, subject->service, subject->evidence, &end, &outcome, &why);
}

static void follow(struct roster *roster, const struct event_record *event)
{
	struct subject subject = subject_of(roster, event);
	switch (event->kind) {
	case EVENT_FLOW_PROVEN:
		/* The node's own flows are told by their result. */
		if (subject.open.inbound)
			begin_told(roster, &subject, event);
		break;
	case EVENT_FLOW_PAYLOAD:
		if (subject.connection != RECORD_NONE)
			roster_connection_paid(roster, subject.connection, 1, 0);
		break;
	case EVENT_FLOW_SILENT:
		on_silent(roster, &subject);
		break;
	case EVENT_FLOW_RTT:
		if (subject.connection != RECORD_NONE && subject.open.rtt_ms >= 0.0)
			roster_connection_rtt(roster, subject.connection, subject.open.rtt_ms);
		break;
	case EVENT_FLOW_CLOSED:
		on_closed(roster, &subject, event);
		break;
	case EVENT_FLOW_OUT_RESULT:
		on_out_result(roster, &subject, event);
		break;
	default:
		break;
	}
}

void roster_dataplane_event(struct roster *roster, const struct event_record *event, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	governor_dataplane_event(roster->governor, event, roster->now_ms);
	bool is_tcp = event->protocol == 0 || event->protocol == PROTOCOL_TCP;
	if ((event->flags & EVENT_FLAG_PROVEN) != 0 && is_tcp)
		follow(roster, event);
	roster_judge_due(roster);
}

/* Dumps */

void roster_flows_begin(struct roster *roster, uint64_t since_ns, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	governor_flows_begin(roster->governor, since_ns, roster->now_ms);
	roster->dumping = true;
	roster->dump_epoch++;
	memset(roster->dump_closed, 0, sizeof(roster->dump_closed));
}

void roster_flow_seen(struct roster *roster, const struct roster_flow *flow, int64_t now_ms)
{
	struct subject subject = {.open = {.address = flow->client,
					  .port = flow->client_port,
					  .inbound = !flow->outbound,
					  .proven = true,
					  .already_open = true,
					  .rtt_ms = flow->rtt_us != 0 ? flow->rtt_us / 1000.0 : -1.0},
		.service = service_of(flow->service)};
	roster_clock(roster, now_ms);
	if (!flow->outbound)
		governor_flow_seen(
			roster->governor, &flow->client, flow->born_ms, flow->rtt_us, roster->now_ms);
	if (!roster->dumping)
		return;
	uint32_t index = roster_connection_match(
		roster, &flow->client, flow->client_port, subject.open.inbound, subject.service);
	if (index != RECORD_NONE && !roster_connection_at(roster, index)->dialing) {
		roster_connection_at(roster, index)->seen_epoch = roster->dump_epoch;
		return;
	}
	/* Who was born after the question is told by events; who closed since is not open. */
	uint32_t hash, *place = closed_place(roster, &subject, &hash);
	if (*place != hash && governor_born_before(flow->born_ms, roster->governor->dump_since_ns))
		begin(roster, &subject,
			0); /* without evidence: whether its proof was one is not in the dump */
}

void roster_flows_end(struct roster *roster, int64_t now_ms)
{
	struct roster_end lost = {CLOSED_BY_NONE, CLOSED_HOW_NONE, "its end was lost"};
	roster_clock(roster, now_ms);
	governor_flows_end(roster->governor, roster->now_ms);
	if (!roster->dumping)
		return;
	roster->dumping = false;
	for (uint32_t index = 0; index < roster->connections.high_water; index++) {
		const struct roster_connection *connection = roster_connection_at(roster, index);
		if (connection->number != 0 && connection->service != ROSTER_SERVICE_NONE &&
			!connection->dialing && connection->seen_epoch != roster->dump_epoch)
			roster_connection_drop(roster, index, &lost);
	}
	roster_judge_due(roster);
}
