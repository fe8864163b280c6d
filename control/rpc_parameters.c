/* SPDX-License-Identifier: BSD-3-Clause
 * Parameters of requests against the method table, and what several methods read from them. Each error names
 * the field and what it may be.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/moment.h"
#include "control/rpc_private.h"

void rpc_parameter_range(const struct rpc_parameter *parameter, char *text, size_t bytes)
{
	switch (parameter->type) {
	case RPC_TYPE_TEXT:
		snprintf(text, bytes, "text of %" PRId64 " to %" PRId64 " bytes", parameter->min,
			parameter->max);
		break;
	case RPC_TYPE_INTEGER:
		snprintf(text, bytes, "integer %" PRId64 "..%" PRId64, parameter->min, parameter->max);
		break;
	case RPC_TYPE_SECONDS:
		snprintf(text, bytes, "seconds %" PRId64 "..%" PRId64, parameter->min, parameter->max);
		break;
	case RPC_TYPE_NUMBER:
		snprintf(text, bytes, "number %" PRId64 "..%" PRId64, parameter->min, parameter->max);
		break;
	case RPC_TYPE_INTEGERS:
		snprintf(text, bytes, "array of integers %" PRId64 "..%" PRId64, parameter->min,
			parameter->max);
		break;
	case RPC_TYPE_OBJECTS:
		snprintf(text, bytes, "array of at most %" PRId64 " objects", parameter->max);
		break;
	case RPC_TYPE_OBJECT:
		snprintf(text, bytes, "object");
		break;
	case RPC_TYPE_FLAG:
		snprintf(text, bytes, "true or false");
		break;
	case RPC_TYPE_TEXTS:
		snprintf(text, bytes, "array of at most %" PRId64 " texts", parameter->max);
		break;
	case RPC_TYPE_CHOICE:
		snprintf(text, bytes, "%s", parameter->words);
		break;
	case RPC_TYPE_ANY:
		snprintf(text, bytes, "any value");
		break;
	}
}

static bool word_is_among(const char *word, const char *words)
{
	size_t length = strlen(word);
	for (const char *at = words; length > 0 && at != NULL; at = strchr(at, '|')) {
		at += *at == '|';
		if (strcspn(at, "|") == length && strncmp(at, word, length) == 0)
			return true;
	}
	return false;
}

static bool texts_are_valid(const json_t *value, const struct rpc_parameter *parameter)
{
	size_t i;
	json_t *item;
	if (!json_is_array(value) || json_array_size(value) > (size_t)parameter->max)
		return false;
	json_array_foreach(value, i, item)
	{
		if (!json_is_string(item))
			return false;
	}
	return true;
}

static bool items_are_valid(const json_t *value, const struct rpc_parameter *parameter)
{
	bool objects = parameter->type == RPC_TYPE_OBJECTS;
	size_t i, most = objects ? (size_t)parameter->max : RPC_ITEMS_MAX;
	json_t *item;
	if (!json_is_array(value) || json_array_size(value) > most)
		return false;
	json_array_foreach(value, i, item)
	{
		if (objects ? !json_is_object(item)
			    : !json_is_integer(item) || json_integer_value(item) < parameter->min ||
					json_integer_value(item) > parameter->max)
			return false;
	}
	return true;
}

static bool value_is_valid(const json_t *value, const struct rpc_parameter *parameter)
{
	double number;
	switch (parameter->type) {
	case RPC_TYPE_TEXT:
		return json_is_string(value) && (int64_t)json_string_length(value) >= parameter->min &&
		       (int64_t)json_string_length(value) <= parameter->max;
	case RPC_TYPE_INTEGER:
		return json_is_integer(value) && json_integer_value(value) >= parameter->min &&
		       json_integer_value(value) <= parameter->max;
	case RPC_TYPE_SECONDS:
	case RPC_TYPE_NUMBER:
		number = json_number_value(value);
		return json_is_number(value) && isfinite(number) && number >= (double)parameter->min &&
		       number <= (double)parameter->max;
	case RPC_TYPE_INTEGERS:
	case RPC_TYPE_OBJECTS:
		return items_are_valid(value, parameter);
	case RPC_TYPE_OBJECT:
		return json_is_object(value);
	case RPC_TYPE_FLAG:
		return json_is_boolean(value);
	case RPC_TYPE_TEXTS:
		return texts_are_valid(value, parameter);
	case RPC_TYPE_CHOICE:
		return json_is_string(value) && word_is_among(json_string_value(value), parameter->words);
	case RPC_TYPE_ANY:
		return true;
	}
	return false;
}

static const struct rpc_parameter *parameter_find(const struct rpc_method *method, const char *name)
{
	for (const struct rpc_parameter *parameter = method->parameters;
		parameter != NULL && parameter->name != NULL; parameter++) {
		if (strcmp(parameter->name, name) == 0)
			return parameter;
	}
	return NULL;
}

static void unknown_fail(struct rpc_request *request, const char *name)
{
	char names[256] = "none";
	size_t n = 0;
	for (const struct rpc_parameter *parameter = request->method->parameters;
		parameter != NULL && parameter->name != NULL && n < sizeof(names); parameter++)
		n += (size_t)snprintf(
			names + n, sizeof(names) - n, "%s%s", n == 0 ? "" : ", ", parameter->name);
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%.60s: unknown parameter (allowed: %s)", name,
		names);
}

bool rpc_parameters_check(struct rpc_request *request)
{
	const char *name;
	json_t *value;
	void *next;
	char range[512];

	json_object_foreach_safe(request->params, next, name, value)
	{
		const struct rpc_parameter *parameter = parameter_find(request->method, name);
		if (parameter == NULL) {
			unknown_fail(request, name);
			return false;
		}
		if (json_is_null(value) && !parameter->required && parameter->type != RPC_TYPE_ANY) {
			json_object_del(request->params, name); /* null is the same as not given */
			continue;
		}
		if (!value_is_valid(value, parameter)) {
			rpc_parameter_range(parameter, range, sizeof(range));
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
				"%s: wrong type or out of range (allowed: %s)", parameter->name, range);
			return false;
		}
	}
	for (const struct rpc_parameter *parameter = request->method->parameters;
		parameter != NULL && parameter->name != NULL; parameter++) {
		if (parameter->required && json_object_get(request->params, parameter->name) == NULL) {
			rpc_parameter_range(parameter, range, sizeof(range));
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s: must be given (allowed: %s)",
				parameter->name, range);
			return false;
		}
	}
	return true;
}

