/* SPDX-License-Identifier: BSD-3-Clause
 * Which bans the device shall drop, and for how long: the decision, apart from the device (port_offload.h). A
 * ban that is in the device is not seen any more, so it is only lent: after OFFLOAD_LEASE_S it is taken out,
 * and comes back if its source is still among the heaviest. Pure; the table thread owns it. Must never hold
 * what the ban tables do not say: the caller asks before it changes them.
 */
#ifndef WEIR_DATAPLANE_BAN_OFFLOAD_H
#define WEIR_DATAPLANE_BAN_OFFLOAD_H

#include "dataplane/heavy_bans.h"
#include "dataplane/ruleset.h"

enum {
	OFFLOAD_BANS_MAX = 2048, /* at 50 changes a second (table_offload.c) a lease covers 3000 */
	OFFLOAD_LEASE_S = 60,
	/* A ban must outlast its lease by so much that the device is done in time however late the table
	   thread comes. */
	OFFLOAD_MARGIN_S = 10,
	/* 16 sampled packets are 500 to 1000 packets a second: below that a drop in software, some 100 ns, is
	   0.01 % of an lcore. */
	OFFLOAD_WEIGHT_MIN = 16,
	OFFLOAD_WANTED_MAX = HEAVY_BANS_PLACES,
};

struct ban_offload {
	struct ban_offload_place {
		uint64_t source; /* heavy_source_of; 0: free */
		uint32_t lease_end_s;
	} places[OFFLOAD_BANS_MAX];
	uint32_t max, n;
	uint64_t wanted[OFFLOAD_WANTED_MAX]; /* to be installed, lightest first */
	uint32_t n_wanted;
};

/** Is this source banned under these rules, for so long that lending it is worth it, with nobody in it who is
 * allowed? Never in monitor mode. */
bool ban_offload_is_due(const struct ruleset *rules, uint64_t source, uint32_t now_s);
/** Is it still banned, in enforce mode, without anybody in it who is allowed? */
bool ban_offload_is_right(const struct ruleset *rules, uint64_t source, uint32_t now_s);
/** Once a second: want the heaviest of `bans` that are due and not in the device. Sorts `bans`. */
void ban_offload_choose(struct ban_offload *offload, const struct ruleset *rules, uint32_t now_s,
	struct heavy_ban *bans, unsigned n);
/** The heaviest wanted one that is still due. True: its place is taken, its lease runs. Looks at all wanted
 * ones at most. */
bool ban_offload_take(
	struct ban_offload *offload, const struct ruleset *rules, uint32_t now_s, unsigned *ret_place);
/** A place whose lease has ended. Stays taken until ban_offload_free. */
bool ban_offload_ended(const struct ban_offload *offload, uint32_t now_s, unsigned *ret_place);
/** The first place from `from` on whose ban this command would lift or weaken, or in which it would allow
 * anybody. */
bool ban_offload_met(const struct ban_offload *offload, enum command_kind kind, const struct prefix *prefix,
	unsigned from, unsigned *ret_place);
void ban_offload_free(struct ban_offload *offload, unsigned place);

#endif
