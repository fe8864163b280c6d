/* SPDX-License-Identifier: BSD-3-Clause
 * The state of a running weir-control and how its parts are joined: governor, store, publisher, link. Event
 * loop only. It needs no event loop of its own, so that tests drive the real parts turn by turn. Must not
 * speak JSON-RPC.
 */
#ifndef WEIR_CONTROL_CONTROL_H
#define WEIR_CONTROL_CONTROL_H

#include "control/config.h"
#include "control/dataplane_link.h"
#include "control/governor.h"
#include "control/publisher.h"
#include "control/roster.h"
#include "control/store.h"

/** Who wants to hear: the RPC side. Any may be NULL. */
struct control_listener {
	void *context;
	bool (*event_wanted)(void *context, const char *name);
	void (*event)(void *context, const char *name, const char *json);
	void (*probe_answer)(void *context, const struct link_probe_answer *answer);
};

struct control {
	struct config config;
	struct snapshot_clock clock; /* of this turn */
	int64_t latest_wall_ms;      /* that the governor was given since the clock was last set back */
	struct roster *roster;
	struct governor *governor; /* the roster's */
	struct store *store;
	struct publisher *publisher; /* NULL: there is no dataplane to govern (control_open_simulated) */
	struct dataplane_link *link; /* NULL with it */
	bool simulated;              /* the clock is what the trace says */
	struct control_listener listener;
	struct store_open_report store_report;
	struct store_load_stats loaded;
	uint64_t seed; /* of every random choice */
	/* who watches the link's socket, which changes at each reconnect */
	void (*watch)(void *context, int fd);
	void *watch_context;
	int64_t started_ms;
	uint64_t flows_dumped, flows_proven_dumped; /* of the running or last flow dump */
	uint64_t next_second_ns;
	uint64_t disconnect_full_ns; /* when all of limits.disconnects_per_s is free again */
	bool lists_changed;          /* the publisher's copy is old */
	bool resyncing;
	bool places_lost; /* said already */
};

/** Read both clocks. Each turn starts with it. */
void control_clock(struct control *control);

/** Takes the configuration over (also on failure: the caller must not free it). Opens the store, loads it,
 * publishes the first image. -errno with a sentence. `control` must stay where it is. */
int control_open(struct control *control, struct config *config, char *error_text, size_t error_bytes);
/** For simulate: governor, book and a store under `state_dir` of the configuration, but no segment, image or
 * link; the clock begins at 0. `seed` decides every random choice. As control_open. */
int control_open_simulated(
	struct control *control, struct config *config, uint64_t seed, char *error_text, size_t error_bytes);
/** simulate's sim.restart: what is runtime is dropped, the store committed and read again. -errno with a
 * sentence. */
int control_restart_simulated(struct control *control, char *error_text, size_t error_bytes);
/** Commits the store, publishes a last image. 0, or the first error. */
int control_close(struct control *control);

/** The 20 ms work: link, events, heartbeat, images. True: call again at once, more events wait. */
bool control_tick(struct control *control);
/** What the governor has due now. True: more is due. */
bool control_advance(struct control *control);
/** Ends a turn: rings the doorbell once if the log or the image has news. */
void control_turn_end(struct control *control);

/** A new configuration in place of the old. On error the old one is in force again and error_text says why.
 * Keys that only a restart can change keep their old value and are named in `restart_text` ("" if none).
 * `config` is taken over when 0. */
int control_reload(struct control *control, struct config *config, char *error_text, size_t error_bytes,
	char *restart_text, size_t restart_bytes);

/** An operator's entry of the allow or deny list, with its command. As governor_list_add and
 * governor_list_remove. */
int control_list_add(struct control *control, bool allow, const struct prefix *prefix, const char *reason,
	struct prefix *ret_conflict);
int control_list_remove(struct control *control, bool allow, const struct prefix *prefix);

/** A sentence about the last store error, or "" when all is well. */
const char *control_store_text(struct control *control, char *text, size_t bytes);

#endif
