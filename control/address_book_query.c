/* SPDX-License-Identifier: BSD-3-Clause
 * The address book's answers (address_book.h; policy.md SP-7, HE-9, HE-11, DU-7, V37). One thread. Work is
 * bounded by the length of the answer and of the exclusions, never by the number of addresses.
 */
#include "control/address_book_internal.h"
#include "control/moment.h"

#include <stdlib.h>
#include <string.h>

/* Items taken or excluded: at most BOOK_ANSWER_MAX of each, so the set is never more than half full. */
enum { SET_SLOTS = 4096, SHARE_LOOK_MAX = 2 * BOOK_ANSWER_MAX, SHARE_NEAR = 16 };
struct item_set {
	uint32_t slots[SET_SLOTS];
};

static void set_init(struct item_set *set)
{
	memset(set->slots, 0xff, sizeof(set->slots)); /* RECORD_NONE everywhere */
}

/** True if it was not there. */
static bool set_add(struct item_set *set, uint32_t item)
{
	uint32_t at = item * UINT32_C(2654435761) >>
		      20; /* Fibonacci hashing to 12 bits; items are indices that we gave */
	while (set->slots[at] != RECORD_NONE) {
		if (set->slots[at] == item)
			return false;
		at = (at + 1) % SET_SLOTS;
	}
	set->slots[at] = item;
	return true;
}

static bool set_has(const struct item_set *set, uint32_t item)
{
	uint32_t at = item * UINT32_C(2654435761) >> 20;
	while (set->slots[at] != RECORD_NONE && set->slots[at] != item)
		at = (at + 1) % SET_SLOTS;
	return set->slots[at] == item;
}

static void set_exclude(
	const struct address_book *book, struct item_set *set, const struct book_exclude *exclude)
{
	set_init(set);
	for (size_t i = 0; exclude != NULL && i < exclude->n && i < BOOK_ANSWER_MAX; i++) {
		uint32_t index = book_find(book, &exclude->endpoints[i].address, exclude->endpoints[i].port);
		if (index != RECORD_NONE)
			(void)set_add(set, index);
	}
}

static struct book_endpoint endpoint_of(const struct address_book *book, uint32_t index)
{
	const struct book_record *record = book_at(book, index);
	return (struct book_endpoint){.address = record->address, .port = record->port};
}

/** The better of the last of two ranges: kept records are ordered apart. Moves that range's end. */
static uint32_t take_better(
	const struct address_book *book, uint32_t *plain, uint32_t *kept, uint32_t kept_first)
{
	const struct rank_tree *order = &book->orders[BOOK_ORDER_QUALITY];
	uint32_t a = *plain > 0 ? rank_tree_at(order, *plain - 1) : RECORD_NONE;
	uint32_t b = *kept > kept_first ? rank_tree_at(order, *kept - 1) : RECORD_NONE;
	if (b == RECORD_NONE ||
		(a != RECORD_NONE &&
			(book_at(book, a)->quality > book_at(book, b)->quality ||
				(book_at(book, a)->quality == book_at(book, b)->quality &&
					book_at(book, a)->last_seen_ms > book_at(book, b)->last_seen_ms)))) {
		*plain -= a != RECORD_NONE;
		return a;
	}
	(*kept)--;
	return b;
}

size_t address_book_best(struct address_book *book, size_t n, const struct book_exclude *exclude,
	int64_t now_ms, struct book_endpoint *ret_endpoints)
{
	struct item_set excluded;
	(void)address_book_advance(book, now_ms, BOOK_QUERY_BUDGET);
	set_exclude(book, &excluded, exclude);
	struct book_record first_kept = {.kept = true, .quality = -1.0f};
	uint32_t kept_first = rank_tree_before(&book->orders[BOOK_ORDER_QUALITY], &first_kept);
	uint32_t plain = kept_first, kept = rank_tree_count(&book->orders[BOOK_ORDER_QUALITY]);
	size_t found = 0;
	while (found < n && found < BOOK_ANSWER_MAX) {
		uint32_t index = take_better(book, &plain, &kept, kept_first);
		if (index == RECORD_NONE)
			break;
		if (!set_has(&excluded, index))
			ret_endpoints[found++] = endpoint_of(book, index);
	}
	return found;
}

