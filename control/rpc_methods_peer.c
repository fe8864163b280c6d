/* SPDX-License-Identifier: BSD-3-Clause
 * peer.bind, peer.state, peer.report, peer.record, peer.rpc_error, peer.disconnect, peer.remove, peer.best:
 * what happens to a peer. rpc_peer_tell.c has what the node knows of it, rpc_peer_json.c what is known. Event
 * loop only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

#define SECOND_NS UINT64_C(1000000000)

static const char *const states[] = {"healthy", "disconnect", "banned"};
static const char *const actions[PEER_ACTION_COUNT] = {"fatal", "low", "mid", "high", "invalid_message",
	"connection_failure", "spam", "protocol_violation", "malicious_content"};

void rpc_peer_unknown(struct rpc_request *request)
{
	rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "peer", "no such peer: bind it, or name it by its address");
}

json_t *rpc_client_json(const struct client *client, const char *agent)
{
	return json_pack("{s:s, s:o, s:o, s:o}", "kind", client_kind_name(client->kind), "version",
		rpc_string(client->version), "os", rpc_string(client->os), "agent",
		rpc_string(agent != NULL ? agent : ""));
}

/* Any JSON value of the node as one text: texts as they are, the rest written out. The caller frees. */
static char *text_of(const json_t *value)
{
	if (json_is_string(value))
		return strdup(json_string_value(value));
	return value == NULL || json_is_null(value) ? strdup("")
						    : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

enum { TOLD_MAX = 2048 }; /* an ENR is at most 300 bytes (EIP-778), metadata some hundred */

void rpc_peer_bind(struct rpc_request *request)
{
	struct roster_bound bound = {0};
	struct book_endpoint endpoint = {0};
	const char *agent = rpc_text(request, "agent"), *version = rpc_text(request, "version");
	char *enr = text_of(json_object_get(request->params, "enr"));
	char *metadata = text_of(json_object_get(request->params, "metadata"));
	int64_t number = 0, listen = 0;
	int error = -EINVAL;
	rpc_integer(request, "listen_port", &listen);
	bool by_number = rpc_integer(request, "conn", &number);
	if (!by_number && rpc_text(request, "ip") == NULL)
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"conn: must be given (allowed: conn, or ip and port)");
	if (enr == NULL || metadata == NULL)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory");
	else if (strlen(enr) > TOLD_MAX || strlen(metadata) > TOLD_MAX)
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s: too long (allowed: at most %d bytes)",
			strlen(enr) > TOLD_MAX ? "enr" : "metadata", TOLD_MAX);
	if (request->error_code == 0 &&
		(by_number || rpc_endpoint(request, request->params, "", true, &endpoint))) {
		struct roster_bind bind = {rpc_text(request, "id"), (uint64_t)number, endpoint.address,
			endpoint.port, agent != NULL ? agent : "", version != NULL ? version : "", enr,
			metadata, (uint16_t)listen};
		error = roster_peer_bind(
			request->control->roster, &bind, request->control->clock.wall_ms, &bound);
	}
	free(enr);
	free(metadata);
	if (request->error_code != 0)
		return;
	if (error == -ENOENT)
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "conn", "there is no such connection");
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "limit", "the peer cannot be bound: %s",
			strerror(-error));
	else
		request->result = json_pack("{s:b, s:s, s:o, s:o, s:o}", "accepted", (int)bound.accepted,
			"reason", bound.reason, "code",
			bound.code == 0 ? json_null() : json_integer(bound.code), "until",
			bound.until_ms == 0 ? json_null() : rpc_time(bound.until_ms), "client",
			rpc_client_json(&bound.client, agent));
}

void rpc_peer_state(struct rpc_request *request)
{
	enum temperature from, to;
	int error = roster_peer_temperature(request->control->roster, rpc_text(request, "id"),
		(enum temperature)rpc_choice(request, "to"), request->control->clock.wall_ms, &from, &to);
	if (error == -ENOENT)
		rpc_peer_unknown(request);
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "transition",
			"there is no such step (allowed: cold to warm, warm to hot, hot to warm, warm and "
			"hot to cold)");
	else
		request->result =
			json_pack("{s:s, s:s}", "from", temperature_name(from), "to", temperature_name(to));
}

static json_t *report_json(const struct peer_report_result *result)
{
	json_t *ban = !result->banned
			      ? json_null()
			      : json_pack("{s:i, s:o, s:i}", "tier", (int)result->ban.tier, "until",
					rpc_time(result->ban.end_ms), "strikes", (int)result->strikes);
	return json_pack("{s:o, s:s, s:o, s:b}", "score",
		result->trusted ? json_null() : json_real(result->score), "state", states[result->state],
		"ban", ban, "trusted", (int)result->trusted);
}

