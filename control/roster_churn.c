/* SPDX-License-Identifier: BSD-3-Clause
 * Churn (roster_private.h; policy.md DU-16, V24, 5.5.12): the phases of churn.h as events, and who gives up
 * its place. The roster's thread. Must not keep targets: what is in force is computed, so that a restore is
 * exact.
 */
#include <errno.h>
#include <stdlib.h>

#include "control/roster_private.h"

/* Phases that one tick may pass: a sequence has four changes, and more than one is due only after a long
 * pause. */
enum { CHANGES_MAX = 4 };

const char *roster_churn_phase_name(enum churn_phase phase)
{
	static const char *const names[] = {[CHURN_PHASE_WHOLE] = "whole",
		[CHURN_PHASE_ACTIVE] = "active",
		[CHURN_PHASE_ESTABLISHED] = "established",
		[CHURN_PHASE_KNOWN] = "known"};
	return names[phase];
}

static void tell(struct roster *roster, const char *name, enum churn_phase before)
{
	struct event_text event;
	event_begin(&event, roster->governor, name);
	if (!event.wanted)
		return;
	event_string(&event, "old", roster_churn_phase_name(before));
	event_string(&event, "new", roster_churn_phase_name(roster->churn.phase));
	event_number(&event, "cycle", roster->churn.cycle);
	if (roster->config.profile.has_targets) {
		struct target_set targets = roster_targets_in_force(roster);
		event_number(&event, "root", targets.root);
		event_number(&event, "known", targets.normal.known);
		event_number(&event, "established", targets.normal.established);
		event_number(&event, "active", targets.normal.active);
	}
	event_time(&event, "next", roster->churn.next_ms);
	event_end(&event);
}

/* Who may be churned: those of a temperature and level. */
struct field {
	struct churn_candidate *candidates;
	uint32_t *victims; /* indices, then peers */
	uint32_t n, n_victims;
};

static void field_end(struct field *field)
{
	free(field->candidates);
	free(field->victims);
}

static int field_begin(struct field *field, uint32_t n)
{
	*field = (struct field){.candidates = malloc((n + 1) * sizeof(*field->candidates)),
		.victims = malloc((n + 1) * sizeof(*field->victims))};
	if (field->candidates != NULL && field->victims != NULL)
		return 0;
	field_end(field);
	return -ENOMEM;
}

static void field_add(struct roster *roster, struct field *field, uint32_t peer, bool is_protected)
{
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	field->candidates[field->n++] = (struct churn_candidate){.id = peer,
		.is_protected = is_protected,
		.fetch_ms = facts->counters.fetch_ms,
		.cycle = facts->churn_cycle};
}

/** Choose, and mark them as churned in this cycle: they are not promoted again in it. */
static void field_choose(struct roster *roster, struct field *field, uint32_t wanted)
{
	if (churn_choose(&roster->churn, roster->sync, field->candidates, field->n, wanted, &roster->key,
		    field->victims, &field->n_victims) < 0)
		field->n_victims = 0;
	for (uint32_t i = 0; i < field->n_victims; i++) {
		uint32_t peer = (uint32_t)field->candidates[field->victims[i]].id;
		struct roster_facts *facts = roster_facts_obtain(roster, peer);
		if (facts != NULL)
			facts->churn_cycle = roster->churn.cycle;
		field->victims[i] = peer;
	}
}

