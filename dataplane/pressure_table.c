// SPDX-License-Identifier: BSD-3-Clause
/* Pressure (pressure_table.h): creation, limits and the three phases of an attempt. All lcores, lock-free, no
 * floating point, no loop longer than the 30 places of two lines. A v4 attempt touches 3 coarse lines and 2
 * hashed ones, a v6 attempt 8 hashed ones; 3 and 6 where hosts are not counted.
 */
#include "dataplane/pressure_table.h"

#include <errno.h>

#include "dataplane/pressure_table_private.h"

enum {
	PRESSURE_CAPACITY_MAX = 1 << 26,
	PRESSURE_HALF_LIFE_MIN_MS = 100,
	PRESSURE_HALF_LIFE_MAX_MS = 600000,
	PRESSURE_UNITS = PRESSURE_PRICE_USUAL, /* an attempt, in limits */
	PRESSURE_SLOTS_PER_LINE = 8, /* 8 bytes a key: two lines of 15 hold the 16 that are relied on */
};

/* A limit counts 16 units an attempt, so that decay and burst are exact to a sixteenth. A wide prefix holds
 * thousands of attempts; its counters use fewer units, 16 >> shift, to stay off saturation at
 * PRESSURE_LIMIT_MAX units: attempts then are v4 /32 3720, /24 14880, /20 29760, /18 59520; v6 /64 3720, /56
 * 7440, /48 14880, /32 29760. (A /24 of a network that shares addresses may be allowed nine times the default
 * of 1066: 256 clients at one limit for each 32.) With one unit an attempt, n attempts are still rounded by sqrt(n) at most. */
static const uint8_t pressure_price_shifts[2][IMAGE_LEVEL_COUNT] = {{0, 1, 2, 3}, {0, 2, 3, 4}};
_Static_assert(128 * (PRESSURE_UNITS * 10219 + 10000) < 4096 * 10000,
	"128 lcores that add an attempt at once cannot wrap a load");

/* Host bits of each level, v6 (of its top 64 bits) and v4. */
static const uint8_t pressure_host_bits[2][IMAGE_LEVEL_COUNT] = {{0, 8, 16, 32}, {0, 8, 12, 14}};

static uint64_t coarse_lines(int level)
{
	return ((UINT64_C(1) << (32 - pressure_host_bits[1][level])) + PRESSURE_COARSE_LOADS - 1) /
	       PRESSURE_COARSE_LOADS;
}

int pressure_table_create(uint64_t hashed_capacity, uint32_t half_life_ms, const struct hash_key *key,
	const struct table_memory *memory, struct pressure_table **ret_table)
{
	struct pressure_table *table;
	bool complete;

	if (hashed_capacity < PRESSURE_KEYS_MIN || hashed_capacity > PRESSURE_CAPACITY_MAX ||
		half_life_ms < PRESSURE_HALF_LIFE_MIN_MS || half_life_ms > PRESSURE_HALF_LIFE_MAX_MS)
		return -EINVAL;
	table = memory->allocate(memory->context, sizeof(*table));
	if (!table)
		return -ENOMEM;
	*table = (struct pressure_table){
		.key = *key,
		.n_lines = hashed_capacity / PRESSURE_SLOTS_PER_LINE,
		.decay = decay_make(half_life_ms),
		.half_life_ms = half_life_ms,
		.quantum_ms = half_life_ms / PRESSURE_QUANTA,
		.memory = *memory,
	};
	table->lines = memory->allocate(memory->context, table->n_lines * sizeof(*table->lines));
	complete = table->lines != NULL;
	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++) {
		table->coarse[level] = memory->allocate(
			memory->context, coarse_lines(level) * sizeof(*table->coarse[level]));
		complete = complete && table->coarse[level];
	}
	if (!complete) {
		pressure_table_destroy(table);
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

void pressure_table_destroy(struct pressure_table *table)
{
	struct table_memory memory;

	if (!table)
		return;
	memory = table->memory;
	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++)
		if (table->coarse[level])
			memory.free(memory.context, table->coarse[level],
				coarse_lines(level) * sizeof(*table->coarse[level]));
	if (table->lines)
		memory.free(memory.context, table->lines, table->n_lines * sizeof(*table->lines));
	memory.free(memory.context, table, sizeof(*table));
}

