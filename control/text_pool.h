/* SPDX-License-Identifier: BSD-3-Clause
 * Interned, counted texts: reasons, evidence, sources and peer ids. A million bans of one import share one reason. A text is
 * freed with its last holder, so texts that strangers influence cannot pile up. One thread.
 */
#ifndef WEIR_CONTROL_TEXT_POOL_H
#define WEIR_CONTROL_TEXT_POOL_H

#include "control/hash_index.h"
#include "control/keyed_hash.h"
#include "control/record_pool.h"

struct text_pool {
	struct record_pool records;
	struct hash_index index;
	struct keyed_hash key;
	uint32_t last; /* the last text held: bulk imports repeat it */
};

/** -ENOMEM. */
int text_pool_init(struct text_pool *pool, const struct keyed_hash *key);
void text_pool_fini(struct text_pool *pool);
/** Take one reference to `text`, shared if it is known. "" is RECORD_NONE and costs nothing. -ENOMEM. */
int text_pool_hold(struct text_pool *pool, const char *text, uint32_t *ret_text);
/** Drop one reference; accepts RECORD_NONE. */
void text_pool_drop(struct text_pool *pool, uint32_t text);
/** The known text, without a reference, or RECORD_NONE. */
uint32_t text_pool_find(const struct text_pool *pool, const char *text);
/** Valid while the reference is held; "" for RECORD_NONE. */
const char *text_pool_get(const struct text_pool *pool, uint32_t text);

#endif
