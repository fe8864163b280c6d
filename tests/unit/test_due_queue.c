/* SPDX-License-Identifier: BSD-3-Clause
 * control/due_queue.c against a plain array: after any sequence of set, move and clear the earliest is the
 * earliest, and taking one after another gives all in order. Fixed seed, so a failure repeats.
 */
#include "control/due_queue.h"
#include "tests/check.h"

enum { ITEMS = 700, STEPS = 200000, LOOK_EVERY = 16, TIMES = 5000 };

static int64_t due_ms[ITEMS]; /* INT64_MAX: not queued */

static uint32_t next_random(void)
{
	static uint64_t state = UINT64_C(88172645463325252);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 11);
}

static int64_t least_ms(void)
{
	int64_t least = INT64_MAX;
	for (unsigned i = 0; i < ITEMS; i++)
		least = due_ms[i] < least ? due_ms[i] : least;
	return least;
}

static void test_model(void)
{
	struct due_queue queue;
	struct due_entry entry;
	due_queue_init(&queue);
	CHECK_EQ("room is made", due_queue_reserve(&queue, ITEMS), 0);
	CHECK_FALSE("an empty queue has no first", due_queue_peek(&queue, &entry));
	CHECK_EQ("and nothing due", due_queue_next_ms(&queue), INT64_MAX);
	for (unsigned i = 0; i < ITEMS; i++)
		due_ms[i] = INT64_MAX;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = next_random() % ITEMS, j = next_random() % ITEMS;
		due_ms[i] = next_random() % 4 != 0 ? (int64_t)(next_random() % TIMES) : INT64_MAX;
		due_queue_set(&queue, i, due_ms[i]);
		if (next_random() % 8 == 0) {
			due_ms[j] = INT64_MAX;
			due_queue_clear(&queue, j);
		}
		if (step % LOOK_EVERY == 0 &&
			!CHECK_EQ("the earliest", due_queue_next_ms(&queue), least_ms()))
			break;
	}
	while (due_queue_peek(&queue, &entry)) {
		if (!CHECK_EQ("they come in order", entry.due_ms, least_ms()) ||
			!CHECK_EQ("each with its time", entry.due_ms, due_ms[entry.item]))
			break;
		due_ms[entry.item] = INT64_MAX;
		due_queue_clear(&queue, entry.item);
	}
	CHECK_EQ("none was forgotten", least_ms(), INT64_MAX);
	due_queue_fini(&queue);
}

static const struct check_test tests[] = {
	{"the queue is what an array would be", test_model},
};
CHECK_MAIN("due_queue", tests)
