/* SPDX-License-Identifier: BSD-3-Clause
 * Answers: one peer, peers in order, the best of them, targets, counts (roster.h; policy.md LO-13, SP-8,
 * DU-11, 5.3 K). The roster's thread. Must not make a record of whoever is only asked about.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/roster_private.h"

/* Peers of one pass over the records: a list of n in order of id costs known / PAGE passes, and nobody holds
 * an order of a million ids for it. */
enum { PAGE = 128 };

/** What is said of a peer of which nothing is known. */
static void fill_unknown(
	const struct roster *roster, const struct roster_facts *nobody, struct roster_peer_info *info)
{
	const struct value_dugite_input fresh = {.rtt_ms = -1, .fetch_ms = -1, .fetch_age_min = -1};
	info->value_dugite = value_dugite(&fresh);
	info->value_rank = value_rank(nobody->reputation, -1, 0);
	info->value_selection =
		value_selection(&(struct value_selection_input){.reputation = nobody->reputation});
	info->value_inbound =
		value_inbound(&(struct value_inbound_input){.rtt_ms = -1, .useful = -1, .idle_s = -1});
	info->lorachain = (struct value_lorachain){ROSTER_LORACHAIN_UNKNOWN, ROSTER_LORACHAIN_UNKNOWN,
		ROSTER_LORACHAIN_UNKNOWN, ROSTER_LORACHAIN_UNKNOWN};
	info->quality = value_quality(0, 0);
	info->combined = info->governor.app_score;
	info->combined_state = info->governor.state;
	info->circuit = CIRCUIT_CLOSED;
	switch (roster->config.profile.value) {
	case PROFILE_VALUE_DUGITE:
		info->value = info->value_dugite;
		break;
	case PROFILE_VALUE_LORACHAIN:
		info->value = info->lorachain.overall;
		break;
	case PROFILE_VALUE_QUALITY:
		info->value = info->quality;
		break;
	case PROFILE_VALUE_INBOUND:
		info->value = info->value_inbound;
		break;
	default:
		info->value = 0;
	}
}

static void fill_values(struct roster *roster, uint32_t peer, struct roster_peer_info *info)
{
	struct book_endpoint endpoint;
	const struct book_record *record = NULL;
	const struct circuit *circuit = &info->counters.circuit;
	info->value_dugite = roster_value_dugite(roster, peer);
	info->value_rank = roster_value_rank(roster, peer);
	info->value_selection = roster_value_selection(roster, peer);
	info->value_inbound = roster_value_inbound(roster, peer);
	info->lorachain = roster_value_lorachain(roster, peer);
	info->value = roster_value(roster, peer);
	info->combined = roster_combined(roster, peer, &info->combined_state);
	info->quality = value_quality(info->counters.ok, info->counters.fail);
	if (roster_peer_endpoint(roster, peer, &endpoint))
		record = address_book_find(roster->book, &endpoint);
	if (record != NULL) { /* the endpoint's are what dialling goes by */
		info->quality = value_quality(record->ok, record->fail);
		circuit = &record->circuit;
	}
	info->circuit = circuit_state_at(circuit, roster->now_ms);
	info->circuit_until_ms = info->circuit == CIRCUIT_CLOSED ? 0 : circuit->until_ms;
	info->subnet_count = roster_prefix_connected(roster, &roster_peer_at(roster, peer)->address);
	info->subnet_penalty = value_subnet_penalty(info->subnet_count);
}

static void fill_record(struct roster *roster, uint32_t peer, struct roster_peer_info *info)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	info->known = true;
	info->state = record->state;
	info->id = roster_text(roster, record->id);
	info->agent = roster_text(roster, record->agent);
	info->version = roster_text(roster, record->version);
	info->enr = roster_text(roster, record->enr);
	info->metadata = roster_text(roster, record->metadata);
	info->sync_status = roster_text(roster, record->sync_status);
	client_parse(info->agent, &info->client);
	info->temperature = roster_temperature(roster, peer);
	roster_tags_of(roster, peer, &info->tags);
	/* A configured member is one by its endpoint, not by a tag. */
	if (info->tags.group == TARGET_NO_GROUP)
		info->tags.group = roster_root_group(roster, peer);
	/* The governor knows where an id was bound; without that it is where the record says. */
	if (info->governor.name.port == 0 && record->id != RECORD_NONE) {
		info->governor.name.address = record->address;
		info->governor.name.port = record->port != 0 ? record->port : record->listen_port;
	}
}

