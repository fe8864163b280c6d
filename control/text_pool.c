/* SPDX-License-Identifier: BSD-3-Clause
 * Interned, counted texts (text_pool.h). One thread. Must not outlive a text's last reference.
 */
#include "control/text_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct text_record {
	char *text;
	uint32_t references;
};

int text_pool_init(struct text_pool *pool, const struct keyed_hash *key)
{
	*pool = (struct text_pool){.key = *key, .last = RECORD_NONE};
	record_pool_init(&pool->records, sizeof(struct text_record));
	return hash_index_init(&pool->index);
}

void text_pool_fini(struct text_pool *pool)
{
	for (uint32_t i = 0; i < pool->records.high_water; i++) {
		/* A freed record's first word is a link of the pool, its references stay 0. */
		struct text_record *record = record_pool_at(&pool->records, i);
		if (record->references != 0)
			free(record->text);
	}
	record_pool_fini(&pool->records);
	hash_index_fini(&pool->index);
}

static uint32_t find_hashed(const struct text_pool *pool, const char *text, uint32_t hash)
{
	uint32_t at = hash_index_first(&pool->index, hash);
	while (at != RECORD_NONE) {
		const struct text_record *record = record_pool_at(&pool->records, at);
		if (strcmp(record->text, text) == 0)
			return at;
		at = hash_index_next(&pool->index, at);
	}
	return RECORD_NONE;
}

uint32_t text_pool_find(const struct text_pool *pool, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return RECORD_NONE;
	return find_hashed(pool, text, (uint32_t)keyed_hash_bytes(&pool->key, text, strlen(text)));
}

static int add(struct text_pool *pool, const char *text, uint32_t hash, uint32_t *ret_text)
{
	uint32_t at;
	int r = record_pool_take(&pool->records, &at);
	if (r < 0)
		return r;
	struct text_record *record = record_pool_at(&pool->records, at);
	record->text = strdup(text);
	r = record->text != NULL ? hash_index_insert(&pool->index, hash, at) : -ENOMEM;
	if (r < 0) {
		free(record->text);
		record_pool_give(&pool->records, at);
		return r;
	}
	record->references = 1;
	*ret_text = at;
	return 0;
}

int text_pool_hold(struct text_pool *pool, const char *text, uint32_t *ret_text)
{
	if (text == NULL || text[0] == '\0') {
		*ret_text = RECORD_NONE;
		return 0;
	}
	uint32_t at = pool->last;
	if (at == RECORD_NONE || strcmp(text_pool_get(pool, at), text) != 0) {
		uint32_t hash = (uint32_t)keyed_hash_bytes(&pool->key, text, strlen(text));
		at = find_hashed(pool, text, hash);
		if (at == RECORD_NONE) {
			int r = add(pool, text, hash, &at);
			if (r < 0)
				return r;
			pool->last = at;
			*ret_text = at;
			return 0;
		}
		pool->last = at;
	}
	struct text_record *record = record_pool_at(&pool->records, at);
	record->references++;
	*ret_text = at;
	return 0;
}

void text_pool_drop(struct text_pool *pool, uint32_t text)
{
	if (text == RECORD_NONE)
		return;
	struct text_record *record = record_pool_at(&pool->records, text);
	if (--record->references != 0)
		return;
	hash_index_remove(&pool->index, text);
	free(record->text);
	record->text = NULL;
	if (pool->last == text)
		pool->last = RECORD_NONE;
	record_pool_give(&pool->records, text);
}

const char *text_pool_get(const struct text_pool *pool, uint32_t text)
{
	if (text == RECORD_NONE)
		return "";
	return ((const struct text_record *)record_pool_at(&pool->records, text))->text;
}
