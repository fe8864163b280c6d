/* SPDX-License-Identifier: BSD-3-Clause
 * Peers: finding, making and forgetting records, binding ids to addresses, trust, and T4: an address from which more than
 * five banned ids were seen is banned itself (LH-21; for IPv6 the /56). The governor's thread.
 * Must not count ids that are not bound: an address that a peer merely claims is no evidence against the address.
 */
#include "control/governor_internal.h"

#include <errno.h>
#include <string.h>

/* LH-21: more than 5. */
enum { GROUP_BANNED_MAX = 5, GROUP_V6_LENGTH = 56 };
/* How many members are looked at to find when the sixth ban ends. With more members the end found is early, never late, and
 * the ban is reviewed when it comes: the cost stays bounded however many ids an attacker invents. */
enum { GROUP_LOOK_MAX = 64 };

/* A source by address is forgotten an hour after it was last heard of: LO-9's longest window. */
#define FORGET_HOST_MS INT64_C(3600000)
/* Below this a score says nothing: half of the smallest penalty. */
#define SCORE_NEGLIGIBLE (-0.5)

uint32_t governor_peer_named(const struct governor *governor, const struct peer_name *name)
{
	if (name->id[0] != '\0')
		return peer_table_find_id(&governor->peers, name->id);
	if (name->port != 0) {
		uint32_t bound = peer_table_find_bound(&governor->peers, &name->address, name->port);
		if (bound != RECORD_NONE)
			return bound;
	}
	return peer_table_find_host(&governor->peers, &name->address);
}

const char *governor_peer_id(const struct governor *governor, const struct peer_record *peer)
{
	return text_pool_get(&governor->texts, peer->id);
}

struct ban_key governor_peer_key(const struct governor *governor, const struct peer_record *peer)
{
	(void)governor;
	if (peer->id != RECORD_NONE)
		return (struct ban_key){{0, peer->id, 0}, true};
	struct prefix host = host_prefix(&peer->address);
	return ban_key_prefix(&host);
}

bool governor_peer_protected(const struct governor *governor, const struct peer_record *peer, const struct address *actual)
{
	if (peer->trusted)
		return true;
	const struct address *address = actual != NULL ? actual : peer->bound ? &peer->address : NULL;
	if (address == NULL)
		return false;
	struct prefix host = prefix_of(address, PREFIX_HOST_LENGTH);
	return governor_is_protected(governor, &host, NULL);
}

static int64_t forget_time(const struct governor *governor, const struct peer_record *peer)
{
	if (peer->trusted)
		return GOVERNOR_NEVER_MS;
	int64_t life_ms = peer->id != RECORD_NONE ? governor->config.strike_life_ms : FORGET_HOST_MS;
	int64_t at_ms = peer->last_seen_ms + life_ms;
	int64_t score_ms = peer->score.value < 0.0 ? score_above_ms(&peer->score, &governor->config, SCORE_NEGLIGIBLE) : 0;
	return score_ms > at_ms ? score_ms : at_ms;
}

void governor_peer_touch(struct governor *governor, uint32_t index)
{
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	peer->last_seen_ms = governor->now_ms;
	peer_table_forget_at(&governor->peers, index, forget_time(governor, peer));
}

static void forget(struct governor *governor, uint32_t index)
{
	governor_group_leave(governor, index);
	peer_table_remove(&governor->peers, index);
}

/** A record's time to be forgotten has come: let it go, unless it has open connections or was heard of since. */
void governor_peer_expire(struct governor *governor, uint32_t index)
{
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	int64_t at_ms = forget_time(governor, peer);
	governor_flows_settle(governor, peer);
	if (peer->connections != 0 && at_ms <= governor->now_ms)
		at_ms = governor->now_ms + FORGET_HOST_MS;
	if (at_ms <= governor->now_ms) {
		forget(governor, index);
		return;
	}
	peer->forget_ms = at_ms;
	due_queue_set(&governor->peers.forget, index, at_ms);
}

int governor_peer_obtain(struct governor *governor, const char *id, const struct address *address, uint32_t *ret_peer)
{
	uint32_t index = id != NULL ? peer_table_find_id(&governor->peers, id)
				    : peer_table_find_host(&governor->peers, address);
	if (index != RECORD_NONE) {
		*ret_peer = index;
		return 0;
	}
	struct due_entry weakest;
	if (governor->peers.records.n_used >= governor->config.peers_max) {
		if (!due_queue_peek(&governor->peers.forget, &weakest))
			return -ENOSPC; /* every one is trusted */
		forget(governor, weakest.item);
		governor->evicted++;
	}
	int r = peer_table_add(&governor->peers, id, address, &index);
	if (r < 0)
		return r;
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	struct ban_key key = governor_peer_key(governor, peer);
	peer->score = governor_score_revive(governor, &key);
	governor_peer_touch(governor, index);
	*ret_peer = index;
	return 0;
}

void governor_peer_cut(struct governor *governor, const struct peer_record *peer, const struct address *actual)
{
	if (governor->effects.cut == NULL || governor->cuts_held)
		return;
	if (peer->id == RECORD_NONE)
		governor->effects.cut(governor->effects.context, actual, 0);
	else if (peer->bound)
		governor->effects.cut(governor->effects.context, &peer->address, peer->port);
}

