/* SPDX-License-Identifier: BSD-3-Clause
 * What enters the address book: validation, limits of subnets, groups and sources, and who gives way
 * (address_book.h). One thread. Must not look at more than one bucket of addresses for one entry: whoever
 * sends entries must not choose our work.
 */
#include "control/address_book_internal.h"

#include <string.h>

#include "control/address_rule.h"
#include "control/value_score.h"

/* addrman's proportions: what one source tells can fill a 16th of the buckets, and one group of addresses a
 * 32nd of the book. */
enum { SOURCE_SHARE = 16, GROUP_SHARE = 32, GROUP_LEAST = 64 };

static bool is_own(const struct address_book *book, const struct address *address)
{
	for (size_t i = 0; i < book->n_own; i++)
		if (address_compare(&book->own[i], address) == 0)
			return true;
	return false;
}

/** The family's own prefix length, in bits of the 16-byte form. */
static uint8_t length_of(const struct book_subnet_limit *limit, const struct address *address)
{
	return address_is_v4(address) ? (uint8_t)(PREFIX_V4_BASE + limit->length_v4) : limit->length_v6;
}

static uint32_t count_in(const struct address_book *book, const struct prefix *prefix)
{
	struct book_record first = {.address = prefix->address},
			   last = {.address = prefix->address, .port = UINT16_MAX};
	for (unsigned bit = prefix->length; bit < PREFIX_HOST_LENGTH; bit++)
		last.address.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	const struct rank_tree *order = &book->orders[BOOK_ORDER_ADDRESS];
	/* Port 65535 of the last address itself is counted with the rest. */
	uint32_t end = rank_tree_before(order, &last) + (rank_tree_find(order, &last) != RECORD_NONE);
	return end - rank_tree_before(order, &first);
}

static bool is_crowded(const struct address_book *book, const struct book_subnet_limit *subnet,
	uint32_t limit, const struct address *address)
{
	if (limit == 0 || length_of(subnet, address) > PREFIX_HOST_LENGTH)
		return false;
	struct prefix prefix = prefix_of(address, length_of(subnet, address));
	return count_in(book, &prefix) >= limit;
}

static uint32_t group_limit(const struct address_book_config *config)
{
	uint32_t share = config->capacity / GROUP_SHARE;
	if (config->group.limit != 0)
		return config->group.limit;
	return share > GROUP_LEAST ? share : GROUP_LEAST;
}

static uint64_t hash_prefix(const struct address_book *book, const struct prefix *prefix, uint64_t salt)
{
	uint64_t words[2];
	memcpy(words, prefix->address.bytes, sizeof(words));
	return keyed_hash_words(&book->key, words[0] ^ salt, words[1] ^ prefix->length);
}

void book_bucket_leave(struct address_book *book, struct book_record *next, uint32_t index)
{
	if (next->bucket == RECORD_NONE)
		return;
	struct book_bucket *bucket = &book->buckets[next->bucket];
	if (next->bucket_previous != RECORD_NONE)
		book_at(book, next->bucket_previous)->bucket_next = next->bucket_next;
	if (next->bucket_next != RECORD_NONE)
		book_at(book, next->bucket_next)->bucket_previous = next->bucket_previous;
	if (bucket->first == index)
		bucket->first = next->bucket_next;
	bucket->n--;
	next->bucket = next->bucket_next = next->bucket_previous = RECORD_NONE;
}

static void bucket_enter(struct address_book *book, struct book_record *record, uint32_t index, uint32_t at)
{
	struct book_bucket *bucket = &book->buckets[at];
	record->bucket = at;
	record->bucket_previous = RECORD_NONE;
	record->bucket_next = bucket->first;
	if (bucket->first != RECORD_NONE)
		book_at(book, bucket->first)->bucket_previous = index;
	bucket->first = index;
	bucket->n++;
}

/** The bucket for what `from` says of `address`: one of the few that belong to the group of `from`, by secret
 * hash, so that a stranger neither fills the book nor chooses whose entries he pushes out. */
