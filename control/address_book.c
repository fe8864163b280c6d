/* SPDX-License-Identifier: BSD-3-Clause
 * Records of the address book, their orders, their limits and what time does to them (address_book.h). One
 * thread. A record is only changed through book_change: a field that an order compares may never change while
 * the record stands in it.
 */
#include "control/address_book_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/address_rule.h"
#include "control/value_score.h"

enum { CAPACITY_MAX = 10000000 };

#define PURPOSE_BOOK UINT64_C(0x626f6f6b)

#define RETURN_ORDER(a, b) \
	do { \
		if ((a) != (b)) \
			return (a) < (b) ? -1 : 1; \
	} while (0)

static int compare_address(const void *a, const void *b)
{
	const struct book_record *x = a, *y = b;
	int order = address_compare(&x->address, &y->address);
	return order != 0 ? order : (int)x->port - (int)y->port;
}

/** The order of equals: by keyed hash, which no stranger can choose, then by what makes it unique. */
static int compare_hash(const struct book_record *x, const struct book_record *y)
{
	RETURN_ORDER(x->hash, y->hash);
	return compare_address(x, y);
}

int book_order_quality(const void *a, const void *b)
{
	const struct book_record *x = a, *y = b;
	RETURN_ORDER(x->kept, y->kept);
	RETURN_ORDER(x->quality, y->quality);
	RETURN_ORDER(x->last_seen_ms, y->last_seen_ms);
	return compare_hash(x, y);
}

/** Never connected comes before any time of a connection. */
static int compare_age(const void *a, const void *b)
{
	const struct book_record *x = a, *y = b;
	RETURN_ORDER(x->kept, y->kept);
	RETURN_ORDER(x->last_ok_ms != 0, y->last_ok_ms != 0);
	int64_t x_ms = x->last_ok_ms != 0 ? x->last_ok_ms : x->first_seen_ms;
	int64_t y_ms = y->last_ok_ms != 0 ? y->last_ok_ms : y->first_seen_ms;
	RETURN_ORDER(x_ms, y_ms);
	RETURN_ORDER(x->reputation, y->reputation);
	return compare_hash(x, y);
}

static int compare_type(const void *a, const void *b)
{
	const struct book_record *x = a, *y = b;
	RETURN_ORDER(x->type, y->type);
	RETURN_ORDER(x->ready, y->ready);
	RETURN_ORDER(x->failures, y->failures);
	return compare_hash(x, y);
}

static int compare_share(const void *a, const void *b)
{
	const struct book_record *x = a, *y = b;
	RETURN_ORDER(x->routable, y->routable);
	RETURN_ORDER(x->type, y->type);
	RETURN_ORDER(x->over, y->over);
	return compare_hash(x, y);
}

static int compare_connect(const void *a, const void *b)
{
	const struct book_record *x = a, *y = b;
	RETURN_ORDER(y->eligible, x->eligible);
	RETURN_ORDER(x->tier, y->tier);
	RETURN_ORDER(y->score, x->score);
	return compare_hash(x, y);
}

static const rank_compare compares[BOOK_ORDER_COUNT] = {
	[BOOK_ORDER_ADDRESS] = compare_address,
	[BOOK_ORDER_QUALITY] = book_order_quality,
	[BOOK_ORDER_AGE] = compare_age,
	[BOOK_ORDER_TYPE] = compare_type,
	[BOOK_ORDER_SHARE] = compare_share,
	[BOOK_ORDER_CONNECT] = compare_connect,
};

const char *book_verdict_name(enum book_verdict verdict)
{
	static const char *const names[BOOK_VERDICT_COUNT] = {
		[BOOK_ADDED] = "added",
		[BOOK_REFRESHED] = "refreshed",
		[BOOK_REFUSED_PORT] = "port",
		[BOOK_REFUSED_KIND] = "kind",
		[BOOK_REFUSED_OWN] = "own",
		[BOOK_REFUSED_UNVERIFIED] = "unverified",
		[BOOK_REFUSED_SUBNET] = "subnet",
		[BOOK_REFUSED_GROUP] = "group",
		[BOOK_REFUSED_SOURCE] = "source",
		[BOOK_REFUSED_FULL] = "full",
		[BOOK_REFUSED_OFF] = "off",
		[BOOK_REFUSED_MOST] = "most",
		[BOOK_REFUSED_MEMORY] = "memory",
	};
	return (unsigned)verdict < BOOK_VERDICT_COUNT ? names[verdict] : "unknown";
}

void address_book_config_default(struct address_book_config *config)
{
	*config = (struct address_book_config){
		.capacity = 10000, /* SP-6 */
		.subnet = {24, 48, 10},
		.group = {16, 32, 0},
		.backoff = backoff_stellar,
		.counters = counters_stellar,
		.stale_ms = INT64_C(30) * 86400000, /* addrman's horizon */
		.poor_ms = 3600000,
		.poor_attempts = 5,
		.poor_quality = 0.3,
		.gossip_refresh_ms = 3600000,
		.share_failures = 10,
		.ask_max = 10,
		.sticky_ms = 823000,
	};
}

