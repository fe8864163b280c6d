// SPDX-License-Identifier: BSD-3-Clause
/* Flow table (flow_table.h): flows live in the caller's segment, the index (two choices of cache-line
 * buckets) and the list of free places live in private memory and are rebuilt from the flows at a take-over.
 * Thread: the owning lcore. No allocation after creation, no loop longer than the 16 slots of two buckets,
 * except the walks, which have a budget.
 */
#include "dataplane/flow_table.h"

#include <errno.h>
#include <string.h>

#include "dataplane/flow_index.h"

enum {
	FLOW_CANDIDATES = 2 * FLOW_SLOTS,
	FLOW_CAPACITY_MIN = 1 << 6,
	FLOW_CAPACITY_MAX = 1 << 26,
	/* Entries per 1000 slots when every place is taken: two choices of 8 slots overflow for 1.1e-5 of the
	 * flows at 75 %, and then one flow is evicted. 64 B / (8 * .75) = 10.7 B a flow. */
	FLOW_ENTRIES_PER_1000_SLOTS = 750,
	FLOW_WALK_AHEAD = 8, /* flows: 8 lines cover a memory latency of 100 ns at 12 ns a flow */
	FLOW_WORD_PLACES = 64,
};

/* Beside each place of the storage. The list of free places is threaded through the free ones, last freed first. */
union flow_side {
	uint32_t next_free;            /* place + 1; 0 ends the list */
	struct flow_activity activity; /* while the place is taken */
};
_Static_assert(sizeof(union flow_side) == 4, "16 flows a cache line");

struct flow_table {
	struct flow *storage;
	struct flow_bucket *buckets;
	union flow_side *sides;
	uint64_t *taken; /* a bit a place: the walk reads no flow that is none, so it costs by flows and not by room */
	struct hash_key key;
	uint32_t capacity, n_buckets, count;
	uint32_t first_free; /* place + 1; 0: none */
	uint16_t now;        /* of the last newcomer, as stamps are */
	struct table_memory memory;
};

/* One of the 16 places where a key may be. */
struct flow_slot {
	struct flow_bucket *bucket;
	unsigned slot;
};

static void state_set(struct flow *flow, enum flow_state state)
{
	/* Release: the table thread, or a later process, that reads this state sees the fields written before
	 * it. */
	__atomic_store_n(&flow->state, (uint8_t)state, __ATOMIC_RELEASE);
}

static void flow_reset(struct flow *flow)
{
	state_set(flow, FLOW_STATE_FREE);
}

static void place_free(struct flow_table *table, uint32_t place)
{
	table->sides[place].next_free = table->first_free;
	table->first_free = place + 1;
}

/* The caller has seen that there is one. */
static uint32_t place_take(struct flow_table *table)
{
	uint32_t place = table->first_free - 1;

	table->first_free = table->sides[place].next_free;
	table->sides[place].activity = (struct flow_activity){0, 0};
	/* The next newcomer's: its link is what the next call waits for. */
	if (table->first_free != 0) {
		__builtin_prefetch(&table->sides[table->first_free - 1], 1);
		__builtin_prefetch(&table->storage[table->first_free - 1], 1);
	}
	return place;
}

/* Every place that is FREE may be handed out; the others wait for flow_table_adopt_all. Lowest last, so
 * that the lowest is taken first and a small population stays together. */
static void free_places_collect(struct flow_table *table)
{
	table->first_free = 0;
	for (uint32_t place = table->capacity; place-- > 0;)
		if (table->storage[place].state == FLOW_STATE_FREE)
			place_free(table, place);
}

static size_t index_bytes(uint32_t n_buckets)
{
	return n_buckets * sizeof(struct flow_bucket);
}

static size_t taken_bytes(uint32_t capacity)
{
	return (capacity + FLOW_WORD_PLACES - 1) / FLOW_WORD_PLACES * sizeof(uint64_t);
}

