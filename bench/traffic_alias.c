// SPDX-License-Identifier: BSD-3-Clause
/* Building the columns (traffic_alias.h). At creation only. */
#include "bench/traffic_alias.h"

#include <errno.h>
#include <stdlib.h>

/* Pour rich columns into poor ones until all are equally full. */
static void columns_fill(struct traffic_alias *alias, double *weights, uint32_t *small, uint32_t *large)
{
	uint32_t n_small = 0, n_large = 0;

	for (uint32_t i = 0; i < alias->n; i++) {
		alias->keep[i] = UINT32_MAX;
		alias->alias[i] = i;
		if (weights[i] < 1)
			small[n_small++] = i;
		else
			large[n_large++] = i;
	}
	while (n_small > 0 && n_large > 0) {
		uint32_t poor = small[--n_small], rich = large[n_large - 1];

		alias->keep[poor] = (uint32_t)(weights[poor] * 4294967295.0);
		alias->alias[poor] = rich;
		weights[rich] -= 1 - weights[poor];
		if (weights[rich] < 1) {
			n_large--;
			small[n_small++] = rich;
		}
	}
}

int traffic_alias_create(struct traffic_alias *ret_alias, double *weights, uint32_t n)
{
	struct traffic_alias alias = {
		.n = n, .alias = calloc(n, sizeof(uint32_t)), .keep = calloc(n, sizeof(uint32_t))};
	uint32_t *small = calloc(n, sizeof(*small)), *large = calloc(n, sizeof(*large));
	int result = -ENOMEM;
	double sum = 0;

	if (alias.alias != NULL && alias.keep != NULL && small != NULL && large != NULL) {
		for (uint32_t i = 0; i < n; i++)
			sum += weights[i];
		for (uint32_t i = 0; i < n; i++)
			weights[i] *= n / sum;
		columns_fill(&alias, weights, small, large);
		result = 0;
	}
	free(small);
	free(large);
	if (result != 0)
		traffic_alias_done(&alias);
	else
		*ret_alias = alias;
	return result;
}

void traffic_alias_done(struct traffic_alias *alias)
{
	free(alias->alias);
	free(alias->keep);
	*alias = (struct traffic_alias){0};
}
