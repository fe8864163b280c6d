/* SPDX-License-Identifier: BSD-3-Clause
 * The publisher's event-loop side: commands, lists, pace. The build itself is in publisher_build.c.
 */
#include "control/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/publisher_build.h"
#include "shm/paths.h"

enum {
	PENDING_CUTS_MAX = 1 << 20, /* 24 MB: cuts that wait for room in the log */
	RETRY_MS = 1000,            /* after a failed build: the disk is full or memory short */
	CLOCK_STEP_MS = 500,        /* wall against monotonic clock; NTP slews stay far below it per tick */
};

struct pending_cut {
	struct address address;
	uint16_t port;
};

struct publisher {
	char segment_path[PATHS_TEXT_MAX];
	struct segment segment;
	struct control_payload *payload;
	struct publisher_build build;
	struct snapshot_policy policy;
	struct publisher_lists *lists;
	struct enforced_set set;
	struct pending_cut *cuts;
	size_t n_cuts, cuts_capacity;
	uint64_t interval_ns, commands_max;
	uint64_t requested, building_request, done;
	uint64_t commands_since; /* commands since the last freeze */
	uint64_t overlay_since;  /* those of them that the dataplane holds in its overlay */
	uint64_t last_freeze_ns, retry_ns;
	int64_t clock_offset_ms; /* wall minus monotonic at the last tick */
	bool clock_known, dirty, must_build, news;
	struct publisher_status status;
};

static void lists_release(struct publisher_lists *lists)
{
	if (lists != NULL && --lists->references == 0) {
		free(lists->allow);
		free(lists->deny);
		free(lists);
	}
}

/* How far the control before us had read the dataplane's rings: its segment is still there. An unreadable one
 * leaves zeros, and the link starts a dataplane's rings from their beginning. */
struct predecessor {
	uint64_t ring_consumed[CONTROL_RINGS_MAX];
	uint64_t dataplane_instance;
};

static void predecessor_read(const char *segment_path, struct predecessor *predecessor)
{
	struct segment_reader reader;
	memset(predecessor, 0, sizeof(*predecessor));
	if (segment_reader_open(segment_path, SEGMENT_KIND_CONTROL, control_payload_layout_hash(), &reader) !=
		SEGMENT_OK)
		return;
	if (segment_reader_read(&reader, offsetof(struct control_payload, ring_consumed),
		    predecessor->ring_consumed, sizeof(predecessor->ring_consumed)) != 0 ||
		segment_reader_read(&reader, offsetof(struct control_payload, dataplane_instance),
			&predecessor->dataplane_instance, sizeof(predecessor->dataplane_instance)) != 0)
		memset(predecessor, 0, sizeof(*predecessor));
	segment_reader_close(&reader);
}

static void predecessor_continue(const struct predecessor *predecessor, struct control_payload *payload)
{
	for (int i = 0; i < CONTROL_RINGS_MAX; i++)
		atomic_store_explicit(
			&payload->ring_consumed[i], predecessor->ring_consumed[i], memory_order_relaxed);
	payload->dataplane_instance = predecessor->dataplane_instance;
}

static int segment_make(struct publisher *publisher, char *error_text, size_t error_bytes)
{
	enum segment_error result = segment_create(publisher->segment_path, SEGMENT_KIND_CONTROL,
		control_payload_layout_hash(), sizeof(struct control_payload), NULL, &publisher->segment);
	if (result != SEGMENT_OK) {
		segment_error_text(result, publisher->segment_path, error_text, error_bytes);
		return result == SEGMENT_ERROR_BUSY       ? -EBUSY
		       : result == SEGMENT_ERROR_NO_SPACE ? -ENOSPC
							  : -EIO;
	}
	publisher->payload = publisher->segment.payload;
	publisher->status.instance = publisher->segment.header->instance;
	return 0;
}

