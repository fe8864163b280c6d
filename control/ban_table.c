/* SPDX-License-Identifier: BSD-3-Clause
 * Records of bans in chains per key, strongest class first decided when read (ban_table.h). One thread.
 * Must not decide policy: it neither refuses nor evicts.
 */
#include "control/ban_table.h"

#include <errno.h>
#include <string.h>

void ban_table_init(struct ban_table *table, struct text_pool *texts)
{
	*table = (struct ban_table){.texts = texts};
	record_pool_init(&table->records, sizeof(struct ban_record));
	prefix_tree_init(&table->prefixes);
	prefix_tree_init(&table->ids);
	due_queue_init(&table->due);
}

void ban_table_fini(struct ban_table *table)
{
	record_pool_fini(&table->records);
	prefix_tree_fini(&table->prefixes);
	prefix_tree_fini(&table->ids);
	due_queue_fini(&table->due);
}

struct ban_key ban_key_prefix(const struct prefix *prefix)
{
	return (struct ban_key){prefix_key_from(prefix), false};
}

struct ban_key ban_key_id(const struct ban_table *table, const char *id)
{
	return (struct ban_key){{0, text_pool_find(table->texts, id), 0}, true};
}

static struct prefix_tree *tree_of(struct ban_table *table, bool by_id)
{
	return by_id ? &table->ids : &table->prefixes;
}

uint32_t ban_table_chain(const struct ban_table *table, const struct ban_key *key)
{
	return prefix_tree_find(key->by_id ? &table->ids : &table->prefixes, &key->prefix);
}

uint32_t ban_table_find(const struct ban_table *table, const struct ban_key *key, unsigned tier)
{
	uint32_t at = ban_table_chain(table, key);
	while (at != RECORD_NONE && ban_table_at(table, at)->tier != tier)
		at = ban_table_at(table, at)->next;
	return at;
}

static void count(struct ban_table *table, unsigned tier, int64_t change)
{
	table->n_by_tier[tier] += (uint64_t)change;
	if (tier != BAN_TIER_REFUSED)
		table->n += (uint64_t)change;
}

static void texts_drop(struct ban_table *table, const struct ban_record *record)
{
	text_pool_drop(table->texts, record->reason);
	text_pool_drop(table->texts, record->evidence);
	text_pool_drop(table->texts, record->source);
}

/** Hold the ban's texts in `record`; all or none. */
static int texts_hold(struct ban_table *table, const struct ban *ban, struct ban_record *record)
{
	record->reason = record->evidence = record->source = RECORD_NONE;
	int r = text_pool_hold(table->texts, ban->reason, &record->reason);
	if (r == 0)
		r = text_pool_hold(table->texts, ban->evidence, &record->evidence);
	if (r == 0)
		r = text_pool_hold(table->texts, ban->source, &record->source);
	if (r < 0)
		texts_drop(table, record);
	return r;
}

static void times_set(struct ban_table *table, uint32_t index, struct ban_record *record, const struct ban *ban)
{
	record->start_ms = ban->start_ms;
	record->end_ms = ban->end_ms;
	record->score = ban->score;
	record->freeze_until_ms = ban->freeze_until_ms;
	due_queue_set(&table->due, index, ban->end_ms);
}

static int replace(struct ban_table *table, uint32_t index, const struct ban *ban)
{
	struct ban_record *record = ban_table_at(table, index), held;
	int r = texts_hold(table, ban, &held);
	if (r < 0)
		return r;
	texts_drop(table, record);
	record->reason = held.reason;
	record->evidence = held.evidence;
	record->source = held.source;
	times_set(table, index, record, ban);
	return 0;
}

/** Put a record into its key's chain, which is in order of tier. */
static int chain_insert(struct ban_table *table, struct prefix_tree *tree, const struct prefix_key *key, uint32_t index)
{
	struct ban_record *record = ban_table_at(table, index);
	uint32_t head = prefix_tree_find(tree, key);
	if (head == RECORD_NONE || ban_table_at(table, head)->tier > record->tier) {
		record->next = head;
		return prefix_tree_put(tree, key, index);
	}
	struct ban_record *before = ban_table_at(table, head);
	while (before->next != RECORD_NONE && ban_table_at(table, before->next)->tier < record->tier)
		before = ban_table_at(table, before->next);
	record->next = before->next;
	before->next = index;
	return 0;
}

