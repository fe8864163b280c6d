// SPDX-License-Identifier: BSD-3-Clause
/* The models: what is drawn once, at creation (populations and their weights), and what for each packet. One
 * thread per model.
 */
#include "bench/traffic_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/traffic_alias.h"
#include "bench/traffic_rotate.h"

enum {
	/* An adversary wants one bucket full: a 4096th of the table's places, which 4096 draws for each
	   address find. */
	COLLIDE_BITS = 12,
	COLLIDE_DRAWS_MAX = 1 << 18, /* no luck for 64 times the expected draws happens once in e^64 */
};

struct traffic_model {
	enum traffic_kind kind;
	uint64_t state;
	uint64_t v6_threshold; /* a draw below it is IPv6 */
	struct traffic_pieces v4, v6;
	uint32_t n_population, run, step;
	struct address *population;
	struct traffic_piece *subnets; /* few subnets: the pieces whose host bits are drawn */
	struct traffic_alias alias;    /* Zipf, botnet */
	struct traffic_rotate rotate;
	uint64_t turn; /* of models that go on in turn */
	uint32_t run_left, run_index;
	uint64_t (*hash)(const struct address *address);
};

static const struct traffic_pieces *family_draw(struct traffic_model *model)
{
	bool v6 = model->v4.n == 0 ||
		  (model->v6.n > 0 && traffic_random_next(&model->state) < model->v6_threshold);

	return v6 ? &model->v6 : &model->v4;
}

static struct address draw_fresh(struct traffic_model *model, uint8_t *ret_length)
{
	const struct traffic_piece *piece = traffic_pieces_pick(family_draw(model), &model->state);

	*ret_length = piece->length;
	return traffic_piece_draw(piece, &model->state);
}

/* Box and Muller; 1 - x keeps the logarithm finite. */
static double normal_draw(uint64_t *state)
{
	double radius = sqrt(-2 * log(1 - traffic_random_real(state)));

	return radius * cos(2 * M_PI * traffic_random_real(state));
}

static int weights_build(struct traffic_model *model, const struct traffic_config *config)
{
	double *weights = calloc(model->n_population, sizeof(*weights));
	int result = -ENOMEM;

	if (weights != NULL) {
		for (uint32_t i = 0; i < model->n_population; i++)
			weights[i] = config->kind == TRAFFIC_ZIPF
					     ? pow(i + 1.0, -config->exponent)
					     : exp(config->exponent * normal_draw(&model->state));
		result = traffic_alias_create(&model->alias, weights, model->n_population);
	}
	free(weights);
	return result;
}

/* Of fresh addresses, only those that an adversary with the wrong key would send. */
static struct address draw_colliding(struct traffic_model *model, uint8_t *ret_length)
{
	struct address address = draw_fresh(model, ret_length);

	for (unsigned i = 0; i < COLLIDE_DRAWS_MAX && model->hash(&address) >> (64 - COLLIDE_BITS) != 0; i++)
		address = draw_fresh(model, ret_length);
	return address;
}

/* Host addresses as given: every piece is one of them. */
static int victims_build(struct traffic_model *model, const char **ret_why)
{
	const struct traffic_pieces *families[2] = {&model->v4, &model->v6};

	model->n_population = (uint32_t)(model->v4.n + model->v6.n);
	model->population = calloc(model->n_population, sizeof(model->population[0]));
	if (model->population == NULL)
		return -ENOMEM;
	for (unsigned family = 0, n = 0; family < 2; family++) {
		for (size_t i = 0; i < families[family]->n; i++) {
			const struct traffic_piece *piece = &families[family]->items[i];

			if (piece->length != PREFIX_HOST_LENGTH) {
				*ret_why = "victims are single addresses, not prefixes";
				return -EINVAL;
			}
			model->population[n++] = traffic_address_of(piece->high, piece->low);
		}
	}
	return 0;
}

