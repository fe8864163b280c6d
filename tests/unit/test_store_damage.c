/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/store.h against what befalls disks and processes: sudden death, flipped bytes, cut and foreign files, a full disk,
 * a second owner, another version. Each attack runs in a child process with an alarm: a crash or a hang is a failure that
 * names its case.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "control/store_private.h"
#include "tests/unit/store_fixture.h"

enum { RECORDS = 400, FLIP_SECONDS = 30 };

/* Runs in a child: 0, or a small number that says what went wrong. */
static int in_child(int (*run)(void *context), void *context, unsigned seconds)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(seconds);
		_exit(run(context));
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void write_records(struct store *store)
{
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct ban ban = ban_of(0x0a000000 + i, i % 3 ? GOVERNOR_NEVER_MS : WALL_MS + 1000000 + i);
		struct prefix prefix = ban.prefix;

		store_put_ban(store, &ban);
		if (i % 8 == 0)
			store_put_strike(store, &prefix, i + 1, WALL_MS);
		if (i % 16 == 0)
			store_put_list(store, &prefix, /* allow = */ false, /* present = */ true, "list");
	}
}

static bool ban_is_ours(void *context, const struct ban *ban)
{
	uint32_t i = address_v4(&ban->prefix.address) - 0x0a000000;
	struct ban ours = ban_of(0x0a000000 + i, i % 3 ? GOVERNOR_NEVER_MS : WALL_MS + 1000000 + (int64_t)i);
	unsigned *bad = context;

	if (i >= RECORDS || !bans_equal(ban, &ours))
		(*bad)++;
	return true;
}

static bool strike_is_ours(void *context, const struct prefix *prefix, unsigned strikes, int64_t last_ms)
{
	unsigned *bad = context;

	if (address_v4(&prefix->address) - 0x0a000000 + 1 != strikes || last_ms != WALL_MS)
		(*bad)++;
	return true;
}

/* Opens whatever is there; everything read must be true, everything missing must be told; then it must take changes. */
static int survive(void *context)
{
	bool *ret_told = context;
	struct store_load_stats stats, again;
	unsigned bad = 0;
	struct store_visitor visitor = {&bad, .ban = ban_is_ours, .strike = strike_is_ours};
	struct ban extra = ban_of(0x0a000000 + 1, GOVERNOR_NEVER_MS);
	struct store *store = store_begin_plain();
	struct store_status status;
	bool told;

	if (store == NULL)
		return 1;
	if (store_load(store, &visitor, &stats) != 0)
		return 2;
	if (bad != 0)
		return 3;
	told = (store_report.flags & (STORE_QUARANTINED | STORE_EMPTY | STORE_RESTORED)) != 0;
	if (!told && stats.bans + stats.strikes + stats.lists + stats.damaged < RECORDS + RECORDS / 8 + RECORDS / 16)
		return 4;
	if (told && strlen(store_report.text) < 20)
		return 5;
	for (uint32_t i = 0; i < 40; i++) { /* ours, so that what is read again is true too */
		extra = ban_of(0x0a000000 + i * 10, i * 10 % 3 ? GOVERNOR_NEVER_MS : WALL_MS + 1000000 + (int64_t)i * 10);
		store_put_ban(store, &extra);
	}
	if (!store_settle(store))
		return 6;
	store_status(store, &status);
	if (status.corruptions != 0) { /* found while writing: then everything is asked for anew */
		store_resync_begin(store);
		write_records(store);
		if (!store_settle(store))
			return 7;
	}
	if (store_close(store) != 0)
		return 8;
	store = store_begin_plain();
	if (store == NULL || store_report.flags != STORE_OPENED)
		return 9;
	if (store_load(store, &visitor, &again) != 0 || bad != 0 || again.damaged != 0)
		return 10;
	if (!told && again.bans < stats.bans)
		return 11;
	store_close(store);
	*ret_told = told;
	return 0;
}

static uint8_t *pristine;
static size_t pristine_bytes;

static void file_write(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		abort();
	close(fd);
}

/* A file of two generations, so that its free list is not empty and both of LMDB's headers know every record. */
static void pristine_make(void)
{
	char path[512];
	struct store *store;
	struct stat status;
	int fd;

	directory_begin();
	store = store_begin_plain();
	write_records(store);
	store_settle(store);
	write_records(store);
	store_settle(store);
	for (uint32_t i = 0; i < 2; i++) {
		struct ban ban = ban_of(0x0a000001 + i, GOVERNOR_NEVER_MS);
		store_put_ban(store, &ban);
		store_settle(store);
	}
	store_close(store);
	fd = open(store_file(path), O_RDONLY);
	if (fd < 0 || fstat(fd, &status) < 0)
		abort();
	pristine_bytes = (size_t)status.st_size;
	pristine = malloc(pristine_bytes);
	if (read(fd, pristine, pristine_bytes) != (ssize_t)pristine_bytes)
		abort();
	close(fd);
	directory_end();
}

