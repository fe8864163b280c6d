/* SPDX-License-Identifier: BSD-3-Clause
 * Opening, closing and the turns of weir-control's state. The effects of the governor are in
 * control_effects.c.
 */
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "control/control_private.h"
#include "control/log.h"
#include "control/moment.h"
#include "shm/paths.h"

enum {
	ADVANCE_BUDGET = 2048, /* ends of bans a turn: about 2 ms at 1 us each */
	CLOCK_STEP_MS = 500,   /* as the publisher's; the governor stands still for less */
};

/* A wall clock that was wrong and is put right may fall by years. The governor must not wait until the old
 * time has come again: till then every new ban would be too short to be taken, and every ban of its own too
 * long by the step. */
static void clock_step_check(struct control *control)
{
	if (control->roster != NULL && control->clock.wall_ms < control->latest_wall_ms - CLOCK_STEP_MS) {
		log_warning("the wall clock was set back by %.1f s: bans end at the same wall time as "
			    "before, so later",
			(double)(control->latest_wall_ms - control->clock.wall_ms) / 1000.0);
		roster_clock_step_back(control->roster, control->clock.wall_ms);
		control->latest_wall_ms = control->clock.wall_ms;
	}
	if (control->clock.wall_ms > control->latest_wall_ms)
		control->latest_wall_ms = control->clock.wall_ms;
}

void control_clock(struct control *control)
{
	struct timespec wall, mono;
	/* the monotonic one first: an end that is converted with it can only come out later, never earlier */
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	control->clock.wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
	control->clock.mono_ns = (uint64_t)mono.tv_sec * 1000000000 + (uint64_t)mono.tv_nsec;
	clock_step_check(control);
}

static int directory_make(const char *path, mode_t mode, char *error_text, size_t error_bytes)
{
	struct stat status;
	int error = mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -errno;
	if (error == 0 && stat(path, &status) != 0)
		error = -errno;
	if (error == 0 && !S_ISDIR(status.st_mode))
		error = -ENOTDIR;
	if (error == 0)
		return 0;
	snprintf(error_text, error_bytes, "%s: cannot be made: %s", path, strerror(-error));
	return error;
}

static bool load_ban(void *context, const struct ban *ban)
{
	struct control *control = context;
	int error = governor_ban_load(control->governor, ban, control->clock.wall_ms);
	if (error == 0)
		roster_ban_loaded(control->roster, ban);
	else
		log_warning("a stored ban was not taken: %s", strerror(-error));
	return true; /* what does not fit now may fit under another configuration */
}

static bool load_strike(void *context, const struct prefix *prefix, unsigned strikes, int64_t last_ms)
{
	struct control *control = context;
	return governor_strike_load(control->governor, prefix, strikes, last_ms) != -ESTALE;
}

static bool load_strike_id(void *context, const char *id, unsigned strikes, int64_t last_ms)
{
	struct control *control = context;
	return governor_strike_load_id(control->governor, id, strikes, last_ms) != -ESTALE;
}

static bool load_list(void *context, const struct prefix *prefix, bool allow, const char *reason)
{
	struct control *control = context;
	struct prefix conflict;
	char text[PREFIX_TEXT_MAX], other[PREFIX_TEXT_MAX];
	int error = governor_list_add(control->governor, allow ? GOVERNOR_LIST_ALLOW : GOVERNOR_LIST_DENY,
		GOVERNOR_LIST_FROM_OPERATOR, prefix, reason, control->clock.wall_ms, &conflict);
	if (error == -EPERM)
		log_warning("%s stays off the %s list: it contradicts %s of the configuration",
			prefix_format(prefix, text), allow ? "allow" : "deny",
			prefix_format(&conflict, other));
	return true;
}

/* SP-5: by the rules of today; what they refuse is forgotten. */
static bool load_book(void *context, const struct book_record *record)
{
	struct control *control = context;
	return address_book_load(roster_book(control->roster), record, control->clock.wall_ms) <=
	       BOOK_REFRESHED;
}

