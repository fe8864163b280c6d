// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/flow_table.h: against a naive model, full, at take-over of garbage, killed in the
 * middle, and walks. */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/flow_table.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

static struct flow *storage_make(uint32_t capacity)
{
	return table_memory_heap.allocate(NULL, capacity * sizeof(struct flow));
}

static void storage_free(struct flow *storage, uint32_t capacity)
{
	table_memory_heap.free(NULL, storage, capacity * sizeof(struct flow));
}

static struct flow_key key_make(uint64_t number)
{
	uint64_t state = number;

	return (struct flow_key){
		.client = number & 1 ? address_from_v4((uint32_t)random_next(&state))
				     : address_v6_make(random_next(&state), random_next(&state)),
		.client_port = (uint16_t)random_next(&state),
		.node_port = 30303,
		.node = (uint8_t)(number % 3),
		.protocol = number & 2 ? 6 : 17,
	};
}

static struct flow *insert(struct flow_table *table, const struct flow_key *key, uint32_t now_ms, bool proven,
	struct flow *evicted)
{
	struct flow *flow =
		flow_table_insert(table, key, flow_table_prefetch(table, key), now_ms, proven, evicted);

	if (flow) {
		flow->flags = proven ? FLOW_FLAG_PROVEN : 0;
		flow->state = proven ? FLOW_STATE_ESTABLISHED : FLOW_STATE_SYN_SENT;
	}
	return flow;
}

static struct flow *look(struct flow_table *table, const struct flow_key *key)
{
	uint64_t hash = flow_table_prefetch(table, key);

	flow_table_prefetch_flow(table, hash);
	return flow_table_lookup(table, key, hash);
}

