/* SPDX-License-Identifier: BSD-3-Clause
 * Who sends: source addresses drawn by a named model from a set of prefixes, and when: how many packets are due by now.
 * Seeded and deterministic: the same seed and configuration give the same addresses on every machine. One thread per
 * model (each generator lcore has its own). Must not read clocks or allocate after creation.
 */
#ifndef WEIR_BENCH_TRAFFIC_MODEL_H
#define WEIR_BENCH_TRAFFIC_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/prefix.h"

enum {
	TRAFFIC_PREFIXES_MAX = 32,
	TRAFFIC_EXCLUDED_MAX = 32,
	TRAFFIC_POPULATION_MAX = 1 << 22, /* 64 MiB of addresses */
	TRAFFIC_SUBNETS_MAX = 1 << 16,
};

enum traffic_kind {
	TRAFFIC_SPOOF,	     /* each packet from a fresh address, uniform over the prefixes */
	TRAFFIC_FEW_SUBNETS, /* `population` dense subnets (v4 /24, v6 /64); hosts uniform inside */
	TRAFFIC_ZIPF,	     /* `population` addresses; the k-th sends in proportion to k^-exponent */
	TRAFFIC_BOTNET,	     /* `population` addresses that all send alike */
	TRAFFIC_KINDS,
};

struct traffic_config {
	enum traffic_kind kind;
	struct prefix prefixes[TRAFFIC_PREFIXES_MAX]; /* sources; weighted by their size within a family */
	size_t n_prefixes;
	struct prefix excluded[TRAFFIC_EXCLUDED_MAX]; /* never drawn */
	size_t n_excluded;
	uint32_t population; /* subnets or addresses; unused by TRAFFIC_SPOOF */
	double exponent;     /* TRAFFIC_ZIPF: > 0 */
	double v6_share;     /* 0..1 of the draws, when both families have prefixes */
	uint64_t seed;
};

struct traffic_model;

/** -EINVAL: no prefix, all of them excluded, a population of 0 or too large, or an exponent that is not above 0; `why`
 * then points at a constant sentence. -ENOMEM. */
int traffic_model_create(const struct traffic_config *config, struct traffic_model **ret_model, const char **ret_why);
void traffic_model_destroy(struct traffic_model *model);
/** Draw the next source. */
struct address traffic_model_next(struct traffic_model *model);
/** A generator for everything else that is random in a packet (ports, sequence numbers). */
uint64_t traffic_random_next(uint64_t *state);

/** "spoof", "few-subnets", "zipf", "botnet". */
const char *traffic_kind_name(enum traffic_kind kind);
/** -EINVAL: no such model. */
int traffic_kind_parse(const char *text, enum traffic_kind *ret_kind);

enum traffic_pattern {
	TRAFFIC_CONSTANT, /* rate_pps */
	TRAFFIC_RAMP,	  /* from 0 to rate_pps within ramp_ns, constant then */
	TRAFFIC_ON_OFF,	  /* rate_pps for on_ns, silence for off_ns */
};

struct traffic_schedule {
	enum traffic_pattern pattern;
	double rate_pps; /* > 0 */
	uint64_t ramp_ns, on_ns, off_ns;
};

/** Packets due since the start, `elapsed_ns` after it: open loop, whatever was really sent. Never falls. */
uint64_t traffic_schedule_due(const struct traffic_schedule *schedule, uint64_t elapsed_ns);

#endif
