/* SPDX-License-Identifier: BSD-3-Clause
 * The store's public side: opening with its checks, and the queue that the event loop fills. Nothing here but
 * store_open and store_close waits for the disk; the mutex is held for a memcpy.
 */
#include "control/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store_private.h"

#define QUEUE_MAX_BYTES ((size_t)1 << 30)
enum { QUEUE_FIRST_BYTES = 1 << 16 };

static void say(struct store_open_report *report, const char *format, ...)
{
	size_t n = strlen(report->text);
	va_list arguments;

	va_start(arguments, format);
	if (n > 0 && n + 1 < sizeof(report->text))
		report->text[n++] = ' ';
	vsnprintf(report->text + n, sizeof(report->text) - n, format, arguments);
	va_end(arguments);
}

/* One owner of a directory: an open-file-description lock, which the kernel drops on any death. */
static int directory_make(const struct store *store)
{
	char parent[STORE_PATH_MAX];
	char *slash;

	if (mkdir(store->directory, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	snprintf(parent, sizeof(parent), "%s", store->directory);
	slash = strrchr(parent, '/');
	if (slash == NULL || slash == parent)
		return -ENOENT;
	*slash = '\0';
	if (mkdir(parent, 0700) < 0 && errno != EEXIST)
		return -errno;
	return mkdir(store->directory, 0700) < 0 ? -errno : 0;
}

int store_lock_take(struct store *store)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[STORE_PATH_MAX];
	int error = directory_make(store);

	if (error != 0)
		return error;
	store_path(store, "lock", path);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		return -errno;
	if (fcntl(store->lock_fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	error = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	close(store->lock_fd);
	store->lock_fd = -1;
	return error;
}

static int set_aside_and_restore(struct store *store, int64_t wall_ms, struct store_open_report *report)
{
	int error = store_environment_quarantine(store, wall_ms, report->quarantine);

	if (error != 0)
		return error;
	report->flags |= STORE_QUARANTINED;
	say(report, "The store was damaged and is set aside as %s.", report->quarantine);
	if (store_environment_restore(store, report->backup) == 0) {
		report->flags |= STORE_RESTORED;
		say(report, "The newest good backup %s replaces it: what changed since then is lost.",
			report->backup);
	} else {
		report->flags |= STORE_EMPTY;
		report->backup[0] = '\0';
		say(report, "There is NO good backup: every ban, strike and list entry on disk is lost.");
	}
	return store_environment_open(store);
}

/* 0, or -EPROTONOSUPPORT. A new file gets our version; an older one would be rewritten here, table by table,
 * before its number. */
static int schema_check(struct store *store, struct store_open_report *report)
{
	struct store_bytes name = {.n = 6, .data = "schema"};
	MDB_val key = {name.n, name.data}, value;
	struct store_value encoded;
	MDB_txn *transaction;
	int64_t unused;
	int code = mdb_txn_begin(store->environment, NULL, 0, &transaction);

	if (code != 0)
		return store_error(code);
	code = mdb_get(transaction, store->tables[STORE_TABLE_META], &key, &value);
	if (code == 0) {
		unsigned found = 0;
		bool good = store_strike_decode(&key, &value, &found, &unused);

		mdb_txn_abort(transaction);
		report->schema_found = found;
		if (!good)
			return -EUCLEAN;
		return found > STORE_SCHEMA_VERSION ? -EPROTONOSUPPORT : 0;
	}
	if (code == MDB_NOTFOUND) {
		store_strike_encode(&name, STORE_SCHEMA_VERSION, 0, &encoded);
		value = (MDB_val){encoded.n, encoded.data};
		code = mdb_put(transaction, store->tables[STORE_TABLE_META], &key, &value, 0);
	}
	if (code != 0) {
		mdb_txn_abort(transaction);
		return store_error(code);
	}
	report->schema_found = STORE_SCHEMA_VERSION;
	return store_error(mdb_txn_commit(transaction));
}

static int environment_begin(struct store *store, int64_t wall_ms, struct store_open_report *report)
{
	char path[STORE_PATH_MAX];
	int error;

	store_path(store, "weir.mdb", path);
	if (access(path, F_OK) != 0) {
		report->flags |= STORE_CREATED;
		error = store_environment_open(store);
	} else {
		error = store_environment_verify(store, path);
		if (error == 0)
			error = store_environment_open(store);
		report->flags |= error == 0 ? STORE_OPENED : 0;
	}
	if (error == 0)
		error = schema_check(store, report);
	if (error == -EUCLEAN) {
		store_environment_close(store);
		report->flags &= ~(unsigned)STORE_OPENED;
		error = set_aside_and_restore(store, wall_ms, report);
		if (error == 0)
			error = schema_check(store, report);
	}
	return error;
}

static void explain(const struct store *store, int error, struct store_open_report *report)
{
	const char *directory = store->directory;

	if (error == -EBUSY)
		say(report,
			"%s is in use by another weir-control: stop it first, or give this one another "
			"state_dir.",
			directory);
	else if (error == -EPROTONOSUPPORT)
		say(report,
			"%s was written by a newer Weir (schema %u, this one knows %u): install that "
			"version, or move the directory away.",
			directory, report->schema_found, STORE_SCHEMA_VERSION);
	else if (error == -ENOSPC)
		say(report, "The disk of %s is full: free some space.", directory);
	else if (error == -EACCES || error == -EPERM)
		say(report, "%s cannot be written: check its owner and mode.", directory);
	else
		say(report, "%s cannot be opened: %s.", directory, strerror(-error));
}

static void release(struct store *store)
{
	store_environment_close(store);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->event_fd >= 0)
		close(store->event_fd);
	pthread_cond_destroy(&store->wake);
	pthread_mutex_destroy(&store->mutex);
	free(store->queue.data);
	free(store->writing.data);
	free(store);
}

static struct store *allocate(const struct store_config *config)
{
	struct store *store = calloc(1, sizeof(*store));
	pthread_condattr_t attributes;

	if (store == NULL)
		return NULL;
	store->config = *config;
	store->lock_fd = -1;
	snprintf(store->directory, sizeof(store->directory), "%.*s", STORE_DIRECTORY_MAX, config->directory);
	store->config.directory = store->directory;
	pthread_mutex_init(&store->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&store->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return store;
}

int store_open(const struct store_config *config, int64_t wall_ms, struct store_open_report *ret_report,
	struct store **ret_store)
{
	struct store *store = allocate(config);
	int error = 0;

	memset(ret_report, 0, sizeof(*ret_report));
	if (store == NULL)
		return -ENOMEM;
	atomic_store(&store->wall_ms, wall_ms);
	store->last_backup_try_ms = wall_ms;
	if (strlen(config->directory) > STORE_DIRECTORY_MAX)
		error = -ENAMETOOLONG;
	else if (store->event_fd < 0)
		error = -EMFILE;
	if (error == 0)
		error = store_lock_take(store);
	if (error == 0)
		error = environment_begin(store, wall_ms, ret_report);
	if (error == 0)
		(void)store_environment_grow(store, /* force = */ false); /* tried again at every commit */
	if (error == 0)
		error = store_writer_start(store);
	if (error != 0) {
		explain(store, error, ret_report);
		release(store);
		return error;
	}
	*ret_store = store;
	return 0;
}

int store_close(struct store *store)
{
	int error;

	if (store == NULL)
		return 0;
	store_writer_stop(store);
	error = store->writing.n != 0 || store->queue.n != 0
			? (store->status.error != 0 ? store->status.error : -EIO)
			: 0;
	if (store->changed_since_backup && error == 0 && store->environment != NULL &&
		atomic_load(&store->wall_ms) != 0)
		(void)store_environment_backup(store, atomic_load(&store->wall_ms));
	release(store);
	return error;
}

/* Under the lock. */
static int queue_reserve(struct store *store, size_t bytes)
{
	struct store_batch *queue = &store->queue;
	size_t max = store->config.queue_max_bytes != 0 ? store->config.queue_max_bytes : QUEUE_MAX_BYTES;
	size_t capacity = queue->capacity != 0 ? queue->capacity : QUEUE_FIRST_BYTES;
	uint8_t *data;

	if (store->status.queue_bytes + bytes > max) {
		store->status.overflows++;
		store->status.resync = true;
		return -ENOBUFS;
	}
	while (capacity < queue->n + bytes)
		capacity *= 2;
	if (capacity == queue->capacity)
		return 0;
	data = realloc(queue->data, capacity);
	if (data == NULL) {
		store->status.resync = true;
		return -ENOBUFS;
	}
	queue->data = data;
	queue->capacity = capacity;
	return 0;
}

static int enqueue(struct store *store, enum store_change_kind kind, enum store_table table,
	const struct store_bytes *key, const struct store_value *value_or_null, int64_t end_ms)
{
	uint16_t value_bytes = value_or_null != NULL ? value_or_null->n : 0;
	size_t bytes = (sizeof(struct store_change) + key->n + value_bytes + 7) / 8 * 8;
	struct store_change *change;
	int error;

	pthread_mutex_lock(&store->mutex);
	error = queue_reserve(store, bytes);
	if (error == 0) {
		change = (struct store_change *)(store->queue.data + store->queue.n);
		change->sequence = ++store->sequence;
		change->end_ms = end_ms;
		change->bytes = (uint16_t)bytes;
		change->key_bytes = key->n;
		change->value_bytes = value_bytes;
		change->kind = (uint8_t)kind;
		change->table = (uint8_t)table;
		memcpy(change->data, key->data, key->n);
		if (value_bytes != 0)
			memcpy(change->data + key->n, value_or_null->data, value_bytes);
		store->queue.n += bytes;
		store->queue.changes++;
		store->status.queue_bytes += bytes;
		store->status.queued = store->sequence;
	}
	pthread_mutex_unlock(&store->mutex);
	return error;
}

int store_put_ban(struct store *store, const struct ban *ban)
{
	struct store_value value;
	struct store_bytes key;

	store_ban_key(ban, &key);
	if (ban->end_ms != GOVERNOR_NEVER_MS && ban->end_ms <= ban->start_ms)
		return enqueue(store, STORE_CHANGE_DELETE, STORE_TABLE_BANS, &key, NULL, 0);
	store_ban_encode(&key, ban, &value);
	return enqueue(store, STORE_CHANGE_PUT, STORE_TABLE_BANS, &key, &value, ban->end_ms);
}

int store_delete_ban(struct store *store, const struct ban *key)
{
	struct store_bytes bytes;

	store_ban_key(key, &bytes);
	return enqueue(store, STORE_CHANGE_DELETE, STORE_TABLE_BANS, &bytes, NULL, 0);
}

int store_delete_key(struct store *store, enum store_table table, const struct store_bytes *key)
{
	return enqueue(store, STORE_CHANGE_DELETE, table, key, NULL, 0);
}

static int put_strike(struct store *store, const struct store_bytes *key, unsigned strikes, int64_t last_ms)
{
	struct store_value value;

	if (strikes == 0)
		return enqueue(store, STORE_CHANGE_DELETE, STORE_TABLE_STRIKES, key, NULL, 0);
	store_strike_encode(key, strikes, last_ms, &value);
	return enqueue(store, STORE_CHANGE_PUT, STORE_TABLE_STRIKES, key, &value, 0);
}

int store_put_strike(struct store *store, const struct prefix *prefix, unsigned strikes, int64_t last_ms)
{
	struct store_bytes key;

	store_prefix_key(prefix, -1, &key);
	return put_strike(store, &key, strikes, last_ms);
}

int store_put_strike_id(struct store *store, const char *id, unsigned strikes, int64_t last_ms)
{
	struct store_bytes key;

	store_id_key(id, -1, &key);
	return put_strike(store, &key, strikes, last_ms);
}

int store_put_list(
	struct store *store, const struct prefix *prefix, bool allow, bool present, const char *reason)
{
	struct store_value value;
	struct store_bytes key;

	store_prefix_key(prefix, allow ? 1 : 0, &key);
	if (!present)
		return enqueue(store, STORE_CHANGE_DELETE, STORE_TABLE_LISTS, &key, NULL, 0);
	store_text_encode(&key, reason != NULL ? reason : "", &value);
	return enqueue(store, STORE_CHANGE_PUT, STORE_TABLE_LISTS, &key, &value, 0);
}

int store_put_book(struct store *store, const struct book_record *record)
{
	struct store_value value;
	struct store_bytes key;

	store_book_key(&record->address, record->port, &key);
	store_book_encode(&key, record, &value);
	return enqueue(store, STORE_CHANGE_PUT, STORE_TABLE_BOOK, &key, &value, 0);
}

int store_delete_book(struct store *store, const struct address *address, uint16_t port)
{
	struct store_bytes key;

	store_book_key(address, port, &key);
	return enqueue(store, STORE_CHANGE_DELETE, STORE_TABLE_BOOK, &key, NULL, 0);
}

int store_clear_book(struct store *store)
{
	struct store_bytes nothing = {.n = 0};

	return enqueue(store, STORE_CHANGE_CLEAR_TABLE, STORE_TABLE_BOOK, &nothing, NULL, 0);
}

int store_resync_begin(struct store *store)
{
	struct store_bytes nothing = {.n = 0};

	pthread_mutex_lock(&store->mutex);
	/* What is queued is older than what comes: it need not be written. */
	store->status.queue_bytes -= store->queue.n;
	store->queue.n = 0;
	store->queue.changes = 0;
	store->status.resync = false;
	pthread_mutex_unlock(&store->mutex);
	return enqueue(store, STORE_CHANGE_CLEAR_ALL, STORE_TABLE_BANS, &nothing, NULL, 0);
}

void store_set_time(struct store *store, int64_t wall_ms)
{
	atomic_store(&store->wall_ms, wall_ms);
}

uint64_t store_sync_request(struct store *store)
{
	uint64_t sequence;

	pthread_mutex_lock(&store->mutex);
	sequence = store->sequence;
	store->sync_wanted = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->mutex);
	return sequence;
}

uint64_t store_durable_sequence(const struct store *store)
{
	return atomic_load(&store->durable);
}

int store_event_fd(const struct store *store)
{
	return store->event_fd;
}

void store_backup_request(struct store *store)
{
	pthread_mutex_lock(&store->mutex);
	store->backup_wanted = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->mutex);
}

void store_status(const struct store *store, struct store_status *ret_status)
{
	struct store *mutable = (struct store *)store; /* only for its lock */

	pthread_mutex_lock(&mutable->mutex);
	*ret_status = store->status;
	pthread_mutex_unlock(&mutable->mutex);
	ret_status->durable = atomic_load(&store->durable);
}
