/* SPDX-License-Identifier: BSD-3-Clause
 * What the node says of itself and of its network: its sync state, its ledger, the subnets that it needs,
 * whether it is up; and what the configuration says of roots and preferred peers (roster.h; policy.md DU-13,
 * DU-17, LH-24, HE-13). The roster's thread. Must not connect anybody: that is the node's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/roster_private.h"

/* 5.3 K: no more than these are ever connected, and known. */
enum { ROOTS_MAX = 1000, BIG_LEDGER_MAX = 10000 };

static bool same_endpoint(const struct book_endpoint *a, const struct book_endpoint *b)
{
	return a->port == b->port && address_compare(&a->address, &b->address) == 0;
}

/** One more place in an array of the roster. -ENOMEM, -ENOSPC. */
static int grow(void **array, uint32_t n, uint32_t *size, size_t bytes)
{
	if (n >= ROOTS_MAX)
		return -ENOSPC;
	if (n < *size)
		return 0;
	uint32_t wanted = *size == 0 ? 16 : *size * 2;
	void *grown = realloc(*array, wanted * bytes);
	if (grown == NULL)
		return -ENOMEM;
	*array = grown;
	*size = wanted;
	return 0;
}

void roster_node_fini(struct roster *roster)
{
	for (uint32_t i = 0; i < roster->n_roots; i++)
		text_pool_drop(roster->texts, roster->roots[i].id);
	free(roster->roots);
	free(roster->big_ledger);
	free(roster->preferred);
	free(roster->told);
	roster->roots = NULL;
	roster->big_ledger = roster->preferred = NULL;
	roster->told = NULL;
	roster->n_roots = roster->roots_size = roster->n_big_ledger = 0;
	roster->n_preferred = roster->preferred_size = roster->n_told = roster->told_size = 0;
}

void roster_node_init(struct roster *roster, bool is_new)
{
	const struct profile *profile = &roster->config.profile;
	if (!is_new)
		roster_node_fini(roster);
	roster->roots = NULL;
	roster->big_ledger = roster->preferred = NULL;
	roster->told = NULL;
	roster->groups = (struct root_groups){0};
	memset(roster->subnet_until_ms, 0, sizeof(roster->subnet_until_ms));
	roster->sync = SYNC_STATE_CAUGHT_UP;
	roster->node_up = true;
	roster->synced_ms = roster->now_ms;
	roster->base = profile->base;
	roster->sync_base = profile->sync;
	roster->target = profile->target;
	roster->next_optimise_ms =
		profile->times.optimise_ms != 0 ? roster->now_ms + profile->times.optimise_ms : INT64_MAX;
	roster->last_share_ms = roster->last_inbound_ms = INT64_MIN;
	roster->short_now = 0;
	churn_begin(&roster->churn, &profile->churn, roster->sync, keyed_random_next(&roster->random),
		roster->now_ms);
}

/** What the configuration said of endpoints ends with it; the caller says anew what it says now. */
static void configured_drop(struct roster *roster)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < roster->n_roots; i++)
		if (!roster->roots[i].configured)
			roster->roots[kept++] = roster->roots[i];
	roster->n_roots = kept;
	roster->n_preferred = 0;
}

void roster_node_reconfigured(struct roster *roster)
{
	const struct profile *profile = &roster->config.profile;
	configured_drop(roster);
	roster->base = profile->base;
	roster->sync_base = profile->sync;
	roster->target = profile->target;
	if (profile->times.optimise_ms == 0)
		roster->next_optimise_ms = INT64_MAX;
	else if (roster->next_optimise_ms > roster->now_ms + profile->times.optimise_ms)
		roster->next_optimise_ms = roster->now_ms + profile->times.optimise_ms;
	if (profile->churn.mode == CHURN_OFF || roster->churn.next_ms == INT64_MAX)
		churn_begin(&roster->churn, &profile->churn, roster->sync, keyed_random_next(&roster->random),
			roster->now_ms);
}

