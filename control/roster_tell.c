/* SPDX-License-Identifier: BSD-3-Clause
 * What the node tells of a peer: tags, metrics, gossip scores, what it saw, requests, outcomes of its own
 * (roster.h; policy.md LH-17, LH-18, LH-24, LH-26, LH-27, DU-3, LO-6, SP-8). The roster's thread. Must not
 * believe what is not finite.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/roster_private.h"

void roster_tags_of(const struct roster *roster, uint32_t peer, struct peer_tags *ret_tags)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	*ret_tags = roster_facts_of(roster, peer)->tags;
	if (record->id == RECORD_NONE)
		return;
	/* An address is tagged for whoever connects from it. */
	uint32_t host = roster_peer_find_host(roster, &record->address);
	if (host == RECORD_NONE || host == peer)
		return;
	const struct peer_tags *tags = &roster_facts_of(roster, host)->tags;
	ret_tags->trusted |= tags->trusted;
	ret_tags->is_protected |= tags->is_protected;
	ret_tags->preferred |= tags->preferred;
	if (ret_tags->category == PEER_CATEGORY_NONE)
		ret_tags->category = tags->category;
	if (ret_tags->group == TARGET_NO_GROUP)
		ret_tags->group = tags->group;
}

bool roster_peer_on_duty(const struct roster *roster, uint32_t peer)
{
	const struct peer_tags *tags = &roster_facts_of(roster, peer)->tags;
	if (peer_tags_has_duty(tags, roster->now_ms))
		return true;
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		for (uint64_t left = tags->subnets[word]; left != 0; left &= left - 1)
			if (roster->now_ms <
				roster->subnet_until_ms[word * 64 + (unsigned)__builtin_ctzll(left)])
				return true;
	return false;
}

/** The record that a name means, made for an address: whoever comes from there is meant. */
static int obtain_named(struct roster *roster, const struct peer_name *name, uint32_t *ret_peer)
{
	*ret_peer = roster_peer_named(roster, name);
	if (*ret_peer != RECORD_NONE)
		return 0;
	if (name->id[0] != '\0')
		return -ENOENT;
	return roster_peer_obtain(roster, NULL, &name->address, ret_peer);
}

static int tag_check(const struct roster_tag *tag)
{
	if ((tag->which & ROSTER_TAG_CATEGORY) != 0 && tag->values.category >= PEER_CATEGORY_COUNT)
		return -EINVAL;
	if ((tag->which & ROSTER_TAG_SOURCE) != 0 && tag->values.source >= PEER_SOURCE_COUNT)
		return -EINVAL;
	if ((tag->which & ROSTER_TAG_USEFUL) != 0 && !(tag->useful >= 0 && tag->useful <= 1))
		return -EINVAL;
	if ((tag->which & ROSTER_TAG_GROUP) != 0 && tag->group_name == NULL)
		return -EINVAL;
	if (tag->values.n_duties > PEER_DUTIES_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < tag->values.n_duties; i++)
		if (tag->values.duties[i].subnet >= EVICTION_SUBNETS)
			return -EDOM;
	return 0;
}

static void tag_marks(struct peer_tags *tags, const struct roster_tag *tag)
{
	const struct peer_tags *values = &tag->values;
	if ((tag->which & ROSTER_TAG_TRUSTED) != 0)
		tags->trusted = values->trusted;
	if ((tag->which & ROSTER_TAG_PROTECTED) != 0)
		tags->is_protected = values->is_protected;
	if ((tag->which & ROSTER_TAG_PREFERRED) != 0)
		tags->preferred = values->preferred;
	if ((tag->which & ROSTER_TAG_CATEGORY) != 0)
		tags->category = values->category;
	if ((tag->which & ROSTER_TAG_SOURCE) != 0)
		tags->source = values->source;
	if ((tag->which & ROSTER_TAG_CLASS) != 0)
		tags->light = values->light;
	if ((tag->which & ROSTER_TAG_RELAY) != 0)
		tags->relay_txs = values->relay_txs;
	if ((tag->which & ROSTER_TAG_COMMITTEES) != 0)
		tags->committees = values->committees;
	if ((tag->which & ROSTER_TAG_SUBNETS) != 0)
		memcpy(tags->subnets, values->subnets, sizeof(tags->subnets));
}

