// SPDX-License-Identifier: BSD-3-Clause
/* The models. Excluded prefixes are cut out of the sources once, at creation, so that a draw never has to try again:
 * what remains is a list of prefixes per family with cumulative weights. Populations are drawn once too; Zipf uses
 * Walker's alias table, so every draw costs the same. One thread per model.
 */
#include "bench/traffic_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Cutting one prefix out of another leaves at most 128 siblings. */
enum { PIECES_MAX = (TRAFFIC_PREFIXES_MAX + TRAFFIC_EXCLUDED_MAX) * 128 };

struct pieces {
	struct prefix *items;
	uint64_t *cumulative; /* weight of all pieces up to and with this one */
	size_t n;
};

struct traffic_model {
	enum traffic_kind kind;
	uint64_t state;
	uint64_t v6_threshold; /* a draw below it is IPv6 */
	struct pieces v4, v6;
	struct address *population;
	uint8_t *spans; /* few subnets: length of the prefix around population[i] whose host bits are drawn */
	uint32_t n_population;
	uint32_t *alias; /* Zipf */
	uint32_t *keep;	 /* Zipf: chance to stay in the own column, of 2^32 */
};

uint64_t traffic_random_next(uint64_t *state)
{
	/* splitmix64: one addition of state, so seeds that differ in one bit give unrelated streams */
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)traffic_random_next(state) * bound) >> 64);
}

static struct address address_flip(struct address address, unsigned bit)
{
	address.bytes[bit / 8] ^= (uint8_t)(0x80 >> (bit % 8));
	return address;
}

/* The piece at `index` covers `hole`: replace it by its parts beside the hole. */
static void piece_cut(struct pieces *pieces, size_t index, const struct prefix *hole)
{
	struct prefix whole = pieces->items[index];

	pieces->items[index] = pieces->items[--pieces->n];
	for (unsigned length = whole.length + 1u; length <= hole->length && pieces->n < PIECES_MAX; length++) {
		struct address beside = address_flip(hole->address, length - 1);

		pieces->items[pieces->n++] = prefix_of(&beside, (uint8_t)length);
	}
}

static void pieces_exclude(struct pieces *pieces, const struct prefix *hole)
{
	for (size_t i = 0; i < pieces->n;) {
		if (prefix_covers(hole, &pieces->items[i])) {
			pieces->items[i] = pieces->items[--pieces->n];
		} else if (prefix_covers(&pieces->items[i], hole)) {
			piece_cut(pieces, i, hole);
			return; /* pieces are disjoint: no other one covers it */
		} else {
			i++;
		}
	}
}

/* Weights are sizes relative to the largest piece, at least 1: a host beside a /8 is drawn, if rarely. */
static void pieces_weigh(struct pieces *pieces)
{
	unsigned shortest = 128;
	uint64_t sum = 0;

	for (size_t i = 0; i < pieces->n; i++)
		shortest = pieces->items[i].length < shortest ? pieces->items[i].length : shortest;
	for (size_t i = 0; i < pieces->n; i++) {
		unsigned below = pieces->items[i].length - shortest;

		sum += below < 48 ? UINT64_C(1) << (48 - below) : 1;
		pieces->cumulative[i] = sum;
	}
}

static int pieces_create(struct pieces *pieces, const struct traffic_config *config, bool v4)
{
	pieces->items = calloc(PIECES_MAX, sizeof(pieces->items[0]));
	pieces->cumulative = calloc(PIECES_MAX, sizeof(pieces->cumulative[0]));
	if (pieces->items == NULL || pieces->cumulative == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_prefixes; i++) {
		if (prefix_is_v4(&config->prefixes[i]) != v4)
			continue;
		/* overlapping sources would weigh twice and break disjointness */
		pieces_exclude(pieces, &config->prefixes[i]);
		pieces->items[pieces->n++] = config->prefixes[i];
	}
	for (size_t i = 0; i < config->n_excluded; i++) {
		if (prefix_is_v4(&config->excluded[i]) == v4)
			pieces_exclude(pieces, &config->excluded[i]);
	}
	pieces_weigh(pieces);
	return 0;
}

static struct address fill_host_bits(struct address address, unsigned length, uint64_t *state)
{
	uint8_t random[16];
	uint64_t low = traffic_random_next(state), high = length < 64 ? traffic_random_next(state) : 0;

