// SPDX-License-Identifier: BSD-3-Clause
/* weir-bench-tables: our tables alone beside rte_hash, cds_lfht, rte_lpm and rte_fib: the same keys in bursts of 32, the same pages, four
 * fifths full, and the same flood of sources that never come twice. Time is the thread's own CPU time, so that a shared machine costs
 * cache and not whole slices. One thread; pins nothing. Must not report a subject that answered wrong.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/option_value.h"
#include "bench/tables_lists.h"
#include "bench/tables_subject.h"

enum { TRIALS_MAX = 31, SIZES_MAX = 8 };

static struct {
	uint64_t attempts, trials, seed, prefixes;
	unsigned sizes[SIZES_MAX], n_sizes; /* log2 of places */
	const char *only;                   /* NULL: all; else lookup, flood or lists */
	bool json;
} options = {.attempts = 1 << 20, .trials = 5, .seed = 1, .prefixes = 100000, .sizes = {16, 20, 24}, .n_sizes = 3};

static const char *const keys_names[TABLES_KEYS_COUNT] = {"IPv4", "IPv6", "flow"};
static bool results_begun;
static int status;

static double clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double values[], unsigned n)
{
	qsort(values, n, sizeof(values[0]), ascending);
	return values[n / 2];
}

static bool wanted(const char *part)
{
	return !options.only || strcmp(options.only, part) == 0;
}

/* One line of the result: `less_is_better` says on which side of `bound` the ratio ours / baseline must lie; without a baseline,
 * `bound` is for ours. */
static void result(const char *name, const char *unit, double ours, double baseline, const char *baseline_name, double bound,
	bool less_is_better)
{
	double judged = baseline_name ? ours / baseline : ours;
	/* To the last digit that is printed. */
	bool met = less_is_better ? judged <= bound + 0.005 : judged >= bound - 0.005;
	char target[64];

	snprintf(target, sizeof(target), "%s %.2f%s", less_is_better ? "<=" : ">=", bound, baseline_name ? " of the baseline" : "");
	if (!options.json) {
		printf("%-66s %8.2f %-12s", name, ours, unit);
		if (baseline_name)
			printf(" %-30s %8.2f  ratio %5.2f", baseline_name, baseline, judged);
		printf("  target %s  %s\n", target, met ? "met" : "MISSED");
	} else {
		printf("%s{\"name\": \"%s\", \"unit\": \"%s\", \"ours\": %.2f, ", results_begun ? ",\n " : "", name, unit, ours);
		if (baseline_name)
			printf("\"baseline\": %.2f, \"baseline_name\": \"%s\", \"ratio\": %.3f, ", baseline, baseline_name, judged);
		else
			printf("\"baseline\": null, \"baseline_name\": null, \"ratio\": null, ");
		printf("\"target\": \"%s\", \"met\": %s}", target, met ? "true" : "false");
	}
	results_begun = true;
	fflush(stdout);
}

static void wrong(const char *subject, const char *what, uint64_t got, uint64_t lowest, uint64_t highest)
{
	fprintf(stderr, "weir-bench-tables: %s, %s: %" PRIu64 " and not %" PRIu64 " to %" PRIu64 ": not reported\n", subject, what, got,
		lowest, highest);
	status = 1;
}

struct measured {
	double add_ns, hit_ns, miss_ns, population_ns, unique_ns, bytes; /* an entry, a lookup, a charge; 0: not measured */
};

/* IPv6 sources are counted by four hashed prefixes, IPv4 ones by one, beside three that have places of their own. */
static unsigned levels_of(const struct tables_subject *ours, enum tables_keys keys)
{
	return ours == &tables_pressure && keys == TABLES_V6 ? 4 : 1;
}

/* What is measured; `levels` keys are made of each source, for tables that do not do so themselves. */
struct call {
	unsigned (*run)(void *table, const struct tables_key keys[], unsigned n);
	void *table;
	unsigned levels;
};

/* One trial's keys: members drawn at random, or strangers none of whom comes twice. */
struct draw {
	struct tables_key *keys;
	uint64_t members, strangers, random;
};

static void draw_fill(struct draw *draw, enum tables_keys keys, bool strangers)
{
	for (uint64_t i = 0; i < options.attempts; i++)
		draw->keys[i] = tables_key_make(keys, strangers, strangers ? draw->strangers++ : random_next(&draw->random) % draw->members);
}

