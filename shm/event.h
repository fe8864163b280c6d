/* SPDX-License-Identifier: BSD-3-Clause
 * What an lcore tells control: one 64-byte record per event, in the lcore's ring (event_ring.h).
 * Plain data. Only proven flows produce events that may move a score (design.md rule 1).
 */
#ifndef WEIR_SHM_EVENT_H
#define WEIR_SHM_EVENT_H

#include <stdint.h>

enum event_kind {
	EVENT_NONE = 0,
	EVENT_FLOW_PROVEN = 1,  /* handshake completed; rtt_us, 0 = no sample */
	EVENT_FLOW_PAYLOAD = 2, /* first payload byte from the client of a proven flow */
	EVENT_FLOW_SILENT = 3,  /* proven, and no payload within auth_timeout; once a flow */
	EVENT_FLOW_CLOSED = 4,  /* closed_by, closed_how, bytes, duration */
	EVENT_SOURCE_OVER_RATE =
		5,             /* a proven source was refused by RATE_SOURCE; at most 1 a second per source */
	EVENT_FLOOD_ENTER = 6, /* service went under pressure; detail = attempts a second */
	EVENT_FLOOD_LEAVE = 7, /* detail = seconds spent */
	EVENT_FLOW_OUT_RESULT =
		8, /* the node dialled out: closed_how says established, refused or timed out */
	EVENT_FLOW_MALFORMED = 9, /* a malformed segment inside a proven flow */
	EVENT_FLOW_RTT = 10, /* a proxied flow's first round trip, rtt_us: its handshake had none to measure; at most once a flow */
	EVENT_KIND_COUNT,
};

enum closed_by { CLOSED_BY_NONE, CLOSED_BY_CLIENT, CLOSED_BY_NODE, CLOSED_BY_WEIR };
enum closed_how {
	CLOSED_HOW_NONE,
	CLOSED_HOW_FIN,
	CLOSED_HOW_RST,
	CLOSED_HOW_TIMEOUT,
	CLOSED_HOW_BACKEND_REFUSED, /* the node answered the SYN with RST */
	CLOSED_HOW_ESTABLISHED,
	/* The SYN proxy dialled the node, and the flow ended before it answered, whoever ended it. After this one and
	 * BACKEND_REFUSED of a proven flow there was no EVENT_FLOW_PROVEN. */
	CLOSED_HOW_BACKEND_SILENT,
	CLOSED_HOW_IDLE,           /* cut: no payload for payload_idle_timeout */
	CLOSED_HOW_STRAGGLER,      /* cut: the client acknowledged nothing for straggler_timeout */
};

enum event_flag {
	EVENT_FLAG_PROVEN = 1,
	EVENT_FLAG_OUTBOUND = 2, /* the node opened the flow */
	EVENT_FLAG_EVIDENCE = 4, /* may be used for punishment (design.md section 5) */
};

struct event_record {
	uint64_t sequence; /* 1, 2, 3, ... per ring */
	uint64_t time_ns;  /* CLOCK_MONOTONIC */
	uint8_t client[16];
	uint16_t client_port; /* host order */
	uint8_t kind;
	uint8_t flags;
	uint8_t service; /* index in the image; 255 = none */
	uint8_t protocol;
	uint8_t closed_by;
	uint8_t closed_how;
	uint32_t rtt_us;
	uint32_t duration_ms; /* of a TCP flow since its proof, of others since their first packet */
	uint32_t bytes_in;  /* from the client, saturating */
	uint32_t bytes_out; /* to the client, saturating */
	uint32_t detail;
	uint32_t checksum; /* crc32c of the record with this field zero */
};
_Static_assert(sizeof(struct event_record) == 64, "one cache line per event");

#endif
