/* SPDX-License-Identifier: BSD-3-Clause
 * Requests from line to answer: parse, look up, check, handle, send. Pending ones are polled by rpc_tick.
 */
#include "control/rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

int rpc_create(struct control *control, const struct rpc_host *host, struct rpc **ret_rpc)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	if (rpc == NULL)
		return -ENOMEM;
	rpc->control = control;
	rpc->host = *host;
	control->listener = (struct control_listener){rpc, rpc_event_wanted, rpc_event, rpc_probe_answer};
	*ret_rpc = rpc;
	return 0;
}

static void request_free(struct rpc_request *request)
{
	json_decref(request->id);
	json_decref(request->params);
	json_decref(request->result);
	free(request);
}

void rpc_destroy(struct rpc *rpc)
{
	if (rpc == NULL)
		return;
	while (rpc->clients != NULL)
		rpc_client_remove(rpc, rpc->clients);
	memset(&rpc->control->listener, 0, sizeof(rpc->control->listener));
	free(rpc);
}

int rpc_client_add(
	struct rpc *rpc, const struct rpc_sink *sink, bool may_write, struct rpc_client **ret_client)
{
	struct rpc_client *client = calloc(1, sizeof(*client));
	if (client == NULL)
		return -ENOMEM;
	client->sink = *sink;
	client->may_write = may_write;
	client->next = rpc->clients;
	rpc->clients = client;
	*ret_client = client;
	return 0;
}

void rpc_client_remove(struct rpc *rpc, struct rpc_client *client)
{
	struct rpc_request **link = &rpc->pending;
	while (*link != NULL) {
		struct rpc_request *request = *link;
		if (request->client == client) {
			*link = request->next;
			rpc->n_pending--;
			request_free(request);
		} else {
			link = &request->next;
		}
	}
	struct rpc_client **place = &rpc->clients;
	while (*place != client)
		place = &(*place)->next;
	*place = client->next;
	rpc_client_forget_events(rpc, client);
	free(client);
}

void rpc_fail(
	struct rpc_request *request, enum protocol_error code, const char *reason, const char *format, ...)
{
	va_list arguments;
	if (request->error_code != 0)
		return;
	request->error_code = code;
	request->error_reason = reason;
	va_start(arguments, format);
	vsnprintf(request->error_text, sizeof(request->error_text), format, arguments);
	va_end(arguments);
}

static void send_json(struct rpc_client *client, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(15));
	size_t bytes = text == NULL ? 0 : strlen(text);
	if (text != NULL) {
		text[bytes] = '\n'; /* over the NUL: the sink takes a length */
		client->sink.send(client->sink.context, text, bytes + 1);
	}
	free(text);
	json_decref(message);
}

static json_t *error_message(json_t *id, int code, const char *text, const char *reason)
{
	json_t *error = json_pack("{s:i, s:o}", "code", code, "message", rpc_string(text));
	if (reason != NULL)
		json_object_set_new(error, "data", json_pack("{s:s}", "reason", reason));
	return json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "error", error);
}

/* Sends what the request came to; a notification gets nothing, whatever happened. */
static void request_answer(struct rpc_request *request)
{
	if (request->id == NULL)
		return;
	if (request->error_code == 0 && request->result == NULL)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory for the answer");
	if (request->error_code != 0)
		send_json(request->client, error_message(request->id, request->error_code,
						   request->error_text, request->error_reason));
	else
		send_json(request->client, json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", request->id,
						   "result", request->result));
}

static void line_fail(struct rpc_client *client, const char *text)
{
	json_t *null = json_null();
	send_json(client, error_message(null, PROTOCOL_ERROR_REQUEST, text, NULL));
}

void rpc_line_too_long(struct rpc_client *client)
{
	line_fail(client, "the line is longer than 1048576 bytes");
}

static const struct rpc_method *method_find(const char *name)
{
	for (size_t i = 0; i < rpc_n_methods; i++) {
		if (strcmp(rpc_methods[i].name, name) == 0)
			return &rpc_methods[i];
	}
	return NULL;
}

