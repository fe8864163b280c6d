// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/traffic_model.h: every draw lies inside its sources, distributions are what they are called,
 * the same seed draws the same.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/traffic_model.h"
#include "tests/check.h"

enum { DRAWS = 20000 };

static void prefixes_add(struct prefix *prefixes, size_t *n, const char *texts)
{
	char text[256], *rest = text;

	snprintf(text, sizeof(text), "%s", texts);
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		if (word[0] != '\0')
			CHECK_EQ(word, prefix_parse(word, &prefixes[(*n)++]), 0);
	}
}

static struct traffic_model *model_of(const char *name, enum traffic_kind kind, const char *sources,
	const char *excluded, uint32_t population)
{
	struct traffic_config config = {
		.kind = kind, .population = population, .exponent = 1, .v6_share = 0.25, .seed = 7};
	struct traffic_model *model = NULL;
	const char *why;

	prefixes_add(config.prefixes, &config.n_prefixes, sources);
	prefixes_add(config.excluded, &config.n_excluded, excluded);
	CHECK_EQ(name, traffic_model_create(&config, &model, &why), 0);
	return model;
}

static bool any_contains(const char *texts, const struct address *address)
{
	struct prefix prefixes[TRAFFIC_PREFIXES_MAX];
	size_t n = 0;

	prefixes_add(prefixes, &n, texts);
	for (size_t i = 0; i < n; i++) {
		if (prefix_contains(&prefixes[i], address))
			return true;
	}
	return false;
}

