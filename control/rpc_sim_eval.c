/* SPDX-License-Identifier: BSD-3-Clause
 * sim.eval: one formula of the policy at a time, by the same functions that the governor calls. Only in
 * simulate. Each evaluator takes `in`, an object, and answers with `out`.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"
#include "control/score.h"
#include "control/target.h"

enum { CANDIDATES_MAX = 4096, SAMPLES_MAX = 4096 };

/* A number of `in`, or the fallback; null is the same as absent. */
static double number(const json_t *in, const char *name, double fallback)
{
	const json_t *value = json_object_get(in, name);
	return json_is_number(value) ? json_number_value(value) : fallback;
}

static uint32_t count(const json_t *in, const char *name, uint32_t fallback)
{
	double value = number(in, name, fallback);
	return value <= 0 ? 0 : value >= UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static bool flag(const json_t *in, const char *name)
{
	return json_is_true(json_object_get(in, name));
}

static const char *word(const json_t *in, const char *name, const char *fallback)
{
	const char *value = json_string_value(json_object_get(in, name));
	return value != NULL ? value : fallback;
}

static json_t *bad(struct rpc_request *request, const char *sentence)
{
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "in: %s", sentence);
	return NULL;
}

static json_t *eval_combine(struct rpc_request *request, const json_t *in)
{
	static const char *const states[] = {"healthy", "disconnect", "banned"};
	const struct roster_config *config = roster_config(request->control->roster);
	/* ignore_negative is LH-18's count of who is ignored: one peer alone is the best of the negative ones */
	bool ignored = flag(in, "ignore") || flag(in, "ignore_negative") ||
		       number(in, "ignore_negative", 0) > 0;
	double app = number(in, "app", 0);
	struct score score = {.value = 0};
	if (!isfinite(app) || gossip_score_points(&config->profile.penalty.gossip, number(in, "gossip", 0),
				      ignored, &score.gossip) != 0)
		return bad(request, "not finite (allowed: numbers app and gossip)");
	(void)score_set(&score, &config->governor, app, 0);
	return json_pack("{s:f, s:s}", "score", score_combined_at(&score, &config->governor, 0), "state",
		states[score_state_at(&score, &config->governor, 0)]);
}

static json_t *eval_limits(struct rpc_request *request, const json_t *in)
{
	struct target_limits limits;
	(void)request;
	target_limits(count(in, "target", 50), &target_lighthouse, &limits);
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "max", (int)limits.max, "priority",
		(int)limits.priority, "dial_out", (int)limits.dial_out, "min_out", (int)limits.min_out,
		"target_out", (int)limits.target_out, "max_in", (int)limits.max_in, "ignore_neg",
		(int)limits.ignore_negative);
}

static json_t *eval_agent(struct rpc_request *request, const json_t *in)
{
	struct client client;
	(void)request;
	const char *agent = json_is_string(in) ? json_string_value(in) : word(in, "agent", "");
	client_parse(agent, &client);
	return rpc_client_json(&client, agent);
}

static json_t *eval_lorachain(struct rpc_request *request, const json_t *in)
{
	struct value_lorachain_input input = {
		.uptime = number(in, "uptime", 1),
		.conn_success = number(in, "conn_success", 1),
		.delivery = number(in, "delivery", 0.95),
		.latency_ms = number(in, "latency_ms", 0),
		.throughput = number(in, "throughput", 0.8),
		.compliance = number(in, "compliance", 0.95),
		.signal_dbm = number(in, "signal_dbm", (double)NAN),
		.messages = (uint64_t)number(in, "msgs", 0),
		.invalid = (uint64_t)number(in, "invalid", 0),
		.relayed = (uint64_t)number(in, "relayed", 0),
		.light = strcmp(word(in, "class", "full"), "light") == 0,
	};
	double days = number(in, "days", 0);
	struct value_lorachain value = value_lorachain(&input);
	(void)request;
	return json_pack("{s:f, s:f, s:f, s:f}", "rel", value_lorachain_decay(value.reliability, days),
		"perf", value_lorachain_decay(value.performance, days), "beh",
		value_lorachain_decay(value.behaviour, days), "overall",
		value_lorachain_decay(value.overall, days));
}