/* The envelope: version, id, method, params. An id that is none is answered as null. */
static void envelope_check(struct rpc_request *request, json_t *message)
{
	json_t *version = json_object_get(message, "jsonrpc"), *id = json_object_get(message, "id");
	json_t *method = json_object_get(message, "method"), *params = json_object_get(message, "params");
	const char *key;
	json_t *value;

	if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
		request->id = json_null();
		rpc_fail(request, PROTOCOL_ERROR_REQUEST, NULL, "id: must be a string, a number or null");
		return;
	}
	request->id = json_incref(id);
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0)
		rpc_fail(request, PROTOCOL_ERROR_REQUEST, NULL, "jsonrpc: must be \"2.0\"");
	if (!json_is_string(method))
		rpc_fail(request, PROTOCOL_ERROR_REQUEST, NULL, "method: must be a string");
	if (params != NULL && !json_is_object(params))
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"params: must be an object with named fields");
	json_object_foreach(message, key, value)
	{
		if (strcmp(key, "jsonrpc") != 0 && strcmp(key, "id") != 0 && strcmp(key, "method") != 0 &&
			strcmp(key, "params") != 0 && strcmp(key, "t") != 0)
			rpc_fail(request, PROTOCOL_ERROR_REQUEST, NULL,
				"%.40s: unknown member (allowed: jsonrpc, id, method, params)", key);
	}
	/* an error in a request without id is answered all the same: its sender has no other way to learn */
	if (request->error_code != 0 && request->id == NULL)
		request->id = json_null();
	if (request->error_code != 0)
		return;
	request->params = params != NULL ? json_incref(params) : json_object();
	request->method = method_find(json_string_value(method));
	if (request->method == NULL)
		rpc_fail(request, PROTOCOL_ERROR_METHOD, NULL, "%.80s: no such method",
			json_string_value(method));
}

static void request_run(struct rpc_request *request)
{
	bool simulated = request->control->simulated;
	if (request->method->where == (simulated ? RPC_LIVE : RPC_SIMULATE)) {
		rpc_fail(request, PROTOCOL_ERROR_METHOD, NULL,
			simulated ? "%s: not in simulate, which has no dataplane and no file"
				  : "%s: only in simulate; here the dataplane says it",
			request->method->name);
		return;
	}
	if (request->method->writes && !request->client->may_write) {
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "permission",
			"%s changes something, which only root and members of socket.admin_group may",
			request->method->name);
		return;
	}
	if (rpc_parameters_check(request))
		request->method->handle(request);
}

void rpc_line(struct rpc *rpc, struct rpc_client *client, const char *line, size_t bytes)
{
	json_error_t problem;
	char text[JSON_ERROR_TEXT_LENGTH + 64];
	if (bytes > PROTOCOL_LINE_BYTES_MAX) {
		rpc_line_too_long(client);
		return;
	}
	json_t *message = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &problem);
	if (!json_is_object(message)) {
		snprintf(text, sizeof(text), "not a JSON object on one line: %s",
			json_is_array(message) ? "batches are not supported, send one request a line"
					       : problem.text);
		json_decref(message);
		line_fail(client, text);
		return;
	}
	struct rpc_request *request = calloc(1, sizeof(*request));
	if (request == NULL) {
		json_decref(message);
		line_fail(client, "not enough memory");
		return;
	}
	request->rpc = rpc;
	request->control = rpc->control;
	request->client = client;
	envelope_check(request, message);
	json_decref(message);
	if (request->error_code == 0)
		request_run(request);
	if (request->error_code == 0 && request->poll != NULL) {
		request->next = rpc->pending;
		rpc->pending = request;
		rpc->n_pending++;
		client->n_pending++;
		return;
	}
	request_answer(request);
	request_free(request);
}

void rpc_wait(struct rpc_request *request, bool (*poll)(struct rpc_request *request, bool timed_out),
	uint64_t timeout_ms)
{
	if (request->rpc->n_pending >= RPC_PENDING_MAX) {
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "pending", "%u requests wait already",
			request->rpc->n_pending);
		return;
	}
	request->poll = poll;
	request->deadline_ns = request->control->clock.mono_ns + timeout_ms * 1000000;
}

void rpc_tick(struct rpc *rpc)
{
	struct rpc_request **link = &rpc->pending;
	while (*link != NULL) {
		struct rpc_request *request = *link;
		bool timed_out = rpc->control->clock.mono_ns >= request->deadline_ns;
		if (!request->poll(request, timed_out)) {
			link = &request->next;
			continue;
		}
		*link = request->next;
		rpc->n_pending--;
		request->client->n_pending--;
		request_answer(request);
		request_free(request);
	}
}

unsigned rpc_pending(const struct rpc *rpc)
{
	return rpc->n_pending;
}

unsigned rpc_client_pending(const struct rpc_client *client)
{
	return client->n_pending;
}