static uint64_t taken_bit(uint32_t place)
{
	return UINT64_C(1) << (place % FLOW_WORD_PLACES);
}

static bool is_taken(const struct flow_table *table, uint32_t place)
{
	return (table->taken[place / FLOW_WORD_PLACES] & taken_bit(place)) != 0;
}

int flow_table_create(struct flow *storage, uint32_t capacity, const struct hash_key *key,
	const struct table_memory *memory, struct flow_table **ret_table)
{
	struct flow_table *table;

	if (!storage || (uintptr_t)storage % 64 || capacity < FLOW_CAPACITY_MIN ||
		capacity > FLOW_CAPACITY_MAX)
		return -EINVAL;
	table = memory->allocate(memory->context, sizeof(*table));
	if (!table)
		return -ENOMEM;
	*table =
		(struct flow_table){.storage = storage, .key = *key, .capacity = capacity, .memory = *memory};
	table->n_buckets =
		(uint32_t)((uint64_t)capacity * 1000 / (FLOW_ENTRIES_PER_1000_SLOTS * FLOW_SLOTS)) + 1;
	table->buckets = memory->allocate(memory->context, index_bytes(table->n_buckets));
	table->sides = memory->allocate(memory->context, capacity * sizeof(*table->sides));
	table->taken = memory->allocate(memory->context, taken_bytes(capacity));
	if (!table->buckets || !table->sides || !table->taken) {
		flow_table_destroy(table);
		return -ENOMEM;
	}
	free_places_collect(table);
	*ret_table = table;
	return 0;
}

void flow_table_destroy(struct flow_table *table)
{
	struct table_memory memory;

	if (!table)
		return;
	memory = table->memory;
	if (table->buckets)
		memory.free(memory.context, table->buckets, index_bytes(table->n_buckets));
	if (table->sides)
		memory.free(memory.context, table->sides, table->capacity * sizeof(*table->sides));
	if (table->taken)
		memory.free(memory.context, table->taken, taken_bytes(table->capacity));
	memory.free(memory.context, table, sizeof(*table));
}

uint32_t flow_table_count(const struct flow_table *table)
{
	return table->count;
}

uint32_t flow_table_capacity(const struct flow_table *table)
{
	return table->capacity;
}

struct flow_activity *flow_table_activity(struct flow_table *table, const struct flow *flow)
{
	return &table->sides[flow - table->storage].activity;
}

struct flow_key flow_key_of(const struct flow *flow)
{
	struct flow_key key = {
		.client_port = flow->client_port,
		.node_port = flow->node_port,
		.node = flow->node,
		.protocol = flow->protocol,
	};

	memcpy(key.client.bytes, flow->client, sizeof(key.client.bytes));
	return key;
}

static bool key_matches(const struct flow *flow, const struct flow_key *key)
{
	return flow->client_port == key->client_port && flow->node_port == key->node_port &&
	       flow->node == key->node && flow->protocol == key->protocol &&
	       memcmp(flow->client, key->client.bytes, sizeof(flow->client)) == 0;
}

static uint64_t key_hash(const struct flow_table *table, const struct flow_key *key)
{
	uint64_t halves[2];

	memcpy(halves, key->client.bytes, sizeof(halves));
	return keyed_hash_3(&table->key, halves[0], halves[1],
		(uint64_t)key->client_port << 32 | (uint64_t)key->node_port << 16 | (uint64_t)key->node << 8 |
			key->protocol);
}

static struct flow_bucket *bucket_first(const struct flow_table *table, uint64_t hash)
{
	return &table->buckets[((hash >> 32) * table->n_buckets) >> 32];
}

static struct flow_bucket *bucket_second(const struct flow_table *table, uint64_t hash)
{
	return &table->buckets[((hash & 0xffffffff) * table->n_buckets) >> 32];
}

/* Both halves mixed, so that the tag is still random among the keys that share a bucket. */
static uint16_t hash_tag(uint64_t hash)
{
	return (uint16_t)(hash ^ (hash >> 32));
}

