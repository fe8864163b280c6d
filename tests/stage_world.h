/* SPDX-License-Identifier: BSD-3-Clause
 * A whole stage for tests: image, tables, flows and a clock that the test sets. Frames go in as bytes through
 * the real parser; events and originated segments are kept for inspection. One thread. Used by the stage's
 * tests and by the thread-free benchmarks.
 */
#ifndef WEIR_TESTS_STAGE_WORLD_H
#define WEIR_TESTS_STAGE_WORLD_H

#include "dataplane/stage.h"
#include "shm/image_builder.h"
#include "tests/frame.h"

enum { WORLD_EVENTS_MAX = 4096, WORLD_SEGMENTS_MAX = 64, WORLD_FLOWS = 4096 };

/* The node has 198.51.100.1 and 2001:db8:1::1. Services in order: */
enum {
	WORLD_SERVICE_TCP /* 30303, challenge auto */,
	WORLD_SERVICE_UDP /* 30303 */,
	WORLD_SERVICE_ALWAYS /* tcp 30304, always */,
	WORLD_SERVICE_PLAIN /* tcp 30305, off */
};

struct world {
	struct image_policy policy; /* change before world_start */
	struct image_service services[4];
	struct image_builder *builder; /* add bans and lists before world_start or world_reload */
	struct ruleset *rules;
	struct stage_shared *shared;
	struct stage *stage;
	struct flow_table *flows;
	struct flow *storage;
	struct counters counters;
	uint64_t now_ns;
	struct event_record events[WORLD_EVENTS_MAX];
	unsigned n_events;
	struct reply_tcp segments[WORLD_SEGMENTS_MAX];
	enum side segment_sides[WORLD_SEGMENTS_MAX];
	bool segment_hops[WORLD_SEGMENTS_MAX];
	unsigned n_segments;
	struct decision decision; /* of the last frame */
	struct frame frame;       /* the last frame */
	struct packet packet;
	uint64_t generation;
};

/** Defaults of a small test policy; nothing is started. */
struct world *world_create(void);
void world_start(struct world *world);
/** Build a new image from the builder and swap it in, as the table thread would. */
void world_reload(struct world *world);
void world_destroy(struct world *world);
void world_ban(struct world *world, const char *prefix, enum source_class class, uint32_t end_s);
void world_list(struct world *world, enum image_list_kind kind, const char *prefix);
/** A command as the table thread applies it: host bans into the tables, others into the lists; moves the
 * epoch. */
void world_command(struct world *world, enum command_kind kind, const char *prefix, uint32_t meta);

/** Send one frame at `at_ms`; runs the stage's housekeeping up to then first. */
enum reason world_send(struct world *world, uint64_t at_ms, enum side side, const struct frame_spec *spec);
/** A burst at once; reasons out. n <= STAGE_BURST_MAX. */
void world_send_burst(struct world *world, uint64_t at_ms, enum side side, const struct frame_spec specs[],
	unsigned n, enum reason reasons[]);
/** Let time pass. */
void world_pass(struct world *world, uint64_t to_ms);
uint64_t world_counter(const struct world *world, enum counter counter);
uint64_t world_reason(const struct world *world, enum reason reason);
unsigned world_events_of(const struct world *world, enum event_kind kind);
/** Complete a handshake from `source`:`port` at `at_ms`; returns the reason of the SYN, or of the first step
 * that was not forwarded. */
enum reason world_connect(struct world *world, uint64_t at_ms, const char *source, uint16_t port);

/** A SYN to `to_port` of the node's address of the same family; change fields as needed. */
struct frame_spec world_syn(const char *source, uint16_t port, uint16_t to_port);
enum reason world_send_syn(
	struct world *world, uint64_t at_ms, const char *source, uint16_t port, uint16_t to_port);
/** A datagram of 20 bytes, likewise. */
enum reason world_send_udp(
	struct world *world, uint64_t at_ms, const char *source, uint16_t port, uint16_t to_port);
/** The i-th of many addresses that share no prefix with each other for long. */
void world_numbered(char text[32], unsigned i);

#endif
