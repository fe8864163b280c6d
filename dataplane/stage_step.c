/* SPDX-License-Identifier: BSD-3-Clause
 * Housekeeping between bursts: timeouts, silent and idle flows, bans that moved while a flow was idle. Bounded per
 * call; the whole table is seen every WALK_PERIOD_NS. Thread: owning lcore.
 */
#include "dataplane/stage_private.h"

/* Twice within the second in which a banned source must lose its idle flows (issue: within 1 s at a million
 * flows). */
#define WALK_PERIOD_NS UINT64_C(400000000)
enum {
	FIN_TIMEOUT_FACTOR =
		4 /* half-closed flows wait four closing times, as FIN-WAIT-2 does beside TIME-WAIT */
};

struct walk {
	struct stage *stage;
	const struct moment *moment;
	/* stage_cut only */
	const struct address *client;
	uint16_t client_port;
};

static uint32_t udp_timeout_ms(const struct ruleset *rules, const struct flow *flow)
{
	if (flow->state == FLOW_STATE_UDP_NEW)
		return rules->policy.udp_unanswered_timeout_ms;
	if (flow->service < rules->n_services && rules->services[flow->service].udp_idle_timeout_ms != 0)
		return rules->services[flow->service].udp_idle_timeout_ms;
	return rules->policy.udp_idle_timeout_ms;
}

static uint32_t timeout_ms(const struct ruleset *rules, const struct flow *flow)
{
	switch ((enum flow_state)flow->state) {
	case FLOW_STATE_SYN_SENT:
	case FLOW_STATE_SYN_ACKED:
	case FLOW_STATE_OUT_SYN_SENT:
	case FLOW_STATE_PROXY_DIAL:
		return rules->policy.half_open_timeout_ms;
	case FLOW_STATE_FIN_CLIENT:
	case FLOW_STATE_FIN_NODE:
		return rules->policy.closing_timeout_ms * FIN_TIMEOUT_FACTOR;
	case FLOW_STATE_CLOSED:
	case FLOW_STATE_CUT:
		return rules->policy.closing_timeout_ms;
	case FLOW_STATE_UDP_NEW:
	case FLOW_STATE_UDP_TWO_WAY:
		return udp_timeout_ms(rules, flow);
	case FLOW_STATE_ADOPTED:
		/* From outside, and the node has not answered: anybody may have sent it. */
		return flow->node_acked != 0 ? rules->policy.half_open_timeout_ms
					     : rules->policy.tcp_idle_timeout_ms;
	case FLOW_STATE_ESTABLISHED:
	case FLOW_STATE_FREE:
	case FLOW_STATE_COUNT:
		break;
	}
	return rules->policy.tcp_idle_timeout_ms;
}

static void silent_check(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	enum { WATCHED = FLOW_FLAG_PROVEN | FLOW_FLAG_OUTBOUND | FLOW_FLAG_PAYLOAD | FLOW_FLAG_SILENT_SENT };
	bool open = flow->state == FLOW_STATE_ESTABLISHED || flow->state == FLOW_STATE_FIN_NODE;
	uint32_t timeout_ms = moment->rules->policy.auth_timeout_ms;

	if (!open || (flow->flags & WATCHED) != FLOW_FLAG_PROVEN)
		return;
	if (timeout_ms == 0 || moment->now_ms - flow->born_ms < timeout_ms)
		return;
	flow->flags |= FLOW_FLAG_SILENT_SENT;
	flow_event(stage, moment, flow, EVENT_FLOW_SILENT, CLOSED_BY_NONE, CLOSED_HOW_NONE, 0);
}

static void visit(void *context, struct flow *flow)
{
	struct walk *walk = context;
	const struct moment *moment = walk->moment;

	/* A cut UDP flow is forgotten at once: there is nobody to answer. */
	if (flow_recheck_bans(walk->stage, moment, flow) && flow->protocol != 6) {
		flow_forget(walk->stage, moment, flow, CLOSED_HOW_NONE);
		return;
	}
	if (flow->state == FLOW_STATE_PROXY_DIAL) {
		proxy_step(walk->stage, moment, flow);
		return;
	}
	if (moment->now_ms - flow->last_ms >= timeout_ms(moment->rules, flow)) {
		flow_forget(walk->stage, moment, flow, CLOSED_HOW_TIMEOUT);
		return;
	}
	silent_check(walk->stage, moment, flow);
	activity_check(walk->stage, moment, flow);
}

void stage_step(struct stage *stage, const struct ruleset *rules, uint64_t now_ns, uint32_t budget_flows)
{
	struct moment moment = moment_make(rules, now_ns);
	struct walk walk = {.stage = stage, .moment = &moment};
	uint64_t elapsed_ns = now_ns - stage->walk_last_ns;
	uint64_t due = elapsed_ns * flow_table_capacity(stage->flows) / WALK_PERIOD_NS;

	service_pressure_step(stage, &moment);
	activity_follow(stage, &moment);
	/* Less than one flow is due: keep the time, so that short polls add up. */
	if (due == 0)
		return;
	stage->walk_last_ns = now_ns;
	if (flow_table_count(stage->flows) == 0)
		return;
	if (due > budget_flows)
		due = budget_flows;
	flow_table_walk(stage->flows, &stage->walk_cursor, (uint32_t)due, visit, &walk);
}

static void visit_cut(void *context, struct flow *flow)
{
	struct walk *walk = context;

	if (memcmp(flow->client, walk->client->bytes, sizeof(flow->client)) != 0)
		return;
	if (walk->client_port != 0 && flow->client_port != walk->client_port)
		return;
	flow_cut(walk->stage, walk->moment, flow, CLOSED_HOW_RST);
}

void stage_cut(struct stage *stage, const struct ruleset *rules, const struct address *client,
	uint16_t client_port, uint64_t now_ns)
{
	struct moment moment = moment_make(rules, now_ns);
	struct walk walk = {.stage = stage, .moment = &moment, .client = client, .client_port = client_port};
	uint32_t cursor = 0;

	flow_table_walk(stage->flows, &cursor, flow_table_capacity(stage->flows), visit_cut, &walk);
}

static void visit_recount(void *context, struct flow *flow)
{
	struct walk *walk = context;
	struct address client = flow_client(flow);

	gauge_add(walk->stage, COUNTER_FLOWS, 1);
	counter_add(walk->stage->counters, COUNTER_FLOWS_TAKEN_OVER, 1);
	if (flow->flags & FLOW_FLAG_PROVEN)
		gauge_add(walk->stage, COUNTER_FLOWS_PROVEN, 1);
	if (flow->flags & FLOW_FLAG_TRANSLATED)
		gauge_add(walk->stage, COUNTER_FLOWS_TRANSLATED, 1);
	if (flow_is_half_open(flow)) {
		gauge_add(walk->stage, COUNTER_FLOWS_HALF_OPEN, 1);
		if (flow->service < IMAGE_SERVICES_MAX)
			walk->stage->services[flow->service].half_open++;
	}
	/* The bans have moved while nobody looked: make every flow look again. */
	flow_forget_bans(walk->stage, flow);
	/* Next hops were the other process's. */
	flow->outside_hop = 0;
	if (flow->flags & FLOW_FLAG_COUNTED)
		flow->tally = concurrency_table_add(walk->stage->shared->concurrency, &client);
	quic_flow_recount(walk->stage, flow);
}

void stage_recount(struct stage *stage, const struct ruleset *rules)
{
	struct walk walk = {.stage = stage};
	uint32_t cursor = 0;

	(void)rules;
	flow_table_walk(stage->flows, &cursor, flow_table_capacity(stage->flows), visit_recount, &walk);
}
