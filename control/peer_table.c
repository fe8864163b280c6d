/* SPDX-License-Identifier: BSD-3-Clause
 * Records of proven sources and bound peers (peer_table.h). One thread. Must not judge: it stores and finds.
 */
#include "control/peer_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Doubled up to GOVERNOR_HISTORY. */
enum { HISTORY_PLACES_MIN = 4 };
_Static_assert(GOVERNOR_HISTORY == HISTORY_PLACES_MIN << 3, "doubling ends there");

/* A record's place in the order of forgetting may lag this much behind its last activity. */
enum { FORGET_SLACK_MS = 60000 };

int peer_table_init(struct peer_table *table, const struct keyed_hash *key, struct text_pool *texts)
{
	*table = (struct peer_table){.key = *key, .texts = texts};
	record_pool_init(&table->records, sizeof(struct peer_record));
	due_queue_init(&table->forget);
	int r = hash_index_init(&table->index);
	if (r == 0)
		r = hash_index_init(&table->bound);
	return r;
}

/* A freed record keeps its last words but the first; last_seen_ms < 0 says that it is free. */
static bool is_live(const struct peer_record *peer)
{
	return peer->last_seen_ms >= 0;
}

void peer_table_fini(struct peer_table *table)
{
	for (uint32_t i = 0; i < table->records.high_water; i++) {
		struct peer_record *peer = peer_table_at(table, i);
		if (is_live(peer)) {
			free(peer->windows);
			free(peer->history);
		}
	}
	record_pool_fini(&table->records);
	hash_index_fini(&table->index);
	hash_index_fini(&table->bound);
	due_queue_fini(&table->forget);
}

struct prefix host_prefix(const struct address *address)
{
	return prefix_of(address, address_is_v4(address) ? PREFIX_HOST_LENGTH : PREFIX_V6_SITE_LENGTH);
}

static uint32_t hash_address(const struct peer_table *table, const struct address *address, uint64_t salt)
{
	uint64_t words[2];
	memcpy(words, address->bytes, sizeof(words));
	return (uint32_t)keyed_hash_words(&table->key, words[0] ^ salt, words[1]);
}

/* Ids, hosts and bound endpoints are hashed apart: an id's number is salted with a bit that no address salt has. */
static uint32_t hash_id(const struct peer_table *table, uint32_t id)
{
	return (uint32_t)keyed_hash_words(&table->key, id, UINT64_C(1) << 63);
}

static uint64_t salt_of_port(uint16_t port)
{
	return UINT64_C(0xb0) << 56 | port;
}

uint32_t peer_table_find_host(const struct peer_table *table, const struct address *address)
{
	struct prefix host = host_prefix(address);
	uint32_t at = hash_index_first(&table->index, hash_address(table, &host.address, 0));
	while (at != RECORD_NONE) {
		const struct peer_record *peer = peer_table_at(table, at);
		if (peer->id == RECORD_NONE && address_compare(&peer->address, &host.address) == 0)
			return at;
		at = hash_index_next(&table->index, at);
	}
	return RECORD_NONE;
}

uint32_t peer_table_find_id(const struct peer_table *table, const char *id)
{
	uint32_t text = text_pool_find(table->texts, id);
	if (text == RECORD_NONE)
		return RECORD_NONE;
	uint32_t at = hash_index_first(&table->index, hash_id(table, text));
	while (at != RECORD_NONE && peer_table_at(table, at)->id != text)
		at = hash_index_next(&table->index, at);
	return at;
}

uint32_t peer_table_find_bound(const struct peer_table *table, const struct address *address, uint16_t port)
{
	uint32_t at = hash_index_first(&table->bound, hash_address(table, address, salt_of_port(port)));
	while (at != RECORD_NONE) {
		const struct peer_record *peer = peer_table_at(table, at);
		if (peer->port == port && address_compare(&peer->address, address) == 0)
			return at;
		at = hash_index_next(&table->bound, at);
	}
	return RECORD_NONE;
}

int peer_table_add(struct peer_table *table, const char *id, const struct address *address, uint32_t *ret_index)
{
	uint32_t index;
	int r = record_pool_take(&table->records, &index);
	if (r < 0)
		return r;
	struct peer_record *peer = peer_table_at(table, index);
	peer->id = RECORD_NONE;
	peer->agent = RECORD_NONE;
	peer->group = RECORD_NONE;
	peer->rtt_ms = -1.0;
	peer->last_over_rate_ms = INT64_MIN;
	peer->forget_ms = GOVERNOR_NEVER_MS;
	uint32_t hash;
	r = due_queue_reserve(&table->forget, table->records.high_water);
	if (r == 0 && id != NULL) {
		r = text_pool_hold(table->texts, id, &peer->id);
		hash = hash_id(table, peer->id);
	} else {
		peer->address = host_prefix(address).address;
		hash = hash_address(table, &peer->address, 0);
	}
	if (r == 0)
		r = hash_index_insert(&table->index, hash, index);
	if (r < 0) {
		text_pool_drop(table->texts, peer->id);
		peer->last_seen_ms = -1;
		record_pool_give(&table->records, index);
		return r;
	}
	table->n_ids += id != NULL;
	*ret_index = index;
	return 0;
}