static json_t *eval_replace(struct rpc_request *request, const json_t *in)
{
	(void)request;
	return json_boolean(value_replaces(number(in, "lowest", 0), number(in, "newcomer", 0)));
}

/* ok and fail; or a history, "SSSF", whose successes clear the failures where the configuration says so. */
static json_t *eval_quality(struct rpc_request *request, const json_t *in)
{
	const struct address_book_config *book = &roster_config(request->control->roster)->profile.book;
	uint64_t ok = count(in, "ok", 0), fail = count(in, "fail", 0);
	for (const char *at = word(in, "history", ""); *at != '\0'; at++) {
		ok += *at == 'S';
		fail += *at == 'F';
		if (*at == 'S' && book->reset_on_success)
			fail = 0;
	}
	return json_real(value_quality(ok, fail));
}

static json_t *eval_ewma(struct rpc_request *request, const json_t *in)
{
	json_t *samples = json_is_array(in) ? (json_t *)in : json_object_get(in, "samples"), *sample, *out;
	double average = number(in, "average", -1);
	size_t i;
	if (!json_is_array(samples) || json_array_size(samples) > SAMPLES_MAX)
		return bad(request, "samples must be given (allowed: array of at most 4096 numbers)");
	json_array_foreach(samples, i, sample)
	{
		if (!json_is_number(sample))
			return bad(request, "samples: not numbers (allowed: array of numbers)");
	}
	out = json_array();
	json_array_foreach(samples, i, sample)
	{
		average = ewma_add(average, json_number_value(sample));
		json_array_append_new(out, json_real(average));
	}
	return out;
}

static json_t *eval_dugite(struct rpc_request *request, const json_t *in)
{
	/* whoever says how fast it fetched and not when speaks of now, as V17 does */
	double fetch_ms = number(in, "fetch_ms", -1), age_min = number(in, "fetch_age_min", fetch_ms < 0 ? -1 : 0);
	struct value_dugite_input input = {number(in, "rtt_ms", -1), fetch_ms, (uint64_t)number(in, "blocks", 0),
		count(in, "ok", 0), count(in, "fail", 0), age_min};
	(void)request;
	return json_real(value_dugite(&input));
}

static int index_of(const char *text, const char *const *names, int n)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], text) == 0)
			return i;
	}
	return -1;
}

static json_t *eval_selection(struct rpc_request *request, const json_t *in)
{
	int category = peer_category_of(word(in, "category", "none"));
	/* V18 says "shared" of a peer that DU-2's category Shared is of; its source is gossip */
	const char *named = word(in, "source", "node");
	int source = strcmp(named, "shared") == 0 ? PEER_SOURCE_GOSSIP : peer_source_of(named);
	if (category < 0 || source < 0)
		return bad(request, "no such category or source (allowed: those of peer.tag)");
	struct value_selection_input input = {number(in, "reputation", 0.5), (enum peer_category)category,
		(enum peer_source)source, count(in, "failures", 0), flag(in, "tip_known")};
	/* V18 says "trustable config" of a peer without naming a category */
	if (flag(in, "trustable") && category == PEER_CATEGORY_NONE)
		input.category = PEER_CATEGORY_LOCAL_ROOT;
	return json_real(value_selection(&input));
}

static json_t *eval_rank(struct rpc_request *request, const json_t *in)
{
	(void)request;
	return json_real(value_rank(
		number(in, "reputation", 0.5), number(in, "fetch_ms", -1), count(in, "failures", 0)));
}

static json_t *eval_subnet_penalty(struct rpc_request *request, const json_t *in)
{
	(void)request;
	return json_real(value_subnet_penalty(
		json_is_integer(in) ? (uint32_t)json_integer_value(in) : count(in, "count", 0)));
}

