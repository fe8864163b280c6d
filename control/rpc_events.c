/* SPDX-License-Identifier: BSD-3-Clause
 * Subscriptions: which client wants which event, and the line that it gets.
 */
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

/* The events of rpc.md. */
static const char *const event_names[RPC_EVENT_NAMES] = {"peer.connected", "peer.disconnected", "peer.banned",
	"peer.unbanned", "peer.disconnect", "peer.discovered", "peer.score_updated", "peer.status_due",
	"peer.ping_due", "peer.metadata_due", "conn.failed", "discover.peers", "discover.subnets",
	"discovery.new_peers", "ban.misbehavior", "governor.connect", "governor.disconnect",
	"governor.promote", "governor.demote", "governor.share", "governor.evict_cold", "churn.start",
	"churn.restore", "book.evicted", "circuit.changed", "prune.short", "flood.enter", "flood.leave"};

int rpc_event_index(const char *name)
{
	for (int i = 0; i < RPC_EVENT_NAMES; i++) {
		if (strcmp(event_names[i], name) == 0)
			return i;
	}
	return -1;
}

const char *rpc_event_name(int index)
{
	return event_names[index];
}

bool rpc_event_wanted(void *context, const char *name)
{
	struct rpc *rpc = context;
	int index = rpc_event_index(name);
	return index >= 0 && (rpc->wanted[index] > 0 || rpc->captured != NULL);
}

void rpc_event(void *context, const char *name, const char *json)
{
	static const char head[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"" PROTOCOL_EVENT_METHOD "\",\"params\":";
	struct rpc *rpc = context;
	int index = rpc_event_index(name);
	size_t bytes = strlen(json);
	if (index >= 0 && rpc->captured != NULL)
		json_array_append_new(rpc->captured, json_loadb(json, bytes, 0, NULL));
	if (index < 0 || rpc->wanted[index] == 0)
		return;
	char *line = malloc(sizeof(head) + bytes + 2);
	if (line == NULL)
		return;
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + sizeof(head) - 1, json, bytes);
	memcpy(line + sizeof(head) - 1 + bytes, "}\n", 2);
	for (struct rpc_client *client = rpc->clients; client != NULL; client = client->next) {
		if (client->wants[index])
			client->sink.send(client->sink.context, line, sizeof(head) - 1 + bytes + 2);
	}
	free(line);
}

static void want(struct rpc *rpc, struct rpc_client *client, int index)
{
	rpc->wanted[index] += !client->wants[index];
	client->wants[index] = true;
}

void rpc_client_forget_events(struct rpc *rpc, struct rpc_client *client)
{
	for (int i = 0; i < RPC_EVENT_NAMES; i++)
		rpc->wanted[i] -= client->wants[i];
	memset(client->wants, 0, sizeof(client->wants));
}

void rpc_client_subscribe_all(struct rpc *rpc, struct rpc_client *client)
{
	for (int index = 0; index < RPC_EVENT_NAMES; index++)
		want(rpc, client, index);
}

void rpc_events_subscribe(struct rpc_request *request)
{
	json_t *names = json_object_get(request->params, "names"), *name;
	size_t i;
	json_array_foreach(names, i, name)
	{
		if (rpc_event_index(json_string_value(name)) < 0) {
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
				"names: %.60s is no event (allowed: those of the "
				"reference, such as peer.banned)",
				json_string_value(name));
			return;
		}
	}
	/* the new set replaces the old one; no names: all */
	rpc_client_forget_events(request->rpc, request->client);
	for (int index = 0; index < RPC_EVENT_NAMES && names == NULL; index++)
		want(request->rpc, request->client, index);
	json_array_foreach(names, i, name)
		want(request->rpc, request->client, rpc_event_index(json_string_value(name)));
	request->result = json_pack("{s:b}", "ok", 1);
}