uint64_t flow_table_prefetch(const struct flow_table *table, const struct flow_key *key)
{
	uint64_t hash = key_hash(table, key);

	__builtin_prefetch(bucket_first(table, hash));
	__builtin_prefetch(bucket_second(table, hash));
	return hash;
}

static unsigned bucket_prefetch_flows(
	const struct flow_table *table, const struct flow_bucket *bucket, uint16_t tag)
{
	unsigned mask = flow_bucket_match(bucket, tag) & ~flow_bucket_empty(bucket);

	for (unsigned rest = mask; rest; rest &= rest - 1)
		__builtin_prefetch(&table->storage[bucket->places[__builtin_ctz(rest)] - 1], 1);
	return mask;
}

/* The oldest flow not known to be proven among the candidates, by the stamps alone. False: there is none. */
static bool slot_find_oldest(
	const struct flow_table *table, uint64_t hash, uint16_t now, struct flow_slot *ret_slot)
{
	struct flow_slot first = {bucket_first(table, hash), 0}, second = {bucket_second(table, hash), 0};
	unsigned youth_first = flow_bucket_oldest(first.bucket, now, &first.slot);
	unsigned youth_second = flow_bucket_oldest(second.bucket, now, &second.slot);

	*ret_slot = youth_second < youth_first ? second : first;
	return youth_first != FLOW_OLDEST_NONE || youth_second != FLOW_OLDEST_NONE;
}

bool flow_table_prefetch_flow(const struct flow_table *table, uint64_t hash)
{
	unsigned first = bucket_prefetch_flows(table, bucket_first(table, hash), hash_tag(hash));
	unsigned second = bucket_prefetch_flows(table, bucket_second(table, hash), hash_tag(hash));

	return (first | second) != 0;
}

void flow_table_prefetch_newcomer(const struct flow_table *table, uint64_t hash)
{
	struct flow_slot oldest;
	uint32_t place;

	if (table->first_free != 0 || !slot_find_oldest(table, hash, table->now, &oldest))
		return;
	place = oldest.bucket->places[oldest.slot] - 1;
	__builtin_prefetch(&table->storage[place], 1);
	__builtin_prefetch(&table->sides[place], 1);
}

static struct flow *bucket_find(struct flow_table *table, struct flow_bucket *bucket, uint16_t tag,
	const struct flow_key *key, struct flow_slot *ret_slot)
{
	for (unsigned mask = flow_bucket_match(bucket, tag); mask; mask &= mask - 1) {
		unsigned slot = (unsigned)__builtin_ctz(mask);
		uint32_t place = bucket->places[slot];

		if (!place || !key_matches(&table->storage[place - 1], key))
			continue;
		*ret_slot = (struct flow_slot){bucket, slot};
		return &table->storage[place - 1];
	}
	return NULL;
}

static struct flow *table_find(
	struct flow_table *table, const struct flow_key *key, uint64_t hash, struct flow_slot *ret_slot)
{
	struct flow *flow = bucket_find(table, bucket_first(table, hash), hash_tag(hash), key, ret_slot);

	return flow ? flow : bucket_find(table, bucket_second(table, hash), hash_tag(hash), key, ret_slot);
}

struct flow *flow_table_lookup(struct flow_table *table, const struct flow_key *key, uint64_t hash)
{
	struct flow_slot slot;

	return table_find(table, key, hash, &slot);
}

/* In the emptier bucket: two choices fill evenly only so. */
static bool slot_find_empty(struct flow_table *table, uint64_t hash, struct flow_slot *ret_slot)
{
	struct flow_bucket *buckets[2] = {bucket_first(table, hash), bucket_second(table, hash)};
	unsigned first = flow_bucket_empty(buckets[0]), second = flow_bucket_empty(buckets[1]);
	bool choice = __builtin_popcount(second) > __builtin_popcount(first);

	if (!first && !second)
		return false;
	*ret_slot = (struct flow_slot){buckets[choice], (unsigned)__builtin_ctz(choice ? second : first)};
	return true;
}

