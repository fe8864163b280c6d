// SPDX-License-Identifier: BSD-3-Clause
/* The roster, book and publisher that bench/control_cost.c measures (control_cost.h). */
#include "bench/control_cost.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/publisher.h"
#include "control/roster.h"

enum {
	CONNECTED = 1000,
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
	struct roster *roster;
	struct address_book *book; /* its own, which is full: the roster's has room */
	struct publisher *publisher;
	char directory[64], segment_path[96], image_path[96];
	uint32_t known, strangers, connected; /* numbers of those that came last */
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

/* The bootstrap profile without its bounds: nothing known may give way while it is measured. */
static int roster_make(struct control_cost_world *world, uint64_t seed)
{
	struct roster_effects none = {0};
	struct roster_config config;
	int error = roster_config_from_profile("bootstrap", &config);

	if (error != 0)
		return error;
	config.profile.limits = (struct profile_limits){0};
	config.opens.burst = 0;
	config.profile.book.capacity = 2 * world->known + 100000;
	config.profile.book.subnet.limit = config.profile.book.group.limit = UINT32_MAX;
	config.connections_max = 4 * CONNECTED;
	config.peers_max = config.governor.peers_max = 2 * world->known + 100000;
	config.governor.bans_max = 2 * world->known + 100000;
	config.seed = config.governor.seed = seed;
	return roster_create(&config, &none, world->now.wall_ms, &world->roster);
}

static const char *id_nth(uint32_t i, char text[GOVERNOR_ID_MAX])
{
	snprintf(text, GOVERNOR_ID_MAX, "16Uiu2HAmKnownPeer%010u", i);
	return text;
}

static int report(struct control_cost_world *world, const struct peer_name *name, enum peer_action action)
{
	struct peer_report_result result;

	return roster_peer_report(
		world->roster, name, action, "bench", "", true, world->now.wall_ms, &result);
}

static int connect_nth(struct control_cost_world *world, uint32_t i)
{
	struct roster_open open = {.address = address_nth(i, false),
		.port = 30303,
		.inbound = true,
		.proven = true,
		.rtt_ms = -1};
	char id[GOVERNOR_ID_MAX];
	struct roster_bind bind = {
		.id = id_nth(i, id), .agent = "", .version = "", .enr = "", .metadata = ""};
	struct roster_opened opened;
	struct roster_bound bound;
	enum outcome outcome;
	int error = roster_connection_open(world->roster, &open, world->now.wall_ms, &opened);

	if (error != 0 || opened.connection == 0)
		return error != 0 ? error : -EPERM;
	bind.connection = opened.connection;
	error = roster_peer_bind(world->roster, &bind, world->now.wall_ms, &bound);
	if (error != 0 || !bound.accepted)
		return error != 0 ? error : -EPERM;
	return roster_connection_auth(
		world->roster, opened.connection, true, "", world->now.wall_ms, &outcome, &opened);
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

/* A thousand of the known ones, others each time: the last ones fell silent while scores decayed, and their
 * connections ended. */
static int peers_connect(struct control_cost_world *world)
{
	struct roster_status status;
	int error = 0;

	for (uint32_t i = 0; i < CONNECTED && error == 0; i++)
		error = connect_nth(world, world->connected++ % world->known);
	roster_status(world->roster, &status);
	return error == 0 && status.connected < CONNECTED ? -EBADMSG : error;
}

static int peers_learn(struct control_cost_world *world, char sentence[CONTROL_COST_SENTENCE])
{
	struct roster_status status;

	for (uint32_t i = 0; i < world->known; i++) {
		char id[GOVERNOR_ID_MAX];
		struct roster_bind bind = {.id = id_nth(i, id),
			.address = address_nth(i, false),
			.port = 30303,
			.agent = "Lighthouse/v5.3.0-abc/x86_64-linux",
			.version = "",
			.enr = "",
			.metadata = "",
			.listen_port = 30303};
		struct book_entry entry = entry_of(bind.address);
		struct roster_bound bound;

		if (roster_peer_bind(world->roster, &bind, world->now.wall_ms, &bound) != 0 ||
			!bound.accepted)
			return fail(sentence, "a peer's id", -EINVAL);
		if (roster_book_add(world->roster, &entry, world->now.wall_ms) > BOOK_REFRESHED ||
			address_book_add(world->book, &entry, world->now.wall_ms) > BOOK_REFRESHED)
			return fail(sentence, "an address for the book", -EINVAL);
		if (i % 1000 == 999)
			pass(world, 1);
	}
	roster_status(world->roster, &status);
	if (status.known < world->known || address_book_count(world->book) < world->known)
		return fail(sentence, "some peers were forgotten", -ENOSPC);
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
	error = roster_make(world, seed);
	if (error == 0)
		error = book_make(world, seed);
	if (error != 0)
		return fail(sentence, "a roster and a book", error);
	error = publisher_make(world, sentence);
	if (error == 0)
		error = peers_learn(world, sentence);
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
	if (world->roster)
		roster_destroy(world->roster);
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
	while (roster_advance(world->roster, world->now.wall_ms, ADVANCE_BUDGET, true))
		;
	while (address_book_advance(world->book, world->now.wall_ms, ADVANCE_BUDGET))
		;
}

static int peers_measure(struct control_cost_world *world, double *ret_report_us, double *ret_get_us)
{
	static struct peer_name names[OPERATIONS];
	double start;
	int error = 0;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		names[i] = (struct peer_name){0};
		id_nth((uint32_t)(draw(world) % world->known), names[i].id);
	}
	start = control_cost_clock_us();
	for (unsigned i = 0; i < OPERATIONS && error == 0; i++)
		error = report(world, &names[i], PEER_ACTION_HIGH);
	*ret_report_us = (control_cost_clock_us() - start) / OPERATIONS;
	start = control_cost_clock_us();
	for (unsigned i = 0; i < OPERATIONS && error == 0; i++) {
		struct roster_peer_info info;

		roster_peer_get(world->roster, &names[i], world->now.wall_ms, &info);
		if (!info.known || info.governor.app_score >= 0)
			error = -EBADMSG;
	}
	*ret_get_us = (control_cost_clock_us() - start) / OPERATIONS;
	return error;
}

static void ticks_measure(struct control_cost_world *world, double *ret_idle_us, double *ret_tick_ms)
{
	double start = control_cost_clock_us();

	for (unsigned i = 0; i < IDLES; i++) {
		(void)roster_next_due_ms(world->roster, true);
		(void)roster_advance(world->roster, world->now.wall_ms, ADVANCE_BUDGET, true);
	}
	*ret_idle_us = (control_cost_clock_us() - start) / IDLES;
	pass(world, 1000);
	start = control_cost_clock_us();
	roster_tick(world->roster, world->now.wall_ms);
	*ret_tick_ms = (control_cost_clock_us() - start) / 1e3;
}

/* Strangers earn -30 now, and recover together; only they are due then, or no more than they. */
static int crossings_measure(struct control_cost_world *world, double *ret_us)
{
	uint32_t first = world->strangers;
	unsigned steps = 1;
	double start;

	for (unsigned i = 0; i < CROSSINGS; i++) {
		struct peer_name name = name_of(address_nth(world->strangers++, true));

		for (unsigned k = 0; k < 3; k++) {
			if (report(world, &name, PEER_ACTION_LOW) != 0)
				return -EINVAL;
		}
	}
	pass(world, CROSSING_MS - 2000);
	settle(world);
	pass(world, 2000);
	start = control_cost_clock_us();
	while (roster_advance(world->roster, world->now.wall_ms, 1, false))
		steps++;
	*ret_us = (control_cost_clock_us() - start) / steps;
	for (unsigned i = 0; i < CROSSINGS; i++) {
		struct peer_name name = name_of(address_nth(first + i, true));
		struct peer_info info;

		governor_peer_get(roster_governor(world->roster), &name, world->now.wall_ms, &info);
		if (info.state != SCORE_STATE_HEALTHY || info.app_score > -19 || steps < CROSSINGS)
			return -EBADMSG;
	}
	return 0;
}

static void book_ask(struct control_cost_world *world, double *ret_us)
{
	static struct book_endpoint endpoints[BOOK_ANSWER_MAX];
	static struct book_target targets[100];
	double start = control_cost_clock_us();

	(void)address_book_to_connect(world->book, 100, world->now.wall_ms, targets);
	(void)address_book_coldest(world->book, 100, world->now.wall_ms, endpoints);
	(void)address_book_best(world->book, 8, NULL, world->now.wall_ms, endpoints);
	(void)address_book_random(world->book, 100, BOOK_FILTER_ANY, true, 10, world->now.wall_ms, endpoints);
	*ret_us = control_cost_clock_us() - start;
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
	struct roster_status status;
	int error;

	pass(world, 1000);
	settle(world);
	error = peers_connect(world);
	if (error != 0)
		return fail(sentence, "a connection", error);
	error = peers_measure(world, &costs[CONTROL_COST_REPORT], &costs[CONTROL_COST_GET]);
	if (error != 0)
		return fail(sentence, "a report", error);
	settle(world);
	ticks_measure(world, &costs[CONTROL_COST_IDLE], &costs[CONTROL_COST_TICK]);
	book_ask(world, &costs[CONTROL_COST_BOOK_ASK]);
	error = book_measure(world, &costs[CONTROL_COST_BOOK_ADD], &costs[CONTROL_COST_BOOK_OUTCOME]);
	if (error != 0)
		return fail(sentence, "the book", error);
	error = publisher_measure(world, costs);
	if (error != 0)
		return fail(sentence, "a snapshot", error);
	roster_status(world->roster, &status);
	if (status.known < world->known || status.connected < CONNECTED ||
		address_book_count(world->book) < world->known)
		return fail(sentence, "some peers were forgotten", -ENOSPC);
	error = crossings_measure(world, &costs[CONTROL_COST_CROSSING]);
	return error == 0 ? 0 : fail(sentence, "a score that crosses its threshold", error);
}
