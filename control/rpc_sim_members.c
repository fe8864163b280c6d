/* SPDX-License-Identifier: BSD-3-Clause
 * The members of sim.eval's `in` against what a formula takes: other words for one are made the one that the
 * formula reads, an unknown or mistyped one fails, so that no mistake is answered with a default. Event loop
 * only.
 */
#include <stdio.h>
#include <string.h>

#include "control/rpc_private.h"

/* Whether `name` is a word of this group of `members`. */
static bool group_has(const char *group, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = group;; at++) {
		size_t word = strcspn(at, "|: ");
		if (word == length && strncmp(at, name, length) == 0)
			return true;
		at += word;
		if (*at == ':')
			at += strcspn(at, "| ");
		if (*at != '|')
			return false;
	}
}

static const char *group_find(const char *members, const char *name)
{
	for (const char *group = members; *group != '\0'; group += *group == ' ') {
		if (group_has(group, name))
			return group;
		group += strcspn(group, " ");
	}
	return NULL;
}

/* Only the first word of each group: the name in the policy's vectors is enough to go on. */
static void names_list(const char *members, char *text, size_t bytes)
{
	size_t n = 0;
	text[0] = '\0';
	for (const char *group = members; *group != '\0'; group += *group == ' ') {
		size_t length = strcspn(group, "|: ");
		if (n + length + sizeof(", ") > bytes)
			return;
		n += (size_t)snprintf(text + n, bytes - n, "%s%.*s", n == 0 ? "" : ", ", (int)length, group);
		group += strcspn(group, " ");
	}
}

static const char *type_wanted(const char *group, const json_t *value)
{
	const char *type = group + strcspn(group, "|: ");
	switch (*type == ':' ? type[1] : 'n') {
	case 'f':
		return json_is_boolean(value) ? NULL : "true or false";
	case 'c':
		return json_is_boolean(value) || (json_is_number(value) && json_number_value(value) >= 0)
			       ? NULL
			       : "number from 0, true or false";
	case 't':
		return json_is_string(value) ? NULL : "text";
	case 'a':
		return json_is_array(value) ? NULL : "array";
	case 'o':
		return json_is_object(value) ? NULL : "object";
	default:
		return json_is_number(value) ? NULL : "number";
	}
}

static bool member_take(struct rpc_request *request, json_t *object, const char *where, const char *members,
	const char *name, json_t *value)
{
	char names[512], first[32];
	const char *group = group_find(members, name);
	if (group == NULL) {
		names_list(members, names, sizeof(names));
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s.%.60s: unknown member (allowed: %s)", where, name,
			names);
		return false;
	}
	const char *wanted = json_is_null(value) ? NULL : type_wanted(group, value);
	if (wanted != NULL) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s.%.60s: wrong type (allowed: %s)", where, name,
			wanted);
		return false;
	}
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(group, "|: "), group);
	if (strcmp(first, name) == 0)
		return true;
	if (json_object_get(object, first) != NULL) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "%s.%.60s: given beside %s, which is the same", where,
			name, first);
		return false;
	}
	(void)json_object_set(object, first, value);
	(void)json_object_del(object, name);
	return true;
}

bool rpc_sim_members(struct rpc_request *request, json_t *object, const char *where, const char *members)
{
	const char *name;
	json_t *value, *given = json_copy(object); /* the object changes while it is walked */
	bool good = given != NULL;
	if (given == NULL)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory");
	json_object_foreach(given, name, value)
	{
		good = good && member_take(request, object, where, members, name, value);
	}
	json_decref(given);
	return good;
}
