/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/publisher.h with its real segment, worker thread and image files: image plus log is always
 * the truth, whatever fills, fails or jumps. Also of snapshot.h and enforced_set.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/enforced_set.h"
#include "control/publisher.h"
#include "shm/command_log.h"
#include "shm/image_file.h"
#include "tests/check.h"

#define WALL_MS INT64_C(1795000000000)

static char directory[64], segment_path[96], image_path[96];
static struct snapshot_policy policy;
static struct snapshot_clock now = {WALL_MS, UINT64_C(5000000000)};

static struct publisher *publisher_make(const char *name, uint64_t interval_ms, uint64_t commands_max)
{
	static struct config config;
	struct publisher *publisher = NULL;
	char error[256] = "";
	if (directory[0] == '\0') {
		snprintf(directory, sizeof(directory), "/tmp/weir-test-publisher.XXXXXX");
		if (mkdtemp(directory) == NULL)
			return NULL;
	}
	snprintf(segment_path, sizeof(segment_path), "%s/%s.control", directory, name);
	snprintf(image_path, sizeof(image_path), "%s/%s.image", directory, name);
	CHECK_EQ("options", config_from_options("192.0.2.1", "tcp/30303", &config, error, sizeof(error)), 0);
	snapshot_policy_from_config(&config, &policy);
	struct publisher_options options = {segment_path, image_path, interval_ms, commands_max};
	CHECK_EQ("opens", publisher_open(&options, &policy, &publisher, error, sizeof(error)), 0);
	return publisher;
}

static void publisher_end(struct publisher *publisher)
{
	publisher_close(publisher);
	unlink(segment_path);
	unlink(image_path);
	rmdir(directory);
	directory[0] = '\0';
}

static struct prefix prefix_text(const char *text)
{
	struct prefix prefix = {0};
	CHECK_EQ(text, prefix_parse(text, &prefix), 0);
	return prefix;
}

/* The meta that an image holds for an IPv4 host, 0 if none. */
static uint32_t image_meta(const char *address_text, struct image_header *ret_header)
{
	struct image_view view;
	void *block = NULL;
	size_t bytes;
	uint32_t meta = 0;
	struct address address;
	CHECK_EQ("address", address_parse(address_text, &address), 0);
	if (!CHECK_EQ("the image is there", image_file_read(image_path, &block, &bytes), 0))
		return 0;
	if (CHECK_EQ("and valid", image_validate(block, bytes, &view), IMAGE_OK)) {
		for (uint64_t i = 0; i < view.n_bans_v4; i++) {
			if (view.bans_v4[i].address == address_v4(&address))
				meta = view.bans_v4[i].meta;
		}
		if (ret_header != NULL)
			*ret_header = *view.header;
	}
	free(block);
	return meta;
}

static unsigned log_read(struct command_record *records, unsigned max)
{
	struct segment_reader reader;
	struct command_log_cursor cursor = {0};
	unsigned n = 0;
	if (!CHECK_EQ("the segment is readable",
		    segment_reader_open(
			    segment_path, SEGMENT_KIND_CONTROL, control_payload_layout_hash(), &reader),
		    SEGMENT_OK))
		return 0;
	if (command_log_read(&reader, &cursor, records, max, &n) != COMMAND_LOG_RECORDS_READ)
		n = 0;
	segment_reader_close(&reader);
	return n;
}

