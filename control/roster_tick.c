/* SPDX-License-Identifier: BSD-3-Clause
 * One tick, in LH-1's order, and what comes due between ticks of a single peer (roster_private.h; policy.md
 * LH-1, LH-26, LO-8, DU-1). The roster's thread. Must not look at anybody who is not connected, but by a due
 * time.
 */
#include <stdlib.h>

#include "control/roster_private.h"

/* Governor items a tick does itself when the advance has not: a bound on its work, more than come due in one
 * at the default limits of bans. */
enum { DECAY_BUDGET = 4096 };

/** Disconnect and ban, which reports do at once (LH-1, real order), evaluated again: idempotent. Whoever leaves the
 * list by another's ban meanwhile has been judged with it. */
static void judge_all(struct roster *roster)
{
	uint32_t most = roster->lists[ROSTER_LIST_CONNECTED].n, n = 0;
	uint32_t *peers = malloc((most + 1) * sizeof(*peers));
	if (peers == NULL)
		return; /* the report acted, and the next tick evaluates again */
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE && n < most;
		at = roster_peer_at(roster, at)->newer)
		peers[n++] = at;
	for (uint32_t i = 0; i < n; i++)
		if (roster_peer_at(roster, peers[i])->list == ROSTER_LIST_CONNECTED)
			roster_peer_judge(roster, peers[i]);
	free(peers);
}

static void values_tell(struct roster *roster)
{
	int64_t interval_ms = roster->config.score_interval_ms;
	if (interval_ms == 0)
		return;
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer) {
		const struct roster_facts *facts = roster_facts_of(roster, at);
		if (roster->now_ms - facts->value_ms >= interval_ms)
			roster_value_tell(roster, at);
	}
}

void roster_tick(struct roster *roster, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	(void)governor_clock(roster->governor, roster->now_ms);
	/* LH-1: scores decay by themselves (closed form); what that ends is done first. */
	(void)governor_advance(roster->governor, roster->now_ms, DECAY_BUDGET);
	judge_all(roster);
	roster_discover(roster);
	roster_prune(roster);
	/* Churn before the targets, which fill what it frees only after its restore. */
	roster_churn_step(roster);
	roster_target_step(roster);
	roster_pool_step(roster);
	values_tell(roster);
}

/* A single peer's times */

void roster_peer_due_plan(struct roster *roster, uint32_t peer)
{
	const struct roster_facts *facts = roster_peer_at(roster, peer)->facts;
	if (facts == NULL) {
		due_queue_clear(&roster->peer_due, peer);
		return;
	}
	int64_t due_ms = peer_due_next_ms(&facts->due), cold_ms = temperature_cold_ms(&facts->temperature);
	due_ms = cold_ms < due_ms ? cold_ms : due_ms;
	if (due_ms < roster->now_ms) /* at once, not before now */
		due_ms = roster->now_ms;
	due_queue_set(&roster->peer_due, peer, due_ms);
}

static void due_tell(struct roster *roster, uint32_t peer, const char *name)
{
	struct event_text event;
	roster_event_peer(&event, roster, name, peer);
	event_end(&event);
}

void roster_peer_due_run(struct roster *roster, uint32_t peer)
{
	struct roster_facts *facts = roster_peer_at(roster, peer)->facts;
	if (facts == NULL)
		return;
	unsigned due = peer_due_take(&facts->due, roster->now_ms);
	if ((due & PEER_DUE_PING) != 0)
		due_tell(roster, peer, "peer.ping_due");
	if ((due & PEER_DUE_STATUS) != 0)
		due_tell(roster, peer, "peer.status_due");
	if ((due & PEER_DUE_METADATA) != 0)
		due_tell(roster, peer, "peer.metadata_due");
	if (temperature_cold_ms(&facts->temperature) <= roster->now_ms)
		roster_temperature_set(roster, peer, TEMPERATURE_COLD);
	roster_peer_due_plan(roster, peer);
}
