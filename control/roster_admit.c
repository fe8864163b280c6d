/* SPDX-License-Identifier: BSD-3-Clause
 * May one more connection begin? In the order of design.md section 3 (policy.md 5.3 E): bans, the window of
 * its address, the throttle, pending places, soft and hard limits, the target, the full pool. And
 * conn.attempt, where nothing is proven and nothing may change (V39). The roster's thread. Must not make
 * records.
 */
#include "control/roster_private.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether a connection begins, or somebody asks what would happen if one did: then nothing may change. */
enum trial { TRIAL_BEGINS, TRIAL_ASKED };

const char *roster_verdict_name(enum roster_verdict verdict)
{
	static const char *const names[] = {[ROSTER_FORWARD] = "forward",
		[ROSTER_PACE] = "pace",
		[ROSTER_REFUSE] = "refuse",
		[ROSTER_DROP] = "drop",
		[ROSTER_COURTESY] = "courtesy"};
	return (unsigned)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "refuse";
}

struct pool_limits roster_limits(const struct roster *roster)
{
	const struct profile_limits *own = &roster->config.profile.limits;
	struct pool_limits limits = {.total = own->total, .in = own->in, .out = own->out};
	if (roster->target == 0)
		return limits;
	/* LH-7. Pending ones are libp2p's, before there is anything to see here; a limit that the
	 * configuration narrows stays narrow. */
	struct target_limits derived;
	struct pool_limits of_target = pool_limits_from_target(roster->target);
	target_limits(roster->target, &roster->config.profile.fractions, &derived);
	of_target.in = derived.max_in;
	of_target.pending_in = of_target.pending_out = 0;
	if (own->total != 0 && own->total < of_target.total)
		of_target.total = own->total;
	if (own->out != 0 && own->out < of_target.out)
		of_target.out = own->out;
	return of_target;
}

bool roster_has_pending(const struct roster *roster)
{
	return roster->config.profile.limits.pending != 0 && roster->config.profile.times.auth_ms > 0;
}

static bool refuse(struct roster_opened *opened, enum roster_verdict verdict, const char *reason)
{
	opened->verdict = verdict;
	snprintf(opened->reason, sizeof(opened->reason), "%s", reason);
	return false;
}

static uint64_t key_of(const struct roster *roster, const struct address *address)
{
	struct prefix host = host_prefix(address);
	return keyed_hash_bytes(&roster->key, host.address.bytes, sizeof(host.address.bytes));
}

/** What holds for the id, when the trace knows it. */
static enum source_class class_of_id(const struct roster *roster, uint32_t peer)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	enum score_state state;
	if (record->id == RECORD_NONE)
		return SOURCE_CLASS_NONE;
	struct ban_key key = ban_key_id(&roster->governor->bans, roster_text(roster, record->id));
	struct ban_force force = ban_table_force(
		&roster->governor->bans, ban_table_chain(&roster->governor->bans, &key), roster->now_ms);
	(void)roster_combined(roster, peer, &state);
	if (state != SCORE_STATE_HEALTHY && force.class < SOURCE_CLASS_REFUSED)
		return SOURCE_CLASS_REFUSED;
	return force.class;
}

/** V30, design 3 row 7. Only what is tried takes from the budget. */
static bool rate_admits(
	struct roster *roster, const struct roster_open *open, enum trial trial, struct roster_opened *opened)
{
	const struct limiter_policy *policy = &roster->config.opens;
	uint64_t key = key_of(roster, &open->address);
	int64_t wait_ms = 0;
	if (!open->inbound || policy->burst == 0)
		return true;
	bool allowed = trial == TRIAL_ASKED
			       ? keyed_limiter_would_allow(&roster->opens, policy, key, 1, roster->now_ms, &wait_ms)
			       : keyed_limiter_allow(&roster->opens, policy, key, 1, roster->now_ms, &wait_ms);
	if (allowed)
		return true;
	opened->until_ms = roster->now_ms + wait_ms;
	return refuse(opened, ROSTER_REFUSE, ROSTER_REASON_RATE);
}

/** Bans, the exact window, the places of its prefixes, the throttle. */
static bool source_admits(struct roster *roster, const struct roster_open *open, uint32_t peer, enum trial trial,
	struct roster_opened *opened)
{
	struct governor_why why;
	governor_why(roster->governor, &open->address, roster->now_ms, &why);
	enum source_class class = class_of_id(roster, peer);
	if (why.class > class)
		class = why.class;
	if (why.denied)
		return refuse(opened, ROSTER_DROP, "denied");
	if (class == SOURCE_CLASS_BANNED)
		return refuse(opened, ROSTER_DROP, "banned");
	if (class == SOURCE_CLASS_REFUSED)
		return refuse(opened, ROSTER_REFUSE, "score");
	if (roster_facts_of(roster, peer)->standing.blacklisted)
		return refuse(opened, ROSTER_REFUSE, "blacklisted");
	if (!rate_admits(roster, open, trial, opened))
		return false;
	if (open->inbound && !roster_place_free(roster, &open->address))
		return refuse(opened, ROSTER_REFUSE, "concurrency");
	if (class == SOURCE_CLASS_THROTTLED)
		return refuse(opened, ROSTER_REFUSE, "throttled");
	return true;
}

