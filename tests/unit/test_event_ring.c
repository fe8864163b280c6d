// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the event rings and of the dataplane's segment: order, a full ring, a reader that lies, damage,
 * lost events counted, a truncated segment, several lcores.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "shm/event_ring.h"
#include "tests/check.h"
#include "tests/unit/segment_fixture.h"

enum { LCORES = 3, LCORE = 1 };

struct ring_fixture {
	struct segment_fixture files;
	struct segment segment;
	struct dataplane_payload *payload;
	struct event_ring *ring; /* of LCORE */
	struct segment_reader reader;
};

static void ring_open(struct ring_fixture *fixture)
{
	const uint64_t parameters[8] = {LCORES};

	segment_fixture_make(&fixture->files);
	CHECK_EQ("the dataplane's segment",
		(int)segment_create(fixture->files.path, SEGMENT_KIND_DATAPLANE,
			dataplane_payload_layout_hash(), dataplane_payload_bytes(LCORES), parameters,
			&fixture->segment),
		(int)SEGMENT_OK);
	fixture->payload = fixture->segment.payload;
	fixture->ring = &fixture->payload->lcores[LCORE].events;
	CHECK_EQ("a ring lies on a cache line", (uintptr_t)fixture->ring % 64, 0u);
	CHECK_EQ("its reader",
		(int)segment_reader_open(fixture->files.path, SEGMENT_KIND_DATAPLANE,
			dataplane_payload_layout_hash(), &fixture->reader),
		(int)SEGMENT_OK);
}

static void ring_close(struct ring_fixture *fixture)
{
	segment_reader_close(&fixture->reader);
	segment_close(&fixture->segment, fixture->files.path);
	CHECK_TRUE("nothing was left", segment_fixture_remove(&fixture->files));
}

static int push(struct ring_fixture *fixture, uint64_t consumed, uint32_t detail)
{
	struct event_record event = {.kind = EVENT_FLOW_PROVEN, .detail = detail};

	return event_ring_push(fixture->ring, consumed, &event);
}

static void test_order(void)
{
	struct ring_fixture fixture;
	struct event_record events[16];
	uint64_t cursor = 0, lost = 0;

	ring_open(&fixture);
	CHECK_EQ("a new ring is empty", event_ring_read(&fixture.reader, LCORE, &cursor, events, 16, &lost),
		0);
	for (uint32_t i = 0; i < 20; i++)
		CHECK_EQ("push", push(&fixture, 0, i), 0);
	CHECK_EQ("as many as asked for", event_ring_read(&fixture.reader, LCORE, &cursor, events, 16, &lost),
		16);
	for (unsigned i = 0; i < 16; i++)
		CHECK_TRUE("in order, as written", events[i].detail == i && events[i].sequence == i + 1);
	CHECK_EQ("the rest", event_ring_read(&fixture.reader, LCORE, &cursor, events, 16, &lost), 4);
	CHECK_EQ("then nothing", event_ring_read(&fixture.reader, LCORE, &cursor, events, 16, &lost), 0);
	CHECK_EQ("nothing was lost", lost, 0u);
	CHECK_EQ("the neighbours' rings are empty",
		event_ring_read(&fixture.reader, LCORE + 1, &cursor, events, 16, &lost), 0);
	CHECK_EQ("there is no fourth lcore",
		event_ring_read(&fixture.reader, LCORES, &cursor, events, 16, &lost), -EINVAL);
	ring_close(&fixture);
}

static void test_full(void)
{
	struct ring_fixture fixture;
	static struct event_record events[EVENT_RING_RECORDS];
	uint64_t cursor = 0, lost = 0;

	ring_open(&fixture);
	for (uint32_t i = 0; i < EVENT_RING_RECORDS; i++)
		if (push(&fixture, 0, i) != 0)
			CHECK_FAIL("the ring takes all its records", "number %u", i);
	CHECK_EQ("then it drops", push(&fixture, 0, 1), -ENOBUFS);
	CHECK_EQ("a reader ahead of the head frees nothing", push(&fixture, UINT64_MAX, 1), -ENOBUFS);
	CHECK_EQ("drops are counted", fixture.ring->dropped, 2u);
	CHECK_EQ("and nothing is overwritten",
		event_ring_read(&fixture.reader, LCORE, &cursor, events, EVENT_RING_RECORDS, &lost),
		(int)EVENT_RING_RECORDS);
	CHECK_EQ("the oldest is there", events[0].detail, 0u);
	for (uint32_t i = 0; i < 10; i++)
		CHECK_EQ("what was read is free", push(&fixture, cursor - EVENT_RING_RECORDS + 10, i), 0);
	CHECK_EQ("no more than that", push(&fixture, cursor - EVENT_RING_RECORDS + 10, 1), -ENOBUFS);
	for (uint32_t i = 10; i < 100; i++)
		CHECK_EQ("all read, all free", push(&fixture, cursor, i), 0);
	CHECK_EQ("read around the end", event_ring_read(&fixture.reader, LCORE, &cursor, events, 200, &lost),
		100);
	CHECK_EQ("in order", events[99].detail, 99u);
	CHECK_EQ("nothing was lost", lost, 0u);
	ring_close(&fixture);
}

