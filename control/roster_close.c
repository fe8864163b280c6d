/* SPDX-License-Identifier: BSD-3-Clause
 * Closing: with the event that lets the application say goodbye, after the grace by RST at both ends
 * (policy.md 2.4); what a changed score or ban does to a peer (LH-1, LH-10); and the throttle of whoever was
 * closed (LH-6, V9). The roster's thread. Must not choose whom to close: callers do.
 */
#include <string.h>

#include "control/roster_private.h"

static struct ban_key key_of(const struct roster *roster, const struct roster_peer *peer)
{
	struct prefix host = host_prefix(&peer->address);
	return peer->id != RECORD_NONE ? ban_key_id(&roster->governor->bans, roster_text(roster, peer->id))
				       : ban_key_prefix(&host);
}

static void copy_text(char *to, size_t bytes, const char *from)
{
	strncpy(to, from, bytes - 1);
	to[bytes - 1] = '\0';
}

bool roster_peer_protected(const struct roster *roster, uint32_t index)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	struct peer_tags tags;
	roster_tags_of(roster, index, &tags);
	if (tags.trusted || tags.is_protected)
		return true;
	struct prefix host = peer->id == RECORD_NONE ? host_prefix(&peer->address)
						     : prefix_of(&peer->address, PREFIX_HOST_LENGTH);
	return governor_is_protected(roster->governor, &host, NULL);
}

/** A ban that closes: not T1, which only delays, and not T4, which keeps who is there and behaves (LH-21). */
static bool is_real(unsigned tier, int64_t end_ms, int64_t now_ms)
{
	return (tier == BAN_TIER_STRIKE || tier == BAN_TIER_SCORE || tier == BAN_TIER_MANUAL) && end_ms > now_ms;
}

bool roster_peer_banned(const struct roster *roster, uint32_t index, struct ban *ret_ban)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	const struct ban_table *bans = &roster->governor->bans;
	struct ban_key key = key_of(roster, peer);
	uint32_t longest = RECORD_NONE;
	for (uint32_t at = ban_table_chain(bans, &key); at != RECORD_NONE; at = ban_table_at(bans, at)->next)
		if (is_real(ban_table_at(bans, at)->tier, ban_table_at(bans, at)->end_ms, roster->now_ms) &&
			(longest == RECORD_NONE ||
				ban_table_at(bans, at)->end_ms >= ban_table_at(bans, longest)->end_ms))
			longest = at;
	if (longest != RECORD_NONE) {
		ban_table_expand(bans, longest, ret_ban);
		return true;
	}
	if (peer->id != RECORD_NONE)
		return false;
	struct governor_why why;
	governor_why(roster->governor, &peer->address, roster->now_ms, &why);
	if (why.class != SOURCE_CLASS_BANNED || !why.has_ban || why.ban.tier == BAN_TIER_ADDRESS ||
		why.allowed || why.own)
		return false;
	*ret_ban = why.ban;
	return true;
}

/** A ban of the peer's own key. */
static void ban_put(struct roster *roster, const struct roster_peer *peer, struct ban *ban)
{
	if (peer->id != RECORD_NONE) {
		ban->scope = BAN_SCOPE_PEER;
		copy_text(ban->id, sizeof(ban->id), roster_text(roster, peer->id));
	} else {
		ban->scope = BAN_SCOPE_PREFIX;
		ban->prefix = host_prefix(&peer->address);
	}
	copy_text(ban->source, sizeof(ban->source), "governor");
	(void)governor_ban_add(roster->governor, ban, /* force= */ false, roster->now_ms, NULL);
}

void roster_peer_ban(
	struct roster *roster, uint32_t index, enum ban_tier tier, int64_t end_ms, const char *reason)
{
	struct ban ban = {.tier = tier, .start_ms = roster->now_ms, .end_ms = end_ms};
	if (roster_peer_protected(roster, index))
		return;
	copy_text(ban.reason, sizeof(ban.reason), reason);
	ban_put(roster, roster_peer_at(roster, index), &ban);
}

/* The throttle (LH-6) */

/** Was the place that it left among the last? Without a target the pool says so: its limits, the pacing of
 * newcomers, or the places that pruning keeps free (5.5.9). A pool without limits is never crowded. */
static bool pool_was_full(const struct roster *roster, bool inbound)
{
	const struct profile *profile = &roster->config.profile;
	uint32_t hard = profile->limits.soft.hard, taken = roster->counts.in + roster->counts.out + 1;
	uint32_t most = profile->limits.total != 0 ? profile->limits.total : hard;
	struct pool_limits limits = roster_limits(roster);
	struct pool_counts others = {.in = roster->counts.in, .out = roster->counts.out};
	uint32_t *same = inbound ? &others.in : &others.out;
	(*same)++;
	bool was_paced = profile->limits.soft.mode != TARGET_SOFT_NONE && hard != 0 &&
			 taken >= profile->limits.soft.soft;
	return pool_admit(&limits, &others, inbound, 0) != POOL_ADMITTED || was_paced ||
	       (hard != 0 && taken >= hard) ||
	       (profile->floor_per_mille != 0 &&
		       eviction_floor_wanted(most, taken, profile->floor_per_mille) != 0);
}

