/* SPDX-License-Identifier: BSD-3-Clause
 * The stage: everything that one lcore needs to decide, and its housekeeping. The I/O part owns one per
 * lcore; weir-replay and the benchmarks own one each. Thread: the owning lcore only, except the tables that
 * stages share (pressure, proven, concurrency), which are lock-free. No clock, no allocation after creation,
 * no system call: what must leave goes through the two callbacks.
 */
#ifndef WEIR_DATAPLANE_STAGE_H
#define WEIR_DATAPLANE_STAGE_H

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include "dataplane/concurrency_table.h"
#include "dataplane/connection_table.h"
#include "dataplane/cookie_burst.h"
#include "dataplane/flow_table.h"
#include "dataplane/fragment_table.h"
#include "dataplane/heavy_bans.h"
#include "dataplane/packet.h"
#include "dataplane/pressure_table.h"
#include "dataplane/proven_table.h"
#include "dataplane/reply.h"
#include "dataplane/reply_cap.h"
#include "dataplane/ruleset.h"
#include "dataplane/translate.h"
#include "shm/counters.h"
#include "shm/event.h"

enum side { SIDE_OUTSIDE, SIDE_INSIDE };
enum { STAGE_BURST_MAX = 64, STAGE_HOPS = 256, UNPROVEN_HALF_LIFE_MS = 10000, PROVEN_HALF_LIFE_MS = 60000,
	/* "Lately" for a network's clients: long beside a reconnection, short beside an address's lease. */
	CLIENTS_HALF_LIFE_MS = 300000 };

/* 10,000 bans a second are 90 between two packets of a flow, at 7 million packets a second and 64 k flows: then one flow of
 * 90 looks again for nothing. 16 KiB, half of a first-level cache. */
enum { STAGE_BAN_PARTITION_BITS = 13, STAGE_BAN_PARTITIONS = 1 << STAGE_BAN_PARTITION_BITS };

/** Tables that all lcores share. Created once at start. */
struct stage_shared {
	struct pressure_table *unproven; /* attempts of unproven sources, half-life UNPROVEN_HALF_LIFE_MS */
	struct pressure_table *proven_opens; /* proven connections opened, half-life PROVEN_HALF_LIFE_MS */
	struct pressure_table *clients; /* proven distinct IPv4 clients by prefix, half-life CLIENTS_HALF_LIFE_MS */
	struct proven_table *proven; /* by full address and fingerprint: may skip the challenge; budget
					spendable by spoofers */
	struct proven_table *opened; /* by host identity: exact budget of connections really opened; only
					proofs charge it */
	struct concurrency_table *concurrency;
	struct connection_table *connections; /* ids of nodes that proven QUIC clients showed */
	/* Two copies, of which lcores read the one that cookie_copy names: see stage_shared_set_cookie_key. */
	struct cookie_secrets cookie_copies[2];
	_Atomic uint32_t cookie_copy;
	/* The cookies' clock is now_ns + this: 0, or the wall clock's distance where governors share a secret. */
	_Atomic uint64_t cookie_clock_add_ns;
	struct hash_key table_key;
	_Atomic uint8_t quic_id_bytes[IMAGE_SERVICES_MAX]; /* length of the node's connection ids, as last seen; 0: never */
	/* Moved by the table thread after each change of lists, of prefixes, or of whole tables. */
	_Atomic uint32_t ban_epoch;
	/* The same for hosts' bans, by stage_ban_partition: flows look again where one of these bans may be theirs. */
	_Atomic uint16_t ban_epochs[STAGE_BAN_PARTITIONS];
};

/** Of an IPv4 address, or of an IPv6 address's /64. Unkeyed: who makes Weir ban many of one partition slows down only flows of
 * his neighbours there, to what every flow would cost without partitions. */