static void test_model(void)
{
	enum { KEYS = 1000, CAPACITY = 1024, STEPS = 100000 };
	struct flow *storage = storage_make(CAPACITY), evicted;
	struct flow_table *table = NULL;
	struct flow *model[KEYS] = {NULL};
	uint64_t random = 11;
	unsigned wrong = 0, live = 0;

	CHECK_EQ("a table is made",
		flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
	for (int step = 0; step < STEPS; step++) {
		uint64_t i = random_next(&random) % KEYS;
		struct flow_key key = key_make(i);

		wrong += look(table, &key) != model[i];
		if (!model[i]) {
			model[i] = insert(table, &key, (uint32_t)step, false, &evicted);
			wrong += !model[i] || evicted.state != FLOW_STATE_FREE;
			live++;
		} else if (random_next(&random) & 1) {
			flow_table_remove(table, model[i]);
			model[i] = NULL;
			live--;
		}
		wrong += flow_table_count(table) != live;
	}
	CHECK_EQ("every flow is where it was put and nothing was evicted below capacity", wrong, 0u);
	CHECK_EQ("its capacity is told", flow_table_capacity(table), (uint32_t)CAPACITY);
	flow_table_destroy(table);
	storage_free(storage, CAPACITY);
}

static void test_fields(void)
{
	struct flow *storage = storage_make(64), *flow, evicted;
	struct flow_table *table = NULL;
	struct flow_key key = key_make(5), other, back;

	memset(storage, 0xff, 64 * sizeof(*storage));
	for (int i = 0; i < 64; i++)
		storage[i].state = FLOW_STATE_FREE;
	CHECK_EQ("a table is made", flow_table_create(storage, 64, &test_key, &table_memory_heap, &table), 0);
	flow = flow_table_insert(table, &key, flow_table_prefetch(table, &key), 1234, false, &evicted);
	CHECK_EQ("until the caller sets it the state is FREE", flow->state, (uint8_t)FLOW_STATE_FREE);
	CHECK_EQ("nothing was evicted", evicted.state, (uint8_t)FLOW_STATE_FREE);
	CHECK_TRUE("what the last tenant left is gone",
		flow->flags == 0 && flow->client_next == 0 && flow->node_next == 0);
	CHECK_EQ("birth is noted", flow->born_ms, 1234u);
	back = flow_key_of(flow);
	CHECK_TRUE("the key comes back", address_compare(&back.client, &key.client) == 0 &&
						 back.client_port == key.client_port &&
						 back.node_port == key.node_port && back.node == key.node &&
						 back.protocol == key.protocol);
	flow->state = FLOW_STATE_SYN_SENT;
	for (int field = 0; field < 5; field++) {
		other = key;
		other.client.bytes[15] ^= field == 0;
		other.client_port ^= field == 1;
		other.node_port ^= field == 2;
		other.node ^= field == 3;
		other.protocol ^= field == 4 ? 6 ^ 17 : 0;
		CHECK_PTR_EQ("each field of the key counts", look(table, &other), NULL);
	}
	flow_table_remove(table, flow);
	CHECK_PTR_EQ("a removed flow is gone", look(table, &key), NULL);
	flow_table_remove(table, flow);
	CHECK_EQ("removing it again changes nothing", flow_table_count(table), 0u);
	flow_table_destroy(table);
	storage_free(storage, 64);
}

/* Ten times the capacity of random sources: the table stays full of the youngest, and the proven ones stay
 * whole. */
static void test_eviction(void)
{
	enum { CAPACITY = 4096, PROVEN = CAPACITY / 2, FLOOD = 10 * CAPACITY };
	struct flow *storage = storage_make(CAPACITY), evicted;
	struct flow_table *table = NULL;
	unsigned lost = 0, proven_evicted = 0, evictions = 0, refused = 0, old_kept = 0;
	uint64_t age_sum = 0;

	CHECK_EQ("a table is made",
		flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
	for (uint64_t i = 0; i < PROVEN; i++) {
		struct flow_key key = key_make(i);

		lost += !insert(table, &key, 0, true, &evicted);
	}
	CHECK_EQ("half the table is proven", lost, 0u);
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct flow_key key = key_make(1000000 + i);
		struct flow *flow = insert(table, &key, 1000 + i * 64, false, &evicted);

		refused += !flow;
		if (evicted.state == FLOW_STATE_FREE)
			continue;
		evictions++;
		proven_evicted += (evicted.flags & FLOW_FLAG_PROVEN) != 0;
		age_sum += i - (evicted.born_ms - 1000) / 64;
	}
	CHECK_EQ("no proven flow was evicted", proven_evicted, 0u);
	CHECK_TRUE("nearly every newcomer finds a place", refused < FLOOD / 1000);
	CHECK_TRUE("by eviction", evictions > FLOOD - CAPACITY - refused - 1);
	CHECK_EQ("the table is full and not more", flow_table_count(table), (uint32_t)CAPACITY);
	/* Random victims would be PROVEN insertions old in the mean; the oldest of about 6 unproven
	 * candidates is older. */
	CHECK_TRUE("victims are older than random ones would be", age_sum / evictions >= PROVEN * 9 / 10);
	for (uint64_t i = 0; i < PROVEN; i++) {
		struct flow_key key = key_make(i);

		lost += !look(table, &key);
	}
	CHECK_EQ("every proven flow is found", lost, 0u);
	for (uint32_t i = 0; i < FLOOD - 6 * CAPACITY; i++) {
		struct flow_key key = key_make(1000000 + i);

		old_kept += look(table, &key) != NULL;
	}
	CHECK_EQ("no unproven flow outlives six tables of newer ones", old_kept, 0u);
	flow_table_destroy(table);
	storage_free(storage, CAPACITY);
}

static void test_all_proven(void)
{
	enum { CAPACITY = 1024 };
	struct flow *storage = storage_make(CAPACITY), evicted;
	struct flow_table *table = NULL;
	uint64_t i = 0;

	CHECK_EQ("a table is made",
		flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
	while (flow_table_count(table) < CAPACITY && i < 3 * CAPACITY) {
		struct flow_key key = key_make(i++);

		insert(table, &key, 0, true, &evicted);
	}
	CHECK_EQ("a table can be full of proven flows", flow_table_count(table), (uint32_t)CAPACITY);
	for (int proven = 0; proven < 2; proven++) {
		struct flow_key key = key_make(999999);

		CHECK_PTR_EQ("then nobody else comes in", insert(table, &key, 5, proven, &evicted), NULL);
		CHECK_EQ("and nobody is put out", evicted.state, (uint8_t)FLOW_STATE_FREE);
	}
	flow_table_destroy(table);
	storage_free(storage, CAPACITY);
}

/* Candidates' order of age decides, also across the wrap of the clock; one that became proven meanwhile is
 * skipped. */
static void test_oldest_first(void)
{
	enum { CAPACITY = 64 };
	static const uint32_t starts[] = {0, UINT32_MAX - 2000, 0x001fffff - 500};

	for (size_t s = 0; s < CHECK_COUNT(starts); s++) {
		struct flow *storage = storage_make(CAPACITY), evicted, *flow;
		struct flow_table *table = NULL;
		unsigned wrong = 0;

		CHECK_EQ("a table is made",
			flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
		for (uint32_t i = 0; i < CAPACITY; i++) {
			struct flow_key key = key_make(i);

			flow = insert(table, &key, starts[s] + i * 64, false, &evicted);
			if (flow && i < CAPACITY / 2)
				flow->flags |=
					FLOW_FLAG_PROVEN; /* proven after birth, and older than the others */
		}
		for (uint32_t i = 0; i < 20; i++) {
			struct flow_key key = key_make(5000 + i);

			insert(table, &key, starts[s] + (CAPACITY + i) * 64, false, &evicted);
			wrong += evicted.state == FLOW_STATE_FREE || (evicted.flags & FLOW_FLAG_PROVEN) ||
				 evicted.born_ms - starts[s] >= (CAPACITY + 20) * 64;
		}
		CHECK_EQ("each newcomer evicts an unproven flow although proven ones are older", wrong, 0u);
		flow_table_destroy(table);
		storage_free(storage, CAPACITY);
	}
}

static bool keep_even_ports(void *context, const struct flow *flow)
{
	(*(unsigned *)context)++;
	return flow->client_port % 2 == 0;
}

static void test_take_over(void)
{
	enum { CAPACITY = 2048, LIVE = 1500 };
	struct hash_key other_key = {1, 2};
	struct flow *storage = storage_make(CAPACITY), evicted;
	struct flow_table *table = NULL;
	unsigned asked = 0, even = 0, wrong = 0;

	CHECK_EQ("a table is made",
		flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
	for (uint64_t i = 0; i < LIVE; i++) {
		struct flow_key key = key_make(i);

		insert(table, &key, 1, i % 2, &evicted);
	}
	flow_table_destroy(table);
	CHECK_EQ("another process opens it",
		flow_table_create(storage, CAPACITY, &other_key, &table_memory_heap, &table), 0);
	CHECK_EQ("it keeps every flow", flow_table_adopt_all(table, NULL, NULL), (uint32_t)LIVE);
	for (uint64_t i = 0; i < LIVE; i++) {
		struct flow_key key = key_make(i);

		wrong += !look(table, &key);
		even += key.client_port % 2 == 0;
	}
	CHECK_EQ("and finds every flow", wrong, 0u);
	CHECK_EQ("or those that it wants", flow_table_adopt_all(table, keep_even_ports, &asked), even);
	CHECK_EQ("each is asked for", asked, (unsigned)LIVE);
	for (uint64_t i = 0; i < LIVE; i++) {
		struct flow_key key = key_make(i);

		wrong += (look(table, &key) != NULL) != (key.client_port % 2 == 0);
	}
	CHECK_EQ("the others are gone", wrong, 0u);
	for (uint64_t i = 10000; i < 10000 + CAPACITY - even; i++) {
		struct flow_key key = key_make(i);

		wrong += !insert(table, &key, 2, false, &evicted);
	}
	CHECK_TRUE("and their places can be used", wrong == 0 && flow_table_count(table) > CAPACITY - 20);
	flow_table_destroy(table);
	storage_free(storage, CAPACITY);
}

static void test_garbage(void)
{
	enum { CAPACITY = 512 };
	uint64_t random = 99;

	for (int round = 0; round < 50; round++) {
		struct flow *storage = storage_make(CAPACITY), evicted, *flow;
		struct flow_table *table = NULL;
		unsigned live = 0, insane = 0, lost = 0;

		for (size_t i = 0; i < CAPACITY * sizeof(*storage) / 8; i++)
			((uint64_t *)storage)[i] = random_next(&random);
		for (int i = 0; i < CAPACITY && round % 2;
			i++) { /* half of the rounds: plausible enough to be kept */
			storage[i].state = (uint8_t)(random_next(&random) % (FLOW_STATE_COUNT + 2));
			storage[i].protocol = random_next(&random) & 1 ? 6 : 17;
			if (random_next(&random) % 4 == 0 && i > 0)
				memcpy(storage[i].client, storage[i - 1].client, 22);
		}
		CHECK_EQ("garbage is opened",
			flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
		flow_table_adopt_all(table, NULL, NULL);
		for (int i = 0; i < CAPACITY; i++) {
			struct flow_key key = flow_key_of(&storage[i]);

			if (storage[i].state == FLOW_STATE_FREE)
				continue;
			live++;
			insane += storage[i].state >= FLOW_STATE_COUNT ||
				  (storage[i].protocol != 6 && storage[i].protocol != 17);
			lost += look(table, &key) != &storage[i];
		}
		CHECK_EQ("what is kept is counted", flow_table_count(table), live);
		CHECK_EQ("and sane", insane, 0u);
		CHECK_EQ("and found, once", lost, 0u);
		for (uint64_t i = 0; i < 2 * CAPACITY; i++) {
			struct flow_key key = key_make(i);

			flow = insert(table, &key, 3, false, &evicted);
			if (flow && look(table, &key) != flow)
				lost++;
		}
		CHECK_TRUE("the table works on", lost == 0 && flow_table_count(table) <= CAPACITY);
		flow_table_destroy(table);
		storage_free(storage, CAPACITY);
	}
}

static void test_duplicates(void)
{
	static const struct {
		const char *name;
		uint32_t born_first, born_second;
		int kept;
	} cases[] = {
		{"the second is younger", 10, 20, 1},
		{"the first is younger", 20, 10, 0},
		{"younger across the clock's wrap", UINT32_MAX - 5, 3, 1},
		{"the same age keeps the first", 7, 7, 0},
	};

	for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
		struct flow *storage = storage_make(64), evicted;
		struct flow_table *table = NULL;
		struct flow_key key = key_make(1);

		CHECK_EQ("a table is made",
			flow_table_create(storage, 64, &test_key, &table_memory_heap, &table), 0);
		insert(table, &key, cases[c].born_first, false, &evicted);
		storage[1] = storage[0];
		storage[1].born_ms = cases[c].born_second;
		CHECK_EQ(cases[c].name, flow_table_adopt_all(table, NULL, NULL), 1u);
		CHECK_PTR_EQ(cases[c].name, look(table, &key), &storage[cases[c].kept]);
		CHECK_EQ(cases[c].name, storage[1 - cases[c].kept].state, (uint8_t)FLOW_STATE_FREE);
		flow_table_destroy(table);
		storage_free(storage, 64);
	}
}

/* A process killed inside an insert leaves the place as it is before the caller sets the state. */
static void test_killed_in_insert(void)
{
	struct flow *storage = storage_make(64), evicted;
	struct flow_table *table = NULL;
	struct flow_key key = key_make(1);

	CHECK_EQ("a table is made", flow_table_create(storage, 64, &test_key, &table_memory_heap, &table), 0);
	CHECK_TRUE("a flow is begun",
		flow_table_insert(table, &key, flow_table_prefetch(table, &key), 1, false, &evicted) != NULL);
	flow_table_destroy(table);
	CHECK_EQ("another process opens it",
		flow_table_create(storage, 64, &test_key, &table_memory_heap, &table), 0);
	CHECK_EQ("and sees no half flow", flow_table_adopt_all(table, NULL, NULL), 0u);
	for (uint64_t i = 0; i < 64; i++) {
		key = key_make(i);
		insert(table, &key, 1, false, &evicted);
	}
	CHECK_EQ("every place is free", flow_table_count(table), 64u);
	flow_table_destroy(table);
	storage_free(storage, 64);
}

struct walk_state {
	struct flow_table *table;
	unsigned visits;
	bool remove;
};

static void walk_visit(void *context, struct flow *flow)
{
	struct walk_state *state = context;

	state->visits++;
	if (state->remove)
		flow_table_remove(state->table, flow);
}

static void test_walk(void)
{
	enum { CAPACITY = 128, LIVE = 100 };
	struct flow *storage = storage_make(CAPACITY), evicted;
	struct flow_table *table = NULL;
	struct walk_state state = {0};
	uint32_t cursor = 120;

	CHECK_EQ("a table is made",
		flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
	for (uint64_t i = 0; i < LIVE; i++) {
		struct flow_key key = key_make(i);

		insert(table, &key, 0, false, &evicted);
	}
	state.table = table;
	CHECK_EQ("a walk looks at its budget", flow_table_walk(table, &cursor, 10, walk_visit, &state), 10u);
	CHECK_EQ("and wraps", cursor, 2u);
	CHECK_EQ("it visits the live ones", state.visits, 2u);
	state.visits = 0;
	CHECK_EQ("at most once around", flow_table_walk(table, &cursor, 1000, walk_visit, &state),
		(uint32_t)CAPACITY);
	CHECK_EQ("once around is every flow once", state.visits, (unsigned)LIVE);
	cursor = UINT32_MAX;
	state.remove = true;
	flow_table_walk(table, &cursor, CAPACITY, walk_visit, &state);
	CHECK_EQ(
		"a visit may remove its flow, and a foreign cursor is harmless", flow_table_count(table), 0u);
	flow_table_destroy(table);
	storage_free(storage, CAPACITY);
}

/* The list of free places and the activities share memory: neither may write into the other. */
static void test_activity(void)
{
	enum { CAPACITY = 256, STEPS = 20000, KEYS = 300 };
	struct flow *storage = storage_make(CAPACITY), evicted, *held[KEYS] = {NULL};
	struct flow_table *table = NULL;
	bool taken[CAPACITY] = {false};
	uint64_t random = 7;
	uint32_t live = 0;
	unsigned wrong = 0, shared = 0;

	CHECK_EQ("a table is made",
		flow_table_create(storage, CAPACITY, &test_key, &table_memory_heap, &table), 0);
	for (int step = 0; step < STEPS; step++) {
		uint16_t i = (uint16_t)(random_next(&random) % KEYS);
		struct flow_key key = key_make(i);
		struct flow *flow = held[i];

		if (flow) {
			struct flow_activity *activity = flow_table_activity(table, flow);

			wrong += activity->payload_at != i || activity->progress_at != UINT16_MAX - i;
			if (random_next(&random) % 3 == 0)
				continue;
			flow_table_remove(table, flow);
			taken[flow - storage] = false;
			held[i] = NULL;
			live--;
			continue;
		}
		flow = insert(table, &key, 0, true, &evicted);
		if (!flow)
			continue;
		shared += taken[flow - storage] || evicted.state != FLOW_STATE_FREE;
		taken[flow - storage] = true;
		held[i] = flow;
		live++;
		*flow_table_activity(table, flow) =
			(struct flow_activity){.payload_at = i, .progress_at = (uint16_t)(UINT16_MAX - i)};
		if (step == STEPS / 2)
			CHECK_EQ("the flows are indexed anew", flow_table_adopt_all(table, NULL, NULL), live);
	}
	CHECK_EQ("each flow finds the activity that it left", wrong, 0u);
	CHECK_EQ("no place is given to two flows", shared, 0u);
	for (uint64_t i = KEYS; i < 10 * KEYS && flow_table_count(table) < CAPACITY; i++) {
		struct flow_key key = key_make(i);
		struct flow *flow = insert(table, &key, 0, true, &evicted);

		wrong += flow && taken[flow - storage];
		if (flow)
			taken[flow - storage] = true;
	}
	CHECK_TRUE("no place was lost on the way", wrong == 0 && flow_table_count(table) == CAPACITY);
	for (unsigned i = 0; i < KEYS; i++)
		wrong += held[i] && flow_table_activity(table, held[i])->payload_at != i;
	CHECK_EQ("and a full table leaves activities alone", wrong, 0u);
	flow_table_destroy(table);
	storage_free(storage, CAPACITY);
}

static void test_lowest_first(void)
{
	struct flow *storage = storage_make(64), evicted, *flows[8];
	struct flow_table *table = NULL;
	struct flow_key key;

	for (unsigned i = 0; i < 64; i += 2)
		storage[i] = (struct flow){.state = FLOW_STATE_ESTABLISHED, .protocol = 6, .client_port = (uint16_t)i};
	CHECK_EQ("a predecessor left every second place taken",
		flow_table_create(storage, 64, &test_key, &table_memory_heap, &table), 0);
	for (unsigned i = 0; i < 8; i++) {
		key = key_make(100 + i);
		flows[i] = insert(table, &key, 0, false, &evicted);
		CHECK_PTR_EQ("newcomers take the lowest free places", flows[i], &storage[2 * i + 1]);
	}
	flow_table_remove(table, flows[3]);
	flow_table_remove(table, flows[5]);
	key = key_make(200);
	CHECK_PTR_EQ("and what was freed last", insert(table, &key, 0, false, &evicted), flows[5]);
	flow_table_destroy(table);
	storage_free(storage, 64);
}

static void test_arguments(void)
{
	struct flow *storage = storage_make(64);
	struct flow_table *table = NULL;

	CHECK_EQ("too small", flow_table_create(storage, 63, &test_key, &table_memory_heap, &table), -EINVAL);
	CHECK_EQ("too large",
		flow_table_create(storage, (1 << 26) + 1, &test_key, &table_memory_heap, &table), -EINVAL);
	CHECK_EQ("misaligned",
		flow_table_create(
			(struct flow *)((char *)storage + 8), 64, &test_key, &table_memory_heap, &table),
		-EINVAL);
	CHECK_PTR_EQ("a failure leaves the pointer", table, NULL);
	flow_table_destroy(NULL);
	storage_free(storage, 64);
}

static const struct check_test tests[] = {
	{"a table behaves like a list of flows", test_model},
	{"a new flow is clean and its whole key counts", test_fields},
	{"unproven flows are evicted, proven ones never", test_eviction},
	{"a table full of proven flows refuses", test_all_proven},
	{"a flow that became proven is not evicted", test_oldest_first},
	{"flows survive their process", test_take_over},
	{"garbage is survived", test_garbage},
	{"of two flows with one key the younger stays", test_duplicates},
	{"a kill during an insert leaves a free place", test_killed_in_insert},
	{"walks see every flow once", test_walk},
	{"activities and free places share memory without harm", test_activity},
	{"the lowest places are taken first", test_lowest_first},
	{"wrong arguments are refused", test_arguments},
};
CHECK_MAIN("flow_table", tests)
