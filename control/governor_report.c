/* SPDX-License-Identifier: BSD-3-Clause
 * Reports: what a peer did, as the node or the dataplane proved it, and what follows: scores, strikes, bans.
 * The governor's thread. Must not act on anything unproven (design.md rule 1), nor against a protected source.
 */
#include "control/governor_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* LH-25: what the node is asked to say. */
enum { GOODBYE_BAD_SCORE = 250, GOODBYE_BANNED = 251 };

static void copy_text(char *to, size_t bytes, const char *from)
{
	strncpy(to, from, bytes - 1);
	to[bytes - 1] = '\0';
}

static void event_peer(struct event_text *event, const struct peer_record *peer)
{
	struct governor *governor = event->governor;
	if (!event->wanted)
		return;
	event_string(event, "id", governor_peer_id(governor, peer));
	if (peer->id == RECORD_NONE || peer->bound) {
		struct prefix prefix = peer->id == RECORD_NONE ? host_prefix(&peer->address)
							       : prefix_of(&peer->address, PREFIX_HOST_LENGTH);
		event_prefix(event, &prefix);
	}
}

static void announce_score(struct governor *governor, const struct peer_record *peer, const char *name, double old_score,
	enum score_state old_state, const struct evidence *evidence, unsigned goodbye)
{
	struct event_text event;
	event_begin(&event, governor, name);
	if (!event.wanted)
		return;
	event_peer(&event, peer);
	event_number(&event, "old_score", old_score);
	event_number(&event, "score", score_combined_at(&peer->score, &governor->config, governor->now_ms));
	event_string(&event, "old", score_state_name(old_state));
	event_string(&event, "new", score_state_name(score_state_at(&peer->score, &governor->config, governor->now_ms)));
	event_string(&event, "reason", evidence->reason);
	if (goodbye != 0)
		event_number(&event, "code", goodbye);
	event_end(&event);
}

/** What follows when the state of a score became worse. */
static void follow_state(struct governor *governor, uint32_t index, double old, enum score_state before,
	const struct evidence *evidence)
{
	const struct peer_record *peer = peer_table_at(&governor->peers, index);
	enum score_state after = score_state_at(&peer->score, &governor->config, governor->now_ms);
	governor_score_enforce(governor, index, evidence);
	if (after <= before)
		return;
	announce_score(governor, peer, "peer.disconnect", old, before, evidence,
		after == SCORE_STATE_BANNED ? GOODBYE_BANNED : GOODBYE_BAD_SCORE);
	governor_peer_cut(governor, peer, evidence->actual);
}

void governor_penalise(struct governor *governor, uint32_t index, double penalty, double floor,
	const struct evidence *evidence)
{
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	const struct governor_config *config = &governor->config;
	double old = score_at(&peer->score, config, governor->now_ms);
	double combined = score_combined_at(&peer->score, config, governor->now_ms);
	enum score_state before = score_state_at(&peer->score, config, governor->now_ms);
	/* The floor holds back this evidence only: a score that is lower already stays where it is. */
	double value = config->score_off ? old : fmin(old, fmax(old + penalty, floor));
	(void)score_set(&peer->score, config, value, governor->now_ms);
	struct peer_change change = {.t_ms = governor->now_ms, .score = peer->score.value,
		.action = evidence->event_kind != 0 ? evidence->event_kind : (uint8_t)evidence->action,
		.kind = evidence->event_kind != 0 ? PEER_CHANGE_EVENT : PEER_CHANGE_REPORT};
	peer_history_add(&governor->peers, index, &change, evidence->reason);
	/* LO-8: changes of one point or less are not news. */
	if (fabs(peer->score.value - old) > 1.0)
		announce_score(governor, peer, "peer.score_updated", combined, before, evidence, 0);
	follow_state(governor, index, combined, before, evidence);
}

int governor_gossip(struct governor *governor, const char *id, double points, int64_t now_ms, bool *ret_taken)
{
	static const struct evidence evidence = {
		.reason = "score, with gossip", .text = "", .source = "governor"};
	const struct governor_config *config = &governor->config;
	uint32_t index;
	now_ms = governor_clock(governor, now_ms);
	int r = governor_peer_obtain(governor, id, NULL, &index);
	if (r < 0)
		return r;
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	double old = score_combined_at(&peer->score, config, now_ms);
	enum score_state before = score_state_at(&peer->score, config, now_ms);
	bool frozen = now_ms < peer->score.decay_from_ms;
	if (!frozen && !governor_peer_protected(governor, peer, NULL)) {
		score_gossip_set(&peer->score, config, points, now_ms);
		if (score_state_at(&peer->score, config, now_ms) > before)
			follow_state(governor, index, old, before, &evidence);
	}
	*ret_taken = !frozen;
	return 0;
}

