// SPDX-License-Identifier: BSD-3-Clause
/* weir-bench-decide: what deciding an attempt costs, in ns and TSC cycles, with tables of any size, beside the memory floor measured in
 * the same run and the same kind of pages: so many random cache lines, prefetched in bursts of 32. One thread; pins nothing.
 * Must not report a mix whose attempts did not have the outcome that it means.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "bench/decide_world.h"
#include "bench/huge_memory.h"
#include "bench/option_value.h"

enum { TRIALS_MAX = 31, FLOOR_BURST = 32, LINE_BYTES = 64 };

struct options {
	struct decide_sizes sizes;
	uint64_t attempts, trials, seed, population;
	const char *only; /* NULL: every mix */
	bool json;
};

struct figure {
	double ns, cycles;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return 0;
#endif
}

struct stopwatch {
	uint64_t ns, cycles;
};

static struct stopwatch stopwatch_start(void)
{
	return (struct stopwatch){clock_ns(), clock_cycles()};
}

static struct figure stopwatch_read(const struct stopwatch *start, uint64_t n)
{
	return (struct figure){(double)(clock_ns() - start->ns) / (double)n,
		(double)(clock_cycles() - start->cycles) / (double)n};
}

static int by_ns(const void *a, const void *b)
{
	double x = ((const struct figure *)a)->ns, y = ((const struct figure *)b)->ns;

	return (x > y) - (x < y);
}

static struct figure median(struct figure figures[], unsigned n)
{
	qsort(figures, n, sizeof(figures[0]), by_ns);
	return figures[n / 2];
}

/* `lines` random lines of `block` for each of n turns: all addresses of a burst first, so that memory works on 32 turns at once. */
static uint64_t floor_run(const uint8_t *block, uint64_t n_lines, unsigned lines, uint64_t n, uint64_t *random)
{
	const uint8_t *at[FLOOR_BURST * 8];
	uint64_t sum = 0;

	for (uint64_t done = 0; done < n; done += FLOOR_BURST) {
		for (unsigned i = 0; i < FLOOR_BURST * lines; i++) {
			*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			at[i] = block + (*random >> 16) % n_lines * LINE_BYTES;
			__builtin_prefetch(at[i], 1);
		}
		for (unsigned i = 0; i < FLOOR_BURST * lines; i++)
			sum += *at[i];
	}
	return sum;
}

static struct figure floor_measure(const struct options *options, size_t bytes, unsigned lines)
{
	uint8_t *block = huge_memory_allocate(NULL, bytes);
	struct figure figures[TRIALS_MAX];
	uint64_t random = options->seed, sum = 0;

	if (!block)
		return (struct figure){0, 0};
	for (unsigned trial = 0; trial < options->trials; trial++) {
		struct stopwatch start = stopwatch_start();

		sum += floor_run(block, bytes / LINE_BYTES, lines, options->attempts, &random);
		figures[trial] = stopwatch_read(&start, options->attempts);
	}
	__asm__ volatile("" : : "r"(sum));
	huge_memory_free(NULL, block, bytes);
	return median(figures, (unsigned)options->trials);
}

static struct figure mix_measure(
	struct decide_world *world, const struct options *options, enum decide_mix mix, uint8_t family, double *ret_right)
{
	struct figure figures[TRIALS_MAX], idle[TRIALS_MAX], net;
	uint64_t right = 0;

	(void)decide_world_run(world, mix, family, options->attempts / 4);
	for (unsigned trial = 0; trial < options->trials; trial++) {
		struct stopwatch start = stopwatch_start();

		right += decide_world_run(world, mix, family, options->attempts);
		figures[trial] = stopwatch_read(&start, options->attempts);
		start = stopwatch_start();
		decide_world_idle(world, mix, family, options->attempts);
		idle[trial] = stopwatch_read(&start, options->attempts);
	}
	*ret_right = (double)right / (double)(options->attempts * options->trials);
	net = median(figures, (unsigned)options->trials);
	net.ns -= median(idle, (unsigned)options->trials).ns;
	net.cycles -= median(idle, (unsigned)options->trials).cycles;
	return net;
}

