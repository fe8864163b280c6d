/* SPDX-License-Identifier: BSD-3-Clause
 * The typed calls (weir_client.h): each makes the parameters of one method. The caller's thread.
 */
#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "tools/client/weir_client.h"

/* Takes the object over. */
static int call(struct weir_client *client, const char *method, json_t *parameters,
	weir_answer_callback callback, void *context)
{
	char *text = parameters != NULL ? json_dumps(parameters, JSON_COMPACT) : NULL;
	int error = text != NULL ? weir_call(client, method, text, callback, context) : -ENOMEM;

	free(text);
	json_decref(parameters);
	return error;
}

static void put_text(json_t *object, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_object_set_new(object, name, json_string(text));
}

int weir_peer_bind(struct weir_client *client, const char *id, const char *ip, uint16_t port,
	const char *agent, uint16_t listen_port, weir_answer_callback callback, void *context)
{
	json_t *parameters = json_pack("{s:s, s:s, s:i}", "id", id, "ip", ip, "port", (int)port);

	put_text(parameters, "agent", agent);
	if (listen_port != 0)
		json_object_set_new(parameters, "listen_port", json_integer(listen_port));
	return call(client, "peer.bind", parameters, callback, context);
}

int weir_conn_auth(struct weir_client *client, const char *ip, uint16_t port, bool ok, const char *reason)
{
	json_t *parameters = json_pack("{s:s, s:i, s:b}", "ip", ip, "port", (int)port, "ok", (int)ok);

	put_text(parameters, "reason", reason);
	return call(client, "conn.auth", parameters, NULL, NULL);
}

int weir_peer_report(struct weir_client *client, const char *id, const char *action, const char *reason,
	const char *evidence)
{
	json_t *parameters = json_pack(
		"{s:s, s:s, s:s}", "id", id, "action", action, "reason", reason != NULL ? reason : "");

	put_text(parameters, "evidence", evidence);
	return call(client, "peer.report", parameters, NULL, NULL);
}

int weir_peer_record(struct weir_client *client, const char *id, bool ok)
{
	return call(client, "peer.record", json_pack("{s:s, s:b}", "id", id, "ok", (int)ok), NULL, NULL);
}

int weir_peer_state(struct weir_client *client, const char *id, const char *to)
{
	return call(client, "peer.state", json_pack("{s:s, s:s}", "id", id, "to", to), NULL, NULL);
}

int weir_conn_dial(struct weir_client *client, const char *ip, uint16_t port, weir_answer_callback callback,
	void *context)
{
	return call(
		client, "conn.dial", json_pack("{s:s, s:i}", "ip", ip, "port", (int)port), callback, context);
}

int weir_book_add(struct weir_client *client, const char *ip, uint16_t port, const char *source)
{
	json_t *parameters =
		json_pack("{s:[{s:s, s:i, s:s}]}", "entries", "ip", ip, "port", (int)port, "source", source);

	return call(client, "book.add", parameters, NULL, NULL);
}

int weir_book_to_connect(struct weir_client *client, unsigned n, weir_answer_callback callback, void *context)
{
	return call(client, "book.to_connect", json_pack("{s:i}", "n", (int)n), callback, context);
}

int weir_book_to_send(struct weir_client *client, unsigned n, const char *asker,
	weir_answer_callback callback, void *context)
{
	json_t *parameters = json_pack("{s:i}", "n", (int)n);

	put_text(parameters, "asker", asker);
	return call(client, "book.to_send", parameters, callback, context);
}

int weir_node_up(struct weir_client *client, bool up)
{
	return call(client, "node.up", json_pack("{s:b}", "up", (int)up), NULL, NULL);
}

int weir_node_sync_state(struct weir_client *client, const char *state)
{
	return call(client, "node.sync_state", json_pack("{s:s}", "state", state), NULL, NULL);
}