struct target_set roster_targets_in_force(const struct roster *roster)
{
	const struct target_set *base =
		roster->sync == SYNC_STATE_CAUGHT_UP ? &roster->base : &roster->sync_base;
	return churn_targets(&roster->churn, &roster->config.profile.churn, base);
}

void roster_node_sync_state(
	struct roster *roster, enum sync_state state, int64_t now_ms, struct target_set *ret_targets)
{
	roster_clock(roster, now_ms);
	/* HE-13 counts from the moment at which it was caught up last. */
	if (roster->sync == SYNC_STATE_CAUGHT_UP || state == SYNC_STATE_CAUGHT_UP)
		roster->synced_ms = roster->now_ms;
	if (state != roster->sync)
		churn_resync(&roster->churn, &roster->config.profile.churn, roster->sync, state,
			keyed_random_next(&roster->random), roster->now_ms);
	roster->sync = state;
	if (ret_targets != NULL)
		*ret_targets = roster_targets_in_force(roster);
}

/** DU-13: whoever the node does not call big or small is it by stake. -ENOMEM. */
static int ledger_divide(const struct roster_ledger_peer *peers, size_t n, struct target_stake *stakes)
{
	uint32_t by_stake;
	for (size_t i = 0; i < n; i++)
		stakes[i].stake = peers[i].stake > 0 ? peers[i].stake : 0;
	int r = target_big_ledger(stakes, (uint32_t)n, &by_stake);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (peers[i].big >= 0)
			stakes[i].big = peers[i].big != 0;
	return 0;
}

int roster_node_ledger_peers(struct roster *roster, const struct roster_ledger_peer *peers, size_t n,
	int64_t now_ms, size_t *ret_added, size_t *ret_big)
{
	roster_clock(roster, now_ms);
	struct target_stake *stakes = calloc(n + 1, sizeof(*stakes));
	struct book_endpoint *big = calloc(n + 1, sizeof(*big));
	int r = stakes == NULL || big == NULL ? -ENOMEM : ledger_divide(peers, n, stakes);
	if (r < 0) {
		free(stakes);
		free(big);
		return r;
	}
	size_t added = 0;
	uint32_t n_big = 0;
	for (size_t i = 0; i < n; i++) {
		struct book_entry entry = {.address = peers[i].address,
			.port = peers[i].port,
			.source = PEER_SOURCE_LEDGER,
			.category = stakes[i].big ? PEER_CATEGORY_BIG_LEDGER : PEER_CATEGORY_LEDGER,
			.verified = true}; /* the ledger is signed */
		enum book_verdict verdict = roster_book_add(roster, &entry, roster->now_ms);
		added += verdict == BOOK_ADDED;
		if (stakes[i].big && verdict <= BOOK_REFRESHED && n_big < BIG_LEDGER_MAX)
			big[n_big++] = (struct book_endpoint){peers[i].address, peers[i].port};
	}
	free(stakes);
	free(roster->big_ledger);
	roster->big_ledger = big;
	roster->n_big_ledger = n_big;
	if (added != 0)
		roster_book_news(roster, (uint32_t)added, roster->now_ms);
	*ret_added = added;
	*ret_big = n_big;
	return 0;
}

size_t roster_node_subnets(struct roster *roster, const struct peer_duty *needed, size_t n, int64_t now_ms,
	uint16_t *ret_discover)
{
	size_t wanted = 0;
	roster_clock(roster, now_ms);
	for (size_t i = 0; i < n; i++) {
		if (needed[i].subnet >= EVICTION_SUBNETS || needed[i].until_ms <= roster->now_ms)
			continue;
		int64_t *until_ms = &roster->subnet_until_ms[needed[i].subnet];
		if (needed[i].until_ms > *until_ms) /* only ever extended */
			*until_ms = needed[i].until_ms;
		if (subnet_counts_wants(&roster->subnets, needed[i].subnet, roster->config.subnet_target))
			ret_discover[wanted++] = needed[i].subnet;
	}
	return wanted;
}

