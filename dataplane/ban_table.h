/* SPDX-License-Identifier: BSD-3-Clause
 * Bans of single sources: exact entries in cache-line buckets, two choices and a small stash. Writer: the
 * table thread, only. Readers: lcores, without locks. v4 (/32): one 64-bit word {address, meta}, one store
 * publishes, renews or removes. v6 (/64) and exact (/128): a removed slot is reused only after a grace
 * period, so a reader that matched a key never reads another key's meta. Growing or rebuilding means a new
 * table: the owner swaps the pointer under RCU and frees the old one after a grace period.
 */
#ifndef WEIR_DATAPLANE_BAN_TABLE_H
#define WEIR_DATAPLANE_BAN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/keyed_hash.h"
#include "shm/command.h"
#include "shm/image.h"

/** Memory comes from the caller, so that I/O can give huge pages: zeroed, aligned to 64, kept until `free`.
 */
struct table_memory {
	void *(*allocate)(void *context, size_t bytes);
	void (*free)(void *context, void *block, size_t bytes);
	void *context;
};
/** calloc-like memory for tools and tests. */
extern const struct table_memory table_memory_heap;

enum ban_table_kind { BAN_TABLE_V4, BAN_TABLE_V6, BAN_TABLE_EXACT };

struct ban_table;

/** `capacity` entries must fit at 80 % load; the table is sized up to the next power of two buckets or finer.
 * -ENOMEM, -EINVAL. */
int ban_table_create(enum ban_table_kind kind, uint64_t capacity, const struct hash_key *key,
	const struct table_memory *memory, struct ban_table **ret_table);
void ban_table_destroy(struct ban_table *table);

/* Keys are two words: v4 {address, 0}; v6 {site, 0}; exact {high, low}. Host order. */
struct ban_key {
	uint64_t high, low;
};

/** Table thread. Set or replace. -ENOSPC: both buckets and the stash are full (grow the table). -EAGAIN (v6,
 * exact): the only free slots wait for a grace period: end one, call ban_table_grace_elapsed, try again.
 * -EINVAL: meta 0 (means no entry), or a v4 key beyond 32 bits. Loading many: ban_table_prefetch 16 keys
 * ahead makes it 1.5 to 2 times as fast. */
int ban_table_set(struct ban_table *table, struct ban_key key, uint32_t meta);
/** Table thread. 0, or -ENOENT. */
int ban_table_clear(struct ban_table *table, struct ban_key key);
/** Table thread: a grace period has passed since every clear that returned before it began; nothing was
 * cleared in between. */
void ban_table_grace_elapsed(struct ban_table *table);
/** Table thread: look at up to `budget_buckets` buckets, free entries whose end has passed. Returns entries
 * freed. */
unsigned ban_table_expire_step(struct ban_table *table, uint32_t now_s, unsigned budget_buckets);
uint64_t ban_table_count(const struct ban_table *table);
uint64_t ban_table_capacity(const struct ban_table *table);
size_t ban_table_bytes(const struct ban_table *table);

/** Any thread, inside an RCU read-side section (QSBR: online). Phase 1: hash and prefetch. */
void ban_table_prefetch(const struct ban_table *table, struct ban_key key, uint64_t *ret_hash);
/** Phase 2: the meta word, or 0 when there is no entry. The caller checks the end against its clock. */
uint32_t ban_table_lookup(const struct ban_table *table, struct ban_key key, uint64_t hash);
/** Both phases for a burst, n <= BAN_TABLE_BURST_MAX: the same metas. */
enum { BAN_TABLE_BURST_MAX = 64 };
void ban_table_lookup_burst(
	const struct ban_table *table, const struct ban_key keys[], unsigned n, uint32_t ret_metas[]);

#endif