/** V32: pending places of Stellar; LH-7 where a configuration gives them to another system. */
static bool pending_admits(const struct roster *roster, const struct roster_open *open, uint32_t peer,
	struct roster_opened *opened)
{
	const struct profile_limits *limits = &roster->config.profile.limits;
	struct target_slots slots;
	struct peer_tags tags;
	if (!roster_has_pending(roster) || !open->inbound)
		return true;
	target_slots(limits->out, limits->pending, &slots);
	roster_tags_of(roster, peer, &tags);
	bool preferred = tags.preferred || roster_address_preferred(roster, &open->address);
	if (!target_slots_admit(&slots, roster->counts.pending_in, preferred))
		return refuse(opened, ROSTER_REFUSE, "pending");
	return true;
}

/** DU-14, V23: the connections before the new one, both ways. */
static bool soft_admits(
	const struct roster *roster, const struct roster_open *open, struct roster_opened *opened)
{
	const struct pool_counts *counts = &roster->counts;
	uint32_t n = counts->in + counts->out + counts->pending_in;
	double delay_s = 0.0;
	if (!open->inbound)
		return true;
	if (!target_soft_delay(&roster->config.profile.limits.soft, n, &delay_s))
		return refuse(opened, ROSTER_REFUSE, "hard");
	if (delay_s > 0.0) {
		(void)refuse(opened, ROSTER_PACE, "soft");
		opened->delay_ms = delay_s * 1000.0;
	}
	return true;
}

/** LH-8. Whoever has a duty is bounded by the priority limit only. */
static bool target_is_open(
	struct roster *roster, const struct roster_open *open, uint32_t peer, struct roster_opened *opened)
{
	struct target_limits limits;
	if (roster->target == 0 || roster_peer_at(roster, peer)->state.status == PEER_STATUS_CONNECTED)
		return true;
	target_limits(roster->target, &roster->config.profile.fractions, &limits);
	if (target_admits(&limits, open->inbound, roster_peer_on_duty(roster, peer),
		    roster->lists[ROSTER_LIST_CONNECTED].n, open->inbound ? roster->n_dialing : 0))
		return true;
	return refuse(opened, ROSTER_REFUSE, "too many peers");
}

/** Does the peer hold a place of this kind? */
static bool holds_place(const struct roster *roster, uint32_t peer, enum pool_answer full)
{
	for (uint32_t at = roster_peer_at(roster, peer)->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		bool counted = !connection->closing && !connection->courtesy && !connection->pending &&
			       !connection->dialing;
		if (counted && (full == POOL_TOTAL || connection->inbound == (full == POOL_IN)))
			return true;
		at = connection->of_peer_next;
	}
	return false;
}

/** Name the connections of who is displaced. */
static void name_evicted(const struct roster *roster, uint32_t peer, struct roster_opened *opened)
{
	for (uint32_t at = roster_peer_at(roster, peer)->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		if (!connection->closing &&
			opened->n_evicted < sizeof(opened->evicted) / sizeof(opened->evicted[0]))
			opened->evicted[opened->n_evicted++] = connection->number;
		at = connection->of_peer_next;
	}
}

/** Whom a newcomer displaces; with TRIAL_BEGINS it is closed. */
static bool displace(struct roster *roster, uint32_t peer, enum pool_answer full, bool preferred, enum trial trial,
	struct roster_opened *opened)
{
	const struct profile *profile = &roster->config.profile;
	uint32_t n, kept = 0, chosen, *peers;
	if (profile->newcomer == EVICTION_NEWCOMER_REFUSE ||
		(profile->newcomer == EVICTION_NEWCOMER_PREFERRED && !preferred))
		return false;
	struct eviction_newcomer newcomer = {roster_value(roster, peer), preferred};
	struct eviction_candidate *candidates = roster_candidates(roster, &n, &peers);
	if (candidates == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (peers[i] != peer && holds_place(roster, peers[i], full)) {
			candidates[kept] = candidates[i];
			peers[kept++] = peers[i];
		}
	bool found = eviction_for_newcomer(
		profile->newcomer, &profile->eviction, candidates, kept, &newcomer, roster->now_ms, &chosen);
	if (found) {
		name_evicted(roster, peers[chosen], opened);
		if (trial == TRIAL_BEGINS)
			roster_close_peer(roster, peers[chosen], "replaced", ROSTER_GOODBYE_TOO_MANY);
	}
	free(candidates);
	free(peers);
	return found;
}

bool roster_displace(struct roster *roster, uint32_t peer, enum pool_answer full, bool preferred,
	struct roster_opened *opened)
{
	return displace(roster, peer, full, preferred, TRIAL_BEGINS, opened);
}

/** LO-3, SP-14, LH-7; a full pool asks the profile's rule. Pending ones have places of their own. */
static bool pool_admits(struct roster *roster, const struct roster_open *open, uint32_t peer, enum trial trial,
	struct roster_opened *opened)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	struct pool_limits limits = roster_limits(roster);
	struct pool_counts counts = {.in = roster->counts.in, .out = roster->counts.out};
	struct peer_tags tags;
	uint32_t of_peer =
		record->id == RECORD_NONE ? 0u : (uint32_t)record->state.n_in + record->state.n_out;
	enum pool_answer answer = pool_admit(&limits, &counts, open->inbound, of_peer);
	if (answer == POOL_ADMITTED)
		return true;
	roster_tags_of(roster, peer, &tags);
	bool preferred = tags.preferred || roster_address_preferred(roster, &open->address);
	if (roster_has_pending(roster) && preferred && answer != POOL_PER_PEER)
		return true; /* HE-13: it displaces somebody when it has authenticated itself */
	/* T0: whoever is discouraged may have a free place, and nobody's else. */
	bool may_displace =
		answer != POOL_PER_PEER && !open->already_open && !roster_facts_of(roster, peer)->discouraged;
	if (may_displace && displace(roster, peer, answer, preferred, trial, opened))
		return true;
	bool courtesy = open->inbound && roster->config.courtesy_ms > 0 && answer != POOL_PER_PEER;
	return refuse(opened, courtesy ? ROSTER_COURTESY : ROSTER_REFUSE, pool_answer_name(answer));
}

