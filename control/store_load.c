/* SPDX-License-Identifier: BSD-3-Clause
 * Reading everything at the start: one read transaction, a cursor a table, each record handed to the caller.
 * What is damaged, expired or not wanted is queued for deletion. Runs in the caller's thread and blocks; the
 * writer has nothing to do yet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/store_private.h"

struct load {
	struct store *store;
	const struct store_visitor *visitor;
	struct store_load_stats stats;
	MDB_txn *transaction;
};

/* The queue has room for deletions of a few million records; one that finds none stays on disk until the next
 * start. */
static void drop(struct load *load, enum store_table table, const MDB_val *key)
{
	struct store *store = load->store;
	struct store_bytes bytes = {
		.n = (uint16_t)(key->mv_size < STORE_KEY_MAX ? key->mv_size : STORE_KEY_MAX)};

	load->stats.dropped++;
	memcpy(bytes.data, key->mv_data, bytes.n);
	(void)store_delete_key(store, table, &bytes);
}

static bool visit_ban(struct load *load, const MDB_val *key, const MDB_val *value)
{
	struct ban ban;

	if (!store_ban_decode(key, value, &ban)) {
		load->stats.damaged++;
		return false;
	}
	load->stats.bans++;
	return load->visitor->ban == NULL || load->visitor->ban(load->visitor->context, &ban);
}

static bool visit_strike(struct load *load, const MDB_val *key, const MDB_val *value)
{
	char id[GOVERNOR_ID_MAX];
	struct prefix prefix;
	unsigned strikes;
	int64_t last_ms;

	if (key->mv_size < 2 || !store_strike_decode(key, value, &strikes, &last_ms)) {
		load->stats.damaged++;
		return false;
	}
	load->stats.strikes++;
	if (store_prefix_decode(key, &prefix, NULL))
		return load->visitor->strike == NULL ||
		       load->visitor->strike(load->visitor->context, &prefix, strikes, last_ms);
	if (key->mv_size > sizeof(id))
		return false;
	memcpy(id, (const uint8_t *)key->mv_data + 1, key->mv_size - 1);
	id[key->mv_size - 1] = '\0';
	return load->visitor->strike_id == NULL ||
	       load->visitor->strike_id(load->visitor->context, id, strikes, last_ms);
}

static bool visit_list(struct load *load, const MDB_val *key, const MDB_val *value)
{
	char reason[GOVERNOR_TEXT_MAX];
	struct prefix prefix;
	uint8_t allow;

	if (!store_prefix_decode(key, &prefix, &allow) ||
		!store_text_decode(key, value, reason, sizeof(reason))) {
		load->stats.damaged++;
		return false;
	}
	load->stats.lists++;
	return load->visitor->list == NULL ||
	       load->visitor->list(load->visitor->context, &prefix, allow != 0, reason);
}

static bool visit_book(struct load *load, const MDB_val *key, const MDB_val *value)
{
	struct book_record record;

	if (!store_book_decode(key, value, &record)) {
		load->stats.damaged++;
		return false;
	}
	load->stats.book++;
	return load->visitor->book == NULL || load->visitor->book(load->visitor->context, &record);
}

static int load_table(struct load *load, enum store_table table,
	bool (*visit)(struct load *load, const MDB_val *key, const MDB_val *value))
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int code = mdb_cursor_open(load->transaction, load->store->tables[table], &cursor);

	if (code != 0)
		return code;
	while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		if (!visit(load, &key, &value))
			drop(load, table, &key);
	mdb_cursor_close(cursor);
	return code == MDB_NOTFOUND ? 0 : code;
}

static void reading_set(struct store *store, bool reading)
{
	pthread_mutex_lock(&store->mutex);
	store->backup_running = reading;
	pthread_mutex_unlock(&store->mutex);
}

int store_load(struct store *store, const struct store_visitor *visitor, struct store_load_stats *ret_stats)
{
	struct load load = {.store = store, .visitor = visitor};
	int code;

	reading_set(store, true);
	code = mdb_txn_begin(store->environment, NULL, MDB_RDONLY, &load.transaction);
	if (code != 0) {
		reading_set(store, false);
		return store_error(code);
	}
	code = load_table(&load, STORE_TABLE_BANS, visit_ban);
	if (code == 0)
		code = load_table(&load, STORE_TABLE_STRIKES, visit_strike);
	if (code == 0)
		code = load_table(&load, STORE_TABLE_LISTS, visit_list);
	if (code == 0)
		code = load_table(&load, STORE_TABLE_BOOK, visit_book);
	mdb_txn_abort(load.transaction);
	reading_set(store, false);
	*ret_stats = load.stats;
	return store_error(code);
}
