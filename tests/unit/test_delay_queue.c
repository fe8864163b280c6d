// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the delay line's queue: when frames come out, in which order, and that each is accounted for. The clock is a
 * number of the test's own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/delay_queue.h"
#include "tests/check.h"

enum { FRAMES = 20000, US = 1000 };

/* A run: frame k, counted from 1, arrives at k * gap. What came out, and when it was due. */
struct run {
	struct delay_queue queue;
	uintptr_t out[2 * FRAMES + 1];
	uint64_t due_ns[2 * FRAMES + 1];
	size_t n_out;
	bool dropped[FRAMES + 1];
};

static void take_all(struct run *run, uint64_t now_ns)
{
	void *frame;

	while ((frame = delay_queue_take(&run->queue, now_ns, &run->due_ns[run->n_out])) != NULL)
		run->out[run->n_out++] = (uintptr_t)frame;
}

static struct run *run_make(const struct delay_model *model, uint64_t seed, uint32_t capacity, size_t n, uint64_t gap_ns,
	uint32_t bytes)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL || delay_queue_create(&run->queue, model, seed, capacity) != 0)
		abort();
	for (uintptr_t k = 1; k <= n; k++) {
		take_all(run, k * gap_ns);
		enum delay_verdict verdict = delay_queue_put(&run->queue, (void *)k, bytes, k * gap_ns);
		run->dropped[k] = verdict == DELAY_DROPPED;
		if (verdict == DELAY_KEPT_COPY_WANTED)
			delay_queue_put_copy(&run->queue, (void *)k);
	}
	return run;
}

static void run_free(struct run *run)
{
	delay_queue_done(&run->queue);
	free(run);
}

static size_t inversions(const struct run *run)
{
	size_t n = 0;

	for (size_t i = 1; i < run->n_out; i++)
		n += run->out[i] < run->out[i - 1];
	return n;
}

static void check_balance(const char *name, const struct run *run)
{
	const struct delay_counts *counts = &run->queue.counts;

	CHECK_EQ(name, counts->received + counts->duplicated,
		counts->taken + counts->dropped_loss + counts->dropped_rate + counts->dropped_full + run->queue.n);
	CHECK_EQ(name, counts->taken, (uint64_t)run->n_out);
}

static void test_fixed_delay(void)
{
	const struct delay_model model = {.delay_ns = 20000 * US};
	struct delay_queue queue;
	uint64_t due_ns = 7;

	CHECK_EQ("a line is made", delay_queue_create(&queue, &model, 1, 4), 0);
	CHECK_EQ("an empty line has nothing due", delay_queue_next_ns(&queue), UINT64_MAX);
	CHECK_PTR_EQ("and gives nothing", delay_queue_take(&queue, UINT64_MAX, &due_ns), NULL);
	CHECK_EQ("and writes nothing", due_ns, 7);
	CHECK_EQ("a frame is kept", delay_queue_put(&queue, &queue, 100, 5 * US), DELAY_KEPT);
	CHECK_EQ("it is due after the delay", delay_queue_next_ns(&queue), 20005 * US);
	CHECK_PTR_EQ("a nanosecond before it is not there", delay_queue_take(&queue, 20005 * US - 1, &due_ns), NULL);
	CHECK_PTR_EQ("then it is", delay_queue_take(&queue, 20005 * US, &due_ns), &queue);
	CHECK_EQ("with its due time", due_ns, 20005 * US);
	delay_queue_done(&queue);
}

static void test_refused(void)
{
	static const struct {
		const char *name;
		struct delay_model model;
		uint32_t capacity;
	} cases[] = {
		{"more than every frame lost", {.loss = 1.01}, 1},
		{"less than none lost", {.loss = -0.01}, 1},
		{"a share that is no number", {.reorder = __builtin_nan("")}, 1},
		{"more than every frame twice", {.duplicate = 2}, 1},
		{"a negative rate", {.rate_bps = -1}, 1},
		{"a rate that is no number", {.rate_bps = __builtin_nan("")}, 1},
		{"a delay of centuries", {.delay_ns = UINT64_MAX / 2}, 1},
		{"no room for any frame", {.loss = 0}, 0},
	};
	struct delay_queue queue;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, delay_queue_create(&queue, &cases[i].model, 1, cases[i].capacity), -EINVAL);
}

