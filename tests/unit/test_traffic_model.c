// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/traffic_model.h: every draw lies inside its sources, distributions are what they are called, the same
 * seed draws the same; and of the schedules.
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

static struct traffic_model *model_of(const char *name, enum traffic_kind kind, const char *sources, const char *excluded, uint32_t population)
{
	struct traffic_config config = {.kind = kind, .population = population, .exponent = 1, .v6_share = 0.25, .seed = 7};
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
		{"dense subnets of a source smaller than a subnet", TRAFFIC_FEW_SUBNETS, "10.0.0.0/28", "10.0.0.8/30"},
		{"zipf", TRAFFIC_ZIPF, "10.0.0.0/8 fd00::/8", "10.0.0.0/9"},
		{"botnet", TRAFFIC_BOTNET, "10.0.0.0/8 fd00::/8", "10.0.0.0/9"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct traffic_model *model = model_of(cases[i].name, cases[i].kind, cases[i].sources, cases[i].excluded, 100);
		unsigned outside = 0;

		for (unsigned k = 0; model != NULL && k < DRAWS / 10; k++) {
			struct address address = traffic_model_next(model);

			outside += !any_contains(cases[i].sources, &address) || any_contains(cases[i].excluded, &address);
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
		{"all sources excluded in two halves", "10.0.0.0/8", "10.0.0.0/9 10.128.0.0/9", TRAFFIC_SPOOF, 1, 1, 0},
		{"no population", "10.0.0.0/8", "", TRAFFIC_BOTNET, 0, 1, 0},
		{"too many subnets", "10.0.0.0/8", "", TRAFFIC_FEW_SUBNETS, TRAFFIC_SUBNETS_MAX + 1, 1, 0},
		{"an exponent of 0", "10.0.0.0/8", "", TRAFFIC_ZIPF, 10, 0, 0},
		{"an exponent that is no number", "10.0.0.0/8", "", TRAFFIC_ZIPF, 10, NAN, 0},
		{"a share above 1", "10.0.0.0/8", "", TRAFFIC_SPOOF, 1, 1, 1.5},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct traffic_config config = {.kind = cases[i].kind, .population = cases[i].population,
			.exponent = cases[i].exponent, .v6_share = cases[i].v6_share};
		struct traffic_model *model = NULL;
		const char *why = NULL;

		prefixes_add(config.prefixes, &config.n_prefixes, cases[i].sources);
		prefixes_add(config.excluded, &config.n_excluded, cases[i].excluded);
		CHECK_EQ(cases[i].name, traffic_model_create(&config, &model, &why), -EINVAL);
		CHECK_TRUE(cases[i].name, why != NULL);
		CHECK_TRUE(cases[i].name, model == NULL);
	}
}

static void test_schedules(void)
{
	static const uint64_t s = 1000000000;
	static const struct {
		const char *name;
		struct traffic_schedule schedule;
		uint64_t elapsed_ns, due;
	} cases[] = {
		{"constant: nothing at the start", {TRAFFIC_CONSTANT, 1000, 0, 0, 0}, 0, 0},
		{"constant: half a second", {TRAFFIC_CONSTANT, 1000, 0, 0, 0}, 500000000, 500},
		{"constant: a slow rate waits for its first", {TRAFFIC_CONSTANT, 0.5, 0, 0, 0}, 1999999999, 0},
		{"constant: and then sends", {TRAFFIC_CONSTANT, 0.5, 0, 0, 0}, 2000000000, 1},
		{"ramp: half the rate over its length", {TRAFFIC_RAMP, 1000, 4000000000, 0, 0}, 4 * s, 2000},
		{"ramp: an eighth of it at half the way", {TRAFFIC_RAMP, 1000, 4000000000, 0, 0}, 2 * s, 500},
		{"ramp: constant after it", {TRAFFIC_RAMP, 1000, 4000000000, 0, 0}, 5 * s, 3000},
		{"on-off: on", {TRAFFIC_ON_OFF, 1000, 0, 1000000000, 2000000000}, 500000000, 500},
		{"on-off: off stands still", {TRAFFIC_ON_OFF, 1000, 0, 1000000000, 2000000000}, 2500000000, 1000},
		{"on-off: the second turn", {TRAFFIC_ON_OFF, 1000, 0, 1000000000, 2000000000}, 3500000000, 1500},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, traffic_schedule_due(&cases[i].schedule, cases[i].elapsed_ns), cases[i].due);
}

static const struct check_test tests[] = {
	{"draws lie in the sources and not in the holes", test_containment},
	{"draws are spread as the model says", test_distributions},
	{"zipf favours the first rank as it should", test_zipf},
	{"a seed repeats itself", test_seed},
	{"what cannot be drawn is refused", test_refusals},
	{"schedules are functions of time", test_schedules},
};
CHECK_MAIN("traffic_model", tests)