static int insert(struct ban_table *table, const struct ban *ban, const struct prefix_key *prefix)
{
	uint32_t index;
	int r = record_pool_take(&table->records, &index);
	if (r < 0)
		return r;
	struct ban_record *record = ban_table_at(table, index);
	bool by_id = ban->scope == BAN_SCOPE_PEER;
	struct prefix_key key = *prefix;
	r = due_queue_reserve(&table->due, table->records.high_water);
	if (r == 0)
		r = texts_hold(table, ban, record);
	if (r < 0)
		goto give;
	if (by_id) {
		uint32_t id;
		r = text_pool_hold(table->texts, ban->id, &id);
		if (r < 0)
			goto drop_texts;
		key = (struct prefix_key){0, id, 0};
	}
	record->high = key.high;
	record->low = key.low;
	record->length = key.length;
	record->tier = (uint8_t)ban->tier;
	record->by_id = by_id;
	r = chain_insert(table, tree_of(table, by_id), &key, index);
	if (r < 0)
		goto drop_id;
	times_set(table, index, record, ban);
	count(table, record->tier, 1);
	return 0;
drop_id:
	if (by_id)
		text_pool_drop(table->texts, (uint32_t)key.low);
drop_texts:
	texts_drop(table, record);
give:
	record_pool_give(&table->records, index);
	return r;
}

int ban_table_put(struct ban_table *table, const struct ban *ban)
{
	struct ban_key key = ban->scope == BAN_SCOPE_PEER ? ban_key_id(table, ban->id) : ban_key_prefix(&ban->prefix);
	uint32_t index = ban_table_find(table, &key, ban->tier);
	return index != RECORD_NONE ? replace(table, index, ban) : insert(table, ban, &key.prefix);
}

void ban_table_remove(struct ban_table *table, uint32_t index)
{
	struct ban_record *record = ban_table_at(table, index);
	struct prefix_key key = {record->high, record->low, record->length};
	struct prefix_tree *tree = tree_of(table, record->by_id);
	uint32_t head = prefix_tree_find(tree, &key);
	if (head != index) {
		while (ban_table_at(table, head)->next != index)
			head = ban_table_at(table, head)->next;
		ban_table_at(table, head)->next = record->next;
	} else if (record->next != RECORD_NONE) {
		(void)prefix_tree_put(tree, &key, record->next); /* overwrites in place: cannot fail */
	} else {
		prefix_tree_remove(tree, &key);
	}
	due_queue_clear(&table->due, index);
	count(table, record->tier, -1);
	texts_drop(table, record);
	if (record->by_id)
		text_pool_drop(table->texts, (uint32_t)record->low);
	record_pool_give(&table->records, index);
}

void ban_table_move(struct ban_table *table, uint32_t index, int64_t end_ms, double score, int64_t freeze_until_ms)
{
	struct ban_record *record = ban_table_at(table, index);
	record->end_ms = end_ms;
	record->score = score;
	record->freeze_until_ms = freeze_until_ms;
	due_queue_set(&table->due, index, end_ms);
}

static void copy_text(const struct ban_table *table, char *to, size_t bytes, uint32_t text)
{
	const char *from = text_pool_get(table->texts, text);
	size_t n = strnlen(from, bytes - 1);
	memcpy(to, from, n);
	to[n] = '\0';
}

void ban_table_expand(const struct ban_table *table, uint32_t index, struct ban *ret_ban)
{
	const struct ban_record *record = ban_table_at(table, index);
	struct prefix_key key = {record->high, record->low, record->length};
	ret_ban->scope = record->by_id ? BAN_SCOPE_PEER : BAN_SCOPE_PREFIX;
	ret_ban->prefix = record->by_id ? (struct prefix){0} : prefix_key_to(&key);
	copy_text(table, ret_ban->id, sizeof(ret_ban->id), record->by_id ? (uint32_t)record->low : RECORD_NONE);
	ret_ban->tier = record->tier;
	ret_ban->start_ms = record->start_ms;
	ret_ban->end_ms = record->end_ms;
	copy_text(table, ret_ban->reason, sizeof(ret_ban->reason), record->reason);
	copy_text(table, ret_ban->evidence, sizeof(ret_ban->evidence), record->evidence);
	copy_text(table, ret_ban->source, sizeof(ret_ban->source), record->source);
	ret_ban->score = record->score;
	ret_ban->freeze_until_ms = record->freeze_until_ms;
}

enum source_class ban_tier_class(unsigned tier)
{
	switch (tier) {
	case BAN_TIER_THROTTLE:
		return SOURCE_CLASS_THROTTLED;
	case BAN_TIER_REFUSED:
		return SOURCE_CLASS_REFUSED;
	default:
		return SOURCE_CLASS_BANNED;
	}
}

struct ban_force ban_table_force(const struct ban_table *table, uint32_t chain, int64_t now_ms)
{
	struct ban_force force = {SOURCE_CLASS_NONE, 0};
	for (uint32_t at = chain; at != RECORD_NONE; at = ban_table_at(table, at)->next) {
		const struct ban_record *record = ban_table_at(table, at);
		if (record->end_ms <= now_ms)
			continue;
		enum source_class class = ban_tier_class(record->tier);
		if (class > force.class)
			force = (struct ban_force){class, record->end_ms};
		else if (class == force.class && record->end_ms > force.end_ms)
			force.end_ms = record->end_ms;
	}
	return force;
}