/** What the book knows of the endpoint follows, so that dialling does (DU-7, HE-6). */
static void tag_book(struct roster *roster, uint32_t peer, const struct roster_tag *tag)
{
	const struct peer_tags *tags = &roster_facts_of(roster, peer)->tags;
	struct book_endpoint endpoint;
	if (!roster_peer_endpoint(roster, peer, &endpoint) ||
		address_book_find(roster->book, &endpoint) == NULL)
		return;
	unsigned which = 0;
	if ((tag->which & (ROSTER_TAG_CATEGORY | ROSTER_TAG_GROUP)) != 0)
		which |= BOOK_PUT_CATEGORY;
	if ((tag->which & ROSTER_TAG_SOURCE) != 0)
		which |= BOOK_PUT_SOURCE;
	struct book_record values = {.address = endpoint.address,
		.port = endpoint.port,
		.category = tags->category,
		.source = tags->source};
	if (which != 0)
		(void)address_book_put(roster->book, &values, which, roster->now_ms, NULL);
	if ((tag->which & ROSTER_TAG_PREFERRED) != 0 && tags->preferred)
		(void)address_book_update(roster->book, &endpoint, BOOK_TYPE_PREFERRED, true,
			BOOK_BACKOFF_NONE, roster->now_ms, NULL);
}

static int tag_group(struct roster *roster, const struct peer_name *name, const struct roster_tag *tag,
	struct peer_tags *tags)
{
	uint32_t group;
	int r = root_groups_put(&roster->groups, tag->group_name, tag->group_hot, tag->group_warm, &group);
	if (r < 0)
		return r == -ENAMETOOLONG ? -EINVAL : r;
	struct book_endpoint endpoint = {name->address, name->port};
	r = roster_root_join(roster, name->id, &endpoint, group);
	if (r < 0)
		return r;
	tags->group = group;
	if (tags->category == PEER_CATEGORY_NONE)
		tags->category = PEER_CATEGORY_LOCAL_ROOT;
	return 0;
}

int roster_peer_tag(struct roster *roster, const struct peer_name *name, const struct roster_tag *tag,
	int64_t now_ms, struct peer_tags *ret_tags)
{
	uint32_t peer;
	roster_clock(roster, now_ms);
	int r = tag_check(tag);
	if (r == 0)
		r = obtain_named(roster, name, &peer);
	if (r < 0)
		return r;
	struct roster_facts *facts = roster_facts_obtain(roster, peer);
	if (facts == NULL)
		return -ENOMEM;
	struct peer_tags tags = facts->tags;
	tag_marks(&tags, tag);
	for (unsigned i = 0; i < tag->values.n_duties; i++)
		(void)peer_tags_duty_extend(
			&tags, tag->values.duties[i].subnet, tag->values.duties[i].until_ms, roster->now_ms);
	if ((tag->which & ROSTER_TAG_GROUP) != 0) {
		r = tag_group(roster, name, tag, &tags);
		if (r < 0)
			return r;
	}
	bool connected = roster_peer_at(roster, peer)->state.status == PEER_STATUS_CONNECTED;
	if (connected)
		subnet_counts_change(&roster->subnets, &facts->tags, false);
	facts->tags = tags;
	if (connected)
		subnet_counts_change(&roster->subnets, &facts->tags, true);
	if ((tag->which & ROSTER_TAG_DISCOURAGED) != 0)
		facts->discouraged = tag->discouraged;
	if ((tag->which & ROSTER_TAG_USEFUL) != 0)
		facts->useful = tag->useful;
	tag_book(roster, peer, tag);
	/* 5.3 D: who is protected is never banned automatically; the governor has one mark for both. */
	if ((tag->which & (ROSTER_TAG_TRUSTED | ROSTER_TAG_PROTECTED)) != 0)
		(void)governor_tag_trusted(
			roster->governor, name, tags.trusted || tags.is_protected, roster->now_ms);
	if (ret_tags != NULL)
		*ret_tags = tags;
	return 0;
}

static double given(double value, double before)
{
	return isfinite(value) ? value : before;
}

