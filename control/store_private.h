/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of the store share with each other and with nobody else. Who may touch a field is said
 * beside it: "loop" is the caller's event loop, "writer" the store's own thread, "lock" means under
 * store->mutex.
 */
#ifndef WEIR_CONTROL_STORE_PRIVATE_H
#define WEIR_CONTROL_STORE_PRIVATE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "control/store.h"

enum store_table {
	STORE_TABLE_BANS,
	STORE_TABLE_EXPIRY, /* u64 big-endian end + ban key; no value */
	STORE_TABLE_STRIKES,
	STORE_TABLE_LISTS,
	STORE_TABLE_BOOK, /* address + port big-endian */
	STORE_TABLE_META,
	STORE_TABLE_COUNT,
};

enum {
	STORE_KEY_MAX = 160, /* scope + id of 128 + tier, and 8 more in the expiry table; LMDB allows 511 */
	STORE_VALUE_MAX = 448,
	STORE_DIRECTORY_MAX = 180,
	STORE_NAME_MAX = 64,
	STORE_PATH_MAX = STORE_DIRECTORY_MAX + STORE_NAME_MAX + 2,
};

struct store_bytes {
	uint16_t n;
	uint8_t data[STORE_KEY_MAX];
};

struct store_value {
	uint16_t n;
	uint8_t data[STORE_VALUE_MAX];
};

enum store_change_kind {
	STORE_CHANGE_PUT,
	STORE_CHANGE_DELETE,
	STORE_CHANGE_CLEAR_ALL,
	STORE_CHANGE_CLEAR_TABLE,
};

/** One queued change, packed into a batch: this header, the key, the value, padding to 8 bytes. */
struct store_change {
	uint64_t sequence;
	int64_t end_ms; /* bans: for the expiry table; GOVERNOR_NEVER_MS: no entry */
	uint16_t bytes; /* of the whole change */
	uint16_t key_bytes, value_bytes;
	uint8_t kind, table;
	uint8_t data[];
};

struct store_batch {
	uint8_t *data;
	size_t n, capacity;
	uint64_t changes;
};

struct store {
	/* fixed after store_open */
	struct store_config config;
	char directory[STORE_PATH_MAX];
	int lock_fd, event_fd;
	pthread_t writer;
	/* writer; loop before the writer starts */
	MDB_env *environment;
	MDB_dbi tables[STORE_TABLE_COUNT];
	struct store_batch writing; /* on its way to the disk; kept and tried again when that fails */
	int64_t last_backup_try_ms;
	bool changed_since_backup;
	pthread_t backup;
	/* lock */
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct store_batch queue;
	uint64_t sequence; /* of the last queued change */
	bool stop, sync_wanted, backup_wanted, backup_joinable;
	bool backup_running; /* or the load: somebody holds a read transaction */
	struct store_status status;
	_Atomic uint64_t durable;
	_Atomic int64_t wall_ms;
};

/* store_record.c */
void store_ban_key(const struct ban *ban, struct store_bytes *ret_key);
void store_prefix_key(const struct prefix *prefix, int suffix_or_negative, struct store_bytes *ret_key);
void store_id_key(const char *id, int suffix_or_negative, struct store_bytes *ret_key);
void store_expiry_key(int64_t end_ms, const void *ban_key, size_t bytes, struct store_bytes *ret_key);
/** The checksum covers key and value: a value under a wrong key is damage. */
void store_ban_encode(const struct store_bytes *key, const struct ban *ban, struct store_value *ret_value);
void store_strike_encode(
	const struct store_bytes *key, unsigned strikes, int64_t last_ms, struct store_value *ret_value);
void store_text_encode(const struct store_bytes *key, const char *text, struct store_value *ret_value);
/** Each: false when the checksum or the form is wrong; the out parameter is then unchanged. */
bool store_ban_decode(const MDB_val *key, const MDB_val *value, struct ban *ret_ban);
bool store_strike_decode(
	const MDB_val *key, const MDB_val *value, unsigned *ret_strikes, int64_t *ret_last_ms);
bool store_text_decode(const MDB_val *key, const MDB_val *value, char *text, size_t text_bytes);
void store_book_key(const struct address *address, uint16_t port, struct store_bytes *ret_key);
void store_book_encode(
	const struct store_bytes *key, const struct book_record *record, struct store_value *ret_value);
/** Only what is stored: the rest of the record is zero. */
bool store_book_decode(const MDB_val *key, const MDB_val *value, struct book_record *ret_record);
/** Key of a prefix, or false when it is an id's. */
bool store_prefix_decode(const MDB_val *key, struct prefix *ret_prefix, uint8_t *ret_suffix);

/* store_page.c */
/** Every page, node, bound and count of an LMDB file, without LMDB. False: do not let LMDB near it. */
bool store_pages_are_sound(const void *file, size_t bytes);

/* store_environment.c */
/** LMDB's codes become -errno here and nowhere else: -EUCLEAN is damage, -ENOBUFS a full map. */
int store_error(int lmdb_code);
void store_path(const struct store *store, const char *name, char path[STORE_PATH_MAX]);
/** Open the environment and its tables; creates them. */
int store_environment_open(struct store *store);
void store_environment_close(struct store *store);
/** False: the file that is open no longer stands at its path. Somebody removed or replaced it, and what is
 * committed to it would be gone at the next start. */
bool store_environment_is_in_place(const struct store *store);
/** Walk every record in a child process. 0: sound; -EUCLEAN: damaged; -errno. */
int store_environment_verify(const struct store *store, const char *path);
/** Set the file aside as NAME.corrupt-WALL. */
int store_environment_quarantine(struct store *store, int64_t wall_ms, char path[STORE_PATH_MAX]);
/** Put the newest good backup in place. -ENOENT: none is good. */
int store_environment_restore(struct store *store, char path[STORE_PATH_MAX]);
/** Double the map when it is three quarters full, or now if `force`. -ENOBUFS: at its maximum; -EAGAIN: a
 * backup or a load reads just now. */
int store_environment_grow(struct store *store, bool force);
int store_environment_backup(struct store *store, int64_t wall_ms);

/* store.c */
/** Make the directory if need be and take its lock. -EBUSY: another process has it. */
int store_lock_take(struct store *store);
/** Queue the deletion of a record by its key on disk. */
int store_delete_key(struct store *store, enum store_table table, const struct store_bytes *key);

/* store_writer.c */
int store_writer_start(struct store *store);
void store_writer_stop(struct store *store);

#endif