int control_store_start(struct control *control, char *error_text, size_t error_bytes)
{
	char path[192];
	struct store_config store_config = {
		.directory = config_store_path(&control->config, path, sizeof(path)),
		.map_max_bytes = control->config.store_map_bytes_max,
		.backup_interval_s = (unsigned)(control->config.store_backup_interval_ms / 1000),
	};
	struct store_visitor visitor = {control, load_ban, load_strike, load_strike_id, load_list, load_book};
	int error =
		store_open(&store_config, control->clock.wall_ms, &control->store_report, &control->store);
	if (error != 0) {
		snprintf(error_text, error_bytes, "%s: %s", path, control->store_report.text);
		control->store = NULL;
		return error;
	}
	if (control->store_report.text[0] != '\0')
		log_write(
			(control->store_report.flags & (STORE_QUARANTINED | STORE_EMPTY | STORE_RECORDS_LOST))
				? LOG_LEVEL_WARNING
				: LOG_LEVEL_INFO,
			"%s", control->store_report.text);
	error = store_load(control->store, &visitor, &control->loaded);
	if (error != 0) {
		snprintf(error_text, error_bytes, "%s: cannot be read: %s", path, strerror(-error));
		return error;
	}
	(void)roster_light_peers(control->roster, control->clock.wall_ms);
	log_info("loaded %llu bans, %llu strikes, %llu list entries and %llu addresses; %llu damaged records "
		 "skipped",
		(unsigned long long)control->loaded.bans, (unsigned long long)control->loaded.strikes,
		(unsigned long long)control->loaded.lists, (unsigned long long)control->loaded.book,
		(unsigned long long)control->loaded.damaged);
	return 0;
}

static int publisher_start(struct control *control, char *error_text, size_t error_bytes)
{
	char segment[PATHS_TEXT_MAX], image[PATHS_TEXT_MAX];
	struct publisher_options options = {
		.segment_path = config_control_segment_path(&control->config, segment, sizeof(segment)),
		.image_path = config_image_path(&control->config, image, sizeof(image)),
		.interval_ms = control->config.snapshot_interval_ms,
		.commands_max = control->config.snapshot_commands,
	};
	struct snapshot_policy *policy = malloc(sizeof(*policy));
	if (policy == NULL)
		return -ENOMEM;
	snapshot_policy_from_config(&control->config, policy);
	int error = publisher_open(&options, policy, &control->publisher, error_text, error_bytes);
	free(policy);
	return error;
}

static int link_start(struct control *control)
{
	char socket_path[PATHS_TEXT_MAX], segment[PATHS_TEXT_MAX];
	struct dataplane_link_callbacks callbacks;
	control_link_callbacks(control, &callbacks);
	return dataplane_link_create(
		config_link_socket_path(&control->config, socket_path, sizeof(socket_path)),
		config_dataplane_segment_path(&control->config, segment, sizeof(segment)),
		publisher_payload(control->publisher), &callbacks, &control->link);
}

static bool enforced_load(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms)
{
	struct control *control = context;
	publisher_load(control->publisher, prefix, class, end_ms);
	return true;
}

/* What both starts have in common once the directories are there. */
static int governor_start(struct control *control, char *error_text, size_t error_bytes)
{
	int error = control_governor_create(control, error_text, error_bytes);
	if (error == 0)
		error = control_config_lists_add(control, &control->config, error_text, error_bytes);
	if (error == 0)
		error = control_store_start(control, error_text, error_bytes);
	if (error == 0)
		error = control_roots_add(control, &control->config, error_text, error_bytes);
	return error;
}

