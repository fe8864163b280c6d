/* SPDX-License-Identifier: BSD-3-Clause
 * The LMDB environment: open, verify, set aside, restore, grow, back up. No WRITEMAP (a wild write must not
 * reach the file, and a full disk must be an error and not a SIGBUS), no DUPSORT, NOTLS. Runs in the loop
 * before the writer starts, then in the writer; the backup runs in a thread of its own with a read
 * transaction.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/store_private.h"
#include "shm/segment.h"

#define STORE_FILE  "weir.mdb"
#define BACKUP_MARK "weir-backup-"
enum {
	STORE_MODE = 0640,
	STORE_READERS = 8, /* the backup's, the load's, and some for mdb_stat and its kind */
	VERIFY_BASE_MS = 30000,
	VERIFY_PER_GIB_MS = 10000,
	BACKUPS_SEEN_MAX = 64,
};
#define MAP_INITIAL_BYTES ((size_t)256 << 20)

static const char *const table_names[STORE_TABLE_COUNT] = {
	"bans", "expiry", "strikes", "lists", "book", "meta"};

int store_error(int lmdb_code)
{
	switch (lmdb_code) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_KEYEXIST:
		return -EEXIST;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOBUFS;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_PANIC:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_TXN:
	case MDB_BAD_VALSIZE:
	case MDB_BAD_DBI:
		return -EUCLEAN;
	case MDB_READERS_FULL:
	case MDB_MAP_RESIZED:
		return -EAGAIN;
	default:
		return lmdb_code > 0 ? -lmdb_code : -EIO;
	}
}

void store_path(const struct store *store, const char *name, char path[STORE_PATH_MAX])
{
	snprintf(path, STORE_PATH_MAX, "%.*s/%.*s", STORE_DIRECTORY_MAX, store->directory, STORE_NAME_MAX,
		name);
}

static size_t map_size_for(const struct store *store, const char *path)
{
	size_t map_bytes =
		store->config.map_initial_bytes != 0 ? store->config.map_initial_bytes : MAP_INITIAL_BYTES;
	struct stat status;

	if (stat(path, &status) == 0)
		while (map_bytes < (size_t)status.st_size * 2)
			map_bytes *= 2;
	return map_bytes;
}

static int tables_make(struct store *store, MDB_txn *transaction)
{
	int code = 0;

	for (unsigned i = 0; i < STORE_TABLE_COUNT && code == 0; i++)
		code = mdb_dbi_open(transaction, table_names[i], MDB_CREATE, &store->tables[i]);
	return code;
}

int store_environment_open(struct store *store)
{
	char path[STORE_PATH_MAX];
	MDB_txn *transaction;
	int code;

	store_path(store, STORE_FILE, path);
	code = mdb_env_create(&store->environment);
	if (code != 0)
		return store_error(code);
	mdb_env_set_maxdbs(store->environment, STORE_TABLE_COUNT);
	mdb_env_set_maxreaders(store->environment, STORE_READERS);
	mdb_env_set_mapsize(store->environment, map_size_for(store, path));
	code = mdb_env_open(store->environment, path, MDB_NOSUBDIR | MDB_NOTLS, STORE_MODE);
	if (code == 0) {
		int dead;

		mdb_reader_check(
			store->environment, &dead); /* readers of a process that was killed keep pages */
		code = mdb_txn_begin(store->environment, NULL, 0, &transaction);
	}
	if (code == 0) {
		code = tables_make(store, transaction);
		if (code == 0)
			code = mdb_txn_commit(transaction);
		else
			mdb_txn_abort(transaction);
	}
	if (code != 0)
		store_environment_close(store);
	return store_error(code);
}

