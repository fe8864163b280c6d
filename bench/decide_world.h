/* SPDX-License-Identifier: BSD-3-Clause
 * One lcore's stage with tables of a chosen size and so many bans, for bench/decide.c: the real image, ruleset and stage, in huge
 * pages, and bursts of attempts whose packets were parsed by the real parser. One thread.
 */
#ifndef WEIR_BENCH_DECIDE_WORLD_H
#define WEIR_BENCH_DECIDE_WORLD_H

#include "dataplane/stage.h"

/** Who attempts. */
enum decide_mix {
	DECIDE_BANNED,    /* every source is banned */
	DECIDE_CHALLENGED, /* sources drawn at random from the whole space, none seen before; under pressure: a cookie each */
	DECIDE_ADMITTED,  /* the same without pressure: a flow is born for each, and ends by eviction or time-out */
	DECIDE_PROVEN,    /* a population of proven sources, which all come again and again: SYN, SYN-ACK, ACK, RST; events included */
	DECIDE_MIX_COUNT,
};

struct decide_sizes {
	uint64_t bans;           /* IPv4 hosts and IPv6 /64s each */
	unsigned pressure_log2;  /* tracked prefixes of each pressure table */
	unsigned proven_log2;
	unsigned flows_log2;
};

struct decide_world;

/** 0, -ENOMEM, or another -errno of the modules that it builds. */
int decide_world_create(const struct decide_sizes *sizes, uint64_t seed, struct decide_world **ret_world);
/** Another lcore's stage over the tables and rules of `owner`, which must outlive it. Flows are its own. Any one thread may run it while
 * another runs `owner`. -ENOMEM or another -errno. */
int decide_world_join(struct decide_world *owner, uint64_t seed, struct decide_world **ret_world);
/** Strangers are drawn from so many bits of address (IPv4) or site (IPv6) from now on, 1..56: 8 is one /24 or one /56. */
void decide_world_heat(struct decide_world *world, unsigned bits);
/** Packets decided so far, as the sum of all reasons counted. */
uint64_t decide_world_accounted(const struct decide_world *world);
/** One clock again, the later one, after one of two ran alone. Neither runs. */
void decide_world_align(struct decide_world *a, struct decide_world *b);
void decide_world_destroy(struct decide_world *world);
/** Decide `attempts` attempts of a mix in bursts of 32; returns how many had the outcome that the mix means. Time moves on as if the
 * lcore handled ten million a second. family 4 or 6. */
uint64_t decide_world_run(struct decide_world *world, enum decide_mix mix, uint8_t family, uint64_t attempts);
/** The harness alone: sources are drawn and packets filled in, nothing is decided. Subtract it. */
void decide_world_idle(struct decide_world *world, enum decide_mix mix, uint8_t family, uint64_t attempts);
/** Counted reasons so far, for a sentence about attempts that did not go as meant. */
const char *decide_world_outcomes(const struct decide_world *world, char text[256]);
/** Make the population of DECIDE_PROVEN known, before it is measured. */
void decide_world_prove(struct decide_world *world, uint8_t family, uint32_t sources);
const char *decide_mix_name(enum decide_mix mix);

#endif
