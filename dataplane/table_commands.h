/* SPDX-License-Identifier: BSD-3-Clause
 * Commands from control's log, applied in place to the tables of a ruleset. Table thread only: the tables' one writer. Each
 * store is one that lcores may see at any moment (ban_table.h, lists.h).
 */
#ifndef WEIR_DATAPLANE_TABLE_COMMANDS_H
#define WEIR_DATAPLANE_TABLE_COMMANDS_H

#include "dataplane/dispatch.h"
#include "dataplane/ruleset.h"
#include "shm/command.h"

/** Apply one record to `rules`. `published`: lcores read these tables now, so that places may wait for a grace period, which is
 * ended here. `dispatch` NULL: COMMAND_FLOW_CUT is skipped.
 * 0; -ENOSPC: a table is full: build larger ones; -E2BIG: the lists' overlay is full: only the next image can carry it; -EAGAIN: the owner's ring of requests is full: try
 * again soon. A record with an unknown kind or an impossible prefix is -EINVAL and changes nothing. */
int table_commands_apply(struct ruleset *rules, const struct command_record *record, bool published, struct dispatch *dispatch);
/** One housekeeping step: ended bans leave their places. Returns entries freed. */
unsigned table_commands_expire(struct ruleset *rules, uint32_t now_s, unsigned budget_buckets);
/** Is a ban table so full that larger ones should be built before they overflow? */
bool table_commands_should_grow(const struct ruleset *rules);

#endif
