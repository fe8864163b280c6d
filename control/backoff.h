/* SPDX-License-Identifier: BSD-3-Clause
 * How long to wait before an address is tried again: one generator for the rules of Stellar, Ouroboros,
 * Dugite and Lorachain (policy.md HE-7, DU-19, LO-4, 5.1.5). Pure functions, any thread; the random number
 * comes in.
 */
#ifndef WEIR_CONTROL_BACKOFF_H
#define WEIR_CONTROL_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum backoff_jitter {
	BACKOFF_JITTER_NONE,
	BACKOFF_JITTER_FULL,   /* uniform whole seconds in 1..maximum (HE-7) */
	BACKOFF_JITTER_SPREAD, /* maximum +- spread_s, uniform milliseconds (DU-19) */
};

/** The maximum after `failures` is base_s * 2^min(failures - offset, exponent_max), at most cap_s. */
struct backoff_policy {
	uint32_t base_s;
	uint32_t offset;       /* failures that do not double yet */
	uint32_t exponent_max; /* at most 20, so that a 32-bit base cannot overflow 64 bits of milliseconds */
	uint32_t cap_s;        /* 0: none */
	enum backoff_jitter jitter;
	uint32_t spread_s;
	uint32_t attempts_max; /* LO-4: more failures than this mean never again; 0: no such end */
	uint32_t forget_after; /* DU-19: an address, but not a root, is forgotten at this many failures; 0:
				  never */
};

extern const struct backoff_policy backoff_stellar, backoff_ouroboros, backoff_dugite, backoff_lorachain;

/** The undisturbed maximum in seconds. */
uint64_t backoff_max_s(const struct backoff_policy *policy, uint32_t failures);
/** The wait in milliseconds; INT64_MAX: never again. `random` is any 64-bit number; HE-7 takes it modulo the
 * maximum. */
int64_t backoff_delay_ms(const struct backoff_policy *policy, uint32_t failures, uint64_t random);
static inline bool backoff_forgets(const struct backoff_policy *policy, uint32_t failures)
{
	return policy->forget_after != 0 && failures >= policy->forget_after;
}

#endif