/** 5.5.16: gossip is not stored, the ban that it brought about is: while that lasts, the state is the ban's. */
static void fill_score_ban(const struct roster *roster, struct roster_peer_info *info)
{
	const struct ban_table *bans = &roster->governor->bans;
	if (info->combined_state == SCORE_STATE_BANNED || info->governor.name.id[0] == '\0')
		return;
	struct ban_key key = ban_key_id(bans, info->governor.name.id);
	uint32_t index = ban_table_find(bans, &key, BAN_TIER_SCORE);
	if (index == RECORD_NONE || ban_table_at(bans, index)->end_ms <= roster->now_ms)
		return;
	const struct ban_record *ban = ban_table_at(bans, index);
	info->combined_state = SCORE_STATE_BANNED;
	info->governor.unban_at_ms = ban->end_ms;
	if (ban->freeze_until_ms > roster->now_ms)
		info->governor.freeze_until_ms = ban->freeze_until_ms;
}

static void get(
	struct roster *roster, uint32_t peer, const struct peer_name *name, struct roster_peer_info *info)
{
	*info = (struct roster_peer_info){
		.id = "", .agent = "", .version = "", .enr = "", .metadata = "", .sync_status = ""};
	governor_peer_get(roster->governor, name, roster->now_ms, &info->governor);
	if (peer != RECORD_NONE)
		fill_record(roster, peer, info);
	const struct roster_facts *facts = roster_facts_of(roster, peer);
	if (peer == RECORD_NONE)
		info->tags = facts->tags;
	info->discouraged = facts->discouraged;
	info->gossip = facts->gossip;
	info->reputation = roster_reputation(roster, peer);
	info->standing = facts->standing;
	info->counters = facts->counters;
	info->decayed_fail =
		peer_counters_failures(&facts->counters, &roster->config.profile.counters, roster->now_ms);
	info->blocks = facts->blocks;
	info->due = facts->due;
	info->unproven = roster_attempts_noted(roster, &info->governor.name.address);
	if (peer == RECORD_NONE) {
		/* LH-10: banned before it was seen, or longer than its record was kept. T1 and T4 are of addresses. */
		if (info->governor.has_ban && info->governor.ban.tier != BAN_TIER_THROTTLE &&
			info->governor.ban.tier != BAN_TIER_ADDRESS)
			info->state.status = PEER_STATUS_BANNED;
		fill_unknown(roster, facts, info);
		fill_score_ban(roster, info);
		return;
	}
	fill_values(roster, peer, info);
	fill_score_ban(roster, info);
	char text[PREFIX_TEXT_MAX];
	snprintf(info->cursor, sizeof(info->cursor), "%s",
		info->id[0] != '\0' ? info->id
				    : address_format(&roster_peer_at(roster, peer)->address, text));
}

void roster_peer_get(struct roster *roster, const struct peer_name *name, int64_t now_ms,
	struct roster_peer_info *ret_info)
{
	roster_clock(roster, now_ms);
	get(roster, roster_peer_named(roster, name), name, ret_info);
}

/* Lists */

static bool matches(struct roster *roster, uint32_t peer, const struct roster_filter *filter)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	/* A host of which nothing was said or seen but that ids connected from it is there as those. */
	if (record->id == RECORD_NONE && record->connections == RECORD_NONE && record->facts == NULL &&
		record->ok == 0 && record->fail == 0 && record->state.status != PEER_STATUS_BANNED)
		return false;
	if (filter == NULL)
		return true;
	if (filter->status >= 0 && (int)record->state.status != filter->status)
		return false;
	if (filter->temperature >= 0 && (int)roster_temperature(roster, peer) != filter->temperature)
		return false;
	if (filter->category >= 0 && (int)roster_category(roster, peer) != filter->category)
		return false;
	if (filter->banned < 0)
		return true;
	struct peer_info info;
	struct peer_name name = roster_peer_name(roster, peer);
	governor_peer_get(roster->governor, &name, roster->now_ms, &info);
	bool banned = info.has_ban || roster_facts_of(roster, peer)->standing.blacklisted;
	return banned == (filter->banned != 0);
}

