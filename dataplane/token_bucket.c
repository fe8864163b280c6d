// SPDX-License-Identifier: BSD-3-Clause
/* Exact token buckets (token_bucket.h) by the generic cell rate algorithm: an attempt conforms when the
 * theoretical arrival time lies no more than the tolerance ahead of now. Pure, any thread that owns the
 * state.
 */
#include "dataplane/token_bucket.h"

enum { TOKEN_BURST_MAX = 1000000 };
static const uint64_t TOKEN_SECOND_NS = UINT64_C(1000000000);
static const uint64_t TOKEN_INTERVAL_MAX_NS = UINT64_C(1000000000000); /* 1 attempt per 1000 s */
_Static_assert(
	UINT64_C(1000000000000) * TOKEN_BURST_MAX < UINT64_C(1) << 60, "tolerance + clock never overflow");

struct token_bucket_profile token_bucket_profile_make(struct image_rate rate)
{
	struct token_bucket_profile profile = {0, 0};
	uint64_t burst = rate.burst > TOKEN_BURST_MAX ? TOKEN_BURST_MAX : rate.burst;

	if (burst == 0)
		return profile;
	/* Rounded down: a client that keeps to the rate exactly is never refused. */
	profile.interval_ns =
		rate.per_1000_s ? TOKEN_INTERVAL_MAX_NS / rate.per_1000_s : TOKEN_INTERVAL_MAX_NS;
	if (profile.interval_ns == 0)
		profile.interval_ns = 1;
	profile.tolerance_ns = (burst - 1) * profile.interval_ns;
	return profile;
}

struct token_bucket_profile token_bucket_profile_per_s(uint32_t per_s)
{
	struct token_bucket_profile profile = {0, 0};

	if (per_s == 0)
		return profile;
	profile.interval_ns = TOKEN_SECOND_NS / per_s;
	if (profile.interval_ns == 0)
		profile.interval_ns = 1;
	/* (burst - 1) * interval, with a burst of at least one */
	if (profile.interval_ns < TOKEN_SECOND_NS / 10)
		profile.tolerance_ns = TOKEN_SECOND_NS / 10 - profile.interval_ns;
	return profile;
}

bool token_bucket_peek(const struct token_bucket_profile *profile, uint64_t state_ns, uint64_t now_ns)
{
	return profile->interval_ns == 0 || state_ns <= now_ns || state_ns - now_ns <= profile->tolerance_ns;
}

bool token_bucket_take(const struct token_bucket_profile *profile, uint64_t *state_ns, uint64_t now_ns)
{
	if (!token_bucket_peek(profile, *state_ns, now_ns))
		return false;
	*state_ns = (*state_ns > now_ns ? *state_ns : now_ns) + profile->interval_ns;
	return true;
}
