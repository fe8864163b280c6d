/* SPDX-License-Identifier: BSD-3-Clause
 * The records of the roster: peers by id or host identity, connections by endpoint and number, what is known
 * of a peer while it matters, lists by status, and how many peers a /24 or /48 has. The roster's thread. Must
 * not decide anything but who is forgotten first when there is no room (LH-22).
 */
#include "control/roster_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How many of the oldest are asked before a cap is left exceeded: trusted ones stay (LH-22), and hundreds of
 * them at the old end would else be walked at every disconnect. */
enum { FORGET_LOOK_MAX = 16 };
/* DU-6: IPv4 /24, IPv6 /48, in bits of the 16-byte form. */
enum { SUBNET_V4_LENGTH = 120, SUBNET_V6_LENGTH = 48 };

static uint32_t hash_id(const struct roster *roster, uint32_t text)
{
	return (uint32_t)keyed_hash_words(&roster->key, text, UINT64_MAX);
}

static uint32_t hash_address(const struct roster *roster, const struct address *address, uint64_t more)
{
	uint64_t words[2];
	memcpy(words, address->bytes, sizeof(words));
	return (uint32_t)keyed_hash_words(
		&roster->key, words[0] ^ more * UINT64_C(0x9e3779b97f4a7c15), words[1]);
}

/* Peers */

uint32_t roster_peer_find(const struct roster *roster, const char *id)
{
	uint32_t text = text_pool_find(roster->texts, id);
	if (text == RECORD_NONE)
		return RECORD_NONE;
	uint32_t at = hash_index_first(&roster->peer_index, hash_id(roster, text));
	while (at != RECORD_NONE && roster_peer_at(roster, at)->id != text)
		at = hash_index_next(&roster->peer_index, at);
	return at;
}

uint32_t roster_peer_find_host(const struct roster *roster, const struct address *address)
{
	struct prefix host = host_prefix(address);
	uint32_t at = hash_index_first(&roster->peer_index, hash_address(roster, &host.address, 0));
	while (at != RECORD_NONE) {
		const struct roster_peer *peer = roster_peer_at(roster, at);
		if (peer->id == RECORD_NONE && address_compare(&peer->address, &host.address) == 0)
			return at;
		at = hash_index_next(&roster->peer_index, at);
	}
	return RECORD_NONE;
}

uint32_t roster_peer_named(const struct roster *roster, const struct peer_name *name)
{
	if (name->id[0] != '\0')
		return roster_peer_find(roster, name->id);
	if (name->port != 0) {
		uint32_t connection = roster_connection_find(roster, &name->address, name->port);
		if (connection != RECORD_NONE)
			return roster_connection_at(roster, connection)->peer;
	}
	return roster_peer_find_host(roster, &name->address);
}

struct peer_name roster_peer_name(const struct roster *roster, uint32_t index)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	struct peer_name name = {.address = peer->address};
	if (peer->id != RECORD_NONE) {
		strncpy(name.id, roster_text(roster, peer->id), sizeof(name.id) - 1);
		name.port = peer->port;
	}
	return name;
}

const char *roster_text(const struct roster *roster, uint32_t text)
{
	return text_pool_get(roster->texts, text);
}

/** A record of which nothing is known but where it is. */
static void peer_blank(struct roster *roster, bool has_id, const struct address *address, struct roster_peer *peer)
{
	*peer = (struct roster_peer){.id = RECORD_NONE,
		.agent = RECORD_NONE,
		.version = RECORD_NONE,
		.enr = RECORD_NONE,
		.metadata = RECORD_NONE,
		.sync_status = RECORD_NONE,
		.connections = RECORD_NONE,
		.behind_first = RECORD_NONE,
		.newer = RECORD_NONE,
		.older = RECORD_NONE,
		.list = ROSTER_LIST_COUNT,
		.last_seen_ms = roster->now_ms};
	peer->state.since_ms = roster->now_ms;
	if (address != NULL)
		peer->address = has_id ? *address : host_prefix(address).address;
}

static int peer_add(
	struct roster *roster, const char *id_or_null, const struct address *address, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	peer_blank(roster, id_or_null != NULL, address, peer);
	int r = id_or_null != NULL ? text_pool_hold(roster->texts, id_or_null, &peer->id) : 0;
	if (r == 0)
		r = hash_index_insert(&roster->peer_index,
			id_or_null != NULL ? hash_id(roster, peer->id)
					   : hash_address(roster, &peer->address, 0),
			index);
	if (r < 0)
		text_pool_drop(roster->texts, peer->id);
	return r;
}