void roster_throttle(struct roster *roster, uint32_t index, bool inbound, bool closed_by_us, int64_t since_ms)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	uint32_t remaining = roster->lists[ROSTER_LIST_CONNECTED].n;
	struct ban ban, real;
	enum score_state state;
	(void)roster_combined(roster, index, &state);
	if (roster->config.profile.times.throttle_ms <= 0 ||
		!target_throttles(roster->target, remaining, closed_by_us, roster->config.throttle_any_close))
		return;
	/* Without a target nobody is too many. A score is above its threshold again in seconds, and who is
	 * closed at it would come back for the next misdeed at once: that one waits. */
	if (roster->target == 0 && state == SCORE_STATE_HEALTHY && !pool_was_full(roster, inbound))
		return;
	if (roster_peer_protected(roster, index) || roster_peer_banned(roster, index, &real))
		return; /* a real ban supersedes it */
	ban = (struct ban){.tier = BAN_TIER_THROTTLE,
		.start_ms = since_ms,
		.end_ms = since_ms + roster->config.profile.times.throttle_ms};
	copy_text(ban.reason, sizeof(ban.reason), "disconnected by Weir");
	ban_put(roster, peer, &ban);
	/* 2.2: the address too, if nobody else is behind it. */
	uint32_t host = peer->id == RECORD_NONE ? RECORD_NONE : roster_peer_find_host(roster, &peer->address);
	if (host != RECORD_NONE && roster_peer_at(roster, host)->behind == 0 &&
		!roster_peer_protected(roster, host))
		ban_put(roster, roster_peer_at(roster, host), &ban);
}

void roster_throttle_newcomer(struct roster *roster, const struct roster_open *open, uint32_t index)
{
	uint32_t connected = roster->lists[ROSTER_LIST_CONNECTED].n;
	uint32_t host = roster_peer_find_host(roster, &open->address);
	if (roster->config.profile.times.throttle_ms <= 0 || roster_peer_protected(roster, index) ||
		!target_throttles(roster->target, connected, /* closed_by_us= */ true, false))
		return;
	struct ban ban = {.tier = BAN_TIER_THROTTLE,
		.start_ms = roster->now_ms,
		.end_ms = roster->now_ms + roster->config.profile.times.throttle_ms};
	copy_text(ban.reason, sizeof(ban.reason), "too many peers");
	ban_put(roster, roster_peer_at(roster, index), &ban);
	if (host != RECORD_NONE && host != index && roster_peer_at(roster, host)->behind == 0)
		ban_put(roster, roster_peer_at(roster, host), &ban);
}

/* Closing */

void roster_connection_cut(struct roster *roster, uint32_t index, const struct roster_end *end)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	const struct governor_effects *effects = &roster->effects.governor;
	if (effects->cut != NULL && !connection->dialing)
		effects->cut(effects->context, &connection->address, connection->port);
	roster_feed(roster, index, EVENT_FLOW_CLOSED, end);
	roster_connection_drop(roster, index, end);
}

void roster_connection_end(struct roster *roster, uint32_t index)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	char reason[ROSTER_TEXT_MAX]; /* what the end does may move interned texts */
	struct roster_end end = {CLOSED_BY_WEIR, CLOSED_HOW_RST, reason};
	copy_text(reason, sizeof(reason),
		connection->courtesy ? "courtesy" : roster_text(roster, connection->reason));
	roster_connection_cut(roster, index, &end);
}

void roster_connection_begin_close(struct roster *roster, uint32_t index, const char *reason)
{
	struct roster_connection *connection = roster_connection_at(roster, index);
	if (connection->closing)
		return;
	if (roster->config.grace_ms <= 0 || connection->dialing) {
		connection->cause = OUTCOME_CAUSE_OWN_LIMIT;
		roster_connection_cut(
			roster, index, &(struct roster_end){CLOSED_BY_WEIR, CLOSED_HOW_RST, reason});
		return;
	}
	roster_connection_count(roster, connection, -1);
	connection->courtesy = false;
	connection->closing = true;
	/* Without memory its end is told without. */
	if (reason[0] != '\0')
		(void)text_pool_hold(roster->texts, reason, &connection->reason);
	connection->cause = OUTCOME_CAUSE_OWN_LIMIT;
	roster_connection_count(roster, connection, 1);
	connection->due_ms = roster->now_ms + roster->config.grace_ms;
	roster_connection_plan(roster, index);
}

