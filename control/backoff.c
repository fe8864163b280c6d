/* SPDX-License-Identifier: BSD-3-Clause
 * Waits between attempts (backoff.h). Pure functions, any thread.
 */
#include "control/backoff.h"

const struct backoff_policy backoff_stellar = {
	.base_s = 10, .exponent_max = 10, .jitter = BACKOFF_JITTER_FULL};
const struct backoff_policy backoff_ouroboros = {.base_s = 5,
	.offset = 1,
	.exponent_max = 5,
	.jitter = BACKOFF_JITTER_SPREAD,
	.spread_s = 2,
	.forget_after = 5};
const struct backoff_policy backoff_dugite = {.base_s = 5, .exponent_max = 4, .cap_s = 60};
const struct backoff_policy backoff_lorachain = {
	.base_s = 60, .offset = 1, .exponent_max = 10, .attempts_max = 5};

uint64_t backoff_max_s(const struct backoff_policy *policy, uint32_t failures)
{
	uint32_t exponent = failures > policy->offset ? failures - policy->offset : 0;
	if (exponent > policy->exponent_max)
		exponent = policy->exponent_max;
	uint64_t maximum_s = (uint64_t)policy->base_s << exponent;
	return policy->cap_s != 0 && maximum_s > policy->cap_s ? policy->cap_s : maximum_s;
}

int64_t backoff_delay_ms(const struct backoff_policy *policy, uint32_t failures, uint64_t random)
{
	if (policy->attempts_max != 0 && failures > policy->attempts_max)
		return INT64_MAX;
	uint64_t maximum_s = backoff_max_s(policy, failures);
	int64_t delay_ms = (int64_t)(maximum_s * 1000);
	switch (policy->jitter) {
	case BACKOFF_JITTER_FULL:
		return maximum_s == 0 ? 0 : (int64_t)(random % maximum_s + 1) * 1000;
	case BACKOFF_JITTER_SPREAD:
		delay_ms += (int64_t)(random % (policy->spread_s * UINT64_C(2000) + 1)) -
			    policy->spread_s * INT64_C(1000);
		return delay_ms > 0 ? delay_ms : 0;
	default:
		return delay_ms;
	}
}
