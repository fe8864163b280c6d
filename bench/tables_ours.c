// SPDX-License-Identifier: BSD-3-Clause
/* Our tables behind the calls of tables_subject.h. One thread; allocates at creation only. */
#include "bench/tables_subject.h"

#include <errno.h>
#include <string.h>

#include "dataplane/flow_table.h"
#include "dataplane/pressure_table.h"
#include "dataplane/proven_table.h"

enum { BAN_META = 0x1000000, PROVEN_LIFETIME_MS = 3600000, NS_AN_ATTEMPT = 100, HALF_LIFE_MS = 10000, NODE_PORT = 30303, PROTOCOL = 6 };

static const struct hash_key hash_key = {UINT64_C(0x4a1d6e7f90b2c3d5), UINT64_C(0x5be0cd19137e2179)};

uint64_t tables_memory_bytes;

static void *counted_allocate(void *context, size_t bytes)
{
	void *block = huge_memory_allocate(context, bytes);

	if (block)
		tables_memory_bytes += bytes;
	return block;
}

static void counted_free(void *context, void *block, size_t bytes)
{
	if (block)
		tables_memory_bytes -= bytes;
	huge_memory_free(context, block, bytes);
}

const struct table_memory tables_memory = {.allocate = counted_allocate, .free = counted_free};

/* Two rounds of multiply and fold within `bits`: each step can be undone, so numbers that differ stay different. */
static uint64_t permuted(uint64_t number, unsigned bits)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1;

	number = number * UINT64_C(0x9e3779b97f4a7c15) & mask;
	number ^= number >> (bits / 2);
	number = number * UINT64_C(0xbf58476d1ce4e5b9) & mask;
	return number ^ number >> (bits / 2 + 1);
}

struct tables_key tables_key_make(enum tables_keys keys, bool stranger, uint64_t number)
{
	if (keys == TABLES_V4)
		return (struct tables_key){permuted(number, 31) | (uint64_t)stranger << 31, 0};
	if (keys == TABLES_V6)
		return (struct tables_key){permuted(number, 60) | (UINT64_C(2) + stranger) << 60, 0};
	number = permuted(number, 60);
	return (struct tables_key){number | (UINT64_C(2) + stranger) << 60, number * UINT64_C(0x9e3779b97f4a7c15)};
}

struct address tables_key_address(enum tables_keys keys, const struct tables_key *key)
{
	struct address address;
	uint64_t words[2] = {__builtin_bswap64(key->high), __builtin_bswap64(key->low | (keys == TABLES_V6))};

	if (keys == TABLES_V4)
		return address_from_v4((uint32_t)key->high);
	memcpy(address.bytes, words, sizeof(words));
	return address;
}

/* Bans: a table that four fifths of 2^log2 entries fill as its own sizing means. */
static int bans_create(enum tables_keys keys, unsigned log2, void **ret_table)
{
	return ban_table_create(keys == TABLES_V4 ? BAN_TABLE_V4 : BAN_TABLE_V6, (UINT64_C(4) << log2) / 5, &hash_key, &tables_memory,
		(struct ban_table **)ret_table);
}

static void bans_destroy(void *table)
{
	ban_table_destroy(table);
}

static int bans_add(void *table, const struct tables_key *key)
{
	return ban_table_set(table, (struct ban_key){key->high, key->low}, BAN_META);
}

static unsigned bans_lookup(void *table, const struct tables_key keys[], unsigned n)
{
	uint64_t hashes[TABLES_BURST];
	unsigned hits = 0;

	for (unsigned i = 0; i < n; i++)
		ban_table_prefetch(table, (struct ban_key){keys[i].high, keys[i].low}, &hashes[i]);
	for (unsigned i = 0; i < n; i++)
		hits += ban_table_lookup(table, (struct ban_key){keys[i].high, keys[i].low}, hashes[i]) != 0;
	return hits;
}

static uint64_t bans_bytes(const void *table)
{
	return ban_table_bytes(table);
}

const struct tables_subject tables_bans = {.name = "ban_table",
	.create = bans_create,
	.destroy = bans_destroy,
	.add = bans_add,
	.lookup = bans_lookup,
	.bytes = bans_bytes};

/* Pressure and proven sources know addresses; so does who asks. The clock moves as if a lcore handled ten million a second. */
struct source_table {
	enum tables_keys keys;
	union {
		struct pressure_table *pressure;
		struct proven_table *proven;
	};
	uint64_t now_ns, random;
};

