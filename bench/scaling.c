// SPDX-License-Identifier: BSD-3-Clause
/* weir-bench-scaling: what a second lcore adds. Two threads on two CPUs, a stage each over the same tables, decide at the same time, beside
 * one alone in the same run: strangers from everywhere, strangers of one prefix whose counters both must write, banned and proven sources.
 * Must not report a mix whose attempts did not have the outcome that it means, or whose packets are not all accounted for.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/decide_world.h"
#include "bench/huge_memory.h"
#include "bench/option_value.h"

enum {
	TRIALS_MAX = 31,
	LCORES = 2,
	TRIES_A_TRIAL = 4,
	SPREAD_BITS = 56,
	HOT_BITS = 8,
	PACKETS_OF_PROVEN = 4 /* SYN, SYN-ACK, ACK, RST */
};

struct options {
	struct decide_sizes sizes;
	uint64_t attempts, trials, seed, population;
	bool json;
};

struct lcore {
	pthread_t thread;
	struct decide_world *world;
	int cpu;
	enum decide_mix mix;
	uint8_t family;
	uint64_t attempts, right, accounted;
	double cpu_ns, wall_ns, idle_ns; /* of all attempts; idle: the harness alone */
};

static _Atomic unsigned waiting;

static double clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *lcore_run(void *argument)
{
	struct lcore *lcore = argument;
	uint64_t before = decide_world_accounted(lcore->world);
	double wall, cpu;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(lcore->cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	cpu = clock_read(CLOCK_THREAD_CPUTIME_ID);
	decide_world_idle(lcore->world, lcore->mix, lcore->family, lcore->attempts);
	lcore->idle_ns = clock_read(CLOCK_THREAD_CPUTIME_ID) - cpu;
	/* All begin together: each waits for the last. */
	atomic_fetch_sub(&waiting, 1);
	while (atomic_load_explicit(&waiting, memory_order_acquire) != 0)
		sched_yield();
	wall = clock_read(CLOCK_MONOTONIC);
	cpu = clock_read(CLOCK_THREAD_CPUTIME_ID);
	lcore->right = decide_world_run(lcore->world, lcore->mix, lcore->family, lcore->attempts);
	lcore->cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID) - cpu;
	lcore->wall_ns = clock_read(CLOCK_MONOTONIC) - wall;
	lcore->accounted = decide_world_accounted(lcore->world) - before;
	return NULL;
}

struct trial {
	double rate_mpps; /* of all lcores, the harness subtracted */
	bool right, disturbed;
};

