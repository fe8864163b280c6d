/* SPDX-License-Identifier: BSD-3-Clause
 * What the node says of a peer by name: who it is, what it did, how warm it is, that it has to go (roster.h,
 * peer.*). The roster's thread. Must not score: the governor does (governor.h), and what follows is judged
 * here.
 */
#include "control/roster_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/error_rule.h"

/* bind */

/** Replace a held text. Without memory the old one is lost, not wrong. */
static void text_set(struct roster *roster, uint32_t *place, const char *text)
{
	uint32_t held = RECORD_NONE;
	if (text == NULL || text[0] == '\0')
		return;
	(void)text_pool_hold(roster->texts, text, &held);
	text_pool_drop(roster->texts, *place);
	*place = held;
}

static void tell_identity(
	struct roster *roster, uint32_t index, const struct roster_bind *bind, const struct client *client)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	bool said = bind->version != NULL && bind->version[0] != '\0';
	text_set(roster, &peer->agent, bind->agent);
	text_set(roster, &peer->version, said ? bind->version : client->version);
	text_set(roster, &peer->enr, bind->enr);
	text_set(roster, &peer->metadata, bind->metadata);
}

static void refuse(struct roster_bound *bound, const char *reason, int code, int64_t until_ms)
{
	bound->accepted = false;
	snprintf(bound->reason, sizeof(bound->reason), "%s", reason);
	bound->code = code;
	bound->until_ms = until_ms;
}

/** LH-21: nobody new from a banned address, nor who was at one (#6008); who was there before behaves and
 * stays. */
static bool address_admits(
	struct roster *roster, const struct address *address, int64_t since_ms, struct roster_bound *bound)
{
	struct governor_why why;
	governor_why(roster->governor, address, roster->now_ms, &why);
	if (why.class != SOURCE_CLASS_BANNED || !why.has_ban || why.allowed || why.own ||
		why.ban.start_ms > since_ms)
		return true;
	refuse(bound, "banned_ip", ROSTER_GOODBYE_ADDRESS, why.ban.end_ms);
	return false;
}

/** Bans, score, throttle and blacklist of the id; LH-7's connections of one peer. */
static bool id_admits(struct roster *roster, uint32_t index, uint32_t connection, struct roster_bound *bound)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	struct pool_limits limits = roster_limits(roster);
	struct peer_name name = roster_peer_name(roster, index);
	enum score_state state;
	struct peer_info info;
	struct ban ban;
	if (roster_peer_banned(roster, index, &ban)) {
		refuse(bound, "banned", ROSTER_GOODBYE_BANNED, ban.end_ms);
		return false;
	}
	(void)roster_combined(roster, index, &state);
	governor_peer_get(roster->governor, &name, roster->now_ms, &info);
	if (state != SCORE_STATE_HEALTHY)
		refuse(bound, "score", ROSTER_GOODBYE_SCORE, info.healthy_at_ms);
	else if (roster_facts_of(roster, index)->standing.blacklisted)
		refuse(bound, "blacklisted", ROSTER_GOODBYE_BANNED, 0);
	else if (info.has_ban && info.ban.tier == BAN_TIER_THROTTLE)
		refuse(bound, "throttled", ROSTER_GOODBYE_TOO_MANY, info.ban.end_ms);
	else if (connection != RECORD_NONE && limits.per_peer != 0 &&
		 roster_connection_at(roster, connection)->peer != index &&
		 (uint32_t)peer->state.n_in + peer->state.n_out >= limits.per_peer)
		refuse(bound, "too_many", ROSTER_GOODBYE_TOO_MANY, 0);
	return bound->accepted;
}

/** HE-12, SP-9: who came to us can be dialled where it says that it listens. */
static void book_sighting(struct roster *roster, const struct address *address, uint16_t listen_port)
{
	struct book_entry entry = {.address = *address,
		.port = listen_port,
		.source = PEER_SOURCE_INBOUND,
		.type = BOOK_TYPE_INBOUND,
		.from = address};
	if (roster_book_add(roster, &entry, roster->now_ms) == BOOK_ADDED)
		roster_book_news(roster, 1, roster->now_ms);
}

