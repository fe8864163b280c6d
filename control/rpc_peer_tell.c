/* SPDX-License-Identifier: BSD-3-Clause
 * peer.tag, peer.gossip, peer.metrics, peer.seen, peer.request: what the node knows of its peers. Event loop
 * only.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

void rpc_peer_gossip(struct rpc_request *request)
{
	json_t *scores = json_object_get(request->params, "scores"), *value;
	const char *id = rpc_text(request, "id"), *key;
	size_t n = scores != NULL ? json_object_size(scores) : 1, i = 0, updated = 0;
	struct roster_gossip *given;
	if ((scores == NULL) == (id == NULL) ||
		(id != NULL && json_object_get(request->params, "score") == NULL)) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"scores: must be given (allowed: scores {id: number}, or id and score)");
		return;
	}
	given = calloc(n == 0 ? 1 : n, sizeof(*given));
	if (given == NULL) {
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory");
		return;
	}
	if (id != NULL)
		given[i++] =
			(struct roster_gossip){id, rpc_number(request, "score"), rpc_flag(request, "ignore")};
	json_object_foreach(scores, key, value)
	{
		if (!json_is_number(value))
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
				"scores.%.60s: wrong type (allowed: number)", key);
		given[i++] = (struct roster_gossip){key, json_number_value(value), false};
	}
	int error = request->error_code != 0
			    ? -EINVAL
			    : roster_peer_gossip(request->control->roster, given, n, scores != NULL,
				      request->control->clock.wall_ms, &updated);
	free(given);
	if (error == -ENOMEM)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory");
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "score: not finite (allowed: number)");
	else
		request->result = json_pack("{s:I}", "updated", (json_int_t)updated);
}

void rpc_peer_metrics(struct rpc_request *request)
{
	struct roster_metrics metrics = {
		.rtt_ms = rpc_number(request, "rtt_ms"),
		.fetch_ms = rpc_number(request, "fetch_ms"),
		.uptime = rpc_number(request, "uptime"),
		.conn_success = rpc_number(request, "conn_success"),
		.delivery = rpc_number(request, "delivery"),
		.throughput = rpc_number(request, "throughput"),
		.signal_dbm = rpc_number(request, "signal_dbm"),
		.compliance = rpc_number(request, "compliance"),
		.has_tip = json_object_get(request->params, "tip_known") != NULL,
		.tip_known = rpc_flag(request, "tip_known"),
	};
	int64_t blocks = 0, messages = 0, invalid = 0, relayed = 0;
	double value = 0;
	rpc_integer(request, "blocks", &blocks);
	metrics.has_msgs = rpc_integer(request, "msgs", &messages);
	metrics.has_msgs |= rpc_integer(request, "invalid", &invalid);
	metrics.has_msgs |= rpc_integer(request, "relayed", &relayed);
	metrics.blocks = (uint32_t)blocks;
	metrics.msgs = (uint64_t)messages;
	metrics.invalid = (uint64_t)invalid;
	metrics.relayed = (uint64_t)relayed;
	(void)rpc_moment(request, "tx_at", &metrics.tx_ms);
	(void)rpc_moment(request, "block_at", &metrics.block_ms);
	if (roster_peer_metrics(request->control->roster, rpc_text(request, "id"), &metrics,
		    request->control->clock.wall_ms, &value) != 0)
		rpc_peer_unknown(request);
	else
		request->result = json_pack("{s:f}", "value", value);
}

static json_t *due_json(unsigned due)
{
	json_t *array = json_array();
	if (due & PEER_DUE_PING)
		json_array_append_new(array, json_string("ping"));
	if (due & PEER_DUE_STATUS)
		json_array_append_new(array, json_string("status"));
	if (due & PEER_DUE_METADATA)
		json_array_append_new(array, json_string("metadata"));
	return array;
}

void rpc_peer_seen(struct rpc_request *request)
{
	int64_t number = 0;
	uint64_t sequence = 0;
	unsigned due = 0;
	const char *status = rpc_text(request, "sync_status");
	bool has_sequence = rpc_integer(request, "seq", &number);
	sequence = (uint64_t)number;
	if (roster_peer_seen(request->control->roster, rpc_text(request, "id"),
		    (enum roster_seen)rpc_choice(request, "what"), has_sequence ? &sequence : NULL,
		    status != NULL ? status : "", request->control->clock.wall_ms, &due) != 0)
		rpc_peer_unknown(request);
	else
		request->result = json_pack("{s:o}", "due", due_json(due));
}

void rpc_peer_request(struct rpc_request *request)
{
	int64_t count = 1, wait_ms = 0;
	bool allow = true;
	rpc_integer(request, "count", &count);
	if (roster_peer_request(request->control->roster, rpc_text(request, "id"),
		    rpc_text(request, "protocol"), (uint32_t)count, request->control->clock.wall_ms, &allow,
		    &wait_ms) != 0)
		rpc_peer_unknown(request);
	else
		request->result = json_pack("{s:b, s:o}", "allow", (int)allow, "wait_s",
			wait_ms == INT64_MAX ? json_null() : json_real((double)wait_ms / 1000.0));
}

static unsigned tag_flag(const struct rpc_request *request, const char *name, unsigned bit, bool *ret_value)
{
	json_t *value = json_object_get(request->params, name);
	if (value == NULL)
		return 0;
	*ret_value = json_is_true(value);
	return bit;
}

static unsigned tag_kind(int kind, unsigned bit, uint8_t *ret_value)
{
	if (kind < 0)
		return 0;
	*ret_value = (uint8_t)kind;
	return bit;
}

/* {subnet: time}. False after rpc_fail. */
static bool duties_read(struct rpc_request *request, struct peer_tags *tags)
{
	json_t *duties = json_object_get(request->params, "duty_until"), *value;
	const char *key;
	json_object_foreach(duties, key, value)
	{
		char *end;
		unsigned long subnet = strtoul(key, &end, 10);
		double until = json_number_value(value);
		if (key[0] < '0' || key[0] > '9' || *end != '\0' || subnet >= EVICTION_SUBNETS) {
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
				"duty_until.%.20s: no subnet (allowed: 0..%d)", key, EVICTION_SUBNETS - 1);
			return false;
		}
		if (!json_is_number(value) || !(until >= 0 && until <= 253402300799.0)) {
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
				"duty_until.%.20s: not a time (allowed: seconds 0..253402300799)", key);
			return false;
		}
		int error = peer_tags_duty_extend(
			tags, (uint32_t)subnet, rpc_moment_of(until), request->control->clock.wall_ms);
		if (error != 0)
			return false;
	}
	return true;
}

