// SPDX-License-Identifier: BSD-3-Clause
/* Event ring, command log and counters with a writer that runs at the same time as the reader: as a thread,
 * and as a process. Every record that is delivered must be whole, in order and once; what is not delivered
 * must be counted. Under TSan the C11 atomics (heads, counters, consumed words) are checked. The record
 * copies are not seen by it: the reader copies them with pread, inside the kernel. They are checked here by
 * content: a torn record that passes its checksum would show a payload that does not belong to its sequence.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/command_log.h"
#include "shm/event_ring.h"
#include "shm/prefix.h"
#include "tests/check.h"
#include "tests/unit/segment_fixture.h"

/* Many times around both; all runs together take about a second on two cores. */
enum {
	EVENTS = 100 * EVENT_RING_RECORDS,
	COMMANDS = 40 * COMMAND_LOG_RECORDS,
	BATCH = 64,
	DAWDLE_TURNS = 16,
	COUNTS = 2000000
};
#define RUN_SECONDS_MAX 60

/* Words between the sides that in Weir lie in the other segment; in shared memory, for the forked writer. */
struct shared {
	_Atomic uint64_t consumed;
	_Atomic uint64_t done;
	_Atomic uint64_t pushed; /* events that found a place */
	_Atomic uint64_t failed; /* the writer saw something wrong */
};

struct run {
	struct segment_fixture files;
	struct segment segment;
	struct segment_reader reader;
	struct shared *shared;
	bool honest; /* the reader's position is told to the writer as it is */
	time_t give_up;
};

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* What stands in record `sequence`, so that a mixture of two records cannot pass. */
static uint64_t payload_of(uint64_t sequence)
{
	return sequence * UINT64_C(0x9e3779b97f4a7c15);
}

