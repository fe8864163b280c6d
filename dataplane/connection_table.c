// SPDX-License-Identifier: BSD-3-Clause
/* QUIC connection ids (connection_table.h). Writers and readers: all lcores, lock-free. An entry is two
 *words: id	its first 8 bytes; 0 free times	seen 32 | moved 32, seconds of CLOCK_MONOTONIC; moved 0: never
 * An id is placed by compare and swap, its times are stored behind it: for an instant it has its
 *predecessor's, which are as old as any, so that it is then only not known yet.
 */
#include "dataplane/connection_table.h"

#include <errno.h>
#include <stdatomic.h>

#include "dataplane/keyed_hash.h"

enum {
	CONNECTION_SLOTS = 4,
	CONNECTION_CANDIDATES = 2 * CONNECTION_SLOTS,
	CONNECTION_ATTEMPTS = 4, /* of a compare and swap */
};
#define CONNECTION_IDS_MAX (UINT64_C(1) << 26)

struct connection_entry {
	_Atomic uint64_t id;
	_Atomic uint64_t times;
};
struct connection_bucket {
	struct connection_entry entries[CONNECTION_SLOTS];
};
_Static_assert(sizeof(struct connection_bucket) == 64, "one cache line a bucket");

struct connection_table {
	struct connection_bucket *buckets;
	struct hash_key key;
	uint64_t n_buckets;
	struct table_memory memory;
};

