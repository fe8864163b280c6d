/* SPDX-License-Identifier: BSD-3-Clause
 * One evaluation of the targets (roster_private.h; policy.md DU-12, DU-13, DU-17, DU-22, V33 to V37): gathers
 * who is where, asks target_plan.h, and does or tells what it says. The roster's thread. Must not look at all
 * that the book knows: it asks for as many addresses as there are places.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "control/roster_private.h"

/* Names of the plan: peers by record, endpoints by their place in one of two lists. */
#define ID_COLD     (UINT64_C(1) << 40)
#define ID_ENDPOINT (UINT64_C(2) << 40)
#define ID_PLACE    (ID_COLD - 1)
/* DU-22: ouroboros considers at most ten inbound peers at once, a minute apart (target_view_default). */
enum { INBOUND_BATCH = 10 };

struct evaluation {
	struct roster *roster;
	struct target_view view;
	struct target_peer *peers; /* of view */
	uint32_t n_connected;
	/* Endpoints named by ID_ENDPOINT: cold roots and big ledger peers, and what the node is connecting
	 * to. */
	struct book_endpoint *endpoints;
	uint32_t *ids; /* of roots, interned; RECORD_NONE */
	uint32_t n_endpoints;
	struct book_target *cold; /* named by ID_COLD */
	uint64_t *cold_ids;
};

static bool is_banned(struct roster *roster, const struct address *address)
{
	struct governor_why why;
	governor_why(roster->governor, address, roster->now_ms, &why);
	return !why.allowed && (why.denied || why.class == SOURCE_CLASS_BANNED);
}

static void add_endpoint(struct evaluation *evaluation, const struct book_endpoint *endpoint, uint32_t id,
	struct target_peer peer)
{
	evaluation->endpoints[evaluation->n_endpoints] = *endpoint;
	evaluation->ids[evaluation->n_endpoints] = id;
	peer.id = ID_ENDPOINT | evaluation->n_endpoints++;
	evaluation->peers[evaluation->view.n++] = peer;
}

/** Whether the node could dial a root now; where goes to *ret_endpoint. */
static bool root_is_cold(
	struct roster *roster, const struct roster_root *root, struct book_endpoint *ret_endpoint)
{
	*ret_endpoint = root->endpoint;
	if (root->id != RECORD_NONE) {
		uint32_t peer = roster_peer_find(roster, roster_text(roster, root->id));
		if (peer == RECORD_NONE)
			return false;
		const struct roster_peer *record = roster_peer_at(roster, peer);
		enum peer_status status = record->state.status;
		if (status != PEER_STATUS_UNKNOWN && status != PEER_STATUS_DISCONNECTED)
			return false;
		/* Without a port that it listens on the node has to know where it is. */
		if (!roster_peer_endpoint(roster, peer, ret_endpoint))
			*ret_endpoint = (struct book_endpoint){record->address, record->listen_port};
	}
	const struct book_record *record = address_book_find(roster->book, ret_endpoint);
	return (record == NULL || record->eligible) && !is_banned(roster, &ret_endpoint->address);
}

static void add_roots(struct evaluation *evaluation)
{
	struct roster *roster = evaluation->roster;
	struct book_endpoint endpoint;
	bool *connected = calloc((size_t)roster->n_roots + 1, sizeof(*connected));
	if (connected == NULL)
		return;
	for (uint32_t i = 0; i < evaluation->n_connected; i++) {
		uint32_t root = roster_root_of(roster, (uint32_t)evaluation->peers[i].id);
		if (root != RECORD_NONE)
			connected[root] = true;
	}
	for (uint32_t i = 0; i < roster->n_roots; i++) {
		const struct roster_root *root = &roster->roots[i];
		if (connected[i] || !root_is_cold(roster, root, &endpoint) ||
			roster_is_told(roster, &endpoint))
			continue;
		add_endpoint(evaluation, &endpoint, root->id,
			(struct target_peer){.temperature = TEMPERATURE_COLD,
				.is_protected = true,
				.group = root->group,
				.rank = -INFINITY});
	}
	free(connected);
}

