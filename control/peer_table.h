/* SPDX-License-Identifier: BSD-3-Clause
 * What is known of the sources and peers that have been proven: scores, outcomes, windows of misbehaviour, history. Keyed by
 * host identity (IPv4 address, IPv6 /64) or by id; ids are bound to an address and port. One thread. Bounded: the entry that
 * would be forgotten first gives way. Runtime only: nothing here is stored.
 */
#ifndef WEIR_CONTROL_PEER_TABLE_H
#define WEIR_CONTROL_PEER_TABLE_H

#include "control/due_queue.h"
#include "control/governor.h"
#include "control/hash_index.h"
#include "control/score.h"
#include "control/text_pool.h"

/* Times of the last reports of LO-9's windows; each holds as many as its threshold, the oldest is overwritten. */
enum { WINDOW_INVALID_MESSAGE_N = 5, WINDOW_CONNECTION_FAILURE_N = 10, WINDOW_SPAM_N = 5, WINDOW_N_MAX = 10 };
struct peer_window {
	int64_t times_ms[WINDOW_N_MAX];
	uint8_t n, at;
};
struct peer_windows {
	struct peer_window invalid_message, connection_failure, spam;
};

enum peer_change_kind {
	PEER_CHANGE_REPORT, /* `action` is an enum peer_action */
	PEER_CHANGE_EVENT,  /* of the dataplane; `action` is an enum event_kind */
	PEER_CHANGE_VALUE,  /* LO-8: `score` is the value for ranking; no action */
};
struct peer_change {
	int64_t t_ms;
	double score;
	uint32_t why; /* interned reason, held */
	uint8_t action;
	uint8_t kind; /* enum peer_change_kind */
};
/* A ring of the last GOVERNOR_HISTORY. It has only the places that it needs: most peers' values change a few times. */
struct peer_history {
	uint8_t n, at, places;
	struct peer_change changes[];
};

struct peer_record {
	uint32_t id; /* interned, held; RECORD_NONE: by host identity */
	uint32_t agent;
	struct address address; /* the host identity, or where the id is bound */
	uint16_t port;
	bool bound;
	bool seen; /* it was bound: there it was last, whoever has its endpoint now */
	bool trusted;
	uint8_t early_resets; /* client RSTs inside 1 s of accept, counted to 3 */
	struct score score;
	uint32_t ok, fail, streak;
	uint32_t connections, flow_epoch; /* true of that epoch; read through governor_flows_settle */
	uint32_t dumped, dump_epoch;	  /* counted by the dump that will begin or has begun that epoch */
	uint32_t group, group_next, group_previous; /* T4: banned ids of one address */
	double rtt_ms; /* negative: none */
	int64_t last_over_rate_ms;
	int64_t last_seen_ms;
	int64_t forget_ms; /* as queued */
	struct peer_windows *windows; /* NULL until a report of LO-9 */
	struct peer_history *history; /* NULL until the score or the value moves */
};

struct peer_table {
	struct record_pool records;
	struct hash_index index; /* by host identity or id */
	struct hash_index bound; /* ids by address and port */
	struct due_queue forget;
	struct keyed_hash key;
	struct text_pool *texts; /* not owned */
	uint64_t n_ids;
};

int peer_table_init(struct peer_table *table, const struct keyed_hash *key, struct text_pool *texts);
void peer_table_fini(struct peer_table *table);
static inline struct peer_record *peer_table_at(const struct peer_table *table, uint32_t index)
{
	return record_pool_at(&table->records, index);
}

/** The identity by which a host is scored and banned: the IPv4 address, or the /64. */
struct prefix host_prefix(const struct address *address);

uint32_t peer_table_find_host(const struct peer_table *table, const struct address *address);
uint32_t peer_table_find_id(const struct peer_table *table, const char *id);
/** The id bound to this address and port. */
uint32_t peer_table_find_bound(const struct peer_table *table, const struct address *address, uint16_t port);
/** A new record; it must not exist yet. `id` may be NULL: by the host identity of `address`. -ENOMEM. */
int peer_table_add(struct peer_table *table, const char *id, const struct address *address, uint32_t *ret_index);
void peer_table_remove(struct peer_table *table, uint32_t index);
/** Bind an id's record, replacing an earlier binding. -ENOMEM: it is unbound then. */
int peer_table_bind(struct peer_table *table, uint32_t index, const struct address *address, uint16_t port);
/** Move the time at which the record will be forgotten; small moves are not worth the heap's work and are not made. */
void peer_table_forget_at(struct peer_table *table, uint32_t index, int64_t forget_ms);

/** Count one report in a window (t - length, t]; true when `threshold` are in it, and then the window begins anew. */
bool peer_window_add(struct peer_window *window, unsigned threshold, int64_t length_ms, int64_t now_ms);
/** Append to the history. Losing an entry to a lack of memory loses history only. */
void peer_history_add(struct peer_table *table, uint32_t index, const struct peer_change *change, const char *why);

#endif