static bool is_trusted(const struct roster *roster, uint32_t index)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	return peer->facts != NULL && (peer->facts->tags.trusted || peer->facts->tags.is_protected);
}

/** The one of a list that has been on it longest, and is not trusted. */
static uint32_t oldest_of(const struct roster *roster, enum roster_list_kind kind)
{
	uint32_t at = roster->lists[kind].oldest;
	for (unsigned looked = 0; at != RECORD_NONE && looked < FORGET_LOOK_MAX; looked++) {
		if (!is_trusted(roster, at))
			return at;
		at = roster_peer_at(roster, at)->newer;
	}
	return RECORD_NONE;
}

/** Who is missed least: an address of which nothing but its connections was known, then a peer, then the banned,
 * whose bans stay with the governor. */
static uint32_t weakest_of(const struct roster *roster)
{
	static const enum roster_list_kind order[] = {ROSTER_LIST_HOSTS, ROSTER_LIST_DISCONNECTED,
		ROSTER_LIST_BANNED_HOSTS, ROSTER_LIST_BANNED};
	uint32_t weakest = RECORD_NONE;
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]) && weakest == RECORD_NONE; i++)
		weakest = oldest_of(roster, order[i]);
	return weakest;
}

int roster_peer_obtain(
	struct roster *roster, const char *id_or_null, const struct address *address, uint32_t *ret_peer)
{
	uint32_t index = id_or_null != NULL ? roster_peer_find(roster, id_or_null)
					    : roster_peer_find_host(roster, address);
	if (index != RECORD_NONE) {
		*ret_peer = index;
		return 0;
	}
	if (roster->peers.n_used >= roster->config.peers_max) {
		uint32_t weakest = weakest_of(roster);
		if (weakest == RECORD_NONE)
			return -ENOSPC;
		roster_peer_forget(roster, weakest);
		roster->peers_evicted++;
	}
	int r = record_pool_take(&roster->peers, &index);
	if (r < 0)
		return r;
	r = peer_add(roster, id_or_null, address, index);
	if (r < 0) {
		roster_peer_at(roster, index)->list = ROSTER_LIST_GIVEN;
		record_pool_give(&roster->peers, index);
		return r;
	}
	roster_peer_relist(roster, index);
	*ret_peer = index;
	return 0;
}

int roster_stranger_take(
	struct roster *roster, const char *id_or_null, const struct address *address, uint32_t *ret_peer)
{
	uint32_t index;
	int r = record_pool_take(&roster->peers, &index);
	if (r < 0)
		return r;
	struct roster_peer *peer = roster_peer_at(roster, index);
	peer_blank(roster, id_or_null != NULL, address, peer);
	r = id_or_null != NULL ? text_pool_hold(roster->texts, id_or_null, &peer->id) : 0;
	if (r < 0) {
		roster_stranger_give(roster, index);
		return r;
	}
	*ret_peer = index;
	return 0;
}

void roster_stranger_give(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	text_pool_drop(roster->texts, peer->id);
	peer->list = ROSTER_LIST_GIVEN;
	record_pool_give(&roster->peers, index);
}

/* Lists */

static void list_leave(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	if (peer->list == ROSTER_LIST_COUNT)
		return;
	struct roster_list *list = &roster->lists[peer->list];
	if (peer->newer != RECORD_NONE)
		roster_peer_at(roster, peer->newer)->older = peer->older;
	else
		list->newest = peer->older;
	if (peer->older != RECORD_NONE)
		roster_peer_at(roster, peer->older)->newer = peer->newer;
	else
		list->oldest = peer->newer;
	list->n--;
	peer->newer = peer->older = RECORD_NONE;
	peer->list = ROSTER_LIST_COUNT;
}

static void list_join(struct roster *roster, uint32_t index, enum roster_list_kind kind)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	struct roster_list *list = &roster->lists[kind];
	peer->list = (uint8_t)kind;
	peer->newer = RECORD_NONE;
	peer->older = list->newest;
	if (list->newest != RECORD_NONE)
		roster_peer_at(roster, list->newest)->newer = index;
	else
		list->oldest = index;
	list->newest = index;
	list->n++;
}

static bool has_score_ban(const struct roster *roster, const struct roster_peer *peer)
{
	struct prefix host = host_prefix(&peer->address);
	struct ban_key key = peer->id != RECORD_NONE
				     ? ban_key_id(&roster->governor->bans, roster_text(roster, peer->id))
				     : ban_key_prefix(&host);
	return ban_table_find(&roster->governor->bans, &key, BAN_TIER_SCORE) != RECORD_NONE;
}