size_t pressure_table_bytes(const struct pressure_table *table)
{
	size_t bytes = sizeof(*table) + table->n_lines * sizeof(*table->lines);

	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++)
		bytes += coarse_lines(level) * sizeof(*table->coarse[level]);
	return bytes;
}

/* A source at constant rate r adds r dt and loses ln 2 / H of its load dt, so it settles at r * H / ln 2. One
 * that keeps to the rate must pass for ever and may have `burst` attempts at once on top: limit = burst +
 * rate * H / ln 2. The price of a counter that knows no arrival times: from rest a prefix may spend at once
 * what it could have used in the last H / ln 2, and one that always pushes against its limit gets rate +
 * burst * ln 2 / H. Exact limits, of hosts, are token buckets. */
static uint32_t limit_make(const struct pressure_table *table, struct image_rate rate)
{
	/* units = 16 * per_1000_s / 1000 * half_life_ms / 1000 * 1.442695; the parts stay below 2^64: 16 *
	 * 1e9 * 6e5 / 1e3 * 1442695 = 1.4e19. */
	uint64_t settled = (uint64_t)PRESSURE_UNITS * rate.per_1000_s * table->half_life_ms / 1000 * 1442695 /
			   1000000000;
	uint64_t units = (uint64_t)PRESSURE_UNITS * rate.burst + settled;

	if (rate.burst == 0)
		return UINT32_MAX;
	return units < UINT32_MAX ? (uint32_t)units : UINT32_MAX - 1;
}

struct pressure_limits pressure_limits_make(
	const struct pressure_table *table, const struct image_rate rates[IMAGE_LEVEL_COUNT])
{
	struct pressure_limits limits;

	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		limits.load[level] = limit_make(table, rates[level]);
	return limits;
}

/* The two lines of a hashed key and its id. Both halves mixed give an id that is still random among the keys
 * of one line; a key meets a foreign id that looks like its own with 30 / 65535. An empty place has the id 0. */
static void key_find(const struct pressure_table *table, uint64_t prefix, bool v4, int level,
	struct pressure_handle *handle)
{
	uint64_t hash = keyed_hash_2(&table->key, prefix, (uint64_t)v4 << 8 | (unsigned)level);
	uint16_t id = (uint16_t)(hash ^ (hash >> 32));

	handle->slots[level][0] = (uint32_t)(((hash >> 32) * table->n_lines) >> 32);
	handle->slots[level][1] = (uint32_t)(((hash & 0xffffffff) * table->n_lines) >> 32);
	handle->ids[level] = id ? id : 1;
	__builtin_prefetch(&table->lines[handle->slots[level][0]], 1);
	__builtin_prefetch(&table->lines[handle->slots[level][1]], 1);
}

static inline __attribute__((always_inline)) void levels_prefetch(const struct pressure_table *table,
	const struct address *address, int first, struct pressure_handle *ret_handle)
{
	bool v4 = address_is_v4(address);
	uint64_t site = address_v6_site(address);

	ret_handle->family = v4 ? 4 : 6;
	if (!v4) {
		for (int level = first; level < IMAGE_LEVEL_COUNT; level++) {
			unsigned host_bits = pressure_host_bits[0][level];

			key_find(table, site >> host_bits << host_bits, false, level, ret_handle);
		}
		return;
	}
	if (first == IMAGE_LEVEL_HOST)
		key_find(table, address_v4(address), true, IMAGE_LEVEL_HOST, ret_handle);
	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++) {
		uint32_t prefix = address_v4(address) >> pressure_host_bits[1][level];

		ret_handle->slots[level][0] = prefix / PRESSURE_COARSE_LOADS;
		ret_handle->slots[level][1] = 0;
		ret_handle->ids[level] = prefix % PRESSURE_COARSE_LOADS;
		__builtin_prefetch(&table->coarse[level][prefix / PRESSURE_COARSE_LOADS], 1);
	}
}

