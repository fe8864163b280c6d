/* SPDX-License-Identifier: BSD-3-Clause
 * The proxy cookies of a burst of SYNs, made side by side: SipHash is one long chain for one SYN, but every SYN's chain is the same
 * steps. One owner, the lcore of the stage; no clock, no allocation.
 */
#ifndef WEIR_DATAPLANE_COOKIE_BURST_H
#define WEIR_DATAPLANE_COOKIE_BURST_H

#include "dataplane/cookie.h"

enum { COOKIE_BURST_MAX = 64, COOKIE_BURST_WORDS_MAX = 6 };

/** SYNs of one family. */
struct cookie_lanes {
	_Alignas(64) uint64_t words[COOKIE_BURST_WORDS_MAX][COOKIE_BURST_MAX];
	uint32_t *sequences[COOKIE_BURST_MAX];
	uint8_t data[COOKIE_BURST_MAX];
	unsigned n;
};

/** Zero: no SYNs. */
struct cookie_burst {
	struct cookie_lanes v4, v6;
};

/** One of at most COOKIE_BURST_MAX SYNs between two calls of cookie_burst_finish. *sequence, which must stay where it is until then, is
 * written there: what cookie_proxy_make(secrets, syn, packed, clock_ns) returns. */
void cookie_burst_add(struct cookie_burst *burst, const struct packet *syn, uint8_t packed, uint64_t clock_ns, uint32_t *sequence);
/** With the secrets and the time of all of them. Empties the burst. */
void cookie_burst_finish(struct cookie_burst *burst, const struct cookie_secrets *secrets, uint64_t clock_ns);
/** The same one by one, and by vectors of one kind: false, with nothing done, where the CPU has not that kind. */
void cookie_burst_finish_scalar(struct cookie_burst *burst, const struct cookie_secrets *secrets, uint64_t clock_ns);
enum cookie_vectors { COOKIE_VECTORS_AVX2, COOKIE_VECTORS_AVX512 };
bool cookie_burst_finish_by(struct cookie_burst *burst, const struct cookie_secrets *secrets, uint64_t clock_ns,
	enum cookie_vectors vectors);

static inline bool cookie_burst_is_empty(const struct cookie_burst *burst)
{
	return burst->v4.n + burst->v6.n == 0;
}

#endif