/** How many peers of a level are warm, hot or on their way. */
static uint32_t established(const struct evaluation *evaluation, bool big_ledger)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < evaluation->view.n; i++) {
		const struct target_peer *peer = &evaluation->peers[i];
		n += peer->big_ledger == big_ledger &&
		     (peer->temperature == TEMPERATURE_WARM || peer->temperature == TEMPERATURE_HOT);
	}
	return n;
}

static void add_big_ledger(struct evaluation *evaluation)
{
	struct roster *roster = evaluation->roster;
	if (established(evaluation, true) >= evaluation->view.targets.big_ledger.established)
		return; /* a ledger of thousands is looked at only for a place */
	for (uint32_t i = 0; i < roster->n_big_ledger; i++) {
		const struct book_endpoint *endpoint = &roster->big_ledger[i];
		const struct book_record *record = address_book_find(roster->book, endpoint);
		if (record == NULL || !record->eligible || roster_is_told(roster, endpoint) ||
			is_banned(roster, &endpoint->address))
			continue;
		add_endpoint(evaluation, endpoint, RECORD_NONE,
			(struct target_peer){.temperature = TEMPERATURE_COLD,
				.big_ledger = true,
				.group = TARGET_NO_GROUP,
				.rank = (double)record->score});
	}
}

static uint32_t group_of_root(const struct roster *roster, const struct book_endpoint *endpoint)
{
	for (uint32_t i = 0; i < roster->n_roots; i++) {
		const struct roster_root *root = &roster->roots[i];
		if (root->id == RECORD_NONE && root->endpoint.port == endpoint->port &&
			address_compare(&root->endpoint.address, &endpoint->address) == 0)
			return root->group;
	}
	return TARGET_NO_GROUP;
}

/** What the node is connecting to counts as connected, and is left alone. */
static void add_told(struct evaluation *evaluation)
{
	struct roster *roster = evaluation->roster;
	for (uint32_t i = 0; i < roster->n_told; i++) {
		const struct book_endpoint *endpoint = &roster->told[i].endpoint;
		const struct book_record *record = address_book_find(roster->book, endpoint);
		add_endpoint(evaluation, endpoint, RECORD_NONE,
			(struct target_peer){.temperature = TEMPERATURE_WARM,
				.big_ledger = record != NULL && record->category == PEER_CATEGORY_BIG_LEDGER,
				.is_protected = true,
				.excluded = true,
				.group = group_of_root(roster, endpoint),
				.rank = -INFINITY});
	}
}

static bool is_for_cold(const struct evaluation *evaluation, const struct book_endpoint *endpoint)
{
	struct roster *roster = evaluation->roster;
	const struct book_record *record = address_book_find(roster->book, endpoint);
	return record != NULL && record->eligible && record->category != PEER_CATEGORY_BIG_LEDGER &&
	       group_of_root(roster, endpoint) == TARGET_NO_GROUP && !roster_is_told(roster, endpoint) &&
	       !is_banned(roster, &endpoint->address);
}

static bool cold_has(const struct evaluation *evaluation, const struct book_endpoint *endpoint)
{
	for (uint32_t i = 0; i < evaluation->view.n_cold; i++)
		if (evaluation->cold[i].endpoint.port == endpoint->port &&
			address_compare(&evaluation->cold[i].endpoint.address, &endpoint->address) == 0)
			return true;
	return false;
}

static void add_cold(struct evaluation *evaluation, const struct book_target *target)
{
	uint32_t place = evaluation->view.n_cold;
	if (!is_for_cold(evaluation, &target->endpoint) || cold_has(evaluation, &target->endpoint))
		return;
	evaluation->cold[place] = *target;
	evaluation->cold_ids[place] = ID_COLD | place;
	evaluation->view.n_cold++;
}

