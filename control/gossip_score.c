/* SPDX-License-Identifier: BSD-3-Clause
 * Gossip beside the application's score (gossip_score.h). Pure functions, any thread.
 */
#include "control/gossip_score.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

const struct gossip_policy gossip_lighthouse = {.clamp = -16000.0, .weight = 0.0011875, .hard = -60.0};

int gossip_score_points(const struct gossip_policy *policy, double gossip, bool ignore, double *ret_points)
{
	if (!isfinite(gossip))
		return -EINVAL;
	double counted = fmax(gossip, policy->clamp);
	*ret_points = ignore && counted < 0.0 ? 0.0 : policy->weight * counted;
	return 0;
}

struct negative {
	double gossip;
	uint32_t item;
};

static int compare_negatives(const void *a, const void *b)
{
	const struct negative *x = a, *y = b;
	if (x->gossip != y->gossip)
		return x->gossip > y->gossip ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

int gossip_score_forgive(const double *gossip, uint32_t n, uint32_t most, bool *ret_ignore)
{
	struct negative *negatives = malloc(((size_t)n + 1) * sizeof(*negatives));
	if (negatives == NULL)
		return -ENOMEM;
	uint32_t found = 0;
	for (uint32_t i = 0; i < n; i++) {
		ret_ignore[i] = false;
		if (gossip[i] < 0.0)
			negatives[found++] = (struct negative){gossip[i], i};
	}
	qsort(negatives, found, sizeof(*negatives), compare_negatives);
	for (uint32_t i = 0; i < found && i < most; i++)
		ret_ignore[negatives[i].item] = true;
	free(negatives);
	return 0;
}