static int source_create(enum tables_keys keys, struct source_table **ret_source)
{
	struct source_table *source = huge_memory_allocate(NULL, sizeof(*source));

	if (!source)
		return -ENOMEM;
	*source = (struct source_table){.keys = keys, .now_ns = UINT64_C(1000000000000), .random = 1};
	*ret_source = source;
	return 0;
}

static int pressure_create(enum tables_keys keys, unsigned log2, void **ret_table)
{
	struct source_table *source;
	int error = source_create(keys, &source);

	if (error != 0)
		return error;
	error = pressure_table_create(UINT64_C(1) << log2, HALF_LIFE_MS, &hash_key, &tables_memory, &source->pressure);
	if (error != 0)
		huge_memory_free(NULL, source, sizeof(*source));
	else
		*ret_table = source;
	return error;
}

static void pressure_destroy(void *table)
{
	struct source_table *source = table;

	pressure_table_destroy(source->pressure);
	huge_memory_free(NULL, source, sizeof(*source));
}

/* All levels, as an attempt does: IPv4 hosts and three coarser prefixes, four IPv6 prefixes. */
static unsigned pressure_charge(void *table, const struct tables_key keys[], unsigned n)
{
	struct source_table *source = table;
	struct pressure_handle handles[TABLES_BURST];

	for (unsigned i = 0; i < n; i++) {
		struct address address = tables_key_address(source->keys, &keys[i]);

		pressure_table_prefetch(source->pressure, &address, &handles[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		source->random = source->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		(void)pressure_table_charge(source->pressure, &handles[i], source->now_ns, (uint32_t)(source->random >> 32));
	}
	source->now_ns += (uint64_t)n * NS_AN_ATTEMPT;
	return 0;
}

static uint64_t pressure_bytes(const void *table)
{
	return pressure_table_bytes(((const struct source_table *)table)->pressure);
}

const struct tables_subject tables_pressure = {.name = "pressure_table",
	.create = pressure_create,
	.destroy = pressure_destroy,
	.charge = pressure_charge,
	.bytes = pressure_bytes};

static int proven_create(enum tables_keys keys, unsigned log2, void **ret_table)
{
	struct source_table *source;
	int error = source_create(keys, &source);

	if (error != 0)
		return error;
	error = proven_table_create(UINT64_C(1) << log2, &hash_key, &tables_memory, &source->proven);
	if (error != 0)
		huge_memory_free(NULL, source, sizeof(*source));
	else
		*ret_table = source;
	return error;
}

static void proven_destroy(void *table)
{
	struct source_table *source = table;

	proven_table_destroy(source->proven);
	huge_memory_free(NULL, source, sizeof(*source));
}

static int proven_add(void *table, const struct tables_key *key)
{
	struct source_table *source = table;
	struct address address = tables_key_address(source->keys, key);
	uint64_t hash;

	proven_table_prefetch(source->proven, &address, &hash);
	(void)proven_table_add(source->proven, hash, 1, 0, PROVEN_LIFETIME_MS, source->now_ns);
	return 0;
}

/* A packet's address was written by its parser long before it is asked for. Here too all are made before the first is read: a load of
 * 16 bytes waits for two stores of 8 that are still on their way. */
static void addresses_make(
	const struct source_table *source, const struct tables_key keys[], unsigned n, struct address addresses[])
{
	for (unsigned i = 0; i < n; i++)
		addresses[i] = tables_key_address(source->keys, &keys[i]);
}

static void proven_hash(const struct source_table *source, const struct tables_key keys[], unsigned n, uint64_t hashes[])
{
	struct address addresses[TABLES_BURST];

	addresses_make(source, keys, n, addresses);
	for (unsigned i = 0; i < n; i++)
		proven_table_prefetch(source->proven, &addresses[i], &hashes[i]);
}

static unsigned proven_lookup(void *table, const struct tables_key keys[], unsigned n)
{
	struct source_table *source = table;
	uint64_t hashes[TABLES_BURST];
	unsigned hits = 0;

	proven_hash(source, keys, n, hashes);
	for (unsigned i = 0; i < n; i++)
		hits += proven_table_has(source->proven, hashes[i], source->now_ns);
	return hits;
}

static unsigned proven_charge(void *table, const struct tables_key keys[], unsigned n)
{
	struct source_table *source = table;
	uint64_t hashes[TABLES_BURST];
	unsigned there = 0;

	proven_hash(source, keys, n, hashes);
	for (unsigned i = 0; i < n; i++) {
		uint32_t quiet_s;

		(void)proven_table_add_timed(source->proven, hashes[i], 1, 0, PROVEN_LIFETIME_MS, source->now_ns, &quiet_s);
		there += quiet_s != PROVEN_QUIET_NEW;
	}
	source->now_ns += (uint64_t)n * NS_AN_ATTEMPT;
	return there;
}

static uint64_t proven_bytes(const void *table)
{
	return proven_table_bytes(((const struct source_table *)table)->proven);
}

const struct tables_subject tables_proven = {.name = "proven_table",
	.create = proven_create,
	.destroy = proven_destroy,
	.add = proven_add,
	.lookup = proven_lookup,
	.charge = proven_charge,
	.bytes = proven_bytes};

struct flows {
	struct flow_table *table;
	struct flow *storage;
	size_t storage_bytes;
	uint64_t bytes;
	uint32_t now_ms;
};

static int flows_create(enum tables_keys keys, unsigned log2, void **ret_table)
{
	struct flows *flows = huge_memory_allocate(NULL, sizeof(*flows));
	uint64_t before = tables_memory_bytes;
	int error = -ENOMEM;

	(void)keys;
	if (!flows)
		return -ENOMEM;
	*flows = (struct flows){.storage_bytes = sizeof(struct flow) << log2, .now_ms = 1000};
	flows->storage = tables_memory.allocate(NULL, flows->storage_bytes);
	if (flows->storage)
		error = flow_table_create(flows->storage, UINT32_C(1) << log2, &hash_key, &tables_memory, &flows->table);
	if (error != 0) {
		if (flows->storage)
			tables_memory.free(NULL, flows->storage, flows->storage_bytes);
		huge_memory_free(NULL, flows, sizeof(*flows));
		return error;
	}
	flows->bytes = tables_memory_bytes - before;
	*ret_table = flows;
	return 0;
}

static void flows_destroy(void *table)
{
	struct flows *flows = table;

	flow_table_destroy(flows->table);
	tables_memory.free(NULL, flows->storage, flows->storage_bytes);
	huge_memory_free(NULL, flows, sizeof(*flows));
}

static struct flow_key flow_key_from(const struct tables_key *key)
{
	return (struct flow_key){tables_key_address(TABLES_FLOW, key), (uint16_t)key->low, NODE_PORT, 0, PROTOCOL};
}

static void flow_insert(struct flows *flows, const struct flow_key *key, uint64_t hash)
{
	struct flow evicted, *flow = flow_table_insert(flows->table, key, hash, flows->now_ms, false, &evicted);

	if (flow)
		flow->state = FLOW_STATE_SYN_SENT;
}

static int flows_add(void *table, const struct tables_key *key)
{
	struct flows *flows = table;
	struct flow_key flow_key = flow_key_from(key);

	flow_insert(flows, &flow_key, flow_table_prefetch(flows->table, &flow_key));
	return 0;
}

static unsigned flows_find(
	struct flows *flows, const struct tables_key keys[], unsigned n, bool insert)
{
	struct flow_key flow_keys[TABLES_BURST];
	uint64_t hashes[TABLES_BURST];
	unsigned hits = 0;

	for (unsigned i = 0; i < n; i++) {
		flow_keys[i] = flow_key_from(&keys[i]);
		hashes[i] = flow_table_prefetch(flows->table, &flow_keys[i]);
	}
	for (unsigned i = 0; i < n; i++)
		if (!flow_table_prefetch_flow(flows->table, hashes[i]) && insert)
			flow_table_prefetch_newcomer(flows->table, hashes[i]);
	for (unsigned i = 0; i < n; i++) {
		if (flow_table_lookup(flows->table, &flow_keys[i], hashes[i]))
			hits++;
		else if (insert)
			flow_insert(flows, &flow_keys[i], hashes[i]);
	}
	return hits;
}

static unsigned flows_lookup(void *table, const struct tables_key keys[], unsigned n)
{
	return flows_find(table, keys, n, false);
}

static unsigned flows_charge(void *table, const struct tables_key keys[], unsigned n)
{
	return flows_find(table, keys, n, true);
}

static uint64_t flows_bytes(const void *table)
{
	return ((const struct flows *)table)->bytes;
}

const struct tables_subject tables_flows = {.name = "flow_table",
	.create = flows_create,
	.destroy = flows_destroy,
	.add = flows_add,
	.lookup = flows_lookup,
	.charge = flows_charge,
	.bytes = flows_bytes};