/** As many cold ones as there are places, best first. A book whose best are all big ledger peers is asked at
 * random besides, or the others would never have their turn. */
static void gather_cold(struct evaluation *evaluation, uint32_t wanted)
{
	struct roster *roster = evaluation->roster;
	struct book_target best[BOOK_ANSWER_MAX];
	struct book_endpoint any[BOOK_ANSWER_MAX];
	size_t n = wanted == 0 ? 0
			       : address_book_to_connect(roster->book, BOOK_ANSWER_MAX, roster->now_ms, best);
	for (size_t i = 0; i < n && evaluation->view.n_cold < wanted; i++)
		add_cold(evaluation, &best[i]);
	if (n < BOOK_ANSWER_MAX || evaluation->view.n_cold == wanted)
		return;
	n = address_book_random(roster->book, BOOK_ANSWER_MAX, BOOK_FILTER_ANY, /* ready= */ true, UINT32_MAX,
		roster->now_ms, any);
	for (size_t i = 0; i < n && evaluation->view.n_cold < wanted; i++)
		add_cold(evaluation, &(struct book_target){.endpoint = any[i]});
}

/** Peers that are known: the book's, and those connected that it does not have; big ledger peers are apart.
 */
static uint32_t count_known(const struct evaluation *evaluation)
{
	struct roster *roster = evaluation->roster;
	uint32_t known = address_book_count(roster->book), big = 0;
	for (uint32_t i = 0; i < roster->n_big_ledger; i++)
		big += address_book_find(roster->book, &roster->big_ledger[i]) != NULL;
	known -= big < known ? big : known;
	for (uint32_t i = 0; i < evaluation->n_connected; i++) {
		struct book_endpoint endpoint;
		if (!evaluation->peers[i].big_ledger &&
			(!roster_peer_endpoint(roster, (uint32_t)evaluation->peers[i].id, &endpoint) ||
				address_book_find(roster->book, &endpoint) == NULL))
			known++;
	}
	return known;
}

static void stalls_evaluate(struct roster *roster)
{
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer) {
		struct roster_facts *facts = roster_facts_obtain(roster, at);
		if (facts != NULL)
			target_stall_evaluate(&facts->stall, facts->blocks);
	}
}

static void view_begin(struct evaluation *evaluation)
{
	struct roster *roster = evaluation->roster;
	const struct profile_times *times = &roster->config.profile.times;
	struct target_view *view = &evaluation->view;
	target_view_default(view);
	view->targets = roster_targets_in_force(roster);
	view->sync = roster->sync;
	view->phases = roster->config.target_phases;
	view->groups = roster->groups.valency;
	view->n_groups = roster->groups.n;
	view->known_high_water = view->targets.normal.known * 3 / 2; /* V37 */
	view->now_ms = roster->now_ms;
	view->last_share_ms = roster->last_share_ms;
	view->share_ms = times->share_ms;
	view->mature_ms = times->mature_ms;
	view->dwell_ms = times->dwell_ms;
	view->inbound_batch = times->mature_ms != 0 ? INBOUND_BATCH : 0;
	view->last_inbound_ms = roster->last_inbound_ms;
}