/* The /64, /56, /48 and /32 of a site as keys of a table that knows nothing of prefixes. */
static void prefixes_of(const struct tables_key sites[], unsigned n, struct tables_key prefixes[])
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned level = 0; level < 4; level++)
			prefixes[4 * i + level].high = (sites[i].high >> (uint8_t[]){0, 8, 16, 32}[level]) ^ (uint64_t)level << 62;
	}
}

/* Hits of the most specific level are not told apart: a source that never came has new prefixes only. */
static uint64_t pass(const struct call *call, const struct tables_key keys[], uint64_t n)
{
	unsigned burst = TABLES_BURST / call->levels;
	uint64_t hits = 0;

	for (uint64_t i = 0; i < n; i += burst) {
		struct tables_key prefixes[TABLES_BURST] = {0};

		if (call->levels == 1) {
			hits += call->run(call->table, keys + i, TABLES_BURST);
			continue;
		}
		prefixes_of(keys + i, burst, prefixes);
		hits += call->run(call->table, prefixes, TABLES_BURST);
	}
	return hits;
}

static double passes(
	const struct call *call, enum tables_keys keys, struct draw *draw, bool strangers, uint64_t *ret_hits)
{
	double times[TRIALS_MAX];
	uint64_t hits = 0;

	for (unsigned trial = 0; trial < options.trials; trial++) {
		double start;

		draw_fill(draw, keys, strangers);
		start = clock_ns();
		hits += pass(call, draw->keys, options.attempts);
		times[trial] = (clock_ns() - start) / (double)options.attempts;
	}
	*ret_hits = hits;
	return median(times, (unsigned)options.trials);
}

/* Lookups of `members` keys that were added, and of strangers. Tables that replace lose a few of their members to each other while
 * they are filled to four fifths: 5 % at most. */
static void lookups(const struct tables_subject *subject, void *table, enum tables_keys keys, struct draw *draw, struct measured *out)
{
	struct call call = {subject->lookup, table, 1};
	uint64_t hits, n = options.attempts * options.trials;

	out->hit_ns = passes(&call, keys, draw, false, &hits);
	if (hits < (subject == &tables_proven || subject == &tables_flows ? n - n / 20 : n))
		wrong(subject->name, "members found", hits, n - n / 20, n);
	out->miss_ns = passes(&call, keys, draw, true, &hits);
	if (hits > n / 100000)
		wrong(subject->name, "strangers found", hits, 0, n / 100000);
}

/* A population whose prefixes are as many as the table's places comes again and again, then strangers. */
static void charges(const struct tables_subject *subject, void *table, enum tables_keys keys, unsigned log2, unsigned levels,
	struct draw *draw, struct measured *out)
{
	struct call call = {subject->charge, table, subject == &tables_pressure ? 1 : levels};
	uint64_t hits, n = options.attempts * options.trials;

	draw->members = (UINT64_C(1) << log2) / levels;
	for (uint64_t i = 0; i < draw->members; i += TABLES_BURST) {
		struct tables_key burst[TABLES_BURST];

		for (unsigned k = 0; k < TABLES_BURST; k++)
			burst[k] = tables_key_make(keys, false, i + k);
		(void)pass(&call, burst, TABLES_BURST);
	}
	out->population_ns = passes(&call, keys, draw, false, &hits);
	out->unique_ns = passes(&call, keys, draw, true, &hits);
	/* Tags of 28 bits among 8 candidates: 3e-8 a lookup are taken for another. Of 2^28 /32s a few come twice. */
	if (hits > (levels == 1 ? n / 100000 : n / 20))
		wrong(subject->name, "of sources that never came twice seen before", hits, 0, n / 20);
}

static int subject_measure(const struct tables_subject *subject, enum tables_keys keys, unsigned log2, unsigned flood_levels,
	struct measured *out)
{
	struct draw draw = {.members = (UINT64_C(4) << log2) / 5, .random = options.seed};
	void *table;
	int error = subject->create(keys, log2, &table);