/** What was measured before anybody knew whose connection it is. */
static void inherit(struct roster *roster, uint32_t index, uint32_t peer)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	struct roster_facts *facts = roster_facts_obtain(roster, peer);
	if (facts == NULL)
		return;
	if (connection->rtt_min_ms >= 0.0)
		peer_counters_rtt(&facts->counters, connection->rtt_min_ms);
	facts->bytes_in += connection->bytes_in;
	facts->bytes_out += connection->bytes_out;
	if (connection->payload_ms >= 0 && connection->last_in_ms > facts->last_payload_ms)
		facts->last_payload_ms = connection->last_in_ms;
	/* An answered dial was booked for the endpoint; it is this peer's success too (SP-9: in both layers).
	 */
	if (connection->counted && !connection->inbound) {
		peer_counters_success(&facts->counters, &roster->config.profile.counters, roster->now_ms);
		value_standing_outcome(&facts->standing, true);
	}
}

/** The goodbye goes out under the id, then it is closed. */
static void turn_away(struct roster *roster, uint32_t connection, const struct roster_bind *bind,
	const struct roster_bound *bound)
{
	const struct roster_connection *record = roster_connection_at(roster, connection);
	struct event_text event;
	roster_event_address(&event, roster, "peer.disconnect", &record->address, record->port);
	event_string(&event, "id", bind->id);
	event_string(&event, "reason", bound->reason);
	event_number(&event, "code", bound->code);
	event_end(&event);
	roster_connection_begin_close(roster, connection, bound->reason);
}

static uint32_t connection_of(const struct roster *roster, const struct roster_bind *bind)
{
	return bind->connection != 0 ? roster_connection_numbered(roster, bind->connection)
				     : roster_connection_find(roster, &bind->address, bind->port);
}

int roster_peer_bind(
	struct roster *roster, const struct roster_bind *bind, int64_t now_ms, struct roster_bound *ret_bound)
{
	struct roster_bound bound = {.accepted = true};
	uint32_t index;
	roster_clock(roster, now_ms);
	governor_clock(roster->governor, roster->now_ms);
	if (bind->id == NULL || bind->id[0] == '\0' || strlen(bind->id) >= GOVERNOR_ID_MAX)
		return -EINVAL;
	uint32_t connection = connection_of(roster, bind);
	if (connection == RECORD_NONE && bind->connection != 0)
		return -ENOENT;
	const struct roster_connection *record =
		connection != RECORD_NONE ? roster_connection_at(roster, connection) : NULL;
	struct address address = record != NULL ? record->address : bind->address;
	uint16_t port = record != NULL ? record->port : bind->port;
	int64_t since_ms = record != NULL ? record->since_ms : roster->now_ms;
	int r = roster_peer_obtain(roster, bind->id, &address, &index);
	if (r < 0)
		return r;
	struct address before = roster_peer_at(roster, index)->address;
	client_parse(bind->agent != NULL ? bind->agent : "", &bound.client);
	tell_identity(roster, index, bind, &bound.client);
	r = governor_bind(roster->governor, bind->id, &address, port, bind->agent != NULL ? bind->agent : "",
		roster->now_ms);
	if (r < 0)
		return r;
	struct roster_peer *peer = roster_peer_at(roster, index);
	peer->last_seen_ms = roster->now_ms;
	bool admitted = roster_peer_protected(roster, index) ||
			(id_admits(roster, index, connection, &bound) &&
				address_admits(roster, &before, since_ms, &bound) &&
				address_admits(roster, &address, since_ms, &bound));
	if (peer->state.status != PEER_STATUS_CONNECTED) {
		peer->address = address;
		peer->port = port;
	}
	if (admitted && connection != RECORD_NONE && record->peer != index) {
		inherit(roster, connection, index);
		roster_connection_move(roster, connection, index);
	} else if (!admitted && connection != RECORD_NONE) {
		turn_away(roster, connection, bind, &bound);
	}
	if (admitted && bind->listen_port != 0) {
		peer->listen_port = bind->listen_port;
		book_sighting(roster, &address, bind->listen_port);
	}
	if (admitted)
		roster_light_drop(roster, index);
	roster_peer_judge(roster, index);
	roster_judge_due(roster);
	*ret_bound = bound;
	return 0;
}