/* Rates are of CPU time: what another process takes is no cost of ours; but if it takes more than a tenth, the two hardly met. */
static bool trial_run(struct lcore lcores[], unsigned n, struct trial *ret_trial)
{
	struct trial trial = {.right = true};

	atomic_store(&waiting, n);
	for (unsigned i = 0; i < n; i++) {
		if (pthread_create(&lcores[i].thread, NULL, lcore_run, &lcores[i]) == 0)
			continue;
		atomic_store(&waiting, 0);
		while (i > 0)
			pthread_join(lcores[--i].thread, NULL);
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct lcore *lcore = &lcores[i];
		uint64_t packets = lcore->mix == DECIDE_PROVEN ? PACKETS_OF_PROVEN : 1;

		pthread_join(lcore->thread, NULL);
		trial.rate_mpps += (double)lcore->attempts / (lcore->cpu_ns - lcore->idle_ns) * 1e3;
		trial.disturbed |= lcore->cpu_ns < lcore->wall_ns * 0.9;
		/* A source that is drawn twice in one burst sends its SYN again. */
		trial.right &= lcore->accounted == lcore->attempts * packets && lcore->right >= lcore->attempts / 100 * 95;
	}
	*ret_trial = trial;
	return true;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct scene {
	const char *name;
	enum decide_mix mix;
	unsigned bits;
	double target; /* two lcores beside one */
};

/* The median of `trials` rates; disturbed trials are made again, a few times. -EIO: no thread; -EBADMSG: wrong outcomes. */
static int rate_measure(const struct options *options, struct lcore lcores[], unsigned n, double *ret_mpps, unsigned *disturbed)
{
	double rates[TRIALS_MAX];

	for (unsigned trial = 0; trial < options->trials; trial++) {
		struct trial result = {.disturbed = true};

		for (unsigned try = 0; try < TRIES_A_TRIAL && result.disturbed; try++) {
			decide_world_align(lcores[0].world, lcores[1].world);
			if (!trial_run(lcores, n, &result))
				return -EIO;
			if (!result.right)
				return -EBADMSG;
		}
		*disturbed += result.disturbed;
		rates[trial] = result.rate_mpps;
	}
	qsort(rates, options->trials, sizeof(rates[0]), ascending);
	*ret_mpps = rates[options->trials / 2];
	return 0;
}

static void line_print(
	const struct options *options, const struct scene *scene, uint8_t family, double one, double two, unsigned disturbed)
{
	static bool begun;
	bool met = two / one >= scene->target;

	if (options->json)
		printf("%s{\"name\": \"scaling: %s, IPv%u, two lcores\", \"unit\": \"M/s\", \"ours\": %.2f, \"baseline\": %.2f, "
		       "\"baseline_name\": \"one lcore\", \"ratio\": %.3f, \"target\": \">= %.1f of the baseline\", \"met\": %s, "
		       "\"disturbed\": %u}",
			begun ? ",\n " : "", scene->name, family, two, one, two / one, scene->target, met ? "true" : "false", disturbed);
	else
		printf("%-34s IPv%u  two %6.2f M/s  one %6.2f M/s  ratio %5.2f  target %.1f  %s  (%u trials disturbed)\n", scene->name,
			family, two, one, two / one, scene->target, met ? "met" : "MISSED", disturbed);
	begun = true;
	fflush(stdout);
}

static int scene_measure(const struct options *options, const struct scene *scene, struct lcore lcores[], uint8_t family)
{
	double one, two;
	unsigned disturbed = 0;
	char outcomes[256];
	int error;

	for (unsigned i = 0; i < LCORES; i++) {
		lcores[i].mix = scene->mix;
		lcores[i].family = family;
		lcores[i].attempts = options->attempts;
		decide_world_heat(lcores[i].world, scene->bits);
		(void)decide_world_run(lcores[i].world, scene->mix, family, options->attempts / 4);
	}
	error = rate_measure(options, lcores, 1, &one, &disturbed);
	if (error == 0)
		error = rate_measure(options, lcores, LCORES, &two, &disturbed);
	if (error != 0) {
		fprintf(stderr, "weir-bench-scaling: %s, IPv%u: %s; so far %s\n", scene->name, family,
			error == -EIO ? "no thread" : "attempts had another outcome than is meant, or are not all accounted for",
			decide_world_outcomes(lcores[0].world, outcomes));
		return error;
	}
	line_print(options, scene, family, one, two, disturbed);
	return 0;
}

static int cpus_find(struct lcore lcores[])
{
	cpu_set_t set;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < LCORES; cpu++) {
		if (CPU_ISSET(cpu, &set))
			lcores[n++].cpu = cpu;
	}
	return n == LCORES ? 0 : -ENODEV;
}

