/* SPDX-License-Identifier: BSD-3-Clause
 * The writer thread: takes the queue, sorts it by table and key, commits it durably, and tells. A batch that
 * fails is kept and tried again, so a full disk loses nothing. Must not be waited for by the event loop,
 * except at the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "control/store_private.h"

enum {
	COMMIT_INTERVAL_MS = 250,
	/* A disk that damages what it is given would be filled with files set aside: then memory alone holds what is new. */
	DAMAGE_MAX = 4,
	RETRY_MS = 500,             /* after a failed commit: a disk may be freed at any time */
	PRUNE_RECORDS = 2000,       /* a turn: 8,000 a second at four turns, more than any list expires */
	QUEUE_IDLE_BYTES = 1 << 20, /* a batch's memory beyond this is given back once it is written */
};

/* LMDB ends the process after an assertion unless we leave its call: then the environment is given up. */
static _Thread_local sigjmp_buf assertion;
static _Thread_local bool assertion_armed;

static void asserted(MDB_env *environment, const char *text)
{
	(void)environment;
	(void)text;
	if (assertion_armed)
		siglongjmp(assertion, 1);
}

static const struct store_change *change_at(const struct store_batch *batch, size_t offset)
{
	return (const struct store_change *)(batch->data + offset);
}

static int compare_changes(const void *a, const void *b)
{
	const struct store_change *x = *(const struct store_change *const *)a,
				  *y = *(const struct store_change *const *)b;
	uint16_t shorter = x->key_bytes < y->key_bytes ? x->key_bytes : y->key_bytes;
	int order = (int)x->table - (int)y->table;

	if (order == 0)
		order = memcmp(x->data, y->data, shorter);
	if (order == 0)
		order = (int)x->key_bytes - (int)y->key_bytes;
	if (order == 0)
		order = x->sequence < y->sequence ? -1 : 1;
	return order;
}

static bool same_key(const struct store_change *x, const struct store_change *y)
{
	return x->table == y->table && x->key_bytes == y->key_bytes &&
	       memcmp(x->data, y->data, x->key_bytes) == 0;
}

/* Drop the changes of one table; the others keep their order. Returns how many are left. */
static size_t changes_drop(const struct store_change **changes, size_t n, unsigned table)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (changes[i]->table != table)
			changes[kept++] = changes[i];
	return kept;
}

/* The changes after the last clearing of their table, sorted; only the last one of each key. ret_clear: bits of
 * the tables that are emptied first. NULL: out of memory. */
static const struct store_change **batch_sort(
	const struct store_batch *batch, size_t *ret_n, unsigned *ret_clear)
{
	const struct store_change **changes = malloc((batch->changes + 1) * sizeof(*changes));
	size_t n = 0, kept = 0;

	*ret_clear = 0;
	if (changes == NULL)
		return NULL;
	for (size_t offset = 0; offset < batch->n; offset += change_at(batch, offset)->bytes) {
		const struct store_change *change = change_at(batch, offset);

		if (change->kind == STORE_CHANGE_CLEAR_ALL) {
			*ret_clear = (1u << STORE_TABLE_META) - 1;
			n = 0;
			continue;
		}
		if (change->kind == STORE_CHANGE_CLEAR_TABLE) {
			*ret_clear |= 1u << change->table;
			n = changes_drop(changes, n, change->table);
			continue;
		}
		changes[n++] = change;
	}
	qsort(changes, n, sizeof(*changes), compare_changes);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || !same_key(changes[i], changes[i + 1]))
			changes[kept++] = changes[i];
	*ret_n = kept;
	return changes;
}