	*out = (struct measured){0};
	if (error != 0) {
		fprintf(stderr, "weir-bench-tables: %s of 2^%u places: %s\n", subject->name, log2, strerror(-error));
		status = 1;
		return error;
	}
	draw.keys = huge_memory_allocate(NULL, options.attempts * sizeof(*draw.keys));
	if (!draw.keys) {
		subject->destroy(table);
		status = 1;
		return -ENOMEM;
	}
	if (flood_levels != 0) {
		charges(subject, table, keys, log2, flood_levels, &draw, out);
	} else {
		double start = clock_ns();

		for (uint64_t i = 0; i < draw.members && error == 0; i++) {
			struct tables_key key = tables_key_make(keys, false, i);

			error = subject->add(table, &key);
		}
		out->add_ns = (clock_ns() - start) / (double)draw.members;
		if (error != 0)
			wrong(subject->name, strerror(-error), draw.members, draw.members, draw.members);
		else
			lookups(subject, table, keys, &draw, out);
	}
	out->bytes = (double)subject->bytes(table) / (0.8 * (double)(UINT64_C(1) << log2));
	huge_memory_free(NULL, draw.keys, options.attempts * sizeof(*draw.keys));
	subject->destroy(table);
	return error;
}

static const struct tables_subject *const peers[] = {&tables_rte_hash, &tables_rte_hash_keyed, &tables_lfht};
enum { PEERS = sizeof(peers) / sizeof(peers[0]) };

/* design.md section 10: 10 and 20 bytes a ban, 64 and an index of at most 16 a flow; proven_table.h: 16 an entry, at four fifths. */
static double bytes_target(const struct tables_subject *ours, enum tables_keys keys)
{
	return ours == &tables_bans ? (keys == TABLES_V4 ? 10 : 20) : ours == &tables_flows ? 80 / 0.8 : 16 / 0.8;
}

static void lookup_compare(const struct tables_subject *ours, enum tables_keys keys, unsigned log2)
{
	uint64_t entries = (UINT64_C(4) << log2) / 5;
	struct measured mine, theirs;
	char name[128];

	if (subject_measure(ours, keys, log2, 0, &mine) != 0)
		return;
	for (unsigned i = 0; i < PEERS; i++) {
		if (subject_measure(peers[i], keys, log2, 0, &theirs) != 0)
			continue;
		snprintf(name, sizeof(name), "%s %s: lookup that hits, %" PRIu64 " entries", ours->name, keys_names[keys], entries);
		result(name, "ns", mine.hit_ns, theirs.hit_ns, peers[i]->name, 1, true);
		snprintf(name, sizeof(name), "%s %s: lookup that misses, %" PRIu64 " entries", ours->name, keys_names[keys], entries);
		result(name, "ns", mine.miss_ns, theirs.miss_ns, peers[i]->name, 1, true);
		if (ours == &tables_bans) {
			snprintf(name, sizeof(name), "%s %s: %" PRIu64 " set one by one, beside a peer", ours->name, keys_names[keys], entries);
			result(name, "M/s", 1e3 / mine.add_ns, 1e3 / theirs.add_ns, peers[i]->name, 1, false);
		}
		snprintf(name, sizeof(name), "%s %s: memory beside a peer, %" PRIu64 " entries", ours->name, keys_names[keys], entries);
		if (peers[i] != &tables_rte_hash_keyed)
			result(name, "bytes/entry", mine.bytes, theirs.bytes, peers[i]->name, 1, true);
	}
	snprintf(name, sizeof(name), "%s %s: memory, %" PRIu64 " entries", ours->name, keys_names[keys], entries);
	result(name, "bytes/entry", mine.bytes, 0, NULL, bytes_target(ours, keys), true);
	/* design.md section 10: a million bans a second into the table. */
	if (ours == &tables_bans) {
		snprintf(name, sizeof(name), "%s %s: %" PRIu64 " set one by one", ours->name, keys_names[keys], entries);
		result(name, "M/s", 1e3 / mine.add_ns, 0, NULL, 1, false);
	}
}

