/* SPDX-License-Identifier: BSD-3-Clause
 * The roster's life, its configuration and its time (roster.h). One thread: the caller's. Must not decide
 * anything: whatever is due goes to the file that owns it, in order of time, within the caller's budget.
 */
#include "control/roster_private.h"

#include <errno.h>
#include <stdlib.h>

/* DU-21 tracks 100 000 addresses; here the one heard of longest ago is forgotten beyond that. */
enum { LIMITER_CAPACITY = 100000 };
/* keyed_random.h: users of one seed keep their sequences apart. */
enum { RANDOM_PURPOSE = 0x526f73 };

static int limiters_init(struct roster *roster)
{
	struct keyed_limiter *limiters[] = {
		&roster->opens, &roster->attempts, &roster->requests, &roster->shares};
	for (unsigned i = 0; i < sizeof(limiters) / sizeof(limiters[0]); i++) {
		int r = keyed_limiter_init(limiters[i], LIMITER_CAPACITY);
		if (r < 0)
			return r;
	}
	return 0;
}

static int tables_init(struct roster *roster)
{
	struct hash_index *indices[] = {
		&roster->peer_index, &roster->connection_index, &roster->number_index, &roster->prefix_index};
	record_pool_init(&roster->peers, sizeof(struct roster_peer));
	record_pool_init(&roster->connections, sizeof(struct roster_connection));
	record_pool_init(&roster->prefixes, sizeof(struct roster_prefix));
	prefix_tree_init(&roster->places);
	due_queue_init(&roster->connection_due);
	due_queue_init(&roster->peer_due);
	due_queue_init(&roster->judge_due);
	for (unsigned i = 0; i < ROSTER_LIST_COUNT; i++)
		roster->lists[i] = (struct roster_list){.newest = RECORD_NONE, .oldest = RECORD_NONE};
	for (unsigned i = 0; i < sizeof(indices) / sizeof(indices[0]); i++) {
		int r = hash_index_init(indices[i]);
		if (r < 0)
			return r;
	}
	roster->resting = malloc(sizeof(*roster->resting));
	return roster->resting == NULL ? -ENOMEM : limiters_init(roster);
}

static void tables_fini(struct roster *roster)
{
	roster_records_fini(roster);
	keyed_limiter_fini(&roster->opens);
	keyed_limiter_fini(&roster->attempts);
	keyed_limiter_fini(&roster->requests);
	keyed_limiter_fini(&roster->shares);
	free(roster->resting);
}

/** What follows from the configuration and must not differ from it. */
static void config_set(struct roster *roster, const struct roster_config *config)
{
	roster->config = *config;
	roster->config.governor.seed = config->seed;
	roster->config.profile.book.seed = config->seed;
	roster->config.profile.eviction.key = roster->key;
}

/** Everything but the configuration and the effects, as at a start. On failure the caller destroys. */
static int begin(struct roster *roster, int64_t now_ms)
{
	roster->now_ms = now_ms;
	roster->node_up = true;
	roster->next_number = 1;
	roster->random = keyed_random_from_seed(roster->config.seed, RANDOM_PURPOSE);
	roster->next_tick_ms = now_ms + roster->config.profile.tick_ms;
	roster->room_due_ms = INT64_MAX;
	int r = tables_init(roster);
	if (r == 0)
		r = governor_create(
			&roster->config.governor, &roster->effects.governor, now_ms, &roster->governor);
	if (r == 0)
		r = address_book_create(&roster->config.profile.book, &roster->effects.book, &roster->book);
	if (r < 0)
		return r;
	roster->texts = &roster->governor->texts;
	roster->governor->ban_changed = roster_ban_changed;
	roster->governor->ban_changed_context = roster;
	roster->governor->driven = true;
	roster->governor->cuts_held = roster->config.grace_ms > 0;
	return 0;
}

int roster_create(const struct roster_config *config, const struct roster_effects *effects, int64_t now_ms,
	struct roster **ret_roster)
{
	if (config->connections_max == 0 || config->peers_max == 0 || config->profile.tick_ms <= 0)
		return -EINVAL;
	struct roster *roster = calloc(1, sizeof(*roster));
	if (roster == NULL)
		return -ENOMEM;
	roster->effects = *effects;
	roster->key = keyed_hash_from_seed(config->seed);
	config_set(roster, config);
	int r = begin(roster, now_ms);
	if (r < 0) {
		roster_destroy(roster);
		return r;
	}
	roster_node_init(roster, /* is_new= */ true);
	*ret_roster = roster;
	return 0;
}

static void end(struct roster *roster)
{
	if (roster->texts != NULL)
		roster_node_fini(roster); /* nothing is held before there are texts */
	tables_fini(roster);
	address_book_destroy(roster->book);
	governor_destroy(roster->governor);
}

void roster_destroy(struct roster *roster)
{
	if (roster == NULL)
		return;
	end(roster);
	free(roster);
}

int roster_forget_runtime(struct roster *roster, int64_t now_ms)
{
	struct roster fresh = {.config = roster->config, .effects = roster->effects, .key = roster->key};
	int r = begin(&fresh, now_ms);
	if (r < 0) {
		end(&fresh);
		return r;
	}
	end(roster);
	*roster = fresh;
	roster->governor->ban_changed_context = roster;
	roster_node_init(roster, /* is_new= */ true);
	return 0;
}

