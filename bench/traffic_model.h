/* SPDX-License-Identifier: BSD-3-Clause
 * Who sends: source addresses drawn by a named model from a set of prefixes, and when: how many packets are
 * due by now. Seeded and deterministic: the same seed and configuration give the same addresses on every
 * machine. One thread per model (each generator lcore has its own). Must not read clocks or allocate after
 * creation.
 */
#ifndef WEIR_BENCH_TRAFFIC_MODEL_H
#define WEIR_BENCH_TRAFFIC_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/traffic_pieces.h"
#include "bench/traffic_schedule.h"
#include "shm/prefix.h"

enum {
	TRAFFIC_PREFIXES_MAX = 32,
	TRAFFIC_EXCLUDED_MAX = 32,
	TRAFFIC_POPULATION_MAX = 1 << 22, /* 64 MiB of addresses */
	TRAFFIC_SUBNETS_MAX = 1 << 16,
};

enum traffic_kind {
	TRAFFIC_SPOOF,       /* each packet from a fresh address, uniform over the prefixes */
	TRAFFIC_FEW_SUBNETS, /* `population` dense subnets (v4 /24, v6 /64); hosts uniform inside */
	TRAFFIC_ZIPF,        /* `population` addresses; the k-th sends in proportion to k^-exponent */
	TRAFFIC_BOTNET,    /* `population` addresses; rates are lognormal, ln(rate) has the standard deviation
			      `exponent` */
	TRAFFIC_V6_64,     /* a /64 after another of the IPv6 prefixes, hosts uniform inside */
	TRAFFIC_V6_48,     /* a /48 after another */
	TRAFFIC_SLOW,      /* `population` addresses in turn, so each sends rate / population evenly */
	TRAFFIC_RECONNECT, /* `population` addresses; each draw of one of them lasts for `run` packets */
	TRAFFIC_ROTATE,  /* `population` slots; a source that gets no answer to `run` packets moves to a fresh
			    address */
	TRAFFIC_CGNAT,   /* `population` addresses, each shared by many clients: all send alike */
	TRAFFIC_COLLIDE, /* `population` addresses that fall into one 4096th of a table under `hash` */
	TRAFFIC_VICTIM,  /* exactly the given host addresses, in turn: packets in somebody's name */
	TRAFFIC_KINDS,
};

struct traffic_config {
	enum traffic_kind kind;
	struct prefix prefixes[TRAFFIC_PREFIXES_MAX]; /* sources; weighted by their size within a family */
	size_t n_prefixes;
	struct prefix excluded[TRAFFIC_EXCLUDED_MAX]; /* never drawn */
	size_t n_excluded;
	uint32_t population; /* subnets, addresses or slots; unused by models that have none */
	uint32_t run;        /* TRAFFIC_RECONNECT, TRAFFIC_ROTATE: >= 1 */
	double exponent;     /* TRAFFIC_ZIPF: > 0; TRAFFIC_BOTNET: >= 0, 0 is equal rates */
	double v6_share;     /* 0..1 of the draws, when both families have prefixes */
	uint64_t seed;
	/* Several lcores share one seed: populations are the same on all of them, fresh addresses and turns
	 * are not. */
	uint32_t worker, n_workers; /* 0 of 0 means 0 of 1 */
	/** TRAFFIC_COLLIDE: the table's hash with a key that the adversary guessed. */
	uint64_t (*hash)(const struct address *address);
};

struct traffic_model;

/** -EINVAL: no prefix, all of them excluded, a population of 0 or too large, or an exponent that is not above
 * 0; `why` then points at a constant sentence. -ENOMEM. */
int traffic_model_create(
	const struct traffic_config *config, struct traffic_model **ret_model, const char **ret_why);
void traffic_model_destroy(struct traffic_model *model);
/** Draw the next source. */
struct address traffic_model_next(struct traffic_model *model);
/** TRAFFIC_ROTATE: a packet came back to this source. Nothing for other models and unknown addresses. */
void traffic_model_answered(struct traffic_model *model, const struct address *source);
/** Whether answers change what the model draws. */
bool traffic_model_listens(const struct traffic_model *model);

/** As in weir-flood's --model: "spoof", "few-subnets", ... */
const char *traffic_kind_name(enum traffic_kind kind);
/** -EINVAL: no such model. */
int traffic_kind_parse(const char *text, enum traffic_kind *ret_kind);

#endif
