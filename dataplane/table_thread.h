/* SPDX-License-Identifier: BSD-3-Clause
 * The table thread: the only writer of everything that lcores read, and the only RCU updater. It loads images, applies commands,
 * retires what was replaced after a grace period, beats the heart, answers control's link and handles signals. It runs off the
 * lcores, or at a short-lived higher priority on their CPUs; packets never wait for it.
 */
#ifndef WEIR_DATAPLANE_TABLE_THREAD_H
#define WEIR_DATAPLANE_TABLE_THREAD_H

#include <pthread.h>
#include <sched.h>

#include "dataplane/cookie_keys.h"
#include "dataplane/dataplane_segment.h"
#include "dataplane/flow_segment.h"
#include "dataplane/link_relay.h"
#include "dataplane/link_server.h"
#include "dataplane/table_control.h"
#include "dataplane/table_image.h"
#include "dataplane/table_offload.h"
#include "dataplane/worker.h"

enum { TABLE_THREAD_BATCH = 512 };

/** What main hands over; all of it outlives the thread. */
struct table_thread_setup {
	const struct options *options;
	struct worker_shared *shared;
	struct stage_shared *stage_shared;
	struct dispatch *dispatch;
	struct dataplane_segment *segment;
	struct flow_segment *flows;
	struct stage *stages[OPTIONS_LCORES_MAX];
	struct link_relay *relay;
	struct table_offload *offload; /* NULL: no bans in the devices */
	const struct hash_key *cookie_secret; /* shared with other governors (--cookie-secret); NULL: the flow segment's own */
	cpu_set_t cpus; /* that the process was started with */
};

struct table_thread {
	struct table_thread_setup setup;
	pthread_t thread;
	int signal_fd;
	uint64_t started_ns, next_beat_ns, next_try_ns, next_missed_ns;
	struct cookie_keys cookie_keys;
	struct link_server link;
	struct table_control control;
	struct table_image image;
	/* In force */
	struct ruleset *rules;
	uint64_t loaded_instance, loaded_generation;
	uint64_t applied_sequence; /* last command in force */
	struct command_log_cursor cursor; /* last command that was read */
	/* Read and not yet applied */
	struct command_record records[TABLE_THREAD_BATCH];
	unsigned n_records, next_record;
	struct command_record replayed[TABLE_THREAD_BATCH]; /* on tables that are being completed */
	uint64_t spare;
	bool reload; /* a table is full: build the same image again with more room */
	/* Refused once: not again before it changes */
	uint64_t refused_instance, refused_generation;
	bool gate_said, ready_said, missing_said;
};

/** Blocks SIGTERM and SIGINT in the calling thread, so that only the table thread gets them; call before any thread exists. */
void table_thread_signals_block(void);
/** 0, or -errno after a sentence. */
int table_thread_start(struct table_thread *thread, const struct table_thread_setup *setup);
/** After all lcores have ended: joins, and frees the ruleset. */
void table_thread_stop(struct table_thread *thread);

#endif