static inline unsigned stage_ban_partition(const uint8_t client[16])
{
	uint64_t site, host;

	memcpy(&site, client, sizeof(site));
	memcpy(&host, client + 8, sizeof(host));
	/* A mapped IPv4 address begins with zeros. Fibonacci hashing: the top bits depend on all others. */
	host = site == 0 ? host : site;
	return (unsigned)((be64toh(host) * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - STAGE_BAN_PARTITION_BITS));
}

/** Moves whenever something may have changed about bans of this client. Read it before the tables: what is found there
 * afterwards is at least as new. Any thread. */
static inline uint16_t stage_ban_epoch(const struct stage_shared *shared, const uint8_t client[16])
{
	/* Acquire: pairs with the table thread's release after it changed the tables. A sum of numbers that only grow. */
	return (uint16_t)(atomic_load_explicit(&shared->ban_epoch, memory_order_acquire) +
			  atomic_load_explicit(&shared->ban_epochs[stage_ban_partition(client)], memory_order_acquire));
}

/** A ban of this prefix has been set or cleared in the tables: what could be its flows look again. Table thread only. */
void stage_shared_ban_moved(struct stage_shared *shared, const struct prefix *prefix);
/** Anything may have changed: all flows look again. Table thread only. */
void stage_shared_all_moved(struct stage_shared *shared);

struct stage_shared_sizes {
	uint64_t pressure_keys, proven_sources, concurrency_prefixes;
	uint64_t connection_ids; /* 0: one for every fourth flow that concurrency_prefixes has room for */
};
/** keys come from the caller's randomness. -ENOMEM. */
int stage_shared_create(const struct stage_shared_sizes *sizes, const struct hash_key keys[3],
	const struct table_memory *memory, struct stage_shared **ret_shared);
/** The key of `epoch` (cookie_epoch_of), in place of that of epoch - 2. Call it in the middle of epoch - 1: later than one slot after its
 * begin, or cookies of epoch - 2 that are still accepted would be lost. Thread: the table thread only. A grace period must have passed
 * since the last call: the copy that is overwritten is the one that lcores left then. */
void stage_shared_set_cookie_key(struct stage_shared *shared, uint64_t epoch, const struct hash_key *key);
void stage_shared_destroy(struct stage_shared *shared, const struct table_memory *memory);

/** What the stage hands out. Both may be called inside stage_decide_burst and stage_step; neither may call
 * back. */
struct stage_output {
	void *context;
	/** A bare TCP segment that answers no frame: RSTs of cut flows. `hop` may be NULL: layer 2 is not
	 * known, the segment is lost and counted. */
	void (*send_segment)(
		void *context, enum side side, const struct next_hop *hop, const struct reply_tcp *segment);
	/** Fill sequence and checksum, push to the ring. */
	void (*event)(void *context, const struct event_record *event);
};

/** Hysteresis of one service, per lcore. */
struct service_pressure {
	uint64_t window_start_ns;
	uint64_t entered_ns, hold_until_ns;
	uint64_t counted_ns; /* time under pressure is in the counters up to here */
	uint32_t attempts_in_window, rate_per_s;
	uint32_t half_open;
	bool under_pressure;
};

/** Flood mode of one lcore: unproven attempts of all services. */
struct flood {
	uint64_t window_start_ns;
	uint64_t entered_ns, hold_until_ns, counted_ns;
	uint32_t attempts_in_window;
	bool on;
};

/** What the SYN proxy may promise in the name of one service, from what the node was seen to offer. */
struct proxy_offer {
	uint64_t slot;         /* cookie slot that scales[0] belongs to */
	uint16_t port;         /* of the service that it was learnt from; another one: nothing is known */
	uint16_t mss;          /* the smallest that the node promised in the last slot in which it promised any before `slot`;
				  0 = nothing is known yet */
	uint16_t mss_now;      /* the smallest in `slot`; 0 = none */
	uint8_t scales[2];     /* promised in `slot` and in the one before it; COOKIE_SCALE_NONE: none */
	uint8_t scale_seen;    /* the node's last: promised from the next slot on, so that a cookie's slot says what was promised;
				  PROXY_SCALE_UNKNOWN: the node was never asked */
	uint8_t sack;          /* enum proxy_knowledge */
};
enum { PROXY_SCALE_UNKNOWN = 16 };
enum proxy_knowledge { PROXY_UNKNOWN, PROXY_YES, PROXY_NO };

