/* SPDX-License-Identifier: BSD-3-Clause
 * Rows 6 to 12 of design.md section 3: what happens to an attempt to open a connection. Thread: owning lcore.
 *
 * Rule 1 shapes it: a SYN proves nothing, so a SYN may spend only what a spoofer may spend: the unproven
 * counters, and the challenge-free budget of a proven source (spent means challenged, never refused). What
 * refuses a proven source, its exact budget, its prefixes' rates and their concurrency, is charged by
 * completed handshakes only.
 */
#include "dataplane/cookie.h"
#include "dataplane/stage_private.h"

struct source {
	enum source_class class;
	bool allowed;
	bool crowded; /* its prefixes are over their limits by `excess` */
	uint16_t price;
	enum proven_answer proven;
	struct pressure_excess excess;
};

static const struct token_bucket_profile *host_budget(
	const struct ruleset *rules, const struct address *client)
{
	return address_is_v4(client) ? &rules->host_budget_v4 : &rules->host_budget_v6;
}

/* Row 7: limits that only real connections have charged. A host beyond its own is refused; that its prefixes are beyond
 * theirs is noted, for the answer depends on proof. */
static enum reason check_opens(const struct stage_shared *shared, const struct moment *moment,
	const struct work *work, struct source *source)
{
	if (proven_table_peek(shared->opened, work->opened_hash, 0, 0, host_budget(moment->rules, &work->client),
		    moment->now_ns) == PROVEN_SPENT)
		return REASON_RATE_SOURCE;
	source->crowded = shape_excess(shared, moment, &work->client, &work->opens, &source->excess);
	return REASON_COUNT;
}

static bool has_challenge(const struct moment *moment, const struct work *work)
{
	const struct image_service *service = &moment->rules->services[work->service];

	return service->protocol == 6 && service->challenge != IMAGE_CHALLENGE_OFF;
}

/* A proven attempt from a crowded prefix. Its source is within its own budget (check_opens), so whoever is dropped is
 * dropped because of the others. */
static enum reason shape_proven(struct stage *stage, const struct source *source)
{
	if (!source->crowded || !shape_drops(stage, &source->excess))
		return REASON_COUNT;
	counter_add(stage->counters, COUNTER_SHAPED_COLLATERAL, 1);
	return REASON_SHAPED;
}

static const struct pressure_limits *unproven_limits(const struct moment *moment, const struct work *work)
{
	return address_is_v4(&work->client) ? &moment->rules->unproven_v4 : &moment->rules->unproven_v6;
}

/* Row 8 for a source without proof, whose prefixes press or not: REASON_CHALLENGED, REASON_PRESSURE, or REASON_COUNT when there is no
 * pressure. */
static enum reason check_pressure(const struct stage *stage_or_null, const struct moment *moment, const struct work *work,
	bool prefix_presses)
{
	bool pressure = prefix_presses || moment->rules->services[work->service].challenge == IMAGE_CHALLENGE_ALWAYS ||
			(stage_or_null != NULL && service_under_pressure(stage_or_null, work->service));

	if (!pressure)
		return REASON_COUNT;
	return has_challenge(moment, work) ? REASON_CHALLENGED : REASON_PRESSURE;
}

/* Rows 9 and 10, and the hard limit of row 11. */
static enum reason check_slots(const struct stage_shared *shared, const struct moment *moment,
	const struct work *work, const struct source *source)
{
	const struct image_policy *policy = &moment->rules->policy;
	const uint32_t *limits =
		address_is_v4(&work->client) ? policy->concurrency_v4 : policy->concurrency_v6;
	uint64_t total = concurrency_table_total(shared->concurrency);

	if (source->allowed) {
		if (policy->limit_hard != 0 && total >= (uint64_t)policy->limit_hard + policy->reserved_slots)
			return REASON_HARD_LIMIT;
		return REASON_COUNT;
	}
	if (concurrency_table_check(shared->concurrency, &work->client, limits) != IMAGE_LEVEL_COUNT)
		return REASON_CONCURRENCY;
	if (source->class == SOURCE_CLASS_REFUSED)
		return REASON_REPUTATION;
	if (source->class == SOURCE_CLASS_THROTTLED)
		return REASON_THROTTLED;
	if (source->class == SOURCE_CLASS_DISCOURAGED && policy->limit_soft != 0 &&
		total >= policy->limit_soft)
		return REASON_DISCOURAGED;
	if (policy->limit_hard != 0 && total >= policy->limit_hard)
		return REASON_HARD_LIMIT;
	return REASON_COUNT;
}

