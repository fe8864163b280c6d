/* SPDX-License-Identifier: BSD-3-Clause
 * The states of a peer (policy.md LH-9, LH-10, DU-1, DU-22): connection status with what a ban does to it,
 * and temperature. Pure state machines, any thread; they say what has to happen and do nothing themselves.
 */
#ifndef WEIR_CONTROL_PEER_STATE_H
#define WEIR_CONTROL_PEER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/target_plan.h"

enum peer_status {
	PEER_STATUS_UNKNOWN,
	PEER_STATUS_DIALING,
	PEER_STATUS_CONNECTED,
	PEER_STATUS_DISCONNECTING,
	PEER_STATUS_DISCONNECTED,
	PEER_STATUS_BANNED,
	PEER_STATUS_COUNT,
};
const char *peer_status_name(enum peer_status status);

enum peer_direction { PEER_DIRECTION_NONE, PEER_DIRECTION_IN, PEER_DIRECTION_OUT };

struct peer_state {
	enum peer_status status;
	bool to_ban;                   /* DISCONNECTING: banned when it is done */
	bool by_us;                    /* DISCONNECTING: Weir began it, so reconnecting may be throttled */
	enum peer_direction direction; /* of the first connection of this session */
	uint16_t n_in, n_out;
	int64_t since_ms; /* CONNECTED: of the first connection; else of the status */
};

enum peer_occasion {
	PEER_OCCASION_DIAL, /* the node dials it */
	PEER_OCCASION_DIAL_FAILED,
	PEER_OCCASION_CONNECTED_IN,
	PEER_OCCASION_CONNECTED_OUT,
	PEER_OCCASION_DISCONNECT, /* Weir begins to close all its connections */
	PEER_OCCASION_CLOSED_IN,  /* one of its connections is gone, whoever closed it */
	PEER_OCCASION_CLOSED_OUT,
	PEER_OCCASION_BAN,
	PEER_OCCASION_UNBAN,
};

/** What has to happen now; LH-10's names. */
enum peer_operation {
	PEER_OPERATION_NONE,
	PEER_OPERATION_DISCONNECT,    /* close its connections (DisconnectThePeer) */
	PEER_OPERATION_DISCONNECTING, /* it is being closed already (PeerDisconnecting) */
	PEER_OPERATION_BAN,           /* enforce the ban now (ReadyToBan) */
	PEER_OPERATION_THROTTLE,      /* we closed it: T1, if the pool is full (TemporaryBan) */
	PEER_OPERATION_UNBAN,
};
/** Closing is reported once for each connection; the last one ends the session. A banned peer that connects
 * is closed again, and stays banned. */
enum peer_operation peer_state_change(struct peer_state *state, enum peer_occasion occasion, int64_t now_ms);
/** LH-9: connected, and only because we dialled. Counts for the outbound target. */
bool peer_state_is_outbound_only(const struct peer_state *state);

/* Temperature */

/* DU-1: a connection that does not end is given up after this time. */
#define TEMPERATURE_COOLING_MS INT64_C(600000)
/* 5.5.15: a payload within this time makes an inbound peer hot. */
#define TEMPERATURE_HOT_MS INT64_C(60000)
const char *temperature_name(enum temperature temperature);
/** DU-1: is there a way from one to the other in one step? */
bool temperature_may(enum temperature from, enum temperature to);

struct temperature_state {
	enum temperature temperature;
	int64_t since_ms;
};
/** 0, or -EPERM: no such step (DU-1). To COLD with a connection still open leads to COOLING first. */
int temperature_change(struct temperature_state *state, enum temperature to, bool connected, int64_t now_ms);
/** The connection has ended: whatever it was, it is cold. */
void temperature_closed(struct temperature_state *state, int64_t now_ms);
/** When a cooling peer is cold at the latest; INT64_MAX: not cooling. */
int64_t temperature_cold_ms(const struct temperature_state *state);
/** 5.5.15: of an inbound peer that is connected: hot by the node's word (until `node_hot` is taken back), or
 * by its payload. */
enum temperature temperature_inbound(bool node_hot, int64_t last_payload_ms, int64_t now_ms);

#endif