void pressure_table_prefetch(
	const struct pressure_table *table, const struct address *address, struct pressure_handle *ret_handle)
{
	levels_prefetch(table, address, IMAGE_LEVEL_HOST, ret_handle);
}

void pressure_table_prefetch_wide(
	const struct pressure_table *table, const struct address *address, struct pressure_handle *ret_handle)
{
	/* The id 0 is nobody's: whoever asks for the host finds it nowhere. */
	ret_handle->slots[IMAGE_LEVEL_HOST][0] = ret_handle->slots[IMAGE_LEVEL_HOST][1] = 0;
	ret_handle->ids[IMAGE_LEVEL_HOST] = 0;
	levels_prefetch(table, address, IMAGE_LEVEL_NEAR, ret_handle);
}

/* A load only ever decays, so one that was low enough is; the usual case needs no arithmetic. */
static uint32_t load_now(
	const struct pressure_table *table, uint32_t load, uint32_t enough, uint32_t line_ms, uint32_t now_ms)
{
	if (load <= enough)
		return load;
	return decay_apply(decay_factor_make(&table->decay, pressure_elapsed_ms(line_ms, now_ms)), load);
}

/* What a level holds now, in the units of limits, or anything up to `enough` if it is not more; shifted first, so that a coarse unit does not round its
 * decay. Two lcores may have made the same key in both lines at once, or a decay may have brought an evicted
 * one back: the larger counts, for attempts are only ever missed, never invented. */
static uint32_t level_load(const struct pressure_table *table, const struct pressure_handle *handle, int level,
	uint32_t enough, uint32_t now_ms)
{
	uint32_t shift = pressure_price_shifts[handle->family == 4][level];
	uint32_t highest = 0;

	if (handle->family == 4 && level != IMAGE_LEVEL_HOST) {
		const struct pressure_coarse_line *line = &table->coarse[level][handle->slots[level][0]];

		return load_now(table,
			(uint32_t)atomic_load_explicit(&line->loads[handle->ids[level]], memory_order_relaxed)
				<< shift,
			enough, atomic_load_explicit(&line->time_ms, memory_order_relaxed), now_ms);
	}
	if (handle->ids[level] == 0)
		return 0;
	for (unsigned choice = 0; choice < 2; choice++) {
		const struct pressure_key_line *line = &table->lines[handle->slots[level][choice]];
		unsigned match = pressure_line_match(line, handle->ids[level]);
		uint32_t word, load;

		if (match == 0)
			continue;
		word = atomic_load_explicit(&line->keys[__builtin_ctz(match)], memory_order_relaxed);
		if (word >> 16 != handle->ids[level]) /* replaced just now */
			continue;
		load = load_now(table, (word & 0xffff) << shift, enough,
			atomic_load_explicit(&line->time_ms, memory_order_relaxed), now_ms);
		if (load > highest)
			highest = load;
	}
	return highest;
}

/* Up to which load one more attempt is within the limit for sure. */
static uint32_t load_within(uint32_t limit, uint32_t saturation)
{
	uint32_t within = limit > PRESSURE_UNITS ? limit - PRESSURE_UNITS : 0;

	return within < saturation ? within : saturation - 1;
}