/* Row 11 between soft and hard: nobody gets in before the delay after the last newcomer is over. */
static bool is_paced(const struct stage *stage, const struct moment *moment)
{
	uint32_t soft = moment->rules->policy.limit_soft;

	if (soft == 0 || concurrency_table_total(stage->shared->concurrency) < soft)
		return false;
	return moment->now_ns < stage->pace_next_ns;
}

/* DU-14: a delay between accepts, which grows from 0 at soft to its maximum at hard, or is fixed. Each lcore
 * sees its share of the newcomers, so it keeps lcores times the delay. */
void stage_pace_charge(struct stage *stage, const struct moment *moment)
{
	const struct image_policy *policy = &moment->rules->policy;
	uint64_t total = concurrency_table_total(stage->shared->concurrency);
	uint64_t delay_ns = (uint64_t)policy->soft_delay_max_ms * 1000000;

	if (policy->limit_soft == 0 || total < policy->limit_soft)
		return;
	if (policy->soft_linear && policy->limit_hard > policy->limit_soft)
		delay_ns =
			delay_ns * (total - policy->limit_soft) / (policy->limit_hard - policy->limit_soft);
	stage->pace_next_ns = moment->now_ns + delay_ns * (stage->lcores > 0 ? stage->lcores : 1);
}

static void over_rate_event(struct stage *stage, const struct moment *moment, const struct work *work)
{
	uint64_t *last_ns = &stage->over_rate_last_ns[work->opened_hash % 256];
	struct event_record event = {
		.time_ns = moment->now_ns,
		.client_port = work->key.client_port,
		.kind = EVENT_SOURCE_OVER_RATE,
		/* No flags: any SYN may be a spoofer's, even one whose challenge was answered. Every stack
		   resets a SYN-ACK that it did not ask for, so the source may have answered for a stranger's
		   SYN. */
		.service = work->service,
		.protocol = work->key.protocol,
	};

	if (*last_ns != 0 && moment->now_ns - *last_ns < UINT64_C(1000000000))
		return;
	*last_ns = moment->now_ns;
	memcpy(event.client, work->client.bytes, sizeof(event.client));
	stage->output.event(stage->output.context, &event);
}

bool stage_reply_allowed(struct stage *stage, const struct moment *moment, const struct address *client)
{
	struct token_bucket_profile share = moment->rules->reply_prefix;

	/* Addresses are spread over the lcores evenly, so each keeps lcores times the distance. */
	share.interval_ns *= stage->lcores > 0 ? stage->lcores : 1;
	return reply_cap_take(stage->reply_cap, &share, client, moment->now_ns);
}

/* The cap of a prefix does not hold for a source that has proven itself here, nor for one on the allow list: whoever floods in
 * its name spends its budget and its prefix's replies, and it must still get its challenge. */
static enum reason challenge(struct stage *stage, const struct moment *moment, struct work *work,
	const struct source *source, struct decision *decision)
{
	if (source->proven == PROVEN_NO && !source->allowed && !stage_reply_allowed(stage, moment, &work->client))
		return REASON_REPLY_PREFIX_CAP;
	if (!token_bucket_take(&moment->rules->replies, &stage->replies_tat_ns, moment->now_ns))
		return REASON_CHALLENGE_BUDGET;
	counter_add(stage->counters, COUNTER_COOKIES_SENT, 1);
	if (proxy_challenge(stage, moment, work, decision))
		return REASON_CHALLENGED;
	decision->segment.sequence = stage_random(stage);
	decision->segment.acknowledgement = cookie_make(stage_cookie_secrets(stage->shared), &work->arrival->packet,
		stage_cookie_clock_ns(stage->shared, moment));
	return REASON_CHALLENGED;
}

/* Hosts have no rate by configuration, so nothing but the handshakes that wait bounds SYNs in a proven name.
 */
static bool name_is_unbounded(const struct stage *stage, const struct moment *moment, const struct work *work)
{
	uint32_t most = moment->rules->services[work->service].pressure_half_open;

	return host_budget(moment->rules, &work->client)->interval_ns == 0 && most != 0 &&
	       stage->services[work->service].half_open >= most;
}

/* Counts the attempt. Do its prefixes press then? */
static bool unproven_charge(struct stage *stage, const struct moment *moment, const struct work *work, uint16_t price)
{
	enum image_level level;

	counter_add(stage->counters, COUNTER_PRESSURE_EVICTED,
		pressure_table_charge_check(stage->shared->unproven, &work->unproven, price,
			unproven_limits(moment, work), moment->now_ns, stage_random(stage), &level));
	service_pressure_attempt(stage, moment, work->service);
	return level != IMAGE_LEVEL_COUNT;
}

