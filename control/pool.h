/* SPDX-License-Identifier: BSD-3-Clause
 * The pool of connections of Lorachain and libp2p (policy.md LH-7, LO-3, LO-5, LO-13, LO-14, SP-14, DU-8):
 * how many of each kind, who is worth a connection, and what a round of optimisation changes. Pure functions,
 * any thread.
 */
#ifndef WEIR_CONTROL_POOL_H
#define WEIR_CONTROL_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct pool_limits { /* 0: no limit */
	uint32_t total, in, out, pending_in, pending_out, per_peer;
};
struct pool_counts { /* established, and those whose handshake is under way */
	uint32_t in, out, pending_in, pending_out;
};
extern const struct pool_limits pool_lorachain, pool_spacetime;
/** LH-7: what libp2p is told for a target. */
struct pool_limits pool_limits_from_target(uint32_t target);

enum pool_answer { POOL_ADMITTED, POOL_TOTAL, POOL_IN, POOL_OUT, POOL_PENDING, POOL_PER_PEER };
/** "total", "in", ...: the reason in events; "" when admitted. */
const char *pool_answer_name(enum pool_answer answer);
/** May one more begin? `of_peer`: connections that this peer has. Pending ones count in the total: each may
 * become one. */
enum pool_answer pool_admit(
	const struct pool_limits *limits, const struct pool_counts *counts, bool inbound, uint32_t of_peer);

struct pool_peer {
	uint64_t id;
	double score; /* 0..100 */
	bool light;   /* LO-5: else a full peer */
	bool banned, online, connected;
	bool is_protected; /* never dropped */
};
struct pool_policy {
	uint32_t size;      /* N of best-N */
	double score_least; /* LO-13: 30 */
	uint32_t
		light_most; /* LO-13: with so many light ones connected, no further light one is dialled: 5 */
	double bonus_full, bonus_light; /* LO-5: added to the score for ranking only */
};
extern const struct pool_policy pool_policy_lorachain;

/** LO-13: the best `n` that are online and not banned, best first; equal ones by id. Returns how many indices
 * were written. -ENOMEM. */
int pool_best(const struct pool_policy *policy, const struct pool_peer *peers, uint32_t n, uint32_t wanted,
	uint32_t *ret_items, uint32_t *ret_n);
/** LO-13: is this one to be dialled now? */
bool pool_wants(const struct pool_policy *policy, const struct pool_limits *limits,
	const struct pool_peer *peer, uint32_t connected_out, uint32_t connected_light);

struct pool_changes {
	uint32_t *drop, *dial; /* indices; arrays of the caller, n each */
	uint32_t n_drop, n_dial;
};
/** LO-14: drop who is connected and not among the best, dial those of the best that are not connected and
 * wanted. -ENOMEM. */
int pool_optimise(const struct pool_policy *policy, const struct pool_limits *limits,
	const struct pool_peer *peers, uint32_t n, uint32_t connected_out, struct pool_changes *changes);

#endif
