// SPDX-License-Identifier: BSD-3-Clause
/* weir-bench-control: what weir-control's event loop pays for a report, a tick and a snapshot at several
 * numbers of known addresses, on the governor, the address book and the publisher themselves. The time that
 * they are given is simulated; what they cost is CPU time of the thread. Where nothing changed a cost must
 * not grow with the number: a sweep over everything known would. Must not report an operation that failed, or
 * a size at which less is known than it says.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/control_cost.h"
#include "bench/option_value.h"

enum { SIZES_MAX = 8, TRIALS_MAX = 31 };

static const struct {
	const char *what, *unit;
	enum { GROWTH, TICK, STATED } judged;
} rows[CONTROL_COST_COUNT] = {
	[CONTROL_COST_REPORT] = {"report of misbehaviour", "us", GROWTH},
	[CONTROL_COST_GET] = {"all that is known of a peer", "us", GROWTH},
	[CONTROL_COST_IDLE] = {"tick when nothing is due", "us", GROWTH},
	[CONTROL_COST_TICK] = {"governor tick, 1000 connected", "ms", TICK},
	[CONTROL_COST_CROSSING] = {"a score that crosses a threshold", "us", GROWTH},
	[CONTROL_COST_BOOK_ASK] = {"addresses to dial, to share and to forget", "us", GROWTH},
	[CONTROL_COST_BOOK_ADD] = {"an address into the full book", "us", GROWTH},
	[CONTROL_COST_BOOK_OUTCOME] = {"a dial's outcome", "us", GROWTH},
	[CONTROL_COST_ENFORCE] = {"a ban into the log and the set", "us", GROWTH},
	[CONTROL_COST_PUBLISH_IDLE] = {"publisher's tick when nothing changed", "us", GROWTH},
	[CONTROL_COST_SNAPSHOT_LOOP] = {"snapshot, the loop's part", "us", GROWTH},
	[CONTROL_COST_SNAPSHOT_WHOLE] = {"snapshot, built beside the loop", "ms", STATED},
};

static struct {
	uint64_t sizes[SIZES_MAX], trials, seed;
	unsigned n_sizes;
	bool json;
} options = {.sizes = {10000, 100000, 1000000}, .n_sizes = 3, .trials = 5, .seed = 1};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double control_cost_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Between the logarithm and a sweep: at a hundred times the number a cost may be ten times as high, most of
 * which is that memory is no longer in cache. A tick has its bound in design.md section 10. */
static void row_print(enum control_cost row, uint64_t known, double ours, double smallest, bool first)
{
	double growth = sqrt((double)known / (double)options.sizes[0]),
	       ratio = smallest > 0 ? ours / smallest : 0;
	bool is_baseline = known == options.sizes[0], met = true;
	char target[64] = "", baseline[160] = "\"baseline\": null, \"baseline_name\": null, \"ratio\": null";
	const char *quote = "\"", *met_text;

	if (rows[row].judged == TICK) {
		met = ours <= 50;
		snprintf(target, sizeof(target), "<= 50 ms");
	} else if (rows[row].judged == GROWTH && !is_baseline) {
		met = ratio <= growth;
		snprintf(target, sizeof(target), "<= %.1f of the baseline", growth);
	}
	met_text = met ? "true" : "false";
	if (target[0] == '\0') {
		snprintf(target, sizeof(target), "null");
		quote = "";
		met_text = "null";
	}
	if (!is_baseline)
		snprintf(baseline, sizeof(baseline),
			"\"baseline\": %.3f, \"baseline_name\": \"%" PRIu64 " known\", \"ratio\": %.3f",
			smallest, options.sizes[0], ratio);
	if (options.json)
		printf("%s{\"name\": \"control: %s, %" PRIu64
		       " known\", \"unit\": \"%s\", \"ours\": %.3f, %s, \"target\": %s%s%s, \"met\": %s}",
			first ? "" : ",\n ", rows[row].what, known, rows[row].unit, ours, baseline, quote,
			target, quote, met_text);
	else
		printf("%-48s %8" PRIu64 " known %10.3f %s  ratio %6.2f  target %s: %s\n", rows[row].what,
			known, ours, rows[row].unit, ratio, target, met_text);
}