static void metrics_lorachain(
	struct roster *roster, struct roster_facts *facts, const struct roster_metrics *metrics)
{
	struct value_lorachain_input *input = &facts->lorachain;
	if (!facts->has_lorachain)
		*input = (struct value_lorachain_input){.uptime = -1,
			.conn_success = -1,
			.delivery = -1,
			.latency_ms = -1,
			.throughput = -1,
			.compliance = -1,
			.signal_dbm = NAN};
	struct value_lorachain_input before = *input;
	input->uptime = given(metrics->uptime, input->uptime);
	input->conn_success = given(metrics->conn_success, input->conn_success);
	input->delivery = given(metrics->delivery, input->delivery);
	input->throughput = given(metrics->throughput, input->throughput);
	input->compliance = given(metrics->compliance, input->compliance);
	input->signal_dbm = given(metrics->signal_dbm, input->signal_dbm);
	if (metrics->has_msgs) {
		input->messages = metrics->msgs;
		input->invalid = metrics->invalid;
		input->relayed = metrics->relayed;
	}
	if (!metrics->has_msgs && !isfinite(metrics->rtt_ms) && memcmp(&before, input, sizeof(before)) == 0)
		return; /* nothing of it was said */
	facts->has_lorachain = true;
	facts->lorachain_ms = roster->now_ms;
}

static void metrics_fetch(
	struct roster *roster, struct roster_facts *facts, const struct roster_metrics *metrics)
{
	facts->blocks += metrics->blocks;
	if (!isfinite(metrics->fetch_ms) || metrics->fetch_ms < 0 || metrics->blocks == 0)
		return;
	facts->counters.fetch_ms =
		ewma_add_fetch(facts->counters.fetch_ms, metrics->fetch_ms, metrics->blocks);
	facts->last_fetch_ms = roster->now_ms;
}

int roster_peer_metrics(struct roster *roster, const char *id, const struct roster_metrics *metrics,
	int64_t now_ms, double *ret_value)
{
	roster_clock(roster, now_ms);
	uint32_t peer = roster_peer_find(roster, id);
	if (peer == RECORD_NONE)
		return -ENOENT;
	struct roster_facts *facts = roster_facts_obtain(roster, peer);
	if (facts == NULL)
		return -ENOMEM;
	if (isfinite(metrics->rtt_ms) && metrics->rtt_ms >= 0)
		peer_counters_rtt(&facts->counters, metrics->rtt_ms);
	metrics_fetch(roster, facts, metrics);
	metrics_lorachain(roster, facts, metrics);
	if (metrics->has_tip)
		facts->tip_known = metrics->tip_known;
	if (metrics->tx_ms != 0)
		facts->tx_ms = metrics->tx_ms;
	if (metrics->block_ms != 0)
		facts->block_ms = metrics->block_ms;
	roster_value_tell(roster, peer);
	if (ret_value != NULL)
		*ret_value = roster_value(roster, peer);
	return 0;
}

/** LH-18: how many with negative gossip are forgiven at a refresh. */
static uint32_t forgiven_most(const struct roster *roster)
{
	struct target_limits limits;
	if (roster->config.ignore_negative != UINT32_MAX)
		return roster->config.ignore_negative;
	target_limits(roster->target, &roster->config.profile.fractions, &limits);
	return limits.ignore_negative;
}

/** False: unknown, or frozen (LH-16), or there is no memory. */
static bool gossip_put(struct roster *roster, const char *id, double score, bool ignore)
{
	uint32_t peer = roster_peer_find(roster, id);
	struct roster_facts *facts = peer != RECORD_NONE ? roster_facts_obtain(roster, peer) : NULL;
	double points = 0;
	bool taken = false;
	if (facts == NULL ||
		gossip_score_points(&roster->config.profile.penalty.gossip, score, ignore, &points) < 0)
		return false;
	(void)governor_gossip(roster->governor, id, points, roster->now_ms, &taken);
	if (!taken)
		return false;
	facts->gossip = score;
	roster_peer_judge(roster, peer);
	return true;
}

/** One refresh: LH-18 looks at those of it that are known. */
static int gossip_forgive(struct roster *roster, const struct roster_gossip *scores, size_t n, bool *ignore)
{
	double *values = malloc((n + 1) * sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) /* a stranger takes no place of forgiveness */
		values[i] = roster_peer_find(roster, scores[i].id) == RECORD_NONE ? 0 : scores[i].score;
	int r = gossip_score_forgive(values, (uint32_t)n, forgiven_most(roster), ignore);
	free(values);
	return r;
}