/* A service that has no challenge still lets some strangers in under pressure, without state: the node's answer makes the flow. The
 * caller keeps out those whose prefixes press: they would take every place. */
static bool paced_take(struct stage *stage, const struct moment *moment, const struct work *work)
{
	struct token_bucket_profile share = moment->rules->paced[work->service];

	/* Each lcore sees its part of the strangers. */
	share.interval_ns *= stage->lcores > 0 ? stage->lcores : 1;
	return share.interval_ns != 0 &&
	       token_bucket_take(&share, &stage->paced_tat_ns[work->service], moment->now_ns);
}

/* Row 8: an attempt that nothing proves. */
static enum reason check_unproven(struct stage *stage, const struct moment *moment, struct work *work,
	const struct source *source, struct decision *decision)
{
	bool prefix_presses = unproven_charge(stage, moment, work, source->price);
	enum reason reason = check_pressure(stage, moment, work, prefix_presses);

	if (reason == REASON_COUNT && (source->proven == PROVEN_SPENT || source->crowded) &&
		has_challenge(moment, work))
		reason = REASON_CHALLENGED;
	/* Nothing can challenge it, so its handshakes charge the prefix like proven ones and are shaped like them. */
	if (reason == REASON_COUNT && source->crowded && shape_drops(stage, &source->excess))
		return REASON_SHAPED;
	/* An allowed source is challenged, but where nothing can challenge it, it is not governed away. */
	if (reason == REASON_PRESSURE && source->allowed)
		return stage_in_flood(stage) ? REASON_ADMITTED_STATELESS : REASON_COUNT;
	if (reason == REASON_PRESSURE && !prefix_presses && paced_take(stage, moment, work))
		return REASON_ADMITTED_STATELESS;
	return reason == REASON_CHALLENGED ? challenge(stage, moment, work, source, decision) : reason;
}

static enum reason check_source_rate(
	struct stage *stage, const struct moment *moment, struct work *work, struct source *source)
{
	enum reason reason = REASON_COUNT;

	if (!source->allowed)
		reason = check_opens(stage->shared, moment, work, source);
	if (reason == REASON_RATE_SOURCE)
		over_rate_event(stage, moment, work);
	return reason;
}

/* Rows 7 and 8. */
static enum reason check_proof(struct stage *stage, const struct moment *moment, struct work *work,
	struct source *source, struct decision *decision)
{
	const struct token_bucket_profile *budget = host_budget(moment->rules, &work->client);
	uint8_t fingerprint = work->key.protocol == 6 ? work->arrival->packet.tcp_fingerprint : 0;
	struct proven_table *proven = stage->shared->proven;
	enum reason reason = check_source_rate(stage, moment, work, source);

	if (reason != REASON_COUNT)
		return reason;
	/* Shaped before it is charged: what is dropped costs neither budget nor ticket, for it comes again. */
	if (source->crowded && proven_table_peek(proven, work->proven_hash, fingerprint, work->key.client_port, budget,
				       moment->now_ns) >= PROVEN_YES) {
		reason = shape_proven(stage, source);
		if (reason != REASON_COUNT)
			return reason;
	}
	source->proven = proven_table_charge(
		proven, work->proven_hash, fingerprint, work->key.client_port, budget, moment->now_ns);
	if (source->proven == PROVEN_YES && name_is_unbounded(stage, moment, work))
		source->proven = PROVEN_SPENT;
	if (source->proven >= PROVEN_YES)
		return REASON_COUNT;
	return check_unproven(stage, moment, work, source, decision);
}

/* Row 8 for a service that challenges every stranger now. Its SYN is asked for nothing but bans and proof, and charges no
 * prefix: who comes back with a proof meets all of it, and who does not leaves nothing behind. */
static bool challenges_strangers(const struct stage *stage, const struct moment *moment, const struct work *work)
{
	return has_challenge(moment, work) &&
	       (moment->rules->services[work->service].challenge == IMAGE_CHALLENGE_ALWAYS ||
		       service_under_pressure(stage, work->service) || stage_in_flood(stage));
}

void stage_attempt_look(struct stage *stage, const struct moment *moment, struct work *work)
{
	const struct packet *packet = &work->arrival->packet;

	if (!work->identity_ready)
		source_prefetch_identity(stage->shared, moment->rules, work);
	work->source_looked = true;
	work->source_reason =
		source_check(moment, &work->client, work->ban_hash, work->exact_hash, &work->answer);
	if (work->source_reason != REASON_COUNT)
		return;
	if (challenges_strangers(stage, moment, work)) {
		work->proven = proven_table_peek(stage->shared->proven, work->proven_hash, packet->tcp_fingerprint,
			work->key.client_port, host_budget(moment->rules, &work->client), moment->now_ns);
		work->is_stranger = work->proven < PROVEN_YES;
	}
	if (work->is_stranger)
		return;
	source_prefetch(stage->shared, moment->rules, work);
	if (work->flow == NULL)
		flow_table_prefetch_newcomer(stage->flows, work->flow_hash);
}