/* Where a peer stands in a list: those with an id first, in its order, then the others by address. */
struct place {
	uint32_t peer;
	const char *id; /* the pool's: lists change nothing. NULL: by address */
	struct address address;
};

static struct place place_of(const struct roster *roster, uint32_t peer)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	return (struct place){
		peer, record->id != RECORD_NONE ? roster_text(roster, record->id) : NULL, record->address};
}

static int compare_places(const struct place *a, const struct place *b)
{
	if (a->id != NULL && b->id != NULL)
		return strcmp(a->id, b->id);
	if (a->id == NULL && b->id == NULL)
		return address_compare(&a->address, &b->address);
	return a->id != NULL ? -1 : 1;
}

/** What `after` means: an address unless somebody has it for an id. */
static struct place place_after(const struct roster *roster, const char *after)
{
	struct place place = {.peer = RECORD_NONE, .id = after};
	if (address_parse(after, &place.address) == 0 && roster_peer_find(roster, after) == RECORD_NONE)
		place.id = NULL;
	return place;
}

/* The PAGE first ones after a place. */
struct page {
	struct place places[PAGE]; /* in order */
	unsigned n;
};

static void page_add(struct roster *roster, struct page *page, const struct place *after, uint32_t peer,
	const struct roster_filter *filter)
{
	struct place place = place_of(roster, peer);
	if (compare_places(&place, after) <= 0 ||
		(page->n == PAGE && compare_places(&place, &page->places[PAGE - 1]) >= 0) ||
		!matches(roster, peer, filter))
		return;
	unsigned at = page->n == PAGE ? PAGE - 1 : page->n++;
	for (; at > 0 && compare_places(&place, &page->places[at - 1]) < 0; at--)
		page->places[at] = page->places[at - 1];
	page->places[at] = place;
}

static void page_fill(struct roster *roster, struct page *page, const struct place *after,
	const struct roster_filter *filter)
{
	page->n = 0;
	if (filter != NULL && filter->status == PEER_STATUS_CONNECTED) {
		for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
			at = roster_peer_at(roster, at)->newer)
			page_add(roster, page, after, at, filter);
		return;
	}
	for (uint32_t at = 0; at < roster->peers.high_water; at++)
		if (roster_peer_at(roster, at)->list != ROSTER_LIST_GIVEN)
			page_add(roster, page, after, at, filter);
}

void roster_peer_each(struct roster *roster, const struct roster_filter *filter, const char *after_or_null,
	int64_t now_ms, bool (*visit)(void *context, const struct roster_peer_info *info), void *context)
{
	struct page page;
	roster_clock(roster, now_ms);
	struct place after = place_after(roster, after_or_null != NULL ? after_or_null : "");
	do {
		page_fill(roster, &page, &after, filter);
		for (unsigned i = 0; i < page.n; i++) {
			struct roster_peer_info info;
			struct peer_name name = roster_peer_name(roster, page.places[i].peer);
			get(roster, page.places[i].peer, &name, &info);
			if (!visit(context, &info))
				return;
		}
		if (page.n != 0)
			after = page.places[page.n - 1];
	} while (page.n == PAGE);
}

/* The best */

struct choice {
	uint32_t peer;
	double rank;
	int64_t last_seen_ms;
	const char *id;
};

static int compare_choices(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	if (x->last_seen_ms != y->last_seen_ms) /* SP-8: who was not seen for longest */
		return x->last_seen_ms < y->last_seen_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

static bool is_excluded(const char *id, const char *const *exclude, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(exclude[i], id) == 0)
			return true;
	return false;
}

/** SP-8: not connected, not blacklisted, by reputation. LO-13 and the others: online, not banned, by value.
 */
static bool may_be_best(struct roster *roster, uint32_t peer, struct choice *ret_choice)
{
	const struct roster_peer *record = roster_peer_at(roster, peer);
	bool by_reputation = roster->config.profile.value == PROFILE_VALUE_QUALITY;
	bool connected = record->state.status == PEER_STATUS_CONNECTED;
	struct peer_info info;
	if (record->id == RECORD_NONE || by_reputation == connected ||
		record->state.status == PEER_STATUS_DISCONNECTING)
		return false;
	struct value_standing standing = roster_facts_of(roster, peer)->standing;
	struct peer_name name = roster_peer_name(roster, peer);
	governor_peer_get(roster->governor, &name, roster->now_ms, &info);
	if (info.has_ban || (by_reputation && standing.blacklisted))
		return false;
	*ret_choice = (struct choice){.peer = peer,
		.rank = by_reputation ? standing.reputation : roster_value(roster, peer),
		.last_seen_ms = by_reputation ? record->last_seen_ms : 0,
		.id = roster_text(roster, record->id)};
	return true;
}

