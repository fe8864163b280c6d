/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/store.h against sudden death, a full disk, a newer version's file and a second owner.
 * Whoever dies or mounts does so in a child of its own; the disk is a small tmpfs in the child's own mount
 * namespace, so nothing is left behind. Needs root for the mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "control/store_private.h"
#include "tests/unit/store_fixture.h"

/* Records of a batch that is waited for; rounds of killing, each at another moment; how long a child may
 * live. */
enum { BATCH = 25, KILL_ROUNDS = 12, CHILD_SECONDS = 60, FIRST_V4 = 0x0a000000 };
/* 4 MiB of disk; before it is full 100 records are on it, and 4,000 more (half a MiB) find no place. */
enum { RECORDS_BEFORE = 100, RECORDS_AFTER = 4000 };
#define DISK_OPTIONS "size=4m,mode=700"

static bool present[65536];

static bool mark_present(void *context, const struct ban *ban)
{
	struct ban ours = ban_of(address_v4(&ban->prefix.address), GOVERNOR_NEVER_MS);
	uint32_t i = address_v4(&ban->prefix.address) - FIRST_V4;

	if (i < CHECK_COUNT(present) && bans_equal(ban, &ours))
		present[i] = true;
	else
		++*(unsigned *)context;
	return true;
}

/** Which of our bans are on disk; false when one is there that nobody put. */
static bool read_present(struct store *store)
{
	unsigned foreign = 0;
	struct store_visitor visitor = {&foreign, .ban = mark_present};
	struct store_load_stats stats;

	memset(present, 0, sizeof(present));
	return store_load(store, &visitor, &stats) == 0 && foreign == 0 && stats.damaged == 0;
}

static unsigned n_missing(uint32_t end)
{
	unsigned missing = 0;

	for (uint32_t i = 0; i < end; i++)
		missing += !present[i];
	return missing;
}

static void put_bans(struct store *store, uint32_t from, uint32_t end)
{
	for (uint32_t i = from; i < end; i++) {
		struct ban ban = ban_of(FIRST_V4 + i, GOVERNOR_NEVER_MS);

		store_put_ban(store, &ban);
	}
}

/** Child: put batches for ever, and say through the pipe how many records were acknowledged. */
static int put_until_killed(int acknowledged_fd)
{
	struct store *store = store_begin_plain();

	if (store == NULL)
		return 1;
	for (uint32_t n = 0; n + BATCH <= CHECK_COUNT(present);) {
		put_bans(store, n, n + BATCH);
		if (!store_settle(store))
			return 2;
		n += BATCH;
		if (write(acknowledged_fd, &n, sizeof(n)) != sizeof(n))
			return 3;
	}
	pause();
	return 4;
}

static pid_t fork_child(int (*run)(int fd), int fd)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(CHILD_SECONDS);
		_exit(run(fd));
	}
	return child;
}