/* This attempt on top. A saturated prefix is over every limit: what is beyond it nobody counted. */
static uint32_t level_ratio(const struct pressure_table *table, const struct pressure_handle *handle,
	const struct pressure_limits *limits, int level, uint32_t now_ms)
{
	uint32_t limit = limits->load[level], load;
	uint32_t saturation = (uint32_t)PRESSURE_LIMIT_MAX << pressure_price_shifts[handle->family == 4][level];

	if (limit == UINT32_MAX)
		return PRESSURE_WITHIN;
	load = level_load(table, handle, level, load_within(limit, saturation), now_ms);
	if (load >= saturation)
		return PRESSURE_SATURATED;
	if (load + PRESSURE_UNITS <= limit)
		return PRESSURE_WITHIN;
	/* Rounded up, so that over is more than PRESSURE_WITHIN; the load is below 2^20, so it fits. A limit
	 * is at least one attempt (limit_make), but the caller's may be 0. */
	return 1 + (load + PRESSURE_UNITS) * PRESSURE_WITHIN / (limit + 1);
}

enum image_level pressure_table_check(const struct pressure_table *table,
	const struct pressure_handle *handle, const struct pressure_limits *limits, uint64_t now_ns)
{
	uint32_t now_ms = (uint32_t)(now_ns / UINT64_C(1000000));

	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		if (level_ratio(table, handle, limits, level, now_ms) != PRESSURE_WITHIN)
			return (enum image_level)level;
	return IMAGE_LEVEL_COUNT;
}

enum image_level pressure_table_excess(const struct pressure_table *table,
	const struct pressure_handle *handle, const struct pressure_limits *limits, uint64_t now_ns,
	struct pressure_excess *ret_excess)
{
	uint32_t now_ms = (uint32_t)(now_ns / UINT64_C(1000000));
	enum image_level first = IMAGE_LEVEL_COUNT;

	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		ret_excess->ratio[level] = level_ratio(table, handle, limits, level, now_ms);
		if (ret_excess->ratio[level] != PRESSURE_WITHIN && first == IMAGE_LEVEL_COUNT)
			first = (enum image_level)level;
	}
	return first;
}

uint32_t pressure_table_load(const struct pressure_table *table, const struct pressure_handle *handle,
	enum image_level level, uint64_t now_ns)
{
	return level_load(table, handle, (int)level, 0, (uint32_t)(now_ns / UINT64_C(1000000)));
}

/* What is left of a high price under the highest load. The room above that load is for single attempts, which
 * lcores add without a look back; so higher prices are added by compare and swap, and the loser of all rounds
 * adds one. */
enum { PRICE_BLIND_MAX = PRESSURE_UNITS + 1, PRICE_ROUNDS = 4 };

static uint32_t price_fit(uint32_t price, uint32_t load)
{
	return price <= PRESSURE_LOAD_MAX - load ? price : PRESSURE_LOAD_MAX - load;
}

static void key_add(_Atomic uint32_t *word, uint32_t value, uint32_t price)
{
	uint32_t id = value >> 16;

	for (unsigned i = 0; i < PRICE_ROUNDS && price > PRICE_BLIND_MAX; i++) {
		if (value >> 16 != id || (value & 0xffff) >= PRESSURE_LOAD_MAX)
			return;
		if (atomic_compare_exchange_strong_explicit(word, &value,
			    value + price_fit(price, value & 0xffff), memory_order_relaxed,
			    memory_order_relaxed))
			return;
	}
	/* If another lcore replaces the key meanwhile, its newcomer gets one attempt too many: a limit's
	 * rounding error. */
	if ((value & 0xffff) < PRESSURE_LOAD_MAX)
		atomic_fetch_add_explicit(
			word, price < PRICE_BLIND_MAX ? price : PRICE_BLIND_MAX, memory_order_relaxed);
}