static void test_order(void)
{
	static const struct {
		const char *name;
		struct delay_model model;
		bool kept;
	} cases[] = {
		{"a plain line keeps the order", {.delay_ns = 1000 * US}, true},
		{"frames that arrive at once keep it too", {.delay_ns = 0}, true},
		{"jitter alone keeps the order", {.delay_ns = 1000 * US, .jitter_ns = 900 * US}, true},
		{"loss and copies keep it", {.delay_ns = 10 * US, .loss = 0.2, .duplicate = 0.2}, true},
		{"a rate keeps it", {.rate_bps = 1e6, .backlog_bytes = 20000}, true},
		{"held frames are overtaken", {.delay_ns = 100 * US, .reorder = 0.05, .reorder_ns = 50 * US}, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct run *run = run_make(&cases[i].model, 3, FRAMES, FRAMES, i == 1 ? 0 : 10 * US, 100);

		take_all(run, UINT64_MAX - 1);
		CHECK_EQ(cases[i].name, inversions(run) == 0, cases[i].kept);
		CHECK_TRUE(cases[i].name, run->n_out > 0);
		check_balance(cases[i].name, run);
		run_free(run);
	}
}

static void test_shares(void)
{
	static const struct {
		const char *name;
		struct delay_model model;
		double lost, held, twice;
	} cases[] = {
		{"nothing is lost, held or copied without being asked for", {.delay_ns = US}, 0, 0, 0},
		{"a tenth is lost", {.loss = 0.1}, 0.1, 0, 0},
		{"all are lost", {.loss = 1}, 1, 0, 0},
		{"a quarter is held", {.reorder = 0.25, .reorder_ns = 100 * US}, 0, 0.25, 0},
		{"a twentieth comes twice", {.duplicate = 0.05}, 0, 0, 0.05},
		{"all come twice", {.duplicate = 1}, 0, 0, 1},
		{"of what is not lost, half is held and half copied", {.loss = 0.5, .reorder = 0.5, .duplicate = 0.5}, 0.5, 0.25, 0.25},
	};
	/* five standard deviations of the widest, sqrt(n/4) */
	const double tolerance = 5 * 0.5 * 141.5;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct run *run = run_make(&cases[i].model, 11 + i, FRAMES, FRAMES, 10 * US, 100);
		const struct delay_counts *counts = &run->queue.counts;
		bool certain = cases[i].lost + cases[i].held + cases[i].twice == (int)(cases[i].lost + cases[i].held + cases[i].twice) &&
			i != CHECK_COUNT(cases) - 1;

		take_all(run, UINT64_MAX - 1);
		CHECK_NEAR(cases[i].name, (double)counts->dropped_loss, cases[i].lost * FRAMES, certain ? 0 : tolerance);
		CHECK_NEAR(cases[i].name, (double)counts->reordered, cases[i].held * FRAMES, certain ? 0 : tolerance);
		CHECK_NEAR(cases[i].name, (double)counts->duplicated, cases[i].twice * FRAMES, certain ? 0 : tolerance);
		check_balance(cases[i].name, run);
		run_free(run);
	}
}

static void test_copies(void)
{
	const struct delay_model model = {.delay_ns = 50 * US, .duplicate = 1};
	struct run *run = run_make(&model, 1, 2 * FRAMES, 1000, 10 * US, 100);

	take_all(run, UINT64_MAX - 1);
	CHECK_EQ("each frame comes twice", (uint64_t)run->n_out, 2000);
	for (size_t i = 0; i + 1 < run->n_out; i += 2)
		if (!CHECK_EQ("the copy directly behind the frame", (uint64_t)run->out[i], (uint64_t)run->out[i + 1]))
			break;
	run_free(run);

	run = run_make(&model, 1, 3, 2, 10 * US, 100);
	CHECK_EQ("a full line takes no copy", run->queue.counts.dropped_full, 1);
	CHECK_EQ("and says that there was one", run->queue.counts.duplicated, 2);
	check_balance("a full line's copies are accounted for", run);
	run_free(run);
}

static void test_jitter(void)
{
	const struct delay_model model = {.delay_ns = 1000 * US, .jitter_ns = 500 * US};
	/* each frame long after the one before it: nothing has to wait for the order's sake */
	struct run *run = run_make(&model, 5, FRAMES, 1000, 10000 * US, 100);
	uint64_t least_ns = UINT64_MAX, most_ns = 0;

	take_all(run, UINT64_MAX - 1);
	for (size_t i = 0; i < run->n_out; i++) {
		uint64_t delay_ns = run->due_ns[i] - run->out[i] * (10000 * US);

		least_ns = delay_ns < least_ns ? delay_ns : least_ns;
		most_ns = delay_ns > most_ns ? delay_ns : most_ns;
	}
	CHECK_TRUE("jitter never shortens the delay", least_ns >= 1000 * US);
	CHECK_TRUE("nor lengthens it by more than asked", most_ns <= 1500 * US);
	CHECK_TRUE("and uses its whole range", least_ns < 1010 * US && most_ns > 1490 * US);
	run_free(run);
}