/* Row 6. */
static enum reason check_source(
	struct stage *stage, const struct moment *moment, struct work *work, struct source *source)
{
	if (!work->source_looked)
		stage_attempt_look(stage, moment, work);
	source->class = work->answer.class;
	source->allowed = work->answer.allowed;
	source->price = work->answer.price;
	return work->source_reason;
}

static enum reason challenge_stranger(struct stage *stage, const struct moment *moment, struct work *work,
	struct source *source, struct decision *decision)
{
	source->proven = work->proven;
	service_pressure_attempt(stage, moment, work->service);
	return challenge(stage, moment, work, source, decision);
}

static enum reason judge(struct stage *stage, const struct moment *moment, struct work *work,
	struct source *source, struct decision *decision)
{
	enum reason reason;

	if (!moment->rules->policy.accept_inbound)
		return REASON_NODE_CLOSED;
	reason = check_source(stage, moment, work, source);
	if (reason == REASON_COUNT && work->is_stranger)
		return challenge_stranger(stage, moment, work, source, decision);
	/* The end of a proxied connection still needs its numbers: only its client may begin anew on its ports. */
	if (reason == REASON_COUNT && work->flow != NULL && (work->flow->flags & FLOW_FLAG_TRANSLATED) &&
		has_challenge(moment, work))
		return challenge(stage, moment, work, source, decision);
	if (reason == REASON_COUNT)
		reason = check_proof(stage, moment, work, source, decision);
	if (reason == REASON_COUNT)
		reason = check_slots(stage->shared, moment, work, source);
	if (reason == REASON_COUNT && !source->allowed && is_paced(stage, moment))
		reason = REASON_PACED;
	return reason;
}

enum reason stage_judge_proven(struct stage *stage, const struct moment *moment, struct work *work, bool *ret_allowed)
{
	struct source source = {.class = SOURCE_CLASS_NONE, .allowed = false, .proven = PROVEN_TICKET};
	enum reason reason = REASON_COUNT;

	counter_add(stage->counters, COUNTER_ATTEMPTS, 1);
	if (!moment->rules->policy.accept_inbound)
		reason = REASON_NODE_CLOSED;
	if (reason == REASON_COUNT)
		reason = check_source(stage, moment, work, &source);
	/* It was looked at as what it is not any more, a stranger. */
	if (reason == REASON_COUNT && !work->source_ready)
		source_prefetch(stage->shared, moment->rules, work);
	if (reason == REASON_COUNT)
		reason = check_source_rate(stage, moment, work, &source);
	if (reason == REASON_COUNT)
		reason = shape_proven(stage, &source);
	if (reason == REASON_COUNT)
		reason = check_slots(stage->shared, moment, work, &source);
	if (reason == REASON_COUNT && !source.allowed && is_paced(stage, moment))
		reason = REASON_PACED;
	*ret_allowed = source.allowed;
	return moment->rules->policy.mode == IMAGE_MODE_MONITOR ? REASON_COUNT : reason;
}

/* Row 12. */
static bool admit(
	struct stage *stage, const struct moment *moment, struct work *work, const struct source *source)
{
	const struct packet *packet = &work->arrival->packet;
	struct flow *flow;

	/* The same ports again after an earlier connection: begin anew. */
	if (work->flow != NULL)
		flow_forget(stage, moment, work->flow, CLOSED_HOW_TIMEOUT);
	flow = flow_birth(stage, moment, work, /* proven = */ false);
	if (flow == NULL)
		return false;
	flow->flags = source->allowed ? FLOW_FLAG_ALLOWED : 0;
	if (work->key.protocol == 6) {
		flow->client_next = flow->client_acked =
			packet->tcp_sequence + packet_tcp_sequence_length(packet);
		flow->node_acked = packet->tcp_fingerprint;
		flow_set_state(stage, flow, FLOW_STATE_SYN_SENT);
	} else {
		flow->tally = 1;
		udp_client_said(flow, packet);
		flow_set_state(stage, flow, FLOW_STATE_UDP_NEW);
	}
	flow_touch(stage, moment, work, flow);
	return true;
}

