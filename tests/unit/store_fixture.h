/* SPDX-License-Identifier: BSD-3-Clause
 * A store in a directory of its own below /tmp, and what was read back from it. For the tests of the store only; included once
 * by each executable. Keeps no state but the directory and the last load; a test begins and ends with both empty.
 */
#ifndef WEIR_TESTS_STORE_FIXTURE_H
#define WEIR_TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/store.h"
#include "tests/check.h"

#define WALL_MS INT64_C(1700000000000)
enum { LOADED_MAX = 64, PATIENCE_S = 20 };

static char store_directory[64];
static struct store_open_report store_report;

static struct {
	struct ban bans[LOADED_MAX];
	struct { struct prefix prefix; char id[GOVERNOR_ID_MAX]; unsigned strikes; int64_t last_ms; } strikes[LOADED_MAX];
	struct { struct prefix prefix; bool allow; char reason[GOVERNOR_TEXT_MAX]; } lists[LOADED_MAX];
	unsigned n_bans, n_strikes, n_lists; /* all that were visited; the first LOADED_MAX are kept */
	struct store_load_stats stats;
} loaded;

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status, (void)kind, (void)walk;
	return remove(path);
}

static inline void directory_begin(void)
{
	strcpy(store_directory, "/tmp/weir-store-XXXXXX");
	if (mkdtemp(store_directory) == NULL)
		abort();
}

static inline void directory_end(void)
{
	nftw(store_directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct store *store_begin(const struct store_config *settings)
{
	struct store_config config = *settings;
	struct store *store = NULL;

	config.directory = store_directory;
	if (config.commit_interval_ms == 0)
		config.commit_interval_ms = 10;
	if (store_open(&config, WALL_MS, &store_report, &store) != 0)
		return NULL;
	return store;
}

static inline struct store *store_begin_plain(void)
{
	return store_begin(&(struct store_config){0});
}

/** Wait until everything put so far is on disk; false after PATIENCE_S. */
static inline bool store_settle(struct store *store)
{
	uint64_t wanted = store_sync_request(store), count;
	time_t end = time(NULL) + PATIENCE_S;

	while (store_durable_sequence(store) < wanted) {
		struct pollfd wait = {store_event_fd(store), POLLIN, 0};

		if (time(NULL) > end)
			return false;
		poll(&wait, 1, 100);
		if (wait.revents & POLLIN && read(wait.fd, &count, sizeof(count)) < 0)
			return false;
	}
	return true;
}

static inline bool keep_ban(void *context, const struct ban *ban)
{
	(void)context;
	if (loaded.n_bans < LOADED_MAX)
		loaded.bans[loaded.n_bans] = *ban;
	loaded.n_bans++;
	return true;
}

static inline bool keep_strike(void *context, const struct prefix *prefix, unsigned strikes, int64_t last_ms)
{
	(void)context;
	if (loaded.n_strikes < LOADED_MAX) {
		loaded.strikes[loaded.n_strikes].prefix = *prefix;
		loaded.strikes[loaded.n_strikes].id[0] = '\0';
		loaded.strikes[loaded.n_strikes].strikes = strikes;
		loaded.strikes[loaded.n_strikes].last_ms = last_ms;
	}
	loaded.n_strikes++;
	return true;
}

static inline bool keep_strike_id(void *context, const char *id, unsigned strikes, int64_t last_ms)
{
	(void)context;
	if (loaded.n_strikes < LOADED_MAX) {
		snprintf(loaded.strikes[loaded.n_strikes].id, GOVERNOR_ID_MAX, "%s", id);
		loaded.strikes[loaded.n_strikes].strikes = strikes;
		loaded.strikes[loaded.n_strikes].last_ms = last_ms;
	}
	loaded.n_strikes++;
	return true;
}

static inline bool keep_list(void *context, const struct prefix *prefix, bool allow, const char *reason)
{
	(void)context;
	if (loaded.n_lists < LOADED_MAX) {
		loaded.lists[loaded.n_lists].prefix = *prefix;
		loaded.lists[loaded.n_lists].allow = allow;
		snprintf(loaded.lists[loaded.n_lists].reason, GOVERNOR_TEXT_MAX, "%s", reason);
	}
	loaded.n_lists++;
	return true;
}

static inline int load_all(struct store *store)
{
	struct store_visitor visitor = {NULL, keep_ban, keep_strike, keep_strike_id, keep_list};

	memset(&loaded, 0, sizeof(loaded));
	return store_load(store, &visitor, &loaded.stats);
}

static inline struct ban ban_of(uint32_t v4, int64_t end_ms)
{
	struct address address = address_from_v4(v4);

	return (struct ban){.scope = BAN_SCOPE_PREFIX, .prefix = prefix_of(&address, PREFIX_HOST_LENGTH),
		.tier = BAN_TIER_MANUAL, .start_ms = WALL_MS, .end_ms = end_ms, .reason = "test", .source = "operator"};
}

static inline bool bans_equal(const struct ban *a, const struct ban *b)
{
	return a->scope == b->scope && (a->scope == BAN_SCOPE_PEER || prefix_compare(&a->prefix, &b->prefix) == 0) &&
		strcmp(a->id, b->id) == 0 && a->tier == b->tier && a->start_ms == b->start_ms && a->end_ms == b->end_ms &&
		strcmp(a->reason, b->reason) == 0 && strcmp(a->evidence, b->evidence) == 0 &&
		strcmp(a->source, b->source) == 0 && a->score == b->score && a->freeze_until_ms == b->freeze_until_ms &&
		a->has_seen == b->has_seen && a->seen_port == b->seen_port && address_compare(&a->seen, &b->seen) == 0;
}

/** How many files in the directory have `part` in their names; the path of the last one found goes to ret_path (may be NULL). */
static inline unsigned files_named(const char *part, char ret_path[512])
{
	DIR *directory = opendir(store_directory);
	const struct dirent *entry;
	unsigned n = 0;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (strstr(entry->d_name, part) == NULL || strstr(entry->d_name, "-lock") != NULL)
			continue;
		n++;
		if (ret_path != NULL)
			snprintf(ret_path, 512, "%s/%s", store_directory, entry->d_name);
	}
	if (directory != NULL)
		closedir(directory);
	return n;
}

static inline char *store_file(char path[512])
{
	snprintf(path, 512, "%s/weir.mdb", store_directory);
	return path;
}

#endif