static int size_measure(uint64_t known, double medians[CONTROL_COST_COUNT])
{
	static double figures[TRIALS_MAX][CONTROL_COST_COUNT];
	char sentence[160];
	struct control_cost_world *world;
	int error = control_cost_world_create((uint32_t)known, options.seed, &world, sentence);

	for (unsigned trial = 0; error == 0 && trial < options.trials; trial++)
		error = control_cost_measure(world, figures[trial], sentence);
	if (error != 0)
		fprintf(stderr, "weir-bench-control: %" PRIu64 " known: %s: %s\n", known, sentence,
			strerror(-error));
	control_cost_world_destroy(world);
	for (unsigned row = 0; error == 0 && row < CONTROL_COST_COUNT; row++) {
		double column[TRIALS_MAX];

		for (unsigned trial = 0; trial < options.trials; trial++)
			column[trial] = figures[trial][row];
		qsort(column, options.trials, sizeof(column[0]), ascending);
		medians[row] = column[options.trials / 2];
	}
	return error;
}

static void usage(FILE *to)
{
	fputs("usage: weir-bench-control [options]\n"
	      "What control's event loop pays for a report, a tick and a snapshot, by the number of "
	      "addresses that it knows.\n"
	      "  --known N       addresses and as many bans, 1000..1000000; may be repeated, ascending "
	      "(default 10000, 100000, 1000000)\n"
	      "  --trials N      1..31 (default 5); --seed N\n"
	      "  --json          result as one object\n",
		to);
}

static bool options_parse(int argc, char *argv[])
{
	static const struct option known[] = {{"known", 1, NULL, 'k'}, {"trials", 1, NULL, 't'},
		{"seed", 1, NULL, 's'}, {"json", 0, NULL, 'j'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
	bool sizes_given = false, good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'k': {
			uint64_t lowest = sizes_given ? options.sizes[options.n_sizes - 1] + 1 : 1000, size;

			good = (!sizes_given || options.n_sizes < SIZES_MAX) &&
			       option_count_parse(optarg, lowest, 1000000, &size);
			options.n_sizes = sizes_given ? options.n_sizes : 0;
			sizes_given = true;
			if (good)
				options.sizes[options.n_sizes++] = size;
			break;
		}
		case 't':
			good = option_count_parse(optarg, 1, TRIALS_MAX, &options.trials);
			break;
		case 's':
			good = option_count_parse(optarg, 1, UINT32_MAX, &options.seed);
			break;
		case 'j':
			options.json = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return false;
		}
		if (!good)
			fprintf(stderr,
				"weir-bench-control: '%s' is not in this option's range (see --help)\n",
				optarg);
	}
	return good && optind == argc;
}

int main(int argc, char *argv[])
{
	static double medians[SIZES_MAX][CONTROL_COST_COUNT];

	if (!options_parse(argc, argv)) {
		usage(stderr);
		return 2;
	}
	for (unsigned size = 0; size < options.n_sizes; size++) {
		if (size_measure(options.sizes[size], medians[size]) != 0)
			return 1;
	}
	if (options.json)
		printf("{\"trials\": %" PRIu64 ", \"seed\": %" PRIu64 ", \"results\": [\n ", options.trials,
			options.seed);
	for (unsigned row = 0; row < CONTROL_COST_COUNT; row++) {
		for (unsigned size = 0; size < options.n_sizes; size++)
			row_print((enum control_cost)row, options.sizes[size], medians[size][row],
				medians[0][row], row + size == 0);
	}
	if (options.json)
		printf("\n]}\n");
	return 0;
}
