/* SPDX-License-Identifier: BSD-3-Clause
 * Buckets and windows by key (keyed_limiter.h). One thread. A bucket is one time, at which it would be full
 * again (the generic cell rate algorithm): nothing is refilled by a timer.
 */
#include "control/keyed_limiter.h"

#include <errno.h>
#include <string.h>

const struct limiter_policy limiter_peer_exchange = {LIMITER_BUCKET, 10, 600000, 300000};
const struct limiter_policy limiter_opens = {LIMITER_WINDOW, 5, 60000, 0};

const struct limiter_policy *limiter_request_quota(const char *protocol)
{
	static const struct {
		const char *protocol;
		struct limiter_policy policy;
	} quotas[] = {
		{"ping", {LIMITER_BUCKET, 2, 10000, 0}},
		{"metadata", {LIMITER_BUCKET, 2, 5000, 0}},
		{"status", {LIMITER_BUCKET, 5, 15000, 0}},
		{"goodbye", {LIMITER_BUCKET, 1, 10000, 0}},
		{"blocks_by_range", {LIMITER_BUCKET, 1024, 10000, 0}},
	};
	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++)
		if (strcmp(quotas[i].protocol, protocol) == 0)
			return &quotas[i].policy;
	return NULL;
}

static struct limiter_record *record_at(const struct keyed_limiter *limiter, uint32_t item)
{
	return record_pool_at(&limiter->records, item);
}

int keyed_limiter_init(struct keyed_limiter *limiter, uint32_t capacity)
{
	if (capacity == 0)
		return -EINVAL;
	*limiter = (struct keyed_limiter){.newest = RECORD_NONE, .oldest = RECORD_NONE, .capacity = capacity};
	record_pool_init(&limiter->records, sizeof(struct limiter_record));
	return hash_index_init(&limiter->index);
}

void keyed_limiter_fini(struct keyed_limiter *limiter)
{
	record_pool_fini(&limiter->records);
	hash_index_fini(&limiter->index);
}

static void list_leave(struct keyed_limiter *limiter, uint32_t item)
{
	struct limiter_record *record = record_at(limiter, item);
	if (record->newer != RECORD_NONE)
		record_at(limiter, record->newer)->older = record->older;
	else
		limiter->newest = record->older;
	if (record->older != RECORD_NONE)
		record_at(limiter, record->older)->newer = record->newer;
	else
		limiter->oldest = record->newer;
}

static void list_enter(struct keyed_limiter *limiter, uint32_t item)
{
	struct limiter_record *record = record_at(limiter, item);
	record->newer = RECORD_NONE;
	record->older = limiter->newest;
	if (limiter->newest != RECORD_NONE)
		record_at(limiter, limiter->newest)->newer = item;
	else
		limiter->oldest = item;
	limiter->newest = item;
}

static uint32_t find(const struct keyed_limiter *limiter, uint64_t key)
{
	uint32_t item = hash_index_first(&limiter->index, (uint32_t)key);
	while (item != RECORD_NONE && record_at(limiter, item)->key != key)
		item = hash_index_next(&limiter->index, item);
	return item;
}

static uint32_t make(struct keyed_limiter *limiter, uint64_t key)
{
	uint32_t item;
	if (limiter->records.n_used >= limiter->capacity) {
		item = limiter->oldest;
		list_leave(limiter, item);
		hash_index_remove(&limiter->index, item);
		record_pool_give(&limiter->records, item);
		limiter->forgotten++;
	}
	if (record_pool_take(&limiter->records, &item) < 0)
		return RECORD_NONE;
	*record_at(limiter, item) = (struct limiter_record){.key = key, .last_ms = INT64_MIN};
	if (hash_index_insert(&limiter->index, (uint32_t)key, item) < 0) {
		record_pool_give(&limiter->records, item);
		return RECORD_NONE;
	}
	list_enter(limiter, item);
	return item;
}

static int64_t bucket_wait_ms(const struct limiter_record *record, const struct limiter_policy *policy,
	uint32_t count, int64_t now_ms)
{
	if (count > policy->burst)
		return INT64_MAX;
	int64_t now_us = now_ms * 1000, period_us = policy->period_ms * 1000;
	int64_t full_us = record->full_at_us > now_us ? record->full_at_us : now_us;
	int64_t over_us = full_us + period_us * count / policy->burst - (now_us + period_us);
	return over_us > 0 ? (over_us + 999) / 1000 : 0;
}

