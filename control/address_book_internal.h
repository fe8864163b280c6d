/* SPDX-License-Identifier: BSD-3-Clause
 * What the address book's files share; nobody else includes it. One thread. address_book.c owns records,
 * their orders and time, address_book_add.c what enters, address_book_update.c outcomes and types,
 * address_book_query.c answers.
 */
#ifndef WEIR_CONTROL_ADDRESS_BOOK_INTERNAL_H
#define WEIR_CONTROL_ADDRESS_BOOK_INTERNAL_H

#include "control/address_book.h"
#include "control/due_queue.h"
#include "control/keyed_random.h"
#include "control/rank_tree.h"

/* Each order serves one kind of question; compare functions in address_book.c. */
enum book_order {
	BOOK_ORDER_ADDRESS, /* address, port: finding, listing, counting a subnet */
	BOOK_ORDER_QUALITY, /* kept, quality, last seen: the weakest and the best */
	BOOK_ORDER_AGE,     /* kept, last success, reputation: the coldest */
	BOOK_ORDER_TYPE,    /* type, ready, failures: random selection, removal by failures */
	BOOK_ORDER_SHARE,   /* routable, type, over: what strangers get */
	BOOK_ORDER_CONNECT, /* eligible, tier, score: whom to dial */
	BOOK_ORDER_COUNT,
};

/* A query first lets time pass for at most so many records, so that a pile of due ones cannot delay its
 * answer. */
enum { BOOK_OWN_MAX = 64, BOOK_BUCKET_SIZE = 64, BOOK_QUERY_BUDGET = 4096 };

struct book_bucket {
	uint32_t first, n;
};

struct address_book {
	struct address_book_config config;
	struct address_book_effects effects;
	struct record_pool records;
	struct rank_tree orders[BOOK_ORDER_COUNT];
	struct due_queue due;
	struct keyed_hash key;
	struct keyed_random random;
	struct book_bucket *buckets; /* of what strangers told us and nobody tried with success */
	uint32_t n_buckets;
	uint32_t of_source[PEER_SOURCE_COUNT]; /* how many are known */
	struct address own[BOOK_OWN_MAX];
	size_t n_own;
	struct address_book_stats stats;
};

static inline struct book_record *book_at(const struct address_book *book, uint32_t index)
{
	return record_pool_at(&book->records, index);
}

/** BOOK_ORDER_QUALITY, for whoever looks for the weakest of a few. */
int book_order_quality(const void *a, const void *b);
/** RECORD_NONE if unknown. */
uint32_t book_find(const struct address_book *book, const struct address *address, uint16_t port);
/** A new record, filled in but for what follows from its fields, takes its place in the orders; room was
 * reserved. */
void book_enter(struct address_book *book, uint32_t index, int64_t now_ms);
/** Replace a record's fields: derive what follows from them, move it in the orders that it moves in, set its
 * due time. `tell`: the caller's store is to know. */
void book_change(
	struct address_book *book, uint32_t index, struct book_record *next, int64_t now_ms, bool tell);
void book_drop(struct address_book *book, uint32_t index, const char *why);
/** Leave the bucket of the stranger who told of it. */
void book_bucket_leave(struct address_book *book, struct book_record *next, uint32_t index);
bool book_is_root(const struct book_record *record);
/** Whether limits and eviction leave it alone, for the operator wrote it: see keeps_configured. */
bool book_is_operators(const struct address_book *book, const struct book_record *record);

#endif