void roster_node_up(struct roster *roster, bool up, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	roster->node_up = up;
}

/* Roots and preferred peers */

static uint32_t root_find(const struct roster *roster, const char *id, const struct book_endpoint *endpoint)
{
	for (uint32_t i = 0; i < roster->n_roots; i++) {
		const struct roster_root *root = &roster->roots[i];
		if (id[0] != '\0' ? root->id != RECORD_NONE && strcmp(roster_text(roster, root->id), id) == 0
				  : root->id == RECORD_NONE && same_endpoint(&root->endpoint, endpoint))
			return i;
	}
	return RECORD_NONE;
}

/** Members by id that nobody knows any more make room. */
static void roots_settle(struct roster *roster)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < roster->n_roots; i++) {
		uint32_t id = roster->roots[i].id;
		if (id != RECORD_NONE && roster_peer_find(roster, roster_text(roster, id)) == RECORD_NONE)
			text_pool_drop(roster->texts, id);
		else
			roster->roots[kept++] = roster->roots[i];
	}
	roster->n_roots = kept;
}

int roster_root_join(
	struct roster *roster, const char *id, const struct book_endpoint *endpoint, uint32_t group)
{
	uint32_t known = root_find(roster, id, endpoint);
	if (known != RECORD_NONE) {
		roster->roots[known].group = group;
		return 0;
	}
	if (roster->n_roots >= ROOTS_MAX)
		roots_settle(roster);
	int r = grow((void **)&roster->roots, roster->n_roots, &roster->roots_size, sizeof(*roster->roots));
	if (r < 0)
		return r;
	struct roster_root root = {.id = RECORD_NONE, .endpoint = *endpoint, .group = group};
	r = text_pool_hold(roster->texts, id, &root.id);
	if (r < 0)
		return r;
	roster->roots[roster->n_roots++] = root;
	return 0;
}

uint32_t roster_root_of(const struct roster *roster, uint32_t peer)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	for (uint32_t i = 0; i < roster->n_roots; i++) {
		const struct roster_root *root = &roster->roots[i];
		const struct book_endpoint *endpoint = &root->endpoint;
		if (root->id != RECORD_NONE) {
			if (root->id == record->id)
				return i;
			continue;
		}
		if (address_compare(&endpoint->address, &record->address) == 0 &&
			(endpoint->port == 0 || endpoint->port == record->listen_port ||
				endpoint->port == record->port))
			return i;
	}
	return RECORD_NONE;
}

uint32_t roster_root_group(const struct roster *roster, uint32_t peer)
{
	uint32_t root = roster_root_of(roster, peer);
	return root == RECORD_NONE ? TARGET_NO_GROUP : roster->roots[root].group;
}

enum peer_category roster_category(const struct roster *roster, uint32_t peer)
{
	struct book_endpoint endpoint;
	struct peer_tags tags;
	roster_tags_of(roster, peer, &tags);
	if (tags.category != PEER_CATEGORY_NONE)
		return tags.category;
	if (!roster_peer_endpoint(roster, peer, &endpoint))
		return PEER_CATEGORY_NONE;
	const struct book_record *record = address_book_find(roster->book, &endpoint);
	return record != NULL ? record->category : PEER_CATEGORY_NONE;
}

bool roster_is_local_root(const struct roster *roster, uint32_t peer)
{
	return roster_root_group(roster, peer) != TARGET_NO_GROUP ||
	       roster_category(roster, peer) == PEER_CATEGORY_LOCAL_ROOT;
}

const struct root_groups *roster_groups(const struct roster *roster)
{
	return &roster->groups;
}

