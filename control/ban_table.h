/* SPDX-License-Identifier: BSD-3-Clause
 * The table of bans: one compact record per key and tier, an ordered tree of keys, and a queue of ends. It knows which
 * class is in force for a key; what to do about it is the governor's business. One thread.
 *
 * Cost of one plain ban of a host: record 72 bytes, tree 24 to 35, queue 20 (none if it never ends): at most 127 bytes.
 */
#ifndef WEIR_CONTROL_BAN_TABLE_H
#define WEIR_CONTROL_BAN_TABLE_H

#include "control/due_queue.h"
#include "control/governor.h"
#include "control/prefix_tree.h"
#include "control/text_pool.h"

enum {
	/* A score in the disconnect state, kept as a record of its own so that one queue and one rule of strength serve all
	 * that is enforced. Never stored, listed or counted as a ban. */
	BAN_TIER_REFUSED = 6,
	BAN_TIER_COUNT = 7,
};

/** Which chain of records: those of a prefix, or of a peer id (interned). */
struct ban_key {
	struct prefix_key prefix; /* for an id: {0, text, 0} */
	bool by_id;
};

struct ban_record {
	uint32_t next; /* same key, ascending tier; RECORD_NONE ends */
	uint32_t reason, evidence, source; /* interned; the record holds a reference each */
	uint64_t high, low;
	int64_t start_ms, end_ms;
	double score;
	int64_t freeze_until_ms;
	uint8_t length, tier;
	bool by_id; /* low is the interned id, of which the record holds a reference */
};
_Static_assert(sizeof(struct ban_record) <= 72, "10 million bans are counted in these bytes");

struct ban_table {
	struct record_pool records;
	struct prefix_tree prefixes, ids;
	struct due_queue due;
	struct text_pool *texts; /* not owned */
	uint64_t n_by_tier[BAN_TIER_COUNT];
	uint64_t n; /* without BAN_TIER_REFUSED */
};

void ban_table_init(struct ban_table *table, struct text_pool *texts);
void ban_table_fini(struct ban_table *table);

struct ban_key ban_key_prefix(const struct prefix *prefix);
/** The key of an id; an id never seen gives a key without records. */
struct ban_key ban_key_id(const struct ban_table *table, const char *id);

/** First record of a key or RECORD_NONE; go on with ->next. */
uint32_t ban_table_chain(const struct ban_table *table, const struct ban_key *key);
uint32_t ban_table_find(const struct ban_table *table, const struct ban_key *key, unsigned tier);
static inline struct ban_record *ban_table_at(const struct ban_table *table, uint32_t index)
{
	return record_pool_at(&table->records, index);
}
/** Insert, or replace the record of the same key and tier. -ENOMEM: nothing changed. */
int ban_table_put(struct ban_table *table, const struct ban *ban);
void ban_table_remove(struct ban_table *table, uint32_t index);
/** Move the end of a record, with its score and freeze. */
void ban_table_move(struct ban_table *table, uint32_t index, int64_t end_ms, double score, int64_t freeze_until_ms);
/** The record in full. */
void ban_table_expand(const struct ban_table *table, uint32_t index, struct ban *ret_ban);

struct ban_force {
	enum source_class class;
	int64_t end_ms;
};
enum source_class ban_tier_class(unsigned tier);
/** The strongest class among a key's records that end after `now_ms` (INT64_MIN: among all), and when it ends. */
struct ban_force ban_table_force(const struct ban_table *table, uint32_t chain, int64_t now_ms);

#endif
