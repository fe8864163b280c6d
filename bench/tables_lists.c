// SPDX-License-Identifier: BSD-3-Clause
/* Prefix matching, ours and others' (tables_lists.h). One thread; allocates at creation only. */
#include "bench/tables_lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <rte_malloc.h>

#include "bench/tables_subject.h"
#include "dataplane/lists.h"
#include "shm/image_builder.h"

static const struct hash_key hash_key = {1, 2};

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Of ten: six /24, two /20 to /23, one /16 to /19, one /25 to /32; five /48, two /32 to /47, two /56, one /64. */
static uint8_t length_draw(uint8_t family, uint64_t random)
{
	unsigned tenth = random % 10, spread = (unsigned)(random >> 8);

	if (family == 4)
		return (uint8_t)(96 + (tenth < 6 ? 24 : tenth < 8 ? 20 + spread % 4 : tenth == 8 ? 16 + spread % 4 : 25 + spread % 8));
	return (uint8_t)(tenth < 5 ? 48 : tenth < 7 ? 32 + spread % 16 : tenth < 9 ? 56 : 64);
}

static struct address address_draw(uint8_t family, uint64_t *random)
{
	struct address address;
	uint64_t words[2] = {random_next(random), random_next(random)};

	if (family == 4)
		return address_from_v4((uint32_t)words[0]);
	memcpy(address.bytes, words, sizeof(words));
	address.bytes[0] = (uint8_t)(0x20 | (address.bytes[0] & 0x1f)); /* 2000::/3 */
	return address;
}

static int shortest_first(const void *a, const void *b)
{
	const struct prefix *one = a, *other = b;

	return one->length != other->length ? (one->length > other->length) - (one->length < other->length) : prefix_compare(one, other);
}

uint32_t tables_lists_prefixes(uint8_t family, uint32_t n, uint64_t seed, struct prefix prefixes[])
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct address address = address_draw(family, &seed);

		prefixes[i] = prefix_of(&address, length_draw(family, random_next(&seed)));
	}
	qsort(prefixes, n, sizeof(prefixes[0]), shortest_first);
	for (uint32_t i = 0; i < n; i++) {
		if (kept == 0 || prefix_compare(&prefixes[kept - 1], &prefixes[i]) != 0)
			prefixes[kept++] = prefixes[i];
	}
	return kept;
}

static uint32_t v4_of(const struct address *address)
{
	return (uint32_t)address->bytes[12] << 24 | (uint32_t)address->bytes[13] << 16 | (uint32_t)address->bytes[14] << 8 |
	       address->bytes[15];
}

int tables_lists_ask(uint8_t family, const struct prefix prefixes[], uint32_t n_prefixes, uint32_t n, uint64_t seed,
	struct tables_lists_asked *ret_asked)
{
	struct tables_lists_asked asked = {.n = n / TABLES_BURST * TABLES_BURST};

	asked.addresses = calloc(asked.n, sizeof(asked.addresses[0]));
	asked.v4 = family == 4 ? calloc(asked.n, sizeof(asked.v4[0])) : NULL;
	if (!asked.addresses || (family == 4 && !asked.v4)) {
		tables_lists_ask_end(&asked);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < asked.n; i++) {
		struct address *address = &asked.addresses[i];

		*address = address_draw(family, &seed);
		if (random_next(&seed) % 2 == 0) {
			const struct prefix *prefix = &prefixes[random_next(&seed) % n_prefixes];

			for (unsigned bit = 0; bit < prefix->length; bit++) {
				uint8_t mask = (uint8_t)(0x80 >> bit % 8), *byte = &address->bytes[bit / 8];

				*byte = (uint8_t)((*byte & ~mask) | (prefix->address.bytes[bit / 8] & mask));
			}
		}
		if (family == 4)
			asked.v4[i] = v4_of(address);
	}
	*ret_asked = asked;
	return 0;
}

void tables_lists_ask_end(struct tables_lists_asked *asked)
{
	free(asked->addresses);
	free(asked->v4);
}

struct ours {
	struct lists *lists;
	uint64_t bytes;
};

static int image_make(const struct prefix prefixes[], uint32_t n, void **ret_block, size_t *ret_bytes)
{
	struct image_policy policy = {.mode = IMAGE_MODE_ENFORCE,
		.accept_inbound = 1,
		.replies_per_s = 1000,
		.icmp_per_s = 1000,
		.infrastructure_per_s = 1000,
		.other_per_s = 1000,
		.half_open_timeout_ms = 10000,
		.auth_timeout_ms = 5000,
		.tcp_idle_timeout_ms = 7800000,
		.udp_idle_timeout_ms = 60000,
		.udp_unanswered_timeout_ms = 10000,
		.closing_timeout_ms = 1000,
		.proven_lifetime_ms = 3600000,
		.adopt_per_s = 1};
	struct image_stamp stamp = {.instance = 1, .generation = 1};
	struct image_builder *builder;
	int error = image_builder_create(&builder);

	if (error != 0)
		return error;
	for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++)
		policy.unproven_rate_v4[level] = policy.unproven_rate_v6[level] = policy.proven_rate_v4[level] =
			policy.proven_rate_v6[level] = (struct image_rate){1000, 1000};
	error = image_builder_set_policy(builder, &policy);
	for (uint32_t i = 0; i < n && error == 0; i++)
		error = image_builder_add_list(builder, IMAGE_LIST_DENY, &prefixes[i], 0);
	if (error == 0)
		error = image_builder_finish(builder, &stamp, ret_block, ret_bytes);
	image_builder_destroy(builder);
	return error;
}