static void test_meta(void)
{
	static const struct {
		const char *name;
		int64_t end_ms;
		uint32_t end_s;
		enum source_class class;
	} cases[] = {
		{"an end is on the monotonic clock", WALL_MS + 10000, 15, SOURCE_CLASS_BANNED},
		{"a part of a second is rounded up", WALL_MS + 10001, 16, SOURCE_CLASS_BANNED},
		{"one millisecond is a second", WALL_MS + 1, 6, SOURCE_CLASS_BANNED},
		{"never stays never", SNAPSHOT_NEVER_MS, BAN_META_NEVER, SOURCE_CLASS_BANNED},
		{"a far end is not never", INT64_MAX - 1, BAN_META_NEVER - 1, SOURCE_CLASS_BANNED},
		{"an end now is none", WALL_MS, 0, SOURCE_CLASS_NONE},
		{"an end before is none", 1, 0, SOURCE_CLASS_NONE},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		uint32_t meta = snapshot_meta(SOURCE_CLASS_BANNED, cases[i].end_ms, &now);
		CHECK_EQ(cases[i].name, ban_meta_end_s(meta), cases[i].end_s);
		CHECK_EQ(cases[i].name, (int)ban_meta_class(meta), (int)cases[i].class);
	}
}

static void test_set(void)
{
	struct enforced_set set = {0};
	struct enforced_entries merged = {0};
	static const char *const order[] = {
		"10.0.0.9", "10.0.0.1", "10.0.0.5", "2001:db8::/64", "10.0.0.0/8"};
	for (size_t i = 0; i < CHECK_COUNT(order); i++) {
		struct prefix prefix = prefix_text(order[i]);
		CHECK_EQ("change", enforced_set_change(&set, &prefix, SOURCE_CLASS_BANNED, INT64_MAX), 0);
	}
	struct prefix five = prefix_text("10.0.0.5"), nine = prefix_text("10.0.0.9");
	enforced_set_change(&set, &five, SOURCE_CLASS_NONE, 0);
	enforced_set_change(&set, &five, SOURCE_CLASS_THROTTLED, WALL_MS + 60000);
	enforced_set_change(&set, &nine, SOURCE_CLASS_NONE, 0);
	enforced_set_freeze(&set);
	CHECK_EQ("merges", enforced_set_merge(&set, WALL_MS / 1000, &merged), 0);
	CHECK_EQ("the last change of each prefix counts", merged.n, (size_t)4);
	for (size_t i = 1; i < merged.n; i++)
		CHECK_TRUE("sorted and unique", memcmp(&merged.items[i - 1], &merged.items[i], 17) < 0);
	enforced_set_commit(&set, &merged);

	enforced_set_change(&set, &five, SOURCE_CLASS_BANNED, INT64_MAX);
	enforced_set_freeze(&set);
	enforced_set_change(&set, &five, SOURCE_CLASS_NONE, 0);
	CHECK_EQ("a failed build gives its changes back", enforced_set_rollback(&set), 0);
	CHECK_EQ("before the later ones", set.changes.n, (size_t)2);
	CHECK_EQ("in order of time", set.changes.items[1].class, (uint8_t)SOURCE_CLASS_NONE);
	enforced_set_freeze(&set);
	CHECK_EQ("merges again", enforced_set_merge(&set, WALL_MS / 1000, &merged), 0);
	CHECK_EQ("the later one wins", merged.n, (size_t)3);
	enforced_set_commit(&set, &merged);
	enforced_set_freeze(&set);
	CHECK_EQ("a merge of nothing", enforced_set_merge(&set, UINT32_MAX - 1, &merged), 0);
	CHECK_EQ("keeps what never ends", merged.n, (size_t)3);
	enforced_set_commit(&set, &merged);
	enforced_set_free(&set);
}

