/* SPDX-License-Identifier: BSD-3-Clause
 * Values inside parameters and answers: numbers, times, choices, endpoints, objects in arrays. What
 * rpc_parameters.c has checked against the table need not be checked again; what stands inside an object is
 * checked here. Event loop only.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/moment.h"
#include "control/rpc_private.h"

double rpc_number(const struct rpc_request *request, const char *name)
{
	json_t *value = json_object_get(request->params, name);
	return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

int64_t rpc_moment_of(double seconds)
{
	return moment_take(llround(seconds * 1000.0));
}

bool rpc_moment(const struct rpc_request *request, const char *name, int64_t *ret_ms)
{
	double seconds;
	if (!rpc_seconds(request, name, &seconds))
		return false;
	*ret_ms = rpc_moment_of(seconds);
	return true;
}

/* The index of `word` in "a|b|c", or -1. */
static int word_index(const char *words, const char *word)
{
	size_t length = strlen(word);
	int index = 0;
	for (const char *at = words; at != NULL; at = strchr(at, '|'), index++) {
		at += *at == '|';
		if (strcspn(at, "|") == length && strncmp(at, word, length) == 0)
			return index;
	}
	return -1;
}

int rpc_choice(const struct rpc_request *request, const char *name)
{
	const char *word = rpc_text(request, name);
	const struct rpc_parameter *parameter = request->method->parameters;
	if (word == NULL)
		return -1;
	while (strcmp(parameter->name, name) != 0)
		parameter++;
	return word_index(parameter->words, word);
}

int rpc_category(const struct rpc_request *request)
{
	const char *word = rpc_text(request, "category");
	return word == NULL ? -1 : peer_category_of(word);
}

int rpc_source(const struct rpc_request *request)
{
	const char *word = rpc_text(request, "source");
	return word == NULL ? -1 : peer_source_of(word);
}

bool rpc_member_word(const json_t *object, const char *name, const char *words, int *ret_index)
{
	const json_t *value = json_object_get(object, name);
	int index = json_is_string(value) ? word_index(words, json_string_value(value)) : -1;
	if (value == NULL || json_is_null(value))
		return true;
	if (index >= 0)
		*ret_index = index;
	return index >= 0;
}

bool rpc_endpoint(struct rpc_request *request, const json_t *object, const char *where, bool port_required,
	struct book_endpoint *ret_endpoint)
{
	const char *ip = json_string_value(json_object_get(object, "ip"));
	const json_t *port = json_object_get(object, "port");
	struct book_endpoint endpoint = {0};
	if (ip == NULL || address_parse(ip, &endpoint.address) != 0) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"%s%sip: not an address (allowed: IPv4 or IPv6)", where, where[0] != '\0' ? "." : "");
		return false;
	}
	if (port == NULL && !port_required) {
		*ret_endpoint = endpoint;
		return true;
	}
	if (!json_is_integer(port) || json_integer_value(port) < 1 || json_integer_value(port) > 65535) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"%s%sport: not a port (allowed: integer 1..65535)", where,
			where[0] != '\0' ? "." : "");
		return false;
	}
	endpoint.port = (uint16_t)json_integer_value(port);
	*ret_endpoint = endpoint;
	return true;
}

bool rpc_endpoints(
	struct rpc_request *request, const char *name, struct book_endpoint **ret_endpoints, size_t *ret_n)
{
	json_t *array = json_object_get(request->params, name), *item;
	size_t i, n = json_array_size(array);
	struct book_endpoint *endpoints = n == 0 ? NULL : calloc(n, sizeof(*endpoints));
	if (n != 0 && endpoints == NULL) {
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory");
		return false;
	}
	json_array_foreach(array, i, item)
	{
		if (!rpc_endpoint(request, item, name, true, &endpoints[i])) {
			free(endpoints);
			return false;
		}
	}
	*ret_endpoints = endpoints;
	*ret_n = n;
	return true;
}

bool rpc_field_number(struct rpc_request *request, const json_t *object, const char *where, const char *name,
	double min, double max, double *ret_value)
{
	const json_t *value = json_object_get(object, name);
	double number = json_number_value(value);
	if (value == NULL || json_is_null(value))
		return true;
	if (json_is_number(value) && isfinite(number) && number >= min && number <= max) {
		*ret_value = number;
		return true;
	}
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
		"%s.%s: wrong type or out of range (allowed: number %.15g..%.15g)", where, name, min, max);
	return false;
}

json_t *rpc_endpoint_json(const struct book_endpoint *endpoint)
{
	char text[PREFIX_TEXT_MAX];
	return json_pack(
		"{s:s, s:i}", "ip", address_format(&endpoint->address, text), "port", (int)endpoint->port);
}

json_t *rpc_real(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}