static enum roster_list_kind list_of(const struct roster *roster, const struct roster_peer *peer)
{
	switch (peer->state.status) {
	case PEER_STATUS_CONNECTED:
		return ROSTER_LIST_CONNECTED;
	case PEER_STATUS_DIALING:
	case PEER_STATUS_DISCONNECTING:
		return ROSTER_LIST_COUNT;
	default:
		break;
	}
	/* Whose connections are counted here is not forgotten before they end. */
	if (peer->connections != RECORD_NONE || peer->behind != 0)
		return ROSTER_LIST_COUNT;
	bool by_id = peer->id != RECORD_NONE;
	if (peer->state.status == PEER_STATUS_BANNED && has_score_ban(roster, peer))
		return by_id ? ROSTER_LIST_BANNED : ROSTER_LIST_BANNED_HOSTS;
	return by_id ? ROSTER_LIST_DISCONNECTED : ROSTER_LIST_HOSTS;
}

/** LH-22 and 5.5.6: the oldest score ban of an id over the cap ends before its time. */
static void unban(struct roster *roster, uint32_t oldest)
{
	struct ban key = {.scope = BAN_SCOPE_PEER};
	strncpy(key.id, roster_text(roster, roster_peer_at(roster, oldest)->id), sizeof(key.id) - 1);
	(void)governor_ban_remove(roster->governor, &key, BAN_TIER_SCORE, roster->now_ms, NULL);
	roster_peer_judge(roster, oldest);
}

void roster_peer_relist(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	enum roster_list_kind kind = list_of(roster, peer);
	if (kind == (enum roster_list_kind)peer->list)
		return;
	list_leave(roster, index);
	if (kind == ROSTER_LIST_COUNT)
		return;
	list_join(roster, index, kind);
}

/** The list that is over its cap and whose oldest may go; RECORD_NONE: none. Not done where a peer changes
 * its list: whoever changed it may hold another's record. */
static uint32_t over_cap(const struct roster *roster, enum roster_list_kind *ret_kind)
{
	const uint32_t caps[] = {[ROSTER_LIST_DISCONNECTED] = roster->config.disconnected_max,
		[ROSTER_LIST_BANNED] = roster->config.banned_max,
		[ROSTER_LIST_HOSTS] = roster->config.disconnected_max};
	uint32_t oldest = RECORD_NONE;
	for (unsigned kind = ROSTER_LIST_DISCONNECTED; kind <= ROSTER_LIST_HOSTS; kind++) {
		*ret_kind = (enum roster_list_kind)kind;
		if (caps[kind] != 0 && roster->lists[kind].n > caps[kind])
			oldest = oldest_of(roster, *ret_kind);
		if (oldest != RECORD_NONE)
			return oldest;
	}
	return RECORD_NONE;
}

bool roster_caps_exceeded(const struct roster *roster)
{
	enum roster_list_kind kind;
	return over_cap(roster, &kind) != RECORD_NONE;
}

void roster_caps_keep(struct roster *roster)
{
	enum roster_list_kind kind;
	uint32_t oldest = over_cap(roster, &kind);
	if (oldest == RECORD_NONE)
		return;
	roster->peers_evicted++;
	if (kind == ROSTER_LIST_BANNED)
		unban(roster, oldest);
	else
		roster_peer_forget(roster, oldest);
}

static void peer_give(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	const uint32_t texts[] = {
		peer->id, peer->agent, peer->version, peer->enr, peer->metadata, peer->sync_status};
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		text_pool_drop(roster->texts, texts[i]);
	roster->n_facts -= peer->facts != NULL;
	free(peer->facts);
	peer->facts = NULL; /* a given record may be looked at by roster_records_fini */
	due_queue_clear(&roster->peer_due, index);
	due_queue_clear(&roster->judge_due, index);
	peer->list = ROSTER_LIST_GIVEN;
	record_pool_give(&roster->peers, index);
}

void roster_peer_forget(struct roster *roster, uint32_t index)
{
	list_leave(roster, index);
	roster_temperature_set(roster, index, TEMPERATURE_COLD);
	hash_index_remove(&roster->peer_index, index);
	peer_give(roster, index);
}

/* Facts */