static void slot_release(struct flow_table *table, const struct flow_slot *slot)
{
	uint32_t place = slot->bucket->places[slot->slot] - 1;

	flow_reset(&table->storage[place]);
	slot->bucket->places[slot->slot] = 0;
	table->taken[place / FLOW_WORD_PLACES] &= ~taken_bit(place);
	place_free(table, place);
	table->count--;
}

/* Who must go: one line of flows is read for the choice, which flow_table_prefetch_newcomer fetched and the newcomer needs, unless that
 * flow has become proven meanwhile, which is noted in its stamp. So each flow costs one more read in its life. */
static bool slot_find_victim(
	struct flow_table *table, uint64_t hash, uint32_t now_ms, struct flow_slot *ret_slot)
{
	uint16_t now = (now_ms >> FLOW_STAMP_SHIFT) & FLOW_STAMP_MASK;

	for (unsigned attempt = 0; attempt < FLOW_CANDIDATES; attempt++) {
		struct flow_slot oldest;

		if (!slot_find_oldest(table, hash, now, &oldest))
			return false;
		if (!(table->storage[oldest.bucket->places[oldest.slot] - 1].flags & FLOW_FLAG_PROVEN)) {
			*ret_slot = oldest;
			return true;
		}
		oldest.bucket->stamps[oldest.slot] |= FLOW_STAMP_PROVEN;
	}
	return false;
}

static void slot_index(struct flow_table *table, const struct flow_slot *slot, uint64_t hash, uint32_t place,
	uint32_t born_ms)
{
	slot->bucket->places[slot->slot] = place + 1;
	table->taken[place / FLOW_WORD_PLACES] |= taken_bit(place);
	slot->bucket->tags[slot->slot] = hash_tag(hash);
	slot->bucket->stamps[slot->slot] = (born_ms >> FLOW_STAMP_SHIFT) & FLOW_STAMP_MASK;
	table->count++;
}

/* A free slot and a free place, or both of a flow that must go. Returns the place, or UINT32_MAX: there is no room. */
static uint32_t slot_take(struct flow_table *table, uint64_t hash, uint32_t now_ms, struct flow *ret_evicted)
{
	struct flow_slot slot;
	uint32_t place;

	if (table->first_free != 0 && slot_find_empty(table, hash, &slot)) {
		place = place_take(table);
		slot_index(table, &slot, hash, place, now_ms);
		return place;
	}
	if (!slot_find_victim(table, hash, now_ms, &slot))
		return UINT32_MAX;
	place = slot.bucket->places[slot.slot] - 1;
	*ret_evicted = table->storage[place];
	/* The newcomer lives where it lived: no list is touched. */
	table->sides[place].activity = (struct flow_activity){0, 0};
	slot.bucket->tags[slot.slot] = hash_tag(hash);
	slot.bucket->stamps[slot.slot] = (now_ms >> FLOW_STAMP_SHIFT) & FLOW_STAMP_MASK;
	return place;
}

struct flow *flow_table_insert(struct flow_table *table, const struct flow_key *key, uint64_t hash,
	uint32_t now_ms, bool proven, struct flow *ret_evicted)
{
	struct flow *flow;
	uint32_t place;

	(void)proven; /* no newcomer evicts a proven flow, whatever it is itself */
	ret_evicted->state = FLOW_STATE_FREE;
	table->now = (now_ms >> FLOW_STAMP_SHIFT) & FLOW_STAMP_MASK;
	place = slot_take(table, hash, now_ms, ret_evicted);
	if (place == UINT32_MAX)
		return NULL;
	flow = &table->storage[place];
	/* FREE stays visible while the fields are filled: a process killed here leaves a free place, not half
	 * a flow. */
	flow_reset(flow);
	memset(flow, 0, sizeof(*flow));
	memcpy(flow->client, key->client.bytes, sizeof(flow->client));
	flow->client_port = key->client_port;
	flow->node_port = key->node_port;
	flow->node = key->node;
	flow->protocol = key->protocol;
	flow->born_ms = now_ms;
	flow->last_ms = now_ms;
	return flow;
}