int roster_peer_gossip(struct roster *roster, const struct roster_gossip *scores, size_t n, bool refresh,
	int64_t now_ms, size_t *ret_updated)
{
	roster_clock(roster, now_ms);
	for (size_t i = 0; i < n; i++)
		if (!isfinite(scores[i].score))
			return -EINVAL;
	bool *ignore = calloc(n + 1, sizeof(*ignore));
	if (ignore == NULL)
		return -ENOMEM;
	int r = refresh ? gossip_forgive(roster, scores, n, ignore) : 0;
	size_t updated = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		updated += gossip_put(roster, scores[i].id, scores[i].score, ignore[i] || scores[i].ignore);
	free(ignore);
	if (r == 0 && ret_updated != NULL)
		*ret_updated = updated;
	return r;
}

static int sync_status_put(struct roster *roster, uint32_t peer, const char *text)
{
	struct roster_peer *record = roster_peer_at(roster, peer);
	uint32_t held;
	if (text == NULL || text[0] == '\0')
		return 0;
	int r = text_pool_hold(roster->texts, text, &held);
	if (r < 0)
		return r;
	text_pool_drop(roster->texts, record->sync_status);
	record->sync_status = held;
	return 0;
}

int roster_peer_seen(struct roster *roster, const char *id, enum roster_seen what,
	const uint64_t *sequence_or_null, const char *sync_status, int64_t now_ms, unsigned *ret_due)
{
	const struct peer_due_policy *policy = &roster->config.profile.due;
	roster_clock(roster, now_ms);
	uint32_t peer = roster_peer_find(roster, id);
	if (peer == RECORD_NONE)
		return -ENOENT;
	struct roster_facts *facts = roster_facts_obtain(roster, peer);
	int r = facts == NULL ? -ENOMEM : sync_status_put(roster, peer, sync_status);
	if (r < 0)
		return r;
	*ret_due = 0;
	/* Without intervals, or a connection, nothing of this is ever due. */
	if (policy->ping_in_ms == 0 || roster_peer_at(roster, peer)->state.status != PEER_STATUS_CONNECTED)
		return 0;
	if (what == ROSTER_SEEN_PING)
		peer_due_ping_seen(&facts->due, policy, sequence_or_null, roster->now_ms);
	else if (what == ROSTER_SEEN_STATUS)
		peer_due_status_seen(&facts->due, policy, roster->now_ms);
	else
		peer_due_metadata_seen(&facts->due, sequence_or_null != NULL ? *sequence_or_null : 0);
	*ret_due = peer_due_take(&facts->due, roster->now_ms);
	roster_peer_due_plan(roster, peer);
	return 0;
}

int roster_peer_request(struct roster *roster, const char *id, const char *protocol, uint32_t count,
	int64_t now_ms, bool *ret_allow, int64_t *ret_wait_ms)
{
	roster_clock(roster, now_ms);
	if (roster_peer_find(roster, id) == RECORD_NONE)
		return -ENOENT;
	const struct limiter_policy *quota = limiter_request_quota(protocol);
	*ret_wait_ms = 0;
	*ret_allow = true;
	if (quota == NULL)
		return 0;
	uint64_t key = keyed_hash_words(&roster->key, keyed_hash_bytes(&roster->key, id, strlen(id)),
		keyed_hash_bytes(&roster->key, protocol, strlen(protocol)));
	*ret_allow = keyed_limiter_allow(&roster->requests, quota, key, count, roster->now_ms, ret_wait_ms);
	return 0;
}

int roster_peer_record(
	struct roster *roster, const char *id, bool ok, int64_t now_ms, struct roster_record *ret_record)
{
	roster_clock(roster, now_ms);
	uint32_t peer = roster_peer_find(roster, id);
	if (peer == RECORD_NONE)
		return -ENOENT;
	roster_outcome(roster, peer, ok ? OUTCOME_SUCCESS : OUTCOME_FAILURE);
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	if (ret_record != NULL)
		*ret_record = (struct roster_record){.reputation = roster_reputation(roster, peer),
			.ok = facts->counters.ok,
			.fail = facts->counters.fail,
			.streak = facts->standing.streak,
			.blacklisted = facts->standing.blacklisted};
	return 0;
}