/** Limits on flows that do nothing: stage_activity.c. */
struct stage_activity {
	bool watched;     /* a limit is configured: struct flow_activity is kept, */
	uint32_t since; /* since then, in units of struct flow_activity */
	uint64_t cut_tat_ns;
};

/** A stranger's datagram that was let through without state, so that its answer is known as one. */
struct stateless {
	uint64_t flow_hash;
	uint32_t at_ms;
	uint32_t payload_bytes; /* 0: a free place */
};
/* By flow_hash, 16 kB an lcore: at 1,000 of them a second a place lasts a second, and nodes answer within milliseconds. */
enum { STAGE_STATELESS = 1024 };

/** A received frame before it is parsed. */
struct shed_frame {
	const uint8_t *data;
	uint32_t bytes; /* in one piece at data */
};

/** Does it pay to look for banned sources first? stage_shed.c. */
struct shed {
	uint64_t banned; /* the counter of REASON_BANNED when the window began */
	uint32_t seen;   /* packets from outside since then */
	bool on;
};

struct stage {
	struct stateless stateless[STAGE_STATELESS];
	struct stage_shared *shared;
	struct flow_table *flows;
	struct fragment_table *fragments;
	struct reply_cap *reply_cap;
	struct counters *counters;
	struct stage_output output;
	uint64_t started_ns;
	uint64_t random_state; /* xorshift; seeded by the caller */
	struct service_pressure services[IMAGE_SERVICES_MAX];
	struct flood flood;
	struct proxy_offer offers[IMAGE_SERVICES_MAX][2]; /* [1]: IPv6 */
	uint64_t paced_tat_ns[IMAGE_SERVICES_MAX];
	uint64_t icmp_error_tat_ns[2]; /* quoting unproven and proven flows: pings and errors that a spoofer
					  can make fit must not starve path MTU discovery */
	uint64_t other_tat_ns[2];      /* of strangers and of allowed sources */
	uint64_t replies_tat_ns, icmp_tat_ns, fragments_tat_ns, adopt_tat_ns, pace_next_ns;
	uint64_t infrastructure_tat_ns[2][INFRASTRUCTURE_COUNT]; /* by side: a flood outside cannot starve the
								    node's own ARP */
	struct next_hop hops[2][STAGE_HOPS]; /* by side; 0 = unknown; inside: node index + 1 */
	uint8_t last_hop[2];
	uint64_t bad_window_ns; /* wrong answers to challenges, in this second and in the one before */
	uint32_t bad_now, bad_last;
	uint32_t walk_cursor;
	uint64_t walk_last_ns;
	uint64_t over_rate_last_ns[256]; /* by hash of the source: limits EVENT_SOURCE_OVER_RATE */
	uint32_t flow_changes; /* counts inserts and removals: pointers found earlier in a burst are stale
				  when it moved */
	struct stage_activity activity;
	struct cookie_burst cookies; /* of the burst that is being decided */
	struct heavy_bans *heavy; /* the caller's; NULL: nobody wants to know who of the banned sends most */
	struct shed shed;
	uint32_t lcores;       /* how many share the service limits: budgets per service are divided by it */
};

struct stage_sizes {
	uint32_t fragments;
};
/** `flows` is the caller's (it may be in a surviving segment). -ENOMEM. */
int stage_create(struct stage_shared *shared, struct flow_table *flows, struct counters *counters,
	const struct stage_output *output, const struct stage_sizes *sizes, const struct table_memory *memory,
	uint64_t seed, uint64_t now_ns, struct stage **ret_stage);