int publisher_open(const struct publisher_options *options, const struct snapshot_policy *policy,
	struct publisher **ret_publisher, char *error_text, size_t error_bytes)
{
	struct publisher *publisher = calloc(1, sizeof(*publisher));
	if (publisher == NULL) {
		snprintf(error_text, error_bytes, "not enough memory");
		return -ENOMEM;
	}
	publisher->policy = *policy;
	publisher->segment.fd = -1;
	snprintf(publisher->segment_path, sizeof(publisher->segment_path), "%s", options->segment_path);
	publisher_set_pace(publisher, options->interval_ms, options->commands_max);
	int error = publisher_build_open(&publisher->build, options->image_path);
	if (error == 0)
		error = publisher_set_lists(publisher, NULL, 0, NULL, 0);
	if (error != 0) {
		snprintf(error_text, error_bytes, "%s: %s", options->image_path, strerror(-error));
		publisher_close(publisher);
		return error;
	}
	struct predecessor predecessor;
	predecessor_read(options->segment_path, &predecessor);
	error = segment_make(publisher, error_text, error_bytes);
	if (error != 0) {
		publisher->segment.fd = -1;
		publisher_close(publisher);
		return error;
	}
	predecessor_continue(&predecessor, publisher->payload);
	*ret_publisher = publisher;
	return 0;
}

