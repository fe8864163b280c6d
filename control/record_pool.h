/* SPDX-License-Identifier: BSD-3-Clause
 * A pool of equal records named by 32-bit indices, in chunks that never move: growing costs one chunk, never a copy
 * of everything (10 million bans are 720 MB; doubling an array of them would stall the loop and peak at twice that).
 * One thread. Records are zeroed when taken.
 */
#ifndef WEIR_CONTROL_RECORD_POOL_H
#define WEIR_CONTROL_RECORD_POOL_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_NONE UINT32_MAX

enum { RECORD_CHUNK_LOG2 = 12, RECORD_CHUNK = 1 << RECORD_CHUNK_LOG2 };

struct record_pool {
	char **chunks;
	uint32_t n_chunks, chunks_size;
	uint32_t n_used;     /* records taken now */
	uint32_t high_water; /* indices below this one have been taken at least once */
	uint32_t free_head;  /* freed indices, linked through the records' first word */
	uint32_t record_bytes;
};

/** record_bytes >= 4. Allocates nothing yet. */
void record_pool_init(struct record_pool *pool, size_t record_bytes);
void record_pool_fini(struct record_pool *pool);
/** A zeroed record. -ENOMEM. */
int record_pool_take(struct record_pool *pool, uint32_t *ret_index);
/** The caller must not use the index any more; the first word of the record is overwritten. */
void record_pool_give(struct record_pool *pool, uint32_t index);

static inline void *record_pool_at(const struct record_pool *pool, uint32_t index)
{
	return pool->chunks[index >> RECORD_CHUNK_LOG2] +
		(size_t)(index & (RECORD_CHUNK - 1)) * pool->record_bytes;
}

#endif