static void test_held(void)
{
	const struct delay_model model = {.delay_ns = 100 * US, .reorder = 0.1, .reorder_ns = 35 * US};
	struct run *run = run_make(&model, 9, FRAMES, 1000, 10 * US, 100);
	uint64_t held = 0;

	take_all(run, UINT64_MAX - 1);
	for (size_t i = 0; i < run->n_out; i++) {
		uint64_t delay_ns = run->due_ns[i] - run->out[i] * (10 * US);

		held += delay_ns == 135 * US;
		if (!CHECK_TRUE("a frame has the delay, or is held for as long as asked", delay_ns == 100 * US || delay_ns == 135 * US))
			break;
	}
	CHECK_EQ("as many as were counted", held, run->queue.counts.reordered);
	CHECK_TRUE("held frames do not hold those behind them", inversions(run) > 50);
	run_free(run);
}

static void test_rate(void)
{
	/* 8 Mbit/s: 100 bytes take 100 us */
	const struct delay_model model = {.delay_ns = 1000 * US, .rate_bps = 8e6, .backlog_bytes = 1000};
	struct run *run = run_make(&model, 1, FRAMES, 1000, 10 * US, 100);
	const struct delay_counts *counts = &run->queue.counts;

	take_all(run, UINT64_MAX - 1);
	CHECK_EQ("the first frame takes its time on the line and the delay", run->due_ns[0], 10 * US + 100 * US + 1000 * US);
	CHECK_EQ("the next one waits for it", run->due_ns[1], run->due_ns[0] + 100 * US);
	/* 10 ms of arrivals carry 100 frames, and the backlog another 10 */
	CHECK_NEAR("a tenth of what arrives passes, and the backlog", (double)counts->taken, 110, 2);
	CHECK_EQ("the rest is counted", counts->dropped_rate, 1000 - counts->taken);
	check_balance("and nothing is missing", run);
	run_free(run);

	run = run_make(&model, 1, FRAMES, 1000, 200 * US, 100);
	CHECK_EQ("a line that is idle half of the time drops nothing", run->queue.counts.dropped_rate, 0);
	run_free(run);
}

static void test_bound(void)
{
	const struct delay_model model = {.delay_ns = 1000000 * US};
	struct run *run = run_make(&model, 1, 16, 100, US, 100);

	CHECK_EQ("a line takes as many as it is made for", (uint64_t)run->queue.n, 16);
	CHECK_EQ("counts the others", run->queue.counts.dropped_full, 84);
	CHECK_EQ("and remembers how full it was", run->queue.counts.peak, 16);
	for (uintptr_t k = 1; k <= 16; k++)
		CHECK_TRUE("drain gives the frames back", delay_queue_drain(&run->queue) == (void *)k);
	CHECK_PTR_EQ("until there is none", delay_queue_drain(&run->queue), NULL);
	CHECK_EQ("drained frames have not come out", run->queue.counts.taken, 0);
	run_free(run);
}

static void test_seed(void)
{
	const struct delay_model lossy = {.loss = 0.1};
	const struct delay_model worse = {.loss = 0.1, .delay_ns = 70 * US, .jitter_ns = 30 * US, .reorder = 0.3, .reorder_ns = US, .duplicate = 0.2};
	struct run *first = run_make(&lossy, 42, FRAMES, FRAMES, 10 * US, 100);
	struct run *again = run_make(&lossy, 42, FRAMES, FRAMES, 13 * US, 1000);
	struct run *other = run_make(&lossy, 43, FRAMES, FRAMES, 10 * US, 100);
	struct run *more = run_make(&worse, 42, 2 * FRAMES, FRAMES, 10 * US, 100);

	CHECK_MEM_EQ("the same seed loses the same frames", again->dropped, first->dropped, sizeof(first->dropped));
	CHECK_MEM_EQ("whatever else happens to the others", more->dropped, first->dropped, sizeof(first->dropped));
	CHECK_TRUE("another seed loses others", memcmp(other->dropped, first->dropped, sizeof(first->dropped)) != 0);
	run_free(first);
	run_free(again);
	run_free(other);
	run_free(more);
}

static const struct check_test tests[] = {
	{"a frame comes out after the delay", test_fixed_delay},
	{"what is no model is refused", test_refused},
	{"the order is kept unless asked otherwise", test_order},
	{"shares are what was asked for", test_shares},
	{"copies follow their frame", test_copies},
	{"jitter stays in its range", test_jitter},
	{"held frames are overtaken", test_held},
	{"a rate limits, and its backlog is bounded", test_rate},
	{"the line is bounded", test_bound},
	{"the seed decides", test_seed},
};
CHECK_MAIN("delay_queue", tests)