static int damage_one(const uint8_t *data, size_t bytes)
{
	char path[512];
	bool told = false;
	int result;

	directory_begin();
	file_write(store_file(path), data, bytes);
	result = in_child(survive, &told, FLIP_SECONDS);
	directory_end();
	return result;
}

static void test_flips(void)
{
	unsigned n = 0;

	pristine_make();
	for (size_t at = 0; at < pristine_bytes;) {
		uint8_t flip = n % 4 == 0 ? 0xff : (uint8_t)(1u << (n % 8));
		int result;

		pristine[at] ^= flip;
		result = damage_one(pristine, pristine_bytes);
		pristine[at] ^= flip;
		if (result != 0)
			CHECK_FAIL("a flipped byte is survived and told", "byte %zu of page %zu ^ %#x: %d", at % 4096, at / 4096,
				flip, result);
		n++;
		/* The head of each page closely, its body in steps. */
		at += at % 4096 < 24 || (at < 8192 && at % 4096 < 160) ? 2 : 389;
		if (at % 4096 > 4096 - 200)
			at = (at / 4096 + 1) * 4096;
	}
	printf("\n  %u flips in %zu pages\n", n, pristine_bytes / 4096);
	CHECK_TRUE("enough places", n >= 500);
	free(pristine);
}

static void test_cut_and_foreign(void)
{
	static uint8_t noise[70000];
	size_t cuts[] = {1, 100, 4096, 8191, 8192, 12288, 40000};

	pristine_make();
	for (size_t i = 0; i < CHECK_COUNT(cuts); i++) {
		int result = damage_one(pristine, cuts[i]);
		if (result != 0)
			CHECK_FAIL("a cut file is survived and told", "%zu bytes: %d", cuts[i], result);
	}
	CHECK_EQ("half of the file is missing", damage_one(pristine, pristine_bytes / 2), 0);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 2654435761u >> 13);
	CHECK_EQ("a foreign file is set aside", damage_one(noise, sizeof(noise)), 0);
	memcpy(noise, pristine, 8192);
	CHECK_EQ("two good headers over noise", damage_one(noise, sizeof(noise)), 0);
	CHECK_EQ("an empty file is told", damage_one(noise, 0), 0);
	free(pristine);
}

static void test_backup_replaces(void)
{
	char path[512], name[512];
	struct store *store;
	struct store_status status;

	directory_begin();
	for (unsigned i = 0; i < 4; i++) {
		store = store_begin_plain();
		store_set_time(store, WALL_MS + i * 1000);
		write_records(store);
		CHECK_EQ("close", store_close(store), 0);
		CHECK_EQ("two backups are kept", files_named("backup", NULL), i == 0 ? 1u : 2u);
	}
	file_write(store_file(path), "this is not a store", 19);
	store = store_begin_plain();
	CHECK_TRUE("set aside and restored",
		(store_report.flags & (STORE_QUARANTINED | STORE_RESTORED | STORE_EMPTY)) == (STORE_QUARANTINED | STORE_RESTORED));
	CHECK_EQ("the damaged file is kept for whoever wants to look", files_named("corrupt", name), 1u);
	CHECK_EQ("under the name that is told", (const char *)store_report.quarantine, (const char *)name);
	load_all(store);
	CHECK_EQ("with everything", loaded.n_bans, (unsigned)RECORDS);
	store_set_time(store, WALL_MS + 9000);
	write_records(store);
	store_settle(store);
	store_backup_request(store);
	for (unsigned i = 0; i < 500; i++) {
		store_status(store, &status);
		if (status.backups + status.backup_errors != 0)
			break;
		usleep(10000);
	}
	CHECK_EQ("a backup on request", status.backups, 1u);
	CHECK_EQ("says when", status.last_backup_ms, WALL_MS + 9000);
	store_close(store);
	directory_end();
}

static const struct check_test tests[] = {
	{"a backup replaces what was damaged, two are kept", test_backup_replaces},
	{"cut and foreign files are survived and told", test_cut_and_foreign},
	{"flipped bytes are survived and told", test_flips},
};
CHECK_MAIN("store_damage", tests)
