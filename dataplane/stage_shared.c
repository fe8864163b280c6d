/* SPDX-License-Identifier: BSD-3-Clause
 * Creation and end of stages and of the tables they share. Runs at start and at the end, never between
 * packets.
 */
#include <errno.h>

#include "dataplane/stage_private.h"

/* A connection has one id and one flow. A quarter will do: not every service speaks QUIC, and who is forgotten is known
 * by his address as long as he keeps it. */
static uint64_t connection_ids_of(const struct stage_shared_sizes *sizes)
{
	uint64_t ids = sizes->connection_ids;

	if (ids == 0)
		ids = sizes->concurrency_prefixes / IMAGE_LEVEL_COUNT / 4;
	return ids > CONNECTION_IDS_MIN ? ids : CONNECTION_IDS_MIN;
}

int stage_shared_create(const struct stage_shared_sizes *sizes, const struct hash_key keys[3],
	const struct table_memory *memory, struct stage_shared **ret_shared)
{
	struct stage_shared *shared = memory->allocate(memory->context, sizeof(*shared));
	int error = -ENOMEM;

	if (shared == NULL)
		return -ENOMEM;
	shared->table_key = keys[0];
	shared->cookie_copies[0] = (struct cookie_secrets){{keys[1], keys[2]}};
	error = pressure_table_create(
		sizes->pressure_keys, UNPROVEN_HALF_LIFE_MS, &keys[0], memory, &shared->unproven);
	if (error == 0)
		error = pressure_table_create(
			sizes->pressure_keys, PROVEN_HALF_LIFE_MS, &keys[0], memory, &shared->proven_opens);
	/* Only its IPv4 prefixes are used, which have places of their own: the fewest hashed ones will do. */
	if (error == 0)
		error = pressure_table_create(
			PRESSURE_KEYS_MIN, CLIENTS_HALF_LIFE_MS, &keys[0], memory, &shared->clients);
	if (error == 0)
		error = proven_table_create(sizes->proven_sources, &keys[0], memory, &shared->proven);
	if (error == 0)
		error = proven_table_create(sizes->proven_sources, &keys[0], memory, &shared->opened);
	if (error == 0)
		error = concurrency_table_create(
			sizes->concurrency_prefixes, &keys[0], memory, &shared->concurrency);
	if (error == 0)
		error = connection_table_create(
			connection_ids_of(sizes), &keys[0], memory, &shared->connections);
	if (error != 0) {
		stage_shared_destroy(shared, memory);
		return error;
	}
	*ret_shared = shared;
	return 0;
}

void stage_shared_set_cookie_key(struct stage_shared *shared, uint64_t epoch, const struct hash_key *key)
{
	uint32_t copy = atomic_load_explicit(&shared->cookie_copy, memory_order_relaxed);
	struct cookie_secrets *next = &shared->cookie_copies[1 - copy];

	*next = shared->cookie_copies[copy];
	next->keys[epoch % 2] = *key;
	/* Release: pairs with the acquire in stage_cookie_secrets. */
	atomic_store_explicit(&shared->cookie_copy, 1 - copy, memory_order_release);
}

void stage_shared_all_moved(struct stage_shared *shared)
{
	atomic_fetch_add_explicit(&shared->ban_epoch, 1, memory_order_release);
}

/* Whose flows it touches: one host's or site's, or of any number. No site is all zeros but that of addresses that nobody has. */
static bool is_one_partition(const struct prefix *prefix)
{
	if (address_is_v4(&prefix->address))
		return prefix->length == PREFIX_HOST_LENGTH;
	return prefix->length >= PREFIX_V6_SITE_LENGTH && address_v6_site(&prefix->address) != 0;
}

void stage_shared_ban_moved(struct stage_shared *shared, const struct prefix *prefix)
{
	if (is_one_partition(prefix))
		atomic_fetch_add_explicit(
			&shared->ban_epochs[stage_ban_partition(prefix->address.bytes)], 1, memory_order_release);
	else
		stage_shared_all_moved(shared);
}

void stage_shared_destroy(struct stage_shared *shared, const struct table_memory *memory)
{
	if (shared == NULL)
		return;
	pressure_table_destroy(shared->unproven);
	pressure_table_destroy(shared->proven_opens);
	pressure_table_destroy(shared->clients);
	proven_table_destroy(shared->proven);
	proven_table_destroy(shared->opened);
	concurrency_table_destroy(shared->concurrency);
	connection_table_destroy(shared->connections);
	memory->free(memory->context, shared, sizeof(*shared));
}

int stage_create(struct stage_shared *shared, struct flow_table *flows, struct counters *counters,
	const struct stage_output *output, const struct stage_sizes *sizes, const struct table_memory *memory,
	uint64_t seed, uint64_t now_ns, struct stage **ret_stage)
{
	struct stage *stage = memory->allocate(memory->context, sizeof(*stage));
	int error;

	if (stage == NULL)
		return -ENOMEM;
	error = fragment_table_create(sizes->fragments, &shared->table_key, memory, &stage->fragments);
	if (error == 0)
		error = reply_cap_create(&shared->table_key, memory, &stage->reply_cap);
	if (error != 0) {
		stage_destroy(stage, memory);
		return error;
	}
	stage->shared = shared;
	stage->flows = flows;
	stage->counters = counters;
	stage->output = *output;
	stage->started_ns = stage->walk_last_ns = now_ns;
	stage->random_state = seed != 0 ? seed : 1; /* xorshift never leaves 0 */
	stage->lcores = 1;
	*ret_stage = stage;
	return 0;
}

void stage_destroy(struct stage *stage, const struct table_memory *memory)
{
	if (stage == NULL)
		return;
	fragment_table_destroy(stage->fragments);
	reply_cap_destroy(stage->reply_cap);
	memory->free(memory->context, stage, sizeof(*stage));
}
