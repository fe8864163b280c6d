/* SPDX-License-Identifier: BSD-3-Clause
 * Strikes by prefix or id (strike_table.h). One thread. Must not forget by itself: the governor asks the queue.
 */
#include "control/strike_table.h"

void strike_table_init(struct strike_table *table, struct text_pool *texts)
{
	*table = (struct strike_table){.texts = texts};
	record_pool_init(&table->records, sizeof(struct strike_record));
	prefix_tree_init(&table->prefixes);
	prefix_tree_init(&table->ids);
	due_queue_init(&table->due);
}

void strike_table_fini(struct strike_table *table)
{
	record_pool_fini(&table->records);
	prefix_tree_fini(&table->prefixes);
	prefix_tree_fini(&table->ids);
	due_queue_fini(&table->due);
}

uint32_t strike_table_find(const struct strike_table *table, const struct ban_key *key)
{
	return prefix_tree_find(key->by_id ? &table->ids : &table->prefixes, &key->prefix);
}

static int insert(struct strike_table *table, const struct ban_key *key, const char *id, uint32_t *ret_index)
{
	uint32_t index, text = RECORD_NONE;
	int r = record_pool_take(&table->records, &index);
	if (r < 0)
		return r;
	struct prefix_key at = key->prefix;
	r = due_queue_reserve(&table->due, table->records.high_water);
	if (r == 0 && key->by_id) {
		r = text_pool_hold(table->texts, id, &text);
		at = (struct prefix_key){0, text, 0};
	}
	if (r == 0)
		r = prefix_tree_put(key->by_id ? &table->ids : &table->prefixes, &at, index);
	if (r < 0) {
		text_pool_drop(table->texts, text);
		record_pool_give(&table->records, index);
		return r;
	}
	struct strike_record *record = strike_table_at(table, index);
	record->id = text;
	record->key = at;
	*ret_index = index;
	return 0;
}

int strike_table_put(struct strike_table *table, const struct ban_key *key, const char *id, uint32_t count, int64_t last_ms)
{
	uint32_t index = strike_table_find(table, key);
	if (index == RECORD_NONE) {
		int r = insert(table, key, id, &index);
		if (r < 0)
			return r;
	}
	struct strike_record *record = strike_table_at(table, index);
	record->count = count;
	record->last_ms = last_ms;
	due_queue_set(&table->due, index, last_ms);
	return 0;
}

void strike_table_remove(struct strike_table *table, uint32_t index)
{
	struct strike_record *record = strike_table_at(table, index);
	prefix_tree_remove(record->id != RECORD_NONE ? &table->ids : &table->prefixes, &record->key);
	due_queue_clear(&table->due, index);
	text_pool_drop(table->texts, record->id);
	record_pool_give(&table->records, index);
}
