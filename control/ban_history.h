/* SPDX-License-Identifier: BSD-3-Clause
 * The last bans that ended: a ring, the newest over the oldest (LO-10's ban history). The governor's thread. Runtime state: it
 * is not stored and begins anew at a start. Must not decide anything: strikes are what a past ban is held against a peer by.
 */
#ifndef WEIR_CONTROL_BAN_HISTORY_H
#define WEIR_CONTROL_BAN_HISTORY_H

#include "control/governor.h"

/* Places of some 500 bytes, so half a megabyte, taken when the first ban ends: what an operator reads back by hand. A list of
 * millions that ends in one night overwrites it; the events peer.unbanned are for whoever wants them all. */
enum { BAN_HISTORY_PLACES = 1000 };

struct ban_history {
	struct ban_ended *places; /* NULL: none has ended */
	uint64_t n;		  /* so many were added; the nth (from 1) is in place (n - 1) % BAN_HISTORY_PLACES */
};

/** `why` is a literal. A lack of memory loses history only. */
void ban_history_add(struct ban_history *history, const struct ban *ban, const char *why, int64_t now_ms);
/** The one with this number; NULL when there is none, or when it was overwritten. Valid until the next is added. */
const struct ban_ended *ban_history_find(const struct ban_history *history, uint64_t number);
void ban_history_fini(struct ban_history *history);

#endif