static void facts_begin(struct roster_facts *facts, const struct roster_peer *peer_or_null)
{
	*facts = (struct roster_facts){.gossip = NAN, .reputation = 0.5, .useful = NAN, .value = NAN};
	peer_tags_init(&facts->tags);
	peer_counters_init(&facts->counters);
	peer_due_disconnected(&facts->due);
	facts->lorachain.signal_dbm = NAN;
	if (peer_or_null == NULL)
		return;
	facts->counters.ok = peer_or_null->ok;
	facts->counters.fail = peer_or_null->fail;
	facts->standing = (struct value_standing){
		peer_or_null->reputation, peer_or_null->streak, peer_or_null->blacklisted};
}

struct roster_facts *roster_facts_obtain(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	if (peer->facts != NULL)
		return peer->facts;
	/* Only who has facts can be due. */
	if (due_queue_reserve_few(&roster->peer_due, index + 1, roster->n_facts + 1) < 0)
		return NULL;
	peer->facts = malloc(sizeof(*peer->facts));
	if (peer->facts == NULL)
		return NULL;
	facts_begin(peer->facts, peer);
	peer->facts->reputation_ms = roster->now_ms;
	if (peer->ok == 0 && peer->fail == 0)
		peer->facts->value = roster_value_start(roster);
	roster->n_facts++;
	return peer->facts;
}

const struct roster_facts *roster_facts_of(const struct roster *roster, uint32_t index)
{
	const struct roster_peer *peer = index != RECORD_NONE ? roster_peer_at(roster, index) : NULL;
	if (peer != NULL && peer->facts != NULL)
		return peer->facts;
	facts_begin(roster->resting, peer);
	return roster->resting;
}

static bool tags_say(const struct peer_tags *tags)
{
	for (unsigned word = 0; word < EVICTION_SUBNET_WORDS; word++)
		if (tags->subnets[word] != 0)
			return true;
	return tags->trusted || tags->is_protected || tags->preferred || tags->light || tags->relay_txs ||
	       tags->category != PEER_CATEGORY_NONE || tags->source != PEER_SOURCE_NODE ||
	       tags->group != TARGET_NO_GROUP || tags->committees != 0;
}

/** What the node said, or what heals only with time. The rest is measured anew at the next connection. */
static bool facts_matter(const struct roster *roster, const struct roster_facts *facts)
{
	const struct counter_policy *policy = &roster->config.profile.counters;
	if (tags_say(&facts->tags) || peer_tags_has_duty(&facts->tags, roster->now_ms))
		return true;
	if (facts->discouraged || facts->has_lorachain || facts->blocks != 0 || facts->is_told)
		return true;
	if (!isnan(facts->gossip) || !isnan(facts->useful) || facts->counters.fetch_ms >= 0.0)
		return true;
	return facts->counters.streak != 0 || facts->counters.circuit.streak != 0 ||
	       circuit_state_at(&facts->counters.circuit, roster->now_ms) != CIRCUIT_CLOSED ||
	       peer_counters_failures(&facts->counters, policy, roster->now_ms) != 0;
}

void roster_facts_settle(struct roster *roster, uint32_t index)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	if (peer->facts == NULL || peer->connections != RECORD_NONE ||
		peer->state.status == PEER_STATUS_DIALING || facts_matter(roster, peer->facts))
		return;
	peer->ok = peer->facts->counters.ok;
	peer->fail = peer->facts->counters.fail;
	const struct value_standing *standing = &peer->facts->standing;
	peer->reputation = standing->reputation;
	peer->streak = (uint16_t)(standing->streak < UINT16_MAX ? standing->streak : UINT16_MAX);
	peer->blacklisted = standing->blacklisted;
	roster_temperature_set(roster, index, TEMPERATURE_COLD);
	due_queue_clear(&roster->peer_due, index);
	free(peer->facts);
	peer->facts = NULL;
	roster->n_facts--;
}

void roster_temperature_set(struct roster *roster, uint32_t index, enum temperature to)
{
	struct roster_peer *peer = roster_peer_at(roster, index);
	enum temperature from = peer->facts != NULL ? peer->facts->temperature.temperature : TEMPERATURE_COLD;
	if (from == to || (to != TEMPERATURE_COLD && roster_facts_obtain(roster, index) == NULL))
		return;
	roster->n_hot -= from == TEMPERATURE_HOT;
	roster->n_warm -= from == TEMPERATURE_WARM;
	roster->n_hot += to == TEMPERATURE_HOT;
	roster->n_warm += to == TEMPERATURE_WARM;
	peer->facts->temperature = (struct temperature_state){to, roster->now_ms};
}

