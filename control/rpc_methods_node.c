/* SPDX-License-Identifier: BSD-3-Clause
 * node.* and governor.*: what the node says of itself, and the governor's targets and ticks. Event loop only.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

static json_t *level_json(const struct target_level *level)
{
	return json_pack("{s:i, s:i, s:i}", "known", (int)level->known, "established",
		(int)level->established, "active", (int)level->active);
}

static json_t *set_json(const struct target_set *set)
{
	json_t *object = level_json(&set->normal);
	json_object_set_new(object, "root", json_integer((json_int_t)set->root));
	json_object_set_new(object, "blp", level_json(&set->big_ledger));
	return object;
}

void rpc_node_sync_state(struct rpc_request *request)
{
	struct target_set targets;
	roster_node_sync_state(request->control->roster, (enum sync_state)rpc_choice(request, "state"),
		request->control->clock.wall_ms, &targets);
	request->result = json_pack("{s:o}", "targets", set_json(&targets));
}

void rpc_node_ledger_peers(struct rpc_request *request)
{
	json_t *array = json_object_get(request->params, "peers"), *item;
	size_t i, n = json_array_size(array), added = 0, big = 0;
	struct roster_ledger_peer *peers = calloc(n == 0 ? 1 : n, sizeof(*peers));
	int error = peers == NULL ? -ENOMEM : 0;
	json_array_foreach(array, i, item)
	{
		struct book_endpoint endpoint;
		json_t *said = json_object_get(item, "big");
		char where[32];
		snprintf(where, sizeof(where), "peers[%zu]", i);
		if (error != 0)
			break;
		if (!rpc_endpoint(request, item, where, true, &endpoint) ||
			!rpc_field_number(request, item, where, "stake", 0, 1e18, &peers[i].stake)) {
			free(peers);
			return;
		}
		peers[i].address = endpoint.address;
		peers[i].port = endpoint.port;
		peers[i].big = json_is_boolean(said) ? json_is_true(said) : -1;
	}
	if (error == 0)
		error = roster_node_ledger_peers(
			request->control->roster, peers, n, request->control->clock.wall_ms, &added, &big);
	free(peers);
	if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory");
	else
		request->result = json_pack("{s:I, s:I}", "added", (json_int_t)added, "big", (json_int_t)big);
}

void rpc_node_subnets(struct rpc_request *request)
{
	struct peer_duty needed[EVICTION_SUBNETS];
	uint16_t wanted[EVICTION_SUBNETS];
	json_t *array = json_object_get(request->params, "needed"), *item, *discover = json_array();
	size_t i, n = json_array_size(array);
	json_array_foreach(array, i, item)
	{
		double subnet = -1, until = 0;
		char where[32];
		snprintf(where, sizeof(where), "needed[%zu]", i);
		if (!rpc_field_number(request, item, where, "subnet", 0, EVICTION_SUBNETS - 1, &subnet) ||
			!rpc_field_number(request, item, where, "min_ttl", 0, 253402300799.0, &until)) {
			json_decref(discover);
			return;
		}
		if (subnet < 0 || subnet != floor(subnet)) {
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
				"%s.subnet: must be given (allowed: integer 0..%d)", where,
				EVICTION_SUBNETS - 1);
			json_decref(discover);
			return;
		}
		needed[i] = (struct peer_duty){(uint16_t)subnet, rpc_moment_of(until)};
	}
	size_t found = roster_node_subnets(
		request->control->roster, needed, n, request->control->clock.wall_ms, wanted);
	for (i = 0; i < found; i++)
		json_array_append_new(discover, json_integer(wanted[i]));
	request->result = json_pack("{s:o}", "discover", discover);
}

void rpc_node_up(struct rpc_request *request)
{
	roster_node_up(request->control->roster, rpc_flag(request, "up"), request->control->clock.wall_ms);
	request->result = json_object();
}

static void set_count(const json_t *object, const char *name, uint32_t *value, bool *given)
{
	const json_t *number = json_object_get(object, name);
	if (!json_is_integer(number))
		return;
	*value = (uint32_t)json_integer_value(number);
	*given = true;
}

static bool level_read(struct rpc_request *request, const json_t *object, const char *where,
	struct target_level *level, bool *given)
{
	static const char *const names[] = {"known", "established", "active"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const json_t *number = json_object_get(object, names[i]);
		if (number == NULL || (json_is_integer(number) && json_integer_value(number) >= 0 &&
					      json_integer_value(number) <= 10000))
			continue;
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"%s%s: wrong type or out of range (allowed: integer 0..10000)", where, names[i]);
		return false;
	}
	set_count(object, "known", &level->known, given);
	set_count(object, "established", &level->established, given);
	set_count(object, "active", &level->active, given);
	return true;
}

void rpc_governor_targets(struct rpc_request *request)
{
	struct roster *roster = request->control->roster;
	int64_t now_ms = request->control->clock.wall_ms;
	char flaw[ROSTER_TEXT_MAX] = "";
	struct roster_targets targets;
	bool given = false, has_target = false;
	uint32_t target = 0;
	(void)roster_targets(roster, NULL, NULL, now_ms, &targets, flaw);
	struct target_set set = targets.base;
	set_count(request->params, "target", &target, &has_target);
	set_count(request->params, "root", &set.root, &given);
	if (!level_read(request, request->params, "", &set.normal, &given) ||
		!level_read(
			request, json_object_get(request->params, "blp"), "blp.", &set.big_ledger, &given))
		return;
	if (roster_targets(
		    roster, has_target ? &target : NULL, given ? &set : NULL, now_ms, &targets, flaw) != 0) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"targets: %s (allowed: 0 <= active <= established <= known, root <= known)", flaw);
		return;
	}
	const struct target_limits *limits = &targets.limits;
	json_t *result = set_json(&targets.in_force);
	json_object_set_new(result, "target", json_integer((json_int_t)targets.target));
	json_object_set_new(result, "base", set_json(&targets.base));
	json_object_set_new(result, "limits",
		json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "max", (int)limits->max, "priority",
			(int)limits->priority, "dial_out", (int)limits->dial_out, "min_out",
			(int)limits->min_out, "target_out", (int)limits->target_out, "max_in",
			(int)limits->max_in, "ignore_neg", (int)limits->ignore_negative));
	request->result = result;
}

void rpc_governor_tick(struct rpc_request *request)
{
	request->rpc->captured = json_array();
	roster_tick(request->control->roster, request->control->clock.wall_ms);
	request->result = json_pack("{s:o}", "actions", request->rpc->captured);
	request->rpc->captured = NULL;
}