/* group {name, hot, warm}. False after rpc_fail. */
static bool group_read(struct rpc_request *request, struct roster_tag *tag)
{
	json_t *group = json_object_get(request->params, "group");
	double hot = 0, warm = 0;
	if (group == NULL)
		return true;
	tag->group_name = json_string_value(json_object_get(group, "name"));
	if (tag->group_name == NULL || tag->group_name[0] == '\0' ||
		strlen(tag->group_name) >= ROOT_GROUP_NAME_MAX) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"group.name: must be given (allowed: text of 1 to %d bytes)",
			ROOT_GROUP_NAME_MAX - 1);
		return false;
	}
	if (!rpc_field_number(request, group, "group", "hot", 0, 100, &hot) ||
		!rpc_field_number(request, group, "group", "warm", 0, 1000, &warm))
		return false;
	if (hot > warm) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "group.hot: above warm (allowed: 0..warm)");
		return false;
	}
	tag->group_hot = (uint32_t)hot;
	tag->group_warm = (uint32_t)warm;
	tag->which |= ROSTER_TAG_GROUP;
	return true;
}

static bool tag_read(struct rpc_request *request, struct roster_tag *tag)
{
	json_t *subnets = json_object_get(request->params, "subnets"), *item;
	json_t *committees = json_object_get(request->params, "sync_committees");
	double useful = rpc_number(request, "useful");
	uint8_t light = 0;
	size_t i;
	peer_tags_init(&tag->values);
	tag->which |= tag_flag(request, "trusted", ROSTER_TAG_TRUSTED, &tag->values.trusted);
	tag->which |= tag_flag(request, "protected", ROSTER_TAG_PROTECTED, &tag->values.is_protected);
	tag->which |= tag_flag(request, "preferred", ROSTER_TAG_PREFERRED, &tag->values.preferred);
	tag->which |= tag_flag(request, "discouraged", ROSTER_TAG_DISCOURAGED, &tag->discouraged);
	tag->which |= tag_flag(request, "relay_txs", ROSTER_TAG_RELAY, &tag->values.relay_txs);
	tag->which |= tag_kind(rpc_category(request), ROSTER_TAG_CATEGORY, &tag->values.category);
	tag->which |= tag_kind(rpc_source(request), ROSTER_TAG_SOURCE, &tag->values.source);
	tag->which |= tag_kind(rpc_choice(request, "class"), ROSTER_TAG_CLASS, &light);
	tag->values.light = light != 0;
	tag->which |= subnets != NULL ? ROSTER_TAG_SUBNETS : 0;
	json_array_foreach(subnets, i, item)(void)
		peer_tags_subnet_set(&tag->values, (uint32_t)json_integer_value(item), true);
	tag->which |= committees != NULL ? ROSTER_TAG_COMMITTEES : 0;
	json_array_foreach(committees, i, item) tag->values.committees |= 1u << json_integer_value(item);
	if (!isnan(useful)) {
		tag->useful = useful;
		tag->which |= ROSTER_TAG_USEFUL;
	}
	return duties_read(request, &tag->values) && group_read(request, tag);
}