static bool id_is_banned(const struct governor *governor, const struct peer_record *peer)
{
	struct ban_key key = governor_peer_key(governor, peer);
	struct ban_force force = ban_table_force(&governor->bans, ban_table_chain(&governor->bans, &key), governor->now_ms);
	return force.class == SOURCE_CLASS_BANNED;
}

int governor_bind(struct governor *governor, const char *id, const struct address *address, uint16_t port, const char *agent,
	int64_t now_ms)
{
	governor_clock(governor, now_ms);
	if (id[0] == '\0' || strlen(id) >= GOVERNOR_ID_MAX)
		return -EINVAL;
	uint32_t index, text;
	int r = governor_peer_obtain(governor, id, NULL, &index);
	if (r < 0)
		return r;
	r = text_pool_hold(&governor->texts, agent, &text);
	if (r < 0)
		return r;
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	text_pool_drop(&governor->texts, peer->agent);
	peer->agent = text;
	bool moved = !peer->bound || address_compare(&peer->address, address) != 0;
	r = peer_table_bind(&governor->peers, index, address, port);
	if (r < 0)
		return r;
	governor_peer_touch(governor, index);
	if (moved)
		governor_seen_store(governor, index);
	governor_group_update(governor, id);
	if (id_is_banned(governor, peer))
		governor_peer_cut(governor, peer, address);
	return 0;
}

int governor_disconnect(
	struct governor *governor, const struct peer_name *name, const char *reason, int64_t now_ms, uint32_t *ret_closed)
{
	struct address address = name->address;
	uint16_t port = name->port;
	uint32_t open = 0;
	governor_clock(governor, now_ms);
	if (name->id[0] != '\0') {
		uint32_t index = governor_peer_named(governor, name);
		const struct peer_record *peer = index != RECORD_NONE ? peer_table_at(&governor->peers, index) : NULL;
		if (peer == NULL || !peer->bound)
			return -ENOENT;
		address = peer->address;
		port = peer->port;
	}
	uint32_t host = peer_table_find_host(&governor->peers, &address); /* who counts connections */
	if (host != RECORD_NONE) {
		struct peer_record *peer = peer_table_at(&governor->peers, host);
		governor_flows_settle(governor, peer);
		open = port != 0 && peer->connections > 1 ? 1 : peer->connections;
	}
	if (governor->effects.cut != NULL)
		governor->effects.cut(governor->effects.context, &address, port);
	struct event_text text;
	struct prefix prefix = prefix_of(&address, PREFIX_HOST_LENGTH);
	event_begin(&text, governor, "governor.disconnect");
	event_string(&text, "id", name->id);
	event_prefix(&text, &prefix);
	if (port != 0)
		event_number(&text, "port", port);
	event_string(&text, "reason", reason);
	event_end(&text);
	*ret_closed = open;
	return 0;
}

int governor_tag_trusted(struct governor *governor, const struct peer_name *name, bool trusted, int64_t now_ms)
{
	governor_clock(governor, now_ms);
	uint32_t index = governor_peer_named(governor, name);
	if (index == RECORD_NONE) {
		if (name->id[0] != '\0')
			return -ENOENT;
		int r = governor_peer_obtain(governor, NULL, &name->address, &index);
		if (r < 0)
			return r;
	}
	peer_table_at(&governor->peers, index)->trusted = trusted;
	governor_peer_touch(governor, index);
	return 0;
}

static struct prefix group_prefix(const struct address *address)
{
	return prefix_of(address, address_is_v4(address) ? PREFIX_HOST_LENGTH : GROUP_V6_LENGTH);
}

static struct address_group *group_at(const struct governor *governor, uint32_t index)
{
	return record_pool_at(&governor->group_records, index);
}

/** When the bans of all but five members have ended; 0 if that is so now. */
static int64_t group_end(const struct governor *governor, const struct address_group *group)
{
	int64_t latest[GROUP_BANNED_MAX + 1] = {0}; /* the six latest ends, latest first */
	unsigned looked = 0;
	for (uint32_t at = group->first; at != RECORD_NONE && looked < GROUP_LOOK_MAX; looked++) {
		const struct peer_record *peer = peer_table_at(&governor->peers, at);
		struct ban_key key = governor_peer_key(governor, peer);
		struct ban_force force =
			ban_table_force(&governor->bans, ban_table_chain(&governor->bans, &key), governor->now_ms);
		int64_t end_ms = force.class == SOURCE_CLASS_BANNED ? force.end_ms : 0;
		for (unsigned i = 0; i <= GROUP_BANNED_MAX; i++) {
			if (end_ms > latest[i]) {
				int64_t pushed = latest[i];
				latest[i] = end_ms;
				end_ms = pushed;
			}
		}
		at = peer->group_next;
	}
	return latest[GROUP_BANNED_MAX];
}