const char *rpc_text(const struct rpc_request *request, const char *name)
{
	return json_string_value(json_object_get(request->params, name));
}

bool rpc_integer(const struct rpc_request *request, const char *name, int64_t *ret_value)
{
	json_t *value = json_object_get(request->params, name);
	if (!json_is_integer(value))
		return false;
	*ret_value = json_integer_value(value);
	return true;
}

bool rpc_seconds(const struct rpc_request *request, const char *name, double *ret_value)
{
	json_t *value = json_object_get(request->params, name);
	if (!json_is_number(value))
		return false;
	*ret_value = json_number_value(value);
	return true;
}

bool rpc_flag(const struct rpc_request *request, const char *name)
{
	return json_is_true(json_object_get(request->params, name));
}

bool rpc_address(struct rpc_request *request, const char *name, struct address *ret_address)
{
	const char *text = rpc_text(request, name);
	if (text != NULL && address_parse(text, ret_address) == 0)
		return true;
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s: not an address (allowed: IPv4 or IPv6)", name);
	return false;
}

bool rpc_prefix(struct rpc_request *request, const char *name, const char *text, struct prefix *ret_prefix)
{
	int error = prefix_parse(text, ret_prefix);
	if (error == 0)
		return true;
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s: %.60s %s", name, text,
		error == -ERANGE ? "has a length out of range (allowed: /0../32 for IPv4, /0../128 for IPv6)"
		: error == -EDOM ? "has bits set behind its length"
				 : "is not an address or a prefix (allowed: ADDRESS or ADDRESS/LENGTH)");
	return false;
}

