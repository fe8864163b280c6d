// SPDX-License-Identifier: BSD-3-Clause
/* The tables behind reasons.h, generated from reasons.def. Any thread, any process; constant data only.
 */
#include "shm/reasons.h"

static const struct reason_info reason_infos[REASON_COUNT] = {
#define REASON(id, reason_name, reason_verdict, reason_action, reason_row, reason_help) \
	[REASON_##id] = {.name = #reason_name, \
		.help = reason_help, \
		.verdict = VERDICT_##reason_verdict, \
		.action = WIRE_ACTION_##reason_action, \
		.row = reason_row},
#include "shm/reasons.def"
#undef REASON
};

static const char *const verdict_names[VERDICT_COUNT] = {
	[VERDICT_FORWARD] = "forward",
	[VERDICT_CHALLENGE] = "challenge",
	[VERDICT_REFUSE] = "refuse",
	[VERDICT_PACE] = "pace",
	[VERDICT_DROP] = "drop",
	[VERDICT_CONSUME] = "consume",
};

const struct reason_info *reason_info(enum reason reason)
{
	return &reason_infos[reason];
}

const char *verdict_name(enum verdict verdict)
{
	return verdict_names[verdict];
}