static json_t *eval_halving(struct rpc_request *request, const json_t *in)
{
	struct decayed_count failures = {count(in, "count", 0), 0};
	(void)request;
	return json_integer((json_int_t)decayed_count_at(
		&failures, counters_dugite.halving_ms, llround(number(in, "elapsed", 0) * 1000)));
}

static json_t *eval_soft_delay(struct rpc_request *request, const json_t *in)
{
	static const char *const modes[] = {"none", "linear", "fixed"};
	struct target_soft soft = roster_config(request->control->roster)->profile.limits.soft;
	int mode = index_of(word(in, "mode", modes[soft.mode]), modes, 3);
	double delay_s = 0;
	if (mode < 0)
		return bad(request, "no such mode (allowed: none, linear, fixed)");
	soft = (struct target_soft){(enum target_soft_mode)mode, count(in, "soft", soft.soft),
		count(in, "hard", soft.hard),
		number(in, "max_s", soft.delay_max_s == 0 ? 5 : soft.delay_max_s)};
	bool admitted = target_soft_delay(&soft, count(in, "n", 0), &delay_s);
	return json_pack("{s:b, s:o}", "reject", (int)!admitted, "delay_s",
		admitted ? json_real(delay_s) : json_null());
}

static struct target_level level(const json_t *in)
{
	return (struct target_level){
		count(in, "known", 0), count(in, "established", 0), count(in, "active", 0)};
}

static json_t *level_json(const struct target_level *level)
{
	return json_pack("{s:i, s:i, s:i}", "known", (int)level->known, "established",
		(int)level->established, "active", (int)level->active);
}

/* u and v: decreaseWithMin. Else targets, and each phase of a churn of them. */
static json_t *eval_churn(struct rpc_request *request, const json_t *in)
{
	static const char *const phases[] = {"active", "established", "known"};
	const struct churn_policy *policy =
		strcmp(word(in, "mode", "simple"), "simple") == 0 ? &churn_dugite : &churn_ouroboros;
	struct target_set base = {count(in, "root", 0), level(in), level(json_object_get(in, "blp"))};
	if (json_object_get(in, "blp") == NULL)
		base.big_ledger = (struct target_level){count(in, "blp_known", 0),
			count(in, "blp_established", 0), count(in, "blp_active", 0)};
	else if (json_object_get(in, "blp_known") != NULL || json_object_get(in, "blp_established") != NULL ||
		 json_object_get(in, "blp_active") != NULL)
		return bad(request, "blp and a member that begins with it (allowed: one of the two)");
	json_t *out = json_object();
	if (json_object_get(in, "v") != NULL) {
		json_decref(out);
		return json_integer((json_int_t)churn_decrease(count(in, "u", 1), count(in, "v", 0)));
	}
	for (int i = 0; i < (policy->mode == CHURN_SIMPLE ? 1 : 3); i++) {
		struct churn churn = {.phase = (enum churn_phase)(CHURN_PHASE_ACTIVE + i)};
		struct target_set targets = churn_targets(&churn, policy, &base);
		json_t *phase = level_json(&targets.normal);
		json_object_set_new(phase, "root", json_integer((json_int_t)targets.root));
		json_object_set_new(phase, "blp", level_json(&targets.big_ledger));
		json_object_set_new(out, phases[i], phase);
	}
	return out;
}

static json_t *eval_backoff(struct rpc_request *request, const json_t *in)
{
	static const char *const names[] = {"stellar", "ouroboros", "dugite", "lorachain"};
	static const struct backoff_policy *const policies[] = {
		&backoff_stellar, &backoff_ouroboros, &backoff_dugite, &backoff_lorachain};
	const struct backoff_policy *policy = &roster_config(request->control->roster)->profile.backoff;
	const char *named = word(in, "policy", NULL);
	int which = named == NULL ? 0 : index_of(named, names, 4);
	if (which < 0)
		return bad(request, "no such policy (allowed: stellar, ouroboros, dugite, lorachain)");
	if (named != NULL)
		policy = policies[which];
	uint32_t failures = count(in, "failures", 0);
	int64_t wait_ms = backoff_delay_ms(policy, failures, (uint64_t)number(in, "rand", 0));
	return json_pack("{s:o, s:o}", "max", json_real((double)backoff_max_s(policy, failures)),
		"wait", wait_ms == INT64_MAX ? json_null() : json_real((double)wait_ms / 1000.0));
}