static void test_lost(void)
{
	struct ring_fixture fixture;
	static struct event_record events[EVENT_RING_RECORDS];
	uint64_t cursor = 0, lost = 0, consumed = 0;

	ring_open(&fixture);
	/* Another reader frees places that this one has not read, as when control starts again. */
	for (uint32_t i = 0; i < EVENT_RING_RECORDS + 50; i++)
		push(&fixture, consumed++, i);
	CHECK_EQ("the oldest that is left is read",
		event_ring_read(&fixture.reader, LCORE, &cursor, events, 10, &lost), 10);
	CHECK_EQ("it is the 51st", events[0].sequence, 51u);
	CHECK_EQ("the lost ones are counted", lost, 50u);
	CHECK_EQ("the cursor stands behind what was copied", cursor, 60u);
	cursor = UINT64_MAX;
	lost = 0;
	CHECK_EQ("a cursor of another instance",
		event_ring_read(&fixture.reader, LCORE, &cursor, events, 10, &lost), 0);
	CHECK_EQ("goes on from the head", cursor, (uint64_t)EVENT_RING_RECORDS + 50);
	CHECK_EQ("and asks for a reconciliation", lost, 1u);
	ring_close(&fixture);
}

static void test_damage(void)
{
	struct ring_fixture fixture;
	struct event_record events[8], saved;

	ring_open(&fixture);
	for (uint32_t i = 0; i < 3; i++)
		push(&fixture, 0, i);
	saved = fixture.ring->records[1];
	for (size_t i = 0; i < sizeof(saved); i++) {
		uint64_t cursor = 0, lost = 0;

		((uint8_t *)&fixture.ring->records[1])[i] ^= 0x40;
		if (event_ring_read(&fixture.reader, LCORE, &cursor, events, 8, &lost) != 2 || lost != 1 ||
			cursor != 3 || events[1].detail != 2)
			CHECK_FAIL("a damaged event is skipped and counted", "byte %zu", i);
		fixture.ring->records[1] = saved;
	}
	uint64_t cursor = 0, lost = 0;
	struct event_record unknown = {.kind = EVENT_KIND_COUNT};

	event_ring_push(fixture.ring, 0, &unknown);
	CHECK_EQ("an unknown kind is skipped",
		event_ring_read(&fixture.reader, LCORE, &cursor, events, 8, &lost), 3);
	CHECK_EQ("and counted", lost, 1u);
	CHECK_EQ("the segment is truncated", truncate(fixture.files.path, 4096), 0);
	CHECK_EQ("the reader gets an error",
		event_ring_read(&fixture.reader, LCORE, &cursor, events, 8, &lost), -ENODATA);
	ring_close(&fixture);
}

static void test_fixed_part_and_counters(void)
{
	struct ring_fixture fixture;
	struct dataplane_payload copy;
	struct counters counters;

	ring_open(&fixture);
	atomic_store(&fixture.payload->applied_sequence, 12);
	atomic_store(&fixture.payload->state, DATAPLANE_STATE_GOVERNING);
	counter_add(&fixture.payload->lcores[2].counters, COUNTER_ATTEMPTS, 40);
	counter_add(&fixture.payload->lcores[2].counters, COUNTER_ATTEMPTS, 2);
	counter_add(&fixture.payload->lcores[2].counters, COUNTER_FLOWS, 1);
	counter_add(&fixture.payload->lcores[2].counters, COUNTER_FLOWS, (uint64_t)-1);
	counter_reason_add(&fixture.payload->lcores[2].counters, REASON_NO_BUFFER, 3);
	CHECK_EQ("the fixed part is read", dataplane_payload_read(&fixture.reader, &copy), 0);
	CHECK_EQ("applied", copy.applied_sequence, 12u);
	CHECK_EQ("state", copy.state, (uint64_t)DATAPLANE_STATE_GOVERNING);
	CHECK_EQ("counters are read", dataplane_counters_read(&fixture.reader, 2, &counters), 0);
	CHECK_EQ("a counter adds up", counters.values[COUNTER_ATTEMPTS], 42u);
	CHECK_EQ("a gauge goes down too", counters.values[COUNTER_FLOWS], 0u);
	CHECK_EQ("reasons have their own", counters.reasons[REASON_NO_BUFFER], 3u);
	CHECK_EQ("the next lcore's are its own", dataplane_counters_read(&fixture.reader, 0, &counters), 0);
	CHECK_EQ("untouched", counters.values[COUNTER_ATTEMPTS], 0u);
	CHECK_EQ("there is no such lcore", dataplane_counters_read(&fixture.reader, LCORES, &counters),
		-EINVAL);
	CHECK_EQ("truncated", truncate(fixture.files.path, 300), 0);
	copy.applied_sequence = 1;
	CHECK_EQ("the fixed part is gone", dataplane_payload_read(&fixture.reader, &copy), -ENODATA);
	CHECK_EQ("and the copy untouched", copy.applied_sequence, 1u);
	CHECK_EQ("so are the counters", dataplane_counters_read(&fixture.reader, 2, &counters), -ENODATA);
	ring_close(&fixture);
}

static const struct check_test tests[] = {
	{"events are read in order", test_order},
	{"a full ring drops and counts", test_full},
	{"lost events are counted", test_lost},
	{"damaged events are skipped", test_damage},
	{"the fixed part and the counters are read", test_fixed_part_and_counters},
};
CHECK_MAIN("event_ring", tests)
