// SPDX-License-Identifier: BSD-3-Clause
/* The table behind counters.h, generated from counters.def. Any thread, any process; constant data only.
 */
#include "shm/counters.h"

static const struct counter_info counter_infos[COUNTER_COUNT] = {
#define COUNTER(id, counter_name, counter_kind, counter_unit, counter_help) \
	[COUNTER_##id] = {.name = #counter_name, \
		.unit = #counter_unit, \
		.help = counter_help, \
		.kind = COUNTER_KIND_##counter_kind},
#include "shm/counters.def"
#undef COUNTER
};

const struct counter_info *counter_info(enum counter counter)
{
	return &counter_infos[counter];
}