static int population_build(struct traffic_model *model, const struct traffic_config *config)
{
	bool subnets = config->kind == TRAFFIC_FEW_SUBNETS;

	model->n_population = config->population;
	model->population = calloc(config->population, sizeof(model->population[0]));
	model->subnets = subnets ? calloc(config->population, sizeof(model->subnets[0])) : NULL;
	if (model->population == NULL || (subnets && model->subnets == NULL))
		return -ENOMEM;
	for (uint32_t i = 0; i < config->population; i++) {
		uint8_t piece;

		model->population[i] = config->kind == TRAFFIC_COLLIDE ? draw_colliding(model, &piece)
								       : draw_fresh(model, &piece);
		if (!subnets)
			continue;
		/* not beyond the piece: what lies around it is not a source, or excluded */
		uint8_t subnet =
			address_is_v4(&model->population[i]) ? PREFIX_V4_BASE + 24 : PREFIX_V6_SITE_LENGTH;
		model->subnets[i] = traffic_piece_of(&model->population[i], piece > subnet ? piece : subnet);
	}
	return config->kind == TRAFFIC_ZIPF || config->kind == TRAFFIC_BOTNET ? weights_build(model, config)
									      : 0;
}

static bool kind_has_population(enum traffic_kind kind)
{
	return kind != TRAFFIC_SPOOF && kind != TRAFFIC_V6_64 && kind != TRAFFIC_V6_48 &&
	       kind != TRAFFIC_VICTIM;
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
	if (kind_has_population(config->kind) && (config->population == 0 || config->population > most))
		return "the population must be 1 to 4194304 addresses, or 1 to 65536 subnets";
	if (config->kind == TRAFFIC_ZIPF && !(config->exponent > 0))
		return "the Zipf exponent must be above 0";
	if (config->kind == TRAFFIC_BOTNET && !(config->exponent >= 0 && config->exponent <= 10))
		return "the botnet's exponent must lie between 0 and 10";
	if (!(config->v6_share >= 0 && config->v6_share <= 1))
		return "the IPv6 share must lie between 0 and 1";
	if ((config->kind == TRAFFIC_RECONNECT || config->kind == TRAFFIC_ROTATE) && config->run == 0)
		return "a run needs at least one packet";
	if (config->kind == TRAFFIC_COLLIDE && config->hash == NULL)
		return "the colliding model needs a hash";
	return NULL;
}

/* Cycling needs IPv6 prefixes that have something to cycle through. */
static const char *cycle_fault(const struct traffic_model *model)
{
	unsigned length = model->kind == TRAFFIC_V6_64 ? 64 : 48;

	if (model->kind != TRAFFIC_V6_64 && model->kind != TRAFFIC_V6_48)
		return NULL;
	if (model->v4.n > 0)
		return "this model cycles through IPv6 prefixes only";
	for (size_t i = 0; i < model->v6.n; i++) {
		if (model->v6.items[i].length > length)
			return "a source prefix is longer than what this model cycles through";
	}
	return NULL;
}

static int model_fill(struct traffic_model *model, const struct traffic_config *config, const char **ret_why)
{
	int result = traffic_pieces_create(
		&model->v4, config->prefixes, config->n_prefixes, config->excluded, config->n_excluded, true);

	if (result == 0)
		result = traffic_pieces_create(&model->v6, config->prefixes, config->n_prefixes,
			config->excluded, config->n_excluded, false);
	if (result != 0)
		return result;
	if (model->v4.n + model->v6.n == 0) {
		*ret_why = "every source prefix is excluded";
		return -EINVAL;
	}
	const char *fault = cycle_fault(model);
	if (fault != NULL) {
		*ret_why = fault;
		return -EINVAL;
	}
	if (config->kind == TRAFFIC_VICTIM)
		return victims_build(model, ret_why);
	if (config->kind == TRAFFIC_ROTATE)
		return traffic_rotate_create(&model->rotate, config->population, config->run);
	return kind_has_population(config->kind) ? population_build(model, config) : 0;
}

int traffic_model_create(
	const struct traffic_config *config, struct traffic_model **ret_model, const char **ret_why)
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
	model->run = config->run;
	model->hash = config->hash;
	model->turn = config->worker;
	model->step = config->n_workers > 1 ? config->n_workers : 1;
	/* 2^64 itself does not fit: a share of 1 is 2^64 - 1, wrong once in 10^19 draws */
	model->v6_threshold = config->v6_share >= 1 ? UINT64_MAX : (uint64_t)ldexp(config->v6_share, 64);
	result = model_fill(model, config, ret_why);
	if (result != 0) {
		traffic_model_destroy(model);
		return result;
	}
	/* populations are drawn: from here on each worker has a stream of its own */
	if (config->worker != 0)
		model->state ^= UINT64_C(0xD1B54A32D192ED03) * config->worker;
	*ret_model = model;
	return 0;
}