/* Millions a second: of sources that never come twice, beside a population as large as the table; then beside the peers. */
static void flood_compare(const struct tables_subject *ours, enum tables_keys keys, unsigned log2)
{
	unsigned levels = levels_of(ours, keys);
	struct measured mine, theirs;
	char name[128];

	if (subject_measure(ours, keys, log2, levels, &mine) != 0)
		return;
	snprintf(name, sizeof(name), "%s %s: unique sources, 2^%u places", ours->name, keys_names[keys], log2);
	result(name, "M/s", 1e3 / mine.unique_ns, 1e3 / mine.population_ns, "population as large", 0.8, false);
	for (unsigned i = 0; i < PEERS; i++) {
		char baseline[96];

		if (subject_measure(peers[i], keys, log2, levels, &theirs) != 0)
			continue;
		snprintf(baseline, sizeof(baseline), "%s%s (%.2f with the population)", peers[i]->name,
			ours == &tables_pressure ? levels == 1 ? ", hosts alone" : ", four prefixes" : "", 1e3 / theirs.population_ns);
		result(name, "M/s", 1e3 / mine.unique_ns, 1e3 / theirs.unique_ns, baseline, 1, false);
	}
}

/* What one more hashed prefix costs: the difference of two tables, for both have the same arrays for coarse IPv4 prefixes. */
static void pressure_memory(unsigned log2)
{
	void *small, *large;
	char name[128];
	double bytes;

	if (log2 <= 10 || tables_pressure.create(TABLES_V6, 10, &small) != 0)
		return;
	if (tables_pressure.create(TABLES_V6, log2, &large) == 0) {
		bytes = (double)(tables_pressure.bytes(large) - tables_pressure.bytes(small)) / (double)((UINT64_C(1) << log2) - 1024);
		snprintf(name, sizeof(name), "pressure_table: memory of a hashed prefix, 2^%u places", log2);
		result(name, "bytes/entry", bytes, 0, NULL, 8, true);
		tables_pressure.destroy(large);
	}
	tables_pressure.destroy(small);
}

static double lists_measure(const struct tables_lists_subject *subject, const struct prefix prefixes[], uint32_t n,
	const struct tables_lists_asked *asked, uint64_t *ret_covered, double *ret_bytes)
{
	double times[TRIALS_MAX];
	void *table;
	int error = subject->create(prefixes, n, &table);

	if (error != 0) {
		fprintf(stderr, "weir-bench-tables: %s of %u prefixes: %s\n", subject->name, n, strerror(-error));
		status = 1;
		return 0;
	}
	for (unsigned trial = 0; trial < options.trials; trial++) {
		double start = clock_ns();

		*ret_covered = subject->lookup(table, asked);
		times[trial] = (clock_ns() - start) / asked->n;
	}
	*ret_bytes = (double)subject->bytes(table) / n;
	subject->destroy(table);
	return median(times, (unsigned)options.trials);
}

static void lists_compare(uint8_t family)
{
	struct prefix *prefixes = calloc(options.prefixes, sizeof(*prefixes));
	struct tables_lists_asked asked;
	double mine_ns = 0, mine_bytes = 0, bytes;
	uint64_t mine_covered = 0, covered = 0;
	uint32_t n = prefixes ? tables_lists_prefixes(family, (uint32_t)options.prefixes, options.seed, prefixes) : 0;

	if (n == 0 || tables_lists_ask(family, prefixes, n, (uint32_t)options.attempts, options.seed, &asked) != 0) {
		free(prefixes);
		status = 1;
		return;
	}
	for (unsigned i = 0; i < TABLES_LISTS_SUBJECTS; i++) {
		const struct tables_lists_subject *subject = &tables_lists_subjects[i];
		char name[128];
		double ns;

		if (subject->family != family)
			continue;
		ns = lists_measure(subject, prefixes, n, &asked, &covered, &bytes);
		if (mine_ns == 0) {
			mine_ns = ns;
			mine_bytes = bytes;
			mine_covered = covered;
		} else if (ns > 0 && covered != mine_covered) {
			wrong(subject->name, "addresses covered, by our count", covered, mine_covered, mine_covered);
		} else if (ns > 0) {
			snprintf(name, sizeof(name), "lists IPv%u: longest prefix, %u prefixes", family, n);
			result(name, "ns", mine_ns, ns, subject->name, 1, true);
			snprintf(name, sizeof(name), "lists IPv%u: memory, %u prefixes", family, n);
			result(name, "bytes/prefix", mine_bytes, bytes, subject->name, 1, true);
		}
	}
	tables_lists_ask_end(&asked);
	free(prefixes);
}