size_t roster_peer_best(struct roster *roster, size_t n, const char *const *exclude, size_t n_exclude,
	int64_t now_ms, const char **ret_ids)
{
	bool by_reputation = roster->config.profile.value == PROFILE_VALUE_QUALITY;
	size_t most = by_reputation ? roster->peers.n_used : roster->lists[ROSTER_LIST_CONNECTED].n;
	struct choice *choices = malloc((most + 1) * sizeof(*choices));
	size_t found = 0;
	roster_clock(roster, now_ms);
	if (choices == NULL)
		return 0;
	if (by_reputation) {
		for (uint32_t at = 0; at < roster->peers.high_water && found < most; at++)
			if (roster_peer_at(roster, at)->list != ROSTER_LIST_GIVEN)
				found += may_be_best(roster, at, &choices[found]);
	} else {
		for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest;
			at != RECORD_NONE && found < most; at = roster_peer_at(roster, at)->newer)
			found += may_be_best(roster, at, &choices[found]);
	}
	qsort(choices, found, sizeof(*choices), compare_choices);
	size_t written = 0;
	for (size_t i = 0; i < found && written < n; i++)
		if (!is_excluded(choices[i].id, exclude, n_exclude))
			ret_ids[written++] = choices[i].id;
	free(choices);
	return written;
}

/* Targets and counts */

int roster_targets(struct roster *roster, const uint32_t *target_or_null,
	const struct target_set *set_or_null, int64_t now_ms, struct roster_targets *ret_targets, char *flaw)
{
	roster_clock(roster, now_ms);
	const char *wrong = set_or_null != NULL ? target_set_flaw(set_or_null) : NULL;
	if (wrong == NULL && target_or_null != NULL && *target_or_null > ROSTER_TARGET_MAX)
		wrong = "target is above 1000000";
	if (wrong != NULL) {
		snprintf(flaw, ROSTER_TEXT_MAX, "%s", wrong);
		return -EINVAL;
	}
	struct target_set *base = roster->sync == SYNC_STATE_CAUGHT_UP ? &roster->base : &roster->sync_base;
	if (set_or_null != NULL)
		*base = *set_or_null;
	if (target_or_null != NULL)
		roster->target = *target_or_null;
	*ret_targets = (struct roster_targets){
		.target = roster->target, .in_force = roster_targets_in_force(roster), .base = *base};
	target_limits(roster->target, &roster->config.profile.fractions, &ret_targets->limits);
	return 0;
}

void roster_status(const struct roster *roster, struct roster_status *ret_status)
{
	struct governor_stats governor;
	uint32_t hot = 0, warm = 0, unlisted = 0;
	governor_stats(roster->governor, &governor);
	for (uint32_t at = roster->lists[ROSTER_LIST_CONNECTED].oldest; at != RECORD_NONE;
		at = roster_peer_at(roster, at)->newer) {
		enum temperature now = roster_temperature(roster, at);
		struct book_endpoint endpoint;
		hot += now == TEMPERATURE_HOT;
		warm += now == TEMPERATURE_WARM;
		unlisted += !roster_peer_endpoint(roster, at, &endpoint) ||
			    address_book_find(roster->book, &endpoint) == NULL;
	}
	uint32_t known = address_book_count(roster->book) + unlisted;
	*ret_status = (struct roster_status){.sync = roster->sync,
		.connected = roster->lists[ROSTER_LIST_CONNECTED].n,
		.in = roster->counts.in,
		.out = roster->counts.out,
		.pending = roster->counts.pending_in + roster->counts.pending_out,
		.hot = hot,
		.warm = warm,
		.cold = known > hot + warm ? known - hot - warm : 0,
		.known = known,
		.bans = governor.bans[0],
		.churn_phase = roster->churn.phase,
		.churn_next_ms = roster->churn.next_ms,
		.prune_short = roster->prune_short,
		.refused = roster->refused,
		.evicted = governor.evicted,
		.peers_evicted = roster->peers_evicted};
}