/* A ban's entry in the expiry table follows the ban. */
static int expiry_drop(struct store *store, MDB_txn *transaction, MDB_val *key)
{
	struct store_bytes expiry;
	struct ban old;
	MDB_val value, expiry_key;
	int code = mdb_get(transaction, store->tables[STORE_TABLE_BANS], key, &value);

	if (code != 0)
		return code == MDB_NOTFOUND ? 0 : code;
	if (!store_ban_decode(key, &value, &old) || old.end_ms == GOVERNOR_NEVER_MS)
		return 0;
	store_expiry_key(old.end_ms, key->mv_data, key->mv_size, &expiry);
	expiry_key = (MDB_val){expiry.n, expiry.data};
	code = mdb_del(transaction, store->tables[STORE_TABLE_EXPIRY], &expiry_key, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int change_apply(struct store *store, MDB_txn *transaction, const struct store_change *change)
{
	MDB_val key = {change->key_bytes, (void *)change->data};
	MDB_val value = {change->value_bytes, (void *)(change->data + change->key_bytes)};
	int code = 0;

	if (change->table == STORE_TABLE_BANS)
		code = expiry_drop(store, transaction, &key);
	if (code != 0)
		return code;
	if (change->kind == STORE_CHANGE_DELETE) {
		code = mdb_del(transaction, store->tables[change->table], &key, NULL);
		return code == MDB_NOTFOUND ? 0 : code;
	}
	code = mdb_put(transaction, store->tables[change->table], &key, &value, 0);
	if (code == 0 && change->table == STORE_TABLE_BANS && change->end_ms != GOVERNOR_NEVER_MS) {
		struct store_bytes expiry;
		MDB_val expiry_key, nothing = {0, NULL};

		store_expiry_key(change->end_ms, key.mv_data, key.mv_size, &expiry);
		expiry_key = (MDB_val){expiry.n, expiry.data};
		code = mdb_put(transaction, store->tables[STORE_TABLE_EXPIRY], &expiry_key, &nothing, 0);
	}
	return code;
}

static int tables_clear(struct store *store, MDB_txn *transaction, unsigned tables)
{
	int code = 0;

	for (unsigned table = 0; table < STORE_TABLE_META && code == 0; table++)
		if ((tables >> table & 1) != 0)
			code = mdb_drop(transaction, store->tables[table], 0);
	return code;
}

static int batch_commit_once(
	struct store *store, const struct store_change *const *changes, size_t n, unsigned clear)
{
	MDB_txn *transaction;
	int code = mdb_txn_begin(store->environment, NULL, 0, &transaction);

	if (code != 0)
		return store_error(code);
	code = tables_clear(store, transaction, clear);
	for (size_t i = 0; i < n && code == 0; i++)
		code = change_apply(store, transaction, changes[i]);
	if (code != 0) {
		mdb_txn_abort(transaction);
		return store_error(code);
	}
	/* Frees the transaction, whatever it returns. */
	return store_error(mdb_txn_commit(transaction));
}

static int batch_commit(struct store *store)
{
	unsigned clear;
	size_t n;
	const struct store_change **changes = batch_sort(&store->writing, &n, &clear);
	int error;

	if (changes == NULL)
		return -ENOMEM;
	error = store_environment_grow(store, /* force = */ false);
	if (error == 0 || error == -ENOBUFS)
		error = batch_commit_once(store, changes, n, clear);
	/* Deletes need pages too (copy on write), so the map may be full at any change. */
	while (error == -ENOBUFS) {
		error = store_environment_grow(store, /* force = */ true);
		if (error != 0)
			break;
		error = batch_commit_once(store, changes, n, clear);
	}
	free(changes);
	return error;
}

/* Bans whose end has passed leave the disk by way of the expiry table, a bounded number a turn. */
static int prune(struct store *store, int64_t wall_ms, unsigned *ret_pruned)
{
	struct store_bytes limit;
	MDB_txn *transaction;
	MDB_cursor *cursor;
	MDB_val key, value, ban_key;
	struct ban ban;
	unsigned n = 0;
	int code = mdb_txn_begin(store->environment, NULL, 0, &transaction);

	if (code != 0)
		return store_error(code);
	store_expiry_key(wall_ms + 1, NULL, 0, &limit);
	code = mdb_cursor_open(transaction, store->tables[STORE_TABLE_EXPIRY], &cursor);
	while (code == 0 && n < PRUNE_RECORDS &&
		(code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) == 0) {
		if (key.mv_size <= limit.n || memcmp(key.mv_data, limit.data, limit.n) >= 0)
			break;
		ban_key = (MDB_val){key.mv_size - limit.n, (uint8_t *)key.mv_data + limit.n};
		code = mdb_get(transaction, store->tables[STORE_TABLE_BANS], &ban_key, &value);
		/* An entry that damage left behind must not end a ban that was put again since. */
		if (code == 0 && (!store_ban_decode(&ban_key, &value, &ban) || ban.end_ms <= wall_ms))
			code = mdb_del(transaction, store->tables[STORE_TABLE_BANS], &ban_key, NULL);
		if (code == 0 || code == MDB_NOTFOUND)
			code = mdb_cursor_del(cursor, 0);
		n++;
	}
	if (code == MDB_NOTFOUND)
		code = 0;
	if (code != 0 || n == 0)
		mdb_txn_abort(transaction);
	else
		code = mdb_txn_commit(transaction);
	*ret_pruned = code == 0 ? n : 0;
	return store_error(code);
}

/* Under the lock. */
static void status_set(struct store *store, int error)
{
	struct store_status *status = &store->status;

	status->error = error;
	status->text[0] = '\0';
	if (error == 0)
		return;
	status->commit_errors++;
	snprintf(status->text, sizeof(status->text),
		"%s: changes are kept in memory and tried again every %u ms: %s", store->directory, RETRY_MS,
		error == -ENOSPC    ? "the disk is full; free some space"
		: error == -ENOBUFS ? "the map is at its maximum; raise store.map_bytes"
		: error == -EUCLEAN ? "the file is damaged and is set aside; check the disk"
				    : strerror(-error));
}

static void backup_join(struct store *store)
{
	if (store->backup_joinable)
		pthread_join(store->backup, NULL);
	store->backup_joinable = false;
}

/* Damage found at run time: memory is the truth. Set the file aside, begin a new one, ask the caller to put
 * everything anew. */
static int begin_anew(struct store *store)
{
	char path[STORE_PATH_MAX];
	int error;

	backup_join(store); /* it reads from the environment that goes */
	/* After an assertion the environment cannot be closed in order; its descriptors and memory stay
	 * behind. */
	store->environment = NULL;
	error = store_environment_quarantine(store, atomic_load(&store->wall_ms), path);
	if (error == 0)
		error = store_environment_open(store);
	pthread_mutex_lock(&store->mutex);
	store->status.corruptions++;
	store->status.resync = true;
	pthread_mutex_unlock(&store->mutex);
	return error;
}

/* The file or its directory was removed while we ran: memory is the truth, so the next turn begins a new file
 * in its place. */
static void give_up_file(struct store *store)
{
	backup_join(store);
	store_environment_close(store);
	close(store->lock_fd);
	store->lock_fd = -1;
	pthread_mutex_lock(&store->mutex);
	store->status.resync = true;
	pthread_mutex_unlock(&store->mutex);
}

static void announce(struct store *store)
{
	uint64_t one = 1;
	ssize_t ignored = write(store->event_fd, &one, sizeof(one));

	(void)ignored;
}

static void *backup_run(void *argument)
{
	struct store *store = argument;
	int64_t wall_ms = atomic_load(&store->wall_ms);
	int error = store_environment_backup(store, wall_ms);

	pthread_mutex_lock(&store->mutex);
	store->backup_running = false;
	if (error == 0) {
		store->status.backups++;
		store->status.last_backup_ms = wall_ms;
	} else {
		store->status.backup_errors++;
	}
	pthread_mutex_unlock(&store->mutex);
	announce(store);
	return NULL;
}

static void backup_start_if_due(struct store *store)
{
	int64_t wall_ms = atomic_load(&store->wall_ms);
	bool due, running;

	pthread_mutex_lock(&store->mutex);
	due = store->backup_wanted;
	if (store->config.backup_interval_s != 0 && store->changed_since_backup && wall_ms != 0 &&
		wall_ms - store->last_backup_try_ms >= (int64_t)store->config.backup_interval_s * 1000)
		due = true;
	running = store->backup_running;
	if (due && !running) {
		store->backup_wanted = false;
		store->backup_running = true;
		store->last_backup_try_ms = wall_ms;
		store->changed_since_backup = false;
	}
	pthread_mutex_unlock(&store->mutex);
	if (!due || running)
		return;
	backup_join(store);
	if (pthread_create(&store->backup, NULL, backup_run, store) == 0) {
		store->backup_joinable = true;
		return;
	}
	pthread_mutex_lock(&store->mutex);
	store->backup_running = false;
	store->status.backup_errors++;
	pthread_mutex_unlock(&store->mutex);
}

static int turn_inner(struct store *store, unsigned *ret_pruned)
{
	int error = 0;

	/* None: an earlier turn gave a damaged or removed file up. */
	if (store->lock_fd < 0)
		error = store_lock_take(store);
	if (error == 0 && store->environment == NULL)
		error = store_environment_open(store);
	if (error != 0)
		return error;
	if (!store_environment_is_in_place(store))
		return -ESTALE;
	mdb_env_set_assert(store->environment, asserted);
	if (store->writing.n != 0)
		error = batch_commit(store);
	if (error == 0)
		error = prune(store, atomic_load(&store->wall_ms), ret_pruned);
	/* Pruning waits for a better day; only a batch's failure is worth telling. */
	if (store->writing.n == 0 && error != -EUCLEAN)
		error = 0;
	return error;
}

/* Everything of one turn that touches LMDB; -EUCLEAN also for a failed assertion. */
static int turn(struct store *store, unsigned *ret_pruned)
{
	int error;

	*ret_pruned = 0;
	if (sigsetjmp(assertion, 0) != 0) {
		assertion_armed = false;
		return -EUCLEAN;
	}
	assertion_armed = true;
	error = turn_inner(store, ret_pruned);
	assertion_armed = false;
	return error;
}

static uint64_t last_sequence(const struct store_batch *batch)
{
	uint64_t sequence = 0;

	for (size_t offset = 0; offset < batch->n; offset += change_at(batch, offset)->bytes)
		sequence = change_at(batch, offset)->sequence;
	return sequence;
}

/* Under the lock: what was written is done. */
static void batch_done(struct store *store, uint64_t sequence)
{
	atomic_store(&store->durable, sequence);
	store->status.durable = sequence;
	store->status.commits++;
	store->status.queue_bytes -= store->writing.n;
	store->changed_since_backup = true;
	store->writing.n = 0;
	store->writing.changes = 0;
	if (store->writing.capacity > QUEUE_IDLE_BYTES) {
		free(store->writing.data);
		memset(&store->writing, 0, sizeof(store->writing));
	}
}

static void wait_for_work(struct store *store, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!store->stop && !store->sync_wanted && !store->backup_wanted)
		if (pthread_cond_timedwait(&store->wake, &store->mutex, &until) == ETIMEDOUT)
			break;
}

static void *writer_run(void *argument)
{
	struct store *store = argument;
	unsigned interval_ms =
		store->config.commit_interval_ms != 0 ? store->config.commit_interval_ms : COMMIT_INTERVAL_MS;
	bool stop = false;
	int error = 0;

	while (!stop) {
		bool had_batch;
		unsigned pruned;
		uint64_t sequence;

		pthread_mutex_lock(&store->mutex);
		wait_for_work(store, error != 0 ? RETRY_MS : interval_ms);
		stop = store->stop;
		store->sync_wanted = false;
		/* A batch that failed goes first; the queue behind it keeps its order. */
		if (store->writing.n == 0) {
			struct store_batch empty = store->writing;

			store->writing = store->queue;
			store->queue = empty;
		}
		pthread_mutex_unlock(&store->mutex);
		had_batch = store->writing.n != 0;
		sequence = last_sequence(&store->writing);
		error = turn(store, &pruned);
		/* The batch goes to the new file; the caller puts the rest of its state anew. */
		if (error == -EUCLEAN && store->status.corruptions < DAMAGE_MAX && begin_anew(store) == 0)
			error = turn(store, &pruned);
		if (error == -ESTALE) {
			give_up_file(store);
			error = turn(store, &pruned);
		}
		pthread_mutex_lock(&store->mutex);
		store->status.pruned += pruned;
		if (had_batch && error == 0)
			batch_done(store, sequence);
		if (had_batch || error != 0 || store->status.error != 0)
			status_set(store, error);
		/* At the end: what was queued while the last batch was written. */
		stop = stop && (error != 0 || store->queue.n == 0);
		pthread_mutex_unlock(&store->mutex);
		if (had_batch)
			announce(store);
		backup_start_if_due(store);
	}
	backup_join(store);
	return NULL;
}

int store_writer_start(struct store *store)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the event loop's */
	error = pthread_create(&store->writer, NULL, writer_run, store);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

void store_writer_stop(struct store *store)
{
	pthread_mutex_lock(&store->mutex);
	store->stop = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->mutex);
	pthread_join(store->writer, NULL);
}