/** -ENOMEM: end it all the same. */
static int evaluation_begin(struct evaluation *evaluation)
{
	struct roster *roster = evaluation->roster;
	uint32_t places = roster->n_roots + roster->n_big_ledger + roster->n_told;
	view_begin(evaluation);
	stalls_evaluate(roster);
	int r = roster_target_peers(roster, places, &evaluation->peers, &evaluation->n_connected);
	evaluation->endpoints = malloc((places + 1) * sizeof(*evaluation->endpoints));
	evaluation->ids = malloc((places + 1) * sizeof(*evaluation->ids));
	evaluation->cold = malloc(BOOK_ANSWER_MAX * sizeof(*evaluation->cold));
	evaluation->cold_ids = malloc(BOOK_ANSWER_MAX * sizeof(*evaluation->cold_ids));
	if (r < 0 || evaluation->endpoints == NULL || evaluation->ids == NULL || evaluation->cold == NULL ||
		evaluation->cold_ids == NULL)
		return -ENOMEM;
	evaluation->view.n = evaluation->n_connected;
	add_roots(evaluation);
	add_told(evaluation);
	add_big_ledger(evaluation);
	uint32_t have = established(evaluation, false), want = evaluation->view.targets.normal.established;
	uint32_t places_left = want > have ? want - have : 0;
	gather_cold(evaluation, places_left < BOOK_ANSWER_MAX ? places_left : BOOK_ANSWER_MAX);
	evaluation->view.known = count_known(evaluation);
	evaluation->view.peers = evaluation->peers;
	evaluation->view.cold = evaluation->cold_ids;
	return 0;
}

static void evaluation_end(struct evaluation *evaluation)
{
	free(evaluation->peers);
	free(evaluation->endpoints);
	free(evaluation->ids);
	free(evaluation->cold);
	free(evaluation->cold_ids);
}

static void connect_tell(const struct evaluation *evaluation, const struct target_action *action)
{
	struct roster *roster = evaluation->roster;
	uint32_t place = (uint32_t)(action->id & ID_PLACE);
	bool cold = (action->id & ID_COLD) != 0;
	const struct book_endpoint *endpoint =
		cold ? &evaluation->cold[place].endpoint : &evaluation->endpoints[place];
	uint32_t id = cold ? RECORD_NONE : evaluation->ids[place];
	(void)roster_tell_connect(
		roster, roster_text(roster, id), endpoint, target_phase_name(action->phase));
}

static void share_tell(struct roster *roster, uint32_t peer, const struct target_action *action)
{
	struct event_text event;
	roster_event_peer(&event, roster, "governor.share", peer);
	event_number(&event, "count", action->count);
	event_string(&event, "reason", target_phase_name(action->phase));
	event_end(&event);
	roster->last_share_ms = roster->now_ms;
}

static void action_do(const struct evaluation *evaluation, const struct target_action *action)
{
	struct roster *roster = evaluation->roster;
	const char *reason = target_phase_name(action->phase);
	bool is_peer = (action->id & (ID_COLD | ID_ENDPOINT)) == 0;
	uint32_t peer = (uint32_t)action->id;
	if (action->kind == TARGET_CONNECT) {
		connect_tell(evaluation, action);
	} else if (action->kind == TARGET_EVICT_COLD) {
		roster_evict_cold(roster, action->count, reason);
	} else if (!is_peer) {
		return; /* it is on its way here: nothing can be asked of it yet */
	} else if (action->kind == TARGET_PROMOTE || action->kind == TARGET_DEMOTE) {
		if (action->kind == TARGET_PROMOTE && roster_peer_at(roster, peer)->state.n_out == 0 &&
			roster_root_group(roster, peer) == TARGET_NO_GROUP)
			roster->last_inbound_ms = roster->now_ms;
		roster_tell_move(roster, peer, action->kind, reason);
	} else if (action->kind == TARGET_DISCONNECT) {
		roster_close_peer(roster, peer, reason, 0);
	} else {
		share_tell(roster, peer, action);
	}
}

void roster_target_step(struct roster *roster)
{
	struct evaluation evaluation = {.roster = roster};
	if (!roster->config.profile.has_targets)
		return;
	roster_told_settle(roster);
	if (evaluation_begin(&evaluation) == 0) {
		size_t most = (size_t)evaluation.view.n + evaluation.view.n_cold + 3;
		struct target_action *actions = malloc(most * sizeof(*actions));
		uint32_t n = 0;
		if (actions != NULL && target_plan(&evaluation.view, actions, &n) == 0)
			for (uint32_t i = 0; i < n; i++)
				action_do(&evaluation, &actions[i]);
		free(actions);
	}
	evaluation_end(&evaluation);
}
