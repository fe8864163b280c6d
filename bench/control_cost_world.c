// SPDX-License-Identifier: BSD-3-Clause
/* The governor, book and publisher that bench/control_cost.c measures (control_cost.h). */
#include "bench/control_cost.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/address_book.h"
#include "control/governor.h"
#include "control/publisher.h"

enum {
	OPERATIONS = 4096, /* of a trial: at least a hundred microseconds, thousands of clock's resolution */
	IDLES = 65536,
	/* Scores of -30 are at -20, where the state changes, after 600 s * log2(1.5) = 351 s. */
	CROSSINGS = 512,
	CROSSING_MS = 352000,
	BUILD_PATIENCE_MS = 60000,
	ADVANCE_BUDGET = 10000,
};
#define WALL_MS INT64_C(1795000000000)
/* 2^26 addresses of 20.0.0.0/6: known ones from its first half, strangers from its second. */
#define FIRST_V4 UINT32_C(0x14000000)

struct control_cost_world {
	struct governor *governor;
	struct address_book *book;
	struct publisher *publisher;
	char directory[64], segment_path[96], image_path[96];
	uint32_t known, strangers;
	uint64_t random;
	struct snapshot_clock now;
};

static uint64_t draw(struct control_cost_world *world)
{
	uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void pass(struct control_cost_world *world, int64_t ms)
{
	world->now.wall_ms += ms;
	world->now.mono_ns += (uint64_t)ms * 1000000;
}

/* An odd multiplier visits every /24 in no order. */
static struct address address_nth(uint32_t i, bool stranger)
{
	return address_from_v4(FIRST_V4 + (stranger ? 1u << 25 : 0) + (i * UINT32_C(2654435761) >> 7));
}

static struct book_entry entry_of(struct address address)
{
	return (struct book_entry){.address = address, .port = 30303};
}

static struct peer_name name_of(struct address address)
{
	return (struct peer_name){.address = address};
}

static int fail(char sentence[CONTROL_COST_SENTENCE], const char *what, int error)
{
	snprintf(sentence, CONTROL_COST_SENTENCE, "%s", what);
	return error;
}

/* The bootstrap profile's constants, and bounds that nothing reaches. */
static int governor_make(struct control_cost_world *world, uint64_t seed)
{
	struct governor_config config = {.penalty_half_life_s = 600,
		.ban_freeze_s = 3600,
		.threshold_disconnect = -20,
		.threshold_ban = -50,
		.auto_bans = true,
		.throttle_ms = 60000,
		.temporary_ban_ms = 600000,
		.temporary_bans_max = 3,
		.strike_life_ms = INT64_C(30) * 86400000,
		.peers_max = 2 * world->known + 100000,
		.bans_max = 2 * world->known + 100000,
		.seed = seed,
		.auth_timeout_ms = 5000};
	struct governor_effects none = {0};

	return governor_create(&config, &none, world->now.wall_ms, &world->governor);
}

static int report(struct control_cost_world *world, struct address address, enum peer_action action)
{
	struct peer_name name = name_of(address);
	struct peer_report_result result;

	return governor_report(
		world->governor, &name, action, "bench", "", true, world->now.wall_ms, &result);
}

static int book_make(struct control_cost_world *world, uint64_t seed)
{
	struct address_book_config config;
	struct address_book_effects none = {0};

	address_book_config_default(&config);
	config.capacity = world->known;
	config.subnet.limit = config.group.limit = UINT32_MAX;
	config.seed = seed;
	return address_book_create(&config, &none, &world->book);
}

static int publisher_make(struct control_cost_world *world, char sentence[CONTROL_COST_SENTENCE])
{
	static struct snapshot_policy policy;
	static struct config config;
	struct publisher_options options = {world->segment_path, world->image_path, 3600000, UINT64_MAX};
	int error;

	snprintf(world->directory, sizeof(world->directory), "/dev/shm/weir-bench-control-XXXXXX");
	if (!mkdtemp(world->directory)) {
		world->directory[0] = '\0';
		return fail(sentence, "a directory in /dev/shm", -errno);
	}
	snprintf(world->segment_path, sizeof(world->segment_path), "%s/control", world->directory);
	snprintf(world->image_path, sizeof(world->image_path), "%s/image", world->directory);
	error = config_from_options("192.0.2.1", "tcp/30303", &config, sentence, CONTROL_COST_SENTENCE);
	if (error != 0)
		return error;
	snapshot_policy_from_config(&config, &policy);
	return publisher_open(&options, &policy, &world->publisher, sentence, CONTROL_COST_SENTENCE);
}

/* Every known address has a penalty, which it owes to the same moment or so, and is in the book. */
static int addresses_learn(struct control_cost_world *world, char sentence[CONTROL_COST_SENTENCE])
{
	struct governor_stats stats;

	for (uint32_t i = 0; i < world->known; i++) {
		struct address address = address_nth(i, false);
		struct book_entry entry = entry_of(address);

		if (report(world, address, PEER_ACTION_MID) != 0)
			return fail(sentence, "a report", -EINVAL);
		if (address_book_add(world->book, &entry, world->now.wall_ms) > BOOK_REFRESHED)
			return fail(sentence, "an address for the book", -EINVAL);
		if (i % 1000 == 999)
			pass(world, 1);
	}
	governor_stats(world->governor, &stats);
	if (stats.peers < world->known || address_book_count(world->book) < world->known)
		return fail(sentence, "some addresses were forgotten", -ENOSPC);
	return 0;
}

int control_cost_world_create(uint32_t known, uint64_t seed, struct control_cost_world **ret_world,
	char sentence[CONTROL_COST_SENTENCE])
{
	struct control_cost_world *world = calloc(1, sizeof(*world));
	int error;

	*ret_world = world;
	if (!world)
		return fail(sentence, "memory", -ENOMEM);
	world->known = known;
	world->random = seed;
	world->now = (struct snapshot_clock){WALL_MS, UINT64_C(5000000000000)};
	error = governor_make(world, seed);
	if (error == 0)
		error = book_make(world, seed);
	if (error != 0)
		return fail(sentence, "a governor and a book", error);
	error = publisher_make(world, sentence);
	if (error == 0)
		error = addresses_learn(world, sentence);
	if (error != 0)
		return error;
	for (uint32_t i = 0; i < known; i++) {
		struct prefix host = {address_nth(i, false), PREFIX_HOST_LENGTH};

		publisher_load(
			world->publisher, &host, SOURCE_CLASS_BANNED, world->now.wall_ms + INT64_C(86400000));
	}
	error = publisher_publish_now(world->publisher, &world->now);
	return error == 0 ? 0 : fail(sentence, "the first image", error);
}

void control_cost_world_destroy(struct control_cost_world *world)
{
	if (!world)
		return;
	if (world->governor)
		governor_destroy(world->governor);
	if (world->book)
		address_book_destroy(world->book);
	publisher_close(world->publisher);
	if (world->directory[0] != '\0') {
		unlink(world->segment_path);
		unlink(world->image_path);
		rmdir(world->directory);
	}
	free(world);
}

/* What is due up to now is done, so that what is measured next is that alone. */
static void settle(struct control_cost_world *world)
{
	while (governor_advance(world->governor, world->now.wall_ms, ADVANCE_BUDGET))
		;
	while (address_book_advance(world->book, world->now.wall_ms, ADVANCE_BUDGET))
		;
}

static int reports_measure(struct control_cost_world *world, double *ret_us)
{
	double start;
	int error = 0;

	start = control_cost_clock_us();
	for (unsigned i = 0; i < OPERATIONS && error == 0; i++)
		error = report(
			world, address_nth((uint32_t)(draw(world) % world->known), false), PEER_ACTION_HIGH);
	*ret_us = (control_cost_clock_us() - start) / OPERATIONS;
	return error;
}

static void ticks_measure(struct control_cost_world *world, double *ret_idle_us, double *ret_tick_ms)
{
	static struct book_endpoint endpoints[BOOK_ANSWER_MAX];
	static struct book_target targets[100];
	double start = control_cost_clock_us();

	for (unsigned i = 0; i < IDLES; i++) {
		(void)governor_next_due_ms(world->governor);
		(void)address_book_next_due_ms(world->book);
		(void)governor_advance(world->governor, world->now.wall_ms, ADVANCE_BUDGET);
		(void)address_book_advance(world->book, world->now.wall_ms, ADVANCE_BUDGET);
	}
	*ret_idle_us = (control_cost_clock_us() - start) / IDLES;
	pass(world, 1000);
	start = control_cost_clock_us();
	(void)governor_advance(world->governor, world->now.wall_ms, ADVANCE_BUDGET);
	(void)address_book_advance(world->book, world->now.wall_ms, ADVANCE_BUDGET);
	(void)address_book_to_connect(world->book, 100, world->now.wall_ms, targets);
	(void)address_book_coldest(world->book, 100, world->now.wall_ms, endpoints);
	(void)address_book_best(world->book, 8, NULL, world->now.wall_ms, endpoints);
	(void)address_book_random(world->book, 100, BOOK_FILTER_ANY, true, 10, world->now.wall_ms, endpoints);
	*ret_tick_ms = (control_cost_clock_us() - start) / 1e3;
}

/* Strangers earn -30 now, and recover together; only they are due then, or no more than they. */
static int crossings_measure(struct control_cost_world *world, double *ret_us)
{
	uint32_t first = world->strangers;
	unsigned steps = 1;
	double start;

	for (unsigned i = 0; i < CROSSINGS; i++) {
		struct address address = address_nth(world->strangers++, true);

		for (unsigned k = 0; k < 3; k++) {
			if (report(world, address, PEER_ACTION_LOW) != 0)
				return -EINVAL;
		}
	}
	pass(world, CROSSING_MS - 2000);
	settle(world);
	pass(world, 2000);
	start = control_cost_clock_us();
	while (governor_advance(world->governor, world->now.wall_ms, 1))
		steps++;
	*ret_us = (control_cost_clock_us() - start) / steps;
	for (unsigned i = 0; i < CROSSINGS; i++) {
		struct peer_name name = name_of(address_nth(first + i, true));
		struct peer_info info;

		governor_peer_get(world->governor, &name, world->now.wall_ms, &info);
		if (info.state != SCORE_STATE_HEALTHY || info.app_score > -19 || steps < CROSSINGS)
			return -EBADMSG;
	}
	return 0;
}

static int book_measure(struct control_cost_world *world, double *ret_add_us, double *ret_outcome_us)
{
	static struct book_endpoint endpoints[BOOK_ANSWER_MAX];
	double start = control_cost_clock_us();
	size_t n;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		struct book_entry entry = entry_of(address_nth(world->strangers++, true));

		if (address_book_add(world->book, &entry, world->now.wall_ms) != BOOK_ADDED)
			return -EBADMSG;
	}
	*ret_add_us = (control_cost_clock_us() - start) / OPERATIONS;
	n = address_book_random(world->book, BOOK_ANSWER_MAX, BOOK_FILTER_ANY, false, UINT32_MAX,
		world->now.wall_ms, endpoints);
	if (n == 0)
		return -ENOENT;
	start = control_cost_clock_us();
	for (size_t i = 0; i < n; i++) {
		int error = address_book_outcome(world->book, &endpoints[i], i % 3 == 0, world->now.wall_ms);

		if (error != 0)
			return error;
	}
	*ret_outcome_us = (control_cost_clock_us() - start) / (double)n;
	return 0;
}