static void test_log_and_image(void)
{
	struct command_record records[8];
	struct image_header header;
	struct publisher *publisher = publisher_make("a", 60000, 1000);
	struct prefix one = prefix_text("10.0.0.1"), two = prefix_text("10.0.0.2");
	if (publisher == NULL)
		return;
	publisher_enforce(publisher, &one, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &now);
	publisher_enforce(publisher, &two, SOURCE_CLASS_BANNED, WALL_MS + 1500, &now);
	publisher_enforce(publisher, &one, SOURCE_CLASS_NONE, 0, &now);
	publisher_cut(publisher, &one.address, 7, &now);
	CHECK_TRUE("there is news for the doorbell", publisher_take_news(publisher));
	CHECK_FALSE("once", publisher_take_news(publisher));
	if (CHECK_EQ("four commands", log_read(records, 8), 4u)) {
		CHECK_EQ("a ban", records[0].kind, (uint8_t)COMMAND_BAN_SET);
		CHECK_EQ("which ends where the image will say", ban_meta_end_s(records[1].meta), 7u);
		CHECK_EQ("lifted", records[2].kind, (uint8_t)COMMAND_BAN_CLEAR);
		CHECK_EQ("a cut", records[3].kind, (uint8_t)COMMAND_FLOW_CUT);
		CHECK_EQ("of one port", records[3].port, 7u);
		CHECK_EQ("stamped", records[3].written_ns, now.mono_ns);
	}
	CHECK_EQ("an image", publisher_publish_now(publisher, &now), 0);
	CHECK_EQ("the image holds the same end", image_meta("10.0.0.2", &header), records[1].meta);
	CHECK_EQ("without what was lifted", image_meta("10.0.0.1", NULL), 0u);
	CHECK_EQ("first generation", header.generation, 1u);
	CHECK_EQ("it covers the log", header.covers_sequence, 4u);
	CHECK_EQ("which the segment says too", atomic_load(&publisher_payload(publisher)->covered_sequence),
		4u);
	struct snapshot_clock later = {WALL_MS + 2500, now.mono_ns + UINT64_C(2500000000)};
	CHECK_EQ("a later image", publisher_publish_now(publisher, &later), 0);
	CHECK_EQ("has dropped what ended", image_meta("10.0.0.2", NULL), 0u);
	publisher_end(publisher);
}

/* Turns until no build runs and none is due. */
static void settle(struct publisher *publisher, struct snapshot_clock *clock)
{
	struct publisher_status status;
	for (int i = 0; i < 2000; i++) {
		publisher_tick(publisher, clock);
		publisher_status(publisher, &status);
		if (!status.building)
			return;
		usleep(5000);
		(void)publisher_reap(publisher, clock);
	}
	CHECK_FAIL("a build ends", "it did not within 10 s");
}