/* Returns the load before. */
static uint32_t coarse_add(_Atomic uint16_t *word, uint32_t price)
{
	uint16_t load = atomic_load_explicit(word, memory_order_relaxed);

	for (unsigned i = 0; i < PRICE_ROUNDS && price > PRICE_BLIND_MAX; i++) {
		if (load >= PRESSURE_LOAD_MAX)
			return load;
		if (atomic_compare_exchange_strong_explicit(word, &load,
			    (uint16_t)(load + price_fit(price, load)), memory_order_relaxed,
			    memory_order_relaxed))
			return load;
	}
	if (load < PRESSURE_LOAD_MAX)
		atomic_fetch_add_explicit(word, (uint16_t)(price < PRICE_BLIND_MAX ? price : PRICE_BLIND_MAX),
			memory_order_relaxed);
	return load;
}

/* Where the key is, else the place to take: an empty one, else the weakest of both lines. */
struct pressure_place {
	_Atomic uint32_t *word;
	uint32_t value, elapsed_ms;
	bool found;
	bool twin; /* it, or a foreign key with its id, is there a second time */
};

/* In which of the two lines it is, or which is weaker, is a coin's toss: no branch depends on that. */
static struct pressure_place place_find(
	struct pressure_key_line *const lines[2], const uint32_t elapsed_ms[2], uint16_t id)
{
	unsigned match = pressure_line_match(lines[0], id) | pressure_line_match(lines[1], id) << 16;
	bool found = match != 0;
	unsigned choice, key;
	_Atomic uint32_t *word;

	if (found) {
		choice = (unsigned)__builtin_ctz(match) >> 4;
		key = (unsigned)__builtin_ctz(match) & 15;
	} else {
		/* Both lines were refreshed: their stamps differ by less than a quantum, 2 % of a load. */
		uint32_t weakest[2] = {pressure_line_weakest(lines[0]), pressure_line_weakest(lines[1])};

		choice = weakest[1] >> 16 < weakest[0] >> 16;
		key = weakest[choice] & 15;
	}
	word = &lines[choice]->keys[key];
	return (struct pressure_place){word, atomic_load_explicit(word, memory_order_relaxed), elapsed_ms[choice],
		found, (match & (match - 1)) != 0};
}

/* What goes through the levels of one charge. */
struct pressure_charging {
	uint32_t now_ms;
	unsigned replaced;
	uint64_t random;
};

/* The newcomer takes the weakest place with its own price only. (KRU lets it inherit the load, and so never
 * under-estimates; but then a flood of random sources raises every newcomer up to any limit. Here a source
 * may lose the count of its few attempts to such a flood, and its wider prefixes still count them.)
 * Returns what the key holds now at most, in its units. */
static uint32_t key_charge(struct pressure_table *table, const struct pressure_handle *handle, int level,
	uint32_t price, struct pressure_charging *charging)
{
	struct pressure_key_line *lines[2] = {
		&table->lines[handle->slots[level][0]], &table->lines[handle->slots[level][1]]};
	uint32_t elapsed_ms[2];
	struct pressure_place place;

	for (unsigned choice = 0; choice < 2; choice++)
		elapsed_ms[choice] =
			pressure_key_refresh(table, lines[choice], charging->now_ms, &charging->random);
	place = place_find(lines, elapsed_ms, handle->ids[level]);
	price = pressure_price(table, price, place.elapsed_ms, &charging->random);
	if (place.found) {
		key_add(place.word, place.value, price);
		return place.twin ? UINT16_MAX : (place.value & 0xffff) + price;
	}
	/* A plain store: a locked one would cost as much as the search. What another lcore counted in this place in the few ns since it was
	 * read is forgotten at this level: mostly a newcomer that chose it at once. */
	atomic_store_explicit(place.word, (uint32_t)handle->ids[level] << 16 | price, memory_order_relaxed);
	charging->replaced += place.value != 0;
	return price;
}

static uint32_t coarse_charge(struct pressure_table *table, const struct pressure_handle *handle, int level,
	uint32_t price, struct pressure_charging *charging)
{
	struct pressure_coarse_line *line = &table->coarse[level][handle->slots[level][0]];
	uint32_t elapsed_ms = pressure_coarse_refresh(table, line, charging->now_ms, &charging->random);

	price = pressure_price(table, price, elapsed_ms, &charging->random);
	return coarse_add(&line->loads[handle->ids[level]], price) + price;
}

