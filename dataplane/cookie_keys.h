/* SPDX-License-Identifier: BSD-3-Clause
 * The clock and the keys of the cookies over time. Each epoch's key follows from one master key (cookie.h);
 * the clock is CLOCK_MONOTONIC, or the wall clock where governors that front one address share the master key
 * and so must agree on slots. Owner: the table thread. Time comes in as arguments; lcores read what is set
 * here through stage_shared.
 */
#ifndef WEIR_DATAPLANE_COOKIE_KEYS_H
#define WEIR_DATAPLANE_COOKIE_KEYS_H

#include "dataplane/stage.h"

struct cookie_keys {
	struct hash_key master;
	bool is_shared;       /* the clock follows the wall clock */
	uint64_t add_ns;      /* the cookies' clock minus CLOCK_MONOTONIC, modulo 2^64 */
	uint64_t followed_ns; /* CLOCK_MONOTONIC of the last call */
	uint64_t epochs[2];   /* whose key is in each of the two places */
};

/** Both keys, before any lcore runs. wall_ns is read only when is_shared. */
void cookie_keys_start(struct cookie_keys *keys, struct stage_shared *shared, const struct hash_key *master,
	bool is_shared, uint64_t now_ns, uint64_t wall_ns);
/** At every beat, each time after a grace period (stage_shared_set_cookie_key): the clock, and at most one
 * new key. A step of the wall clock of less than a slot is caught up with slowly, so that no cookie under way
 * is lost; a longer one at once, and those under way are lost: their clients' next SYNs bring new ones. */
void cookie_keys_follow(
	struct cookie_keys *keys, struct stage_shared *shared, uint64_t now_ns, uint64_t wall_ns);

#endif
