/* SPDX-License-Identifier: BSD-3-Clause
 * The beginnings of the roster's events: whom an event is about. The rest each file adds with event_string &
 * co. (governor_event.c). The roster's thread. Must not allocate.
 */
#include "control/roster_private.h"

bool roster_event_wanted(const struct roster *roster, const char *name)
{
	const struct governor_effects *effects = &roster->effects.governor;
	return effects->event != NULL &&
	       (effects->event_wanted == NULL || effects->event_wanted(effects->context, name));
}

static void event_address(struct event_text *event, const struct address *address, uint16_t port)
{
	struct prefix host = prefix_of(address, PREFIX_HOST_LENGTH);
	event_prefix(event, &host);
	if (port != 0)
		event_number(event, "port", port);
}

void roster_event_peer(struct event_text *event, struct roster *roster, const char *name, uint32_t index)
{
	event_begin(event, roster->governor, name);
	if (!event->wanted)
		return;
	const struct roster_peer *peer = roster_peer_at(roster, index);
	uint32_t first = peer->connections;
	event_string(event, "id", roster_text(roster, peer->id));
	if (first != RECORD_NONE) { /* the identity of a host would name a /64 by its first address */
		const struct roster_connection *connection = roster_connection_at(roster, first);
		event_address(event, &connection->address, connection->port);
	} else if (peer->id == RECORD_NONE || peer->port != 0) {
		event_address(event, &peer->address, peer->port);
	}
}

void roster_event_connection(
	struct event_text *event, struct roster *roster, const char *name, uint32_t index)
{
	event_begin(event, roster->governor, name);
	if (!event->wanted)
		return;
	const struct roster_connection *connection = roster_connection_at(roster, index);
	const struct roster_peer *peer = roster_peer_at(roster, connection->peer);
	event_string(event, "id", roster_text(roster, peer->id));
	event_address(event, &connection->address, connection->port);
	event_string(event, "direction", connection->inbound ? "in" : "out");
	event_number(event, "conn", (double)connection->number);
}

void roster_event_address(struct event_text *event, struct roster *roster, const char *name,
	const struct address *address, uint16_t port)
{
	event_begin(event, roster->governor, name);
	if (event->wanted)
		event_address(event, address, port);
}