enum reason stage_attempt(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	struct source source = {.class = SOURCE_CLASS_NONE, .allowed = false, .proven = PROVEN_NO};
	enum reason reason;

	counter_add(stage->counters, COUNTER_ATTEMPTS, 1);
	reason = judge(stage, moment, work, &source, decision);
	if (reason != REASON_COUNT && moment->rules->policy.mode != IMAGE_MODE_MONITOR)
		return reason;
	/* In monitor mode a refused attempt is forwarded all the same and needs a flow like any other. */
	if (!admit(stage, moment, work, &source))
		return reason != REASON_COUNT ? reason : REASON_FLOW_TABLE_FULL;
	return reason != REASON_COUNT ? reason : REASON_ADMITTED;
}

/* A ticket passes one SYN whatever spoofers have spent in the source's name. Who may spoof gets tickets in
 * the name of every host that resets what it did not ask for, and a real source may send its RST again: so
 * tickets have a budget of their own, as large as the source's. Spent, the source is proven without a ticket.
 */
static uint16_t ticket_take(struct stage *stage, const struct moment *moment, const struct work *work)
{
	/* A place of its own in the table that only proofs write: an odd number moves both buckets and the
	 * tag. */
	uint64_t hash = work->opened_hash ^ UINT64_C(0x9e3779b97f4a7c15);

	proven_table_add(
		stage->shared->opened, hash, 0, 0, moment->rules->policy.proven_lifetime_ms, moment->now_ns);
	return proven_table_charge(stage->shared->opened, hash, 0, 0,
		       host_budget(moment->rules, &work->client), moment->now_ns) == PROVEN_YES
		       ? work->key.client_port
		       : 0;
}

enum reason stage_challenge_answer(struct stage *stage, const struct moment *moment, struct work *work)
{
	const struct image_service *service;
	uint8_t fingerprint;

	if (work->service == SERVICE_NONE)
		return REASON_NO_FLOW;
	service = &moment->rules->services[work->service];
	if (service->challenge == IMAGE_CHALLENGE_OFF)
		return REASON_NO_FLOW;
	if (!cookie_check(stage_cookie_secrets(stage->shared), &work->arrival->packet,
		    stage_cookie_clock_ns(stage->shared, moment), &fingerprint)) {
		challenge_bad_count(stage, moment);
		return REASON_CHALLENGE_BAD;
	}
	if (!work->source_ready)
		source_prefetch(stage->shared, moment->rules, work);
	if (proven_table_add(stage->shared->proven, work->proven_hash, fingerprint,
		    ticket_take(stage, moment, work), moment->rules->policy.proven_lifetime_ms,
		    moment->now_ns))
		counter_add(stage->counters, COUNTER_PROVEN_EVICTED, 1);
	counter_add(stage->counters, COUNTER_PROOFS_CHALLENGE, 1);
	return REASON_CHALLENGE_PASSED;
}

enum reason stage_probe(const struct stage_shared *shared, const struct stage *stage_or_null,
	const struct ruleset *rules, const struct address *client, uint8_t service, uint64_t now_ns)
{
	struct moment moment = moment_make(rules, now_ns);
	struct work work = {.client = *client, .service = service};
	struct source source = {.class = SOURCE_CLASS_NONE, .allowed = false};
	enum reason reason;
	bool proven;

	if (service >= rules->n_services)
		return REASON_OTHER_SERVICE;
	if (!rules->policy.accept_inbound)
		return REASON_NODE_CLOSED;
	work.key.protocol = rules->services[service].protocol;
	source_prefetch(shared, rules, &work);
	reason = source_check(&moment, client, work.ban_hash, work.exact_hash, &work.answer);
	source.class = work.answer.class;
	source.allowed = work.answer.allowed;
	if (reason == REASON_COUNT && !source.allowed)
		reason = check_opens(shared, &moment, &work, &source);
	proven = proven_table_has(shared->proven, work.proven_hash, now_ns);
	if (reason == REASON_COUNT && !proven)
		reason = check_pressure(stage_or_null, &moment, &work,
			pressure_table_check(shared->unproven, &work.unproven, unproven_limits(&moment, &work), now_ns) !=
				IMAGE_LEVEL_COUNT);
	if (reason == REASON_PRESSURE && source.allowed)
		reason = REASON_COUNT;
	if (reason == REASON_COUNT && source.crowded)
		return proven || !has_challenge(&moment, &work) ? REASON_SHAPED : REASON_CHALLENGED;
	if (reason == REASON_COUNT)
		reason = check_slots(shared, &moment, &work, &source);
	return reason != REASON_COUNT ? reason : REASON_ADMITTED;
}
