/* SPDX-License-Identifier: BSD-3-Clause
 * Rates of whoever asks, in bounded memory: token buckets (SP-13 requests for peers, LH-27 requests of each
 * protocol) and exact windows (V30, opens of one address). One thread; time comes in. Full, it forgets who
 * was heard of longest ago, counted: a tracker that refused newcomers instead could be filled to lock
 * everybody out (DU-21).
 */
#ifndef WEIR_CONTROL_KEYED_LIMITER_H
#define WEIR_CONTROL_KEYED_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "control/hash_index.h"

enum { LIMITER_WINDOW_MAX = 10 };

enum limiter_kind {
	LIMITER_BUCKET, /* `burst` at once, refilled evenly in period_ms */
	LIMITER_WINDOW, /* at most `burst` in (t - period_ms, t]; burst at most LIMITER_WINDOW_MAX; refused
			   ones are not recorded */
};
struct limiter_policy {
	enum limiter_kind kind;
	uint32_t burst;
	int64_t period_ms;
	int64_t interval_ms; /* between two that are allowed, besides; 0: none */
};
/* SP-13: ten, one more a minute, 300 s between. V30: five in 60 s. */
extern const struct limiter_policy limiter_peer_exchange, limiter_opens;
/** LH-27: by protocol name; NULL: no quota. */
const struct limiter_policy *limiter_request_quota(const char *protocol);

struct limiter_record {
	uint64_t key;
	uint32_t newer, older; /* by last mention */
	int64_t last_ms;       /* last allowed; INT64_MIN: never */
	union {
		int64_t full_at_us;                   /* BUCKET: when it would be full again */
		int64_t times_ms[LIMITER_WINDOW_MAX]; /* WINDOW, a ring */
	};
	uint8_t n, at;
	uint32_t noted; /* keyed_limiter_note; saturating */
};

struct keyed_limiter {
	struct record_pool records;
	struct hash_index index;
	uint32_t newest, oldest, capacity;
	uint64_t forgotten;
};

/** -ENOMEM, -EINVAL: capacity 0. */
int keyed_limiter_init(struct keyed_limiter *limiter, uint32_t capacity);
void keyed_limiter_fini(struct keyed_limiter *limiter);
/** May `key` (a keyed hash, the caller's) have `count` more now? If not, *ret_wait_ms says in how long;
 * INT64_MAX: never so many. WINDOW: count is 1. One key is always used with one policy. -ENOMEM counts as
 * allowed: a lack of memory locks nobody out. */
bool keyed_limiter_allow(struct keyed_limiter *limiter, const struct limiter_policy *policy, uint64_t key,
	uint32_t count, int64_t now_ms, int64_t *ret_wait_ms);
/** What keyed_limiter_allow would say; takes nothing, and the key is not heard of by it. */
bool keyed_limiter_would_allow(const struct keyed_limiter *limiter, const struct limiter_policy *policy,
	uint64_t key, uint32_t count, int64_t now_ms, int64_t *ret_wait_ms);
/** Count something of this key that nothing is decided by, as long as its record is held. */
void keyed_limiter_note(struct keyed_limiter *limiter, uint64_t key, uint32_t count);
uint32_t keyed_limiter_noted(const struct keyed_limiter *limiter, uint64_t key);

#endif