void flow_table_remove(struct flow_table *table, struct flow *flow)
{
	struct flow_key key = flow_key_of(flow);
	struct flow_slot slot;

	if (table_find(table, &key, key_hash(table, &key), &slot) == flow)
		slot_release(table, &slot);
}

static bool flow_is_sane(const struct flow *flow)
{
	return flow->state > FLOW_STATE_FREE && flow->state < FLOW_STATE_COUNT &&
	       (flow->protocol == 6 || flow->protocol == 17);
}

static void flow_adopt(struct flow_table *table, uint32_t place)
{
	struct flow *flow = &table->storage[place], *other;
	struct flow_key key = flow_key_of(flow);
	uint64_t hash = key_hash(table, &key);
	struct flow_slot slot, victim;

	other = table_find(table, &key, hash, &slot);
	if (other && (int32_t)(flow->born_ms - other->born_ms) <= 0) {
		flow_reset(flow);
		return;
	}
	if (other)
		slot_release(table, &slot);
	if (!slot_find_empty(table, hash, &slot)) {
		/* The index has another key than the last process had, so two buckets may be full that were
		 * not. */
		if (!(flow->flags & FLOW_FLAG_PROVEN) ||
			!slot_find_victim(table, hash, flow->born_ms, &victim)) {
			flow_reset(flow);
			return;
		}
		slot_release(table, &victim);
		slot = victim;
	}
	slot_index(table, &slot, hash, place, flow->born_ms);
}

/* The storage comes from a process that may have been killed at any instruction, or from nowhere: nothing in
 * it is believed but that each place holds 64 bytes. */
uint32_t flow_table_adopt_all(
	struct flow_table *table, bool (*keep)(void *context, const struct flow *flow), void *context)
{
	memset(table->buckets, 0, index_bytes(table->n_buckets));
	memset(table->taken, 0, taken_bytes(table->capacity));
	table->first_free = 0;
	table->count = 0;
	for (uint32_t place = 0; place < table->capacity; place++) {
		struct flow *flow = &table->storage[place];

		if (flow->state == FLOW_STATE_FREE)
			continue;
		if (!flow_is_sane(flow) || (keep && !keep(context, flow)))
			flow_reset(flow);
		else
			flow_adopt(table, place);
	}
	free_places_collect(table);
	return table->count;
}

/* Places from this one on that are free for sure: as many as are left of a word without flows. */
static uint32_t free_run(const struct flow_table *table, uint32_t place, uint32_t budget)
{
	uint32_t run = FLOW_WORD_PLACES - place % FLOW_WORD_PLACES;

	if (table->taken[place / FLOW_WORD_PLACES] >> (place % FLOW_WORD_PLACES) != 0)
		return 0;
	if (run > table->capacity - place)
		run = table->capacity - place;
	return run < budget ? run : budget;
}

uint32_t flow_table_walk(struct flow_table *table, uint32_t *cursor, uint32_t budget,
	void (*visit)(void *context, struct flow *flow), void *context)
{
	uint32_t place = *cursor < table->capacity ? *cursor : 0, left;

	if (budget > table->capacity)
		budget = table->capacity;
	left = budget;
	while (left > 0) {
		uint32_t run = free_run(table, place, left);

		if (run == 0) {
			uint32_t ahead = place + FLOW_WALK_AHEAD;

			if (ahead < table->capacity && is_taken(table, ahead))
				__builtin_prefetch(&table->storage[ahead]);
			/* A newcomer has its place before it has its state. */
			if (is_taken(table, place) && table->storage[place].state != FLOW_STATE_FREE)
				visit(context, &table->storage[place]);
			run = 1;
		}
		left -= run;
		place += run;
		if (place == table->capacity)
			place = 0;
	}
	*cursor = place;
	return budget;
}