int roster_root_add(struct roster *roster, const char *group, uint32_t hot, uint32_t warm,
	const struct book_endpoint *endpoint, int64_t now_ms)
{
	uint32_t number;
	roster_clock(roster, now_ms);
	int r = root_groups_put(&roster->groups, group, hot, warm, &number);
	if (r == 0)
		r = roster_root_join(roster, "", endpoint, number);
	if (r < 0)
		return r;
	roster->roots[root_find(roster, "", endpoint)].configured = true;
	/* The book may refuse a private address; the group has it all the same, by the operator's word. */
	struct book_entry entry = {.address = endpoint->address,
		.port = endpoint->port,
		.source = PEER_SOURCE_CONFIG,
		.category = PEER_CATEGORY_LOCAL_ROOT,
		.verified = true};
	(void)roster_book_add(roster, &entry, roster->now_ms);
	return 0;
}

int roster_preferred_add(struct roster *roster, const struct book_endpoint *endpoint, int64_t now_ms)
{
	roster_clock(roster, now_ms);
	for (uint32_t i = 0; i < roster->n_preferred; i++)
		if (same_endpoint(&roster->preferred[i], endpoint))
			return 0;
	int r = grow((void **)&roster->preferred, roster->n_preferred, &roster->preferred_size,
		sizeof(*roster->preferred));
	if (r < 0)
		return r;
	roster->preferred[roster->n_preferred++] = *endpoint;
	struct book_entry entry = {.address = endpoint->address,
		.port = endpoint->port,
		.source = PEER_SOURCE_CONFIG,
		.type = BOOK_TYPE_PREFERRED,
		.verified = true};
	(void)roster_book_add(roster, &entry, roster->now_ms);
	return 0;
}

bool roster_address_preferred(const struct roster *roster, const struct address *address)
{
	for (uint32_t i = 0; i < roster->n_preferred; i++)
		if (address_compare(&roster->preferred[i].address, address) == 0)
			return true;
	uint32_t host = roster_peer_find_host(roster, address);
	return host != RECORD_NONE && roster_facts_of(roster, host)->tags.preferred;
}

/* SP-12 */

enum { LIGHT_PAGE = 64 };

static const char *light_id(const struct address *address, uint16_t port, char id[GOVERNOR_ID_MAX])
{
	char text[PREFIX_TEXT_MAX];
	snprintf(id, GOVERNOR_ID_MAX, "peer_%s_%u", address_format(address, text), (unsigned)port);
	return id;
}

static bool light_add(struct roster *roster, const struct book_record *record)
{
	char id[GOVERNOR_ID_MAX];
	uint32_t peer;
	if (roster_peer_obtain(
		    roster, light_id(&record->address, record->port, id), &record->address, &peer) < 0)
		return false;
	struct roster_peer *light = roster_peer_at(roster, peer);
	light->listen_port = record->port;
	light->last_seen_ms = record->last_seen_ms;
	return true;
}

void roster_light_drop(struct roster *roster, uint32_t peer)
{
	struct book_endpoint endpoint;
	char id[GOVERNOR_ID_MAX];
	if (roster->config.profile.value != PROFILE_VALUE_QUALITY ||
		!roster_peer_endpoint(roster, peer, &endpoint))
		return;
	uint32_t light = roster_peer_find(roster, light_id(&endpoint.address, endpoint.port, id));
	if (light != RECORD_NONE && light != peer &&
		roster_peer_at(roster, light)->connections == RECORD_NONE)
		roster_peer_forget(roster, light);
}

uint32_t roster_light_peers(struct roster *roster, int64_t now_ms)
{
	const struct book_record *page[LIGHT_PAGE];
	struct book_endpoint after;
	uint32_t made = 0;
	roster_clock(roster, now_ms);
	if (roster->config.profile.value != PROFILE_VALUE_QUALITY)
		return 0;
	size_t n = address_book_list(roster->book, LIGHT_PAGE, NULL, page);
	while (n != 0) {
		for (size_t i = 0; i < n; i++)
			made += light_add(roster, page[i]);
		after = (struct book_endpoint){page[n - 1]->address, page[n - 1]->port};
		n = address_book_list(roster->book, LIGHT_PAGE, &after, page);
	}
	return made;
}