int connection_table_create(uint64_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct connection_table **ret_table)
{
	struct connection_table *table;

	if (capacity < CONNECTION_IDS_MIN || capacity > CONNECTION_IDS_MAX)
		return -EINVAL;
	table = memory->allocate(memory->context, sizeof(*table));
	if (table == NULL)
		return -ENOMEM;
	*table = (struct connection_table){
		.key = *key,
		.n_buckets = (capacity + CONNECTION_SLOTS - 1) / CONNECTION_SLOTS,
		.memory = *memory,
	};
	table->buckets =
		memory->allocate(memory->context, table->n_buckets * sizeof(struct connection_bucket));
	if (table->buckets == NULL) {
		memory->free(memory->context, table, sizeof(*table));
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

void connection_table_destroy(struct connection_table *table)
{
	struct table_memory memory;

	if (table == NULL)
		return;
	memory = table->memory;
	memory.free(memory.context, table->buckets, table->n_buckets * sizeof(struct connection_bucket));
	memory.free(memory.context, table, sizeof(*table));
}

static uint32_t seen_s(uint64_t times)
{
	return (uint32_t)(times >> 32);
}

static uint32_t moved_s(uint64_t times)
{
	return (uint32_t)times;
}

static uint64_t times_make(uint32_t seen, uint32_t moved)
{
	return (uint64_t)seen << 32 | moved;
}

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static bool swap(_Atomic uint64_t *word, uint64_t *expected, uint64_t next)
{
	return atomic_compare_exchange_strong_explicit(
		word, expected, next, memory_order_relaxed, memory_order_relaxed);
}

static void candidates_find(const struct connection_table *table, uint64_t id,
	struct connection_entry *ret_entries[CONNECTION_CANDIDATES])
{
	uint64_t hash = keyed_hash_1(&table->key, id);
	struct connection_bucket *first = &table->buckets[((hash >> 32) * table->n_buckets) >> 32];
	struct connection_bucket *second = &table->buckets[((hash & 0xffffffff) * table->n_buckets) >> 32];

	for (unsigned i = 0; i < CONNECTION_SLOTS; i++) {
		ret_entries[i] = &first->entries[i];
		ret_entries[CONNECTION_SLOTS + i] = &second->entries[i];
	}
}

static struct connection_entry *entry_find(const struct connection_table *table, uint64_t id)
{
	struct connection_entry *entries[CONNECTION_CANDIDATES];

	candidates_find(table, id, entries);
	for (unsigned i = 0; i < CONNECTION_CANDIDATES; i++)
		if (load(&entries[i]->id) == id)
			return entries[i];
	return NULL;
}

/* A free place in the emptier bucket, else the one that was seen least lately. */
static struct connection_entry *place_choose(
	struct connection_entry *const entries[CONNECTION_CANDIDATES], uint32_t now_s, uint64_t *ret_tenant)
{
	struct connection_entry *free_entries[2] = {NULL, NULL}, *oldest = entries[0];
	unsigned n_free[2] = {0, 0};
	uint32_t oldest_age_s = 0;

	*ret_tenant = load(&oldest->id);
	for (unsigned i = 0; i < CONNECTION_CANDIDATES; i++) {
		unsigned bucket = i / CONNECTION_SLOTS;
		uint64_t tenant = load(&entries[i]->id);
		uint32_t age_s = now_s - seen_s(load(&entries[i]->times));

		if (tenant == 0) {
			free_entries[bucket] = entries[i];
			n_free[bucket]++;
		} else if (age_s > oldest_age_s) {
			oldest_age_s = age_s;
			oldest = entries[i];
			*ret_tenant = tenant;
		}
	}
	if (n_free[0] + n_free[1] == 0)
		return oldest;
	*ret_tenant = 0;
	return free_entries[n_free[1] > n_free[0]];
}

static void entry_see(struct connection_entry *entry, uint32_t now_s)
{
	uint64_t times = load(&entry->times);

	/* Lost: another lcore has seen it as late, or it has moved now. */
	(void)swap(&entry->times, &times, times_make(now_s, moved_s(times)));
}

enum connection_added connection_table_add(struct connection_table *table, uint64_t id, uint32_t now_s)
{
	struct connection_entry *entries[CONNECTION_CANDIDATES], *entry = entry_find(table, id);

	if (entry != NULL) {
		entry_see(entry, now_s);
		return CONNECTION_KNOWN;
	}
	candidates_find(table, id, entries);
	for (unsigned i = 0; i < CONNECTION_ATTEMPTS; i++) {
		uint64_t tenant;

		entry = place_choose(entries, now_s, &tenant);
		if (!swap(&entry->id, &tenant, id))
			continue;
		atomic_store_explicit(&entry->times, times_make(now_s, 0), memory_order_relaxed);
		return tenant == 0 ? CONNECTION_NEW : CONNECTION_EVICTED;
	}
	return CONNECTION_LOST;
}

static bool may_move(uint64_t times, uint32_t lifetime_s, uint32_t now_s)
{
	if (now_s - seen_s(times) > lifetime_s)
		return false;
	return moved_s(times) == 0 || now_s - moved_s(times) >= CONNECTION_MOVE_S;
}

bool connection_table_may_move(
	const struct connection_table *table, uint64_t id, uint32_t lifetime_s, uint32_t now_s)
{
	const struct connection_entry *entry = entry_find(table, id);

	return entry != NULL && may_move(load(&entry->times), lifetime_s, now_s);
}

bool connection_table_move(struct connection_table *table, uint64_t id, uint32_t lifetime_s, uint32_t now_s)
{
	struct connection_entry *entry = entry_find(table, id);
	uint64_t times;

	if (entry == NULL)
		return false;
	times = load(&entry->times);
	return may_move(times, lifetime_s, now_s) &&
	       swap(&entry->times, &times, times_make(now_s, now_s != 0 ? now_s : 1));
}

unsigned connection_table_remove(struct connection_table *table, uint64_t id, uint32_t last_s)
{
	struct connection_entry *entries[CONNECTION_CANDIDATES];
	unsigned removed = 0;

	candidates_find(table, id, entries);
	for (unsigned i = 0; i < CONNECTION_CANDIDATES; i++) {
		uint64_t tenant = load(&entries[i]->id);

		if (tenant != id || (int32_t)(seen_s(load(&entries[i]->times)) - last_s) > 0)
			continue;
		removed += swap(&entries[i]->id, &tenant, 0);
	}
	return removed;
}