static double wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int publisher_measure(struct control_cost_world *world, double costs[CONTROL_COST_COUNT])
{
	struct pollfd done = {.fd = publisher_event_fd(world->publisher), .events = POLLIN};
	struct publisher_status before, after;
	double start, loop_us, began_ms;
	uint64_t number;
	int error;

	publisher_status(world->publisher, &before);
	start = control_cost_clock_us();
	for (unsigned i = 0; i < OPERATIONS; i++) {
		struct prefix host = {address_nth(world->strangers++, true), PREFIX_HOST_LENGTH};

		publisher_enforce(world->publisher, &host, SOURCE_CLASS_BANNED, world->now.wall_ms + 86400000,
			&world->now);
	}
	costs[CONTROL_COST_ENFORCE] = (control_cost_clock_us() - start) / OPERATIONS;
	began_ms = wall_ms();
	start = control_cost_clock_us();
	number = publisher_request(world->publisher);
	publisher_tick(world->publisher, &world->now);
	loop_us = control_cost_clock_us() - start;
	if (poll(&done, 1, BUILD_PATIENCE_MS) != 1)
		return -ETIMEDOUT;
	costs[CONTROL_COST_SNAPSHOT_WHOLE] = wall_ms() - began_ms;
	start = control_cost_clock_us();
	error = publisher_reap(world->publisher, &world->now);
	costs[CONTROL_COST_SNAPSHOT_LOOP] = loop_us + control_cost_clock_us() - start;
	publisher_status(world->publisher, &after);
	if (error == 0 &&
		(publisher_done(world->publisher) < number || after.enforced < before.enforced + OPERATIONS))
		error = -EBADMSG;
	start = control_cost_clock_us();
	for (unsigned i = 0; i < IDLES; i++)
		publisher_tick(world->publisher, &world->now);
	costs[CONTROL_COST_PUBLISH_IDLE] = (control_cost_clock_us() - start) / IDLES;
	return error;
}

int control_cost_measure(struct control_cost_world *world, double costs[CONTROL_COST_COUNT],
	char sentence[CONTROL_COST_SENTENCE])
{
	struct governor_stats stats;
	int error;

	pass(world, 1000);
	settle(world);
	error = reports_measure(world, &costs[CONTROL_COST_REPORT]);
	if (error != 0)
		return fail(sentence, "a report", error);
	settle(world);
	ticks_measure(world, &costs[CONTROL_COST_IDLE], &costs[CONTROL_COST_TICK]);
	error = book_measure(world, &costs[CONTROL_COST_BOOK_ADD], &costs[CONTROL_COST_BOOK_OUTCOME]);
	if (error != 0)
		return fail(sentence, "the book", error);
	error = publisher_measure(world, costs);
	if (error != 0)
		return fail(sentence, "a snapshot", error);
	governor_stats(world->governor, &stats);
	if (stats.peers < world->known || address_book_count(world->book) < world->known)
		return fail(sentence, "some addresses were forgotten", -ENOSPC);
	error = crossings_measure(world, &costs[CONTROL_COST_CROSSING]);
	return error == 0 ? 0 : fail(sentence, "a score that crosses its threshold", error);
}
