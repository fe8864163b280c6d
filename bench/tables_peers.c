// SPDX-License-Identifier: BSD-3-Clause
/* rte_hash and cds_lfht behind the calls of tables_subject.h, each as fast as its interface allows: rte_hash without any protection
 * against concurrent writers, with its own CRC, which strangers can make collide, and with our keyed hash, bulk lookups and compares of
 * the key's width, and what is only read beside the key; cds_lfht with its nodes in our pages and
 * all hashes of a burst before its first lookup, which is all that an interface without bursts gives. Neither is ever fuller than
 * four fifths: under a flood the oldest key makes room first, because a search for room in a full rte_hash would be its end.
 */
#include "bench/tables_subject.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <malloc.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

#include "dataplane/keyed_hash.h"

enum { FLOW_KEY_BYTES = 32, FLOW_RECORD_BYTES = 64, HUGE_PAGES_MIN = 64 };

/* What rte_hash keeps beside a key: as much as a ban's meta or a proof's end, and read as such. */
#define CUCKOO_VALUE ((uintptr_t)0x1000000)

static const struct hash_key peer_key = {UINT64_C(0x4a1d6e7f90b2c3d5), UINT64_C(0x5be0cd19137e2179)};
static bool environment_huge;

const char *tables_environment_pages(void)
{
	return environment_huge ? "huge" : "small";
}

static long huge_pages_free(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long pages = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file) && sscanf(line, "HugePages_Free: %ld", &pages) != 1)
		;
	fclose(file);
	return pages;
}