void stage_destroy(struct stage *stage, const struct table_memory *memory);

/** One received frame. The caller parses first: `malformed` is packet_parse's result (REASON_COUNT: well
 * formed). */
struct arrival {
	const uint8_t *frame;
	uint32_t frame_bytes; /* in one piece at `frame`; at least up to the payload offset for well-formed
				 packets */
	struct packet packet;
	enum reason malformed;
	enum side side;
};

enum rewrite {
	REWRITE_NONE,
	REWRITE_TRANSLATE, /* translate_segment */
	REWRITE_QUOTED,    /* translate_quoted */
	REWRITE_SEGMENT,   /* reply_in_place: the SYN proxy's own words, on in the frame's direction */
};

/** What to do with a frame. In monitor mode `verdict` is what is done (FORWARD) and `reason` what would have
 * been. */
struct decision {
	uint16_t reason; /* enum reason */
	uint8_t verdict; /* enum verdict: what the caller does */
	uint8_t action;  /* enum wire_action: the caller builds it with reply.h in place of the frame */
	uint8_t rewrite; /* enum rewrite: what is changed before the frame is forwarded */
	struct reply_segment segment; /* WIRE_ACTION_COOKIE: the SYN-ACK; REWRITE_SEGMENT: what takes the frame's place */
	struct translation translation; /* REWRITE_TRANSLATE, REWRITE_QUOTED */
};

/** Decide a burst, n <= STAGE_BURST_MAX, in phases over the whole burst. Thread: owning lcore, RCU online,
 * `rules` fetched in this section. Counts every reason and updates flows. */
void stage_decide_burst(struct stage *stage, const struct ruleset *rules, struct arrival *const arrivals[],
	unsigned n, uint64_t now_ns, struct decision decisions[]);
/** n frames have come from outside, however they will be decided: are so many of the last ones banned that it pays to show them to
 * stage_shed first? Once a burst. Thread: as above. */
bool stage_shed_pays(struct stage *stage, unsigned n);
/** Frames from outside, before they are parsed, n <= STAGE_BURST_MAX: a bit for each that must be dropped now, because it is an attempt
 * of a banned source. It is counted as such, once and for all; the others take the usual way. Finds nothing in monitor mode, and
 * nothing in what is not plain (tags, options, extension headers, fragments, QUIC). Differs from
 * stage_decide_burst in this alone: a frame that is malformed beyond its addresses (a checksum, a port, flags, a length) is
 * counted as banned; a flow of the source that is still open is cut by its other packets or by stage_step and not by this one; and
 * what belongs to a flow that the node opened from a port without a service is banned and not FLOW_CUT. Thread: as above. */
uint64_t stage_shed(struct stage *stage, const struct ruleset *rules, const struct shed_frame frames[], unsigned n, uint64_t now_ns);
/** Housekeeping, bounded: looks at so many flows that the whole table is seen every 500 ms (at most
 * `budget_flows` a call): timeouts, silent flows, bans that moved. Call once a poll. */
void stage_step(struct stage *stage, const struct ruleset *rules, uint64_t now_ns, uint32_t budget_flows);
/** Cut flows of this client (port 0: all): walks at most the whole table once; table commands
 * COMMAND_FLOW_CUT. */
void stage_cut(struct stage *stage, const struct ruleset *rules, const struct address *client,
	uint16_t client_port, uint64_t now_ns);
/** After flow_table_adopt_all: count gauges and concurrency again. */
void stage_recount(struct stage *stage, const struct ruleset *rules);
/** What would an attempt of this source meet now? Changes nothing; any thread that holds `rules`. Service
 * pressure is that of `stage` (may be NULL). */
enum reason stage_probe(const struct stage_shared *shared, const struct stage *stage_or_null,
	const struct ruleset *rules, const struct address *client, uint8_t service, uint64_t now_ns);

#endif
