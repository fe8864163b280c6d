// SPDX-License-Identifier: BSD-3-Clause
/* Keys and clock of the cookies (cookie_keys.h). Pure; runs on the table thread. Must not let the clock run
 * backwards by less than a slot: a cookie of a slot that has not begun is refused.
 */
#include "dataplane/cookie_keys.h"

#define SLOT_NS ((int64_t)COOKIE_SLOT_MS * 1000000)

/* A cookie lives for a slot at least. At 5/4 of its pace the clock passes one in 25.6 s, and Linux's seventh
 * zero-window probe, which brings the cookie back for the last time, comes at 25.5 s. */
enum { CLOCK_SLEW_DIVISOR = 4 };

/* A cookie of this slot and of the last one is accepted: in the first half of an epoch the one before it may
 * still be asked for, in the second half the next one soon is. */
static uint64_t epoch_beside(uint64_t clock_ns)
{
	uint64_t epoch = cookie_epoch_of(clock_ns);

	return cookie_slot_of(clock_ns) % COOKIE_EPOCH_SLOTS < COOKIE_EPOCH_SLOTS / 2 ? epoch - 1 : epoch + 1;
}

static void key_set(struct cookie_keys *keys, struct stage_shared *shared, uint64_t epoch)
{
	struct hash_key key = cookie_epoch_key(&keys->master, epoch);

	keys->epochs[epoch % 2] = epoch;
	stage_shared_set_cookie_key(shared, epoch, &key);
}

static void clock_follow(struct cookie_keys *keys, uint64_t now_ns, uint64_t wall_ns)
{
	int64_t behind_ns = (int64_t)(wall_ns - now_ns - keys->add_ns);
	int64_t slew_ns = (int64_t)(now_ns - keys->followed_ns) / CLOCK_SLEW_DIVISOR;

	if (behind_ns < SLOT_NS && behind_ns > slew_ns)
		behind_ns = slew_ns;
	else if (behind_ns > -SLOT_NS && behind_ns < -slew_ns)
		behind_ns = -slew_ns;
	keys->add_ns += (uint64_t)behind_ns;
}

void cookie_keys_start(struct cookie_keys *keys, struct stage_shared *shared, const struct hash_key *master,
	bool is_shared, uint64_t now_ns, uint64_t wall_ns)
{
	uint64_t clock_ns;

	*keys = (struct cookie_keys){.master = *master,
		.is_shared = is_shared,
		.add_ns = is_shared ? wall_ns - now_ns : 0,
		.followed_ns = now_ns};
	clock_ns = now_ns + keys->add_ns;
	key_set(keys, shared, epoch_beside(clock_ns));
	key_set(keys, shared, cookie_epoch_of(clock_ns));
	atomic_store_explicit(&shared->cookie_clock_add_ns, keys->add_ns, memory_order_relaxed);
}

void cookie_keys_follow(
	struct cookie_keys *keys, struct stage_shared *shared, uint64_t now_ns, uint64_t wall_ns)
{
	uint64_t epoch, beside;

	if (keys->is_shared)
		clock_follow(keys, now_ns, wall_ns);
	keys->followed_ns = now_ns;
	epoch = cookie_epoch_of(now_ns + keys->add_ns);
	beside = epoch_beside(now_ns + keys->add_ns);
	if (keys->epochs[epoch % 2] != epoch)
		key_set(keys, shared, epoch);
	else if (keys->epochs[beside % 2] != beside)
		key_set(keys, shared, beside);
	atomic_store_explicit(&shared->cookie_clock_add_ns, keys->add_ns, memory_order_relaxed);
}
