/* SPDX-License-Identifier: BSD-3-Clause
 * The store: bans, strikes, operator lists and the address book on disk, in LMDB, of which it is the only user. Two threads:
 * the caller's event loop (every function here) and the store's own writer thread, which commits sorted
 * batches. While a backup is copied a third, short-lived thread holds a read transaction. The store never
 * logs and reads no wall clock; what it has to say is in struct store_open_report and struct store_status. No
 * function here but store_open, store_load and store_close waits for the disk.
 */
#ifndef WEIR_CONTROL_STORE_H
#define WEIR_CONTROL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/address_book.h"
#include "control/governor.h"

enum {
	STORE_SCHEMA_VERSION = 1,
	STORE_TEXT_MAX = 768,
	STORE_BACKUPS_KEPT = 2,
};

struct store;

struct store_config {
	const char *directory;       /* exists or can be made (two levels); mode 0700 */
	size_t map_initial_bytes;    /* 0: 256 MiB of address space, not of memory */
	size_t map_max_bytes;        /* 0: 64 GiB */
	size_t queue_max_bytes;      /* 0: 1 GiB; changes not yet on disk, held in memory */
	unsigned commit_interval_ms; /* 0: 250; longest time a change waits for company */
	unsigned backup_interval_s;  /* 0: no periodic backups (one is still made at a clean close) */
	unsigned verify_timeout_ms;  /* 0: 30 s and 10 s more for each GiB of the file */
};

enum store_open_flag {
	STORE_OPENED = 1,      /* an existing file passed its check */
	STORE_CREATED = 2,     /* there was none: a new, empty one */
	STORE_QUARANTINED = 4, /* a damaged file was set aside */
	STORE_RESTORED = 8,    /* and replaced by a backup */
	STORE_EMPTY = 16,      /* and no good backup was found: everything on disk is lost. Say it loudly. */
	STORE_MIGRATED = 32,   /* from an older schema */
	STORE_RECORDS_LOST = 64, /* single records have a wrong checksum: skipped, see damaged_records */
};

struct store_open_report {
	unsigned flags;
	uint64_t records, damaged_records;
	unsigned schema_found;
	char quarantine[256];      /* path, if set aside */
	char backup[256];          /* path, if restored */
	char text[STORE_TEXT_MAX]; /* sentences for the log, also after an error */
};

/** Open or create. Takes the directory's lock, verifies the file in a child process, sets a damaged one
 * aside, starts the writer thread. `wall_ms` names files. ret_report is filled in every case. -EBUSY: another
 * process has the directory; -EPROTONOSUPPORT: a newer Weir wrote it; -EACCES, -ENOSPC, -ENOMEM, -EIO:
 * report->text says what to do. */
int store_open(const struct store_config *config, int64_t wall_ms, struct store_open_report *ret_report,
	struct store **ret_store);
/** Commit what is queued, take a backup if anything changed since the last, stop the writer, close. Returns
 * 0, or the error that keeps changes from the disk (they are lost with the process). Accepts NULL. */
int store_close(struct store *store);

/** Called for each record in order of key; false deletes the record (it expired, it is not wanted). NULL
 * members skip. */
struct store_visitor {
	void *context;
	bool (*ban)(void *context, const struct ban *ban);
	bool (*strike)(void *context, const struct prefix *prefix, unsigned strikes, int64_t last_ms);
	bool (*strike_id)(void *context, const char *id, unsigned strikes, int64_t last_ms);
	bool (*list)(void *context, const struct prefix *prefix, bool allow, const char *reason);
	/** The fields of BOOK_PUT_PERSISTED, with address and port; for address_book_put. */
	bool (*book)(void *context, const struct book_record *record);
};
struct store_load_stats {
	uint64_t bans, strikes, lists, damaged, dropped, book;
};
/** Visit every record. Blocks; meant for the start. Damaged records are skipped, counted and deleted. */
int store_load(struct store *store, const struct store_visitor *visitor, struct store_load_stats *ret_stats);

/* Changes. They copy their arguments into the queue and return at once. 0, or -ENOBUFS: the queue is full
 * (the disk has been full for long): the change is not queued, status.resync becomes true, and once
 * status.error is 0 again the caller must put its whole state anew (store_resync_begin, then every put): the
 * governor's memory is the truth. */
int store_put_ban(struct store *store, const struct ban *ban);
int store_delete_ban(struct store *store, const struct ban *key);
/** 0 strikes deletes. */
int store_put_strike(struct store *store, const struct prefix *prefix, unsigned strikes, int64_t last_ms);
int store_put_strike_id(struct store *store, const char *id, unsigned strikes, int64_t last_ms);
int store_put_list(
	struct store *store, const struct prefix *prefix, bool allow, bool present, const char *reason);
int store_put_book(struct store *store, const struct book_record *record);
int store_delete_book(struct store *store, const struct address *address, uint16_t port);
/** Empty the book, in order with what was put before and comes after. */
int store_clear_book(struct store *store);
/** Empty every table, in order with the puts that follow; clears status.resync. */
int store_resync_begin(struct store *store);

/** The wall clock for pruning and backups; call it at least once a second. */
void store_set_time(struct store *store, int64_t wall_ms);

/** Ask for a commit now. Returns the sequence number of the last change: it is on disk once
 * store_durable_sequence reaches it. */
uint64_t store_sync_request(struct store *store);
uint64_t store_durable_sequence(const struct store *store);
/** An eventfd, readable when the durable sequence or the state moved; read it (8 bytes) to rearm. Owned by
 * the store. */
int store_event_fd(const struct store *store);
/** Ask for a backup now; its result is in the status. */
void store_backup_request(struct store *store);

struct store_status {
	int error;   /* 0, or -errno of the last commit: -ENOSPC disk full, -ENOBUFS map at its maximum, -EIO,
			-EUCLEAN damage */
	bool resync; /* see above; also after damage was found at run time and a new file begun */
	uint64_t queued, durable; /* sequence numbers */
	uint64_t queue_bytes, commits, commit_errors, overflows, pruned, corruptions;
	uint64_t map_bytes, used_bytes;
	uint64_t backups, backup_errors;
	int64_t last_backup_ms;    /* 0: none */
	char text[STORE_TEXT_MAX]; /* a sentence when error is not 0 */
};
void store_status(const struct store *store, struct store_status *ret_status);

#endif
