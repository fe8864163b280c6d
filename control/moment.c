/* SPDX-License-Identifier: BSD-3-Clause
 * Moments inside and outside (moment.h). The epoch is a constant of the process: written once at its start, read
 * by any thread.
 */
#include "control/moment.h"

static int64_t epoch;

void moment_set_epoch(int64_t epoch_ms)
{
	epoch = epoch_ms;
}

int64_t moment_take(int64_t ms)
{
	return ms + epoch;
}

int64_t moment_tell(int64_t ms)
{
	return ms - epoch;
}