static void test_containment(void)
{
	static const struct {
		const char *name;
		enum traffic_kind kind;
		const char *sources, *excluded;
	} cases[] = {
		{"spoof over one prefix", TRAFFIC_SPOOF, "10.0.0.0/8", ""},
		{"spoof over both families", TRAFFIC_SPOOF, "10.0.0.0/8 fd00::/8", ""},
		{"half of the sources are excluded", TRAFFIC_SPOOF, "198.18.0.0/15", "198.18.0.0/16"},
		{"a hole in the middle", TRAFFIC_SPOOF, "192.0.2.0/28", "192.0.2.5 192.0.2.8/30"},
		{"only one address is left", TRAFFIC_SPOOF, "192.0.2.0/31", "192.0.2.0"},
		{"overlapping sources", TRAFFIC_SPOOF, "10.0.0.0/8 10.0.0.0/24 10.1.0.0/16", "10.1.0.0/16"},
		{"overlapping holes", TRAFFIC_SPOOF, "10.0.0.0/24", "10.0.0.0/25 10.0.0.0/26 10.0.0.128/26"},
		{"a hole in IPv6", TRAFFIC_SPOOF, "fd00::/8", "fd00::/9 fd80::/10"},
		{"dense subnets stay beside the hole", TRAFFIC_FEW_SUBNETS, "10.0.0.0/22", "10.0.1.128/25"},
		{"dense subnets of a source smaller than a subnet", TRAFFIC_FEW_SUBNETS, "10.0.0.0/28",
			"10.0.0.8/30"},
		{"zipf", TRAFFIC_ZIPF, "10.0.0.0/8 fd00::/8", "10.0.0.0/9"},
		{"botnet", TRAFFIC_BOTNET, "10.0.0.0/8 fd00::/8", "10.0.0.0/9"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct traffic_model *model =
			model_of(cases[i].name, cases[i].kind, cases[i].sources, cases[i].excluded, 100);
		unsigned outside = 0;

		for (unsigned k = 0; model != NULL && k < DRAWS / 10; k++) {
			struct address address = traffic_model_next(model);

			outside += !any_contains(cases[i].sources, &address) ||
				   any_contains(cases[i].excluded, &address);
		}
		CHECK_EQ(cases[i].name, outside, 0);
		traffic_model_destroy(model);
	}
}

/* How often the last byte's draws fall into each of 16 equal parts, as the largest deviation from equal. */
static double unevenness(struct traffic_model *model, unsigned byte)
{
	unsigned parts[16] = {0};
	double worst = 0;

	for (unsigned i = 0; i < DRAWS; i++)
		parts[traffic_model_next(model).bytes[byte] >> 4]++;
	for (unsigned i = 0; i < 16; i++)
		worst = fmax(worst, fabs(parts[i] / (DRAWS / 16.0) - 1));
	return worst;
}

static void test_distributions(void)
{
	struct traffic_model *model = model_of("spoof", TRAFFIC_SPOOF, "0.0.0.0/0 fd00::/8", "", 0);
	unsigned v6 = 0;

	/* 1250 expected a part: 5 standard deviations are 0.14 */
	CHECK_TRUE("the last byte is uniform", unevenness(model, 15) < 0.14);
	for (unsigned i = 0; i < DRAWS; i++) {
		struct address address = traffic_model_next(model);

		v6 += !address_is_v4(&address);
	}
	CHECK_NEAR("a quarter is IPv6", v6 / (double)DRAWS, 0.25, 0.02);
	traffic_model_destroy(model);

	model = model_of("few subnets", TRAFFIC_FEW_SUBNETS, "10.0.0.0/8", "", 3);
	uint32_t subnets[8] = {0};
	unsigned n = 0;
	for (unsigned i = 0; i < DRAWS; i++) {
		struct address address = traffic_model_next(model);
		uint32_t subnet = address_v4(&address) >> 8;
		unsigned k = 0;

		while (k < n && subnets[k] != subnet)
			k++;
		if (k == n && n < CHECK_COUNT(subnets))
			subnets[n++] = subnet;
	}
	CHECK_EQ("three subnets and no more", n, 3);
	CHECK_TRUE("hosts inside are uniform", unevenness(model, 15) < 0.14);
	traffic_model_destroy(model);
}

static void test_zipf(void)
{
	struct traffic_model *model = model_of("zipf", TRAFFIC_ZIPF, "10.0.0.0/8", "", 100);
	struct address seen[128];
	unsigned counts[128] = {0}, n = 0, most = 0;

	for (unsigned i = 0; i < DRAWS; i++) {
		struct address address = traffic_model_next(model);
		unsigned k = 0;

		while (k < n && address_compare(&seen[k], &address) != 0)
			k++;
		if (k == n && n < CHECK_COUNT(seen))
			seen[n++] = address;
		most = ++counts[k] > most ? counts[k] : most;
	}
	CHECK_EQ("the whole population sends", n, 100);
	/* exponent 1 over 100 ranks: the first has 1 / H(100) = 1 / 5.187 of all */
	CHECK_NEAR("the first rank has its share", most / (double)DRAWS, 1 / 5.187, 0.015);
	traffic_model_destroy(model);
}

/* By the definition: the first piece whose weights, added up, are more than the draw. */
static void test_pieces(void)
{
	static const struct {
		const char *name, *sources, *excluded;
	} cases[] = {
		{"the world without its holes", "0.0.0.0/0",
			"0.0.0.0/8 127.0.0.0/8 198.18.0.0/15 224.0.0.0/3"},
		{"hosts beside a network", "10.0.0.0/8 192.0.2.1 192.0.2.3 192.0.2.9", ""},
		{"many pieces in one step", "10.0.0.0/8 11.0.0.0/8", "10.0.0.1 10.77.1.2 11.255.255.254"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct prefix sources[TRAFFIC_PREFIXES_MAX], excluded[TRAFFIC_EXCLUDED_MAX];
		size_t n = 0, n_excluded = 0, wrong = 0;
		uint64_t state = i, again = i;
		struct traffic_pieces pieces;

		prefixes_add(sources, &n, cases[i].sources);
		prefixes_add(excluded, &n_excluded, cases[i].excluded);
		CHECK_EQ(cases[i].name,
			traffic_pieces_create(&pieces, sources, n, excluded, n_excluded, true), 0);
		CHECK_TRUE(cases[i].name, pieces.n > 1);
		for (unsigned k = 0; k < DRAWS; k++) {
			uint64_t at = traffic_random_below(&again, pieces.cumulative[pieces.n - 1]);
			size_t expected = 0;

			while (pieces.cumulative[expected] <= at)
				expected++;
			wrong += traffic_pieces_pick(&pieces, &state) != &pieces.items[expected];
		}
		CHECK_EQ(cases[i].name, wrong, 0);
		traffic_pieces_done(&pieces);
	}
}

static void test_seed(void)
{
	struct traffic_model *a = model_of("a", TRAFFIC_SPOOF, "10.0.0.0/8 fd00::/8", "10.1.0.0/16", 0);
	struct traffic_model *b = model_of("b", TRAFFIC_SPOOF, "10.0.0.0/8 fd00::/8", "10.1.0.0/16", 0);
	unsigned different = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct address from_a = traffic_model_next(a), from_b = traffic_model_next(b);

		different += address_compare(&from_a, &from_b) != 0;
	}
	CHECK_EQ("the same seed draws the same", different, 0);
	traffic_model_destroy(a);
	traffic_model_destroy(b);
}

static void test_refusals(void)
{
	static const struct {
		const char *name, *sources, *excluded;
		enum traffic_kind kind;
		uint32_t population;
		double exponent, v6_share;
	} cases[] = {
		{"no sources", "", "", TRAFFIC_SPOOF, 1, 1, 0},
		{"all sources excluded", "10.0.0.0/8", "10.0.0.0/8", TRAFFIC_SPOOF, 1, 1, 0},
		{"all sources excluded in two halves", "10.0.0.0/8", "10.0.0.0/9 10.128.0.0/9", TRAFFIC_SPOOF,
			1, 1, 0},
		{"no population", "10.0.0.0/8", "", TRAFFIC_BOTNET, 0, 1, 0},
		{"too many subnets", "10.0.0.0/8", "", TRAFFIC_FEW_SUBNETS, TRAFFIC_SUBNETS_MAX + 1, 1, 0},
		{"an exponent of 0", "10.0.0.0/8", "", TRAFFIC_ZIPF, 10, 0, 0},
		{"an exponent that is no number", "10.0.0.0/8", "", TRAFFIC_ZIPF, 10, NAN, 0},
		{"a share above 1", "10.0.0.0/8", "", TRAFFIC_SPOOF, 1, 1, 1.5},
		{"a botnet's spread that is no number", "10.0.0.0/8", "", TRAFFIC_BOTNET, 10, NAN, 0},
		{"cycling through IPv4", "10.0.0.0/8 fd00::/8", "", TRAFFIC_V6_64, 1, 1, 0},
		{"cycling through less than a /48", "2001:db8::/56", "", TRAFFIC_V6_48, 1, 1, 0},
		{"runs of nothing", "10.0.0.0/8", "", TRAFFIC_RECONNECT, 1, 1, 0},
		{"no patience", "10.0.0.0/8", "", TRAFFIC_ROTATE, 1, 1, 0},
		{"collisions without a hash", "10.0.0.0/8", "", TRAFFIC_COLLIDE, 1, 1, 0},
		{"a prefix as a victim", "192.0.2.0/31", "", TRAFFIC_VICTIM, 1, 1, 0},
		{"no such model", "10.0.0.0/8", "", TRAFFIC_KINDS, 1, 1, 0},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct traffic_config config = {.kind = cases[i].kind,
			.population = cases[i].population,
			.exponent = cases[i].exponent,
			.v6_share = cases[i].v6_share};
		struct traffic_model *model = NULL;
		const char *why = NULL;

		prefixes_add(config.prefixes, &config.n_prefixes, cases[i].sources);
		prefixes_add(config.excluded, &config.n_excluded, cases[i].excluded);
		CHECK_EQ(cases[i].name, traffic_model_create(&config, &model, &why), -EINVAL);
		CHECK_TRUE(cases[i].name, why != NULL);
		CHECK_TRUE(cases[i].name, model == NULL);
	}
}

static struct traffic_model *model_create(const char *name, struct traffic_config config, const char *sources)
{
	struct traffic_model *model = NULL;
	const char *why = "";

	prefixes_add(config.prefixes, &config.n_prefixes, sources);
	CHECK_EQ(name, traffic_model_create(&config, &model, &why), 0);
	return model;
}

/* Rates that differ as they should: the spread of ln(rate), seen through the counts of 100 draws an address
 * on average. */
static void test_botnet(void)
{
	static const struct {
		const char *name;
		double exponent, lowest, highest;
	} cases[] = {
		/* the noise of counting alone: 1 / sqrt(100) */
		{"equal rates", 0, 0.05, 0.2},
		{"lognormal rates", 1, 0.8, 1.2},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct traffic_model *model = model_create(cases[i].name,
			(struct traffic_config){.kind = TRAFFIC_BOTNET,
				.population = 200,
				.exponent = cases[i].exponent,
				.seed = 3},
			"10.0.0.0/8");
		struct address seen[200];
		double counts[200] = {0}, sum = 0, squares = 0;
		unsigned n = 0;

		for (unsigned k = 0; k < 20000; k++) {
			struct address address = traffic_model_next(model);
			unsigned at = 0;

			while (at < n && address_compare(&seen[at], &address) != 0)
				at++;
			if (at == n && n < CHECK_COUNT(seen))
				seen[n++] = address;
			counts[at]++;
		}
		for (unsigned k = 0; k < n; k++) {
			sum += log(counts[k]);
			squares += log(counts[k]) * log(counts[k]);
		}
		double spread = sqrt(squares / n - sum / n * sum / n);
		CHECK_TRUE(cases[i].name, n > 190);
		CHECK_TRUE(cases[i].name, spread > cases[i].lowest && spread < cases[i].highest);
		traffic_model_destroy(model);
	}
}

/* Which subnet the k-th draw comes from. */
static void test_cycles(void)
{
	static const struct {
		const char *name, *sources;
		enum traffic_kind kind;
		uint32_t worker, n_workers;
		const char *subnets[4];
		uint8_t length;
	} cases[] = {
		{"a /64 after another", "2001:db8::/32", TRAFFIC_V6_64, 0, 1,
			{"2001:db8::", "2001:db8:0:1::", "2001:db8:0:2::", "2001:db8:0:3::"}, 64},
		{"two prefixes in turn", "2001:db8::/48 fd00::/16", TRAFFIC_V6_64, 0, 1,
			{"2001:db8::", "fd00::", "2001:db8:0:1::", "fd00:0:0:1::"}, 64},
		{"a prefix begins again", "2001:db8::/63", TRAFFIC_V6_64, 0, 1,
			{"2001:db8::", "2001:db8:0:1::", "2001:db8::", "2001:db8:0:1::"}, 64},
		{"a /48 after another", "2001:db8::/32", TRAFFIC_V6_48, 0, 1,
			{"2001:db8::", "2001:db8:1::", "2001:db8:2::", "2001:db8:3::"}, 48},
		{"the second of two lcores", "2001:db8::/32", TRAFFIC_V6_48, 1, 2,
			{"2001:db8:1::", "2001:db8:3::", "2001:db8:5::", "2001:db8:7::"}, 48},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct traffic_model *model = model_create(cases[i].name,
			(struct traffic_config){.kind = cases[i].kind,
				.worker = cases[i].worker,
				.n_workers = cases[i].n_workers},
			cases[i].sources);

		for (unsigned k = 0; k < 4; k++) {
			struct address address = traffic_model_next(model), subnet;
			struct prefix prefix = {.length = cases[i].length};

			CHECK_EQ(cases[i].name, address_parse(cases[i].subnets[k], &subnet), 0);
			prefix.address = subnet;
			CHECK_TRUE(cases[i].name, prefix_contains(&prefix, &address));
		}
		traffic_model_destroy(model);
	}
}

static void test_turns(void)
{
	struct traffic_model *model = model_create("slow",
		(struct traffic_config){.kind = TRAFFIC_SLOW, .population = 5, .seed = 4}, "10.0.0.0/8");
	struct address first[5];

	for (unsigned i = 0; i < 5; i++)
		first[i] = traffic_model_next(model);
	for (unsigned i = 0; i < 20; i++) {
		struct address address = traffic_model_next(model);

		CHECK_EQ("each source in its turn", address_compare(&address, &first[i % 5]), 0);
	}
	traffic_model_destroy(model);

	model = model_create("reconnect",
		(struct traffic_config){.kind = TRAFFIC_RECONNECT, .population = 1000, .run = 4, .seed = 4},
		"10.0.0.0/8");
	unsigned same = 0;
	for (unsigned i = 0; i < 25; i++) {
		struct address run = traffic_model_next(model);

		for (unsigned k = 1; k < 4; k++) {
			struct address address = traffic_model_next(model);

			same += address_compare(&address, &run) == 0;
		}
	}
	CHECK_EQ("runs of four", same, 75);
	traffic_model_destroy(model);

	model = model_create(
		"victim", (struct traffic_config){.kind = TRAFFIC_VICTIM}, "192.0.2.7 2001:db8::7");
	unsigned v4 = 0, others = 0;
	for (unsigned i = 0; i < 10; i++) {
		struct address address = traffic_model_next(model);

		v4 += address_is_v4(&address);
		others += !any_contains("192.0.2.7 2001:db8::7", &address);
	}
	CHECK_EQ("both victims in turn", v4, 5);
	CHECK_EQ("and nobody else", others, 0);
	traffic_model_destroy(model);
}

static uint64_t hash_of_last_byte(const struct address *address)
{
	return (uint64_t)(address->bytes[15] & 0x0f) << 52;
}

static void test_collisions(void)
{
	struct traffic_model *model = model_create("collide",
		(struct traffic_config){
			.kind = TRAFFIC_COLLIDE, .population = 50, .seed = 4, .hash = hash_of_last_byte},
		"10.0.0.0/8");
	unsigned elsewhere = 0;

	for (unsigned i = 0; i < 1000; i++)
		elsewhere += (traffic_model_next(model).bytes[15] & 0x0f) != 0;
	CHECK_EQ("every source falls into the one place", elsewhere, 0);
	traffic_model_destroy(model);
}

/* Sources that are answered stay; those that are not move on after `run` packets. */
static void test_rotation(void)
{
	struct traffic_model *model = model_create("rotate",
		(struct traffic_config){.kind = TRAFFIC_ROTATE, .population = 2, .run = 3, .seed = 4},
		"10.0.0.0/8");
	struct address stays = traffic_model_next(model), moves = traffic_model_next(model);
	unsigned stayed = 0, moved = 0;

	CHECK_TRUE("it listens", traffic_model_listens(model));
	for (unsigned i = 1; i < 30; i++) {
		traffic_model_answered(model, &stays);
		struct address first = traffic_model_next(model), second = traffic_model_next(model);

		stayed += address_compare(&first, &stays) == 0;
		if (address_compare(&second, &moves) != 0) {
			moved++;
			moves = second;
		}
	}
	CHECK_EQ("who is answered stays", stayed, 29);
	CHECK_EQ("who is not moves after three packets", moved, 9);
	traffic_model_destroy(model);
}

/* Several lcores: the same population, other draws. */
static void test_workers(void)
{
	struct traffic_config config = {.kind = TRAFFIC_CGNAT, .population = 16, .seed = 4, .n_workers = 2};
	struct traffic_model *a = model_create("first", config, "10.0.0.0/8");
	config.worker = 1;
	struct traffic_model *b = model_create("second", config, "10.0.0.0/8");
	struct address population[16];
	unsigned n = 0, strangers = 0, equal = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct address address = traffic_model_next(a), other = traffic_model_next(b);
		unsigned at = 0;

		equal += address_compare(&address, &other) == 0;
		while (at < n && address_compare(&population[at], &address) != 0)
			at++;
		if (at == n && n < CHECK_COUNT(population))
			population[n++] = address;
	}
	for (unsigned i = 0; i < 1000; i++) {
		struct address address = traffic_model_next(b);
		unsigned at = 0;

		while (at < n && address_compare(&population[at], &address) != 0)
			at++;
		strangers += at == n;
	}
	CHECK_EQ("the population is shared", strangers, 0);
	/* one in 16: 62; 5 standard deviations are 38 */
	CHECK_NEAR("the draws are not", equal, 62, 38);
	traffic_model_destroy(a);
	traffic_model_destroy(b);
}

static const struct check_test tests[] = {
	{"draws lie in the sources and not in the holes", test_containment},
	{"draws are spread as the model says", test_distributions},
	{"a piece is drawn by its weight", test_pieces},
	{"zipf favours the first rank as it should", test_zipf},
	{"a seed repeats itself", test_seed},
	{"what cannot be drawn is refused", test_refusals},
	{"a botnet's rates are spread", test_botnet},
	{"IPv6 subnets come one after another", test_cycles},
	{"turns, runs and victims", test_turns},
	{"colliding sources collide", test_collisions},
	{"unanswered sources move on", test_rotation},
	{"lcores share populations", test_workers},
};
CHECK_MAIN("traffic_model", tests)