static bool admit(struct roster *roster, const struct roster_open *open, uint32_t peer, enum trial trial,
	struct roster_opened *opened)
{
	if (roster_peer_protected(roster, peer))
		return true; /* 5.3 E: reserved places */
	if (open->inbound && roster->config.outbound_only && !open->already_open)
		return refuse(opened, ROSTER_DROP, "inbound");
	/* Who is there already was judged by the dataplane's own tables. */
	if (!open->already_open && !source_admits(roster, open, peer, trial, opened))
		return false;
	if (!pending_admits(roster, open, peer, opened))
		return false;
	if (!open->already_open && !soft_admits(roster, open, opened))
		return false;
	if (!target_is_open(roster, open, peer, opened)) {
		if (trial == TRIAL_BEGINS)
			roster_throttle_newcomer(roster, open, peer);
		return false;
	}
	return pool_admits(roster, open, peer, trial, opened);
}

bool roster_admit(
	struct roster *roster, const struct roster_open *open, uint32_t peer, struct roster_opened *opened)
{
	return admit(roster, open, peer, TRIAL_BEGINS, opened);
}

int roster_connection_ask(
	struct roster *roster, const struct roster_open *open, int64_t now_ms, struct roster_opened *ret_opened)
{
	struct roster_opened opened = {.verdict = ROSTER_FORWARD};
	bool has_id = open->id_or_null != NULL && open->id_or_null[0] != '\0', is_known;
	roster_clock(roster, now_ms);
	uint32_t peer = has_id ? roster_peer_find(roster, open->id_or_null)
			       : roster_peer_find_host(roster, &open->address);
	is_known = peer != RECORD_NONE;
	if (!is_known) {
		int r = roster_stranger_take(roster, has_id ? open->id_or_null : NULL, &open->address, &peer);
		if (r < 0)
			return r;
	}
	(void)admit(roster, open, peer, TRIAL_ASKED, &opened);
	if (!is_known)
		roster_stranger_give(roster, peer);
	*ret_opened = opened;
	return 0;
}

uint32_t roster_attempts_noted(const struct roster *roster, const struct address *address)
{
	return keyed_limiter_noted(&roster->attempts, key_of(roster, address));
}

void roster_connection_attempt(struct roster *roster, const struct address *address, uint32_t count,
	bool proven, int64_t now_ms, struct roster_attempts *ret_attempts)
{
	struct governor_why why;
	int64_t wait_ms;
	roster_clock(roster, now_ms);
	/* An attempt opens nothing: conn.open does, and only it may move counts. */
	if (!proven)
		keyed_limiter_note(&roster->attempts, key_of(roster, address), count);
	*ret_attempts = (struct roster_attempts){.reason = ""};
	governor_why(roster->governor, address, roster->now_ms, &why);
	const char *reason = why.denied ? "denied" : why.class == SOURCE_CLASS_BANNED ? "banned" : "";
	if (!why.allowed && reason[0] != '\0') {
		ret_attempts->drop = count;
		snprintf(ret_attempts->reason, sizeof(ret_attempts->reason), "%s", reason);
		return;
	}
	/* Its bucket is full within `burst` attempts, so nobody is asked more often than that. */
	while (ret_attempts->forward < count &&
		(why.allowed || roster->config.attempts.burst == 0 ||
			keyed_limiter_allow(&roster->attempts, &roster->config.attempts,
				key_of(roster, address), 1, roster->now_ms, &wait_ms))) {
		if (why.allowed || roster->config.attempts.burst == 0)
			ret_attempts->forward = count;
		else
			ret_attempts->forward++;
	}
	uint32_t rest = count - ret_attempts->forward;
	if (rest == 0)
		return;
	ret_attempts->challenge = roster->config.attempt_challenge ? rest : 0;
	ret_attempts->refuse = rest - ret_attempts->challenge;
	snprintf(ret_attempts->reason, sizeof(ret_attempts->reason), "rate");
}