/* state */

int roster_peer_temperature(struct roster *roster, const char *id, enum temperature to, int64_t now_ms,
	enum temperature *ret_from, enum temperature *ret_to)
{
	roster_clock(roster, now_ms);
	uint32_t index = roster_peer_find(roster, id);
	if (index == RECORD_NONE)
		return -ENOENT;
	bool connected = roster_peer_at(roster, index)->state.status == PEER_STATUS_CONNECTED;
	struct roster_facts *facts = roster_facts_obtain(roster, index);
	if (facts == NULL)
		return -ENOMEM;
	struct temperature_state state = {roster_temperature(roster, index), facts->temperature.since_ms};
	enum temperature from = state.temperature;
	/* DU-1: warm is who is connected. */
	if (!connected && (to == TEMPERATURE_WARM || to == TEMPERATURE_HOT))
		return -EPERM;
	int r = temperature_change(&state, to, connected, roster->now_ms);
	if (r < 0)
		return r;
	facts->node_said = true;
	facts->node_hot = state.temperature == TEMPERATURE_HOT;
	if (from != TEMPERATURE_HOT || state.temperature != TEMPERATURE_HOT)
		facts->hot_since_ms = state.temperature == TEMPERATURE_HOT ? roster->now_ms : 0;
	roster_temperature_set(roster, index, state.temperature);
	roster_peer_due_plan(roster, index);
	*ret_from = from;
	*ret_to = state.temperature;
	return 0;
}

/* standing */

bool roster_blacklist_lift(struct roster *roster, const struct ban *key, int64_t now_ms)
{
	uint32_t index = RECORD_NONE;
	roster_clock(roster, now_ms);
	if (key->scope == BAN_SCOPE_PEER)
		index = roster_peer_find(roster, key->id);
	else if (key->prefix.length == PREFIX_HOST_LENGTH)
		index = roster_peer_find_host(roster, &key->prefix.address);
	if (index == RECORD_NONE || !roster_facts_of(roster, index)->standing.blacklisted)
		return false;
	struct roster_peer *peer = roster_peer_at(roster, index);
	peer->blacklisted = false;
	peer->reputation = 0;
	peer->streak = 0;
	if (peer->facts != NULL)
		peer->facts->standing = (struct value_standing){0};
	return true;
}

/* report */

/** What a report would answer that changes nothing. */
static void result_fill(
	struct roster *roster, const struct peer_name *name, struct peer_report_result *ret_result)
{
	struct peer_info info;
	governor_peer_get(roster->governor, name, roster->now_ms, &info);
	*ret_result = (struct peer_report_result){.score = info.app_score,
		.state = info.state,
		.banned = info.has_ban,
		.ban = info.ban,
		.strikes = info.strikes,
		.trusted = info.trusted};
}

