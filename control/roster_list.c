/* SPDX-License-Identifier: BSD-3-Clause
 * conn.list: which connections there are (roster.h). The roster's thread. Must not change anything.
 */
#include "control/roster_private.h"

#include <stdlib.h>

uint64_t roster_connection_at_endpoint(const struct roster *roster, const struct book_endpoint *endpoint)
{
	uint32_t index = roster_connection_find(roster, &endpoint->address, endpoint->port);
	return index != RECORD_NONE ? roster_connection_at(roster, index)->number : 0;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static bool is_asked_for(const struct roster_connection *connection, const struct address *address_or_null,
	uint32_t peer, uint64_t after)
{
	/* A record that was given back has no number. */
	return connection->number > after && !connection->dialing &&
	       (peer == RECORD_NONE || connection->peer == peer) &&
	       (address_or_null == NULL || address_compare(&connection->address, address_or_null) == 0);
}

static void fill(const struct roster *roster, const struct roster_connection *connection,
	struct roster_connection_info *info)
{
	*info = (struct roster_connection_info){.connection = connection->number,
		.address = connection->address,
		.port = connection->port,
		.inbound = connection->inbound,
		.authenticated = connection->auth == OUTCOME_AUTH_OK,
		.id = roster_text(roster, roster_peer_at(roster, connection->peer)->id),
		.since_ms = connection->since_ms,
		.last_in_ms = connection->last_in_ms,
		.bytes_in = connection->bytes_in,
		.bytes_out = connection->bytes_out,
		.rtt_min_ms = connection->rtt_min_ms};
}

void roster_connection_each(const struct roster *roster, const struct address *address_or_null,
	const char *id_or_null, uint64_t after,
	bool (*visit)(void *context, const struct roster_connection_info *info), void *context)
{
	uint32_t peer = id_or_null != NULL ? roster_peer_find(roster, id_or_null) : RECORD_NONE, n = 0;
	if (id_or_null != NULL && peer == RECORD_NONE)
		return;
	uint64_t *numbers = malloc(((size_t)roster->connections.n_used + 1) * sizeof(*numbers));
	if (numbers == NULL)
		return;
	for (uint32_t index = 0; index < roster->connections.high_water; index++) {
		const struct roster_connection *connection = roster_connection_at(roster, index);
		if (is_asked_for(connection, address_or_null, peer, after))
			numbers[n++] = connection->number;
	}
	qsort(numbers, n, sizeof(*numbers), compare_numbers);
	struct roster_connection_info info;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = roster_connection_numbered(roster, numbers[i]);
		if (index == RECORD_NONE)
			continue;
		fill(roster, roster_connection_at(roster, index), &info);
		if (!visit(context, &info))
			break;
	}
	free(numbers);
}