static void orders_init(struct address_book *book)
{
	record_pool_init(&book->records, sizeof(struct book_record));
	for (unsigned i = 0; i < BOOK_ORDER_COUNT; i++)
		rank_tree_init(&book->orders[i], &book->records, compares[i]);
	due_queue_init(&book->due);
	for (uint32_t i = 0; i < book->n_buckets; i++)
		book->buckets[i] = (struct book_bucket){.first = RECORD_NONE};
}

static void orders_fini(struct address_book *book)
{
	for (unsigned i = 0; i < BOOK_ORDER_COUNT; i++)
		rank_tree_fini(&book->orders[i]);
	due_queue_fini(&book->due);
	record_pool_fini(&book->records);
}

int address_book_create(const struct address_book_config *config, const struct address_book_effects *effects,
	struct address_book **ret_book)
{
	if (config->capacity == 0 || config->capacity > CAPACITY_MAX)
		return -EINVAL;
	struct address_book *book = calloc(1, sizeof(*book));
	if (book == NULL)
		return -ENOMEM;
	book->config = *config;
	if (effects != NULL)
		book->effects = *effects;
	book->key = keyed_hash_from_seed(config->seed);
	book->random = keyed_random_from_seed(config->seed, PURPOSE_BOOK);
	book->n_buckets = (config->capacity + BOOK_BUCKET_SIZE - 1) / BOOK_BUCKET_SIZE;
	book->buckets = malloc(book->n_buckets * sizeof(*book->buckets));
	if (book->buckets == NULL) {
		free(book);
		return -ENOMEM;
	}
	orders_init(book);
	*ret_book = book;
	return 0;
}

void address_book_destroy(struct address_book *book)
{
	if (book == NULL)
		return;
	orders_fini(book);
	free(book->buckets);
	free(book);
}

void address_book_clear(struct address_book *book)
{
	orders_fini(book);
	orders_init(book);
	memset(book->of_source, 0, sizeof(book->of_source));
	if (book->effects.cleared != NULL)
		book->effects.cleared(book->effects.context);
}

uint32_t book_find(const struct address_book *book, const struct address *address, uint16_t port)
{
	struct book_record probe = {.address = *address, .port = port};
	return rank_tree_find(&book->orders[BOOK_ORDER_ADDRESS], &probe);
}

const struct book_record *address_book_find(
	const struct address_book *book, const struct book_endpoint *endpoint)
{
	uint32_t index = book_find(book, &endpoint->address, endpoint->port);
	return index == RECORD_NONE ? NULL : book_at(book, index);
}

uint32_t address_book_count(const struct address_book *book)
{
	return book->records.n_used;
}

bool book_is_root(const struct book_record *record)
{
	return peer_category_is_trustable(record->category) || record->category == PEER_CATEGORY_PUBLIC_ROOT;
}

bool book_is_operators(const struct address_book *book, const struct book_record *record)
{
	/* SP-3 and SP-6 know no source: whoever adds addresses may call them configured. What the
	 * configuration file itself lists is a local root or preferred. */
	return record->source == PEER_SOURCE_CONFIG &&
	       (book->config.keeps_configured || record->category == PEER_CATEGORY_LOCAL_ROOT ||
		       record->type == BOOK_TYPE_PREFERRED);
}

static int64_t after_ms(int64_t from_ms, int64_t length_ms)
{
	int64_t end_ms;
	return __builtin_add_overflow(from_ms, length_ms, &end_ms) ? INT64_MAX : end_ms;
}

static bool is_poor(const struct address_book *book, const struct book_record *record)
{
	return book->config.poor_ms != 0 && record->ok + record->fail >= book->config.poor_attempts &&
	       (double)record->quality < book->config.poor_quality;
}

/** When the record is to be forgotten for being old or poor. */
static int64_t forget_ms(const struct address_book *book, const struct book_record *record)
{
	if (record->kept)
		return INT64_MAX;
	int64_t stale_ms = book->config.stale_ms != 0 ? after_ms(record->last_seen_ms, book->config.stale_ms)
						      : INT64_MAX;
	int64_t poor_ms =
		is_poor(book, record) ? after_ms(record->last_try_ms, book->config.poor_ms) : INT64_MAX;
	return stale_ms < poor_ms ? stale_ms : poor_ms;
}

static int64_t halving_ms(const struct address_book *book)
{
	return book->config.counters.clock == FAILURE_CLOCK_HALVING ? book->config.counters.halving_ms : 0;
}