static void kill_round(unsigned round)
{
	int pipe_fds[2], status;
	uint32_t acknowledged = 0, n;
	struct store *store;
	pid_t child;

	directory_begin();
	if (pipe(pipe_fds) < 0)
		abort();
	child = fork_child(put_until_killed, pipe_fds[1]);
	close(pipe_fds[1]);
	for (unsigned i = 0; i < 1 + round % 4; i++) {
		if (read(pipe_fds[0], &n, sizeof(n)) == sizeof(n))
			acknowledged = n;
	}
	usleep(round * 1700); /* somewhere within the next batches */
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	while (read(pipe_fds[0], &n, sizeof(n)) == sizeof(n))
		acknowledged = n;
	close(pipe_fds[0]);
	CHECK_TRUE("it was killed at work", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_TRUE("some records were acknowledged", acknowledged >= BATCH);
	store = store_begin_plain();
	if (CHECK_TRUE("the next start finds the lock free and the file sound", store != NULL)) {
		CHECK_EQ("nothing is repaired", store_report.flags, (unsigned)STORE_OPENED);
		CHECK_TRUE("nothing foreign is on disk", read_present(store));
		CHECK_EQ("nothing acknowledged is missing", n_missing(acknowledged), 0u);
	}
	store_close(store);
	directory_end();
}

static void test_sudden_death(void)
{
	for (unsigned round = 0; round < KILL_ROUNDS; round++)
		kill_round(round);
}

/** Fill the disk to its last byte with a file at `path`. */
static bool fill_disk(const char *path)
{
	static const char zeros[4096];
	size_t step = sizeof(zeros);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	while (step > 0) {
		if (write(fd, zeros, step) < 0)
			step /= 2;
	}
	close(fd);
	return errno == ENOSPC;
}

static bool wait_for_error(struct store *store, int wanted, struct store_status *ret_status)
{
	time_t end = time(NULL) + PATIENCE_S;

	do {
		store_sync_request(store);
		usleep(10000);
		store_status(store, ret_status);
	} while (ret_status->error != wanted && time(NULL) < end);
	return ret_status->error == wanted;
}

/** Child: 0, or the number of the step that failed. */
static int live_on_a_full_disk(int unused)
{
	char filler[512];
	struct store_status status;
	struct store *store;

	(void)unused;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", store_directory, "tmpfs", 0, DISK_OPTIONS) < 0)
		return 1;
	store = store_begin_plain();
	if (store == NULL)
		return 2;
	put_bans(store, 0, RECORDS_BEFORE);
	if (!store_settle(store))
		return 3;
	snprintf(filler, sizeof(filler), "%s/filler", store_directory);
	if (!fill_disk(filler))
		return 4;
	put_bans(store, RECORDS_BEFORE, RECORDS_BEFORE + RECORDS_AFTER);
	if (!wait_for_error(store, -ENOSPC, &status))
		return 5;
	if (strlen(status.text) < 20 || status.durable >= status.queued || status.commit_errors == 0 ||
		status.resync)
		return 6;
	if (unlink(filler) < 0)
		return 7;
	if (!store_settle(store) || !wait_for_error(store, 0, &status))
		return 8;
	if (status.text[0] != '\0' || status.durable < status.queued)
		return 9;
	if (store_close(store) != 0)
		return 10;
	store = store_begin_plain();
	if (store == NULL || store_report.flags != STORE_OPENED || !read_present(store))
		return 11;
	if (n_missing(RECORDS_BEFORE + RECORDS_AFTER) != 0)
		return 12;
	store_close(store);
	return 0;
}

/** Child: a store that is closed while the disk is full says so, and what was on disk stays. */
static int close_on_a_full_disk(int unused)
{
	char filler[512];
	struct store *store;

	(void)unused;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", store_directory, "tmpfs", 0, DISK_OPTIONS) < 0)
		return 1;
	store = store_begin_plain();
	if (store == NULL)
		return 2;
	put_bans(store, 0, RECORDS_BEFORE);
	snprintf(filler, sizeof(filler), "%s/filler", store_directory);
	if (!store_settle(store) || !fill_disk(filler))
		return 3;
	put_bans(store, RECORDS_BEFORE, RECORDS_BEFORE + RECORDS_AFTER);
	if (store_close(store) != -ENOSPC)
		return 4;
	if (unlink(filler) < 0)
		return 5;
	store = store_begin_plain();
	if (store == NULL || store_report.flags != STORE_OPENED || !read_present(store))
		return 6;
	if (n_missing(RECORDS_BEFORE) != 0)
		return 7;
	store_close(store);
	return 0;
}

static void test_full_disk(void)
{
	static const struct {
		const char *name;
		int (*run)(int unused);
	} cases[] = {
		{"a full disk is told, and nothing is lost once there is room", live_on_a_full_disk},
		{"a close on a full disk is an error and keeps what was on it", close_on_a_full_disk},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		int status = -1;

		directory_begin();
		waitpid(fork_child(cases[i].run, -1), &status, 0);
		CHECK_TRUE(cases[i].name, WIFEXITED(status));
		CHECK_EQ(cases[i].name, WEXITSTATUS(status), 0);
		directory_end();
	}
}

/** Write the number of the schema into a closed store's file, as another Weir would. */
static bool schema_write(unsigned version)
{
	char path[512];
	struct store_bytes name = {.n = 6, .data = "schema"};
	struct store_value encoded;
	MDB_env *environment;
	MDB_txn *transaction;
	MDB_dbi table;

	store_strike_encode(&name, version, 0, &encoded);
	MDB_val key = {name.n, name.data}, value = {encoded.n, encoded.data};
	if (mdb_env_create(&environment) != 0)
		return false;
	mdb_env_set_maxdbs(environment, STORE_TABLE_COUNT);
	bool written = mdb_env_open(environment, store_file(path), MDB_NOSUBDIR, 0600) == 0 &&
		       mdb_txn_begin(environment, NULL, 0, &transaction) == 0 &&
		       mdb_dbi_open(transaction, "meta", 0, &table) == 0 &&
		       mdb_put(transaction, table, &key, &value, 0) == 0 && mdb_txn_commit(transaction) == 0;
	mdb_env_close(environment);
	return written;
}

static void test_newer_schema(void)
{
	struct store_config config = {.directory = store_directory};
	struct store *store;

	directory_begin();
	store = store_begin_plain();
	put_bans(store, 0, RECORDS_BEFORE);
	CHECK_EQ("a store of ours", store_close(store), 0);
	CHECK_TRUE("gets a newer number", schema_write(STORE_SCHEMA_VERSION + 1));
	store = NULL;
	CHECK_EQ("and is refused", store_open(&config, WALL_MS, &store_report, &store), -EPROTONOSUPPORT);
	CHECK_PTR_EQ("nothing is opened", store, NULL);
	CHECK_CONTAINS("the sentence says why", store_report.text, "written by a newer Weir");
	CHECK_EQ("the number is told", store_report.schema_found, (unsigned)STORE_SCHEMA_VERSION + 1);
	CHECK_EQ("a newer file is not damage", files_named("corrupt", NULL), 0u);
	CHECK_TRUE("with our number", schema_write(STORE_SCHEMA_VERSION));
	store = store_begin_plain();
	if (CHECK_TRUE("it opens", store != NULL)) {
		CHECK_TRUE("it is readable", read_present(store));
		CHECK_EQ("and whole", n_missing(RECORDS_BEFORE), 0u);
	}
	store_close(store);
	directory_end();
}

/** Child: open, say so, and wait to be killed. */
static int hold(int ready_fd)
{
	struct store *store = store_begin_plain();

	if (store == NULL || write(ready_fd, "r", 1) != 1)
		return 1;
	pause();
	return 2;
}

static void test_second_owner(void)
{
	struct store_config config = {.directory = store_directory};
	struct store *store = NULL;
	int pipe_fds[2];
	char byte;
	pid_t child;

	directory_begin();
	if (pipe(pipe_fds) < 0)
		abort();
	child = fork_child(hold, pipe_fds[1]);
	close(pipe_fds[1]);
	CHECK_EQ("another process has the store", read(pipe_fds[0], &byte, 1), 1);
	CHECK_EQ("a second is refused", store_open(&config, WALL_MS, &store_report, &store), -EBUSY);
	CHECK_CONTAINS("with what to do", store_report.text, "in use by another weir-control");
	CHECK_PTR_EQ("and gets nothing", store, NULL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(pipe_fds[0]);
	store = store_begin_plain();
	CHECK_TRUE("after its sudden death the lock is free", store != NULL);
	struct store *second = NULL;
	CHECK_EQ("the same process cannot have it twice either",
		store_open(&config, WALL_MS, &store_report, &second), -EBUSY);
	CHECK_EQ("the refusal does not disturb the owner", store_close(store), 0);
	store = store_begin_plain();
	CHECK_TRUE("after a close the lock is free", store != NULL);
	store_close(store);
	directory_end();
}

static const struct check_test tests[] = {
	{"what was acknowledged survives sudden death", test_sudden_death},
	{"a full disk is survived", test_full_disk},
	{"a newer schema is refused", test_newer_schema},
	{"a store has one owner", test_second_owner},
};
CHECK_MAIN("store_faults", tests)