/* A price in the level's units, which are coarser than sixteenths where the prefix is wide: the rest is paid
 * by chance. */
static uint32_t price_in_units(uint32_t price, uint32_t shift, uint64_t *random)
{
	if (price > PRESSURE_PRICE_MAX)
		price = PRESSURE_PRICE_MAX;
	if ((price & ((1u << shift) - 1)) == 0)
		return price >> shift;
	return (price + (uint32_t)(pressure_random_next(random) >> (64 - shift))) >> shift;
}

/* Counts at one level. Returns what it holds now at most, in the units of limits. */
static uint32_t level_charge(struct pressure_table *table, const struct pressure_handle *handle, int level,
	uint32_t price, struct pressure_charging *charging)
{
	uint32_t shift = pressure_price_shifts[handle->family == 4][level];

	price = price_in_units(price, shift, &charging->random);
	if (price == 0)
		return UINT16_MAX << shift;
	if (handle->family == 4 && level != IMAGE_LEVEL_HOST)
		return coarse_charge(table, handle, level, price, charging) << shift;
	return key_charge(table, handle, level, price, charging) << shift;
}

unsigned pressure_table_charge_priced(struct pressure_table *table, const struct pressure_handle *handle,
	const uint32_t prices[IMAGE_LEVEL_COUNT], uint64_t now_ns, uint32_t random)
{
	struct pressure_charging charging = {
		.now_ms = (uint32_t)(now_ns / UINT64_C(1000000)),
		.random = (uint64_t)random << 32 | (uint32_t)~random,
	};

	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		(void)level_charge(table, handle, level, prices[level], &charging);
	return charging.replaced;
}

unsigned pressure_table_charge_check(struct pressure_table *table, const struct pressure_handle *handle, uint32_t price,
	const struct pressure_limits *limits, uint64_t now_ns, uint32_t random, enum image_level *ret_level)
{
	struct pressure_charging charging = {
		.now_ms = (uint32_t)(now_ns / UINT64_C(1000000)),
		.random = (uint64_t)random << 32 | (uint32_t)~random,
	};
	enum image_level first = IMAGE_LEVEL_COUNT;

	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		uint32_t most = level_charge(table, handle, level, price, &charging);
		uint32_t saturation = (uint32_t)PRESSURE_LIMIT_MAX
				      << pressure_price_shifts[handle->family == 4][level];

		if (first == IMAGE_LEVEL_COUNT && most > load_within(limits->load[level], saturation) &&
			level_ratio(table, handle, limits, level, charging.now_ms) != PRESSURE_WITHIN)
			first = (enum image_level)level;
	}
	*ret_level = first;
	return charging.replaced;
}

uint32_t pressure_table_lost(const struct pressure_table *table, uint32_t elapsed_s, uint32_t random)
{
	uint32_t elapsed_ms = elapsed_s < UINT32_MAX / 1000 ? elapsed_s * 1000 : UINT32_MAX;
	uint32_t whole = (uint32_t)PRESSURE_UNITS << 16;
	uint32_t left = decay_apply(decay_factor_make(&table->decay, elapsed_ms), whole);

	return (whole - left + (random & 0xffff)) >> 16;
}

unsigned pressure_table_charge(
	struct pressure_table *table, const struct pressure_handle *handle, uint64_t now_ns, uint32_t random)
{
	static const uint32_t usual[IMAGE_LEVEL_COUNT] = {
		PRESSURE_PRICE_USUAL, PRESSURE_PRICE_USUAL, PRESSURE_PRICE_USUAL, PRESSURE_PRICE_USUAL};

	return pressure_table_charge_priced(table, handle, usual, now_ns, random);
}