/** Fill in what follows from the other fields at this time. */
static void derive(const struct address_book *book, struct book_record *record, int64_t now_ms)
{
	const struct address_book_config *config = &book->config;
	uint32_t failures = decayed_count_at(&record->decayed, halving_ms(book), now_ms);
	bool trustable = peer_category_is_trustable(record->category);
	struct value_selection_input selection = {.reputation = (double)record->reputation,
		.category = record->category,
		.source = record->source,
		.failures = failures,
		.tip_known = record->tip_known};
	enum address_kind kind = address_kind(&record->address);
	record->quality = (float)value_quality(record->ok, record->fail);
	record->score = (float)value_selection(&selection);
	record->kept = record->connected || record->category == PEER_CATEGORY_LOCAL_ROOT ||
		       book_is_operators(book, record);
	record->ready = record->next_try_ms <= now_ms;
	record->eligible = !record->connected && (record->ready || trustable) &&
			   record->next_try_ms != INT64_MAX && circuit_allows(&record->circuit, now_ms);
	record->tier = trustable ? (config->third_tier && failures >= 3 ? 2 : 0) : 1;
	record->routable =
		address_kind_allowed(kind, false, config->allow_doc) &&
		(!config->share_connected_only || (record->connected && record->type != BOOK_TYPE_INBOUND));
	record->over = record->failures > config->share_failures;
}

/** The next moment at which time alone changes the record. */
static int64_t due_ms(const struct address_book *book, const struct book_record *record, int64_t now_ms)
{
	int64_t due = forget_ms(book, record);
	if (!record->ready && record->next_try_ms < due)
		due = record->next_try_ms;
	int64_t halving = decayed_count_next_ms(&record->decayed, halving_ms(book), now_ms);
	if (halving < due)
		due = halving;
	if (record->circuit.state != CIRCUIT_CLOSED && record->circuit.until_ms > now_ms &&
		record->circuit.until_ms < due)
		due = record->circuit.until_ms;
	return due;
}

void book_enter(struct address_book *book, uint32_t index, int64_t now_ms)
{
	struct book_record *record = book_at(book, index);
	book->of_source[record->source]++;
	derive(book, record, now_ms);
	for (unsigned i = 0; i < BOOK_ORDER_COUNT; i++)
		rank_tree_insert(&book->orders[i], index);
	due_queue_set(&book->due, index, due_ms(book, record, now_ms));
	if (book->effects.changed != NULL)
		book->effects.changed(book->effects.context, record);
}

void book_change(
	struct address_book *book, uint32_t index, struct book_record *next, int64_t now_ms, bool tell)
{
	struct book_record *record = book_at(book, index);
	bool moves[BOOK_ORDER_COUNT];
	derive(book, next, now_ms);
	for (unsigned i = 0; i < BOOK_ORDER_COUNT; i++) {
		moves[i] = compares[i](record, next) != 0;
		if (moves[i])
			rank_tree_remove(&book->orders[i], index);
	}
	book->of_source[record->source]--;
	book->of_source[next->source]++;
	*record = *next;
	for (unsigned i = 0; i < BOOK_ORDER_COUNT; i++)
		if (moves[i])
			rank_tree_insert(&book->orders[i], index);
	due_queue_set(&book->due, index, due_ms(book, record, now_ms));
	if (tell && book->effects.changed != NULL)
		book->effects.changed(book->effects.context, record);
}

void book_drop(struct address_book *book, uint32_t index, const char *why)
{
	struct book_record *record = book_at(book, index);
	for (unsigned i = 0; i < BOOK_ORDER_COUNT; i++)
		rank_tree_remove(&book->orders[i], index);
	due_queue_clear(&book->due, index);
	book_bucket_leave(book, record, index);
	struct book_record gone = *record;
	book->of_source[gone.source]--;
	record_pool_give(&book->records, index);
	if (book->effects.removed != NULL)
		book->effects.removed(book->effects.context, &gone, why);
}

int64_t address_book_next_due_ms(const struct address_book *book)
{
	return due_queue_next_ms(&book->due);
}

bool address_book_advance(struct address_book *book, int64_t now_ms, unsigned budget)
{
	struct due_entry entry;
	for (; due_queue_peek(&book->due, &entry) && entry.due_ms <= now_ms; budget--) {
		if (budget == 0)
			return true;
		const struct book_record *record = book_at(book, entry.item);
		if (forget_ms(book, record) <= now_ms) {
			bool poor = is_poor(book, record);
			*(poor ? &book->stats.poor : &book->stats.stale) += 1;
			book_drop(book, entry.item, poor ? "poor" : "stale");
			continue;
		}
		struct book_record next = *record;
		book_change(book, entry.item, &next, now_ms, false);
	}
	return false;
}

void address_book_stats(const struct address_book *book, struct address_book_stats *ret_stats)
{
	*ret_stats = book->stats;
}
