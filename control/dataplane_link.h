/* SPDX-License-Identifier: BSD-3-Clause
 * Control's side of what joins it to the dataplane: the link socket (doorbell, probes, flow dumps) and the
 * event rings in the dataplane's segment. Event loop only; never blocks, and works the same when there is no
 * dataplane. Must not decide policy: events and answers go to callbacks.
 */
#ifndef WEIR_CONTROL_DATAPLANE_LINK_H
#define WEIR_CONTROL_DATAPLANE_LINK_H

#include "shm/command_log.h"
#include "shm/event_ring.h"
#include "shm/link.h"
#include "shm/prefix.h"

struct dataplane_link;

struct dataplane_link_callbacks {
	void *context;
	void (*event)(void *context, const struct event_record *event);
	void (*probe_answer)(void *context, const struct link_probe_answer *answer);
	/** One flow of a dump; NULL ends it. */
	void (*flow)(void *context, const struct link_flow *flow);
	/** The socket to watch for input changed; -1: none. The old one is closed already. */
	void (*watch)(void *context, int fd);
	/** Connected, lost, hung, recovered: a sentence for the log. */
	void (*note)(void *context, bool good, const char *text);
	/** A flow dump was asked for now; one that has not ended is over. May be NULL. */
	void (*flows_asked)(void *context, uint64_t mono_ns);
};

/** `payload` is the publisher's: the consumed positions are written there. Paths are copied. -ENOMEM. */
int dataplane_link_create(const char *socket_path, const char *segment_path, struct control_payload *payload,
	const struct dataplane_link_callbacks *callbacks, struct dataplane_link **ret_link);
void dataplane_link_destroy(struct dataplane_link *link);
/** The publisher has another payload, with the same consumed positions. */
void dataplane_link_set_payload(struct dataplane_link *link, struct control_payload *payload);

/** Reconnects, checks the heartbeat, reads events (at most a bounded number). True: more events wait, call
 * again soon. */
bool dataplane_link_tick(struct dataplane_link *link, uint64_t mono_ns);
/** The watched socket is readable or hung up. */
void dataplane_link_on_input(struct dataplane_link *link, uint64_t mono_ns);
/** Tell the dataplane to look at the log. A full socket buffer needs no more bells. */
void dataplane_link_doorbell(struct dataplane_link *link);
/** Ask what would happen to an attempt now. -ENOTCONN, -EAGAIN: nobody can answer. */
int dataplane_link_probe(struct dataplane_link *link, const struct address *client, uint16_t port,
	uint8_t protocol, uint64_t cookie);

struct dataplane_status {
	bool connected, attached, hung; /* socket, segment, heartbeat older than a second */
	uint64_t instance, pid, heartbeat_age_ms;
	struct dataplane_payload payload; /* the fixed part, when attached */
	struct counters total;            /* summed over lcores */
	uint64_t lcores, events, events_lost, events_dropped, flow_dumps, deaths;
	char text[192]; /* why it is not attached */
};
/** Reads the counters: a pread per lcore. */
void dataplane_link_status(
	struct dataplane_link *link, uint64_t mono_ns, struct dataplane_status *ret_status);

#endif
