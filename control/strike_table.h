/* SPDX-License-Identifier: BSD-3-Clause
 * Strikes: how many temporary bans a source or a peer id has had (policy.md LO-10). Apart from the bans, because they
 * must survive an unban: a strike lives strike_life from the last one. One thread. Bounded: the oldest gives way.
 */
#ifndef WEIR_CONTROL_STRIKE_TABLE_H
#define WEIR_CONTROL_STRIKE_TABLE_H

#include "control/ban_table.h"

struct strike_record {
	uint32_t count;
	uint32_t id; /* interned, held; RECORD_NONE: by prefix */
	struct prefix_key key;
	int64_t last_ms;
};

struct strike_table {
	struct record_pool records;
	struct prefix_tree prefixes, ids;
	struct due_queue due; /* last_ms: the life is added by the caller, so that it can be reconfigured */
	struct text_pool *texts; /* not owned */
};

void strike_table_init(struct strike_table *table, struct text_pool *texts);
void strike_table_fini(struct strike_table *table);
/** RECORD_NONE if there is none. */
uint32_t strike_table_find(const struct strike_table *table, const struct ban_key *key);
static inline struct strike_record *strike_table_at(const struct strike_table *table, uint32_t index)
{
	return record_pool_at(&table->records, index);
}
/** Set the count, making the record if need be. `id` when the key is by id. -ENOMEM. */
int strike_table_put(struct strike_table *table, const struct ban_key *key, const char *id, uint32_t count, int64_t last_ms);
void strike_table_remove(struct strike_table *table, uint32_t index);

#endif