static int measure(const struct options *options)
{
	/* Counters of one's own prefixes share nothing but memory: 1.8. One /24 or /56 for all: each line moves between the CPUs
	 * with each attempt, and that two are not slower than one is all that can be asked. */
	static const struct scene scenes[] = {{"banned", DECIDE_BANNED, SPREAD_BITS, 1.8},
		{"challenged, from everywhere", DECIDE_CHALLENGED, SPREAD_BITS, 1.8},
		{"challenged, one prefix for all", DECIDE_CHALLENGED, HOT_BITS, 1},
		{"admitted, from everywhere", DECIDE_ADMITTED, SPREAD_BITS, 1.8},
		{"proven, in turn on both", DECIDE_PROVEN, SPREAD_BITS, 1.8}};
	struct lcore lcores[LCORES] = {0};
	int error = cpus_find(lcores), status = 0;

	if (error == 0)
		error = decide_world_create(&options->sizes, options->seed, &lcores[0].world);
	if (error == 0)
		error = decide_world_join(lcores[0].world, options->seed + 1, &lcores[1].world);
	if (error != 0) {
		fprintf(stderr, "weir-bench-scaling: %s\n", error == -ENODEV ? "two CPUs are needed" : strerror(-error));
		decide_world_destroy(lcores[0].world);
		return 1;
	}
	if (options->json)
		printf("{\"pages\": \"%s\", \"attempts\": %" PRIu64 ", \"trials\": %" PRIu64 ", \"results\": [\n ", huge_memory_kind(),
			options->attempts, options->trials);
	for (uint8_t family = 4; family <= 6; family += 2) {
		for (unsigned i = 0; i < LCORES; i++)
			decide_world_prove(lcores[i].world, family, (uint32_t)options->population);
		for (unsigned i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
			status |= scene_measure(options, &scenes[i], lcores, family) != 0;
	}
	if (options->json)
		printf("\n]}\n");
	decide_world_destroy(lcores[1].world);
	decide_world_destroy(lcores[0].world);
	return status;
}

static void usage(FILE *to)
{
	fputs("usage: weir-bench-scaling [options]\n"
	      "What a second lcore adds, over the same tables, beside one alone.\n"
	      "  --bans N            IPv4 hosts and IPv6 /64s each (default 10000)\n"
	      "  --pressure-log2 N   tracked prefixes of each table, 10..26 (default 20)\n"
	      "  --population N      proven sources that come again (default 4096)\n"
	      "  --attempts N        of an lcore in a trial, a multiple of 32 (default 262144); --trials N, 1..31 (default 5); --seed N\n"
	      "  --json              result as one object\n",
		to);
}

static bool options_parse(struct options *options, int argc, char *argv[])
{
	static const struct option known[] = {{"bans", 1, NULL, 'b'}, {"pressure-log2", 1, NULL, 'p'}, {"population", 1, NULL, 'n'},
		{"attempts", 1, NULL, 'a'}, {"trials", 1, NULL, 't'}, {"seed", 1, NULL, 's'}, {"json", 0, NULL, 'j'},
		{"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
	uint64_t pressure = 20;
	bool good = true;
	int c;

	*options = (struct options){.sizes = {.bans = 10000, .proven_log2 = 16, .flows_log2 = 16},
		.attempts = 1 << 18,
		.trials = 5,
		.seed = 1,
		.population = 4096};
	while (good && (c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'b': good = option_count_parse(optarg, 1, 1 << 24, &options->sizes.bans); break;
		case 'p': good = option_count_parse(optarg, 10, 26, &pressure); break;
		case 'n': good = option_count_parse(optarg, 1, 1 << 14, &options->population); break;
		case 'a': good = option_count_parse(optarg, 1024, 1 << 30, &options->attempts) && options->attempts % 32 == 0; break;
		case 't': good = option_count_parse(optarg, 1, TRIALS_MAX, &options->trials); break;
		case 's': good = option_count_parse(optarg, 1, UINT32_MAX, &options->seed); break;
		case 'j': options->json = true; break;
		case 'h': usage(stdout); exit(0);
		default: return false;
		}
		if (!good)
			fprintf(stderr, "weir-bench-scaling: '%s' is not in this option's range (see --help)\n", optarg);
	}
	options->sizes.pressure_log2 = (unsigned)pressure;
	return good && optind == argc;
}

int main(int argc, char *argv[])
{
	struct options options;

	if (!options_parse(&options, argc, argv)) {
		usage(stderr);
		return 2;
	}
	return measure(&options);
}