/** A run of ranks in an order. */
struct range {
	uint32_t first, n;
};

static struct range range_between(
	const struct rank_tree *order, const struct book_record *from, const struct book_record *to)
{
	uint32_t first = rank_tree_before(order, from);
	return (struct range){first, rank_tree_before(order, to) - first};
}

/** The ranges of BOOK_ORDER_TYPE that match; at most six. Returns how many records they hold. */
static uint32_t ranges_of(const struct address_book *book, enum book_filter filter, bool ready,
	uint32_t max_failures, struct range ranges[BOOK_TYPE_COUNT * 2])
{
	static const uint8_t types_of[] = {
		[BOOK_FILTER_ANY_OUTBOUND] = 1 << BOOK_TYPE_OUTBOUND | 1 << BOOK_TYPE_PREFERRED,
		[BOOK_FILTER_INBOUND] = 1 << BOOK_TYPE_INBOUND,
		[BOOK_FILTER_OUTBOUND] = 1 << BOOK_TYPE_OUTBOUND,
		[BOOK_FILTER_PREFERRED] = 1 << BOOK_TYPE_PREFERRED,
		[BOOK_FILTER_ANY] =
			1 << BOOK_TYPE_INBOUND | 1 << BOOK_TYPE_OUTBOUND | 1 << BOOK_TYPE_PREFERRED,
	};
	uint32_t all = 0;
	for (unsigned i = 0; i < BOOK_TYPE_COUNT * 2; i++) {
		ranges[i] = (struct range){0};
		if ((types_of[filter] >> i / 2 & 1) == 0 || (ready && i % 2 == 0))
			continue;
		struct book_record from = {.type = (uint8_t)(i / 2), .ready = i % 2 == 1}, to = from;
		if (max_failures != UINT32_MAX)
			to.failures = max_failures + 1;
		else if (i % 2 == 0)
			to.ready = true;
		else
			to.type++, to.ready = false;
		ranges[i] = range_between(&book->orders[BOOK_ORDER_TYPE], &from, &to);
		all += ranges[i].n;
	}
	return all;
}

size_t address_book_random(struct address_book *book, size_t n, enum book_filter filter, bool ready,
	uint32_t max_failures, int64_t now_ms, struct book_endpoint *ret_endpoints)
{
	struct range ranges[BOOK_TYPE_COUNT * 2];
	struct item_set taken;
	uint32_t picks[BOOK_ANSWER_MAX];
	(void)address_book_advance(book, now_ms, BOOK_QUERY_BUDGET);
	uint32_t all = ranges_of(book, filter, ready, max_failures, ranges);
	uint32_t wanted = n < BOOK_ANSWER_MAX ? (uint32_t)n : BOOK_ANSWER_MAX;
	if (wanted > all)
		wanted = all;
	set_init(&taken);
	/* Floyd's sampling: each set of `wanted` ranks is equally likely, with one draw a member. */
	for (uint32_t i = 0; i < wanted; i++) {
		uint32_t last = all - wanted + i;
		uint32_t pick = (uint32_t)keyed_random_below(&book->random, (uint64_t)last + 1);
		if (!set_add(&taken, pick)) {
			pick = last;
			(void)set_add(&taken, pick);
		}
		picks[i] = pick;
	}
	keyed_random_shuffle(&book->random, picks, wanted);
	for (uint32_t i = 0; i < wanted; i++) {
		uint32_t rank = picks[i], at = 0;
		while (rank >= ranges[at].n)
			rank -= ranges[at++].n;
		ret_endpoints[i] = endpoint_of(
			book, rank_tree_at(&book->orders[BOOK_ORDER_TYPE], ranges[at].first + rank));
	}
	return wanted;
}

/** One request of to_send, while it is answered. */
struct sharing {
	struct item_set skip;        /* excluded, or taken already */
	struct keyed_hash secret;    /* of this asker and period */
	const struct address *asker; /* does not want himself */
	uint32_t max_failures;
	size_t wanted, found;
	struct book_endpoint *endpoints;
};

