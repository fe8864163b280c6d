/* SPDX-License-Identifier: BSD-3-Clause
 * The engine: attempts in fixed slots, each a non-blocking socket with a state and one deadline. One thread, which
 * owns the epoll descriptor. Must not read clocks: the loop passes the time.
 */
#ifndef WEIR_BENCH_DIAL_ATTEMPT_H
#define WEIR_BENCH_DIAL_ATTEMPT_H

#include <stdint.h>

#include "bench/dial_options.h"
#include "bench/dial_report.h"

struct dial_engine;

/** Keeps the pointers. -ENOMEM, -EINVAL: sources that cannot be used. */
int dial_engine_create(const struct dial_options *options, int epoll_fd, struct dial_report *report,
	struct dial_engine **ret_engine);
/** Closes what is open, without counting it. */
void dial_engine_destroy(struct dial_engine *engine);
/** Start the next attempt, which was meant to start at `intended_ns`. */
void dial_engine_start(struct dial_engine *engine, uint64_t intended_ns, uint64_t now_ns);
/** One event of epoll: `data` is event.data.u64. */
void dial_engine_event(struct dial_engine *engine, uint64_t data, uint32_t events, uint64_t now_ns);
/** Resend, time out and let go whatever is due. */
void dial_engine_expire(struct dial_engine *engine, uint64_t now_ns);
/** UINT64_MAX: nothing waits. */
uint64_t dial_engine_next_ns(const struct dial_engine *engine);
/** Attempts whose outcome is not known yet; held connections do not count. */
uint32_t dial_engine_pending(const struct dial_engine *engine);

#endif