	memcpy(random, &high, 8);
	memcpy(random + 8, &low, 8);
	for (unsigned byte = length / 8; byte < 16; byte++) {
		uint8_t mask = byte == length / 8 ? (uint8_t)(0xff >> (length % 8)) : 0xff;

		address.bytes[byte] = (uint8_t)((address.bytes[byte] & ~mask) | (random[byte] & mask));
	}
	return address;
}

static struct address pieces_draw(const struct pieces *pieces, uint64_t *state, uint8_t *ret_length)
{
	uint64_t at = random_below(state, pieces->cumulative[pieces->n - 1]);
	size_t low = 0, high = pieces->n - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (pieces->cumulative[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	*ret_length = pieces->items[low].length;
	return fill_host_bits(pieces->items[low].address, pieces->items[low].length, state);
}

static struct address draw_fresh(struct traffic_model *model, uint8_t *ret_length)
{
	bool v6 = model->v4.n == 0 ||
		(model->v6.n > 0 && traffic_random_next(&model->state) < model->v6_threshold);

	return pieces_draw(v6 ? &model->v6 : &model->v4, &model->state, ret_length);
}

/* Walker's alias method: columns of equal width, each split between its own rank and one richer rank. */
static int zipf_build(struct traffic_model *model, double exponent)
{
	uint32_t n = model->n_population, n_small = 0, n_large = 0;
	double *weight = calloc(n, sizeof(*weight)), sum = 0;
	uint32_t *small = calloc(n, sizeof(*small)), *large = calloc(n, sizeof(*large));
	int result = -ENOMEM;

	model->alias = calloc(n, sizeof(model->alias[0]));
	model->keep = calloc(n, sizeof(model->keep[0]));
	if (weight == NULL || small == NULL || large == NULL || model->alias == NULL || model->keep == NULL)
		goto out;
	for (uint32_t i = 0; i < n; i++)
		sum += weight[i] = pow(i + 1.0, -exponent);
	for (uint32_t i = 0; i < n; i++) {
		weight[i] *= n / sum;
		model->keep[i] = UINT32_MAX;
		model->alias[i] = i;
		if (weight[i] < 1)
			small[n_small++] = i;
		else
			large[n_large++] = i;
	}
	while (n_small > 0 && n_large > 0) {
		uint32_t poor = small[--n_small], rich = large[n_large - 1];

		model->keep[poor] = (uint32_t)(weight[poor] * 4294967295.0);
		model->alias[poor] = rich;
		weight[rich] -= 1 - weight[poor];
		if (weight[rich] < 1) {
			n_large--;
			small[n_small++] = rich;
		}
	}
	result = 0;
out:
	free(weight);
	free(small);
	free(large);
	return result;
}

static int population_build(struct traffic_model *model, const struct traffic_config *config)
{
	model->n_population = config->population;
	model->population = calloc(config->population, sizeof(model->population[0]));
	model->spans = calloc(config->population, sizeof(model->spans[0]));
	if (model->population == NULL || model->spans == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->population; i++) {
		uint8_t piece;

		model->population[i] = draw_fresh(model, &piece);
		/* not beyond the piece: what lies around it is not a source, or excluded */
		uint8_t subnet = address_is_v4(&model->population[i]) ? PREFIX_V4_BASE + 24 : PREFIX_V6_SITE_LENGTH;
		model->spans[i] = piece > subnet ? piece : subnet;
	}
	return config->kind == TRAFFIC_ZIPF ? zipf_build(model, config->exponent) : 0;
}

static const char *config_fault(const struct traffic_config *config)
{
	uint32_t most = config->kind == TRAFFIC_FEW_SUBNETS ? TRAFFIC_SUBNETS_MAX : TRAFFIC_POPULATION_MAX;

	if ((unsigned)config->kind >= TRAFFIC_KINDS)
		return "there is no such traffic model";
	if (config->n_prefixes == 0 || config->n_prefixes > TRAFFIC_PREFIXES_MAX)
		return "a traffic model needs 1 to 32 source prefixes";
	if (config->n_excluded > TRAFFIC_EXCLUDED_MAX)
		return "at most 32 prefixes can be excluded";
	if (config->kind != TRAFFIC_SPOOF && (config->population == 0 || config->population > most))
		return "the population must be 1 to 4194304 addresses, or 1 to 65536 subnets";
	if (config->kind == TRAFFIC_ZIPF && !(config->exponent > 0))
		return "the Zipf exponent must be above 0";
	if (!(config->v6_share >= 0 && config->v6_share <= 1))
		return "the IPv6 share must lie between 0 and 1";
	return NULL;
}

int traffic_model_create(const struct traffic_config *config, struct traffic_model **ret_model, const char **ret_why)
{
	const char *fault = config_fault(config);
	struct traffic_model *model;
	int result;

	if (fault != NULL) {
		*ret_why = fault;
		return -EINVAL;
	}
	model = calloc(1, sizeof(*model));
	if (model == NULL)
		return -ENOMEM;
	model->kind = config->kind;
	model->state = config->seed;
	/* 2^64 itself does not fit: a share of 1 is 2^64 - 1, wrong once in 10^19 draws */
	model->v6_threshold = config->v6_share >= 1 ? UINT64_MAX : (uint64_t)ldexp(config->v6_share, 64);
	result = pieces_create(&model->v4, config, true);
	if (result == 0)
		result = pieces_create(&model->v6, config, false);
	if (result == 0 && model->v4.n + model->v6.n == 0) {
		*ret_why = "every source prefix is excluded";
		result = -EINVAL;
	}
	if (result == 0 && config->kind != TRAFFIC_SPOOF)
		result = population_build(model, config);
	if (result != 0) {
		traffic_model_destroy(model);
		return result;
	}
	*ret_model = model;
	return 0;
}

void traffic_model_destroy(struct traffic_model *model)
{
	if (model == NULL)
		return;
	free(model->v4.items);
	free(model->v4.cumulative);
	free(model->v6.items);
	free(model->v6.cumulative);
	free(model->population);
	free(model->spans);
	free(model->alias);
	free(model->keep);
	free(model);
}

struct address traffic_model_next(struct traffic_model *model)
{
	uint8_t length;

	if (model->kind == TRAFFIC_SPOOF)
		return draw_fresh(model, &length);

	uint32_t index = (uint32_t)random_below(&model->state, model->n_population);
	if (model->kind == TRAFFIC_ZIPF && (uint32_t)traffic_random_next(&model->state) > model->keep[index])
		index = model->alias[index];
	struct address address = model->population[index];
	if (model->kind == TRAFFIC_FEW_SUBNETS)
		address = fill_host_bits(address, model->spans[index], &model->state);
	return address;
}

static const char *const kind_names[TRAFFIC_KINDS] = {
	[TRAFFIC_SPOOF] = "spoof",
	[TRAFFIC_FEW_SUBNETS] = "few-subnets",
	[TRAFFIC_ZIPF] = "zipf",
	[TRAFFIC_BOTNET] = "botnet",
};

const char *traffic_kind_name(enum traffic_kind kind)
{
	return kind_names[kind];
}

int traffic_kind_parse(const char *text, enum traffic_kind *ret_kind)
{
	for (unsigned i = 0; i < TRAFFIC_KINDS; i++) {
		if (strcmp(text, kind_names[i]) == 0) {
			*ret_kind = (enum traffic_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

uint64_t traffic_schedule_due(const struct traffic_schedule *schedule, uint64_t elapsed_ns)
{
	double seconds = (double)elapsed_ns * 1e-9;

	if (schedule->pattern == TRAFFIC_RAMP && schedule->ramp_ns > 0) {
		double ramp = (double)schedule->ramp_ns * 1e-9;

		/* the area under a line from 0 to the rate, and a rectangle after it */
		if (seconds < ramp)
			return (uint64_t)(schedule->rate_pps * seconds * seconds / (2 * ramp));
		return (uint64_t)(schedule->rate_pps * (seconds - ramp / 2));
	}
	if (schedule->pattern == TRAFFIC_ON_OFF && schedule->on_ns > 0) {
		uint64_t period = schedule->on_ns + schedule->off_ns;
		uint64_t inside = elapsed_ns % period;
		uint64_t on = (elapsed_ns / period) * schedule->on_ns +
			(inside < schedule->on_ns ? inside : schedule->on_ns);

		seconds = (double)on * 1e-9;
	}
	return (uint64_t)(schedule->rate_pps * seconds);
}
