/* SPDX-License-Identifier: BSD-3-Clause
 * Frames through a stage and on, as dataplane/packet_io.c does it but without DPDK: parse, decide, rewrite or answer,
 * and what comes out, Weir's own segments included, is handed to the test. One thread; the test sets the clock
 * (world->now_ns). Must not decide anything itself.
 */
#ifndef WEIR_TESTS_PROXY_PATH_H
#define WEIR_TESTS_PROXY_PATH_H

#include "tests/stage_world.h"

enum path_origin {
	PATH_FORWARDED, /* the frame that came, rewritten or not */
	PATH_ANSWER,    /* Weir's answer to the frame that came, back to its side */
	PATH_ORIGINATED /* Weir's own */
};

struct path {
	struct world *world;
	void *context;
	/** A frame leaves on `side`. `cause`: the `mark` of the frame that was sent; 0 in path_step. */
	void (*leave)(void *context, enum side side, const uint8_t *frame, uint32_t bytes, enum path_origin origin,
		unsigned cause);
	unsigned answers_too_long; /* answers to the outside longer, from the IP header on, than what they answer */
	unsigned answers;
};

/** One frame; returns why. The frame's bytes may change. */
enum reason path_send(struct path *path, enum side side, uint8_t *frame, uint32_t bytes, unsigned mark);
/** The stage's housekeeping at world->now_ns. */
void path_step(struct path *path);
/** Send what the stage has originated outside of path_send and path_step (stage_cut). */
void path_flush(struct path *path, unsigned mark);
/** The process dies and another takes its flows over: stage and index are made anew over the same storage, the gauges begin at 0. */
void path_restart(struct path *path);

#endif
