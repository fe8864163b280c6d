/* SPDX-License-Identifier: BSD-3-Clause
 * The clients' addresses: as many as wanted, spread as widely as the given prefixes allow (IPv4 over all /24s before a
 * second host in one; IPv6 over the shortest prefixes first, one host a /64), and used in a seeded order, each once
 * before any is used again. One thread. Must not touch the network.
 */
#ifndef WEIR_BENCH_DIAL_SOURCES_H
#define WEIR_BENCH_DIAL_SOURCES_H

#include <stddef.h>
#include <stdint.h>

#include "shm/prefix.h"

enum { DIAL_SOURCE_PREFIXES_MAX = 16, DIAL_SOURCES_MAX = 1 << 20 };

struct dial_sources;

/** `per_family` addresses from index `first` on, for each family that has prefixes. Lengths: v4 /8../32, v6 /8../64.
 * -EINVAL: none, too many or too long prefixes; -ENOMEM. */
int dial_sources_create(const struct prefix *prefixes, size_t n_prefixes, uint32_t first, uint32_t per_family,
	uint64_t seed, struct dial_sources **ret_sources);
void dial_sources_destroy(struct dial_sources *sources);
/** The i-th address of one prefix, without a seed. */
struct address dial_source_at(const struct prefix *prefix, uint32_t index);
/** The next address of a family. False: the family has none. `ret_index` is stable per address. */
bool dial_sources_next(struct dial_sources *sources, bool v4, struct address *ret_address, uint32_t *ret_index);

#endif
