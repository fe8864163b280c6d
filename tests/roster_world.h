/* SPDX-License-Identifier: BSD-3-Clause
 * A roster with an injected clock whose events are written down in order, for the tests of the roster. One
 * world at a time, one thread. Times are seconds since the world began. Must not interpret what it records:
 * that is the tests' part.
 */
#ifndef WEIR_TESTS_ROSTER_WORLD_H
#define WEIR_TESTS_ROSTER_WORLD_H

#include "control/roster.h"

struct roster_world {
	struct roster *roster;
	struct roster_config config;
	char *text; /* events since the last forget, a line each */
	size_t bytes, size;
	unsigned cuts;
};
extern struct roster_world roster_world;

/* The clock begins at an hour, so that no time is the "never" of a field. */
#define ROSTER_WORLD_START_MS INT64_C(3600000)
#define ROSTER_MS(seconds)    (ROSTER_WORLD_START_MS + (int64_t)((seconds)*1000.0 + 0.5))

/** The profile's configuration; addresses of documentation and private ranges may enter the book. */
struct roster_config roster_world_config(const char *profile);
void roster_world_begin(const char *profile);
void roster_world_begin_with(const struct roster_config *config);
void roster_world_end(void);
/** Everything due up to `at_s` happens, with the scheduled ticks or without. */
void roster_world_run(double at_s);
void roster_world_wait(double at_s);
/** One tick now; forgets the events before it. */
void roster_world_tick(double at_s);

/** Forget the events recorded so far. */
void roster_world_forget(void);
/** How many events of this name there were, or of this name with `part` in their text. */
unsigned roster_world_events(const char *name);
unsigned roster_world_events_with(const char *name, const char *part);
/** The text of the nth event (0, 1, ...) of this name; "" if there was none. Valid until the next call. */
const char *roster_world_event(const char *name, unsigned nth);
/** The names of all events, in order, divided by spaces. */
const char *roster_world_names(void);

struct address roster_world_address(const char *ip);
/** A proven connection, bound to `id` unless it is "". Fails the running check when it is refused. */
uint64_t roster_world_open(const char *ip, uint16_t port, bool inbound, const char *id, double at_s);
void roster_world_close(uint64_t connection, enum closed_by by, enum closed_how how, double at_s);
/** An address, or "#id". */
struct peer_name roster_world_name(const char *who);
struct roster_peer_info roster_world_peer(const char *who, double at_s);
/** Says all that is in `tag`; fails the running check when it is refused. */
void roster_world_tag(const char *who, const struct roster_tag *tag, double at_s);
void roster_world_subnets(const char *who, const char *subnets, double at_s); /* "1 2 3" */
void roster_world_temperature(const char *id, enum temperature to, double at_s);
void roster_world_book(const char *ip, uint16_t port, enum peer_source source, double at_s);
struct roster_status roster_world_status(void);
/** The numbers of connections equal the table's, in every place: checks of `name`. */
void roster_world_check_counts(const char *name);
/** Metrics of which nothing is given. */
struct roster_metrics roster_world_metrics(void);

#endif
