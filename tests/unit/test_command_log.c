// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the command log: order, wrap-around, a full log, a reader left behind, torn and damaged records,
 * a truncated segment and a writer that starts again.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "shm/command_log.h"
#include "shm/prefix.h"
#include "tests/check.h"
#include "tests/unit/segment_fixture.h"

struct log_fixture {
	struct segment_fixture files;
	struct segment segment;
	struct control_payload *payload;
	struct segment_reader reader;
	struct command_log_cursor cursor;
};

static void log_open(struct log_fixture *log)
{
	CHECK_EQ("the control segment",
		(int)segment_create(log->files.path, SEGMENT_KIND_CONTROL, control_payload_layout_hash(),
			sizeof(struct control_payload), NULL, &log->segment),
		(int)SEGMENT_OK);
	log->payload = log->segment.payload;
	CHECK_EQ("its reader",
		(int)segment_reader_open(
			log->files.path, SEGMENT_KIND_CONTROL, control_payload_layout_hash(), &log->reader),
		(int)SEGMENT_OK);
	log->cursor.applied_sequence = 0;
}

static void log_close(struct log_fixture *log)
{
	segment_reader_close(&log->reader);
	segment_close(&log->segment, log->files.path);
}

static struct command_record ban_of(uint32_t v4)
{
	struct command_record record = {.kind = COMMAND_BAN_SET,
		.prefix_length = 128,
		.meta = ban_meta_make(SOURCE_CLASS_BANNED, 60),
		.written_ns = v4};
	struct address address = address_from_v4(v4);

	memcpy(record.address, address.bytes, sizeof(record.address));
	return record;
}

static int append(struct log_fixture *log, uint32_t v4)
{
	struct command_record record = ban_of(v4);

	return command_log_append(log->payload, &record, NULL);
}

static enum command_log_result take(
	struct log_fixture *log, struct command_record *records, unsigned max, unsigned *n)
{
	*n = 0;
	return command_log_read(&log->reader, &log->cursor, records, max, n);
}