static int ours_create(const struct prefix prefixes[], uint32_t n, void **ret_table)
{
	struct ours *ours = calloc(1, sizeof(*ours));
	uint64_t before = tables_memory_bytes;
	struct image_view view;
	void *block = NULL;
	size_t bytes;
	int error = ours ? image_make(prefixes, n, &block, &bytes) : -ENOMEM;

	if (error == 0 && image_validate(block, bytes, &view) != IMAGE_OK)
		error = -EINVAL;
	if (error == 0)
		error = lists_create(&view, &hash_key, &tables_memory, &ours->lists);
	free(block);
	if (error != 0) {
		free(ours);
		return error;
	}
	ours->bytes = tables_memory_bytes - before;
	*ret_table = ours;
	return 0;
}

static void ours_destroy(void *table)
{
	lists_destroy(((struct ours *)table)->lists);
	free(table);
}

static uint64_t ours_lookup(void *table, const struct tables_lists_asked *asked)
{
	const struct lists *lists = ((const struct ours *)table)->lists;
	uint64_t covered = 0;

	for (uint32_t i = 0; i < asked->n; i++) {
		struct lists_answer answer;

		lists_lookup(lists, &asked->addresses[i], 1000, &answer);
		covered += answer.denied;
	}
	return covered;
}

static uint64_t ours_bytes(const void *table)
{
	return ((const struct ours *)table)->bytes;
}

struct peer {
	union {
		struct rte_lpm *lpm;
		struct rte_fib *fib;
		struct rte_lpm6 *lpm6;
		struct rte_fib6 *fib6;
	};
	uint64_t bytes;
};

static uint64_t heap_bytes(void)
{
	struct rte_malloc_socket_stats stats;

	return rte_malloc_get_socket_stats(0, &stats) == 0 ? stats.heap_allocsz_bytes : 0;
}

static int peer_finish(struct peer *peer, uint64_t before, int error, void (*destroy)(void *table), void **ret_table)
{
	if (error != 0) {
		if (peer->lpm)
			destroy(peer);
		else
			free(peer);
		return error;
	}
	peer->bytes = heap_bytes() - before;
	*ret_table = peer;
	return 0;
}

static void lpm_destroy(void *table)
{
	rte_lpm_free(((struct peer *)table)->lpm);
	free(table);
}

/* Every prefix beyond /24 may need 256 places of its own. */
static int lpm_create(const struct prefix prefixes[], uint32_t n, void **ret_table)
{
	struct rte_lpm_config config = {.max_rules = n, .number_tbl8s = n / 4 + 256};
	struct peer *peer = calloc(1, sizeof(*peer));
	uint64_t before = heap_bytes();
	int error = 0;

	if (!peer)
		return -ENOMEM;
	peer->lpm = rte_lpm_create("peer_lpm", SOCKET_ID_ANY, &config);
	if (!peer->lpm)
		error = -ENOMEM;
	for (uint32_t i = 0; i < n && error == 0; i++)
		error = rte_lpm_add(peer->lpm, v4_of(&prefixes[i].address), (uint8_t)(prefixes[i].length - 96), 1);
	return peer_finish(peer, before, error, lpm_destroy, ret_table);
}

/* Four at a time: faster than rte_lpm_lookup_bulk, which takes them one by one. */
static uint64_t lpm_lookup(void *table, const struct tables_lists_asked *asked)
{
	const struct rte_lpm *lpm = ((const struct peer *)table)->lpm;
	uint64_t covered = 0;

	for (uint32_t i = 0; i < asked->n; i += 4) {
		uint32_t hops[4];

		rte_lpm_lookupx4(lpm, _mm_loadu_si128((const __m128i *)(const void *)&asked->v4[i]), hops, 0);
		covered += hops[0] + hops[1] + hops[2] + hops[3];
	}
	return covered;
}

static void fib_destroy(void *table)
{
	rte_fib_free(((struct peer *)table)->fib);
	free(table);
}

static int fib_create(const struct prefix prefixes[], uint32_t n, void **ret_table)
{
	/* Two bytes a place while they can number the groups of 256, else four. */
	struct rte_fib_conf config = {.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = (int)n,
		.dir24_8 = {.nh_sz = n / 4 + 256 < 1 << 15 ? RTE_FIB_DIR24_8_2B : RTE_FIB_DIR24_8_4B, .num_tbl8 = n / 4 + 256}};
	struct peer *peer = calloc(1, sizeof(*peer));
	uint64_t before = heap_bytes();
	int error = 0;

	if (!peer)
		return -ENOMEM;
	peer->fib = rte_fib_create("peer_fib", SOCKET_ID_ANY, &config);
	if (!peer->fib)
		error = -ENOMEM;
	for (uint32_t i = 0; i < n && error == 0; i++)
		error = rte_fib_add(peer->fib, v4_of(&prefixes[i].address), (uint8_t)(prefixes[i].length - 96), 1);
	return peer_finish(peer, before, error, fib_destroy, ret_table);
}