bool rpc_peer(struct rpc_request *request, struct peer_name *ret_name)
{
	const char *id = rpc_text(request, "id"), *ip = rpc_text(request, "ip");
	int64_t port = 0;
	memset(ret_name, 0, sizeof(*ret_name));
	if ((id == NULL) == (ip == NULL)) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"%s: name the peer by one of them (allowed: id, or ip with or "
			"without port)",
			id == NULL ? "id, ip" : "id and ip");
		return false;
	}
	if (id != NULL) {
		snprintf(ret_name->id, sizeof(ret_name->id), "%s", id);
		return true;
	}
	if (rpc_integer(request, "port", &port))
		ret_name->port = (uint16_t)port;
	return rpc_address(request, "ip", &ret_name->address);
}

bool rpc_ban_key(struct rpc_request *request, struct ban *ret_ban)
{
	const char *prefix = rpc_text(request, "prefix");
	struct peer_name name;
	memset(ret_ban, 0, sizeof(*ret_ban));
	if (prefix != NULL) {
		if (rpc_text(request, "id") != NULL || rpc_text(request, "ip") != NULL) {
			rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
				"prefix: given beside a peer (allowed: id, ip or prefix)");
			return false;
		}
		ret_ban->scope = BAN_SCOPE_PREFIX;
		return rpc_prefix(request, "prefix", prefix, &ret_ban->prefix);
	}
	if (!rpc_peer(request, &name))
		return false;
	if (name.id[0] != '\0') {
		ret_ban->scope = BAN_SCOPE_PEER;
		memcpy(ret_ban->id, name.id, sizeof(name.id));
	} else {
		ret_ban->scope = BAN_SCOPE_PREFIX;
		ret_ban->prefix = prefix_of(&name.address, PREFIX_HOST_LENGTH);
	}
	return true;
}

bool rpc_end(struct rpc_request *request, int64_t fallback_ms, int64_t *ret_end_ms)
{
	double seconds;
	bool has_for = json_object_get(request->params, "for") != NULL;
	bool has_until = json_object_get(request->params, "until") != NULL;
	if (has_for && has_until) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"until: given beside for (allowed: one of them)");
		return false;
	}
	*ret_end_ms = fallback_ms;
	if (rpc_seconds(request, "for", &seconds))
		*ret_end_ms = request->control->clock.wall_ms + (int64_t)ceil(seconds * 1000);
	if (rpc_seconds(request, "until", &seconds))
		*ret_end_ms = moment_take((int64_t)ceil(seconds * 1000));
	if (*ret_end_ms > request->control->clock.wall_ms)
		return true;
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s: the ban would have ended already",
		has_for ? "for" : "until");
	return false;
}

json_t *rpc_time(int64_t ms)
{
	return ms == GOVERNOR_NEVER_MS ? json_null() : json_real((double)moment_tell(ms) / 1000.0);
}

json_t *rpc_string(const char *text)
{
	json_t *string = json_string(text);
	char clean[GOVERNOR_ID_MAX * 4];
	size_t n = 0;
	if (string != NULL)
		return string;
	/* bytes that are not UTF-8 become '?' one by one */
	for (; text[n] != '\0' && n + 1 < sizeof(clean); n++)
		clean[n] = (unsigned char)text[n] >= ' ' && (unsigned char)text[n] < 0x7f ? text[n] : '?';
	clean[n] = '\0';
	return json_string(clean);
}

json_t *rpc_ban_json(const struct ban *ban)
{
	char key[PREFIX_TEXT_MAX];
	bool by_id = ban->scope == BAN_SCOPE_PEER;
	return json_pack("{s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "key",
		rpc_string(by_id ? ban->id : prefix_format(&ban->prefix, key)), "scope",
		by_id                                      ? "peer"
		: ban->prefix.length == PREFIX_HOST_LENGTH ? "ip"
							   : "prefix",
		"tier", (int)ban->tier, "start", rpc_time(ban->start_ms), "until", rpc_time(ban->end_ms),
		"reason", rpc_string(ban->reason), "evidence", rpc_string(ban->evidence), "source",
		rpc_string(ban->source));
}
