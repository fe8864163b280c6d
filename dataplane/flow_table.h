/* SPDX-License-Identifier: BSD-3-Clause
 * Flows of one lcore: 64 bytes each in a segment that survives the process, a private index of at most 11
 * bytes a flow and 4 private bytes of activity. Thread: the owning lcore only (the table thread may read entries for a dump and accepts that
 * they move). Fixed size. A full bucket evicts the oldest unproven flow among its candidates in O(1); a
 * proven flow is never evicted by an unproven one.
 */
#ifndef WEIR_DATAPLANE_FLOW_TABLE_H
#define WEIR_DATAPLANE_FLOW_TABLE_H

#include "dataplane/ban_table.h"
#include "shm/prefix.h"

enum flow_state {
	FLOW_STATE_FREE = 0,
	FLOW_STATE_SYN_SENT,    /* client's SYN forwarded */
	FLOW_STATE_SYN_ACKED,   /* the node answered SYN-ACK */
	FLOW_STATE_ESTABLISHED, /* client acknowledged it: proven */
	FLOW_STATE_FIN_CLIENT,  /* client's FIN acknowledged by the node */
	FLOW_STATE_FIN_NODE,    /* node's FIN acknowledged by the client */
	FLOW_STATE_CLOSED,      /* both FINs, or an exact RST: lingers closing_timeout */
	FLOW_STATE_CUT, /* cut by us: each later segment is answered by a RST at its acknowledgement */
	FLOW_STATE_OUT_SYN_SENT, /* node's SYN forwarded outwards */
	FLOW_STATE_ADOPTED,      /* seen in the middle; unproven until the node answers in sequence */
	FLOW_STATE_UDP_NEW,      /* client sent, node has not answered */
	FLOW_STATE_UDP_TWO_WAY,  /* the node answered; not a proof */
	FLOW_STATE_PROXY_DIAL,   /* the client sent a valid cookie, the node is being dialled in its name */
	FLOW_STATE_COUNT,
};

enum flow_flag {
	FLOW_FLAG_PROVEN = 1,
	FLOW_FLAG_OUTBOUND = 2,       /* the node opened it */
	FLOW_FLAG_SYN_ACK_RESENT = 4, /* no RTT sample (Karn) */
	FLOW_FLAG_PAYLOAD = 8,        /* the client has sent payload */
	FLOW_FLAG_SILENT_SENT = 16,   /* EVENT_FLOW_SILENT was sent */
	FLOW_FLAG_COUNTED = 32,       /* in the concurrency table */
	FLOW_FLAG_ALLOWED = 64,       /* allowlisted: bans do not cut it */
	FLOW_FLAG_FIN_CLIENT_SEEN = 128,
	FLOW_FLAG_FIN_NODE_SEEN = 256,
	FLOW_FLAG_TRANSLATED = 512,   /* opened by the SYN proxy: the node's sequence numbers are translated */
	FLOW_FLAG_DOUBTED = 1024,     /* proven by a cookie while many wrong ones came: no punitive evidence */
	FLOW_FLAG_SACK_BLANKED = 2048, /* the node was not told that the client has SACK: its blocks are blanked */
};

struct flow_key {
	struct address client;
	uint16_t client_port, node_port; /* host order */
	uint8_t node;                    /* index of the node's address in the image */
	uint8_t protocol;                /* 6 or 17 */
};

/** 64 bytes, no pointers: it outlives the process. Times are low 32 bits of CLOCK_MONOTONIC ms; differences
 * wrap after 49 days. */