/** Bring one level down to the reduced target, once: hot ones are demoted, warm ones closed. */
static void reduce(struct roster *roster, const struct target_peer *peers, uint32_t n, bool big_ledger,
	enum temperature from, uint32_t target)
{
	struct field field;
	uint32_t have = 0;
	if (field_begin(&field, n) < 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		const struct target_peer *peer = &peers[i];
		if (peer->big_ledger != big_ledger)
			continue;
		have += peer->temperature == TEMPERATURE_HOT ||
			(from == TEMPERATURE_WARM && peer->temperature == TEMPERATURE_WARM);
		if (peer->temperature == from)
			field_add(roster, &field, (uint32_t)peer->id,
				peer->is_protected || peer->group != TARGET_NO_GROUP);
	}
	field_choose(roster, &field, have > target ? have - target : 0);
	for (uint32_t i = 0; i < field.n_victims; i++) {
		if (from == TEMPERATURE_HOT)
			roster_tell_move(roster, field.victims[i], TARGET_DEMOTE, "churn");
		else
			roster_close_peer(roster, field.victims[i], "churn", 0);
	}
	field_end(&field);
}

/** What the targets of this phase ask for at once. The view is gathered anew after the demotions. */
static void reduce_level(struct roster *roster, enum temperature from)
{
	struct target_set targets = roster_targets_in_force(roster);
	struct target_peer *peers;
	uint32_t n;
	bool hot = from == TEMPERATURE_HOT;
	if (roster_target_peers(roster, 0, &peers, &n) < 0)
		return;
	reduce(roster, peers, n, false, from, hot ? targets.normal.active : targets.normal.established);
	reduce(roster, peers, n, true, from,
		hot ? targets.big_ledger.active : targets.big_ledger.established);
	free(peers);
}

/** Bootstrap: a fraction of whoever is connected makes room for newcomers. */
static void reduce_free(struct roster *roster)
{
	struct field field;
	uint32_t connected = roster->lists[ROSTER_LIST_CONNECTED].n;
	uint32_t wanted = churn_free_wanted(&roster->churn, &roster->config.profile.churn, connected);
	if (wanted == 0 || field_begin(&field, connected) < 0)
		return;
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer) {
		struct peer_tags tags;
		roster_tags_of(roster, at, &tags);
		field_add(roster, &field, at,
			tags.trusted || tags.is_protected || roster_peer_on_duty(roster, at) ||
				roster_is_local_root(roster, at));
	}
	field_choose(roster, &field, wanted);
	for (uint32_t i = 0; i < field.n_victims; i++)
		roster_close_peer(roster, field.victims[i], "churn", ROSTER_GOODBYE_TOO_MANY);
	field_end(&field);
}

static void known_evict(struct roster *roster)
{
	struct target_set targets = roster_targets_in_force(roster);
	uint32_t known = address_book_count(roster->book);
	if (known > targets.normal.known)
		roster_evict_cold(roster, known - targets.normal.known, "churn");
}

static void reduce_now(struct roster *roster)
{
	const struct churn_policy *policy = &roster->config.profile.churn;
	if (policy->mode == CHURN_FREE) {
		reduce_free(roster);
	} else if (policy->mode == CHURN_SIMPLE) {
		reduce_level(roster, TEMPERATURE_HOT);
		reduce_level(roster, TEMPERATURE_WARM);
	} else if (roster->churn.phase == CHURN_PHASE_ACTIVE) {
		reduce_level(roster, TEMPERATURE_HOT);
	} else if (roster->churn.phase == CHURN_PHASE_ESTABLISHED) {
		reduce_level(roster, TEMPERATURE_WARM);
	} else if (roster->churn.phase == CHURN_PHASE_KNOWN) {
		known_evict(roster);
	}
}

void roster_churn_step(struct roster *roster)
{
	const struct churn_policy *policy = &roster->config.profile.churn;
	for (unsigned i = 0; i < CHANGES_MAX && roster->churn.next_ms <= roster->now_ms; i++) {
		enum churn_phase before = roster->churn.phase;
		enum churn_event event = churn_tick(&roster->churn, policy, roster->sync,
			keyed_random_next(&roster->random), roster->now_ms);
		if (event == CHURN_EVENT_NONE)
			return;
		if (event == CHURN_EVENT_RESTORE) {
			tell(roster, "churn.restore", before);
			continue;
		}
		if (event == CHURN_EVENT_START)
			tell(roster, "churn.start", before);
		reduce_now(roster);
	}
}
