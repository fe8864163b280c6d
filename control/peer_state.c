/* SPDX-License-Identifier: BSD-3-Clause
 * Connection status and temperature (peer_state.h). Pure state machines, any thread.
 */
#include "control/peer_state.h"

#include <errno.h>

const char *peer_status_name(enum peer_status status)
{
	static const char *const names[PEER_STATUS_COUNT] = {
		[PEER_STATUS_UNKNOWN] = "unknown",
		[PEER_STATUS_DIALING] = "dialing",
		[PEER_STATUS_CONNECTED] = "connected",
		[PEER_STATUS_DISCONNECTING] = "disconnecting",
		[PEER_STATUS_DISCONNECTED] = "disconnected",
		[PEER_STATUS_BANNED] = "banned",
	};
	return (unsigned)status < PEER_STATUS_COUNT ? names[status] : "unknown";
}

static void become(struct peer_state *state, enum peer_status status, int64_t now_ms)
{
	state->status = status;
	state->since_ms = now_ms;
}

static enum peer_operation connected(struct peer_state *state, enum peer_direction direction, int64_t now_ms)
{
	uint16_t *count = direction == PEER_DIRECTION_IN ? &state->n_in : &state->n_out;
	*count += *count != UINT16_MAX;
	switch (state->status) {
	case PEER_STATUS_CONNECTED:
		return PEER_OPERATION_NONE;
	case PEER_STATUS_BANNED:
		become(state, PEER_STATUS_DISCONNECTING, now_ms);
		state->to_ban = true;
		return PEER_OPERATION_DISCONNECT;
	case PEER_STATUS_DISCONNECTING:
		if (state->to_ban)
			return PEER_OPERATION_DISCONNECT;
		break;
	default:
		break;
	}
	if (state->n_in + state->n_out == 1)
		state->direction = direction;
	become(state, PEER_STATUS_CONNECTED, now_ms);
	state->by_us = false;
	return PEER_OPERATION_NONE;
}

/** The last connection is gone. */
static enum peer_operation ended(struct peer_state *state, int64_t now_ms)
{
	bool to_ban = state->to_ban, ours = state->status == PEER_STATUS_DISCONNECTING && state->by_us;
	state->to_ban = state->by_us = false;
	if (state->status == PEER_STATUS_BANNED)
		return PEER_OPERATION_NONE;
	become(state, to_ban ? PEER_STATUS_BANNED : PEER_STATUS_DISCONNECTED, now_ms);
	if (to_ban)
		return PEER_OPERATION_BAN;
	return ours ? PEER_OPERATION_THROTTLE : PEER_OPERATION_NONE;
}

static enum peer_operation closed(struct peer_state *state, enum peer_direction direction, int64_t now_ms)
{
	uint16_t *count = direction == PEER_DIRECTION_IN ? &state->n_in : &state->n_out;
	/* A close that nobody opened: counts are never negative. */
	if (*count == 0 && state->status != PEER_STATUS_DISCONNECTING)
		return PEER_OPERATION_NONE;
	*count -= *count != 0;
	return state->n_in + state->n_out != 0 ? PEER_OPERATION_NONE : ended(state, now_ms);
}

static enum peer_operation disconnect(struct peer_state *state, int64_t now_ms)
{
	switch (state->status) {
	case PEER_STATUS_CONNECTED:
	case PEER_STATUS_DIALING:
		become(state, PEER_STATUS_DISCONNECTING, now_ms);
		state->to_ban = false;
		state->by_us = true;
		return PEER_OPERATION_DISCONNECT;
	case PEER_STATUS_DISCONNECTING:
		return PEER_OPERATION_DISCONNECTING;
	default:
		return PEER_OPERATION_NONE;
	}
}

static enum peer_operation ban(struct peer_state *state, int64_t now_ms)
{
	switch (state->status) {
	case PEER_STATUS_CONNECTED:
	case PEER_STATUS_DIALING:
		become(state, PEER_STATUS_DISCONNECTING, now_ms);
		state->to_ban = true;
		return PEER_OPERATION_DISCONNECT;
	case PEER_STATUS_DISCONNECTING:
		state->to_ban = true;
		return PEER_OPERATION_DISCONNECTING;
	case PEER_STATUS_BANNED:
		return PEER_OPERATION_NONE;
	default:
		become(state, PEER_STATUS_BANNED, now_ms);
		return PEER_OPERATION_BAN;
	}
}