struct flow {
	uint8_t client[16];
	uint16_t client_port, node_port;
	uint16_t node : 5, protocol : 5;
	uint16_t client_shift : 4;  /* TRANSLATED: windows from the client are multiplied by 2^this */
	uint16_t shift_is_down : 1; /* TRANSLATED: windows to the client are divided, else multiplied, by 2^window_shift */
	uint16_t rtt_pending : 1;   /* TRANSLATED: the client has not spoken since its window opened; node_acked holds when */
	uint8_t service;      /* index in the image; 255 = none */
	uint8_t state;        /* enum flow_state; written last when a flow is born */
	uint16_t flags : 12;  /* enum flow_flag */
	uint16_t window_shift : 4;
	uint16_t ban_epoch;   /* of the tables when last looked up */
	/* Highest sequence number after the client's data forwarded to the node. QUIC: with node_next the first 8 bytes of a
	 * connection id, see stage_quic.c. */
	uint32_t client_next;
	uint32_t node_next;
	uint32_t client_acked; /* last acknowledgement number the node sent: what it expects next */
	/* Last acknowledgement number the client sent. Half-open: the SYN's fingerprint in the low 8 bits, above it the bytes
	 * that the node sent before the handshake was complete. Adopted: see stage_tcp.c. Dialled: see stage_proxy.c. */
	uint32_t node_acked;
	uint32_t handshake_us; /* half-open: low bits of the SYN-ACK's time; then the RTT sample, 0 = none;
				  PROXY_DIAL: the cookie; TRANSLATED: the cookie less the node's initial sequence number */
	uint32_t last_ms, born_ms;
	uint64_t bytes_in_256 : 24;  /* from the client, in units of 256 bytes, rounded at random, saturating
					at 4 GiB */
	uint64_t bytes_out_256 : 24; /* to the client */
	uint64_t outside_hop : 8; /* index into the lcore's next hops; 0 = unknown. Inside it follows from the
				     node's address */
	uint64_t tally : 8; /* before the node answered: UDP packets or resent SYNs; proven: levels without
			       room in the concurrency table */
};
_Static_assert(sizeof(struct flow) == 64, "one cache line a flow");

/** When a flow last did something, for the limits of stage_activity.c: CLOCK_MONOTONIC in units of 2 s, low 16 bits, so
 * that a limit of a day and as long a queue of cuts behind it stay below the wrap at 36 h.
 * Private to the process; zero until stage_activity.c writes it. While the place is free the same bytes hold the list
 * of free places. */
struct flow_activity {
	uint16_t payload_at;  /* new payload, either direction */
	uint16_t progress_at; /* the client acknowledged something, or the node sent when nothing was unacknowledged */
};

struct flow_table;

/** `storage`: capacity flows in the surviving segment, aligned to 64. Entries in it that are not FREE are
 * taken over: indexed again (call flow_table_adopt_all). capacity 2^6..2^26. The index comes from `memory`.
 */
int flow_table_create(struct flow *storage, uint32_t capacity, const struct hash_key *key,
	const struct table_memory *memory, struct flow_table **ret_table);
void flow_table_destroy(struct flow_table *table);
/** Index every live entry of the storage; free those that `keep` refuses (NULL keeps all). Returns how many
 * were kept. */
uint32_t flow_table_adopt_all(
	struct flow_table *table, bool (*keep)(void *context, const struct flow *flow), void *context);

struct flow_key flow_key_of(const struct flow *flow);
/** Phase 1 for a burst: hash and prefetch. */
uint64_t flow_table_prefetch(const struct flow_table *table, const struct flow_key *key);
/** Between the phases, once the index lines have come: prefetch the flows that may be this one. False: there is none. Optional. */
bool flow_table_prefetch_flow(const struct flow_table *table, uint64_t hash);
/** The same for a flow that will be inserted: where the table is full, the place of the flow that it would displace. */
void flow_table_prefetch_newcomer(const struct flow_table *table, uint64_t hash);
/** Phase 2: the flow, or NULL. Valid until the owner's next insert or remove. */
struct flow *flow_table_lookup(struct flow_table *table, const struct flow_key *key, uint64_t hash);
/** A new flow, key, born_ms and last_ms filled, all else zero; state stays FREE until the caller sets it.
 * `proven`: may evict unproven ones only, in any case. ret_evicted: copy of the flow that had to go (if none,
 * its state is FREE and nothing else is written). NULL: no room. */
struct flow *flow_table_insert(struct flow_table *table, const struct flow_key *key, uint64_t hash,
	uint32_t now_ms, bool proven, struct flow *ret_evicted);
void flow_table_remove(struct flow_table *table, struct flow *flow);
uint32_t flow_table_count(const struct flow_table *table);
uint32_t flow_table_capacity(const struct flow_table *table);
/** Of a live flow of this table. */
struct flow_activity *flow_table_activity(struct flow_table *table, const struct flow *flow);
/** Walk: the next up to `budget` places of the storage after *cursor (wraps); calls visit for live flows.
 * visit may remove the flow it is given. Returns places looked at. */
uint32_t flow_table_walk(struct flow_table *table, uint32_t *cursor, uint32_t budget,
	void (*visit)(void *context, struct flow *flow), void *context);

#endif