static json_t *eval_type_update(struct rpc_request *request, const json_t *in)
{
	/* the letters are V26's; who asks with them is answered with one */
	static const char *const types[] = {"inbound", "outbound", "preferred", "I", "O", "P"};
	int stored = index_of(word(in, "stored", ""), types, 6),
	    observed = index_of(word(in, "observed", ""), types, 6), letters = stored >= 3 ? 3 : 0;
	if (stored < 0 || observed < 0)
		return bad(request, "no such type (allowed: stored and observed of inbound, outbound, preferred, "
				    "I, O, P)");
	return json_string(types[letters + (int)book_type_update((enum book_type)(stored % 3),
						   (enum book_type)(observed % 3), flag(in, "known"))]);
}

static const char candidate_members[] =
	"id direction:t trusted:f protected:f preferred:f discouraged:f silent:f relay_txs:f|relay score value "
	"ping|rtt_ms|ping_ms|min_rtt_ms connected|connected_at|conn_time|since tx|tx_at block|block_at "
	"group|key|group_key|netgroup";

static void candidate_read(const json_t *item, struct eviction_candidate *candidate)
{
	*candidate = (struct eviction_candidate){
		.id = (uint64_t)number(item, "id", 0),
		.inbound = strcmp(word(item, "direction", "in"), "in") == 0,
		.trusted = flag(item, "trusted"),
		.is_protected = flag(item, "protected"),
		.preferred = flag(item, "preferred"),
		.discouraged = flag(item, "discouraged"),
		.silent = flag(item, "silent"),
		.relay_txs = json_object_get(item, "relay_txs") == NULL || flag(item, "relay_txs"),
		.score = number(item, "score", 0),
		.value = number(item, "value", 0),
		.rtt_min_ms = number(item, "ping", -1),
		.connected_ms = llround(number(item, "connected", 0) * 1000),
		.tx_ms = llround(number(item, "tx", 0) * 1000),
		.block_ms = llround(number(item, "block", 0) * 1000),
		.group = (uint64_t)number(item, "group", 0),
	};
}

/* V31: bitcoin's rule over given keys; `wanted` victims, one by default. */
static json_t *eval_evict(struct rpc_request *request, const json_t *in)
{
	json_t *items = json_is_array(in) ? (json_t *)in : json_object_get(in, "candidates"), *item, *out;
	size_t i, n = json_array_size(items);
	uint32_t wanted = count(in, "wanted", 1), n_victims = 0;
	if (!json_is_array(items) || n > CANDIDATES_MAX || wanted == 0 || wanted > CANDIDATES_MAX)
		return bad(request, "candidates must be given (allowed: array of at most 4096 objects)");
	json_array_foreach(items, i, item)
	{
		if (!json_is_object(item))
			return bad(request, "candidates: not objects (allowed: array of objects)");
		if (!rpc_sim_members(request, item, "in.candidates", candidate_members))
			return NULL;
	}
	struct eviction_candidate *candidates = calloc(n + 1, sizeof(*candidates));
	struct eviction_victim *victims = calloc(wanted, sizeof(*victims));
	int error = candidates == NULL || victims == NULL ? -ENOMEM : 0;
	if (error == 0) {
		json_array_foreach(items, i, item) candidate_read(item, &candidates[i]);
		error = eviction_select(&eviction_bitcoin, candidates, (uint32_t)n, wanted,
			llround(number(in, "now", 1e9) * 1000), victims, &n_victims);
	}
	out = json_array();
	for (i = 0; i < n_victims && error == 0; i++)
		json_array_append_new(out, json_integer((json_int_t)candidates[victims[i].candidate].id));
	free(candidates);
	free(victims);
	if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "not enough memory");
	return json_pack("{s:o}", "victims", out);
}