static void bucket_take(
	struct limiter_record *record, const struct limiter_policy *policy, uint32_t count, int64_t now_ms)
{
	int64_t now_us = now_ms * 1000;
	int64_t full_us = record->full_at_us > now_us ? record->full_at_us : now_us;
	record->full_at_us = full_us + policy->period_ms * 1000 * count / policy->burst;
}

/** The ring holds the last `burst` allowed ones; `at` is the oldest once it is full. */
static int64_t window_wait_ms(
	const struct limiter_record *record, const struct limiter_policy *policy, int64_t now_ms)
{
	if (record->n < policy->burst)
		return 0;
	int64_t free_ms = record->times_ms[record->at] + policy->period_ms;
	return free_ms > now_ms ? free_ms - now_ms : 0;
}

static void window_take(struct limiter_record *record, const struct limiter_policy *policy, int64_t now_ms)
{
	record->times_ms[record->at] = now_ms;
	record->at = (uint8_t)((record->at + 1) % policy->burst);
	record->n += record->n < policy->burst;
}

/** The record of a key, heard of now. RECORD_NONE: no memory. */
static uint32_t mention(struct keyed_limiter *limiter, uint64_t key)
{
	uint32_t item = find(limiter, key);
	if (item == RECORD_NONE)
		return make(limiter, key);
	list_leave(limiter, item);
	list_enter(limiter, item);
	return item;
}

/** 0: it may have them now. */
static int64_t record_wait_ms(const struct limiter_record *record, const struct limiter_policy *policy,
	uint32_t count, int64_t now_ms)
{
	int64_t wait_ms = policy->kind == LIMITER_WINDOW ? window_wait_ms(record, policy, now_ms)
							 : bucket_wait_ms(record, policy, count, now_ms);
	if (record->last_ms != INT64_MIN && record->last_ms + policy->interval_ms - now_ms > wait_ms)
		wait_ms = record->last_ms + policy->interval_ms - now_ms;
	return wait_ms;
}

bool keyed_limiter_would_allow(const struct keyed_limiter *limiter, const struct limiter_policy *policy,
	uint64_t key, uint32_t count, int64_t now_ms, int64_t *ret_wait_ms)
{
	static const struct limiter_record stranger = {.last_ms = INT64_MIN};
	uint32_t item = find(limiter, key);
	int64_t wait_ms = record_wait_ms(
		item == RECORD_NONE ? &stranger : record_at(limiter, item), policy, count, now_ms);
	if (wait_ms > 0)
		*ret_wait_ms = wait_ms;
	return wait_ms <= 0;
}

bool keyed_limiter_allow(struct keyed_limiter *limiter, const struct limiter_policy *policy, uint64_t key,
	uint32_t count, int64_t now_ms, int64_t *ret_wait_ms)
{
	uint32_t item = mention(limiter, key);
	if (item == RECORD_NONE)
		return true;
	struct limiter_record *record = record_at(limiter, item);
	int64_t wait_ms = record_wait_ms(record, policy, count, now_ms);
	if (wait_ms > 0) {
		*ret_wait_ms = wait_ms;
		return false;
	}
	if (policy->kind == LIMITER_WINDOW)
		window_take(record, policy, now_ms);
	else
		bucket_take(record, policy, count, now_ms);
	record->last_ms = now_ms;
	return true;
}

void keyed_limiter_note(struct keyed_limiter *limiter, uint64_t key, uint32_t count)
{
	uint32_t item = mention(limiter, key);
	if (item == RECORD_NONE)
		return;
	uint32_t *noted = &record_at(limiter, item)->noted;
	*noted = count > UINT32_MAX - *noted ? UINT32_MAX : *noted + count;
}

uint32_t keyed_limiter_noted(const struct keyed_limiter *limiter, uint64_t key)
{
	uint32_t item = find(limiter, key);
	return item == RECORD_NONE ? 0 : record_at(limiter, item)->noted;
}
