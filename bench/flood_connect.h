/* SPDX-License-Identifier: BSD-3-Clause
 * Connections almost without state: the client's first sequence number is a function of its address and port,
 * so whatever comes back says how far its connection has got and what to answer. Misbehaves on purpose where
 * told to. Pure, any thread.
 */
#ifndef WEIR_BENCH_FLOOD_CONNECT_H
#define WEIR_BENCH_FLOOD_CONNECT_H

#include "bench/flood_reply.h"

/** What the clients do; the answer to a request is whatever data the node sends after it. */
enum connect_behaviour {
	CONNECT_COMPLETE,    /* handshake, request, answer, FIN */
	CONNECT_SYN_ONLY,    /* never answers a SYN-ACK */
	CONNECT_SILENT,      /* handshake, then nothing */
	CONNECT_RESET,       /* handshake, then RST */
	CONNECT_NEVER_ACK,   /* request, and no acknowledgement of the answer */
	CONNECT_NEVER_CLOSE, /* request, answer acknowledged, and no FIN */
	CONNECT_HALF,        /* half a request, then nothing */
	CONNECT_MIXED,       /* each source port one of the above */
	CONNECT_BEHAVIOURS,
};

/** What a client saw. */
enum connect_event {
	CONNECT_NOTHING,
	CONNECT_SHAKEN,        /* SYN-ACK with an open window */
	CONNECT_SHAKEN_CLOSED, /* SYN-ACK with window 0: a cookie; the node is not behind it yet */
	CONNECT_OPENED,        /* the window that a cookie had left closed opens */
	CONNECT_SERVED,        /* the node's answer */
	CONNECT_ENDED,         /* FIN from the node's side */
	CONNECT_REFUSED,       /* RST */
	CONNECT_PROBED,        /* a segment from before the window, which every stack answers with an ACK */
	CONNECT_STRAY,         /* no segment of ours asked for this */
	CONNECT_EVENTS,
};

/** Segments to send. */
enum connect_segment {
	CONNECT_SEND_ACK,
	CONNECT_SEND_REQUEST,
	CONNECT_SEND_HALF,
	CONNECT_SEND_FIN,
	CONNECT_SEND_RST,
	CONNECT_SEGMENTS,
	CONNECT_SEND_NONE = CONNECT_SEGMENTS,
};

struct connect_plan {
	enum connect_behaviour behaviour;
	uint64_t seed;
	uint16_t request_bytes; /* 2..FLOOD_PAYLOAD_MAX */
};

enum { CONNECT_MEMORY_LOG2 = 16 };

/** Where the node's side begins, of the clients whose window is closed: a window that opens and a segment
 * from before the window differ in nothing else. A forgotten client takes everything for an opening; 2^16
 * places for some 1000 that wait at once forget one in a hundred. */
struct connect_memory {
	uint64_t places[1 << CONNECT_MEMORY_LOG2]; /* upper bits of the client's hash, "has asked", next
						      sequence number */
};

struct connect_answer {
	enum connect_event event;
	enum connect_segment segments[2];   /* CONNECT_SEND_NONE: none */
	uint32_t sequence, acknowledgement; /* of both segments */
	bool finished;                      /* the client waits for nothing more */
};

/** The first sequence number of a client. */
uint32_t connect_sequence(uint64_t seed, const struct address *client, uint16_t port);
/** What the client does about a segment that it got. */
void connect_answer_find(const struct connect_plan *plan, struct connect_memory *memory,
	const struct flood_reply *reply, struct connect_answer *ret_answer);

/** "complete", "syn-only", ... */
const char *connect_behaviour_name(enum connect_behaviour behaviour);
/** -EINVAL. */
int connect_behaviour_parse(const char *text, enum connect_behaviour *ret_behaviour);
/** "shaken", "shaken_closed", ... */
const char *connect_event_name(enum connect_event event);

#endif