static json_t *eval_slots(struct rpc_request *request, const json_t *in)
{
	struct target_slots slots;
	uint32_t target = count(in, "target", 8);
	(void)request;
	target_slots(target, count(in, "pending", 500), &slots);
	uint32_t inbound = count(in, "inbound_authenticated", slots.inbound_max);
	/* the cap is the goal of who wants as many as may be */
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "inbound_max", (json_int_t)slots.inbound_max,
		"pending_out", (json_int_t)slots.pending_out, "pending_in", (json_int_t)slots.pending_in,
		"preferred_extra", (json_int_t)slots.preferred_extra, "outbound",
		(json_int_t)target_slots_outbound(target, inbound), "target_cap",
		(json_int_t)target_slots_outbound(UINT32_MAX, inbound));
}

/* A formula, the members of its `in`, and what `in` may be instead of an object: s(tring), a(rray), i(nteger), or nothing. */
struct evaluator {
	json_t *(*eval)(struct rpc_request *request, const json_t *in);
	char alone;
	const char *members;
};

#define LEVEL_MEMBERS "known established|est active|act"

/* in the order of the words of the parameter `what` */
static const struct evaluator evaluators[] = {
	{eval_combine, 0, "app|score gossip ignore:f|ignored ignore_negative:c"},
	{eval_limits, 0, "target"},
	{eval_agent, 's', "agent:t|agent_version"},
	{eval_lorachain, 0,
		"uptime conn_success|conn delivery latency_ms|latency|rtt_ms throughput|thr compliance "
		"signal_dbm|signal msgs|messages invalid relayed class:t days"},
	{eval_replace, 0, "lowest newcomer|new"},
	{eval_quality, 0, "ok|successes fail|failures history:t"},
	{eval_ewma, 'a', "samples:a|values average"},
	{eval_dugite, 0, "rtt_ms|rtt|latency_ms fetch_ms|fetch blocks ok|successes fail|failures fetch_age_min|age_min"},
	{eval_selection, 0, "reputation|rep category:t source:t failures|fail tip_known:f|tip trustable:f"},
	{eval_rank, 0, "reputation|rep fetch_ms|fetch failures|fail"},
	{eval_subnet_penalty, 'i', "count|n"},
	{eval_halving, 0, "count|failures elapsed|elapsed_s|seconds"},
	{eval_soft_delay, 0, "mode:t soft hard max_s n|count"},
	{eval_churn, 0, "mode:t root " LEVEL_MEMBERS " blp:o blp_known blp_established|blp_est blp_active|blp_act u v"},
	{eval_backoff, 0, "failures|fail rand|random|r policy:t"},
	{eval_type_update, 0, "stored:t observed:t known:f|preferred_known"},
	{eval_evict, 'a', "candidates:a wanted now"},
	{eval_slots, 0, "target pending|max_pending inbound_authenticated|inbound"},
};

static bool in_is_valid(struct rpc_request *request, const struct evaluator *evaluator, json_t *in)
{
	json_t *levels = json_object_get(in, "blp");
	if ((json_is_string(in) && evaluator->alone == 's') || (json_is_array(in) && evaluator->alone == 'a') ||
		(json_is_integer(in) && evaluator->alone == 'i'))
		return true;
	if (!json_is_object(in)) {
		(void)bad(request, "wrong type (allowed: object)");
		return false;
	}
	return rpc_sim_members(request, in, "in", evaluator->members) &&
	       (!json_is_object(levels) || rpc_sim_members(request, levels, "in.blp", LEVEL_MEMBERS));
}

void rpc_sim_eval(struct rpc_request *request)
{
	const struct evaluator *evaluator = &evaluators[rpc_choice(request, "what")];
	json_t *in = json_object_get(request->params, "in");
	json_t *out = in_is_valid(request, evaluator, in) ? evaluator->eval(request, in) : NULL;
	if (request->error_code == 0)
		request->result = json_pack("{s:o}", "out", out);
	else
		json_decref(out);
}