void rpc_peer_report(struct rpc_request *request)
{
	const char *evidence = rpc_text(request, "evidence");
	json_t *proven = json_object_get(request->params, "proven");
	struct peer_report_result result;
	struct peer_name name;
	if (!rpc_peer(request, &name))
		return;
	int error = roster_peer_report(request->control->roster, &name,
		(enum peer_action)rpc_choice(request, "action"), rpc_text(request, "reason"),
		evidence != NULL ? evidence : "", proven == NULL || json_is_true(proven),
		request->control->clock.wall_ms, &result);
	if (error == -ENOENT)
		rpc_peer_unknown(request);
	else if (error == -EPERM)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "unproven",
			"the source is not proven: nothing was changed");
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "limit", "the report cannot be taken: %s",
			strerror(-error));
	else
		request->result = report_json(&result);
}

void rpc_peer_rpc_error(struct rpc_request *request)
{
	enum peer_action action = PEER_ACTION_COUNT;
	struct peer_report_result result;
	int error = roster_peer_rpc_error(request->control->roster, rpc_text(request, "id"),
		rpc_text(request, "error"), rpc_text(request, "protocol"), rpc_choice(request, "by") == 0,
		request->control->clock.wall_ms, &action, &result);
	if (error == -EDOM)
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"error: no such error (allowed: incomplete_stream, handler_rejected, invalid_data, "
			"ssz_decode, io_error, "
			"resource_unavailable, server_error, invalid_request, rate_limited, "
			"unsupported_protocol, "
			"stream_timeout, negotiation_timeout, disconnected)");
	else if (error != 0)
		rpc_peer_unknown(request);
	else
		request->result = json_pack("{s:o, s:o, s:s}", "action",
			action == PEER_ACTION_COUNT ? json_null() : json_string(actions[action]), "score",
			result.trusted ? json_null() : json_real(result.score), "state",
			states[result.state]);
}

void rpc_peer_record(struct rpc_request *request)
{
	struct roster_record record;
	if (roster_peer_record(request->control->roster, rpc_text(request, "id"), rpc_flag(request, "ok"),
		    request->control->clock.wall_ms, &record) != 0)
		rpc_peer_unknown(request);
	else
		request->result = json_pack("{s:f, s:I, s:I, s:I, s:b}", "reputation", record.reputation,
			"ok", (json_int_t)record.ok, "fail", (json_int_t)record.fail, "streak",
			(json_int_t)record.streak, "blacklisted", (int)record.blacklisted);
}

/* One of limits.disconnects_per_s, which all may be used at once. */
static bool disconnect_take(struct control *control)
{
	uint64_t per_s = control->config.disconnects_per_s, now_ns = control->clock.mono_ns;
	uint64_t full_ns = control->disconnect_full_ns > now_ns ? control->disconnect_full_ns : now_ns;
	if (per_s == 0)
		return true;
	full_ns += SECOND_NS / per_s;
	if (full_ns > now_ns + SECOND_NS)
		return false;
	control->disconnect_full_ns = full_ns;
	return true;
}

void rpc_peer_disconnect(struct rpc_request *request)
{
	struct control *control = request->control;
	const char *reason = rpc_text(request, "reason");
	struct peer_name name;
	uint32_t closed = 0;
	int64_t code = 0;
	if (!rpc_peer(request, &name))
		return;
	if (!disconnect_take(control)) {
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "rate",
			"more than %llu peers a second: try again in a second",
			(unsigned long long)control->config.disconnects_per_s);
		return;
	}
	rpc_integer(request, "code", &code);
	if (roster_peer_disconnect(control->roster, &name, reason != NULL ? reason : "", (int)code,
		    control->clock.wall_ms, &closed) != 0)
		rpc_peer_unknown(request);
	else
		request->result = json_pack("{s:I}", "closed", (json_int_t)closed);
}

void rpc_peer_remove(struct rpc_request *request)
{
	int error = roster_peer_remove(
		request->control->roster, rpc_text(request, "id"), request->control->clock.wall_ms);
	if (error != 0)
		rpc_peer_unknown(request);
	else
		request->result = json_pack("{s:b}", "removed", 1);
}

void rpc_peer_best(struct rpc_request *request)
{
	const char *exclude[RPC_ITEMS_MAX], *found[ROSTER_ANSWER_MAX];
	json_t *array = json_object_get(request->params, "exclude"), *item, *ids = json_array();
	int64_t n = 1;
	size_t i;
	json_array_foreach(array, i, item) exclude[i] = json_string_value(item);
	rpc_integer(request, "n", &n);
	size_t answered = roster_peer_best(request->control->roster, (size_t)n, exclude,
		json_array_size(array), request->control->clock.wall_ms, found);
	for (i = 0; i < answered; i++)
		json_array_append_new(ids, rpc_string(found[i]));
	request->result = json_pack("{s:o}", "ids", ids);
}