static bool share_suits(const struct address_book *book, const struct sharing *sharing, uint32_t index)
{
	const struct book_record *record = book_at(book, index);
	return record->failures <= sharing->max_failures && !set_has(&sharing->skip, index) &&
	       (sharing->asker == NULL || address_compare(&record->address, sharing->asker) != 0);
}

static void share_take(const struct address_book *book, struct sharing *sharing, uint32_t index)
{
	(void)set_add(&sharing->skip, index);
	sharing->endpoints[sharing->found++] = endpoint_of(book, index);
}

static uint64_t lot_of(const struct address_book *book, const struct sharing *sharing, uint32_t index)
{
	return keyed_hash_words(&sharing->secret, book_at(book, index)->hash, index);
}

struct share_candidate {
	uint64_t lot;
	uint32_t index;
};

static int compare_lots(const void *a, const void *b)
{
	const struct share_candidate *x = a, *y = b;
	return x->lot < y->lot ? -1 : x->lot > y->lot;
}

/** All of a range that is small enough to look at, in the order of lots that each address draws for this
 * answer. An address that comes or goes changes nobody else's lot: who asks again gets the same answer,
 * without anything being remembered. */
static void share_all(const struct address_book *book, struct sharing *sharing, struct range range)
{
	struct share_candidate candidates[SHARE_LOOK_MAX];
	for (uint32_t i = 0; i < range.n; i++) {
		uint32_t index = rank_tree_at(&book->orders[BOOK_ORDER_SHARE], range.first + i);
		candidates[i].index = index;
		candidates[i].lot = lot_of(book, sharing, index);
	}
	qsort(candidates, range.n, sizeof(candidates[0]), compare_lots);
	for (uint32_t i = 0; i < range.n && sharing->found < sharing->wanted; i++)
		if (share_suits(book, sharing, candidates[i].index))
			share_take(book, sharing, candidates[i].index);
}

/** Some of a large range: for each of some points in the order of hashes, the lowest lot among the records
 * that follow it. Here too an address that comes or goes changes only its own neighbourhood. Several records
 * a point, because the one that follows a point is often the one after a wide gap. */
static void share_points(const struct address_book *book, struct sharing *sharing,
	const struct book_record *class, struct range range)
{
	const struct rank_tree *order = &book->orders[BOOK_ORDER_SHARE];
	/* A point finds nothing only where everything near it is taken or excluded. */
	uint64_t points = 4 * (uint64_t)sharing->wanted;
	for (uint64_t i = 0; i < points && sharing->found < sharing->wanted; i++) {
		struct book_record point = *class;
		point.hash = (uint32_t)keyed_hash_words(&sharing->secret, i, class->type);
		uint32_t at = rank_tree_before(order, &point) - range.first, chosen = RECORD_NONE;
		for (uint32_t near = 0; near < SHARE_NEAR; near++) {
			uint32_t index = rank_tree_at(order, range.first + (at + near) % range.n);
			if (share_suits(book, sharing, index) &&
				(chosen == RECORD_NONE ||
					lot_of(book, sharing, index) < lot_of(book, sharing, chosen)))
				chosen = index;
		}
		if (chosen != RECORD_NONE)
			share_take(book, sharing, chosen);
	}
}

static void share_class(
	const struct address_book *book, struct sharing *sharing, enum book_type type, bool over)
{
	struct book_record from = {.routable = true, .type = (uint8_t)type, .over = over}, to = from;
	if (over)
		to.type++, to.over = false;
	else
		to.over = true;
	struct range range = range_between(&book->orders[BOOK_ORDER_SHARE], &from, &to);
	if (range.n == 0)
		return;
	/* Up to this many the whole range is looked at, so that few addresses are never missed by unlucky
	 * points. */
	if (range.n <= SHARE_LOOK_MAX)
		share_all(book, sharing, range);
	else
		share_points(book, sharing, &from, range);
}

