/* SPDX-License-Identifier: BSD-3-Clause
 * The event loop: epoll, timerfds and a signalfd, one thread. A turn dispatches what is ready, then calls the
 * turn hooks. It owns no descriptor but its own timers and signals; must not know what its users do.
 */
#ifndef WEIR_CONTROL_EVENT_LOOP_H
#define WEIR_CONTROL_EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_loop;
struct event_source;

enum { EVENT_LOOP_IN = 1, EVENT_LOOP_OUT = 2, EVENT_LOOP_HANGUP = 4 };

typedef void (*event_handler)(void *context, unsigned ready);

int event_loop_create(struct event_loop **ret_loop);
/** Frees every source. */
void event_loop_destroy(struct event_loop *loop);

/** Watch a descriptor; it stays its owner's. -ENOMEM or -errno of epoll. */
int event_loop_add(struct event_loop *loop, int fd, unsigned interest, event_handler handler, void *context,
	struct event_source **ret_source);
int event_loop_change(struct event_loop *loop, struct event_source *source, unsigned interest);
/** Safe inside a handler, also for the source that is being handled; call it before closing the descriptor.
 * NULL is ignored. */
void event_loop_remove(struct event_loop *loop, struct event_source *source);

/** A timer, unarmed. Late by a suspended process: it fires once, not once for each missed period. */
int event_loop_add_timer(
	struct event_loop *loop, event_handler handler, void *context, struct event_source **ret_source);
/** First expiry after delay_ns (0: at once), then each period_ns (0: once). */
int event_loop_arm(struct event_source *source, uint64_t delay_ns, uint64_t period_ns);

/** Block these signals and hand them to the handler: `ready` is the signal's number. The list ends with 0. */
int event_loop_add_signals(struct event_loop *loop, const int *signals, event_handler handler, void *context);

/** Called at the start and at the end of each turn. */
void event_loop_set_hooks(
	struct event_loop *loop, void (*begin)(void *context), void (*end)(void *context), void *context);
/** Until event_loop_stop. 0 or -errno. */
int event_loop_run(struct event_loop *loop);
void event_loop_stop(struct event_loop *loop);

#endif