static void close_all(struct roster *roster, uint32_t peer, const char *reason)
{
	for (uint32_t at = roster_peer_at(roster, peer)->connections, next; at != RECORD_NONE; at = next) {
		next = roster_connection_at(roster, at)->of_peer_next; /* `at` may be gone afterwards */
		roster_connection_begin_close(roster, at, reason);
	}
}

/** What the governor plans is a wish; what a rule demands is LH-25's DisconnectPeer. */
static const char *event_name(int code)
{
	return code == 0 || code == ROSTER_GOODBYE_TOO_MANY ? "governor.disconnect" : "peer.disconnect";
}

static void announce_close(struct roster *roster, struct event_text *event, const char *reason, int code)
{
	event_string(event, "reason", reason);
	if (code != 0)
		event_number(event, "code", code);
	event_number(event, "grace", (double)roster->config.grace_ms / 1000.0);
	event_end(event);
}

void roster_close_peer(struct roster *roster, uint32_t index, const char *reason, int code)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	struct event_text event;
	if (peer->connections == RECORD_NONE || peer->state.status == PEER_STATUS_DISCONNECTING)
		return;
	roster_event_peer(&event, roster, event_name(code), index);
	announce_close(roster, &event, reason, code);
	(void)roster_peer_change(roster, index, PEER_OCCASION_DISCONNECT);
	close_all(roster, index, reason);
}

void roster_close_connection(struct roster *roster, uint32_t index, const char *reason, int code)
{
	const struct roster_connection *connection = roster_connection_at(roster, index);
	const struct roster_peer *peer = roster_peer_at(roster, connection->peer);
	struct event_text event;
	if (connection->closing)
		return;
	if (!connection->courtesy && peer->state.n_in + peer->state.n_out == 1 &&
		peer->connections == index && connection->of_peer_next == RECORD_NONE) {
		roster_close_peer(roster, connection->peer, reason, code);
		return;
	}
	roster_event_connection(&event, roster, event_name(code), index);
	announce_close(roster, &event, reason, code);
	roster_connection_begin_close(roster, index, reason);
}

/* Judging */

/** Without memory the tick judges whoever is connected. */
static void judge_soon(struct roster *roster, uint32_t peer)
{
	if (due_queue_reserve_few(&roster->judge_due, peer + 1, roster->judge_due.n + 1) == 0)
		due_queue_set(&roster->judge_due, peer, roster->now_ms);
}

/** A host has a record, and a list of who is connected from it: a ban of it costs what is behind it. */
static void judge_host(struct roster *roster, uint32_t host)
{
	judge_soon(roster, host);
	for (uint32_t at = roster_peer_at(roster, host)->behind_first; at != RECORD_NONE;
		at = roster_connection_at(roster, at)->of_host_next)
		judge_soon(roster, roster_connection_at(roster, at)->peer);
}

/** Wider prefixes wait until all of one import are known: one walk over whoever is connected serves them. */
static void judge_prefix(struct roster *roster, const struct prefix *prefix)
{
	bool is_v4 = prefix_is_v4(prefix); /* the families are apart: no prefix is around both */
	struct prefix *held = &roster->judge_prefix[is_v4];
	struct prefix around = *prefix;
	if (roster->judge_wide[is_v4] && around.length > held->length)
		around = prefix_of(&prefix->address, held->length);
	while (roster->judge_wide[is_v4] && !prefix_contains(&around, &held->address))
		around = prefix_of(&around.address, (uint8_t)(around.length - 1));
	roster->judge_wide[is_v4] = true;
	*held = around;
}

void roster_judge_widen(struct roster *roster)
{
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer)
		for (unsigned family = 0; family < 2; family++)
			if (roster->judge_wide[family] &&
				prefix_contains(&roster->judge_prefix[family],
					&roster_peer_at(roster, at)->address))
				judge_soon(roster, at);
	roster->judge_wide[0] = roster->judge_wide[1] = false;
}

void roster_ban_changed(void *context, const struct ban *ban)
{
	struct roster *roster = context;
	struct ban_key key = ban_key_prefix(&ban->prefix);
	struct prefix host = host_prefix(&ban->prefix.address);
	roster_clock(roster, roster->governor->now_ms); /* the grace begins now, not when the roster was last asked */
	uint32_t peer = ban->scope == BAN_SCOPE_PEER ? roster_peer_find(roster, ban->id)
						     : roster_peer_find_host(roster, &ban->prefix.address);
	if (ban->scope == BAN_SCOPE_PREFIX && ban->prefix.length < host.length) {
		/* One that ended closes nobody. */
		if (is_real(ban->tier, ban->end_ms, roster->now_ms) &&
			ban_table_find(&roster->governor->bans, &key, ban->tier) != RECORD_NONE)
			judge_prefix(roster, &ban->prefix);
	} else if (peer != RECORD_NONE && ban->scope == BAN_SCOPE_PEER) {
		judge_soon(roster, peer);
	} else if (peer != RECORD_NONE) {
		judge_host(roster, peer);
	}
}