bool tables_environment_start(void)
{
	char cpus[32], no_huge[] = "--no-huge";
	char *argv[] = {(char[]){"weir-bench-tables"}, (char[]){"--no-pci"}, (char[]){"--no-telemetry"}, (char[]){"--log-level=error"},
		(char[]){"--force-max-simd-bitwidth=512"}, (char[]){"--lcores"}, cpus, (char[]){"--in-memory"}, (char[]){"-m"},
		(char[]){"2048"}, (char[]){"--no-shconf"}};
	int argc = 8;

	/* The one lcore may run wherever the kernel likes, as without an environment. */
	snprintf(cpus, sizeof(cpus), "0@(0-%ld)", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	environment_huge = huge_pages_free() >= HUGE_PAGES_MIN;
	if (!environment_huge) {
		argv[7] = no_huge;
		argc = 11;
	}
	if (rte_eal_init(argc, argv) < 0) {
		fprintf(stderr, "weir-bench-tables: DPDK's environment does not start: %s\n", rte_strerror(rte_errno));
		return false;
	}
	rte_log_set_global_level(RTE_LOG_CRIT);
	return true;
}

/* A key as rte_hash reads it; widths that it compares without a call where there is one. */
struct wide_key {
	uint64_t words[FLOW_KEY_BYTES / 8];
};

static void wide_key_fill(enum tables_keys keys, const struct tables_key *key, struct wide_key *wide)
{
	if (keys == TABLES_FLOW)
		*wide = (struct wide_key){{key->high, key->low, (uint16_t)key->low | UINT64_C(30303) << 16 | UINT64_C(6) << 40, 0}};
	else
		wide->words[0] = key->high;
}

static int compare_4(const void *a, const void *b, size_t bytes)
{
	(void)bytes;
	return *(const uint32_t *)a != *(const uint32_t *)b;
}

static int compare_8(const void *a, const void *b, size_t bytes)
{
	(void)bytes;
	return *(const uint64_t *)a != *(const uint64_t *)b;
}

static uint64_t heap_bytes(void)
{
	struct rte_malloc_socket_stats stats;
	uint64_t bytes = 0;

	for (int socket = 0; socket < 2; socket++) {
		if (rte_malloc_get_socket_stats(socket, &stats) == 0)
			bytes += stats.heap_allocsz_bytes;
	}
	return bytes;
}

struct cuckoo {
	struct rte_hash *hash;
	enum tables_keys keys;
	uint32_t places, count, limit, hand;
	uint64_t bytes;
	struct tables_key *tenants; /* by position: who goes next */
	uint8_t *records;           /* by position: what is known of him and changes, begins with a count; 0: nobody is here */
	size_t record_bytes;
};

/* A flow's state is a line of its own, as in our flow table; else a count. */
static size_t record_bytes_of(enum tables_keys keys)
{
	return keys == TABLES_FLOW ? FLOW_RECORD_BYTES : sizeof(uint32_t);
}

static uint32_t *cuckoo_count(const struct cuckoo *cuckoo, uint32_t position)
{
	return (uint32_t *)(void *)(cuckoo->records + position * cuckoo->record_bytes);
}

static void cuckoo_destroy(void *table)
{
	struct cuckoo *cuckoo = table;

	rte_hash_free(cuckoo->hash);
	huge_memory_free(NULL, cuckoo->tenants, cuckoo->places * sizeof(*cuckoo->tenants));
	huge_memory_free(NULL, cuckoo->records, cuckoo->places * cuckoo->record_bytes);
	huge_memory_free(NULL, cuckoo, sizeof(*cuckoo));
}

/* The keyed hash of our tables; a key of 4 bytes is a word too. */
static uint32_t hash_keyed(const void *key, uint32_t bytes, uint32_t seed)
{
	const uint64_t *words = key;

	(void)seed;
	if (bytes == 4)
		return (uint32_t)keyed_hash_1(&peer_key, *(const uint32_t *)key);
	return (uint32_t)(bytes == 8 ? keyed_hash_1(&peer_key, words[0]) : keyed_hash_3(&peer_key, words[0], words[1], words[2]));
}

static int cuckoo_create(enum tables_keys keys, unsigned log2, rte_hash_function function, void **ret_table)
{
	static const uint32_t key_bytes[TABLES_KEYS_COUNT] = {4, 8, FLOW_KEY_BYTES};
	struct rte_hash_parameters parameters = {.name = "peer",
		.entries = UINT32_C(1) << log2,
		.key_len = key_bytes[keys],
		.hash_func = function,
		.hash_func_init_val = 0x5be0cd19,
		.socket_id = SOCKET_ID_ANY};
	struct cuckoo *cuckoo = huge_memory_allocate(NULL, sizeof(*cuckoo));
	uint64_t before = heap_bytes();

	if (!cuckoo)
		return -ENOMEM;
	*cuckoo = (struct cuckoo){.keys = keys,
		.places = (UINT32_C(1) << log2) + 1,
		.limit = (UINT32_C(4) << log2) / 5,
		.record_bytes = record_bytes_of(keys)};
	cuckoo->hash = rte_hash_create(&parameters);
	cuckoo->tenants = huge_memory_allocate(NULL, cuckoo->places * sizeof(*cuckoo->tenants));
	cuckoo->records = huge_memory_allocate(NULL, cuckoo->places * cuckoo->record_bytes);
	if (!cuckoo->hash || !cuckoo->tenants || !cuckoo->records) {
		cuckoo_destroy(cuckoo);
		return -ENOMEM;
	}
	cuckoo->bytes = heap_bytes() - before + (keys == TABLES_FLOW ? cuckoo->places * cuckoo->record_bytes : 0);
	if (keys != TABLES_FLOW)
		rte_hash_set_cmp_func(cuckoo->hash, keys == TABLES_V4 ? compare_4 : compare_8);
	*ret_table = cuckoo;
	return 0;
}

static int cuckoo_create_crc(enum tables_keys keys, unsigned log2, void **ret_table)
{
	return cuckoo_create(keys, log2, rte_hash_crc, ret_table);
}

static int cuckoo_create_keyed(enum tables_keys keys, unsigned log2, void **ret_table)
{
	return cuckoo_create(keys, log2, hash_keyed, ret_table);
}

/* Room for one more, if need be by the departure of the one who stands where the hand is. */
static void cuckoo_make_room(struct cuckoo *cuckoo)
{
	struct wide_key wide;

	while (cuckoo->count >= cuckoo->limit) {
		cuckoo->hand = cuckoo->hand + 1 < cuckoo->places ? cuckoo->hand + 1 : 0;
		if (*cuckoo_count(cuckoo, cuckoo->hand) == 0)
			continue;
		wide_key_fill(cuckoo->keys, &cuckoo->tenants[cuckoo->hand], &wide);
		if (rte_hash_del_key(cuckoo->hash, &wide) < 0)
			abort(); /* it was added: the benchmark is wrong */
		*cuckoo_count(cuckoo, cuckoo->hand) = 0;
		cuckoo->count--;
	}
}

/* A flow's state is too large to lie beside its key, and changes; a ban's or a proof's is a word that a lookup only reads, and
 * rte_hash keeps such a word in the line of the key. Lookups are never asked of more keys than four fifths of the places. */
static int cuckoo_add(void *table, const struct tables_key *key)
{
	struct cuckoo *cuckoo = table;
	struct wide_key wide;
	int position;

	wide_key_fill(cuckoo->keys, key, &wide);
	if (cuckoo->keys != TABLES_FLOW)
		return rte_hash_add_key_data(cuckoo->hash, &wide, (void *)CUCKOO_VALUE);
	position = rte_hash_add_key(cuckoo->hash, &wide);
	if (position < 0)
		return position;
	*cuckoo_count(cuckoo, (uint32_t)position) = 1;
	return 0;
}

/* One who is not there and will be counted; another leaves if there is no room. */
static int cuckoo_insert(struct cuckoo *cuckoo, const struct tables_key *key)
{
	struct wide_key wide;
	int position;

	cuckoo_make_room(cuckoo);
	wide_key_fill(cuckoo->keys, key, &wide);
	position = rte_hash_add_key(cuckoo->hash, &wide);
	if (position < 0)
		return position;
	cuckoo->count += *cuckoo_count(cuckoo, (uint32_t)position) == 0;
	cuckoo->tenants[position] = *key;
	++*cuckoo_count(cuckoo, (uint32_t)position);
	return 0;
}

static void wide_keys_fill(
	enum tables_keys keys, const struct tables_key from[], unsigned n, struct wide_key wide[], const void *pointers[])
{
	for (unsigned i = 0; i < n; i++) {
		wide_key_fill(keys, &from[i], &wide[i]);
		pointers[i] = &wide[i];
	}
}

static void cuckoo_find(struct cuckoo *cuckoo, const struct tables_key keys[], unsigned n, int32_t positions[])
{
	struct wide_key wide[TABLES_BURST];
	const void *pointers[TABLES_BURST];

	wide_keys_fill(cuckoo->keys, keys, n, wide, pointers);
	(void)rte_hash_lookup_bulk(cuckoo->hash, pointers, n, positions);
	for (unsigned i = 0; i < n; i++) {
		if (positions[i] >= 0)
			__builtin_prefetch(cuckoo_count(cuckoo, (uint32_t)positions[i]), 1);
	}
}

static unsigned cuckoo_lookup_values(struct cuckoo *cuckoo, const struct tables_key keys[], unsigned n)
{
	struct wide_key wide[TABLES_BURST];
	const void *pointers[TABLES_BURST];
	void *values[TABLES_BURST];
	uint64_t found = 0;
	unsigned hits = 0;

	wide_keys_fill(cuckoo->keys, keys, n, wide, pointers);
	(void)rte_hash_lookup_bulk_data(cuckoo->hash, pointers, n, &found, values);
	for (unsigned i = 0; i < n; i++)
		hits += (found >> i & 1) && (uintptr_t)values[i] == CUCKOO_VALUE;
	return hits;
}

static unsigned cuckoo_lookup(void *table, const struct tables_key keys[], unsigned n)
{
	struct cuckoo *cuckoo = table;
	int32_t positions[TABLES_BURST];
	unsigned hits = 0;

	if (cuckoo->keys != TABLES_FLOW)
		return cuckoo_lookup_values(cuckoo, keys, n);
	cuckoo_find(cuckoo, keys, n, positions);
	for (unsigned i = 0; i < n; i++)
		hits += positions[i] >= 0 && *cuckoo_count(cuckoo, (uint32_t)positions[i]) != 0;
	return hits;
}

static unsigned cuckoo_charge(void *table, const struct tables_key keys[], unsigned n)
{
	struct cuckoo *cuckoo = table;
	int32_t positions[TABLES_BURST];
	unsigned hits = 0;

	cuckoo_find(cuckoo, keys, n, positions);
	for (unsigned i = 0; i < n; i++) {
		if (positions[i] >= 0) {
			++*cuckoo_count(cuckoo, (uint32_t)positions[i]);
			hits++;
		} else if (cuckoo_insert(cuckoo, &keys[i]) < 0) {
			abort(); /* never fuller than four fifths */
		}
	}
	return hits;
}

static uint64_t cuckoo_bytes(const void *table)
{
	return ((const struct cuckoo *)table)->bytes;
}

const struct tables_subject tables_rte_hash = {.name = "rte_hash",
	.create = cuckoo_create_crc,
	.destroy = cuckoo_destroy,
	.add = cuckoo_add,
	.lookup = cuckoo_lookup,
	.charge = cuckoo_charge,
	.bytes = cuckoo_bytes};
const struct tables_subject tables_rte_hash_keyed = {.name = "rte_hash keyed",
	.create = cuckoo_create_keyed,
	.destroy = cuckoo_destroy,
	.add = cuckoo_add,
	.lookup = cuckoo_lookup,
	.charge = cuckoo_charge,
	.bytes = cuckoo_bytes};

struct lfht_node {
	struct cds_lfht_node node;
	struct tables_key key;
	uint32_t attempts;
};

/* Nodes are used in a ring: the oldest leaves when four fifths are in use, and its place is used again after the rest of the ring, a
 * fifth, has been, with a grace period in between. */
struct lfht {
	struct cds_lfht *table;
	enum tables_keys keys;
	uint32_t places, limit, next, count, since_grace;
	uint64_t bytes;
	size_t node_bytes;
	uint8_t *nodes;
};

static struct lfht_node *lfht_place(const struct lfht *lfht, uint32_t place)
{
	return (struct lfht_node *)(void *)(lfht->nodes + place * lfht->node_bytes);
}

static void lfht_destroy(void *table)
{
	struct lfht *lfht = table;

	for (uint32_t i = 0; i < lfht->count; i++)
		(void)cds_lfht_del(lfht->table, &lfht_place(lfht, (lfht->next + lfht->places - 1 - i) % lfht->places)->node);
	urcu_qsbr_synchronize_rcu();
	if (lfht->table)
		(void)cds_lfht_destroy(lfht->table, NULL);
	huge_memory_free(NULL, lfht->nodes, lfht->places * lfht->node_bytes);
	huge_memory_free(NULL, lfht, sizeof(*lfht));
	urcu_qsbr_unregister_thread();
}

static int lfht_create(enum tables_keys keys, unsigned log2, void **ret_table)
{
	struct lfht *lfht = huge_memory_allocate(NULL, sizeof(*lfht));
	struct mallinfo2 before = mallinfo2(), after;

	if (!lfht)
		return -ENOMEM;
	urcu_qsbr_register_thread();
	/* A flow's state is more than its key and a count. */
	*lfht = (struct lfht){.keys = keys,
		.places = UINT32_C(1) << log2,
		.limit = (UINT32_C(4) << log2) / 5,
		.node_bytes = keys == TABLES_FLOW ? sizeof(struct cds_lfht_node) + FLOW_RECORD_BYTES : sizeof(struct lfht_node)};
	/* As many buckets as places, all at once: a growing table would be measured growing. */
	lfht->table = cds_lfht_new_flavor(UINT64_C(1) << log2, UINT64_C(1) << log2, UINT64_C(1) << log2, 0, &urcu_qsbr_flavor, NULL);
	lfht->nodes = huge_memory_allocate(NULL, lfht->places * lfht->node_bytes);
	if (!lfht->table || !lfht->nodes) {
		lfht_destroy(lfht);
		return -ENOMEM;
	}
	after = mallinfo2();
	lfht->bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd + lfht->limit * lfht->node_bytes;
	*ret_table = lfht;
	return 0;
}

static uint64_t lfht_hash(const struct lfht *lfht, const struct tables_key *key)
{
	return lfht->keys == TABLES_FLOW ? keyed_hash_3(&peer_key, key->high, key->low, (uint16_t)key->low)
					 : keyed_hash_1(&peer_key, key->high);
}

static int lfht_match(struct cds_lfht_node *node, const void *key)
{
	const struct lfht_node *tenant = caa_container_of(node, struct lfht_node, node);
	const struct tables_key *wanted = key;

	return tenant->key.high == wanted->high && tenant->key.low == wanted->low;
}

static void lfht_insert(struct lfht *lfht, const struct tables_key *key, uint64_t hash)
{
	struct lfht_node *node = lfht_place(lfht, lfht->next);

	if (lfht->count == lfht->limit) {
		uint32_t oldest = (lfht->next + lfht->places - lfht->count) % lfht->places;

		(void)cds_lfht_del(lfht->table, &lfht_place(lfht, oldest)->node);
		lfht->count--;
		if (++lfht->since_grace >= lfht->places / 8) {
			urcu_qsbr_synchronize_rcu();
			lfht->since_grace = 0;
		}
	}
	cds_lfht_node_init(&node->node);
	node->key = *key;
	node->attempts = 1;
	cds_lfht_add(lfht->table, hash, &node->node);
	lfht->next = (lfht->next + 1) % lfht->places;
	lfht->count++;
}

static int lfht_add(void *table, const struct tables_key *key)
{
	struct lfht *lfht = table;

	lfht_insert(lfht, key, lfht_hash(lfht, key));
	urcu_qsbr_quiescent_state();
	return 0;
}

static unsigned lfht_find(struct lfht *lfht, const struct tables_key keys[], unsigned n, bool insert)
{
	uint64_t hashes[TABLES_BURST];
	unsigned hits = 0;

	for (unsigned i = 0; i < n; i++)
		hashes[i] = lfht_hash(lfht, &keys[i]);
	for (unsigned i = 0; i < n; i++) {
		struct cds_lfht_iter iter;
		struct cds_lfht_node *node;

		cds_lfht_lookup(lfht->table, hashes[i], lfht_match, &keys[i], &iter);
		node = cds_lfht_iter_get_node(&iter);
		if (node) {
			hits++;
			if (insert)
				caa_container_of(node, struct lfht_node, node)->attempts++;
		} else if (insert) {
			lfht_insert(lfht, &keys[i], hashes[i]);
		}
	}
	urcu_qsbr_quiescent_state();
	return hits;
}

static unsigned lfht_lookup(void *table, const struct tables_key keys[], unsigned n)
{
	return lfht_find(table, keys, n, false);
}

static unsigned lfht_charge(void *table, const struct tables_key keys[], unsigned n)
{
	return lfht_find(table, keys, n, true);
}

static uint64_t lfht_bytes(const void *table)
{
	return ((const struct lfht *)table)->bytes;
}

const struct tables_subject tables_lfht = {.name = "cds_lfht",
	.create = lfht_create,
	.destroy = lfht_destroy,
	.add = lfht_add,
	.lookup = lfht_lookup,
	.charge = lfht_charge,
	.bytes = lfht_bytes};