static void ban_from_evidence(const struct governor *governor, const struct peer_record *peer,
	const struct evidence *evidence, struct ban *ban)
{
	*ban = (struct ban){.start_ms = governor->now_ms};
	if (peer->id != RECORD_NONE) {
		ban->scope = BAN_SCOPE_PEER;
		copy_text(ban->id, sizeof(ban->id), governor_peer_id(governor, peer));
	} else {
		ban->scope = BAN_SCOPE_PREFIX;
		ban->prefix = host_prefix(&peer->address);
	}
	copy_text(ban->reason, sizeof(ban->reason), evidence->reason);
	copy_text(ban->evidence, sizeof(ban->evidence), evidence->text);
	copy_text(ban->source, sizeof(ban->source), "governor");
}

static void announce_misbehavior(struct governor *governor, const struct peer_record *peer, const struct ban *ban,
	enum peer_action action, uint32_t strikes)
{
	struct event_text event;
	event_begin(&event, governor, "ban.misbehavior");
	if (!event.wanted)
		return;
	event_peer(&event, peer);
	event_string(&event, "action", peer_action_name(action));
	event_number(&event, "tier", ban->tier);
	event_time(&event, "until", ban->end_ms);
	event_number(&event, "strikes", strikes);
	event_string(&event, "reason", ban->reason);
	event_string(&event, "evidence", ban->evidence);
	event_end(&event);
}

/** An automatic ban of T2 or T5: never shorter than the one in force, never of a protected host identity. */
static void ban_automatically(struct governor *governor, const struct peer_record *peer, struct ban *ban,
	const struct evidence *evidence, uint32_t strikes)
{
	if (ban->scope == BAN_SCOPE_PREFIX && governor_is_protected(governor, &ban->prefix, NULL))
		return;
	struct ban_key key = governor_peer_key(governor, peer);
	uint32_t known = ban_table_find(&governor->bans, &key, ban->tier);
	if (known == RECORD_NONE || ban_table_at(&governor->bans, known)->end_ms < ban->end_ms)
		(void)governor_ban_put(governor, ban, /* automatic= */ true); /* full is counted as evicted */
	announce_misbehavior(governor, peer, ban, evidence->action, strikes);
	governor_peer_cut(governor, peer, evidence->actual);
}

static void strike_store(struct governor *governor, const struct ban_key *key, const char *id, uint32_t count)
{
	const struct governor_effects *effects = &governor->effects;
	if (key->by_id) {
		if (effects->store_strike_id != NULL)
			effects->store_strike_id(effects->context, id, count, governor->now_ms);
	} else if (effects->store_strike != NULL) {
		struct prefix prefix = prefix_key_to(&key->prefix);
		effects->store_strike(effects->context, &prefix, count, governor->now_ms);
	}
}

void governor_strike_drop(struct governor *governor, uint32_t index)
{
	const struct strike_record *record = strike_table_at(&governor->strikes, index);
	struct ban_key key = {record->key, record->id != RECORD_NONE};
	strike_store(governor, &key, text_pool_get(&governor->texts, record->id), 0);
	strike_table_remove(&governor->strikes, index);
}

/** One strike more; returns how many there are now. */
static uint32_t strike_add(struct governor *governor, const struct peer_record *peer)
{
	struct ban_key key = governor_peer_key(governor, peer);
	const char *id = governor_peer_id(governor, peer);
	uint32_t index = strike_table_find(&governor->strikes, &key), count = 1;
	struct due_entry oldest;
	if (index != RECORD_NONE) {
		count = strike_table_at(&governor->strikes, index)->count + 1;
	} else if (governor->strikes.records.n_used >= governor->config.peers_max &&
		due_queue_peek(&governor->strikes.due, &oldest)) {
		governor_strike_drop(governor, oldest.item);
		governor->evicted++;
	}
	if (strike_table_put(&governor->strikes, &key, id, count, governor->now_ms) == 0)
		strike_store(governor, &key, id, count);
	return count;
}

/** LO-9 and LO-10: a temporary ban and a strike; the strike after the last temporary one is permanent. */
static void strike(struct governor *governor, uint32_t index, int64_t length_ms, const struct evidence *evidence)
{
	const struct peer_record *peer = peer_table_at(&governor->peers, index);
	struct ban ban;
	if (length_ms <= 0)
		return; /* a profile without temporary bans (5.4) */
	ban_from_evidence(governor, peer, evidence, &ban);
	if (ban.scope == BAN_SCOPE_PREFIX && governor_is_protected(governor, &ban.prefix, NULL))
		return;
	uint32_t strikes = strike_add(governor, peer);
	if (strikes > governor->config.temporary_bans_max) {
		ban.tier = BAN_TIER_MANUAL;
		ban.end_ms = GOVERNOR_NEVER_MS;
		copy_text(ban.reason, sizeof(ban.reason), "repeat offender");
		if (ban.evidence[0] == '\0')
			copy_text(ban.evidence, sizeof(ban.evidence), evidence->reason);
	} else {
		ban.tier = BAN_TIER_STRIKE;
		ban.end_ms = governor->now_ms + length_ms;
	}
	ban_automatically(governor, peer, &ban, evidence, strikes);
}