static uint32_t bucket_of(
	const struct address_book *book, const struct address *address, const struct address *from)
{
	uint32_t own = book->n_buckets / SOURCE_SHARE;
	struct prefix source = prefix_of(from, length_of(&book->config.group, from));
	struct prefix target = prefix_of(address, length_of(&book->config.group, address));
	uint64_t source_hash = hash_prefix(book, &source, 1);
	uint64_t slot = hash_prefix(book, &target, source_hash) % (own != 0 ? own : 1);
	return (uint32_t)(keyed_hash_words(&book->key, source_hash, slot) % book->n_buckets);
}

/** Make room in a full bucket by dropping its weakest, if that is worse than an address of which nothing is
 * known. */
static bool bucket_make_room(struct address_book *book, uint32_t at)
{
	if (book->buckets[at].n < BOOK_BUCKET_SIZE)
		return true;
	uint32_t weakest = RECORD_NONE;
	for (uint32_t i = book->buckets[at].first; i != RECORD_NONE; i = book_at(book, i)->bucket_next)
		if (!book_at(book, i)->kept &&
			(weakest == RECORD_NONE ||
				book_order_quality(book_at(book, i), book_at(book, weakest)) < 0))
			weakest = i;
	if (weakest == RECORD_NONE || (double)book_at(book, weakest)->quality >= value_quality(0, 0))
		return false;
	book->stats.evicted++;
	book_drop(book, weakest, "source");
	return true;
}

/** SP-6: at capacity the lowest quality goes, the one seen longest ago among equals. */
static bool make_room(struct address_book *book)
{
	while (book->records.n_used >= book->config.capacity) {
		uint32_t weakest = rank_tree_at(&book->orders[BOOK_ORDER_QUALITY], 0);
		if (weakest == RECORD_NONE || book_at(book, weakest)->kept)
			return false;
		book->stats.evicted++;
		book_drop(book, weakest, "capacity");
	}
	return true;
}

static enum book_verdict judge(const struct address_book *book, const struct book_entry *entry)
{
	const struct address_book_config *config = &book->config;
	if (entry->port == 0 || entry->port > UINT16_MAX)
		return BOOK_REFUSED_PORT;
	if (!address_kind_allowed(address_kind(&entry->address), config->allow_private, config->allow_doc))
		return BOOK_REFUSED_KIND;
	if (is_own(book, &entry->address))
		return BOOK_REFUSED_OWN;
	if ((config->sources_off >> entry->source & 1) != 0)
		return BOOK_REFUSED_OFF;
	if (config->source_most[entry->source] != 0 &&
		book->of_source[entry->source] >= config->source_most[entry->source])
		return BOOK_REFUSED_MOST;
	if (config->require_verified && !entry->verified)
		return BOOK_REFUSED_UNVERIFIED;
	/* SP-3: before eviction, so a full subnet is refused even when the book has room; what the operator
	 * wrote is not counted out. */
	struct book_record probe = {.source = (uint8_t)entry->source,
		.category = (uint8_t)entry->category,
		.type = (uint8_t)entry->type};
	if (book_is_operators(book, &probe))
		return BOOK_ADDED;
	if (is_crowded(book, &config->subnet, config->subnet.limit, &entry->address))
		return BOOK_REFUSED_SUBNET;
	if (is_crowded(book, &config->group, group_limit(config), &entry->address))
		return BOOK_REFUSED_GROUP;
	return BOOK_ADDED;
}

static void insert(struct address_book *book, uint32_t index, const struct book_entry *entry, int64_t seen_ms,
	int64_t now_ms)
{
	struct book_record *record = book_at(book, index);
	uint64_t words[2];
	memcpy(words, entry->address.bytes, sizeof(words));
	*record = (struct book_record){.address = entry->address,
		.port = (uint16_t)entry->port,
		.type = (uint8_t)entry->type,
		.category = (uint8_t)entry->category,
		.source = (uint8_t)entry->source,
		.verified = entry->verified,
		.first_seen_ms = seen_ms,
		.last_seen_ms = seen_ms,
		.next_try_ms = now_ms,
		.reputation = 0.5f,
		.bucket = RECORD_NONE,
		.bucket_next = RECORD_NONE,
		.bucket_previous = RECORD_NONE,
		.hash = (uint32_t)keyed_hash_words(
			&book->key, words[0] ^ (UINT64_C(2) << 56 | entry->port), words[1])};
	if (entry->from != NULL)
		bucket_enter(book, record, index, bucket_of(book, &entry->address, entry->from));
	book_enter(book, index, now_ms);
}