static void history_free(struct peer_table *table, struct peer_record *peer)
{
	if (peer->history == NULL)
		return;
	for (unsigned i = 0; i < peer->history->n; i++)
		text_pool_drop(table->texts, peer->history->changes[i].why);
	free(peer->history);
}

void peer_table_remove(struct peer_table *table, uint32_t index)
{
	struct peer_record *peer = peer_table_at(table, index);
	due_queue_clear(&table->forget, index);
	hash_index_remove(&table->index, index);
	if (peer->bound)
		hash_index_remove(&table->bound, index);
	history_free(table, peer);
	free(peer->windows);
	table->n_ids -= peer->id != RECORD_NONE;
	text_pool_drop(table->texts, peer->id);
	text_pool_drop(table->texts, peer->agent);
	peer->last_seen_ms = -1;
	record_pool_give(&table->records, index);
}

int peer_table_bind(struct peer_table *table, uint32_t index, const struct address *address, uint16_t port)
{
	struct peer_record *peer = peer_table_at(table, index);
	if (peer->bound)
		hash_index_remove(&table->bound, index);
	/* An endpoint belongs to the id that was bound to it last. */
	uint32_t other = peer_table_find_bound(table, address, port);
	if (other != RECORD_NONE && other != index) {
		hash_index_remove(&table->bound, other);
		peer_table_at(table, other)->bound = false;
	}
	peer->address = *address;
	peer->port = port;
	peer->seen = true;
	int r = hash_index_insert(&table->bound, hash_address(table, address, salt_of_port(port)), index);
	peer->bound = r == 0;
	return r;
}

void peer_table_forget_at(struct peer_table *table, uint32_t index, int64_t forget_ms)
{
	struct peer_record *peer = peer_table_at(table, index);
	bool queued = peer->forget_ms != GOVERNOR_NEVER_MS;
	if (queued && forget_ms >= peer->forget_ms && forget_ms - peer->forget_ms < FORGET_SLACK_MS)
		return;
	peer->forget_ms = forget_ms;
	due_queue_set(&table->forget, index, forget_ms);
}

bool peer_window_add(struct peer_window *window, unsigned threshold, int64_t length_ms, int64_t now_ms)
{
	window->times_ms[window->at] = now_ms;
	window->at = (uint8_t)((window->at + 1) % threshold);
	if (window->n < threshold)
		window->n++;
	if (window->n < threshold)
		return false;
	/* The place that would be overwritten next is the oldest of the last `threshold` reports. */
	if (window->times_ms[window->at] <= now_ms - length_ms)
		return false;
	*window = (struct peer_window){0};
	return true;
}

/** Room for one more; a ring that is not at its full length has not turned yet, so it grows at its end. */
static bool history_reserve(struct peer_record *peer)
{
	unsigned places = peer->history == NULL ? 0 : peer->history->places;
	if (places == GOVERNOR_HISTORY || (places != 0 && peer->history->n < places))
		return true;
	unsigned more = places == 0 ? HISTORY_PLACES_MIN : 2 * places;
	struct peer_history *history =
		realloc(peer->history, sizeof(*history) + more * sizeof(history->changes[0]));
	if (history == NULL)
		return false;
	if (places == 0)
		*history = (struct peer_history){0};
	history->places = (uint8_t)more;
	peer->history = history;
	return true;
}

void peer_history_add(struct peer_table *table, uint32_t index, const struct peer_change *change, const char *why)
{
	struct peer_record *peer = peer_table_at(table, index);
	if (!history_reserve(peer))
		return;
	uint32_t text;
	if (text_pool_hold(table->texts, why, &text) < 0)
		text = RECORD_NONE;
	struct peer_history *history = peer->history;
	struct peer_change *slot = &history->changes[history->at];
	if (history->n == GOVERNOR_HISTORY)
		text_pool_drop(table->texts, slot->why);
	else
		history->n++;
	*slot = *change;
	slot->why = text;
	history->at = (uint8_t)((history->at + 1) % GOVERNOR_HISTORY);
}
