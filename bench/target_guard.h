/* SPDX-License-Identifier: BSD-3-Clause
 * What the load generators may be pointed at: only addresses that no stranger's machine can have. Pure, any thread.
 * Must not resolve names or look at the machine: the rule is a fixed list, so it cannot be talked out of it.
 */
#ifndef WEIR_BENCH_TARGET_GUARD_H
#define WEIR_BENCH_TARGET_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "shm/prefix.h"

/** True for loopback, RFC 1918, 198.18.0.0/15 (RFC 2544 benchmarking), the documentation ranges (RFC 5737, 3849, 9637)
 * and unique-local IPv6 (RFC 4193). */
bool target_guard_is_private(const struct address *target);

/** 0 when the target is private or the user said `owned` (--i-own-this-target). Otherwise -EPERM, and `error_text` gets
 * one sentence that says what to do. */
int target_guard_check(const struct address *target, bool owned, char *error_text, size_t error_bytes);

#endif
