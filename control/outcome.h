/* SPDX-License-Identifier: BSD-3-Clause
 * What a connection says about its peer (policy.md 2.1): success, failure, or nothing. So that our own limits
 * and a node that is down never count against anybody, and so that no packet of an unproven source counts at
 * all (V39). Pure, any thread.
 */
#ifndef WEIR_CONTROL_OUTCOME_H
#define WEIR_CONTROL_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/event.h"

enum outcome { OUTCOME_NEUTRAL, OUTCOME_SUCCESS, OUTCOME_FAILURE };
const char *outcome_name(enum outcome outcome);

/** What the node said about the peer's login. */
enum outcome_auth { OUTCOME_AUTH_NONE, OUTCOME_AUTH_OK, OUTCOME_AUTH_FAILED };

/** Why the node, or Weir, closed it. */
enum outcome_cause {
	OUTCOME_CAUSE_NONE,       /* nothing was said */
	OUTCOME_CAUSE_PEER_FAULT, /* the node: the peer misbehaved */
	OUTCOME_CAUSE_TOO_MANY,   /* the node: no place */
	OUTCOME_CAUSE_SHUTDOWN,   /* the node goes down */
	OUTCOME_CAUSE_OWN_LIMIT,  /* Weir: a limit, a prune, a temporary ban */
	OUTCOME_CAUSE_RESTART,    /* Weir or its dataplane began anew */
};
/** From the words of conn.close and peer.disconnect: "too_many_peers", "shutdown", "fault", ...; NONE for
 * others. */
enum outcome_cause outcome_cause_from(const char *reason);

struct outcome_input {
	bool proven;          /* handshake, cookie, or the node's word */
	bool outbound;        /* the node opened it: a refusal is an answer */
	bool node_up;         /* as far as is known */
	bool wants_auth;      /* HE-13: an answer to a dial is no success before it has authenticated */
	bool payload_is_auth; /* of a node that never says whether it has: payload is taken for it */
	enum outcome_auth auth;
	enum outcome_cause cause;
	enum closed_by by;
	enum closed_how how;
	int64_t payload_ms; /* first payload of the peer, after the proof; negative: none */
	int64_t age_ms;     /* proof to end */
	int64_t auth_timeout_ms, min_life_ms;
};
/** `ret_why` is a literal for answers and events; may be NULL. */
enum outcome outcome_classify(const struct outcome_input *input, const char **ret_why);

#endif