static void test_overflow(void)
{
	struct publisher_status status;
	struct snapshot_clock clock = now;
	struct publisher *publisher = publisher_make("b", 60000, 1000000);
	const uint32_t n = COMMAND_LOG_RECORDS + 5000;
	if (publisher == NULL)
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct address address = address_from_v4(0x0a000000 + i);
		struct prefix prefix = prefix_of(&address, PREFIX_HOST_LENGTH);
		publisher_enforce(publisher, &prefix, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &clock);
	}
	struct address cut = address_from_v4(0x0a000001);
	publisher_cut(publisher, &cut, 0, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("the log is full and stays as it was", status.head_sequence, (uint64_t)COMMAND_LOG_RECORDS);
	CHECK_TRUE("which is counted", status.log_overflows >= 5000);
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("an image was forced", status.images, 1u);
	CHECK_EQ("and holds what the log could not", status.enforced, (uint64_t)n);
	CHECK_TRUE("the last of them too", image_meta("10.1.19.135", NULL) != 0);
	publisher_tick(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("the cut went out when there was room", status.head_sequence,
		(uint64_t)COMMAND_LOG_RECORDS + 1);
	CHECK_EQ("nothing is lost", status.changes_lost, 0u);
	settle(publisher, &clock);
	publisher_end(publisher);
}

/* The dataplane holds few commands of prefixes: an image must relieve it long before the log is full. */
static void test_overlay(void)
{
	struct publisher_status status;
	struct snapshot_clock clock = now;
	struct publisher *publisher = publisher_make("o", 60000, 1000000);
	uint64_t images;
	if (publisher == NULL)
		return;
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	images = status.images;
	for (uint32_t i = 0; i < COMMAND_OVERLAY_MAX; i++) {
		struct address address = address_from_v4(0x0a000000 + i);
		struct prefix prefix = prefix_of(&address, PREFIX_HOST_LENGTH);
		publisher_enforce(publisher, &prefix, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &clock);
	}
	publisher_tick(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_FALSE("bans of hosts need no image soon", status.building || status.images != images);
	for (uint32_t i = 0; i < COMMAND_OVERLAY_MAX / 2; i++) {
		struct address address = address_from_v4(0x0b000000 + i * 256);
		struct prefix prefix = prefix_of(&address, PREFIX_V4_BASE + 24);
		publisher_enforce(publisher, &prefix, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &clock);
	}
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_TRUE("bans of prefixes do", status.images == images + 1);
	publisher_end(publisher);
}

static void test_failure(void)
{
	struct publisher_status status;
	struct snapshot_clock clock = now;
	struct publisher *publisher = publisher_make("c", 60000, 1000);
	struct prefix one = prefix_text("10.0.0.1"), two = prefix_text("10.0.0.2");
	char blocker[128];
	if (publisher == NULL)
		return;
	publisher_enforce(publisher, &one, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &clock);
	/* a directory where the new image is written: every attempt fails, whoever we are */
	snprintf(blocker, sizeof(blocker), "%s.new", image_path);
	CHECK_EQ("blocked", mkdir(blocker, 0700), 0);
	CHECK_TRUE("the build fails", publisher_publish_now(publisher, &clock) < 0);
	publisher_enforce(publisher, &two, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("no image", status.generation, 0u);
	CHECK_EQ("the log is not covered", status.covered_sequence, 0u);
	CHECK_EQ("freed", rmdir(blocker), 0);
	publisher_tick(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_FALSE("not at once", status.building);
	clock.mono_ns += UINT64_C(1100000000);
	clock.wall_ms += 1100;
	settle(publisher, &clock);
	CHECK_TRUE("a second later it has all",
		image_meta("10.0.0.1", NULL) != 0 && image_meta("10.0.0.2", NULL) != 0);
	publisher_end(publisher);
}

static void test_clock_step(void)
{
	struct publisher_status status;
	struct snapshot_clock clock = now;
	struct publisher *publisher = publisher_make("d", 3600000, 1000);
	struct prefix one = prefix_text("10.0.0.1");
	if (publisher == NULL)
		return;
	publisher_enforce(publisher, &one, SOURCE_CLASS_BANNED, WALL_MS + 100000, &clock);
	CHECK_EQ("an image", publisher_publish_now(publisher, &clock), 0);
	CHECK_EQ("ends in 100 s", ban_meta_end_s(image_meta("10.0.0.1", NULL)), 105u);
	publisher_tick(publisher, &clock);
	clock.wall_ms += 60000; /* the clock is set forward by a minute */
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("the step is seen", status.clock_steps, 1u);
	CHECK_EQ("and the end converted anew", ban_meta_end_s(image_meta("10.0.0.1", NULL)), 45u);
	publisher_end(publisher);
}

static void test_requests_and_pace(void)
{
	struct publisher_status status;
	struct snapshot_clock clock = now;
	struct publisher *publisher = publisher_make("e", 60000, 10);
	struct prefix one = prefix_text("10.0.0.1");
	if (publisher == NULL)
		return;
	uint64_t ticket = publisher_request(publisher);
	CHECK_TRUE("not done yet", publisher_done(publisher) < ticket);
	settle(publisher, &clock);
	CHECK_TRUE("done", publisher_done(publisher) >= ticket);
	publisher_enforce(publisher, &one, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &clock);
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("one command is no reason for an image", status.images, 1u);
	clock.mono_ns += UINT64_C(61000000000);
	clock.wall_ms += 61000;
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("the interval is", status.images, 2u);
	for (int i = 0; i < 10; i++)
		publisher_enforce(publisher, &one, SOURCE_CLASS_BANNED, SNAPSHOT_NEVER_MS, &clock);
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("ten commands are", status.images, 3u);
	clock.mono_ns += UINT64_C(61000000000);
	clock.wall_ms += 61000;
	settle(publisher, &clock);
	publisher_status(publisher, &status);
	CHECK_EQ("without changes there is no image", status.images, 3u);
	publisher_end(publisher);
}

static void test_second_owner(void)
{
	struct publisher *second = NULL;
	char error[256] = "";
	struct publisher *publisher = publisher_make("f", 60000, 10);
	if (publisher == NULL)
		return;
	struct publisher_options options = {segment_path, image_path, 60000, 10};
	CHECK_EQ("a second one is refused", publisher_open(&options, &policy, &second, error, sizeof(error)),
		-EBUSY);
	CHECK_CONTAINS("with a sentence that names the segment", error, "f.control");
	publisher_payload(publisher)->ring_consumed[3] = 77;
	publisher_payload(publisher)->dataplane_instance = 5;
	publisher_close(publisher);
	publisher = NULL;
	CHECK_EQ("after it ended another takes over",
		publisher_open(&options, &policy, &publisher, error, sizeof(error)), 0);
	if (publisher == NULL)
		return;
	CHECK_EQ("and goes on reading where it stopped",
		atomic_load(&publisher_payload(publisher)->ring_consumed[3]), 77u);
	CHECK_EQ("of the same dataplane", publisher_payload(publisher)->dataplane_instance, 5u);
	publisher_end(publisher);
}

/* The list label of the most specific prefix around an IPv4 address, with its chain. */
static uint32_t image_price(const struct image_view *view, const char *address_text)
{
	struct address address;
	uint64_t interval = 0;
	CHECK_EQ("address", address_parse(address_text, &address), 0);
	while (interval + 1 < view->n_list_v4 && view->list_v4_starts[interval + 1] <= address_v4(&address))
		interval++;
	for (uint32_t i = view->list_v4_labels[interval]; i != 0; i = view->list_labels[i].parent) {
		if (view->list_labels[i].kind == IMAGE_LIST_PRICE)
			return view->list_labels[i].meta;
	}
	return 0;
}

static void test_prices(void)
{
	static struct snapshot_policy priced;
	struct publisher *publisher = publisher_make("prices", 1000000, 1000);
	struct image_view view;
	void *block = NULL;
	size_t bytes;
	priced = policy;
	priced.prices[priced.n_prices++] = (struct snapshot_price){prefix_text("203.0.113.0/24"), 40};
	priced.prices[priced.n_prices++] = (struct snapshot_price){prefix_text("203.0.113.128/25"), 8};
	publisher_set_policy(publisher, &priced);
	CHECK_EQ("publishes", publisher_publish_now(publisher, &now), 0);
	if (CHECK_EQ("the image is there", image_file_read(image_path, &block, &bytes), 0) &&
		CHECK_EQ("and valid", image_validate(block, bytes, &view), IMAGE_OK)) {
		CHECK_EQ("the prefix's price", image_price(&view, "203.0.113.1"), 40u);
		CHECK_EQ("the longer prefix's price", image_price(&view, "203.0.113.200"), 8u);
		CHECK_EQ("no price elsewhere", image_price(&view, "203.0.114.1"), 0u);
	}
	free(block);
	publisher_end(publisher);
}

static const struct check_test tests[] = {
	{"ends are converted between the clocks", test_meta},
	{"the enforced set merges and rolls back", test_set},
	{"commands and images say the same", test_log_and_image},
	{"a full log forces an image and loses nothing", test_overflow},
	{"an image relieves the dataplane's overlay", test_overlay},
	{"a failed image keeps its changes", test_failure},
	{"a step of the clock makes a new image", test_clock_step},
	{"images are made when due and not else", test_requests_and_pace},
	{"prices are in the image", test_prices},
	{"a segment has one owner and an heir", test_second_owner},
};
CHECK_MAIN("publisher", tests)