static int parts_open(struct control *control, char *error_text, size_t error_bytes)
{
	struct config *config = &control->config;
	int error = directory_make(config->shm_dir, 0750, error_text, error_bytes);
	if (error == 0)
		error = directory_make(config->run_dir, 0755, error_text, error_bytes);
	if (error == 0)
		error = directory_make(config->state_dir, 0700, error_text, error_bytes);
	/* The segment's lock comes first: a second instance must not touch the store. */
	if (error == 0)
		error = publisher_start(control, error_text, error_bytes);
	if (error == 0)
		error = governor_start(control, error_text, error_bytes);
	if (error != 0)
		return error;
	/* From here on effects reach the store; before, what it holds was being read from it. */
	control->started_ms = control->clock.wall_ms;
	governor_enforced_each(control->governor, control->clock.wall_ms, enforced_load, control);
	error = control_lists_publish(control);
	if (error == 0)
		error = publisher_publish_now(control->publisher, &control->clock);
	if (error == 0)
		error = link_start(control);
	if (error != 0)
		snprintf(
			error_text, error_bytes, "the first image cannot be published: %s", strerror(-error));
	return error;
}

int control_open(struct control *control, struct config *config, char *error_text, size_t error_bytes)
{
	memset(control, 0, sizeof(*control));
	control->config = *config;
	control->seed = random_u64();
	control_clock(control);
	int error = parts_open(control, error_text, error_bytes);
	if (error != 0)
		(void)control_close(control);
	return error;
}

int control_open_simulated(
	struct control *control, struct config *config, uint64_t seed, char *error_text, size_t error_bytes)
{
	memset(control, 0, sizeof(*control));
	control->config = *config;
	control->simulated = true;
	control->seed = seed;
	moment_set_epoch(MOMENT_SIMULATED_MS);
	control->clock.wall_ms = MOMENT_SIMULATED_MS;
	int error = governor_start(control, error_text, error_bytes);
	if (error != 0)
		(void)control_close(control);
	else
		control->started_ms = MOMENT_SIMULATED_MS;
	return error;
}

int control_restart_simulated(struct control *control, char *error_text, size_t error_bytes)
{
	int error = store_close(control->store);
	control->store = NULL;
	control->started_ms = 0;
	if (error != 0) {
		snprintf(error_text, error_bytes, "what was queued cannot be written: %s", strerror(-error));
		return error;
	}
	roster_destroy(control->roster);
	control->roster = NULL;
	control->governor = NULL;
	error = governor_start(control, error_text, error_bytes);
	control->started_ms = MOMENT_SIMULATED_MS;
	return error;
}

int control_close(struct control *control)
{
	int error = 0, store_error = 0;
	if (!control->simulated)
		control_clock(control);
	/* the last image covers the log, so it must hold the lists of the log's last commands */
	if (control->publisher != NULL && control->lists_changed && control_lists_publish(control) != 0)
		log_error("the last image is without the latest changes of the lists");
	if (control->publisher != NULL && control->started_ms != 0)
		error = publisher_publish_now(control->publisher, &control->clock);
	store_error = control->store == NULL ? 0 : store_close(control->store);
	dataplane_link_destroy(control->link);
	publisher_close(control->publisher);
	if (control->roster != NULL)
		roster_destroy(control->roster);
	config_free(&control->config);
	return error != 0 ? error : store_error;
}

static bool resync_ban(void *context, const struct ban *ban)
{
	struct control *control = context;
	return ban->tier == BAN_TIER_THROTTLE || store_put_ban(control->store, ban) == 0;
}

static bool resync_list(struct control *control, bool allow, const struct prefix *prefix, const char *reason)
{
	return store_put_list(control->store, prefix, allow, true, reason) == 0;
}

static bool resync_allow(
	void *context, const struct prefix *prefix, const char *reason, enum governor_list_origin origin)
{
	return origin != GOVERNOR_LIST_FROM_OPERATOR || resync_list(context, true, prefix, reason);
}

static bool resync_deny(
	void *context, const struct prefix *prefix, const char *reason, enum governor_list_origin origin)
{
	return origin != GOVERNOR_LIST_FROM_OPERATOR || resync_list(context, false, prefix, reason);
}

