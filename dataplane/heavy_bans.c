// SPDX-License-Identifier: BSD-3-Clause
/* The sketch of heavy banned sources (heavy_bans.h). Space-Saving: a newcomer takes the place of the lightest
 * and inherits its count as error, so count - error never says more than was counted. Thread: the owning
 * lcore, but heavy_bans_read.
 */
#include "dataplane/heavy_bans.h"

#include <string.h>

#define HEAVY_SOURCE_V4 UINT64_C(0xffffffff00000000)

uint64_t heavy_source_of(const struct address *client)
{
	return address_is_v4(client) ? HEAVY_SOURCE_V4 | address_v4(client) : address_v6_site(client);
}

struct prefix heavy_source_prefix(uint64_t source)
{
	struct prefix prefix = {.length = PREFIX_V6_SITE_LENGTH};

	if ((source & HEAVY_SOURCE_V4) == HEAVY_SOURCE_V4)
		return (struct prefix){
			.address = address_from_v4((uint32_t)source), .length = PREFIX_HOST_LENGTH};
	for (unsigned i = 0; i < 8; i++)
		prefix.address.bytes[i] = (uint8_t)(source >> (56 - 8 * i));
	return prefix;
}

static uint32_t load(const _Atomic uint32_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void store(_Atomic uint32_t *value, uint32_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

static uint32_t halve(uint32_t value, uint32_t seconds)
{
	return seconds < 32 ? value >> seconds : 0;
}

static void decay(struct heavy_bans *heavy, uint32_t now_s)
{
	uint32_t elapsed_s = now_s - load(&heavy->decayed_s);

	if (elapsed_s == 0)
		return;
	for (unsigned i = 0; i < HEAVY_BANS_PLACES; i++) {
		struct heavy_place *place = &heavy->places[i];

		store(&place->count, halve(load(&place->count), elapsed_s));
		store(&place->error, halve(load(&place->error), elapsed_s));
	}
	store(&heavy->decayed_s, now_s);
}

void heavy_bans_sample(
	struct heavy_bans *heavy, const struct address *client, uint32_t now_s, uint32_t random)
{
	uint64_t source = heavy_source_of(client);
	struct heavy_place *lightest = &heavy->places[0];

	/* 0 to 126, in the mean 63: nobody can send in step with it. */
	heavy->skip = random % (2 * HEAVY_BANS_SAMPLING - 1);
	decay(heavy, now_s);
	for (unsigned i = 0; i < HEAVY_BANS_PLACES; i++) {
		struct heavy_place *place = &heavy->places[i];

		if (atomic_load_explicit(&place->source, memory_order_relaxed) == source) {
			store(&place->count, load(&place->count) + 1);
			return;
		}
		if (load(&place->count) < load(&lightest->count))
			lightest = place;
	}
	store(&lightest->error, load(&lightest->count));
	atomic_store_explicit(&lightest->source, source, memory_order_relaxed);
	store(&lightest->count, load(&lightest->count) + 1);
}

unsigned heavy_bans_read(
	const struct heavy_bans *heavy, uint32_t now_s, struct heavy_ban ret_bans[HEAVY_BANS_PLACES])
{
	uint32_t elapsed_s = now_s - load(&heavy->decayed_s);
	unsigned n = 0;

	/* The owner's clock may be read a moment before the reader's. */
	if (elapsed_s > UINT32_MAX / 2)
		elapsed_s = 0;
	for (unsigned i = 0; i < HEAVY_BANS_PLACES; i++) {
		const struct heavy_place *place = &heavy->places[i];
		uint64_t source = atomic_load_explicit(&place->source, memory_order_relaxed);
		uint32_t count = load(&place->count), error = load(&place->error);
		uint32_t weight = halve(count > error ? count - error : 0, elapsed_s);

		if (source != 0 && weight != 0)
			ret_bans[n++] = (struct heavy_ban){.source = source, .weight = weight};
	}
	return n;
}