static void test_order(void)
{
	struct log_fixture log;
	struct command_record records[8], record = ban_of(7);
	uint64_t sequence = 0;
	unsigned n;

	segment_fixture_make(&log.files);
	log_open(&log);
	CHECK_EQ("a new log is empty", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_EMPTY);
	CHECK_EQ("append", command_log_append(log.payload, &record, &sequence), 0);
	CHECK_EQ("the first sequence", sequence, 1u);
	for (uint32_t i = 8; i < 17; i++)
		CHECK_EQ("append", append(&log, i), 0);
	CHECK_EQ("read", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("as many as asked for", n, 8u);
	for (unsigned i = 0; i < n; i++)
		CHECK_TRUE("in order, as written",
			records[i].sequence == i + 1 && records[i].written_ns == i + 7);
	CHECK_EQ("the rest", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("is two", n, 2u);
	CHECK_EQ("then nothing", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_EMPTY);
	CHECK_EQ("reading none is empty", (int)take(&log, records, 0, &n), (int)COMMAND_LOG_EMPTY);
	CHECK_EQ("the cursor stands at the head", log.cursor.applied_sequence, 10u);
	log_close(&log);
	CHECK_TRUE("nothing was left", segment_fixture_remove(&log.files));
}

static void test_wrong_records(void)
{
	static const struct {
		const char *name;
		uint8_t kind, length;
		uint32_t meta;
		int expected;
	} cases[] = {
		{"no kind", COMMAND_NONE, 128, 0, -EINVAL},
		{"an unknown kind", COMMAND_KIND_COUNT, 128, 0, -EINVAL},
		{"a prefix longer than 128", COMMAND_DENY_SET, 129, 0, -EINVAL},
		{"host bits behind the length", COMMAND_DENY_SET, 120, 0, -EINVAL},
		{"a ban without a class", COMMAND_BAN_SET, 128, 60, -EINVAL},
		{"a ban of an unknown class", COMMAND_BAN_SET, 128, UINT32_MAX, -EINVAL},
		{"clearing a ban needs no class", COMMAND_BAN_CLEAR, 128, 0, 0},
		{"an allow", COMMAND_ALLOW_SET, 128, 0, 0},
		{"a cut names an address, no prefix", COMMAND_FLOW_CUT, 0, 0, 0},
	};
	struct log_fixture log;

	segment_fixture_make(&log.files);
	log_open(&log);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct command_record record = ban_of(0x0a0b0c0d);

		record.kind = cases[i].kind;
		record.prefix_length = cases[i].length;
		record.meta = cases[i].meta;
		CHECK_EQ(cases[i].name, command_log_append(log.payload, &record, NULL), cases[i].expected);
	}
	CHECK_EQ("only the good ones are there", log.payload->head_sequence, 3u);
	log_close(&log);
	CHECK_TRUE("nothing was left", segment_fixture_remove(&log.files));
}

static void test_full_and_behind(void)
{
	static struct command_record records[COMMAND_LOG_RECORDS];
	struct log_fixture log;
	struct command_log_cursor late = {0};
	uint64_t sequence = 77;
	struct command_record record = ban_of(1);
	unsigned n;

	segment_fixture_make(&log.files);
	log_open(&log);
	for (uint32_t i = 0; i < COMMAND_LOG_RECORDS; i++)
		if (append(&log, i) != 0)
			CHECK_FAIL("the log takes all its records", "number %u", i);
	CHECK_EQ("then it is full", command_log_append(log.payload, &record, &sequence), -ENOBUFS);
	CHECK_EQ("and nothing is handed out", sequence, 77u);
	CHECK_EQ("a full log is read", (int)take(&log, records, COMMAND_LOG_RECORDS, &n),
		(int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("whole", n, (unsigned)COMMAND_LOG_RECORDS);
	command_log_cover(log.payload, 1, 100);
	for (uint32_t i = 0; i < 100; i++)
		CHECK_EQ("an image frees what it covers", append(&log, i), 0);
	CHECK_EQ("no more than that", append(&log, 1), -ENOBUFS);
	command_log_cover(log.payload, 2, 50);
	CHECK_EQ("an image that covers less frees nothing", append(&log, 1), -ENOBUFS);
	CHECK_EQ("nor does covering go back", log.payload->covered_sequence, 100u);
	CHECK_EQ("its generation is told", log.payload->image_generation, 2u);
	CHECK_EQ("the reader goes on over the end", (int)take(&log, records, 1000, &n),
		(int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("with the new ones", n, 100u);
	CHECK_EQ("a reader that stayed is told", (int)command_log_read(&log.reader, &late, records, 10, &n),
		(int)COMMAND_LOG_BEHIND);
	CHECK_EQ("its cursor stays", late.applied_sequence, 0u);
	late.applied_sequence = 99;
	CHECK_EQ("one record too late", (int)command_log_read(&log.reader, &late, records, 10, &n),
		(int)COMMAND_LOG_BEHIND);
	late.applied_sequence = 100;
	CHECK_EQ("the oldest that is left",
		(int)command_log_read(&log.reader, &late, records, COMMAND_LOG_RECORDS, &n),
		(int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("is read in two parts around the end", n, (unsigned)COMMAND_LOG_RECORDS);
	CHECK_EQ("in order", records[n - 1].sequence, (uint64_t)COMMAND_LOG_RECORDS + 100);
	command_log_cover(log.payload, 3, UINT64_MAX);
	CHECK_EQ("covering ends at the head", log.payload->covered_sequence,
		(uint64_t)COMMAND_LOG_RECORDS + 100);
	log_close(&log);
	CHECK_TRUE("nothing was left", segment_fixture_remove(&log.files));
}

static void test_damage(void)
{
	struct log_fixture log;
	struct command_record records[8], saved;
	unsigned n;

	segment_fixture_make(&log.files);
	log_open(&log);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ("append", append(&log, i), 0);
	saved = log.payload->records[0];
	for (size_t i = 0; i < sizeof(saved); i++) {
		log.cursor.applied_sequence = 0;
		((uint8_t *)&log.payload->records[0])[i] ^= 0x10;
		if (take(&log, records, 8, &n) != COMMAND_LOG_DAMAGED || log.cursor.applied_sequence != 0)
			CHECK_FAIL("every damaged byte of a record is seen", "byte %zu", i);
		log.payload->records[0] = saved;
	}
	saved = log.payload->records[2];
	log.payload->records[2].meta ^= 1;
	log.cursor.applied_sequence = 0;
	CHECK_EQ("what stands before the damage is read", (int)take(&log, records, 8, &n),
		(int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("only that", n, 2u);
	CHECK_EQ("then the damage is met", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_DAMAGED);
	log.payload->records[2] = saved;
	CHECK_EQ("repaired it goes on", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("with the rest", n, 2u);
	log.payload->head_sequence = 2;
	CHECK_EQ("a head that went back", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_DAMAGED);
	log.payload->head_sequence = 1000;
	CHECK_EQ("a head that promises what is not there", (int)take(&log, records, 8, &n),
		(int)COMMAND_LOG_DAMAGED);
	log.payload->head_sequence = UINT64_MAX;
	CHECK_EQ("a head out of all bounds", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_BEHIND);
	log.payload->head_sequence = 1000;
	CHECK_EQ("the segment is truncated before its records",
		truncate(log.files.path, SEGMENT_HEADER_BYTES + offsetof(struct control_payload, records)),
		0);
	CHECK_EQ("records cannot be read", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_LOST);
	CHECK_EQ("to nothing", truncate(log.files.path, 0), 0);
	CHECK_EQ("nor the head", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_LOST);
	log_close(&log);
	CHECK_TRUE("nothing was left", segment_fixture_remove(&log.files));
}

/* The writer overwrites the record that the reader wants and has not yet moved its head: gone, not damaged.
 */
static void test_overwriting(void)
{
	struct log_fixture log;
	struct command_record records[8];
	unsigned n;

	segment_fixture_make(&log.files);
	log_open(&log);
	for (uint32_t i = 0; i < COMMAND_LOG_RECORDS; i++)
		append(&log, i);
	log.payload->records[0].meta ^= 1; /* half of record RECORDS + 1 */
	CHECK_EQ("the oldest record is being overwritten", (int)take(&log, records, 8, &n),
		(int)COMMAND_LOG_BEHIND);
	log_close(&log);
	CHECK_TRUE("nothing was left", segment_fixture_remove(&log.files));
}

static void test_writer_restarts(void)
{
	struct log_fixture log;
	struct segment_reader old;
	struct command_record records[8];
	unsigned n;

	segment_fixture_make(&log.files);
	log_open(&log);
	for (uint32_t i = 0; i < 5; i++)
		append(&log, i);
	CHECK_EQ("read", (int)take(&log, records, 3, &n), (int)COMMAND_LOG_RECORDS_READ);
	old = log.reader;
	segment_close(&log.segment, NULL);
	log_open(&log);
	CHECK_TRUE("the old log is stale", segment_reader_is_stale(&old, log.files.path));
	CHECK_TRUE("its instance is another", old.header.instance != log.reader.header.instance);
	log.cursor.applied_sequence = 3;
	CHECK_EQ("what the old one still held can be read",
		(int)command_log_read(&old, &log.cursor, records, 8, &n), (int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("to its end", records[n - 1].sequence, 5u);
	segment_reader_close(&old);
	log.cursor.applied_sequence = 0;
	CHECK_EQ("the new log begins at 1", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_EMPTY);
	append(&log, 9);
	CHECK_EQ("and is read", (int)take(&log, records, 8, &n), (int)COMMAND_LOG_RECORDS_READ);
	CHECK_EQ("from its first record", records[0].sequence, 1u);
	log_close(&log);
	CHECK_TRUE("nothing was left", segment_fixture_remove(&log.files));
}

static void test_meta(void)
{
	static const struct {
		const char *name;
		enum source_class class;
		uint32_t end_s, now_s;
		enum source_class expected;
	} cases[] = {
		{"in force before its end", SOURCE_CLASS_BANNED, 100, 99, SOURCE_CLASS_BANNED},
		{"over at its end", SOURCE_CLASS_BANNED, 100, 100, SOURCE_CLASS_NONE},
		{"never over", SOURCE_CLASS_THROTTLED, BAN_META_NEVER, UINT32_MAX, SOURCE_CLASS_THROTTLED},
		{"an end beyond 17 years is never", SOURCE_CLASS_REFUSED, UINT32_MAX, UINT32_MAX,
			SOURCE_CLASS_REFUSED},
		{"an end at 0 is over", SOURCE_CLASS_DISCOURAGED, 0, 0, SOURCE_CLASS_NONE},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		uint32_t meta = ban_meta_make(cases[i].class, cases[i].end_s);

		CHECK_EQ(cases[i].name, (int)ban_meta_class(meta), (int)cases[i].class);
		CHECK_EQ(cases[i].name, (int)ban_meta_class_at(meta, cases[i].now_s), (int)cases[i].expected);
	}
}

static const struct check_test tests[] = {
	{"commands are read in order", test_order},
	{"wrong commands are refused", test_wrong_records},
	{"a full log waits for an image, a late reader is told", test_full_and_behind},
	{"damage is seen and never applied", test_damage},
	{"a record being overwritten is gone, not damaged", test_overwriting},
	{"a writer that starts again", test_writer_restarts},
	{"ban words end when they say", test_meta},
};
CHECK_MAIN("command_log", tests)