static bool run_open(struct run *run, enum segment_kind kind, uint32_t layout_hash, size_t payload_bytes)
{
	const uint64_t parameters[8] = {1};

	segment_fixture_make(&run->files);
	run->give_up = seconds_now() + RUN_SECONDS_MAX;
	run->shared =
		mmap(NULL, sizeof(*run->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return CHECK_TRUE("shared words", run->shared != MAP_FAILED) &&
	       CHECK_EQ("a segment",
		       (int)segment_create(
			       run->files.path, kind, layout_hash, payload_bytes, parameters, &run->segment),
		       (int)SEGMENT_OK) &&
	       CHECK_EQ("a reader",
		       (int)segment_reader_open(run->files.path, kind, layout_hash, &run->reader),
		       (int)SEGMENT_OK);
}

static void run_close(struct run *run)
{
	segment_reader_close(&run->reader);
	segment_close(&run->segment, run->files.path);
	munmap(run->shared, sizeof(*run->shared));
	CHECK_TRUE("nothing was left", segment_fixture_remove(&run->files));
}

/* Run `writer` beside `reader`, as a thread or as a process, and wait for both. */
static void run_both(struct run *run, bool process, void *(*writer)(void *), void (*reader)(struct run *))
{
	pthread_t thread;
	pid_t child = -1;
	int status = 0;

	if (process) {
		child = fork();
		if (child == 0) {
			writer(run);
			_exit(0);
		}
		CHECK_TRUE("a process", child > 0);
	} else {
		CHECK_EQ("a thread", pthread_create(&thread, NULL, writer, run), 0);
	}
	reader(run);
	if (process)
		CHECK_TRUE("the writer ends well",
			waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		pthread_join(thread, NULL);
	CHECK_EQ("the writer saw nothing wrong", run->shared->failed, 0u);
}

/* A reader that is to be overrun waits, every so often, until the writer is a whole ring ahead: it then reads
 * exactly the records that are being overwritten. */
static void reader_dawdle(
	struct run *run, unsigned turn, size_t head_offset, uint64_t cursor, uint64_t ring_records)
{
	uint64_t head = 0;

	if (run->honest || turn % DAWDLE_TURNS != 0)
		return;
	while (!atomic_load(&run->shared->done) && seconds_now() <= run->give_up) {
		if (segment_reader_read(&run->reader, head_offset, &head, sizeof(head)) != 0 ||
			head >= cursor + ring_records)
			return;
	}
}

static void *ring_writer(void *context)
{
	struct run *run = context;
	struct event_ring *ring = &((struct dataplane_payload *)run->segment.payload)->lcores[0].events;
	uint64_t sequence = 1;

	/* An honest reader slows the writer down, so that every event arrives; a lying one is overrun. */
	while (sequence <= EVENTS && seconds_now() < run->give_up) {
		struct event_record event = {.kind = EVENT_FLOW_PROVEN, .time_ns = payload_of(sequence)};
		uint64_t consumed =
			run->honest ? atomic_load_explicit(&run->shared->consumed, memory_order_relaxed)
				    : sequence - 1;
		int rc = event_ring_push(ring, consumed, &event);

		if (rc == 0)
			sequence++;
		else if (rc == -ENOBUFS && run->honest)
			sched_yield();
		else
			atomic_store(&run->shared->failed, 1);
	}
	atomic_store(&run->shared->pushed, sequence - 1);
	atomic_store(&run->shared->done, 1);
	return NULL;
}

static void ring_reader(struct run *run)
{
	static struct event_record events[BATCH];
	uint64_t cursor = 0, lost = 0, received = 0, last = 0, wrong = 0;
	bool done = false;
	unsigned turn = 0;

	for (;;) {
		uint64_t before = cursor;

		reader_dawdle(run, ++turn,
			offsetof(struct dataplane_payload, lcores) +
				offsetof(struct dataplane_lcore, events) +
				offsetof(struct event_ring, head_sequence),
			cursor, EVENT_RING_RECORDS);
		int n = event_ring_read(&run->reader, 0, &cursor, events, BATCH, &lost);

		if (n < 0 || seconds_now() > run->give_up) {
			CHECK_FAIL("the ring is read to its end", "read: %d", n);
			return;
		}
		for (int i = 0; i < n; i++) {
			wrong += events[i].sequence <= last ||
				 events[i].time_ns != payload_of(events[i].sequence);
			last = events[i].sequence;
			received++;
		}
		atomic_store_explicit(&run->shared->consumed, cursor, memory_order_relaxed);
		if (cursor != before)
			continue;
		if (done)
			break; /* nothing more came after the writer had ended */
		done = atomic_load(&run->shared->done);
		sched_yield();
	}
	CHECK_EQ("no event is torn, repeated or out of order", wrong, 0u);
	CHECK_EQ("all were pushed", run->shared->pushed, (uint64_t)EVENTS);
	CHECK_EQ("each was delivered or counted as lost", received + lost, (uint64_t)EVENTS);
	CHECK_EQ("the last one was read", cursor, (uint64_t)EVENTS);
	if (run->honest)
		CHECK_EQ("none was lost", lost, 0u);
	else
		CHECK_TRUE("some were lost, as was meant", lost > 0);
}

static void ring_run(bool process, bool honest)
{
	struct run run = {.honest = honest};

	if (!run_open(&run, SEGMENT_KIND_DATAPLANE, dataplane_payload_layout_hash(),
		    dataplane_payload_bytes(1)))
		return;
	run_both(&run, process, ring_writer, ring_reader);
	run_close(&run);
}

static void test_ring_thread(void)
{
	ring_run(false, true);
}

static void test_ring_process(void)
{
	ring_run(true, true);
}

static void test_ring_overrun(void)
{
	ring_run(false, false);
	ring_run(true, false);
}

static void *log_writer(void *context)
{
	struct run *run = context;
	struct control_payload *payload = run->segment.payload;
	uint64_t sequence = 0, generation = 0;

	while (sequence < COMMANDS && seconds_now() < run->give_up) {
		uint64_t value = payload_of(sequence + 1);
		struct command_record record = {.kind = COMMAND_BAN_SET,
			.prefix_length = 128,
			.meta = ban_meta_make(SOURCE_CLASS_BANNED, 1),
			.written_ns = value};
		int rc;

		memcpy(record.address, &value, sizeof(value));
		rc = command_log_append(payload, &record, &sequence);
		/* A full log: an image of everything so far is published, whether the reader has followed or
		 * not. An honest run waits for it, so that no record may be missed. */
		if (rc == -ENOBUFS && run->honest &&
			atomic_load_explicit(&run->shared->consumed, memory_order_relaxed) < sequence)
			sched_yield();
		else if (rc == -ENOBUFS)
			command_log_cover(payload, ++generation, sequence);
		else if (rc != 0)
			atomic_store(&run->shared->failed, 1);
	}
	atomic_store(&run->shared->done, 1);
	return NULL;
}

/* What the dataplane does when it is behind: load the newest image, go on from what that covers. */
static bool log_catch_up(struct run *run, struct command_log_cursor *cursor)
{
	uint64_t covered;

	if (segment_reader_read(&run->reader, offsetof(struct control_payload, covered_sequence), &covered,
		    sizeof(covered)) != 0 ||
		covered <= cursor->applied_sequence)
		return false;
	cursor->applied_sequence = covered;
	return true;
}

static void log_reader(struct run *run)
{
	static struct command_record records[BATCH];
	struct command_log_cursor cursor = {0};
	uint64_t received = 0, skipped = 0, wrong = 0, stuck = 0;
	bool done = false;
	unsigned turn = 0;

	while (cursor.applied_sequence < COMMANDS && seconds_now() <= run->give_up) {
		uint64_t before = cursor.applied_sequence;
		unsigned n = 0;

		reader_dawdle(run, ++turn, offsetof(struct control_payload, head_sequence), before,
			COMMAND_LOG_RECORDS);
		enum command_log_result result = command_log_read(&run->reader, &cursor, records, BATCH, &n);

		if (result == COMMAND_LOG_DAMAGED || result == COMMAND_LOG_LOST) {
			CHECK_FAIL("nothing is damaged", "result %d after %llu", (int)result,
				(unsigned long long)before);
			return;
		}
		for (unsigned i = 0; i < n; i++)
			wrong += records[i].sequence != before + 1 + i ||
				 records[i].written_ns != payload_of(records[i].sequence) ||
				 memcmp(records[i].address, &records[i].written_ns, 8) != 0;
		received += n;
		if (result == COMMAND_LOG_BEHIND) {
			/* Behind, and yet no image covers what is missing: it would be so for ever. */
			if (!log_catch_up(run, &cursor)) {
				stuck++;
				break;
			}
			skipped += cursor.applied_sequence - before;
		}
		atomic_store_explicit(&run->shared->consumed, cursor.applied_sequence, memory_order_relaxed);
		if (result == COMMAND_LOG_EMPTY) {
			if (done)
				break;
			done = atomic_load(&run->shared->done);
			sched_yield();
		}
	}
	CHECK_EQ("no record is torn, repeated or out of order", wrong, 0u);
	CHECK_EQ("image plus log is the whole truth", stuck, 0u);
	CHECK_EQ("all were read or covered", received + skipped, (uint64_t)COMMANDS);
	if (run->honest)
		CHECK_EQ("none was skipped", skipped, 0u);
	else
		CHECK_TRUE("some were skipped, as was meant", skipped > 0);
}

static void log_run(bool process, bool honest)
{
	struct run run = {.honest = honest};

	if (!run_open(&run, SEGMENT_KIND_CONTROL, control_payload_layout_hash(),
		    sizeof(struct control_payload)))
		return;
	run_both(&run, process, log_writer, log_reader);
	run_close(&run);
}

static void test_log_thread(void)
{
	log_run(false, true);
}

static void test_log_process(void)
{
	log_run(true, true);
}

static void test_log_behind(void)
{
	log_run(false, false);
	log_run(true, false);
}

static struct counters counters;

static void *counters_writer(void *context)
{
	(void)context;
	for (int i = 0; i < COUNTS; i++) {
		counter_add(&counters, COUNTER_ATTEMPTS, 1);
		counter_reason_add(&counters, REASON_ADMITTED, 2);
	}
	return NULL;
}

static void test_counters(void)
{
	pthread_t thread;
	uint64_t last = 0, back = 0, value = 0;
	time_t give_up = seconds_now() + RUN_SECONDS_MAX;

	CHECK_EQ("a thread", pthread_create(&thread, NULL, counters_writer, NULL), 0);
	while (value < COUNTS && seconds_now() <= give_up) {
		value = atomic_load_explicit(&counters.values[COUNTER_ATTEMPTS], memory_order_relaxed);
		back += value < last;
		last = value;
	}
	pthread_join(thread, NULL);
	CHECK_EQ("a counter never goes back", back, 0u);
	CHECK_EQ("nothing is lost", counters.values[COUNTER_ATTEMPTS], (uint64_t)COUNTS);
	CHECK_EQ("in any word", counters.reasons[REASON_ADMITTED], (uint64_t)COUNTS * 2);
}

static const struct check_test tests[] = {
	{"ring: writer and reader in two threads", test_ring_thread},
	{"ring: writer and reader in two processes", test_ring_process},
	{"ring: a reader that is overrun counts what it lost", test_ring_overrun},
	{"log: writer and reader in two threads", test_log_thread},
	{"log: writer and reader in two processes", test_log_process},
	{"log: a reader left behind goes on from the image", test_log_behind},
	{"counters are read while they are added to", test_counters},
};
CHECK_MAIN("shm_threads", tests)