int roster_peer_report(struct roster *roster, const struct peer_name *name, enum peer_action action,
	const char *reason, const char *evidence, bool proven, int64_t now_ms,
	struct peer_report_result *ret_result)
{
	roster_clock(roster, now_ms);
	uint32_t index = roster_peer_named(roster, name);
	struct peer_name meant = *name;
	if (index != RECORD_NONE && name->id[0] == '\0')
		meant = roster_peer_name(roster, index); /* who is bound there now, as the roster sees it */
	if (meant.id[0] == '\0')
		meant = *name; /* by its own address, not by the identity of its /64 */
	if (meant.id[0] == '\0' && index == RECORD_NONE && proven) {
		int r = roster_peer_obtain(roster, NULL, &name->address, &index);
		if (r < 0)
			return r;
	}
	if (index != RECORD_NONE && proven && roster_peer_protected(roster, index)) {
		result_fill(roster, &meant, ret_result); /* LH-19: the tags of its address count too */
		ret_result->trusted = true;
		return 0;
	}
	int r = governor_report(
		roster->governor, &meant, action, reason, evidence, proven, roster->now_ms, ret_result);
	if (r < 0)
		return r;
	if (index != RECORD_NONE) {
		roster_peer_at(roster, index)->last_seen_ms = roster->now_ms;
		roster_peer_judge(roster, index);
	}
	roster_judge_due(roster);
	return 0;
}

int roster_peer_rpc_error(struct roster *roster, const char *id, const char *error, const char *protocol,
	bool by_us, int64_t now_ms, enum peer_action *ret_action, struct peer_report_result *ret_result)
{
	enum peer_action action;
	struct peer_name name = {.id = ""};
	roster_clock(roster, now_ms);
	if (roster_peer_find(roster, id) == RECORD_NONE)
		return -ENOENT;
	if (error_rule_action(error, protocol, by_us, &action) < 0)
		return -EDOM;
	strncpy(name.id, id, sizeof(name.id) - 1);
	if (action != PEER_ACTION_COUNT) {
		int r = roster_peer_report(
			roster, &name, action, error, protocol, /* proven= */ true, now_ms, ret_result);
		if (r == 0)
			*ret_action = action;
		return r;
	}
	result_fill(roster, &name, ret_result);
	*ret_action = action;
	return 0;
}

/* disconnect and remove */

static uint32_t open_of(const struct roster *roster, uint32_t peer)
{
	uint32_t n = 0;
	for (uint32_t at = roster_peer_at(roster, peer)->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		n += !connection->closing && !connection->dialing;
		at = connection->of_peer_next;
	}
	return n;
}

int roster_peer_disconnect(struct roster *roster, const struct peer_name *name, const char *reason, int code,
	int64_t now_ms, uint32_t *ret_closed)
{
	const char *why = reason != NULL && reason[0] != '\0' ? reason : "the node asks for it";
	roster_clock(roster, now_ms);
	governor_clock(roster->governor, roster->now_ms);
	uint32_t index = roster_peer_named(roster, name);
	if (index == RECORD_NONE || roster_peer_at(roster, index)->connections == RECORD_NONE) {
		int r = governor_disconnect(roster->governor, name, why, roster->now_ms, ret_closed);
		if (r < 0 && index != RECORD_NONE) {
			*ret_closed = 0;
			return 0; /* known, and not connected */
		}
		return r; /* whoever the dataplane knows, and events have not told of */
	}
	uint32_t connection = name->id[0] == '\0' && name->port != 0
				      ? roster_connection_find(roster, &name->address, name->port)
				      : RECORD_NONE;
	*ret_closed = connection != RECORD_NONE ? 1 : open_of(roster, index);
	if (connection != RECORD_NONE)
		roster_close_connection(roster, connection, why, code);
	else
		roster_close_peer(roster, index, why, code);
	roster_judge_due(roster);
	return 0;
}

int roster_peer_remove(struct roster *roster, const char *id, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	uint32_t index = roster_peer_find(roster, id), host;
	if (index == RECORD_NONE)
		return -ENOENT;
	while (roster_peer_at(roster, index)->connections != RECORD_NONE) {
		uint32_t connection = roster_peer_at(roster, index)->connections;
		struct address address = roster_connection_at(roster, connection)->address;
		int r = roster_peer_obtain(roster, NULL, &address, &host);
		if (r < 0)
			return r;
		roster_connection_move(roster, connection, host);
	}
	roster_peer_forget(roster, index);
	return 0;
}