static uint64_t fib_lookup(void *table, const struct tables_lists_asked *asked)
{
	struct rte_fib *fib = ((struct peer *)table)->fib;
	uint64_t covered = 0;

	for (uint32_t i = 0; i < asked->n; i += TABLES_BURST) {
		uint64_t hops[TABLES_BURST];

		(void)rte_fib_lookup_bulk(fib, &asked->v4[i], hops, TABLES_BURST);
		for (unsigned k = 0; k < TABLES_BURST; k++)
			covered += hops[k];
	}
	return covered;
}

static void lpm6_destroy(void *table)
{
	rte_lpm6_free(((struct peer *)table)->lpm6);
	free(table);
}

/* A lone /64 takes five groups of 256; 3.3 in the mean of the lengths that are drawn. */
static int lpm6_create(const struct prefix prefixes[], uint32_t n, void **ret_table)
{
	struct rte_lpm6_config config = {.max_rules = n, .number_tbl8s = n * 4 + 256};
	struct peer *peer = calloc(1, sizeof(*peer));
	uint64_t before = heap_bytes();
	int error = 0;

	if (!peer)
		return -ENOMEM;
	peer->lpm6 = rte_lpm6_create("peer_lpm6", SOCKET_ID_ANY, &config);
	if (!peer->lpm6)
		error = -ENOMEM;
	for (uint32_t i = 0; i < n && error == 0; i++)
		error = rte_lpm6_add(peer->lpm6, prefixes[i].address.bytes, prefixes[i].length, 1);
	return peer_finish(peer, before, error, lpm6_destroy, ret_table);
}

static uint64_t lpm6_lookup(void *table, const struct tables_lists_asked *asked)
{
	const struct rte_lpm6 *lpm6 = ((const struct peer *)table)->lpm6;
	uint64_t covered = 0;

	for (uint32_t i = 0; i < asked->n; i += TABLES_BURST) {
		int32_t hops[TABLES_BURST];

		(void)rte_lpm6_lookup_bulk_func(lpm6, (uint8_t(*)[16])asked->addresses[i].bytes, hops, TABLES_BURST);
		for (unsigned k = 0; k < TABLES_BURST; k++)
			covered += hops[k] >= 0;
	}
	return covered;
}

static void fib6_destroy(void *table)
{
	rte_fib6_free(((struct peer *)table)->fib6);
	free(table);
}

static int fib6_create(const struct prefix prefixes[], uint32_t n, void **ret_table)
{
	struct rte_fib6_conf config = {.type = RTE_FIB6_TRIE,
		.default_nh = 0,
		.max_routes = (int)n,
		.trie = {.nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = n * 4 + 256}};
	struct peer *peer = calloc(1, sizeof(*peer));
	uint64_t before = heap_bytes();
	int error = 0;

	if (!peer)
		return -ENOMEM;
	peer->fib6 = rte_fib6_create("peer_fib6", SOCKET_ID_ANY, &config);
	if (!peer->fib6)
		error = -ENOMEM;
	for (uint32_t i = 0; i < n && error == 0; i++)
		error = rte_fib6_add(peer->fib6, prefixes[i].address.bytes, prefixes[i].length, 1);
	return peer_finish(peer, before, error, fib6_destroy, ret_table);
}

static uint64_t fib6_lookup(void *table, const struct tables_lists_asked *asked)
{
	struct rte_fib6 *fib6 = ((struct peer *)table)->fib6;
	uint64_t covered = 0;

	for (uint32_t i = 0; i < asked->n; i += TABLES_BURST) {
		uint64_t hops[TABLES_BURST];

		(void)rte_fib6_lookup_bulk(fib6, (uint8_t(*)[16])asked->addresses[i].bytes, hops, TABLES_BURST);
		for (unsigned k = 0; k < TABLES_BURST; k++)
			covered += hops[k];
	}
	return covered;
}

static uint64_t peer_bytes(const void *table)
{
	return ((const struct peer *)table)->bytes;
}

const struct tables_lists_subject tables_lists_subjects[TABLES_LISTS_SUBJECTS] = {
	{"lists", 4, ours_create, ours_destroy, ours_lookup, ours_bytes},
	{"rte_lpm", 4, lpm_create, lpm_destroy, lpm_lookup, peer_bytes},
	{"rte_fib", 4, fib_create, fib_destroy, fib_lookup, peer_bytes},
	{"lists", 6, ours_create, ours_destroy, ours_lookup, ours_bytes},
	{"rte_lpm6", 6, lpm6_create, lpm6_destroy, lpm6_lookup, peer_bytes},
	{"rte_fib6", 6, fib6_create, fib6_destroy, fib6_lookup, peer_bytes},
};
