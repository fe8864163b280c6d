/* SPDX-License-Identifier: BSD-3-Clause
 * The enforced set as the publisher sees it: a sorted array that never changes, and the changes since. A
 * build takes both without copying (enforced_set_freeze is O(1)), merges them on the worker thread, and gives
 * the merged array back; the event loop never walks the set. 24 bytes an entry. No locks: the loop and the
 * worker never hold the same array writable.
 */
#ifndef WEIR_CONTROL_ENFORCED_SET_H
#define WEIR_CONTROL_ENFORCED_SET_H

#include <stddef.h>
#include <stdint.h>

#include "shm/command.h"
#include "shm/prefix.h"

#define ENFORCED_NEVER_S UINT32_MAX

struct enforced_entry {
	uint8_t address[16];
	uint8_t length;
	uint8_t class; /* enum source_class; NONE only among changes: remove */
	uint16_t reserved;
	uint32_t end_wall_s; /* rounded up; ENFORCED_NEVER_S */
};
_Static_assert(sizeof(struct enforced_entry) == 24, "the size is the memory budget of a ban in control");

struct enforced_entries {
	struct enforced_entry *items;
	size_t n, capacity;
};

struct enforced_set {
	struct enforced_entries base;    /* sorted by prefix, unique; read by the worker while frozen */
	struct enforced_entries changes; /* in order of time; event loop */
	struct enforced_entries frozen;  /* the changes that the running build merges; worker */
};

/** Wall milliseconds to seconds, rounded up; INT64_MAX is never. */
uint32_t enforced_end_s(int64_t end_wall_ms);
int64_t enforced_end_ms(uint32_t end_wall_s);

/** Loop: note a change. -ENOMEM. */
int enforced_set_change(
	struct enforced_set *set, const struct prefix *prefix, enum source_class class, int64_t end_wall_ms);
/** Loop, no build running: hand the changes to the next merge. */
void enforced_set_freeze(struct enforced_set *set);
/** Worker: base and frozen changes merged, without those ended by now_s. -ENOMEM leaves everything as it was.
 */
int enforced_set_merge(struct enforced_set *set, uint32_t now_wall_s, struct enforced_entries *ret_merged);
/** Loop: the build is done; `merged` becomes the base. */
void enforced_set_commit(struct enforced_set *set, struct enforced_entries *merged);
/** Loop: the build failed: its changes go back in front of the later ones. -ENOMEM: they stay frozen; call
 * again. */
int enforced_set_rollback(struct enforced_set *set);
void enforced_set_free(struct enforced_set *set);

#endif