static uint32_t group_ban(const struct governor *governor, const struct prefix *prefix)
{
	struct ban_key key = ban_key_prefix(prefix);
	uint32_t index = ban_table_find(&governor->bans, &key, BAN_TIER_ADDRESS);
	if (index == RECORD_NONE)
		return RECORD_NONE;
	/* One that an operator set is not ours to end. */
	const char *source = text_pool_get(&governor->texts, ban_table_at(&governor->bans, index)->source);
	return strcmp(source, "governor") == 0 ? index : RECORD_NONE;
}

/** Make the address's T4 ban follow its group. */
static void group_enforce(struct governor *governor, const struct prefix *prefix, int64_t end_ms)
{
	uint32_t index = group_ban(governor, prefix);
	if (end_ms <= governor->now_ms) {
		if (index != RECORD_NONE)
			governor_ban_drop(governor, index, /* expired= */ false, "five or fewer banned ids are left");
		return;
	}
	if (governor_is_protected(governor, prefix, NULL) ||
		(index != RECORD_NONE && ban_table_at(&governor->bans, index)->end_ms == end_ms))
		return;
	struct ban_key key = ban_key_prefix(prefix);
	if (index == RECORD_NONE && ban_table_find(&governor->bans, &key, BAN_TIER_ADDRESS) != RECORD_NONE)
		return;
	struct ban ban = {.scope = BAN_SCOPE_PREFIX, .prefix = *prefix, .tier = BAN_TIER_ADDRESS, .start_ms = governor->now_ms,
		.end_ms = end_ms, .reason = "more than 5 banned peer ids at this address", .source = "governor"};
	if (index != RECORD_NONE)
		ban.start_ms = ban_table_at(&governor->bans, index)->start_ms;
	(void)governor_ban_put(governor, &ban, /* automatic= */ true); /* full is counted as evicted */
}

void governor_group_leave(struct governor *governor, uint32_t index)
{
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	if (peer->group == RECORD_NONE)
		return;
	uint32_t at = peer->group;
	struct address_group *group = group_at(governor, at);
	if (peer->group_previous != RECORD_NONE)
		peer_table_at(&governor->peers, peer->group_previous)->group_next = peer->group_next;
	else
		group->first = peer->group_next;
	if (peer->group_next != RECORD_NONE)
		peer_table_at(&governor->peers, peer->group_next)->group_previous = peer->group_previous;
	peer->group = RECORD_NONE;
	group->n--;
	struct prefix prefix = group->prefix;
	group_enforce(governor, &prefix, group->n > GROUP_BANNED_MAX ? group_end(governor, group) : 0);
	if (group->n == 0) {
		struct prefix_key key = prefix_key_from(&prefix);
		prefix_tree_remove(&governor->groups, &key);
		record_pool_give(&governor->group_records, at);
	}
}

static uint32_t group_obtain(struct governor *governor, const struct prefix *prefix)
{
	struct prefix_key key = prefix_key_from(prefix);
	uint32_t at = prefix_tree_find(&governor->groups, &key);
	if (at != RECORD_NONE || record_pool_take(&governor->group_records, &at) < 0)
		return at;
	*group_at(governor, at) = (struct address_group){.first = RECORD_NONE, .prefix = *prefix};
	if (prefix_tree_put(&governor->groups, &key, at) < 0) {
		record_pool_give(&governor->group_records, at);
		return RECORD_NONE;
	}
	return at;
}

static void group_join(struct governor *governor, uint32_t index, const struct prefix *prefix)
{
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	uint32_t at = group_obtain(governor, prefix);
	if (at == RECORD_NONE)
		return;
	struct address_group *group = group_at(governor, at);
	peer->group = at;
	peer->group_previous = RECORD_NONE;
	peer->group_next = group->first;
	if (group->first != RECORD_NONE)
		peer_table_at(&governor->peers, group->first)->group_previous = index;
	group->first = index;
	group->n++;
}

void governor_group_update(struct governor *governor, const char *id)
{
	uint32_t index = peer_table_find_id(&governor->peers, id);
	if (index == RECORD_NONE)
		return;
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	struct prefix prefix = group_prefix(&peer->address);
	bool member = peer->seen && id_is_banned(governor, peer);
	if (peer->group != RECORD_NONE &&
		(!member || prefix_compare(&group_at(governor, peer->group)->prefix, &prefix) != 0))
		governor_group_leave(governor, index);
	if (!member)
		return;
	if (peer->group == RECORD_NONE)
		group_join(governor, index, &prefix);
	if (peer->group != RECORD_NONE && group_at(governor, peer->group)->n > GROUP_BANNED_MAX)
		group_enforce(governor, &prefix, group_end(governor, group_at(governor, peer->group)));
}

void governor_group_load(struct governor *governor, uint32_t index)
{
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	struct prefix prefix = group_prefix(&peer->address);
	if (peer->group == RECORD_NONE && id_is_banned(governor, peer))
		group_join(governor, index, &prefix);
}

void governor_group_review(struct governor *governor, const struct prefix *prefix)
{
	struct prefix_key key = prefix_key_from(prefix);
	uint32_t at = prefix_tree_find(&governor->groups, &key);
	if (at != RECORD_NONE)
		group_enforce(governor, prefix, group_end(governor, group_at(governor, at)));
}
