// SPDX-License-Identifier: BSD-3-Clause
/* Fragments that follow their first (fragment_table.h). Direct-mapped: a newer datagram takes the place of an
 * older one, whose later fragments are then dropped and resent by their sender. One lcore owns it; no
 * allocation after creation.
 */
#include "dataplane/fragment_table.h"

#include <errno.h>
#include <string.h>

struct fragment_entry {
	uint64_t tag; /* the whole hash; 0 = empty */
	uint64_t added_ms : 56;
	uint64_t followed : 8;
};
_Static_assert(FRAGMENTS_MAX <= 255, "counted in 8 bits");
_Static_assert(sizeof(struct fragment_entry) == 16, "four entries a cache line");

struct fragment_table {
	struct fragment_entry *entries;
	struct hash_key key;
	uint32_t capacity;
	struct table_memory memory;
};

int fragment_table_create(uint32_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct fragment_table **ret_table)
{
	struct fragment_table *table;

	if (capacity == 0)
		return -EINVAL;
	table = memory->allocate(memory->context, sizeof(*table));
	if (!table)
		return -ENOMEM;
	*table = (struct fragment_table){.key = *key, .capacity = capacity, .memory = *memory};
	table->entries = memory->allocate(memory->context, capacity * sizeof(struct fragment_entry));
	if (!table->entries) {
		memory->free(memory->context, table, sizeof(*table));
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

void fragment_table_destroy(struct fragment_table *table)
{
	struct table_memory memory;

	if (!table)
		return;
	memory = table->memory;
	memory.free(memory.context, table->entries, table->capacity * sizeof(struct fragment_entry));
	memory.free(memory.context, table, sizeof(*table));
}

/* A datagram is named by its ends and its id. The protocol is left out: behind IPv6 extension headers the
 * first fragment shows another one than the later ones. Two protocols with one id at once could at worst let
 * fragments through whose datagram can never be completed. */
static uint64_t packet_tag(const struct fragment_table *table, const struct packet *packet)
{
	uint64_t source[2], destination[2], hash;

	memcpy(source, packet->source.bytes, sizeof(source));
	memcpy(destination, packet->destination.bytes, sizeof(destination));
	hash = keyed_hash_3(&table->key, destination[0], destination[1], packet->fragment_id);
	hash = keyed_hash_3(&table->key, source[0], source[1], hash);
	return hash ? hash : 1;
}

static struct fragment_entry *tag_entry(const struct fragment_table *table, uint64_t tag)
{
	return &table->entries[((tag >> 32) * table->capacity) >> 32];
}

void fragment_table_add(struct fragment_table *table, const struct packet *packet, uint64_t now_ns)
{
	uint64_t tag = packet_tag(table, packet);

	*tag_entry(table, tag) = (struct fragment_entry){.tag = tag, .added_ms = now_ns / UINT64_C(1000000)};
}

bool fragment_table_has(struct fragment_table *table, const struct packet *packet, uint64_t now_ns)
{
	uint64_t tag = packet_tag(table, packet);
	struct fragment_entry *entry = tag_entry(table, tag);

	if (entry->tag != tag || now_ns / UINT64_C(1000000) - entry->added_ms >= FRAGMENT_LIFETIME_MS ||
		entry->followed >= FRAGMENTS_MAX)
		return false;
	entry->followed++;
	return true;
}