static bool segment_is_in_place(const struct publisher *publisher)
{
	struct stat ours, there;
	return fstat(publisher->segment.fd, &ours) == 0 && stat(publisher->segment_path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int publisher_restore(struct publisher *publisher, char *error_text, size_t error_bytes)
{
	struct segment old = publisher->segment;
	struct control_payload *payload = publisher->payload;
	struct predecessor predecessor;
	if (publisher->status.building || segment_is_in_place(publisher))
		return 0;
	int error = segment_make(publisher, error_text, error_bytes);
	if (error != 0) {
		publisher->segment = old;
		return error;
	}
	for (int i = 0; i < CONTROL_RINGS_MAX; i++)
		predecessor.ring_consumed[i] =
			atomic_load_explicit(&payload->ring_consumed[i], memory_order_relaxed);
	predecessor.dataplane_instance = payload->dataplane_instance;
	predecessor_continue(&predecessor, publisher->payload);
	segment_close(&old, NULL);
	publisher->commands_since = 0;
	publisher->must_build = true;
	publisher->retry_ns = 0;
	publisher->news = true;
	return 1;
}

void publisher_close(struct publisher *publisher)
{
	if (publisher == NULL)
		return;
	publisher_build_close(&publisher->build);
	lists_release(publisher->build.lists);
	lists_release(publisher->lists);
	free(publisher->build.merged.items);
	enforced_set_free(&publisher->set);
	free(publisher->cuts);
	if (publisher->payload != NULL)
		segment_close(&publisher->segment, NULL);
	free(publisher);
}

static bool command_needs_overlay(const struct command_record *record)
{
	struct address address;

	if (record->kind == COMMAND_FLOW_CUT)
		return false;
	memcpy(address.bytes, record->address, sizeof(address.bytes));
	return (record->kind != COMMAND_BAN_SET && record->kind != COMMAND_BAN_CLEAR) ||
	       !command_ban_is_exact(record->prefix_length, address_is_v4(&address));
}

/* False: the log is full of commands that no image covers. */
static bool command_append(struct publisher *publisher, const struct command_record *record)
{
	int error = command_log_append(publisher->payload, record, NULL);
	if (error != 0) {
		publisher->status.log_overflows++;
		/* a change must be in an image; a cut only needs the room that the running build will make */
		publisher->must_build |= record->kind != COMMAND_FLOW_CUT || !publisher->status.building;
		return false;
	}
	publisher->commands_since++;
	publisher->news = true;
	if (command_needs_overlay(record) && ++publisher->overlay_since >= COMMAND_OVERLAY_MAX / 2)
		publisher->must_build = true;
	return true;
}

static struct command_record prefix_command(
	enum command_kind kind, const struct prefix *prefix, const struct snapshot_clock *clock)
{
	struct command_record record = {
		.kind = (uint8_t)kind, .prefix_length = prefix->length, .written_ns = clock->mono_ns};
	memcpy(record.address, prefix->address.bytes, sizeof(record.address));
	return record;
}

void publisher_load(struct publisher *publisher, const struct prefix *prefix, enum source_class class,
	int64_t end_wall_ms)
{
	publisher->dirty = true;
	if (enforced_set_change(&publisher->set, prefix, class, end_wall_ms) != 0)
		publisher->status.changes_lost++;
}

void publisher_enforce(struct publisher *publisher, const struct prefix *prefix, enum source_class class,
	int64_t end_wall_ms, const struct snapshot_clock *clock)
{
	/* the same rounding as the image's, so that image and log never disagree about an end */
	uint32_t meta = snapshot_meta(class, enforced_end_ms(enforced_end_s(end_wall_ms)), clock);
	struct command_record record =
		prefix_command(meta == 0 ? COMMAND_BAN_CLEAR : COMMAND_BAN_SET, prefix, clock);
	record.meta = meta;
	publisher_load(publisher, prefix, meta == 0 ? SOURCE_CLASS_NONE : class, end_wall_ms);
	(void)command_append(publisher, &record);
}

static bool cut_append(struct publisher *publisher, const struct pending_cut *cut, uint64_t mono_ns)
{
	struct command_record record = {.kind = COMMAND_FLOW_CUT,
		.prefix_length = PREFIX_HOST_LENGTH,
		.port = cut->port,
		.written_ns = mono_ns};
	memcpy(record.address, cut->address.bytes, sizeof(record.address));
	return command_append(publisher, &record);
}

void publisher_cut(struct publisher *publisher, const struct address *address, uint16_t port,
	const struct snapshot_clock *clock)
{
	struct pending_cut cut = {*address, port};
	if (publisher->n_cuts == 0 && cut_append(publisher, &cut, clock->mono_ns))
		return;
	/* An image carries no cuts, so they wait here, in order, for room in the log. */
	if (publisher->n_cuts == publisher->cuts_capacity) {
		size_t capacity = publisher->cuts_capacity == 0 ? 1024 : publisher->cuts_capacity * 2;
		struct pending_cut *cuts = capacity > PENDING_CUTS_MAX
						   ? NULL
						   : realloc(publisher->cuts, capacity * sizeof(*cuts));
		if (cuts == NULL) {
			publisher->status.changes_lost++;
			return;
		}
		publisher->cuts = cuts;
		publisher->cuts_capacity = capacity;
	}
	publisher->cuts[publisher->n_cuts++] = cut;
}

static void cuts_flush(struct publisher *publisher, uint64_t mono_ns)
{
	size_t sent = 0;
	while (sent < publisher->n_cuts && cut_append(publisher, &publisher->cuts[sent], mono_ns))
		sent++;
	memmove(publisher->cuts, publisher->cuts + sent,
		(publisher->n_cuts - sent) * sizeof(*publisher->cuts));
	publisher->n_cuts -= sent;
}

void publisher_list(struct publisher *publisher, bool allow, const struct prefix *prefix, bool present,
	const struct snapshot_clock *clock)
{
	enum command_kind kind = allow ? (present ? COMMAND_ALLOW_SET : COMMAND_ALLOW_CLEAR)
				       : (present ? COMMAND_DENY_SET : COMMAND_DENY_CLEAR);
	struct command_record record = prefix_command(kind, prefix, clock);
	publisher->dirty = true;
	(void)command_append(publisher, &record);
}

static int prefixes_copy(const struct prefix *from, size_t n, struct prefix **ret_copy)
{
	*ret_copy = malloc((n + 1) * sizeof(**ret_copy));
	if (*ret_copy == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(*ret_copy, from, n * sizeof(*from));
	return 0;
}

int publisher_set_lists(struct publisher *publisher, const struct prefix *allow, size_t n_allow,
	const struct prefix *deny, size_t n_deny)
{
	struct publisher_lists *lists = calloc(1, sizeof(*lists));
	if (lists == NULL)
		return -ENOMEM;
	lists->references = 1;
	lists->n_allow = n_allow;
	lists->n_deny = n_deny;
	if (prefixes_copy(allow, n_allow, &lists->allow) != 0 ||
		prefixes_copy(deny, n_deny, &lists->deny) != 0) {
		lists_release(lists);
		return -ENOMEM;
	}
	lists_release(publisher->lists);
	publisher->lists = lists;
	publisher->dirty = true;
	return 0;
}

void publisher_set_policy(struct publisher *publisher, const struct snapshot_policy *policy)
{
	publisher->policy = *policy;
	publisher->dirty = true;
}

void publisher_set_pace(struct publisher *publisher, uint64_t interval_ms, uint64_t commands_max)
{
	publisher->interval_ns = interval_ms * 1000000;
	publisher->commands_max = commands_max;
}

uint64_t publisher_request(struct publisher *publisher)
{
	publisher->must_build = true;
	return ++publisher->requested;
}

uint64_t publisher_done(const struct publisher *publisher)
{
	return publisher->done;
}

static int build_start(struct publisher *publisher, const struct snapshot_clock *clock)
{
	struct publisher_build *build = &publisher->build;
	enforced_set_freeze(&publisher->set);
	build->set = &publisher->set;
	build->policy = publisher->policy;
	build->clock = *clock;
	build->instance = publisher->status.instance;
	build->generation = publisher->status.generation + 1;
	build->covers_sequence =
		atomic_load_explicit(&publisher->payload->head_sequence, memory_order_relaxed);
	build->lists = publisher->lists;
	build->lists->references++;
	publisher->building_request = publisher->requested;
	publisher->commands_since = publisher->overlay_since = 0;
	publisher->last_freeze_ns = clock->mono_ns;
	publisher->dirty = false;
	publisher->must_build = false;
	publisher->status.building = true;
	return publisher_build_start(build);
}

static bool build_is_due(const struct publisher *publisher, uint64_t mono_ns)
{
	if (publisher->status.building || mono_ns < publisher->retry_ns)
		return false;
	return publisher->must_build || publisher->commands_since >= publisher->commands_max ||
	       (publisher->dirty && mono_ns - publisher->last_freeze_ns >= publisher->interval_ns);
}

static void clock_check(struct publisher *publisher, const struct snapshot_clock *clock)
{
	int64_t offset_ms = clock->wall_ms - (int64_t)(clock->mono_ns / 1000000);
	int64_t moved_ms = offset_ms - publisher->clock_offset_ms;
	if (!publisher->clock_known) {
		publisher->clock_known = true;
		publisher->clock_offset_ms = offset_ms;
	} else if (moved_ms > CLOCK_STEP_MS || moved_ms < -CLOCK_STEP_MS) {
		/* ends are wall clock: each must be converted anew */
		publisher->clock_offset_ms = offset_ms;
		publisher->status.clock_steps++;
		publisher->must_build = true;
	}
}

/* Takes what the worker left. Everything here is O(1) but the rollback after a failure. */
static int build_finish(struct publisher *publisher, const struct snapshot_clock *clock)
{
	struct publisher_build *build = &publisher->build;
	int error = build->error;
	publisher->status.building = false;
	publisher->status.last_error = error;
	lists_release(build->lists);
	build->lists = NULL;
	if (error != 0) {
		publisher->status.image_errors++;
		publisher->must_build = true;
		publisher->retry_ns = clock->mono_ns + UINT64_C(1000000) * RETRY_MS;
		if (enforced_set_rollback(&publisher->set) != 0)
			publisher->status.changes_lost++;
		return error;
	}
	enforced_set_commit(&publisher->set, &build->merged);
	publisher->status.generation = build->generation;
	publisher->status.images++;
	publisher->status.enforced = publisher->set.base.n;
	publisher->status.image_bytes = build->image_bytes;
	publisher->status.build_ms = build->build_ms;
	publisher->status.published_mono_ns = clock->mono_ns;
	publisher->done = publisher->building_request;
	command_log_cover(publisher->payload, build->generation, build->covers_sequence);
	publisher->news = true;
	return 0;
}

int publisher_reap(struct publisher *publisher, const struct snapshot_clock *clock)
{
	if (!publisher->status.building || !publisher_build_reap(&publisher->build))
		return 0;
	return build_finish(publisher, clock);
}

void publisher_tick(struct publisher *publisher, const struct snapshot_clock *clock)
{
	atomic_store_explicit(&publisher->segment.header->heartbeat_ns, clock->mono_ns, memory_order_relaxed);
	clock_check(publisher, clock);
	if (publisher->n_cuts > 0)
		cuts_flush(publisher, clock->mono_ns);
	if (build_is_due(publisher, clock->mono_ns) && build_start(publisher, clock) != 0)
		(void)build_finish(publisher, clock);
}

int publisher_publish_now(struct publisher *publisher, const struct snapshot_clock *clock)
{
	if (publisher->status.building) {
		publisher_build_wait(&publisher->build);
		(void)build_finish(publisher, clock);
	}
	int error = build_start(publisher, clock);
	if (error == 0)
		publisher_build_wait(&publisher->build);
	return build_finish(publisher, clock);
}

int publisher_event_fd(const struct publisher *publisher)
{
	return publisher->build.event_fd;
}

bool publisher_take_news(struct publisher *publisher)
{
	bool news = publisher->news;
	publisher->news = false;
	return news;
}

struct control_payload *publisher_payload(struct publisher *publisher)
{
	return publisher->payload;
}

void publisher_status(const struct publisher *publisher, struct publisher_status *ret_status)
{
	*ret_status = publisher->status;
	ret_status->head_sequence =
		atomic_load_explicit(&publisher->payload->head_sequence, memory_order_relaxed);
	ret_status->covered_sequence =
		atomic_load_explicit(&publisher->payload->covered_sequence, memory_order_relaxed);
}
