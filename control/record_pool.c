/* SPDX-License-Identifier: BSD-3-Clause
 * Chunks of records behind 32-bit indices (record_pool.h). One thread. Must not return memory while records live:
 * indices stay valid until they are given back.
 */
#include "control/record_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void record_pool_init(struct record_pool *pool, size_t record_bytes)
{
	*pool = (struct record_pool){.free_head = RECORD_NONE, .record_bytes = (uint32_t)record_bytes};
}

void record_pool_fini(struct record_pool *pool)
{
	for (uint32_t i = 0; i < pool->n_chunks; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	record_pool_init(pool, pool->record_bytes);
}

static int grow(struct record_pool *pool)
{
	if (pool->n_chunks == pool->chunks_size) {
		uint32_t size = pool->chunks_size != 0 ? pool->chunks_size * 2 : 16;
		char **chunks = realloc(pool->chunks, size * sizeof(*chunks));
		if (chunks == NULL)
			return -ENOMEM;
		pool->chunks = chunks;
		pool->chunks_size = size;
	}
	char *chunk = malloc((size_t)RECORD_CHUNK * pool->record_bytes);
	if (chunk == NULL)
		return -ENOMEM;
	pool->chunks[pool->n_chunks++] = chunk;
	return 0;
}

int record_pool_take(struct record_pool *pool, uint32_t *ret_index)
{
	uint32_t index = pool->free_head;
	if (index != RECORD_NONE) {
		memcpy(&pool->free_head, record_pool_at(pool, index), sizeof(pool->free_head));
	} else {
		if (pool->high_water == (uint64_t)pool->n_chunks << RECORD_CHUNK_LOG2) {
			int r = grow(pool);
			if (r < 0)
				return r;
		}
		index = pool->high_water++;
	}
	memset(record_pool_at(pool, index), 0, pool->record_bytes);
	pool->n_used++;
	*ret_index = index;
	return 0;
}

void record_pool_give(struct record_pool *pool, uint32_t index)
{
	memcpy(record_pool_at(pool, index), &pool->free_head, sizeof(pool->free_head));
	pool->free_head = index;
	pool->n_used--;
}
