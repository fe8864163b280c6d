/* SPDX-License-Identifier: BSD-3-Clause
 * The heaviest bans, lent to the devices: reads what the lcores dropped, lets ban_offload.h choose and
 * port_offload.h do it, at a bounded rate. The tables stay the truth: whatever lifts a ban goes by here
 * first, and is in force only when the device has let go. Table thread only, but for making and ending it.
 * Every function does nothing for NULL, which is what --offload-bans 0 gives.
 */
#ifndef WEIR_DATAPLANE_TABLE_OFFLOAD_H
#define WEIR_DATAPLANE_TABLE_OFFLOAD_H

#include "dataplane/port_offload.h"
#include "shm/event_ring.h"

struct table_offload;

/** Main, before the lcores run. Gives each stage its sketch if at least one outside port takes rules, else
 * *ret_offload is NULL after a sentence for each port. `payload` gets the numbers. -ENOMEM. */
int table_offload_create(const struct options *options, const struct port (*pairs)[2],
	struct stage *const *stages, struct dataplane_payload *payload, struct table_offload **ret_offload);
/** Main, after the lcores and the table thread have ended, before the ports close: no rule stays. */
void table_offload_destroy(struct table_offload *offload);
/** A turn: one ban more and one ban less at most. `rules`: in force. */
void table_offload_step(struct table_offload *offload, const struct ruleset *rules, uint64_t now_ns);
/** Before this command changes the tables. */
void table_offload_command(struct table_offload *offload, const struct command_record *record);
/** Before these rules replace those in force. */
void table_offload_follow(struct table_offload *offload, const struct ruleset *rules, uint64_t now_ns);

#endif