/* Prefixes (DU-6) */

static struct address subnet_of(const struct address *address)
{
	return prefix_of(address, address_is_v4(address) ? SUBNET_V4_LENGTH : SUBNET_V6_LENGTH).address;
}

static uint32_t prefix_find(const struct roster *roster, const struct address *subnet)
{
	uint32_t at = hash_index_first(&roster->prefix_index, hash_address(roster, subnet, 1));
	while (at != RECORD_NONE) {
		const struct roster_prefix *prefix = record_pool_at(&roster->prefixes, at);
		if (address_compare(&prefix->address, subnet) == 0)
			return at;
		at = hash_index_next(&roster->prefix_index, at);
	}
	return RECORD_NONE;
}

void roster_prefix_count(struct roster *roster, const struct address *address, int change)
{
	struct address subnet = subnet_of(address);
	uint32_t at = prefix_find(roster, &subnet);
	if (at == RECORD_NONE) {
		/* Without memory a prefix counts low: its penalty is smaller than it should be, nothing else.
		 */
		if (change < 0 || record_pool_take(&roster->prefixes, &at) < 0)
			return;
		*(struct roster_prefix *)record_pool_at(&roster->prefixes, at) =
			(struct roster_prefix){0, subnet};
		if (hash_index_insert(&roster->prefix_index, hash_address(roster, &subnet, 1), at) < 0) {
			record_pool_give(&roster->prefixes, at);
			return;
		}
	}
	struct roster_prefix *prefix = record_pool_at(&roster->prefixes, at);
	prefix->n += (uint32_t)change;
	if (prefix->n == 0) {
		hash_index_remove(&roster->prefix_index, at);
		prefix->address =
			(struct address){.bytes = {0}}; /* nobody's: whoever walks the pool skips it */
		record_pool_give(&roster->prefixes, at);
	}
}

uint32_t roster_prefix_connected(const struct roster *roster, const struct address *address)
{
	struct address subnet = subnet_of(address);
	uint32_t at = prefix_find(roster, &subnet);
	return at == RECORD_NONE ? 0
				 : ((const struct roster_prefix *)record_pool_at(&roster->prefixes, at))->n;
}

/* Connections */

uint32_t roster_connection_hash(const struct roster *roster, const struct address *address, uint16_t port)
{
	return hash_address(roster, address, (uint64_t)port + 2);
}

uint32_t roster_connection_match(const struct roster *roster, const struct address *address, uint16_t port,
	int inbound, uint8_t service)
{
	uint32_t at =
		hash_index_first(&roster->connection_index, roster_connection_hash(roster, address, port));
	while (at != RECORD_NONE) {
		const struct roster_connection *connection = roster_connection_at(roster, at);
		bool of_service = service == ROSTER_SERVICE_NONE ||
				  connection->service == ROSTER_SERVICE_NONE ||
				  connection->service == service;
		if (connection->port == port && address_compare(&connection->address, address) == 0 &&
			of_service && (inbound < 0 || connection->inbound == (inbound != 0)))
			return at;
		at = hash_index_next(&roster->connection_index, at);
	}
	return RECORD_NONE;
}

uint32_t roster_connection_find(const struct roster *roster, const struct address *address, uint16_t port)
{
	return roster_connection_match(roster, address, port, -1, ROSTER_SERVICE_NONE);
}

uint32_t roster_connection_numbered(const struct roster *roster, uint64_t number)
{
	uint32_t at =
		hash_index_first(&roster->number_index, (uint32_t)keyed_hash_words(&roster->key, number, 0));
	while (at != RECORD_NONE && roster_connection_at(roster, at)->number != number)
		at = hash_index_next(&roster->number_index, at);
	return at;
}

void roster_records_fini(struct roster *roster)
{
	/* A given record has no facts; its first word is a link of the pool. The texts end with the governor.
	 */
	for (uint32_t i = 0; i < roster->peers.high_water; i++)
		free(roster_peer_at(roster, i)->facts);
	record_pool_fini(&roster->peers);
	record_pool_fini(&roster->connections);
	record_pool_fini(&roster->prefixes);
	prefix_tree_fini(&roster->places);
	hash_index_fini(&roster->peer_index);
	hash_index_fini(&roster->connection_index);
	hash_index_fini(&roster->number_index);
	hash_index_fini(&roster->prefix_index);
	due_queue_fini(&roster->connection_due);
	due_queue_fini(&roster->peer_due);
	due_queue_fini(&roster->judge_due);
}
