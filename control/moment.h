/* SPDX-License-Identifier: BSD-3-Clause
 * The one place where a moment inside (milliseconds since 1970, 0 often being "never") meets a moment outside
 * (in requests, answers and events). Live they are the same. A trace of `weirctl simulate` begins at 0, which must
 * not be "never": inside, its 0 is a moment far from it.
 */
#ifndef WEIR_CONTROL_MOMENT_H
#define WEIR_CONTROL_MOMENT_H

#include <stdint.h>

/* Whole days, and more of them than the 36,500 of the longest duration that the configuration takes: 0, "never", is longer
 * ago than any of them, as it is live. */
#define MOMENT_SIMULATED_MS (INT64_C(36501) * 24 * 3600 * 1000)

/** What moment 0 outside is inside. 0 unless this is called: once, before any other thread and any moment is taken. */
void moment_set_epoch(int64_t epoch_ms);
/** From outside: a parameter. Any value up to the year 9999. */
int64_t moment_take(int64_t ms);
/** To the outside: answers and events. The caller has dealt with "never" and "for ever", which are no moments. */
int64_t moment_tell(int64_t ms);

#endif