bool store_environment_is_in_place(const struct store *store)
{
	struct stat opened, named;
	char path[STORE_PATH_MAX];
	int fd;

	store_path(store, STORE_FILE, path);
	if (mdb_env_get_fd(store->environment, &fd) != 0 || fstat(fd, &opened) < 0)
		return true; /* not known: no reason to give a file up */
	return stat(path, &named) == 0 && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

void store_environment_close(struct store *store)
{
	if (store->environment != NULL)
		mdb_env_close(store->environment);
	store->environment = NULL;
}

static int walk(MDB_txn *transaction, MDB_dbi table)
{
	volatile uint8_t sink = 0;
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(transaction, table, &cursor);

	if (code != 0)
		return code;
	while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		/* Touch both ends: a wrong offset must fault here, in the child. */
		if (key.mv_size != 0)
			sink ^= ((const uint8_t *)key.mv_data)[key.mv_size - 1];
		if (value.mv_size != 0)
			sink ^= ((const uint8_t *)value.mv_data)[0] ^
				((const uint8_t *)value.mv_data)[value.mv_size - 1];
	}
	(void)sink;
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

static bool pages_are_sound(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *file;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_size <= 0)
		return false;
	file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	return file != MAP_FAILED && store_pages_are_sound(file, (size_t)status.st_size);
}

/* The child: exit 0 sound, 1 damaged, 2 not readable. LMDB may fault or abort on damage; then a signal says
 * so. */
static void verify_child(const struct store *store, const char *path)
{
	struct store copy = *store;
	MDB_txn *transaction;
	int code;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!pages_are_sound(path))
		_exit(1);
	if (mdb_env_create(&copy.environment) != 0)
		_exit(2);
	mdb_env_set_maxdbs(copy.environment, STORE_TABLE_COUNT);
	mdb_env_set_mapsize(copy.environment, map_size_for(store, path));
	code = mdb_env_open(
		copy.environment, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, STORE_MODE);
	if (code == 0)
		code = mdb_txn_begin(copy.environment, NULL, MDB_RDONLY, &transaction);
	for (unsigned i = 0; i < STORE_TABLE_COUNT && code == 0; i++) {
		/* A table that was never made is an empty one: an older Weir did not know it. */
		code = mdb_dbi_open(transaction, table_names[i], 0, &copy.tables[i]);
		if (code == 0)
			code = walk(transaction, copy.tables[i]);
		else if (code == MDB_NOTFOUND)
			code = 0;
	}
	_exit(code == 0 ? 0 : (code == EACCES || code == ENOMEM) ? 2 : 1);
}

int store_environment_verify(const struct store *store, const char *path)
{
	unsigned timeout_ms = store->config.verify_timeout_ms;
	struct stat file;
	struct pollfd wait = {.events = POLLIN};
	int status = 0, ended;
	pid_t child;

	if (stat(path, &file) < 0)
		return -errno;
	if (timeout_ms == 0)
		timeout_ms = VERIFY_BASE_MS + (unsigned)((uint64_t)file.st_size * VERIFY_PER_GIB_MS >> 30);
	fflush(NULL);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null >= 0)
			dup2(null, STDERR_FILENO); /* LMDB prints its assertions */
		verify_child(store, path);
	}
	wait.fd = (int)syscall(SYS_pidfd_open, child, 0);
	ended = wait.fd < 0 ? 1 : poll(&wait, 1, (int)timeout_ms);
	if (wait.fd >= 0)
		close(wait.fd);
	if (ended <= 0)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		return -EIO;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EUCLEAN;
}