static void usage(FILE *to)
{
	fputs("usage: weir-bench-tables [options]\n"
	      "Our tables beside rte_hash, cds_lfht, rte_lpm and rte_fib: same keys, pages, bursts and occupancy.\n"
	      "  --log2 N        places of each table, 10..24; may be repeated (default 16, 20, 24)\n"
	      "  --prefixes N    in the lists, 100..1000000 (default 100000)\n"
	      "  --attempts N    in a trial, a multiple of 32 (default 1048576); --trials N, 1..31 (default 5); --seed N\n"
	      "  --only PART     lookup, flood or lists\n"
	      "  --json          result as one object\n",
		to);
}

static bool options_parse(int argc, char *argv[])
{
	static const struct option known[] = {{"log2", 1, NULL, 'l'}, {"prefixes", 1, NULL, 'p'}, {"attempts", 1, NULL, 'a'},
		{"trials", 1, NULL, 't'}, {"seed", 1, NULL, 's'}, {"only", 1, NULL, 'o'}, {"json", 0, NULL, 'j'}, {"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	uint64_t log2;
	bool sizes_given = false, good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'l':
			good = option_count_parse(optarg, 10, 24, &log2) && (!sizes_given || options.n_sizes < SIZES_MAX);
			options.n_sizes = sizes_given ? options.n_sizes : 0;
			sizes_given = true;
			if (good)
				options.sizes[options.n_sizes++] = (unsigned)log2;
			break;
		case 'p': good = option_count_parse(optarg, 100, 1000000, &options.prefixes); break;
		case 'a': good = option_count_parse(optarg, 1024, 1 << 26, &options.attempts) && options.attempts % TABLES_BURST == 0; break;
		case 't': good = option_count_parse(optarg, 1, TRIALS_MAX, &options.trials); break;
		case 's': good = option_count_parse(optarg, 1, UINT32_MAX, &options.seed); break;
		case 'o':
			options.only = optarg;
			good = wanted("lookup") || wanted("flood") || wanted("lists");
			break;
		case 'j': options.json = true; break;
		case 'h': usage(stdout); exit(0);
		default: return false;
		}
		if (!good)
			fprintf(stderr, "weir-bench-tables: '%s' is not in this option's range (see --help)\n", optarg);
	}
	return good && optind == argc;
}

/* cds_lfht takes its buckets from malloc, which gives huge pages only if asked before the program starts. */
static void malloc_huge(char *argv[])
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	if (setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=2", 1) == 0)
		execv("/proc/self/exe", argv);
	fputs("weir-bench-tables: cds_lfht's buckets lie in small pages: the program cannot start itself again\n", stderr);
}

static void measure(void)
{
	static const struct {
		const struct tables_subject *ours;
		enum tables_keys keys;
	} pairs[] = {{&tables_bans, TABLES_V4}, {&tables_bans, TABLES_V6}, {&tables_proven, TABLES_V4}, {&tables_flows, TABLES_FLOW},
		{&tables_pressure, TABLES_V4}, {&tables_pressure, TABLES_V6}};

	for (unsigned size = 0; size < options.n_sizes; size++) {
		for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
			if (wanted("lookup") && pairs[i].ours->lookup)
				lookup_compare(pairs[i].ours, pairs[i].keys, options.sizes[size]);
			if (wanted("flood") && pairs[i].ours->charge)
				flood_compare(pairs[i].ours, pairs[i].keys, options.sizes[size]);
		}
		if (wanted("flood"))
			pressure_memory(options.sizes[size]);
	}
	if (wanted("lists")) {
		lists_compare(4);
		lists_compare(6);
	}
}

int main(int argc, char *argv[])
{
	if (!options_parse(argc, argv)) {
		usage(stderr);
		return 2;
	}
	malloc_huge(argv);
	if (!tables_environment_start())
		return 1;
	if (options.json)
		printf("{\"attempts\": %" PRIu64 ", \"trials\": %" PRIu64 ", \"results\": [\n ", options.attempts, options.trials);
	measure();
	if (options.json)
		printf("\n], \"pages\": \"%s\", \"pages_dpdk\": \"%s\"}\n", huge_memory_kind(), tables_environment_pages());
	else
		printf("%s pages, DPDK's %s; %" PRIu64 " attempts a trial, median of %" PRIu64 "\n", huge_memory_kind(),
			tables_environment_pages(), options.attempts, options.trials);
	return status;
}