static void ban_for_ever(struct governor *governor, uint32_t index, const struct evidence *evidence)
{
	const struct peer_record *peer = peer_table_at(&governor->peers, index);
	struct ban ban;
	ban_from_evidence(governor, peer, evidence, &ban);
	ban.tier = BAN_TIER_MANUAL;
	ban.end_ms = GOVERNOR_NEVER_MS;
	ban_automatically(governor, peer, &ban, evidence, 0);
}

static struct peer_windows *windows_of(struct governor *governor, uint32_t index)
{
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	if (peer->windows == NULL)
		peer->windows = calloc(1, sizeof(*peer->windows));
	return peer->windows;
}

static int apply(struct governor *governor, uint32_t index, const struct evidence *evidence)
{
	const int64_t now_ms = governor->now_ms, temporary_ms = governor->config.temporary_ban_ms;
	struct peer_windows *windows;
	switch (evidence->action) {
	case PEER_ACTION_PROTOCOL_VIOLATION:
	case PEER_ACTION_MALICIOUS_CONTENT:
		ban_for_ever(governor, index, evidence);
		return 0;
	case PEER_ACTION_FATAL: {
		/* LH-14: Fatal sets -100, whatever the score was. */
		struct peer_record *peer = peer_table_at(&governor->peers, index);
		double now = score_at(&peer->score, &governor->config, now_ms);
		governor_penalise(governor, index, SCORE_MIN - now, SCORE_MIN, evidence);
		return 0;
	}
	case PEER_ACTION_INVALID_MESSAGE:
	case PEER_ACTION_CONNECTION_FAILURE:
	case PEER_ACTION_SPAM:
		break;
	default:
		governor_penalise(governor, index, score_action_penalty(evidence->action), SCORE_MIN, evidence);
		return 0;
	}
	windows = windows_of(governor, index);
	if (windows == NULL)
		return -ENOMEM;
	bool over;
	int64_t length_ms = temporary_ms;
	if (evidence->action == PEER_ACTION_INVALID_MESSAGE) {
		over = peer_window_add(&windows->invalid_message, WINDOW_INVALID_MESSAGE_N, WINDOW_INVALID_MESSAGE_MS, now_ms);
	} else if (evidence->action == PEER_ACTION_CONNECTION_FAILURE) {
		over = peer_window_add(&windows->connection_failure, WINDOW_CONNECTION_FAILURE_N, WINDOW_CONNECTION_FAILURE_MS,
			now_ms);
	} else {
		over = peer_window_add(&windows->spam, WINDOW_SPAM_N, WINDOW_SPAM_MS, now_ms);
		length_ms *= 2; /* LO-9: spam costs twice as long */
	}
	if (over)
		strike(governor, index, length_ms, evidence);
	return 0;
}

static void fill_result(struct governor *governor, uint32_t index, bool is_protected, struct peer_report_result *ret_result)
{
	const struct peer_record *peer = peer_table_at(&governor->peers, index);
	struct ban_key key = governor_peer_key(governor, peer);
	*ret_result = (struct peer_report_result){
		.score = score_combined_at(&peer->score, &governor->config, governor->now_ms),
		.state = score_state_at(&peer->score, &governor->config, governor->now_ms),
		.trusted = is_protected};
	uint32_t strikes = strike_table_find(&governor->strikes, &key);
	if (strikes != RECORD_NONE)
		ret_result->strikes = strike_table_at(&governor->strikes, strikes)->count;
	uint32_t strongest = governor_ban_strongest(governor, ban_table_chain(&governor->bans, &key), RECORD_NONE);
	if (strongest != RECORD_NONE) {
		ret_result->banned = ban_tier_class(ban_table_at(&governor->bans, strongest)->tier) == SOURCE_CLASS_BANNED;
		ban_table_expand(&governor->bans, strongest, &ret_result->ban);
	}
}

int governor_report(struct governor *governor, const struct peer_name *name, enum peer_action action, const char *reason,
	const char *text, bool proven, int64_t now_ms, struct peer_report_result *ret_result)
{
	governor_clock(governor, now_ms);
	if (!proven) {
		governor->unproven_refused++;
		return -EPERM;
	}
	if ((unsigned)action >= PEER_ACTION_COUNT)
		return -EINVAL;
	uint32_t index = governor_peer_named(governor, name);
	if (index == RECORD_NONE) {
		if (name->id[0] != '\0')
			return -ENOENT;
		int r = governor_peer_obtain(governor, NULL, &name->address, &index);
		if (r < 0)
			return r;
	}
	const struct peer_record *peer = peer_table_at(&governor->peers, index);
	bool is_protected = governor_peer_protected(governor, peer, name->id[0] == '\0' ? &name->address : NULL);
	int r = 0;
	if (!is_protected) {
		struct evidence evidence = {.reason = reason != NULL && reason[0] != '\0' ? reason : peer_action_name(action),
			.text = text != NULL ? text : "", .source = "node", .action = action,
			.actual = name->id[0] == '\0' ? &name->address : &peer->address};
		r = apply(governor, index, &evidence);
	}
	governor_peer_touch(governor, index);
	if (r == 0 && ret_result != NULL)
		fill_result(governor, index, is_protected, ret_result);
	return r;
}