void roster_bans_settle(struct roster *roster, const struct ban *put_or_null, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	/* An id that is banned before it was seen has no record yet, in which a list would find it. */
	if (put_or_null != NULL && put_or_null->scope == BAN_SCOPE_PEER &&
		roster_peer_find(roster, put_or_null->id) == RECORD_NONE)
		roster_ban_loaded(roster, put_or_null);
	roster_judge_due(roster);
}

/** Whom a loaded ban means: an id, seen somewhere or nowhere, or a host by its score. */
static bool loaded_peer(const struct ban *ban, const char **ret_id, struct address *ret_address)
{
	struct prefix host = host_prefix(&ban->prefix.address);
	*ret_id = ban->scope == BAN_SCOPE_PEER ? ban->id : NULL;
	*ret_address = ban->scope == BAN_SCOPE_PEER ? ban->seen : ban->prefix.address;
	if (ban->scope == BAN_SCOPE_PEER)
		return true;
	return ban->tier == BAN_TIER_SCORE && prefix_compare(&host, &ban->prefix) == 0;
}

void roster_ban_loaded(struct roster *roster, const struct ban *ban)
{
	const char *id;
	struct address address;
	if (ban->end_ms <= roster->now_ms || !loaded_peer(ban, &id, &address))
		return;
	uint32_t index = id != NULL ? roster_peer_find(roster, id) : roster_peer_find_host(roster, &address);
	if (index == RECORD_NONE && roster->peers.n_used >= roster->config.peers_max)
		return;
	if (roster_peer_obtain(roster, id, &address, &index) < 0)
		return; /* the governor has the ban */
	struct roster_peer *peer = roster_peer_at(roster, index);
	peer->port = id != NULL ? ban->seen_port : 0;
	roster_peer_judge(roster, index);
	/* It is not there now: a connection from this endpoint is not taken for it (bound_ahead). */
	peer->last_seen_ms = ban->start_ms < roster->now_ms ? ban->start_ms : roster->now_ms;
}

static void judge_banned(struct roster *roster, uint32_t index, const struct ban *ban, bool told)
{
	struct event_text event;
	bool open = roster_peer_at(roster, index)->state.status != PEER_STATUS_DISCONNECTING;
	enum peer_operation operation = roster_peer_change(roster, index, PEER_OCCASION_BAN);
	if (operation != PEER_OPERATION_DISCONNECT)
		return;
	if (open && !told) {
		roster_event_peer(&event, roster, "peer.disconnect", index);
		announce_close(roster, &event, ban->reason, ROSTER_GOODBYE_BANNED);
	}
	close_all(roster, index, ban->reason);
}

/** A ban that means the address closes whoever is bound there. */
static bool address_is_banned(const struct roster *roster, const struct roster_peer *peer)
{
	struct governor_why why;
	governor_why(roster->governor, &peer->address, roster->now_ms, &why);
	return why.class == SOURCE_CLASS_BANNED && !why.allowed && !why.own &&
	       (why.denied || (why.has_ban && why.ban.tier != BAN_TIER_ADDRESS));
}

void roster_judge_due(struct roster *roster)
{
	struct due_entry entry;
	if (roster_judge_waits(roster))
		roster_judge_widen(roster);
	while (due_queue_peek(&roster->judge_due, &entry) && entry.due_ms <= roster->now_ms)
		roster_peer_judge(roster, entry.item);
}

void roster_peer_judge(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	enum score_state state;
	struct ban ban;
	due_queue_clear(&roster->judge_due, index);
	(void)roster_combined(roster, index, &state);
	bool told = state != SCORE_STATE_HEALTHY; /* by the governor, when the score crossed */
	bool banned = roster_peer_banned(roster, index, &ban);
	if (banned) {
		judge_banned(roster, index, &ban, told && ban.tier == BAN_TIER_SCORE);
	} else if (peer->state.status == PEER_STATUS_BANNED || peer->state.to_ban) {
		(void)roster_peer_change(roster, index, PEER_OCCASION_UNBAN);
	} else if (peer->state.status == PEER_STATUS_CONNECTED && address_is_banned(roster, peer)) {
		roster_close_peer(roster, index, "banned_ip", ROSTER_GOODBYE_ADDRESS);
	} else if (told && peer->state.status == PEER_STATUS_CONNECTED) {
		(void)roster_peer_change(roster, index, PEER_OCCASION_DISCONNECT);
		close_all(roster, index, "score");
	}
	roster_peer_relist(roster, index);
}
