/* SPDX-License-Identifier: BSD-3-Clause
 * A governor with an injected clock whose effects are written down in order, for the tests of the governor.
 * One world at a time, one thread. Times are seconds since the world began; world_class lets the governor do
 * what is due first, as the event loop does. Must not interpret what it records: that is the tests' part.
 */
#ifndef WEIR_TESTS_GOVERNOR_WORLD_H
#define WEIR_TESTS_GOVERNOR_WORLD_H

#include "control/governor.h"

enum effect_kind {
	EFFECT_ENFORCE,
	EFFECT_CUT,
	EFFECT_STORE_BAN,
	EFFECT_DELETE_BAN,
	EFFECT_STORE_STRIKE,
	EFFECT_STORE_LIST,
	EFFECT_EVENT,
	EFFECT_KIND_COUNT,
};

struct effect {
	enum effect_kind kind;
	struct prefix prefix; /* of enforce, bans, strikes and lists; the address of cut as a host */
	enum source_class class;
	int64_t end_ms;
	unsigned tier, strikes;
	char name[32]; /* of an event */
};

enum { WORLD_EFFECTS_MAX = 64 };

struct governor_world {
	struct governor *governor;
	struct governor_config config;
	struct effect effects[WORLD_EFFECTS_MAX]; /* the first ones since world_forget */
	unsigned n_effects;                       /* all of them */
	unsigned n[EFFECT_KIND_COUNT];
};
extern struct governor_world governor_world;

#define WORLD_MS(seconds) ((int64_t)((seconds)*1000.0))

/** The constants of the bootstrap profile with this freeze, a T2 of an hour, and bounds that no test reaches
 * by accident. */
struct governor_config world_config(double freeze_s);
void world_begin(double freeze_s);
void world_begin_with(const struct governor_config *config);
void world_end(void);
/** Change constants at `at_s`. */
void world_reconfigure(double at_s);
/** Forget the effects recorded so far. */
void world_forget(void);
unsigned world_effects(void);
/** The nth effect (0, 1, ...) of this kind since world_forget; an empty one if there was none. */
struct effect world_effect(enum effect_kind kind, unsigned nth);

/** An address, or "#id". */
struct peer_name world_name(const char *who);
/** Report `times` times, proven by the node; the last result. A refusal fails the running check. */
struct peer_report_result world_report(const char *who, enum peer_action action, unsigned times, double at_s);
struct peer_info world_peer(const char *who, double at_s);
/** Everything due up to `at_s` is done, and this is what holds for the address then. */
enum source_class world_class(const char *address, double at_s);
struct governor_why world_why(const char *address, double at_s);
/** A ban by the operator of an address, prefix or "#id"; until_s below 0: for ever. */
struct ban world_ban(const char *who, unsigned tier, double until_s);
int world_ban_add(const char *who, unsigned tier, double until_s, bool force, double at_s);
/** Tier 0: all. Returns the error, or the set of tiers removed. */
int world_ban_remove(const char *who, unsigned tier, double at_s);
int world_list(enum governor_list list, const char *prefix, double at_s);
/** An event about a proven inbound flow that may be used as evidence. */
struct event_record world_event(const char *address, enum event_kind kind);
void world_tell(const struct event_record *event, unsigned times, double at_s);
void world_bind(const char *id, const char *address, uint16_t port, double at_s);
struct governor_stats world_stats(void);

#endif