static json_t *group_json(const struct root_groups *groups, uint32_t group)
{
	if (group >= groups->n)
		return json_null();
	return json_pack("{s:o, s:i, s:i}", "name", rpc_string(groups->names[group]), "hot",
		(int)groups->valency[group].hot, "warm", (int)groups->valency[group].warm);
}

json_t *rpc_tags_json(const struct root_groups *groups, const struct peer_tags *tags, bool discouraged)
{
	json_t *subnets = json_array(), *committees = json_array(), *duties = json_object();
	char key[16];
	for (uint32_t i = 0; i < EVICTION_SUBNETS; i++) {
		if (peer_tags_serves(tags, i))
			json_array_append_new(subnets, json_integer((json_int_t)i));
	}
	for (int i = 0; i < EVICTION_COMMITTEES; i++) {
		if (tags->committees & (1u << i))
			json_array_append_new(committees, json_integer(i));
	}
	for (unsigned i = 0; i < tags->n_duties; i++) {
		snprintf(key, sizeof(key), "%u", tags->duties[i].subnet);
		json_object_set_new(duties, key, rpc_time(tags->duties[i].until_ms));
	}
	return json_pack("{s:b, s:b, s:b, s:b, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "trusted",
		(int)tags->trusted, "protected", (int)tags->is_protected, "preferred", (int)tags->preferred,
		"discouraged", (int)discouraged, "category", peer_category_name(tags->category), "source",
		peer_source_name(tags->source), "class", tags->light ? "light" : "full", "relay_txs",
		(int)tags->relay_txs, "subnets", subnets, "sync_committees", committees, "duty_until", duties,
		"group", group_json(groups, tags->group));
}

void rpc_peer_tag(struct rpc_request *request)
{
	struct roster_tag tag = {0};
	struct roster_peer_info info;
	struct peer_tags tags;
	struct peer_name name;
	int64_t now_ms = request->control->clock.wall_ms;
	if (!rpc_peer(request, &name) || !tag_read(request, &tag))
		return;
	int error = roster_peer_tag(request->control->roster, &name, &tag, now_ms, &tags);
	if (error == -ENOENT) {
		rpc_peer_unknown(request);
	} else if (error != 0) {
		rpc_fail(
			request, PROTOCOL_ERROR_BUSY, "limit", "the tag cannot be set: %s", strerror(-error));
	} else {
		roster_peer_get(request->control->roster, &name, now_ms, &info);
		request->result = json_pack("{s:o}", "tags",
			rpc_tags_json(roster_groups(request->control->roster), &tags, info.discouraged));
	}
}
