/* SPDX-License-Identifier: BSD-3-Clause
 * Verdicts, reasons and wire actions as numbers and as words, from the one list in reasons.def.
 * Pure functions, any thread, any process.
 */
#ifndef WEIR_SHM_REASONS_H
#define WEIR_SHM_REASONS_H

#include <stdint.h>

enum verdict {
	VERDICT_FORWARD,
	VERDICT_CHALLENGE,
	VERDICT_REFUSE,
	VERDICT_PACE,
	VERDICT_DROP,
	VERDICT_CONSUME,
	VERDICT_COUNT,
};

enum wire_action {
	WIRE_ACTION_NONE,
	WIRE_ACTION_COOKIE,
	WIRE_ACTION_RST,
	WIRE_ACTION_ICMP,
};

enum reason {
#define REASON(id, name, verdict, action, row, help) REASON_##id,
#include "shm/reasons.def"
#undef REASON
	REASON_COUNT,
};

struct reason_info {
	const char *name;
	const char *help;
	uint8_t verdict; /* enum verdict */
	uint8_t action;  /* enum wire_action */
	uint8_t row;     /* of design.md section 3 */
};

/** What a reason means; static storage. `reason` must be < REASON_COUNT. */
const struct reason_info *reason_info(enum reason reason);
/** "forward", "challenge", "refuse", "pace", "drop" or "consume". */
const char *verdict_name(enum verdict verdict);

#endif
