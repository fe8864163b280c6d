/* SPDX-License-Identifier: BSD-3-Clause
 * How many proven flows each source has open: from events, and anew from a dump of the dataplane's flows (governor.h says how
 * the two are told apart). The governor's thread. Must not sweep: a record learns of a new epoch when it is next looked at.
 */
#include "control/governor_internal.h"

enum { FLOW_PROTOCOL_TCP = 6 };

void governor_flows_settle(const struct governor *governor, struct peer_record *peer)
{
	if (peer->flow_epoch == governor->flow_epoch)
		return;
	peer->connections = peer->dump_epoch == governor->flow_epoch ? peer->dumped : 0;
	peer->flow_epoch = governor->flow_epoch;
}

/** The record's place in the running dump. */
static uint32_t *dumped_of(const struct governor *governor, struct peer_record *peer)
{
	if (peer->dump_epoch != governor->dump_epoch) {
		peer->dump_epoch = governor->dump_epoch;
		peer->dumped = 0;
	}
	return &peer->dumped;
}

/** `since_ns` 0: there was no dump. Milliseconds wrap after 49 days: the difference tells the order of times that are less than half of that apart. An older
 * flow may be taken for a newer one; it is then missing from the count until it sends an event. */
bool governor_born_before(uint32_t born_ms, uint64_t since_ns)
{
	return since_ns != 0 && (int32_t)(born_ms - (uint32_t)(since_ns / 1000000)) < 0;
}

/* The last dump may be months ago: an event's own clock does not wrap. */
bool governor_event_born_before(const struct event_record *event, uint64_t since_ns)
{
	return since_ns != 0 && event->time_ns / 1000000 < since_ns / 1000000 + event->duration_ms;
}

static void count(uint32_t *counter, const struct event_record *event, uint64_t since_ns)
{
	if (event->kind == EVENT_FLOW_PROVEN) {
		*counter += !governor_event_born_before(event, since_ns); /* who was born before is in the dump */
	} else if (event->time_ns >= since_ns && *counter > 0) {
		(*counter)--; /* who was closed before is not */
	}
}

void governor_flows_event(const struct governor *governor, struct peer_record *peer, const struct event_record *event)
{
	if (event->flags & EVENT_FLAG_OUTBOUND || (event->protocol != 0 && event->protocol != FLOW_PROTOCOL_TCP))
		return;
	governor_flows_settle(governor, peer);
	count(&peer->connections, event, governor->flows_since_ns);
	if (governor->dumping)
		count(dumped_of(governor, peer), event, governor->dump_since_ns);
}

void governor_flows_begin(struct governor *governor, uint64_t since_ns, int64_t now_ms)
{
	governor_clock(governor, now_ms);
	governor->dumping = true;
	governor->dump_epoch++;
	governor->dump_since_ns = since_ns;
}

void governor_flow_seen(
	struct governor *governor, const struct address *client, uint32_t born_ms, uint32_t rtt_us, int64_t now_ms)
{
	uint32_t index;
	governor_clock(governor, now_ms);
	if (!governor->dumping || !governor_born_before(born_ms, governor->dump_since_ns) ||
		governor_peer_obtain(governor, NULL, client, &index) < 0)
		return;
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	governor_flows_settle(governor, peer); /* the place that is counted in may hold what the last dump counted */
	(*dumped_of(governor, peer))++;
	if (peer->rtt_ms < 0.0 && rtt_us != 0)
		peer->rtt_ms = rtt_us / 1000.0;
}

void governor_flows_end(struct governor *governor, int64_t now_ms)
{
	governor_clock(governor, now_ms);
	if (!governor->dumping)
		return;
	governor->dumping = false;
	governor->flow_epoch = governor->dump_epoch;
	governor->flows_since_ns = governor->dump_since_ns;
}