static enum book_verdict add_new(
	struct address_book *book, const struct book_entry *entry, int64_t seen_ms, int64_t now_ms)
{
	enum book_verdict verdict = judge(book, entry);
	if (verdict != BOOK_ADDED)
		return verdict;
	if (entry->from != NULL && !bucket_make_room(book, bucket_of(book, &entry->address, entry->from)))
		return BOOK_REFUSED_SOURCE;
	if (!make_room(book))
		return BOOK_REFUSED_FULL;
	uint32_t index;
	if (record_pool_take(&book->records, &index) < 0)
		return BOOK_REFUSED_MEMORY;
	int r = due_queue_reserve(&book->due, book->records.high_water);
	for (unsigned i = 0; r == 0 && i < BOOK_ORDER_COUNT; i++)
		r = rank_tree_reserve(&book->orders[i], book->records.high_water);
	if (r < 0) {
		record_pool_give(&book->records, index);
		return BOOK_REFUSED_MEMORY;
	}
	insert(book, index, entry, seen_ms, now_ms);
	return BOOK_ADDED;
}

/** SP-10, LO-1: a known address is only seen again; the node itself may say what it is. */
static void refresh(struct address_book *book, uint32_t index, const struct book_entry *entry,
	int64_t seen_ms, int64_t now_ms)
{
	struct book_record next = *book_at(book, index);
	int64_t rest_ms = entry->from != NULL ? book->config.gossip_refresh_ms : 0;
	bool said = entry->from == NULL && (entry->category != PEER_CATEGORY_NONE || entry->verified);
	if (seen_ms - next.last_seen_ms > rest_ms)
		next.last_seen_ms = seen_ms;
	else if (!said)
		return;
	if (said && entry->category != PEER_CATEGORY_NONE)
		next.category = (uint8_t)entry->category;
	next.verified = next.verified || entry->verified;
	book_change(book, index, &next, now_ms, true);
}

enum book_verdict address_book_add(struct address_book *book, const struct book_entry *entry, int64_t now_ms)
{
	int64_t seen_ms = entry->seen_ms == 0 || entry->seen_ms > now_ms ? now_ms : entry->seen_ms;
	enum book_verdict verdict = BOOK_REFRESHED;
	uint32_t index = entry->port <= UINT16_MAX ? book_find(book, &entry->address, (uint16_t)entry->port)
						   : RECORD_NONE;
	if (index != RECORD_NONE)
		refresh(book, index, entry, seen_ms, now_ms);
	else
		verdict = add_new(book, entry, seen_ms, now_ms);
	book->stats.verdicts[verdict]++;
	return verdict;
}

void address_book_reconfigure(struct address_book *book, const struct address_book_config *config)
{
	uint64_t seed = book->config.seed;
	book->config = *config;
	book->config.seed = seed;
	/* make_room leaves one place: a reload is no new address. */
	book->config.capacity++;
	(void)make_room(book);
	book->config.capacity--;
}

void address_book_set_own(struct address_book *book, const struct address *addresses, size_t n)
{
	book->n_own = n < BOOK_OWN_MAX ? n : BOOK_OWN_MAX;
	memcpy(book->own, addresses, book->n_own * sizeof(*addresses));
	for (size_t i = 0; i < book->n_own; i++) {
		struct book_record probe = {.address = book->own[i]};
		uint32_t rank = rank_tree_before(&book->orders[BOOK_ORDER_ADDRESS], &probe);
		uint32_t index = rank_tree_at(&book->orders[BOOK_ORDER_ADDRESS], rank);
		while (index != RECORD_NONE &&
			address_compare(&book_at(book, index)->address, &book->own[i]) == 0) {
			book_drop(book, index, "own");
			index = rank_tree_at(&book->orders[BOOK_ORDER_ADDRESS], rank);
		}
	}
}