/* The disk was full for so long that changes were not queued: memory is the truth, and goes there whole.
 * Proportional to the bans, and rare: once after each such disk. */
static void resync_strike(void *context, const struct prefix *prefix_or_null, const char *id_or_null,
	unsigned strikes, int64_t last_ms)
{
	struct control *control = context;

	if (prefix_or_null != NULL)
		(void)store_put_strike(control->store, prefix_or_null, strikes, last_ms);
	else
		(void)store_put_strike_id(control->store, id_or_null, strikes, last_ms);
}

static void resync_book(struct control *control)
{
	const struct book_record *records[256];
	struct book_endpoint after;
	size_t n, most = sizeof(records) / sizeof(records[0]);
	const struct book_endpoint *from = NULL;
	do {
		n = address_book_list(roster_book(control->roster), most, from, records);
		for (size_t i = 0; i < n; i++) {
			(void)store_put_book(control->store, records[i]);
			after = (struct book_endpoint){records[i]->address, records[i]->port};
		}
		from = &after;
	} while (n == most);
}

static void store_resync(struct control *control, const struct store_status *status)
{
	if (!status->resync || status->error != 0)
		return;
	log_warning("the store missed changes while it could not write: writing everything anew");
	if (store_resync_begin(control->store) != 0)
		return;
	governor_ban_each(control->governor, NULL, resync_ban, control);
	governor_strikes_each(control->governor, resync_strike, control);
	resync_book(control);
	governor_list_each(control->governor, GOVERNOR_LIST_ALLOW, resync_allow, control);
	governor_list_each(control->governor, GOVERNOR_LIST_DENY, resync_deny, control);
}

const char *control_store_text(struct control *control, char *text, size_t bytes)
{
	struct store_status status;
	store_status(control->store, &status);
	snprintf(text, bytes, "%s", status.error != 0 ? status.text : "");
	return text;
}

/* Somebody cleaned up what was in use: sockets and segments are made anew; what is enforced stays so
 * meanwhile. */
static void places_restore(struct control *control)
{
	char text[512];
	int restored = 0;
	if (directory_make(control->config.run_dir, 0755, text, sizeof(text)) != 0 ||
		directory_make(control->config.shm_dir, 0750, text, sizeof(text)) != 0)
		restored = -1;
	if (restored == 0)
		restored = publisher_restore(control->publisher, text, sizeof(text));
	if (restored > 0) {
		dataplane_link_set_payload(control->link, publisher_payload(control->publisher));
		log_warning(
			"the segment was removed from %s while in use: made anew", control->config.shm_dir);
	}
	if (restored < 0 && !control->places_lost)
		log_error("the segment was removed from %s while in use and cannot be made anew: %s",
			control->config.shm_dir, text);
	control->places_lost = restored < 0;
}

static void second_work(struct control *control)
{
	struct store_status status;
	control->next_second_ns = control->clock.mono_ns + 1000000000;
	places_restore(control);
	store_set_time(control->store, control->clock.wall_ms);
	store_status(control->store, &status);
	if ((status.error != 0) != control->resyncing) {
		control->resyncing = status.error != 0;
		if (status.error != 0)
			log_error("the store cannot write: %s", status.text);
		else
			log_info("the store writes again");
	}
	store_resync(control, &status);
}

bool control_tick(struct control *control)
{
	bool more = dataplane_link_tick(control->link, control->clock.mono_ns);
	if (control->lists_changed && control_lists_publish(control) == 0)
		control->lists_changed = false;
	publisher_tick(control->publisher, &control->clock);
	if (control->clock.mono_ns >= control->next_second_ns)
		second_work(control);
	return more;
}

bool control_advance(struct control *control)
{
	return roster_advance(control->roster, control->clock.wall_ms, ADVANCE_BUDGET, true);
}

void control_turn_end(struct control *control)
{
	if (publisher_take_news(control->publisher))
		dataplane_link_doorbell(control->link);
}