int store_environment_quarantine(struct store *store, int64_t wall_ms, char path[STORE_PATH_MAX])
{
	char from[STORE_PATH_MAX], lock[STORE_PATH_MAX], name[64];

	store_path(store, STORE_FILE, from);
	store_path(store, STORE_FILE "-lock", lock);
	for (unsigned try = 0; try < 100; try++) {
		snprintf(name, sizeof(name), STORE_FILE ".corrupt-%lld%s%.0u", (long long)(wall_ms / 1000),
			try ? "-" : "", try);
		store_path(store, name, path);
		if (access(path, F_OK) != 0)
			break;
	}
	if (rename(from, path) < 0)
		return -errno;
	unlink(lock);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	/* Newest first: names carry the wall clock in a fixed width. */
	return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Names of backups, newest first. The caller frees each. */
static unsigned backups_list(const struct store *store, char *names[BACKUPS_SEEN_MAX])
{
	DIR *directory = opendir(store->directory);
	const struct dirent *entry;
	unsigned n = 0;

	if (directory == NULL)
		return 0;
	while (n < BACKUPS_SEEN_MAX && (entry = readdir(directory)) != NULL) {
		if (strncmp(entry->d_name, BACKUP_MARK, strlen(BACKUP_MARK)) != 0 ||
			strstr(entry->d_name, ".part") != NULL || strstr(entry->d_name, "-lock") != NULL)
			continue;
		names[n] = strdup(entry->d_name);
		if (names[n] != NULL)
			n++;
	}
	closedir(directory);
	qsort(names, n, sizeof(names[0]), compare_names);
	return n;
}

static int file_copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, error = 0;
	char buffer[1 << 16];
	ssize_t n;

	if (in < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, STORE_MODE);
	if (out < 0)
		error = -errno;
	while (error == 0 && (n = read(in, buffer, sizeof(buffer))) != 0) {
		if (n < 0 || write(out, buffer, (size_t)n) != n)
			error = n < 0 ? -errno : -ENOSPC;
	}
	if (error == 0 && fsync(out) < 0)
		error = -errno;
	close(in);
	if (out >= 0)
		close(out);
	return error;
}

int store_environment_restore(struct store *store, char path[STORE_PATH_MAX])
{
	char *names[BACKUPS_SEEN_MAX], part[STORE_PATH_MAX], to[STORE_PATH_MAX];
	unsigned n = backups_list(store, names);
	int error = -ENOENT;

	store_path(store, STORE_FILE ".part", part);
	store_path(store, STORE_FILE, to);
	for (unsigned i = 0; i < n; i++) {
		if (error != 0) {
			store_path(store, names[i], path);
			error = store_environment_verify(store, path);
			if (error == 0)
				error = file_copy(path, part);
			if (error == 0 && rename(part, to) < 0)
				error = -errno;
		}
		free(names[i]);
	}
	if (error != 0)
		unlink(part);
	return error == 0 ? 0 : -ENOENT;
}

int store_environment_grow(struct store *store, bool force)
{
	size_t map_max = store->config.map_max_bytes != 0 ? store->config.map_max_bytes : (size_t)64 << 30;
	MDB_envinfo info;
	MDB_stat statistics;
	bool reading;
	size_t used;
	int code;

	mdb_env_info(store->environment, &info);
	mdb_env_stat(store->environment, &statistics);
	used = (info.me_last_pgno + 1) * statistics.ms_psize;
	pthread_mutex_lock(&store->mutex);
	store->status.map_bytes = info.me_mapsize;
	store->status.used_bytes = used;
	reading = store->backup_running;
	pthread_mutex_unlock(&store->mutex);
	if (!force && used <= info.me_mapsize / 4 * 3)
		return 0;
	/* Resizing unmaps the file: not under a reader's feet. */
	if (reading)
		return force ? -EAGAIN : 0;
	if (info.me_mapsize >= map_max)
		return -ENOBUFS;
	code = mdb_env_set_mapsize(
		store->environment, info.me_mapsize * 2 < map_max ? info.me_mapsize * 2 : map_max);
	return store_error(code);
}

int store_environment_backup(struct store *store, int64_t wall_ms)
{
	char name[64], path[STORE_PATH_MAX], part[STORE_PATH_MAX + 8], *names[BACKUPS_SEEN_MAX];
	unsigned n;
	int fd, error;

	snprintf(name, sizeof(name), BACKUP_MARK "%015lld.mdb", (long long)wall_ms);
	store_path(store, name, path);
	snprintf(part, sizeof(part), "%s.part", path);
	unlink(part);
	error = store_error(mdb_env_copy2(store->environment, part, MDB_CP_COMPACT));
	if (error == 0) {
		fd = open(part, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0 || rename(part, path) < 0)
			error = -errno;
		if (fd >= 0)
			close(fd);
	}
	if (error != 0) {
		unlink(part);
		return error;
	}
	n = backups_list(store, names);
	for (unsigned i = 0; i < n; i++) {
		if (i >= STORE_BACKUPS_KEPT) {
			store_path(store, names[i], path);
			unlink(path);
		}
		free(names[i]);
	}
	return 0;
}
