/* SPDX-License-Identifier: BSD-3-Clause
 * Event rings and the dataplane's segment. Each lcore writes its own ring and never waits: a full ring drops
 * the event and counts it. Control reads by pread and writes how far it got into its own segment.
 */
#ifndef WEIR_SHM_EVENT_RING_H
#define WEIR_SHM_EVENT_RING_H

#include "shm/counters.h"
#include "shm/event.h"
#include "shm/segment.h"

enum { DATAPLANE_LCORES_MAX = 64, EVENT_RING_RECORDS = 1 << 14 };

struct event_ring {
	_Alignas(64) _Atomic uint64_t head_sequence; /* last event written; release after the record */
	_Atomic uint64_t dropped;                    /* events that found the ring full */
	_Alignas(64) struct event_record
		records[EVENT_RING_RECORDS]; /* event s at (s - 1) % EVENT_RING_RECORDS */
};

enum dataplane_state {
	DATAPLANE_STATE_STARTING,
	DATAPLANE_STATE_WAITING,
	DATAPLANE_STATE_GOVERNING,
	DATAPLANE_STATE_OPEN,
	DATAPLANE_STATE_CLOSED,
	DATAPLANE_STATE_STOPPED
};

struct dataplane_lcore {
	struct counters counters;
	struct event_ring events;
};

struct dataplane_payload {
	_Atomic uint64_t control_instance;  /* whose log the next two belong to */
	_Atomic uint64_t applied_sequence;  /* last command in force on every lcore */
	_Atomic uint64_t loaded_generation; /* image in force */
	_Atomic uint64_t state;             /* enum dataplane_state */
	_Atomic uint64_t started_mono_ns;
	_Atomic uint64_t first_governed_mono_ns; /* first packet decided under an image; 0 = none */
	_Atomic uint64_t bans_v4, bans_v6, bans_exact, list_labels; /* entries in force */
	_Atomic uint64_t image_rejected;                            /* images refused since start */
	_Atomic uint64_t last_image_error;                          /* enum image_error */
	uint64_t n_lcores;
	_Atomic uint64_t offload_bans, offload_installed, offload_refused; /* in devices now; put there, refused since start */
	/* Of all ports since start, by the devices' own count: frames that no lcore saw, because none came in time, no buffer was free,
	 * or the device refused them */
	_Atomic uint64_t rx_missed;
	uint64_t reserved[15];
	struct dataplane_lcore lcores[]; /* n_lcores (segment parameter 0) */
};

uint32_t dataplane_payload_layout_hash(void);
size_t dataplane_payload_bytes(unsigned n_lcores);

/** Owner lcore only. `consumed_sequence` is the reader's position as last fetched by the table thread; a
 * value ahead of the head or far behind is treated as "nothing read". Returns 0, or -ENOBUFS after counting
 * the drop. */
int event_ring_push(struct event_ring *ring, uint64_t consumed_sequence, const struct event_record *event);

/** Control: copy up to `max` events of lcore `lcore` after *cursor. Returns the number copied, or -errno.
 * Events that were overwritten or damaged are skipped and added to *ret_lost. 0 with a moved cursor: all of
 * them were. A cursor ahead of the head, such as UINT64_MAX, goes on from the head and adds one lost event:
 * so a new control starts without judging again what its predecessor has judged. */
int event_ring_read(const struct segment_reader *reader, unsigned lcore, uint64_t *cursor,
	struct event_record *events, unsigned max, uint64_t *ret_lost);
/** Control: copy of the fixed part of the payload, or of one lcore's counters. 0 or -errno. */
int dataplane_payload_read(const struct segment_reader *reader, struct dataplane_payload *ret_fixed_part);
int dataplane_counters_read(
	const struct segment_reader *reader, unsigned lcore, struct counters *ret_counters);

#endif
