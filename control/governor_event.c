/* SPDX-License-Identifier: BSD-3-Clause
 * Texts of events for subscribers (the names are in rpc.md). The governor's thread. Must not allocate: an event is
 * one bounded line, whose longest fields (id, reason, evidence) fit even if every byte has to be escaped short.
 */
#include "control/governor_internal.h"
#include "control/moment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void append(struct event_text *event, const char *text, size_t n)
{
	/* Two bytes stay free for the closing brace and the NUL. */
	if (event->n + n + 2 > sizeof(event->json)) {
		event->wanted = false; /* never half a line */
		return;
	}
	memcpy(event->json + event->n, text, n);
	event->n += n;
}

static void append_key(struct event_text *event, const char *key)
{
	append(event, ",\"", 2);
	append(event, key, strlen(key));
	append(event, "\":", 2);
}

static void append_number(struct event_text *event, double value)
{
	char text[32];
	if (isfinite(value))
		append(event, text, (size_t)snprintf(text, sizeof(text), "%.10g", value));
	else
		append(event, "null", 4);
}

/** Milliseconds as seconds with three decimals, without floating point: exact, and a bulk import makes a million of them. */
static void append_time(struct event_text *event, int64_t t_ms)
{
	char text[32];
	char *at = text + sizeof(text);
	int64_t told_ms = moment_tell(t_ms);
	uint64_t left = told_ms < 0 ? 0 : (uint64_t)told_ms;
	unsigned digits = 0;
	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
		if (++digits == 3)
			*--at = '.';
	} while (left != 0 || digits < 4);
	append(event, at, (size_t)(text + sizeof(text) - at));
}

void event_begin(struct event_text *event, struct governor *governor, const char *name)
{
	const struct governor_effects *effects = &governor->effects;
	event->governor = governor;
	event->name = name;
	event->n = 0;
	event->wanted = effects->event != NULL &&
		(effects->event_wanted == NULL || effects->event_wanted(effects->context, name));
	if (!event->wanted)
		return;
	append(event, "{\"t\":", 5);
	append_time(event, governor->now_ms);
	append_key(event, "event");
	append(event, "\"", 1);
	append(event, name, strlen(name));
	append(event, "\"", 1);
}

void event_string(struct event_text *event, const char *key, const char *value)
{
	if (!event->wanted || value == NULL || value[0] == '\0')
		return;
	append_key(event, key);
	append(event, "\"", 1);
	for (const char *at = value; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;
		char escaped[8];
		if (c == '"' || c == '\\') {
			escaped[0] = '\\';
			escaped[1] = (char)c;
			append(event, escaped, 2);
		} else if (c < 0x20 || c == 0x7f) {
			append(event, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", c));
		} else {
			append(event, at, 1);
		}
	}
	append(event, "\"", 1);
}

void event_number(struct event_text *event, const char *key, double value)
{
	if (!event->wanted)
		return;
	append_key(event, key);
	append_number(event, value);
}

void event_json(struct event_text *event, const char *key, const char *json)
{
	if (!event->wanted)
		return;
	append_key(event, key);
	append(event, json, strlen(json));
}

void event_time(struct event_text *event, const char *key, int64_t t_ms)
{
	if (!event->wanted)
		return;
	append_key(event, key);
	if (t_ms == GOVERNOR_NEVER_MS)
		append(event, "null", 4);
	else
		append_time(event, t_ms);
}

void event_prefix(struct event_text *event, const struct prefix *prefix)
{
	if (!event->wanted)
		return;
	char text[PREFIX_TEXT_MAX];
	bool host = prefix->length == PREFIX_HOST_LENGTH;
	event_string(event, host ? "ip" : "prefix", prefix_format(prefix, text));
}

void event_end(struct event_text *event)
{
	if (!event->wanted)
		return;
	event->json[event->n++] = '}';
	event->json[event->n] = '\0';
	event->governor->effects.event(event->governor->effects.context, event->name, event->json);
}

const char *score_state_name(enum score_state state)
{
	static const char *const names[] = {
		[SCORE_STATE_HEALTHY] = "healthy", [SCORE_STATE_DISCONNECT] = "disconnect", [SCORE_STATE_BANNED] = "banned"};
	return names[state];
}

const char *peer_action_name(enum peer_action action)
{
	static const char *const names[PEER_ACTION_COUNT] = {"fatal", "low", "mid", "high", "invalid_message",
		"connection_failure", "spam", "protocol_violation", "malicious_content"};
	return (unsigned)action < PEER_ACTION_COUNT ? names[action] : "?";
}
