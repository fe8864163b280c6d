/* SPDX-License-Identifier: BSD-3-Clause
 * Exact token bucket in one word (GCRA): the theoretical arrival time of the next conforming attempt. Shared
 * read-only profile, 8 bytes of state. Pure integer arithmetic; time passed in. policy.md V29 is its test
 * vector.
 */
#ifndef WEIR_DATAPLANE_TOKEN_BUCKET_H
#define WEIR_DATAPLANE_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/image.h"

struct token_bucket_profile {
	uint64_t interval_ns;  /* between two conforming attempts at the sustained rate; 0 = no limit */
	uint64_t tolerance_ns; /* (burst - 1) * interval */
};

/** burst 0 gives a profile without limit. Overflow: burst <= 1e6 and interval <= 1e12 ns, so tolerance <
 * 2^60. */
struct token_bucket_profile token_bucket_profile_make(struct image_rate rate);
/** A plain rate of packets a second, up to 10^9, with a burst of a tenth of a second: long enough for a batch, short enough to be a
 * limit. 0 gives a profile without limit. */
struct token_bucket_profile token_bucket_profile_per_s(uint32_t per_s);
/** Take one token if there is one. `state_ns` 0 = a full bucket. */
bool token_bucket_take(const struct token_bucket_profile *profile, uint64_t *state_ns, uint64_t now_ns);
/** Would one be there? Takes nothing. */
bool token_bucket_peek(const struct token_bucket_profile *profile, uint64_t state_ns, uint64_t now_ns);

#endif