void roster_reconfigure(struct roster *roster, const struct roster_config *config, int64_t now_ms)
{
	uint64_t seed = roster->config.seed; /* keys tables that stand */
	int64_t tick_ms = roster->config.profile.tick_ms;
	roster_clock(roster, now_ms);
	config_set(roster, config);
	roster->config.seed = roster->config.governor.seed = roster->config.profile.book.seed = seed;
	governor_reconfigure(roster->governor, &roster->config.governor, now_ms);
	address_book_reconfigure(roster->book, &roster->config.profile.book);
	if (config->profile.tick_ms != tick_ms)
		roster->next_tick_ms = roster->now_ms + config->profile.tick_ms;
	roster->governor->cuts_held = config->grace_ms > 0;
	roster_room_plan(roster);
	roster_node_reconfigured(roster);
}

struct governor *roster_governor(struct roster *roster)
{
	return roster->governor;
}

struct address_book *roster_book(struct roster *roster)
{
	return roster->book;
}

const struct roster_config *roster_config(const struct roster *roster)
{
	return &roster->config;
}

/* Time */

void roster_clock_step_back(struct roster *roster, int64_t now_ms)
{
	governor_clock_step_back(roster->governor, now_ms);
	if (now_ms >= roster->now_ms)
		return;
	/* What waits keeps the wall time that it has, as in the governor; only ticks must go on. */
	roster->now_ms = now_ms;
	roster->next_tick_ms = now_ms + roster->config.profile.tick_ms;
	roster->room_due_ms = INT64_MAX;
}

/* What may be due, in the order in which equal times are served: bans end before anybody is judged by them,
 * and a tick sees what came due with it. */
enum due_kind {
	DUE_GOVERNOR,
	DUE_JUDGE,
	DUE_CAPS,
	DUE_BOOK,
	DUE_CONNECTION,
	DUE_PEER,
	DUE_ROOM,
	DUE_TICK,
	DUE_COUNT
};

static int64_t due_at(const struct roster *roster, enum due_kind kind)
{
	switch (kind) {
	case DUE_GOVERNOR:
		return governor_next_due_ms(roster->governor);
	case DUE_JUDGE:
		return roster_judge_waits(roster) ? roster->now_ms : due_queue_next_ms(&roster->judge_due);
	case DUE_CAPS:
		return roster_caps_exceeded(roster) ? roster->now_ms : INT64_MAX;
	case DUE_BOOK:
		return address_book_next_due_ms(roster->book);
	case DUE_CONNECTION:
		return due_queue_next_ms(&roster->connection_due);
	case DUE_PEER:
		return due_queue_next_ms(&roster->peer_due);
	case DUE_ROOM:
		return roster->room_due_ms;
	default:
		return roster->next_tick_ms;
	}
}

static enum due_kind due_first(const struct roster *roster, bool ticks, int64_t *ret_at_ms)
{
	enum due_kind first = DUE_COUNT;
	*ret_at_ms = INT64_MAX;
	for (unsigned kind = 0; kind < DUE_COUNT; kind++) {
		int64_t at_ms = kind >= DUE_ROOM && !ticks ? INT64_MAX : due_at(roster, (enum due_kind)kind);
		if (at_ms < *ret_at_ms) {
			first = (enum due_kind)kind;
			*ret_at_ms = at_ms;
		}
	}
	return first;
}

int64_t roster_next_due_ms(const struct roster *roster, bool ticks)
{
	int64_t at_ms;
	(void)due_first(roster, ticks, &at_ms);
	return at_ms;
}

/** Take the first item of a queue. */
static bool take(struct due_queue *queue, uint32_t *ret_item)
{
	struct due_entry entry;
	if (!due_queue_peek(queue, &entry))
		return false;
	due_queue_clear(queue, entry.item);
	*ret_item = entry.item;
	return true;
}

static void due_do(struct roster *roster, enum due_kind kind)
{
	uint32_t item;
	switch (kind) {
	case DUE_GOVERNOR:
		(void)governor_advance(roster->governor, roster->now_ms, 1);
		break;
	case DUE_JUDGE:
		if (roster_judge_waits(roster))
			roster_judge_widen(roster);
		else if (take(&roster->judge_due, &item))
			roster_peer_judge(roster, item);
		break;
	case DUE_CAPS:
		roster_caps_keep(roster);
		break;
	case DUE_BOOK:
		(void)address_book_advance(roster->book, roster->now_ms, 1);
		break;
	case DUE_CONNECTION:
		if (take(&roster->connection_due, &item))
			roster_connection_due(roster, item);
		break;
	case DUE_PEER:
		if (take(&roster->peer_due, &item))
			roster_peer_due_run(roster, item);
		break;
	case DUE_ROOM:
		roster_room_make(roster);
		break;
	default:
		roster->next_tick_ms = roster->now_ms + roster->config.profile.tick_ms;
		roster_tick(roster, roster->now_ms);
		break;
	}
}

bool roster_advance(struct roster *roster, int64_t now_ms, unsigned budget, bool ticks)
{
	int64_t at_ms;
	for (; budget > 0; budget--) {
		enum due_kind kind = due_first(roster, ticks, &at_ms);
		if (at_ms > now_ms || kind == DUE_COUNT) {
			roster_clock(roster, now_ms);
			return false;
		}
		/* The governor's and the book's own clocks follow: events carry the time at which a thing was
		 * due. */
		roster_clock(roster, at_ms);
		governor_clock(roster->governor, roster->now_ms);
		due_do(roster, kind);
	}
	due_first(roster, ticks, &at_ms);
	return at_ms <= now_ms;
}
