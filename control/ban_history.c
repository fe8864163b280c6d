/* SPDX-License-Identifier: BSD-3-Clause
 * The ring of bans that ended (ban_history.h). The governor's thread. Must not read clocks.
 */
#include "control/ban_history.h"

#include <stdlib.h>

void ban_history_add(struct ban_history *history, const struct ban *ban, const char *why, int64_t now_ms)
{
	if (history->places == NULL)
		history->places = calloc(BAN_HISTORY_PLACES, sizeof(history->places[0]));
	if (history->places == NULL)
		return;
	history->n++;
	history->places[(history->n - 1) % BAN_HISTORY_PLACES] =
		(struct ban_ended){.number = history->n, .ban = *ban, .ended_ms = now_ms, .why = why};
}

const struct ban_ended *ban_history_find(const struct ban_history *history, uint64_t number)
{
	if (number == 0 || number > history->n || history->n - number >= BAN_HISTORY_PLACES)
		return NULL;
	return &history->places[(number - 1) % BAN_HISTORY_PLACES];
}

void ban_history_fini(struct ban_history *history)
{
	free(history->places);
	*history = (struct ban_history){0};
}