void traffic_model_destroy(struct traffic_model *model)
{
	if (model == NULL)
		return;
	traffic_pieces_done(&model->v4);
	traffic_pieces_done(&model->v6);
	traffic_alias_done(&model->alias);
	traffic_rotate_done(&model->rotate);
	free(model->population);
	free(model->subnets);
	free(model);
}

static uint32_t random_index(struct traffic_model *model)
{
	return (uint32_t)traffic_random_below(&model->state, model->n_population);
}

static uint64_t turn_take(struct traffic_model *model)
{
	uint64_t turn = model->turn;

	model->turn += model->step;
	return turn;
}

/* The next subnet of 64 or 48 bits; each source prefix in its turn. */
static struct address draw_cycled(struct traffic_model *model, unsigned shift)
{
	uint64_t turn = turn_take(model);
	const struct traffic_piece *piece = &model->v6.items[turn % model->v6.n];
	uint64_t subnet = (turn / model->v6.n << shift) & piece->mask_high;
	uint64_t inside = shift == 0 ? 0 : traffic_random_next(&model->state) & ((UINT64_C(1) << shift) - 1);

	return traffic_address_of(piece->high | subnet | inside, traffic_random_next(&model->state));
}

static struct address draw_run(struct traffic_model *model)
{
	if (model->run_left == 0) {
		model->run_left = model->run;
		model->run_index = random_index(model);
	}
	model->run_left--;
	return model->population[model->run_index];
}

static struct address draw_rotated(struct traffic_model *model)
{
	struct address address;
	uint8_t length;

	if (!traffic_rotate_next(&model->rotate, &address)) {
		address = draw_fresh(model, &length);
		traffic_rotate_move(&model->rotate, &address);
	}
	return address;
}

struct address traffic_model_next(struct traffic_model *model)
{
	uint8_t length;

	switch (model->kind) {
	case TRAFFIC_FEW_SUBNETS:
		return traffic_piece_draw(&model->subnets[random_index(model)], &model->state);
	case TRAFFIC_ZIPF:
	case TRAFFIC_BOTNET:
		return model->population[traffic_alias_draw(&model->alias, &model->state)];
	case TRAFFIC_V6_64:
		return draw_cycled(model, 0);
	case TRAFFIC_V6_48:
		return draw_cycled(model, 16);
	case TRAFFIC_SLOW:
	case TRAFFIC_VICTIM:
		return model->population[turn_take(model) % model->n_population];
	case TRAFFIC_RECONNECT:
		return draw_run(model);
	case TRAFFIC_ROTATE:
		return draw_rotated(model);
	case TRAFFIC_CGNAT:
	case TRAFFIC_COLLIDE:
		return model->population[random_index(model)];
	case TRAFFIC_SPOOF:
	case TRAFFIC_KINDS:
		break;
	}
	return draw_fresh(model, &length);
}

void traffic_model_answered(struct traffic_model *model, const struct address *source)
{
	if (model->kind == TRAFFIC_ROTATE)
		traffic_rotate_answered(&model->rotate, source);
}

bool traffic_model_listens(const struct traffic_model *model)
{
	return model->kind == TRAFFIC_ROTATE;
}

static const char *const kind_names[TRAFFIC_KINDS] = {
	[TRAFFIC_SPOOF] = "spoof",
	[TRAFFIC_FEW_SUBNETS] = "few-subnets",
	[TRAFFIC_ZIPF] = "zipf",
	[TRAFFIC_BOTNET] = "botnet",
	[TRAFFIC_V6_64] = "v6-64",
	[TRAFFIC_V6_48] = "v6-48",
	[TRAFFIC_SLOW] = "slow",
	[TRAFFIC_RECONNECT] = "reconnect",
	[TRAFFIC_ROTATE] = "rotate",
	[TRAFFIC_CGNAT] = "cgnat",
	[TRAFFIC_COLLIDE] = "collide",
	[TRAFFIC_VICTIM] = "victim",
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
