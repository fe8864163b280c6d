/* SPDX-License-Identifier: BSD-3-Clause
 * Linear hashing (Litwin, 1980) over segments that never move. One thread. Must not touch the callers' records:
 * a split needs only the hashes kept here, so it costs no cache misses in them.
 */
#include "control/hash_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_SEGMENT_LOG2 = 12, HASH_SEGMENT = 1 << HASH_SEGMENT_LOG2, HASH_START = HASH_SEGMENT };

static uint32_t *head_of(const struct hash_index *index, uint32_t bucket)
{
	return &index->segments[bucket >> HASH_SEGMENT_LOG2][bucket & (HASH_SEGMENT - 1)];
}

static struct hash_link *link_of(const struct hash_index *index, uint32_t item)
{
	return &index->links[item >> RECORD_CHUNK_LOG2][item & (RECORD_CHUNK - 1)];
}

static uint32_t bucket_of(const struct hash_index *index, uint32_t hash)
{
	uint32_t bucket = hash & (index->level_size - 1);
	if (bucket < index->split)
		bucket = hash & (index->level_size * 2 - 1);
	return bucket;
}

/** Room for one more pointer in an array of pointers that doubles: 10 M items have 2,441 chunks. */
static int pointers_reserve(void **array, uint32_t n, uint32_t *size)
{
	if (n < *size)
		return 0;
	uint32_t grown = *size != 0 ? *size * 2 : 16;
	void *moved = realloc(*array, grown * sizeof(void *));
	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	*size = grown;
	return 0;
}

static int segment_add(struct hash_index *index)
{
	int r = pointers_reserve((void **)&index->segments, index->n_segments, &index->segments_size);
	if (r < 0)
		return r;
	uint32_t *segment = malloc(HASH_SEGMENT * sizeof(*segment));
	if (segment == NULL)
		return -ENOMEM;
	memset(segment, 0xff, HASH_SEGMENT * sizeof(*segment)); /* RECORD_NONE everywhere */
	index->segments[index->n_segments++] = segment;
	return 0;
}

int hash_index_init(struct hash_index *index)
{
	*index = (struct hash_index){.level_size = HASH_START};
	return segment_add(index);
}

void hash_index_fini(struct hash_index *index)
{
	for (uint32_t i = 0; i < index->n_segments; i++)
		free(index->segments[i]);
	for (uint32_t i = 0; i < index->n_links; i++)
		free(index->links[i]);
	free(index->segments);
	free(index->links);
	*index = (struct hash_index){0};
}

static uint32_t match(const struct hash_index *index, uint32_t item, uint32_t hash)
{
	while (item != RECORD_NONE) {
		const struct hash_link *link = link_of(index, item);
		if (link->hash == hash)
			return item;
		item = link->next;
	}
	return RECORD_NONE;
}

uint32_t hash_index_first(const struct hash_index *index, uint32_t hash)
{
	return match(index, *head_of(index, bucket_of(index, hash)), hash);
}

uint32_t hash_index_next(const struct hash_index *index, uint32_t item)
{
	const struct hash_link *link = link_of(index, item);
	return match(index, link->next, link->hash);
}

/** Split one bucket: half of its items belong to the new one at its end. */
static int split_one(struct hash_index *index)
{
	uint32_t old = index->split, new = index->split + index->level_size;
	if (new >> HASH_SEGMENT_LOG2 >= index->n_segments) {
		int r = segment_add(index);
		if (r < 0)
			return r;
	}
	uint32_t *keep = head_of(index, old), *move = head_of(index, new);
	while (*keep != RECORD_NONE) {
		uint32_t item = *keep;
		struct hash_link *link = link_of(index, item);
		if ((link->hash & index->level_size) == 0) {
			keep = &link->next;
			continue;
		}
		*keep = link->next;
		link->next = *move;
		*move = item;
	}
	if (++index->split == index->level_size) {
		index->level_size *= 2;
		index->split = 0;
	}
	return 0;
}

int hash_index_insert(struct hash_index *index, uint32_t hash, uint32_t item)
{
	while (item >> RECORD_CHUNK_LOG2 >= index->n_links) {
		int r = pointers_reserve((void **)&index->links, index->n_links, &index->links_size);
		if (r < 0)
			return r;
		struct hash_link *links = malloc(RECORD_CHUNK * sizeof(*links));
		if (links == NULL)
			return -ENOMEM;
		index->links[index->n_links++] = links;
	}
	/* 2^31 buckets are more than the bounds of the governor allow; beyond, chains just grow. */
	if (index->n_items >= index->level_size + index->split && index->level_size < UINT32_C(1) << 30) {
		int r = split_one(index);
		if (r < 0)
			return r;
	}
	uint32_t *head = head_of(index, bucket_of(index, hash));
	*link_of(index, item) = (struct hash_link){.next = *head, .hash = hash};
	*head = item;
	index->n_items++;
	return 0;
}

void hash_index_remove(struct hash_index *index, uint32_t item)
{
	uint32_t *at = head_of(index, bucket_of(index, link_of(index, item)->hash));
	while (*at != item)
		at = &link_of(index, *at)->next;
	*at = link_of(index, item)->next;
	index->n_items--;
}