static enum peer_operation unban(struct peer_state *state, int64_t now_ms)
{
	if (state->status == PEER_STATUS_BANNED) {
		become(state, PEER_STATUS_DISCONNECTED, now_ms);
		return PEER_OPERATION_UNBAN;
	}
	if (!state->to_ban)
		return PEER_OPERATION_NONE;
	/* It is being closed all the same, but no ban follows. */
	state->to_ban = false;
	return PEER_OPERATION_UNBAN;
}

enum peer_operation peer_state_change(struct peer_state *state, enum peer_occasion occasion, int64_t now_ms)
{
	switch (occasion) {
	case PEER_OCCASION_DIAL:
		/* A session that lives is not forgotten for another attempt, nor a ban. */
		if (state->status == PEER_STATUS_UNKNOWN || state->status == PEER_STATUS_DISCONNECTED)
			become(state, PEER_STATUS_DIALING, now_ms);
		return PEER_OPERATION_NONE;
	case PEER_OCCASION_DIAL_FAILED:
		if (state->n_in + state->n_out != 0)
			return PEER_OPERATION_NONE;
		return state->status == PEER_STATUS_DIALING || state->status == PEER_STATUS_DISCONNECTING
			       ? ended(state, now_ms)
			       : PEER_OPERATION_NONE;
	case PEER_OCCASION_CONNECTED_IN:
		return connected(state, PEER_DIRECTION_IN, now_ms);
	case PEER_OCCASION_CONNECTED_OUT:
		return connected(state, PEER_DIRECTION_OUT, now_ms);
	case PEER_OCCASION_CLOSED_IN:
		return closed(state, PEER_DIRECTION_IN, now_ms);
	case PEER_OCCASION_CLOSED_OUT:
		return closed(state, PEER_DIRECTION_OUT, now_ms);
	case PEER_OCCASION_DISCONNECT:
		return disconnect(state, now_ms);
	case PEER_OCCASION_BAN:
		return ban(state, now_ms);
	case PEER_OCCASION_UNBAN:
		return unban(state, now_ms);
	}
	return PEER_OPERATION_NONE;
}

bool peer_state_is_outbound_only(const struct peer_state *state)
{
	return state->status == PEER_STATUS_CONNECTED && state->n_in == 0 && state->n_out > 0;
}

const char *temperature_name(enum temperature temperature)
{
	static const char *const names[] = {[TEMPERATURE_COLD] = "cold",
		[TEMPERATURE_WARM] = "warm",
		[TEMPERATURE_HOT] = "hot",
		[TEMPERATURE_COOLING] = "cooling"};
	return (unsigned)temperature < sizeof(names) / sizeof(names[0]) ? names[temperature] : "unknown";
}

bool temperature_may(enum temperature from, enum temperature to)
{
	static const bool may[4][4] = {
		[TEMPERATURE_COLD] = {[TEMPERATURE_WARM] = true},
		[TEMPERATURE_WARM] =
			{[TEMPERATURE_HOT] = true, [TEMPERATURE_COLD] = true, [TEMPERATURE_COOLING] = true},
		[TEMPERATURE_HOT] =
			{[TEMPERATURE_WARM] = true, [TEMPERATURE_COLD] = true, [TEMPERATURE_COOLING] = true},
		[TEMPERATURE_COOLING] = {[TEMPERATURE_COLD] = true},
	};
	return may[from][to];
}

int temperature_change(
	struct temperature_state *state, enum temperature to, bool connected_still, int64_t now_ms)
{
	if (to == state->temperature)
		return 0;
	if (!temperature_may(state->temperature, to))
		return -EPERM;
	if (to == TEMPERATURE_COLD && connected_still) {
		if (state->temperature == TEMPERATURE_COOLING)
			return 0; /* it is on its way */
		to = TEMPERATURE_COOLING;
	}
	*state = (struct temperature_state){to, now_ms};
	return 0;
}

void temperature_closed(struct temperature_state *state, int64_t now_ms)
{
	if (state->temperature != TEMPERATURE_COLD)
		*state = (struct temperature_state){TEMPERATURE_COLD, now_ms};
}

int64_t temperature_cold_ms(const struct temperature_state *state)
{
	return state->temperature == TEMPERATURE_COOLING ? state->since_ms + TEMPERATURE_COOLING_MS
							 : INT64_MAX;
}

enum temperature temperature_inbound(bool node_hot, int64_t last_payload_ms, int64_t now_ms)
{
	bool paid = last_payload_ms != 0 && now_ms - last_payload_ms < TEMPERATURE_HOT_MS;
	return node_hot || paid ? TEMPERATURE_HOT : TEMPERATURE_WARM;
}
