/* SPDX-License-Identifier: BSD-3-Clause
 * Draws by weight at constant cost (Walker's alias method): columns of equal width, each split between its
 * own index and one richer index. One thread; must not allocate after creation.
 */
#ifndef WEIR_BENCH_TRAFFIC_ALIAS_H
#define WEIR_BENCH_TRAFFIC_ALIAS_H

#include "bench/traffic_pieces.h"

struct traffic_alias {
	uint32_t n;
	uint32_t *alias;
	uint32_t *keep; /* chance to stay in the own column, of 2^32 */
};

/** `weights` (n >= 1, each >= 0, some above 0) is scratch afterwards. -ENOMEM. */
int traffic_alias_create(struct traffic_alias *ret_alias, double *weights, uint32_t n);
void traffic_alias_done(struct traffic_alias *alias);

static inline uint32_t traffic_alias_draw(const struct traffic_alias *alias, uint64_t *state)
{
	uint64_t random = traffic_random_next(state);
	uint32_t index = (uint32_t)(((random >> 32) * alias->n) >> 32);

	return (uint32_t)random > alias->keep[index] ? alias->alias[index] : index;
}

#endif