/** The secret of an answer: of the asker's group and the period, or of nobody and this moment only. */
static struct keyed_hash share_secret(struct address_book *book, const struct address *asker, int64_t now_ms)
{
	if (asker == NULL || book->config.sticky_ms == 0)
		return (struct keyed_hash){
			keyed_random_next(&book->random), keyed_random_next(&book->random)};
	/* By /24 and /48: asking again from the neighbouring address gives nothing new. */
	struct prefix prefix = prefix_of(asker, address_is_v4(asker) ? PREFIX_V4_BASE + 24 : 48);
	uint64_t words[2], period = (uint64_t)(moment_tell(now_ms) / book->config.sticky_ms);
	memcpy(words, prefix.address.bytes, sizeof(words));
	uint64_t who = keyed_hash_words(&book->key, words[0], words[1]);
	return (struct keyed_hash){
		keyed_hash_words(&book->key, who, period), keyed_hash_words(&book->key, who, ~period)};
}

size_t address_book_to_send(struct address_book *book, size_t n, const struct book_exclude *exclude,
	const struct address *asker, uint32_t max_failures, int64_t now_ms,
	struct book_endpoint *ret_endpoints)
{
	struct sharing sharing = {.max_failures = max_failures, .asker = asker, .endpoints = ret_endpoints};
	(void)address_book_advance(book, now_ms, BOOK_QUERY_BUDGET);
	sharing.wanted = n < BOOK_ANSWER_MAX ? n : BOOK_ANSWER_MAX;
	/* No share of the book besides: V28 gives who is named as asker all of a small book, but himself. */
	if (asker != NULL && sharing.wanted > book->config.ask_max)
		sharing.wanted = book->config.ask_max;
	set_exclude(book, &sharing.skip, exclude);
	sharing.secret = share_secret(book, asker, now_ms);
	for (int type = BOOK_TYPE_PREFERRED; type >= BOOK_TYPE_INBOUND; type--)
		for (unsigned over = 0; over <= (max_failures > book->config.share_failures); over++)
			if (sharing.found < sharing.wanted)
				share_class(book, &sharing, (enum book_type)type, over);
	return sharing.found;
}

size_t address_book_to_connect(
	struct address_book *book, size_t n, int64_t now_ms, struct book_target *ret_targets)
{
	const struct rank_tree *order = &book->orders[BOOK_ORDER_CONNECT];
	size_t found = 0;
	(void)address_book_advance(book, now_ms, BOOK_QUERY_BUDGET);
	while (found < n && found < BOOK_ANSWER_MAX) {
		uint32_t index = rank_tree_at(order, (uint32_t)found);
		if (index == RECORD_NONE || !book_at(book, index)->eligible)
			break;
		const struct book_record *record = book_at(book, index);
		ret_targets[found++] = (struct book_target){.endpoint = endpoint_of(book, index),
			.tier = record->tier,
			.score = (double)record->score};
	}
	return found;
}

size_t address_book_coldest(
	struct address_book *book, size_t n, int64_t now_ms, struct book_endpoint *ret_endpoints)
{
	const struct rank_tree *order = &book->orders[BOOK_ORDER_AGE];
	size_t found = 0;
	(void)address_book_advance(book, now_ms, BOOK_QUERY_BUDGET);
	while (found < n && found < BOOK_ANSWER_MAX) {
		uint32_t index = rank_tree_at(order, (uint32_t)found);
		if (index == RECORD_NONE || book_at(book, index)->kept)
			break;
		ret_endpoints[found++] = endpoint_of(book, index);
	}
	return found;
}

size_t address_book_list(const struct address_book *book, size_t n, const struct book_endpoint *after,
	const struct book_record **ret_records)
{
	const struct rank_tree *order = &book->orders[BOOK_ORDER_ADDRESS];
	uint32_t rank = 0;
	if (after != NULL) {
		struct book_record probe = {.address = after->address, .port = after->port};
		rank = rank_tree_before(order, &probe) + (rank_tree_find(order, &probe) != RECORD_NONE);
	}
	size_t found = 0;
	while (found < n && found < BOOK_ANSWER_MAX) {
		uint32_t index = rank_tree_at(order, rank++);
		if (index == RECORD_NONE)
			break;
		ret_records[found++] = book_at(book, index);
	}
	return found;
}