/* What a size must reach; ratio_most 0: no bound. */
struct target {
	double ns, ratio_most;
};

/* design.md section 10: 20 million a second in cache; 10 million in memory, there within 1.5x of the floor at full size. */
static struct target target_of(const struct decide_sizes *sizes)
{
	bool in_cache = sizes->pressure_log2 <= 16 && sizes->bans <= 65536;
	bool full = sizes->pressure_log2 >= 24 && sizes->bans >= 10000000;

	return (struct target){in_cache ? 50 : 100, full ? 1.5 : 0};
}

static void json_line(const struct options *options, const char *mix, uint8_t family, const char *what, double ours, double floor,
	const char *target, const char *met)
{
	static bool begun;

	printf("%s{\"name\": \"decide: %s, IPv%u, %" PRIu64 " bans, 2^%u prefixes%s\", \"unit\": \"%s\", \"ours\": %.1f, \"baseline\": %.1f, "
	       "\"baseline_name\": \"%u random lines\", \"ratio\": %.2f, \"target\": %s, \"met\": %s}",
		begun ? ",\n " : "", mix, family, options->sizes.bans, options->sizes.pressure_log2, *what ? ", cycles" : "",
		*what ? what : "ns", ours, floor, family == 4 ? 6 : 7, floor > 0 ? ours / floor : 0, target, met);
	begun = true;
}

static void line_print(const struct options *options, const char *mix, uint8_t family, struct figure ours, struct figure floor)
{
	struct target target = target_of(&options->sizes);
	double ratio = floor.ns > 0 ? ours.ns / floor.ns : 0;
	bool met = ours.ns <= target.ns && (target.ratio_most == 0 || ratio <= target.ratio_most);
	char within[48] = "", quoted[96];

	if (target.ratio_most > 0)
		snprintf(within, sizeof(within), " and <= %.1f of the baseline", target.ratio_most);
	if (!options->json) {
		printf("%-11s IPv%u %7.1f ns %6.0f cycles   floor %6.1f ns   ratio %5.2f   target <= %.0f ns%s  %s\n", mix, family,
			ours.ns, ours.cycles, floor.ns, ratio, target.ns, within, met ? "met" : "MISSED");
		return;
	}
	snprintf(quoted, sizeof(quoted), "\"<= %.0f ns%s\"", target.ns, within);
	json_line(options, mix, family, "", ours.ns, floor.ns, quoted, met ? "true" : "false");
	if (ours.cycles > 0)
		json_line(options, mix, family, "TSC cycles", ours.cycles, floor.cycles, "null", "null");
}

static int measure(const struct options *options)
{
	struct decide_world *world;
	size_t bytes;
	int error = decide_world_create(&options->sizes, options->seed, &world), status = 0;

	if (error != 0) {
		fprintf(stderr, "weir-bench-decide: the tables cannot be built: %s\n", strerror(-error));
		return 1;
	}
	bytes = huge_memory_bytes() / LINE_BYTES * LINE_BYTES;
	if (bytes < 1 << 20)
		bytes = 1 << 20;
	if (options->json)
		printf("{\"pages\": \"%s\", \"table_bytes\": %zu, \"attempts\": %" PRIu64 ", \"trials\": %" PRIu64 ", \"results\": [\n ",
			huge_memory_kind(), bytes, options->attempts, options->trials);
	else
		printf("%s pages, %.0f MiB of tables, %" PRIu64 " attempts, median of %" PRIu64 " trials, the harness subtracted\n",
			huge_memory_kind(), (double)bytes / (1 << 20), options->attempts, options->trials);
	for (uint8_t family = 4; family <= 6; family += 2) {
		struct figure floor = floor_measure(options, bytes, family == 4 ? 6 : 7);

		decide_world_prove(world, family, (uint32_t)options->population);
		for (enum decide_mix mix = 0; mix < DECIDE_MIX_COUNT; mix++) {
			double right;
			struct figure ours;

			if ((mix == DECIDE_BANNED && options->sizes.bans == 0) ||
				(options->only && strcmp(options->only, decide_mix_name(mix)) != 0))
				continue;
			ours = mix_measure(world, options, mix, family, &right);
			/* A source that is drawn twice in one burst sends its SYN again. */
			if (right < 0.99) {
				char outcomes[256];

				fprintf(stderr,
					"weir-bench-decide: only %.2f %% of the attempts were '%s' (IPv%u): not measured; so far %s\n",
					right * 100, decide_mix_name(mix), family, decide_world_outcomes(world, outcomes));
				status = 1;
				continue;
			}
			line_print(options, decide_mix_name(mix), family, ours, floor);
		}
	}
	if (options->json)
		printf("\n]}\n");
	decide_world_destroy(world);
	return status;
}

