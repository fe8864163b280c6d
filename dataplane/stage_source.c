/* SPDX-License-Identifier: BSD-3-Clause
 * What the tables say of a source: bans, lists and proofs, looked up the same way for attempts, for flows
 * whose ban epoch has moved and for probes. Thread: owning lcore, RCU online. Changes nothing but proofs.
 */
#include "dataplane/stage_private.h"

static struct ban_key source_key(const struct address *client)
{
	if (address_is_v4(client))
		return (struct ban_key){address_v4(client), 0};
	return (struct ban_key){address_v6_site(client), 0};
}

static struct ban_key source_exact_key(const struct address *client)
{
	uint64_t low = 0;

	for (unsigned i = 8; i < 16; i++)
		low = low << 8 | client->bytes[i];
	return (struct ban_key){address_v6_site(client), low};
}

static void bans_prefetch(const struct ruleset *rules, const struct address *client, uint64_t *ret_ban_hash,
	uint64_t *ret_exact_hash)
{
	*ret_exact_hash = 0;
	if (address_is_v4(client)) {
		ban_table_prefetch(rules->bans_v4, source_key(client), ret_ban_hash);
		return;
	}
	ban_table_prefetch(rules->bans_v6, source_key(client), ret_ban_hash);
	ban_table_prefetch(rules->bans_exact, source_exact_key(client), ret_exact_hash);
}

void source_prefetch_identity(
	const struct stage_shared *shared, const struct ruleset *rules, struct work *work)
{
	work->ban_epoch = stage_ban_epoch(shared, work->client.bytes);
	bans_prefetch(rules, &work->client, &work->ban_hash, &work->exact_hash);
	proven_table_prefetch(shared->proven, &work->client, &work->proven_hash);
	work->identity_ready = true;
}

void source_prefetch(const struct stage_shared *shared, const struct ruleset *rules, struct work *work)
{
	struct address identity = host_identity(&work->client);

	if (!work->identity_ready)
		source_prefetch_identity(shared, rules, work);
	pressure_table_prefetch(shared->unproven, &work->client, &work->unproven);
	pressure_table_prefetch_wide(shared->proven_opens, &work->client, &work->opens);
	proven_table_prefetch(shared->opened, &identity, &work->opened_hash);
	work->source_ready = true;
}

enum reason source_check(const struct moment *moment, const struct address *client, uint64_t ban_hash,
	uint64_t exact_hash, struct source_answer *ret_answer)
{
	const struct ruleset *rules = moment->rules;
	bool is_v4 = address_is_v4(client);
	struct lists_answer lists;
	enum source_class class, exact_class = SOURCE_CLASS_NONE;
	enum source_class prefix_class;

	lists_lookup(rules->lists, client, moment->now_s, &lists);
	*ret_answer = (struct source_answer){
		.class = SOURCE_CLASS_NONE, .allowed = lists.allowed, .price = lists.price};
	if (lists.allowed)
		return REASON_COUNT;
	if (lists.denied)
		return REASON_DENIED;
	class = ban_meta_class_at(
		ban_table_lookup(is_v4 ? rules->bans_v4 : rules->bans_v6, source_key(client), ban_hash),
		moment->now_s);
	if (!is_v4)
		exact_class = ban_meta_class_at(
			ban_table_lookup(rules->bans_exact, source_exact_key(client), exact_hash),
			moment->now_s);
	if (exact_class > class)
		class = exact_class;
	prefix_class = ban_meta_class_at(lists.ban_meta, moment->now_s);
	ret_answer->class = class > prefix_class ? class : prefix_class;
	if (class == SOURCE_CLASS_BANNED)
		return REASON_BANNED;
	if (prefix_class == SOURCE_CLASS_BANNED)
		return REASON_BANNED_PREFIX;
	return REASON_COUNT;
}

enum reason source_check_bans(const struct moment *moment, const struct address *client, uint64_t ban_hash,
	uint64_t exact_hash, bool *ret_allowed, enum source_class *ret_class)
{
	struct source_answer answer;
	enum reason reason = source_check(moment, client, ban_hash, exact_hash, &answer);

	*ret_allowed = answer.allowed;
	*ret_class = answer.class;
	return reason;
}

/* The exact budget's entry tells how long a client was quiet, so it must outlive what the client still weighs in its
 * prefixes: a sixteenth after four half-lives. */
static uint32_t opened_lifetime_ms(const struct image_policy *policy)
{
	uint32_t least_ms = 4 * CLIENTS_HALF_LIFE_MS;

	return policy->proven_lifetime_ms > least_ms ? policy->proven_lifetime_ms : least_ms;
}

void source_proven(
	struct stage *stage, const struct moment *moment, const struct address *client, uint8_t fingerprint)
{
	struct stage_shared *shared = stage->shared;
	const struct image_policy *policy = &moment->rules->policy;
	bool is_v4 = address_is_v4(client);
	const struct token_bucket_profile *budget =
		is_v4 ? &moment->rules->host_budget_v4 : &moment->rules->host_budget_v6;
	struct address identity = host_identity(client);
	uint64_t proven_hash, opened_hash;
	uint32_t quiet_s;

	proven_table_prefetch(shared->proven, client, &proven_hash);
	proven_table_prefetch(shared->opened, &identity, &opened_hash);
	if (proven_table_add(
		    shared->proven, proven_hash, fingerprint, 0, policy->proven_lifetime_ms, moment->now_ns))
		counter_add(stage->counters, COUNTER_PROVEN_EVICTED, 1);
	/* Only a real connection comes here, so this budget cannot be spent by somebody else in the client's
	 * name. */
	proven_table_add_timed(
		shared->opened, opened_hash, 0, 0, opened_lifetime_ms(policy), moment->now_ns, &quiet_s);
	(void)proven_table_charge(shared->opened, opened_hash, 0, 0, budget, moment->now_ns);
	shape_charge(stage, moment, client);
	shape_client_seen(stage, moment, client, quiet_s);
}

bool flow_check_bans(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	struct address client = flow_client(flow);
	uint16_t epoch = stage_ban_epoch(stage->shared, flow->client);
	uint64_t ban_hash, exact_hash;
	enum source_class class;
	enum reason reason;
	bool allowed;

	bans_prefetch(moment->rules, &client, &ban_hash, &exact_hash);
	reason = source_check_bans(moment, &client, ban_hash, exact_hash, &allowed, &class);
	flow->ban_epoch = epoch;
	flow->flags =
		(uint16_t)(allowed ? flow->flags | FLOW_FLAG_ALLOWED : flow->flags & ~FLOW_FLAG_ALLOWED);
	if (reason == REASON_COUNT || moment->rules->policy.mode == IMAGE_MODE_MONITOR ||
		flow->state == FLOW_STATE_CUT)
		return false;
	flow_cut(stage, moment, flow, CLOSED_HOW_RST);
	return true;
}