static void usage(FILE *to)
{
	fputs("usage: weir-bench-decide [options]\n"
	      "What deciding an attempt costs, beside as many random memory lines as it must touch.\n"
	      "  --bans N            IPv4 hosts and IPv6 /64s each (default 10000)\n"
	      "  --pressure-log2 N   tracked prefixes of each table, 10..26 (default 16)\n"
	      "  --proven-log2 N     remembered proofs, 8..24 (default 14)\n"
	      "  --flows-log2 N      flows, 6..26 (default 14)\n"
	      "  --population N      proven sources that come again (default 4096)\n"
	      "  --attempts N        in a trial (default 1000000); --trials N, 1..31 (default 5); --seed N\n"
	      "  --only MIX          of banned, challenged, admitted, proven\n"
	      "  --json              result as one object\n",
		to);
}

static bool options_parse(struct options *options, int argc, char *argv[])
{
	static const struct option known[] = {{"bans", 1, NULL, 'b'}, {"pressure-log2", 1, NULL, 'p'},
		{"proven-log2", 1, NULL, 'v'}, {"flows-log2", 1, NULL, 'f'}, {"population", 1, NULL, 'n'},
		{"attempts", 1, NULL, 'a'}, {"trials", 1, NULL, 't'}, {"seed", 1, NULL, 's'}, {"json", 0, NULL, 'j'},
		{"only", 1, NULL, 'o'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
	uint64_t pressure = 16, proven = 14, flows = 14;
	bool good = true;
	int c;

	*options = (struct options){
		.sizes.bans = 10000, .attempts = 1000000, .trials = 5, .seed = 1, .population = 4096};
	while (good && (c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'b': good = option_count_parse(optarg, 0, 1 << 24, &options->sizes.bans); break;
		case 'p': good = option_count_parse(optarg, 10, 26, &pressure); break;
		case 'v': good = option_count_parse(optarg, 8, 24, &proven); break;
		case 'f': good = option_count_parse(optarg, 6, 26, &flows); break;
		case 'n': good = option_count_parse(optarg, 1, 1 << 20, &options->population); break;
		case 'a': good = option_count_parse(optarg, 1000, 1000000000, &options->attempts); break;
		case 't': good = option_count_parse(optarg, 1, TRIALS_MAX, &options->trials); break;
		case 's': good = option_count_parse(optarg, 1, UINT32_MAX, &options->seed); break;
		case 'o': options->only = optarg; break;
		case 'j': options->json = true; break;
		case 'h': usage(stdout); exit(0);
		default: return false;
		}
		if (!good)
			fprintf(stderr, "weir-bench-decide: '%s' is not a number in this option's range (see --help)\n", optarg);
	}
	options->sizes.pressure_log2 = (unsigned)pressure;
	options->sizes.proven_log2 = (unsigned)proven;
	options->sizes.flows_log2 = (unsigned)flows;
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
